"""A replay of history under other rules: what it would change, and making it so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from macli.clock import to_ms
from macli.lifecycle import stages
from macli.scoring import replaying, rule_sets
from macli.scoring.replaying import Staged
from macli.scoring.rule_sets import Change
from macli.store import Store, point_rules, scopes
from macli.store.scopes import GLOBAL

_CACHE_MB = 256


@dataclass(frozen=True, kw_only=True)
class Replay:
    """History staged under rules, and what becomes of the rules where it is applied."""

    staged: Staged
    changes: Sequence[Change]


def prepare(store: Store, now: datetime, changes: Sequence[Change] = (), since: datetime | None = None) -> Replay:
    """Stage history under the rules there would be after ``changes``. Raises OperationFailed.

    Nothing but temp tables is written, and names of scopes nothing was counted in yet.
    """
    store.keep_in_memory(_CACHE_MB)
    touched = {change.rule.id for change in changes}
    rules = [rule for rule in point_rules.listed(store) if rule.id not in touched]
    rules += [change.rule for change in changes if change.what != "gone"]
    with store.write():
        for scope in {scope for rule in rules for scope in rule.scopes if scope.kind in ("group", "tag")}:
            scopes.id_of(store, scope)
    staged = replaying.stage(
        store, to_ms(now), sorted(rules, key=lambda rule: rule.id), None if since is None else to_ms(since)
    )
    return Replay(staged=staged, changes=changes)


def apply(store: Store, now: datetime, replay: Replay) -> int:
    """Make the staged history the contacts', and its rules those in force; how many come to another stage.

    One transaction. What happened meanwhile is counted under the new rules too. No watched value is told of:
    nothing happened today.
    """
    with store.write():
        rule_sets.put(store, now, replay.changes)
        replaying.catch_up(store, to_ms(now), replay.staged)
        replaying.settle(store, to_ms(now))
        return stages.settle(store, now, "replay", among=_RISEN)


_RISEN = f"""
SELECT contact_id
FROM replayed_scores
WHERE scope_id = {GLOBAL}
  AND score > old
"""
