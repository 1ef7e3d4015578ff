"""The stages of the lifecycle: their order and thresholds, and who stood on which, since when and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from macli.errors import UnknownName, UsageError
from macli.store import settings
from macli.store.connection import Row, Store

MOST = 100
"""Stages a lifecycle can have: every change of a score is held against all of them."""

HIGHEST = 1_000_000_000
"""What a threshold can be at most: points that can be given at once. Below 0 nobody without points could stand."""

FIRST = (("Awareness", 0), ("Consideration", 20), ("Purchase", 50), ("Loyalty", 100))
"""What a new store holds."""


@dataclass(frozen=True, kw_only=True)
class Rung:
    """A stage as the SQL of moves knows it: a score of more than ``bar`` leads to it."""

    stage_id: int
    name: str
    position: int
    bar: int


def ladder(store: Store) -> list[Rung]:
    """The stages from the lowest, by the setting ``stages.inclusive``."""
    known = [(row["id"], row["name"], row["threshold"]) for row in store.rows(_ALL)]
    return rungs(known, inclusive=settings.get(store, "stages.inclusive"))


def rungs(known: Sequence[tuple[int, str, int]], *, inclusive: bool) -> list[Rung]:
    """Stages in their order (id, name, threshold) as a ladder: scores are whole, so ``>= n`` is ``> n - 1``."""
    return [
        Rung(stage_id=stage_id, name=name, position=place, bar=threshold - inclusive)
        for place, (stage_id, name, threshold) in enumerate(known, 1)
    ]


def all_(store: Store) -> list[Row]:
    """Every stage from the lowest: id, name, description, position, threshold."""
    return store.rows(_ALL)


_ALL = """
SELECT id, name, name_key, description, position, threshold
FROM stages
WHERE removed_at IS NULL
ORDER BY position, id
"""


def listed(store: Store) -> list[Row]:
    """Every stage from the lowest, and how many contacts that are not removed stand on it."""
    return store.rows(_LISTED)


_LISTED = """
SELECT stages.position, stages.name, stages.threshold, stages.description,
  (
    SELECT count(*)
    FROM stage_stays
    JOIN contacts ON contacts.id = stage_stays.contact_id
    WHERE stage_stays.stage_id = stages.id
      AND stage_stays.left_at IS NULL
      AND contacts.removed_at IS NULL
  ) AS contacts
FROM stages
WHERE stages.removed_at IS NULL
ORDER BY stages.position, stages.id
"""


def get(store: Store, name: str) -> Row:
    """The stage of that name. Raises UnknownName."""
    key = " ".join(name.split()).casefold()
    rows = store.rows(_ALL)
    found = next((row for row in rows if row["name_key"] == key), None)
    if found is None:
        raise UnknownName("stage", name, (row["name"] for row in rows), hint="macli stage list shows them")
    return found


def furnish(store: Store, now_ms: int) -> None:
    """Give a new store the first stages. Inside a write."""
    for place, (name, threshold) in enumerate(FIRST, 1):
        put(store, now_ms, name, threshold, place)


def put(store: Store, now_ms: int, name: str, threshold: int, position: int, description: str = "") -> int:
    """Keep a new stage, or one again that was removed; its id. Raises UsageError. Inside a write."""
    name = clean_name(name)
    said = {"threshold": threshold, "position": position, "description": line(description), "now": now_ms}
    made: int | None = store.value(_PUT, {**said, "name": name, "key": name.casefold()})
    if made is None:
        raise UsageError(f"there is a stage {name!r} already", hint=f"macli stage edit {name!r} changes it")
    return made


_PUT = """
INSERT INTO stages (name, name_key, description, position, threshold, created_at, updated_at)
VALUES (:name, :key, :description, :position, :threshold, :now, :now)
ON CONFLICT (name_key) DO UPDATE
SET name = excluded.name, description = excluded.description, position = excluded.position,
  threshold = excluded.threshold, updated_at = excluded.updated_at, removed_at = NULL
WHERE stages.removed_at IS NOT NULL
RETURNING id
"""


def change(
    store: Store, now_ms: int, stage_id: int, *, name: str | None = None, description: str | None = None
) -> None:
    """Rename a stage, or describe it anew. Raises UsageError where the name is taken. Inside a write."""
    if name is not None:
        name = clean_name(name)
        taken = store.row(
            "SELECT removed_at FROM stages WHERE name_key = :key AND id <> :id",
            {"key": name.casefold(), "id": stage_id},
        )
        if taken is not None:
            if taken["removed_at"] is None:
                raise UsageError(f"there is a stage {name!r} already")
            raise UsageError(f"there was another stage {name!r}, and contacts' histories name it")
    said = {"name": name, "key": None if name is None else name.casefold()}
    store.execute(
        _CHANGE,
        {**said, "description": None if description is None else line(description), "id": stage_id, "now": now_ms},
    )


_CHANGE = """
UPDATE stages
SET name = coalesce(:name, name), name_key = coalesce(:key, name_key),
  description = coalesce(:description, description), updated_at = :now
WHERE id = :id
"""


def place(store: Store, now_ms: int, stage_id: int, position: int, threshold: int) -> None:
    """Write where a stage stands and what leads to it. Inside a write."""
    store.execute(_PLACE, {"id": stage_id, "position": position, "threshold": threshold, "now": now_ms})


_PLACE = """
UPDATE stages
SET position = :position, threshold = :threshold, updated_at = :now
WHERE id = :id
  AND (position <> :position OR threshold <> :threshold)
"""


def remove(store: Store, now_ms: int, stage_id: int) -> None:
    """Take a stage out of the lifecycle; contacts' histories keep it. Inside a write."""
    store.execute("UPDATE stages SET removed_at = :now WHERE id = :id", {"id": stage_id, "now": now_ms})


def history(store: Store, contact_id: int) -> list[Row]:
    """The stages a contact came to, the latest first: stage, entered_at, left_at, passed, score, cause, event."""
    return store.rows(_HISTORY, {"contact": contact_id})


# A stage that was passed by comes before the one that was reached in the same moment.
_HISTORY = """
SELECT stages.name AS stage, stage_stays.entered_at, stage_stays.left_at, stage_stays.passed, stage_stays.score,
  stage_stays.cause, events.name AS event, events.id AS event_id
FROM stage_stays
JOIN stages ON stages.id = stage_stays.stage_id
LEFT JOIN events ON events.id = stage_stays.event
WHERE stage_stays.contact_id = :contact
ORDER BY stage_stays.entered_at DESC, stage_stays.id DESC
"""


def clean_name(name: str) -> str:
    """The name without doubled blanks. Raises UsageError where nothing or something unprintable is left."""
    name = " ".join(name.split())
    if not name or not name.isprintable() or len(name) > 100 or "," in name:
        raise UsageError("a stage's name is one line of at most 100 characters without a comma")
    return name


def line(text: str) -> str:
    """A description on one line. Raises UsageError."""
    text = " ".join(text.split())
    if not text.isprintable() or len(text) > 500:
        raise UsageError("a description is one line of at most 500 characters")
    return text
