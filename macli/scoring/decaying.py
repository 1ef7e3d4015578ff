"""Decay: what time takes back of points, one row in the ledger for each time it is looked at.

A credit of p points is worth trunc(p · (1 - share)^k) after k whole spans, whoever looks and how often: what is
written is the difference to what stands there. How it decays its rule says now, else the setting ``points.decay``.
"""

from macli.effects.base import Caused
from macli.scoring import counting
from macli.scoring.applying import follow
from macli.store import Store, settings

BATCH = 5000
"""Credits a transaction takes."""


def sweep(store: Store, now_ms: int) -> tuple[int, list[Caused]]:
    """Bring a batch of credits that are due to what they are worth now.

    How many were due, and the events that their scores' changes cause. Inside a write.
    """
    default = settings.get(store, "points.decay")
    store.execute(_TABLE)
    store.execute("DELETE FROM decaying")
    said = {"share": default and default.share, "span": default and default.span}
    due = store.execute(_DUE, {**said, "now": now_ms, "batch": BATCH})
    if not due:
        return 0, []
    store.execute(_TAKE, {"now": now_ms})
    store.execute(_DATE)
    counting.correct(store, now_ms, "SELECT contact_id, scope_id, points, event FROM decaying", {})
    return due, follow(store, now_ms, "decay", source_id="NULL")


_TABLE = """
CREATE TEMP TABLE IF NOT EXISTS decaying (
  contact_id INTEGER NOT NULL,
  scope_id INTEGER NOT NULL,
  rule INTEGER NOT NULL,
  event INTEGER NOT NULL,
  part INTEGER NOT NULL,
  points INTEGER NOT NULL,
  decays_at INTEGER,
  PRIMARY KEY (contact_id, scope_id, rule, event)
) WITHOUT ROWID
"""

# A rule that says nothing of decay, or is gone, goes by the setting; where that says nothing either, what is
# left stays.
_DUE = """
INSERT INTO decaying (contact_id, scope_id, rule, event, part, points, decays_at)
SELECT contact_id, scope_id, rule, event, part, worth - stands,
  CASE WHEN worth <> 0 THEN at + ((:now - at) / span + 1) * span END
FROM (
  SELECT due.*,
    CASE WHEN share IS NULL THEN stands ELSE decayed(points, share, (:now - at) / span) END AS worth
  FROM (
    SELECT credit.contact_id, credit.scope_id, credit.rule, credit.event, credit.points, credit.at,
      CASE WHEN point_rules.decay_span IS NULL THEN :share ELSE point_rules.decay_share END AS share,
      coalesce(point_rules.decay_span, :span) AS span,
      (SELECT 1 + max(parts.part) FROM point_ledger AS parts WHERE {same}) AS part,
      (SELECT sum(parts.points) FROM point_ledger AS parts WHERE {same}) AS stands
    FROM (
      SELECT *
      FROM point_ledger
      WHERE decays_at <= :now
      ORDER BY decays_at
      LIMIT :batch
    ) AS credit
    LEFT JOIN point_rules ON point_rules.id = credit.rule
  ) AS due
) AS left_
""".format(
    same="parts.contact_id = credit.contact_id AND parts.scope_id = credit.scope_id"
    " AND parts.rule = credit.rule AND parts.event = credit.event"
)

_TAKE = """
INSERT INTO point_ledger (contact_id, scope_id, rule, event, part, points, at)
SELECT contact_id, scope_id, rule, event, part, points, :now
FROM decaying
WHERE points <> 0
"""

_DATE = """
UPDATE point_ledger
SET decays_at = decaying.decays_at
FROM decaying
WHERE point_ledger.contact_id = decaying.contact_id
  AND point_ledger.scope_id = decaying.scope_id
  AND point_ledger.rule = decaying.rule
  AND point_ledger.event = decaying.event
  AND point_ledger.part = 0
"""
