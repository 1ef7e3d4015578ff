"""What goes wrong between two commits of a send: nobody gets a message twice, against their word, or not at all."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from macli import contacts, events
from macli.campaign import edit
from macli.clock import to_ms
from macli.errors import OperationFailed
from macli.model import Message, NewEvent, Outcome
from macli.providers.outbox import Outbox
from macli.providers.outbox import Settings as OutboxSettings
from macli.store import Store, campaign_states, campaigns, identity, settings, workers
from macli.tick import engine as engines
from macli.tick import resolve
from macli.tick.tick import run_campaign, run_tick
from tests import sink as sinks
from tests.test_at_most_once import account, assert_the_ledger_agrees, tick_in_a_child, wait_for
from tests.world import (
    NOW,
    World,
    add_campaign,
    add_contacts,
    add_template,
    new_world,
    opt_in,
    opt_out,
    remove,
    use_smtp,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return new_world(tmp_path / "shop")


class Carrier:
    """A provider that does something before it answers: what happens while a message is on its way."""

    kind = "carrier"
    channels = frozenset({"email", "sms"})
    looks_up = False
    connections = 1
    sender = "news@shop.example"

    def __init__(self, name: str, meanwhile: Callable[[int, Message], Outcome | None]) -> None:
        self.name = name
        self.meanwhile = meanwhile
        self.sent: list[str] = []

    def describe(self) -> dict[str, Any]:
        return {}

    def send(self, message: Message) -> Outcome:
        self.sent.append(message.to)
        return self.meanwhile(len(self.sent), message) or Outcome(verdict="accepted")


@pytest.fixture
def carried(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Carrier]:
    """Puts what a provider's name says on a carrier; the real ones are in other tests."""
    carriers: dict[str, Carrier] = {}
    from macli.tick import dispatch

    def load(engine: Any, row: Any) -> Any:
        found = carriers.get(row["name"])
        return found or Outbox(OutboxSettings(path=world.path / "out"), name=row["name"])

    monkeypatch.setattr(dispatch, "load_provider", load)

    def on(meanwhile: Callable[[int, Message], Outcome | None], *, name: str | None = None) -> Carrier:
        name = name or str(world.store.value("SELECT name FROM providers ORDER BY id"))
        carriers[name] = Carrier(name, meanwhile)
        return carriers[name]

    return on


def elsewhere(world: World, do: Callable[[World], None]) -> None:
    """Do something as another process would: over a connection of its own."""
    other = world.reopen()
    try:
        do(other)
    finally:
        other.store.close()


def purge(world: World, contact_id: int) -> None:
    contacts.purge_where(world.store, NOW, contacts.ONE, {"one_contact": contact_id})


def run(world: World, sql: str) -> None:
    world.store.execute(sql)


def put(world: World, key: str, value: str) -> None:
    settings.put(world.store, NOW, key, value)


# An opt-out, a removal, another address, between the claim and the wire


def test_a_no_that_an_import_brings_during_a_send_is_honoured(world: World, carried: Callable[..., Carrier]) -> None:
    """An import says no without an event."""
    add_contacts(world.store, 5)
    add_campaign(world.store)

    def say_no(other: World) -> None:
        with other.store.write():
            other.store.execute(
                "INSERT INTO consents (contact_id, channel, topic, status, source, changed_at)"
                " VALUES (5, 'email', '', 'withdrawn', 'import', 0)"
            )

    carrier = carried(lambda number, _: elsewhere(world, say_no) if number == 1 else None)
    run_tick(world.engine())
    assert "c4@example.com" not in carrier.sent
    assert world.reasons() == {"opted_out": 1}


def test_a_no_changed_in_place_by_an_import_is_honoured(world: World, carried: Callable[..., Carrier]) -> None:
    add_contacts(world.store, 5)
    opt_in(world, 5, "email", NOW - HOUR)
    add_campaign(world.store)

    def say_no(other: World) -> None:
        with other.store.write():
            other.store.execute("UPDATE consents SET status = 'withdrawn'")
            other.store.execute("UPDATE contacts SET updated_at = ? WHERE id = 5", (to_ms(NOW) + 1,))

    carrier = carried(lambda number, _: elsewhere(world, say_no) if number == 1 else None)
    run_tick(world.engine())
    assert "c4@example.com" not in carrier.sent


def test_a_contact_purged_during_a_send_gets_nothing_more(world: World, carried: Callable[..., Carrier]) -> None:
    add_contacts(world.store, 5)
    add_campaign(world.store)

    carrier = carried(lambda number, _: elsewhere(world, lambda other: purge(other, 5)) if number == 1 else None)
    run_tick(world.engine())
    assert "c4@example.com" not in carrier.sent
    assert len(carrier.sent) == 4


def test_a_contact_purged_while_its_message_bounces_does_not_lose_its_neighbours_answers(
    world: World, carried: Callable[..., Carrier]
) -> None:
    add_contacts(world.store, 5)
    add_campaign(world.store)

    def bounce(number: int, message: Message) -> Outcome | None:
        if number != 2:
            return None
        elsewhere(
            world,
            lambda other: purge(other, 2),
        )
        return Outcome(verdict="bounced", code="550", text="no such user", event="email.bounced")

    carried(bounce)
    run_tick(world.engine())
    assert world.states() == {"accepted": 4, "bounced": 1}
    assert world.store.value("SELECT address FROM suppressions") == "c1@example.com"


