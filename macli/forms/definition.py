"""A form's definition: its fields, its consents and what follows, read from YAML with every mistake told."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar, Literal

from macli.address import attribute_name, normalise_tag
from macli.campaign import yaml_source
from macli.campaign.problems import BadDefinition, Problem
from macli.campaign.reader import UNREAD, Reader
from macli.errors import MacliError
from macli.store.attributes import RESERVED
from macli.urls import explodes

OWN = ("email", "phone", "timezone", "locale")
"""The contact's own columns a form may ask for. Who somebody is to other systems (external_id) is never
taken from a stranger."""

FieldType = Literal["text", "email", "phone", "number", "date", "choice", "checkbox", "hidden", "textarea"]
_TYPES_OF_OWN = {"email": ("email", "hidden"), "phone": ("phone", "hidden")}
LONGEST = {"text": 300, "email": 320, "phone": 40, "number": 40, "date": 40, "hidden": 300, "textarea": 5000}
"""Characters an answer has at most where the definition does not say."""

TRAP = "homepage_url"
"""The field people do not see; who fills it is a program."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of the answers to choose from: what is kept, and what is shown."""

    scalar: ClassVar[str] = "value"

    value: str
    label: str | None = None


@dataclass(frozen=True, kw_only=True)
class Field:
    """One question. ``name`` is what is kept of the contact: email, phone, timezone, locale or an attribute.

    ``value`` is what a hidden field holds; ``pattern`` a regular expression the whole answer must fit.
    """

    scalar: ClassVar[str] = "name"

    name: str
    label: str | None = None
    type: FieldType | None = None
    required: bool = False
    choices: tuple[Choice, ...] = ()
    help: str | None = None
    max_length: int | None = None
    pattern: str | None = None
    value: str | None = None

    @property
    def kind(self) -> FieldType:
        if self.type is not None:
            return self.type
        if self.choices:
            return "choice"
        return "email" if self.name == "email" else "phone" if self.name == "phone" else "text"

    @property
    def longest(self) -> int:
        return self.max_length or LONGEST.get(self.kind, 300)

    @property
    def shown(self) -> str:
        return self.label or _LABELS.get(self.name) or self.name.replace("_", " ").capitalize()


_LABELS = {"email": "E-mail", "phone": "Phone", "timezone": "Time zone", "locale": "Language"}


