"""Retention: what has been kept long enough goes, a little at a time, and what reports count stays."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from macli.clock import to_ms
from macli.errors import OperationFailed
from macli.privacy.anonymising import COMPUTED, ERASING, anonymise, choose
from macli.store import Store, settings, suppressions

if TYPE_CHECKING:
    from macli.tick.chores import Trouble
    from macli.tick.engine import Engine

BATCH = 2000
"""Rows a transaction takes, so that a sender beside it waits for some tens of milliseconds."""
_BATCHES = 25
"""Batches of one kind in a tick; what is left then is the next tick's."""
_RATES_MS = 24 * 3600 * 1000

_OLD_EVENTS = "events.name = :name AND events.at < :before AND events.id < (SELECT max(id) FROM events)"
_OLD_VISITORS = "visitors.contact_id IS NULL AND visitors.last_at < :before"
_REMOVED = "contacts.removed_at IS NOT NULL AND contacts.removed_at < :before AND contacts.state <> 'erased'"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of things that go: which, by whose setting, and how.

    ``old`` counts those older than ``:before``. ``purge`` deletes at most a batch of them, inside
    ``write``; it returns how many.
    """

    name: str
    setting: str
    old: Callable[[Store, int], int]
    purge: Callable[[Store, datetime, int], int]


def outlook(store: Store, setting: Callable[[str], Any], now: datetime) -> Iterator[dict[str, Any]]:
    """For each kind: how long it is kept, and how many have been kept long enough."""
    for kind in KINDS:
        lasts: timedelta | None = setting(kind.setting)
        yield {
            "kind": kind.name,
            "setting": kind.setting,
            "kept": "for good" if lasts is None else settings.in_force(store, kind.setting)["value"],
            "old": 0 if lasts is None else kind.old(store, to_ms(now - lasts)),
        }


def purge(store: Store, setting: Callable[[str], Any], now: datetime, *, batches: int | None = None) -> dict[str, int]:
    """Let go what has been kept long enough; how many of each kind. ``batches`` bounds each kind."""
    gone = {}
    for kind in KINDS:
        lasts: timedelta | None = setting(kind.setting)
        gone[kind.name] = 0 if lasts is None else _purge(store, kind, now, to_ms(now - lasts), batches)
    return gone


def _purge(store: Store, kind: Kind, now: datetime, before: int, batches: int | None) -> int:
    gone = done = 0
    while batches is None or done < batches:
        with store.write():
            count = kind.purge(store, now, before)
        gone, done = gone + count, done + 1
        if count == 0:
            break
    return gone


def chore(engine: "Engine", trouble: "Trouble") -> int:
    """Once a day, or at the next tick where one was not enough. Nothing of this is heard from outside: 0."""
    store = engine.store
    try:
        gone = purge(store, engine.setting, engine.now, batches=_BATCHES)
    except OperationFailed as error:
        trouble("retention", error.message)
        return 0
    with store.write():
        store.execute("DELETE FROM web_rates WHERE window_at < :before", {"before": to_ms(engine.now) - _RATES_MS})
        for statement in (_HITS_OF_ERASED, *_COMPUTED_OF_ERASED):
            store.execute(statement)
        _forget_news(store, engine.now)
        if all(count < _BATCHES * BATCH for count in gone.values()):
            store.execute(_NOTE, {"key": "retention_at", "value": str(to_ms(engine.now))})
    return 0


_NOTE = """
INSERT INTO meta (key, value)
VALUES (:key, :value)
ON CONFLICT (key) DO UPDATE SET value = excluded.value
"""

# Old mail may be opened again after its reader was erased.
_HITS_OF_ERASED = """
DELETE FROM hits
WHERE class IS NOT NULL
  AND send IN (
    SELECT sends.id
    FROM contacts
    JOIN sends ON sends.contact_id = contacts.id
    WHERE contacts.removed_at IS NOT NULL
      AND contacts.state = 'erased'
  )
