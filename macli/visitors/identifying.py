"""A visitor says who it is: believed where the company's own server vouches for it, else hardly.

What anybody can type into a browser's console may make a contact, add what is not known yet and say
whose browser this is. It changes nothing that is known, brings nobody back and invents no attributes.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from macli import contacts
from macli.address import attribute_name
from macli.clock import to_ms
from macli.errors import UsageError
from macli.store import Row, Store, attributes
from macli.store import contacts as kept
from macli.visitors.reading import Identity

SOURCE = "tracker"
_KEYS = ("email", "phone", "external_id")
_OWN = ("timezone", "locale")


@dataclass(kw_only=True)
class Found:
    """Whose the visitor is; ``refused`` says what was not taken, and why."""

    contact_id: int | None = None
    refused: list[tuple[str, str]] = field(default_factory=list)


def proves(key: str | None, identity: Identity) -> bool:
    """Whether the identity carries a proof: the HMAC-SHA256, in hex, of its address (in lower case) by the key."""
    named = next((identity.own[name] for name in _KEYS if name in identity.own), None)
    if key is None or named is None or identity.proof is None:
        return False
    expected = hmac.new(key.encode(), named.lower().encode("utf-8", "replace"), "sha256").hexdigest()
    return hmac.compare_digest(expected.encode(), identity.proof.lower().encode("utf-8", "replace"))


def identify(
    store: Store,
    now: datetime,
    identity: Identity,
    *,
    trusted: bool,
    proven: bool,
    region: str | None,
    zone: ZoneInfo,
    admit: Callable[[], bool],
    whose: int | None = None,
) -> Found:
    """The contact an identity is, made where there is none. Inside a write.

    ``trusted`` is what a server with the key says, all of it; ``proven`` holds for the address alone, and for
    the traits. ``whose`` the visitor is already. ``admit`` is asked before a stranger's word makes it anybody
    else's, known here or not: a limit for new addresses alone would tell which ones are known.
    """
    told = Found()
    own = _read(store, identity, region, all_of_them=trusted, told=told)
    if not own:
        return told
    fault = ""
    try:
        found = _find(store, own)
    except UsageError as error:
        found, fault = None, error.message
    if found is not None and found["removed_at"] is not None:
        fault = "this contact was removed"
    if not (trusted or proven):
        if "external_id" in own:
            fault = "an external id, which anybody can guess, needs a proof"
        elif (found is None or found["id"] != whose) and not admit():
            fault = "too many contacts from one address"
    if fault:
        told.refused.append(("identify", fault))
        return told
    if trusted or proven:
        own |= _read_more(identity, region, told)
        return _believed(store, now, identity, own, found, zone, told)
    return _hardly_believed(store, now, identity, own, found, zone, told)


def _read(store: Store, identity: Identity, region: str | None, *, all_of_them: bool, told: Found) -> dict[str, str]:
    """By what the contact is known: all that is said, or only the first, since a second could be another's."""
    said = [name for name in _KEYS if name in identity.own]
    own: dict[str, str] = {}
    for name in said if all_of_them else said[:1]:
        try:
            own[name] = kept.read_own(name, identity.own[name], region)
        except UsageError as error:
            told.refused.append((f"identify.{name}", error.message))
    return own


def _read_more(identity: Identity, region: str | None, told: Found) -> dict[str, str]:
    own: dict[str, str] = {}
    said = {name: identity.traits[name] for name in _OWN if isinstance(identity.traits.get(name), str)}
    for name, text in {**said, **({"state": identity.state} if identity.state else {})}.items():
        try:
            own[name] = kept.read_own(name, text, region)
        except UsageError as error:
            told.refused.append((f"identify.{name}", error.message))
    return own


def _find(store: Store, own: Mapping[str, str]) -> Row | None:
    """The contact these make; by its phone number only where nothing else is said, since families share one.

    Raises UsageError where several have the number.
    """
    for name in ("external_id", "email") if own.keys() - {"phone"} else ("phone",):
        if name in own:
            found = store.rows(
                f"SELECT id, removed_at FROM contacts WHERE {name} = :value ORDER BY id LIMIT 2", {"value": own[name]}
            )
            if len(found) > 1:
                raise UsageError("several contacts have this phone number")
            if found:
                return found[0]
    return None


def _believed(
    store: Store,
    now: datetime,
    identity: Identity,
    own: Mapping[str, str],
    found: Row | None,
    zone: ZoneInfo,
    told: Found,
) -> Found:
    traits = {name: value for name, value in identity.traits.items() if name not in _OWN}
    if found is None:
        told.contact_id = _create(store, now, own, traits, zone, told)
        return told
    told.contact_id = found["id"]
    try:
        contacts.edit(store, now, found["id"], own, source=SOURCE, zone=zone)
    except UsageError as error:
        told.refused.append(("identify", error.message))
    for name, value in traits.items():
        try:
            contacts.edit(store, now, found["id"], values={name: _value(value)}, source=SOURCE, zone=zone)
        except UsageError as error:
            told.refused.append((f"identify.traits.{name}", error.message))
    return told


def _hardly_believed(
    store: Store,
    now: datetime,
    identity: Identity,
    own: Mapping[str, str],
    found: Row | None,
    zone: ZoneInfo,
    told: Found,
) -> Found:
    declared = attributes.types(store)
    traits = {}
    for name, value in identity.traits.items():
        try:
            if attribute_name(name) in declared and value is not None:
                traits[attribute_name(name)] = value
        except UsageError as error:
            told.refused.append((f"identify.traits.{name}", error.message))
    if found is None:
        told.contact_id = _create(store, now, own, traits, zone, told)
        return told
    told.contact_id = found["id"]
    for name, value in traits.items():
        present = store.dialect.json_present("attributes", name)
        if store.value(f"SELECT 1 FROM contacts WHERE id = :id AND NOT {present}", {"id": found["id"]}):
            try:
                contacts.edit(store, now, found["id"], values={name: _value(value)}, source=SOURCE, zone=zone)
            except UsageError as error:
                told.refused.append((f"identify.traits.{name}", error.message))
    return told


def _create(
    store: Store, now: datetime, own: Mapping[str, str], traits: Mapping[str, Any], zone: ZoneInfo, told: Found
) -> int:
    values: dict[str, attributes.Value] = {}
    for name, value in traits.items():
        try:
            if (fitting := _value(value)) is not None:
                values[name] = attributes.fit(store, to_ms(now), name, fitting, zone)
        except UsageError as error:
            told.refused.append((f"identify.traits.{name}", error.message))
    return contacts.add(store, now, own, values, source=SOURCE, zone=zone).contact_id


def _value(value: Any) -> attributes.Value | None:
    """A trait as a value; None takes it away. Raises UsageError for lists and objects."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise UsageError("a trait is a text, a number, true, false or null")
