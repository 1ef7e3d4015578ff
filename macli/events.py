"""The one door to the event log: what happened to a contact, once, and what follows from it.

Everything the world or macli says about a contact is recorded here, in batches, append-only.
``(source, source_id)`` makes a repeated report nothing. What an event brings about (its effects)
runs in the same transaction, as SQL over the batch of new events; an effect returns the events it
causes and the door records those in turn, so effects never call the door.

What macli sent is not repeated here: the ledger of sends is its record.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from macli.clock import to_ms
from macli.effects.base import Caused
from macli.effects.table import AFTERWARDS, EFFECTS
from macli.errors import OperationFailed
from macli.event_names import check_name as check_name
from macli.model import NewEvent
from macli.store import Store

_MOST_DEPTH = 16

_INSERT = """
INSERT INTO events (contact_id, name, at, source, source_id, send_id, campaign_id, visitor_id, properties, folded)
VALUES (
  :contact_id, :name, :at, :source, :source_id, :send_id, :campaign_id, :visitor_id, :properties, :folded
)
ON CONFLICT (source, source_id) DO NOTHING
"""


def record(store: Store, now: datetime, events: Iterable[NewEvent]) -> int:
    """Record the events that are new and apply their effects; how many were new."""
    from macli.address import fold_json

    with store.write(), store.whole():
        before = _last_id(store)
        store.executemany(
            _INSERT,
            (
                {
                    "contact_id": event.contact_id,
                    "name": event.name,
                    "at": event.at,
                    "source": event.source,
                    "source_id": event.source_id,
                    "send_id": event.send_id,
                    "campaign_id": event.campaign_id,
                    "visitor_id": event.visitor_id,
                    "properties": json.dumps(dict(event.properties), ensure_ascii=False) or "{}",
                    "folded": fold_json(event.properties),
                }
                for event in events
            ),
        )
        return _settle(store, to_ms(now), before)


def record_select(
    store: Store,
    now: datetime,
    *,
    name: str,
    source: str,
    select: str,
    params: Mapping[str, Any] | None = None,
    folded: str | None = None,
) -> int:
    """Record one event for each row of ``select``, without the rows ever leaving the store.

    ``select`` yields contact_id, at, source_id, properties, send_id, campaign_id. How many were new.
    """
    with store.write(), store.whole():
        before = _last_id(store)
        _insert(store, Caused(name=name, source=source, select=select, params=params or {}, folded=folded))
        return _settle(store, to_ms(now), before)


def record_caused(store: Store, now: datetime, caused: Iterable[Caused]) -> int:
    """Record what came of something that is no event itself; how many were new."""
    with store.write(), store.whole():
        before = _last_id(store)
        for one in caused:
            _insert(store, one)
        return _settle(store, to_ms(now), before)


def _insert(store: Store, caused: Caused) -> None:
    store.execute(
        f"""
        INSERT INTO events (contact_id, name, at, source, source_id, properties, send_id, campaign_id, folded)
        SELECT found.*, CAST(:event_folded AS TEXT)
        FROM (
          SELECT rows_.contact_id, :event_name, rows_.at, :event_source, rows_.source_id, rows_.properties,
                 rows_.send_id, rows_.campaign_id
          FROM ({caused.select}) AS rows_
        ) AS found
        WHERE true
        ON CONFLICT (source, source_id) DO NOTHING
        """,
        {
            **caused.params,
            "event_name": caused.name,
            "event_source": caused.source,
            "event_folded": caused.folded,
        },
    )


def _last_id(store: Store) -> int:
    return int(store.value("SELECT coalesce(max(id), 0) FROM events"))


def _settle(store: Store, now_ms: int, before: int) -> int:
    """Apply effects to the events behind ``before`` until nothing new comes of them."""
    first, recorded = before, 0
    for depth in range(_MOST_DEPTH + 1):
        last = _last_id(store)
        if last == first:
            return recorded
        if depth == 0:
            recorded = int(store.value("SELECT count(*) FROM events WHERE id > :first", {"first": first}))
        found = store.rows(
            "SELECT DISTINCT name FROM events WHERE id > :first AND id <= :last",
            {"first": first, "last": last},
        )
        names = frozenset(name for (name,) in found)
        for name in sorted(names):
            for effect in EFFECTS.get(name, ()):
                for caused in effect(store, now_ms, first, last):
                    _insert(store, caused)
        for afterwards in AFTERWARDS:
            for caused in afterwards(store, now_ms, first, last, names):
                _insert(store, caused)
        first = last
    raise OperationFailed(
        f"events cause each other without end (more than {_MOST_DEPTH} deep)",
        hint="nothing of this batch was recorded; report the events that start it",
    )
