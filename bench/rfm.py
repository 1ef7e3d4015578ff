"""What a nightly RFM report costs beside the bare query of the same bands, and what a sweep with nothing due costs.

    python bench/rfm.py            # 1,000,000 contacts, 5,000,000 purchases; and 10,000 contacts for the sweep
    python bench/rfm.py --small    # a twentieth of it, for a quick look

The report is made, then computed anew as ``macli rfm recompute`` does it, on the day after: some contacts come
to other bands. The bare query groups the purchases by contact and names the bands, and nothing more; it is the
best of what the engine does with it. Both are the best of several runs, in turns, in one process.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from macli.clock import to_ms
from macli.lifecycle import rfm
from macli.store import Store, open_store, settings
from macli.tick import chores
from macli.tick.engine import Engine

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)
DAY = timedelta(days=1)

CONTACTS = """
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :contacts)
INSERT INTO contacts (id, email, added_at, updated_at)
SELECT n, 'person' || n || '@example.com', :now - 31536000000, :now - 31536000000
FROM number
"""

# In the order of time, as a log grows, over two years; some buy a lot and many a little. Multiplication by an
# odd constant modulo 2^31 spreads the numbers; the same store every time.
PURCHASES = """
WITH RECURSIVE
  number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :purchases),
  seed(n, u, b) AS (
    SELECT n, ((n * 48271) % 2147483647 % 1000003) / 1000003.0, ((n * 1103515245 + 12345) % 2147483648) / 8
    FROM number
  )
INSERT INTO events (id, contact_id, name, at, source, properties)
SELECT n, 1 + CAST(:contacts * u * u AS INTEGER) % :contacts, 'order.paid',
  :now - 63072000000 + CAST(63072000000.0 * n / :purchases AS INTEGER), 'shop',
  json_object('order', 'A' || n, 'total', b % 20000 / 100.0, 'currency', 'EUR')
FROM seed
"""

BARE = """
SELECT contact_id, max(at) AS last_at, count(*) AS purchases, sum(properties ->> 'total') AS value,
  CASE
    WHEN :now - max(at) <= 30 * 86400000 THEN 'short'
    WHEN :now - max(at) <= 90 * 86400000 THEN 'medium'
    ELSE 'long'
  END AS recency,
  CASE WHEN count(*) >= 10 THEN 'common' WHEN count(*) >= 3 THEN 'regular' ELSE 'casual' END AS frequency,
  CASE
    WHEN sum(properties ->> 'total') >= 500 THEN 'spender'
    WHEN sum(properties ->> 'total') >= 100 THEN 'medium'
    ELSE 'saver'
  END AS monetary
FROM events
WHERE name = 'order.paid'
  AND contact_id IS NOT NULL
GROUP BY contact_id
"""


def build(contacts: int) -> Store:
    """A store with so many contacts and five times as many purchases, made where it is not there yet."""
    path = Path(tempfile.gettempdir()) / f"macli-bench-rfm-{contacts}.db"
    if path.exists():
        return open_store(path)
    store = open_store(path, create=True)
    store.connection.execute("PRAGMA synchronous=OFF")
    with store.write():
        params = {"contacts": contacts, "purchases": contacts * 5, "now": to_ms(NOW)}
        store.execute(CONTACTS, params)
        store.execute(PURCHASES, params)
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.connection.execute("PRAGMA synchronous=FULL")
    return store


def report(store: Store) -> float:
    """Make the report anew; the seconds it took."""
    if store.value("SELECT count(*) FROM rfm_reports"):
        rfm.remove(store, "customers")
    started = time.perf_counter()
    rfm.create(
        store,
        NOW,
        "customers",
        recency="short 30 days, medium 90 days",
        frequency="common 10, regular 3",
        monetary="spender 500, medium 100",
    )
    return time.perf_counter() - started


def best(runs: int, *works: Callable[[], object]) -> list[float]:
    """The fastest of several runs of each, in turns, so that a slow spell of the machine hits them all."""
    fastest = [float("inf")] * len(works)
    for _ in range(runs):
        for place, work in enumerate(works):
            started = time.perf_counter()
            work()
            fastest[place] = min(fastest[place], time.perf_counter() - started)
    return fastest


def bare(store: Store, now: datetime) -> int:
    """Run the bare query to its end, keeping nothing; how many contacts it speaks of."""
    kept = "count(last_at), count(purchases), count(value), count(recency), count(frequency), count(monetary)"
    return int(store.value(f"SELECT {kept} FROM ({BARE}) AS bare", {"now": to_ms(now)}))


def nightly(store: Store, contacts: int, runs: int) -> None:
    """Print what the report costs beside the bare query."""
    first = report(store)
    nights = (NOW + day * DAY for day in range(1, runs + 1))
    moved = []

    def night() -> None:
        moved.append(rfm.recompute(store, next(nights), "customers").changed)

    ours, hand = best(runs, night, lambda: bare(store, NOW))
    print(f"{contacts:,} contacts, {contacts * 5:,} purchases; best of {runs}")
    print(f"made and computed for the first time   {first:>8.2f} s")
    print(f"computed anew, {moved[-1]:>9,} moved           {ours:>8.2f} s")
    print(f"the bare query                         {hand:>8.2f} s")
    print(f"ratio                                  {ours / hand:>8.2f}")


def idle(store: Store) -> Callable[[], object]:
    """A look of the chore with nothing due, a thousand times."""
    chore = next(chore for chore in chores.CHORES if chore.name == "rfm")
    at = store.value("SELECT min(moves_at) FROM rfm_bands") - 1
    engine = Engine(
        store=store,
        setting=lambda key: settings.get(store, key),
        now=datetime.fromtimestamp(at / 1000, UTC),
        zone=ZoneInfo("UTC"),
        workspace=store.path.parent,
    )
    assert not chores.is_due(engine, chore)
    return lambda: [chores.is_due(engine, chore) for _ in range(1000)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="50,000 contacts, 250,000 purchases")
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    contacts = 50_000 if given.small else given.contacts
    store = build(contacts)
    nightly(store, contacts, given.runs)
    few = build(10_000)
    report(few)
    large, small = best(5, idle(store), idle(few))
    print(f"\na sweep with nothing due, {contacts:,} contacts {large * 1000:>8.1f} µs")
    print(f"the same with 10,000 contacts          {small * 1000:>8.1f} µs")
    print(f"ratio                                  {large / small:>8.2f}")


if __name__ == "__main__":
    main()
