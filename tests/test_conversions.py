"""What a campaign's report says recipients did, and what it brought about."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from conftest import Ran

from macli import events
from macli.clock import to_ms
from macli.lifecycle import stages
from macli.lifecycle.funnels import move_where
from macli.lifecycle.ladder import Add, Remove
from macli.lifecycle.points import give_where
from macli.model import NewEvent
from macli.reports.campaign import report
from macli.store import campaigns, funnels
from macli.store.scopes import GLOBAL
from macli.tick.tick import run_tick
from tests.world import NOW, World, add_campaign, add_contacts, new_world

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
BOUGHT = {"event": "order.paid", "value": "total"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = new_world(tmp_path / "shop")
    add_contacts(made.store, 10)
    with made.store:
        yield made


def sent(world: World, name: str = "spring", now: datetime = NOW, **definition: Any) -> None:
    """A campaign whose mails to everybody are in the outbox."""
    add_campaign(world.store, name, now=now, **definition)
    run_tick(world.engine(now))


def deliver(world: World) -> None:
    with world.store.write():
        world.store.execute("UPDATE sends SET state = 'delivered' WHERE state = 'accepted'")


def did(world: World, contact_id: int, name: str, at: datetime, campaign: str = "spring") -> None:
    """A contact did something with its message of a campaign."""
    row = world.store.row(
        """
        SELECT sends.id, sends.campaign_id
        FROM sends
        JOIN campaigns ON campaigns.id = sends.campaign_id
        WHERE sends.contact_id = :contact
          AND campaigns.name = :campaign
        """,
        {"contact": contact_id, "campaign": campaign},
    )
    assert row is not None
    said = NewEvent(
        contact_id=contact_id, name=name, at=to_ms(at), source="test", send_id=row["id"], campaign_id=row["campaign_id"]
    )
    events.record(world.store, at, [said])


def happened(world: World, contact_id: int, at: datetime, name: str = "order.paid", **properties: Any) -> None:
    said = NewEvent(contact_id=contact_id, name=name, at=to_ms(at), source="test", properties=properties)
    events.record(world.store, at, [said])


def told(world: World, name: str = "spring") -> dict[str, Any]:
    return report(world.store, campaigns.get(world.store, name), now=NOW + 60 * DAY, zone=ZoneInfo("UTC"))


def brought(world: World, name: str = "spring") -> Sequence[Any]:
    found = told(world, name)["conversions"]
    return found["conversions"], found["contacts"], found["value"]


def test_p45_of_ten_delivered_four_that_were_opened_are_forty_percent_however_often_one_was(world: World) -> None:
    sent(world)
    deliver(world)
    for contact_id in (1, 2, 3, 4, 4, 4):
        did(world, contact_id, "email.opened", NOW + HOUR)
    (step,) = told(world)["steps"]
    assert (step["of"], step["messages"], step["opened"], step["opens"]) == ("delivered", 10, 4, 6)
    assert step["open_percent"] == 40.0


def test_p45_programs_are_counted_apart_from_people(world: World) -> None:
    sent(world)
    for name in ("email.opened.machine", "email.opened.suspected", "email.clicked.machine", "email.clicked.suspected"):
        did(world, 1, name, NOW + HOUR)
    did(world, 2, "email.clicked", NOW + HOUR)
    (step,) = told(world)["steps"]
    assert (step["opened"], step["clicked"], step["machine_opens"], step["machine_clicks"]) == (0, 1, 2, 2)
    assert step["click_percent"] == 10.0


def test_p45_where_no_provider_says_what_was_delivered_rates_are_of_what_was_sent(world: World) -> None:
    sent(world)
    did(world, 1, "email.opened", NOW + HOUR)
    (step,) = told(world)["steps"]
    assert (step["of"], step["messages"], step["open_percent"]) == ("sent", 10, 10.0)


def test_p45_hard_and_soft_bounces_noes_and_complaints_stand_apart(world: World) -> None:
    sent(world)
    with world.store.write():
        world.store.execute("UPDATE sends SET state = 'bounced' WHERE contact_id = 1")
    for contact_id, name in (
        (2, "email.soft_bounced"),
        (2, "email.soft_bounced"),
        (3, "email.unsubscribed"),
        (4, "email.complained"),
        (5, "email.complained"),
    ):
        did(world, contact_id, name, NOW + HOUR)
    (step,) = told(world)["steps"]
    assert (step["messages"], step["hard_bounced"], step["soft_bounced"]) == (9, 1, 1)
    assert (step["unsubscribed"], step["complained"]) == (1, 2)


@pytest.mark.parametrize(
    ("touch", "later", "counts"),
    [
        ("email.clicked", 2 * DAY, True),
        ("email.clicked", 7 * DAY, True),
        ("email.clicked", 8 * DAY, False),
        ("email.clicked", -HOUR, False),
        ("sms.clicked", 2 * DAY, True),
        ("push.clicked", 2 * DAY, True),
        ("email.opened", 23 * HOUR, True),
        ("email.opened", 2 * DAY, False),
        ("email.clicked.machine", HOUR, False),
        ("email.opened.suspected", HOUR, False),
    ],
)
def test_p45_a_purchase_counts_within_seven_days_of_a_click_or_one_of_an_open(
    world: World, touch: str, later: timedelta, counts: bool
) -> None:
    sent(world, conversion=BOUGHT)
    did(world, 1, touch, NOW + DAY)
    happened(world, 1, NOW + DAY + later, total=19.5)
    assert brought(world) == ((1, 1, 19.5) if counts else (0, 0, None))


def test_p45_of_two_campaigns_the_one_touched_last_has_it_and_only_once(world: World) -> None:
    sent(world, "spring", conversion=BOUGHT)
    sent(world, "summer", conversion=BOUGHT)
    did(world, 1, "email.clicked", NOW + HOUR, "summer")
    did(world, 1, "email.clicked", NOW + 2 * HOUR, "spring")
    did(world, 1, "email.opened", NOW + 3 * HOUR, "summer")
    happened(world, 1, NOW + DAY, total=10)
    assert (brought(world, "spring"), brought(world, "summer")) == ((1, 1, 10), (0, 0, None))
    did(world, 1, "email.clicked", NOW + 2 * DAY, "summer")
    happened(world, 1, NOW + 2 * DAY, total=30)
    assert (brought(world, "spring"), brought(world, "summer")) == ((1, 1, 10), (1, 1, 30))


def test_p45_a_click_on_a_campaign_that_counts_nothing_takes_the_credit_too(world: World) -> None:
    sent(world, "spring", conversion=BOUGHT)
    sent(world, "letter")
    did(world, 1, "email.clicked", NOW + HOUR, "spring")
    did(world, 1, "email.clicked", NOW + 2 * HOUR, "letter")
    happened(world, 1, NOW + DAY, total=10)
    assert brought(world) == (0, 0, None)


def test_p45_each_campaign_has_its_own_windows(world: World) -> None:
    sent(world, "long", conversion={**BOUGHT, "after_click": "30 days", "after_open": "10 days"})
    sent(world, "short", conversion={**BOUGHT, "after_click": "1 hour"})
    did(world, 1, "email.clicked", NOW + HOUR, "long")
    did(world, 1, "email.clicked", NOW + 2 * HOUR, "short")
    happened(world, 1, NOW + 20 * DAY, total=1)
    did(world, 2, "email.opened", NOW + HOUR, "long")
    happened(world, 2, NOW + 9 * DAY, total=2)
    happened(world, 2, NOW + 12 * DAY, total=4)
    assert (brought(world, "long"), brought(world, "short")) == ((2, 2, 3), (0, 0, None))


def test_p45_a_condition_narrows_what_counts_and_the_share_is_of_whom_it_was_sent_to(world: World) -> None:
    sent(world, conversion={**BOUGHT, "where": "total > 10"})
    for contact_id, total in ((1, 5), (1, 11), (1, 20), (2, 12), (3, 1)):
        did(world, contact_id, "email.clicked", NOW + HOUR)
        happened(world, contact_id, NOW + DAY, total=total)
    found = told(world)["conversions"]
    assert found == {"conversions": 3, "contacts": 2, "value": 43, "of_contacts": 10, "percent": 20.0}


def test_t2_a_form_or_a_page_is_a_conversion_too(world: World) -> None:
    sent(world, "form", conversion={"form": "Trial"})
    did(world, 1, "email.clicked", NOW + HOUR, "form")
    happened(world, 1, NOW + DAY, "form.submitted", form="Trial")
    happened(world, 1, NOW + DAY, "form.submitted", form="Contact")
    sent(world, "page", conversion={"url": "https://shop.example/thanks"})
    did(world, 2, "email.clicked", NOW + HOUR, "page")
    happened(world, 2, NOW + DAY, "page.visited", url="https://shop.example/thanks?order=5")
    happened(world, 2, NOW + DAY, "page.visited", url="https://shop.example/")
    assert (brought(world, "form"), brought(world, "page")) == ((1, 1, None), (1, 1, None))


def test_p45_a_value_that_is_no_number_adds_nothing(world: World) -> None:
    sent(world, conversion=BOUGHT)
    did(world, 1, "email.clicked", NOW + HOUR)
    happened(world, 1, NOW + DAY, total="a lot")
    happened(world, 1, NOW + DAY, total=2)
    assert brought(world) == (2, 1, 2)


def test_p45_a_stage_that_is_reached_is_a_conversion_for_those_who_pass_it_too(world: World) -> None:
    sent(world, conversion={"stage": "Purchase"})
    for contact, points in ((1, 41), (2, 190), (3, 40)):  # a click is worth 10
        did(world, contact, "email.clicked", NOW + HOUR)
        give_where(world.store, NOW + DAY, f"SELECT {contact}", {}, points, GLOBAL, "test")
    give_where(world.store, NOW + DAY, "SELECT 4", {}, 51, GLOBAL, "test")
    assert brought(world) == (2, 2, None)


def test_a_stage_that_was_removed_still_counts_for_a_campaign_that_is_over(world: World) -> None:
    sent(world, conversion={"stage": "Purchase"})
    did(world, 1, "email.clicked", NOW + HOUR)
    give_where(world.store, NOW + DAY, "SELECT 1", {}, 60, GLOBAL, "test")
    with world.store.write():
        world.store.execute("UPDATE campaigns SET state = 'finished'")
    stages.make(world.store, NOW + DAY, Remove(name="Purchase"))
    assert brought(world) == (1, 1, None)
    stages.make(world.store, NOW + DAY, Add(name="Purchase", threshold=50, after="Consideration"))
    stages.describe(world.store, NOW + DAY, "Purchase", rename="Buying", description=None)
    assert told(world)["conversions"] is None


def test_p45_a_funnels_stage_is_a_conversion(world: World) -> None:
    for name in ("Sales", "Other"):
        funnels.create(world.store, to_ms(NOW), name, ["Lead", "Won"])
    sent(world, conversion={"stage": "sales/won"})
    did(world, 1, "email.clicked", NOW + HOUR)
    for funnel, stage in (("Sales", "Lead"), ("Other", "Won"), ("Sales", "Won")):
        move_where(world.store, NOW + DAY, "SELECT 1", {}, funnel, stage, "test")
    move_where(world.store, NOW + DAY, "SELECT 2", {}, "Sales", "Won", "test")
    assert brought(world) == (1, 1, None)


def test_p45_a_stage_is_given_by_an_option(macli, workspace: Path) -> None:
    made = macli("campaign", "create", "spring", "--conversion", "stage:Purchase")
    assert made.code == 0, made.err
    assert json.loads(macli("campaign", "show", "spring", "--json").out)["conversion"].startswith(
        "the stage 'Purchase', within 1 week"
    )
    assert macli("campaign", "edit", "spring", "--conversion", "stage:Nowhere").code == 2


@pytest.mark.parametrize(
    ("conversion", "word"),
    [
        ({}, "one of"),
        ({"event": "order.paid", "form": "Trial"}, "one of"),
        ({"stage": "Purchase", "url": "https://shop.example"}, "one of"),
        ({"stage": "Purchase", "value": "total"}, "belong"),
        ({"stage": "Purchse"}, "did you mean 'Purchase'"),
        ({"stage": "Sales/Won"}, "no funnel named 'Sales'"),
        ({"form": "Trial", "value": "total"}, "belong"),
        ({"event": "order.paid", "value": "total')--"}, "property"),
        ({"event": "order.paid", "where": "total >"}, "total"),
        ({"event": "order.paid", "after_click": "soon"}, "soon"),
        ("Order Paid", "event"),
    ],
)
def test_a_conversion_that_says_nothing_or_too_much_is_refused(
    macli, workspace: Path, conversion: Any, word: str
) -> None:
    (workspace / "campaign.yaml").write_text(
        json.dumps({"name": "spring", "entry": {}, "steps": [], "conversion": conversion})
    )
    ran = macli("campaign", "create", "spring", "--file", "campaign.yaml")
    assert ran.code == 2
    assert word in ran.err


def test_p45_a_conversion_is_given_changed_and_taken_away_by_options(macli, workspace: Path) -> None:
    made = macli("campaign", "create", "spring", "--conversion", "order.paid", "--conversion-value", "total")
    assert made.code == 0, made.err

    def shown() -> str | None:
        return json.loads(macli("campaign", "show", "spring", "--json").out).get("conversion")

    assert shown() == "order.paid, total summed up, within 1 week after a click or 1 day after an open"
    macli("campaign", "edit", "spring", "--conversion", "trial.started")
    assert str(shown()).startswith("trial.started,")
    macli("campaign", "edit", "spring", "--conversion", "")
    assert shown() is None


def test_p45_the_report_shows_it_to_people(macli, workspace: Path) -> None:
    macli("contact", "add", "ann@example.com")
    (workspace / "hi.txt").write_text("Hi")
    macli("settings", "set", "sender.email", "news@shop.example")
    macli("template", "create", "hi", "--subject", "Hi", "--text", "hi.txt")
    macli("campaign", "create", "spring", "--template", "hi", "--rule", "has email", "--conversion", "order.paid")
    ran = macli("campaign", "send", "spring", "--yes")
    assert ran.code == 0, ran.err
    told = macli("report", "campaign", "spring")
    assert told.code == 0, told.err
    for word in ("what recipients did", "open_percent", "what it brought about", "of_contacts"):
        assert word in told.out
    (row,) = csv.DictReader(io.StringIO(macli("report", "campaign", "spring", "--format", "csv").out))
    assert (row["step"], row["sent"], row["of"], row["opened"], row["open_percent"]) == (
        "send-hi",
        "1",
        "sent",
        "0",
        "0.0",
    )


def test_p45_a_conversion_that_can_never_count_is_told(macli, workspace: Path) -> None:
    def made(name: str, conversion: dict[str, object]) -> Ran:
        campaign = {"name": name, "entry": {}, "steps": [], "conversion": conversion}
        (workspace / "campaign.yaml").write_text(json.dumps(campaign))
        return macli("campaign", "create", name, "--file", "campaign.yaml")

    for url in ("/thanks", "shop.example/thanks"):
        ran = made("seen", {"url": url})
        assert (ran.code, "begins no page's address" in ran.err) == (2, True)
    assert macli("form", "create", "Trial", "--field", "email!").code == 0
    assert made("typed", {"form": "trial"}).code == 0
    assert "none is named 'trial'; did you mean 'Trial'?" in macli("campaign", "show", "typed").out
    assert made("filled", {"form": "Trial"}).code == 0
    assert "none is named" not in macli("campaign", "show", "filled").out
