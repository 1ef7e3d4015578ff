"""A replay of history under other rules: what it would change, and making it so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from macli.clock import to_ms
from macli.errors import OperationFailed
from macli.lifecycle import stages
from macli.scoring import replaying, rule_sets
from macli.scoring.replaying import Staged
from macli.scoring.rule_sets import Change
from macli.store import Store, point_rules, scopes, settings
from macli.store.scopes import GLOBAL

_CACHE_MB = 256


@dataclass(frozen=True, kw_only=True)
class Replay:
    """History staged under rules, and what becomes of the rules where it is applied.

    ``basis`` is what was read beside events and contacts: nobody may have changed it when it is applied.
    """

    staged: Staged
    changes: Sequence[Change]
    basis: tuple[Any, ...]


def _basis(store: Store) -> tuple[Any, ...]:
    stages_ = [(row["id"], row["stage_id"]) for row in scopes.all_(store) if row["kind"] == "stage"]
    counting = [settings.get(store, key) for key in ("points.decay", "timezone")]
    return point_rules.listed(store), stages_, counting


def prepare(store: Store, now: datetime, changes: Sequence[Change] = (), since: datetime | None = None) -> Replay:
    """Stage history under the rules there would be after ``changes``. Raises OperationFailed.

    Nothing but temp tables is written, and names of scopes nothing was counted in yet.
    """
    store.keep_in_memory(_CACHE_MB)
    basis = _basis(store)
    touched = {change.rule.id for change in changes}
    rules = [rule for rule in point_rules.listed(store) if rule.id not in touched]
    rules += [change.rule for change in changes if change.what != "gone"]
    with store.write():
        for scope in {scope for rule in rules for scope in rule.scopes if scope.kind in ("group", "tag")}:
            scopes.id_of(store, scope)
    staged = replaying.stage(
        store, to_ms(now), sorted(rules, key=lambda rule: rule.id), None if since is None else to_ms(since)
    )
    return Replay(staged=staged, changes=changes, basis=basis)


def moves(store: Store, now: datetime) -> list[dict[str, Any]]:
    """Who would come to another stage by what is staged: from, to, contacts."""
    return stages.unsettled(store, now, among=_CHANGED, scores=_SCORES)


def apply(store: Store, now: datetime, replay: Replay, *, silently: bool = True) -> int:
    """Make the staged history the contacts', and its rules those in force; how many come to another stage.

    One transaction. What happened meanwhile is counted under the new rules too. No watched value is told of:
    nothing happened today; and stage.entered is recorded only where it is not to be done ``silently``. Raises
    OperationFailed where somebody changed the rules meanwhile.
    """
    with store.write():
        if _basis(store) != replay.basis:
            raise OperationFailed(
                "rules, funnels or settings that points are counted by changed meanwhile",
                hint="run the same command again",
            )
        rule_sets.put(store, now, replay.changes)
        replaying.catch_up(store, to_ms(now), replay.staged)
        replaying.settle(store, to_ms(now))
        return stages.settle(store, now, "replay", among=_CHANGED, silently=silently)


_CHANGED = f"""
SELECT contact_id
FROM replayed_scores
WHERE scope_id = {GLOBAL}
  AND score <> old
"""

_SCORES = "(SELECT contact_id, scope_id, score AS points FROM replayed_scores)"
