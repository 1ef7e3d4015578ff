"""Whether every score is the sum of its ledger; and the scores, summed anew."""

from dataclasses import dataclass

from macli.scoring import counting
from macli.store import Store, settings


@dataclass(frozen=True, kw_only=True)
class Checked:
    """``rows`` of the ledger, ``scores`` they sum up to, and how many scores are not their sum."""

    rows: int
    scores: int
    wrong: int


def check(store: Store) -> Checked:
    """Hold every score against its ledger. Nothing is changed."""
    row = store.row(_CHECK)
    assert row is not None
    return Checked(rows=row["rows"], scores=row["scores"], wrong=row["wrong"])


# Both tables stand in the order that is grouped by, so nothing is sorted.
_SUMS = """
SELECT contact_id, scope_id, sum(points) AS points, count(*) AS rows
FROM point_ledger
GROUP BY contact_id, scope_id
"""

_WITHOUT = """
SELECT contact_id, scope_id, points
FROM scores
WHERE points <> 0
  AND NOT EXISTS (
    SELECT 1
    FROM point_ledger
    WHERE point_ledger.contact_id = scores.contact_id
      AND point_ledger.scope_id = scores.scope_id
  )
"""

_CHECK = f"""
SELECT coalesce(sum(summed.rows), 0) AS rows, count(*) AS scores,
  count(CASE WHEN summed.points <> coalesce(scores.points, 0) THEN 1 END)
    + (SELECT count(*) FROM ({_WITHOUT}) AS without) AS wrong
FROM ({_SUMS}) AS summed
LEFT JOIN scores ON scores.contact_id = summed.contact_id AND scores.scope_id = summed.scope_id
"""


@dataclass(frozen=True, kw_only=True)
class Recomputed:
    """How many scores were not the sum of their ledger and are now; how many credits begin or cease to decay."""

    corrected: int
    dated: int


def recompute(store: Store, now_ms: int) -> Recomputed:
    """Sum every score anew from its ledger, and date the decay of credits by the rules as they are now."""
    default = settings.get(store, "points.decay")
    with store.write():
        corrected = counting.correct(store, now_ms, _DIFFERENCE, {})
        dated = store.execute(_DATE, {"span": default and default.span})
    return Recomputed(corrected=corrected, dated=dated)


_DIFFERENCE = f"""
SELECT summed.contact_id, summed.scope_id, summed.points - coalesce(scores.points, 0) AS points, 0 AS event
FROM ({_SUMS}) AS summed
LEFT JOIN scores ON scores.contact_id = summed.contact_id AND scores.scope_id = summed.scope_id
WHERE summed.points <> coalesce(scores.points, 0)
UNION ALL
SELECT contact_id, scope_id, -points, 0
FROM ({_WITHOUT}) AS without
"""

_SPAN = """
coalesce(
  (SELECT point_rules.decay_span FROM point_rules WHERE point_rules.id = point_ledger.rule),
  :span
)
"""

# What is all gone has no date and needs none.
_DATE = f"""
UPDATE point_ledger
SET decays_at = at + {_SPAN}
WHERE part = 0
  AND (decays_at IS NULL) = ({_SPAN} IS NOT NULL)
  AND (
    SELECT sum(parts.points)
    FROM point_ledger AS parts
    WHERE parts.contact_id = point_ledger.contact_id
      AND parts.scope_id = point_ledger.scope_id
      AND parts.rule = point_ledger.rule
      AND parts.event = point_ledger.event
  ) <> 0
"""
