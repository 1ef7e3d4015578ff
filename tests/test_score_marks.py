"""Watched scores: which changes tell that a value is reached, passed or exceeded."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from macli import contacts, events
from macli.campaign import edit, showing, starting
from macli.campaign.problems import BadDefinition
from macli.clock import to_ms
from macli.lifecycle import decaying, points
from macli.model import NewEvent
from macli.store import campaigns, point_rules, scopes, score_marks
from macli.store.point_rules import PointRule
from macli.store.scopes import GLOBAL, Scope
from macli.store.score_marks import Kind
from macli.tick.tick import run_tick
from tests.world import NOW, World, add_contacts, new_world

DAY = timedelta(days=1)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = new_world(tmp_path / "w")
    for rule in point_rules.listed(made.store):
        point_rules.remove(made.store, rule.id)
    add_contacts(made.store, 2)
    return made


def watch(world: World, kind: Kind, value: int, scope: Scope | None = None) -> int:
    with world.store.write():
        scope_id = GLOBAL if scope is None else scopes.id_of(world.store, scope)
        assert score_marks.watch(world.store, to_ms(NOW), scope_id, kind, value)
    return scope_id


def give(world: World, worth: int, scope_id: int = GLOBAL) -> None:
    points.give_where(world.store, NOW, "SELECT 1 AS id", {}, worth, scope_id, "test")


def told(world: World, name: str, *properties: str) -> list[tuple[Any, ...]]:
    facts = ", ".join(f"properties ->> '{one}'" for one in properties)
    return [tuple(row) for row in world.store.rows(f"SELECT {facts} FROM events WHERE name = '{name}' ORDER BY id")]


def test_e14_a_score_reaches_a_value_only_when_it_is_exactly_that(world: World) -> None:
    watch(world, "reached", 200)
    give(world, 199)
    give(world, 2)
    assert told(world, "score.reached", "value") == []
    give(world, -6)
    give(world, 5)
    assert told(world, "score.reached", "scope", "value", "old", "score") == [("global", 200, 195, 200)]
    give(world, 50)
    give(world, -50)
    assert told(world, "score.reached", "old", "score") == [(195, 200), (250, 200)]


def test_e2_crossing_takes_the_jump_and_only_upwards(world: World) -> None:
    watch(world, "crossed", 200)
    for worth in (199, 2, 5, -10, 4, -1, 1):
        give(world, worth)
    assert told(world, "score.crossed", "old", "score") == [(199, 201), (196, 200), (199, 200)]


def test_e13_exceeded_fires_at_each_change_above_the_value_and_not_at_it(world: World) -> None:
    watch(world, "exceeded", 150)
    for worth in (150, 3, 7, 40, -60, 30):
        give(world, worth)
    assert told(world, "score.exceeded", "score", "first") == [(153, 1), (160, 0), (200, 0), (170, 1)]


def test_tag_scoring_fires_on_a_decrease_that_leaves_the_value(world: World) -> None:
    scope = watch(world, "at_least", 10, Scope(kind="tag", name="VIP"))
    for worth in (9, 1, 5, -5, -1):
        give(world, worth, scope)
    give(world, 100)
    assert told(world, "tag.scored", "tag", "value", "score") == [("VIP", 10, 10), ("VIP", 10, 15), ("VIP", 10, 10)]


def test_changes_within_a_batch_are_told_one_by_one(world: World) -> None:
    point_rules.add(
        world.store,
        to_ms(NOW),
        PointRule(name="click", event="email.clicked", points=5, scopes=(Scope(kind="global", name="global"),)),
    )
    watch(world, "reached", 10)
    watch(world, "exceeded", 10)
    batch = [
        NewEvent(contact_id=contact, name="email.clicked", at=to_ms(NOW) + number, source="test")
        for number in range(4)
        for contact in (1, 2)
    ]
    events.record(world.store, NOW, batch)
    assert told(world, "score.reached", "old", "score") == [(5, 10), (5, 10)]
    assert told(world, "score.exceeded", "old", "score") == [(10, 15), (15, 20), (10, 15), (15, 20)]


def test_changes_within_a_batch_follow_each_other_by_their_times(world: World) -> None:
    for name, worth in (("email.opened", 5), ("email.clicked", 10)):
        rule = PointRule(name=name, event=name, points=worth, scopes=(Scope(kind="global", name="global"),))
        point_rules.add(world.store, to_ms(NOW), rule)
    watch(world, "reached", 10)
    batch = [
        NewEvent(contact_id=1, name=name, at=to_ms(NOW) + late, source="test")
        for name, late in (("email.opened", 20), ("email.clicked", 10))
    ]
    events.record(world.store, NOW, batch)
    assert told(world, "score.reached", "old", "score") == [(0, 10)]


def test_a_value_watched_in_one_scope_is_not_told_of_in_another(world: World) -> None:
    fit = watch(world, "crossed", 10, Scope(kind="group", name="Größe"))
    give(world, 20)
    assert told(world, "score.crossed", "value") == []
    give(world, 20, fit)
    assert told(world, "score.crossed", "scope") == [("group:Größe",)]


def test_a_value_is_told_of_when_time_takes_the_score_down_to_it(world: World) -> None:
    point_rules.add(
        world.store,
        to_ms(NOW),
        PointRule(
            name="click",
            event="email.clicked",
            points=10,
            scopes=(Scope(kind="global", name="global"),),
            decay_share=50,
            decay_span=DAY // timedelta(milliseconds=1),
        ),
    )
    watch(world, "reached", 5)
    watch(world, "exceeded", 1)
    events.record(world.store, NOW, [NewEvent(contact_id=1, name="email.clicked", at=to_ms(NOW), source="test")])
    decaying.sweep(world.store, NOW + DAY)
    decaying.sweep(world.store, NOW + DAY)
    assert told(world, "score.reached", "old", "score") == [(10, 5)]
    assert told(world, "score.exceeded", "score") == [(10,), (5,)]


# Campaigns


def plan(world: World, event: Any, *, steps: Any = None) -> None:
    definition = {"name": "hot", "entry": {"event": event}, "steps": steps or [{"tag": "HOT"}]}
    edit.save(world.store, NOW, definition, zone=ZoneInfo("UTC"))


def start(world: World) -> None:
    row = campaigns.get(world.store, "hot")
    engine = world.engine()
    starting.activate(world.store, NOW, row, setting=engine.setting, zone=engine.zone)


def tagged(world: World) -> list[str]:
    sql = "SELECT tags.name FROM contact_tags JOIN tags ON tags.id = tag_id WHERE contact_id = 1 ORDER BY tags.name"
    return [row["name"] for row in world.store.rows(sql)]


def marks(world: World) -> list[tuple[Any, ...]]:
    return [(str(row["scope"]), row["kind"], row["points"]) for row in score_marks.listed(world.store)]


def test_e14_a_campaign_that_starts_at_a_score_watches_it_by_itself(world: World) -> None:
    plan(world, {"name": "score.reached", "where": "value = 200"})
    start(world)
    give(world, 199)
    give(world, 2)
    run_tick(world.engine(NOW + timedelta(minutes=1)))
    assert tagged(world) == []
    give(world, -1)
    run_tick(world.engine(NOW + timedelta(minutes=2)))
    assert tagged(world) == ["HOT"]


def test_e13_a_campaign_can_start_at_the_first_time_a_score_is_exceeded(world: World) -> None:
    plan(world, {"name": "score.exceeded", "where": "value = 150 and first = true"})
    start(world)
    give(world, 150)
    run_tick(world.engine(NOW + timedelta(minutes=1)))
    assert tagged(world) == []
    give(world, 1)
    run_tick(world.engine(NOW + timedelta(minutes=2)))
    assert tagged(world) == ["HOT"]


def test_a_step_can_wait_for_the_points_of_a_tag(world: World) -> None:
    wait = {"wait_for": {"event": "tag.scored", "where": "tag = vip and value = 10", "timeout": "3 days"}}
    plan(world, "tag.added", steps=[{**wait, "then": [{"tag": "HOT"}]}])
    start(world)
    assert marks(world) == [("VIP", "at_least", 10)]
    contacts.tag_where(world.store, NOW, "SELECT 1 AS id", {}, "VIP", "test")
    run_tick(world.engine(NOW + timedelta(minutes=1)))
    give(world, 12, scopes.find(world.store, Scope(kind="tag", name="VIP")) or 0)
    run_tick(world.engine(NOW + timedelta(minutes=2)))
    assert tagged(world) == ["HOT", "VIP"]


def test_several_values_and_scopes_are_each_watched(world: World) -> None:
    plan(world, {"name": "score.crossed", "where": 'value in (10, 20) and scope in (global, "group:fit")'})
    assert sorted(marks(world)) == [
        ("fit", "crossed", 10),
        ("fit", "crossed", 20),
        ("global", "crossed", 10),
        ("global", "crossed", 20),
    ]


@pytest.mark.parametrize("where", [None, "value > 200", "score = 200", "value != 200", "value = many"])
def test_a_campaign_that_says_no_value_is_refused_and_told_what_to_write(world: World, where: str | None) -> None:
    with pytest.raises(BadDefinition, match=r"score\.reached of which value") as refused:
        plan(world, {"name": "score.reached", **({} if where is None else {"where": where})})
    assert "value = 200" in str(refused.value.hint)
    assert marks(world) == []


def test_a_campaign_that_names_a_stage_that_is_not_there_is_refused(world: World) -> None:
    with pytest.raises(BadDefinition, match="Sales/Offer"):
        plan(world, {"name": "score.reached", "where": 'value = 5 and scope = "stage:Sales/Offer"'})


def test_e2_what_an_event_of_scores_means_is_shown_with_the_campaign(world: World) -> None:
    plan(world, {"name": "score.reached", "where": "value = 200"})
    engine = world.engine()
    row = campaigns.get(world.store, "hot")
    told = showing.shown(world.store, row, setting=engine.setting, now=NOW, zone=engine.zone)
    [said] = told["watches"]
    assert said.startswith("score.reached of 200 in global: the score is now exactly the value")
