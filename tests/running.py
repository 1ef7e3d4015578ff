"""A campaign in a store of its own, ticked at chosen times, with a dispatcher that settles what is planned."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from macli import events
from macli.campaign.definition import parse
from macli.clock import from_ms, to_ms
from macli.model import NewEvent
from macli.store import Store, campaign_states, campaigns, ledger, open_store, settings, starter
from macli.tick import advance, enroll, react
from macli.tick.engine import Engine

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Still(Engine):
    """An engine whose clock stands still while it works."""

    def moment(self) -> datetime:
        return self.now


@dataclass(kw_only=True)
class Running:
    """A store and its campaigns."""

    path: Path
    store: Store
    zone: str = "UTC"
    fate: Callable[[str, int], str] = lambda step, contact: "accepted"
    over: Callable[[], bool] = lambda: False
    _sources: int = field(default=0)

    def engine(self, now: datetime) -> Still:
        return Still(
            store=self.store,
            setting=lambda key: settings.get(self.store, key),
            now=now,
            zone=ZoneInfo(self.zone),
            workspace=self.path,
        )

    def tick(self, now: datetime, *, send: bool = True) -> None:
        """The phases of a tick; whatever is planned is settled by ``fate``."""
        engine = self.engine(now)
        react.refresh_segments(engine)
        react.react(engine)
        enroll.enroll(engine, over=self.over)
        advance.advance(engine, over=self.over)
        while send and self.dispatch(now):
            advance.advance(engine, over=self.over)

    def dispatch(self, now: datetime) -> bool:
        rows = self.store.rows(
            """
            SELECT sends.id, steps.key, sends.contact_id
            FROM sends
            JOIN steps ON steps.id = sends.step_id
            JOIN campaigns ON campaigns.id = sends.campaign_id
            WHERE sends.state = 'planned'
              AND sends.due_at <= :now
              AND campaigns.state = 'active'
            """,
            {"now": to_ms(now)},
        )
        with self.store.write():
            for row in rows:
                self.store.execute(
                    "UPDATE sends SET state = ?, left_at = ? WHERE id = ?",
                    (self.fate(row["key"], row["contact_id"]), to_ms(now), row["id"]),
                )
                ledger.wake(self.store, f"SELECT {row['id']}", to_ms(now))
        return bool(rows)

    # What there is

    def contact(self, *, at: datetime = NOW, zone: str | None = None, **attributes: Any) -> int:
        with self.store.write():
            for name, value in attributes.items():
                kind = {str: "text", int: "number", float: "number", bool: "bool"}[type(value)]
                if isinstance(value, str) and value[:4].isdigit():
                    kind = "date"
                self.store.execute(
                    "INSERT INTO attributes (name, type, created_at) VALUES (?, ?, 0) ON CONFLICT DO NOTHING",
                    (name, kind),
                )
            made: int = self.store.value(
                """
                INSERT INTO contacts (email, timezone, attributes, added_at, updated_at)
                VALUES ('c' || (SELECT count(*) FROM contacts) || '@example.com', ?, ?, ?, ?)
                RETURNING id
                """,
                (zone, json.dumps(attributes), to_ms(at), to_ms(at)),
            )
        return made

    def campaign(self, *, at: datetime = NOW, start: bool = True, name: str = "spring", **definition: Any) -> int:
        definition = {"name": name, "entry": {"rule": "everyone"}, **definition}
        made = campaigns.create(self.store, at, written(definition))
        if start:
            self.start(made, at)
        return made

    def start(self, campaign_id: int, at: datetime, start_at: datetime | None = None) -> None:
        campaign = self.row(campaign_id)
        parsed = parse(campaigns.document(self.store, campaign)).campaign
        existing = parsed.entry.kind == "event" and parsed.entry.includes_existing
        last = self.store.value("SELECT coalesce(max(id), 0) FROM events")
        campaign_states.start(self.store, at, campaign, start_at=start_at, from_event=0 if existing else last)

    def edit(self, campaign_id: int, at: datetime, **definition: Any) -> int:
        definition = {"name": "spring", "entry": {"rule": "everyone"}, **definition}
        return campaigns.add_version(self.store, at, campaign_id, written(definition))

    def happens(self, contact: int, name: str, at: datetime, *, now: datetime | None = None, **properties: Any) -> None:
        self._sources += 1
        events.record(
            self.store,
            now or at,
            [
                NewEvent(
                    contact_id=contact,
                    name=name,
                    at=to_ms(at),
                    source="test",
                    source_id=str(self._sources),
                    properties=properties,
                )
            ],
        )

    # What became of it

    def row(self, campaign_id: int) -> Any:
        return self.store.row("SELECT * FROM campaigns WHERE id = ?", (campaign_id,))

    def places(self) -> list[tuple[Any, ...]]:
        """(contact, round, step, due, ended as) of every round."""
        rows = self.store.rows(
            """
            SELECT enrollments.*, steps.key
            FROM enrollments
            LEFT JOIN steps ON steps.id = enrollments.step_id
            ORDER BY contact_id, round
            """
        )
        return [
            (
                row["contact_id"],
                row["round"],
                row["key"],
                None if row["due_at"] is None else from_ms(row["due_at"]),
                row["ended_as"],
            )
            for row in rows
        ]

    def ended(self) -> list[str | None]:
        return [place[4] for place in self.places()]

    def sent(self) -> list[tuple[int, str]]:
        """(contact, step) of every message, in the order of planning."""
        rows = self.store.rows(
            "SELECT contact_id, key FROM sends JOIN steps ON steps.id = sends.step_id ORDER BY sends.id"
        )
        return [(row["contact_id"], row["key"]) for row in rows]

    def log(self) -> dict[tuple[str, str], int]:
        """How many took each way from each step."""
        rows = self.store.rows(
            """
            SELECT steps.key, way, sum(passed) AS passed
            FROM step_log
            JOIN steps ON steps.id = step_log.step_id
            GROUP BY steps.key, way
            """
        )
        return {(row["key"], row["way"]): row["passed"] for row in rows}


def written(definition: dict[str, Any]) -> campaigns.Written:
    """What the store keeps of a definition, without looking up the names in it."""
    campaign = parse(definition).campaign
    return campaigns.Written(
        name=campaign.name,
        definition=definition,
        category_id=None,
        segment_ids=[],
        steps=[
            campaigns.StepRow(key=node.key, action=node.action.word, events=node.action.events())
            for node in campaign.each_step()
        ],
        origin=None,
    )


class Stores:
    """New stores quickly: each a copy of one that was made once."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._made = folder, 0
        with open_store(folder / "empty.db", create=True) as store:
            starter.furnish(store, NOW)
            with store.write():
                # What clicks are worth, and which stages that leads to, is told elsewhere than here.
                store.execute("DELETE FROM point_rules")
            store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def new(self) -> Running:
        self._made += 1
        path = self._folder / f"{self._made}.db"
        shutil.copy(self._folder / "empty.db", path)
        store = open_store(path)
        store.connection.execute("PRAGMA synchronous=OFF")
        return Running(path=self._folder, store=store)
