"""What an RFM report is defined by: which events are purchases, and where each band begins."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Literal

from macli.clock import format_duration, parse_duration
from macli.errors import UnknownName, UsageError

Dimension = Literal["recency", "frequency", "monetary"]

BANDS: Mapping[Dimension, tuple[str, str, str]] = {
    "recency": ("short", "medium", "long"),
    "frequency": ("common", "regular", "casual"),
    "monetary": ("spender", "medium", "saver"),
}
"""The bands of each dimension, the best first; the last has no threshold: it is the rest."""

_HINTS: Mapping[Dimension, str] = {
    "recency": "write for example --recency 'short 30 days, medium 90 days'; long is the rest",
    "frequency": "write for example --frequency 'common 10, regular 3'; casual is the rest",
    "monetary": "write for example --monetary 'spender 500, medium 100'; saver is the rest",
}
_MS = timedelta(milliseconds=1)
_DAY = 86_400_000


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A report's purchases and thresholds, those of a dimension in the order of its bands.

    ``recency`` and ``window`` are in milliseconds; without a window the whole history counts. ``condition``
    are tests of the events' properties, as text.
    """

    event: str
    value: str
    refunds: tuple[str, ...] = ()
    condition: str | None = None
    window: int | None = None
    recency: tuple[int, int]
    frequency: tuple[int, int]
    monetary: tuple[float, float]

    @property
    def names(self) -> tuple[str, ...]:
        """The events it looks at."""
        return (self.event, *self.refunds)

    def text(self) -> str:
        """What ``read`` reads back."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def shown(self) -> dict[str, Any]:
        """Its members as people write them."""
        short, medium = map(_days, self.recency)
        common, regular = self.frequency
        spender, middle = self.monetary
        return {
            "event": self.event,
            "value": self.value,
            "refunds": list(self.refunds),
            "with": self.condition,
            "window": None if self.window is None else _days(self.window),
            "recency": f"short {short}, medium {medium}",
            "frequency": f"common {common}, regular {regular}",
            "monetary": f"spender {spender:.12g}, medium {middle:.12g}",
        }


def _days(ms: int) -> str:
    """A time in days where it is whole days: people say 90 days, not 12 weeks 6 days."""
    days, rest = divmod(ms, _DAY)
    return format_duration(ms * _MS) if rest else f"{days} day{'s' if days != 1 else ''}"


@lru_cache(maxsize=256)
def read(text: str) -> Definition:
    """A definition as the store keeps it."""
    members = json.loads(text)
    pairs = {name: tuple(members[name]) for name in ("refunds", *BANDS)}
    return Definition(**{**members, **pairs})


def recency(text: str) -> tuple[int, int]:
    """``short 30 days, medium 90 days`` in milliseconds. Raises UsageError."""
    short, medium = (_span(each) for each in _thresholds("recency", text))
    if medium <= short:
        raise UsageError("medium has to reach further back than short", hint=_HINTS["recency"])
    return short, medium


def frequency(text: str) -> tuple[int, int]:
    """``common 10, regular 3``. Raises UsageError."""
    common, regular = (_count(each) for each in _thresholds("frequency", text))
    if common <= regular:
        raise UsageError("common has to begin above regular", hint=_HINTS["frequency"])
    return common, regular


def monetary(text: str) -> tuple[float, float]:
    """``spender 500, medium 100``. Raises UsageError."""
    spender, medium = (_sum(each) for each in _thresholds("monetary", text))
    if spender <= medium:
        raise UsageError("spender has to begin above medium", hint=_HINTS["monetary"])
    return spender, medium


def window(text: str) -> int | None:
    """``90 days`` in milliseconds; None for ``none``. Raises UsageError."""
    return None if text.strip().lower() == "none" else _span(text)


def condition(text: str) -> str | None:
    """Tests of properties; None for ``none``."""
    return None if text.strip().lower() == "none" else text.strip()


def band(dimension: Dimension, word: str) -> str:
    """A band's name as it is kept. Raises UnknownName."""
    name = word.strip().lower()
    if name not in BANDS[dimension]:
        raise UnknownName(f"{dimension} band", word, BANDS[dimension], hint=f"one of {', '.join(BANDS[dimension])}")
    return name


def _thresholds(dimension: Dimension, text: str) -> list[str]:
    """The texts of the two thresholds, in the order of the bands."""
    found: dict[str, str] = {}
    for part in text.split(","):
        word, _, threshold = part.strip().partition(" ")
        name = band(dimension, word)
        if name == BANDS[dimension][2]:
            raise UsageError(f"{name} is the rest: it has no threshold", hint=_HINTS[dimension])
        if name in found or not threshold.strip():
            raise UsageError(f"{part.strip()!r} is no band with one threshold", hint=_HINTS[dimension])
        found[name] = threshold.strip()
    missing = [name for name in BANDS[dimension][:2] if name not in found]
    if missing:
        raise UsageError(f"{' and '.join(missing)} has no threshold", hint=_HINTS[dimension])
    return [found[name] for name in BANDS[dimension][:2]]


def _span(text: str) -> int:
    span = parse_duration(text) // _MS
    if span <= 0:
        raise UsageError(f"{text!r}: no time at all")
    return span


def _count(text: str) -> int:
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", text, re.ASCII):
        raise UsageError(f"{text!r} is no number of purchases", hint=_HINTS["frequency"])
    return int(text)


def _sum(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", text, re.ASCII):
        raise UsageError(f"{text!r} is no sum of money", hint=_HINTS["monetary"])
    return float(text)
