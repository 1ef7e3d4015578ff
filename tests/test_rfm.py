"""RFM reports: who bought how recently, how often and for how much, true at every event and tick."""

import json
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from macli import events
from macli.clock import from_ms, to_ms
from macli.errors import UsageError
from macli.lifecycle import rfm as lifecycle
from macli.model import NewEvent
from macli.privacy import erase
from macli.reports.rfm import contacts, quintile_cells, quintiles, summary
from macli.scoring import rfm_definition
from macli.scoring.rfm_definition import Definition
from macli.store import Store, rfm, visitors
from macli.store.settings import put
from macli.tick import chores
from macli.tick.tick import run_tick
from macli.visitors.joining import join
from tests.world import NOW, World, add_campaign, add_contacts, new_world, remove

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
_LOOKS = st.sampled_from([None, None, "tick", "recompute"])
_STEPS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 40 * 24), _LOOKS), min_size=1, max_size=12)


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
        for number, hours, look in steps:
            now += timedelta(hours=hours)
            events.record(world.store, now, log[recorded : recorded + number])
            recorded = min(recorded + number, len(log))
            if look == "tick":
                tick(world, now)
            elif look == "recompute":
                assert lifecycle.recompute(world.store, now, "customers").changed == 0
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


# Bands and their boundaries.


def test_recency_is_short_up_to_its_threshold_and_not_a_millisecond_longer(world: World) -> None:
    bought(world, NOW)
    report(world)
    for after, band in ((30 * DAY, "short"), (30 * DAY + MS, "medium"), (90 * DAY, "medium"), (90 * DAY + MS, "long")):
        tick(world, NOW + after)
        assert (bands(world) or ())[0] == band, after
    assert world.store.value("SELECT moves_at FROM rfm_bands") is None


@pytest.mark.parametrize(
    ("purchases", "band"), [(1, "casual"), (2, "casual"), (3, "regular"), (9, "regular"), (10, "common")]
)
def test_frequency_begins_at_its_threshold(world: World, purchases: int, band: str) -> None:
    for _ in range(purchases):
        bought(world, NOW)
    report(world)
    assert (bands(world) or ())[1] == band


@pytest.mark.parametrize(
    ("amounts", "band"),
    [((99.99,), "saver"), ((33.33, 33.33, 33.34), "medium"), ((499.99,), "medium"), ((0.1,) * 5000, "spender")],
)
def test_monetary_begins_at_its_threshold_to_the_cent(world: World, amounts: tuple[float, ...], band: str) -> None:
    log = [
        NewEvent(contact_id=1, name="order.paid", at=to_ms(NOW), source="shop", properties={"total": each})
        for each in amounts
    ]
    events.record(world.store, NOW, log)
    report(world)
    assert (bands(world) or ())[2] == band


def test_a_purchase_without_a_number_counts_with_no_value(world: World) -> None:
    for total in ("20", None, True, [5]):
        bought(world, NOW, total)
    made = report(world)
    assert made.unvalued == 4
    assert figures(world) == (NOW, 4, 0.0)


def test_values_beyond_all_measure_do_no_harm(world: World) -> None:
    report(world)
    for total in (2**63 - 1, 2**63 - 1, 10**320, -(10**320)):
        bought(world, NOW, total)
    happened(world, "order.refunded", NOW, total=10**320)
    assert (bands(world) or ())[1] == "regular"
    assert lifecycle.recompute(world.store, NOW, "customers").changed == 0


def test_a_purchase_of_less_than_nothing_is_a_correction_downwards(world: World) -> None:
    report(world)
    bought(world, NOW, 120)
    bought(world, NOW, -30)
    assert figures(world) == (NOW, 2, 90.0)


def test_a_purchase_dated_ahead_counts_at_once(world: World) -> None:
    report(world)
    bought(world, NOW + 5 * DAY)
    assert bands(world) == ("short", "casual", "saver")
    tick(world, NOW + 35 * DAY)
    assert bands(world) == ("short", "casual", "saver")


