"""Watched scores: which changes tell that a value is reached, passed or exceeded."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from macli import events
from macli.clock import to_ms
from macli.lifecycle import decaying, points
from macli.model import NewEvent
from macli.store import point_rules, scopes, score_marks
from macli.store.point_rules import PointRule
from macli.store.scopes import GLOBAL, Scope
from macli.store.score_marks import Kind
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
