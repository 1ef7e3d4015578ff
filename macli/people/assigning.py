"""Assignment: contacts without an owner get one by the first rule that is theirs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from macli.contacts.chosen import ids_of
from macli.errors import MacliError, OperationFailed
from macli.model import Where
from macli.people.owning import set_owner_where
from macli.selection import where_of
from macli.store import Row, Store, owners
from macli.store.contacts import EVERYBODY
from macli.tick.engine import Engine


@dataclass(frozen=True, kw_only=True)
class Assigned:
    """How many contacts a rule gave to whom."""

    rule: str
    owner: str
    contacts: int


class _Undone(Exception):
    """Takes back what only was to be known."""


def chore(engine: Engine, told: Callable[[str, str], None]) -> int:
    """Ask the rules about the contacts that are new since the last look; how many got an owner.

    The owner a new contact begins with is no change of owner: no event says so.
    """
    store = engine.store
    with store.write():
        newest = int(store.value("SELECT coalesce(max(id), 0) FROM contacts"))
        new = {"door_after": owners.cursor(store), "door_upto": newest}
        given = assign_where(store, engine.now, _NEW, new, engine.zone)
        owners.note_cursor(store, newest)
    return sum(one.contacts for one in given)


_NEW = """
SELECT contacts.id
FROM contacts
WHERE contacts.id > :door_after
  AND contacts.id <= :door_upto
"""


def plan(store: Store, now: datetime, where: Where, zone: ZoneInfo) -> list[Assigned]:
    """What ``assign`` would give to whom."""
    given: list[Assigned] = []
    try:
        with store.write():
            given += assign(store, now, where, zone)
            raise _Undone
    except _Undone:
        return given


def assign(store: Store, now: datetime, where: Where, zone: ZoneInfo) -> list[Assigned]:
    """Give a main owner to those of the contacts a condition selects that have none; what each rule gave."""
    return assign_where(store, now, *ids_of(where), zone)


def assign_where(store: Store, now: datetime, ids: str, params: Mapping[str, Any], zone: ZoneInfo) -> list[Assigned]:
    """Give a main owner to those of the contacts ``ids`` selects that have none; what each rule gave.

    The rules are tried in their order; no event is recorded. Raises OperationFailed where one no longer reads.
    """
    given = []
    with store.write():
        if _collect(store, ids, params) == 0:
            return []
        for rule in owners.rules(store):
            if rule["active"]:
                given += _by_rule(store, now, rule, zone)
    return given


def _collect(store: Store, ids: str, params: Mapping[str, Any]) -> int:
    """Put the contacts without an owner into the temp table ``unowned``; how many."""
    store.execute("CREATE TEMP TABLE IF NOT EXISTS unowned (contact_id INTEGER PRIMARY KEY, place INTEGER)")
    store.execute("DELETE FROM unowned")
    return store.execute(_UNOWNED.format(ids=ids), params)


_UNOWNED = """
INSERT INTO unowned (contact_id)
SELECT contacts.id
FROM contacts
WHERE contacts.id IN ({ids})
  AND contacts.removed_at IS NULL
  AND NOT EXISTS (
    SELECT 1
    FROM owners
    WHERE owners.contact_id = contacts.id
      AND owners.kind = 'main'
  )
"""


def _by_rule(store: Store, now: datetime, rule: Row, zone: ZoneInfo) -> list[Assigned]:
    members = owners.members(store, rule)
    if not members:
        return []
    where = _where(store, now, rule, zone)
    found = store.execute(_PLACE.format(where=where.sql), {**where.params, "members": len(members)})
    first = owners.take_turns(store, rule["id"], found) if found else 0
    given = []
    for number, (member, name) in enumerate(members):
        theirs = {"door_place": (number - first) % len(members)}
        count = set_owner_where(store, now, _THEIRS, theirs, member, "main", f"rule:{rule['name']}", told=False)
        if count:
            given.append(Assigned(rule=rule["name"], owner=name, contacts=count))
    store.execute("DELETE FROM unowned WHERE place IS NOT NULL")
    return given


def _where(store: Store, now: datetime, rule: Row, zone: ZoneInfo) -> Where:
    if rule["rule"] is None:
        return EVERYBODY
    try:
        return where_of(store, rule["rule"], now, zone, narrow=True, stored=True)
    except MacliError as error:
        raise OperationFailed(
            f"the owner rule {rule['name']!r}: {error.message}",
            hint=f"macli owner rule edit {rule['name']!r} --where RULE, or --off",
        ) from None


# CROSS JOIN: the few new contacts lead, not all there are.
_PLACE = """
UPDATE unowned
SET place = placed.place
FROM (
  SELECT unowned.contact_id AS id, (row_number() OVER (ORDER BY unowned.contact_id) - 1) % :members AS place
  FROM unowned
  CROSS JOIN contacts
  WHERE contacts.id = unowned.contact_id
    AND {where}
) AS placed
WHERE placed.id = unowned.contact_id
"""

_THEIRS = """
SELECT contact_id
FROM unowned
WHERE place = :door_place
"""