def test_a_no_by_a_number_whose_contact_was_purged_meanwhile_is_kept_by_the_number(
    world: World, carried: Callable[..., Carrier]
) -> None:
    add_contacts(world.store, 1)
    opt_in(world, 1, "sms")
    add_template(world.store, "text", kind="sms", text="Hi")
    add_campaign(world.store, channel="sms", entry={"rule": "has phone"}, steps=[{"send": "text"}], quiet_hours=False)

    def stop(number: int, message: Message) -> Outcome:
        elsewhere(
            world,
            lambda other: purge(other, 1),
        )
        return Outcome(verdict="rejected", code="21610", event="sms.opted_out")

    carried(stop)
    run_tick(world.engine())
    said = world.store.row("SELECT channel, address, reason FROM suppressions")
    assert said is not None
    assert tuple(said) == ("sms", "+14165550000", "opted_out")


def test_a_changed_address_is_written_to_and_not_the_old_one(world: World, carried: Callable[..., Carrier]) -> None:
    add_contacts(world.store, 5)
    add_campaign(world.store)

    def move(other: World) -> None:
        contacts.edit(other.store, NOW, 5, {"email": "new@example.com"}, source="test")

    carrier = carried(lambda number, _: elsewhere(world, move) if number == 1 else None)
    run_tick(world.engine())
    assert "c4@example.com" not in carrier.sent
    assert "new@example.com" in carrier.sent
    assert world.states() == {"accepted": 5}


def test_a_batch_that_takes_until_the_quiet_hours_begin_waits_for_their_end(
    world: World, carried: Callable[..., Carrier], monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = [0.0]
    monkeypatch.setattr(engines, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + passed[0]))
    put(world, "quiet_hours.email", "21:00-08:00")
    add_contacts(world.store, 4)
    add_campaign(world.store)

    def slowly(number: int, message: Message) -> None:
        passed[0] += 45

    carrier = carried(slowly)
    evening = NOW.replace(hour=20, minute=58, second=50)
    run_tick(world.engine(evening))
    assert len(carrier.sent) == 2
    assert world.states() == {"accepted": 2, "planned": 2}
    run_tick(world.engine(evening + timedelta(hours=12)))
    assert world.states() == {"accepted": 4}


def test_a_no_between_a_batchs_claim_and_its_last_messages_holds_though_another_batch_was_claimed_since(
    world: World, carried: Callable[..., Carrier]
) -> None:
    """Two providers in one dispatch: the second one's claim must not hide what changed since the first one's."""
    add_contacts(world.store, 5)
    opt_in(world, 1, "sms")
    add_template(world.store)
    add_template(world.store, "text", kind="sms", text="Hi")
    world.store.execute(
        "INSERT INTO providers (name, name_key, kind, settings, limits, created_at, updated_at)"
        " VALUES ('second', 'second', 'outbox', '{\"path\": \"out2\"}', '[\"1 per second\"]', 0, 0)"
    )
    world.store.execute(
        "UPDATE channels SET provider_id = (SELECT id FROM providers WHERE name = 'second') WHERE name = 'sms'"
    )
    add_campaign(world.store)
    add_campaign(
        world.store, "texts", channel="sms", entry={"rule": "has phone"}, steps=[{"send": "text"}], quiet_hours=False
    )
    for contact_id in (2, 3, 4, 5):
        opt_in(world, contact_id, "sms")

    def first(number: int, message: Message) -> None:
        if number == 1:
            elsewhere(world, lambda other: opt_out(other, 5, "email"))
            time.sleep(1.3)  # meanwhile the other provider claims its next second's worth

    carrier = carried(first)
    second = carried(lambda number, _: None, name="second")
    run_tick(world.engine())
    assert len(second.sent) == 5
    assert "c4@example.com" not in carrier.sent


def test_a_pause_in_the_millisecond_of_the_campaigns_last_change_is_noticed(
    world: World, carried: Callable[..., Carrier]
) -> None:
    add_contacts(world.store, 5)
    add_campaign(world.store)
    world.store.execute("UPDATE campaigns SET updated_at = ?", (to_ms(NOW),))

    def pause(other: World) -> None:
        campaign_states.pause(other.store, NOW, campaigns.get(other.store, "spring"), "wrong price")

    carrier = carried(lambda number, _: elsewhere(world, pause) if number == 1 else None)
    run_tick(world.engine())
    assert len(carrier.sent) == 1
    assert world.states() == {"accepted": 1, "planned": 4}


def test_a_campaign_cancelled_during_its_send_leaves_nothing_planned(
    world: World, carried: Callable[..., Carrier]
) -> None:
    add_contacts(world.store, 5)
    add_campaign(world.store)

    def cancel(other: World) -> None:
        campaign_states.cancel(other.store, NOW, campaigns.get(other.store, "spring"))

    carrier = carried(lambda number, _: elsewhere(world, cancel) if number == 1 else None)
    run_tick(world.engine())
    assert len(carrier.sent) == 1
    assert world.states() == {"accepted": 1, "skipped": 4}
    assert world.reasons() == {"cancelled": 4}


