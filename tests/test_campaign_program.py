"""A campaign's steps as a program, its start in every zone, and its words."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from macli.campaign import describe, schedule
from macli.campaign.definition import Campaign, parse
from macli.campaign.program import NOT_MET, Program, flatten
from macli.errors import UsageError

WARSAW = ZoneInfo("Europe/Warsaw")


def campaign_of(*steps: Any, **more: Any) -> Campaign:
    return parse({"name": "x", "entry": {"rule": "everyone"}, "steps": list(steps), **more}).campaign


def program_of(*steps: Any) -> Program:
    return flatten(campaign_of(*steps))


def ways(program: Program) -> dict[str, dict[str, str | None]]:
    return {key: dict(step.ways) for key, step in program.steps.items()}


def test_steps_follow_one_another_and_the_last_one_ends() -> None:
    program = program_of({"send": "a"}, {"wait": "3 days"}, {"send": "b"})
    assert program.first == "send-a"
    assert ways(program) == {
        "send-a": {"next": "wait-3-days"},
        "wait-3-days": {"next": "send-b"},
        "send-b": {"next": None},
    }
    assert program.steps["send-b"].ended_as("next") == "end"


def test_a_campaign_without_steps_has_no_first_one() -> None:
    assert program_of().first is None


def test_both_sides_of_a_condition_come_together_behind_it() -> None:
    program = program_of({"if": "everyone", "then": [{"tag": "A"}], "else": [{"tag": "B"}], "id": "ask"}, {"send": "z"})
    assert ways(program) == {
        "ask": {"then": "tag-a", "else": "tag-b"},
        "tag-a": {"next": "send-z"},
        "tag-b": {"next": "send-z"},
        "send-z": {"next": None},
    }


def test_who_does_not_meet_a_condition_without_an_else_ends_as_not_met() -> None:
    program = program_of({"if": "everyone", "id": "gate"}, {"send": "z"})
    gate = program.steps["gate"]
    assert dict(gate.ways) == {"then": "send-z", "else": None}
    assert gate.ended_as("else") == NOT_MET
    assert gate.ended_as("then") == "end"


def test_an_empty_else_goes_on() -> None:
    program = program_of({"if": "everyone", "id": "ask", "then": [{"tag": "A"}], "else": []}, {"send": "z"})
    assert dict(program.steps["ask"].ways) == {"then": "tag-a", "else": "send-z"}


def test_branches_and_splits_have_numbered_ways() -> None:
    program = program_of(
        {
            "branches": [{"when": "everyone", "steps": [{"tag": "A"}]}, {"when": "everyone", "steps": []}],
            "id": "which",
        },
        {"split": [{"weight": 9, "steps": [{"tag": "B"}, "end"]}, {"steps": []}], "id": "share"},
        {"send": "z"},
    )
    assert dict(program.steps["which"].ways) == {"1": "tag-a", "2": "share", "otherwise": None}
    assert program.steps["which"].ended_as("otherwise") == NOT_MET
    assert dict(program.steps["share"].ways) == {"1": "tag-b", "2": "send-z"}
    assert dict(program.steps["end"].ways) == {}


def test_a_wait_for_an_event_goes_on_at_once_or_at_the_time_out() -> None:
    program = program_of(
        {
            "wait_for": {"event": "email.clicked", "timeout": "2 days"},
            "id": "click",
            "else": [{"send": "again"}],
        },
        {"tag": "Z"},
    )
    assert dict(program.steps["click"].ways) == {"then": "tag-z", "else": "send-again"}
    assert program.steps["click"].action.events() == ("email.clicked",)


def test_steps_nested_four_deep_all_come_out() -> None:
    inner: Any = [{"send": "deep"}]
    for number in range(4):
        inner = [{"if": "everyone", "id": f"level-{number}", "then": inner, "else": []}]
    program = program_of(*inner, {"send": "last"})
    assert list(program.steps) == ["level-3", "level-2", "level-1", "level-0", "send-deep", "send-last"]
    assert dict(program.steps["send-deep"].ways) == {"next": "send-last"}


def test_every_way_leads_to_a_step_that_is_there() -> None:
    program = program_of(
        {"split": [{"steps": [{"if": "everyone", "then": ["end"], "else": []}]}, {"steps": [{"tag": "A"}]}]},
        {"branches": [{"when": "everyone", "steps": [{"tag": "B"}]}], "otherwise": []},
    )
    for step in program.steps.values():
        for target in step.ways.values():
            assert target is None or target in program.steps


# When it starts


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-07-01 10:00 Europe/Warsaw", datetime(2026, 7, 1, 8, 0, tzinfo=UTC)),
        ("2026-12-01 10:00 Europe/Warsaw", datetime(2026, 12, 1, 9, 0, tzinfo=UTC)),
        ("2026-12-01 10:00", datetime(2026, 12, 1, 9, 0, tzinfo=UTC)),
        ("2026-12-01", datetime(2026, 11, 30, 23, 0, tzinfo=UTC)),
        ("2026-12-01T10:00Z", datetime(2026, 12, 1, 10, 0, tzinfo=UTC)),
        ("2026-12-01 10:00 +05:45", datetime(2026, 12, 1, 4, 15, tzinfo=UTC)),
        ("2026-03-29 02:30 Europe/Warsaw", datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
        ("2026-10-25 02:30 Europe/Warsaw", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_start_is_the_instant_its_zone_and_season_make_it(written: str, meant: datetime) -> None:
    found = schedule.starts(schedule.read(written), [], WARSAW)
    assert found.earliest == meant
    assert found.by_zone == {}


def test_a_local_start_comes_in_every_zone_at_its_own_time() -> None:
    zones = ["America/Toronto", "Asia/Kathmandu", None, "Mars/Olympus"]
    found = schedule.starts(schedule.read("2026-12-01 09:00 local"), zones, WARSAW)
    assert found.by_zone == {
        "Europe/Warsaw": datetime(2026, 12, 1, 8, 0, tzinfo=UTC),
        "America/Toronto": datetime(2026, 12, 1, 14, 0, tzinfo=UTC),
        "Asia/Kathmandu": datetime(2026, 12, 1, 3, 15, tzinfo=UTC),
        "Mars/Olympus": datetime(2026, 12, 1, 8, 0, tzinfo=UTC),
    }
    assert found.earliest == found.by_zone["Asia/Kathmandu"]


@pytest.mark.parametrize("text", ["soon", "2026-13-01", "2026-12-01 24:30", "2026-12-01 09:00 Nowhere/Land", ""])
def test_what_is_no_start_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        schedule.read(text)


def test_a_start_told_from_now_is_kept_as_a_date_a_time_and_a_zone() -> None:
    now = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
    assert schedule.canonical("in 2 hours", now=now, zone=WARSAW) == "2026-03-04 15:00 Europe/Warsaw"
    assert schedule.canonical("2026-12-01 09:00", now=now, zone=WARSAW) == "2026-12-01 09:00 Europe/Warsaw"
    assert schedule.canonical("2026-12-01 09:00 local", now=now, zone=WARSAW) == "2026-12-01 09:00 local"
    assert schedule.canonical("2026-12-01T09:00Z", now=now, zone=WARSAW) == "2026-12-01T09:00Z"


# In words


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"segments": ["vip", "new"]}, "segment 'vip' or segment 'new', once, when it is sent by hand"),
        (
            {"rule": "score > 3", "at": "2026-12-01 09:00 local"},
            "score > 3, once, at 2026-12-01 09:00 local",
        ),
        (
            {"whenever": "score > 3", "delay": "2 hours", "existing": False},
            "2 hours after it is first true that score > 3, but not those for whom it is true already",
        ),
        ({"event": "contact.added", "delay": "3 hours"}, "3 hours after contact.added"),
        (
            {"event": {"name": "order.paid", "where": "total > 9"}, "segments": "vip"},
            "at order.paid with total > 9, of segment 'vip'",
        ),
    ],
)
def test_an_entry_in_words(entry: dict[str, Any], words: str) -> None:
    assert describe.entry_in_words(parse({"name": "x", "entry": entry, "steps": []}).campaign.entry) == words


def test_the_steps_as_a_tree_say_where_every_way_goes() -> None:
    campaign = campaign_of(
        {"send": "a"},
        {"if": "score > 3", "then": [{"wait": "3 days"}]},
        {"split": [{"weight": 90, "steps": [{"tag": "A"}]}, {"weight": 10, "steps": []}]},
    )
    assert list(describe.tree(campaign)) == [
        "send a  [send-a]",
        "if score > 3  [if-score-3]",
        "  then:",
        "    wait 3 days  [wait-3-days]",
        "  else: ends as not_met",
        "split  [split]",
        "  1 (weight 90):",
        "    tag A  [tag-a]",
        "  2 (weight 10):",
        "    (goes on)",
    ]
