"""Points into the ledger: what a batch of events is worth, within its caps, then the sums and their changes."""

from collections.abc import Mapping
from typing import Any

from macli.scoring import changes
from macli.scoring.compiling import MONDAY, Plan
from macli.store import Store

_NEW = """
CREATE TEMP TABLE IF NOT EXISTS points_new (
  contact_id INTEGER NOT NULL,
  scope_id INTEGER NOT NULL,
  rule INTEGER NOT NULL,
  event INTEGER NOT NULL,
  points INTEGER NOT NULL,
  at INTEGER NOT NULL,
  decays_at INTEGER,
  most INTEGER,
  span INTEGER,
  PRIMARY KEY (contact_id, scope_id, rule, event)
) WITHOUT ROWID
"""
"""In the order of the ledger's key, so that it is filled and summed up without sorting."""


def clear(store: Store) -> None:
    """Make the table of new points empty. Inside a write."""
    store.execute(_NEW)
    store.execute("DELETE FROM points_new")


def gather(store: Store, plan: Plan, new: str, params: Mapping[str, Any]) -> int:
    """Add what the events that ``new`` selects are worth by the rules; how many rows."""
    if not plan.select:
        return 0
    found = store.execute(f"{_INSERT} {plan.select.replace('{new}', new)} {_ONCE}", {**plan.params, **params})
    if found and plan.capped:
        found -= store.execute(_TOO_MANY, {"monday": MONDAY})
    return found


_INSERT = "INSERT INTO points_new (contact_id, scope_id, rule, event, points, at, decays_at, most, span)"

# A rule can name the stage a contact stands on more than once.
_ONCE = "ON CONFLICT DO NOTHING"

PERIOD = """
CASE
  WHEN span IS NULL THEN 0
  ELSE (at - :monday) / span - CASE WHEN (at - :monday) % span < 0 THEN 1 ELSE 0 END
END
"""
"""The period of a cap that a time is in: periods are as long as the span, and one begins on a Monday of 1970.

SQL divides towards zero: periods before that one begin at whole spans only by what is subtracted.
"""

_TOO_MANY = f"""
DELETE FROM points_new
WHERE (contact_id, scope_id, rule, event) IN (
  SELECT contact_id, scope_id, rule, event
  FROM (
    SELECT contact_id, scope_id, rule, event, most, span, {PERIOD} AS period,
      row_number() OVER (PARTITION BY contact_id, scope_id, rule, {PERIOD} ORDER BY at, event) AS place
    FROM points_new
    WHERE most IS NOT NULL
  ) AS placed
  WHERE placed.place > placed.most - (
    SELECT count(*)
    FROM point_ledger AS before
    WHERE before.contact_id = placed.contact_id
      AND before.scope_id = placed.scope_id
      AND before.rule = placed.rule
      AND before.part = 0
      AND (
        placed.span IS NULL
        OR (
          before.at >= :monday + placed.period * placed.span
          AND before.at < :monday + (placed.period + 1) * placed.span
        )
      )
  )
)
"""


def gather_given(store: Store, first: int, last: int, lasts: int | None) -> int:
    """Add the points that new events ``points.given`` tell of; how many rows. ``lasts``: ms until they decay."""
    return store.execute(_GIVEN, {"first": first, "last": last, "lasts": lasts})


_GIVEN = """
INSERT INTO points_new (contact_id, scope_id, rule, event, points, at, decays_at)
SELECT events.contact_id, told.scope_id, 0, events.id, CAST(events.properties ->> 'points' AS INTEGER), events.at,
  events.at + :lasts
FROM events
JOIN (
  SELECT said.scope, scopes.id AS scope_id
  FROM (
    SELECT DISTINCT events.properties ->> 'scope' AS scope
    FROM events
    WHERE events.id > :first
      AND events.id <= :last
      AND events.name || '' = 'points.given'
  ) AS said
  JOIN scopes ON CASE scopes.kind WHEN 'global' THEN 'global' ELSE scopes.kind || ':' || scopes.name END = said.scope
) AS told ON told.scope = events.properties ->> 'scope'
WHERE events.id > :first
  AND events.id <= :last
  AND events.name || '' = 'points.given'
  AND events.contact_id IS NOT NULL
"""


def book(store: Store, now_ms: int) -> None:
    """Write the new points down: ledger, changes, sums. Inside a write."""
    enter(store)
    changes.clear(store)
    store.execute(_CHANGES)
    store.execute(_SUMS, {"now": now_ms})


