"""Grants: which role may see and change what is in a category."""

import json
from typing import Any

from macli.errors import UnknownName, UsageError
from macli.store import categories, staff
from macli.store.access import ADMIN, LEVELS
from macli.store.connection import Store

COLUMNS = ("category", "role", "access", "who")


def grant(store: Store, category: str, role: str, access: str) -> None:
    """Let a role see (view) or also change (edit) what is in a category, or neither (none).

    Raises UnknownName; UsageError for a level there is none of, or the role that may do everything.
    """
    role = staff.role_of(role)
    if access not in LEVELS:
        raise UnknownName("access", access, LEVELS, hint="none, view or edit")
    if role == ADMIN:
        raise UsageError(f"the role {ADMIN!r} may do everything already")
    with store.write():
        facts = {"category": categories.get(store, category)["id"], "role": role, "access": access}
        store.execute(_GRANT, facts)


_GRANT = """
INSERT INTO category_access (category_id, role, access)
VALUES (:category, :role, :access)
ON CONFLICT (category_id, role) DO UPDATE
SET access = excluded.access
"""


def has(store: Store, role: str) -> bool:
    """Whether somebody on the staff has the role."""
    return bool(store.value(_HAS, {"role": staff.role_of(role)}))


_HAS = """
SELECT EXISTS (
  SELECT 1
  FROM staff_roles
  JOIN staff ON staff.id = staff_roles.staff_id
  WHERE staff_roles.role = :role
    AND staff.active = 1
)
"""


def revoke(store: Store, category: str, role: str) -> None:
    """Take a grant back. Raises UnknownName where the role has none there."""
    role = staff.role_of(role)
    with store.write():
        found = categories.get(store, category)
        taken = store.execute(
            "DELETE FROM category_access WHERE category_id = :category AND role = :role",
            {"category": found["id"], "role": role},
        )
        if not taken:
            known = [row["role"] for row in listed(store, found["name"]) if row["role"]]
            raise UnknownName(f"role with a grant in {found['name']!r}", role, known, hint="macli category access")


def listed(store: Store, category: str | None = None) -> list[dict[str, Any]]:
    """Every grant, or those of a category: category, role, access, and who of the staff has the role.

    A category without grants is one row without a role: everybody may edit.
    """
    rows = store.rows(
        _LIST.format(who=store.dialect.gathered("name")),
        {"category": None if category is None else categories.get(store, category)["id"]},
    )
    return [{**dict(row), "who": json.loads(row["who"])} for row in rows]


_LIST = """
SELECT categories.name AS category, category_access.role, coalesce(category_access.access, 'edit') AS access,
  (SELECT {who} FROM (
    SELECT staff.name
    FROM staff_roles
    JOIN staff ON staff.id = staff_roles.staff_id
    WHERE staff_roles.role = category_access.role
      AND staff.active = 1
    ORDER BY staff.name_key)) AS who
FROM categories
LEFT JOIN category_access ON category_access.category_id = categories.id
WHERE :category IS NULL OR categories.id = :category
ORDER BY categories.name_key, category_access.role
"""