def test_a_yes_to_a_topic_does_not_undo_a_no_to_everything(world: World) -> None:
    add_contacts(world.store, 1)
    opt_out(world, 1, "email")
    purge(world, 1)
    again = contacts.add(world.store, NOW, {"email": "c0@example.com"}, {"first_name": "Ann"}, source="test")
    contacts.grant_where(
        world.store, NOW, contacts.ONE, {"one_contact": again.contact_id}, "email", "test", topic="news"
    )
    add_campaign(world.store)
    run_tick(world.engine())
    assert world.reasons() == {"suppressed": 1}


def test_an_address_that_said_no_is_not_written_to_when_it_comes_back_as_another_contact(world: World) -> None:
    add_contacts(world.store, 1)
    opt_out(world, 1, "email")
    contacts.edit(world.store, NOW, 1, {"email": "moved@example.com"}, source="test")
    contacts.add(world.store, NOW, {"email": "c0@example.com"}, {"first_name": "Ann"}, source="test")
    add_campaign(world.store)
    run_tick(world.engine())
    assert world.reasons() == {"opted_out": 1, "suppressed": 1}
    opt_in(world, 2, "email")
    assert world.store.value("SELECT count(*) FROM suppressions") == 0


def test_an_address_that_said_no_holds_to_it_when_an_import_gives_its_contact_another_one(
    world: World, tmp_path: Path
) -> None:
    from macli.importer import Options, prepare
    from macli.importer import run as import_all
    from macli.importer.source import opened

    add_contacts(world.store, 1)
    world.store.execute("UPDATE contacts SET external_id = 'A1'")
    opt_out(world, 1, "email")
    for line in ("A1,moved@example.com", "A2,c0@example.com"):
        file = tmp_path / "people.csv"
        file.write_text(f"external_id,email\n{line}\n")
        with opened(str(file)) as source:
            import_all(world.store, prepare(world.store, source, Options(key="external_id")), lambda: NOW)
    add_template(world.store, "plain", subject="Hi", html="<p>Hi</p>")
    add_campaign(world.store, steps=[{"send": "plain"}])
    run_tick(world.engine())
    assert world.reasons() == {"opted_out": 1, "suppressed": 1}


def test_a_pause_between_the_look_for_work_and_the_claim_holds_the_whole_batch(
    world: World, carried: Callable[..., Carrier]
) -> None:
    add_contacts(world.store, 5)
    add_campaign(world.store)
    engine = world.engine()

    def setting(key: str) -> Any:
        if key == "caps.email":  # what is read last before the claim
            state = world.store.value("SELECT state FROM campaigns")
            if state == "active":
                campaign_states.pause(world.store, NOW, campaigns.get(world.store, "spring"), "wrong price")
        return engine.setting(key)

    carrier = carried(lambda number, _: None)
    run_tick(replace(engine, setting=setting))
    assert carrier.sent == []
    assert world.states() == {"planned": 5}


# Who shares an address


def test_who_shares_a_number_with_somebody_who_gets_nothing_still_gets_the_message(world: World) -> None:
    add_contacts(world.store, 2)
    world.store.execute("UPDATE contacts SET phone = '+14165550001'")
    opt_in(world, 2, "sms")
    add_template(world.store, "text", kind="sms", text="Hi")
    add_campaign(world.store, channel="sms", entry={"rule": "has phone"}, steps=[{"send": "text"}], quiet_hours=False)
    run_tick(world.engine())
    assert world.store.value("SELECT state FROM sends WHERE contact_id = 2") == "accepted"


def test_an_address_that_went_to_another_contact_while_a_message_waited_for_its_retry_gets_one_message(
    world: World, carried: Callable[..., Carrier]
) -> None:
    add_contacts(world.store, 1)
    add_campaign(world.store, entry={"whenever": "has email"})
    carrier = carried(lambda number, _: Outcome(verdict="retry", code="451") if number == 1 else None)
    run_tick(world.engine())
    contacts.edit(world.store, NOW + HOUR, 1, {"email": "new@example.com"}, source="test")
    contacts.add(world.store, NOW + HOUR, {"email": "c0@example.com"}, {"first_name": "Bo"}, source="test")
    run_tick(world.engine(NOW + 2 * HOUR), chosen_time=True)
    assert sorted(carrier.sent[1:]) == ["c0@example.com", "new@example.com"]


# What a worker believes to hold


def test_a_worker_that_was_held_for_dead_sends_nothing_it_no_longer_holds(
    world: World, carried: Callable[..., Carrier]
) -> None:
    """Somebody cleared away the lock files: another run gave its claims back and sent them."""
    add_contacts(world.store, 5)
    add_campaign(world.store)

    def meanwhile(number: int, message: Message) -> None:
        if number == 1:
            for lock in (world.path / "macli.db.locks").glob("worker-*"):
                lock.unlink()
            pid = os.fork()
            if not pid:
                try:
                    child = world.reopen()
                    workers.recover(child.store, NOW)
                    with child.store.write():
                        child.store.execute("UPDATE sends SET state = 'accepted' WHERE state = 'planned'")
                    os._exit(0)
                except BaseException:
                    os._exit(1)
            assert wait_for(pid) == 0

    carrier = carried(meanwhile)
    run_tick(world.engine())
    assert carrier.sent == ["c0@example.com"]
    assert world.states() == {"accepted": 5}


