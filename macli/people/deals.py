"""Deals with contacts: begun, moved through a funnel's stages, won, lost."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from macli import texts
from macli.address import shorten
from macli.clock import to_ms
from macli.errors import OperationFailed, UsageError
from macli.people.telling import tell, touch
from macli.store import Row, Store, deals, funnels

End = Literal["won", "lost"]

PLACES = 3
"""Decimal places of a value: the most any currency has."""
_LARGEST = Decimal(10) ** 12


def read_value(text: str) -> float:
    """An amount, not below zero, of at most three decimal places. Raises UsageError.

    The store keeps it as a float, which tells all such amounts below 10^12 apart.
    """
    try:
        value = Decimal(text.strip().replace(" ", "").replace("_", ""))
    except InvalidOperation:
        raise UsageError(f"{shorten(text)!r} is no amount", hint="write for example 1200 or 99.50") from None
    if not value.is_finite() or not 0 <= value < _LARGEST or round(value, PLACES) != value:
        raise UsageError(f"{shorten(text)!r} is no amount a deal can have: 0 to 10^12, three decimal places")
    return float(value)


def read_currency(text: str) -> str:
    """A currency as ISO 4217 writes it. Raises UsageError."""
    code = text.strip().upper()
    if len(code) != 3 or not (code.isascii() and code.isalpha()):
        raise UsageError(f"{shorten(text)!r} is no currency", hint="three letters: EUR, PLN, USD")
    return code


def add(
    store: Store,
    now: datetime,
    title: str,
    source: str,
    *,
    contact_id: int | None = None,
    funnel: str | None = None,
    stage: str | None = None,
    value: float | None = None,
    currency: str | None = None,
    owner_id: int | None = None,
    made_by: int | None = None,
) -> int:
    """Begin a deal, at the first stage of its funnel unless another is named; its number. Recorded as deal.added.

    It is ``owner_id``'s, else the contact's main owner's, else who made it. Raises UnknownName, UsageError.
    """
    if stage is not None and funnel is None:
        raise UsageError(f"the stage {stage!r} of which funnel?", hint="name it with --funnel")
    with store.write():
        stands = None if funnel is None else _stage(store, funnel, stage)
        facts = {
            "contact": contact_id,
            "title": texts.line(title, "title"),
            "funnel": stands and stands["funnel_id"],
            "stage": stands and stands["id"],
            "value": value,
            "currency": currency,
            "owner": owner_id or store.value(_MAIN_OWNER, {"contact": contact_id}) or made_by,
            "source": source,
            "now": to_ms(now),
        }
        deal = deals.get(store, int(store.value(_ADD, facts)))
        _tell(store, now, deal, "deal.added", source)
    return int(deal["id"])


_MAIN_OWNER = """
SELECT owners.staff_id
FROM owners
JOIN staff ON staff.id = owners.staff_id
WHERE owners.contact_id = :contact
  AND owners.kind = 'main'
  AND staff.active = 1
"""

_ADD = """
INSERT INTO deals (
  contact_id, title, funnel_id, stage_id, value, currency, owner_id, source, created_at, updated_at, moved_at
)
VALUES (
  :contact, :title, :funnel, :stage, :value, :currency, :owner, :source, :now, :now,
  CASE WHEN :stage IS NOT NULL THEN :now END
)
RETURNING id
"""


def _stage(store: Store, funnel: str, stage: str | None) -> dict[str, Any]:
    """The named or the first stage of a funnel: its id and the funnel's. Raises UnknownName, OperationFailed."""
    found = funnels.get(store, funnel)
    first = next(iter(funnels.stages(store, found["id"])), None)
    stands = first if stage is None else funnels.stage(store, found, stage)
    if stands is None:
        raise OperationFailed(f"the funnel {found['name']!r} has no stages", hint="macli funnel edit --help")
    return {"id": stands["id"], "funnel_id": found["id"]}


def _tell(store: Store, now: datetime, deal: Row, name: str, source: str, **more: Any) -> None:
    said = {"deal": deal["id"], **{word: deal[word] for word in ("title", "funnel", "stage", "value", "currency")}}
    tell(store, now, deal["contact_id"], name, {**said, **more}, source)


def edit(store: Store, now: datetime, number: int, changes: Mapping[str, Any]) -> None:
    """Change a deal's title, value, currency or owner_id. Raises UsageError."""
    if not changes:
        raise UsageError("nothing to change", hint="for example --value 1500")
    values = dict(changes)
    if "title" in values:
        values["title"] = texts.line(values["title"], "title")
    assignments = "".join(f", {name} = :{name}" for name in values)
    with store.write():
        deal = deals.get(store, number)
        store.execute(
            f"UPDATE deals SET updated_at = :now{assignments} WHERE id = :id",
            {**values, "id": deal["id"], "now": to_ms(now)},
        )
        touch(store, now, deal["contact_id"])


def move(store: Store, now: datetime, number: int, stage: str, source: str, *, funnel: str | None = None) -> bool:
    """Move an open deal to another stage of its funnel, or of another funnel; whether it was not there.

    Recorded as deal.moved. Raises UnknownName, UsageError; OperationFailed where the deal is closed.
    """
    with store.write():
        deal = deals.get(store, number)
        if deal["state"] != "open":
            raise OperationFailed(f"deal {number} is {deal['state']}", hint=f"macli deal reopen {number}")
        named = funnel or deal["funnel"]
        if named is None:
            raise UsageError(f"deal {number} is in no funnel", hint="name one with --funnel")
        stands = _stage(store, named, stage)
        if stands["id"] == deal["stage_id"]:
            return False
        facts = {"id": deal["id"], "funnel": stands["funnel_id"], "stage": stands["id"], "now": to_ms(now)}
        store.execute(_MOVE, facts)
        _tell(store, now, deals.get(store, number), "deal.moved", source, **{"from": deal["stage"]})
    return True


_MOVE = """
UPDATE deals
SET funnel_id = :funnel, stage_id = :stage, moved_at = :now, updated_at = :now
WHERE id = :id
"""


def close(store: Store, now: datetime, number: int, state: End, source: str) -> bool:
    """Note that a deal is won or lost; whether it was open. Recorded as deal.won or deal.lost.

    Raises UsageError; OperationFailed where it ended the other way.
    """
    with store.write():
        deal = deals.get(store, number)
        if deal["state"] == state:
            return False
        if deal["state"] != "open":
            raise OperationFailed(f"deal {number} is {deal['state']} already", hint=f"macli deal reopen {number}")
        store.execute(_END, {"id": deal["id"], "state": state, "closed": to_ms(now), "now": to_ms(now)})
        _tell(store, now, deal, f"deal.{state}", source)
    return True


def reopen(store: Store, now: datetime, number: int) -> bool:
    """Make a deal open again; whether it was not. Raises UsageError."""
    with store.write():
        deal = deals.get(store, number)
        if deal["state"] == "open":
            return False
        store.execute(_END, {"id": deal["id"], "state": "open", "closed": None, "now": to_ms(now)})
        touch(store, now, deal["contact_id"])
    return True


_END = """
UPDATE deals
SET state = :state, closed_at = :closed, updated_at = :now
WHERE id = :id
"""


def remove(store: Store, now: datetime, number: int) -> None:
    """Delete a deal; its tasks stay. Raises UsageError."""
    with store.write():
        deal = deals.get(store, number)
        store.execute("DELETE FROM deals WHERE id = :id", {"id": deal["id"]})
        touch(store, now, deal["contact_id"])
