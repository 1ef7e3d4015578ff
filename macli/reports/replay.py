"""What a staged replay would change: how many scores, the ranking, readiness, stages."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from macli.lifecycle import replaying
from macli.scoring import bands
from macli.scoring.replaying import Staged
from macli.store import Row, Store
from macli.store.scopes import GLOBAL

TOP = 20
RANKING = ("contact", "before", "after", "place_before", "place", "move")


def outlook(store: Store, now: datetime, staged: Staged) -> dict[str, Any]:
    """contacts (whose scores change), up, down, kept, as_now; readiness, stages and ranking are lists of records.

    ``kept`` is how often an event that was deleted since brought points: those stay as they are. ``as_now``
    names the rules that ask who a contact is, of which nobody knows what it was then.
    """
    changed = store.row(_CHANGED, {"scope": GLOBAL})
    assert changed is not None
    return {
        "contacts": changed["contacts"],
        "up": changed["up"],
        "down": changed["down"],
        "kept": int(store.value(_KEPT, {"since": staged.since or 0})),
        "as_now": [rule.name for rule in staged.rules if rule.who is not None],
        "readiness": _readiness(store),
        "stages": replaying.moves(store, now),
        "ranking": _ranking(store),
    }


_CHANGED = """
SELECT count(DISTINCT contact_id) AS contacts,
  coalesce(sum(CASE WHEN scope_id = :scope AND score > old THEN 1 ELSE 0 END), 0) AS up,
  coalesce(sum(CASE WHEN scope_id = :scope AND score < old THEN 1 ELSE 0 END), 0) AS down
FROM replayed_scores
WHERE score <> old
"""

_KEPT = """
SELECT count(*)
FROM replayed
WHERE kept = 1
  AND part = 0
  AND at >= :since
"""


def _readiness(store: Store) -> list[dict[str, Any]]:
    """Each band, the highest first: readiness, before, after."""
    known = bands.readiness(store)
    found: dict[str, Counter[str]] = {}
    for column in ("old", "score"):
        place = bands.place_of(f"coalesce(replayed_scores.{column}, 0)", known.bands)
        found[column] = bands.counted(known, store.rows(_BY_BAND.format(band=place), {"scope": GLOBAL}))
    return [
        {"readiness": band.name, "before": found["old"][band.name], "after": found["score"][band.name]}
        for band in reversed(known.bands)
    ]


_BY_BAND = """
SELECT {band} AS band, count(*) AS contacts
FROM contacts
LEFT JOIN replayed_scores ON replayed_scores.contact_id = contacts.id AND replayed_scores.scope_id = :scope
WHERE contacts.removed_at IS NULL
GROUP BY 1
"""


def _ranking(store: Store) -> list[dict[str, Any]]:
    """Who is among the first before or after: see ``RANKING``; a place is empty where it is none of the first."""
    lists = {
        column: store.rows(_FIRST.format(column=column), {"scope": GLOBAL, "top": TOP}) for column in ("old", "score")
    }
    places = {column: {row["id"]: place for place, row in enumerate(rows, 1)} for column, rows in lists.items()}
    people = {row["id"]: row for rows in lists.values() for row in rows}
    return [
        _moved(row, places["old"].get(row["id"]), places["score"].get(row["id"])) for row in _ordered(people, places)
    ]


def _ordered(people: dict[int, Row], places: dict[str, dict[int, int]]) -> Sequence[Row]:
    last = 2 * TOP

    def place(row: Row) -> tuple[int, int]:
        return places["score"].get(row["id"], last), places["old"].get(row["id"], last)

    return sorted(people.values(), key=place)


def _moved(row: Row, before: int | None, after: int | None) -> dict[str, Any]:
    if before is None:
        move = "comes in"
    elif after is None:
        move = "drops out"
    else:
        move = "" if before == after else f"{before - after:+d}"
    return {
        "contact": row["contact"],
        "before": row["old"],
        "after": row["score"],
        "place_before": before,
        "place": after,
        "move": move,
    }


_FIRST = """
SELECT contacts.id, coalesce(contacts.email, contacts.phone, contacts.external_id, '#' || contacts.id) AS contact,
  replayed_scores.old, replayed_scores.score
FROM replayed_scores
JOIN contacts ON contacts.id = replayed_scores.contact_id
WHERE replayed_scores.scope_id = :scope
  AND replayed_scores.{column} <> 0
  AND contacts.removed_at IS NULL
ORDER BY replayed_scores.{column} DESC, replayed_scores.contact_id DESC
LIMIT :top
"""
