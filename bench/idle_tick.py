"""What a tick costs that finds nothing due: 20 campaigns, 100,000 contacts waiting inside them, few and many contacts.

Builds two stores, of 10,000 and of 1,000,000 contacts (and three times as many events), and runs ticks
on both in turn. Prints the lower quartile of each and their ratio,
which is to be at most 1.5, better 1.1.
Usage: python bench/idle_tick.py [CONTACTS …] [--rounds N]
"""

import argparse
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from macli.campaign.definition import parse
from macli.clock import to_ms
from macli.store import Store, campaign_states, campaigns, open_store, settings, starter
from macli.tick.engine import Engine
from macli.tick.tick import run_tick

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
WAITING = 100_000
EVENTS_EACH = 3
STEPS = [
    {"send": "hello"},
    {"wait": "30 days"},
    {"wait_for": {"event": "order.paid", "timeout": "20 days"}, "then": [{"tag": "BUYER"}], "else": []},
    {"if": 'tagged "BUYER"', "then": [{"send": "thanks"}], "else": [{"wait": "5 days"}]},
    {"send": "last"},
]
ENTRIES = [
    {"rule": "number >= 0"},
    {"whenever": "number > 100000000"},
    {"whenever": "birthday is today", "existing": False},
    {"event": "cart.left", "rule": "number >= 5", "delay": "1 hour"},
    {"whenever": 'event "order.paid" at least 50 times within 30 days'},
]


def build(path: Path, contacts: int) -> Store:
    """A store with contacts, events and 20 campaigns of mixed kinds, whose contacts wait."""
    store = open_store(path, create=True)
    starter.furnish(store, NOW)
    store.connection.execute("PRAGMA synchronous=OFF")
    long_ago = to_ms(NOW - timedelta(days=100))
    with store.write():
        for name, kind in (("number", "number"), ("birthday", "date")):
            store.execute("INSERT INTO attributes (name, type, created_at) VALUES (?, ?, 0)", (name, kind))
        store.executemany(
            "INSERT INTO contacts (email, attributes, added_at, updated_at) VALUES (?, ?, ?, ?)",
            (
                (
                    f"c{number}@example.com",
                    json.dumps({"number": number, "birthday": f"1990-{number % 12 + 1:02d}-{number % 28 + 1:02d}"}),
                    long_ago,
                    long_ago,
                )
                for number in range(contacts)
            ),
        )
        store.executemany(
            "INSERT INTO events (contact_id, name, at, source, source_id) VALUES (?, ?, ?, 'bench', ?)",
            (
                (
                    number % contacts + 1,
                    ("email.opened", "page.visited", "order.paid")[number % 3],
                    long_ago,
                    str(number),
                )
                for number in range(contacts * EVENTS_EACH)
            ),
        )
    for number in range(20):
        _campaign(store, number, contacts)
    return store


def _campaign(store: Store, number: int, contacts: int) -> None:
    definition = {"name": f"c{number}", "entry": ENTRIES[number % len(ENTRIES)], "steps": STEPS}
    campaign = parse(definition).campaign
    made = campaigns.create(
        store,
        NOW,
        campaigns.Written(
            name=campaign.name,
            definition=definition,
            category_id=None,
            segment_ids=[],
            steps=[
                campaigns.StepRow(key=node.key, action=node.action.word, events=node.action.events())
                for node in campaign.each_step()
            ],
            origin=None,
        ),
    )
    row = store.row("SELECT * FROM campaigns WHERE id = ?", (made,))
    last = store.value("SELECT max(id) FROM events")
    campaign_states.start(store, NOW, row, start_at=None, from_event=last)
    waits = [
        row["id"]
        for row in store.rows(
            "SELECT id FROM steps WHERE campaign_id = ? AND action IN ('wait', 'wait_for') ORDER BY id LIMIT 2", (made,)
        )
    ]
    each = WAITING // 20
    with store.write():
        store.executemany(
            """
            INSERT INTO enrollments (campaign_id, contact_id, version, step_id, due_at, entered_at, arrived_at)
            VALUES (?, ?, 1, ?, ?, ?, ?)
            """,
            (
                (made, place % contacts + 1, waits[place % 2], to_ms(NOW + timedelta(days=15)), to_ms(NOW), to_ms(NOW))
                for place in range(each)
            ),
        )
        if number % len(ENTRIES) == 0:
            store.execute("UPDATE campaigns SET enrolled_at = ? WHERE id = ?", (to_ms(NOW), made))


def tick(store: Store, path: Path, now: datetime, *, idle: bool = True) -> float:
    """The seconds one tick takes."""
    engine = Engine(
        store=store,
        setting=lambda key: settings.get(store, key),
        now=now,
        zone=ZoneInfo("UTC"),
        workspace=path,
    )
    started = time.perf_counter()
    report = run_tick(engine)
    seconds = time.perf_counter() - started
    if idle:
        assert report.line().startswith("nothing due"), report.line()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contacts", nargs="*", type=int, default=[10_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=100)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        stores = {}
        for number in asked.contacts:
            started = time.perf_counter()
            stores[number] = build(Path(folder) / f"{number}.db", number)
            print(f"{number:>9,} contacts: store built in {time.perf_counter() - started:.0f} s")
            for minutes in (1, 5, 10):
                seconds = tick(stores[number], Path(folder), NOW + timedelta(minutes=minutes), idle=False)
                print(f"{number:>9,} contacts: tick of minute {minutes}: {seconds:.3f} s")
        taken: dict[int, list[float]] = {number: [] for number in asked.contacts}
        for round_ in range(asked.rounds):
            for number, store in stores.items():
                now = NOW + timedelta(minutes=10, seconds=round_ + 1)
                taken[number].append(tick(store, Path(folder), now))
        # The lower quartile: what else the machine does only ever adds.
        typical = [statistics.quantiles(seconds, n=4)[0] for seconds in taken.values()]
        for number, seconds in zip(asked.contacts, typical, strict=True):
            print(f"{number:>9,} contacts: idle tick {seconds * 1000:.2f} ms")
        print(f"ratio {typical[-1] / typical[0]:.2f}  (at most 1.5, goal 1.1)")


if __name__ == "__main__":
    main()
