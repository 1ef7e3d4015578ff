"""The zones a phone number may be in: all of them, by the digits numbers are given to regions by."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from macli.clock import zone

_UNKNOWN = "Etc/Unknown"
_NORTH_AMERICA = "1"
_COMPARED = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=3 * step) for step in range(365)]
"""Three years in steps of three days: zones whose clocks agree all the while are one."""


def zones_of_number(phone: str) -> tuple[ZoneInfo, ...]:
    """The zones a number in E.164 may be in; none where nothing is known of it.

    In North America the area code decides: the digits behind it say less, since people take numbers along.
    """
    code = _calling_code(phone)
    if code is None:
        return ()
    if code == _NORTH_AMERICA:
        return _below(phone[1:5]) or _below(code)
    zones = _below(code)
    # Asking the library costs 60 µs a number, and most countries have one time.
    return zones if len(zones) < 2 else _asked(phone)


def _calling_code(phone: str) -> str | None:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    codes = (phone[1 : 1 + size] for size in (1, 2, 3))
    return next((code for code in codes if code.isdigit() and int(code) in COUNTRY_CODE_TO_REGION_CODE), None)


@lru_cache(maxsize=2048)
def _below(digits: str) -> tuple[ZoneInfo, ...]:
    """The zones of all numbers that begin with these digits, of those with the same time one."""
    from phonenumbers.tzdata import TIMEZONE_DATA

    names = {name for start, some in TIMEZONE_DATA.items() if start.startswith(digits) for name in some}
    return _unlike(names)


def _asked(phone: str) -> tuple[ZoneInfo, ...]:
    import phonenumbers
    from phonenumbers.timezone import time_zones_for_number

    try:
        return _unlike(set(time_zones_for_number(phonenumbers.parse(phone))))
    except phonenumbers.NumberParseException:
        return ()


def _unlike(names: set[str]) -> tuple[ZoneInfo, ...]:
    return _unlike_of(tuple(sorted(names - {_UNKNOWN})))


@lru_cache(maxsize=2048)
def _unlike_of(names: tuple[str, ...]) -> tuple[ZoneInfo, ...]:
    by_time: dict[tuple[timedelta | None, ...], ZoneInfo] = {}
    for name in names:
        by_time.setdefault(tuple(moment.astimezone(zone(name)).utcoffset() for moment in _COMPARED), zone(name))
    return tuple(by_time.values())
