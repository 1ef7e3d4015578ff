"""A store with contacts, a provider and a campaign, made as the commands make them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from macli import contacts
from macli.clock import to_ms
from macli.store import Store, open_store, settings
from macli.tick.engine import Engine

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


@dataclass(kw_only=True)
class World:
    """A workspace's path and store."""

    path: Path
    store: Store

    def engine(self, now: datetime = NOW, zone: str = "UTC") -> Engine:
        return Engine(
            store=self.store,
            setting=lambda key: settings.get(self.store, key),
            now=now,
            zone=ZoneInfo(zone),
            workspace=self.path,
        )

    def reopen(self) -> "World":
        return World(path=self.path, store=open_store(self.path / "macli.db"))

    def states(self) -> dict[str, int]:
        return {
            row["state"]: row["sends"]
            for row in self.store.rows("SELECT state, count(*) AS sends FROM sends GROUP BY state")
        }

    def reasons(self) -> dict[str, int]:
        return {
            row["reason"]: row["sends"]
            for row in self.store.rows(
                "SELECT reason, count(*) AS sends FROM sends WHERE state = 'skipped' GROUP BY reason"
            )
        }


def new_world(path: Path) -> World:
    """An initialised workspace, its channels on the outbox."""
    from macli.store import identity, starter

    path.mkdir(parents=True, exist_ok=True)
    (path / "macli.toml").write_text('store = "macli.db"\n')
    store = open_store(path / "macli.db", create=True)
    identity.record(store)
    starter.furnish(store, NOW)
    world = World(path=path, store=store)
    settings.put(store, NOW, "sender.email", "news@shop.example")
    settings.put(store, NOW, "postal_address", "1 Main St, Ottawa")
    # Most worlds have no address in the world; those of test_marketing_mail look at what that forbids.
    settings.put(store, NOW, "unsubscribe.require_https", "false")
    return world


def add_contacts(store: Store, number: int, *, start: int = 0) -> None:
    """Contacts c0@example.com, c1@example.com, … with a first name and a phone number each."""
    with store.write():
        store.executemany(
            """
            INSERT INTO contacts (email, phone, attributes, added_at, updated_at)
            VALUES (?, ?, ?, ?, ?)
            """,
            (
                (
                    f"c{place}@example.com",
                    f"+1416555{place:04d}" if place < 10_000 else None,
                    f'{{"first_name": "Contact {place}", "number": {place}}}',
                    to_ms(NOW),
                    to_ms(NOW),
                )
                for place in range(start, start + number)
            ),
        )
        for name, kind in (("first_name", "text"), ("number", "number")):
            store.execute(
                "INSERT INTO attributes (name, type, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (name, kind, to_ms(NOW)),
            )


def use_smtp(
    store: Store, port: int, *, connections: int = 10, timeout: float = 5.0, limits: Sequence[str] = ()
) -> None:
    """Put the channel email on an SMTP server on this machine."""
    import json

    from macli.store import channels

    with store.write():
        store.execute(
            """
            INSERT INTO providers (name, name_key, kind, settings, limits, created_at, updated_at)
            VALUES ('sink', 'sink', 'smtp', :settings, :limits, :now, :now)
            """,
            {
                "settings": json.dumps(
                    {"host": "127.0.0.1", "port": port, "connections": connections, "timeout": timeout}
                ),
                "limits": json.dumps(list(limits)),
                "now": to_ms(NOW),
            },
        )
    channels.set_provider(store, "email", "sink")


def opt_out(world: World, contact_id: int, channel: str, now: datetime = NOW) -> None:
    contacts.withdraw_where(world.store, now, contacts.ONE, {"one_contact": contact_id}, channel, "test")


def opt_in(world: World, contact_id: int, channel: str, now: datetime = NOW) -> None:
    contacts.grant_where(world.store, now, contacts.ONE, {"one_contact": contact_id}, channel, "test")


def remove(world: World, contact_id: int, now: datetime = NOW) -> None:
    contacts.remove_where(world.store, now, contacts.ONE, {"one_contact": contact_id}, "test")


def add_template(
    store: Store,
    name: str = "hello",
    *,
    kind: str = "email",
    subject: str | None = "Hi {{ first_name }}",
    html: str = "<p>Dear {{ first_name }}, spring is here.</p>",
    text: str | None = None,
) -> None:
    """A template; for a text message only ``text`` counts."""
    from macli.content.prepare import prepare
    from macli.store import templates

    if kind == "email":
        content = prepare(name, kind, source=html, source_format="html", subject=subject, text=text)
    else:
        content = prepare(name, kind, source=text or "", source_format="text")
    templates.create(store, NOW, name, kind, content)


def add_campaign(
    store: Store, name: str = "spring", *, now: datetime = NOW, zone: str = "UTC", **definition: Any
) -> int:
    """An activated campaign; without ``steps`` a broadcast of one mail to everybody. Its id."""
    from macli.campaign import edit, starting
    from macli.store import campaigns

    definition.setdefault("entry", {"rule": "has email"})
    definition.setdefault("steps", [{"send": "hello"}])
    if store.value("SELECT count(*) FROM templates") == 0:
        add_template(store)
    edit.save(store, now, {"name": name, **definition}, zone=ZoneInfo(zone))
    starting.activate(
        store, now, campaigns.get(store, name), setting=lambda key: settings.get(store, key), zone=ZoneInfo(zone)
    )
    return int(campaigns.get(store, name)["id"])
