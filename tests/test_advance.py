"""Through the steps: who is put through which, when, and never twice."""

from datetime import timedelta
from pathlib import Path

import pytest
from running import DAY, HOUR, NOW, Running, Stores

from macli import contacts
from macli.store import campaign_states, enrollments
from macli.tick import advance, enroll

MINUTE = timedelta(minutes=1)
YES_OR_NO = {"then": [{"send": "yes"}], "else": [{"send": "no"}]}


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Stores(tmp_path).new()


def test_a_click_takes_the_primary_path_at_once_and_the_alternative_only_at_the_timeout(running: Running) -> None:
    clicks, sleeps = running.contact(), running.contact()
    steps = [
        {"send": "hello"},
        {
            "wait_for": {"event": "email.clicked", "timeout": "2 days"},
            "then": [{"send": "yes"}],
            "else": [{"send": "no"}],
        },
    ]
    running.campaign(steps=steps)
    running.tick(NOW)
    running.happens(clicks, "email.clicked", NOW + DAY)
    running.tick(NOW + DAY)
    assert running.sent()[2:] == [(clicks, "send-yes")]
    running.tick(NOW + 2 * DAY - MINUTE)
    assert len(running.sent()) == 3
    running.tick(NOW + 2 * DAY)
    assert running.sent()[3:] == [(sleeps, "send-no")]
    running.happens(sleeps, "email.clicked", NOW + 3 * DAY)
    running.tick(NOW + 3 * DAY)
    assert len(running.sent()) == 4


def test_an_event_before_the_arrival_does_not_count(running: Running) -> None:
    contact = running.contact()
    running.happens(contact, "order.paid", NOW - HOUR)
    running.campaign(
        steps=[
            {"wait": "1 hour"},
            {"wait_for": {"event": "order.paid", "timeout": "1 day"}, "then": [{"tag": "YES"}], "else": []},
            {"send": "late"},
        ]
    )
    running.happens(contact, "order.paid", NOW + MINUTE)
    for hour in (0, 1, 2):
        running.tick(NOW + hour * HOUR)
    assert running.sent() == []
    running.happens(contact, "order.paid", NOW + 3 * HOUR)
    running.tick(NOW + 3 * HOUR)
    assert running.sent() == [(contact, "send-late")]


def test_an_event_that_came_after_the_timeout_but_before_a_late_tick_is_too_late(running: Running) -> None:
    contact = running.contact()
    running.campaign(
        steps=[
            {
                "wait_for": {"event": "order.paid", "timeout": "1 hour"},
                "then": [{"send": "yes"}],
                "else": [{"send": "no"}],
            }
        ]
    )
    running.tick(NOW)
    running.happens(contact, "order.paid", NOW + 2 * HOUR)
    running.tick(NOW + 3 * HOUR)
    assert running.sent() == [(contact, "send-no")]


def test_an_event_counts_by_its_properties(running: Running) -> None:
    contact = running.contact()
    wait = {"event": "order.paid", "timeout": "1 day", "where": "total > 100"}
    running.campaign(steps=[{"wait_for": wait, "then": [{"send": "yes"}], "else": []}])
    running.tick(NOW)
    running.happens(contact, "order.paid", NOW + HOUR, total=50)
    running.tick(NOW + HOUR)
    assert running.sent() == []
    running.happens(contact, "order.paid", NOW + 2 * HOUR, total=500)
    running.tick(NOW + 2 * HOUR)
    assert running.sent() == [(contact, "send-yes")]


def test_a_wait_then_a_condition_waits_the_whole_time_and_checks_once(running: Running) -> None:
    contact = running.contact(number=9)
    running.campaign(steps=[{"wait": "1 day"}, {"if": "number >= 5", **YES_OR_NO}])
    running.tick(NOW)
    running.tick(NOW + DAY - MINUTE)
    assert running.sent() == []
    contacts.set_attribute_where(running.store, NOW, contacts.ONE, {"one_contact": contact}, "number", 1, "test")
    running.tick(NOW + DAY)
    assert running.sent() == [(contact, "send-no")]


def test_a_late_tick_does_not_shift_the_plan(running: Running) -> None:
    running.contact()
    running.campaign(steps=[{"wait": "1 day"}, {"tag": "A"}, {"wait": "1 day"}, {"send": "hello"}])
    running.tick(NOW)
    running.tick(NOW + DAY + 5 * HOUR)
    assert running.places()[0][3] == NOW + 2 * DAY


def test_several_immediate_steps_are_passed_in_one_tick(running: Running) -> None:
    contact = running.contact()
    running.campaign(
        steps=[{"tag": "A"}, {"if": 'tagged "A"', "then": [{"set": {"number": 3}}]}, {"untag": "A"}, {"send": "hello"}]
    )
    running.tick(NOW, send=False)
    assert running.sent() == [(contact, "send-hello")]
    assert running.ended() == ["end"]


