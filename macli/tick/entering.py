"""The three kinds of entry: once for everyone, whenever a condition is true, and at an event."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from macli import clock
from macli.campaign import recurrence, schedule
from macli.campaign.definition import Entry
from macli.campaign.entry_rule import audience_rule, condition_rule
from macli.clock import from_ms, to_ms
from macli.model import Where
from macli.store import Row, Store, enrollments
from macli.tick.door import CHUNK, Door
from macli.tick.lookup import Lookup

# A writer reads its clock when it begins and commits later, so what changed shortly before the
# last look is looked at again.
_OVERLAP_MS = 60_000

_CHANGED = """
CREATE TEMP TABLE IF NOT EXISTS changed (
  contact_id INTEGER PRIMARY KEY
)
"""

_FILL_CHANGED = """
INSERT INTO changed (contact_id)
SELECT id
FROM contacts
WHERE updated_at >= :since
UNION
SELECT contact_id
FROM events
WHERE id > :cursor
  AND id <= :last
  AND contact_id IS NOT NULL
"""

_STARTS = """
CREATE TEMP TABLE IF NOT EXISTS starts (
  zone TEXT PRIMARY KEY,
  at INTEGER NOT NULL
)
"""


# A run that was interrupted, or that two processes are at, takes nobody in a second time.
_NOT_IN_THIS_RUN = """
  AND NOT EXISTS (
    SELECT 1
    FROM enrollments AS inside
    WHERE inside.campaign_id = :campaign
      AND inside.contact_id = contacts.id
      AND inside.entered_at >= :start
  )
