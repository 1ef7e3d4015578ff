"""Contacts moved through the lifecycle by others than their points: new thresholds, a recount, a person."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from macli import events
from macli.clock import to_ms
from macli.lifecycle import uses
from macli.lifecycle.ladder import Change, Move, Remove, Step, place_of
from macli.scoring import promoting
from macli.store import Row, Store, settings, stages, sweeps
from macli.store.scopes import GLOBAL
from macli.store.stages import Rung

_MOVES = "stage_settled"
_AT = "CASE WHEN stay.entered_at > {now} THEN stay.entered_at ELSE {now} END"
"""Now, but not before the stay it ends began: events and clocks can be ahead."""


def settle(store: Store, now: datetime, cause: str, *, among: str | None = None, silently: bool = True) -> int:
    """Bring contacts to the stage their present score leads to, up only; how many moved.

    ``among`` is a query of contact ids, without it all are meant. With the setting ``stages.demote`` they
    go down too. Records stage.entered unless ``silently``.
    """
    with store.write():
        ladder = stages.ladder(store)
        if not ladder:
            return 0
        _gather(store, now, ladder, among)
        return _carry_out(store, now, ladder, cause, silently=silently)


def unsettled(store: Store, now: datetime, *, among: str | None = None, scores: str = "scores") -> list[dict[str, Any]]:
    """The moves ``settle`` would make: from, to, contacts.

    ``scores`` is a query of contact_id, scope_id and points where others than the present ones are meant.
    """
    ladder = stages.ladder(store)
    if not ladder:
        return []
    _gather(store, now, ladder, among, scores)
    return _told(store, ladder)


def set_where(
    store: Store, now: datetime, ids: str, params: Mapping[str, Any], stage: str, *, silently: bool = False
) -> int:
    """Put the contacts ``ids`` selects onto a stage by hand, up or down; how many stood elsewhere.

    Records stage.entered, unless ``silently``. Raises UnknownName.
    """
    with store.write():
        stage_id = stages.get(store, stage)["id"]
        ladder = stages.ladder(store)
        place = next(rung.position for rung in ladder if rung.stage_id == stage_id)
        promoting.begin(store, _MOVES)
        said = {**params, "door_now": to_ms(now), "door_place": place, "door_scope": GLOBAL}
        store.execute(_BY_HAND.format(standing=promoting.standing(ladder), ids=ids), said)
        return _carry_out(store, now, ladder, "hand", passing=False, silently=silently)


_BY_HAND = f"""
INSERT INTO {_MOVES} (contact_id, number, before, due, at, score)
SELECT contacts.id, 1, {{standing}}, :door_place, {_AT.format(now=":door_now")}, coalesce(scores.points, 0)
FROM contacts
LEFT JOIN scores ON scores.contact_id = contacts.id AND scores.scope_id = :door_scope
LEFT JOIN stage_stays AS stay ON stay.contact_id = contacts.id AND stay.left_at IS NULL
WHERE contacts.id IN ({{ids}})
  AND {{standing}} <> :door_place
"""

# Changing the stages


def moves(store: Store, now: datetime, change: Change) -> list[dict[str, Any]]:
    """The moves a change of the stages would bring: from, to, contacts. Raises UsageError, UnknownName."""
    ladder = _prepare(store, now, change, _steps(store))
    return _told(store, ladder) if ladder else []


def make(store: Store, now: datetime, change: Change, *, silently: bool = True) -> int:
    """Change the stages, and move who stands elsewhere by that; how many.

    Records stage.entered unless ``silently``. Raises UsageError, UnknownName, OperationFailed.
    """
    with store.write():
        before = _steps(store)
        after = change.of(before)
        if isinstance(change, Remove):
            ladder = _prepare(store, now, change, before)
            moved = _carry_out(store, now, ladder, "thresholds", silently=silently)
            stages.remove(store, to_ms(now), before[place_of(before, change.name)].id)
        for place, step in enumerate(after, 1):
            if step.id:
                stages.place(store, to_ms(now), step.id, place, step.threshold)
            else:
                stages.put(store, to_ms(now), step.name, step.threshold, place, step.description)
        if isinstance(change, Move):
            # Who stands on it stays there, but on others than before it is now at least.
            sweeps.look_at_all(store)
        return moved if isinstance(change, Remove) else settle(store, now, "thresholds", silently=silently)


def describe(store: Store, now: datetime, name: str, *, rename: str | None, description: str | None) -> None:
    """Rename a stage, or describe it anew. Raises UsageError, UnknownName, OperationFailed where it is in use."""
    with store.write():
        stage = stages.get(store, name)
        if rename is not None and " ".join(rename.split()).casefold() != stage["name_key"]:
            _refuse_used(store, stage)
        stages.change(store, to_ms(now), stage["id"], name=rename, description=description)


def _refuse_used(store: Store, stage: Row) -> None:
    uses.refuse_used(store, uses.of_stage(stage), f"the stage {stage['name']!r}")


def _prepare(store: Store, now: datetime, change: Change, before: Sequence[Step]) -> list[Rung]:
    """Write down the moves of a change; the ladder their positions are on. Raises OperationFailed."""
    after = change.of(before)
    if not isinstance(change, Remove):
        ladder = _ladder(store, after)
        _gather(store, now, ladder, None)
        return ladder
    _refuse_used(store, stages.get(store, change.name))
    ladder = _ladder(store, before)
    promoting.begin(store, _MOVES)
    gone = ladder[place_of(before, change.name)]
    said = {"stage": gone.stage_id, "place": gone.position, "now": to_ms(now), "scope": GLOBAL}
    store.execute(_OFF, said)
    return ladder


# Whose stage goes is left on the one before it.
_OFF = f"""
INSERT INTO {_MOVES} (contact_id, number, before, due, at, score)
SELECT stay.contact_id, 1, :place, :place - 1, {_AT.format(now=":now")}, coalesce(scores.points, 0)
FROM stage_stays AS stay
LEFT JOIN scores ON scores.contact_id = stay.contact_id AND scores.scope_id = :scope
WHERE stay.stage_id = :stage
  AND stay.left_at IS NULL