def test_contacts_inside_keep_their_version_when_the_campaign_is_edited(running: Running) -> None:
    first = running.contact(number=9)
    entry = {"whenever": "number >= 5"}
    made = running.campaign(entry=entry, steps=[{"wait": "1 day", "id": "w"}, {"send": "old"}])
    running.tick(NOW)
    running.edit(made, NOW + HOUR, entry=entry, steps=[{"wait": "1 day", "id": "w"}, {"send": "new"}])
    second = running.contact(at=NOW + 2 * HOUR, number=9)
    running.tick(NOW + 2 * HOUR)
    running.tick(NOW + 2 * DAY)
    assert sorted(running.sent()) == [(first, "send-old"), (second, "send-new")]


def test_a_paused_campaign_keeps_everyone_where_they_are(running: Running) -> None:
    running.contact()
    made = running.campaign(steps=[{"wait": "1 hour"}, {"send": "hello"}])
    running.tick(NOW)
    with running.store.write():
        running.store.execute("UPDATE campaigns SET state = 'paused' WHERE id = ?", (made,))
    running.tick(NOW + DAY)
    assert running.sent() == []
    with running.store.write():
        running.store.execute("UPDATE campaigns SET state = 'active' WHERE id = ?", (made,))
    running.tick(NOW + 2 * DAY)
    assert len(running.sent()) == 1


def test_exit_takes_out_wherever_they_stand_and_goal_counts_as_success(running: Running) -> None:
    leaves, buys, stays = running.contact(), running.contact(), running.contact()
    running.campaign(exit='tagged "STOP"', goal="event order.paid", steps=[{"wait": "1 day"}, {"send": "hello"}])
    running.tick(NOW)
    contacts.tag_where(running.store, NOW, contacts.ONE, {"one_contact": leaves}, "STOP", "test")
    contacts.tag_where(running.store, NOW, contacts.ONE, {"one_contact": buys}, "STOP", "test")
    running.happens(buys, "order.paid", NOW + HOUR)
    running.tick(NOW + DAY)
    assert running.ended() == ["exit", "goal", "end"]
    assert running.sent() == [(stays, "send-hello")]
    assert running.log()["wait-1-day", "exit"] == 1


def test_a_removed_contact_leaves_and_the_rest_go_on(running: Running) -> None:
    gone, here = running.contact(), running.contact()
    running.campaign(steps=[{"wait": "1 day"}, {"send": "hello"}])
    running.tick(NOW)
    contacts.remove_where(running.store, NOW, contacts.ONE, {"one_contact": gone}, "test")
    running.tick(NOW + DAY)
    assert running.sent() == [(here, "send-hello")]
    assert running.ended() == ["removed", "end"]


@pytest.mark.parametrize("state", ["accepted", "delivered", "unknown", "skipped"])
def test_a_message_that_left_or_was_skipped_lets_the_contact_go_on(running: Running, state: str) -> None:
    running.contact()
    running.fate = lambda step, contact: state
    running.campaign(steps=[{"send": "one"}, {"tag": "A"}])
    running.tick(NOW)
    assert running.log()["tag-a", "next"] == 1


@pytest.mark.parametrize("state", ["bounced", "rejected", "failed"])
def test_a_message_that_failed_ends_the_way_unless_told_to_continue(running: Running, state: str) -> None:
    running.contact()
    running.fate = lambda step, contact: state
    running.campaign(name="stops", steps=[{"send": "one"}, {"tag": "A"}])
    running.campaign(name="goes", steps=[{"send": {"template": "one", "on_error": "continue"}}, {"tag": "B"}])
    running.tick(NOW)
    assert running.ended() == ["failed", "end"]
    assert ("tag-a", "next") not in running.log()
    assert running.log()["tag-b", "next"] == 1


def test_who_says_no_while_a_message_is_held_goes_on_without_it(running: Running) -> None:
    contact = running.contact()
    running.campaign(steps=[{"send": "one"}, {"tag": "A"}])
    running.tick(NOW, send=False)
    contacts.withdraw_where(running.store, NOW, contacts.ONE, {"one_contact": contact}, "email", "test")
    running.tick(NOW + MINUTE, send=False)
    assert running.ended() == ["end"]
    assert running.log()["tag-a", "next"] == 1


def test_the_last_message_ends_the_way_as_it_is_planned(running: Running) -> None:
    running.contact()
    running.campaign(steps=[{"send": "one"}])
    running.tick(NOW, send=False)
    assert running.ended() == ["end"]


