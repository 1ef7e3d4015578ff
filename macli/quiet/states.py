"""What single states ask of marketing texts beyond the quiet hours: data, read once, replaceable."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from macli.clock import WEEKDAYS, next_time_of_day, resolve_local
from macli.config import Cap, QuietHours, readers
from macli.errors import UsageError

OVERRIDE = "text-hours.toml"
_SHIPPED = Path(__file__).with_name("us-states.toml")
_KEYS = {"codes", "hours", "sunday", "holidays", "most", "law"}
_NTH = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}
_SUNDAY = 6
_NONE = "none"


@dataclass(frozen=True, kw_only=True)
class State:
    """One state's rule: texts between ``hours``, on Sundays between ``sunday`` or not at all, at most ``most``."""

    name: str
    codes: tuple[int, ...]
    hours: QuietHours
    sunday: QuietHours | None
    off: tuple[str, ...] = ()
    most: Cap | None = None
    law: str = ""

    def opens(self, moment: datetime, where: ZoneInfo) -> datetime:
        """The first instant at or after ``moment`` at which the rule lets a text come to somebody in ``where``."""
        for _ in range(14):
            local = moment.astimezone(where)
            window = self._window(local.date())
            if window is not None and window.start <= local.time() < window.end:
                return moment
            if window is not None and local.time() < window.start:
                return next_time_of_day(moment, window.start, where)
            moment = resolve_local(local.date() + timedelta(days=1), time(0), where)
        return moment

    def _window(self, day: date) -> QuietHours | None:
        if any(_falls_on(word, day) for word in self.off):
            return None
        return self.sunday if day.weekday() == _SUNDAY else self.hours


@dataclass(frozen=True, kw_only=True)
class States:
    """All rules, found by a number's area code."""

    by_code: Mapping[str, State]

    def of(self, phone: str | None) -> State | None:
        return self.by_code.get(phone[2:5]) if phone and phone.startswith("+1") else None

    def with_most(self) -> Iterator[State]:
        """The rules that limit how many texts may come, each once."""
        yield from {state.name: state for state in self.by_code.values() if state.most is not None}.values()


def states(folder: Path) -> States:
    """The rules in force for the store in ``folder``. Raises UsageError where its own file is wrong."""
    own = folder / OVERRIDE
    file = own if own.exists() else _SHIPPED
    return _read(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read(file: Path, changed: int) -> States:
    try:
        given = tomllib.loads(file.read_text("utf-8"))
        off = tuple(given.get("calendar", {}).get("holidays", ()))
        for word in off:
            _falls_on(word, date(2026, 1, 1))
        found = [_state(name, rule, off) for name, rule in given.get("states", {}).items()]
        return States(by_code={str(code): state for state in found for code in state.codes})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{file.name}: {error}", hint="macli's own is in its folder quiet/us-states.toml") from None


def _state(name: str, given: Mapping[str, Any], off: tuple[str, ...]) -> State:
    unknown = sorted(set(given) - _KEYS)
    if unknown:
        raise ValueError(f"states.{name}: {unknown[0]!r} is none of {', '.join(sorted(_KEYS))}")
    codes = tuple(int(code) for code in given["codes"])
    if not all(200 <= code <= 999 for code in codes):
        raise ValueError(f"states.{name}: an area code has three digits")
    hours = _hours(given["hours"])
    return State(
        name=name,
        codes=codes,
        hours=hours,
        sunday=None if given.get("sunday") == _NONE else _hours(given["sunday"]) if "sunday" in given else hours,
        off=() if given.get("holidays", True) else off,
        most=readers.cap(given["most"]) if "most" in given else None,
        law=str(given.get("law", "")),
    )


def _hours(text: str) -> QuietHours:
    hours = readers.hours(text)
    if hours is None or hours.start > hours.end:
        raise ValueError(f"{text!r} are no hours within one day")
    return hours


def _falls_on(word: str, day: date) -> bool:
    """Whether ``12-25`` or ``fourth thursday of 11`` is that day. Raises ValueError where it is neither."""
    fixed = re.fullmatch(r"(\d\d)-(\d\d)", word)
    if fixed:
        return (day.month, day.day) == (int(fixed[1]), int(fixed[2]))
    nth, weekday, month = _moving(word)
    if day.month != month or day.weekday() != weekday:
        return False
    return (day + timedelta(days=7)).month != month if nth < 0 else (day.day - 1) // 7 == nth


def _moving(word: str) -> tuple[int, int, int]:
    found = re.fullmatch(r"(\w+) (\w+) of (\d\d)", word)
    if found is None or found[1] not in _NTH or found[2] not in WEEKDAYS:
        raise ValueError(f"{word!r} is no day of the year: write 12-25, or fourth thursday of 11")
    return _NTH[found[1]], WEEKDAYS.index(found[2]), int(found[3])
