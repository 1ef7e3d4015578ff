"""How long a fit of the predictions takes on a million customers, and how near it comes to what made them.

    python bench/predict.py            # 1,000,000 customers, some 3,400,000 purchases; the store is kept
    python bench/predict.py --small    # a fiftieth of it, for a quick look

The customers are made by the story BG/NBD and Gamma-Gamma tell, so the parameters are known; the program ends
with an error where a fitted one is 10 % from its own, or purchases held out are 10 % from those expected. The whole
of ``macli prediction fit`` (reading, both fits, the test, a prediction a contact, all of it kept) stands beside
two things measured in the same run: one pass over the same purchases that only adds up their values, and as many
evaluations of the likelihood as the fits made.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from macli.clock import to_ms
from macli.lifecycle import bgnbd, gammagamma, holdout, purchases
from macli.lifecycle import predictions as fitting
from macli.store import Store, open_store, predictions

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAYS = 730
BEHAVIOUR = bgnbd.Params(r=0.9, alpha=12.0, a=0.8, b=3.0)
SPENDING = gammagamma.Params(p=6.0, q=4.0, v=15.0)


def made(customers: int) -> tuple[Any, Any, Any]:
    """(customer, day since the start, value) of each purchase, in the order of time."""
    random = np.random.default_rng(1)
    rate = random.gamma(BEHAVIOUR.r, 1 / BEHAVIOUR.alpha, customers) / 7
    leaves = random.beta(BEHAVIOUR.a, BEHAVIOUR.b, customers)
    scale = 1 / random.gamma(SPENDING.q, 1 / SPENDING.v, customers)
    at = random.uniform(0, DAYS - 30, customers)
    everybody = np.arange(customers)
    who, when, here = [everybody], [at], np.ones(customers, dtype=bool)
    while True:
        at = at + random.exponential(1 / rate)
        here &= at < DAYS
        if not here.any():
            break
        who.append(everybody[here])
        when.append(at[here])
        here &= random.random(customers) >= leaves
    customer, day = np.concatenate(who), np.concatenate(when)
    value = random.gamma(SPENDING.p, scale[customer])
    order = np.argsort(day)
    return customer[order] + 1, day[order], value[order]


def build(path: Path, customers: int) -> Store:
    """The store at ``path``, made where it is not there yet."""
    if path.exists():
        return open_store(path)
    started = time.perf_counter()
    store = open_store(path, create=True)
    start = to_ms(NOW) - DAYS * purchases.DAY
    who, when, value = made(customers)
    store.connection.execute("PRAGMA synchronous=OFF")
    store.keep_in_memory(256)
    with store.write():
        store.executemany(
            "INSERT INTO contacts (id, email, added_at, updated_at) VALUES (?, ?, ?, ?)",
            ((number, f"person{number}@example.com", start, start) for number in range(1, customers + 1)),
        )
        store.executemany(
            "INSERT INTO events (contact_id, name, at, source, properties) VALUES (?, 'order.paid', ?, 'bench', ?)",
            (
                (customer, start + int(day * purchases.DAY), f'{{"total":{total:.2f}}}')
                for customer, day, total in zip(who.tolist(), when.tolist(), value.tolist(), strict=True)
            ),
        )
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.connection.execute("PRAGMA synchronous=FULL")
    print(f"built in {time.perf_counter() - started:.0f} s, {path.stat().st_size / 2**20:,.0f} MiB", file=sys.stderr)
    return store


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    done = work()
    return time.perf_counter() - started, done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="20,000 customers")
    parser.add_argument("--customers", type=int, default=1_000_000)
    given = parser.parse_args()
    customers = 20_000 if given.small else given.customers
    store = build(Path(tempfile.gettempdir()) / f"macli-bench-predict-{customers}.db", customers)
    with store.write():
        predictions.clear(store, NOW)
    asked = fitting.Options(event="order.paid", horizon=fitting.HORIZON)
    reading, rows = timed(lambda: store.row(_ADD_UP, {"event": asked.event}))
    first, found = timed(lambda: fitting.fit(store, NOW, asked))
    again, _ = timed(lambda: fitting.fit(store, NOW, asked))
    alone, histories, evaluating = fit_alone(store)
    print(f"{customers:,} customers, {rows[0]:,} purchases, {histories:,} different histories")
    print(f"\n{'':<44}{'seconds':>10}{'ratio':>8}")
    for name, seconds, reference in (
        ("prediction fit, for the first time", first, reading),
        ("prediction fit, again", again, reading),
        ("  one pass over the purchases' values", reading, reading),
        ("BG/NBD alone, from the histories", alone, evaluating),
        ("  as many evaluations of its likelihood", evaluating, evaluating),
    ):
        print(f"{name:<44}{seconds:>10.2f}{seconds / reference:>8.2f}")
    if not compare(found):
        sys.exit("a figure is not what it has to be")


_ADD_UP = """
SELECT count(*), sum(CASE WHEN json_type(properties, '$.total') IN ('integer', 'real') THEN properties ->> 'total' END)
FROM events
WHERE name = :event
"""


def fit_alone(store: Store) -> tuple[float, int, float]:
    """The time of a fit, of how many histories, and of its evaluations of the likelihood alone."""
    histories = holdout.histories(holdout.table(purchases.histories(store), 4))
    alone, (params, fitted) = timed(lambda: bgnbd.fit(histories))
    likelihood = bgnbd._Likelihood(histories, histories.x > 0)
    at = np.array([params.r, params.alpha, params.a, params.b])
    evaluating, _ = timed(lambda: [likelihood(at) for _ in range(fitted.evaluations)])
    return alone, len(histories.x), evaluating


def compare(found: fitting.Fit) -> bool:
    """Print what was fitted beside what the customers were made by; whether all of it is near."""
    print(f"\n{'':<24}{'made by':>10}{'fitted':>12}")
    fine = True
    for known in (BEHAVIOUR, SPENDING):
        for name, value in vars(known).items():
            near = abs(found.model.params[name] / value - 1) < 0.1
            fine &= near
            print(f"{name:<24}{value:>10.4g}{found.model.params[name]:>12.4g}{'' if near else '  far'}")
    held_out = found.model.quality["held_out"]
    near = abs(held_out["expected"] / held_out["purchases"] - 1) < 0.1
    print(
        f"{'purchases held out':<24}{held_out['purchases']:>10,}{held_out['expected']:>12,.0f}{'' if near else '  far'}"
    )
    return fine and near


if __name__ == "__main__":
    main()
