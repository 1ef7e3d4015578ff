"""Scores as people are shown them: at least the floor, and which band they are in."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from macli.config import bands
from macli.config.bands import Band
from macli.store import Store, settings
from macli.store.scopes import GLOBAL


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """The settings ``points.bands`` and ``points.floor``."""

    bands: Sequence[Band]
    floor: int | None

    def shown(self, points: int | None) -> int:
        """A score as it is shown and asked for; nothing counted is 0."""
        return max(points or 0, self.floor) if self.floor is not None else points or 0

    def of(self, points: int | None) -> str:
        """The name of the band a score is in."""
        return bands.of(self.bands, self.shown(points)).name


def readiness(store: Store) -> Readiness:
    """What this store calls cold and hot."""
    return Readiness(bands=settings.get(store, "points.bands"), floor=settings.get(store, "points.floor"))


def counts(store: Store) -> list[dict[str, Any]]:
    """Each band, the highest first: readiness, from, contacts, share. Removed contacts are left out."""
    known = readiness(store)
    found = counted(known, store.rows(_BY_SCORE.format(band=place_of("coalesce(scores.points, 0)", known.bands)), _IN))
    total = found.total()
    return [
        {
            "readiness": band.name,
            "from": band.lowest,
            "contacts": found[band.name],
            "share": round(found[band.name] / total, 4) if total else 0.0,
        }
        for band in reversed(known.bands)
    ]


_IN = {"scope": GLOBAL}

_BY_SCORE = """
SELECT {band} AS band, count(*) AS contacts
FROM contacts
LEFT JOIN scores ON scores.contact_id = contacts.id AND scores.scope_id = :scope
WHERE contacts.removed_at IS NULL
GROUP BY 1
"""


def counted(known: Readiness, rows: Sequence[Any]) -> Counter[str]:
    """Contacts by the name of their band, of rows of ``band`` (its place) and ``contacts``; the floor lifts some."""
    lowest = 0 if known.floor is None else known.bands.index(bands.of(known.bands, known.floor))
    found: Counter[str] = Counter()
    for row in rows:
        found[known.bands[max(row["band"], lowest)].name] += row["contacts"]
    return found


def place_of(score: str, known: Sequence[Band]) -> str:
    """The place of a score's band among the bands, as an SQL expression without parameters."""
    cases = " ".join(f"WHEN {score} >= {band.lowest} THEN {place}" for place, band in reversed([*enumerate(known)][1:]))
    return f"CASE {cases} ELSE 0 END"
