"""History under other rules: what was staged of it, kept up to date, and written down.

Nothing of it leaves the temp tables before ``settle``, which writes the ledger in the order of its key and
only where it differs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from macli.scoring import staging
from macli.scoring.staging import AGAIN
from macli.store import Store, sweeps
from macli.store.point_rules import PointRule


@dataclass(frozen=True, kw_only=True)
class Staged:
    """What was staged: under which rules, from which time (ms), by which state of the store, up to which event."""

    rules: tuple[PointRule, ...]
    since: int | None
    version: int
    last: int


def stage(store: Store, now_ms: int, rules: Sequence[PointRule], since: int | None) -> Staged:
    """Fill the temp tables with history under these rules. Raises OperationFailed where one does not read."""
    staging.clear(store)
    active = tuple(rule for rule in rules if rule.active)
    staged = Staged(
        rules=active,
        since=since,
        version=store.changes_elsewhere(),  # asked first: what comes between the two is a change
        last=int(store.value("SELECT coalesce(max(id), 0) FROM events")),
    )
    staging.fill(store, now_ms, active, since, "events.id <= :last", staged.last)
    return staged


def catch_up(store: Store, now_ms: int, staged: Staged) -> None:
    """Stage those contacts again to whom something may have happened since. Inside a write."""
    if store.changes_elsewhere() == staged.version:
        return
    store.execute("DELETE FROM replayed_again")
    store.execute(_CHANGED, {"last": staged.last, "since": now_ms - _LONGEST_RUN_MS})
    staging.clear(store, AGAIN)
    staging.clear(store, "contact_id NOT IN (SELECT id FROM contacts)")
    staging.fill(store, now_ms, staged.rules, staged.since, f"events.{AGAIN}", staged.last, AGAIN)


_LONGEST_RUN_MS = 24 * 3600 * 1000
"""Who writes now may have read the clock so long ago."""

_CHANGED = """
INSERT INTO replayed_again (contact_id)
SELECT contact_id FROM events WHERE id > :last AND contact_id IS NOT NULL
UNION
SELECT contact_id FROM scores WHERE changed_at >= :since
UNION
SELECT id FROM contacts WHERE updated_at >= :since
"""


def settle(store: Store, now_ms: int) -> None:
    """Write the staged ledger and scores where they differ from those there are. Inside a write."""
    for statement in (_LEAVE, _COME, _SUMS, _NOTHING):
        store.execute(statement, {"now": now_ms} if ":now" in statement else {})
    if store.execute(_TOUCH, {"now": now_ms}):
        sweeps.look_at_all(store)


_SAME = """
replayed.contact_id = point_ledger.contact_id
AND replayed.scope_id = point_ledger.scope_id
AND replayed.rule = point_ledger.rule
AND replayed.event = point_ledger.event
AND replayed.part = point_ledger.part
"""

_LEAVE = f"""
DELETE FROM point_ledger
WHERE rule > 0
  AND NOT EXISTS (
    SELECT 1
    FROM replayed
    WHERE {_SAME}
      AND replayed.points = point_ledger.points
      AND replayed.at = point_ledger.at
      AND coalesce(replayed.decays_at, -1) = coalesce(point_ledger.decays_at, -1)
  )
"""

_COME = f"""
INSERT INTO point_ledger (contact_id, scope_id, rule, event, part, points, at, decays_at)
SELECT contact_id, scope_id, rule, event, part, points, at, decays_at
FROM replayed
WHERE NOT EXISTS (SELECT 1 FROM point_ledger WHERE {_SAME})
ORDER BY contact_id, scope_id, rule, event, part
"""

_SUMS = """
INSERT INTO scores (contact_id, scope_id, points, changed_at)
SELECT contact_id, scope_id, score, :now
FROM replayed_scores
WHERE score <> old
ON CONFLICT (contact_id, scope_id) DO UPDATE
SET points = excluded.points, changed_at = excluded.changed_at
"""

# No row is no points.
_NOTHING = """
DELETE FROM scores
WHERE points = 0
  AND NOT EXISTS (
    SELECT 1
    FROM point_ledger
    WHERE point_ledger.contact_id = scores.contact_id
      AND point_ledger.scope_id = scores.scope_id
  )
"""

_TOUCH = """
UPDATE contacts
SET updated_at = :now
WHERE id IN (SELECT contact_id FROM replayed_scores WHERE score <> old)
"""
