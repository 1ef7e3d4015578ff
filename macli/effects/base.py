"""What an effect is: SQL over a range of new events, and the events this causes in turn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from macli.store import Store

NEW = "events.id > :first AND events.id <= :last AND events.name || '' = :event"
"""The new events of one name. ``|| ''`` keeps the engine from walking all events ever of that name by its
index instead of the few new ones by their ids."""

OUTWEIGHS = """
ON CONFLICT (channel, address) DO UPDATE
SET reason = excluded.reason
WHERE suppressions.reason = 'opted_out'
"""
"""What makes an address useless, or complained, goes before its no: that a yes takes back, and what is owed
to a contact does not heed. Who put it there stays."""


@dataclass(frozen=True, kw_only=True)
class Caused:
    """Events an effect causes: ``select`` yields contact_id, at, source_id, properties, send_id,
    campaign_id; ``folded`` is the case-folded form of the properties where lower() would not do."""

    name: str
    source: str
    select: str
    params: Mapping[str, Any] = field(default_factory=dict)
    folded: str | None = None


Effect = Callable[[Store, int, int, int], list[Caused]]
"""(store, now in ms, first id, last id) of a range of new events → the events this causes."""


BatchEffect = Callable[[Store, int, int, int, frozenset[str]], list[Caused]]
"""(store, now in ms, first id, last id, the names among them) of a range of new events of whatever name →
the events this causes."""


def touch(store: Store, now_ms: int, event: str, first: int, last: int) -> None:
    """Note that the contacts of the new events changed."""
    store.execute(
        f"""
        UPDATE contacts
        SET updated_at = :now
        WHERE id IN (SELECT events.contact_id FROM events WHERE {NEW})
        """,
        {"now": now_ms, "event": event, "first": first, "last": last},
    )
