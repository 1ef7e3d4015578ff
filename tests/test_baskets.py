"""Dropped baskets: filled, not bought in time, told once."""

import json
from datetime import datetime, timedelta

import pytest

from macli import events
from macli.clock import to_ms
from macli.model import NewEvent
from macli.store import settings
from macli.tick import chores
from macli.tick.tick import run_tick
from tests.world import NOW, World, add_campaign, add_contacts, add_template, new_world

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def world(tmp_path) -> World:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 3)
    look(world, NOW)
    return world


def look(world: World, at: datetime) -> int:
    told: list[str] = []
    heard, _ = chores.run(world.engine(at), *(lambda name, why: told.append(f"{name}: {why}"),) * 3)
    assert told == []
    return heard


def happened(world: World, name: str, at: datetime, contact_id: int | None = 1, **properties: object) -> None:
    events.record(
        world.store,
        NOW,
        [NewEvent(contact_id=contact_id, name=name, at=to_ms(at), source="shop", properties=properties)],
    )


def dropped(world: World) -> list[tuple[int, datetime, dict]]:
    return [
        (row["contact_id"], row["at"] - to_ms(NOW), json.loads(row["properties"]))
        for row in world.store.rows(
            "SELECT contact_id, at, properties FROM events WHERE name = 'cart.abandoned' ORDER BY id"
        )
    ]


def test_t31_a_basket_not_bought_within_the_hour_is_dropped_once(world: World) -> None:
    happened(world, "cart.updated", NOW, total=99.5, items=[{"sku": "x"}])
    look(world, NOW + 59 * MINUTE)
    assert dropped(world) == []
    for minutes in (60, 61, 200):
        look(world, NOW + minutes * MINUTE)
    assert dropped(world) == [(1, 3_600_000, {"total": 99.5, "items": [{"sku": "x"}]})]


def test_t31_a_purchase_within_half_an_hour_leaves_nothing_to_tell(world: World) -> None:
    happened(world, "cart.updated", NOW)
    look(world, NOW + 10 * MINUTE)
    happened(world, "order.paid", NOW + 30 * MINUTE)
    look(world, NOW + 2 * HOUR)
    assert dropped(world) == []


def test_a_purchase_reported_late_counts_when_it_was_made(world: World) -> None:
    happened(world, "order.paid", NOW + 30 * MINUTE)
    happened(world, "cart.updated", NOW)
    look(world, NOW + 2 * HOUR)
    assert dropped(world) == []


def test_a_purchase_before_the_basket_does_not_count(world: World) -> None:
    happened(world, "order.paid", NOW - MINUTE)
    happened(world, "cart.updated", NOW)
    look(world, NOW + 2 * HOUR)
    assert [row[0] for row in dropped(world)] == [1]


def test_a_change_of_the_basket_begins_the_time_anew(world: World) -> None:
    happened(world, "cart.updated", NOW, total=1)
    happened(world, "cart.updated", NOW + 50 * MINUTE, total=2)
    look(world, NOW + 100 * MINUTE)
    assert dropped(world) == []
    look(world, NOW + 110 * MINUTE)
    assert [row[2] for row in dropped(world)] == [{"total": 2}]


def test_the_next_basket_can_be_dropped_too(world: World) -> None:
    happened(world, "cart.updated", NOW)
    look(world, NOW + 2 * HOUR)
    happened(world, "cart.updated", NOW + 3 * HOUR)
    look(world, NOW + 5 * HOUR)
    assert len(dropped(world)) == 2


def test_an_emptied_basket_is_not_dropped(world: World) -> None:
    happened(world, "cart.updated", NOW, total=0)
    look(world, NOW + 2 * HOUR)
    assert dropped(world) == []


def test_a_basket_reported_late_is_told_and_an_old_one_is_not(world: World) -> None:
    look(world, NOW + 5 * HOUR)
    happened(world, "cart.updated", NOW + HOUR)
    happened(world, "cart.updated", NOW - timedelta(days=30), contact_id=2)
    look(world, NOW + 5 * HOUR + MINUTE)
    assert [row[0] for row in dropped(world)] == [1]


def test_what_was_there_before_the_first_look_is_left_alone(tmp_path) -> None:
    world = new_world(tmp_path / "old")
    add_contacts(world.store, 1)
    happened(world, "cart.updated", NOW - 2 * HOUR)
    look(world, NOW)
    look(world, NOW + HOUR)
    assert dropped(world) == []


def test_nobody_s_basket_is_nobody_s_and_a_known_one_s_is_told(world: World) -> None:
    happened(world, "cart.updated", NOW, contact_id=None)
    happened(world, "cart.updated", NOW, contact_id=3)
    look(world, NOW + 2 * HOUR)
    assert [row[0] for row in dropped(world)] == [3]


def test_the_events_and_the_time_are_settings(world: World) -> None:
    settings.put(world.store, NOW, "baskets.event", "shop.basket")
    settings.put(world.store, NOW, "purchases.event", "shop.sold")
    settings.put(world.store, NOW, "baskets.after", "2 hours")
    happened(world, "shop.basket", NOW)
    happened(world, "shop.basket", NOW, contact_id=2)
    happened(world, "shop.sold", NOW + HOUR, contact_id=2)
    look(world, NOW + HOUR)
    assert dropped(world) == []
    look(world, NOW + 2 * HOUR)
    assert [row[0] for row in dropped(world)] == [1]


def test_t31_the_tick_that_tells_of_a_basket_lets_its_contact_into_a_campaign(world: World) -> None:
    add_template(world.store)
    add_campaign(world.store, "basket", entry={"event": "cart.abandoned"}, steps=[{"send": "hello"}])
    happened(world, "cart.updated", NOW)
    run_tick(world.engine(NOW + 61 * MINUTE))
    assert world.store.value("SELECT contact_id FROM enrollments") == 1


def test_an_idle_look_asks_nothing_further(world: World) -> None:
    happened(world, "cart.updated", NOW)
    look(world, NOW + 2 * HOUR)
    engine = world.engine(NOW + 3 * HOUR)
    names = [chore.name for chore in chores.CHORES if chores.is_due(engine, chore)]
    assert "baskets" not in names
