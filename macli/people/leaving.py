"""Leaving the staff: what somebody had is handed over, what history says of them stays."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from macli.clock import to_ms
from macli.errors import OperationFailed, UsageError
from macli.lifecycle import uses
from macli.people.owning import set_owner_where
from macli.store import Row, Store, staff
from macli.texts import count_of


@dataclass(frozen=True, kw_only=True)
class Left:
    """Who has left; ``kept``: something names them, of which ``named_by`` still counts. How much went to whom."""

    name: str
    kept: bool
    to: str | None
    handed: dict[str, int]
    named_by: tuple[str, ...]

    def lines(self) -> list[str]:
        """What was done, for people."""
        words = _words(self.handed)
        gone = f"{self.name} is kept as one who has left: something names them" if self.kept else f"removed {self.name}"
        handed = [f"{' and '.join(words)} went to {self.to}"] if words else []
        return [*handed, gone, *(f"{one} still names {self.name}" for one in self.named_by)]


def leave(store: Store, now: datetime, name: str, *, hand_over: str | None = None) -> Left:
    """Take somebody off the staff; what they have goes to ``hand_over``, and no event says so.

    Raises UnknownName, and OperationFailed where they have something and nobody takes it over.
    """
    with store.write():
        member = staff.get(store, name)
        handed: dict[str, int] = {}
        to = _taker(store, member, hand_over) if hand_over is not None else None
        store.execute(_TOUCH, {"id": member["id"], "now": to_ms(now)})
        if to is not None:
            handed = _hand_over(store, now, member, to)
        elif had := _has(store, member):
            raise OperationFailed(
                f"{member['name']} still has {had}", hint=f"macli staff rm {member['name']!r} --hand-over OTHER"
            )
        named_by = tuple(uses.uses(store, uses.of_staff(member)))
        kept = bool(named_by or store.value(_NAMED, {"id": member["id"]}))
        if kept:
            staff.edit(store, now, name, active=False)
        store.execute("DELETE FROM owners WHERE staff_id = :id", {"id": member["id"]})
        if not kept:
            store.execute("DELETE FROM staff WHERE id = :id", {"id": member["id"]})
    name_to = to["name"] if to is not None else None
    return Left(name=member["name"], kept=kept, to=name_to, handed=handed, named_by=named_by)


def outlook(store: Store, name: str, hand_over: str) -> str:
    """What ``hand_over`` would get, in words; empty where that is nothing.

    Raises UnknownName; OperationFailed or UsageError where they cannot take over.
    """
    member = staff.get(store, name)
    _taker(store, member, hand_over)
    return _has(store, member)


def _taker(store: Store, member: Row, name: str) -> Row:
    to = staff.get_active(store, name)
    if to["id"] == member["id"]:
        raise UsageError(f"{member['name']} cannot take over from themselves")
    return to


def _has(store: Store, member: Row) -> str:
    counts = store.row(_HAS, {"id": member["id"]})
    assert counts is not None
    return ", ".join(_words(dict(counts)))


def _words(counts: Mapping[str, int]) -> list[str]:
    return [count_of(count, what) for what, count in counts.items() if count]


_HAS = """
SELECT
  (SELECT count(*) FROM owners WHERE staff_id = :id AND kind = 'main') AS contact,
  (SELECT count(*) FROM tasks WHERE assignee_id = :id AND state = 'open') AS "open task",
  (SELECT count(*) FROM deals WHERE owner_id = :id AND state = 'open') AS "open deal",
  (SELECT count(*) FROM owner_rules WHERE staff_id = :id) AS "owner rule"
"""

_NAMED = """
SELECT EXISTS (SELECT 1 FROM notes WHERE author_id = :id)
  OR EXISTS (SELECT 1 FROM tasks WHERE assignee_id = :id OR author_id = :id)
  OR EXISTS (SELECT 1 FROM deals WHERE owner_id = :id)
  OR EXISTS (SELECT 1 FROM calls WHERE staff_id = :id)
"""


def _hand_over(store: Store, now: datetime, member: Row, to: Row) -> dict[str, int]:
    facts = {"id": member["id"], "to": to["id"], "now": to_ms(now)}
    contacts = set_owner_where(
        store,
        now,
        "SELECT contact_id FROM owners WHERE staff_id = :leaver AND kind = 'main'",
        {"leaver": member["id"]},
        to["id"],
        "main",
        "staff",
        told=False,
    )
    tasks = store.execute(_TASKS, facts)
    deals = store.execute(_DEALS, facts)
    store.execute("UPDATE owner_rules SET staff_id = :to, updated_at = :now WHERE staff_id = :id", facts)
    return {"contact": contacts, "open task": tasks, "open deal": deals}


# Rules ask who owns a contact, and whose its tasks and deals are: they look at these again.
_TOUCH = """
UPDATE contacts
SET updated_at = :now
WHERE id IN (
  SELECT contact_id FROM tasks WHERE assignee_id = :id AND state = 'open'
  UNION
  SELECT contact_id FROM deals WHERE owner_id = :id AND state = 'open'
  UNION
  SELECT contact_id FROM owners WHERE staff_id = :id
)
"""

_TASKS = """
UPDATE tasks
SET assignee_id = :to, updated_at = :now
WHERE assignee_id = :id
  AND state = 'open'
"""

_DEALS = """
UPDATE deals
SET owner_id = :to, updated_at = :now
WHERE owner_id = :id
  AND state = 'open'
"""
