"""Predictions: the published figures, what counts as a purchase, what is kept, and scores from elsewhere."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import hyp2f1

from macli.clock import to_ms
from macli.config import likelihoods
from macli.errors import OperationFailed, UnknownName, UsageError
from macli.lifecycle import bgnbd, gammagamma, holdout, purchases
from macli.lifecycle.likelihood import NoFit, maximise
from macli.lifecycle.predictions import HORIZON, LEAST, Fit, Options, fit
from macli.store import Store, open_store, settings
from macli.store import predictions as kept
from macli.tick.tick import run_tick
from tests.conftest import Run
from tests.test_light_imports import loaded
from tests.world import NOW, World, add_contacts, new_world

DATA = Path(__file__).parent / "data" / "cdnow.csv"
WEEKS_39 = datetime(1997, 10, 1, tzinfo=UTC)
"""The end of the 39 weeks the published parameters were estimated from."""
DAY = timedelta(days=1)
CDNOW = bgnbd.Params(r=0.243, alpha=4.414, a=0.793, b=2.426)


def numbers(*values: float) -> Any:
    return np.array(values, dtype=np.float64)


def buy(store: Store, bought: Iterable[tuple[int, datetime, dict[str, Any]]], name: str = "order.paid") -> None:
    """Purchases as (contact id, when, properties)."""
    with store.write():
        store.executemany(
            "INSERT INTO events (contact_id, name, at, source, properties) VALUES (?, ?, ?, 'test', ?)",
            ((who, name, to_ms(at), json.dumps(said)) for who, at, said in bought),
        )


def cdnow() -> list[tuple[int, datetime, dict[str, Any]]]:
    with DATA.open() as file:
        return [
            (
                int(row["customer"]),
                datetime.strptime(row["date"], "%Y%m%d").replace(hour=15, tzinfo=UTC),
                {"total": float(row["value"])},
            )
            for row in csv.DictReader(file)
        ]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The customers of CDNOW and what they bought, until the middle of 1998. Nothing is kept in it."""
    with open_store(tmp_path_factory.mktemp("cdnow") / "macli.db", create=True) as store:
        add_contacts(store, 2357)
        buy(store, cdnow())
        yield store


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """150 contacts, of whom 120 bought up to eight times in the year before now; nothing is predicted yet."""
    made = new_world(tmp_path / "shop")
    add_contacts(made.store, 150)
    buy(made.store, bought_at_random(120))
    yield made
    made.store.close()


def bought_at_random(customers: int) -> list[tuple[int, datetime, dict[str, Any]]]:
    random = np.random.default_rng(7)
    rows = []
    for who in range(1, customers + 1):
        at, rate, leaves = NOW - timedelta(days=365) + random.integers(0, 60) * DAY, random.gamma(2, 0.04), 0.2
        worth = 100 * 3 / random.gamma(4)
        while at < NOW:
            rows.append((who, at, {"total": round(worth * random.gamma(5) / 5, 2) + 0.01}))
            if len(rows) > 1 and rows[-2][0] == who and random.random() < leaves:
                break
            at += timedelta(days=1 + random.exponential(1 / (rate + 0.01)))
    return rows


def options(**more: Any) -> Options:
    return Options(**{"event": "order.paid", "horizon": HORIZON, **more})


def fitted(world: World, now: datetime = NOW, **more: Any) -> Fit:
    return fit(world.store, now, options(**more))


def predicted(world: World, kind: str) -> dict[int, float]:
    rows = world.store.rows("SELECT contact_id, probability FROM predictions WHERE kind = :kind", {"kind": kind})
    return {row["contact_id"]: row["probability"] for row in rows}


# The models


def test_the_published_parameters_come_out_of_the_purchases_of_cdnow(shop: Store) -> None:
    found = fit(shop, WEEKS_39, options(), dry_run=True)
    published = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426, "p": 6.25, "q": 3.74, "v": 15.44}
    assert {name: found.model.params[name] for name in published} == pytest.approx(published, rel=0.01)
    assert found.model.quality["log_likelihood"] == pytest.approx(-9582.4, abs=0.1)
    assert (found.contacts, found.model.quality["repeat_buyers"]) == (2357, 946)


def test_the_published_customer_is_expected_to_buy_1_226_times_in_39_weeks() -> None:
    x, t_x, T = numbers(2), numbers(30.43), numbers(38.86)
    expected = bgnbd.alive(CDNOW, x, t_x, T) * bgnbd.purchases(CDNOW, x, T, 39)
    assert expected[0] == pytest.approx(1.226, rel=0.001)


def test_the_history_of_a_customer_is_the_published_one(shop: Store) -> None:
    window = purchases.Window(event="order.paid", since=0, until=to_ms(WEEKS_39), split=10_000)
    purchases.gather(shop, window)
    [row] = shop.rows(
        "SELECT x, t_x / 7.0 AS t_x, age / 7.0 AS T, spent / valued AS mean FROM buyers WHERE contact_id = 1"
    )
    assert tuple(row) == pytest.approx((2, 30.43, 38.86, 22.345), abs=0.005)


