"""Visitors: browsers known by a token, and the contact each turned out to be."""

import re
from collections.abc import Callable

from macli.store.connection import Row, Store

is_token: Callable[[str], object] = re.compile(r"[A-Za-z0-9_-]{16,64}").fullmatch
"""What a visitor's token looks like: at least 96 random bits, and nothing a header could choke on."""


def seen(store: Store, now_ms: int, token: str) -> Row:
    """The visitor of that token, made where it is new: id, contact_id, proven. Inside a write."""
    store.execute(_SEEN, {"token": token, "now": now_ms})
    found = by_token(store, token)
    assert found is not None
    return found


_SEEN = """
INSERT INTO visitors (token, first_at, last_at)
VALUES (:token, :now, :now)
ON CONFLICT (token) DO UPDATE
SET last_at = excluded.last_at
WHERE visitors.last_at < excluded.last_at
"""


def by_token(store: Store, token: str) -> Row | None:
    """The visitor of that token: id, contact_id, and whether it is proven that the contact sits there."""
    return store.row("SELECT id, contact_id, proven FROM visitors WHERE token = :token", {"token": token})


def give(store: Store, now_ms: int, visitor_id: int, contact_id: int) -> bool:
    """Make a visitor nobody knew the contact's, with all it did; whether that was new.

    Inside a write.
    """
    said = {"visitor_id": visitor_id, "contact_id": contact_id, "now": now_ms}
    if not store.execute(_GIVE, said):
        return False
    store.execute(_GIVE_EVENTS, said)
    # What the contact did has grown: rules that ask for it look again.
    store.execute("UPDATE contacts SET updated_at = :now WHERE id = :contact_id", said)
    return True


def prove(store: Store, visitor_id: int, contact_id: int) -> None:
    """It is proven that the contact is this visitor: the devices it brought are the contact's. Inside a write."""
    said = {"visitor_id": visitor_id, "contact_id": contact_id}
    if store.execute(_PROVE, said):
        store.execute(_GIVE_DEVICES, said)


_PROVE = """
UPDATE visitors
SET proven = 1
WHERE id = :visitor_id
  AND contact_id = :contact_id
  AND proven = 0
"""

_GIVE = """
UPDATE visitors
SET contact_id = :contact_id, joined_at = :now
WHERE id = :visitor_id
  AND contact_id IS NULL
"""

_GIVE_EVENTS = """
UPDATE events
SET contact_id = :contact_id
WHERE visitor_id = :visitor_id
  AND contact_id IS NULL
"""

_GIVE_DEVICES = """
UPDATE devices
SET contact_id = :contact_id
WHERE visitor_id = :visitor_id
  AND contact_id IS NULL
"""