@dataclass(frozen=True, kw_only=True)
class Consent:
    """A box that says yes to a channel, or to one topic of it. It is never ticked beforehand."""

    text: str
    channel: Literal["email", "sms"] = "email"
    topic: str = ""
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class Popup:
    """When a visitor nobody knows is shown the form over a page that carries the tracker."""

    after_visits: int = 1
    after: timedelta = timedelta()
    on_exit: bool = False
    every: timedelta = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Texts:
    """The words of a form in another language; labels and choices by field, consents in their order."""

    title: str | None = None
    intro: str | None = None
    submit: str | None = None
    thanks: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    help: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, str] = field(default_factory=dict)
    consents: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form. Of ``thanks``, ``thanks_page`` and ``redirect`` one says what follows an answer."""

    fields: tuple[Field, ...] = ()
    title: str | None = None
    intro: str | None = None
    submit: str | None = None
    consents: tuple[Consent, ...] = ()
    double_opt_in: bool = False
    resubscribe: bool = False
    tags: tuple[str, ...] = ()
    thanks: str | None = None
    thanks_page: str | None = None
    redirect: str | None = None
    source: str | None = None
    locale: str = "en"
    locales: Mapping[str, Texts] = field(default_factory=dict)
    popup: Popup | None = None

    def asked(self) -> tuple[Field, ...]:
        """The fields people see."""
        return tuple(one for one in self.fields if one.kind != "hidden")


def read(text: str, name: str) -> Form:
    """The form a YAML text defines; ``name`` stands for the file in messages. Raises BadDefinition."""
    source = yaml_source.parse(text, name)
    value = source.value
    if not isinstance(value, Mapping):
        problem = Problem(path=(), message="a form is written as keys and values: fields, consents, thanks, …")
        raise BadDefinition(source.places, [problem])
    reader = Reader({})
    locales = value.get("locales")
    members = {}
    if isinstance(locales, Mapping):
        read_locales = {str(one): reader.build(Texts, words, ("locales", one)) for one, words in locales.items()}
        members["locales"] = {one: words for one, words in read_locales.items() if words is not UNREAD}
        value = {key: member for key, member in value.items() if key != "locales"}
    form = reader.build(Form, value, (), members)
    if isinstance(form, Form):
        reader.problems += _mistakes(form)
    if reader.problems or not isinstance(form, Form):
        raise BadDefinition(source.places, reader.problems)
    return form


def stored(text: str) -> Form:
    """The form of a stored version, which was checked when it was saved."""
    return read(text, "the form")


def _mistakes(form: Form) -> Iterator[Problem]:
    names = [one.name for one in form.fields]
    if not {"email", "phone"}.intersection(names):
        yield Problem(
            path=("fields",),
            message="the form asks for neither email nor phone, so nobody could be known by it",
            hint="fields: [{name: email, required: yes}]",
        )
    elif not any(one.required for one in form.fields if one.name in ("email", "phone")):
        yield Problem(path=("fields",), message="one of email and phone has to be required")
    for place, one in enumerate(form.fields):
        yield from (
            Problem(path=("fields", place, *key), message=message) for key, message in _field(one, names[:place])
        )
    for place, box in enumerate(form.consents):
        column = "email" if box.channel == "email" else "phone"
        if column not in names:
            message = f"a yes to {box.channel} needs the field {column!r}"
            yield Problem(path=("consents", place), message=message)
    for place, tag in enumerate(form.tags):
        try:
            normalise_tag(tag)
        except MacliError as error:
            yield Problem(path=("tags", place), message=error.message, hint=error.hint)
    if form.redirect is not None and not is_web_address(form.redirect):
        yield Problem(path=("redirect",), message=f"{form.redirect!r} is no web address (https://…)")
    ends = [name for name in ("thanks", "thanks_page", "redirect") if getattr(form, name) is not None]
    if len(ends) > 1 and ends != ["thanks", "redirect"]:
        yield Problem(path=(ends[-1],), message=f"{ends[0]!r} and {ends[-1]!r} say two things of what follows")
    if form.double_opt_in and not form.consents:
        yield Problem(path=("double_opt_in",), message="there is no consent that could be confirmed")
    if form.popup is not None and form.popup.after_visits < 1:
        yield Problem(path=("popup", "after_visits"), message="visits count from 1")
    for locale, words in form.locales.items():
        yield from _words(form, locale, words, names)


def _field(one: Field, before: list[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    if one.name in before:
        yield ("name",), f"the field {one.name!r} is here twice"
    if one.name not in OWN and (one.name in RESERVED or one.name == TRAP):
        yield ("name",), f"a form cannot ask for {one.name!r}"
    elif one.name not in OWN and (one.name.startswith("_") or _attribute(one.name) != one.name):
        yield ("name",), f"{one.name!r} cannot be the name of an attribute: write {_attribute(one.name) or 'letters'!r}"
    kinds = _TYPES_OF_OWN.get(one.name)
    if kinds is not None and one.kind not in kinds:
        yield ("type",), f"{one.name} is of the type {kinds[0]}"
    if kinds is None and one.kind in ("email", "phone"):
        yield ("type",), f"the type {one.kind} is for the field {one.kind!r}"
    if one.name in ("timezone", "locale") and one.kind not in ("text", "choice", "hidden"):
        yield ("type",), f"{one.name} is of the type text, choice or hidden"
    if one.kind == "choice" and not one.choices:
        yield ("choices",), f"{one.name!r} has nothing to choose from"
    if one.kind != "choice" and one.choices:
        yield ("choices",), f"only a field of the type choice has choices, and {one.name!r} is of the type {one.kind}"
    if one.value is not None and one.kind != "hidden":
        yield ("value",), "only a hidden field has a value"
    if one.kind == "hidden" and one.required:
        yield ("required",), "nobody can fill a hidden field"
    if one.max_length is not None and not 1 <= one.max_length <= 10_000:
        yield ("max_length",), "an answer has 1 to 10000 characters"
    if one.pattern is not None:
        yield from _pattern(one.pattern)


_NESTED = re.compile(r"[*+}]\)?[*+{]|\([^)]*[*+}][^)]*\)[*+{]|\\[1-9]|\(\?")


def _pattern(pattern: str) -> Iterator[tuple[tuple[str, ...], str]]:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        yield ("pattern",), f"{pattern!r} is no regular expression: {error}"
        return
    if len(pattern) > 200 or _NESTED.search(pattern) or explodes(pattern):
        # These can take for ever on an answer made for it.
        words = "a pattern is short, has no repetition or choice inside a repetition, and at most two * or +"
        yield ("pattern",), words


def _attribute(name: str) -> str:
    try:
        return attribute_name(name)
    except MacliError:
        return ""


def _words(form: Form, locale: str, words: Texts, names: list[str]) -> Iterator[Problem]:
    for key, said in (("labels", words.labels), ("help", words.help)):
        for name in said:
            if name not in names:
                yield Problem(path=("locales", locale, key, name), message=f"there is no field {name!r}")
    known = {choice.value for one in form.fields for choice in one.choices}
    for value in words.choices:
        if value not in known:
            yield Problem(path=("locales", locale, "choices", value), message=f"there is no choice {value!r}")
    if words.consents and len(words.consents) != len(form.consents):
        yield Problem(
            path=("locales", locale, "consents"),
            message=f"the form has {len(form.consents)} consents and this {len(words.consents)} texts",
        )


def is_web_address(text: str) -> bool:
    """Whether ``text`` is an https address, or one of our own pages (``/p/…``)."""
    return bool(re.fullmatch(r"https?://[^\s/?#\\@\"'<>]+([/?#][^\s\"'<>\\]*)?|/[pfd]/[a-z0-9-]+", text))
