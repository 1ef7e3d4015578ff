"""Newer rules on old hits: what would change, and the change, in the hits and in their events."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from macli import events
from macli.clock import to_ms
from macli.hits import rules as written
from macli.hits.digest import KEY, NAMES, SOURCE, event_name
from macli.hits.judging import judge
from macli.hits.rules import CLASSES, Rules
from macli.model import NewEvent
from macli.scoring import rescoring
from macli.store import Row, Store

_CHUNK = 5000

_JUDGED = """
WHERE class IS NOT NULL
  AND id > :after
  AND at >= :since
ORDER BY id
LIMIT :limit
"""

_CHANGES = """
CREATE TEMP TABLE IF NOT EXISTS reclassified (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  send INTEGER NOT NULL,
  was TEXT NOT NULL,
  class TEXT NOT NULL,
  rule TEXT,
  old_key TEXT NOT NULL,
  new_key TEXT NOT NULL
)
"""

_COLLECT = f"""
INSERT INTO reclassified (id, kind, send, was, class, rule, old_key, new_key)
SELECT judged.id, judged.kind, judged.send, judged.was, judged.class, judged.rule,
  {KEY.replace("judged.class", "judged.was")}, {KEY}
FROM judged
WHERE judged.was <> judged.class
"""

_SUMMARY = """
SELECT reclassified.kind, reclassified.was AS before, reclassified.class AS after,
  coalesce(reclassified.rule, 'no rule fits') AS rule, count(*) AS hits,
  count(DISTINCT sends.contact_id) AS contacts
FROM reclassified
LEFT JOIN sends ON sends.id = reclassified.send
GROUP BY reclassified.kind, reclassified.was, reclassified.class, coalesce(reclassified.rule, 'no rule fits')
ORDER BY hits DESC, rule
"""

_KEEP = """
UPDATE hits
SET class = reclassified.class, rule = reclassified.rule, rules_version = :version
FROM reclassified
WHERE reclassified.id = hits.id
"""

# The first hit of a minute names its event; another of the same minute may stay in the old class, and
# then so does the event.
_LEFT_BEHIND = f"""
SELECT {KEY}
FROM hits AS judged
WHERE judged.send IN (SELECT send FROM reclassified)
"""

_RENAME = """
UPDATE events
SET name = :new_name, source_id = moved.new_key
FROM (
  SELECT old_key, min(new_key) AS new_key
  FROM reclassified
  WHERE kind = :kind
    AND was = :was
    AND class = :class
  GROUP BY old_key
) AS moved
WHERE events.source = :source
  AND events.source_id = moved.old_key
  AND events.name = :old_name
  AND moved.old_key NOT IN (SELECT key FROM standing)
  AND NOT EXISTS (
    SELECT 1
    FROM events AS taken
    WHERE taken.source = :source
      AND taken.source_id = moved.new_key
  )
"""

_TOUCHED = "events.source = :source AND events.source_id IN (SELECT old_key FROM reclassified)"

_ORPHANED = """
DELETE FROM events
WHERE source = :source
  AND source_id IN (SELECT old_key FROM reclassified)
  AND source_id NOT IN (SELECT key FROM standing)
"""


@dataclass(frozen=True, kw_only=True)
class Reclassified:
    """``rows``: kind, before, after, rule, hits, contacts of each kind of change."""

    version: int
    looked_at: int
    changed: int
    rows: list[Row]


def compare(store: Store, workspace: Path, *, since: datetime | None = None) -> Reclassified:
    """What the rules in force would say of the hits judged so far. Nothing is changed."""
    rules = written.read(workspace)
    looked_at = _collect(store, rules, since)
    return Reclassified(
        version=rules.version,
        looked_at=looked_at,
        changed=int(store.value("SELECT count(*) FROM reclassified")),
        rows=store.rows(_SUMMARY),
    )


def apply(store: Store, now: datetime, workspace: Path, *, since: datetime | None = None) -> Reclassified:
    """Judge the hits anew and give their events the names that follow. Waits and entries are not run again;
    points are."""
    result = compare(store, workspace, since=since)
    if not result.changed:
        return result
    with store.write():
        store.execute(_KEEP, {"version": result.version})
        store.execute("CREATE TEMP TABLE IF NOT EXISTS standing (key TEXT PRIMARY KEY)")
        store.execute("DELETE FROM standing")
        store.execute(f"INSERT INTO standing (key) {_LEFT_BEHIND} ON CONFLICT DO NOTHING")
        rescoring.remember(store, _TOUCHED, {"source": SOURCE})
        for (kind, _), base in NAMES.items():
            for was in CLASSES:
                for of_class in CLASSES:
                    if was != of_class:
                        store.execute(
                            _RENAME,
                            {
                                "kind": kind,
                                "was": was,
                                "class": of_class,
                                "source": SOURCE,
                                "old_name": event_name(base, was),
                                "new_name": event_name(base, of_class),
                            },
                        )
        # The newest event of all, so that no later one gets the number of one deleted here and is overlooked
        # by who reads on from there.
        said = NewEvent(
            contact_id=None,
            name="hits.reclassified",
            at=to_ms(now),
            source="reclassify",
            properties={"rules_version": result.version, "changed": result.changed},
        )
        events.record(store, now, [said])
        store.execute(_ORPHANED, {"source": SOURCE})
        events.record_caused(store, now, rescoring.correct(store, to_ms(now)))
    return result


def _collect(store: Store, rules: Rules, since: datetime | None) -> int:
    store.execute(_CHANGES)
    store.execute("DELETE FROM reclassified")
    looked_at, after = 0, 0
    start = 0 if since is None else to_ms(since)
    while found := judge(store, rules, _JUDGED, {"after": after, "since": start, "limit": _CHUNK}):
        looked_at += found
        after = int(store.value("SELECT max(id) FROM judged"))
        store.execute(_COLLECT)
    return looked_at
