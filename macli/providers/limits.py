"""How fast a provider may be used: rates, rates per recipient domain, and a warm-up ramp, read from text."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from macli.errors import UsageError

SPANS = {"second": 1_000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
"""The windows a rate may be counted in, in milliseconds."""

_RATE = re.compile(r"(?:(?P<domain>[^\s=]+)\s*=\s*)?(?P<count>\d{1,9})\s*(?:per|/|a)\s*(?P<span>[a-z]+)", re.IGNORECASE)
_WARM_UP = re.compile(
    r"warm-?up\s+(?P<start>\d{1,9})\s*(?:x|×|\*)\s*(?P<factor>\d+(?:\.\d+)?)\s+until\s+(?P<until>\d{1,9})",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Rate:
    """At most ``count`` messages in each ``span``; to one recipient domain where ``domain`` is not empty."""

    count: int
    span: str
    domain: str = ""

    @property
    def span_ms(self) -> int:
        return SPANS[self.span]

    def __str__(self) -> str:
        return f"{self.domain + '=' if self.domain else ''}{self.count} per {self.span}"


@dataclass(frozen=True, kw_only=True)
class WarmUp:
    """``start`` messages on the first day, ``factor`` times as many on each next one, up to ``until`` a day."""

    start: int
    factor: float
    until: int

    def on_day(self, day: int) -> int | None:
        """How many may leave on the day with this number (the first is 0); None: the ramp is over."""
        # A ramp of 10^9 is over in any case; the bound keeps the power finite.
        allowed = self.start * self.factor ** min(day, 400)
        return None if allowed >= self.until else int(allowed)

    def __str__(self) -> str:
        return f"warm-up {self.start} x{self.factor:g} until {self.until}"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a provider's limits amount to."""

    rates: tuple[Rate, ...] = ()
    warm_up: WarmUp | None = None

    def texts(self) -> list[str]:
        """As they are written and stored."""
        return [*map(str, self.rates), *([str(self.warm_up)] if self.warm_up else [])]


def parse_limits(texts: Iterable[str]) -> Limits:
    """``14 per second``, ``gmail.com=20 per minute``, ``warm-up 500 x1.5 until 50000``. Raises UsageError."""
    rates: dict[tuple[str, str], Rate] = {}
    warm_up = None
    for text in texts:
        ramp = _WARM_UP.fullmatch(text.strip())
        if ramp:
            warm_up = WarmUp(start=int(ramp["start"]), factor=float(ramp["factor"]), until=int(ramp["until"]))
            if warm_up.start < 1 or warm_up.factor <= 1:
                raise UsageError(f"{text!r} never warms up", hint="write for example 'warm-up 500 x1.5 until 50000'")
            continue
        rate = _rate(text)
        rates[rate.domain, rate.span] = rate
    return Limits(rates=tuple(rates.values()), warm_up=warm_up)


def _rate(text: str) -> Rate:
    match = _RATE.fullmatch(text.strip())
    span = match["span"].lower().removesuffix("s") if match else ""
    if match is None or span not in SPANS or int(match["count"]) < 1:
        raise UsageError(
            f"{text!r} is no limit",
            hint="write for example '14 per second', 'gmail.com=20 per minute', 'warm-up 500 x1.5 until 50000'",
        )
    return Rate(count=int(match["count"]), span=span, domain=(match["domain"] or "").lower())
