"""Marks: the values of scores that campaigns and people watch, and what each waits for."""

from typing import Literal

from macli.store.connection import Row, Store

Kind = Literal["reached", "crossed", "exceeded", "at_least"]


def watch(store: Store, now_ms: int, scope_id: int, kind: Kind, points: int) -> bool:
    """Watch a value of the scores in a scope from now on; False where it is watched already. Inside a write."""
    said = {"scope": scope_id, "kind": kind, "points": points, "now": now_ms}
    return store.execute(_WATCH, said) > 0


_WATCH = """
INSERT INTO score_marks (scope_id, kind, points, created_at)
VALUES (:scope, :kind, :points, :now)
ON CONFLICT (scope_id, kind, points) DO NOTHING
"""


def unwatch(store: Store, scope_id: int, kind: Kind, points: int) -> bool:
    """Watch a value no longer; False where it was not watched. Inside a write."""
    said = {"scope": scope_id, "kind": kind, "points": points}
    return store.execute(_UNWATCH, said) > 0


_UNWATCH = """
DELETE FROM score_marks
WHERE scope_id = :scope
  AND kind = :kind
  AND points = :points
"""


def listed(store: Store) -> list[Row]:
    """Every mark: id, scope_id, scope_kind, scope, kind, points, created_at."""
    return store.rows(_LISTED)


_LISTED = """
SELECT score_marks.id, score_marks.scope_id, scopes.kind AS scope_kind, scopes.name AS scope, score_marks.kind,
  score_marks.points, score_marks.created_at
FROM score_marks
JOIN scopes ON scopes.id = score_marks.scope_id
ORDER BY scopes.id, score_marks.points, score_marks.kind
"""
