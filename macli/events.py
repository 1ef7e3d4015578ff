"""The one door to the event log: what happened to a contact, once, and what follows from it.

Everything the world or macli says about a contact is recorded here, in batches, append-only.
``(source, source_id)`` makes a repeated report nothing. What an event brings about (its effects)
runs in the same transaction, as SQL over the batch of new events; an effect returns the events it
causes and the door records those in turn, so effects never call the door.

What macli sent is not repeated here: the ledger of sends is its record.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from macli.clock import to_ms
from macli.errors import OperationFailed
from macli.event_names import check_name as check_name
from macli.model import NewEvent
from macli.store import Store

_NEW = "events.id > :first AND events.id <= :last AND events.name || '' = :event"
"""The new events of one name. ``|| ''`` keeps the engine from walking all events ever of that name by its
index instead of the few new ones by their ids."""

_MOST_DEPTH = 16

_INSERT = """
INSERT INTO events (contact_id, name, at, source, source_id, send_id, campaign_id, properties, folded)
VALUES (:contact_id, :name, :at, :source, :source_id, :send_id, :campaign_id, :properties, :folded)
ON CONFLICT (source, source_id) DO NOTHING
"""


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


def record(store: Store, now: datetime, events: Iterable[NewEvent]) -> int:
    """Record the events that are new and apply their effects; how many were new."""
    from macli.address import fold_json

    with store.write():
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
    with store.write():
        before = _last_id(store)
        _insert(store, Caused(name=name, source=source, select=select, params=params or {}, folded=folded))
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
        names = store.rows(
            "SELECT DISTINCT name FROM events WHERE id > :first AND id <= :last",
            {"first": first, "last": last},
        )
        for (name,) in names:
            for effect in EFFECTS.get(name, ()):
                for caused in effect(store, now_ms, first, last):
                    _insert(store, caused)
        first = last
    raise OperationFailed(
        f"events cause each other without end (more than {_MOST_DEPTH} deep)",
        hint="nothing of this batch was recorded; report the events that start it",
    )


# --- effects -----------------------------------------------------------------------------------


def _suppress(channel: str, event: str, reason: str) -> Effect:
    def effect(store: Store, now_ms: int, first: int, last: int) -> list[Caused]:
        store.execute(
            f"""
            INSERT INTO suppressions (channel, address, reason, source, suppressed_at)
            SELECT :channel, address, :reason, source, at
            FROM (
              SELECT coalesce(sends.address, CASE :channel WHEN 'email' THEN contacts.email ELSE contacts.phone END)
                       AS address,
                     events.source AS source,
                     events.at AS at
              FROM events
              LEFT JOIN sends ON sends.id = events.send_id
              LEFT JOIN contacts ON contacts.id = events.contact_id
              WHERE {_NEW}
            ) AS said
            WHERE address IS NOT NULL
            ON CONFLICT (channel, address) DO NOTHING
            """,
            {"channel": channel, "reason": reason, "event": event, "first": first, "last": last},
        )
        _touch(store, now_ms, event, first, last)
        return []

    return effect


def _withdraw(channel: str, event: str) -> Effect:
    """The contact said no on the channel: its consent is withdrawn, which is an event of its own."""

    def effect(store: Store, now_ms: int, first: int, last: int) -> list[Caused]:
        params = {"channel": channel, "event": event, "first": first, "last": last}
        store.execute(
            f"""
            INSERT INTO consents (contact_id, channel, topic, status, source, evidence, changed_at)
            SELECT contact_id, :channel, '', 'withdrawn', source, properties, at
            FROM events
            WHERE {_NEW}
              AND contact_id IS NOT NULL
            ON CONFLICT (contact_id, channel, topic) DO UPDATE
              SET status = 'withdrawn', source = excluded.source, evidence = excluded.evidence,
                  changed_at = excluded.changed_at
              WHERE consents.status <> 'withdrawn'
            """,
            params,
        )
        _touch(store, now_ms, event, first, last)
        # Of a contact deleted since, only the address is known: the no is kept by it.
        store.execute(
            f"""
            INSERT INTO suppressions (channel, address, reason, source, suppressed_at)
            SELECT :channel, sends.address, 'opted_out', events.source, events.at
            FROM events
            JOIN sends ON sends.id = events.send_id
            WHERE {_NEW}
              AND events.contact_id IS NULL
              AND sends.address IS NOT NULL
            ON CONFLICT (channel, address) DO NOTHING
            """,
            params,
        )
        # The cause's own id makes the consequence happen once, however often it is looked at.
        return [
            Caused(
                name="consent.withdrawn",
                source="macli:effect",
                select=f"""
                SELECT contact_id, at, 'withdrawn:' || id AS source_id, :properties AS properties, send_id,
                       campaign_id
                FROM events
                WHERE {_NEW}
                  AND contact_id IS NOT NULL
                """,
                params={**params, "properties": json.dumps({"channel": channel, "topic": ""})},
            )
        ]

    return effect


def _cancel_sends(store: Store, now_ms: int, first: int, last: int) -> list[Caused]:
    """Who said no gets nothing that was only planned; what a worker holds is looked at again at the wire."""
    store.execute(
        f"""
        UPDATE sends
        SET state = 'skipped', reason = 'opted_out', settled_at = :now, address = NULL
        WHERE state = 'planned'
          AND purpose = 'campaign'
          AND contact_id IN (SELECT events.contact_id FROM events WHERE {_NEW})
          AND EXISTS (
            SELECT 1
            FROM events
            WHERE {_NEW}
              AND events.contact_id = sends.contact_id
              AND events.properties ->> 'channel' = sends.channel
              AND coalesce(events.properties ->> 'topic', '') = ''
          )
        """,
        {"now": now_ms, "event": "consent.withdrawn", "first": first, "last": last},
    )
    # The contacts' ways through their campaigns go on: tags and the like still work for who said no.
    store.execute(
        f"""
        UPDATE enrollments
        SET due_at = :now
        WHERE ended_at IS NULL
          AND due_at IS NULL
          AND contact_id IN (SELECT events.contact_id FROM events WHERE {_NEW})
        """,
        {"now": now_ms, "event": "consent.withdrawn", "first": first, "last": last},
    )
    return []


def _stop_everything(store: Store, now_ms: int, first: int, last: int) -> list[Caused]:
    """A removed contact leaves every campaign and is sent nothing more."""
    params = {"now": now_ms, "event": "contact.removed", "first": first, "last": last}
    removed = f"SELECT events.contact_id FROM events WHERE {_NEW}"
    store.execute(
        f"""
        UPDATE sends
        SET state = 'skipped', reason = 'removed', settled_at = :now, address = NULL
        WHERE state = 'planned'
          AND contact_id IN ({removed})
        """,
        params,
    )
    store.execute(
        f"""
        UPDATE enrollments
        SET ended_at = :now, ended_as = 'removed', due_at = NULL
        WHERE ended_at IS NULL
          AND contact_id IN ({removed})
        """,
        params,
    )
    return []


def _touch(store: Store, now_ms: int, event: str, first: int, last: int) -> None:
    store.execute(
        f"""
        UPDATE contacts
        SET updated_at = :now
        WHERE id IN (SELECT events.contact_id FROM events WHERE {_NEW})
        """,
        {"now": now_ms, "event": event, "first": first, "last": last},
    )


EFFECTS: Mapping[str, tuple[Effect, ...]] = {
    "email.bounced": (_suppress("email", "email.bounced", "bounced"),),
    "email.complained": (
        _suppress("email", "email.complained", "complained"),
        _withdraw("email", "email.complained"),
    ),
    "email.unsubscribed": (_withdraw("email", "email.unsubscribed"),),
    "sms.opted_out": (_withdraw("sms", "sms.opted_out"),),
    "address.invalid": (_suppress("sms", "address.invalid", "invalid"),),
    "consent.withdrawn": (_cancel_sends,),
    "contact.removed": (_stop_everything,),
}
