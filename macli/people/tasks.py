"""Tasks about contacts and deals: given, changed, done, called off."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from macli import texts
from macli.address import fold_json
from macli.clock import iso, to_ms
from macli.contacts import ONE
from macli.errors import UsageError
from macli.people.telling import tell, tell_of_many, touch
from macli.store import Row, Store, deals, tasks

End = Literal["done", "cancelled"]


def create_where(
    store: Store,
    now: datetime,
    ids: str,
    params: Mapping[str, Any],
    title: str,
    source: str,
    *,
    description: str = "",
    assignee_id: int | None = None,
    owner: bool = False,
    author_id: int | None = None,
    deal_id: int | None = None,
    due_at: int | None = None,
) -> int:
    """Make a task about each of the contacts ``ids`` selects; how many there were.

    With ``owner`` it is for the contact's main owner; ``assignee_id`` stands in where there is none on the staff.
    ``due_at`` is in UTC milliseconds. Raises UsageError where the title is empty or too long.
    """
    title = texts.line(title, "title")
    with store.write():
        before = tasks.last_id(store)
        made = store.execute(
            _MAKE.format(ids=ids, assignee=_OWNER if owner else ":task_assignee"),
            {
                **params,
                "task_deal": deal_id,
                "task_title": title,
                "task_description": texts.body(description, "description", empty=True),
                "task_assignee": assignee_id,
                "task_author": author_id,
                "task_due": due_at,
                "task_source": source,
                "task_now": to_ms(now),
            },
        )
        _tell_all(store, now, before, {"title": title, "due": iso(due_at)}, source)
    return made


_OWNER = """
coalesce(
    (
      SELECT owners.staff_id
      FROM owners
      JOIN staff ON staff.id = owners.staff_id
      WHERE owners.contact_id = contacts.id
        AND owners.kind = 'main'
        AND staff.active = 1
    ),
    :task_assignee
  )
"""

_MAKE = """
INSERT INTO tasks (
  contact_id, deal_id, title, description, assignee_id, author_id, due_at, source, created_at, updated_at
)
SELECT contacts.id, :task_deal, :task_title, :task_description, {assignee}, :task_author, :task_due, :task_source,
  :task_now, :task_now
FROM contacts
WHERE contacts.id IN ({ids})
  AND contacts.state <> 'erased'
"""


def _tell_all(store: Store, now: datetime, before: int, said: Mapping[str, Any], source: str) -> None:
    """Tell of the tasks behind ``before``; of those of names that SQL cannot fold for each name apart."""
    names = {row["assignee_id"]: row["name"] for row in store.rows(_ASSIGNEES, {"before": before})}
    odd = {one: name for one, name in names.items() if fold_json({"assignee": name}) is not None}
    own = {"task": "id"}
    for one, name in odd.items():
        made = {"before": before, "assignee": one}
        tell_of_many(store, now, "task.added", _OF_ONE, made, {**said, "assignee": name}, own, source)
    others = _OF_OTHERS.format(odd=", ".join(map(str, odd)) or "-1")
    own["assignee"] = "(SELECT staff.name FROM staff WHERE staff.id = tasks.assignee_id)"
    tell_of_many(store, now, "task.added", others, {"before": before}, said, own, source)


_ASSIGNEES = """
SELECT staff.id AS assignee_id, staff.name
FROM staff
WHERE staff.id IN (SELECT assignee_id FROM tasks WHERE id > :before)
"""

_OF_ONE = """
FROM tasks
WHERE id > :before
  AND assignee_id = :assignee
"""

_OF_OTHERS = """
FROM tasks
WHERE id > :before
  AND coalesce(assignee_id, 0) NOT IN ({odd})
"""


def add(
    store: Store,
    now: datetime,
    title: str,
    source: str,
    *,
    contact_id: int | None = None,
    deal_id: int | None = None,
    description: str = "",
    assignee_id: int | None = None,
    author_id: int | None = None,
    due_at: int | None = None,
) -> int:
    """Make one task; its number. One about a deal is about the deal's contact too, where no other is named.

    Raises UsageError as create_where does.
    """
    with store.write():
        if deal_id is not None:
            contact_id = _with(deals.get(store, deal_id), contact_id)
        facts: dict[str, Any] = {"assignee_id": assignee_id, "author_id": author_id, "due_at": due_at}
        if contact_id is not None:
            one = {"one_contact": contact_id}
            create_where(store, now, ONE, one, title, source, description=description, deal_id=deal_id, **facts)
            return tasks.last_id(store)
        facts |= {"title": texts.line(title, "title"), "source": source, "now": to_ms(now), "deal_id": deal_id}
        facts["description"] = texts.body(description, "description", empty=True)
        return int(store.value(_ADD, facts))


def _with(deal: Row, contact_id: int | None) -> int | None:
    """The contact a deal is with, or the one named where it is with nobody. Raises UsageError for another one."""
    if deal["contact_id"] is None or contact_id is None:
        return deal["contact_id"] or contact_id
    if deal["contact_id"] != contact_id:
        raise UsageError(f"deal {deal['id']} is with {deal['contact']}, not with another contact")
    return contact_id


_ADD = """
INSERT INTO tasks (deal_id, title, description, assignee_id, author_id, due_at, source, created_at, updated_at)
VALUES (:deal_id, :title, :description, :assignee_id, :author_id, :due_at, :source, :now, :now)
RETURNING id
"""


def edit(store: Store, now: datetime, number: int, changes: Mapping[str, Any]) -> None:
    """Change a task's title, description, assignee_id or due_at. Raises UsageError."""
    if not changes:
        raise UsageError("nothing to change", hint="for example --due 'tomorrow 9:00'")
    values = dict(changes)
    if "title" in values:
        values["title"] = texts.line(values["title"], "title")
    if "description" in values:
        values["description"] = texts.body(values["description"], "description", empty=True)
    assignments = "".join(f", {name} = :{name}" for name in values)
    with store.write():
        task = tasks.get(store, number)
        store.execute(
            f"UPDATE tasks SET updated_at = :now{assignments} WHERE id = :id",
            {**values, "id": task["id"], "now": to_ms(now)},
        )
        touch(store, now, task["contact_id"])


def close(store: Store, now: datetime, number: int, state: End, source: str) -> bool:
    """Note that a task is done or called off; whether it was open. Raises UsageError."""
    with store.write():
        task = tasks.get(store, number)
        if task["state"] != "open":
            return False
        _move(store, now, task, state, to_ms(now))
        said = {"task": task["id"], "title": task["title"], "assignee": task["assignee"], "state": state}
        tell(store, now, task["contact_id"], "task.closed", said, source)
    return True


def reopen(store: Store, now: datetime, number: int) -> bool:
    """Make a task open again; whether it was not. Raises UsageError."""
    with store.write():
        task = tasks.get(store, number)
        if task["state"] == "open":
            return False
        _move(store, now, task, "open", None)
        touch(store, now, task["contact_id"])
    return True


def _move(store: Store, now: datetime, task: Row, state: str, closed_at: int | None) -> None:
    facts = {"id": task["id"], "state": state, "closed": closed_at, "now": to_ms(now)}
    store.execute(_MOVE, facts)


_MOVE = """
UPDATE tasks
SET state = :state, closed_at = :closed, updated_at = :now
WHERE id = :id
"""


def remove(store: Store, now: datetime, number: int) -> None:
    """Delete a task. Raises UsageError."""
    with store.write():
        task = tasks.get(store, number)
        store.execute("DELETE FROM tasks WHERE id = :id", {"id": task["id"]})
        touch(store, now, task["contact_id"])
