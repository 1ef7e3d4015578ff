"""Contacts removed, brought back, and deleted for good."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from macli import events
from macli.clock import to_ms
from macli.contacts.chosen import changed, choose
from macli.contacts.consenting import keep_noes
from macli.model import NewEvent
from macli.store import Store, owners


def remove_where(store: Store, now: datetime, ids: str, params: Mapping[str, Any], source: str) -> int:
    """Remove the contacts ``ids`` selects: kept, but nothing is sent to them; how many there were."""
    with store.write():
        chosen = choose(store, _STANDING.format(ids=ids, state="IS NULL"), params)
        if chosen:
            store.execute(_MARK_REMOVED, {"removed": to_ms(now)})
            changed(store, now, "contact.removed", {}, source)
    return chosen


def restore_where(store: Store, now: datetime, ids: str, params: Mapping[str, Any], source: str) -> int:
    """Bring removed contacts back, with what they said about being written to; how many there were."""
    with store.write():
        chosen = choose(store, _STANDING.format(ids=ids, state="IS NOT NULL"), params)
        if chosen:
            store.execute(_MARK_REMOVED, {"removed": None})
            changed(store, now, "contact.readded", {}, source)
    return chosen


_STANDING = """
SELECT id, NULL
FROM contacts
WHERE id IN ({ids})
  AND removed_at {state}
"""

_MARK_REMOVED = """
UPDATE contacts
SET removed_at = :removed
WHERE id IN (SELECT contact_id FROM chosen)
"""


def purge_where(store: Store, now: datetime, ids: str, params: Mapping[str, Any]) -> int:
    """Delete contacts with their history for good; how many there were.

    What they said no to outlives them: their addresses stay on the list of those never written to.
    The ledger keeps what was sent, without saying to whom but by address.
    """
    with store.write(), store.whole():
        chosen = choose(store, f"SELECT id, NULL FROM contacts WHERE id IN ({ids})", params)
        if chosen:
            for channel in ("email", "sms"):
                keep_noes(store, now, "SELECT contact_id FROM chosen", {}, channel, "purge")
            store.execute(_CANCEL, {"now": to_ms(now)})
            # The newest event of all, so that no later one gets the number of an event deleted here and is
            # overlooked by who reads on from there; and senders see that somebody is gone.
            gone = NewEvent(contact_id=None, name="contact.purged", at=to_ms(now), source="purge")
            events.record(store, now, [gone])
            store.execute("DELETE FROM contacts WHERE id IN (SELECT contact_id FROM chosen)")
            owners.lower_cursor(store)
    return chosen


_CANCEL = """
UPDATE sends
SET state = 'skipped', reason = 'removed', settled_at = :now
WHERE state = 'planned'
  AND contact_id IN (SELECT contact_id FROM chosen)
"""