"""

# Who computes anew from all events (points under other rules, RFM) finds those of who was erased, too.
_COMPUTED_OF_ERASED = tuple(
    f"""
    DELETE FROM {table}
    WHERE contact_id IN (SELECT id FROM contacts WHERE removed_at IS NOT NULL AND state = 'erased')
    """
    for table in COMPUTED
)


def _forget_news(store: Store, now: datetime) -> None:
    """What was told of erased people since the last time: a late bounce of an old mail, a click in it."""
    last = int(store.value("SELECT coalesce(max(id), 0) FROM events"))
    since = int(store.value("SELECT value FROM meta WHERE key = 'retention_event'") or 0)
    told = store.rows(_TOLD, {"since": since})
    if told:
        choose(store, (row["contact_id"] for row in told))
        anonymise(store, now, "retention")
    store.execute(_UNTELL, {"since": since})
    store.execute(_NOTE, {"key": "retention_event", "value": str(last)})


_TOLD = """
SELECT DISTINCT events.contact_id
FROM events
JOIN contacts ON contacts.id = events.contact_id
WHERE events.id > :since
  AND contacts.state = 'erased'
"""

# By an old mail's links somebody can still say no: that is of nobody, and of the message.
_UNTELL = """
UPDATE events
SET properties = '{}', folded = NULL
WHERE id > :since
  AND contact_id IS NULL
  AND send_id IN (
    SELECT sends.id
    FROM sends
    JOIN contacts ON contacts.id = sends.contact_id
    WHERE contacts.state = 'erased'
      AND sends.id = events.send_id
  )
"""


def _count(table: str, where: str) -> Callable[[Store, int], int]:
    return lambda store, before: int(
        store.value(f"SELECT count(*) FROM {table} WHERE {where}", {"before": before}),
    )


# Hits


def _purge_hits(store: Store, now: datetime, before: int) -> int:
    return store.execute(_PURGE_HITS, {"before": before, "batch": BATCH})


# Only the first are looked at: they come in the order of time, so there is nothing to find behind one
# that is not old yet. What nobody has made an event of stays until somebody has.
_PURGE_HITS = """
DELETE FROM hits
WHERE id IN (SELECT id FROM hits ORDER BY id LIMIT :batch)
  AND at < :before
  AND class IS NOT NULL
