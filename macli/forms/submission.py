"""What follows when somebody sends a form: a stranger's answers, which add and never overwrite."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from macli import contacts, events
from macli.address import normalise_tag
from macli.clock import to_ms
from macli.contacts import ONE
from macli.forms.answering import Answers
from macli.forms.definition import Consent, Field, Form
from macli.forms.words import words_for
from macli.model import AttributeType, NewEvent
from macli.store import Row, Store, attributes, consents, ledger, suppressions
from macli.store import contacts as people
from macli.store.attributes import BadValue, Value
from macli.visitors import joining

SOURCE = "form"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A form that came back.

    ``once`` is the mark of the shown page, which makes a contact's double click one answer; ``proof`` the send
    whose act token came along, which proves its recipient's mailbox; ``mail`` the send it came from.
    ``evidence`` says how we know: address, program, page.
    """

    name: str
    slug: str
    version: int
    form: Form
    answers: Answers
    once: str
    locale: str
    evidence: Mapping[str, str]
    mail: int | None = None
    proof: int | None = None
    visitor: str | None = None

    @property
    def source(self) -> str:
        return f"form:{self.slug}"


def declare(store: Store, now: datetime, form: Form) -> None:
    """Make the form's fields attributes, typed by the form, so that no answer decides what they are."""
    known = attributes.types(store)
    for one in form.fields:
        if one.name not in people.OWN and one.name not in known:
            attributes.declare(store, to_ms(now), one.name, type_of(one))


def type_of(one: Field) -> AttributeType:
    match one.kind:
        case "number" | "date":
            return one.kind
        case "checkbox":
            return "bool"
        case _:
            return "text"


def keep(store: Store, now: datetime, sent: Sent, *, zone: ZoneInfo, faithful: bool) -> Mapping[str, str]:
    """Keep what came in; mistakes by field where an answer does not fit after all, and nothing kept then.

    Says nothing of whether the contact was known. ``faithful``: tags are written in their one form.
    """
    with store.write():
        found = _known(store, sent)
        if found is not None and store.value(_SEEN, {"source": SOURCE, "once": _once(sent, found["id"])}) is not None:
            return {}
        declare(store, now, sent.form)
        if mistakes := _unfit(store, now, sent, zone):
            return mistakes
        newcomer = found is None or found["removed_at"] is not None
        contact_id, proven = _contact(store, now, sent, found, zone)
        one = {"one_contact": contact_id}
        for tag in sent.form.tags:
            contacts.tag_where(store, now, ONE, one, normalise_tag(tag, faithful), sent.source)
        for place in sent.answers.consents:
            _consent(store, now, sent, contact_id, place, proven=proven, newcomer=newcomer)
        if sent.visitor is not None:
            itself = proven or _recipient(store, sent.mail) == contact_id
            joining.join(store, now, sent.visitor, contact_id, proven=itself)
        events.record(store, now, [_event(store, now, sent, contact_id)])
    return {}


_SEEN = """
SELECT id
FROM events
WHERE source = :source
  AND source_id = :once
"""


def _unfit(store: Store, now: datetime, sent: Sent, zone: ZoneInfo) -> dict[str, str]:
    """Answers that an attribute's type does not take, since it was changed behind the form's back."""
    mistakes = {}
    for name, value in sent.answers.values.items():
        try:
            attributes.fit(store, to_ms(now), name, value, zone)
        except BadValue:
            mistakes[name] = words_for(sent.locale)["text"]
    return mistakes


def _known(store: Store, sent: Sent) -> Row | None:
    own = sent.answers.own
    return people.same(store, email=own.get("email"), external_id=None, phone=own.get("phone"))


def _once(sent: Sent, contact_id: int) -> str:
    return f"{sent.once}:{contact_id}"


