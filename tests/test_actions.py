"""What each action does to the contacts of a batch."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from running import DAY, HOUR, NOW, Running, Stores

from macli.actions import ACTIONS
from macli.actions.branching import Branches, Share, Split
from macli.actions.contact_changes import Set
from macli.actions.waiting import AttributeDate, Wait
from macli.errors import UsageError

MINUTE = timedelta(minutes=1)


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Stores(tmp_path).new()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def waits_until(running: Running, wait: dict[str, Any], now: datetime = NOW) -> list[datetime | None]:
    running.campaign(at=now, steps=[{"wait": wait}, {"send": "hello"}])
    running.tick(now)
    return [place[3] for place in running.places()]


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_an_action_says_what_it_is_and_shows_an_example(action: Any) -> None:
    assert ACTIONS[action.word] is action
    assert action.scalar in action.__dataclass_fields__
    assert action.__doc__.splitlines()[0].endswith((".", ":"))
    assert "Example: `" in action.__doc__
    assert f"`{action.word}:" in action.__doc__


# Waiting until


def test_a_time_of_day_is_the_contacts_own_where_its_zone_is_known(running: Running) -> None:
    running.zone = "America/New_York"
    for zone in ("Europe/Warsaw", "Asia/Kathmandu", None, "No/Where"):
        running.contact(zone=zone)
    assert waits_until(running, {"until": "11:00"}) == [
        at("2026-12-01 10:00"),
        at("2026-12-02 05:15"),
        at("2026-12-01 16:00"),
        at("2026-12-01 16:00"),
    ]


def test_the_time_of_day_of_the_arrival_itself_is_now(running: Running) -> None:
    running.contact()
    running.campaign(steps=[{"wait": {"until": "09:00"}}, {"send": "hello"}])
    running.tick(NOW)
    assert len(running.sent()) == 1


def test_a_time_the_clocks_skip_is_the_next_valid_one(running: Running) -> None:
    running.contact(zone="Europe/Warsaw")
    now = at("2026-03-28 20:00")
    assert waits_until(running, {"until": "02:30"}, now) == [at("2026-03-29 01:00")]


def test_a_time_the_clocks_repeat_is_its_first_occurrence(running: Running) -> None:
    running.contact(zone="Europe/Warsaw")
    now = at("2026-10-24 20:00")
    assert waits_until(running, {"until": "02:30"}, now) == [at("2026-10-25 00:30")]


def test_a_weekday_is_the_next_one(running: Running) -> None:
    running.contact(zone="Europe/Warsaw")
    assert waits_until(running, {"until": "monday 09:00"}) == [at("2026-12-07 08:00")]


def test_a_date_is_the_same_wall_clock_time_in_each_zone_unless_one_is_written(running: Running) -> None:
    running.contact(zone="Asia/Tokyo")
    running.contact(zone="Europe/Warsaw")
    assert waits_until(running, {"until": "2026-12-24 10:00"}) == [at("2026-12-24 01:00"), at("2026-12-24 09:00")]
    running.campaign(name="zoned", steps=[{"wait": {"until": "2026-12-24 10:00 Europe/Warsaw"}}, {"send": "x"}])
    running.tick(NOW)
    assert {place[3] for place in running.places() if place[2] == "wait-until-2026-12-24-10-00-europe-warsaw"} == {
        at("2026-12-24 09:00")
    }


def test_a_past_date_goes_on_at_once_unless_told_otherwise(running: Running) -> None:
    contact = running.contact()
    for name in ("continue", "skip", "end", None):
        wait = {"until": "2026-11-01 10:00", **({"if_past": name} if name else {})}
        running.campaign(name=str(name), steps=[{"wait": wait}, {"send": f"one-{name}"}, {"send": f"two-{name}"}])
    running.tick(NOW)
    assert sorted(running.sent()) == [
        (contact, f"send-{step}") for step in ("one-continue", "one-none", "two-continue", "two-none", "two-skip")
    ]


def test_a_reminder_before_an_event_is_skipped_when_its_time_has_passed_and_the_one_after_is_not(
    running: Running,
) -> None:
    early, late = running.contact(webinar="2026-12-20"), running.contact(webinar="2026-12-02")
    steps = [
        {"wait": {"until": {"attribute": "webinar", "offset": "-3 days", "time": "09:00"}}},
        {"send": "before"},
        {"wait": {"until": {"attribute": "webinar", "offset": "+1 day", "time": "09:00"}}},
        {"send": "after"},
    ]
    running.campaign(steps=steps)
    for day in range(25):
        running.tick(NOW + day * DAY)
    assert [step for contact, step in running.sent() if contact == early] == ["send-before", "send-after"]
    assert [step for contact, step in running.sent() if contact == late] == ["send-after"]
    assert running.log()["send-before", "skip"] == 1


def test_a_reminder_that_nothing_ran_in_time_for_is_skipped(running: Running) -> None:
    running.contact(webinar="2026-12-10")
    running.campaign(steps=[{"wait": {"until": {"attribute": "webinar", "offset": "-1 day"}}}, {"send": "soon"}])
    running.tick(NOW)
    running.tick(NOW + 30 * DAY)
    assert running.sent() == []


def test_a_date_that_changes_while_waiting_moves_the_wait(running: Running) -> None:
    from macli import contacts

    contact = running.contact(webinar="2026-12-20")
    running.campaign(steps=[{"wait": {"until": {"attribute": "webinar", "time": "09:00"}}}, {"send": "now"}])
    running.tick(NOW)
    one = {"one_contact": contact}
    contacts.set_attribute_where(running.store, NOW, contacts.ONE, one, "webinar", "2026-12-05", "test")
    running.tick(NOW + MINUTE)
    assert running.places()[0][3] == at("2026-12-05 09:00")


def test_who_has_no_such_date_is_not_sent_the_reminder(running: Running) -> None:
    running.contact(name="Ann")
    with running.store.write():
        running.store.execute("INSERT INTO attributes (name, type, created_at) VALUES ('webinar', 'date', 0)")
    running.campaign(steps=[{"wait": {"until": {"attribute": "webinar"}}}, {"send": "now"}, {"send": "later"}])
    running.tick(NOW)
    assert running.sent() == [(1, "send-later")]


def test_anniversaries_come_every_year_and_on_the_28th_where_there_is_no_29th(running: Running) -> None:
    running.contact(birthday="1990-12-03")
    running.contact(birthday="1990-11-30")
    running.contact(birthday="2000-02-29")
    wait = {"until": {"attribute": "birthday", "yearly": True, "time": "08:00"}}
    assert waits_until(running, wait) == [at("2026-12-03 08:00"), at("2027-11-30 08:00"), at("2027-02-28 08:00")]


def test_days_of_an_offset_are_days_of_the_calendar(running: Running) -> None:
    running.contact(zone="Europe/Warsaw", meeting="2027-03-30T07:00:00Z")
    wait = {"until": {"attribute": "meeting", "offset": "-3 days"}}
    assert waits_until(running, wait) == [at("2027-03-27 08:00")]


def test_hours_of_an_offset_are_time(running: Running) -> None:
    running.contact(zone="Europe/Warsaw", meeting="2027-03-28T03:30:00Z")
    wait = {"until": {"attribute": "meeting", "offset": "-5 hours"}}
    assert waits_until(running, wait) == [at("2027-03-27 22:30")]


# Branching


def test_the_first_branch_whose_rule_holds_is_taken(running: Running) -> None:
    for number in (1, 5, 9):
        running.contact(number=number)
    parts = [
        {"when": "number >= 8", "steps": [{"send": "high"}]},
        {"when": "number >= 4", "steps": [{"send": "middle"}]},
    ]
    running.campaign(steps=[{"branches": parts, "otherwise": [{"send": "low"}]}])
    running.tick(NOW)
    assert sorted(running.sent()) == [(1, "send-low"), (2, "send-middle"), (3, "send-high")]


def test_who_meets_no_condition_ends_as_such_and_it_is_recorded(running: Running) -> None:
    running.contact(number=1)
    running.campaign(steps=[{"if": "number >= 5", "then": [{"send": "high"}]}])
    running.tick(NOW)
    assert running.ended() == ["not_met"]
    assert running.log() == {("if-number-5", "else"): 1}


def test_a_condition_reads_the_whole_card_and_not_only_this_campaigns_history(running: Running) -> None:
    contact = running.contact()
    from macli import contacts

    one = {"one_contact": contact}
    contacts.tag_where(running.store, NOW - 900 * DAY, contacts.ONE, one, "OLD", "test")
    running.campaign(steps=[{"if": 'tagged "old"', "then": [{"send": "yes"}], "else": [{"send": "no"}]}])
    running.tick(NOW)
    assert running.sent() == [(contact, "send-yes")]


def test_a_split_follows_its_weights_and_always_goes_the_same_way(running: Running) -> None:
    with running.store.write():
        running.store.executemany(
            "INSERT INTO contacts (email, added_at, updated_at) VALUES (?, 0, 0)",
            ((f"s{number}@example.com",) for number in range(4000)),
        )
    parts = [{"weight": weight, "steps": [{"tag": f"P{weight}"}]} for weight in (70, 20, 10)]
    two = [{"weight": 1, "steps": [{"tag": "L"}]}, {"weight": 1, "steps": [{"tag": "R"}]}]
    running.campaign(steps=[{"split": parts, "id": "first"}, {"split": two, "id": "second"}])
    running.tick(NOW)
    log = running.log()
    shares = [log["first", way] / 4000 for way in "123"]
    assert shares == pytest.approx([0.7, 0.2, 0.1], abs=0.03)
    both = running.store.value(
        """
        SELECT count(*)
        FROM contact_tags AS one
        JOIN tags AS first ON first.id = one.tag_id AND first.name = 'P70'
        JOIN contact_tags AS other ON other.contact_id = one.contact_id
        JOIN tags AS second ON second.id = other.tag_id AND second.name = 'L'
        """
    )
    assert both / log["first", "1"] == pytest.approx(0.5, abs=0.05)


def test_a_split_takes_a_share_of_nothing_and_refuses_a_total_of_nothing() -> None:
    assert Split(split=(Share(weight=0), Share(weight=1))).total() == 1
    with pytest.raises(UsageError, match="weights"):
        Split(split=(Share(weight=0),))
    with pytest.raises(UsageError, match="branches"):
        Branches(branches=())


def test_end_ends_the_way(running: Running) -> None:
    running.contact(number=9)
    running.campaign(steps=[{"if": "number >= 5", "then": [{"send": "a"}, {"end": True}], "else": []}, {"send": "b"}])
    running.tick(NOW)
    assert running.sent() == [(1, "send-a")]
    assert running.ended() == ["end"]


# Sending


def test_the_content_is_chosen_by_the_first_rule_that_holds(running: Running) -> None:
    for number in (1, 5, 9):
        running.contact(number=number)
    choose = [{"when": "number >= 8", "template": "high"}, {"when": "number >= 4", "template": "middle"}]
    running.campaign(steps=[{"send": {"template": "low", "choose": choose}}])
    running.tick(NOW)
    variants = running.store.rows("SELECT variant FROM sends ORDER BY contact_id")
    assert [row["variant"] for row in variants] == [0, 2, 1]


def test_a_send_is_planned_for_the_kind_of_its_channel(running: Running) -> None:
    running.contact()
    with running.store.write():
        running.store.execute(
            "INSERT INTO channels (name, name_key, kind, created_at) VALUES ('Alerts', 'alerts', 'sms', 0)"
        )
    running.campaign(
        purpose="transactional",
        channel="alerts",
        steps=[{"send": "a"}, {"send": {"template": "b", "channel": "email"}}],
    )
    running.tick(NOW)
    rows = running.store.rows("SELECT channel, purpose FROM sends ORDER BY id")
    assert [tuple(row) for row in rows] == [("sms", "transactional"), ("email", "transactional")]


# Changing the contact


def test_tags_are_normalised_and_an_event_is_recorded_only_where_they_are_new(running: Running) -> None:
    running.contact()
    running.campaign(name="a", steps=[{"tag": ["żółty vip!", "NEW"]}])
    running.campaign(name="b", steps=[{"tag": "ZOLTY VIP_"}, {"untag": "new"}, {"untag": "never"}])
    running.tick(NOW)
    names = [row["name"] for row in running.store.rows("SELECT name FROM tags JOIN contact_tags ON tag_id = id")]
    assert names == ["ZOLTY VIP_"]
    events = running.store.rows("SELECT name, source FROM events ORDER BY id")
    assert [row["name"] for row in events] == ["tag.added", "tag.added", "tag.removed"]
    assert events[0]["source"].startswith("campaign:")


def test_attributes_are_set_with_their_types(running: Running) -> None:
    running.contact(orders=1, country="Poland")
    running.campaign(steps=[{"set": {"orders": 3, "country": "Canada", "vip": True, "since": "2026-01-02"}}])
    running.tick(NOW)
    assert json.loads(running.store.value("SELECT attributes FROM contacts")) == {
        "orders": 3,
        "country": "Canada",
        "vip": True,
        "since": "2026-01-02",
    }


def test_a_part_of_the_contact_is_not_set_by_a_step() -> None:
    with pytest.raises(UsageError, match="email"):
        Set(values={"email": "x@example.com"})


def test_opting_out_withdraws_the_consent_and_calls_off_what_is_planned(running: Running) -> None:
    running.contact()
    running.campaign(name="a", steps=[{"send": "held"}])
    running.tick(NOW, send=False)
    running.campaign(name="b", steps=[{"opt_out": "email"}])
    running.tick(NOW + HOUR, send=False)
    assert running.store.value("SELECT status FROM consents") == "withdrawn"
    assert running.store.value("SELECT state FROM sends") == "skipped"


# What is refused when it is written


@pytest.mark.parametrize(
    ("wait", "says"),
    [
        ({}, "either so long or until"),
        ({"duration": DAY, "until": "09:00"}, "either so long or until"),
        ({"until": "25:00"}, "no time to wait until"),
        ({"until": "mondey 09:00"}, "no time to wait until"),
        ({"until": "monday noon"}, "no time to wait until"),
        ({"until": "2026-13-01 10:00"}, "no time to wait until"),
    ],
)
def test_a_wait_that_says_nothing_clear_is_refused(wait: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Wait(**wait)


@pytest.mark.parametrize(
    ("date", "says"), [({"offset": "three days"}, "no duration"), ({"time": "9 o'clock"}, "no time of day")]
)
def test_an_attribute_date_that_says_nothing_clear_is_refused(date: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        AttributeDate(attribute="birthday", **date)