def test_what_was_held_out_of_cdnow_came_as_expected_in_each_band(shop: Store) -> None:
    held_out = fit(shop, WEEKS_39, options(), dry_run=True).model.quality["held_out"]
    assert (held_out["from"], held_out["days"], held_out["contacts"]) == ("1997-07-03", 90, 2357)
    assert held_out["expected"] == pytest.approx(held_out["purchases"], rel=0.05)
    assert sum(band["contacts"] for band in held_out["bands"]) == 2357
    assert [band["likelihood"] for band in held_out["bands"]] == list(likelihoods.BANDS)
    for band in held_out["bands"]:
        near = 2.5 * 50 / band["contacts"] ** 0.5
        assert band["percent_bought"] == pytest.approx(band["percent_expected"], abs=near)


@pytest.mark.parametrize("params", [(0.3, 3.0, 0.7, 2.0), (5.0, 20.0, 0.1, 0.4), (0.01, 90.0, 30.0, 200.0)])
def test_the_gradient_of_bg_nbd_is_that_of_its_likelihood(params: tuple[float, ...]) -> None:
    histories = bgnbd.Histories(
        x=numbers(0, 1, 2, 30), t_x=numbers(0, 3, 30.4, 38), T=numbers(39, 20, 38.9, 38), customers=numbers(50, 9, 3, 1)
    )
    check_gradient(bgnbd._Likelihood(histories, histories.x > 0), params)


def test_the_gradient_of_gamma_gamma_is_that_of_its_likelihood() -> None:
    check_gradient(gammagamma._Likelihood(numbers(1, 1, 4, 30), numbers(12, 300, 40.5, 0.7)), (6.25, 3.74, 15.44))


def check_gradient(likelihood: Any, params: tuple[float, ...]) -> None:
    _, gradient = likelihood(np.array(params))
    for place, value in enumerate(params):
        step = np.zeros(len(params))
        step[place] = value * 1e-6
        slope = (likelihood(params + step)[0] - likelihood(params - step)[0]) / (2 * step[place])
        assert gradient[place] == pytest.approx(slope, rel=1e-4, abs=1e-6)


def test_histories_that_are_the_same_count_as_one_with_their_number() -> None:
    one = bgnbd.Histories(x=numbers(2, 0), t_x=numbers(8, 0), T=numbers(9, 9), customers=numbers(3, 2))
    each = bgnbd.Histories(
        x=numbers(2, 0, 2, 2, 0), t_x=numbers(8, 0, 8, 8, 0), T=numbers(9, 9, 9, 9, 9), customers=np.ones(5)
    )
    values = [bgnbd._Likelihood(given, given.x > 0)(numbers(0.3, 4, 0.8, 2)) for given in (one, each)]
    assert values[0][0] == pytest.approx(values[1][0])
    assert values[0][1] == pytest.approx(values[1][1])


@pytest.mark.parametrize("x", [0.0, 1.0, 2.0, 12.0, 40.0])
@pytest.mark.parametrize("weeks", [1.0, 13.0, 104.0])
def test_expected_purchases_are_those_of_the_published_formula(x: float, weeks: float) -> None:
    T = 38.86
    r, alpha, a, b = CDNOW.r, CDNOW.alpha, CDNOW.a, CDNOW.b
    whole = alpha + T + weeks
    series = hyp2f1(r + x, b + x, a + b + x - 1, weeks / whole)
    published = (a + b + x - 1) / (a - 1) * (1 - ((alpha + T) / whole) ** (r + x) * series)
    assert bgnbd.purchases(CDNOW, numbers(x), numbers(T), weeks)[0] == pytest.approx(published, rel=1e-7)


def test_expected_purchases_stay_exact_where_customers_hardly_ever_leave_or_buy_thousands_of_times() -> None:
    stays = bgnbd.Params(r=2, alpha=5, a=1e-4, b=3)
    assert bgnbd.purchases(stays, numbers(10), numbers(20), 5)[0] == pytest.approx((2 + 10) / (5 + 20) * 5, rel=1e-3)
    often = bgnbd.Params(r=1, alpha=1, a=1, b=1)
    # Its rate is 5000 / 501 a week, and its chance to leave about 1 / 5000: of 998 purchases about 10 % are lost.
    assert bgnbd.purchases(often, numbers(5000), numbers(500), 100)[0] == pytest.approx(998 * 0.91, rel=0.02)


