"""Instants in the contacts' own zones, found for a whole batch: one per zone and date, not per contact."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from macli.actions.batch import Batch
from macli.clock import (
    WEEKDAYS,
    from_ms,
    next_time_of_day,
    parse_duration,
    resolve_local,
    to_ms,
    zone,
)
from macli.errors import UsageError

HINT = "write for example '09:00', 'monday 09:00', '2026-12-24 10:00', or {attribute: birthday, yearly: true}"

_TABLE = """
CREATE TEMP TABLE IF NOT EXISTS moments (
  zone TEXT NOT NULL,
  value TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (zone, value, at)
)
"""

_PLACES = """
SELECT coalesce(contacts.timezone, '') AS zone, coalesce({value}, '') AS value,
       min(batch.arrived_at) AS first, max(batch.arrived_at) AS last
FROM batch
JOIN contacts ON contacts.id = batch.contact_id
GROUP BY 1, 2
"""

_FIND = """
UPDATE batch
SET left_at = (
  SELECT min(moments.at)
  FROM contacts
  JOIN moments
    ON moments.zone = coalesce(contacts.timezone, '')
   AND moments.value = coalesce({value}, '')
  WHERE contacts.id = batch.contact_id
    AND (moments.at >= batch.arrived_at OR :again = 0)
)
"""


class Instants(Protocol):
    """An instant as a campaign names it: which one it is depends on the zone and the attribute's value."""

    @property
    def again(self) -> bool:
        """Whether it comes again and again: then the first one at or after the arrival is meant."""

    def between(self, value: str, first: datetime, last: datetime, where: ZoneInfo) -> Iterable[datetime]:
        """From the first at or after ``first`` to the first at or after ``last``; or the only one."""


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Instants, and the attribute they are told from."""

    instants: Instants
    attribute: str | None = None

    def find(self, batch: Batch) -> None:
        """Fill ``left_at`` of the batch: the instant, NULL where there is none."""
        store = batch.store
        value = "''" if self.attribute is None else store.dialect.json_text("contacts.attributes", self.attribute)
        store.execute(_TABLE)
        store.execute("DELETE FROM moments")
        for place in store.rows(_PLACES.format(value=value)):
            found = self.instants.between(
                place["value"],
                from_ms(place["first"]),
                from_ms(place["last"]),
                _zone(place["zone"], batch.zone),
            )
            store.executemany(
                "INSERT INTO moments (zone, value, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                ((place["zone"], place["value"], to_ms(moment)) for moment in found),
            )
        store.execute(_FIND.format(value=value), {"again": int(self.instants.again)})


def _zone(name: str, default: ZoneInfo) -> ZoneInfo:
    """A contact's zone; one whose name has no meaning is none."""
    try:
        return zone(name) if name else default
    except UsageError:
        return default


def parse(text: str) -> Moments:
    """``09:00``, ``monday 09:00`` or ``2026-12-24 10:00`` with or without a zone. Raises UsageError."""
    words = text.lower().split()
    weekday = WEEKDAYS.index(words[0]) if words and words[0] in WEEKDAYS else None
    rest = words[1:] if weekday is not None else words
    if weekday is not None and not rest:
        return Moments(instants=_Clock(time=time(0), weekday=weekday))
    if len(rest) == 1 and (clock := _clock(rest[0])) is not None:
        return Moments(instants=_Clock(time=clock, weekday=weekday))
    if weekday is not None:
        raise UsageError(f"{text!r} is no time to wait until", hint=HINT)
    from macli.campaign import schedule

    try:
        return Moments(instants=_Once(at=schedule.read(text)))
    except UsageError as error:
        raise UsageError(f"{text!r} is no time to wait until", hint=HINT) from error


def of_attribute(attribute: str, *, offset: str | None, yearly: bool, time: str | None) -> Moments:
    """The instants told from a date attribute. Raises UsageError."""
    clock = None if time is None else _clock(time)
    if time is not None and clock is None:
        raise UsageError(f"{time!r} is no time of day", hint="write for example '09:00'")
    return Moments(
        instants=_AttributeDate(offset=_signed(offset or "0 days"), yearly=yearly, clock=clock),
        attribute=attribute,
    )


def milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _clock(text: str) -> time | None:
    if not re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", text):
        return None
    try:
        return time.fromisoformat(text if text[1] != ":" else f"0{text}")
    except ValueError:
        return None


def _signed(text: str) -> timedelta:
    """``-3 days``, ``+1 day``, ``1 day``."""
    span = parse_duration(text.strip().lstrip("+-−"))
    return -span if text.strip()[0] in "-−" else span


@dataclass(frozen=True, kw_only=True)
class _Clock:
    """Every day at a time, or every week on a day."""

    time: time
    weekday: int | None
    again: bool = True

    def between(self, value: str, first: datetime, last: datetime, where: ZoneInfo) -> Iterator[datetime]:
        moment = next_time_of_day(first, self.time, where, weekday=self.weekday)
        yield moment
        while moment < last:
            moment = next_time_of_day(moment + timedelta(milliseconds=1), self.time, where, weekday=self.weekday)
            yield moment


class _At(Protocol):
    def instant(self, default: ZoneInfo) -> datetime: ...


@dataclass(frozen=True, kw_only=True)
class _Once:
    """One wall-clock time."""

    at: _At
    again: bool = False

    def between(self, value: str, first: datetime, last: datetime, where: ZoneInfo) -> tuple[datetime, ...]:
        return (self.at.instant(where),)


@dataclass(frozen=True, kw_only=True)
class _AttributeDate:
    """So long before or after the date an attribute holds, or each anniversary of it."""

    offset: timedelta
    yearly: bool
    clock: time | None

    @property
    def again(self) -> bool:
        return self.yearly

    def between(self, value: str, first: datetime, last: datetime, where: ZoneInfo) -> Iterator[datetime]:
        try:
            local = _local(value, where)
            if not self.yearly:
                yield self._moment(local.date(), local.time(), where)
                return
            reach = abs(self.offset.days) // 365 + 2
            for year in range(max(first.year - reach, 1), last.year + reach + 1):
                moment = self._moment(_anniversary(local.date(), year), local.time(), where)
                if moment >= first:
                    yield moment
                    if moment >= last:
                        return
        except (ValueError, OverflowError):
            # No date, or one beyond the calendar: there is no such instant.
            return

    def _moment(self, day: date, clock: time, where: ZoneInfo) -> datetime:
        # Whole days are days of the calendar, in the contact's zone; what is left of the offset is time.
        whole = timedelta(days=self.offset.days if self.offset >= timedelta() else -(-self.offset).days)
        return resolve_local(day + whole, self.clock or clock, where) + (self.offset - whole)


def _local(value: str, where: ZoneInfo) -> datetime:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return datetime.combine(date.fromisoformat(value), time(0))
    return datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).astimezone(where)


def _anniversary(day: date, year: int) -> date:
    try:
        return day.replace(year=year)
    except ValueError:
        return day.replace(year=year, day=28)