"""


# Visits and visitors


_VISITS = ("page.visited", "page.left")


def _purge_visits(store: Store, now: datetime, before: int) -> int:
    return next((count for name in _VISITS if (count := _purge_events(store, name, before))), 0)


def _purge_visitors(store: Store, now: datetime, before: int) -> int:
    store.execute("CREATE TEMP TABLE IF NOT EXISTS leaving (visitor_id INTEGER PRIMARY KEY)")
    store.execute("DELETE FROM leaving")
    found = store.execute(_LEAVING, {"before": before, "batch": BATCH})
    if found:
        for statement in _VISITORS:
            store.execute(statement)
    return found


_LEAVING = f"""
INSERT INTO leaving (visitor_id)
SELECT id
FROM visitors
WHERE {_OLD_VISITORS}
LIMIT :batch
"""

_LEFT = "SELECT visitor_id FROM leaving"

_VISITORS = (
    f"""
    DELETE FROM events
    WHERE visitor_id IN ({_LEFT})
      AND contact_id IS NULL
      AND id < (SELECT max(id) FROM events)
    """,
    f"DELETE FROM devices WHERE visitor_id IN ({_LEFT}) AND contact_id IS NULL",
    f"DELETE FROM visitors WHERE id IN ({_LEFT})",
)


# Events


def _names(store: Store) -> Iterator[str]:
    """The names of events there are, by a few looks into an index, but for what became of messages and visits.

    What became of a message is what reports count: it stays as long as the message's own row.
    """
    name: str | None = ""
    while (name := store.value("SELECT min(name) FROM events WHERE name > :name", {"name": name})) is not None:
        if name.split(".")[0] not in ("email", "sms", "push") and name not in _VISITS:
            yield name


def _old_events(store: Store, before: int) -> int:
    sql = f"SELECT count(*) FROM events WHERE {_OLD_EVENTS}"
    return sum(int(store.value(sql, {"name": name, "before": before})) for name in _names(store))


def _purge_other_events(store: Store, now: datetime, before: int) -> int:
    for name in list(_names(store)):
        if count := _purge_events(store, name, before):
            return count
    return 0


def _purge_events(store: Store, name: str, before: int) -> int:
    return store.execute(_PURGE_EVENTS, {"name": name, "before": before, "batch": BATCH})


# Never the newest of all: its number would be given again, and who reads on from there would miss that.
_PURGE_EVENTS = f"""
DELETE FROM events
WHERE id IN (
  SELECT events.id
  FROM events
  WHERE {_OLD_EVENTS}
  ORDER BY events.at
  LIMIT :batch
)
"""


# Letters


def _purge_mails(store: Store, now: datetime, before: int) -> int:
    store.execute(_TOUCH_WRITERS, {"before": before, "batch": BATCH, "now": to_ms(now)})
    return store.execute(_PURGE_MAILS, {"before": before, "batch": BATCH})


# By when they came, for what a letter says of its time may be years off. Only the first are looked at: they
# came in the order of their numbers.
_OLD_MAILS = """
FROM (SELECT id, contact_id, created_at FROM mails ORDER BY id LIMIT :batch) AS first
WHERE created_at < :before
"""

# Rules ask who wrote: they look at these contacts again.
_TOUCH_WRITERS = f"""
UPDATE contacts
SET updated_at = :now
WHERE id IN (SELECT contact_id FROM (SELECT contact_id {_OLD_MAILS}) AS leaving WHERE contact_id IS NOT NULL)
"""

_PURGE_MAILS = f"DELETE FROM mails WHERE id IN (SELECT id {_OLD_MAILS})"


# Removed contacts


def _purge_removed(store: Store, now: datetime, before: int) -> int:
    """Those removed long ago become nobody; an address that said no, or was suppressed, stays a hash."""
    rows = store.rows(f"SELECT id FROM contacts WHERE {_REMOVED} LIMIT :batch", {"before": before, "batch": BATCH})
    if not rows:
        return 0
    choose(store, (row["id"] for row in rows))
    noes = [(row["channel"], row["address"]) for row in store.rows(_NOES)]
    if noes:
        suppressions.keep_as_hashes(store, to_ms(now), noes, reason="opted_out", source="retention")
    anonymise(store, now, "retention")
    return len(rows)


_NOES = f"""
SELECT consents.channel, CASE consents.channel WHEN 'email' THEN contacts.email ELSE contacts.phone END AS address
FROM contacts
JOIN consents ON consents.contact_id = contacts.id
WHERE contacts.id IN ({ERASING})
  AND consents.topic = ''
  AND consents.status = 'withdrawn'
  AND CASE consents.channel WHEN 'email' THEN contacts.email ELSE contacts.phone END IS NOT NULL
UNION
SELECT suppressions.channel, suppressions.address
FROM contacts
JOIN suppressions ON suppressions.channel = 'email' AND suppressions.address = contacts.email
WHERE contacts.id IN ({ERASING})
UNION
SELECT suppressions.channel, suppressions.address
FROM contacts
JOIN suppressions ON suppressions.channel = 'sms' AND suppressions.address = contacts.phone
WHERE contacts.id IN ({ERASING})
"""


KINDS = (
    Kind(
        name="opens and clicks as they came",
        setting="retention.hits",
        old=_count("hits", "at < :before AND class IS NOT NULL"),
        purge=_purge_hits,
    ),
    Kind(
        name="visits",
        setting="retention.visits",
        old=_count("events", " OR ".join(f"({_OLD_EVENTS.replace(':name', repr(name))})" for name in _VISITS)),
        purge=_purge_visits,
    ),
    Kind(
        name="visitors nobody knows",
        setting="retention.visits",
        old=_count("visitors", _OLD_VISITORS),
        purge=_purge_visitors,
    ),
    Kind(name="other events", setting="retention.events", old=_old_events, purge=_purge_other_events),
    Kind(name="letters", setting="retention.mails", old=_count("mails", "created_at < :before"), purge=_purge_mails),
    Kind(
        name="removed contacts",
        setting="retention.removed",
        old=_count("contacts", _REMOVED),
        purge=_purge_removed,
    ),
)
