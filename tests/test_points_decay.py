"""Decay: what points are worth after some time, whoever looks and how often."""

from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from macli import config, events
from macli.clock import to_ms
from macli.errors import UsageError
from macli.lifecycle import decaying, points
from macli.model import NewEvent
from macli.scoring import checking
from macli.scoring import decaying as batch
from macli.store import point_rules, settings
from macli.store.point_rules import PointRule
from macli.store.scopes import GLOBAL, Scope
from macli.tick import chores
from tests.world import NOW, World, add_contacts, new_world

EVERYWHERE = Scope(kind="global", name="global")
DAY = timedelta(days=1)
DAY_MS = 86_400_000


def fresh(folder: Path, *rules: PointRule) -> World:
    world = new_world(folder)
    for rule in point_rules.listed(world.store):
        point_rules.remove(world.store, rule.id)
    for rule in rules:
        point_rules.add(world.store, to_ms(NOW), rule)
    add_contacts(world.store, 3)
    return world


def halving(worth: int = 10, **more: Any) -> PointRule:
    said = {"decay_share": 50, "decay_span": 30 * DAY_MS, **more}
    return PointRule(name="click", event="email.clicked", points=worth, scopes=(EVERYWHERE,), **said)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return fresh(tmp_path / "w", halving())


def click(world: World, at: datetime = NOW, contact: int = 1) -> None:
    events.record(world.store, at, [NewEvent(contact_id=contact, name="email.clicked", at=to_ms(at), source="test")])


def score(world: World, contact: int = 1) -> int:
    assert checking.check(world.store).wrong == 0
    value = world.store.value("SELECT points FROM scores WHERE contact_id = :id AND scope_id = 1", {"id": contact})
    return int(value or 0)


def after(world: World, span: timedelta) -> int:
    decaying.sweep(world.store, NOW + span)
    return score(world)


def test_points_lose_their_share_each_whole_period(world: World) -> None:
    click(world)
    assert after(world, 30 * DAY - timedelta(milliseconds=1)) == 10
    assert after(world, 30 * DAY) == 5
    assert after(world, 59 * DAY) == 5
    assert after(world, 60 * DAY) == 2
    assert after(world, 90 * DAY) == 1
    assert after(world, 120 * DAY) == 0
    assert world.store.value("SELECT count(*) FROM point_ledger WHERE decays_at IS NOT NULL") == 0


def test_what_was_taken_decays_towards_nothing_as_well(tmp_path: Path) -> None:
    world = fresh(tmp_path / "w", halving(-5))
    click(world)
    assert [after(world, days * DAY) for days in (0, 30, 60, 90)] == [-5, -2, -1, 0]


def test_a_rule_without_decay_goes_by_the_setting_and_so_do_points_given_by_hand(tmp_path: Path) -> None:
    world = fresh(tmp_path / "w", halving(decay_share=None, decay_span=None))
    settings.put(world.store, NOW, "points.decay", "100 % every year")
    click(world)
    points.give_where(world.store, NOW, "SELECT 1 AS id", {}, 7, GLOBAL, "test")
    assert after(world, 364 * DAY) == 17
    assert after(world, 365 * DAY) == 0


def test_points_stay_where_nothing_is_said_of_decay(tmp_path: Path) -> None:
    world = fresh(tmp_path / "w", halving(decay_share=None, decay_span=None))
    click(world)
    assert after(world, 3650 * DAY) == 10


def test_points_there_are_begin_to_decay_when_they_are_dated_anew(tmp_path: Path) -> None:
    world = fresh(tmp_path / "w", halving(decay_share=None, decay_span=None))
    click(world)
    settings.put(world.store, NOW, "points.decay", "50 % every 10 days")
    assert after(world, 20 * DAY) == 10
    assert checking.recompute(world.store, to_ms(NOW + 20 * DAY)).dated == 1
    assert checking.recompute(world.store, to_ms(NOW + 20 * DAY)).dated == 0
    assert after(world, 20 * DAY) == 2
    settings.put(world.store, NOW, "points.decay", "none")
    assert checking.recompute(world.store, to_ms(NOW + 20 * DAY)).dated == 1
    assert after(world, 90 * DAY) == 2


def test_the_cost_of_a_sweep_is_what_is_due(world: World) -> None:
    click(world, contact=1)
    click(world, NOW + DAY, contact=2)
    engine = world.engine(NOW + 30 * DAY)
    decay = next(chore for chore in chores.CHORES if chore.name == "decay")
    assert chores.is_due(engine, decay)
    assert decaying.chore(engine, lambda who, why: None) == 1
    assert not chores.is_due(engine, decay)
    assert (score(world, 1), score(world, 2)) == (5, 10)
    touched = "SELECT id FROM contacts WHERE updated_at = :now"
    assert [row["id"] for row in world.store.rows(touched, {"now": to_ms(engine.now)})] == [1]


def test_the_question_whether_anything_is_due_is_answered_by_an_index(world: World) -> None:
    decay = next(chore for chore in chores.CHORES if chore.name == "decay")
    plan = world.store.rows(f"EXPLAIN QUERY PLAN SELECT {decay.due}", {"now": 0})
    assert any("point_ledger_decays" in row["detail"] for row in plan)


def test_many_credits_are_swept_in_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "BATCH", 4)
    for minute in range(10):
        click(world, NOW + minute * timedelta(minutes=1))
    assert decaying.sweep(world.store, NOW + 31 * DAY) == 10
    assert score(world) == 50


def test_a_decay_that_is_none_is_refused() -> None:
    for text in ("50", "0 % every day", "101 % every day", "50 % every minute", "50 % every", "half every day"):
        with pytest.raises(UsageError, match=r"decay|go|hour"):
            config.setting("points.decay").read(text)


CREDITS = st.lists(st.tuples(st.integers(0, 200), st.sampled_from((-25, -1, 1, 3, 10, 997))), min_size=1, max_size=8)


@hypothesis(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    given_on=CREDITS,
    share=st.sampled_from((1, 10, 33, 42, 50, 99, 100)),
    span=st.sampled_from((1, 7, 30)),
    looks=st.lists(st.integers(200, 420), max_size=6),
)
def test_how_often_time_is_looked_at_does_not_change_what_is_left(
    given_on: list[tuple[int, int]], share: int, span: int, looks: list[int]
) -> None:
    end = 400
    left = sum(int(Fraction(worth) * (1 - Fraction(share, 100)) ** ((end - day) // span)) for day, worth in given_on)
    with TemporaryDirectory() as folder:
        for name, sweeps in (("often", sorted(look for look in looks if look < end)), ("once", [])):
            rules = (
                halving(worth, decay_share=share, decay_span=span * DAY_MS, condition=f"worth = {worth}")
                for worth in {worth for _, worth in given_on}
            )
            world = fresh(Path(folder) / name)
            for number, rule in enumerate(rules):
                point_rules.add(world.store, to_ms(NOW), PointRule(**{**rule.__dict__, "name": f"rule {number}"}))
            told = [
                NewEvent(
                    contact_id=1,
                    name="email.clicked",
                    at=to_ms(NOW + day * DAY),
                    source="test",
                    properties={"worth": worth},
                )
                for day, worth in given_on
            ]
            events.record(world.store, NOW, told)
            for look in sweeps:
                decaying.sweep(world.store, NOW + look * DAY)
            decaying.sweep(world.store, NOW + end * DAY)
            assert score(world) == left