def test_what_left_the_window_counts_for_recency_only(world: World) -> None:
    report(world, window="60 days")
    bought(world, NOW - 60 * DAY, 200)
    bought(world, NOW - 10 * DAY, 50)
    assert figures(world) == (NOW - 10 * DAY, 2, 250.0)
    tick(world, NOW + MS)
    assert figures(world) == (NOW - 10 * DAY, 1, 50.0)
    tick(world, NOW + 85 * DAY)
    assert figures(world) == (NOW - 10 * DAY, 0, 0.0)
    assert bands(world) == ("long", "casual", "saver")


def test_recency_passes_on_within_the_window(world: World) -> None:
    report(world, window="365 days")
    bought(world, NOW)
    tick(world, NOW + 31 * DAY)
    assert bands(world) == ("medium", "casual", "saver")


# Refunds.


def test_a_refund_takes_its_value_whichever_sign_it_was_told_with(world: World) -> None:
    report(world)
    bought(world, NOW - DAY, 300)
    happened(world, "order.refunded", NOW, total=50)
    happened(world, "order.cancelled", NOW, total=-25)
    assert figures(world) == (NOW - DAY, 1, 225.0)


def test_a_refund_of_a_named_order_takes_the_purchase_out_of_all_three(world: World) -> None:
    report(world)
    bought(world, NOW - 50 * DAY, 200)
    bought(world, NOW - DAY, 300, order=17)
    happened(world, "order.refunded", NOW, total=300, order="17")
    assert figures(world) == (NOW - 50 * DAY, 1, 200.0)


def test_a_refund_in_part_leaves_the_rest_of_the_money(world: World) -> None:
    report(world, window="60 days")
    bought(world, NOW - DAY, 40)
    bought(world, NOW - 59 * DAY, 300, order="A")
    happened(world, "order.refunded", NOW, total=100, order="A")
    assert figures(world) == (NOW - DAY, 1, 240.0)
    tick(world, NOW + 2 * DAY)
    assert figures(world) == (NOW - DAY, 1, 40.0)


def test_an_order_both_cancelled_and_refunded_is_worth_nothing_and_no_less(world: World) -> None:
    report(world)
    bought(world, NOW, 40)
    bought(world, NOW, 300, order="A")
    happened(world, "order.cancelled", NOW, order="A", total=300)
    happened(world, "order.refunded", NOW, order="A", total=300)
    assert figures(world) == (NOW, 1, 40.0)


def test_a_cancellation_without_a_value_takes_the_whole_order(world: World) -> None:
    report(world)
    bought(world, NOW, 40)
    happened(world, "order.cancelled", NOW, order="A")
    bought(world, NOW, 300, order="A")
    assert figures(world) == (NOW, 1, 40.0)


def test_a_cancellation_without_a_value_goes_before_what_was_paid_back(world: World) -> None:
    report(world)
    bought(world, NOW, 40)
    bought(world, NOW, 300, order="A")
    happened(world, "order.refunded", NOW, order="A", total=100)
    happened(world, "order.cancelled", NOW, order="A")
    assert figures(world) == (NOW, 1, 40.0)


def test_c09_who_bought_nothing_that_was_not_taken_back_is_in_no_band(world: World) -> None:
    report(world)
    bought(world, NOW, 300, order="A")
    happened(world, "order.refunded", NOW, contact_id=2, total=5)
    assert bands(world) == ("short", "casual", "medium")
    assert bands(world, 2) is None
    happened(world, "order.cancelled", NOW, order="A")
    assert bands(world) is None
    assert changes(world.store)[-3:] == [
        ("recency", "short", None),
        ("frequency", "casual", None),
        ("monetary", "medium", None),
    ]


# Events.


def test_e07_from_long_to_short_is_told_once_with_both(world: World) -> None:
    bought(world, NOW - 200 * DAY)
    report(world)
    assert bands(world) == ("long", "casual", "saver")
    bought(world, NOW)
    bought(world, NOW)
    tick(world, NOW)
    assert changes(world.store) == [("recency", "long", "short"), ("frequency", "casual", "regular")]


