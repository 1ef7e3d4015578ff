"""Point rules as people use them: presets, rules of one's own, who has most, readiness, and what is odd."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from conftest import Run
from hypothesis import given
from hypothesis import strategies as st
from world import NOW, World, add_contacts, new_world

from macli import contacts, events, segments
from macli.clock import to_ms
from macli.config import bands
from macli.errors import UsageError
from macli.event_names import NAMES
from macli.lifecycle import points
from macli.model import NewEvent
from macli.reports import reasons
from macli.scoring import linting, presets, rule_sets, wording
from macli.scoring.bands import readiness
from macli.store import Store, point_rules, settings
from macli.store.point_rules import PointRule

UTC = ZoneInfo("UTC")
ANN = "ann@example.com"
PERSISCA = {"email.opened": 5, "email.clicked": 10, "email.unsubscribed": -10}


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = new_world(tmp_path / "w")
    add_contacts(made.store, 3)
    return made


def happened(store: Store, contact: int, *names: str, **properties: Any) -> None:
    told = (
        NewEvent(contact_id=contact, name=name, at=to_ms(NOW) + place, source="test", properties=properties)
        for place, name in enumerate(names)
    )
    events.record(store, NOW, told)


def score(store: Store, contact: int, scope: int = 1) -> int:
    asked = "SELECT points FROM scores WHERE contact_id = ? AND scope_id = ?"
    return int(store.value(asked, (contact, scope)) or 0)


def put(store: Store, preset: str) -> None:
    rule_sets.put(store, NOW, presets.outlook(store, preset))


def rule(store: Store, name: str, event: str, worth: int, **texts: Any) -> PointRule:
    made = wording.changed(store, NOW, UTC, wording.new(name, event, worth), **texts)
    point_rules.add(store, to_ms(NOW), made)
    return point_rules.get(store, name)


# Presets


def test_p39_persisca_gives_exactly_its_numbers(world: World) -> None:
    there = point_rules.listed(world.store)
    assert {one.event: one.points for one in there if one.preset == "persisca"} == PERSISCA
    happened(world.store, 1, "email.opened", "email.clicked", "email.unsubscribed")
    assert score(world.store, 1) == 5
    happened(world.store, 2, "email.unsubscribed")
    assert score(world.store, 2) == -10


def test_t7_a_fresh_store_scores_a_visit_without_setup(world: World) -> None:
    happened(world.store, 1, "page.visited", url="https://shop.example/")
    assert score(world.store, 1) == 2


def test_a_fresh_store_holds_the_preset_as_its_file_says(world: World) -> None:
    assert {change.what for change in presets.outlook(world.store, "persisca")} == {"same"}


def test_t7_the_default_model_of_salesmanago_makes_nineteen_of_a_visit_an_open_and_four_clicks(world: World) -> None:
    put(world.store, "salesmanago")
    happened(world.store, 1, "page.visited", "email.opened", *["email.clicked"] * 4)
    assert score(world.store, 1) == 19


def test_every_preset_can_be_put_in_force_and_reads(world: World) -> None:
    for name in presets.titles():
        put(world.store, name)
        for one in point_rules.listed(world.store):
            assert wording.changed(world.store, NOW, UTC, one, condition=one.condition) == one


def test_e1_another_preset_takes_the_place_of_the_one_before_and_leaves_rules_of_ones_own(world: World) -> None:
    rule(world.store, "price list", "page.visited", 20, condition='url contains "/pricing"')
    put(world.store, "salesmanago")
    assert {one.preset for one in point_rules.listed(world.store)} == {"salesmanago", None}
    put(world.store, "persisca")
    found = point_rules.listed(world.store)
    assert {one.event: one.points for one in found if one.preset == "persisca"} == PERSISCA
    assert sorted(one.name for one in found if one.preset != "persisca") == ["page visited", "price list"]


def test_a_preset_changes_what_comes_and_not_what_was(world: World) -> None:
    happened(world.store, 1, "email.clicked")
    put(world.store, "salesmanago")
    happened(world.store, 1, "email.clicked")
    assert score(world.store, 1) == 13


def test_a_rule_of_ones_own_keeps_its_name_from_a_preset(world: World) -> None:
    rule(world.store, "Visit", "page.visited", 1)
    with pytest.raises(UsageError, match="of your own") as refused:
        presets.outlook(world.store, "salesmanago")
    assert "--rename" in (refused.value.hint or "")


@pytest.mark.usefixtures("workspace")
def test_a_preset_shows_what_changes_and_asks(macli: Run) -> None:
    refused = macli("points", "preset", "salesmanago")
    assert refused.code == 2
    assert "unsubscribed" in refused.out
    assert "--yes" in refused.err
    shown = macli("points", "preset", "salesmanago", "--dry-run", "--json")
    changes = {row["name"]: row["change"] for row in json.loads(shown.out)}
    assert (changes["mail clicked"], changes["visit"], changes["unsubscribed"]) == ("changed", "new", "gone")
    done = macli("points", "preset", "salesmanago", "--yes")
    assert "rules: 4 new, 2 changed, 2 gone" in done.out
    assert "macli points replay" in done.out
    assert "are in force as they are" in macli("points", "preset", "salesmanago").out
    assert "did you mean 'persisca'" in macli("points", "preset", "persica").err


# Rules


def test_t8_every_event_macli_knows_can_be_scored_or_is_refused_with_a_reason(world: World) -> None:
    refused = {}
    for name in (*NAMES, "order.paid", "chat.started"):
        try:
            rule(world.store, f"rule for {name}", name, 1)
        except UsageError as error:
            refused[name] = error.message
    assert set(refused) == {name for name in NAMES if name.split(".")[0] in ("points", "score")} | {"tag.scored"}
    assert all("feed itself" in reason for reason in refused.values())


def test_t13_a_rule_for_an_important_page_counts_beside_the_general_one(world: World) -> None:
    rule(world.store, "price list", "page.visited", 20, condition='url contains "/pricing"')
    happened(world.store, 1, "page.visited", url="https://shop.example/pricing")
    assert score(world.store, 1) == 22
    assert [(one["rule"], one["points"]) for one in reasons.of(world.store, (1,), 1)[1]] == [
        ("price list", 20),
        ("page visited", 2),
    ]


@pytest.mark.usefixtures("workspace")
def test_p38_a_new_rule_is_made_shown_changed_switched_off_and_forgotten(macli: Run) -> None:
    made = macli(
        *("points", "rule", "add", "price list", "--event", "page.visited", "--points", "20"),
        *("--with", 'url contains "/pricing"', "--at-most", "3 per day", "--decay", "50 % every 30 days"),
        *("--scope", "global", "--scope", "tag:shoes", "--for", "state = lead"),
    )
    assert made.code == 0, made.err
    says = "made the point rule 'price list': +20 for page.visited with url contains \"/pricing\" of state = lead"
    assert f"{says}, at most 3 per day, less 50 % every 30 days, counted to global, tag:SHOES" in made.out
    assert (
        "there is a point rule 'Price List' already"
        in macli("points", "rule", "add", "Price List", "--event", "page.visited", "--points", "1").err
    )
    macli("contact", "add", ANN)
    macli("event", "add", ANN, "page.visited", "--set", "url=https://shop.example/pricing")
    shown = json.loads(macli("points", "rule", "show", "price list", "--json").out)
    assert {key: shown[key] for key in ("points", "at_most", "decay", "scopes", "times", "contacts", "gave")} == {
        "points": 20,
        "at_most": "3 per day",
        "decay": "50 % every 30 days",
        "scopes": ["global", "tag:SHOES"],
        "times": 1,
        "contacts": 1,
        "gave": 40,
    }
    changed = macli("points", "rule", "edit", "price list", "--points", "15", "--decay", "none", "--for", "none")
    assert "+15 for page.visited with url contains" in changed.out
    assert macli("points", "rule", "off", "price list").out == "the point rule 'price list' is off\n"
    macli("event", "add", ANN, "page.visited", "--set", "url=https://shop.example/pricing/2")
    assert json.loads(macli("points", "show", ANN, "--json").out)["scores"][0]["score"] == 24
    assert macli("points", "rule", "on", "price list").code == 0
    assert macli("points", "rule", "rm", "price list").code == 0
    told = json.loads(macli("points", "show", ANN, "--json").out)
    assert told["scores"][0]["score"] == 24
    assert "rule 5, removed" in {row["rule"] for row in told["why"]}


@pytest.mark.usefixtures("workspace")
def test_t9_a_shipped_rule_can_be_changed_and_switched_off(macli: Run) -> None:
    macli("points", "rule", "edit", "mail opened", "--points", "7", "--rename", "newsletter opened")
    macli("points", "rule", "off", "page visited")
    macli("contact", "add", ANN)
    macli("event", "add", ANN, "email.opened")
    macli("event", "add", ANN, "page.visited")
    assert json.loads(macli("points", "list", "--json").out)[0]["score"] == 7


@pytest.mark.usefixtures("workspace")
def test_a_rule_does_not_take_the_name_of_another(macli: Run) -> None:
    refused = macli("points", "rule", "edit", "mail opened", "--rename", "Mail Clicked")
    assert (refused.code, "there is another point rule 'mail clicked'" in refused.err) == (2, True)
    assert macli("points", "rule", "edit", "mail opened", "--rename", "Mail opened").code == 0


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--with", 'url contain "/a"'], "^"),
        (["--with", "due after today"], "another answer every day"),
        (["--for", "country ="], "^"),
        (["--at-most", "three a day"], "write for example '3 per day'"),
        (["--at-most", "0 per day"], "never counts"),
        (["--at-most", "1 per day", "--once"], "say one of them"),
        (["--decay", "half"], "write for example '50 % every 30 days'"),
        (["--decay", "120 % every day"], "1 % to 100 %"),
        (["--scope", "funnel:x"], "no scope of points"),
        (["--scope", "stage:Sales/Offer"], "macli funnel list"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_what_to_type(macli: Run, options: list[str], says: str) -> None:
    refused = macli("points", "rule", "add", "odd", "--event", "page.visited", "--points", "1", *options)
    assert refused.code == 2
    assert says in refused.err
    assert "odd" not in macli("points", "rule", "list").out


@pytest.mark.usefixtures("workspace")
def test_an_event_nobody_knows_is_taken_and_doubted(macli: Run) -> None:
    near = macli("points", "rule", "add", "a", "--event", "page.visitd", "--points", "1")
    assert (near.code, "did you mean 'page.visited'?" in near.err) == (0, True)
    own = macli("points", "rule", "add", "b", "--event", "webinar.attended", "--points", "1")
    assert (own.code, "no event 'webinar.attended' was recorded yet" in own.err) == (0, True)
    odd = macli("points", "rule", "add", "c", "--event", "Page Visited", "--points", "1")
    assert (odd.code, "is no event name" in odd.err) == (2, True)


CAPS = st.one_of(
    st.just((None, None)),
    st.tuples(st.integers(1, 999_999), st.none()),
    st.tuples(st.integers(1, 999_999), st.integers(1, 10**7).map(lambda seconds: seconds * 1000)),
)


@given(cap=CAPS)
def test_a_cap_is_told_as_it_is_read(cap: tuple[int | None, int | None]) -> None:
    told = wording.told_cap(
        PointRule(name="a", event="x.y", points=1, scopes=wording.EVERYWHERE, most=cap[0], most_span=cap[1])
    )
    assert wording.read_cap(told or "none") == cap


# Who has most, and readiness


def test_the_list_has_those_with_most_points_first_and_says_why(world: World, macli: Run) -> None:
    happened(world.store, 1, "email.opened")
    happened(world.store, 2, *["email.clicked"] * 6, "email.opened")
    happened(world.store, 3, "email.clicked")
    contacts.remove_where(world.store, NOW, contacts.ONE, {"one_contact": 3}, "test")
    there = ("--workspace", str(world.path))
    rows = json.loads(macli(*there, "points", "list", "--json").out)
    assert [(row["contact"], row["score"], row["readiness"], row["stage"]) for row in rows] == [
        ("c1@example.com", 65, "hot", "Purchase"),
        ("c0@example.com", 5, "cold", "Awareness"),
    ]
    assert rows[0]["why"][0] | {"last_at": None} == {
        "rule": "mail clicked",
        "scope": "global",
        "points": 60,
        "times": 6,
        "last_at": None,
    }
    assert "mail clicked +60 (6), mail opened +5 (1)" in macli(*there, "points", "list").out
    assert len(json.loads(macli(*there, "points", "list", "--limit", "1", "--json").out)) == 1
    chosen = macli(*there, "points", "list", "--where", "number = 0", "--json")
    assert [row["contact"] for row in json.loads(chosen.out)] == ["c0@example.com"]
    assert "no scope of points named 'tag:NOBODY'" in macli(*there, "points", "list", "--scope", "nobody").err


def test_the_scopes_say_what_is_counted(world: World, macli: Run) -> None:
    rule(world.store, "shoes", "page.visited", 3, feeds=["tag:shoes", "group:fit"])
    happened(world.store, 1, "page.visited", "page.visited")
    happened(world.store, 2, "email.clicked")
    assert json.loads(macli("--workspace", str(world.path), "points", "scopes", "--json").out)[:3] == [
        {"scope": "global", "contacts": 2, "highest": 10},
        {"scope": "group:fit", "contacts": 1, "highest": 6},
        {"scope": "tag:SHOES", "contacts": 1, "highest": 6},
    ]


def test_points_given_by_hand_are_told_with_their_reason(world: World, macli: Run) -> None:
    points.give_where(world.store, NOW, contacts.ONE, {"one_contact": 1}, 30, 1, "test", why="met at the fair")
    told = json.loads(macli("--workspace", str(world.path), "points", "show", "c0@example.com", "--json").out)
    assert told["why"][0]["rule"] == "given"
    assert (told["ledger"][0]["event"], told["ledger"][0]["why"]) == ("points.given", "met at the fair")


def test_t11_bands_count_contacts_by_readiness_as_the_setting_says(world: World, macli: Run) -> None:
    happened(world.store, 1, *["email.clicked"] * 5)
    happened(world.store, 2, *["email.clicked"] * 2)
    there = ("--workspace", str(world.path))
    assert json.loads(macli(*there, "points", "bands", "--json").out) == [
        {"readiness": "hot", "from": 50, "contacts": 1, "share": 0.3333},
        {"readiness": "warm", "from": 20, "contacts": 1, "share": 0.3333},
        {"readiness": "cold", "from": None, "contacts": 1, "share": 0.3333},
    ]
    assert macli(*there, "settings", "set", "points.bands", "icy 0, ready 15").code == 0
    found = {row["readiness"]: row["contacts"] for row in json.loads(macli(*there, "points", "bands", "--json").out)}
    assert found == {"icy": 1, "ready": 2}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cold", "no name and lowest score"),
        ("hot 50", "one band"),
        ("cold 0, hot -5", "not above 'cold'"),
        ("cold 0, Cold 5", "two bands"),
        ("cold 0, hot 5.5", "no name and lowest score"),
    ],
)
def test_bands_that_are_none_are_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        bands.read(text)


def test_p39_a_floor_lifts_what_is_shown_and_leaves_the_ledger(world: World, macli: Run) -> None:
    happened(world.store, 1, "email.unsubscribed")
    settings.put(world.store, NOW, "points.floor", "0")
    shown = json.loads(macli("--workspace", str(world.path), "points", "list", "--json").out)
    assert (shown[0]["score"], score(world.store, 1)) == (0, -10)
    assert readiness(world.store).shown(-10) == 0
    settings.put(world.store, NOW, "points.floor", "none")
    assert readiness(world.store).shown(-10) == -10


# What is odd


def oddities(store: Store, **texts: str) -> dict[str, linting.Oddity]:
    return {one.warning: one for one in linting.lint(store, NOW, UTC)}


def says(store: Store, words: str) -> linting.Oddity | None:
    return next((one for warning, one in oddities(store).items() if words in warning), None)


def test_t10_an_event_far_from_a_purchase_that_brings_more_is_told_of(world: World) -> None:
    assert says(world.store, "nearer to a purchase") is None
    put(world.store, "salesmanago")
    found = says(world.store, "nearer to a purchase")
    assert found is not None
    assert (found.rule, found.type) == ("mail opened", 'macli points rule edit "mail clicked" --points 6')
    rule(world.store, "order", "order.paid", 4)
    assert says(world.store, "a purchase, which is nearer to a purchase, only +4 (order)") is not None


def test_t10_a_rule_for_certain_pages_may_bring_more_than_a_click(world: World) -> None:
    rule(world.store, "price list", "page.visited", 20, condition='url contains "/pricing"')
    assert says(world.store, "nearer to a purchase") is None


ODD: Mapping[str, tuple[tuple[str, int, dict[str, Any]], str]] = {
    "the same events twice": (("email.clicked", 3, {}), "asks for the same events as 'mail clicked'"),
    "programs": (("email.opened.machine", 1, {}), "what a program did"),
    "a cap without use": (("x.y", 1, {"at_most": "5 per 10 seconds"}), "5 per 10 seconds holds nobody back"),
    "a cap for good": (("x.y", 1, {"at_most": "once", "decay": "100 % every year"}), "never come again"),
}


@pytest.mark.parametrize("case", ODD)
def test_an_odd_rule_is_told_of_with_what_to_type(world: World, case: str) -> None:
    (event, worth, texts), words = ODD[case]
    assert says(world.store, words) is None
    rule(world.store, "odd", event, worth, **texts)
    found = says(world.store, words)
    assert found is not None
    assert (found.rule, found.type.split()[:2]) == ("odd", ["macli", "points"])


def test_a_rule_no_event_met_for_ninety_days_is_told_of(world: World) -> None:
    rule(world.store, "price list", "page.visited", 20, condition='url contains "/pricing"')
    assert says(world.store, "for 90 days") is None
    happened(world.store, 1, "page.visited", url="https://shop.example/")
    found = says(world.store, "for 90 days")
    assert found is not None
    assert found.rule == "price list"
    happened(world.store, 1, "page.visited", url="https://shop.example/pricing")
    assert says(world.store, "for 90 days") is None
    late = [
        one.rule for one in linting.lint(world.store, NOW + timedelta(days=91), UTC) if "for 90 days" in one.warning
    ]
    assert sorted(late) == ["mail clicked", "mail opened", "page visited", "price list", "unsubscribed"]


def test_a_rule_that_asks_for_what_is_gone_is_told_of(world: World) -> None:
    segments.create(world.store, NOW, UTC, "guests", static=True)
    rule(world.store, "guest", "page.visited", 3, who="in segment guests")
    assert says(world.store, "gives nothing") is None
    with world.store.write():
        world.store.execute("DELETE FROM segments")
    found = says(world.store, "gives nothing: no segment named 'guests'")
    assert found is not None
    assert found.rule == "guest"


def test_a_stage_nobody_can_reach_is_told_of(world: World) -> None:
    for one in point_rules.listed(world.store):
        point_rules.remove(world.store, one.id)
    rule(world.store, "form", "form.submitted", 40, at_most="once")
    assert {one.warning for one in linting.lint(world.store, NOW, UTC) if "no rule leads" in one.warning} == {
        f"no rule leads to the stage {stage!r}: 40 points are the most there can be"
        for stage in ("Purchase", "Loyalty")
    }
    rule(world.store, "visit", "page.visited", 1, at_most="1 per day")
    assert says(world.store, "no rule leads") is None


def test_rules_that_only_give_and_points_that_never_go_are_told_of(world: World) -> None:
    assert says(world.store, "no rule takes points away") is None
    assert says(world.store, "old points never go") is not None
    settings.put(world.store, NOW, "points.decay", "50 % every 90 days")
    assert says(world.store, "old points never go") is None
    point_rules.remove(world.store, point_rules.get(world.store, "unsubscribed").id)
    assert says(world.store, "no rule takes points away") is not None


@pytest.mark.usefixtures("workspace")
def test_lint_fails_only_where_it_is_asked_to(macli: Run) -> None:
    assert macli("points", "lint").code == 0
    strict = macli("points", "lint", "--strict")
    assert (strict.code, "1 warning" in strict.err) == (1, True)
    macli("settings", "set", "points.decay", "50 % every 90 days")
    clean = macli("points", "lint", "--strict")
    assert (clean.code, clean.out) == (0, "nothing is odd about the rules\n")
    assert json.loads(macli("points", "lint", "--json").out) == []
