"""When a campaign starts: one instant, or the same wall-clock time in every contact's own zone."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from macli import clock
from macli.errors import UsageError

HINT = "write for example '2026-12-01 09:00 Europe/Warsaw', or '2026-12-01 09:00 local' for each contact's zone"
_AT = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})(?:[T ]+(?P<time>\d{1,2}:\d{2}(?::\d{2})?))?\s*(?P<zone>\S.*)?\Z", re.DOTALL
)


@dataclass(frozen=True, kw_only=True)
class At:
    """A start as it is written.

    ``local`` means the contact's own zone; ``zone`` is a name or an offset, None where none is written.
    """

    day: date
    time: time
    local: bool = False
    zone: str | None = None

    def instant(self, default: ZoneInfo) -> datetime:
        """The start in UTC, of a contact in ``default`` where it is local."""
        if self.zone is None:
            return clock.resolve_local(self.day, self.time, default)
        if self.zone == "Z" or self.zone[0] in "+-":
            offset = "+00:00" if self.zone == "Z" else self.zone
            return datetime.fromisoformat(f"{self.day}T{self.time.isoformat()}{offset}").astimezone(UTC)
        return clock.resolve_local(self.day, self.time, clock.zone(self.zone))


@dataclass(frozen=True, kw_only=True)
class Starts:
    """When a campaign starts: at the earliest, and in each zone. ``by_zone`` is empty unless it is local."""

    earliest: datetime
    by_zone: Mapping[str, datetime]


def read(text: str) -> At:
    """A start as people write it. Raises UsageError."""
    match = _AT.match(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is no time to start at", hint=HINT)
    try:
        day = date.fromisoformat(match["date"])
        wall = time.fromisoformat((match["time"] or "00:00").rjust(5, "0"))
    except ValueError as error:
        raise UsageError(f"{text!r} is no time to start at: {error}", hint=HINT) from None
    name = match["zone"]
    if name is not None and name.lower() == "local":
        return At(day=day, time=wall, local=True)
    if name is not None and name != "Z" and not re.fullmatch(r"[+-]\d{2}:?\d{2}", name):
        clock.zone(name)
    return At(day=day, time=wall, zone=name)


def starts(at: At, zones: Iterable[str | None], default: ZoneInfo) -> Starts:
    """When ``at`` comes for contacts in ``zones``; ``default`` is the zone of those that have none.

    A contact whose zone has no meaning is one without a zone.
    """
    if not at.local:
        return Starts(earliest=at.instant(default), by_zone={})
    by_zone = {default.key: at.instant(default)}
    for name in zones:
        if name:
            try:
                by_zone[name] = at.instant(clock.zone(name))
            except UsageError:
                by_zone[name] = by_zone[default.key]
    return Starts(earliest=min(by_zone.values()), by_zone=by_zone)


def written(moment: datetime, zone: ZoneInfo) -> str:
    """An instant as a definition holds it, in ``zone``."""
    local = moment.astimezone(zone)
    seconds = ":%S" if local.second else ""
    return f"{local.strftime(f'%Y-%m-%d %H:%M{seconds}')} {zone.key}"


def canonical(text: str, *, now: datetime, zone: ZoneInfo) -> str:
    """What --at says as a definition holds it: ``in 2 hours`` becomes a date, a time and a zone.

    Raises UsageError.
    """
    if _AT.match(text.strip()):
        at = read(text)
        return text.strip() if at.local or at.zone is not None else f"{text.strip()} {zone.key}"
    return written(clock.parse_when(text, now=now, default=zone), zone)