def test_e07_time_alone_moves_and_tells_once(world: World) -> None:
    report(world)
    bought(world, NOW)
    before = len(changes(world.store))
    for days in (10, 30, 31, 32, 90, 91, 300):
        tick(world, NOW + days * DAY)
    assert changes(world.store)[before:] == [("recency", "short", "medium"), ("recency", "medium", "long")]


def test_e07_a_tick_that_comes_late_tells_of_where_it_came_from_and_where_to(world: World) -> None:
    bought(world, NOW)
    report(world)
    tick(world, NOW + 300 * DAY)
    assert changes(world.store) == [("recency", "short", "long")]


def test_e07_the_first_purchase_is_a_move_from_none(world: World) -> None:
    report(world)
    bought(world, NOW)
    assert changes(world.store) == [
        ("recency", None, "short"),
        ("frequency", None, "casual"),
        ("monetary", None, "saver"),
    ]


def test_a_repeated_report_of_a_purchase_is_nothing(world: World) -> None:
    report(world)
    said = NewEvent(contact_id=1, name="order.paid", at=to_ms(NOW), source="shop", source_id="1", properties={})
    events.record(world.store, NOW, [said, said])
    events.record(world.store, NOW, [said])
    assert figures(world) == (NOW, 1, 0.0)
    assert len(changes(world.store)) == 3


def test_several_reports_tell_each_of_their_own(world: World) -> None:
    report(world)
    report(world, "Grüße ẞ", recency="short 1 day, medium 2 days", event="order.sold")
    report(world, "again", refunds="none")
    bought(world, NOW, 150, order="A")
    happened(world, "order.cancelled", NOW, order="A")
    happened(world, "order.sold", NOW, total=500, contact_id=2)
    assert [bands(world, 1, name) for name in ("customers", "again", "Grüße ẞ")] == [
        None,
        ("short", "casual", "medium"),
        None,
    ]
    told = world.store.rows(
        """
        SELECT contact_id, properties ->> 'report' AS report, count(*) AS times, min(folded ->> 'report') AS folded
        FROM events
        WHERE name = 'rfm.changed'
        GROUP BY contact_id, report
        ORDER BY contact_id, report
        """
    )
    assert [tuple(row) for row in told] == [
        (1, "again", 3, None),
        (1, "customers", 6, None),
        (2, "Grüße ẞ", 3, "grüsse ss"),
    ]


def test_who_was_removed_is_told_of_no_more_and_keeps_true_bands(world: World) -> None:
    report(world)
    bought(world, NOW)
    remove(world, 1)
    tick(world, NOW + 40 * DAY)
    assert bands(world) == ("medium", "casual", "saver")
    assert len(changes(world.store)) == 3
    assert summary(world.store, "customers", to_ms(NOW))["contacts"] == 0


def test_an_erased_contact_is_in_no_report_whatever_is_computed_anew(world: World) -> None:
    report(world)
    bought(world, NOW)
    erase.erase(world.store, NOW, erase.find(world.store, "c0@example.com", None))
    assert lifecycle.recompute(world.store, NOW, "customers").contacts == 0
    assert bands(world) is None


def test_what_a_visitor_bought_moves_the_contact_it_turns_out_to_be(world: World) -> None:
    report(world)
    token = "v" * 22
    with world.store.write():
        visitor = visitors.seen(world.store, to_ms(NOW), token)
        said = NewEvent(
            contact_id=None,
            visitor_id=visitor["id"],
            name="order.paid",
            at=to_ms(NOW),
            source="tracker",
            properties={"total": 700},
        )
        events.record(world.store, NOW, [said])
    assert join(world.store, NOW, token, 2)
    assert bands(world, 2) == ("short", "casual", "spender")
    assert [to for _, _, to in changes(world.store, 2)] == ["short", "casual", "spender"]


def test_a_campaign_begins_at_a_move_from_one_band_to_another(world: World) -> None:
    bought(world, NOW - 200 * DAY)
    bought(world, NOW, contact_id=2)
    report(world)
    moved = {"name": "rfm.changed", "where": "dimension = recency and from = long and to = short"}
    add_campaign(world.store, "back", entry={"event": moved}, steps=[{"send": "hello"}])
    bought(world, NOW)
    bought(world, NOW, contact_id=2)
    bought(world, NOW, contact_id=3)
    run_tick(world.engine(NOW))
    assert [row[0] for row in world.store.rows("SELECT contact_id FROM enrollments")] == [1]