def test_a_restored_store_is_left_as_it_is_until_it_is_adopted(world: World) -> None:
    """What the copy calls claimed may have left since: it must not go back to the plan."""
    add_contacts(world.store, 2)
    campaign_id = add_campaign(world.store)
    step_id = world.store.value("SELECT id FROM steps")
    worker = world.store.value(
        "INSERT INTO workers (token, pid, host, boot, started_at) VALUES ('dead', 1, 'here', ?, 0) RETURNING id",
        (workers.boot_id(),),
    )
    world.store.execute(
        "INSERT INTO sends (campaign_id, step_id, contact_id, version, channel, state, due_at, worker_id)"
        " VALUES (?, ?, 1, 1, 'email', 'claimed', 0, ?)",
        (campaign_id, step_id, worker),
    )
    before = identity.generation(world.store)
    identity.advance(world.store)
    world.store.execute("UPDATE meta SET value = ? WHERE key = 'generation'", (str(before),))
    with pytest.raises(OperationFailed, match="older than"):
        run_tick(world.engine())
    assert world.states()["claimed"] == 1
    identity.adopt(world.store, NOW)
    assert world.states()["unknown"] == 1


# One bad message among good ones


def test_a_contact_whose_message_cannot_be_made_at_all_does_not_hold_up_the_others(world: World) -> None:
    add_contacts(world.store, 30)
    add_campaign(world.store)
    world.store.execute("""UPDATE contacts SET attributes = '{"first_name"' WHERE id = 1""")
    run_tick(world.engine())
    states = world.states()
    assert states["accepted"] == 29
    assert states["failed"] == 1
    assert run_tick(world.engine(NOW + HOUR)).messages == {}


def test_an_exception_in_a_provider_costs_one_message_and_is_told(
    world: World, carried: Callable[..., Carrier]
) -> None:
    add_contacts(world.store, 5)
    add_campaign(world.store, steps=[{"send": "hello"}, {"tag": "MAILED"}])

    def stumble(number: int, message: Message) -> None:
        if number == 3:
            raise ZeroDivisionError("a bug")

    carrier = carried(stumble)
    with pytest.raises(ZeroDivisionError):
        run_tick(world.engine())
    assert world.states() == {"accepted": 2, "unknown": 1, "planned": 2}
    run_tick(world.engine(NOW + HOUR))
    assert world.states() == {"accepted": 4, "unknown": 1}
    assert sorted(carrier.sent) == [f"c{number}@example.com" for number in range(5)]
    assert world.store.value("SELECT count(*) FROM enrollments WHERE ended_at IS NULL") == 0


def test_a_pause_asked_for_by_a_server_for_ever_is_no_failure(world: World, carried: Callable[..., Carrier]) -> None:
    add_contacts(world.store, 3)
    add_campaign(world.store)
    carried(lambda number, _: Outcome(verdict="retry", code="429", retry_after=1e15) if number == 1 else None)
    run_tick(world.engine())
    assert world.states() == {"accepted": 2, "planned": 1}
    assert world.store.value("SELECT max(due_at) FROM sends") <= to_ms(NOW + 2 * DAY)


def test_a_server_that_knows_nobody_stops_the_campaign_before_everyone_is_suppressed(tmp_path: Path) -> None:
    with sinks.running(tmp_path / "log", "refuse-rcpt") as sink:
        world = new_world(tmp_path / "shop")
        add_contacts(world.store, 500)
        use_smtp(world.store, sink.port)
        add_campaign(world.store)
        assert "spring" in run_tick(world.engine()).paused
        assert world.store.value("SELECT count(*) FROM suppressions") < 100


# The store fails in the middle

FULL = """
CREATE TRIGGER full BEFORE UPDATE OF state ON sends WHEN new.state = 'accepted'
BEGIN SELECT raise(ABORT, 'disk full'); END
"""


def test_whoever_waits_for_a_send_goes_on_though_the_run_that_sent_it_failed(
    world: World, carried: Callable[..., Carrier]
) -> None:
    add_contacts(world.store, 6)
    add_campaign(world.store, steps=[{"send": "hello"}, {"tag": "MAILED"}])

    def fail(number: int, message: Message) -> None:
        if number == 4:
            elsewhere(world, lambda other: run(other, FULL))

    carried(fail)
    with pytest.raises(Exception, match="disk full"):
        run_tick(world.engine())
    world.store.execute("DROP TRIGGER full")
    assert world.states() == {"accepted": 3, "unknown": 1, "planned": 2}
    run_tick(world.engine(NOW + HOUR))
    assert world.states() == {"accepted": 5, "unknown": 1}
    assert world.store.value("SELECT count(*) FROM enrollments WHERE ended_at IS NULL") == 0
    assert world.store.value("SELECT count(*) FROM contact_tags") == 6


def test_a_test_message_whose_sending_failed_is_in_doubt_and_not_on_its_way_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from macli.tick.trial import send_test

    add_contacts(world.store, 1)
    add_campaign(world.store)

    def stumble(outbox: Outbox, message: Message) -> Outcome:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Outbox, "send", stumble)
    with pytest.raises(ZeroDivisionError):
        send_test(world.engine(), campaigns.get(world.store, "spring"), "me@shop.example")
    assert world.states() == {"unknown": 1}


# Resolved, retried, edited