def enter(store: Store) -> None:
    """Write the new points into the ledger alone. Inside a write."""
    store.execute(_LEDGER)


_LEDGER = """
INSERT INTO point_ledger (contact_id, scope_id, rule, event, part, points, at, decays_at)
SELECT contact_id, scope_id, rule, event, 0, points, at, decays_at
FROM points_new
"""

# Most points lead nowhere: only where a score may come past a value somebody looks at are its changes told
# apart, event by event (a third of what it costs to do so for all).
_CHANGES = f"""
INSERT INTO score_changes (contact_id, scope_id, event, at, old, score)
WITH looked_at AS MATERIALIZED ({changes.LOOKED_AT}), moved AS (
  SELECT worth.contact_id, worth.scope_id, worth.gained, worth.lost, coalesce(scores.points, 0) AS before
  FROM (
    SELECT contact_id, scope_id, sum(CASE WHEN points > 0 THEN points ELSE 0 END) AS gained,
      sum(CASE WHEN points < 0 THEN points ELSE 0 END) AS lost
    FROM points_new
    WHERE scope_id IN (SELECT scope_id FROM looked_at)
    GROUP BY contact_id, scope_id
  ) AS worth
  LEFT JOIN scores ON scores.contact_id = worth.contact_id AND scores.scope_id = worth.scope_id
), near AS (
  SELECT contact_id, scope_id, before
  FROM moved
  WHERE EXISTS (
    SELECT 1
    FROM looked_at
    WHERE looked_at.scope_id = moved.scope_id
      AND looked_at.value <= moved.before + moved.gained
      AND (looked_at.always = 1 OR looked_at.value >= moved.before + moved.lost)
  )
)
SELECT worth.contact_id, worth.scope_id, worth.event, worth.at, worth.before + worth.total - worth.points,
  worth.before + worth.total
FROM (
  SELECT near.contact_id, near.scope_id, near.before, points_new.event, points_new.at, sum(points_new.points) AS points,
    sum(sum(points_new.points)) OVER (
      PARTITION BY near.contact_id, near.scope_id ORDER BY points_new.at, points_new.event
    ) AS total
  FROM near
  JOIN points_new ON points_new.contact_id = near.contact_id AND points_new.scope_id = near.scope_id
  GROUP BY near.contact_id, near.scope_id, near.before, points_new.event, points_new.at
) AS worth
WHERE worth.points <> 0
"""

_SUMS = """
INSERT INTO scores (contact_id, scope_id, points, changed_at)
SELECT contact_id, scope_id, sum(points), :now
FROM points_new
WHERE true
GROUP BY contact_id, scope_id
ON CONFLICT (contact_id, scope_id) DO UPDATE
SET points = scores.points + excluded.points, changed_at = excluded.changed_at
"""


def correct(store: Store, now_ms: int, select: str, params: Mapping[str, Any]) -> int:
    """Change sums by what ``select`` yields (contact_id, scope_id, points, event); how many changed.

    One change for each of them, at ``now``; rules that ask for scores look at the contacts again. Inside a write.
    """
    store.execute(_NET)
    store.execute("DELETE FROM points_net")
    if not store.execute(_SUM_UP.format(select=select), params):
        changes.clear(store)
        return 0
    changes.clear(store)
    store.execute(_CHANGED, {"now": now_ms})
    store.execute(_TOUCH, {"now": now_ms})
    return store.execute(_SUMS.replace("points_new", "points_net"), {"now": now_ms})


_NET = """
CREATE TEMP TABLE IF NOT EXISTS points_net (
  contact_id INTEGER NOT NULL,
  scope_id INTEGER NOT NULL,
  points INTEGER NOT NULL,
  event INTEGER NOT NULL
)
"""

_SUM_UP = """
INSERT INTO points_net (contact_id, scope_id, points, event)
SELECT contact_id, scope_id, sum(points), max(event)
FROM ({select}) AS differences
GROUP BY contact_id, scope_id
HAVING sum(points) <> 0
"""

_CHANGED = """
INSERT INTO score_changes (contact_id, scope_id, event, at, old, score)
SELECT net.contact_id, net.scope_id, net.event, :now, coalesce(scores.points, 0),
  coalesce(scores.points, 0) + net.points
FROM points_net AS net
LEFT JOIN scores ON scores.contact_id = net.contact_id AND scores.scope_id = net.scope_id
"""

_TOUCH = """
UPDATE contacts
SET updated_at = :now
WHERE id IN (SELECT contact_id FROM points_net)
"""
