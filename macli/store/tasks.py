"""Tasks: what somebody has to do about a contact, as it is read."""

from macli.model import Where
from macli.store.connection import Store
from macli.store.records import Records

COLUMNS = ("id", "due_at", "state", "title", "contact", "deal", "assignee", "author", "created_at")
OPEN = Where(sql="tasks.state = 'open'")


def of_assignee(staff_id: int) -> Where:
    """The tasks somebody has to do."""
    return Where(sql="tasks.assignee_id = :task_assignee", params={"task_assignee": staff_id})


def overdue(now_ms: int) -> Where:
    """The open tasks whose time has passed."""
    return Where(
        sql="(tasks.state = 'open' AND coalesce(tasks.due_at < :task_now, FALSE))", params={"task_now": now_ms}
    )


_SELECT = """
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

_RECORDS = Records(table="tasks", noun="task", command="macli task list", select=_SELECT)
listed, get = _RECORDS.listed, _RECORDS.get
"""Tasks, those due first, then those without a time, oldest first; one by its number."""


def last_id(store: Store) -> int:
    return int(store.value("SELECT coalesce(max(id), 0) FROM tasks"))
