"""How comparisons, times and counts are read from the grammar."""

from dataclasses import dataclass, field
from typing import Literal as OneOf

from macli.rules.comparisons import Among, During, Equals, IsSet, Ordered, Test, Texted
from macli.rules.errors import Misread
from macli.rules.moments import Duration, When, read_duration
from macli.rules.readers import reads
from macli.rules.values import Literal


@dataclass(frozen=True, kw_only=True)
class Name:
    """A name where it was written; ``quoted`` names may be any text."""

    text: str
    at: int
    quoted: bool = False


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A test of a value, or its opposite."""

    test: Test
    negated: bool = False


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many times."""

    sign: OneOf["at least", "exactly"] = "at least"
    times: int = 1

    def __str__(self) -> str:
        return f"{self.sign} {self.times}"


ONCE = Count()


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A count as it was asked: ``at most 2`` is not at least 3."""

    count: Count
    negated: bool = False
    at: int = field(default=0, compare=False)


@reads("equals")
def equals(value: Literal) -> Asked:
    return Asked(test=Equals(value=value))


@reads("differs")
def differs(value: Literal) -> Asked:
    return Asked(test=Equals(value=value), negated=True)


@reads("order")
def order(sign: str, value: Literal) -> Asked:
    return Asked(test=Ordered(sign=str(sign), value=value))  # type: ignore[arg-type]


@reads("reached")
def reached(value: Literal) -> Asked:
    return Asked(test=Ordered(sign=">=", value=value))


@reads("exceeded")
def exceeded(value: Literal) -> Asked:
    return Asked(test=Ordered(sign=">", value=value))


@reads("one_of")
def one_of(values: tuple[Literal, ...]) -> Asked:
    return Asked(test=Among(values=values))


@reads("none_of")
def none_of(values: tuple[Literal, ...]) -> Asked:
    return Asked(test=Among(values=values), negated=True)


@reads("contains")
def contains(value: Literal) -> Asked:
    return Asked(test=Texted(how="contains", value=value))


@reads("starts")
def starts(value: Literal) -> Asked:
    return Asked(test=Texted(how="starts with", value=value))


@reads("ends")
def ends(value: Literal) -> Asked:
    return Asked(test=Texted(how="ends with", value=value))


@reads("matches")
def matches(value: Literal) -> Asked:
    return Asked(test=Texted(how="matches", value=value))


@reads("is_set")
def is_set() -> Asked:
    return Asked(test=IsSet())


@reads("is_not_set")
def is_not_set() -> Asked:
    return Asked(test=IsSet(), negated=True)


@reads("during")
def during(when: When) -> Asked:
    return Asked(test=During(when=when))


@reads("duration")
def duration(*parts: Name) -> Duration:
    return read_duration(" ".join(part.text for part in parts), parts[0].at)


@reads("within")
def within(duration: Duration) -> When:
    return When(word="within", duration=duration)


@reads("within_next")
def within_next(duration: Duration) -> When:
    return When(word="within next", duration=duration)


@reads("more_ago")
def more_ago(duration: Duration) -> When:
    return When(word="more ago", duration=duration)


@reads("less_ago")
def less_ago(duration: Duration) -> When:
    return When(word="less ago", duration=duration)


@reads("in_more")
def in_more(duration: Duration) -> When:
    return When(word="in more", duration=duration)


@reads("in_less")
def in_less(duration: Duration) -> When:
    return When(word="in less", duration=duration)


@reads("before")
def before(value: Literal) -> When:
    return When(word="before", points=(value,))


@reads("after")
def after(value: Literal) -> When:
    return When(word="after", points=(value,))


@reads("on")
def on(value: Literal) -> When:
    return When(word="on", points=(value,))


@reads("between")
def between(low: Literal, high: Literal) -> When:
    return When(word="between", points=(low, high))


@reads("at_least")
def at_least(amount: Name) -> Counted:
    return _counted(amount, 0)


@reads("more_than")
def more_than(amount: Name) -> Counted:
    return _counted(amount, 1)


@reads("at_most")
def at_most(amount: Name) -> Counted:
    return _counted(amount, 1, negated=True)


@reads("less_than")
def less_than(amount: Name) -> Counted:
    return _counted(amount, 0, negated=True)


@reads("exactly")
def exactly(amount: Name) -> Counted:
    times = _whole(amount)
    if times == 0:
        return Counted(count=ONCE, negated=True, at=amount.at)
    return Counted(count=Count(sign="exactly", times=times), at=amount.at)


def _counted(amount: Name, more: int, *, negated: bool = False) -> Counted:
    times = _whole(amount) + more
    if times == 0:
        never = "never" if negated else "always"
        raise Misread(f"that is {never} so", amount.at, hint="count from 1")
    return Counted(count=Count(times=times), negated=negated, at=amount.at)


def _whole(amount: Name) -> int:
    words = {"once": 1, "twice": 2}
    text = amount.text.casefold()
    if text not in words and not (text.isdigit() and len(text) < 10):
        raise Misread(f"{amount.text!r} is no number of times", amount.at)
    return words.get(text) or int(text)