def test_the_model_says_what_happens_in_a_simulation_of_its_story() -> None:
    params, many, span, weeks = bgnbd.Params(r=0.9, alpha=6, a=0.8, b=3), 300_000, 40.0, 20.0
    random = np.random.default_rng(11)
    rate, leaves = random.gamma(params.r, 1 / params.alpha, many), random.beta(params.a, params.b, many)
    at, here = np.zeros(many), np.ones(many, dtype=bool)
    x, t_x, later, here_then = np.zeros(many), np.zeros(many), np.zeros(many), np.zeros(many, dtype=bool)
    while True:
        at = at + random.exponential(1 / rate)
        here_then |= here & (at > span)
        here &= at <= span + weeks
        if not here.any():
            break
        seen = here & (at <= span)
        x, t_x, later = x + seen, np.where(seen, at, t_x), later + (here & ~seen)
        here &= random.random(many) >= leaves
    T = np.full(many, span)
    alive = bgnbd.alive(params, x, t_x, T)
    buys = alive * bgnbd.buys(params, x, T, weeks)
    expected = alive * bgnbd.purchases(params, x, T, weeks)
    for those in (x == 0, x == 1, (x == 2) & (t_x < 20), (x >= 3) & (t_x < 20), (x >= 3) & (t_x >= 30), x >= 8):
        near = 4 / those.sum() ** 0.5
        assert here_then[those].mean() == pytest.approx(alive[those].mean(), abs=near)
        assert (later[those] > 0).mean() == pytest.approx(buys[those].mean(), abs=near)
        assert later[those].mean() == pytest.approx(expected[those].mean(), abs=near * later[those].std())


def test_a_fit_finds_the_parameters_purchases_were_made_by_whatever_it_starts_from(shop: Store) -> None:
    window = purchases.Window(event="order.paid", since=0, until=to_ms(WEEKS_39), split=10_000)
    purchases.gather(shop, window)
    histories = holdout.histories(holdout.table(purchases.histories(shop), 4))
    far = bgnbd.Params(r=20, alpha=0.2, a=9, b=0.1)
    assert asdict(bgnbd.fit(histories, far)[0]) == pytest.approx(asdict(bgnbd.fit(histories)[0]), rel=1e-3)


def test_the_more_purchases_the_more_their_own_mean_counts() -> None:
    params = gammagamma.Params(p=6.25, q=3.74, v=15.44)
    population = 6.25 * 15.44 / 2.74
    assert gammagamma.value(params, numbers(0), numbers(0))[0] == pytest.approx(population)
    few, many = gammagamma.value(params, numbers(1, 50), numbers(100, 100))
    assert population < few < many < 100


def test_without_a_mean_there_is_no_value_to_expect() -> None:
    assert np.isnan(gammagamma.value(gammagamma.Params(p=0.5, q=0.4, v=1), numbers(0, 1), numbers(0, 9))).all()


# What is a purchase


def gathered(store: Store, until: datetime = NOW, split: datetime = NOW) -> dict[int, tuple[Any, ...]]:
    day = to_ms(split) // purchases.DAY
    purchases.gather(store, purchases.Window(event="order.paid", since=0, until=to_ms(until), split=day))
    return {row["contact_id"]: tuple(row)[1:6] for row in store.rows("SELECT * FROM buyers")}


def test_the_purchases_of_a_day_are_one_and_the_first_is_not_a_repeat(store: Store) -> None:
    add_contacts(store, 1)
    days = [
        NOW - timedelta(days=30),
        NOW - timedelta(days=30, hours=2),
        NOW - timedelta(days=10),
        NOW - timedelta(days=10, hours=1),
    ]
    buy(store, [(1, at, {"total": 10}) for at in days])
    assert gathered(store) == {1: (1, 20, 30, 1, 20.0)}


def test_purchases_without_a_value_count_and_do_not_lower_the_mean(store: Store) -> None:
    add_contacts(store, 1)
    said = ({"total": 99}, {"total": 40}, {}, {"total": "cheap"})
    buy(store, [(1, NOW - (9 - place) * DAY, each) for place, each in enumerate(said)])
    assert gathered(store) == {1: (3, 3, 9, 1, 40.0)}


def test_a_repeat_purchase_for_nothing_leaves_no_trace_of_a_value(store: Store) -> None:
    add_contacts(store, 1)
    hours = {30 * 24: 0.1, 30 * 24 - 1: 0.2, 240: 0.3, 239: -0.3}
    buy(store, [(1, NOW - timedelta(hours=ago), {"total": value}) for ago, value in hours.items()])
    assert gathered(store) == {1: (1, 20, 30, 1, 0.0)}
    assert list(purchases.values(store)) == []


@pytest.mark.parametrize(
    ("refund", "left"),
    [
        ({"order": "b"}, (1, 20, 30, 1, 10.0)),
        ({"order": "b", "total": 10}, (1, 20, 30, 1, 10.0)),
        ({"order": "b", "total": -10}, (1, 20, 30, 1, 10.0)),
        ({"order": "b", "total": 4}, (2, 20, 30, 2, 16.0)),
        ({"order": "c"}, (1, 10, 30, 1, 10.0)),
        ({"order": "unheard of", "total": 10}, (2, 20, 30, 2, 20.0)),
        ({"total": 10}, (2, 20, 30, 2, 20.0)),
        ({"order": ""}, (2, 20, 30, 2, 20.0)),
    ],
    ids=str,
)
def test_what_was_taken_back_is_no_purchase(store: Store, refund: dict[str, Any], left: tuple[Any, ...]) -> None:
    add_contacts(store, 2)
    orders = {"a": 30, "b": 20, "c": 10}
    for who in (1, 2):
        buy(store, [(who, NOW - days * DAY, {"total": 10, "order": order}) for order, days in orders.items()])
    buy(store, [(1, NOW - DAY, refund)], "order.refunded")
    assert gathered(store) == {1: left, 2: (2, 20, 30, 2, 20.0)}


