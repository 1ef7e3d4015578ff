"""Scores and readiness."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil, floor
from typing import ClassVar, cast

from macli.address import normalise_tag
from macli.errors import UsageError, did_you_mean
from macli.rules.asked import Asked, Name
from macli.rules.comparisons import Among, During, Equals, Ordered, Test
from macli.rules.errors import Misread
from macli.rules.moments import Duration
from macli.rules.predicates.attributes import Attribute, declared
from macli.rules.predicates.lifecycle import names_of
from macli.rules.readers import called, reads, said
from macli.rules.sql import WIDE, Build, Condition
from macli.rules.tree import Leaf, Mention, Not, Rule
from macli.rules.values import Literal

TITLE = "Points"

MOST = 2**62
"""No score is so large; a larger number is read as this."""

Points = tuple[int | None, int | None]
"""The scores from one number to another, both included; None is no end."""


@dataclass(frozen=True, kw_only=True)
class Score(Leaf):
    """The points a contact has; who was never given any has 0. Bare, `score` is the score of the whole
    contact. In brackets stands what else points are counted for: a tag, `group:NAME`,
    `stage:FUNNEL/STAGE`, or `global`. `reached` is at least, `exceeded` more than.

    Where an attribute is called `score`, the bare word means that, and points are `score("global")`.

    - `score >= 50`
    - `score between 20 and 49`
    - `score reached 50`
    - `score reached exactly 50`
    - `score exceeded 50`
    - `score(VIP) >= 10`
    - `score("group:fit") > 5`
    - `score("stage:Sales/Offer") < 3`
    - `score(global) = 0`
    """

    scope: Literal | None = None
    test: Test
    at: int = field(default=0, compare=False)
    looks_elsewhere: ClassVar[bool] = True
    share: ClassVar[float] = 0.3

    def __str__(self) -> str:
        return f"{self._name()} {self.test}"

    def opposite(self) -> str:
        word = getattr(self.test, "opposite", None)
        return f"not {self}" if word is None else f"{self._name()} {word()}"

    def _name(self) -> str:
        return "score" if self.scope is None else f"score({self.scope})"

    def meant(self, build: Build) -> Leaf:
        if self.scope is None and declared("score", build):
            return Attribute(name="score", test=self.test, at=self.at)
        return self

    def names(self) -> Iterator[Mention]:
        if self.scope is None:
            return
        kind, _, name = self.scope.text.partition(":")
        funnel, slash, stage = name.partition("/")
        if kind.strip().casefold() == "stage" and slash:
            yield from names_of(Literal(text=funnel, at=self.scope.at), (Literal(text=stage, at=self.scope.at),))

    def condition(self, build: Build, reach: float) -> Condition:
        scope = "1" if self.scope is None else _scope(self.scope, build)
        return Condition(sql=scored(scope, _asked(self, build), build, reach))


def _asked(leaf: Score, build: Build) -> list[Points]:
    """The scores a test lets through."""
    match leaf.test:
        case Equals(value=literal):
            return _exactly([_number(literal, build)])
        case Among(values=literals):
            return _exactly(_number(literal, build) for literal in literals)
        case Ordered(sign=sign, value=literal):
            number = _number(literal, build)
            ends: dict[str, Points] = {
                "<": (None, ceil(number) - 1),
                "<=": (None, floor(number)),
                ">": (floor(number) + 1, None),
                ">=": (ceil(number), None),
            }
            return [ends[sign]]
        case During(when=when) if when.word == "between":
            low, high = (_number(literal, build) for literal in when.points)
            return [(ceil(low), floor(high))]
    raise build.error("a score is a number of points", leaf.at, hint="score >= 50, score between 20 and 49")


def _exactly(numbers: Iterable[float]) -> list[Points]:
    return [(int(number), int(number)) for number in numbers if number == int(number)]


def _number(literal: Literal, build: Build) -> int | float:
    number = literal.number()
    if number is None:
        raise build.error(f"{literal.text!r} is no number of points", literal.at, hint="score >= 50")
    return max(-MOST, min(MOST, number))


def scored(scope: str, wanted: list[Points], build: Build, reach: float) -> str:
    """The condition that the score counted in a scope, as it is shown, is one of those wanted.

    Who has no row has 0 points: where 0 is wanted, all are selected but those whose score is not wanted.
    """
    lowest = build.vocabulary.setting("points.floor")
    wanted = _joined(wanted if lowest is None else _as_kept(wanted, lowest))
    nothing = any((low is None or low <= 0) and (high is None or high >= 0) for low, high in wanted)
    looked_for = _others(wanted) if nothing else wanted
    if not looked_for:
        return "TRUE" if nothing else "FALSE"
    ranges = " OR ".join(_within(each, build) for each in looked_for)
    asked = f"scores.scope_id = {scope} AND {ranges if len(looked_for) == 1 else f'({ranges})'}"
    # The set of all whose score is not 0 is large and gathered from several places; to look at each is quicker.
    if reach > WIDE and not (nothing and len(looked_for) > 1):
        return f"contacts.id {'NOT ' if nothing else ''}IN (SELECT scores.contact_id FROM scores WHERE {asked})"
    return f"{'NOT ' if nothing else ''}EXISTS (SELECT 1 FROM scores WHERE scores.contact_id = contacts.id AND {asked})"


def _as_kept(wanted: list[Points], lowest: int) -> list[Points]:
    """The scores that, shown as at least ``lowest``, are those wanted."""
    kept = []
    for low, high in wanted:
        if high is None or high >= lowest:
            kept.append((None if low is None or low <= lowest else low, high))
    return kept


def _joined(wanted: list[Points]) -> list[Points]:
    """The same scores in order, without overlaps."""
    found: list[Points] = []
    for low, high in sorted(wanted, key=lambda each: (each[0] is not None, each[0] or 0)):
        if low is not None and high is not None and low > high:
            continue
        if found and (found[-1][1] is None or (low is not None and low <= found[-1][1] + 1)):
            last = found[-1][1]
            found[-1] = (found[-1][0], None if last is None or high is None else max(last, high))
        elif found and low is None:
            last = cast(int, found[-1][1])
            found[-1] = (None, None if high is None else max(last, high))
        else:
            found.append((low, high))
    return found


def _others(wanted: list[Points]) -> list[Points]:
    """All other scores."""
    first, last = wanted[0][0], wanted[-1][1]
    found: list[Points] = [] if first is None else [(None, first - 1)]
    found += [(cast(int, one[1]) + 1, cast(int, two[0]) - 1) for one, two in pairwise(wanted)]
    return found if last is None else [*found, (last + 1, None)]


def _within(points: Points, build: Build) -> str:
    low, high = points
    if low == high:
        return f"scores.points = {build.bind(low)}"
    ends = [f"scores.points {sign} {build.bind(end)}" for sign, end in ((">=", low), ("<=", high)) if end is not None]
    return ends[0] if len(ends) == 1 else f"({' AND '.join(ends)})"


def _scope(literal: Literal, build: Build) -> str:
    """The id of what points are counted for, in SQL. Raises RuleError."""
    kind, colon, name = (part.strip() for part in " ".join(literal.text.split()).partition(":"))
    kind = kind.casefold()
    if kind == "global" and not name:
        return "1"
    if not colon:
        kind, name = "tag", literal.text
    if kind not in ("group", "tag", "stage") or not name:
        raise build.error(
            f"{literal.text!r} is nothing points are counted for",
            literal.at,
            hint="a tag, group:NAME, stage:FUNNEL/STAGE or global",
        )
    if kind == "stage":
        name = "/".join(part.strip() for part in name.split("/"))
    elif kind == "tag":
        try:
            name = normalise_tag(name, faithful=build.vocabulary.normalise_tags)
        except UsageError as error:
            raise build.error(error.message, literal.at, hint=error.hint) from None
    _check(kind, name, literal, build)
    return (
        f"(SELECT scopes.id FROM scopes WHERE scopes.kind = {build.bind(kind)}"
        f" AND scopes.name_key = {build.bind(name.casefold())})"
    )


def _check(kind: str, name: str, literal: Literal, build: Build) -> None:
    """A tag may come and go, so a rule that was accepted goes on asking for its points."""
    if build.stored or (kind, name.casefold()) in build.vocabulary.scopes:
        return
    written = list(build.vocabulary.scopes.values())
    same = next((one for one in written if one.partition(":")[2].casefold() == name.casefold()), None)
    near = did_you_mean(literal.text, [one.removeprefix("tag:") for one in written])
    near = near if same is None else f"; did you mean {same!r}?"
    raise build.error(f"no points are counted for {literal.text!r}{near}", literal.at, hint="macli points scopes")


@dataclass(frozen=True, kw_only=True)
class Readiness(Leaf):
    """The band the contact's score is in, by the setting `points.bands`: cold, warm and hot, where nobody
    set others.

    - `readiness is hot`
    - `not readiness is cold`
    """

    band: Literal
    looks_elsewhere: ClassVar[bool] = True
    share: ClassVar[float] = 0.3

    def __str__(self) -> str:
        return f"readiness is {self.band}"

    def names(self) -> Iterator[Mention]:
        yield Mention(kind="readiness", name=self.band)

    def condition(self, build: Build, reach: float) -> Condition:
        bands = build.vocabulary.setting("points.bands")
        name = build.word("readiness is", self.band, [band.name for band in bands])
        band = next(band for band in bands if band.name == name)
        high = None if band.end is None else band.end - 1
        return Condition(sql=scored("1", [(band.lowest, high)], build, reach))


@called("score")
def bare_score(name: Name, asked: Asked) -> Rule:
    leaf = Score(test=asked.test, at=name.at)
    return Not(leaf) if asked.negated else leaf


@reads("score")
def score(scope: Literal, asked: Asked) -> Rule:
    leaf = Score(scope=scope, test=asked.test, at=scope.at)
    return Not(leaf) if asked.negated else leaf


@reads("score_passed")
def score_passed(asked: Asked) -> Rule:
    return Score(test=asked.test)


@reads("not_passed")
def not_passed(name: Name, asked: Asked) -> Rule:
    raise Misread("only a score is reached or exceeded", name.at, hint="write >= or >")


@said("readiness")
def readiness(name: Name, band: Literal, stay: Duration | None) -> Rule:
    if stay is not None:
        raise Misread("how long a contact has been ready is not kept", stay.at)
    return Readiness(band=band)
