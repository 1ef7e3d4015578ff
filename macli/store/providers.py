"""Providers: their settings, with secrets by reference only, their limits and how their last test went."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from macli import providers
from macli.clock import to_ms
from macli.errors import OperationFailed, UnknownName, UsageError
from macli.model import Check
from macli.providers.limits import parse_limits
from macli.providers.settings import options
from macli.secrets import Secret
from macli.store.connection import Row, Store


def add(store: Store, now: datetime, name: str, kind: str, settings: Mapping[str, Any], *, workspace: Path) -> int:
    """Keep a provider's settings if they hold; its id. Raises UsageError naming what is wrong."""
    name = check(store, name, kind, settings, workspace=workspace)
    with store.write():
        made: int | None = store.value(
            _ADD,
            {
                "name": name,
                "key": name.casefold(),
                "kind": kind,
                "settings": json.dumps(dict(settings), ensure_ascii=False),
                "now": to_ms(now),
            },
        )
    if made is None:
        raise _taken(name)
    return made


def check(store: Store, name: str, kind: str, settings: Mapping[str, Any], *, workspace: Path) -> str:
    """The name of a provider that can be added; its secrets need not be there yet. Raises UsageError."""
    name = _free_word(name)
    providers.load(kind, settings, name=name, workspace=workspace)
    if store.value("SELECT id FROM providers WHERE name_key = :key", {"key": name.casefold()}) is not None:
        raise _taken(name)
    return name


def _taken(name: str) -> UsageError:
    return UsageError(f"there is a provider {name!r} already", hint=f"macli provider edit {name} changes it")


def _free_word(name: str) -> str:
    name = checked_name("provider", name)
    if name.casefold() == "events":
        raise UsageError(f"{name!r} is the hook of your own systems", hint="give the provider another name")
    return name


_ADD = """
INSERT INTO providers (name, name_key, kind, settings, limits, created_at, updated_at)
VALUES (:name, :key, :kind, :settings, '[]', :now, :now)
ON CONFLICT (name_key) DO NOTHING
RETURNING id
"""


def edit(
    store: Store,
    now: datetime,
    name: str,
    changes: Mapping[str, Any],
    *,
    workspace: Path,
    rename: str | None = None,
) -> None:
    """Change settings, None taking one away. What was found by a test no longer holds afterwards."""
    row = get(store, name)
    new_name = _free_word(rename) if rename is not None else row["name"]
    settings = {**json.loads(row["settings"]), **changes}
    settings = {key: value for key, value in settings.items() if value is not None}
    providers.load(row["kind"], settings, name=new_name, workspace=workspace)
    with store.write():
        taken = store.value(
            "SELECT id FROM providers WHERE name_key = :key AND id <> :id",
            {"key": new_name.casefold(), "id": row["id"]},
        )
        if taken is not None:
            raise UsageError(f"there is a provider {new_name!r} already")
        store.execute(
            _EDIT,
            {
                "id": row["id"],
                "name": new_name,
                "key": new_name.casefold(),
                "settings": json.dumps(settings, ensure_ascii=False),
                "now": to_ms(now),
            },
        )
        if changes:
            store.execute(_UNTEST, {"id": row["id"]})


_EDIT = """
UPDATE providers
SET name = :name, name_key = :key, settings = :settings, updated_at = :now
WHERE id = :id
"""

_UNTEST = """
UPDATE providers
SET tested_at = NULL, test_result = NULL
WHERE id = :id
"""


def remove(store: Store, name: str) -> None:
    """Remove a provider. Raises OperationFailed while a channel is on it or the ledger names it."""
    row = get(store, name)
    channels = store.rows("SELECT name FROM channels WHERE provider_id = :id", {"id": row["id"]})
    if channels:
        named = ", ".join(channel["name"] for channel in channels)
        raise OperationFailed(
            f"{row['name']!r} carries the channel {named}",
            hint=f"macli channel set {channels[0]['name']} --provider OTHER",
        )
    if store.value("SELECT 1 FROM sends WHERE provider_id = :id LIMIT 1", {"id": row["id"]}):
        raise OperationFailed(
            f"{row['name']!r} has carried messages, and the ledger names it: it stays",
            hint="no channel is on it, so it carries no more",
        )
    with store.write():
        store.execute("DELETE FROM providers WHERE id = :id", {"id": row["id"]})


def limits(store: Store, now: datetime, name: str, texts: Iterable[str] | None = None) -> list[str]:
    """A provider's limits, replaced first where ``texts`` is given. Raises UsageError for what is none."""
    row = get(store, name)
    if texts is None:
        return parse_limits(json.loads(row["limits"]) or ()).texts()
    written = parse_limits(texts).texts()
    with store.write():
        store.execute(_LIMIT, {"id": row["id"], "limits": json.dumps(written, ensure_ascii=False), "now": to_ms(now)})
    return written


_LIMIT = """
UPDATE providers
SET limits = :limits, updated_at = :now
WHERE id = :id
"""


def routes(store: Store, name: str) -> list[dict[str, str]]:
    """A provider's routes as they are kept."""
    found: list[dict[str, str]] = json.loads(get(store, name)["settings"]).get("routes", [])
    return sorted(found, key=lambda route: route["prefix"])