def test_a_refund_of_an_order_without_a_name_takes_nothing_back(store: Store) -> None:
    add_contacts(store, 1)
    buy(store, [(1, NOW - days * DAY, {"total": 10, "order": ""}) for days in (30, 20)])
    buy(store, [(1, NOW - DAY, {"total": 10, "order": ""})], "order.refunded")
    assert gathered(store) == {1: (1, 10, 30, 1, 10.0)}


def test_an_order_is_the_same_as_a_number_and_as_text(store: Store) -> None:
    add_contacts(store, 1)
    buy(
        store, [(1, NOW - days * DAY, {"total": 10, "order": order}) for order, days in ((7, 30), ("17", 20), (27, 10))]
    )
    buy(store, [(1, NOW - DAY, {"total": 5, "order": order}) for order in (17, "17", "27")], "order.refunded")
    assert gathered(store) == {1: (1, 20, 30, 1, 5.0)}


def test_removed_contacts_and_purchases_of_nobody_are_left_out(store: Store) -> None:
    add_contacts(store, 2)
    buy(store, [(1, NOW - DAY, {}), (2, NOW - DAY, {})])
    with store.write():
        store.execute("UPDATE contacts SET removed_at = 1 WHERE id = 2")
        store.execute("INSERT INTO events (name, at, source) VALUES ('order.paid', 5, 'test')")
    assert list(gathered(store)) == [1]


def test_another_setting_or_option_says_what_is_bought_and_for_how_much(world: World) -> None:
    world.store.execute("UPDATE events SET name = 'shop.order', properties = replace(properties, 'total', 'paid')")
    with pytest.raises(OperationFailed, match=r"no contact has the event order\.paid"):
        fitted(world)
    assert "have repeat purchases with a total" in (fitted(world, event="shop.order").no_spend or "")
    settings.put(world.store, NOW, "purchases.value", "paid")
    assert fitted(world, event="shop.order").no_spend is None


# What is refused


def test_too_little_data_is_refused_with_what_is_missing(store: Store) -> None:
    add_contacts(store, 150)
    twice = [(who, NOW - days * DAY, {"total": 5}) for who in range(1, LEAST) for days in (40, 3)]
    buy(store, [*twice, *((who, NOW - 9 * DAY, {}) for who in range(LEAST, 151))])
    with pytest.raises(
        OperationFailed, match=r"150 contacts have order\.paid, 99 of them on more than one day; at least 100"
    ):
        fit(store, NOW, options())


def test_where_the_search_ends_nowhere_there_is_no_fit() -> None:
    def slope_without_end(params: Any) -> tuple[float, Any]:
        return float(np.sin(1e6 * params[0])), numbers(5)

    with pytest.raises(NoFit, match="no best parameters"):
        maximise(slope_without_end, {"x": 1.0}, observations=1)


def test_customers_who_do_not_differ_are_fitted_and_it_is_said(store: Store) -> None:
    add_contacts(store, 120)
    buy(store, [(who, NOW - days * DAY, {"total": 5}) for who in range(1, 121) for days in range(1, 300, 30)])
    found = fit(store, NOW, options())
    assert {"r", "alpha"} & set(found.model.quality["at_limit"])
    assert "at the limit, where customers do not differ" in found.lines()[0]
    assert store.value("SELECT min(expected) FROM predictions WHERE kind = 'purchase'") == pytest.approx(3, rel=0.05)
    assert store.value("SELECT max(probability) FROM predictions WHERE kind = 'churn'") < 0.01


