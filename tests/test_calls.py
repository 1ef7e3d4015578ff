"""Telephone calls: written down after they were, told once."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from macli import selection
from macli.clock import to_ms
from macli.errors import UsageError
from macli.mailbox.ingesting import Understood
from macli.mailbox.keeping import keep
from macli.mailbox.reading import read
from macli.people import calls, tasks
from macli.store import calls as kept
from macli.tick.tick import run_tick
from tests.conftest import NOW as EARLY
from tests.conftest import Run
from tests.letters import letter
from tests.people import add_staff, add_work
from tests.test_notes import said, staff_id
from tests.world import NOW, World, add_campaign, add_contacts, new_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 2)
    add_staff(world.store, "anna")
    return world


def test_g1_a_call_is_an_event_at_the_time_it_was(world: World) -> None:
    before = NOW - timedelta(hours=2)
    anna = staff_id(world, "anna")
    calls.log(world.store, NOW, 1, "cli", direction="in", at=before, outcome="wants more", seconds=65, staff_id=anna)
    assert said(world, "call.logged") == [
        (1, {"call": 1, "direction": "in", "outcome": "wants more", "seconds": 65, "staff": "anna"})
    ]
    assert world.store.value("SELECT at FROM events WHERE name = 'call.logged'") == to_ms(before)
    assert kept.get(world.store, 1)["phone"] == "+14165550000"


def test_a_call_is_over_when_it_is_written_down(world: World) -> None:
    with pytest.raises(UsageError, match="still to come"):
        calls.log(world.store, NOW, 1, "cli", at=NOW + timedelta(seconds=1))
    for seconds in (-1, 24 * 3600 + 1):
        with pytest.raises(UsageError, match="no time and a day"):
            calls.log(world.store, NOW, 1, "cli", seconds=seconds)
    assert said(world, "call.logged") == []


def test_g12_lists_ask_for_a_calls_own_fields_and_for_its_contact(world: World) -> None:
    calls.log(world.store, NOW, 1, "cli", direction="in", outcome="no answer", seconds=10)
    calls.log(world.store, NOW, 2, "cli", seconds=100)

    def listed(rule: str) -> list[int]:
        where = selection.entity_where(world.store, "call", rule, NOW, world.engine().zone)
        return sorted(row["id"] for row in kept.listed(world.store, where))

    assert listed("direction = in") == [1]
    assert listed("seconds > 50") == [2]
    assert listed("outcome contains answer or email = c1@example.com") == [1, 2]


@pytest.mark.parametrize(
    ("event", "where"),
    [
        ("note.added", "text contains offer"),
        ("task.added", 'assignee = "anna"'),
        ("task.closed", 'state = "done"'),
        ("deal.won", "value > 1000"),
        ("call.logged", 'direction = "out"'),
        ("mail.received", "subject contains Annabella"),
    ],
)
def test_g1_what_is_done_about_a_contact_starts_campaigns(world: World, event: str, where: str) -> None:
    add_campaign(world.store, entry={"event": {"name": event, "where": where}}, steps=[{"tag": "seen"}])
    add_work(world.store, 1, "Annabella", "c0@example.com")
    tasks.close(world.store, NOW, 1, "done", "cli")
    written = letter(subject="From Annabella", message_id="<2@x>")
    keep(world.store, NOW, [Understood(letter=read(written), said="reply")], "office")
    for _ in range(2):
        run_tick(world.engine())
    assert world.store.value("SELECT count(*) FROM enrollments") == 1
    assert world.store.value("SELECT contact_id FROM contact_tags") == 1


def test_g1_calls_on_the_command_line(workspace: Path, macli: Run) -> None:
    macli("contact", "add", "ann@example.com", "--phone", "+14165550123")
    macli("staff", "add", "anna")

    def ok(*words: str) -> str:
        ran = macli("call", *words, at=EARLY)
        assert ran.code == 0, ran.err
        return ran.out

    ok("log", "ann@example.com", "--outcome", "no answer", "--lasted", "1m 5s", "--as", "anna")
    ok("add", "+14165550123", "--in", "--at", "2026-03-03 10:00", "--by", "anna", "--text", "asked for papers")
    listed = json.loads(ok("list", "--json"))
    assert [(row["id"], row["direction"], row["seconds"], row["staff"]) for row in listed] == [
        (1, "out", 65, "anna"),
        (2, "in", None, "anna"),
    ]
    assert "asked for papers" in ok("show", "2")
    ok("edit", "1", "--outcome", "calls back")
    assert json.loads(ok("list", "--where", "outcome = 'calls back'", "--json"))[0]["id"] == 1
    ok("rm", "1")
    for wrong in (
        ("log", "nobody@example.com"),
        ("log", "ann@example.com", "--at", "in 2 days"),
        ("log", "ann@example.com", "--lasted", "long"),
        ("show", "1"),
        ("edit", "2"),
    ):
        assert macli("call", *wrong, at=EARLY).code == 2, wrong
