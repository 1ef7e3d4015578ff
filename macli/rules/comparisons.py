"""What may be asked of a value: equal, more, one of, containing, set, at some time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal as OneOf
from typing import assert_never

from macli.model import AttributeType
from macli.rules.moments import When, dates, instants, span_of
from macli.rules.sql import Build, Condition
from macli.rules.subjects import Column, CoreText, Member, Moment, Reference, Subject
from macli.rules.values import Literal

_DATE_LIKE = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?").fullmatch
MOST_WILDCARDS = 12


@dataclass(frozen=True, kw_only=True)
class Equals:
    """The value itself, text without regard to case."""

    value: Literal
    share = 0.1

    def __str__(self) -> str:
        return f"= {self.value}"

    def opposite(self) -> str:
        return f"!= {self.value}"


@dataclass(frozen=True, kw_only=True)
class Among:
    """One of several values."""

    values: tuple[Literal, ...]
    share = 0.2

    def __str__(self) -> str:
        return f"in ({', '.join(map(str, self.values))})"

    def opposite(self) -> str:
        return f"not {self}"


@dataclass(frozen=True, kw_only=True)
class Ordered:
    """More or less than a number, before or after a date."""

    sign: OneOf["<", "<=", ">", ">="]
    value: Literal
    share = 0.4

    def __str__(self) -> str:
        return f"{self.sign} {self.value}"


@dataclass(frozen=True, kw_only=True)
class Texted:
    """A part of a text, or a pattern for it."""

    how: OneOf["contains", "starts with", "ends with", "matches"]
    value: Literal
    share = 0.2

    def __str__(self) -> str:
        return f"{self.how} {self.value}"


@dataclass(frozen=True, kw_only=True)
class IsSet:
    """Any value at all."""

    at: int = field(default=0, compare=False)
    share = 0.7

    def __str__(self) -> str:
        return "is set"

    def opposite(self) -> str:
        return "is not set"


@dataclass(frozen=True, kw_only=True)
class During:
    """At some time; ``between`` two numbers, too."""

    when: When
    share = 0.3

    def __str__(self) -> str:
        return str(self.when)


Test = Equals | Among | Ordered | Texted | IsSet | During


def condition(subject: Subject, test: Test, at: int, build: Build) -> Condition:
    """The SQL of one test of one value. Raises RuleError where the two do not fit."""
    if isinstance(test, IsSet):
        return Condition(sql=f"({subject.present()})")
    if isinstance(subject, Reference):
        return _referred(subject, test, at, build)
    kind = subject.type or _kind_of(test, build)
    if isinstance(test, Texted):
        return _texted(subject, kind, test, at, build)
    if kind == "date":
        return _dated(subject, test, build)
    if kind == "text":
        return _text(subject, test, at, build)
    assert isinstance(subject, Member | Column)
    if kind == "bool":
        return _truth(subject, test, at, build)
    return _number(subject, test, build)


def _referred(subject: Reference, test: Test, at: int, build: Build) -> Condition:
    if not isinstance(test, Equals | Among):
        raise build.error(f"{subject.name} is {subject.holds}", at, hint=f"{subject.name} = NAME")
    wanted = [value for literal in _literals(test) for value in subject.found(literal)]
    return Condition(sql=_equal(subject.sql, wanted, build), value=subject.sql)


def _text(subject: Subject, test: Test, at: int, build: Build) -> Condition:
    assert isinstance(subject, Member | CoreText | Column)
    if isinstance(test, Ordered | During):
        raise build.error(
            f"{subject.name} holds text, which is not {'compared' if isinstance(test, Ordered) else 'timed'}"
            f" with {str(test).split()[0]!r}",
            at,
            hint="text is compared with =, !=, in, contains, starts with, ends with, matches",
        )
    assert isinstance(test, Equals | Among)
    wanted = [_folded(subject, literal) for literal in _literals(test)]
    return subject.typed(_equal(subject.value("text"), wanted, build), "text")


def _folded(subject: CoreText | Member | Column, literal: Literal) -> str:
    if subject.name == "email" and isinstance(subject, CoreText):
        from macli.address import BadAddress, normalise_email

        try:
            return normalise_email(literal.text)
        except BadAddress:
            return subject.fold(literal.text)
    return subject.fold(literal.text)


def _equal(value: str, wanted: Sequence[str | int | float], build: Build) -> str:
    if len(wanted) == 1:
        return f"{value} = {build.bind(wanted[0])}"
    return f"{value} IN {build.bind_all(wanted)}"


def _number(subject: Member | Column, test: Test, build: Build) -> Condition:
    value = subject.value("number")
    if isinstance(test, Equals | Among):
        sql = _equal(value, [_as_number(subject, literal, build) for literal in _literals(test)], build)
    elif isinstance(test, Ordered):
        sql = f"{value} {test.sign} {build.bind(_as_number(subject, test.value, build))}"
    else:
        assert isinstance(test, During)
        if test.when.word != "between":
            raise build.error(f"{subject.name} holds numbers, not dates", test.when.at)
        low, high = (build.bind(_as_number(subject, literal, build)) for literal in test.when.points)
        sql = f"({value} >= {low} AND {value} <= {high})"
    return subject.typed(sql, "number")


def _as_number(subject: Member | Column, literal: Literal, build: Build) -> int | float:
    number = literal.number()
    if number is None:
        raise build.error(
            f"{subject.name} holds numbers, and {literal.text!r} is none",
            literal.at,
            hint="write numbers without quotes: 100, -5, 2.50",
        )
    return number


def _truth(subject: Member | Column, test: Test, at: int, build: Build) -> Condition:
    if not isinstance(test, Equals | Among):
        raise build.error(f"{subject.name} is true or false, nothing else", at, hint=f"{subject.name} = true")
    answers = []
    for literal in _literals(test):
        answer = literal.truth()
        if answer is None:
            raise build.error(
                f"{subject.name} is true or false, and {literal.text!r} is neither",
                literal.at,
                hint=f"{subject.name} = true",
            )
        answers.append(int(answer))
    return subject.typed(_equal(subject.value("bool"), answers, build), "bool")


def _dated(subject: Subject, test: Test, build: Build) -> Condition:
    assert isinstance(subject, Member | Moment)
    if isinstance(test, During):
        whens = [test.when]
    elif isinstance(test, Ordered):
        whens = [When(word=test.sign, points=(test.value,))]
    else:
        assert isinstance(test, Equals | Among)
        whens = [When(word="on", points=(literal,)) for literal in _literals(test)]
    spans = [span_of(when, build) for when in whens]
    if isinstance(subject, Moment):
        return Condition(sql=_any([f"({instants(subject.sql, span, build)})" for span in spans]), value=subject.sql)
    value = subject.value("date")
    return subject.typed(_any([dates(value, span, build) for span in spans]), "date")


def _any(conditions: list[str]) -> str:
    return conditions[0] if len(conditions) == 1 else f"({' OR '.join(conditions)})"


def _texted(subject: Subject, kind: AttributeType, test: Texted, at: int, build: Build) -> Condition:
    if kind != "text" or not isinstance(subject, Member | CoreText | Column):
        raise build.error(
            f"{subject.name} holds {_plural(kind)}, and {test.how!r} is for text", at, hint=_instead(kind)
        )
    value, pattern = subject.searched(test.value.text)
    if test.how == "matches":
        like = _wildcards(pattern, test.value, build)
    else:
        inner = re.sub(r"([\\%_])", r"\\\1", pattern)
        like = {"contains": f"%{inner}%", "starts with": f"{inner}%", "ends with": f"%{inner}"}[test.how]
    return subject.typed(f"{value} LIKE {build.bind(like)} ESCAPE '\\'", "text", raw=True)


def _wildcards(pattern: str, literal: Literal, build: Build) -> str:
    if pattern.count("*") > MOST_WILDCARDS:
        raise build.error(f"more than {MOST_WILDCARDS} wildcards in one pattern", literal.at)
    like = []
    for part in re.findall(r"\\[*?\\]|\*+|.", pattern, re.DOTALL):
        if part[0] == "*":
            like.append("%")
        elif part == "?":
            like.append("_")
        else:
            plain = part[-1]
            like.append(f"\\{plain}" if plain in "\\%_" else plain)
    return "".join(like)


def _kind_of(test: Test, build: Build) -> AttributeType:
    """What the values a property is compared with are, where nothing declares what it holds."""
    if isinstance(test, Texted | IsSet):
        return "text"
    if isinstance(test, During) and test.when.word != "between":
        return "date"
    literals = test.when.points if isinstance(test, During) else _literals(test)
    kinds = {_kind_of_literal(literal) for literal in literals}
    if len(kinds) > 1:
        raise build.error("these values are of several kinds", literals[-1].at, hint="quote texts")
    kind = kinds.pop()
    return "date" if kind == "text" and isinstance(test, During) else kind


def _kind_of_literal(literal: Literal) -> AttributeType:
    if literal.quoted:
        return "text"
    if literal.number() is not None:
        return "number"
    if literal.text.casefold() in ("true", "false"):
        return "bool"
    return "date" if _DATE_LIKE(literal.text) else "text"


def _literals(test: Equals | Among | Ordered) -> tuple[Literal, ...]:
    return test.values if isinstance(test, Among) else (test.value,)


def _plural(kind: AttributeType) -> str:
    match kind:
        case "text":
            return "text"
        case "number":
            return "numbers"
        case "bool":
            return "true or false"
        case "date":
            return "dates"
    assert_never(kind)


def _instead(kind: AttributeType) -> str:
    return {
        "number": "numbers are compared with = != < <= > >= in, between",
        "bool": "write = true or = false",
        "date": "dates are compared with before, after, on, between, within 30 days, more than 3 days ago",
    }.get(kind, "")