@pytest.mark.parametrize("missing", ["numpy", "scipy"])
def test_without_numpy_and_scipy_it_says_what_to_install(
    macli: Run, workspace: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    ran = macli("prediction", "fit")
    assert (ran.code, ran.out) == (1, "")
    assert "pip install 'macli[predict]'" in ran.err


@pytest.mark.parametrize("horizon", [timedelta(), timedelta(hours=36), timedelta(days=1, seconds=1)])
def test_a_horizon_is_of_whole_days(world: World, horizon: timedelta) -> None:
    with pytest.raises(UsageError, match="whole days"):
        fitted(world, horizon=horizon)


def test_nothing_is_predicted_as_of_a_time_to_come(world: World) -> None:
    with pytest.raises(UsageError, match="in the future"):
        fitted(world, until=NOW + DAY)


# What is kept


def test_c16_and_c18_every_buyer_is_predicted_and_nobody_else(world: World) -> None:
    found = fitted(world)
    assert found.kept is not None
    churn, purchase = predicted(world, "churn"), predicted(world, "purchase")
    assert set(purchase) == set(range(1, 121))
    repeat = {who for who, history in gathered(world.store).items() if history[0] > 0}
    assert set(churn) == repeat
    assert len(repeat) == found.model.quality["repeat_buyers"] == found.kept.churn
    assert 0 < min(churn.values()) < max(churn.values()) < 1
    assert 0 < min(purchase.values()) < max(purchase.values()) < 1
    with_spend = world.store.value("SELECT count(*) FROM predictions WHERE expected > 0 AND spend > 0")
    assert with_spend == found.kept.purchase == 120


def test_who_bought_once_has_no_prediction_of_churn(world: World) -> None:
    fitted(world)
    buy(world.store, [(150, NOW - 300 * DAY, {"total": 5})])
    fitted(world)
    churn, purchase = kept.of(world.store, 150, NOW)
    assert churn["likelihood"] == "no data"
    assert purchase["likelihood"] in likelihoods.BANDS


def test_what_is_predicted_is_as_of_the_end_of_the_window(world: World) -> None:
    then = NOW - timedelta(days=40)
    found = fitted(world, until=then)
    assert found.stale
    assert {row["predicted_at"] for row in world.store.rows("SELECT predicted_at FROM predictions")} == {to_ms(then)}
    assert list(kept.listed(world.store, NOW)) == []
    assert len(list(kept.listed(world.store, then))) > 0


def test_a_longer_horizon_makes_purchases_likelier_and_leaves_churn_as_it_is(world: World) -> None:
    fitted(world, horizon=timedelta(days=30))
    churn, purchase = predicted(world, "churn"), predicted(world, "purchase")
    fitted(world, horizon=timedelta(days=180))
    assert predicted(world, "churn") == pytest.approx(churn)
    assert all(later > purchase[who] for who, later in predicted(world, "purchase").items())


def test_without_values_there_is_no_spend_and_it_is_said(world: World) -> None:
    world.store.execute("UPDATE events SET properties = '{}'")
    found = fitted(world)
    assert found.no_spend == f"only 0 contacts have repeat purchases with a total; at least {LEAST} are needed"
    assert world.store.value("SELECT count(*) FROM predictions WHERE spend IS NOT NULL") == 0
    assert any(found.no_spend in line for line in found.lines())


@pytest.mark.parametrize("total", [1e300, 10**320])
def test_a_value_beyond_all_measure_leaves_no_spend_and_it_is_said(world: World, total: float) -> None:
    buy(world.store, [(1, NOW - days * DAY, {"total": total}) for days in (3, 5)])
    found = fitted(world)
    assert "beyond all measure" in (found.no_spend or "")
    assert world.store.value("SELECT count(spend) FROM predictions") == 0
    assert len(predicted(world, "purchase")) == 120


def test_customers_who_spend_the_same_are_fitted_and_it_is_said(world: World) -> None:
    world.store.execute("UPDATE events SET properties = '{\"total\": 5}' WHERE name = 'order.paid'")
    found = fitted(world)
    assert "at the limit, where customers do not differ" in found.lines()[1]
    assert world.store.value("SELECT max(abs(spend - 5 * expected)) < 0.01 FROM predictions")


def test_a_dry_run_keeps_nothing(world: World) -> None:
    found = fit(world.store, NOW, options(), dry_run=True)
    assert found.kept is None
    assert (
        world.store.value("SELECT (SELECT count(*) FROM predictions) + (SELECT count(*) FROM prediction_models)") == 0
    )


def touched(world: World, since: datetime) -> set[int]:
    rows = world.store.rows("SELECT id FROM contacts WHERE updated_at = :now", {"now": to_ms(since)})
    return {row["id"] for row in rows}


def bands(world: World) -> dict[tuple[int, str], str]:
    rows = world.store.rows("SELECT contact_id, kind, probability FROM predictions")
    return {(row["contact_id"], row["kind"]): likelihoods.of(row["probability"]) for row in rows}


def test_contacts_whose_band_changed_are_touched_and_no_others(world: World) -> None:
    first, second = NOW + timedelta(hours=1), NOW + timedelta(days=20)
    fitted(world, first)
    assert touched(world, first) == set(range(1, 121))
    before = bands(world)
    fitted(world, second)
    changed = {who for (who, kind), band in bands(world).items() if before[who, kind] != band}
    assert changed
    assert touched(world, second) == changed


def test_who_is_predicted_again_after_the_last_word_grew_too_old_is_touched(world: World) -> None:
    late = NOW + timedelta(days=31)
    fitted(world)
    fitted(world, late)
    assert touched(world, late) == set(range(1, 121))


def test_a_fit_ends_what_earlier_fits_said_and_leaves_what_was_imported_of_others(world: World, tmp_path: Path) -> None:
    later = NOW + timedelta(hours=1)
    fitted(world)
    scores(world, tmp_path, "id,churn\n140,0.9\n3,0.9\n")
    world.store.execute("UPDATE events SET contact_id = 130 WHERE contact_id = 2")
    fitted(world, later)
    assert [record["likelihood"] for record in kept.of(world.store, 2, later)] == ["no data", "no data"]
    assert 2 in touched(world, later)
    assert kept.of(world.store, 130, later)[1]["model"] == "BG/NBD"
    assert kept.of(world.store, 140, later)[0]["percent"] == 90
    assert kept.of(world.store, 3, later)[0]["model"] == "BG/NBD"


def test_every_figure_comes_with_the_model_and_its_date(world: World) -> None:
    fitted(world)
    record = kept.of(world.store, 1, NOW)[1]
    assert (record["model"], record["fitted_at"], record["horizon_days"]) == ("BG/NBD", to_ms(NOW), 90)
    [model] = kept.models(world.store, NOW)
    assert (model["contacts"], model["contacts_now"], model["params"]["event"]) == (120, 120, "order.paid")
    assert model["quality"]["held_out"]["bands"]
    assert "expected" in model["tested"]


def test_where_the_first_part_is_too_little_it_is_not_tested_and_that_is_said(store: Store) -> None:
    add_contacts(store, 120)
    days = [(who, days) for who in range(1, 121) for days in (300, 3 + who % 80, 1 + who % 3)]
    buy(store, [(who, NOW - ago * DAY, {"total": 5}) for who, ago in days])
    found = fit(store, NOW, options())
    said = "fewer than 100 contacts had bought more than once before the last 90 days"
    assert found.model.quality["not_tested"] == said
    assert f"not tested: {said}" in found.lines()
    assert found.bands == []


def test_purchases_of_two_days_are_not_tested_and_that_is_said(store: Store) -> None:
    add_contacts(store, 120)
    hours = [(who, hours) for who in range(1, 121) for hours in (1, 25)]
    buy(store, [(who, NOW - timedelta(hours=ago), {"total": who}) for who, ago in hours])
    assert "not tested: all purchases are of a few days" in fit(store, NOW, options()).lines()


# Bands and age


@pytest.mark.parametrize(
    ("probability", "band"),
    [
        (0.0, "small"),
        (0.25, "small"),
        (0.2500001, "medium"),
        (0.5, "medium"),
        (0.5000001, "high"),
        (0.75, "high"),
        (0.7500001, "very high"),
        (1.0, "very high"),
    ],
)
def test_the_upper_end_of_a_band_is_in_it(store: Store, probability: float, band: str) -> None:
    assert likelihoods.of(probability) == band
    above, most = likelihoods.limits(band)
    assert above < probability <= most
    place = store.value(f"SELECT {likelihoods.sql(':p')}", {"p": probability})
    assert list(likelihoods.BANDS)[place] == band


@pytest.mark.parametrize(
    ("word", "band"),
    [("Large", "high"), ("very-large", "very high"), (" Very  High ", "very high"), ("small", "small")],
)
def test_both_words_for_a_band_are_read(word: str, band: str) -> None:
    assert likelihoods.read(word) == band
    with pytest.raises(UnknownName, match="no likelihood named"):
        likelihoods.read(f"{word} indeed")


def test_an_old_prediction_is_no_data(world: World) -> None:
    fitted(world)
    in_time, late = NOW + timedelta(days=30), NOW + timedelta(days=30, seconds=1)
    assert kept.of(world.store, 1, in_time)[1]["likelihood"] != "no data"
    assert kept.of(world.store, 1, late)[1]["likelihood"] == "no data"
    assert list(kept.listed(world.store, late)) == []
    settings.put(world.store, NOW, "predictions.max_age", "60 days")
    assert len(list(kept.listed(world.store, late, kind="purchase"))) == 120


def test_predictions_are_listed_by_band_the_likeliest_first(world: World) -> None:
    fitted(world)
    rows = list(kept.listed(world.store, NOW, kind="purchase"))
    assert [row["percent"] for row in rows] == sorted((row["percent"] for row in rows), reverse=True)
    by_band = [list(kept.listed(world.store, NOW, kind="purchase", band=band)) for band in likelihoods.BANDS]
    assert sum(map(len, by_band)) == len(rows) == 120
    assert all(
        {row["likelihood"] for row in rows} <= {band} for rows, band in zip(by_band, likelihoods.BANDS, strict=True)
    )
    assert len(list(kept.listed(world.store, NOW, limit=2))) == 4


def test_predictions_are_listed_of_the_contacts_a_rule_selects(macli: Run, workspace: Path) -> None:
    for name, country in (("ann", "Canada"), ("bob", "Poland")):
        macli("contact", "add", f"{name}@example.com", "--set", f"country={country}")
    (workspace / "scores.csv").write_text("email,churn\nann@example.com,0.9\nbob@example.com,0.8\n")
    macli("prediction", "import", "scores.csv")
    listed = json.loads(macli("prediction", "list", "--where", "country = Poland", "--json").out)
    assert [row["contact"] for row in listed] == ["bob@example.com"]


# From elsewhere


def scores(world: World, folder: Path, text: str, **more: Any) -> Any:
    from macli.importer.source import opened
    from macli.lifecycle.scores_import import import_scores

    (folder / "scores.csv").write_text(text)
    with opened(str(folder / "scores.csv")) as source:
        return import_scores(world.store, source, NOW, **more)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("0.63", 0.63), ("63 %", 0.63), ("63%", 0.63), ("0,63", 0.63), ("62,5 %", 0.625), ("1", 1.0), ("0", 0.0),
     (".5", 0.5), ("100%", 1.0), ("2e-05", 2e-05)],
)  # fmt: skip
def test_a_score_is_a_share_or_a_percentage(world: World, tmp_path: Path, written: str, meant: float) -> None:
    scores(world, tmp_path, f'email,churn\nC1@Example.com,"{written}"\n')
    assert predicted(world, "churn") == {2: pytest.approx(meant)}


