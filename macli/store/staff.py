"""Staff: who works with macli, in which roles and groups."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from macli.clock import to_ms
from macli.errors import OperationFailed, UnknownName, UsageError
from macli.store.connection import Row, Store
from macli.store.contacts import read_own

COLUMNS = ("name", "full_name", "email", "phone", "roles", "groups", "owns", "open_tasks", "active")


def add(
    store: Store,
    now: datetime,
    name: str,
    *,
    full_name: str = "",
    email: str | None = None,
    phone: str | None = None,
    roles: Iterable[str] = (),
    groups: Iterable[str] = (),
    region: str | None = None,
) -> int:
    """Add somebody to the staff; the id. Raises UsageError where the name is taken or a value is none."""
    facts = {
        "name": _line(name, "member of staff needs a name"),
        "key": _key(name),
        "full_name": " ".join(full_name.split()),
        "email": read_own("email", email, region) if email else None,
        "phone": read_own("phone", phone, region) if phone else None,
        "now": to_ms(now),
    }
    with store.write():
        made: int | None = store.value(_ADD, facts)
        if made is None:
            raise UsageError(f"there is {name!r} on the staff already", hint=f"macli staff edit {name!r} changes it")
        _give(store, made, roles, groups)
    return made


_ADD = """
INSERT INTO staff (name, name_key, full_name, email, phone, created_at, updated_at)
VALUES (:name, :key, :full_name, :email, :phone, :now, :now)
ON CONFLICT (name_key) DO NOTHING
RETURNING id
"""


def edit(
    store: Store,
    now: datetime,
    name: str,
    *,
    rename: str | None = None,
    full_name: str | None = None,
    email: str | None = None,
    phone: str | None = None,
    roles: Iterable[str] = (),
    no_roles: Iterable[str] = (),
    groups: Iterable[str] = (),
    no_groups: Iterable[str] = (),
    active: bool | None = None,
    region: str | None = None,
) -> None:
    """Change what is known of somebody; '' takes a value away. Raises UnknownName, UsageError.

    Rules and campaigns go on with the name they have; people.renaming asks whether there are any.
    """
    changes: dict[str, Any] = {}
    if rename is not None:
        changes |= {"name": _line(rename, "member of staff needs a name"), "name_key": _key(rename)}
    if full_name is not None:
        changes["full_name"] = " ".join(full_name.split())
    for column, text in (("email", email), ("phone", phone)):
        if text is not None:
            changes[column] = read_own(column, text, region) if text.strip() else None
    if active is not None:
        changes["active"] = int(active)
    given = [tuple(names) for names in (roles, groups, no_roles, no_groups)]
    if not changes and not any(given):
        raise UsageError("nothing to change", hint="for example --role sales --group north")
    with store.write():
        member = get(store, name)
        if "name_key" in changes and store.value(_OTHER, {"key": changes["name_key"], "id": member["id"]}):
            raise UsageError(f"there is {rename!r} on the staff already")
        assignments = "".join(f"{column} = :{column}, " for column in changes)
        store.execute(
            f"UPDATE staff SET {assignments}updated_at = :now WHERE id = :id",
            {**changes, "now": to_ms(now), "id": member["id"]},
        )
        _give(store, member["id"], given[0], given[1])
        _take(store, member, given[2], given[3])


_OTHER = """
SELECT 1
FROM staff
WHERE name_key = :key
  AND id <> :id
"""


def _give(store: Store, staff_id: int, roles: Iterable[str], groups: Iterable[str]) -> None:
    store.executemany(
        "INSERT INTO staff_roles (staff_id, role) VALUES (:id, :role) ON CONFLICT (staff_id, role) DO NOTHING",
        ({"id": staff_id, "role": role_of(role)} for role in roles),
    )
    store.executemany(
        """
        INSERT INTO staff_groups (staff_id, name, name_key)
        VALUES (:id, :name, :key)
        ON CONFLICT (staff_id, name_key) DO NOTHING
        """,
        ({"id": staff_id, "name": _line(name, "group needs a name"), "key": _key(name)} for name in groups),
    )


def _take(store: Store, member: Row, roles: Iterable[str], groups: Iterable[str]) -> None:
    for table, column, kind, names in (
        ("staff_roles", "role", "role", map(role_of, roles)),
        ("staff_groups", "name_key", "group", map(_key, groups)),
    ):
        for name in names:
            taken = store.execute(
                f"DELETE FROM {table} WHERE staff_id = :id AND {column} = :name", {"id": member["id"], "name": name}
            )
            if not taken:
                rows = store.rows(f"SELECT {column} AS name FROM {table} WHERE staff_id = :id", {"id": member["id"]})
                raise UnknownName(f"{kind} of {member['name']}", name, [row["name"] for row in rows])


def role_of(text: str) -> str:
    """A role's name as it is kept: one line, lower case. Raises UsageError."""
    return _line(text, "role needs a name").casefold()


def find(store: Store, name: str) -> Row | None:
    """The member of staff of that name, active or not: the columns of ``staff``; None where there is none."""
    return store.row("SELECT * FROM staff WHERE name_key = :key", {"key": _key(name)})


