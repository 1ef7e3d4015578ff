"""How a segment's preview compares with the best SQL written by hand, on a million contacts.

    python bench/segments.py            # 1,000,000 contacts, 10,000,000 events; the store is kept
    python bench/segments.py --small    # a hundredth of it, for a quick look

For each rule of the table it prints the time of ``selection.preview`` (text to count and sample),
of the fastest hand-written statement that counts the same contacts, and the ratio; the best of
several runs of each, in turns, in one process. The answers are compared.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from macli import selection
from macli.clock import to_ms
from macli.store import Store, attributes, open_store

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ZONE = ZoneInfo("UTC")
DAY = 86_400_000

# Multiplication by an odd constant modulo 2^31 spreads the numbers; the same store every time.
CONTACTS = """
WITH RECURSIVE
  number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :contacts),
  seed(n, a, b) AS (SELECT n, (n * 1103515245 + 12345) % 2147483648, (n * 69621 + 7) % 2147483647 FROM number)
INSERT INTO contacts (id, email, phone, state, attributes, source, added_at, updated_at)
SELECT n, 'person' || n || '@example' || (a % 50) || '.com',
  CASE WHEN b % 3 = 0 THEN '+1416' || (1000000 + n) END,
  'lead',
  json_object(
    'first_name', 'Name' || (a % 5000),
    'last_name', 'Family' || (b % 20000),
    'country', CASE WHEN (a / 64) % 20 = 0 THEN 'Canada' ELSE 'Country' || ((a / 64) % 20) END,
    'city', 'City' || (b % 900),
    'plan', CASE b % 4 WHEN 0 THEN 'free' WHEN 1 THEN 'team' ELSE 'personal' END,
    'score', (b / 128) % 100,
    'birthday', printf('%04d-%02d-%02d', 1950 + a % 55, 1 + b % 12, 1 + a % 28)
  ),
  'import', :now - (a % 1000) * 86400000, :now - 86400000
FROM seed
"""

TAGGED = """
INSERT INTO contact_tags (contact_id, tag_id, tagged_at)
SELECT contacts.id, tags.id, :now
FROM contacts
JOIN tags ON (contacts.id * 48271 % 2147483647) % tags.id < 1
"""

EVENTS = """
WITH RECURSIVE
  number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :events),
  seed(n, a, b) AS (
    SELECT n, ((n * 1103515245 + 12345) % 2147483648) / 8, (n * 48271) % 2147483647
    FROM number
  ),
  spread(n, a, b, u) AS (SELECT n, a, b, (b % 1000003) / 1000003.0 FROM seed)
INSERT INTO events (id, contact_id, name, at, source, properties)
SELECT n,
  1 + CAST(:contacts * u * u AS INTEGER) % :contacts,
  CASE
    WHEN a % 20 < 8 THEN 'page.visited'
    WHEN a % 20 < 13 THEN 'email.opened'
    WHEN a % 20 < 15 THEN 'email.clicked'
    WHEN a % 20 < 16 THEN 'order.paid'
    ELSE 'product.viewed'
  END,
  :now - CAST((a / 20 % 100000) / 100000.0 * 31536000000 AS INTEGER),
  'bench',
  CASE
    WHEN a % 20 < 8 THEN json_object(
      'url', 'https://example.com/' || CASE a % 7 WHEN 0 THEN 'pricing' ELSE 'page' END || '/' || (b % 400)
    )
    WHEN a % 20 = 15 THEN json_object('total', b % 500, 'currency', 'EUR')
    ELSE '{}'
  END