@pytest.mark.parametrize("header", ["email", "E-Mail", "mail", "external_id", "id", "contact"])
def test_a_row_names_its_contact_by_email_external_id_or_number(world: World, tmp_path: Path, header: str) -> None:
    world.store.execute("UPDATE contacts SET external_id = 'A-7' WHERE id = 7")
    name = {"external_id": "A-7", "id": "7"}.get(header, "c6@example.com")
    told = scores(world, tmp_path, f"{header},segment,purchase\n{name},x,0.5\n")
    assert (told.taken, told.refused, predicted(world, "purchase")) == (1, 0, {7: 0.5})


def test_rows_are_refused_with_their_line_and_reason_and_written_aside(world: World, tmp_path: Path) -> None:
    told = scores(
        world,
        tmp_path,
        "email,churn,purchase\nc0@example.com,0.1,0.9\nnobody@example.com,0.1,0.2\nc1@example.com,63,\n"
        "c2@example.com,soon,\nnoone,0.5,\n,0.5,\nc3@example.com,,\nc4@example.com,-1,\nc5@example.com,0.5\n"
        "c6@example.com,nan,0.1\n",
    )
    assert (told.taken, told.refused) == (1, 9)
    assert dict(told.reasons) == {
        3: "no contact 'nobody@example.com'",
        4: "its churn '63' is more than certain: a percentage has its sign, 63 %",
        5: "its churn 'soon' is no probability: write 0.63 or 63 %",
        6: told.reasons[3][1],
        7: "it names no contact",
        8: "it says no prediction",
        9: "its churn '-1' is no probability: write 0.63 or 63 %",
        10: "2 cells where the header has 3",
        11: "its churn 'nan' is no probability: write 0.63 or 63 %",
    }
    assert "noone" in told.reasons[3][1]
    with told.refused_rows.open(newline="") as file:
        written = list(csv.reader(file))
    assert written[0] == ["refused_line", "refused_because", "email", "churn", "purchase"]
    assert written[1] == ["3", "no contact 'nobody@example.com'", "nobody@example.com", "0.1", "0.2"]
    assert len(written) == 10


