"""When a campaign that comes again runs: every so many minutes, hours, days, weeks or calendar months."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from macli.clock import resolve_local
from macli.errors import UsageError

Unit = Literal["minute", "hour", "day", "week", "month"]
_UNITS: tuple[Unit, ...] = ("minute", "hour", "day", "week", "month")
_EVERY = re.compile(r"\s*(?:(?P<number>\d{1,5})\s*)?(?P<unit>[a-z]+?)s?\s*", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Recurrence:
    """``number`` times ``unit`` from one run to the next.

    Minutes and hours are counted on the clock of the world. Days, weeks and months keep the time of
    day in the campaign's zone; a month keeps the day of the first run, or the last day of a month that
    is shorter (31 January, 28 February, 31 March).
    """

    number: int
    unit: Unit

    def next_after(self, first: datetime, moment: datetime, zone: ZoneInfo) -> datetime:
        """The first run after ``moment`` of those counted from ``first``; runs that were missed are one."""
        # Estimated short and then counted up: months and days that change clocks have no fixed length.
        longest = {"minute": 60, "hour": 3600, "day": 90_000, "week": 608_400, "month": 2_682_000}[self.unit]
        count = max(int((moment - first).total_seconds() // (longest * self.number)), 0)
        while (run := self._run(first, count * self.number, zone)) <= moment:
            count += 1
        return run

    def _run(self, first: datetime, units: int, zone: ZoneInfo) -> datetime:
        if self.unit in ("minute", "hour"):
            return first + units * timedelta(**{f"{self.unit}s": 1})
        local = first.astimezone(zone)
        if self.unit == "month":
            years, month = divmod(local.year * 12 + local.month - 1 + units, 12)
            day = date(years, month + 1, min(local.day, monthrange(years, month + 1)[1]))
        else:
            day = local.date() + timedelta(days=units * (7 if self.unit == "week" else 1))
        return resolve_local(day, local.time(), zone)


def read(text: str) -> Recurrence:
    """``1 month``, ``2 weeks``, ``day``. Raises UsageError."""
    match = _EVERY.fullmatch(text)
    unit = match["unit"].lower() if match else ""
    number = int(match["number"] or 1) if match else 0
    if unit not in _UNITS or number < 1:
        raise UsageError(f"{text!r} is no interval", hint="write for example '1 hour', '1 day', '2 weeks' or '1 month'")
    return Recurrence(number=number, unit=unit)
