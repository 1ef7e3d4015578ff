"""The ledger as it would be under some rules, staged in temp tables in the order of its key."""

from collections.abc import Mapping, Sequence
from typing import Any

from macli.errors import OperationFailed
from macli.scoring.compiling import MONDAY, Plan, compiled
from macli.scoring.counting import PERIOD
from macli.store import Store, settings
from macli.store.point_rules import PointRule

_TABLES = (
    """
    CREATE TEMP TABLE IF NOT EXISTS replayed (
      contact_id INTEGER NOT NULL,
      scope_id INTEGER NOT NULL,
      rule INTEGER NOT NULL,
      event INTEGER NOT NULL,
      part INTEGER NOT NULL,
      points INTEGER NOT NULL,
      at INTEGER NOT NULL,
      decays_at INTEGER,
      most INTEGER,
      span INTEGER,
      kept INTEGER NOT NULL,
      PRIMARY KEY (contact_id, scope_id, rule, event, part)
    ) WITHOUT ROWID
    """,
    """
    CREATE TEMP TABLE IF NOT EXISTS replayed_scores (
      contact_id INTEGER NOT NULL,
      scope_id INTEGER NOT NULL,
      old INTEGER NOT NULL,
      score INTEGER NOT NULL,
      PRIMARY KEY (contact_id, scope_id)
    ) WITHOUT ROWID
    """,
    "CREATE TEMP TABLE IF NOT EXISTS replayed_again (contact_id INTEGER PRIMARY KEY)",
)
"""``replayed`` is the ledger as it would be; ``kept`` rows are the ledger's own, of events that are gone or before
the time asked for. ``replayed_scores`` has every score before and after."""

EVERYBODY = "TRUE"
AGAIN = "contact_id IN (SELECT contact_id FROM replayed_again)"


def clear(store: Store, among: str = EVERYBODY) -> None:
    """Take away what was staged, of these contacts."""
    for statement in _TABLES:
        store.execute(statement)
    where = "" if among == EVERYBODY else f"WHERE {among}"
    for table in ("replayed", "replayed_scores"):
        store.execute(f"DELETE FROM {table} {where}")


def fill(
    store: Store,
    now_ms: int,
    rules: Sequence[PointRule],
    since: int | None,
    new: str,
    last: int,
    among: str = EVERYBODY,
) -> None:
    """Stage what the events that ``new`` selects are worth, of the contacts ``among`` selects, and their scores.

    Raises OperationFailed where a rule does not read.
    """
    plan = compiled(store, now_ms, tuple(rules)) if rules else Plan(select="")
    if plan.faults:
        name, fault = next(iter(plan.faults.items()))
        raise OperationFailed(
            f"the point rule {name!r} does not read: {fault}",
            hint=f'macli points rule edit "{name}" mends it, macli points rule off "{name}" leaves it out',
        )
    params: Mapping[str, Any] = {"last": last, "since": since or 0}
    if plan.select:
        sql = plan.select.replace("{new}", new if since is None else f"{new} AND events.at >= :since")
        store.execute(_INSERT.format(select=sql), {**plan.params, **params})
    store.execute(_ERASED)
    kept = 0
    if since is not None:
        kept += store.execute(_BEFORE.format(among=among), params)
    if _has_gaps(store):
        kept += store.execute(_GONE.format(among=among), params)
    if plan.capped:
        store.execute(_TOO_MANY.format(among=among, before=_KEPT_BEFORE if kept else "0"), {"monday": MONDAY})
    _decay(store, now_ms, rules, among)
    store.execute(_SCORES.format(among=among))
    store.execute(_SCORES_NOW.format(among=among))


def _decay(store: Store, now_ms: int, rules: Sequence[PointRule], among: str) -> None:
    """Bring what was staged to what it is worth by now, as decaying.sweep does: what time took back already stays."""
    default = settings.get(store, "points.decay")
    lasting = ", ".join(
        f"({rule.id}, {rule.decay_share}, {rule.decay_span})"
        if rule.decay_span is not None
        else f"({rule.id}, {default.share}, {default.span})"
        for rule in rules
        if rule.decay_span is not None or default is not None
    )
    if lasting:
        for statement in (_TAKEN, _TAKE, _DATE):
            store.execute(statement.format(among=among, lasting=lasting), {"now": now_ms})


def _has_gaps(store: Store) -> bool:
    """Whether events may have been deleted: their ids are given one after another."""
    return bool(store.value("SELECT (SELECT count(*) FROM events) < (SELECT coalesce(max(id), 0) FROM events)"))


# Sorted first, so that the table grows at its end: filled all over, it takes three times as long.
_INSERT = """
INSERT INTO replayed (contact_id, scope_id, rule, event, part, points, at, decays_at, most, span, kept)
SELECT worth.contact_id, worth.scope_id, worth.rule, worth.event, 0, worth.points, worth.at, worth.decays_at,
  worth.most, worth.span, 0
FROM ({select}) AS worth
WHERE true
ORDER BY worth.contact_id, worth.scope_id, worth.rule, worth.event
ON CONFLICT DO NOTHING
"""

# Their events stay for reports, and are nobody's.
_ERASED = """
DELETE FROM replayed
WHERE contact_id IN (SELECT id FROM contacts WHERE removed_at IS NOT NULL AND state = 'erased')
"""

_KEPT = """
INSERT INTO replayed (contact_id, scope_id, rule, event, part, points, at, decays_at, most, span, kept)
SELECT contact_id, scope_id, rule, event, part, points, at, decays_at, NULL, NULL, 1
FROM point_ledger AS kept
WHERE rule > 0
  AND {among}
"""

