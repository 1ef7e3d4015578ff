"""The changes of scores that a batch of events brought, one after another, in a temp table."""

from macli.store import Store

TABLE = """
CREATE TEMP TABLE IF NOT EXISTS score_changes (
  contact_id INTEGER NOT NULL,
  scope_id INTEGER NOT NULL,
  event INTEGER NOT NULL,
  at INTEGER NOT NULL,
  old INTEGER NOT NULL,
  score INTEGER NOT NULL
)
"""
"""A row for each contact, scope and event whose points were not nothing: the score before and after it.

Of scopes and contacts only where the batch may bring a score to a value that somebody looks at, or past it.
Rows of one contact and scope follow each other by ``at`` and ``event``: the ``old`` of one is the
``score`` of the one before.
"""


def clear(store: Store) -> None:
    """Make the table empty. Inside a write."""
    store.execute(TABLE)
    store.execute("DELETE FROM score_changes")


LOOKED_AT = """
SELECT 1 AS scope_id, threshold AS value, 0 AS always
FROM stages
WHERE removed_at IS NULL
UNION ALL
SELECT scope_id, points, CASE WHEN kind IN ('exceeded', 'at_least') THEN 1 ELSE 0 END
FROM score_marks
"""
"""The values of scores that somebody looks at, by scope: where stages begin, and marks; ``always`` where every
change above is told of, not only those that come to the value or past it."""
