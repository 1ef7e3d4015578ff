"""Complaints: a campaign of whose mails too many are called spam is warned of, and then pauses."""

from datetime import timedelta
from pathlib import Path

import pytest

from macli.mailbox import polling
from macli.mailbox.ingesting import take_in, understand
from macli.mailbox.reading import read
from macli.store import settings
from macli.tick.tick import TickReport, run_tick
from tests.conftest import Run
from tests.letters import complaint, original
from tests.site import keys
from tests.world import NOW, World, add_campaign, add_contacts, new_world

MAILS = 1500


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A campaign whose first mail has gone to everybody."""
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, MAILS)
    add_campaign(world.store, steps=[{"send": "hello"}, {"wait": "1 day"}, {"send": "hello", "id": "again"}])
    run_tick(world.engine())
    return world


def complain(world: World, numbers: range) -> TickReport:
    """Complaints about the mails with these ids, and the tick behind them."""
    now = NOW + timedelta(minutes=numbers.stop)
    finder = polling.finder_of(world.store, now, world.path)
    reports = [
        complaint(back=original(unsubscribe=keys(world).message(number).act), message_id=f"<{number}@isp>")
        for number in numbers
    ]
    assert take_in(world.store, now, [understand(finder, read(report)) for report in reports]) == len(numbers)
    return run_tick(world.engine(now))


def campaign(world: World) -> tuple[str, str | None]:
    row = world.store.row("SELECT state, pause_reason FROM campaigns")
    assert row is not None
    return row["state"], row["pause_reason"]


def test_r8_two_complaints_say_nothing(world: World) -> None:
    settings.put(world.store, NOW, "complaints.stop", "0.01 %")
    assert complain(world, range(1, 3)).warned == {}
    assert campaign(world)[0] == "active"


def test_r8_a_share_of_complaints_is_warned_of_and_then_stops_the_campaign(world: World) -> None:
    report = complain(world, range(1, 4))  # 3 of 1500 are 0.2 %
    assert report.warned == {"spring": "3 of 1500 mails called spam (0.2 %)"}
    assert "WARNING spring: 3 of 1500" in report.line()
    assert campaign(world) == ("active", None)
    assert run_tick(world.engine(NOW + timedelta(hours=1))).warned == {}
    report = complain(world, range(4, 6))  # 5 of 1500 are 0.33 %
    assert campaign(world) == ("paused", "complaints: 5 of 1500 mails called spam (0.33 %)")
    assert report.warned["spring"].startswith("paused: 5 of 1500")


def test_r8_complaints_about_others_campaigns_stop_none(world: World) -> None:
    add_campaign(world.store, "quiet", entry={"rule": "number < 10"})
    run_tick(world.engine(NOW + timedelta(minutes=1)))
    complain(world, range(1, 6))
    states = {row["name"]: row["state"] for row in world.store.rows("SELECT name, state FROM campaigns")}
    assert states == {"spring": "paused", "quiet": "finished"}


def test_r8_mails_of_long_ago_do_not_hide_complaints_about_new_ones(world: World) -> None:
    world.store.execute("UPDATE sends SET left_at = left_at - :ago WHERE id > 300", {"ago": 40 * 86_400_000})
    complain(world, range(1, 4))
    assert campaign(world) == ("paused", "complaints: 3 of 300 mails called spam (1 %)")


def test_r8_doctor_warns(world: World, macli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    complain(world, range(1, 4))
    monkeypatch.chdir(world.path)
    assert "3 of 1500 mails called spam" in macli("doctor", at=NOW + timedelta(hours=1)).out