_BEFORE = f"""
{_KEPT}
  AND EXISTS (
    SELECT 1
    FROM point_ledger AS brought
    WHERE brought.contact_id = kept.contact_id
      AND brought.scope_id = kept.scope_id
      AND brought.rule = kept.rule
      AND brought.event = kept.event
      AND brought.part = 0
      AND brought.at < :since
  )
"""

_GONE = f"""
{_KEPT}
  AND NOT EXISTS (SELECT 1 FROM events WHERE events.id = kept.event)
ON CONFLICT DO NOTHING
"""

# What counted goes on counting where the cap lets as many count: reports that came late do not change that.
_TOO_MANY = f"""
DELETE FROM replayed
WHERE kept = 0
  AND (contact_id, scope_id, rule, event) IN (
    SELECT contact_id, scope_id, rule, event
    FROM (
      SELECT contact_id, scope_id, rule, event, most, span, {PERIOD} AS period,
        row_number() OVER (
          PARTITION BY contact_id, scope_id, rule, {PERIOD}
          ORDER BY NOT EXISTS (
            SELECT 1
            FROM point_ledger
            WHERE point_ledger.contact_id = replayed.contact_id
              AND point_ledger.scope_id = replayed.scope_id
              AND point_ledger.rule = replayed.rule
              AND point_ledger.event = replayed.event
              AND point_ledger.part = 0
          ), at, event
        ) AS place
      FROM replayed
      WHERE most IS NOT NULL
        AND {{among}}
    ) AS placed
    WHERE placed.place > placed.most - {{before}}
  )
"""

_KEPT_BEFORE = """(
  SELECT count(*)
  FROM replayed AS before
  WHERE before.contact_id = placed.contact_id
    AND before.scope_id = placed.scope_id
    AND before.rule = placed.rule
    AND before.kept = 1
    AND before.part = 0
    AND (
      placed.span IS NULL
      OR (
        before.at >= :monday + placed.period * placed.span
        AND before.at < :monday + (placed.period + 1) * placed.span
      )
    )
)"""

_DUE = """
(
  SELECT replayed.*, lasts.share, lasts.span AS lasts, (:now - replayed.at) / lasts.span AS spans
  FROM replayed
  JOIN (
    SELECT column1 AS rule, column2 AS share, column3 AS span
    FROM (VALUES {{lasting}}) AS given
  ) AS lasts ON lasts.rule = replayed.rule
  WHERE part = 0
    AND kept = 0
    AND decays_at <= :now
    AND {{among}}
) AS credit"""

_OF_CREDIT = """
parts.contact_id = credit.contact_id
AND parts.scope_id = credit.scope_id
AND parts.rule = credit.rule
AND parts.event = credit.event
"""

# Of a credit that is the same as before, the rows that decay wrote.
_TAKEN = f"""
INSERT INTO replayed (contact_id, scope_id, rule, event, part, points, at, decays_at, most, span, kept)
SELECT parts.contact_id, parts.scope_id, parts.rule, parts.event, parts.part, parts.points, parts.at,
  parts.decays_at, NULL, NULL, 0
FROM {_DUE.format()}
JOIN point_ledger AS brought ON brought.contact_id = credit.contact_id
  AND brought.scope_id = credit.scope_id
  AND brought.rule = credit.rule
  AND brought.event = credit.event
  AND brought.part = 0
  AND brought.points = credit.points
  AND brought.at = credit.at
JOIN point_ledger AS parts ON {_OF_CREDIT} AND parts.part > 0
WHERE true
ON CONFLICT DO NOTHING
"""

_TAKE = f"""
INSERT INTO replayed (contact_id, scope_id, rule, event, part, points, at, decays_at, most, span, kept)
SELECT contact_id, scope_id, rule, event, part, worth - stands, :now, NULL, NULL, NULL, 0
FROM (
  SELECT credit.contact_id, credit.scope_id, credit.rule, credit.event,
    decayed(credit.points, credit.share, credit.spans) AS worth,
    (SELECT 1 + max(parts.part) FROM replayed AS parts WHERE {_OF_CREDIT}) AS part,
    (SELECT sum(parts.points) FROM replayed AS parts WHERE {_OF_CREDIT}) AS stands
  FROM {_DUE.format()}
) AS due
WHERE worth <> stands
"""

_DATE = f"""
UPDATE replayed
SET decays_at = credit.next_at
FROM (
  SELECT credit.contact_id, credit.scope_id, credit.rule, credit.event,
    CASE WHEN decayed(credit.points, credit.share, credit.spans) <> 0
      THEN credit.at + (credit.spans + 1) * credit.lasts
    END AS next_at
  FROM {_DUE.format()}
) AS credit
WHERE replayed.contact_id = credit.contact_id
  AND replayed.scope_id = credit.scope_id
  AND replayed.rule = credit.rule
  AND replayed.event = credit.event
  AND replayed.part = 0
"""

_SCORES = """
INSERT INTO replayed_scores (contact_id, scope_id, old, score)
SELECT contact_id, scope_id, 0, sum(points)
FROM replayed
WHERE {among}
GROUP BY contact_id, scope_id
"""

# Points given by hand stand under rule 0.
_SCORES_NOW = """
INSERT INTO replayed_scores (contact_id, scope_id, old, score)
SELECT contact_id, scope_id, points, coalesce(
    (
      SELECT sum(given.points)
      FROM point_ledger AS given
      WHERE given.contact_id = scores.contact_id
        AND given.scope_id = scores.scope_id
        AND given.rule = 0
    ),
    0
  )
FROM scores
WHERE {among}
ON CONFLICT (contact_id, scope_id) DO UPDATE
SET old = excluded.old, score = replayed_scores.score + excluded.score
"""
