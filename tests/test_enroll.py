"""Who comes in, when, and how often."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from running import DAY, HOUR, NOW, Running, Stores

from macli import contacts, segments
from macli.clock import to_ms
from macli.tick import door, enroll, entering

MINUTE = timedelta(minutes=1)
SEND = [{"send": "hello"}]


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Stores(tmp_path).new()


def change(running: Running, contact: int, now: datetime, **attributes: object) -> None:
    for name, value in attributes.items():
        one = {"one_contact": contact}
        contacts.set_attribute_where(running.store, now, contacts.ONE, one, name, value, "test")


# Once


def test_a_broadcast_lets_everyone_in_once(running: Running) -> None:
    ids = [running.contact(country="Canada"), running.contact(country="Poland"), running.contact(country="canada")]
    made = running.campaign(entry={"rule": 'country = "Canada"'}, steps=SEND)
    running.tick(NOW)
    running.contact(country="Canada")
    running.tick(NOW + HOUR)
    assert running.sent() == [(ids[0], "send-hello"), (ids[2], "send-hello")]
    assert running.row(made)["enrolled_at"] == to_ms(NOW)


def test_a_removed_contact_does_not_come_in(running: Running) -> None:
    gone, here = running.contact(), running.contact()
    contacts.remove_where(running.store, NOW, contacts.ONE, {"one_contact": gone}, "test")
    running.campaign(steps=SEND)
    running.tick(NOW)
    assert running.sent() == [(here, "send-hello")]


def test_an_enrolling_that_was_interrupted_goes_on_and_adds_nobody_twice(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(25):
        running.contact()
    made = running.campaign(steps=SEND)
    monkeypatch.setattr(door, "CHUNK", 10)
    looks = iter([False, False, False, True])
    entered = enroll.enroll(running.engine(NOW), over=lambda: next(looks, True))
    assert entered == 0
    assert len(running.places()) in (10, 20)
    assert running.row(made)["enrolled_at"] is None
    running.tick(NOW + HOUR)
    assert [place[0] for place in running.places()] == list(range(1, 26))
    assert len(running.sent()) == 25


def test_a_scheduled_broadcast_starts_at_its_time(running: Running) -> None:
    running.contact()
    made = running.campaign(start=False, entry={"rule": "everyone", "at": "2026-12-01 10:00 UTC"}, steps=SEND)
    running.start(made, NOW, NOW + HOUR)
    running.tick(NOW + HOUR - MINUTE)
    assert running.sent() == []
    running.tick(NOW + HOUR + MINUTE)
    assert len(running.sent()) == 1
    assert running.row(made)["state"] == "active"


def test_a_local_start_comes_at_the_same_wall_clock_time_in_every_zone(running: Running) -> None:
    zones = ["Asia/Tokyo", "Europe/Warsaw", "America/New_York", None]
    ids = [running.contact(zone=zone) for zone in zones]
    made = running.campaign(start=False, entry={"rule": "everyone", "at": "2026-12-02 09:00 local"}, steps=SEND)
    running.start(made, NOW, datetime(2026, 12, 2, 0, 0, tzinfo=UTC))
    got = {}
    for hour in range(48):
        running.tick(NOW + hour * HOUR)
        for contact, _ in running.sent():
            got.setdefault(contact, NOW + hour * HOUR)
    assert [got[id_].strftime("%d %H:%M") for id_ in ids] == ["02 00:00", "02 08:00", "02 14:00", "02 09:00"]


def test_a_contact_in_two_segments_comes_in_once(running: Running) -> None:
    contact = running.contact(country="Canada", number=7)
    with running.store.write():
        for name, rule in (("one", 'country = "Canada"'), ("two", "number > 5")):
            running.store.execute(
                "INSERT INTO segments (name, name_key, kind, rule, created_at, updated_at) VALUES (?, ?, ?, ?, 0, 0)",
                (name, name, "dynamic", rule),
            )
    running.campaign(entry={"segments": ["one", "two"]}, steps=SEND)
    running.tick(NOW)
    assert running.sent() == [(contact, "send-hello")]


def test_a_paused_campaign_lets_nobody_in(running: Running) -> None:
    running.contact()
    made = running.campaign(steps=SEND)
    with running.store.write():
        running.store.execute("UPDATE campaigns SET state = 'paused' WHERE id = ?", (made,))
    running.tick(NOW)
    assert running.places() == []


# Whenever


def test_the_condition_true_false_and_true_again_is_one_message(running: Running) -> None:
    contact = running.contact(number=1)
    running.campaign(entry={"whenever": "number >= 5"}, steps=SEND)
    for hour, number in enumerate([1, 7, 2, 9, 9]):
        change(running, contact, NOW + hour * HOUR, number=number)
        running.tick(NOW + hour * HOUR + MINUTE)
    assert running.sent() == [(contact, "send-hello")]


def test_those_who_meet_the_condition_at_activation_come_in_unless_told_otherwise(running: Running) -> None:
    before = running.contact(number=7)
    running.campaign(name="all", entry={"whenever": "number >= 5"}, steps=SEND)
    running.campaign(name="new", entry={"whenever": "number >= 5", "existing": False}, steps=SEND)
    added = running.contact(at=NOW + MINUTE, number=7)
    running.tick(NOW + 2 * MINUTE)
    later = running.contact(at=NOW + HOUR, number=6)
    running.tick(NOW + HOUR + MINUTE)
    assert sorted(running.sent()) == [(contact, "send-hello") for contact in (before, added, added, later, later)]


def test_who_met_it_before_comes_in_again_only_after_it_failed_in_between(running: Running) -> None:
    contact = running.contact(number=7)
    entry = {"whenever": "number >= 5", "existing": False}
    running.campaign(entry=entry, reentry="after_finish", steps=SEND)
    running.tick(NOW)
    change(running, contact, NOW + HOUR, number=8)
    running.tick(NOW + HOUR)
    assert running.sent() == []
    change(running, contact, NOW + 2 * HOUR, number=1)
    running.tick(NOW + 2 * HOUR)
    change(running, contact, NOW + 3 * HOUR, number=8)
    running.tick(NOW + 3 * HOUR)
    running.tick(NOW + 4 * HOUR)
    assert running.sent() == [(contact, "send-hello")]


def test_a_state_that_stays_true_does_not_let_in_again_and_again(running: Running) -> None:
    contact = running.contact(number=7)
    running.campaign(entry={"whenever": "number >= 5"}, reentry="always", steps=SEND)
    for hour in range(5):
        change(running, contact, NOW + hour * HOUR, number=6 + hour)
        running.tick(NOW + hour * HOUR + MINUTE)
    assert len(running.sent()) == 1


def test_a_delay_counts_from_when_the_condition_was_first_true(running: Running) -> None:
    contact = running.contact(number=7)
    running.campaign(entry={"whenever": "number >= 5", "delay": "3 hours"}, steps=SEND)
    running.tick(NOW)
    running.tick(NOW + 3 * HOUR - MINUTE)
    assert running.sent() == []
    running.tick(NOW + 3 * HOUR)
    assert running.sent() == [(contact, "send-hello")]


def test_a_condition_on_events_is_looked_at_when_an_event_comes(running: Running) -> None:
    contact = running.contact()
    running.campaign(entry={"whenever": "event order.paid at least 2 times"}, steps=SEND)
    running.tick(NOW)
    for hour in (1, 2):
        running.happens(contact, "order.paid", NOW + hour * HOUR)
        running.tick(NOW + hour * HOUR)
        assert len(running.sent()) == hour - 1


def test_a_condition_on_the_time_is_looked_at_now_and_again(running: Running) -> None:
    contact = running.contact(birthday="1990-12-04")
    running.campaign(entry={"whenever": "birthday is today"}, steps=SEND)
    running.tick(NOW)
    assert running.sent() == []
    running.tick(NOW + 3 * DAY)
    assert running.sent() == [(contact, "send-hello")]


def test_what_is_written_with_an_earlier_clock_is_not_missed(running: Running) -> None:
    contact = running.contact(number=1)
    running.campaign(entry={"whenever": "number >= 5"}, steps=SEND)
    running.tick(NOW)
    running.tick(NOW + HOUR)
    change(running, contact, NOW + HOUR - timedelta(seconds=40), number=9)
    running.tick(NOW + HOUR + MINUTE)
    assert running.sent() == [(contact, "send-hello")]


# By event


def test_three_hours_after_a_contact_is_added_nothing_before_and_one_message_then(running: Running) -> None:
    contact = running.contact()
    running.campaign(entry={"event": "contact.added", "delay": "3 hours"}, steps=SEND)
    running.happens(contact, "contact.added", NOW + MINUTE)
    running.tick(NOW + 2 * MINUTE)
    running.tick(NOW + MINUTE + timedelta(hours=2, minutes=59))
    assert running.sent() == []
    running.tick(NOW + MINUTE + 3 * HOUR)
    running.tick(NOW + MINUTE + 4 * HOUR)
    assert running.sent() == [(contact, "send-hello")]


def test_events_before_the_activation_count_only_where_asked_for(running: Running) -> None:
    contact = running.contact()
    running.happens(contact, "order.paid", NOW - HOUR)
    running.campaign(name="new", entry={"event": "order.paid"}, steps=[{"send": "new"}])
    running.campaign(name="all", entry={"event": "order.paid", "existing": True}, steps=[{"send": "all"}])
    running.tick(NOW)
    assert running.sent() == [(contact, "send-all")]


def test_many_events_of_a_contact_are_one_enrollment(running: Running) -> None:
    contact = running.contact()
    running.campaign(entry={"event": ["order.paid", "order.sent"]}, reentry="always", steps=SEND)
    for minute in range(5):
        running.happens(contact, "order.paid", NOW + minute * MINUTE)
        running.happens(contact, "order.sent", NOW + minute * MINUTE)
    running.tick(NOW + HOUR)
    assert running.sent() == [(contact, "send-hello")]
    running.happens(contact, "order.sent", NOW + 2 * HOUR)
    running.tick(NOW + 2 * HOUR)
    assert len(running.sent()) == 2


def test_an_event_lets_in_by_its_properties_and_the_entry_rule(running: Running) -> None:
    small, large, poor = running.contact(number=9), running.contact(number=9), running.contact(number=1)
    entry = {"event": {"name": "order.paid", "where": "total > 100"}, "rule": "number >= 5"}
    running.campaign(entry=entry, steps=SEND)
    for contact, total in ((small, 100), (large, 101), (poor, 1000)):
        running.happens(contact, "order.paid", NOW, total=total)
    running.tick(NOW)
    assert running.sent() == [(large, "send-hello")]


def test_an_event_during_a_round_starts_no_other_unless_always(running: Running) -> None:
    contact = running.contact()
    steps = [{"wait": "1 day"}, *SEND]
    running.campaign(entry={"event": "order.paid"}, reentry="after_finish", steps=steps)
    for hour in (0, 1, 30, 31):
        running.happens(contact, "order.paid", NOW + hour * HOUR)
        running.tick(NOW + hour * HOUR)
    assert [place[:2] for place in running.places()] == [(contact, 1), (contact, 2)]


def test_rounds_and_the_time_between_them_are_limited(running: Running) -> None:
    contact = running.contact()
    reentry = {"when": "always", "max_rounds": 3, "min_interval": "1 hour"}
    running.campaign(entry={"event": "order.paid"}, reentry=reentry, steps=SEND)
    for minutes in (0, 59, 60, 130, 200, 300):
        running.happens(contact, "order.paid", NOW + minutes * MINUTE)
        running.tick(NOW + minutes * MINUTE)
    assert [place[1] for place in running.places()] == [1, 2, 3]
    assert len(running.sent()) == 3


def test_a_backlog_of_events_begins_when_the_campaign_does(running: Running) -> None:
    running.contact()
    running.happens(1, "order.paid", NOW - 30 * DAY)
    running.campaign(entry={"event": "order.paid", "existing": True}, steps=[{"wait": {"until": "17:00"}}, *SEND])
    running.tick(NOW)
    assert running.places()[0][3] == NOW + 8 * HOUR


def test_events_are_read_in_bounded_ranges_and_none_twice(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entering, "CHUNK", 3)
    contact, other = running.contact(), running.contact()
    made = running.campaign(entry={"event": "order.paid"}, reentry="always", steps=SEND)
    for number in range(10):
        running.happens(other if number == 4 else contact, "order.paid" if number in (0, 4) else "other", NOW)
    looks = iter([False, False, True])
    enroll.enroll(running.engine(NOW), over=lambda: next(looks, True))
    assert running.row(made)["event_cursor"] == 3
    running.tick(NOW + MINUTE)
    assert sorted(running.sent()) == [(contact, "send-hello"), (other, "send-hello")]
    assert running.row(made)["event_cursor"] >= 10


# What it costs


def test_a_campaign_whose_rule_no_longer_reads_pauses_and_the_others_go_on(running: Running) -> None:
    running.contact()
    bad = running.campaign(name="bad", entry={"rule": "nonsense = 3"}, steps=SEND)
    running.campaign(name="good", steps=[{"send": "good"}])
    running.tick(NOW)
    assert running.sent() == [(1, "send-good")]
    assert running.row(bad)["state"] == "paused"
    assert "nonsense" in running.row(bad)["pause_reason"]


def test_an_idle_tick_compiles_no_rule(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    contact = running.contact(number=1)
    running.campaign(name="one", entry={"whenever": "number >= 5"}, steps=SEND)
    running.campaign(name="two", entry={"event": "order.paid", "rule": "number >= 5"}, steps=SEND)
    change(running, contact, NOW, number=2)
    running.tick(NOW)
    running.tick(NOW + 5 * MINUTE)
    monkeypatch.setattr("macli.tick.lookup.Lookup.where", lambda *_, **__: pytest.fail("a rule was compiled"))
    begun = time.perf_counter()
    running.tick(NOW + 6 * MINUTE)
    assert time.perf_counter() - begun < 1


# Segments that are watched


def test_coming_into_a_tracked_segment_lets_in_and_leaving_it_is_an_event_too(running: Running) -> None:
    contact = running.contact(country="Poland")
    segments.create(running.store, NOW, ZoneInfo("UTC"), "canada", rule='country = "Canada"', tracked=True)
    running.campaign(
        entry={"event": {"name": "segment.entered", "where": "segment = canada"}},
        steps=[
            {"send": "welcome"},
            {"wait_for": {"event": "segment.left", "timeout": "9 days"}, "then": [{"send": "bye"}], "else": []},
        ],
    )
    running.tick(NOW + MINUTE)
    assert running.sent() == []
    change(running, contact, NOW + HOUR, country="Canada")
    running.tick(NOW + HOUR)
    assert running.sent() == [(contact, "send-welcome")]
    change(running, contact, NOW + DAY, country="Poland")
    running.tick(NOW + DAY)
    assert running.sent()[1:] == [(contact, "send-bye")]