def test_a_crash_between_two_steps_repeats_nothing_and_loses_nothing(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(30):
        running.contact()
    running.campaign(steps=[{"tag": "A"}, {"set": {"number": 1}}, {"send": "one"}, {"tag": "B"}])
    monkeypatch.setattr(advance, "CHUNK", 7)
    stay, calls = enrollments.stay, iter(range(10_000))

    class Killed(BaseException):
        pass

    def crashing(store: object) -> int:
        if next(calls) % 4 == 3:
            raise Killed
        return stay(store)

    monkeypatch.setattr(enrollments, "stay", crashing)
    for _ in range(100):
        try:
            running.tick(NOW)
        except Killed:
            continue
        break
    assert running.ended() == ["end"] * 30
    assert sorted(running.sent()) == [(contact, "send-one") for contact in range(1, 31)]
    assert {way: number for way, number in running.log().items() if way[1] == "next"} == {
        ("tag-a", "next"): 30,
        ("set-number-1", "next"): 30,
        ("send-one", "next"): 30,
        ("tag-b", "next"): 30,
    }
    tagged = running.store.value("SELECT count(*) FROM events WHERE name = 'tag.added'")
    assert tagged == 60


def test_advancing_stops_when_its_time_is_over_and_goes_on_next_time(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(20):
        running.contact()
    running.campaign(steps=[{"tag": "A"}, {"tag": "B"}, {"send": "one"}])
    monkeypatch.setattr(advance, "CHUNK", 5)
    enroll.enroll(running.engine(NOW), over=lambda: False)
    looks = iter([False] * 4)
    advance.advance(running.engine(NOW), over=lambda: next(looks, True))
    assert 0 < running.log()["tag-a", "next"] < 20
    running.tick(NOW + MINUTE)
    assert running.ended() == ["end"] * 20
    assert len(running.sent()) == 20


def test_a_definition_that_fails_pauses_its_campaign_and_leaves_the_others_alone(running: Running) -> None:
    running.contact()
    bad = running.campaign(name="bad", steps=[{"if": "nonsense = 1", "then": [{"send": "x"}], "else": []}])
    running.campaign(name="good", steps=[{"send": "hello"}])
    running.tick(NOW)
    assert running.row(bad)["state"] == "paused"
    assert running.sent() == [(1, "send-hello")]
    assert [place[2] for place in running.places()] == ["if-nonsense-1", "send-hello"]


def test_the_engine_asks_indexes_only_when_nothing_is_due(running: Running) -> None:
    running.contact(number=9)
    running.campaign(name="a", entry={"whenever": "number >= 5"}, steps=[{"wait": "1 day"}, {"send": "hello"}])
    running.campaign(name="b", entry={"event": "order.paid"}, steps=[{"wait": "1 day"}, {"send": "hello"}])
    for minute in (0, 2, 4):
        running.tick(NOW + minute * MINUTE)
    asked: list[str] = []
    running.store.connection.set_trace_callback(asked.append)
    running.tick(NOW + 5 * MINUTE, send=False)
    running.store.connection.set_trace_callback(None)
    assert "BEGIN IMMEDIATE" not in asked
    for statement in asked:
        if statement.lstrip().startswith(("SELECT", "INSERT", "UPDATE")):
            for step in running.store.rows(f"EXPLAIN QUERY PLAN {statement}"):
                for table in ("contacts", "enrollments", "events", "sends"):
                    assert f"SCAN {table}" not in step["detail"], statement


def test_a_step_the_version_does_not_have_pauses_the_campaign(running: Running) -> None:
    running.contact()
    made = running.campaign(steps=[{"wait": "1 day", "id": "w"}, {"send": "hello"}])
    running.tick(NOW)
    with running.store.write():
        running.store.execute("UPDATE steps SET key = 'gone' WHERE key = 'w'")
    running.tick(NOW + DAY)
    assert running.row(made)["state"] == "paused"
    assert "'gone'" in running.row(made)["pause_reason"]


def test_contacts_moved_to_an_edited_wait_wait_as_long_as_it_says_now(running: Running) -> None:
    running.contact()
    made = running.campaign(steps=[{"wait": "5 days", "id": "w"}, {"send": "hello"}])
    running.tick(NOW)
    number = running.edit(made, NOW + HOUR, steps=[{"wait": "1 day", "id": "w"}, {"send": "hello"}])
    keys = {"w": "w", "send-hello": "send-hello"}
    campaign_states.move_inside(running.store, NOW + HOUR, made, old=1, new=number, keys=keys, sooner={"w"})
    running.tick(NOW + HOUR)
    assert running.places()[0][3] == NOW + DAY
