"""Visitors and the contacts they turn out to be: one way, and never somebody else's."""

import pytest

from macli import events
from macli.clock import to_ms
from macli.model import NewEvent
from macli.store import Store, visitors
from macli.visitors.joining import join
from tests.world import NOW, World, add_contacts, new_world

ANN = "a" * 22
BOB = "b" * 22


@pytest.fixture
def world(tmp_path) -> World:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 2)
    return world


def visit(store: Store, token: str, url: str, contact_id: int | None = None) -> None:
    with store.write():
        visitor = visitors.seen(store, to_ms(NOW), token)
        events.record(
            store,
            NOW,
            [
                NewEvent(
                    contact_id=contact_id,
                    visitor_id=visitor["id"],
                    name="page.visited",
                    at=to_ms(NOW),
                    source="tracker",
                    properties={"url": url, "page": url},
                )
            ],
        )


def owners(store: Store) -> list[int | None]:
    return [
        row["contact_id"] for row in store.rows("SELECT contact_id FROM events WHERE name = 'page.visited' ORDER BY id")
    ]


def test_t5_anonymous_visits_become_the_contacts_when_the_visitor_is_known(world: World) -> None:
    visit(world.store, ANN, "https://shop.example/prices")
    visit(world.store, BOB, "https://shop.example/jobs")
    assert owners(world.store) == [None, None]
    assert join(world.store, NOW, ANN, 1)
    assert owners(world.store) == [1, None]


def test_a_visitor_that_is_a_contact_already_is_never_moved(world: World) -> None:
    visit(world.store, ANN, "https://shop.example/prices")
    assert join(world.store, NOW, ANN, 1)
    assert join(world.store, NOW, ANN, 1)
    assert not join(world.store, NOW, ANN, 2)
    assert owners(world.store) == [1]
    assert visitors.by_token(world.store, ANN)["contact_id"] == 1


def test_a_visitor_seen_for_the_first_time_can_be_joined(world: World) -> None:
    assert join(world.store, NOW, ANN, 2)
    assert visitors.by_token(world.store, ANN)["contact_id"] == 2


@pytest.mark.parametrize("junk", ["", "short", "x" * 65, "a b" * 8, "ü" * 20, "a" * 20 + "\n"])
def test_what_is_no_token_joins_nobody(world: World, junk: str) -> None:
    assert not join(world.store, NOW, junk, 1)
    assert world.store.value("SELECT count(*) FROM visitors") == 0


def test_the_devices_of_a_visitor_become_the_contacts_once_it_is_proven_who_sits_there(world: World) -> None:
    store = world.store
    with store.write():
        visitor = visitors.seen(store, to_ms(NOW), ANN)
        store.execute(
            """
            INSERT INTO devices (visitor_id, endpoint, p256dh, auth, created_at, seen_at)
            VALUES (:visitor, 'https://push.example/1', 'p', 'a', 1, 1)
            """,
            {"visitor": visitor["id"]},
        )
    assert join(store, NOW, ANN, 2)
    assert store.value("SELECT contact_id FROM devices") is None
    assert join(store, NOW, ANN, 2, proven=True)
    assert store.value("SELECT contact_id FROM devices") == 2


def test_t5_t20_a_tracked_segment_sees_what_a_visitor_did_before_it_was_known(world: World) -> None:
    from datetime import timedelta

    from macli import segments
    from macli.segments.refreshing import refresh_tracked

    zone, hour = world.engine().zone, timedelta(hours=1)
    segments.create(world.store, NOW, zone, "warm", rule='visited url containing "/prices"', tracked=True)
    visit(world.store, ANN, "https://shop.example/prices")
    refresh_tracked(world.store, NOW + hour, zone, every=hour)
    assert join(world.store, NOW + 2 * hour, ANN, 1)
    moved = refresh_tracked(world.store, NOW + 2 * hour, zone, every=10 * hour)
    assert moved.entered == 1
