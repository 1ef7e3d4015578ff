"""Chores: one that cannot be done is told, and keeps neither the others nor the campaigns from going on."""

from datetime import timedelta
from pathlib import Path

import pytest

from macli.clock import to_ms
from macli.store import open_store, settings
from macli.tick.tick import run_tick
from tests.conftest import Run
from tests.site import keys, serving
from tests.world import NOW, World, add_campaign, add_contacts, new_world

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two contacts with one mail each, one of them opened, and a campaign that is due."""
    made = new_world(tmp_path / "shop")
    settings.put(made.store, NOW, "public_url", "https://news.example")
    add_contacts(made.store, 2)
    add_campaign(made.store)
    run_tick(made.engine())
    with serving(made) as client:
        client.get(f"/o/{keys(made).message(1).follow}.gif", headers={"User-Agent": "Mozilla/5.0 (X11)"})
    add_campaign(made.store, "autumn")
    return made


def opened(world: World) -> int:
    return int(world.store.value("SELECT count(*) FROM events WHERE name LIKE 'email.opened%'"))


def test_rules_that_do_not_read_keep_no_campaign_from_leaving(world: World) -> None:
    (world.path / "hit-rules.toml").write_text("version = ")
    report = run_tick(world.engine(LATER))
    assert report.messages == {"accepted": 2}
    assert report.failed.keys() == {"hits"}
    assert "hit-rules.toml" in report.failed["hits"]
    assert "FAILED hits: " in report.line()
    assert opened(world) == 0
    (world.path / "hit-rules.toml").unlink()
    assert run_tick(world.engine(LATER)).failed == {}
    assert opened(world) == 1


def test_a_chore_that_breaks_keeps_no_other_from_its_work(world: World) -> None:
    with world.store.write():
        world.store.execute("INSERT INTO meta (key, value) VALUES ('complaints_from', '1')")
        world.store.execute("ALTER TABLE agents RENAME TO agents_gone")
    report = run_tick(world.engine(LATER))
    assert report.messages == {"accepted": 2}
    assert report.failed == {"hits": "OperationalError: no such table: agents"}
    assert world.store.value("SELECT count(*) FROM meta WHERE key IN ('complaints_from', 'retention_at')") == 1


def test_what_was_done_by_a_clock_that_was_set_back_since_is_done_again(world: World) -> None:
    run_tick(world.engine(LATER + timedelta(days=400)), chosen_time=True)
    run_tick(world.engine(LATER))
    noted = world.store.value("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'retention_at'")
    assert noted == to_ms(LATER)


def test_the_command_says_what_failed_and_ends_with_1(workspace: Path, macli: Run) -> None:
    assert macli("tick").code == 0
    (workspace / "hit-rules.toml").write_text("version = ")
    with open_store(workspace / "macli.db") as store, store.write():
        store.execute("INSERT INTO hits (kind, at, send, method) VALUES ('open', 0, 1, 'GET')")
    told = macli("tick")
    assert told.code == 1
    assert "FAILED hits: " in told.out
    assert "FAILED hits: " in macli("--quiet", "tick").err
