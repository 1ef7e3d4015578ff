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

Rows of one contact and scope follow each other by ``at`` and ``event``: the ``old`` of one is the
``score`` of the one before.
"""


def clear(store: Store) -> None:
    """Make the table empty. Inside a write."""
    store.execute(TABLE)
    store.execute("DELETE FROM score_changes")


WATCHED = "(scope_id = :global OR scope_id IN (SELECT scope_id FROM score_marks))"
"""The scopes whose single changes somebody looks at: stages at the global score, marks at theirs."""
