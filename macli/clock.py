"""Now, durations and time zones: the one place where wall-clock words become instants."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from macli.errors import UsageError, did_you_mean

Clock = Callable[[], datetime]

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "second": timedelta(seconds=1),
    "sec": timedelta(seconds=1),
    "s": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "m": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "h": timedelta(hours=1),
    "day": timedelta(days=1),
    "d": timedelta(days=1),
    "week": timedelta(weeks=1),
    "w": timedelta(weeks=1),
    "month": timedelta(days=30),
    "year": timedelta(days=365),
    "y": timedelta(days=365),
}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*,?")
_WHEN = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})(?:[T ]+(?P<time>\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?"
    r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2}|[A-Za-z_]+(?:/[A-Za-z_+\-0-9]+)*)?$"
)
_DAY = re.compile(r"(?P<day>today|tomorrow)(?:\s+(?P<time>\d{1,2}:\d{2}))?$")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def system_clock() -> datetime:
    return datetime.now(UTC)


def to_ms(moment: datetime) -> int:
    """An aware moment as UTC milliseconds, the store's form of time."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime has no place in the store")
    return int((moment - _EPOCH) // timedelta(milliseconds=1))


def from_ms(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(ms: int | None) -> str | None:
    """A stored time as ``2026-12-01T09:00:00Z``."""
    return None if ms is None else from_ms(ms).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=512)
def zone(name: str) -> ZoneInfo:
    """An IANA time zone by name. Raises UsageError naming the nearest one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = did_you_mean(name, available_timezones())
        raise UsageError(f"no time zone named {name!r}{near}", hint="use an IANA name such as Europe/Warsaw") from None


def parse_duration(text: str) -> timedelta:
    """``3 days``, ``2h 30m``, ``1 week``; a month is 30 days, a year 365. Raises UsageError."""
    position, total = 0, timedelta()
    text = text.strip()
    while position < len(text):
        match = _DURATION.match(text, position)
        unit = _unit(match.group(2)) if match else None
        if match is None or unit is None:
            raise UsageError(f"{text!r} is no duration", hint="write for example '3 days', '2 hours', '30m'")
        try:
            total += float(match.group(1)) * unit
        except OverflowError:
            raise UsageError(f"{text!r} is too long a duration") from None
        position = match.end()
    if not text:
        raise UsageError("an empty duration", hint="write for example '3 days'")
    return total


LONGEST = timedelta(days=365_000)


def parse_lasting(text: str) -> timedelta:
    """As parse_duration, of what is added to times to come: no more than LONGEST, which no calendar ends before."""
    span = parse_duration(text)
    if span > LONGEST:
        raise UsageError(f"{text!r} is too long a duration", hint="at most 1000 years")
    return span


def _unit(word: str) -> timedelta | None:
    word = word.lower()
    return _UNITS.get(word) or _UNITS.get(word.removesuffix("s"))


def format_duration(span: timedelta) -> str:
    """``3 days``, ``2 hours 30 minutes``: what parse_duration reads back."""
    seconds, parts = int(span.total_seconds()), []
    for name, size in (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}{'s' if count != 1 else ''}")
    return " ".join(parts) or "0 seconds"


def parse_when(text: str, *, now: datetime, default: ZoneInfo) -> datetime:
    """A moment as a person writes it, in UTC.

    Takes ``2026-12-01 09:00 Europe/Warsaw``, ``2026-12-01T08:00Z``, ``2026-12-01`` (midnight),
    ``now``, ``today``, ``tomorrow``, ``tomorrow 9:00``, ``in 3 days``, ``+2h``. Without a zone, ``default`` is meant.
    Raises UsageError.
    """
    try:
        return _when(text, now, default)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is no time: {error}", hint=_TIMES) from None


_TIMES = "write for example '2026-12-01 09:00 Europe/Warsaw', '2026-12-01T08:00Z' or 'in 2 hours'"


def _when(text: str, now: datetime, default: ZoneInfo) -> datetime:
    """Raises UsageError; ValueError or OverflowError where it is a time that no calendar has."""
    words = text.strip()
    lowered = words.lower()
    if lowered == "now":
        return now
    if (named := _DAY.match(lowered)) is not None:
        day = now.astimezone(default).date() + timedelta(days=named["day"] == "tomorrow")
        return resolve_local(day, time.fromisoformat((named["time"] or "00:00").rjust(5, "0")), default)
    if lowered.startswith(("in ", "+")):
        return now + parse_duration(lowered.removeprefix("in ").removeprefix("+"))
    match = _WHEN.match(words)
    if match is None:
        raise UsageError(f"{text!r} is no time", hint=_TIMES)
    day = date.fromisoformat(match["date"])
    clock = time.fromisoformat((match["time"] or "00:00").rjust(5, "0"))
    name = match["zone"]
    if name and (name == "Z" or name[0] in "+-"):
        offset = "+00:00" if name == "Z" else name
        return datetime.fromisoformat(f"{day.isoformat()}T{clock.isoformat()}{offset}").astimezone(UTC)
    return resolve_local(day, clock, zone(name) if name else default)


def resolve_local(day: date, clock: time, where: ZoneInfo) -> datetime:
    """A local wall-clock time as UTC.

    A time the clocks skip becomes the next valid one, a time they repeat is its first occurrence.
    """
    local = datetime.combine(day, clock, tzinfo=where)
    moment = local.astimezone(UTC)
    if moment.astimezone(where).replace(fold=0) == local.replace(fold=0):
        return moment
    # Skipped: PEP 495 maps it behind the gap by the offset in force before; the gap's end is the
    # first valid instant, found where the offset changes.
    before, after = moment - timedelta(days=1), moment + timedelta(days=1)
    offset_before = before.astimezone(where).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(where).utcoffset() == offset_before:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def next_time_of_day(after: datetime, clock: time, where: ZoneInfo, *, weekday: int | None = None) -> datetime:
    """The first instant at or after ``after`` when it is ``clock`` in ``where`` (on ``weekday``, 0 = Monday)."""
    day = after.astimezone(where).date()
    for ahead in range(9):
        candidate = day + timedelta(days=ahead)
        if weekday is not None and candidate.weekday() != weekday:
            continue
        moment = resolve_local(candidate, clock, where)
        if moment >= after:
            return moment
    raise AssertionError("a week holds every weekday")
