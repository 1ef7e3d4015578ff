"""Who owns which contact, and the rules by which contacts get an owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from macli.clock import to_ms
from macli.errors import UnknownName, UsageError
from macli.store import staff
from macli.store.connection import Row, Store

CURSOR = "owners_cursor"
"""The number in ``meta`` of the last contact the rules were asked about."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """To whom a rule gives contacts: one of the staff, or the members of a group in turn."""

    staff_id: int | None = None
    group_key: str | None = None


def target(store: Store, to: str | None, group: str | None) -> Target:
    """The one of the two that is given. Raises UsageError for none or both, UnknownName."""
    if (to is None) == (group is None):
        raise UsageError("say who gets them", hint="--to STAFF, or --round-robin GROUP")
    if to is not None:
        return Target(staff_id=staff.get_active(store, to)["id"])
    assert group is not None
    return Target(group_key=staff.group_key(store, group))


def of(store: Store, contact_id: int) -> list[Row]:
    """The owners of a contact, the main one first."""
    return store.rows(_OF, {"id": contact_id})


_OF = """
SELECT staff.name AS owner, owners.kind, owners.since_at, staff.full_name, staff.email, staff.phone
FROM owners
JOIN staff ON staff.id = owners.staff_id
WHERE owners.contact_id = :id
ORDER BY owners.kind DESC, staff.name_key
"""


def owned(store: Store, staff_id: int, *, kind: str | None = None, limit: int | None = None) -> Sequence[Row]:
    """The contacts somebody owns that were not removed, by id."""
    facts = {"id": staff_id, "kind": kind, "limit": (1 << 62) if limit is None else limit}
    return store.rows(_OWNED, facts)


_OWNED = """
SELECT contacts.id, contacts.email, contacts.phone, contacts.state, owners.kind, owners.since_at
FROM owners
JOIN contacts ON contacts.id = owners.contact_id
WHERE owners.staff_id = :id
  AND (:kind IS NULL OR owners.kind = :kind)
  AND contacts.removed_at IS NULL
ORDER BY contacts.id
LIMIT :limit
"""


# The rules


def add_rule(store: Store, now: datetime, name: str, to: Target, rule: str | None) -> None:
    """Add a rule behind the others; its text has been checked. Raises UsageError where the name is taken."""
    line = " ".join(name.split())
    if not line or not line.isprintable():
        raise UsageError("an owner rule needs a name")
    facts = {
        "name": line,
        "key": line.casefold(),
        "rule": rule,
        "staff": to.staff_id,
        "group": to.group_key,
        "now": to_ms(now),
    }
    with store.write():
        _begin(store)
        if store.execute(_ADD, facts) == 0:
            raise UsageError(
                f"there is an owner rule {line!r} already", hint=f"macli owner rule edit {line!r} changes it"
            )


_ADD = """
INSERT INTO owner_rules (name, name_key, rule, staff_id, group_key, position, created_at, updated_at)
SELECT :name, :key, :rule, :staff, :group, (SELECT coalesce(max(position), 0) + 1 FROM owner_rules), :now, :now
WHERE true
ON CONFLICT (name_key) DO NOTHING
"""


def _begin(store: Store) -> None:
    """Where no rule was at work, rules begin with the contacts that come from now on."""
    if store.value("SELECT EXISTS (SELECT 1 FROM owner_rules WHERE active = 1)"):
        return
    note_cursor(store, int(store.value("SELECT coalesce(max(id), 0) FROM contacts")))


def note_cursor(store: Store, contact_id: int) -> None:
    store.execute(_NOTE, {"key": CURSOR, "value": str(contact_id)})


_NOTE = """
INSERT INTO meta (key, value)
VALUES (:key, :value)
ON CONFLICT (key) DO UPDATE
SET value = excluded.value
"""


def cursor(store: Store) -> int:
    found = store.value("SELECT value FROM meta WHERE key = :key", {"key": CURSOR})
    return 0 if found is None else int(found)


def lower_cursor(store: Store) -> None:
    """After contacts were deleted: their numbers are given again, to new ones. Inside a write."""
    store.execute(_LOWER, {"key": CURSOR})


_LOWER = """
UPDATE meta
SET value = CAST((SELECT coalesce(max(id), 0) FROM contacts) AS TEXT)
WHERE key = :key
  AND CAST(value AS INTEGER) > (SELECT coalesce(max(id), 0) FROM contacts)
