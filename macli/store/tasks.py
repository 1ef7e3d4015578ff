"""Tasks: what somebody has to do about a contact, as it is read."""

from collections.abc import Iterator

from macli.errors import UsageError
from macli.model import Where
from macli.store.connection import Row, Store

COLUMNS = ("id", "due_at", "state", "title", "contact", "deal", "assignee", "author", "created_at")
OPEN = Where(sql="tasks.state = 'open'")
_ALL = 2**62


def of_assignee(staff_id: int) -> Where:
    """The tasks somebody has to do."""
    return Where(sql="tasks.assignee_id = :task_assignee", params={"task_assignee": staff_id})


def overdue(now_ms: int) -> Where:
    """The open tasks whose time has passed."""
    return Where(
        sql="(tasks.state = 'open' AND coalesce(tasks.due_at < :task_now, FALSE))", params={"task_now": now_ms}
    )


def listed(store: Store, *wheres: Where, limit: int | None = None) -> Iterator[Row]:
    """The tasks all of ``wheres`` select: those due first, then those without a time, oldest first."""
    params = {name: value for where in wheres for name, value in where.params.items()}
    tests = " AND ".join(("TRUE", *(where.sql for where in wheres)))
    said = {"tests": tests, "source": store.source("tasks.source")}
    return store.stream(_LIST.format(**said), {**params, "limit": _ALL if limit is None else limit})


_LIST = """
SELECT tasks.id, tasks.due_at, tasks.state, tasks.title, tasks.description,
  coalesce(contacts.email, contacts.phone, contacts.external_id) AS contact, deals.title AS deal,
  assignees.name AS assignee, authors.name AS author, {source} AS source, tasks.created_at, tasks.updated_at,
  tasks.closed_at, tasks.contact_id, tasks.deal_id, tasks.assignee_id
FROM tasks
LEFT JOIN contacts ON contacts.id = tasks.contact_id
LEFT JOIN deals ON deals.id = tasks.deal_id
LEFT JOIN staff AS assignees ON assignees.id = tasks.assignee_id
LEFT JOIN staff AS authors ON authors.id = tasks.author_id
WHERE {tests}
ORDER BY tasks.due_at IS NULL, tasks.due_at, tasks.id
LIMIT :limit
"""


def get(store: Store, number: int) -> Row:
    """One task. Raises UsageError."""
    one = Where(sql="tasks.id = :task_number", params={"task_number": number})
    found = next(listed(store, one, limit=1), None)
    if found is None:
        raise UsageError(f"there is no task {number}", hint="macli task list shows their numbers")
    return found


def last_id(store: Store) -> int:
    return int(store.value("SELECT coalesce(max(id), 0) FROM tasks"))
