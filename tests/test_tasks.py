"""Tasks: for whom, by when, about whom; told once when they begin and when they end."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from macli import selection
from macli.clock import to_ms
from macli.errors import UsageError
from macli.people import deals, tasks
from macli.people.owning import set_owner_where
from macli.store import open_store, staff
from macli.store import tasks as kept
from tests.conftest import NOW as EARLY
from tests.conftest import Run
from tests.people import ONE, add_staff, add_work
from tests.test_notes import said, staff_id
from tests.world import NOW, World, add_contacts, new_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 4)
    add_staff(world.store, "anna", "ben", "cleo")
    return world


def own(world: World, contact: int, name: str) -> None:
    set_owner_where(world.store, NOW, ONE, {"one_contact": contact}, staff_id(world, name), "main", "cli")


def listed(world: World, rule: str) -> list[int]:
    where = selection.entity_where(world.store, "task", rule, NOW, world.engine().zone)
    return [row["id"] for row in kept.listed(world.store, where)]


def test_g13_each_contacts_owner_gets_a_task_and_who_stands_in_where_there_is_none(world: World) -> None:
    own(world, 1, "anna")
    own(world, 2, "ben")
    own(world, 3, "cleo")
    staff.edit(world.store, NOW, "cleo", active=False)
    due = to_ms(NOW + timedelta(days=1))
    made = tasks.create_where(
        *(world.store, NOW, "SELECT id FROM contacts", {}, "Call", "automation"),
        owner=True,
        assignee_id=staff_id(world, "ben"),
        due_at=due,
    )
    assert made == 4
    assert [row["assignee"] for row in kept.listed(world.store)] == ["anna", "ben", "ben", "ben"]
    assert [
        (contact, event["task"], event["assignee"], event["due"]) for contact, event in said(world, "task.added")
    ] == [
        (1, 1, "anna", "2026-12-02T09:00:00Z"),
        (2, 2, "ben", "2026-12-02T09:00:00Z"),
        (3, 3, "ben", "2026-12-02T09:00:00Z"),
        (4, 4, "ben", "2026-12-02T09:00:00Z"),
    ]


def test_g10_a_task_for_a_named_person_and_one_for_nobody(world: World) -> None:
    ids = "SELECT id FROM contacts WHERE id = 1"
    tasks.create_where(world.store, NOW, ids, {}, "Invoice", "mail", assignee_id=staff_id(world, "anna"))
    tasks.create_where(world.store, NOW, ids, {}, "Anybody", "mail", owner=True)
    assert [row["assignee"] for row in kept.listed(world.store)] == ["anna", None]
    assert [event.get("assignee") for _, event in said(world, "task.added")] == ["anna", None]


def test_t4_each_task_is_told_of_once_whatever_its_owner_is_called(world: World) -> None:
    add_staff(world.store, "Łucja", "Øyvind")
    for contact, name in ((1, "Łucja"), (2, "ben"), (3, "øyvind")):
        own(world, contact, name)
    tasks.create_where(world.store, NOW, "SELECT id FROM contacts", {}, "Call", "automation", owner=True)
    told = sorted((event["task"], event.get("assignee")) for _, event in said(world, "task.added"))
    assert told == [(1, "Łucja"), (2, "ben"), (3, "Øyvind"), (4, None)]
    rule = selection.event_where_of(world.store, 'assignee = "ŁUCJA"', NOW, world.engine().zone)
    found = f"SELECT contact_id FROM events WHERE name = 'task.added' AND {rule.sql}"
    assert [row["contact_id"] for row in world.store.rows(found, rule.params)] == [1]


def test_t4_a_task_ends_once_and_can_begin_again(world: World) -> None:
    number = tasks.add(world.store, NOW, "Call", "cli", contact_id=1, assignee_id=staff_id(world, "anna"))
    assert tasks.close(world.store, NOW, number, "done", "cli")
    assert not tasks.close(world.store, NOW, number, "cancelled", "cli")
    assert said(world, "task.closed") == [(1, {"task": 1, "title": "Call", "assignee": "anna", "state": "done"})]
    assert tasks.reopen(world.store, NOW, number)
    assert not tasks.reopen(world.store, NOW, number)
    assert kept.get(world.store, number)["closed_at"] is None
    assert tasks.close(world.store, NOW, number, "cancelled", "cli")
    assert [event["state"] for _, event in said(world, "task.closed")] == ["done", "cancelled"]


def test_a_task_about_a_deal_is_about_the_deals_contact(world: World) -> None:
    deal = deals.add(world.store, NOW, "Seats", "cli", contact_id=2)
    task = kept.get(world.store, tasks.add(world.store, NOW, "Offer", "cli", deal_id=deal))
    assert (task["contact"], task["deal"]) == ("c1@example.com", "Seats")
    with pytest.raises(UsageError, match=r"is with c1@example\.com"):
        tasks.add(world.store, NOW, "Offer", "cli", deal_id=deal, contact_id=1)
    deals.remove(world.store, NOW, deal)
    assert kept.get(world.store, task["id"])["deal"] is None
    with pytest.raises(UsageError, match="there is no deal 99"):
        tasks.add(world.store, NOW, "Offer", "cli", deal_id=99)


def test_a_task_about_nobody_is_told_of_nobody(world: World) -> None:
    number = tasks.add(world.store, NOW, "Water the plants", "cli")
    tasks.close(world.store, NOW, number, "done", "cli")
    assert said(world, "task.added") == said(world, "task.closed") == []


def test_g12_lists_ask_for_a_tasks_own_fields_and_for_its_contact(world: World) -> None:
    anna = staff_id(world, "anna")
    past = to_ms(NOW - timedelta(days=1))
    tasks.add(world.store, NOW, "Call back", "cli", contact_id=1, assignee_id=anna, due_at=past)
    tasks.add(world.store, NOW, "Send papers", "cli", contact_id=2, assignee_id=anna)
    tasks.add(world.store, NOW, "Call nobody", "cli")
    assert listed(world, "due < today and assignee = anna") == [1]
    assert listed(world, "overdue = yes") == [1]
    assert listed(world, "title contains call") == [1, 3]
    assert listed(world, "first_name = 'Contact 1'") == [2]
    assert listed(world, "not first_name = 'Contact 1'") == [1, 3]


def test_g1_tasks_on_the_command_line(workspace: Path, macli: Run) -> None:
    macli("settings", "set", "timezone", "Europe/Warsaw")
    macli("contact", "add", "ann@example.com")
    macli("staff", "add", "anna")
    macli("staff", "add", "ben")

    def ok(*words: str) -> str:
        ran = macli("task", *words, at=EARLY)
        assert ran.code == 0, ran.err
        return ran.out

    ok(
        "add",
        "Call about the offer",
        "--contact",
        "ann@example.com",
        "--for",
        "anna",
        "--due",
        "tomorrow 9:00",
        "--as",
        "ben",
    )
    ok("add", "Tidy up", "--due", "in 3 days", "--description", "the\nattic")
    first = json.loads(ok("show", "1", "--json"))
    assert (first["due_at"], first["author"]) == ("2026-03-05T08:00:00Z", "ben")
    assert json.loads(ok("show", "2", "--json"))["due_at"] == "2026-03-07T12:00:00Z"
    assert "2026-03-05 09:00:00" in ok("list")
    assert [row["id"] for row in json.loads(ok("list", "--mine", "--as", "anna", "--json"))] == [1]
    assert [row["id"] for row in json.loads(ok("list", "--for", "ben", "--json"))] == []
    ok("edit", "1", "--for", "ben", "--due", "2026-03-01", "--title", "Call")
    assert [row["id"] for row in json.loads(ok("list", "--overdue", "--json"))] == [1]
    ok("edit", "2", "--for", "anna", "--description", "the cellar")
    ok("edit", "2", "--for", "", "--due", "", "--description", "")
    emptied = json.loads(ok("show", "2", "--json"))
    assert [emptied[name] for name in ("title", "description", "assignee", "due_at")] == ["Tidy up", "", None, None]
    assert ok("done", "1") == "task 1 is done\n"
    assert ok("done", "1") == "task 1 was closed already\n"
    assert [row["id"] for row in json.loads(ok("list", "--json"))] == [2]
    assert [row["id"] for row in json.loads(ok("list", "--all", "--json"))] == [1, 2]
    assert [row["id"] for row in json.loads(ok("list", "--where", "state = done", "--json"))] == [1]
    assert ok("reopen", "1") == "task 1 is open again\n"
    ok("cancel", "1")
    ok("rm", "1")
    for wrong, hint in (
        (("show", "1"), "macli task list"),
        (("list", "--mine"), "MACLI_USER"),
        (("list", "--mine", "--for", "ben", "--as", "anna"), "either --mine or --for"),
        (("add", "x", "--due", "someday"), "is no time"),
        (("add", "x", "--for", "nobody"), "macli staff list"),
        (("add", " "), "the title is empty"),
        (("add", "x" * 201), "too many"),
        (("edit", "2"), "nothing to change"),
    ):
        ran = macli("task", *wrong)
        assert (ran.code, hint in ran.err) == (2, True), (wrong, ran.err)


@pytest.mark.parametrize(
    ("noun", "own"),
    [
        ("note", "text contains Annabella and not private = yes"),
        ("task", "assignee = anna and state = open"),
        ("deal", "state = won and value > 1000"),
        ("call", "direction = out and outcome contains agreed"),
        ("inbox", "subject contains Annabella"),
    ],
)
def test_g11_every_list_asks_for_its_own_fields_and_for_what_is_known_of_the_contact(
    workspace: Path, macli: Run, noun: str, own: str
) -> None:
    with open_store(workspace / "macli.db") as store:
        add_contacts(store, 2)
        for contact, who in ((1, "Annabella"), (2, "Annabella Two")):
            add_work(store, contact, who, f"c{contact - 1}@example.com")

    def found(rule: str) -> int:
        ran = macli(noun, "list", "--where", rule, "--json", at=NOW)
        assert ran.code == 0, ran.err
        return len(json.loads(ran.out))

    assert found(own) == 2
    assert found(f"{own} and first_name = 'Contact 1'") == 1
    assert found(f"{own} and score >= 50 and owner is anna") == 2
    assert found(f"{own} and tagged VIP") == 0
    assert found(f"{own} and not tagged VIP") == 2
    assert macli(noun, "list", "--where", f"{own} and colour of tie = 1", at=NOW).code == 2


def test_who_has_left_gets_no_task(workspace: Path, macli: Run) -> None:
    macli("staff", "add", "anna")
    macli("staff", "edit", "anna", "--off")
    ran = macli("task", "add", "Call", "--for", "anna")
    assert ran.code == 1
    assert "has left" in ran.err
