"""Campaigns that come again: when, for whom, and what becomes of runs that were missed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from macli.campaign import recurrence
from macli.errors import UsageError
from macli.tick.tick import run_tick
from tests.world import NOW, World, add_campaign, add_contacts, new_world

WARSAW = ZoneInfo("Europe/Warsaw")


def runs(every: str, first: datetime, count: int, zone: ZoneInfo = WARSAW) -> list[str]:
    """The next ``count`` runs behind the first, in the zone's own time."""
    found, moment = [], first
    for _ in range(count):
        moment = recurrence.read(every).next_after(first, moment, zone)
        found.append(moment.astimezone(zone).strftime("%m-%d %H:%M"))
    return found


def test_a_month_keeps_its_day_or_takes_the_last_one() -> None:
    first = datetime(2027, 1, 31, 9, 0, tzinfo=WARSAW).astimezone(UTC)
    assert runs("1 month", first, 4) == ["02-28 09:00", "03-31 09:00", "04-30 09:00", "05-31 09:00"]


def test_a_day_keeps_its_time_of_day_across_the_change_of_the_clocks() -> None:
    first = datetime(2027, 3, 26, 9, 0, tzinfo=WARSAW).astimezone(UTC)
    assert runs("1 day", first, 4) == ["03-27 09:00", "03-28 09:00", "03-29 09:00", "03-30 09:00"]


def test_a_time_that_does_not_exist_that_night_is_the_next_that_does() -> None:
    first = datetime(2027, 3, 27, 2, 30, tzinfo=WARSAW).astimezone(UTC)
    assert runs("1 day", first, 2) == ["03-28 03:00", "03-29 02:30"]


def test_hours_are_hours_across_the_change_of_the_clocks() -> None:
    first = datetime(2027, 3, 28, 1, 0, tzinfo=WARSAW).astimezone(UTC)
    assert runs("1 hour", first, 2) == ["03-28 03:00", "03-28 04:00"]


@pytest.mark.parametrize(("every", "span"), [("minute", 1), ("1 hour", 60), ("day", 1440), ("2 weeks", 20160)])
def test_an_interval_is_exact(every: str, span: int) -> None:
    following = recurrence.read(every).next_after(NOW, NOW, ZoneInfo("UTC"))
    assert following - NOW == timedelta(minutes=span)


def test_runs_that_were_missed_are_one() -> None:
    first = datetime(2020, 2, 29, 6, 0, tzinfo=UTC)
    for every in ("minute", "hour", "day", "week", "month"):
        late = NOW + timedelta(seconds=30)
        following = recurrence.read(every).next_after(first, late, ZoneInfo("UTC"))
        assert late < following <= late + timedelta(days=31)


@pytest.mark.parametrize("text", ["", "0 days", "often", "1 year and a day", "-1 day"])
def test_what_is_no_interval_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no interval"):
        recurrence.read(text)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return new_world(tmp_path / "shop")


def accepted(world: World) -> int:
    return world.states().get("accepted", 0)


def test_a_recurring_campaign_takes_in_at_each_run_those_who_are_new(world: World) -> None:
    add_contacts(world.store, 3)
    add_campaign(world.store, entry={"rule": "has email", "every": "1 hour"})
    run_tick(world.engine(NOW))
    assert accepted(world) == 3
    add_contacts(world.store, 2, start=3)
    run_tick(world.engine(NOW + timedelta(minutes=59)))
    assert accepted(world) == 3
    run_tick(world.engine(NOW + timedelta(minutes=60)))
    assert accepted(world) == 5
    assert world.store.value("SELECT state FROM campaigns") == "active"


def test_with_reentry_everyone_gets_it_once_a_run_however_many_ticks_there_are(world: World) -> None:
    add_contacts(world.store, 2)
    add_campaign(world.store, entry={"rule": "has email", "every": "1 day"}, reentry="always")
    for hours in (0, 1, 23, 24, 25, 47, 48):
        run_tick(world.engine(NOW + timedelta(hours=hours)), chosen_time=True)
    assert accepted(world) == 6
    assert world.store.value("SELECT max(round) FROM enrollments") == 3


def test_after_a_week_without_a_tick_one_run_makes_up_for_all(world: World) -> None:
    add_contacts(world.store, 2)
    add_campaign(world.store, entry={"rule": "has email", "every": "1 day"}, reentry="always")
    run_tick(world.engine(NOW))
    run_tick(world.engine(NOW + timedelta(days=7, hours=1)), chosen_time=True)
    assert accepted(world) == 4


def test_a_recurring_campaign_starts_at_its_time(world: World) -> None:
    add_contacts(world.store, 2)
    add_campaign(
        world.store, entry={"rule": "has email", "at": "2026-12-31 09:00 UTC", "every": "1 month"}, reentry="always"
    )
    run_tick(world.engine(NOW))
    assert accepted(world) == 0
    for day in (
        datetime(2026, 12, 31, 9, tzinfo=UTC),
        datetime(2027, 1, 31, 9, tzinfo=UTC),
        datetime(2027, 2, 28, 9, tzinfo=UTC),
    ):
        run_tick(world.engine(day - timedelta(minutes=1)), chosen_time=True)
        before = accepted(world)
        run_tick(world.engine(day), chosen_time=True)
        assert accepted(world) == before + 2


def test_a_run_killed_in_the_middle_takes_in_the_rest_and_nobody_twice(world: World) -> None:
    """Everybody is in, and the next run is not noted yet: what a kill between the two leaves."""
    add_contacts(world.store, 3)
    add_campaign(world.store, entry={"rule": "has email", "every": "1 day"}, reentry="always")
    run_tick(world.engine(NOW))
    world.store.execute("UPDATE campaigns SET start_at = activated_at")
    add_contacts(world.store, 1, start=3)
    run_tick(world.engine(NOW + timedelta(minutes=5)))
    assert accepted(world) == 4
    assert world.store.value("SELECT max(round) FROM enrollments") == 1


def test_a_running_campaign_does_not_begin_or_cease_to_come_again(world: World) -> None:
    from macli.campaign import edit
    from macli.store import campaigns

    add_contacts(world.store, 1)
    add_campaign(world.store, entry={"rule": "has email", "every": "1 day"}, reentry="always")
    changed = {"name": "spring", "entry": {"rule": "has email"}, "steps": [{"send": "hello"}], "reentry": "always"}
    with pytest.raises(UsageError, match="recurring → once"):
        edit.save(world.store, NOW, changed, zone=WARSAW, campaign=campaigns.get(world.store, "spring"))
