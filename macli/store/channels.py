"""Channels: the ways to contacts, each on a provider that can serve its kind."""

from datetime import datetime

from macli.clock import to_ms
from macli.errors import UnknownName, UsageError
from macli.model import CHANNEL_KINDS
from macli.providers import CARRIES
from macli.store import providers
from macli.store.connection import Row, Store


def create(store: Store, now: datetime, name: str, kind: str, *, provider: str | None = None) -> int:
    """Make a channel; its id. Raises UsageError for a taken name or a provider of another kind."""
    name = providers.checked_name("channel", name)
    if kind not in CHANNEL_KINDS:
        raise UnknownName("kind of channel", kind, CHANNEL_KINDS, hint=f"one of {', '.join(CHANNEL_KINDS)}")
    carrier = _carrier(store, kind, provider) if provider is not None else None
    with store.write():
        made: int | None = store.value(
            _CREATE,
            {"name": name, "key": name.casefold(), "kind": kind, "provider": carrier, "now": to_ms(now)},
        )
    if made is None:
        raise UsageError(f"there is a channel {name!r} already", hint=f"macli channel set {name} --provider NAME")
    return made


_CREATE = """
INSERT INTO channels (name, name_key, kind, provider_id, created_at)
VALUES (:name, :key, :kind, :provider, :now)
ON CONFLICT (name_key) DO NOTHING
RETURNING id
"""


def set_provider(store: Store, name: str, provider: str) -> None:
    """Put a channel on a provider. Raises UsageError where the provider cannot serve its kind."""
    channel = get(store, name)
    carrier = _carrier(store, channel["kind"], provider)
    with store.write():
        store.execute(_SET, {"id": channel["id"], "provider": carrier})


_SET = """
UPDATE channels
SET provider_id = :provider
WHERE id = :id
"""


def _carrier(store: Store, kind: str, provider: str) -> int:
    row = providers.get(store, provider)
    if kind not in CARRIES[row["kind"]]:
        raise UsageError(
            f"{row['name']!r} is a {row['kind']} provider and cannot carry {kind}: "
            f"{row['kind']} carries {' and '.join(CARRIES[row['kind']])}",
            hint="macli provider list",
        )
    return int(row["id"])


def remove(store: Store, name: str) -> None:
    """Remove a channel. Raises UsageError for the first of each kind, which campaigns fall back to."""
    channel = get(store, name)
    if channel["name_key"] in CHANNEL_KINDS:
        raise UsageError(f"the channel {name!r} stays: it is what campaigns use that name no other")
    with store.write():
        store.execute("DELETE FROM channels WHERE id = :id", {"id": channel["id"]})


def get(store: Store, name: str) -> Row:
    """A channel with its provider's name. Raises UnknownName."""
    row = store.row(f"{_CHANNELS} WHERE c.name_key = :key", {"key": name.strip().casefold()})
    if row is None:
        known = [found["name"] for found in store.rows("SELECT name FROM channels")]
        raise UnknownName("channel", name, known, hint="macli channel list")
    return row


def provider_of(store: Store, name: str) -> str:
    """The name of the provider a channel is on. Raises UsageError where it has none."""
    channel = get(store, name)
    if channel["provider"] is None:
        raise UsageError(
            f"the channel {channel['name']!r} has no provider",
            hint=f"macli channel set {channel['name']} --provider NAME",
        )
    return str(channel["provider"])


def list_all(store: Store) -> list[Row]:
    return store.rows(f"{_CHANNELS} ORDER BY c.id")


_CHANNELS = """
SELECT c.id, c.name, c.name_key, c.kind, c.provider_id, c.created_at, p.name AS provider, p.kind AS carried_by
FROM channels AS c
LEFT JOIN providers AS p ON p.id = c.provider_id
"""
