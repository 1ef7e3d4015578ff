"""RFM reports: who bought how recently, how often and for how much, true at every event and tick."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from macli import events
from macli.clock import from_ms, to_ms
from macli.lifecycle import rfm as lifecycle
from macli.model import NewEvent
from macli.scoring import rfm_definition
from macli.scoring.rfm_definition import Definition
from macli.store import Store, rfm
from macli.tick import chores
from tests.world import NOW, World, add_contacts, new_world

DAY = timedelta(days=1)
MS = timedelta(milliseconds=1)
BANDS = ("recency", "frequency", "monetary")
THRESHOLDS = {
    "recency": "short 30 days, medium 90 days",
    "frequency": "common 10, regular 3",
    "monetary": "spender 500, medium 100",
}


@pytest.fixture
def world(tmp_path) -> World:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 3)
    return world


def report(world: World, name: str = "customers", now: datetime = NOW, **given: str) -> lifecycle.Rebuilt:
    return lifecycle.create(world.store, now, name, **{**THRESHOLDS, **given})


def happened(
    world: World, name: str, at: datetime, contact_id: int = 1, *, now: datetime = NOW, **properties: object
) -> None:
    said = NewEvent(contact_id=contact_id, name=name, at=to_ms(at), source="shop", properties=properties)
    events.record(world.store, now, [said])


def bought(world: World, at: datetime, total: object = 10, contact_id: int = 1, **more: Any) -> None:
    happened(world, "order.paid", at, contact_id, total=total, **more)


def tick(world: World, at: datetime) -> int:
    told: list[str] = []
    heard, swept = chores.run(world.engine(at), *(lambda name, why: told.append(f"{name}: {why}"),) * 3)
    assert told == []
    return heard + sum(swept.values())


def bands(world: World, contact_id: int = 1, name: str = "customers") -> tuple[str, ...] | None:
    row = world.store.row(
        """
        SELECT recency, frequency, monetary
        FROM rfm_bands
        WHERE contact_id = :contact
          AND report_id = :report
        """,
        {"contact": contact_id, "report": rfm.get(world.store, name)["id"]},
    )
    return None if row is None else tuple(row)


def figures(world: World, contact_id: int = 1) -> tuple[datetime, int, float] | None:
    row = world.store.row(
        "SELECT last_at, purchases, value FROM rfm_bands WHERE contact_id = :contact", {"contact": contact_id}
    )
    return None if row is None else (from_ms(row["last_at"]), row["purchases"], row["value"])


def changes(store: Store, contact_id: int = 1) -> list[tuple[str, str | None, str | None]]:
    rows = store.rows(
        "SELECT properties FROM events WHERE name = 'rfm.changed' AND contact_id = :contact ORDER BY id",
        {"contact": contact_id},
    )
    told = [json.loads(row["properties"]) for row in rows]
    return [(each["dimension"], each["from"], each["to"]) for each in told]


# What comes out of it, whatever the order: a slow and obvious reckoning of one contact.


def reckoned(definition: Definition, log: Iterable[NewEvent], now: int) -> dict[str, Any] | None:
    """What a report has to say of the contact to whom ``log`` happened; None where it has nothing to say."""
    purchases = [event for event in log if event.name == definition.event]
    refunds = [event for event in log if event.name in definition.refunds]

    def value(event: NewEvent) -> float | None:
        found = event.properties.get(definition.value)
        return float(found) if isinstance(found, (int, float)) and not isinstance(found, bool) else None

    def order(event: NewEvent) -> str:
        return str(event.properties.get("order", ""))

    taken_back = {order(refund) for refund in refunds} - {""}
    counted = [event for event in purchases if order(event) not in taken_back]
    if not counted:
        return None
    lines = [(event.at, value(event) or 0.0) for event in counted]
    for name in taken_back & {order(event) for event in purchases}:
        of_it = [event for event in purchases if order(event) == name]
        back = [value(refund) for refund in refunds if order(refund) == name]
        left = sum(value(event) or 0.0 for event in of_it) - sum(abs(each or 0.0) for each in back)
        if None not in back:
            lines.append((min(event.at for event in of_it), max(left, 0.0)))
    lines += [
        (refund.at, -abs(value(refund) or 0.0))
        for refund in refunds
        if order(refund) not in {order(event) for event in purchases} - {""}
    ]
    since = -(2**62) if definition.window is None else now - definition.window
    last = max(event.at for event in counted)
    found = {
        "last_at": last,
        "purchases": sum(1 for event in counted if event.at >= since),
        "value": round(sum(amount for at, amount in lines if at >= since), 6),
    }
    reached = {
        "recency": [now - last <= most for most in definition.recency],
        "frequency": [found["purchases"] >= least for least in definition.frequency],
        "monetary": [found["value"] >= least for least in definition.monetary],
    }
    for dimension, better in reached.items():
        names = rfm_definition.BANDS[dimension]  # type: ignore[index]
        found[dimension] = names[better.index(True)] if True in better else names[2]
    return found


_HOURS = st.integers(min_value=-200 * 24, max_value=24)
_PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "total": st.one_of(
            st.integers(-5, 600), st.sampled_from([0.1, 0.2, 33.33, 33.34, 100.0, "100", True, None, 10**300])
        ),
        "order": st.sampled_from([1, 2, "2", "A", "", 3.5]),
    },
)
_EVENTS = st.lists(
    st.tuples(
        st.sampled_from([1, 2]),
        st.sampled_from(["order.paid", "order.paid", "order.paid", "order.refunded", "order.cancelled", "page.seen"]),
        _HOURS,
        _PROPERTIES,
    ),
    max_size=25,
)
_STEPS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 40 * 24), st.booleans()), min_size=1, max_size=12)


@given(happenings=_EVENTS, steps=_STEPS, window=st.sampled_from([None, "60 days", "400 hours"]))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_and_batching_and_ticks_come_to_what_a_recomputation_comes_to(
    tmp_path_factory, happenings, steps, window
) -> None:
    world = new_world(tmp_path_factory.mktemp("shop") / "shop")
    with world.store:
        add_contacts(world.store, 2)
        report(world, frequency="common 4, regular 2", **({"window": window} if window else {}))
        definition = rfm_definition.read(rfm.get(world.store, "customers")["definition"])
        log = [
            NewEvent(contact_id=who, name=name, at=to_ms(NOW + timedelta(hours=hours)), source="s", properties=said)
            for who, name, hours, said in happenings
        ]
        now, recorded = NOW, 0
        for number, hours, ticks in steps:
            now += timedelta(hours=hours)
            events.record(world.store, now, log[recorded : recorded + number])
            recorded = min(recorded + number, len(log))
            if ticks:
                tick(world, now)
        events.record(world.store, now, log[recorded:])
        tick(world, now)
        columns = ("last_at", "purchases", "value", *BANDS)
        for contact_id in (1, 2):
            row = world.store.row(
                f"SELECT {', '.join(columns)}, moves_at FROM rfm_bands WHERE contact_id = ?", (contact_id,)
            )
            own = [event for event in log if event.contact_id == contact_id]
            wanted = reckoned(definition, own, to_ms(now))
            assert (None if row is None else {name: row[name] for name in columns}) == wanted
            assert row is None or row["moves_at"] is None or row["moves_at"] > to_ms(now)
            for dimension in BANDS:
                told = [(old, new) for name, old, new in changes(world.store, contact_id) if name == dimension]
                stood = [None, *(new for _, new in told)]
                assert [old for old, _ in told] == stood[:-1]
                assert all(old != new for old, new in told)
                assert stood[-1] == (wanted and wanted[dimension])
        before = [tuple(row) for row in world.store.rows("SELECT * FROM rfm_bands")]
        assert lifecycle.recompute(world.store, now, "customers").changed == 0
        assert [tuple(row) for row in world.store.rows("SELECT * FROM rfm_bands")] == before
