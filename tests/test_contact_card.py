"""A contact's card: what made the score, what would move the stage, and who has to do with them."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from hypothesis import given
from hypothesis import strategies as st
from world import NOW, World, add_contacts, new_world

from macli import contacts, events
from macli.clock import to_ms
from macli.lifecycle import decaying, points
from macli.model import NewEvent
from macli.reports import card
from macli.scoring import wording
from macli.store import Store, scopes, settings
from macli.store.point_rules import PointRule

ANN = "c0@example.com"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = new_world(tmp_path / "w")
    add_contacts(made.store, 2)
    return made


def happened(store: Store, *names: str) -> None:
    told = (
        NewEvent(contact_id=1, name=name, at=to_ms(NOW) + place * 1000, source="test")
        for place, name in enumerate(names)
    )
    events.record(store, NOW, told)


def shown(world: World, macli: Run, *options: str) -> str:
    ran = macli("--workspace", str(world.path), "contact", "show", ANN, *options, at=NOW)
    assert ran.code == 0, ran.err
    return ran.out


def read(world: World, macli: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shown(world, macli, "--json"))
    return found


def test_t6_the_card_shows_scores_readiness_and_the_events_that_made_them(world: World, macli: Run) -> None:
    happened(world.store, "email.opened", "email.clicked", "email.clicked")
    with world.store.write():
        tag = scopes.id_of(world.store, scopes.read(world.store, "tag:shoes"))
    points.give_where(world.store, NOW, contacts.ONE, {"one_contact": 1}, 7, tag, "test")
    told = read(world, macli)
    assert (told["score"], told["readiness"]) == (25, "warm")
    assert [(one["scope"], one["score"]) for one in told["scores"]] == [("global", 25), ("tag:SHOES", 7)]
    assert [(one["rule"], one["points"], one["times"]) for one in told["why"]] == [
        ("mail clicked", 20, 2),
        ("mail opened", 5, 1),
    ]
    assert [(one["event"], one["points"]) for one in told["last_points"]] == [
        ("email.clicked", 10),
        ("email.clicked", 10),
        ("points.given", 7),
        ("email.opened", 5),
    ]
    text = shown(world, macli)
    assert "25 (warm)" in text
    assert "tag:SHOES 7" in text


def test_the_card_shows_the_events_that_gave_points_and_decay_in_one_sum(world: World, macli: Run) -> None:
    settings.put(world.store, NOW, "points.decay", "50 % every 30 days")
    happened(world.store, *["email.clicked"] * 6, "email.opened")
    decaying.sweep(world.store, NOW + timedelta(days=31))
    told = read(world, macli)
    assert (told["score"], told["decayed"]) == (32, -33)
    assert [one["event"] for one in told["last_points"]] == ["email.opened", *["email.clicked"] * 4]
    text = shown(world, macli)
    assert "32 (warm)\ndecay " in text
    assert " took 33 points\n" in text
    assert "last points\n" in text
    ledger = json.loads(macli("--workspace", str(world.path), "points", "show", ANN, "--json", at=NOW).out)["ledger"]
    assert sum(one["points"] for one in ledger if one["event"] == "decay") == -33


def test_the_card_shows_the_stage_since_when_by_what_and_what_would_move_it(world: World, macli: Run) -> None:
    happened(world.store, "email.opened", "email.clicked", "email.clicked")
    told = read(world, macli)
    assert told["stage"] == {
        "stage": "Consideration",
        "entered_at": "2026-12-01T09:00:02Z",
        "score": 25,
        "cause": "points",
        "event": "email.clicked",
    }
    assert (told["next_stage"]["stage"], told["next_stage"]["points"]) == ("Purchase", 26)
    text = shown(world, macli)
    assert "Consideration since 2026-12-01 09:00:02 (by email.clicked, with 25 points)" in text
    assert "26 points more: Purchase; for example 3 × mail clicked (+10)" in text


def test_above_the_last_stage_nothing_moves_it_any_more(world: World, macli: Run) -> None:
    happened(world.store, *["email.clicked"] * 11)
    told = read(world, macli)
    assert (told["stage"]["stage"], told["next_stage"]) == ("Loyalty", None)
    assert "next stage" not in shown(world, macli)


def test_an_attribute_called_score_stands_beside_the_score(world: World, macli: Run) -> None:
    macli("--workspace", str(world.path), "contact", "edit", ANN, "--set", "score=9")
    told = read(world, macli)
    assert (told["score"], told["attributes"]["score"]) == (0, 9)


def test_the_floor_holds_on_the_card(world: World, macli: Run) -> None:
    happened(world.store, "email.unsubscribed")
    assert read(world, macli)["score"] == -10
    settings.put(world.store, NOW, "points.floor", "0")
    assert read(world, macli)["score"] == 0


def test_a_card_without_anything_says_so(world: World, macli: Run) -> None:
    told = read(world, macli)
    assert (told["score"], told["readiness"], told["stage"], told["owner"]) == (0, "cold", None, None)
    assert [one["likelihood"] for one in told["predictions"]] == ["no data", "no data"]
    assert all(told[name] == [] for name in card.LISTS)
    assert "1 point more: Awareness; for example page visited (+2)" in shown(world, macli)


def fill(store: Store) -> None:
    """One row of each thing the people behind a contact leave, as their tables hold it."""
    now = to_ms(NOW)
    with store.write():
        for statement in (
            "INSERT INTO staff (id, name, name_key, created_at, updated_at) VALUES (1, 'anna', 'anna', :now, :now)",
            "INSERT INTO staff (id, name, name_key, created_at, updated_at) VALUES (2, 'bob', 'bob', :now, :now)",
            "INSERT INTO owners (contact_id, staff_id, kind, since_at) VALUES (1, 1, 'main', :now), (1, 2, 'co', :now)",
            """INSERT INTO notes (contact_id, text, folded, private, author_id, source, created_at) VALUES
               (1, 'likes tea', 'likes tea', 0, 1, 'cli', :now), (1, 'in trouble', 'in trouble', 1, 1, 'cli', :now)""",
            """INSERT INTO tasks (contact_id, title, state, assignee_id, due_at, source, created_at, updated_at) VALUES
               (1, 'call back', 'open', 1, :now, 'cli', :now, :now), (1, 'old', 'done', 1, :now, 'cli', :now, :now)""",
            """INSERT INTO funnels (id, name, name_key, created_at, updated_at)
               VALUES (1, 'Sales', 'sales', :now, :now)""",
            "INSERT INTO funnel_stages (id, funnel_id, name, name_key, position) VALUES (1, 1, 'Offer', 'offer', 1)",
            """INSERT INTO funnel_stays (contact_id, funnel_id, stage_id, entered_at, source)
               VALUES (1, 1, 1, :now, 'cli')""",
            """INSERT INTO deals (contact_id, title, funnel_id, stage_id, value, currency, state, source, created_at,
               updated_at) VALUES (1, 'ten chairs', 1, 1, 900, 'EUR', 'open', 'cli', :now, :now),
               (1, 'lost one', 1, 1, 900, 'EUR', 'lost', 'cli', :now, :now)""",
            """INSERT INTO calls (contact_id, staff_id, direction, outcome, seconds, text, at, source, created_at)
               VALUES (1, 2, 'out', 'no answer', 20, '', :now, 'cli', :now)""",
            """INSERT INTO rfm_reports (id, name, name_key, definition, created_at, updated_at)
               VALUES (1, 'all year', 'all year', '{}', :now, :now)""",
            """INSERT INTO rfm_bands (report_id, contact_id, last_at, purchases, value, recency, frequency, monetary)
               VALUES (1, 1, :now, 3, 99.5, 'short', 'regular', 'saver')""",
            """INSERT INTO prediction_models (id, name, source, fitted_at) VALUES (1, 'BG/NBD', 'fit', :now)""",
            """INSERT INTO predictions (contact_id, kind, probability, model_id, predicted_at)
               VALUES (1, 'churn', 0.62, 1, :now)""",
        ):
            store.execute(statement, {"now": now} if ":now" in statement else {})


def test_the_card_shows_the_people_and_the_work_behind_the_contact(world: World, macli: Run) -> None:
    fill(world.store)
    told = read(world, macli)
    assert (told["owner"], told["co_owners"]) == ("anna", ["bob"])
    assert [one["title"] for one in told["tasks"]] == ["call back"]
    assert [(one["title"], one["stage"], one["value"]) for one in told["deals"]] == [("ten chairs", "Offer", 900)]
    assert [(one["funnel"], one["stage"], one["entered_at"]) for one in told["funnels"]] == [
        ("Sales", "Offer", "2026-12-01T09:00:00Z")
    ]
    assert [(one["direction"], one["outcome"], one["staff"]) for one in told["calls"]] == [("out", "no answer", "bob")]
    assert (told["rfm"][0]["report"], told["rfm"][0]["recency"], told["rfm"][0]["value"]) == ("all year", "short", 99.5)
    churn, purchase = told["predictions"]
    assert (churn["likelihood"], churn["model"], churn["fitted_at"]) == ("high", "BG/NBD", "2026-12-01T09:00:00Z")
    assert purchase["likelihood"] == "no data"
    text = shown(world, macli)
    for words in ("high, 62 % (BG/NBD, 2026-12-01 09:00:00)", "call back", "ten chairs", "no answer", "anna"):
        assert words in text
    assert "lost one" not in text


@pytest.mark.parametrize(
    ("acting", "read_"),
    [((), True), (("--as", "anna"), True), (("--as", "bob"), False)],
    ids=["operator", "author", "other"],
)
def test_a_private_note_is_read_by_its_author_and_whoever_may_everything(
    world: World, macli: Run, acting: Sequence[str], read_: bool
) -> None:
    fill(world.store)
    ran = macli(*acting, "--workspace", str(world.path), "contact", "show", ANN, "--json", at=NOW)
    assert ran.code == 0, ran.err
    written = [one["text"] for one in json.loads(ran.out)["notes"]]
    assert written == (["in trouble", "likes tea"] if read_ else ["likes tea"])


WORTH = st.builds(
    lambda points, most: PointRule(
        name=f"rule {points} {most}", event="x.y", points=points, scopes=wording.EVERYWHERE, most=most
    ),
    st.integers(1, 40),
    st.one_of(st.none(), st.integers(1, 3)),
)


@given(rules=st.lists(WORTH, max_size=6, unique_by=lambda rule: rule.name), missing=st.integers(1, 300))
def test_what_is_named_gives_the_missing_points_and_no_rule_more_often_than_it_can(
    rules: list[PointRule], missing: int
) -> None:
    found = card.ways(rules, {}, missing)
    by_name = {rule.name: rule for rule in rules}
    most = sum(rule.points * rule.most for rule in rules if rule.most is not None)
    reachable = any(rule.most is None for rule in rules) or most >= missing
    assert bool(found) == reachable
    if found:
        assert sum(one["points"] * one["times"] for one in found) >= missing
        assert all(one["times"] <= (by_name[one["rule"]].most or 300) for one in found)