def unknown_world(world: World, carried: Callable[..., Carrier]) -> Carrier:
    add_contacts(world.store, 3)
    add_campaign(world.store)
    carrier = carried(lambda number, _: Outcome(verdict="unknown", text="no answer") if number == 2 else None)
    run_tick(world.engine())
    assert world.states() == {"accepted": 2, "unknown": 1}
    assert world.store.value("SELECT state FROM campaigns") == "finished"
    return carrier


def test_a_message_resent_by_hand_leaves_though_its_campaign_had_finished(
    world: World, carried: Callable[..., Carrier]
) -> None:
    carrier = unknown_world(world, carried)
    engine = world.engine(NOW + HOUR)
    resolve.decide(engine, resolve.in_doubt(engine, campaign_id=None, send_id=None), "resend")
    run_tick(world.engine(NOW + 2 * HOUR), chosen_time=True)
    assert carrier.sent == ["c0@example.com", "c1@example.com", "c2@example.com", "c1@example.com"]
    assert world.states() == {"accepted": 3}
    assert world.store.value("SELECT state FROM campaigns") == "finished"


def test_a_message_of_a_cancelled_campaign_is_not_planned_again_for_nobody(
    world: World, carried: Callable[..., Carrier]
) -> None:
    unknown_world(world, carried)
    world.store.execute("UPDATE campaigns SET state = 'cancelled'")
    engine = world.engine(NOW + HOUR)
    rows = resolve.in_doubt(engine, campaign_id=None, send_id=None)
    with pytest.raises(OperationFailed, match="cancelled"):
        resolve.decide(engine, rows, "resend")
    assert world.states() == {"accepted": 2, "unknown": 1}


def test_a_resent_message_whose_address_went_to_another_contact_blocks_nobody(
    world: World, carried: Callable[..., Carrier]
) -> None:
    carrier = unknown_world(world, carried)
    contacts.edit(world.store, NOW + HOUR, 2, {"email": "moved@example.com"}, source="test")
    engine = world.engine(NOW + HOUR)
    resolve.decide(engine, resolve.in_doubt(engine, campaign_id=None, send_id=None), "resend")
    contacts.edit(world.store, NOW + HOUR, 2, {"email": "c9@example.com"}, source="test")
    run_tick(world.engine(NOW + 2 * HOUR), chosen_time=True)
    assert carrier.sent[3:] == ["c9@example.com"]


def test_a_retry_of_messages_to_shared_numbers_sends_each_number_one(
    world: World, carried: Callable[..., Carrier]
) -> None:
    add_contacts(world.store, 6)
    world.store.execute("UPDATE contacts SET phone = '+1416555000' || (id % 2)")
    for contact_id in range(1, 7):
        opt_in(world, contact_id, "sms")
    add_template(world.store, "text", kind="sms", text="Hi")
    add_campaign(world.store, channel="sms", entry={"rule": "has phone"}, steps=[{"send": "text"}], quiet_hours=False)
    carrier = carried(lambda number, _: Outcome(verdict="failed", code="30008") if number <= 2 else None)
    run_tick(world.engine())
    assert world.states() == {"failed": 2, "skipped": 4}
    campaign_states.plan_again(world.store, NOW + HOUR, campaigns.get(world.store, "spring"))
    run_tick(world.engine(NOW + 2 * HOUR), chosen_time=True)
    assert sorted(carrier.sent[2:]) == ["+14165550000", "+14165550001"]
    assert world.states() == {"accepted": 2, "skipped": 4}


def test_a_planned_message_stays_what_it_was_when_its_step_becomes_another_channel(world: World) -> None:
    from zoneinfo import ZoneInfo

    add_contacts(world.store, 2)
    put(world, "quiet_hours.email", "08:00-12:00")
    opt_out(world, 1, "sms")
    opt_in(world, 2, "sms")
    add_template(world.store)
    add_template(world.store, "text", kind="sms", text="Hi")
    entry = {"whenever": "has email"}
    add_campaign(world.store, entry=entry, steps=[{"id": "one", "send": "hello"}, {"tag": "A"}])
    run_tick(world.engine())
    assert world.states() == {"planned": 2}
    edit.save(
        world.store,
        NOW + HOUR,
        {
            "name": "spring",
            "entry": entry,
            "on_edit": "move",
            "steps": [{"id": "one", "send": {"template": "text", "channel": "sms"}}, {"tag": "A"}],
        },
        zone=ZoneInfo("UTC"),
        campaign=campaigns.get(world.store, "spring"),
    )
    run_tick(world.engine(NOW + 4 * HOUR), chosen_time=True)
    assert world.states() == {"accepted": 2}
    assert len(list((world.path / "out").rglob("*.eml"))) == 2
    assert list((world.path / "out").rglob("*.sms")) == []


def test_a_message_held_by_quiet_hours_does_not_go_to_whoever_has_left_by_the_exit_rule(world: World) -> None:
    add_contacts(world.store, 2)
    put(world, "quiet_hours.email", "08:00-12:00")
    add_campaign(world.store, exit='tagged "BOUGHT"', steps=[{"send": "hello"}, {"tag": "MAILED"}])
    run_tick(world.engine())
    contacts.tag_where(world.store, NOW + HOUR, contacts.ONE, {"one_contact": 1}, "BOUGHT", "test")
    run_tick(world.engine(NOW + 4 * HOUR), chosen_time=True)
    assert world.reasons() == {"left": 1}
    ended = {row["contact_id"]: row["ended_as"] for row in world.store.rows("SELECT * FROM enrollments")}
    assert ended == {1: "exit", 2: "end"}


