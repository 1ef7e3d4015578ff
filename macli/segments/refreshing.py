"""Who is in a segment now: the members of snapshots and tracked segments, found anew by their rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from macli import selection
from macli.clock import to_ms
from macli.errors import MacliError, OperationFailed
from macli.model import Where
from macli.segments.moving import enter, leave
from macli.store import Row, Store
from macli.store import segments as kept

OVERLAP_MS = 60_000
"""A writer reads its clock when it begins and commits later: so far back contacts are looked at again."""


@dataclass(frozen=True, kw_only=True)
class Moved:
    """How many contacts came into a segment and how many left it."""

    entered: int = 0
    left: int = 0
    faults: Mapping[str, str] = field(default_factory=dict)
    """Tracked segments whose rule no longer reads, and why: their members stay as they were."""


def refresh(store: Store, segment: str, now: datetime, zone: ZoneInfo, *, silently: bool = False) -> Moved:
    """Find the members of a static segment with a rule, or of a tracked one, anew.

    Records segment.entered and segment.left, unless ``silently``. Raises OperationFailed where the
    segment keeps no members, or has no rule to find them by.
    """
    with store.write():
        found = kept.get(store, segment)
        if found["kind"] == "dynamic" and not found["tracked"]:
            raise OperationFailed(
                f"{found['name']!r} is dynamic: who is in it is found whenever it is asked",
                hint=f"macli segment edit {found['name']!r} --track keeps its members and tells who comes and goes",
            )
        if found["rule"] is None:
            raise OperationFailed(f"{found['name']!r} is a list made by hand: it has no rule to go by")
        where = _where(store, found, now, zone)
        moved = _move(store, now, found, where, among=None, silently=silently)
        _note(store, now, found, swept_all=True)
    return moved


def refresh_tracked(store: Store, now: datetime, zone: ZoneInfo, *, every: timedelta) -> Moved:
    """Keep the members of all tracked segments; in each tick, so it costs what has changed.

    Contacts that changed or to whom something happened since the last look are looked at; all of
    them only every ``every``, and only where the rule can come true or false by itself.
    """
    entered = left = 0
    faults: dict[str, str] = {}
    for segment in kept.tracked(store):
        try:
            with store.write():
                moved = _keep(store, now, zone, segment, every)
        except MacliError as error:
            # A word of its rule is gone. The other segments, and the campaigns behind them, go on.
            faults[segment["name"]] = error.message.splitlines()[0]
            continue
        entered += moved.entered
        left += moved.left
    return Moved(entered=entered, left=left, faults=faults)


def _keep(store: Store, now: datetime, zone: ZoneInfo, segment: Row, every: timedelta) -> Moved:
    stale = segment["swept_all_at"] is None or (
        to_ms(now) - segment["swept_all_at"] >= every // timedelta(milliseconds=1)
    )
    last_event = _last_event(store)
    store.execute("CREATE TEMP TABLE IF NOT EXISTS looked_at (contact_id INTEGER PRIMARY KEY)")
    store.execute("DELETE FROM looked_at")
    changed = store.execute(
        _FILL,
        {
            # A last look at a time to come must not hide what changes now.
            "since": min(segment["swept_at"] or 0, to_ms(now)) - OVERLAP_MS,
            "cursor": segment["event_cursor"],
            "last": last_event,
        },
    )
    if not changed and not stale:
        return Moved()
    where = _where(store, segment, now, zone)
    # None: never looked at. 0: see macli.store.sweeps.
    everyone = stale and (not segment["swept_all_at"] or where.timely or bool(where.reads - {"events"}))
    if not everyone:
        where = _where(store, segment, now, zone, narrow=True)
    moved = _move(store, now, segment, where, among=None if everyone else "SELECT contact_id FROM looked_at")
    _note(store, now, segment, swept_all=stale)
    return moved


_FILL = """
INSERT INTO looked_at (contact_id)
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


def _where(store: Store, segment: Row, now: datetime, zone: ZoneInfo, *, narrow: bool = False) -> Where:
    if segment["kind"] == "dynamic":
        return selection.segment_where(store, segment["id"], now, zone, narrow=narrow)
    return selection.where_of(store, segment["rule"], now, zone, stored=True)


def _move(
    store: Store, now: datetime, segment: Row, where: Where, *, among: str | None, silently: bool = False
) -> Moved:
    store.execute("CREATE TEMP TABLE IF NOT EXISTS fitting (contact_id INTEGER PRIMARY KEY)")
    store.execute("DELETE FROM fitting")
    only = "" if among is None else f"AND contacts.id IN ({among})"
    store.execute(
        f"INSERT INTO fitting (contact_id) SELECT contacts.id FROM contacts WHERE {where.sql} {only}",
        where.params,
    )
    gone = f"""
    SELECT contact_id
    FROM segment_members
    WHERE segment_id = :segment_id
      AND NOT EXISTS (SELECT 1 FROM fitting WHERE fitting.contact_id = segment_members.contact_id)
      {"" if among is None else f"AND contact_id IN ({among})"}
    """
    nothing: Mapping[str, Any] = {}
    left = leave(store, now, segment, gone, nothing, silently=silently)
    entered = enter(store, now, segment, "SELECT contact_id FROM fitting", nothing, silently=silently)
    return Moved(entered=entered, left=left)


def _note(store: Store, now: datetime, segment: Row, *, swept_all: bool) -> None:
    store.execute(
        """
        UPDATE segments
        SET swept_at = :now, swept_all_at = CASE WHEN :all = 1 THEN :now ELSE swept_all_at END,
          event_cursor = :cursor
        WHERE id = :id
        """,
        {"id": segment["id"], "now": to_ms(now), "all": int(swept_all), "cursor": _last_event(store)},
    )


def _last_event(store: Store) -> int:
    return int(store.value("SELECT coalesce(max(id), 0) FROM events"))
