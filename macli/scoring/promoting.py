"""Stages by score: whom a change of points leads to another stage of the lifecycle, as SQL over a batch.

A contact goes up when its score rises past a threshold, to the highest stage it rose past; a stage between
is a stay of no length. A stage set by hand holds until the score passes a threshold anew.
"""

import json
from collections.abc import Sequence

from macli.address import fold_json
from macli.effects.base import Caused
from macli.store import Row, Store, settings, stages
from macli.store.scopes import GLOBAL
from macli.store.stages import Rung

SOURCE = "macli:stages"
MOVES = "stage_moves"
"""The temp table of the moves ``promote`` makes; who moves contacts otherwise has a table of its own."""

_TABLE = """
CREATE TEMP TABLE IF NOT EXISTS {table} (
  contact_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  before INTEGER NOT NULL,
  due INTEGER NOT NULL,
  at INTEGER NOT NULL,
  next_at INTEGER,
  score INTEGER NOT NULL,
  event INTEGER,
  PRIMARY KEY (contact_id, number)
)
"""
"""A contact's moves in their order, between positions on the ladder; 0 is no stage."""


def promote(store: Store, now_ms: int, cause: str) -> list[Caused]:
    """Move the contacts whose global score passed a threshold, by ``score_changes``; the events of it.

    Inside a write. What is reached within a batch counts event by event, so that batches of any size
    bring the same stages.
    """
    ladder = stages.ladder(store)
    if not ladder:
        return []
    demotes = settings.get(store, "stages.demote")
    passed = f"{due(ladder, 'score_changes.score')} {'<>' if demotes else '>'} {due(ladder, 'score_changes.old')}"
    if ladder[0].bar < 0:
        passed = f"({passed} OR NOT EXISTS ({_STANDING}))"
    if not store.value(_ANY.format(passed=passed), {"scope": GLOBAL}):
        return []
    begin(store, MOVES)
    gather = _GATHER.format(
        due=due(ladder, "score_changes.score"),
        was=due(ladder, "score_changes.old"),
        standing=standing(ladder),
        passed=passed,
        before="lag(due) OVER earlier" if demotes else "max(due) OVER earlier",
        leads=_EITHER_WAY if demotes else _UP,
    )
    store.execute(gather, {"scope": GLOBAL})
    return carry_out(store, now_ms, MOVES, ladder, cause)


def due(ladder: Sequence[Rung], score: str) -> str:
    """The position a score leads to, as an SQL expression; whole numbers of our own need no parameters."""
    cases = " ".join(f"WHEN {score} > {rung.bar} THEN {rung.position}" for rung in reversed(ladder))
    return f"CASE {cases} ELSE 0 END" if ladder else "0"


def standing(ladder: Sequence[Rung]) -> str:
    """The position of the open stay ``stay``, as an SQL expression."""
    cases = " ".join(f"WHEN {rung.stage_id} THEN {rung.position}" for rung in ladder)
    return f"CASE stay.stage_id {cases} ELSE 0 END" if ladder else "0"


_STANDING = """
SELECT 1
FROM stage_stays
WHERE stage_stays.contact_id = score_changes.contact_id
  AND stage_stays.left_at IS NULL
"""

_ANY = """
SELECT 1
FROM score_changes
WHERE scope_id = :scope
  AND {passed}
LIMIT 1
"""

_UP = "due > before AND due > standing"
_EITHER_WAY = "(due >= was AND due > before) OR (due < was AND due < before)"

# Only changes past a threshold are looked at, each beside those before it. A late report does not go back
# behind the stay it ends.
_GATHER = f"""
INSERT INTO {MOVES} (contact_id, number, before, due, at, next_at, score, event)
WITH changed AS (
  SELECT score_changes.contact_id, score_changes.event, score_changes.at, score_changes.score, {{due}} AS due,
    {{was}} AS was, {{standing}} AS standing, stay.entered_at
  FROM score_changes
  LEFT JOIN stage_stays AS stay ON stay.contact_id = score_changes.contact_id AND stay.left_at IS NULL
  WHERE score_changes.scope_id = :scope
    AND {{passed}}
), compared AS (
  SELECT changed.*, coalesce({{before}}, standing) AS before
  FROM changed
  WINDOW earlier AS (
    PARTITION BY contact_id ORDER BY at, event ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  )
), leading AS (
  SELECT contact_id, event, score, due, lag(due, 1, standing) OVER later AS before,
    CASE WHEN at < entered_at THEN entered_at ELSE at END AS at
  FROM compared
  WHERE {{leads}}
  WINDOW later AS (PARTITION BY contact_id ORDER BY at, event)
)
SELECT contact_id, row_number() OVER later, before, due, at, lead(at) OVER later, score, event
FROM leading
WHERE due <> before
WINDOW later AS (PARTITION BY contact_id ORDER BY at, event)
"""