def _contact(store: Store, now: datetime, sent: Sent, found: Row | None, zone: ZoneInfo) -> tuple[int, bool]:
    """The contact the answers are about, made or brought up to date; whether its mailbox was proven."""
    own, values = sent.answers.own, sent.answers.values
    if found is None:
        columns = {"source": people.read_own("source", sent.form.source or sent.source, None), **own}
        added = contacts.add(store, now, columns, values, source=sent.source, zone=zone)
        return added.contact_id, False
    contact_id = int(found["id"])
    proven = _recipient(store, sent.proof) == contact_id
    if found["removed_at"] is not None:
        contacts.restore_where(store, now, ONE, {"one_contact": contact_id}, sent.source)
        if not proven:
            contacts.hold(store, now, contact_id, sent.source)
    # A number a stranger gives for somebody known would be where that person's texts go.
    kept: Mapping[str, str] = {
        name: value for name, value in own.items() if proven or (found[name] is None and name != "phone")
    }
    told = values if proven else _missing(found, values)
    if kept or told:
        contacts.edit(store, now, contact_id, kept, told, source=sent.source, zone=zone)
    return contact_id, proven


def _missing(found: Row, values: Mapping[str, Value]) -> Mapping[str, Value]:
    """The values the contact has none for: who fills a form may be anybody, and changes nothing that stands."""
    known = json.loads(found["attributes"])
    return {name: value for name, value in values.items() if known.get(name) in (None, "")}


def _recipient(store: Store, send_id: int | None) -> int | None:
    """Whom a message went to."""
    row = _mail(store, send_id)
    return None if row is None else row["contact_id"]


def _mail(store: Store, send_id: int | None) -> Row | None:
    return None if send_id is None else store.row(_MAIL, {"id": send_id})


_MAIL = f"""
SELECT id, {ledger.RECIPIENT} AS contact_id, campaign_id
FROM sends
WHERE id = :id
"""


def _consent(
    store: Store, now: datetime, sent: Sent, contact_id: int, place: int, *, proven: bool, newcomer: bool
) -> None:
    """A ticked box: a yes, or the question whether it is one."""
    box, one = sent.form.consents[place], {"one_contact": contact_id}
    evidence = {
        **sent.evidence,
        "form": sent.name,
        "version": sent.version,
        "text": text_of(sent.form, place, sent.locale),
        "locale": sent.locale,
    }
    if proven and box.channel == "email":
        contacts.grant_where(
            store, now, ONE, one, box.channel, sent.source, topic=box.topic, evidence=evidence, confirmed=True
        )
    elif not sent.form.double_opt_in and (sent.form.resubscribe or not _said_no(store, contact_id, box)):
        contacts.grant_where(store, now, ONE, one, box.channel, sent.source, topic=box.topic, evidence=evidence)
    else:
        contacts.ask(
            store, now, ONE, one, box.channel, sent.source, topic=box.topic, evidence=evidence, lowers=newcomer
        )


def _said_no(store: Store, contact_id: int, box: Consent) -> bool:
    """Whether the contact, or its address before it, said no to this: then only who has the mailbox says yes."""
    who = people.by_id(store, contact_id)
    if suppressions.on(store, box.channel, who["email" if box.channel == "email" else "phone"]) is not None:
        return True
    about = {"contact_id": contact_id, "channel": box.channel, "topic": consents.topic_key(box.topic)}
    return store.value(_NO, about) is not None


_NO = """
SELECT id
FROM consents
WHERE contact_id = :contact_id
  AND channel = :channel
  AND topic IN ('', :topic)
  AND status = 'withdrawn'
LIMIT 1
"""


def text_of(form: Form, place: int, locale: str) -> str:
    """The words of a consent as they are shown in a locale."""
    other = form.locales.get(locale)
    return other.consents[place] if other is not None and other.consents else form.consents[place].text


def _event(store: Store, now: datetime, sent: Sent, contact_id: int) -> NewEvent:
    mail = _mail(store, sent.mail)
    came = mail if mail is not None and mail["contact_id"] == contact_id else None
    said: dict[str, Any] = {"form": sent.name, "version": sent.version, "fields": sorted(sent.answers.fields)}
    return NewEvent(
        contact_id=contact_id,
        name="form.submitted",
        at=to_ms(now),
        source=SOURCE,
        source_id=_once(sent, contact_id),
        properties=said,
        send_id=None if came is None else came["id"],
        campaign_id=None if came is None else came["campaign_id"],
    )
