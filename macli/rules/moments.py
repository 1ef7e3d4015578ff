"""When: the words of a rule for points and spans of time, and what they come to on a given day.

A date without a time is a day in the rule's time zone; so ``within 3 days`` means the instants of
the last 72 hours where a value has a time, and today and the three days before it where it has none.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal as OneOf

from macli.clock import parse_duration, parse_when, resolve_local, to_ms
from macli.errors import UsageError, did_you_mean
from macli.rules.errors import Misread
from macli.rules.sql import Build
from macli.rules.values import Literal

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}").fullmatch
_FROM_NOW = {"yesterday": -1, "today": 0, "tomorrow": 1}
UNITS = ("seconds", "minutes", "hours", "days", "weeks", "months", "years")
_LAST_SECOND = 253_402_300_799
_MS = timedelta(milliseconds=1)

Word = OneOf[
    "within",
    "within next",
    "more ago",
    "less ago",
    "in more",
    "in less",
    "before",
    "after",
    "on",
    "between",
    "<",
    "<=",
    ">",
    ">=",
]


@dataclass(frozen=True, kw_only=True)
class Duration:
    """A length of time, kept as it was meant."""

    span: timedelta
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        rest, parts = int(self.span.total_seconds()), []
        for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
            count, rest = divmod(rest, size)
            if count:
                parts.append(f"{count} {unit}{'s' if count != 1 else ''}")
        return " ".join(parts) or "0 days"


@dataclass(frozen=True, kw_only=True)
class When:
    """A point or span of time, as a rule says it."""

    word: Word
    duration: Duration | None = None
    points: tuple[Literal, ...] = ()

    @property
    def at(self) -> int:
        return self.points[0].at if self.duration is None else self.duration.at

    def __str__(self) -> str:
        if self.duration is not None:
            before, after = {
                "within": ("within", ""),
                "within next": ("within next", ""),
                "more ago": ("more than", " ago"),
                "less ago": ("less than", " ago"),
                "in more": ("in more than", ""),
                "in less": ("in less than", ""),
            }[self.word]
            return f"{before} {self.duration}{after}"
        return f"{self.word} {' and '.join(map(str, self.points))}"


@dataclass(frozen=True, kw_only=True)
class Span:
    """What a When lets through: days from ``first`` to ``last``, instants from ``since`` until before
    ``until``, in UTC milliseconds; None is an open end."""

    first: date | None = None
    last: date | None = None
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, kw_only=True)
class _Point:
    """A date or a moment: its day here, its first instant and the first instant after it."""

    day: date
    start: datetime
    end: datetime


def read_duration(text: str, at: int) -> Duration:
    """The length of time that the text says, in whole seconds. Raises Misread."""
    try:
        span = parse_duration(text)
    except UsageError as error:
        near = did_you_mean(text.rsplit(maxsplit=1)[-1], UNITS)
        raise Misread(f"{error.message}{near}", at, hint=error.hint) from None
    return Duration(span=timedelta(seconds=int(span.total_seconds())), at=at)


def span_of(when: When, build: Build) -> Span:
    """What the words come to now. Raises RuleError."""
    try:
        return _span_of(when, build)
    except OverflowError:
        raise build.error("that is further away than a calendar reaches", when.at) from None


def _span_of(when: When, build: Build) -> Span:
    if when.duration is not None:
        build.timely = True
        return _relative(when.word, when.duration.span, build)
    points = [point_of(literal, build) for literal in when.points]
    one, day = points[0], timedelta(days=1)
    if when.word == "between":
        two = points[1]
        if two.start < one.start:
            raise build.error("between a later and an earlier time is nothing", when.points[1].at)
        return Span(first=one.day, last=two.day, since=to_ms(one.start), until=to_ms(two.end))
    if when.word == "on":
        return Span(first=one.day, last=one.day, since=to_ms(one.start), until=to_ms(one.end))
    if when.word in ("before", "<"):
        return Span(last=one.day - day, until=to_ms(one.start))
    if when.word == "<=":
        return Span(last=one.day, until=to_ms(one.end))
    if when.word == ">=":
        return Span(first=one.day, since=to_ms(one.start))
    return Span(first=one.day + day, since=to_ms(one.end))


def _relative(word: Word, length: timedelta, build: Build) -> Span:
    local = build.now.astimezone(build.zone).replace(tzinfo=None)
    today, now, tick = local.date(), build.now_ms, 1
    back, ahead = (local - length).date(), (local + length).date()
    past, future = to_ms(build.now - length), to_ms(build.now + length)
    if word == "within":
        return Span(first=back, last=today, since=past, until=now + tick)
    if word == "within next":
        return Span(first=today, last=ahead, since=now, until=future + tick)
    if word == "more ago":
        return Span(last=back - timedelta(days=1), until=past)
    if word == "less ago":
        return Span(first=back + timedelta(days=1), last=today, since=past + tick, until=now + tick)
    if word == "in more":
        return Span(first=ahead + timedelta(days=1), since=future + tick)
    return Span(first=today, last=ahead - timedelta(days=1), since=now, until=future)


def point_of(literal: Literal, build: Build) -> _Point:
    """The day or moment that a literal says. Raises RuleError."""
    words = literal.text.strip()
    relative = _FROM_NOW.get(words.casefold())
    try:
        if relative is not None:
            build.timely = True
            return _day(build.today + timedelta(days=relative), build)
        if _DAY(words):
            return _day(date.fromisoformat(words), build)
        moment = parse_when(words, now=build.now, default=build.zone)
    except (UsageError, ValueError):
        raise build.error(
            f"{literal.text!r} is no date{did_you_mean(words, _FROM_NOW)}",
            literal.at,
            hint='write for example 2026-12-01, today, or "2026-12-01 09:00 Europe/Warsaw"',
        ) from None
    build.timely |= not words[:1].isdigit()
    return _Point(day=moment.astimezone(build.zone).date(), start=moment, end=moment + _MS)


def _day(day: date, build: Build) -> _Point:
    return _Point(
        day=day,
        start=resolve_local(day, time(0), build.zone),
        end=resolve_local(day + timedelta(days=1), time(0), build.zone),
    )


def instants(column: str, span: Span, build: Build) -> str:
    """The condition that a column of UTC milliseconds lies in the span."""
    ends = []
    if span.since is not None:
        ends.append(f"{column} >= {build.bind(span.since)}")
    if span.until is not None:
        ends.append(f"{column} < {build.bind(span.until)}")
    return " AND ".join(ends)


def dates(text: str, span: Span, build: Build) -> str:
    """The condition that a date as text, a day or a moment in UTC, lies in the span.

    The outer bounds come first: they decide nearly every row, and an index on the text can use them.
    What they let through is a day or a moment by its shape, or no date at all.
    """
    first = "0001-01-01" if span.first is None else span.first.isoformat()
    last = "9999-12-31" if span.last is None else span.last.isoformat()
    since = "0001-01-01T00:00:00Z" if span.since is None else _iso(span.since)
    until = "9999-12-31T99:99:99Z" if span.until is None else _iso(span.until)
    low, high = build.bind(min(first, since)), build.bind(max(last, until))
    return (
        f"({text} >= {low} AND {text} <= {high} AND CASE"
        f" WHEN {text} LIKE '____-__-__' THEN {text} >= {build.bind(first)} AND {text} <= {build.bind(last)}"
        f" WHEN {text} LIKE '____-__-__T__:__:__Z'"
        f" THEN {text} >= {build.bind(since)} AND {text} < {build.bind(until)}"
        " ELSE FALSE END)"
    )


def _iso(ms: int) -> str:
    """The first whole second at or after the instant, as dates are kept."""
    seconds = min(-(-ms // 1000), _LAST_SECOND)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