def get(store: Store, name: str) -> Row:
    """The member of staff of that name, active or not. Raises UnknownName."""
    found = find(store, name)
    if found is None:
        known = [row["name"] for row in store.rows("SELECT name FROM staff")]
        raise UnknownName("member of staff", name, known, hint="macli staff list shows them")
    return found


def get_active(store: Store, name: str) -> Row:
    """The member of staff of that name, who can be given something. Raises UnknownName, OperationFailed."""
    found = get(store, name)
    if not found["active"]:
        raise OperationFailed(
            f"{found['name']} has left the staff", hint=f"macli staff edit {found['name']!r} --on brings them back"
        )
    return found


def list_all(
    store: Store, *, role: str | None = None, group: str | None = None, left: bool = False
) -> list[dict[str, Any]]:
    """Those who are on the staff (with ``left``: and those who were), and what they have to do."""
    facts = {
        "role": None if role is None else role_of(role),
        "group": None if group is None else group_key(store, group),
        "left": int(left),
    }
    sql = _LIST.format(roles=store.dialect.gathered("role"), names=store.dialect.gathered("name"))
    return [
        {
            **dict(row),
            "roles": json.loads(row["roles"]),
            "groups": json.loads(row["groups"]),
            "active": bool(row["active"]),
        }
        for row in store.rows(sql, facts)
    ]


_LIST = """
SELECT staff.name, staff.full_name, staff.email, staff.phone,
  (SELECT {roles} FROM (
    SELECT role FROM staff_roles WHERE staff_id = staff.id ORDER BY role)) AS roles,
  (SELECT {names} FROM (
    SELECT name FROM staff_groups WHERE staff_id = staff.id ORDER BY name_key)) AS groups,
  (SELECT count(*) FROM owners WHERE staff_id = staff.id AND kind = 'main') AS owns,
  (SELECT count(*) FROM tasks WHERE assignee_id = staff.id AND state = 'open') AS open_tasks,
  staff.active
FROM staff
WHERE (staff.active = 1 OR :left = 1)
  AND (:role IS NULL OR EXISTS (SELECT 1 FROM staff_roles WHERE staff_id = staff.id AND role = :role))
  AND (:group IS NULL OR EXISTS (SELECT 1 FROM staff_groups WHERE staff_id = staff.id AND name_key = :group))
ORDER BY staff.name_key
"""


def show(store: Store, name: str) -> dict[str, object]:
    """All that is known of somebody, and what they have to do."""
    member = get(store, name)
    counts = store.row(_COUNTS, {"id": member["id"]})
    assert counts is not None
    return {
        **{column: member[column] for column in ("name", "full_name", "email", "phone")},
        "roles": roles(store, member["id"]),
        "groups": [row["name"] for row in store.rows(_GROUPS_OF, {"id": member["id"]})],
        **dict(counts),
        "active": bool(member["active"]),
        "created_at": member["created_at"],
    }


_GROUPS_OF = """
SELECT name
FROM staff_groups
WHERE staff_id = :id
ORDER BY name_key
"""

_COUNTS = """
SELECT
  (SELECT count(*) FROM owners WHERE staff_id = :id AND kind = 'main') AS owns,
  (SELECT count(*) FROM owners WHERE staff_id = :id AND kind = 'co') AS co_owns,
  (SELECT count(*) FROM tasks WHERE assignee_id = :id AND state = 'open') AS open_tasks,
  (SELECT count(*) FROM deals WHERE owner_id = :id AND state = 'open') AS open_deals
"""


def roles(store: Store, staff_id: int) -> list[str]:
    """The roles of a member of staff."""
    rows = store.rows("SELECT role FROM staff_roles WHERE staff_id = :id ORDER BY role", {"id": staff_id})
    return [row["role"] for row in rows]


def groups(store: Store) -> list[dict[str, Any]]:
    """The groups there are: name, how many active members, who."""
    rows = store.rows(_GROUPS.format(members=store.dialect.gathered("member")))
    return [{**dict(row), "who": json.loads(row["who"])} for row in rows]


_GROUPS = """
SELECT min(name) AS name, sum(active) AS members, {members} AS who
FROM (
  SELECT staff_groups.name, staff_groups.name_key, staff.active,
    CASE staff.active WHEN 1 THEN staff.name END AS member
  FROM staff_groups
  JOIN staff ON staff.id = staff_groups.staff_id
  ORDER BY staff_groups.name_key, staff.name_key
) AS listed
GROUP BY name_key
ORDER BY name_key
"""


def group_key(store: Store, name: str) -> str:
    """How a group's name is kept for comparison. Raises UnknownName where nobody is in it."""
    key = _key(name)
    known = {row["name_key"]: row["name"] for row in store.rows("SELECT DISTINCT name, name_key FROM staff_groups")}
    if key not in known:
        raise UnknownName("group of staff", name, known.values(), hint="macli staff groups shows them")
    return key


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()


def _line(text: str, needs: str) -> str:
    line = " ".join(text.split())
    if not line or not line.isprintable():
        raise UsageError(f"a {needs}")
    return line
