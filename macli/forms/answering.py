"""Answers checked against a form: the values to keep, or what to say beside each field."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from macli.errors import MacliError
from macli.forms.definition import OWN, Consent, Field, Form
from macli.forms.words import words_for
from macli.store.attributes import Value, read_value
from macli.store.contacts import read_own

Typed = Mapping[str, str]
"""What came in, by field; a consent is ``consent_1``, ``consent_2``, …"""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What was understood: columns of the contact, attributes, boxes ticked (by place), and the mistakes by field."""

    own: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)
    consents: tuple[int, ...] = ()
    mistakes: Mapping[str, str] = field(default_factory=dict)

    @property
    def fields(self) -> list[str]:
        return [*self.own, *self.values]


def box(place: int) -> str:
    """The name of a consent's box."""
    return f"consent_{place + 1}"


def check(form: Form, typed: Typed, *, locale: str, region: str | None, zone: ZoneInfo) -> Answers:
    """The answers in ``typed``. Mistakes are in the words of ``locale``; nothing is kept where there are some."""
    words = words_for(locale)
    own: dict[str, str] = {}
    values: dict[str, Value] = {}
    mistakes: dict[str, str] = {}
    for one in form.fields:
        text = one.value or "" if one.kind == "hidden" else _one_line(typed.get(one.name, ""))
        try:
            value = _value(one, text, region, zone)
        except _Mistake as mistake:
            mistakes[one.name] = words[mistake.word]
            continue
        if value is None:
            continue
        if one.name in OWN:
            own[one.name] = str(value)
        else:
            values[one.name] = value
    ticked = tuple(place for place, _ in enumerate(form.consents) if typed.get(box(place), ""))
    for place, consent in enumerate(form.consents):
        if consent.required and place not in ticked:
            mistakes[box(place)] = words["agree"]
        elif place in ticked and _address_of(consent) not in own and _address_of(consent) not in mistakes:
            mistakes[_address_of(consent)] = words["required"]
    return Answers(own=own, values=values, consents=ticked, mistakes=mistakes)


def _address_of(consent: Consent) -> str:
    return "email" if consent.channel == "email" else "phone"


class _Mistake(Exception):
    """An answer that does not do; ``word`` is what to say of it."""

    def __init__(self, word: str) -> None:
        self.word = word


def _value(one: Field, text: str, region: str | None, zone: ZoneInfo) -> Any:
    """What an answer means; None where nothing was answered."""
    if one.kind == "checkbox":
        if not text and one.required:
            raise _Mistake("agree")
        return True if text else None
    if not text:
        if one.required:
            raise _Mistake("required")
        return None
    if len(text) > one.longest:
        raise _Mistake("long")
    if one.kind == "choice" and text not in [choice.value for choice in one.choices]:
        raise _Mistake("choice")
    if one.pattern is not None and not re.fullmatch(one.pattern, text):
        raise _Mistake("pattern")
    word = one.kind if one.kind in ("email", "phone", "number", "date") else "text"
    try:
        if one.name in OWN:
            return read_own(one.name, text, region)
        return read_value(one.kind if one.kind in ("number", "date") else "text", text, zone)
    except MacliError:
        raise _Mistake(word) from None


def _one_line(text: str) -> str:
    """An answer without what no value may hold; line breaks become spaces."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+", " ", text).strip()