"""


def edit_rule(store: Store, now: datetime, name: str, changes: dict[str, Any]) -> None:
    """Set columns of a rule: rule, staff_id and group_key, active. Raises UnknownName."""
    if not changes:
        raise UsageError("nothing to change", hint="for example --where 'country = Canada'")
    assignments = ", ".join(f"{column} = :{column}" for column in changes)
    with store.write():
        found = get_rule(store, name)
        if changes.get("active"):
            _begin(store)
        store.execute(
            f"UPDATE owner_rules SET {assignments}, updated_at = :now WHERE id = :id",
            {**changes, "now": to_ms(now), "id": found["id"]},
        )


def move_rule(store: Store, name: str, position: int) -> None:
    """Put a rule at a place in the order, 1 being the first. Raises UnknownName."""
    with store.write():
        found = get_rule(store, name)
        others = [row["id"] for row in rules(store) if row["id"] != found["id"]]
        order = [*others[: position - 1], found["id"], *others[position - 1 :]]
        store.executemany(
            "UPDATE owner_rules SET position = :position WHERE id = :id",
            ({"position": place, "id": each} for place, each in enumerate(order, 1)),
        )


def remove_rule(store: Store, name: str) -> None:
    """Forget a rule; the owners it gave stay. Raises UnknownName."""
    with store.write():
        store.execute("DELETE FROM owner_rules WHERE id = :id", {"id": get_rule(store, name)["id"]})


def get_rule(store: Store, name: str) -> Row:
    """The rule of that name. Raises UnknownName."""
    found = store.row("SELECT * FROM owner_rules WHERE name_key = :key", {"key": " ".join(name.split()).casefold()})
    if found is None:
        known = [row["name"] for row in rules(store)]
        raise UnknownName("owner rule", name, known, hint="macli owner rule list shows them")
    return found


def rules(store: Store) -> list[Row]:
    """The rules in their order: whom each gives contacts to, and which."""
    return store.rows(_RULES)


_RULES = """
SELECT owner_rules.id, owner_rules.position, owner_rules.name, staff.name AS "to",
  coalesce(
    (SELECT min(name) FROM staff_groups WHERE name_key = owner_rules.group_key), owner_rules.group_key
  ) AS round_robin,
  owner_rules.rule, owner_rules.active
FROM owner_rules
LEFT JOIN staff ON staff.id = owner_rules.staff_id
ORDER BY owner_rules.position, owner_rules.id
"""


def take_turns(store: Store, rule_id: int, count: int) -> int:
    """Take so many turns of a round-robin rule; the number of the first. Inside a write."""
    return int(
        store.value(
            "UPDATE owner_rules SET turn = turn + :count WHERE id = :id RETURNING turn - :count",
            {"id": rule_id, "count": count},
        )
    )


def members(store: Store, rule: Row) -> list[tuple[int, str]]:
    """To whom a rule of ``rules`` gives contacts: the id and name of each who is still on the staff."""
    return [(row["id"], row["name"]) for row in store.rows(_MEMBERS, {"rule": rule["id"]})]


_MEMBERS = """
SELECT staff.id, staff.name
FROM owner_rules
JOIN staff ON staff.id = owner_rules.staff_id
  OR staff.id IN (SELECT staff_id FROM staff_groups WHERE name_key = owner_rules.group_key)
WHERE owner_rules.id = :rule
  AND staff.active = 1
ORDER BY staff.id
"""