def begin(store: Store, table: str) -> None:
    """Make a table of moves, or make it empty. Inside a write."""
    store.execute(_TABLE.format(table=table))
    store.execute(f"DELETE FROM {table}")


def carry_out(
    store: Store, now_ms: int, table: str, ladder: Sequence[Rung], cause: str, *, passing: bool = True
) -> list[Caused]:
    """Make the moves in a table; the events of them. Inside a write.

    With ``passing``, who goes up passes the stages between.
    """
    least = "before" if passing else "due"
    store.execute(_LEAVE.format(table=table))
    store.execute(_ENTER.format(table=table, ladder=_values(ladder), least=least), {"cause": cause})
    store.execute(_TOUCH.format(table=table), {"now": now_ms})
    ways = store.rows(_WAYS.format(table=table))
    return [_entered(table, ladder, row, passing) for row in ways]


def _entered(table: str, ladder: Sequence[Rung], way: Row, passing: bool) -> Caused:
    before, to = way["before"], way["due"]
    names = {rung.position: rung.name for rung in ladder}
    said = {
        "stage": names[to],
        "from": names.get(before),
        "passed": [names[place] for place in range(before + 1, to)] if passing else [],
    }
    return Caused(
        name="stage.entered",
        source=SOURCE,
        select=_HAPPENED.format(table=table),
        params={
            **{name: way[name] for name in ("number", "before", "due")},
            "stage": next(rung.stage_id for rung in ladder if rung.position == to),
            "said": json.dumps(said, ensure_ascii=False)[:-1] + ', "score": ',
        },
        folded=fold_json(said),
    )


_LEAVE = """
UPDATE stage_stays
SET left_at = (SELECT at FROM {table} AS moves WHERE moves.contact_id = stage_stays.contact_id AND moves.number = 1)
WHERE left_at IS NULL
  AND contact_id IN (SELECT contact_id FROM {table})
"""

_ENTER = """
WITH ladder (stage_id, position) AS ({ladder})
INSERT INTO stage_stays (contact_id, stage_id, entered_at, left_at, passed, score, cause, event)
SELECT moves.contact_id, ladder.stage_id, moves.at,
  CASE WHEN ladder.position = moves.due THEN moves.next_at ELSE moves.at END,
  CASE WHEN ladder.position = moves.due THEN 0 ELSE 1 END, moves.score, :cause, moves.event
FROM {table} AS moves
JOIN ladder ON ladder.position = moves.due
  OR (ladder.position > moves.{least} AND ladder.position < moves.due)
ORDER BY moves.contact_id, moves.number, ladder.position
"""

# Whoever is in no stage any more has no event that would tell of it.
_TOUCH = """
UPDATE contacts
SET updated_at = :now
WHERE id IN (SELECT contact_id FROM {table} WHERE due = 0)
"""

_WAYS = """
SELECT DISTINCT number, before, due
FROM {table}
WHERE due > 0
ORDER BY number, before, due
"""

# CROSS JOIN keeps the few moves first: the other way round all stays there ever were are gone through.
_HAPPENED = """
SELECT moves.contact_id, moves.at, moves.contact_id || ':' || stay.id AS source_id,
  :said || CAST(moves.score AS TEXT) || '}}' AS properties, NULL AS send_id, NULL AS campaign_id
FROM {table} AS moves
CROSS JOIN stage_stays AS stay
WHERE stay.contact_id = moves.contact_id
  AND stay.entered_at = moves.at
  AND stay.stage_id = :stage
  AND stay.passed = 0
  AND moves.number = :number
  AND moves.before = :before
  AND moves.due = :due
"""


def _values(ladder: Sequence[Rung]) -> str:
    return "VALUES " + ", ".join(f"({rung.stage_id}, {rung.position})" for rung in ladder)
