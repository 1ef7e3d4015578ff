"""How a template writes dates and amounts of money: the same on every machine, whatever its locale."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

_PATTERN = re.compile(r"(?:[^%]|%-?[aAbBdejHImMpSyYZz%])*")
_BEFORE_THE_AMOUNT = frozenset("$€£¥₹")


def format_date(value: Any, pattern: str = "%-d %B %Y") -> str:
    """``{{ birthday | date }}`` → 1 December 2026; ``date('%d.%m.%Y')`` → 01.12.2026.

    Takes what a date attribute holds or a moment such as ``now``. Names of days and months are English.
    """
    moment = _moment(value)
    if len(pattern) > 100 or not _PATTERN.fullmatch(pattern):
        raise ValueError(f"{pattern!r} is no date pattern; write for example '%d.%m.%Y'")
    # %-d and %e are not everywhere; the day without its zero is spelled out.
    pattern = pattern.replace("%-d", str(moment.day)).replace("%-m", str(moment.month))
    return moment.strftime(pattern.replace("%e", f"{moment.day:2}"))


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{str(value)[:50]!r} is no date") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def format_money(value: Any, currency: str = "", places: int = 2, point: str = ".", group: str = ",") -> str:
    """``{{ total | money('$') }}`` → $1,234.50; ``money('zł', point=',', group=' ')`` → 1 234,50 zł."""
    try:
        amount = Decimal(str(value))
        if not amount.is_finite() or abs(amount.adjusted()) > 30 or not 0 <= places <= 6:
            raise InvalidOperation
    except InvalidOperation:
        raise ValueError(f"{str(value)[:50]!r} is no amount") from None
    digits = f"{abs(amount):,.{places}f}".replace(",", "\0").replace(".", point).replace("\0", group)
    sign = "-" if amount < 0 and digits.strip("0.,") else ""
    if currency in _BEFORE_THE_AMOUNT and point == ".":
        return f"{sign}{currency}{digits}"
    return f"{sign}{digits}\u00a0{currency}" if currency else f"{sign}{digits}"