# Reports made, changed, removed.


def touched(world: World, at: datetime) -> list[int]:
    rows = world.store.rows("SELECT id FROM contacts WHERE updated_at = :at ORDER BY id", {"at": to_ms(at)})
    return [row["id"] for row in rows]


def test_making_and_changing_a_report_tells_nobody_and_has_rules_look_again(world: World) -> None:
    bought(world, NOW, 200)
    bought(world, NOW, 20, contact_id=2)
    made = report(world, now=NOW + DAY)
    assert (made.contacts, made.changed) == (2, 2)
    assert touched(world, NOW + DAY) == [1, 2]
    edited = lifecycle.edit(world.store, NOW + 2 * DAY, "CUSTOMERS", monetary="spender 200, medium 10")
    assert edited.changed == 2
    lifecycle.edit(world.store, NOW + 3 * DAY, "customers", monetary="spender 200, medium 30")
    assert touched(world, NOW + 3 * DAY) == [2]
    assert bands(world, 2) == ("short", "casual", "saver")
    lifecycle.edit(world.store, NOW + 4 * DAY, "customers", event="order.sold")
    assert touched(world, NOW + 4 * DAY) == [1, 2]
    assert bands(world) is None
    assert changes(world.store) + changes(world.store, 2) == []


def test_only_who_comes_to_another_band_is_looked_at_by_rules(world: World) -> None:
    report(world)
    bought(world, NOW, 20)
    later = NOW + DAY
    bought(world, later, 20, now=later)
    assert figures(world) == (later, 2, 40.0)
    assert touched(world, later) == []
    bought(world, later, 100, now=later)
    assert touched(world, later) == [1]


def test_purchases_deleted_since_count_until_everybody_is_sorted_anew(world: World) -> None:
    bought(world, NOW, 200)
    report(world)
    world.store.execute("DELETE FROM events WHERE name = 'order.paid'")
    assert lifecycle.recompute(world.store, NOW, "customers") == lifecycle.Rebuilt(contacts=0, changed=1, unvalued=0)
    assert bands(world) is None


def test_settings_say_what_a_purchase_is_where_the_report_does_not(world: World) -> None:
    put(world.store, NOW, "purchases.event", "shop.sold")
    put(world.store, NOW, "purchases.value", "sum")
    put(world.store, NOW, "purchases.refunds", "shop.returned")
    report(world)
    bought(world, NOW)
    happened(world, "shop.sold", NOW, contact_id=2, sum=600)
    happened(world, "shop.returned", NOW, contact_id=2, sum=50)
    assert bands(world) is None
    assert figures(world, 2) == (NOW, 1, 550.0)
    put(world.store, NOW, "purchases.event", "order.paid")
    happened(world, "shop.sold", NOW, contact_id=2, sum=1)
    assert figures(world, 2) == (NOW, 2, 551.0)


def test_one_currency_of_several_is_counted(world: World) -> None:
    report(world, condition="currency = EUR")
    bought(world, NOW, 100, currency="eur")
    bought(world, NOW, 900, currency="PLN", order="P")
    bought(world, NOW, 7, currency="EUR", order="E")
    happened(world, "order.cancelled", NOW, order="P")
    happened(world, "order.refunded", NOW, total=30, currency="PLN")
    assert figures(world) == (NOW, 2, 107.0)
    happened(world, "order.cancelled", NOW, order="E")
    assert figures(world) == (NOW, 1, 100.0)
    lifecycle.edit(world.store, NOW, "customers", condition="none")
    assert figures(world) == (NOW, 1, 70.0)


def test_a_report_that_reads_no_more_keeps_no_purchase_and_no_other_report_waiting(world: World) -> None:
    report(world, "broken", condition="currency = EUR")
    report(world)
    bought(world, NOW, currency="EUR")
    with world.store.write():
        world.store.execute(
            "UPDATE rfm_reports SET definition = replace(definition, '= EUR', '=') WHERE name = 'broken'"
        )
    bought(world, NOW, currency="EUR")
    told: list[str] = []
    chores.run(world.engine(NOW + 40 * DAY), *(lambda name, why: told.append(f"{name}: {why}"),) * 3)
    assert bands(world) == ("medium", "casual", "saver")
    assert bands(world, name="broken") == ("short", "casual", "saver")
    assert [line for line in told if line.startswith("RFM report broken: ") and "the rule ends here" in line] == told