def test_mended_refused_rows_are_read_again(world: World, tmp_path: Path) -> None:
    told = scores(world, tmp_path, "email,churn\nc0@example.com,63\n")
    mended = told.refused_rows.read_text().replace(",63\n", ",63 %\n").replace(",63\r\n", ",63 %\r\n")
    assert scores(world, tmp_path, mended).taken == 1
    assert predicted(world, "churn") == {1: 0.63}


def test_a_dry_run_of_an_import_says_the_same_and_changes_nothing(world: World, tmp_path: Path) -> None:
    told = scores(world, tmp_path, "email,churn\nc0@example.com,0.5\nc1@example.com,x\n", dry_run=True)
    assert (told.taken, told.refused, told.kept, told.refused_rows) == (1, 1, None, None)
    assert sorted(file.name for file in tmp_path.glob("scores*")) == ["scores.csv"]
    assert world.store.value("SELECT count(*) FROM prediction_models") == 0
    assert predicted(world, "churn") == {}


def test_an_empty_cell_leaves_what_was_said_before_and_the_later_row_counts(world: World, tmp_path: Path) -> None:
    scores(world, tmp_path, "email,churn,purchase\nc0@example.com,0.1,0.2\n")
    scores(world, tmp_path, "email,churn,purchase\nc0@example.com,0.3,\n")
    assert (predicted(world, "churn"), predicted(world, "purchase")) == ({1: 0.3}, {1: 0.2})
    rows = "".join(f"c{place % 2}@example.com,0.{place % 9}\n" for place in range(5003))
    scores(world, tmp_path, f"email,churn\n{rows}")
    assert predicted(world, "churn") == {1: 0.7, 2: 0.6}


def test_an_import_touches_only_those_whose_band_changed(world: World, tmp_path: Path) -> None:
    scores(world, tmp_path, "id,churn\n1,0.1\n2,0.1\n")
    world.store.execute("UPDATE contacts SET updated_at = 0")
    told = scores(world, tmp_path, "id,churn\n1,0.2\n2,0.3\n3,0.2\n")
    assert told.kept.changed == 2
    assert touched(world, NOW) == {2, 3}


def test_removed_contacts_are_nobody(world: World, tmp_path: Path) -> None:
    world.store.execute("UPDATE contacts SET removed_at = 1 WHERE id = 1")
    assert scores(world, tmp_path, "id,churn\n1,0.1\n").reasons == ((2, "no contact '1'"),)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("email,score\nc0@example.com,1\n", "is a prediction"),
        ("name,churn\nAnn,1\n", "says the contact"),
        ("email,churn,Churn\nc0@example.com,1,0\n", "two columns of scores.csv are churn"),
    ],
)
def test_columns_that_say_too_little_are_refused(world: World, tmp_path: Path, text: str, wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong):
        scores(world, tmp_path, text)