"""


def _steps(store: Store) -> list[Step]:
    return [Step(id=row["id"], name=row["name"], threshold=row["threshold"]) for row in stages.all_(store)]


def _ladder(store: Store, steps: Sequence[Step]) -> list[Rung]:
    inclusive = settings.get(store, "stages.inclusive")
    return stages.rungs([(step.id, step.name, step.threshold) for step in steps], inclusive=inclusive)


# The moves


def _gather(store: Store, now: datetime, ladder: Sequence[Rung], among: str | None, scores: str = "scores") -> None:
    """Write down who is to stand elsewhere by the score."""
    promoting.begin(store, _MOVES)
    said = {"now": to_ms(now), "scope": GLOBAL, "lowest": ladder[0].bar if ladder else stages.HIGHEST}
    words = {
        "scores": scores,
        "due": promoting.due(ladder, "coalesce(scores.points, 0)"),
        "held": promoting.due(ladder, "stay.score"),
        "standing": promoting.standing(ladder),
    }
    store.execute(_RISING.format(**words, among=f"AND scores.contact_id IN ({among})" if among else ""), said)
    if settings.get(store, "stages.demote"):
        store.execute(_FALLING.format(**words, among=f"AND stay.contact_id IN ({among})" if among else ""), said)


# A stage set by hand holds until the score leads elsewhere than it did then.
_RISING = f"""
INSERT INTO {_MOVES} (contact_id, number, before, due, at, score)
SELECT contact_id, 1, standing, due, at, points
FROM (
  SELECT scores.contact_id, {_AT.format(now=":now")} AS at, scores.points, {{due}} AS due, {{standing}} AS standing,
    CASE WHEN stay.cause = 'hand' THEN {{held}} ELSE 0 END AS held
  FROM {{scores}} AS scores
  LEFT JOIN stage_stays AS stay ON stay.contact_id = scores.contact_id AND stay.left_at IS NULL
  WHERE scores.scope_id = :scope
    AND scores.points > :lowest
    {{among}}
) AS found
WHERE due > standing
  AND due > held
"""

_FALLING = f"""
INSERT INTO {_MOVES} (contact_id, number, before, due, at, score)
SELECT contact_id, 1, standing, due, at, points
FROM (
  SELECT stay.contact_id, {_AT.format(now=":now")} AS at, coalesce(scores.points, 0) AS points,
    {{due}} AS due, {{standing}} AS standing,
    CASE WHEN stay.cause = 'hand' THEN {{held}} ELSE {stages.MOST} + 1 END AS held
  FROM stage_stays AS stay
  LEFT JOIN {{scores}} AS scores ON scores.contact_id = stay.contact_id AND scores.scope_id = :scope
  WHERE stay.left_at IS NULL
    {{among}}
) AS found
WHERE due < standing
  AND due < held
"""


def _carry_out(
    store: Store, now: datetime, ladder: Sequence[Rung], cause: str, *, passing: bool = True, silently: bool = False
) -> int:
    moved = int(store.value(f"SELECT count(*) FROM {_MOVES}"))
    if not moved:
        return 0
    told = promoting.carry_out(store, to_ms(now), _MOVES, ladder, cause, passing=passing)
    if silently:
        store.execute(_TOUCH, {"now": to_ms(now)})
        return moved
    events.record_caused(store, now, told)
    return moved


_TOUCH = f"""
UPDATE contacts
SET updated_at = :now
WHERE id IN (SELECT contact_id FROM {_MOVES})
"""


def _told(store: Store, ladder: Sequence[Rung]) -> list[dict[str, Any]]:
    names = {rung.position: rung.name for rung in ladder}
    return [
        {"from": names.get(row["before"]), "to": names.get(row["due"]), "contacts": row["contacts"]}
        for row in store.rows(_COUNTED)
    ]


_COUNTED = f"""
SELECT before, due, count(*) AS contacts
FROM {_MOVES}
GROUP BY before, due
ORDER BY before, due
"""