def add_route(store: Store, now: datetime, name: str, route: Mapping[str, str | None], *, workspace: Path) -> None:
    """Add a route by a number's prefix. Raises UsageError where the provider has none or it is wrong."""
    entry = {key: value for key, value in route.items() if value is not None}
    _expect_routes(get(store, name))
    edit(store, now, name, {"routes": [*routes(store, name), entry]}, workspace=workspace)


def remove_route(store: Store, now: datetime, name: str, prefix: str, *, workspace: Path) -> None:
    """Remove the route of a prefix. Raises UnknownName."""
    _expect_routes(get(store, name))
    kept = [route for route in routes(store, name) if route["prefix"] != prefix]
    if len(kept) == len(routes(store, name)):
        known = [route["prefix"] for route in kept]
        raise UnknownName("route", prefix, known, hint=f"macli provider route list {name}")
    edit(store, now, name, {"routes": kept or None}, workspace=workspace)


def _expect_routes(row: Row) -> None:
    if row["kind"] != "twilio":
        raise UsageError(f"{row['name']!r} is a {row['kind']} provider: only twilio has routes")


def secrets_of(store: Store, name: str) -> list[str]:
    """The references of a provider's secrets, its routes' too."""
    settings = json.loads(get(store, name)["settings"])
    known = {
        option.key
        for option in options(providers.module_of(get(store, name)["kind"]).Settings)
        if option.type is Secret
    }
    own = [value for key, value in settings.items() if key in known]
    return [*own, *(route["auth_token"] for route in settings.get("routes", ()))]


def dns_records(store: Store, name: str, domain: str | None, *, sender: str | None) -> list[Mapping[str, str]]:
    """The DNS records mail through a provider needs, for ``domain`` or the sender's."""
    from macli.providers import dns

    row = get(store, name)
    address = json.loads(row["settings"]).get("from") or sender or ""
    if domain is None and not address:
        raise UsageError("no domain: nobody sends yet", hint=f"macli provider dns-check {name} example.com")
    return list(dns.records(row["kind"], domain or address.rpartition("@")[2]))


def note_test(store: Store, now: datetime, name: str, checks: Iterable[Check]) -> None:
    """Keep when a provider was tested and how that went; a test that went well ends its rest."""
    row = get(store, name)
    failed = next((check for check in checks if not check.ok), None)
    result = "ok" if failed is None else f"{failed.step}: {failed.detail}"
    with store.write():
        store.execute(
            """
            UPDATE providers
            SET tested_at = :now, test_result = :result
            WHERE id = :id
            """,
            {"id": row["id"], "now": to_ms(now), "result": result},
        )
        if failed is None:
            store.execute(_UNBLOCK, {"id": row["id"]})


def unblock(store: Store, name: str) -> bool:
    """Let a provider that rests after a refusal be used at once; whether it was resting."""
    row = get(store, name)
    with store.write():
        store.execute(_UNBLOCK, {"id": row["id"]})
    return row["blocked_until_at"] is not None


_UNBLOCK = """
UPDATE providers
SET blocked_until_at = NULL, blocked_reason = NULL
WHERE id = :id
"""


def get(store: Store, name: str) -> Row:
    """A provider's row. Raises UnknownName."""
    row = store.row("SELECT * FROM providers WHERE name_key = :key", {"key": name.strip().casefold()})
    if row is None:
        known = [found["name"] for found in store.rows("SELECT name FROM providers")]
        raise UnknownName("provider", name, known, hint="macli provider list")
    return row


def load(store: Store, name: str, *, workspace: Path) -> providers.Provider:
    """A provider ready to be used."""
    row = get(store, name)
    return providers.load(row["kind"], json.loads(row["settings"]), name=row["name"], workspace=workspace)


def list_all(store: Store) -> list[dict[str, Any]]:
    """Every provider, the channels on it, its limits and its last test."""
    on: dict[int, list[str]] = {}
    for channel in store.rows("SELECT name, provider_id FROM channels ORDER BY id"):
        on.setdefault(channel["provider_id"], []).append(channel["name"])
    rows = store.rows("SELECT * FROM providers ORDER BY name_key")
    return [_overview(row, on.get(row["id"], [])) for row in rows]


def _overview(row: Row, channels: list[str]) -> dict[str, Any]:
    return {
        "name": row["name"],
        "kind": row["kind"],
        "channels": channels,
        "limits": parse_limits(json.loads(row["limits"]) or ()).texts(),
        "tested_at": row["tested_at"],
        "test": row["test_result"],
        "blocked_until_at": row["blocked_until_at"],
        "blocked_because": row["blocked_reason"],
    }


def show(store: Store, name: str, *, workspace: Path) -> dict[str, Any]:
    """One provider in full; secrets by their references only."""
    provider = load(store, name, workspace=workspace)
    key = name.strip().casefold()
    overview = next(row for row in list_all(store) if row["name"].casefold() == key)
    return {**overview, "settings": dict(provider.describe())}


def checked_name(kind: str, name: str) -> str:
    """A name people can type. Raises UsageError."""
    name = name.strip()
    if not name or not name.isprintable() or len(name) > 100:
        raise UsageError(f"{name!r} is no name for a {kind}")
    return name
