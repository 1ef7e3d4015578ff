"""Deals: their way through a funnel, what they come to, each turn told once."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from macli import selection
from macli.clock import to_ms
from macli.errors import OperationFailed, UnknownName, UsageError
from macli.people import deals
from macli.people.owning import set_owner_where
from macli.store import deals as kept
from macli.store import funnels
from tests.conftest import Run
from tests.people import ONE, add_staff
from tests.test_notes import said, staff_id
from tests.world import NOW, World, add_contacts, new_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 3)
    add_staff(world.store, "anna", "ben")
    funnels.create(world.store, to_ms(NOW), "Sales", ["Lead", "Offer", "Order"])
    return world


def test_t4_a_deal_goes_through_its_funnel_and_each_turn_is_told_once(world: World) -> None:
    number = deals.add(world.store, NOW, "Seats", "cli", contact_id=1, funnel="sales", value=1200.5, currency="EUR")
    assert deals.move(world.store, NOW, number, "offer", "cli")
    assert not deals.move(world.store, NOW, number, "Offer", "cli")
    assert deals.close(world.store, NOW, number, "won", "cli")
    assert not deals.close(world.store, NOW, number, "won", "cli")
    facts = {"deal": 1, "title": "Seats", "funnel": "Sales", "value": 1200.5, "currency": "EUR"}
    assert said(world, "deal.added") == [(1, {**facts, "stage": "Lead"})]
    assert said(world, "deal.moved") == [(1, {**facts, "stage": "Offer", "from": "Lead"})]
    assert said(world, "deal.won") == [(1, {**facts, "stage": "Offer"})]


def test_a_closed_deal_moves_only_after_it_was_opened_again(world: World) -> None:
    number = deals.add(world.store, NOW, "Seats", "cli", contact_id=1, funnel="Sales")
    deals.close(world.store, NOW, number, "lost", "cli")
    for change in (
        lambda: deals.move(world.store, NOW, number, "Offer", "cli"),
        lambda: deals.close(world.store, NOW, number, "won", "cli"),
    ):
        with pytest.raises(OperationFailed, match="is lost"):
            change()
    assert deals.reopen(world.store, NOW, number)
    assert not deals.reopen(world.store, NOW, number)
    assert deals.move(world.store, NOW, number, "Offer", "cli")
    assert kept.get(world.store, number)["closed_at"] is None


def test_a_deal_needs_a_funnel_before_it_stands_at_a_stage(world: World) -> None:
    with pytest.raises(UsageError, match="of which funnel"):
        deals.add(world.store, NOW, "Seats", "cli", stage="Offer")
    with pytest.raises(UnknownName, match="did you mean 'Offer'"):
        deals.add(world.store, NOW, "Seats", "cli", funnel="Sales", stage="Ofer")
    number = deals.add(world.store, NOW, "Seats", "cli")
    with pytest.raises(UsageError, match="in no funnel"):
        deals.move(world.store, NOW, number, "Offer", "cli")
    assert deals.move(world.store, NOW, number, "Offer", "cli", funnel="Sales")
    assert kept.get(world.store, number)["stage"] == "Offer"
    assert said(world, "deal.added") == said(world, "deal.moved") == [], "it is nobody's"


def test_t4_a_deal_is_its_contacts_main_owners_unless_it_is_said_whose(world: World) -> None:
    anna, ben = staff_id(world, "anna"), staff_id(world, "ben")
    set_owner_where(world.store, NOW, ONE, {"one_contact": 1}, anna, "main", "cli")
    for facts in (
        {"contact_id": 1, "made_by": ben},
        {"contact_id": 1, "owner_id": ben},
        {"contact_id": 2, "made_by": ben},
        {"contact_id": 2},
    ):
        deals.add(world.store, NOW, "Seats", "cli", **facts)
    assert [row["owner"] for row in kept.listed(world.store)][::-1] == ["anna", "ben", "ben", None]


@pytest.mark.parametrize("text", ["", "a lot", "-1", "1.2345", "1e12", "NaN", "Infinity", "1e999999999", "12,5"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no amount"):
        deals.read_value(text)


@pytest.mark.parametrize("text", ["", "EURO", "E1R", "€", "zł"])
def test_what_is_no_currency_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no currency"):
        deals.read_currency(text)


@given(st.integers(0, 10**15 - 1))
def test_an_amount_is_told_apart_to_the_last_place(thousandths: int) -> None:
    whole, rest = divmod(thousandths, 1000)
    value = deals.read_value(f"{whole}.{rest:03d}")
    assert round(value * 1000) == thousandths


def test_t4_sums_are_by_state_and_currency_and_exact(world: World) -> None:
    for value, currency in ((0.1, "EUR"), (0.2, "EUR"), (5, "PLN"), (None, None)):
        deals.add(world.store, NOW, "Seats", "cli", value=value, currency=currency)
    deals.close(world.store, NOW, 3, "won", "cli")
    assert [tuple(row) for row in kept.sums(world.store)] == [
        ("open", None, 1, 0),
        ("open", "EUR", 2, 0.3),
        ("won", "PLN", 1, 5),
    ]


def test_t4_the_report_says_what_is_open_at_each_stage_and_who_won_what(world: World) -> None:
    anna = staff_id(world, "anna")
    for value, stage, owner in ((100, "Offer", anna), (50, "Offer", anna), (7, "Lead", None), (30, "Lead", anna)):
        deals.add(
            *(world.store, NOW, "Seats", "cli"),
            funnel="Sales",
            stage=stage,
            value=value,
            currency="EUR",
            owner_id=owner,
        )
    deals.add(world.store, NOW, "Elsewhere", "cli", value=3, currency="EUR")
    assert [tuple(row) for row in kept.pipeline(world.store)] == [
        ("Sales", "Lead", "EUR", 2, 37),
        ("Sales", "Offer", "EUR", 2, 150),
        (None, None, "EUR", 1, 3),
    ]
    deals.close(world.store, NOW, 1, "won", "cli")
    deals.close(world.store, NOW, 2, "lost", "cli")
    deals.close(world.store, NOW + timedelta(days=3), 3, "won", "cli")
    assert [tuple(row) for row in kept.outcomes(world.store)] == [("EUR", 2, 1, 0.667, 107, 50)]
    assert [tuple(row) for row in kept.outcomes_by_owner(world.store)] == [
        ("anna", "EUR", 1, 1, 0.5, 100, 50),
        (None, "EUR", 1, 0, 1, 7, 0),
    ]
    since = to_ms(NOW + timedelta(days=1))
    assert [tuple(row) for row in kept.outcomes(world.store, since)] == [("EUR", 1, 0, 1, 7, 0)]


def test_g12_lists_ask_for_a_deals_own_fields_and_for_its_contact(world: World) -> None:
    deals.add(world.store, NOW, "Seats", "cli", contact_id=1, funnel="Sales", stage="Offer", value=1200)
    deals.add(world.store, NOW, "Tables", "cli", contact_id=2, value=900)

    def listed(rule: str) -> list[str]:
        where = selection.entity_where(world.store, "deal", rule, NOW, world.engine().zone)
        return [row["title"] for row in kept.listed(world.store, where)]

    assert listed("state = open and value >= 1000") == ["Seats"]
    assert listed("stage = Offer") == ["Seats"]
    assert listed("not stage = Offer") == ["Tables"]
    assert listed("email = c1@example.com") == ["Tables"]


def test_g1_deals_on_the_command_line(workspace: Path, macli: Run) -> None:
    macli("contact", "add", "ann@example.com")
    macli("staff", "add", "anna")
    with_funnel = ("--funnel", "Sales")
    from macli.store import open_store

    with open_store(workspace / "macli.db") as store:
        funnels.create(store, to_ms(NOW), "Sales", ["Lead", "Offer"])
    money = ("--value", "1200.10", "--currency", "eur")
    ran = macli("deal", "add", "20 seats", "--contact", "ann@example.com", *money, *with_funnel, "--as", "anna")
    assert ran.out == "made deal 1\n"
    assert macli("deal", "move", "1", "offer").out == "deal 1 is at offer\n"
    shown = json.loads(macli("deal", "show", "1", "--json").out)
    assert (shown["stage"], shown["value"], shown["currency"], shown["owner"]) == ("Offer", 1200.1, "EUR", "anna")
    assert "1 open: 1,200.1 EUR" in macli("deal", "list").out
    assert json.loads(macli("deal", "list", "--contact", "ann@example.com", "--json").out)[0]["title"] == "20 seats"
    assert macli("deal", "edit", "1", "--value", "1300", "--title", "25 seats").code == 0
    assert macli("deal", "win", "1").out == "deal 1 is won\n"
    assert macli("deal", "lose", "1").code == 1
    macli("deal", "add", "5 seats", *money, "--owner", "anna")
    assert macli("deal", "edit", "2", "--value", "", "--currency", "", "--owner", "").code == 0
    emptied = json.loads(macli("deal", "show", "2", "--json").out)
    assert [emptied[name] for name in ("title", "value", "currency", "owner")] == ["5 seats", None, None, None]
    assert macli("deal", "rm", "2").code == 0
    report = json.loads(macli("deal", "report", "--json").out)
    assert report["by_owner"] == [
        {"owner": "anna", "currency": "EUR", "won": 1, "lost": 0, "rate": 1.0, "won_value": 1300.0, "lost_value": 0.0}
    ]
    assert macli("deal", "report", "--format", "csv").out.startswith("owner,currency,won")
    told = macli("deal", "report").out
    assert ("won and lost" in told, "100 %" in told, told.startswith("open")) == (True, True, False)
    assert macli("deal", "reopen", "1").code == 0
    assert macli("deal", "rm", "1").code == 0
    assert macli("deal", "report").out == "no deal is open, and none was closed\n"
    for wrong in (
        ("show", "1"),
        ("add", "x", "--value", "much"),
        ("add", "x", "--currency", "euros"),
        ("add", "x", "--funnel", "Nowhere"),
        ("move", "1", "Offer"),
        ("edit", "1"),
    ):
        assert macli("deal", *wrong).code == 2, wrong


def test_t4_large_amounts_are_shown_to_the_last_place(workspace: Path, macli: Run) -> None:
    for value in ("123456789012.345", "999999999999.999", "0.1"):
        macli("deal", "add", "Seats", "--value", value, "--currency", "JPY")
    told = macli("deal", "list").out
    assert all(f" {value} " in told for value in ("123456789012.345", "999999999999.999", "0.1"))
    assert "3 open: 1,123,456,789,012.44 JPY" in told
    assert " 1123456789012.44" in macli("deal", "report").out
