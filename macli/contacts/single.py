"""One contact, added or edited."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from macli import events
from macli.address import attribute_name, fold_json
from macli.clock import to_ms
from macli.contacts.chosen import ONE
from macli.contacts.consenting import keep_noes
from macli.contacts.removal import restore_where
from macli.contacts.setting import set_attribute_where
from macli.errors import UsageError
from macli.model import NewEvent
from macli.store import Store, attributes, contacts
from macli.store.attributes import Value

Outcome = Literal["added", "readded", "updated", "unchanged"]


@dataclass(frozen=True, kw_only=True)
class Added:
    contact_id: int
    outcome: Outcome


def add(
    store: Store,
    now: datetime,
    own: Mapping[str, str],
    values: Mapping[str, Value] | None = None,
    *,
    source: str,
    zone: ZoneInfo | None = None,
) -> Added:
    """Make a contact, or bring the one with this e-mail, external id or phone up to date.

    ``own`` holds columns as store.contacts.read_own gives them. Only a first creation is
    contact.added; one that was removed comes back, which is contact.readded, and its opt-outs stay.
    """
    if not any(own.get(key) for key in ("email", "phone", "external_id")):
        raise UsageError("a contact needs an e-mail address, a phone number or an external id")
    with store.write():
        found = contacts.same(store, email=own.get("email"), external_id=own.get("external_id"), phone=own.get("phone"))
        if found is not None:
            outcome: Outcome = "updated"
            if found["removed_at"] is not None:
                restore_where(store, now, ONE, {"one_contact": found["id"]}, source)
                outcome = "readded"
            kept = {name: value for name, value in own.items() if name != "source"}
            changed = edit(store, now, found["id"], kept, values, source=source, zone=zone)
            return Added(contact_id=found["id"], outcome=outcome if changed or outcome == "readded" else "unchanged")
        fitted = {
            attribute_name(name): attributes.fit(store, to_ms(now), name, value, zone or ZoneInfo("UTC"))
            for name, value in (values or {}).items()
        }
        text = attributes.json_object(fitted)
        _refuse_taken(store, None, own)
        contact_id = contacts.insert(store, to_ms(now), {"source": source, **own}, text, fold_json(fitted))
        events.record(
            store,
            now,
            [NewEvent(contact_id=contact_id, name="contact.added", at=to_ms(now), source=source)],
        )
    return Added(contact_id=contact_id, outcome="added")


def edit(
    store: Store,
    now: datetime,
    contact_id: int,
    own: Mapping[str, str | None] | None = None,
    values: Mapping[str, Value | None] | None = None,
    *,
    source: str,
    zone: ZoneInfo | None = None,
) -> bool:
    """Change columns and attributes of one contact; None takes a value away. Whether anything changed.

    A changed e-mail address keeps the consents: they are the person's.
    """
    with store.write():
        before = contacts.by_id(store, contact_id)
        changes = {name: value for name, value in (own or {}).items() if before[name] != value}
        if changes:
            _refuse_taken(store, contact_id, changes)
            left = {**{name: before[name] for name in ("email", "phone", "external_id")}, **changes}
            if not any(left[name] for name in ("email", "phone", "external_id")):
                raise UsageError("nothing would be left to know this contact by", hint="macli contact rm")
            for channel, column in (("email", "email"), ("sms", "phone")):
                if column in changes:
                    # The old address said no too: it must not come back by an import as one that never did.
                    keep_noes(store, now, ONE, {"one_contact": contact_id}, channel, source)
            contacts.update(store, to_ms(now), contact_id, changes)
            said = [_column_event(now, contact_id, n, before[n], v, source) for n, v in changes.items()]
            if changes.get("state") == "customer":
                said.append(NewEvent(contact_id=contact_id, name="contact.converted", at=to_ms(now), source=source))
            events.record(store, now, said)
        changed = len(changes)
        for name, value in (values or {}).items():
            one = {"one_contact": contact_id}
            changed += set_attribute_where(store, now, ONE, one, name, value, source, zone=zone)
    return changed > 0


def _refuse_taken(store: Store, contact_id: int | None, own: Mapping[str, str | None]) -> None:
    for column in ("email", "external_id"):
        value = own.get(column)
        if value is None:
            continue
        owner = store.value(f"SELECT id FROM contacts WHERE {column} = :value", {"value": value})
        if owner is not None and owner != contact_id:
            raise UsageError(f"{value} is another contact", hint=f"macli contact show {value}")


def _column_event(
    now: datetime, contact_id: int, name: str, old: str | None, value: str | None, source: str
) -> NewEvent:
    said: dict[str, Any] = {"name": name, "value": value}
    if old is not None:
        said["old"] = old
    return NewEvent(
        contact_id=contact_id,
        name="attribute.set" if old is None else "attribute.changed",
        at=to_ms(now),
        source=source,
        properties=said,
    )
