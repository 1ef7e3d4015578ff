"""What points cost: recording events under 20 point rules against recording them under none.

    python bench/points.py              # 100,000 events of 5,000 contacts, in batches of 5,000, of 1,000, of 1 to 20
    python bench/points.py --small      # a tenth of it

Both stores are filled in turns, batch by batch, in one process and transaction by transaction; printed is the
rate of each and the ratio, which must be 0.4 or more in the batches of macli event import. The smaller a
transaction, the more pages are written for an event: those of the ledger beside those of the log.
The events are clicks with their addresses, opens, visits and orders; by the rules each is worth about two rows
of the ledger. Stages are those of a new workspace. As many events were recorded before the clock starts, so that
contacts have a history; the first events of contacts without one, most of which lead to a stage that is an event
of its own, are measured for themselves.
"""

import argparse
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from macli import events
from macli.clock import to_ms
from macli.importer.happenings import BATCH
from macli.model import NewEvent
from macli.store import Store, open_store, point_rules, starter
from macli.store.point_rules import PointRule
from macli.store.scopes import Scope

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LEAST = 0.4
DAY = 86_400_000

GLOBAL, VIP = Scope(kind="global", name="global"), Scope(kind="tag", name="VIP")
FIT, ENGAGED = Scope(kind="group", name="fit"), Scope(kind="group", name="engagement")

RULES: tuple[dict[str, Any], ...] = (
    {"event": "email.opened", "points": 5, "scopes": (GLOBAL,)},
    {"event": "email.opened", "points": 1, "scopes": (ENGAGED,)},
    {"event": "email.clicked", "points": 10, "scopes": (GLOBAL,)},
    {"event": "email.clicked", "points": 20, "scopes": (GLOBAL, VIP), "condition": 'url contains "/pricing"'},
    {"event": "email.clicked", "points": 15, "scopes": (GLOBAL,), "condition": 'url contains "/demo"'},
    {"event": "email.clicked", "points": 2, "scopes": (ENGAGED,)},
    {"event": "email.clicked", "points": -5, "scopes": (GLOBAL,), "condition": 'url contains "/careers"'},
    {"event": "email.replied", "points": 25, "scopes": (GLOBAL, ENGAGED)},
    {"event": "email.unsubscribed", "points": -10, "scopes": (GLOBAL,)},
    {"event": "page.visited", "points": 2, "scopes": (GLOBAL,)},
    {"event": "page.visited", "points": 1, "scopes": (ENGAGED,), "most": 5, "most_span": DAY},
    {"event": "page.visited", "points": 20, "scopes": (GLOBAL,), "condition": 'url contains "/pricing"'},
    {"event": "page.visited", "points": 10, "scopes": (VIP,), "condition": 'url contains "/vip"'},
    {"event": "page.visited", "points": 3, "scopes": (FIT,), "condition": 'url ends with "/docs"'},
    {"event": "order.paid", "points": 30, "scopes": (GLOBAL,)},
    {"event": "order.paid", "points": 50, "scopes": (GLOBAL, VIP), "condition": "total > 400"},
    {"event": "order.paid", "points": 5, "scopes": (FIT,), "condition": "currency = EUR"},
    {"event": "form.submitted", "points": 15, "scopes": (GLOBAL,), "most": 1},
    {"event": "asset.downloaded", "points": 8, "scopes": (GLOBAL, FIT)},
    {"event": "cart.abandoned", "points": -3, "scopes": (GLOBAL,)},
)

SHARES = (("page.visited", 40), ("email.opened", 30), ("email.clicked", 20), ("order.paid", 10))
PAGES = ("pricing", "demo", "careers", "vip/lounge", "blog/one", "blog/two", "help/docs", "about", "news", "shop")


def build(path: Path, contacts: int, *, rules: bool) -> Store:
    """A store as ``macli init`` leaves it, with contacts; its point rules are the 20 here, or none."""
    store = open_store(path, create=True)
    starter.furnish(store, NOW)
    for rule in point_rules.listed(store):
        point_rules.remove(store, rule.id)
    with store.write():
        store.executemany(
            "INSERT INTO contacts (id, email, added_at, updated_at) VALUES (?, ?, ?, ?)",
            ((number, f"c{number}@example.com", to_ms(NOW), to_ms(NOW)) for number in range(1, contacts + 1)),
        )
    for number, rule in enumerate(RULES if rules else ()):
        point_rules.add(store, to_ms(NOW), PointRule(name=f"rule {number}", **rule))
    return store


def happened(number: int, contacts: int, start: int = 0) -> Iterator[NewEvent]:
    """Events as providers and trackers tell them, the same every time."""
    chance = random.Random(7 + start)
    names = [name for name, share in SHARES for _ in range(share)]
    for place in range(start, start + number):
        name = chance.choice(names)
        properties: dict[str, Any] = {}
        if name in ("email.clicked", "page.visited"):
            properties = {"url": f"https://shop.example/{chance.choice(PAGES)}", "link": place % 7}
        elif name == "order.paid":
            properties = {"total": chance.randrange(500), "currency": "EUR", "order": f"A-{place}"}
        yield NewEvent(
            contact_id=1 + int(contacts * chance.random() ** 2),
            name=name,
            at=to_ms(NOW + timedelta(seconds=20 * place)),
            source="bench",
            source_id=str(place),
            properties=properties,
        )


def batches(found: list[NewEvent], most: int, least: int) -> Iterator[list[NewEvent]]:
    chance, start = random.Random(11), 0
    while start < len(found):
        size = chance.randint(least, most)
        yield found[start : start + size]
        start += size


def measure(folder: Path, number: int, contacts: int, least: int, most: int, *, history: bool = True) -> float:
    """The ratio of the two rates, printed with what it is made of."""
    stores = {rules: build(folder / f"{most}-{rules}-{history}.db", contacts, rules=rules) for rules in (False, True)}
    for batch in batches(list(happened(number, contacts)), 1000, 1000) if history else ():
        for store in stores.values():
            events.record(store, NOW, batch)
    before = int(stores[True].value("SELECT count(*) FROM point_ledger"))
    found = list(happened(number, contacts, number))
    spent = {False: 0.0, True: 0.0}
    for place, batch in enumerate(batches(found, most, least)):
        for rules in (False, True) if place % 2 else (True, False):
            started = time.perf_counter()
            events.record(stores[rules], NOW, batch)
            spent[rules] += time.perf_counter() - started
    rows = int(stores[True].value("SELECT count(*) FROM point_ledger")) - before
    for store in stores.values():
        store.close()
    ratio = spent[False] / spent[True]
    size = f"{most:,}" if least == most else f"{least} to {most}"
    if not history:
        size += ", first events"
    slow = "   TOO SLOW" if least == BATCH and ratio < LEAST else ""
    print(
        f"batches of {size:<20}{number / spent[False]:>10,.0f}/s without rules{number / spent[True]:>10,.0f}/s with"
        f"{rows / number:>7.2f} rows an event   ratio {ratio:.2f}{slow}"
    )
    return ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="10,000 events")
    parser.add_argument("--events", type=int, default=100_000)
    given = parser.parse_args()
    number = 10_000 if given.small else given.events
    folder = Path(tempfile.mkdtemp(prefix="macli-bench-points-"))
    print(f"{number:,} events of {number // 20:,} contacts, {len(RULES)} point rules")
    for least, most in ((BATCH, BATCH), (1000, 1000), (1, 20)):
        measure(folder, number, number // 20, least, most)
    measure(folder, number, number // 20, 1000, 1000, history=False)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
