"""Anniversaries of dates."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import ClassVar

from macli.rules.asked import Name
from macli.rules.errors import Misread
from macli.rules.moments import Duration
from macli.rules.predicates.attributes import subject_of
from macli.rules.readers import reads
from macli.rules.sql import Build, Condition
from macli.rules.subjects import Member, Moment
from macli.rules.tree import Leaf, Rule
from macli.rules.values import name_text

BIRTHDAYS = ("birthday", "birth_date", "birthdate", "date_of_birth", "dob")
LONGEST = timedelta(days=366)

TITLE = "Anniversaries"


@dataclass(frozen=True, kw_only=True)
class Anniversary(Leaf):
    """The day and month of a date come round: today, in some days, or on one of the next days; in the
    zone of the workspace. The date itself is not its own anniversary, and the 29th of February has
    its anniversary on the 28th in years that have no 29th.

    `birthday is today` means the anniversary. Of other attributes it could mean the very day, which
    is `expires on today`.

    - `birthday is today`
    - `birthday is in 7 days`
    - `anniversary of member_since today`
    - `anniversary of added in 7 days`
    - `anniversary of birthday within next 7 days`
    """

    name: str
    start: timedelta = timedelta()
    days: int = 1
    at: int = field(default=0, compare=False)
    share: ClassVar[float] = 0.01

    def __str__(self) -> str:
        if self.days > 1:
            when = f"within next {self.days - 1} days"
        else:
            when = f"in {self.start.days} days" if self.start else "today"
        return f"anniversary of {name_text(self.name)} {when}"

    def own(self, build: Build) -> bool:
        return build.entity is not None and self.name in build.entity.fields

    def condition(self, build: Build, reach: float) -> Condition:
        build.timely = True
        subject = subject_of(self.name, self.at, build)
        if not isinstance(subject, Member | Moment) or subject.type != "date":
            raise build.error(
                f"{subject.name} holds {subject.type or 'names'}, and only a date has an anniversary", self.at
            )
        if isinstance(subject, Moment):
            # A day of the year has the same distance from UTC every year, but for days near a change
            # of the clocks; so today's distance stands for that of the first day asked for.
            offset = build.now.astimezone(build.zone).utcoffset() or timedelta()
            shift = build.bind(int(offset.total_seconds() * 1000))
            value = build.dialect.iso(f"({subject.sql} + {shift})")
            return Condition(sql=self._falls(value, build), value=subject.sql)
        return subject.typed(self._falls(subject.value("date"), build), "date")

    def _falls(self, value: str, build: Build) -> str:
        first = build.today + self.start
        last = first + timedelta(days=self.days - 1)
        years = []
        for year in range(first.year, last.year + 1):
            low = f"{first:%m-%d}" if year == first.year else "01-01"
            high = _late(last) if year == last.year else "12-31"
            years.append(
                f"substr({value}, 6, 5) >= {build.bind(low)} AND substr({value}, 6, 5) <= {build.bind(high)}"
                f" AND substr({value}, 1, 4) < {build.bind(f'{year:04}')}"
            )
        return f"({value} LIKE '____-__-__%' AND ({' OR '.join(years)}))"


def _late(day: date) -> str:
    """The last MM-DD whose anniversary has come on this day."""
    short = (day.month, day.day) == (2, 28) and (day + timedelta(days=1)).month == 3
    return "02-29" if short else f"{day:%m-%d}"


@reads("birthday")
def birthday(name: Name, ahead: Duration | None = None) -> Rule:
    if name.text.casefold() not in BIRTHDAYS:
        raise Misread(
            "the day itself, or its anniversary?",
            name.at,
            hint=f"write: {name_text(name.text)} on today, or: anniversary of {name_text(name.text)} today",
        )
    return anniversary(name, ahead)


@reads("anniversary")
def anniversary(name: Name, ahead: Duration | None = None) -> Rule:
    return Anniversary(name=name.text.casefold(), start=_whole_days(ahead), at=name.at)


@reads("anniversary_within")
def anniversary_within(name: Name, ahead: Duration) -> Rule:
    return Anniversary(name=name.text.casefold(), days=_whole_days(ahead).days + 1, at=name.at)


def _whole_days(ahead: Duration | None) -> timedelta:
    if ahead is None:
        return timedelta()
    if ahead.span % timedelta(days=1) or ahead.span > LONGEST:
        raise Misread("an anniversary is whole days away, at most a year", ahead.at, hint="write for example 7 days")
    return ahead.span
