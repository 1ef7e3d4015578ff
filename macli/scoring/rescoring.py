"""Points for events that change in place: visits whose visitor turns out to be a contact, hits judged anew."""

from collections.abc import Mapping
from typing import Any

from macli.effects.base import Caused
from macli.scoring import counting
from macli.scoring.applying import follow
from macli.scoring.compiling import plan_of
from macli.scoring.promoting import promote
from macli.store import Store

_REMEMBERED = "CREATE TEMP TABLE IF NOT EXISTS rescored (event INTEGER PRIMARY KEY, contact_id INTEGER, name TEXT)"

_THESE = "events.id IN (SELECT event FROM rescored)"


def remember(store: Store, which: str, params: Mapping[str, Any]) -> None:
    """Take note of the events that a condition on ``events`` selects, before they change. Inside a write."""
    store.execute(_REMEMBERED)
    store.execute("DELETE FROM rescored")
    store.execute(
        f"INSERT INTO rescored (event, contact_id, name) SELECT id, contact_id, name FROM events WHERE {which}", params
    )


def catch_up(store: Store, now_ms: int) -> list[Caused]:
    """Give what remembered events of nobody are worth now that they are a contact's; the events this causes."""
    store.execute("DELETE FROM rescored WHERE contact_id IS NOT NULL")
    counting.clear(store)
    if not _gather(store, now_ms):
        return []
    counting.book(store, now_ms)
    return follow(store, now_ms, "points")


def correct(store: Store, now_ms: int) -> list[Caused]:
    """Take back what remembered events brought that have another name now, or are gone, and give what they are worth.

    History was wrong and nothing happened: no watched value is told of, but who has the points for it comes
    to another stage. Points given by hand stay.
    """
    store.execute(_UNCHANGED)
    counting.clear(store)
    store.execute("CREATE TEMP TABLE IF NOT EXISTS points_gone (contact_id, scope_id, points, event)")
    store.execute("DELETE FROM points_gone")
    gone = store.execute(_GONE)
    if gone:
        store.execute(f"DELETE FROM point_ledger WHERE {_BROUGHT}")
    if not _gather(store, now_ms) and not gone:
        return []
    counting.enter(store)
    counting.correct(store, now_ms, _DIFFERENCE, {})
    return promote(store, now_ms, "points")


def _gather(store: Store, now_ms: int) -> int:
    names = [row["name"] for row in store.rows(f"SELECT DISTINCT name FROM events WHERE {_THESE}")]
    plan = plan_of(store, now_ms, names)
    with store.whole():
        return 0 if plan is None else counting.gather(store, plan, _THESE, {})


_UNCHANGED = """
DELETE FROM rescored
WHERE EXISTS (
  SELECT 1
  FROM events
  WHERE events.id = rescored.event
    AND events.name = rescored.name
)
"""

_BROUGHT = """
contact_id IN (SELECT contact_id FROM rescored)
AND event IN (SELECT event FROM rescored)
AND rule <> 0
"""

_GONE = f"""
INSERT INTO points_gone (contact_id, scope_id, points, event)
SELECT contact_id, scope_id, sum(points), event
FROM point_ledger
WHERE {_BROUGHT}
GROUP BY contact_id, scope_id, event
"""

_DIFFERENCE = """
SELECT contact_id, scope_id, -points AS points, event
FROM points_gone
UNION ALL
SELECT contact_id, scope_id, points, event
FROM points_new
"""
