"""What recomputing history costs: a replay against one INSERT … SELECT of the same ledger, written by hand.

    python bench/points_replay.py                    # 10,000,000 events of 1,000,000 contacts, 20 rules
    python bench/points_replay.py --events 300000    # a quick look

Both read the same events in the same process, in turns. The statement by hand fills an empty table shaped like
the ledger; the replay stages the ledger and the scores, finds what differs from those there are (nothing yet),
and writes both down. The two ledgers are compared row by row; the ratio is to be 3 or less.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import segments

from macli.clock import to_ms
from macli.lifecycle import replaying
from macli.scoring.compiling import MONDAY
from macli.store import Store, point_rules
from macli.store.point_rules import PointRule
from macli.store.scopes import Scope

NOW = segments.NOW
DAY = 86_400_000
GOAL = 3.0

GLOBAL = (Scope(kind="global", name="global"),)
ENGAGED = (Scope(kind="group", name="engagement"),)
BOTH = (*GLOBAL, *ENGAGED)

RULES: tuple[dict[str, Any], ...] = (
    {"event": "email.opened", "points": 5, "scopes": GLOBAL},
    {"event": "email.opened", "points": 1, "scopes": ENGAGED, "most": 3, "most_span": 30 * DAY},
    {"event": "email.clicked", "points": 10, "scopes": GLOBAL},
    {"event": "email.clicked", "points": 2, "scopes": ENGAGED},
    {"event": "page.visited", "points": 2, "scopes": GLOBAL, "most": 5, "most_span": 30 * DAY},
    {"event": "page.visited", "points": 20, "scopes": BOTH, "condition": 'url contains "/pricing"'},
    {"event": "page.visited", "points": 3, "scopes": ENGAGED, "condition": 'url ends with "/7"'},
    {"event": "page.visited", "points": 1, "scopes": ENGAGED, "most": 1},
    {"event": "order.paid", "points": 30, "scopes": BOTH},
    {"event": "order.paid", "points": 50, "scopes": GLOBAL, "condition": "total > 400"},
    {"event": "order.paid", "points": -5, "scopes": GLOBAL, "condition": "total < 10"},
    {"event": "product.viewed", "points": 4, "scopes": ENGAGED},
    *({"event": f"own.event{number}", "points": number, "scopes": GLOBAL} for number in range(1, 9)),
)

# By hand: rules as a table, one CASE for what they ask, and windows for the capped ones only.
BY_HAND = """
INSERT INTO by_hand (contact_id, scope_id, rule, event, part, points, at, decays_at)
WITH worth AS (
  SELECT events.contact_id, given.scope AS scope_id, given.rule, events.id AS event, given.points, events.at,
    given.most, given.span
  FROM events
  JOIN given ON given.event = events.name || ''
  WHERE CASE given.rule
    WHEN 6 THEN properties ->> 'url' LIKE '%/pricing%'
    WHEN 7 THEN properties ->> 'url' LIKE '%/7'
    WHEN 10 THEN properties ->> 'total' > 400
    WHEN 11 THEN properties ->> 'total' < 10
    ELSE TRUE
  END
)
SELECT contact_id, scope_id, rule, event, 0, points, at, NULL
FROM (
  SELECT contact_id, scope_id, rule, event, points, at
  FROM worth
  WHERE most IS NULL
  UNION ALL
  SELECT contact_id, scope_id, rule, event, points, at
  FROM (
    SELECT worth.*, row_number() OVER (
        PARTITION BY contact_id, scope_id, rule, CASE WHEN span IS NULL THEN 0 ELSE (at - :monday) / span END
        ORDER BY at, event
      ) AS place
    FROM worth
    WHERE most IS NOT NULL
  )
  WHERE place <= most
)
ORDER BY contact_id, scope_id, rule, event
"""

TABLE = """
CREATE TABLE by_hand (
  contact_id INTEGER NOT NULL,
  scope_id INTEGER NOT NULL,
  rule INTEGER NOT NULL,
  event INTEGER NOT NULL,
  part INTEGER NOT NULL DEFAULT 0,
  points INTEGER NOT NULL,
  at INTEGER NOT NULL,
  decays_at INTEGER,
  PRIMARY KEY (contact_id, scope_id, rule, event, part)
) STRICT, WITHOUT ROWID
"""

DIFFERENT = """
SELECT count(*)
FROM (
  SELECT contact_id, scope_id, rule, event, points, at FROM {one}
  EXCEPT
  SELECT contact_id, scope_id, rule, event, points, at FROM {other}
)
"""


def build(path: Path, events: int) -> Store:
    """A store with events, 20 rules and an empty ledger."""
    store = segments.build(path, events // 10)
    for number, rule in enumerate(RULES, 1):
        point_rules.add(store, to_ms(NOW), PointRule(name=f"rule {number}", **rule))
    with store.write():
        store.execute(TABLE)
        store.execute(
            "CREATE TABLE given (rule INTEGER, event TEXT, scope INTEGER, points INTEGER, most INTEGER, span INTEGER)"
        )
        store.execute(
            """
            INSERT INTO given (rule, event, scope, points, most, span)
            SELECT point_rules.id, point_rules.event, scopes.id, point_rules.points, most, most_span
            FROM point_rules
            JOIN point_rule_scopes ON point_rule_scopes.rule_id = point_rules.id
            JOIN scopes ON scopes.kind = point_rule_scopes.kind AND scopes.name_key = point_rule_scopes.name_key
            """
        )
    return store


def by_hand(store: Store) -> float:
    with store.write():
        store.execute("DELETE FROM by_hand")
    started = time.perf_counter()
    with store.write():
        store.execute(BY_HAND, {"monday": MONDAY})
    return time.perf_counter() - started


def replay(store: Store) -> tuple[float, float]:
    """Seconds to stage it, and in all."""
    with store.write():
        store.execute("DELETE FROM point_ledger")
        store.execute("DELETE FROM scores")
    started = time.perf_counter()
    prepared = replaying.prepare(store, NOW)
    staged = time.perf_counter() - started
    replaying.apply(store, NOW, prepared)
    return staged, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="macli-bench-replay-") as folder:
        store = build(Path(folder) / "macli.db", given.events)
        store.keep_in_memory(256)
        print(f"{given.events:,} events of {given.events // 10:,} contacts, {len(RULES)} rules; best of {given.rounds}")
        hand, staged, whole = float("inf"), float("inf"), float("inf")
        for _ in range(given.rounds):
            hand = min(hand, by_hand(store))
            found = replay(store)
            staged, whole = min(staged, found[0]), min(whole, found[1])
        rows = int(store.value("SELECT count(*) FROM point_ledger"))
        for one, other in (("by_hand", "point_ledger"), ("point_ledger", "by_hand")):
            assert store.value(DIFFERENT.format(one=one, other=other)) == 0
        print(f"{rows:,} rows of the ledger: by hand {hand:.1f} s, replay {whole:.1f} s (staged in {staged:.1f} s)")
        ratio = whole / hand
        print(f"ratio {ratio:.2f}{'' if ratio <= GOAL else '   TOO SLOW'}")


if __name__ == "__main__":
    main()