"""


def open_door(lookup: Lookup, row: Row, over: Callable[[], bool]) -> Door:
    return Door(lookup=lookup, row=row, campaign=lookup.campaign(row["id"], row["current_version"]), over=over)


# Once


def once(lookup: Lookup, row: Row, over: Callable[[], bool]) -> int:
    """Let in everyone the entry selects, at its start and, with ``every``, at each run; how many came in now."""
    if row["enrolled_at"] is not None or (row["start_at"] or 0) > lookup.now_ms:
        return 0
    door = open_door(lookup, row, over)
    rule = audience_rule(door.campaign.entry)
    where = lookup.where(rule) if rule is not None else Where(sql="TRUE")
    start = max(row["start_at"] or 0, row["activated_at"] or 0) or lookup.now_ms
    due = ":start"
    at = door.campaign.entry.at
    if at is not None and row["start_at"] is not None and schedule.read(at).local:
        _fill_starts(lookup, schedule.read(at))
        due = f"coalesce((SELECT at FROM starts WHERE zone = contacts.timezone), {_default_start(lookup, at)})"
    select = f"""
    SELECT contacts.id AS contact_id, {due} AS due_at
    FROM contacts
    WHERE contacts.removed_at IS NULL
      AND ({where.sql})
      {_NOT_IN_THIS_RUN if door.campaign.entry.every else ""}
    """
    door.gather(select, {**where.params, "start": start, "campaign": door.id}, door.again())
    entered = door.let_in()
    if entered is None:
        return 0
    if door.campaign.entry.every is None:
        door.note(enrolled_at=lookup.now_ms)
    else:
        # Noted as the next start: the campaign is due again then, and it never is over.
        door.note(start_at=_next_run(lookup, row, door.campaign.entry))
    return entered


def _next_run(lookup: Lookup, row: Row, entry: Entry) -> int:
    """When a campaign that comes again runs next, counted from its first run."""
    assert entry.every is not None
    zone = lookup.engine.zone
    if entry.at is None:
        first = from_ms(row["activated_at"])
    else:
        at = schedule.read(entry.at)
        first = at.instant(zone)
        zone = clock.zone(at.zone) if at.zone and "/" in at.zone else zone
    return to_ms(recurrence.read(entry.every).next_after(first, lookup.now, zone))


def _fill_starts(lookup: Lookup, at: schedule.At) -> None:
    store = lookup.store
    zones = [row["timezone"] for row in store.rows("SELECT DISTINCT timezone FROM contacts")]
    starts = schedule.starts(at, zones, lookup.engine.zone)
    store.execute(_STARTS)
    store.execute("DELETE FROM starts")
    store.executemany(
        "INSERT INTO starts (zone, at) VALUES (?, ?)",
        ((zone, to_ms(moment)) for zone, moment in starts.by_zone.items()),
    )


def _default_start(lookup: Lookup, at: str) -> int:
    return to_ms(schedule.read(at).instant(lookup.engine.zone))


# Whenever


def whenever(lookup: Lookup, row: Row, over: Callable[[], bool]) -> int:
    """Let in those for whom the condition has become true; how many."""
    store = lookup.store
    last = _last_event(store)
    # A last look at a time to come (a tick at a chosen time, a clock set back) must not hide what changes now.
    since = min(row["swept_at"] or row["activated_at"] or 0, lookup.now_ms) - _OVERLAP_MS
    every: timedelta = lookup.engine.setting("check_every")
    stale = row["swept_all_at"] is None or (lookup.now_ms - row["swept_all_at"] >= every // timedelta(milliseconds=1))
    store.execute(_CHANGED)
    store.execute("DELETE FROM changed")
    changed = store.execute(_FILL_CHANGED, {"since": since, "cursor": row["event_cursor"], "last": last})
    if not stale and not changed:
        return 0
    door = open_door(lookup, row, over)
    rule = condition_rule(door.campaign.entry)
    assert rule is not None
    # None: never looked at. 0: see macli.store.sweeps.
    everybody = not row["swept_all_at"] or (stale and _moves_by_itself(lookup.where(rule, few=True)))
    if row["swept_all_at"] is None and not door.campaign.entry.includes_existing:
        if not _note_existing(door, lookup.where(rule)):
            return 0
        everybody = False
    among = "TRUE" if everybody else "contacts.id IN (SELECT contact_id FROM changed)"
    entered = _sweep(door, lookup.where(rule, few=not everybody), among)
    if entered is None:
        return 0
    noted = {"swept_at": lookup.now_ms, "event_cursor": last}
    door.note(**noted, **({"swept_all_at": lookup.now_ms} if stale else {}))
    return entered


def _moves_by_itself(where: Where) -> bool:
    """Whether the answer can change without a contact changing or an event."""
    return where.timely or bool(where.reads - {"events"})


def _sweep(door: Door, where: Where, among: str) -> int | None:
    """Look at contacts for the condition; how many came in, None where it was over before the end."""
    again = door.again(lapsed=True)
    if again.when != "never":
        enrollments.gather_lapsing(door.store, where.sql, among, where.params, campaign_id=door.id)
        lapsed = CHUNK
        while lapsed == CHUNK:
            with door.store.write():
                lapsed = enrollments.lapse(door.store, door.lookup.now_ms, CHUNK)
    door.gather(
        f"""
        SELECT contacts.id AS contact_id, :now + :delay AS due_at
        FROM contacts
        WHERE {among}
          AND contacts.removed_at IS NULL
          AND ({where.sql})
        """,
        {**where.params, "now": door.lookup.now_ms, "delay": _delay(door.campaign.entry)},
        again,
    )
    return door.let_in()


def _note_existing(door: Door, where: Where) -> bool:
    """Note for whom the condition held before the activation; False where it was over before the end."""
    door.gather(
        f"""
        SELECT contacts.id AS contact_id, 0 AS due_at
        FROM contacts
        WHERE contacts.updated_at <= :activated
          AND contacts.id NOT IN (
            SELECT contact_id
            FROM events
            WHERE id > :cursor
              AND contact_id IS NOT NULL
          )
          AND ({where.sql})
        """,
        {
            **where.params,
            "activated": door.row["activated_at"],
            "cursor": door.row["event_cursor"],
        },
        enrollments.Again(),
    )
    return door.let_in(existing=True) is not None


# By event


def by_event(lookup: Lookup, row: Row, over: Callable[[], bool]) -> int:
    """Let in those to whom one of the events happened, by the events behind the cursor; how many."""
    store, last = lookup.store, _last_event(lookup.store)
    if row["event_cursor"] >= last:
        return 0
    door = open_door(lookup, row, over)
    entry = door.campaign.entry
    rule = audience_rule(entry)
    where = lookup.where(rule, few=True) if rule is not None else Where(sql="TRUE")
    happened, params = _happened(lookup, entry)
    select = f"""
    SELECT found.contact_id, CASE WHEN found.at < :floor THEN :floor ELSE found.at END AS due_at
    FROM (
      SELECT events.contact_id, min(events.at) + :delay AS at
      FROM events
      WHERE events.id > :first
        AND events.id <= :upto
        AND events.contact_id IS NOT NULL
        AND ({happened})
      GROUP BY events.contact_id
    ) AS found
    JOIN contacts ON contacts.id = found.contact_id
    WHERE contacts.removed_at IS NULL
      AND ({where.sql})
    """
    params |= {**where.params, "delay": _delay(entry)}
    entered = 0
    while not over():
        with store.write():
            # Read again where it can be moved: another run may be at this campaign too.
            now_at = store.row("SELECT event_cursor, swept_at FROM campaigns WHERE id = :id", {"id": door.id})
            assert now_at is not None
            cursor = now_at["event_cursor"]
            if cursor >= last:
                break
            upto = min(cursor + CHUNK, last)
            # A plan does not begin before the campaign was last looked at: what is reported long
            # after it happened (or happened before the activation) begins when it is known.
            floor = max(row["activated_at"] or 0, row["swept_at"] or 0)
            door.gather(select, {**params, "first": cursor, "upto": upto, "floor": floor}, door.again())
            entered += door.enter(0, _ALL)
            door.note(event_cursor=upto, swept_at=lookup.now_ms)
    return entered


def _happened(lookup: Lookup, entry: Entry) -> tuple[str, dict[str, Any]]:
    """SQL over ``events``: it is one of those that let in."""
    clauses: list[str] = []
    params: dict[str, Any] = {}
    for number, event in enumerate(entry.event):
        condition = lookup.event_where(event.where, prefix=f"e{number}_")
        # The range of ids is what is new; an index on the name would read every event of that name.
        clauses.append(f"(coalesce(events.name, '') = :event_{number} AND ({condition.sql}))")
        params |= {**condition.params, f"event_{number}": event.name}
    return " OR ".join(clauses), params


_ALL = 2**62


def _last_event(store: Store) -> int:
    return int(store.value("SELECT coalesce(max(id), 0) FROM events"))


def _delay(entry: Entry) -> int:
    return (entry.delay or timedelta()) // timedelta(milliseconds=1)