def test_nothing_due_is_nothing_done_however_many_are_in_the_report(world: World) -> None:
    report(world)
    bought(world, NOW)
    chore = next(chore for chore in chores.CHORES if chore.name == "rfm")
    assert not chores.is_due(world.engine(NOW + 30 * DAY), chore)
    assert chores.is_due(world.engine(NOW + 30 * DAY + MS), chore)
    plan = world.store.rows(world.store.dialect.plan(f"SELECT {chore.due}"), {"now": 0})
    assert any("rfm_bands_moves" in row["detail"] for row in plan)


def test_a_sweep_of_many_goes_in_steps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    report(world)
    for contact_id in (1, 2, 3):
        bought(world, NOW, contact_id=contact_id)
    monkeypatch.setattr(lifecycle, "_CHUNK", 2)
    assert lifecycle.chore(world.engine(NOW + 31 * DAY), lambda name, why: None) == 3
    assert [(bands(world, contact_id) or ())[0] for contact_id in (1, 2, 3)] == ["medium"] * 3


def test_a_batch_without_purchases_costs_one_look_at_the_reports(world: World) -> None:
    report(world)
    asked: list[str] = []
    world.store.connection.set_trace_callback(asked.append)
    happened(world, "page.visited", NOW)
    world.store.connection.set_trace_callback(None)
    assert [sql for sql in asked if "rfm" in sql] == [sql for sql in asked if "FROM rfm_reports" in sql]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"recency": "short 30 days"}, "medium has no threshold"),
        ({"recency": "short 90 days, medium 30 days"}, "medium has to reach further back"),
        ({"recency": "shrt 30 days, medium 90 days"}, "did you mean 'short'"),
        ({"recency": "short 30, medium 90 days"}, "no duration"),
        ({"recency": "short 0 days, medium 90 days"}, "no time at all"),
        ({"recency": "short, medium 90 days"}, "no band with one threshold"),
        ({"frequency": "common 3, regular 3"}, "common has to begin above regular"),
        ({"frequency": "common 3, regular 0"}, "no number of purchases"),
        ({"frequency": "common 3, regular 2, casual 1"}, "casual is the rest"),
        ({"frequency": "common 3, common 4, regular 2"}, "no band with one threshold"),
        ({"monetary": "spender 1e9, medium 5"}, "no sum of money"),
        ({"monetary": "spender 5, medium 50"}, "spender has to begin above medium"),
        ({"window": "90"}, "no duration"),
        ({"event": "Order"}, "no event name"),
        ({"event": "tag.added"}, "macli's own doing"),
        ({"event": "order.refunded"}, "cannot both be"),
        ({"value": "the total"}, "no name of a property"),
        ({"condition": "currency ="}, "the rule ends here"),
        ({"condition": "paid before today"}, "may not depend on the time"),
    ],
)
def test_what_is_no_report_is_refused_and_leaves_none(world: World, given: dict[str, str], why: str) -> None:
    with pytest.raises(UsageError, match=re.escape(why)):
        report(world, **given)
    assert rfm.all_(world.store) == []


# Looking at it.


def five(world: World) -> None:
    add_contacts(world.store, 7, start=3)
    for contact_id in range(1, 11):
        for _ in range(contact_id):
            bought(world, NOW - (11 - contact_id) * 10 * DAY, 20, contact_id=contact_id)
    report(world)


