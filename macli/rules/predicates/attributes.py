"""Attributes and fields of a contact."""

from dataclasses import dataclass, field, replace
from typing import ClassVar, cast

from macli.errors import UsageError, did_you_mean
from macli.rules.asked import Asked, Name
from macli.rules.comparisons import IsSet, Test, Texted, condition
from macli.rules.errors import Misread
from macli.rules.moments import Duration
from macli.rules.readers import CALLED, SAID, reads
from macli.rules.sql import Build, Condition
from macli.rules.subjects import CoreText, Member, Moment, Subject
from macli.rules.tree import Leaf, Not, Rule
from macli.rules.values import Literal, name_text, quote
from macli.rules.vocabulary import CORE, CORE_DATES

TITLE = "Attributes and fields"


@dataclass(frozen=True, kw_only=True)
class Attribute(Leaf):
    """What is known of a contact: an attribute, or one of the fields `email`, `phone`, `external_id`,
    `timezone`, `locale`, `state`, `source`, `added`, `updated`.

    Text is compared without regard to case, in any script. A contact that has no value, or one of
    another type, does not fit; its opposite fits. A bare word is text, a number or a date as the
    attribute holds them; text of several words stands in quotes. In a pattern `*` is any text and `?`
    one character.

    - `country = Canada`
    - `country != "New Zealand"`
    - `country in (Canada, "United States")`
    - `plan not in (free, trial)`
    - `orders >= 3`
    - `total between 10 and 99.50`
    - `vip = true`
    - `company contains "holding"`
    - `email ends with "@example.com"`
    - `postcode matches "K1* ?A?"`
    - `first_name is set`
    - `last_name is not set`
    """

    name: str
    test: Test
    quoted: bool = field(default=False, compare=False)
    at: int = field(default=0, compare=False)

    @property
    def share(self) -> float:  # type: ignore[override]
        return self.test.share

    def __str__(self) -> str:
        return f"{self._name()} {self.test}"

    def opposite(self) -> str:
        return opposite_of(self._name(), self.test)

    def _name(self) -> str:
        return quote(self.name) if self.quoted else name_text(self.name)

    def own(self, build: Build) -> bool:
        return build.entity is not None and not self.quoted and self.name in build.entity.fields

    def leads(self, build: Build) -> bool:
        if isinstance(self.test, IsSet | Texted):
            return False
        return self.name in ("email", "external_id") or self.name in build.vocabulary.indexed

    def condition(self, build: Build, reach: float) -> Condition:
        return condition(subject_of(self.name, self.at, build, quoted=self.quoted), self.test, self.at, build)


def opposite_of(name: str, test: Test) -> str:
    """The opposite of a test of a value that is written so, as a rule writes it."""
    word = getattr(test, "opposite", None)
    return f"{name} {word()}" if word is not None else f"not {name} {test}"


def subject_of(name: str, at: int, build: Build, *, quoted: bool = False) -> Subject:
    """The field or attribute of that name. Raises RuleError with the nearest one there is.

    A rule over tasks, deals, calls, mails or notes means their own fields first; a ``quoted`` name is the
    contact's.
    """
    from macli.address import attribute_name

    key = name.casefold()
    own = () if build.entity is None or quoted else build.entity.fields
    if build.entity is not None and key in own:
        return build.entity.subject(key, build)
    if key in CORE_DATES:
        return Moment(name=key, sql=f"contacts.{CORE_DATES[key]}")
    if key in CORE:
        return CoreText(name=key)
    known = build.vocabulary.attributes
    if key not in known:
        try:
            key = attribute_name(name)
        except UsageError as error:
            raise build.error(error.message, at, hint=error.hint) from None
    if key not in known:
        near = did_you_mean(name, (*own, *known, *CORE, *CALLED))
        kind = "field or attribute" if own else "attribute"
        raise build.error(f"no {kind} named {name!r}{near}", at, hint=_there(key, build))
    return Member(
        name=key,
        type=known[key],
        json="contacts.attributes",
        folded_json="contacts.folded",
        dialect=build.dialect,
        indexed=key in build.vocabulary.indexed,
    )


def _there(name: str, build: Build) -> str:
    """What to write instead of a name that is none."""
    if build.entity is not None:
        return f"a {build.entity.kind} has {', '.join(build.entity.fields)}; all else is asked of its contact"
    if name in SAID:
        return f"write: {name} is …"
    return "macli attribute list shows them; an import or macli attribute create makes them"


def declared(name: str, build: Build) -> bool:
    """Whether that bare name is an attribute here, or a field of what the rule is over."""
    return name in build.vocabulary.attributes or (build.entity is not None and name in build.entity.fields)


@reads("attribute")
def attribute(name: Name, asked: Asked) -> Rule:
    reader = None if name.quoted else CALLED.get(name.text.casefold())
    if reader is not None and (found := reader(name, asked)) is not None:
        return cast(Rule, found)
    leaf = Attribute(name=name.text.casefold(), test=asked.test, quoted=name.quoted, at=name.at)
    return Not(leaf) if asked.negated else leaf


@reads("is_word")
def is_word(name: Name, word: Literal, stay: Duration | None = None) -> Rule:
    """What ``NAME is WORD`` says: some words before ``is`` have predicates of their own."""
    reader = None if name.quoted else SAID.get(name.text.casefold())
    if reader is None:
        raise Misread(f"{name.text!r} is compared with =", name.at, hint=f"{name_text(name.text)} = {word}")
    return cast(Rule, reader(name, word, stay))


@reads("is_very")
def is_very(name: Name, word: Literal) -> Rule:
    return is_word(name, replace(word, text=f"very {word.text}", quoted=True))


@dataclass(frozen=True, kw_only=True)
class Everyone(Leaf):
    """Every contact.

    - `everyone`
    """

    share: ClassVar[float] = 1.0

    def __str__(self) -> str:
        return "everyone"

    def own(self, build: Build) -> bool:
        return True

    def condition(self, build: Build, reach: float) -> Condition:
        return Condition(sql="TRUE")


@reads("everyone")
def everyone() -> Rule:
    return Everyone()
