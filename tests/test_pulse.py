"""What makes a claimed message be looked at again before the wire, and what does not."""

from datetime import timedelta
from pathlib import Path

import pytest

from macli import contacts, events
from macli.clock import to_ms
from macli.importer import Options, prepare
from macli.importer import run as import_all
from macli.importer.source import opened
from macli.model import NewEvent
from macli.store import suppressions
from macli.tick.pulse import HARMLESS, Heart
from tests.world import NOW, World, add_contacts, new_world, opt_in, opt_out


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = new_world(tmp_path / "shop")
    add_contacts(made.store, 2)
    return made


def happens(world: World, name: str) -> None:
    events.record(world.store, NOW, [NewEvent(contact_id=1, name=name, at=to_ms(NOW), source="test")])


@pytest.mark.parametrize("name", ["email.opened", "email.clicked.machine", "page.visited", "order.paid"])
def test_opens_clicks_visits_and_a_shops_own_events_leave_the_pulse_as_it_is(world: World, name: str) -> None:
    heart = Heart(world.store)
    before = heart.read()
    happens(world, name)
    assert heart.read() == before


@pytest.mark.parametrize("name", ["email.unsubscribed", "email.bounced", "sms.opted_out", "attribute.changed"])
def test_whatever_can_be_a_no_changes_the_pulse(world: World, name: str) -> None:
    heart = Heart(world.store)
    before = heart.read()
    happens(world, "email.opened")
    happens(world, name)
    happens(world, "email.opened")
    assert heart.read() != before


def test_a_no_said_a_second_time_after_a_yes_changes_the_pulse_again(world: World) -> None:
    heart = Heart(world.store)
    seen = {heart.read()}
    for say in (contacts.withdraw_where, contacts.grant_where, contacts.withdraw_where):
        say(world.store, NOW, contacts.ONE, {"one_contact": 1}, "email", "test")
        assert heart.read() not in seen
        seen.add(heart.read())


def test_a_deleted_newest_event_does_not_hide_the_next(world: World) -> None:
    happens(world, "email.opened")
    heart = Heart(world.store)
    before = heart.read()
    with world.store.write():
        world.store.execute("DELETE FROM events WHERE id = (SELECT max(id) FROM events)")
    opt_out(world, 2, "email")
    assert heart.read() != before


def test_an_imports_no_changes_the_pulse_though_the_clock_was_set_back(world: World, tmp_path: Path) -> None:
    opt_in(world, 1, "email")
    opt_in(world, 2, "email", NOW + timedelta(hours=1))
    heart = Heart(world.store)
    before = heart.read()
    file = tmp_path / "noes.csv"
    file.write_text("email,email_opt_out\nc0@example.com,yes\n")
    with opened(str(file)) as source:
        import_all(world.store, prepare(world.store, source, Options()), lambda: NOW)
    assert heart.read() != before


def test_a_suppression_that_gets_the_number_of_one_taken_back_changes_the_pulse(world: World) -> None:
    suppressions.add(world.store, to_ms(NOW), "email", "c0@example.com", reason="by_hand", source="cli")
    heart = Heart(world.store)
    before = heart.read()
    suppressions.remove(world.store, "email", "c0@example.com")
    suppressions.add(world.store, to_ms(NOW), "email", "c1@example.com", reason="by_hand", source="cli")
    assert heart.read() != before


def test_nothing_that_has_effects_is_harmless() -> None:
    from macli.effects.table import EFFECTS

    told = {name for name in EFFECTS if not name.startswith("page.")}
    assert not HARMLESS & told