FROM spread
"""

SCORES = """
INSERT INTO scores (contact_id, scope_id, points, changed_at)
SELECT id, 1, (id * 48271 % 2147483647) % 120 - 20, :now
FROM contacts
WHERE id % 5 < 3
"""

STAGES = (
    """
    INSERT INTO stages (id, name, name_key, position, threshold, created_at, updated_at)
    VALUES (1, 'Interest', 'interest', 1, 20, 0, 0), (2, 'Purchase', 'purchase', 2, 60, 0, 0)
    """,
    """
    INSERT INTO stage_stays (contact_id, stage_id, entered_at, cause)
    SELECT contact_id, CASE WHEN points >= 60 THEN 2 ELSE 1 END, :now, 'bench'
    FROM scores
    WHERE points >= 20
    """,
)

INDEXES = ("events_contact", "events_name", "events_send")


def build(path: Path, contacts: int) -> Store:
    """The store at ``path``, made where it is not there yet."""
    if path.exists():
        return open_store(path)
    started = time.perf_counter()
    store = open_store(path, create=True)
    now = to_ms(NOW)
    for name, kind in (("country", "text"), ("score", "number"), ("plan", "text"), ("birthday", "date")):
        attributes.declare(store, now, name, kind)
    again = [
        row["sql"]
        for row in store.rows("SELECT name, sql FROM sqlite_master WHERE type = 'index'")
        if row["name"] in INDEXES
    ]
    store.connection.execute("PRAGMA synchronous=OFF")
    with store.write():
        for name in INDEXES:
            store.execute(f"DROP INDEX {name}")
        params = {"contacts": contacts, "events": contacts * 10, "now": now}
        store.execute(CONTACTS, params)
        store.execute("INSERT INTO tags (id, name) VALUES (10, 'CHURNED'), (25, 'VIP'), (3, 'NEWSLETTER')")
        store.execute(TAGGED, params)
        store.execute(EVENTS, params)
        for statement in (SCORES, *STAGES):
            store.execute(statement, params)
        for sql in again:
            store.execute(sql)
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.connection.execute("PRAGMA synchronous=FULL")
    print(f"built in {time.perf_counter() - started:.0f} s, {path.stat().st_size / 2**20:,.0f} MiB", file=sys.stderr)
    return store


def ago(days: int) -> int:
    return to_ms(NOW - timedelta(days=days))


OPENED = f"SELECT contact_id FROM events WHERE name = 'email.opened' AND at >= {ago(30)} AND at <= {to_ms(NOW)}"
OPENED_BY = (
    "EXISTS (SELECT 1 FROM events WHERE contact_id = contacts.id AND name = 'email.opened'"
    f" AND at >= {ago(30)} AND at <= {to_ms(NOW)})"
)
COUNTRY = "lower(attributes ->> 'country') = 'canada'"
SCORE = "attributes ->> 'score' >= 50"
CHURNED = "SELECT contact_id FROM contact_tags WHERE tag_id = (SELECT id FROM tags WHERE name = 'CHURNED')"
CHURNED_BY = f"EXISTS ({CHURNED} AND contact_id = contacts.id)"
POINTS = "SELECT contact_id FROM scores WHERE scope_id = 1 AND points"
STAGE = "SELECT contact_id FROM stage_stays WHERE stage_id = 2 AND left_at IS NULL"
PRICING = (
    "FROM events WHERE name = 'page.visited'"
    f" AND at >= {ago(14)} AND at <= {to_ms(NOW)} AND properties ->> 'url' LIKE '%/pricing%'"
)
RULES: dict[str, tuple[str, tuple[str, ...]]] = {
    "attribute": ("country = Canada", (COUNTRY,)),
    "behaviour": ("opened email within 30 days", (f"id IN ({OPENED})", OPENED_BY)),
    "both, tag, number": (
        "country = Canada and opened email within 30 days and not tagged churned and score >= 50",
        (
            f"{COUNTRY} AND {SCORE} AND {OPENED_BY} AND NOT {CHURNED_BY}",
            f"id IN ({OPENED}) AND {COUNTRY} AND {SCORE} AND id NOT IN ({CHURNED})",
            f"id IN ({OPENED}) AND {COUNTRY} AND {SCORE} AND NOT {CHURNED_BY}",
        ),
    ),
    "points": (
        'score("global") >= 50',
        (f"id IN ({POINTS} >= 50)", f"EXISTS ({POINTS} >= 50 AND contact_id = contacts.id)"),
    ),
    "no points are 0": (
        'score("global") < 90',
        (f"id NOT IN ({POINTS} >= 90)", f"NOT EXISTS ({POINTS} >= 90 AND contact_id = contacts.id)"),
    ),
    "stage, points, tag": (
        'stage is Purchase and score("global") >= 80 and not tagged churned',
        (
            f"id IN ({STAGE}) AND id IN ({POINTS} >= 80) AND NOT {CHURNED_BY}",
            f"id IN ({STAGE}) AND EXISTS ({POINTS} >= 80 AND contact_id = contacts.id) AND NOT {CHURNED_BY}",
            f"id IN ({POINTS} >= 80) AND EXISTS ({STAGE} AND contact_id = contacts.id) AND NOT {CHURNED_BY}",
        ),
    ),
    "count in a window": (
        'event page.visited with url contains "/pricing" at least 3 times within 14 days',
        (
            f"id IN (SELECT contact_id {PRICING} GROUP BY contact_id HAVING count(*) >= 3)",
            f"(SELECT count(*) {PRICING} AND contact_id = contacts.id) >= 3",
        ),
    ),
}


def best(runs: int, *works: Callable[[], object]) -> list[float]:
    """The fastest of several runs of each, in turns, so that a slow spell of the machine hits them all."""
    fastest = [float("inf")] * len(works)
    for _ in range(runs):
        for place, work in enumerate(works):
            started = time.perf_counter()
            work()
            fastest[place] = min(fastest[place], time.perf_counter() - started)
    return fastest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="10,000 contacts")
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    contacts = 10_000 if given.small else given.contacts
    store = build(Path(tempfile.gettempdir()) / f"macli-bench-segments-and-points-{contacts}.db", contacts)
    print(f"{contacts:,} contacts, {contacts * 10:,} events; best of {given.runs}")
    for indexed in (False, True):
        attributes.unindex(store, "country")
        store.connection.execute("DROP INDEX IF EXISTS bench_by_hand")
        if indexed:
            attributes.index(store, "country")
            store.connection.execute(
                "CREATE INDEX bench_by_hand ON contacts (lower(attributes ->> 'country')) WHERE removed_at IS NULL"
            )
        title = "country indexed" if indexed else "no index on an attribute"
        print(f"\n{title:<24}{'contacts':>10}{'preview':>12}{'by hand':>12}{'ratio':>8}")
        for name, (rule, by_hand) in RULES.items():
            if indexed and "country" not in rule:
                continue
            compare(store, name, rule, by_hand, given.runs)


def compare(store: Store, name: str, rule: str, by_hand: tuple[str, ...], runs: int) -> None:
    statements = [f"SELECT count(*) FROM contacts WHERE removed_at IS NULL AND {sql}" for sql in by_hand]

    def preview() -> int:
        return selection.preview(store, selection.where_of(store, rule, NOW, ZONE)).count

    def counting(statement: str) -> Callable[[], int]:
        return lambda: int(store.value(statement))

    works = [counting(statement) for statement in statements]
    answers = {preview(), *(work() for work in works)}
    assert len(answers) == 1, f"{name}: {answers}"
    ours, *theirs = best(runs, preview, *works)
    hand = min(theirs)
    print(f"{name:<24}{answers.pop():>10,}{ours * 1000:>9.1f} ms{hand * 1000:>9.1f} ms{ours / hand:>8.2f}")


if __name__ == "__main__":
    main()
