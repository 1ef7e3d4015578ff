"""Readiness: names for ranges of scores, as the setting ``points.bands`` says them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from macli.errors import UnknownName, UsageError

_BAND = re.compile(r"\s*(\S(?:.*\S)?)\s+([-+]?[0-9]{1,9})\s*", re.ASCII)
_HINT = "write for example 'cold 0, warm 20, hot 50'"


@dataclass(frozen=True, kw_only=True)
class Band:
    """A range of scores: from ``lowest``, below ``end``; the last has no end.

    The first is everything below the second too: its ``lowest`` is None.
    """

    name: str
    lowest: int | None
    end: int | None

    def __contains__(self, points: int) -> bool:
        return (self.lowest is None or points >= self.lowest) and (self.end is None or points < self.end)


def read(text: str) -> tuple[Band, ...]:
    """Bands as people write them, the lowest first. Raises UsageError."""
    named: list[tuple[str, int]] = []
    for part in text.split(","):
        match = _BAND.fullmatch(part)
        if match is None:
            raise UsageError(f"{part.strip()!r} is no name and lowest score", hint=_HINT)
        name, lowest = " ".join(match.group(1).split()), int(match.group(2))
        if any(name.casefold() == before.casefold() for before, _ in named):
            raise UsageError(f"two bands are called {name!r}", hint=_HINT)
        if named and lowest <= named[-1][1]:
            raise UsageError(f"{name!r} begins at {lowest}, not above {named[-1][0]!r} ({named[-1][1]})", hint=_HINT)
        named.append((name, lowest))
    if len(named) < 2:
        raise UsageError("one band tells nobody from anybody", hint=_HINT)
    ends = [*(lowest for _, lowest in named[1:]), None]
    return tuple(
        Band(name=name, lowest=lowest if place else None, end=end)
        for place, ((name, lowest), end) in enumerate(zip(named, ends, strict=True))
    )


def of(bands: Sequence[Band], points: int) -> Band:
    """The band a score is in."""
    return next(band for band in bands if points in band)


def get(bands: Sequence[Band], name: str) -> Band:
    """The band of that name. Raises UnknownName."""
    for band in bands:
        if band.name.casefold() == " ".join(name.split()).casefold():
            return band
    names = [band.name for band in bands]
    raise UnknownName("readiness", name, names, hint=f"one of {', '.join(names)}: macli settings get points.bands")
