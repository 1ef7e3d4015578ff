"""Events another system tells of: checked one by one, recorded once by their ids."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from macli import contacts, events
from macli.address import attribute_name, shorten
from macli.clock import parse_when, to_ms
from macli.errors import MacliError, UsageError
from macli.event_names import OWN_DOING
from macli.model import NewEvent
from macli.store import Store
from macli.store.contacts import read_own

SOURCE = "hook"
MOST = 500
_OWN = ("email", "phone", "external_id")
_MEMBERS = frozenset({"id", "event", "contact", "at", "properties", "create"})
_DEEPEST = 8
_LONGEST_PROPERTIES = 16_000
_LONGEST_ID = 200
_AHEAD = timedelta(days=1)

Status = Literal["recorded", "known", "refused"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of one event; ``reason`` where it was refused."""

    id: str | None
    status: Status
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Told:
    """One event as it was told, checked; ``contact`` in the form the store keeps it in."""

    id: str
    name: str
    at: int
    contact: Mapping[str, str]
    create: bool = False
    properties: Mapping[str, Any] = field(default_factory=dict)


def take_in(
    store: Store, now: datetime, documents: Sequence[Any], *, zone: ZoneInfo, region: str | None
) -> list[Answer]:
    """Record what is right of ``documents`` (at most ``MOST``) and say what became of each, in order."""
    with store.write():
        return [_one(store, now, document, zone, region) for document in documents]


def _one(store: Store, now: datetime, document: Any, zone: ZoneInfo, region: str | None) -> Answer:
    given = document.get("id") if isinstance(document, Mapping) else None
    own_id = given[:_LONGEST_ID] if isinstance(given, str) else None
    try:
        told = read(document, now, zone=zone, region=region)
        if store.value(_RECORDED, {"source": SOURCE, "id": told.id}):
            return Answer(id=told.id, status="known")
        contact_id = _contact(store, now, told)
    except MacliError as error:
        return Answer(id=own_id, status="refused", reason=error.message)
    happened = NewEvent(
        contact_id=contact_id,
        name=told.name,
        at=told.at,
        source=SOURCE,
        source_id=told.id,
        properties=told.properties,
    )
    events.record(store, now, [happened])
    return Answer(id=told.id, status="recorded")


def _contact(store: Store, now: datetime, told: Told) -> int:
    """Whom it happened to. Raises UsageError where nobody, or several, are known by that."""
    for column in _OWN:
        if column not in told.contact:
            continue
        found = store.rows(_HAVING.format(column=column), {"value": told.contact[column]})
        if len(found) > 1:
            raise UsageError(f"several contacts have this {column}")
        if found:
            return int(found[0]["id"])
    if not told.create:
        raise UsageError('no such contact; with "create": true it would be made')
    return contacts.add(store, now, told.contact, source=SOURCE).contact_id


_RECORDED = """
SELECT 1
FROM events
WHERE source = :source
  AND source_id = :id
"""

_HAVING = """
SELECT id
FROM contacts
WHERE {column} = :value
  AND removed_at IS NULL
LIMIT 2
"""


def read(document: Any, now: datetime, *, zone: ZoneInfo, region: str | None) -> Told:
    """One event of a body. Raises UsageError naming what is wrong."""
    if not isinstance(document, Mapping):
        raise UsageError("an event is an object with id, event and contact")
    unknown = sorted(set(document) - _MEMBERS)
    if unknown:
        raise UsageError(f"{shorten(unknown[0])!r} is no part of an event: {', '.join(sorted(_MEMBERS))}")
    own_id = document.get("id")
    if not isinstance(own_id, str) or not own_id.strip() or len(own_id) > _LONGEST_ID:
        raise UsageError(f"id has to be a text of 1 to {_LONGEST_ID} characters, the same when it is sent again")
    name = document.get("event")
    if not isinstance(name, str):
        raise UsageError("event has to be a name such as order.paid")
    if name in OWN_DOING:
        raise UsageError(f"{name} says what macli itself did: tell it what happened instead")
    create = document.get("create", False)
    if not isinstance(create, bool):
        raise UsageError("create is true or false")
    return Told(
        id=own_id,
        name=events.check_name(name),
        at=_moment(document.get("at"), now, zone),
        contact=_reference(document.get("contact"), region),
        create=create,
        properties=_properties(document.get("properties", {})),
    )


def _reference(given: Any, region: str | None) -> Mapping[str, str]:
    if not isinstance(given, Mapping) or not given or not set(given) <= set(_OWN):
        raise UsageError('contact is an object with "email", "phone" or "external_id"')
    if not all(isinstance(value, str) for value in given.values()):
        raise UsageError("a contact's email, phone and external_id are texts")
    return {column: read_own(column, given[column], region) for column in _OWN if column in given}


def _moment(given: Any, now: datetime, zone: ZoneInfo) -> int:
    if given is None:
        return to_ms(now)
    if isinstance(given, bool) or not isinstance(given, (str, int, float)):
        raise UsageError("at is a time such as 2026-12-01T09:00:00Z, or seconds since 1970")
    try:
        moment = (
            parse_when(given, now=now, default=zone) if isinstance(given, str) else datetime.fromtimestamp(given, UTC)
        )
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"at: {shorten(str(given))} is no time") from None
    if moment > now + _AHEAD:
        raise UsageError("at lies in the future")
    return to_ms(moment)


def _properties(given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise UsageError("properties is an object")
    if _is_deeper(given, _DEEPEST):
        raise UsageError(f"properties are nested more than {_DEEPEST} deep")
    named = {attribute_name(name): value for name, value in given.items()}
    if len(json.dumps(named)) > _LONGEST_PROPERTIES:
        raise UsageError(f"properties are longer than {_LONGEST_PROPERTIES:,} characters")
    return named


def _is_deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return levels < 0 or any(_is_deeper(one, levels - 1) for one in inner)