# In the tick


def test_the_tick_fits_anew_where_the_setting_says_so_and_only_when_it_is_time(world: World) -> None:
    fitted(world, horizon=timedelta(days=30))
    run_tick(world.engine(NOW + timedelta(days=20)))
    assert kept.last_fit(world.store)["fitted_at"] == to_ms(NOW)
    settings.put(world.store, NOW, "predictions.refit", "7 days")
    early, due = NOW + timedelta(days=6), NOW + timedelta(days=8)
    run_tick(world.engine(early))
    assert kept.last_fit(world.store)["fitted_at"] == to_ms(NOW)
    run_tick(world.engine(due))
    run_tick(world.engine(due + timedelta(hours=2)))
    again = kept.last_fit(world.store)
    assert (again["fitted_at"], again["horizon_days"]) == (to_ms(due), 30)
    assert world.store.value("SELECT count(*) FROM prediction_models") == 2


def test_a_fit_that_fails_in_the_tick_is_told_once_and_stops_nothing(world: World) -> None:
    world.store.execute("DELETE FROM events WHERE contact_id > 50")
    settings.put(world.store, NOW, "predictions.refit", "7 days")
    reports = [run_tick(world.engine(NOW + timedelta(hours=hours))) for hours in (1, 3, 30)]
    assert [bool(report.failed) for report in reports] == [False] * 3
    told = [" ".join(f"{who} {why}" for who, why in report.warned.items()) for report in reports]
    assert "predictions not fitted anew: too little to go by" in told[0]
    assert told[1:] == ["", ""]


def test_a_clock_set_back_fits_anew_once(world: World) -> None:
    ahead = NOW + timedelta(days=300)
    settings.put(world.store, NOW, "predictions.refit", "7 days")
    run_tick(world.engine(ahead))
    for hours in (0, 2, 4, 30):
        run_tick(world.engine(NOW + timedelta(hours=hours)))
    fitted_at = [row["fitted_at"] for row in world.store.rows("SELECT fitted_at FROM prediction_models ORDER BY id")]
    assert fitted_at == [to_ms(ahead), to_ms(NOW)]
    last = kept.last_fit(world.store)
    assert last is not None
    assert last["fitted_at"] == to_ms(NOW)


# The commands


def test_the_commands_show_and_take_away(macli: Run, workspace: Path) -> None:
    macli("contact", "add", "ann@example.com")
    (workspace / "scores.csv").write_text("email,churn,purchase\nann@example.com,80 %,0.1\nbob@example.com,0.5,\n")
    ran = macli("prediction", "import", "scores.csv", "--model", "data team")
    assert ran.code == 0, ran.err
    assert "1 row taken, 1 refused" in ran.out
    assert "line 3: no contact 'bob@example.com'" in ran.out
    listed = json.loads(macli("prediction", "list", "--kind", "churn", "--likelihood", "very large", "--json").out)
    assert [(row["contact"], row["percent"], row["model"]) for row in listed] == [
        ("ann@example.com", 80.0, "data team")
    ]
    shown = json.loads(macli("prediction", "show", "ann@example.com", "--json").out)
    assert [(row["kind"], row["likelihood"]) for row in shown] == [("churn", "very high"), ("purchase", "small")]
    [model] = json.loads(macli("prediction", "models", "--json").out)
    assert (model["name"], model["source"], model["contacts_now"], model["quality"]) == ("data team", "import", 1, {})
    assert macli("prediction", "clear").code == 2
    assert "of 1 contact" in macli("prediction", "clear", "--yes").out
    assert macli("prediction", "list", "--json").out == "[]\n"


def test_a_file_of_nothing_but_refused_rows_fails(macli: Run, workspace: Path) -> None:
    (workspace / "scores.csv").write_text("email,churn\nbob@example.com,0.5\n")
    ran = macli("prediction", "import", "scores.csv")
    assert ran.code == 1
    assert "every row of scores.csv was refused" in ran.err


def test_a_fit_says_what_it_found(macli: Run, workspace: Path) -> None:
    with open_store(workspace / "macli.db") as store:
        add_contacts(store, 150)
        buy(store, bought_at_random(120))
    said = json.loads(macli("prediction", "fit", "--dry-run", "--json", at=NOW).out)
    assert (said["model"], said["contacts"], said["purchase"]) == ("BG/NBD", 120, None)
    ran = macli("prediction", "fit", "--horizon", "30 days", at=NOW)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("BG/NBD, fitted to 120 contacts with order.paid, of whom ")
    assert "within 30 days" in ran.out
    assert "percent_bought" in ran.out
    ran = macli("prediction", "fit", "--event", "order.payed", at=NOW)
    assert (ran.code, ran.out) == (1, "")
    assert "no contact has the event order.payed" in ran.err


def test_reading_predictions_loads_no_numbers(workspace: Path) -> None:
    assert not loaded("prediction", "list", "--json") & {"numpy", "scipy"}