def test_a_report_shows_how_many_are_in_which_bands_and_what_they_brought(world: World) -> None:
    five(world)
    shown = summary(world.store, "customers", to_ms(NOW))
    assert (shown["contacts"], shown["value"], shown["waiting"]) == (10, 1100.0, 0)
    assert [(row["band"], row["contacts"], row["value"]) for row in shown["bands"]] == [
        ("short", 3, 540.0),
        ("medium", 6, 540.0),
        ("long", 1, 20.0),
        ("common", 1, 200.0),
        ("regular", 7, 840.0),
        ("casual", 2, 60.0),
        ("spender", 0, 0.0),
        ("medium", 6, 900.0),
        ("saver", 4, 200.0),
    ]
    cells = {(row["recency"], row["frequency"]): row["contacts"] for row in shown["matrix"]}
    assert {place: count for place, count in cells.items() if count} == {
        ("short", "common"): 1,
        ("short", "regular"): 2,
        ("medium", "regular"): 5,
        ("medium", "casual"): 1,
        ("long", "casual"): 1,
    }
    assert len(cells) == 9
    assert summary(world.store, "customers", to_ms(NOW + 21 * DAY))["waiting"] == 6


def test_contacts_are_listed_by_bands_the_best_first(world: World) -> None:
    five(world)
    found = contacts(world.store, "customers", {"recency": ("medium", "long"), "frequency": ["CASUAL"]})
    assert [row["email"] for row in found] == ["c1@example.com", "c0@example.com"]
    with pytest.raises(UsageError, match="did you mean 'casual'"):
        contacts(world.store, "customers", {"frequency": ["casul"]})


def test_quintiles_are_fifths_and_five_is_the_best(world: World) -> None:
    five(world)
    scored = list(quintiles(world.store, "customers"))
    assert [row["email"] for row in scored] == [f"c{place}@example.com" for place in (8, 9, 6, 7, 4, 5, 2, 3, 0, 1)]
    assert [row["rfm"] for row in scored] == ["555"] * 2 + ["444"] * 2 + ["333"] * 2 + ["222"] * 2 + ["111"] * 2
    cells = quintile_cells(world.store, "customers")
    assert len(cells) == 25
    assert [(row["recency"], row["frequency"]) for row in cells if row["contacts"]] == [(n, n) for n in (5, 4, 3, 2, 1)]


def test_the_commands_make_show_change_and_remove_a_report(workspace, macli) -> None:
    thresholds = [word for name, text in THRESHOLDS.items() for word in (f"--{name}", text)]
    assert macli("contact", "add", "ann@example.com").code == 0
    assert macli("event", "add", "ann@example.com", "order.paid", "--set", "total=99.5").code == 0
    assert macli("rfm", "create", "customers", *thresholds).out == "made the RFM report 'customers': 1 contact in it\n"
    assert "there is an RFM report 'Customers' already" in macli("rfm", "create", "Customers", *thresholds).err
    listed = json.loads(macli("rfm", "list", "--json").out)
    assert [(row["name"], row["contacts"], row["recency"]) for row in listed] == [
        ("customers", 1, "short 30 days, medium 90 days")
    ]
    assert "short      -         -          1 (99.50)" in macli("rfm", "show", "customers").out
    assert json.loads(macli("rfm", "show", "customers", "--json").out)["definition"]["monetary"] == (
        "spender 500, medium 100"
    )
    assert macli("rfm", "show", "customers", "--format", "csv").out.splitlines()[3] == "short,casual,1,99.5"
    assert macli("rfm", "edit", "customers").code == 2
    changed = macli("rfm", "edit", "customers", "--monetary", "spender 90, medium 10", "--window", "10 days").out
    assert changed == "changed the RFM report 'customers': 1 contact came to other bands\n"
    found = macli("rfm", "contacts", "customers", "--monetary", "spender", "--json").out
    assert [(row["id"], row["email"]) for row in json.loads(found)] == [(1, "ann@example.com")]
    assert macli("rfm", "quintiles", "customers", "--format", "csv").out.splitlines()[1].endswith(",1,1,1,111")
    assert "1 (99.50)" in macli("rfm", "quintiles", "customers", "--summary").out
    assert macli("rfm", "recompute", "customers").out == "sorted 1 contact; 0 came to other bands\n"
    assert "did you mean 'customers'" in macli("rfm", "show", "custommers").err
    assert macli("rfm", "rm", "customers").code == 0
    assert macli("rfm", "list", "--json").out == "[]\n"