def test_a_campaign_whose_exit_rule_does_not_read_any_more_pauses_alone(world: World) -> None:
    add_contacts(world.store, 2)
    put(world, "quiet_hours.email", "08:00-12:00")
    add_campaign(world.store, exit="number > 5")
    run_tick(world.engine())
    world.store.execute("DELETE FROM attributes WHERE name = 'number'")
    add_campaign(world.store, "other", quiet_hours=False)
    report = run_tick(world.engine(NOW + 4 * HOUR), chosen_time=True)
    assert report.paused.keys() == {"spring"}
    assert world.states() == {"planned": 2, "accepted": 2}


# Time and events


def test_a_tick_at_a_time_to_come_does_not_leave_a_provider_resting_until_then(world: World) -> None:
    add_contacts(world.store, 2)
    use_smtp(world.store, 1)
    add_campaign(world.store, entry={"whenever": "has email"})
    for later in (timedelta(), 300 * DAY, HOUR):
        found = run_tick(world.engine(NOW + later), chosen_time=True).unreachable
        assert "resting" not in found["sink"]


def test_quiet_hours_that_end_in_an_hour_the_clocks_repeat_end_once() -> None:
    from zoneinfo import ZoneInfo

    from macli.config import REGISTRY
    from macli.quiet import opening_times
    from macli.quiet.states import States

    quiet = REGISTRY["quiet_hours.email"].read("21:00-02:30")
    berlin = ZoneInfo("Europe/Berlin")
    again = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)  # 02:10 for the second time
    here, rules = [("", None)], States(by_code={})
    assert opening_times(quiet, here, again, berlin, rules) == {}
    first = datetime(2026, 10, 25, 0, 10, tzinfo=UTC)
    opens = to_ms(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    assert opening_times(quiet, here, first, berlin, rules) == {"": opens}


def test_a_contact_purged_while_a_campaign_lets_its_contacts_in_does_not_stop_it(world: World) -> None:
    from macli.tick import enroll

    add_contacts(world.store, 3)
    add_campaign(world.store)
    asked: list[int] = []

    def over() -> bool:
        asked.append(1)
        if len(asked) == 2:  # they are gathered, and not in yet
            elsewhere(world, lambda other: purge(other, 3))
        return False

    assert enroll.enroll(world.engine(), over=over) == 2
    run_tick(world.engine())
    assert world.states() == {"accepted": 2}


def test_a_campaign_cancelled_while_it_lets_its_contacts_in_keeps_nobody_inside(world: World) -> None:
    from macli.tick import enroll

    add_contacts(world.store, 3)
    add_campaign(world.store)
    asked: list[int] = []

    def cancel(other: World) -> None:
        campaign_states.cancel(other.store, NOW, campaigns.get(other.store, "spring"))

    def over() -> bool:
        asked.append(1)
        if len(asked) == 2:
            elsewhere(world, cancel)
        return False

    enroll.enroll(world.engine(), over=over)
    assert world.store.value("SELECT count(*) FROM enrollments WHERE ended_at IS NULL") == 0


def test_a_provider_that_fails_at_being_asked_does_not_keep_a_tick_from_sending(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_contacts(world.store, 2)
    opt_in(world, 1, "sms")
    add_template(world.store, "text", kind="sms", text="Hi")
    add_template(world.store)
    add_campaign(world.store, channel="sms", entry={"rule": "has phone"}, steps=[{"send": "text"}], quiet_hours=False)
    run_tick(world.engine())
    add_campaign(world.store, "mails")

    def stumble(outbox: Outbox, enquiry: Any) -> None:
        raise KeyError("status")

    monkeypatch.setattr(Outbox, "lookup", stumble)
    report = run_tick(world.engine(NOW + HOUR))
    assert "KeyError" in next(iter(report.unreachable.values()))
    assert report.messages == {"accepted": 2}


def test_an_event_recorded_behind_a_purge_is_not_overlooked(world: World) -> None:
    """The number of an event that went with its contact is not given to the next one."""
    add_contacts(world.store, 2)
    add_campaign(
        world.store,
        entry={"event": "order.paid"},
        steps=[{"send": "hello"}],
    )

    def paid(contact_id: int, minutes: int) -> None:
        at = NOW + timedelta(minutes=minutes)
        events.record(
            world.store, at, [NewEvent(contact_id=contact_id, name="order.paid", at=to_ms(at), source="shop")]
        )

    paid(1, 1)
    run_tick(world.engine(NOW + timedelta(minutes=2)))
    purge(world, 1)
    paid(2, 3)
    run_tick(world.engine(NOW + timedelta(minutes=4)))
    assert world.store.value("SELECT count(*) FROM sends WHERE state = 'accepted'") == 2


def test_what_changes_after_a_tick_at_a_time_to_come_still_comes_in(world: World) -> None:
    add_contacts(world.store, 1)
    add_campaign(world.store, entry={"whenever": "number >= 0"})
    run_tick(world.engine(NOW + 30 * DAY), chosen_time=True)
    later = NOW + timedelta(minutes=5)
    world.store.execute(  # as an import does, without an event
        "INSERT INTO contacts (email, attributes, added_at, updated_at)"
        """ VALUES ('new@example.com', '{"number": 1, "first_name": "N"}', ?, ?)""",
        (to_ms(later), to_ms(later)),
    )
    run_tick(world.engine(later))
    assert world.store.value("SELECT count(*) FROM sends WHERE state = 'accepted'") == 2


# Killed in a workflow, and with several workers

STEPS: list[dict[str, Any]] = [
    {"tag": "IN"},
    {"send": "hello"},
    {"set": {"stage": "one"}},
    {"wait": "1 hour"},
    {
        "if": "number < 150",
        "then": [{"send": "hello", "id": "second"}, {"tag": "LOW"}],
        "else": [{"set": {"stage": "high"}}],
    },
    {"wait": "1 hour"},
    {"untag": "IN"},
    {"send": "hello", "id": "third"},
    {"tag": "OUT"},
]


def workflow(path: Path, port: int, people: int) -> World:
    world = new_world(path)
    add_contacts(world.store, people)
    use_smtp(world.store, port)
    run(world, "INSERT INTO attributes (name, type, created_at) VALUES ('stage', 'text', 0)")
    add_campaign(world.store, steps=STEPS)
    return world


def tally(store: Store) -> dict[str, Any]:
    """Where everybody is in the end, without saying when."""
    return {
        "ways": [tuple(row) for row in store.rows("SELECT contact_id, round, ended_as FROM enrollments ORDER BY 1")],
        "stages": [tuple(row) for row in store.rows("SELECT id, attributes FROM contacts ORDER BY id")],
        "tags": [tuple(row) for row in store.rows("SELECT contact_id, tag_id FROM contact_tags ORDER BY 1, 2")],
        "sends": [
            tuple(row)
            for row in store.rows(
                "SELECT steps.key, contact_id, round FROM sends JOIN steps ON steps.id = step_id ORDER BY 1, 2"
            )
        ],
        "log": [
            tuple(row)
            for row in store.rows(
                "SELECT steps.key, way, sum(passed) FROM step_log JOIN steps ON steps.id = step_id GROUP BY 1, 2"
            )
        ],
        "events": [
            tuple(row)
            for row in store.rows(
                "SELECT name, contact_id, count(*) FROM events WHERE name NOT LIKE 'email.%' GROUP BY 1, 2"
            )
        ],
    }


HOURS = (timedelta(), HOUR + timedelta(minutes=5), 2 * HOUR + timedelta(minutes=10))


def test_a_workflow_killed_again_and_again_comes_to_the_same_end_as_an_undisturbed_one(tmp_path: Path) -> None:
    import random

    people, chance = 300, random.Random(11)
    with sinks.running(tmp_path / "calm.log") as sink:
        calm = workflow(tmp_path / "calm", sink.port, people)
        for later in HOURS:
            assert wait_for(tick_in_a_child(calm, later=later)) == 0
        expected = tally(calm.store)
        assert calm.states() == {"accepted": 2 * people + 150}
    with sinks.running(tmp_path / "log", delay=0.02) as sink:
        world = workflow(tmp_path / "shop", sink.port, people)
        kills = 0
        for later in HOURS:
            for _ in range(14):
                pid = tick_in_a_child(world, later=later)
                time.sleep(chance.uniform(0.01, 0.12))
                os.kill(pid, signal.SIGKILL)
                kills += wait_for(pid) == -signal.SIGKILL
            assert wait_for(tick_in_a_child(world, later=later + timedelta(minutes=1))) == 0
        assert kills > 10, "the kills came too late to prove anything"
        assert tally(world.store) == expected
        states = world.states()
        assert states.keys() <= {"accepted", "unknown"}
        keys = [line.split("\t")[1] for line in sink.log.read_text().splitlines()]
        assert len(keys) == len(set(keys)), "a message left twice"
        assert states["accepted"] <= len(keys) <= 2 * people + 150
        assert world.store.value("SELECT state FROM campaigns") == "finished"


def together(world: World, *, workers_wanted: int = 2) -> "subprocess.Popen[str]":
    arguments = ["--workspace", str(world.path), "tick", "--at", "2026-12-01 09:00Z", "--workers", str(workers_wanted)]
    return subprocess.Popen(
        [sys.executable, "-m", "macli", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def children_of(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text()
            line = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(words.rpartition(")")[2].split()[1]) == pid and b"resource_tracker" not in line:
            found.append(int(stat.parent.name))
    return found


def until(true: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def sending_workers(world: World) -> int:
    return int(world.store.value("SELECT count(DISTINCT worker_id) FROM sends WHERE worker_id IS NOT NULL"))


def broadcast(tmp_path: Path, port: int, people: int) -> World:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, people)
    use_smtp(world.store, port)
    add_campaign(world.store)
    return world


@pytest.mark.parametrize("killed", ["parent", "children"])
def test_one_of_two_workers_killed_neither_repeats_nor_loses_a_message(tmp_path: Path, killed: str) -> None:
    with sinks.running(tmp_path / "log", delay=0.03) as sink:
        world = broadcast(tmp_path, sink.port, 2_000)
        process = together(world)
        until(lambda: sending_workers(world) == 2)
        helpers = children_of(process.pid)
        assert helpers
        if killed == "parent":
            process.kill()
            process.wait(10)
            # The other one goes on by itself; a tick beside it takes over what the dead one left.
            assert wait_for(tick_in_a_child(world)) == 0
            until(lambda: not world.states().keys() & {"planned", "claimed", "sending"})
        else:
            for helper in helpers:
                os.kill(helper, signal.SIGKILL)
            said = process.communicate(timeout=30)[0]
            assert process.returncode == 1
            assert "a worker ended without a word (exit code -9)" in " ".join(said.split())
            assert wait_for(tick_in_a_child(world)) == 0
        states = account(world, 2_000)
        assert states.keys() <= {"accepted", "unknown"}
        assert states.get("unknown", 0) <= 10
        assert_the_ledger_agrees(world, sink)


def test_asking_the_first_of_two_workers_to_stop_stops_both_with_nothing_in_doubt(tmp_path: Path) -> None:
    with sinks.running(tmp_path / "log", delay=0.03) as sink:
        world = broadcast(tmp_path, sink.port, 4_000)
        process = together(world)
        until(lambda: sending_workers(world) == 2)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == 0
        states = account(world, 4_000)
        assert states.keys() == {"accepted", "planned"}
        assert_the_ledger_agrees(world, sink)


def test_a_second_ctrl_c_ends_at_once_and_leaves_in_doubt_only_what_was_on_the_wire(tmp_path: Path) -> None:
    with sinks.running(tmp_path / "log", delay=0.3) as sink:
        world = broadcast(tmp_path, sink.port, 400)
        process = together(world, workers_wanted=1)
        until(sink.taken)
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert process.returncode not in (0, None)
        assert world.states().keys() <= {"accepted", "planned", "unknown", "sending", "claimed"}
        assert wait_for(tick_in_a_child(world)) == 0
        states = account(world, 400)
        assert states.keys() <= {"accepted", "unknown"}
        assert states.get("unknown", 0) <= 10
        assert_the_ledger_agrees(world, sink)


def send_in_a_child(world: World) -> int:
    """``campaign send`` in a process of its own; its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        child = world.reopen()
        run_campaign(child.engine(), child.store.value("SELECT id FROM campaigns"))
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)


def test_whoever_says_no_leaves_or_moves_before_the_mark_is_not_written_to_whatever_else_goes_on(
    tmp_path: Path,
) -> None:
    """Three senders beside each other, killed now and then, while contacts say no, leave, move and are deleted."""
    import random

    people, chance = 1_500, random.Random(5)
    with sinks.running(tmp_path / "log", delay=0.02) as sink:
        world = broadcast(tmp_path, sink.port, people)
        senders = [tick_in_a_child(world), send_in_a_child(world), send_in_a_child(world)]
        until(sink.taken)
        forbidden: set[str] = set()
        moved: set[str] = set()
        for number in range(160):
            contact_id = chance.randint(1, people)
            row = world.store.row("SELECT email FROM contacts WHERE id = ?", (contact_id,))
            if row is None:
                continue
            with world.store.write():
                state = world.store.value("SELECT state FROM sends WHERE contact_id = ?", (contact_id,))
                act = chance.choice((opt_out_email, remove, purge, move))
                act(world, contact_id)
            if state in ("planned", "claimed"):
                forbidden.add(row["email"])
                moved |= {f"moved{contact_id}@example.com"} if act is move else set()
            if number % 20 == 19:
                os.kill(senders[0], signal.SIGKILL)
                wait_for(senders.pop(0))
                senders.append(chance.choice((tick_in_a_child, send_in_a_child))(world))
            time.sleep(0.005)
        assert len(forbidden) > 30, "everything had left before it could be disturbed"
        for pid in senders:
            assert wait_for(pid) == 0
        # What was put back late in a slow run is due only as long after the start.
        assert wait_for(tick_in_a_child(world, later=timedelta(minutes=10))) == 0
        taken = sink.taken()
        assert forbidden & taken.keys() == set()
        assert [address for address, times in taken.items() if times > 1] == []
        states = world.states()
        assert states.keys() <= {"accepted", "skipped", "unknown"}
        assert sum(states.values()) == people
        assert world.reasons().keys() <= {"opted_out", "removed", "no_address"}
        doubted = {row["address"] for row in world.store.rows("SELECT address FROM sends WHERE state = 'unknown'")}
        gone = {row["email"] for row in world.store.rows("SELECT email FROM contacts WHERE removed_at IS NOT NULL")}
        no = {row["address"] for row in world.store.rows("SELECT address FROM suppressions")}
        said = {
            row["email"]
            for row in world.store.rows(
                "SELECT email FROM contacts JOIN consents ON contact_id = contacts.id WHERE status = 'withdrawn'"
            )
        }
        there = {row["email"] for row in world.store.rows("SELECT email FROM contacts")}
        assert (moved & there) - taken.keys() - doubted <= gone | no | said


def opt_out_email(world: World, contact_id: int) -> None:
    opt_out(world, contact_id, "email")


def move(world: World, contact_id: int) -> None:
    contacts.edit(world.store, NOW, contact_id, {"email": f"moved{contact_id}@example.com"}, source="test")
