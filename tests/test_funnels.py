"""Funnels: contacts moved onto stages and out, points counted on each, and what the report makes of it."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from macli import contacts, events, segments, selection
from macli.clock import to_ms
from macli.errors import OperationFailed, UnknownName, UsageError
from macli.lifecycle import arranging, points
from macli.lifecycle.funnels import move_where
from macli.model import NewEvent
from macli.reports import funnels as reporting
from macli.store import Store, funnels, point_rules, scopes, staff
from macli.store.scopes import GLOBAL, Scope
from macli.tick.tick import run_tick
from tests.conftest import Run
from tests.world import NOW, World, add_campaign, add_contacts, new_world, remove

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 5)
    funnels.create(world.store, to_ms(NOW), "Sales", ["Lead", "Offer", "Won"])
    return world


def move(world: World, contact_id: int, stage: str | None, now: datetime = NOW, funnel: str = "Sales") -> int:
    return move_where(world.store, now, contacts.ONE, {"one_contact": contact_id}, funnel, stage, "test")


def stands(store: Store, contact_id: int) -> list[tuple[str, str]]:
    return [(row["funnel"], row["stage"]) for row in funnels.history(store, contact_id) if row["left_at"] is None]


def told(store: Store, contact_id: int | None = None) -> list[tuple[str, dict[str, Any]]]:
    rows = store.rows("SELECT contact_id, name, properties FROM events WHERE name LIKE 'funnel.%' ORDER BY id")
    return [(row["name"], json.loads(row["properties"])) for row in rows if contact_id in (None, row["contact_id"])]


def names(store: Store, funnel: str = "Sales") -> list[str]:
    return [row["name"] for row in funnels.stages(store, funnels.get(store, funnel)["id"])]


def edit(world: World, silently: bool = True, **changes: Any) -> int:
    known = funnels.get(world.store, "Sales")
    return arranging.edit(world.store, NOW, known, arranging.Edit(**changes), "test", silently=silently)


# Moving contacts


def test_e05_coming_to_a_stage_is_an_event_and_coming_to_the_same_one_again_is_none(world: World) -> None:
    assert [move(world, 1, "lead"), move(world, 1, "Lead"), move(world, 1, "Offer")] == [1, 0, 1]
    assert told(world.store) == [
        ("funnel.entered", {"funnel": "Sales", "stage": "Lead", "from": None}),
        ("funnel.entered", {"funnel": "Sales", "stage": "Offer", "from": "Lead"}),
    ]


def test_e05_one_move_of_many_tells_each_where_it_came_from(world: World) -> None:
    move(world, 1, "Lead")
    move(world, 2, "Offer")
    move(world, 3, "Won")
    assert move_where(world.store, NOW, "SELECT id FROM contacts", {}, "Sales", "Won", "test") == 4
    came_from = [told(world.store, contact)[-1][1]["from"] for contact in (1, 2, 4, 5)]
    assert came_from == ["Lead", "Offer", None, None]
    assert len(told(world.store, 3)) == 1


def test_c01_a_contact_stands_on_one_stage_of_a_funnel_and_in_many_funnels(world: World) -> None:
    funnels.create(world.store, to_ms(NOW), "Upsell", ["Asked", "Bought"])
    move(world, 1, "Lead")
    move(world, 1, "Asked", funnel="Upsell")
    move(world, 1, "Offer", NOW + HOUR)
    assert sorted(stands(world.store, 1)) == [("Sales", "Offer"), ("Upsell", "Asked")]
    assert world.store.value("SELECT count(*) FROM funnel_stays WHERE contact_id = 1") == 3


def test_c01_who_moved_on_is_no_longer_on_the_stage_for_a_rule(world: World) -> None:
    def there(stage: str) -> list[int]:
        where = selection.where_of(world.store, f"in funnel Sales at {stage}", NOW, world.engine().zone)
        return list(selection.member_ids(world.store, where))

    move(world, 1, "Lead")
    assert (there("Lead"), there("Offer")) == ([1], [])
    move(world, 1, "Offer")
    assert (there("Lead"), there("Offer")) == ([], [1])
    move(world, 1, None)
    assert (there("Lead"), there("Offer")) == ([], [])


def test_taking_a_contact_out_closes_its_stay_and_is_an_event_once(world: World) -> None:
    move(world, 1, "Lead")
    assert [move(world, 1, None, NOW + DAY), move(world, 1, None, NOW + DAY)] == [1, 0]
    assert stands(world.store, 1) == []
    assert told(world.store)[-1] == ("funnel.left", {"funnel": "Sales", "from": "Lead"})
    (row,) = funnels.history(world.store, 1)
    assert (row["entered_at"], row["left_at"], row["source"]) == (to_ms(NOW), to_ms(NOW + DAY), "test")


def test_a_silent_move_is_no_event_but_the_contacts_have_changed(world: World) -> None:
    with world.store.write():
        world.store.execute("UPDATE contacts SET updated_at = 0")
    assert move_where(world.store, NOW, "SELECT 1", {}, "Sales", "Lead", "test", silently=True) == 1
    assert told(world.store) == []
    assert world.store.value("SELECT count(*) FROM contacts WHERE updated_at > 0") == 1


def test_a_removed_contact_keeps_its_stays_and_is_not_counted(world: World) -> None:
    move(world, 1, "Lead")
    remove(world, 1)
    assert stands(world.store, 1) == [("Sales", "Lead")]
    known = funnels.get(world.store, "Sales")
    assert [row["contacts"] for row in funnels.standing(world.store, known["id"])] == [0, 0, 0]
    contacts.purge_where(world.store, NOW, contacts.ONE, {"one_contact": 1})
    assert world.store.value("SELECT count(*) FROM funnel_stays") == 0


def test_a_stage_or_funnel_that_is_not_there_is_told_with_those_that_are(world: World) -> None:
    with pytest.raises(UnknownName, match="no stage of the funnel 'Sales' named 'Ofer'; did you mean 'Offer'"):
        move(world, 1, "Ofer")
    with pytest.raises(UnknownName, match="no funnel named 'Sale'; did you mean 'Sales'"):
        move(world, 1, "Lead", funnel="Sale")


def test_stages_and_funnels_are_two_things(world: World) -> None:
    """The lifecycle has one stage a contact, led by points; funnels have theirs, led by people and campaigns."""
    points.give_where(world.store, NOW, contacts.ONE, {"one_contact": 1}, 60, GLOBAL, "test")
    assert stands(world.store, 1) == []
    funnels.create(world.store, to_ms(NOW), "Second", ["Purchase", "Loyalty"])
    move(world, 1, "Loyalty", funnel="Second")
    lifecycle = "SELECT name FROM stage_stays JOIN stages ON stages.id = stage_id WHERE left_at IS NULL"
    assert world.store.value(lifecycle) == "Purchase"


# Points on a stage


def test_t17_each_stage_counts_its_own_points_and_keeps_them_when_the_contact_moves_on(world: World) -> None:
    rule = point_rules.PointRule(name="calls", event="call.logged", points=7, scopes=(Scope(kind="stage"),))
    point_rules.add(world.store, to_ms(NOW), rule)
    call(world, NOW - HOUR)
    move(world, 1, "Lead")
    call(world, NOW)
    call(world, NOW + HOUR)
    move(world, 1, "Offer", NOW + 2 * HOUR)
    assert scored(world.store) == {"Sales/Lead": 14}
    call(world, NOW + 3 * HOUR)
    assert scored(world.store) == {"Sales/Lead": 14, "Sales/Offer": 7}
    move(world, 1, "Lead", NOW + 4 * HOUR)
    call(world, NOW + 5 * HOUR)
    assert scored(world.store) == {"Sales/Lead": 21, "Sales/Offer": 7}


def call(world: World, now: datetime) -> None:
    events.record(world.store, now, [NewEvent(contact_id=1, name="call.logged", at=to_ms(now), source="test")])


def scored(store: Store) -> dict[str, int]:
    rows = store.rows("SELECT scopes.name, points FROM scores JOIN scopes ON scopes.id = scope_id WHERE stage_id > 0")
    return {row["name"]: row["points"] for row in rows}


def test_t17_a_stages_scope_is_made_with_it_and_follows_its_name(world: World) -> None:
    rule = point_rules.PointRule(
        name="calls", event="call.logged", points=7, scopes=(Scope(kind="stage", name="Sales/Offer"),)
    )
    point_rules.add(world.store, to_ms(NOW), rule)
    before = scopes.find(world.store, scopes.read(world.store, "stage:sales/offer"))
    edit(world, rename_stage="Offer=Proposal", name="Deals")
    assert before == scopes.find(world.store, scopes.read(world.store, "stage:Deals/Proposal"))
    assert scopes.find(world.store, scopes.read(world.store, "stage:Sales/Offer")) is None
    assert [str(scope) for scope in point_rules.get(world.store, "calls").scopes] == ["stage:Deals/Proposal"]


# Changing a funnel


def test_stages_are_added_renamed_put_in_order_and_removed(world: World) -> None:
    edit(world, add="Demo", after="lead")
    assert names(world.store) == ["Lead", "Demo", "Offer", "Won"]
    edit(world, add="Lost", order="Won, Offer, Demo, Lead, Lost", description="How we sell.")
    edit(world, remove="Demo", rename_stage="Lead = Prospect")
    assert names(world.store) == ["Won", "Offer", "Prospect", "Lost"]
    edit(world, add="demo")
    assert names(world.store)[-1] == "demo"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"order": "Lead, Won"}, "lacks Offer"),
        ({"order": "Lead, Won, Offer, Lead"}, "twice"),
        ({"add": "OFFER"}, "already"),
        ({"add": "A/B"}, "slash"),
        ({"rename_stage": "Offer"}, "names no new name"),
        ({"rename_stage": "Offer=Won"}, "has a stage 'Won' already"),
        ({"rename_stage": "Offer=Gone"}, "had another stage 'Gone', and histories name it"),
        ({"remove": "Offer", "move_to": "offer"}, "for itself"),
        ({"name": "upsell"}, "already"),
        ({"name": " "}, "one line"),
    ],
)
def test_a_change_that_cannot_be_is_refused_and_changes_nothing(
    world: World, changes: dict[str, str], word: str
) -> None:
    funnels.create(world.store, to_ms(NOW), "Upsell", ["Asked"])
    edit(world, add="Gone")
    edit(world, remove="Gone")
    with pytest.raises(UsageError, match=word):
        edit(world, **changes)
    assert names(world.store) == ["Lead", "Offer", "Won"]


def test_a_stage_somebody_stands_on_goes_only_with_a_place_for_them(world: World) -> None:
    move(world, 1, "Offer")
    move(world, 2, "Offer")
    with pytest.raises(OperationFailed, match="on the stage 'Offer': 2 contacts") as refused:
        edit(world, remove="Offer")
    assert "--move-to" in (refused.value.hint or "")
    assert edit(world, remove="Offer", move_to="Won") == 2
    assert names(world.store) == ["Lead", "Won"]
    assert [(row["stage"], row["left_at"] is None) for row in funnels.history(world.store, 1)] == [
        ("Won", True),
        ("Offer", False),
    ]
    with pytest.raises(UnknownName):
        move(world, 3, "Offer")


def test_a_deleted_funnel_takes_its_history_and_its_points_with_it(world: World) -> None:
    move(world, 1, "Offer")
    scope = scopes.find(world.store, scopes.read(world.store, "stage:Sales/Offer"))
    assert scope is not None
    points.give_where(world.store, NOW, contacts.ONE, {"one_contact": 1}, 5, scope, "test")
    arranging.remove(world.store, funnels.get(world.store, "Sales"))
    for table in ("funnel_stages", "funnel_stays", "scores", "point_ledger"):
        assert world.store.value(f"SELECT count(*) FROM {table}") == 0
    assert world.store.rows("PRAGMA foreign_key_check") == []


def test_a_funnel_that_a_point_rule_counts_to_is_not_deleted(world: World) -> None:
    rule = point_rules.PointRule(
        name="calls", event="call.logged", points=7, scopes=(Scope(kind="stage", name="Sales/Offer"),)
    )
    point_rules.add(world.store, to_ms(NOW), rule)
    with pytest.raises(OperationFailed, match="the point rule 'calls'"):
        arranging.remove(world.store, funnels.get(world.store, "Sales"))


# The report


def test_the_report_counts_each_stage_and_how_long_contacts_took(world: World) -> None:
    for contact, days in ((1, 1), (2, 2), (3, 6)):
        move(world, contact, "Lead")
        move(world, contact, "Offer", NOW + days * DAY)
    move(world, 1, "Won", NOW + 3 * DAY)
    move(world, 2, None, NOW + 4 * DAY)
    move(world, 4, "Lead", NOW + 10 * DAY)
    scope = scopes.find(world.store, scopes.read(world.store, "stage:Sales/Offer"))
    assert scope is not None
    points.give_where(world.store, NOW, "SELECT 3", {}, 5, scope, "test")
    lead, offer, won = reporting.funnel(world.store, funnels.get(world.store, "Sales"), None, None)
    assert lead == {
        "stage": "Lead",
        "now": 1,
        "entered": 4,
        "went_on": 3,
        "conversion": 75.0,
        "left": 0,
        "median_seconds": 2 * 86_400,
        "mean_seconds": 3 * 86_400,
        "mean_score": 0.0,
    }
    assert (offer["entered"], offer["went_on"], offer["conversion"], offer["left"]) == (3, 1, 33.3, 1)
    assert (offer["now"], offer["mean_score"], offer["median_seconds"]) == (1, 5.0, 2 * 86_400)
    assert (won["entered"], won["went_on"], won["conversion"], won["mean_seconds"]) == (1, 0, None, None)


def test_the_report_of_a_time_counts_who_came_then_and_whether_they_ever_went_on(world: World) -> None:
    move(world, 1, "Lead")
    move(world, 2, "Lead", NOW + DAY)
    move(world, 2, "Won", NOW + 40 * DAY)
    known = funnels.get(world.store, "Sales")
    lead, _, won = reporting.funnel(world.store, known, NOW + HOUR, NOW + 2 * DAY)
    assert (lead["entered"], lead["went_on"], won["entered"], won["now"]) == (1, 1, 0, 1)


def test_going_back_is_not_going_on(world: World) -> None:
    move(world, 1, "Offer")
    move(world, 1, "Lead", NOW + DAY)
    lead, offer, _ = reporting.funnel(world.store, funnels.get(world.store, "Sales"), None, None)
    assert (offer["went_on"], offer["left"], lead["entered"], lead["went_on"]) == (0, 0, 1, 0)


# With campaigns


def test_t3_contacts_are_handed_to_sales_once_and_only_above_the_threshold(world: World) -> None:
    staff.add(world.store, NOW, "anna")
    add_campaign(
        world.store,
        "hand over",
        entry={"event": {"name": "stage.entered", "where": 'stage = "Purchase"'}},
        steps=[{"funnel": {"name": "Sales", "stage": "Lead"}}, {"owner": "anna"}, {"task": "call the new lead"}],
    )
    points.give_where(world.store, NOW, "SELECT 1", {}, 50, GLOBAL, "test")
    ticked(world, NOW + HOUR)
    assert (stands(world.store, 1), world.store.value("SELECT count(*) FROM owners")) == ([], 0)
    points.give_where(world.store, NOW + HOUR, "SELECT 1", {}, 1, GLOBAL, "test")
    ticked(world, NOW + 2 * HOUR)
    assert stands(world.store, 1) == [("Sales", "Lead")]
    assert told(world.store) == [("funnel.entered", {"funnel": "Sales", "stage": "Lead", "from": None})]
    move(world, 1, "Offer", NOW + 3 * HOUR)
    ticked(world, NOW + 4 * HOUR)
    assert stands(world.store, 1) == [("Sales", "Offer")]
    handed = "SELECT count(*) FROM owners JOIN tasks ON tasks.contact_id = owners.contact_id"
    assert world.store.value(handed) == 1


def test_e05_a_campaign_begins_when_a_contact_comes_to_a_stage(world: World) -> None:
    add_campaign(
        world.store,
        "offer",
        entry={"event": {"name": "funnel.entered", "where": 'funnel = "Sales" and stage = "Offer"'}},
        steps=[{"tag": "asked"}],
    )
    move(world, 1, "Lead", NOW + HOUR)
    move(world, 2, "Offer", NOW + HOUR)
    ticked(world, NOW + 2 * HOUR)
    assert [row["contact_id"] for row in world.store.rows("SELECT contact_id FROM contact_tags")] == [2]


def ticked(world: World, now: datetime) -> None:
    run_tick(world.engine(now))


# The commands


@pytest.fixture
def people(macli: Run, workspace: Path) -> tuple[str, ...]:
    """Three contacts in a workspace with a funnel."""
    found = tuple(f"{name}@example.com" for name in ("ann", "bob", "cat"))
    for one in found:
        macli("contact", "add", one)
    assert macli("funnel", "create", "Sales", "--stages", "Lead, Offer, Won").code == 0
    return found


def listed(macli: Run, *line: str) -> Any:
    ran = macli(*line, "--json")
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_t49_a_campaign_with_stages_is_a_funnel_made_listed_and_shown(macli: Run, people: tuple[str, ...]) -> None:
    macli("funnel", "move", "sales", "lead", *people)
    assert listed(macli, "funnel", "list") == [
        {"name": "Sales", "stages": ["Lead", "Offer", "Won"], "contacts": 3, "description": ""}
    ]
    assert [stage["contacts"] for stage in listed(macli, "funnel", "show", "Sales")["stages"]] == [3, 0, 0]
    assert "Lead" in macli("funnel", "show", "Sales").out


def test_e05_named_contacts_are_moved_with_events_and_many_without_after_asking(
    macli: Run, people: tuple[str, ...]
) -> None:
    assert "2 contacts put on 'Lead' of 'Sales'" in macli("funnel", "move", "Sales", "Lead", *people[:2]).out
    refused = macli("funnel", "move", "Sales", "Offer", "--where", "has email")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert "put 3 contacts on 'Offer' of 'Sales', without events?" in refused.err
    told = macli("funnel", "move", "Sales", "Offer", "--where", "has email", "--yes")
    assert "3 contacts put on 'Offer' of 'Sales'; no events were recorded (--fire-events does)" in told.out
    assert len(listed(macli, "event", "list", "--name", "funnel.entered")) == 2
    macli("segment", "create", "cats", "--rule", 'email starts with "cat"')
    assert macli("funnel", "move", "Sales", "Won", "--segment", "cats", "--yes", "--fire-events").code == 0
    assert len(listed(macli, "event", "list", "--name", "funnel.entered")) == 3
    assert [row["email"] for row in listed(macli, "funnel", "contacts", "Sales", "--stage", "won")] == [people[2]]


def test_contacts_are_taken_out_and_their_history_is_shown(macli: Run, people: tuple[str, ...]) -> None:
    macli("funnel", "move", "Sales", "Lead", people[0])
    assert "1 contact taken out of 'Sales'" in macli("funnel", "remove", "Sales", people[0]).out
    assert listed(macli, "event", "list", "--name", "funnel.left")[0]["properties"]["from"] == "Lead"
    (row,) = listed(macli, "funnel", "history", people[0])
    assert (row["funnel"], row["stage"], row["source"], row["left_at"] is None) == ("Sales", "Lead", "cli", False)
    assert "never stood in a funnel" in macli("funnel", "history", people[1]).out


def test_a_funnel_is_changed_and_deleted_by_commands_that_ask(macli: Run, people: tuple[str, ...]) -> None:
    macli("funnel", "move", "Sales", "Offer", *people)
    line = ("funnel", "edit", "Sales", "--remove", "Offer", "--move-to", "Lead")
    assert macli(*line).code == 2
    assert "3 contacts moved" in macli(*line, "--yes").out
    assert len(listed(macli, "event", "list", "--name", "funnel.entered")) == 3
    assert macli("funnel", "edit", "Sales").code == 2
    assert macli("funnel", "edit", "Sales", "--after", "Lead", "--rename", "Deals").code == 2
    assert macli("funnel", "edit", "Sales", "--rename", "Deals").code == 0
    refused = macli("funnel", "rm", "Deals")
    assert (refused.code, listed(macli, "funnel", "list")[0]["contacts"]) == (2, 3)
    assert macli("funnel", "rm", "Deals", "--yes").code == 0
    assert listed(macli, "funnel", "list") == []


def test_the_report_reads_well_and_in_json(macli: Run, people: tuple[str, ...]) -> None:
    macli("funnel", "move", "Sales", "Lead", *people)
    macli("funnel", "move", "Sales", "Won", people[0])
    rows = listed(macli, "funnel", "report", "Sales")
    assert (rows[0]["entered"], rows[0]["conversion"], rows[2]["now"]) == (3, 33.3, 1)
    assert "33.3 %" in macli("funnel", "report", "Sales").out
    assert listed(macli, "funnel", "report", "Sales", "--since", "in 1 day")[0]["entered"] == 0
    assert macli("funnel", "report", "Sales", "--since", "tomorrow", "--until", "today").code == 2


def test_p51_a_lead_becomes_a_customer_once_and_rules_see_it(macli: Run, people: tuple[str, ...]) -> None:
    assert "became a customer" in macli("contact", "convert", people[0]).out
    assert "was a customer already" in macli("contact", "convert", people[0]).out
    assert listed(macli, "contact", "show", people[0])["state"] == "customer"
    assert [row["email"] for row in listed(macli, "contact", "list", "--where", "state = customer")] == [people[0]]
    assert macli("contact", "convert", "--where", "has email").code == 2
    assert "2 contacts became customers" in macli("contact", "convert", "--where", "has email", "--yes").out
    assert len(listed(macli, "event", "list", "--name", "contact.converted")) == 3


def test_p51_a_state_that_is_set_on_the_card_converts_too(macli: Run, people: tuple[str, ...]) -> None:
    macli("contact", "edit", people[0], "--state", "customer")
    macli("contact", "edit", people[0], "--state", "customer")
    macli("contact", "edit", people[0], "--state", "lead")
    macli("contact", "add", "dan@example.com", "--state", "customer")
    assert [row["contact"] for row in listed(macli, "event", "list", "--name", "contact.converted")] == [people[0]]


# What names them


@pytest.mark.parametrize(
    "definition",
    [
        {"steps": [{"funnel": {"name": "sales", "stage": "offer"}}]},
        {"steps": [{"if": "in funnel Sales at Offer", "then": [{"tag": "x"}]}]},
        {"steps": [{"points": {"add": 5, "scope": "stage:Sales/Offer"}}]},
        {"steps": [{"tag": "x"}], "conversion": {"stage": "Sales/Offer"}},
        {
            "entry": {"event": {"name": "funnel.entered", "where": 'funnel = "Sales" and stage = Offer'}},
            "steps": [{"tag": "x"}],
        },
    ],
)
def test_a_stage_that_a_campaign_names_is_neither_renamed_nor_removed(world: World, definition: dict[str, Any]) -> None:
    add_campaign(world.store, "hunt", **{"entry": {"rule": "has email"}, **definition})
    for change in ({"rename_stage": "Offer=Proposal"}, {"remove": "Offer"}, {"name": "Deals"}):
        with pytest.raises(OperationFailed, match="is in use by the campaign 'hunt'"):
            edit(world, **change)
    edit(world, rename_stage="Lead=Prospect", name="SALES")
    assert names(world.store) == ["Prospect", "Offer", "Won"]


def test_a_funnel_that_a_segment_or_a_point_rule_names_keeps_its_name(world: World) -> None:
    segments.create(world.store, NOW, world.engine().zone, "buyers", rule="in funnel Sales")
    rule = point_rules.PointRule(
        name="moves",
        event="funnel.entered",
        condition="stage = Won",
        points=1,
        scopes=(Scope(kind="global", name="global"),),
    )
    point_rules.add(world.store, to_ms(NOW), rule)
    with pytest.raises(OperationFailed, match="in use by the segment 'buyers'"):
        arranging.remove(world.store, funnels.get(world.store, "Sales"))
    with pytest.raises(OperationFailed, match="in use by the point rule 'moves'"):
        edit(world, rename_stage="Won=Closed")


def test_a_campaign_that_is_over_holds_no_name(world: World) -> None:
    add_campaign(world.store, "hunt", steps=[{"funnel": "Sales"}])
    with world.store.write():
        world.store.execute("UPDATE campaigns SET state = 'finished'")
    edit(world, name="Deals")
    assert funnels.get(world.store, "Deals")["name"] == "Deals"
