"""Owners: who of the staff answers for a contact, and who helps."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from macli import events
from macli.address import fold_json
from macli.clock import to_ms
from macli.contacts.chosen import choose
from macli.store import Store

Kind = Literal["main", "co"]
KINDS: tuple[Kind, ...] = ("main", "co")


def set_owner_where(
    store: Store,
    now: datetime,
    ids: str,
    params: Mapping[str, Any],
    staff_id: int,
    kind: Kind,
    source: str,
    *,
    told: bool = True,
) -> int:
    """Make a member of staff the main owner or a co-owner of the contacts ``ids`` selects; how many are new to it.

    A contact has one main owner: who was it before no longer owns the contact. Who is its main owner is no
    co-owner of it as well. Who has left the staff gets nothing. Recorded as owner.changed (kind, staff, old),
    unless ``told`` is false.
    """
    with store.write():
        if not store.value("SELECT active FROM staff WHERE id = :id", {"id": staff_id}):
            return 0
        chosen = choose(store, _OTHERS[kind].format(ids=ids), {**params, "door_staff": staff_id})
        if chosen:
            store.execute(_CLEAR[kind], {"staff": staff_id})
            store.execute(_OWN, {"staff": staff_id, "kind": kind, "now": to_ms(now)})
            _touch(store, now)
            if told:
                _tell(store, now, staff_id, kind, source)
    return chosen


_OTHERS = {
    "main": """
SELECT contacts.id, (
    SELECT staff.name
    FROM owners
    JOIN staff ON staff.id = owners.staff_id
    WHERE owners.contact_id = contacts.id
      AND owners.kind = 'main'
  )
FROM contacts
WHERE contacts.id IN ({ids})
  AND NOT EXISTS (
    SELECT 1
    FROM owners
    WHERE owners.contact_id = contacts.id
      AND owners.staff_id = :door_staff
      AND owners.kind = 'main'
  )
""",
    "co": """
SELECT contacts.id, NULL
FROM contacts
WHERE contacts.id IN ({ids})
  AND NOT EXISTS (
    SELECT 1
    FROM owners
    WHERE owners.contact_id = contacts.id
      AND owners.staff_id = :door_staff
  )
""",
}

# An expression of a column, so that the few contacts lead and not all that have a main owner.
_CLEAR = {
    "main": """
DELETE FROM owners
WHERE contact_id IN (SELECT contact_id FROM chosen)
  AND (kind || '' = 'main' OR staff_id + 0 = :staff)
""",
    "co": "DELETE FROM owners WHERE contact_id IN (SELECT contact_id FROM chosen) AND staff_id = :staff",
}

_OWN = """
INSERT INTO owners (contact_id, staff_id, kind, since_at)
SELECT contact_id, :staff, :kind, :now
FROM chosen
"""


def remove_owner_where(store: Store, now: datetime, ids: str, params: Mapping[str, Any], staff_id: int) -> int:
    """Take a member of staff away as owner, main or co-owner, of the contacts ``ids`` selects; how many it was."""
    with store.write():
        chosen = choose(store, _OWNED.format(ids=ids), {**params, "door_staff": staff_id})
        if chosen:
            store.execute(_CLEAR["co"], {"staff": staff_id})
            _touch(store, now)
    return chosen


_OWNED = """
SELECT contact_id, NULL
FROM owners
WHERE staff_id = :door_staff
  AND contact_id IN ({ids})
"""


def _touch(store: Store, now: datetime) -> None:
    store.execute(
        "UPDATE contacts SET updated_at = :now WHERE id IN (SELECT contact_id FROM chosen)", {"now": to_ms(now)}
    )


def _tell(store: Store, now: datetime, staff_id: int, kind: Kind, source: str) -> None:
    name = store.value("SELECT name FROM staff WHERE id = :id", {"id": staff_id})
    events.record_select(
        store,
        now,
        name="owner.changed",
        source=source,
        select=_HAPPENED.format(said=store.dialect.json_of(kind="said.kind", staff="said.staff", old="chosen.old")),
        params={"now": to_ms(now), "kind": kind, "staff": name},
        folded=fold_json({"staff": name}),
    )


_HAPPENED = """
SELECT chosen.contact_id, :now AS at, NULL AS source_id, {said} AS properties, NULL AS send_id,
  NULL AS campaign_id
FROM chosen
CROSS JOIN (SELECT CAST(:kind AS TEXT) AS kind, CAST(:staff AS TEXT) AS staff) AS said
"""
