"""Owners: who answers for a contact, what is told of it, and who gets the new ones."""

import json
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from macli import contacts
from macli.clock import to_ms
from macli.errors import OperationFailed
from macli.people import assigning
from macli.people.owning import remove_owner_where, set_owner_where
from macli.store import open_store, owners, staff
from macli.tick import chores
from tests.conftest import Run
from tests.world import NOW, World, add_contacts, new_world

EVERYBODY = "SELECT id FROM contacts"
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = new_world(tmp_path / "shop")
    add_contacts(made.store, 4)
    for name in ("anna", "marek", "Łukasz"):
        staff.add(made.store, NOW, name, groups=["north"] if name != "marek" else ())
    return made


def own(world: World, name: str, kind: Any = "main", ids: str = EVERYBODY, **more: Any) -> int:
    staff_id = staff.get(world.store, name)["id"]
    return set_owner_where(world.store, LATER, ids, {}, staff_id, kind, "test", **more)


def owned(world: World) -> list[tuple[int, str, str]]:
    rows = world.store.rows(
        """
        SELECT owners.contact_id, staff.name, owners.kind
        FROM owners
        JOIN staff ON staff.id = owners.staff_id
        ORDER BY 1, 3 DESC, 2
        """
    )
    return [tuple(row) for row in rows]


def told(world: World) -> list[tuple[int, dict]]:
    rows = world.store.rows("SELECT contact_id, properties FROM events WHERE name = 'owner.changed' ORDER BY id")
    return [(row["contact_id"], json.loads(row["properties"])) for row in rows]


def touched(world: World) -> list[int]:
    return [row["id"] for row in world.store.rows("SELECT id FROM contacts WHERE updated_at = ?", (to_ms(LATER),))]


def test_e16_a_new_main_owner_replaces_the_one_before_and_is_told_of(world: World) -> None:
    assert own(world, "anna", ids="SELECT 1 AS id") == 1
    assert own(world, "marek", ids="SELECT 1 AS id") == 1
    assert owned(world) == [(1, "marek", "main")]
    assert told(world) == [
        (1, {"kind": "main", "staff": "anna", "old": None}),
        (1, {"kind": "main", "staff": "marek", "old": "anna"}),
    ]
    assert touched(world) == [1]


def test_e16_the_same_owner_again_is_no_event_and_no_change(world: World) -> None:
    own(world, "anna", ids="SELECT 1 AS id")
    assert own(world, "anna") == 3
    assert len(told(world)) == 4
    assert own(world, "anna") == own(world, "anna", "co") == 0
    assert len(told(world)) == 4


def test_e16_a_co_owner_comes_beside_the_main_one(world: World) -> None:
    own(world, "anna", ids="SELECT 1 AS id")
    assert own(world, "Łukasz", "co", ids="SELECT 1 AS id") == 1
    assert owned(world) == [(1, "anna", "main"), (1, "Łukasz", "co")]
    assert told(world)[-1] == (1, {"kind": "co", "staff": "Łukasz", "old": None})


def test_c08_a_co_owner_who_becomes_the_main_one_is_no_co_owner_any_more(world: World) -> None:
    own(world, "anna", ids="SELECT 1 AS id")
    own(world, "marek", "co", ids="SELECT 1 AS id")
    own(world, "marek", ids="SELECT 1 AS id")
    assert owned(world) == [(1, "marek", "main")]


def test_an_owner_is_taken_away_without_an_event(world: World) -> None:
    own(world, "anna", ids="SELECT 1 AS id", told=False)
    own(world, "marek", "co", ids="SELECT 1 AS id", told=False)
    for name in ("anna", "marek"):
        staff_id = staff.get(world.store, name)["id"]
        assert remove_owner_where(world.store, LATER, EVERYBODY, {}, staff_id) == 1
    assert owned(world) == []
    assert told(world) == []


def test_e16_changing_many_by_command_is_told_of_only_when_asked(workspace: Path, macli: Run) -> None:
    for name in ("a", "b"):
        macli("contact", "add", f"{name}@example.com")
    macli("staff", "add", "anna")
    macli("staff", "add", "marek")
    assert macli("owner", "set", "--where", "has email", "anna").code == 2  # it asks, and nobody answers
    assert macli("owner", "show", "a@example.com").out == "nobody owns a@example.com\n"
    assert macli("owner", "set", "--where", "has email", "anna", "--yes").out == (
        "anna is now main owner of 2 more contacts\n"
    )
    assert macli("event", "list", "--name", "owner.changed", "--json").out == "[]\n"
    macli("owner", "set", "--where", "has email", "marek", "--yes", "--fire-events")
    assert len(json.loads(macli("event", "list", "--name", "owner.changed", "--json").out)) == 2
    macli("owner", "set", "a@example.com", "anna")
    assert len(json.loads(macli("event", "list", "--name", "owner.changed", "--json").out)) == 3
    assert [row["email"] for row in json.loads(macli("owner", "list", "marek", "--json").out)] == ["b@example.com"]


def write_campaign(folder: Path, macli: Run, text: str) -> None:
    (folder / "c").mkdir()
    (folder / "c" / "campaign.yaml").write_text(text)
    for line in (("apply", "c"), ("campaign", "activate", "hand-over")):
        ran = macli(*line)
        assert ran.code == 0, ran


def test_t3_a_contact_is_handed_over_to_sales_only_at_the_threshold(workspace: Path, macli: Run) -> None:
    macli("staff", "add", "anna")
    macli("points", "rule", "add", "buys", "--event", "order.paid", "--points", "50")
    write_campaign(
        workspace,
        macli,
        "name: hand-over\nentry: {whenever: score >= 100}\nsteps: [owner: anna, task: {title: call}]\n",
    )
    macli("contact", "add", "a@example.com")
    for owner, tasks in (("[]\n", 0), (None, 1)):
        macli("event", "add", "a@example.com", "order.paid")
        macli("tick")
        shown = macli("owner", "list", "anna", "--kind", "main", "--json").out
        assert shown == owner if owner else json.loads(shown)[0]["email"] == "a@example.com"
        assert len(json.loads(macli("task", "list", "--for", "anna", "--json").out)) == tasks


def test_e16_a_campaign_begins_with_a_new_owner(workspace: Path, macli: Run) -> None:
    macli("staff", "add", "anna")
    macli("staff", "add", "marek")
    write_campaign(
        workspace,
        macli,
        "name: hand-over\nentry: {event: {name: owner.changed, where: kind = main and staff = marek}}\n"
        "steps: [tag: MAREKS]\n",
    )
    for name, owner in (("a", "anna"), ("b", "marek")):
        macli("contact", "add", f"{name}@example.com")
        macli("owner", "set", f"{name}@example.com", owner)
    macli("tick")
    tagged = json.loads(macli("contact", "list", "--where", "tagged MAREKS", "--json").out)
    assert [contact["email"] for contact in tagged] == ["b@example.com"]


def test_who_has_left_gets_no_contacts(workspace: Path, macli: Run) -> None:
    macli("contact", "add", "a@example.com")
    macli("staff", "add", "anna")
    macli("staff", "edit", "anna", "--off")
    ran = macli("owner", "set", "a@example.com", "anna")
    assert ran.code == 1
    assert "has left the staff" in ran.err


# Assignment


def rule(world: World, name: str, *, to: str | None = None, group: str | None = None, where: str | None = None) -> None:
    owners.add_rule(world.store, NOW, name, owners.target(world.store, to, group), where)


def due(world: World) -> bool:
    [chore] = [chore for chore in chores.CHORES if chore.name == "owners"]
    return chores.is_due(world.engine(LATER), chore)


def chore(world: World) -> int:
    return assigning.chore(world.engine(LATER), lambda who, why: None)


def counted(world: World) -> Counter[str]:
    return Counter(name for _, name, _ in owned(world))


def test_new_contacts_get_the_owner_of_the_first_rule_that_fits(world: World) -> None:
    rule(world, "low", to="anna", where="number < 6")
    rule(world, "rest", to="marek")
    add_contacts(world.store, 4, start=4)
    assert due(world)
    assert chore(world) == 4
    assert owned(world) == [(5, "anna", "main"), (6, "anna", "main"), (7, "marek", "main"), (8, "marek", "main")]
    assert not due(world)
    assert touched(world) == [5, 6, 7, 8]


def test_e16_the_owner_a_contact_begins_with_is_no_event(world: World) -> None:
    rule(world, "all", to="anna")
    contacts.add(world.store, NOW, {"email": "new@example.com"}, source="test")
    assert chore(world) == 1
    assert told(world) == []


def test_contacts_there_before_the_first_rule_are_left_to_assign(world: World) -> None:
    rule(world, "all", to="anna")
    assert not due(world)
    assert chore(world) == 0


def test_who_has_an_owner_already_keeps_it(world: World) -> None:
    rule(world, "all", to="anna")
    add_contacts(world.store, 2, start=4)
    own(world, "marek", ids="SELECT 5 AS id")
    assert chore(world) == 1
    assert owned(world) == [(5, "marek", "main"), (6, "anna", "main")]


def test_no_rule_costs_nothing_and_looks_at_nobody(world: World) -> None:
    add_contacts(world.store, 2, start=4)
    assert not due(world)


def test_turns_are_fair_however_the_contacts_come(world: World) -> None:
    staff.edit(world.store, NOW, "marek", groups=["north"])
    rule(world, "turns", group="north")
    for size in (1, 1, 2, 5, 3, 1, 4):
        add_contacts(world.store, size, start=int(world.store.value("SELECT count(*) FROM contacts")))
        chore(world)
        shares = counted(world)
        assert max(shares.values()) - min(shares.get(name, 0) for name in ("anna", "marek", "Łukasz")) <= 1
    assert sum(counted(world).values()) == 17


def test_who_has_left_takes_no_turn(world: World) -> None:
    rule(world, "turns", group="north")
    rule(world, "rest", to="marek")
    staff.edit(world.store, NOW, "anna", active=False)
    add_contacts(world.store, 4, start=4)
    chore(world)
    assert counted(world) == {"Łukasz": 4}
    staff.edit(world.store, NOW, "Łukasz", active=False)
    add_contacts(world.store, 1, start=8)
    chore(world)
    assert counted(world) == {"Łukasz": 4, "marek": 1}


def test_turns_stay_fair_when_many_write_at_once(world: World) -> None:
    rule(world, "turns", group="north")
    failed: list[Exception] = []

    def work(number: int) -> None:
        try:
            with open_store(world.path / "macli.db") as store:
                mine = World(path=world.path, store=store)
                for place in range(10):
                    contacts.add(store, NOW, {"email": f"w{number}-{place}@example.com"}, source="test")
                    chore(mine)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert counted(world) == {"anna": 20, "Łukasz": 20}


def test_a_number_given_again_after_a_purge_is_a_new_contact_all_the_same(world: World) -> None:
    rule(world, "all", to="anna")
    add_contacts(world.store, 1, start=4)
    chore(world)
    contacts.purge_where(world.store, NOW, "SELECT 5 AS id", {})
    add_contacts(world.store, 1, start=5)
    assert world.store.value("SELECT max(id) FROM contacts") == 5
    assert due(world)
    assert chore(world) == 1


def test_the_new_are_assigned_at_the_cost_of_the_new(world: World) -> None:
    rule(world, "low", to="anna", where="number < 6")
    rule(world, "turns", group="north")
    chore(world)
    costs = []
    for others in (0, 20_000):
        add_contacts(world.store, others, start=int(world.store.value("SELECT count(*) FROM contacts")))
        chore(world)
        add_contacts(world.store, 10, start=int(world.store.value("SELECT count(*) FROM contacts")))
        steps = [0]

        def count(steps: list[int] = steps) -> None:
            steps[0] += 1

        world.store.connection.set_progress_handler(count, 100)
        assert chore(world) == 10
        world.store.connection.set_progress_handler(None, 0)
        costs.append(steps[0])
    assert costs[1] < 2 * costs[0]


def test_those_there_already_are_assigned_by_command(workspace: Path, macli: Run) -> None:
    for name in ("a", "b", "c"):
        macli("contact", "add", f"{name}@example.com")
    macli("staff", "add", "anna", "--group", "north")
    macli("staff", "add", "marek", "--group", "north")
    macli("owner", "rule", "add", "turns", "--round-robin", "north")
    shown = macli("owner", "assign", "--where", "email != 'c@example.com'", "--dry-run", "--json")
    given = [{"rule": "turns", "owner": "anna", "contacts": 1}, {"rule": "turns", "owner": "marek", "contacts": 1}]
    assert json.loads(shown.out) == given
    assert macli("owner", "list", "anna", "--json").out == "[]\n"
    assert json.loads(macli("owner", "assign", "--yes", "--json").out) == [
        {"rule": "turns", "owner": "anna", "contacts": 2},
        {"rule": "turns", "owner": "marek", "contacts": 1},
    ]
    assert macli("owner", "assign").out == "no contact without an owner fits a rule\n"
    assert macli("event", "list", "--name", "owner.changed", "--json").out == "[]\n"


def test_rules_are_listed_moved_changed_and_forgotten(workspace: Path, macli: Run) -> None:
    macli("staff", "add", "anna", "--group", "North")
    macli("owner", "rule", "add", "one", "--to", "anna", "--where", "has email")
    macli("owner", "rule", "add", "two", "--round-robin", "north")
    macli("owner", "rule", "move", "two", "1")
    macli("owner", "rule", "edit", "one", "--round-robin", "NORTH", "--where", "", "--off")
    assert json.loads(macli("owner", "rule", "list", "--json").out) == [
        {"position": 1, "name": "two", "to": None, "round_robin": "North", "where": None, "active": True},
        {"position": 2, "name": "one", "to": None, "round_robin": "North", "where": None, "active": False},
    ]
    assert macli("owner", "rule", "rm", "two").code == 0
    assert macli("owner", "rule", "add", "ONE", "--to", "anna").code == 2


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (("add", "x"), "--to STAFF, or --round-robin GROUP"),
        (("add", "x", "--to", "anna", "--round-robin", "north"), "--to STAFF, or --round-robin GROUP"),
        (("add", "x", "--to", "ana"), "did you mean 'anna'"),
        (("add", "x", "--round-robin", "nord"), "did you mean 'north'"),
        (("add", "x", "--to", "anna", "--where", "email is"), "email is"),
        (("edit", "x", "--to", "anna"), "no owner rule named 'x'"),
        (("move", "x", "1"), "no owner rule named 'x'"),
    ],
)
def test_a_rule_that_says_nothing_useful_is_refused(workspace: Path, macli: Run, line: tuple, says: str) -> None:
    macli("staff", "add", "anna", "--group", "north")
    ran = macli("owner", "rule", *line)
    assert ran.code == 2
    assert says in ran.err


def test_what_a_rule_of_owners_or_points_names_is_not_removed_or_renamed(workspace: Path, macli: Run) -> None:
    def ok(*args: str) -> None:
        ran = macli(*args)
        assert ran.code == 0, ran.err

    ok("staff", "add", "anna")
    ok("funnel", "create", "Sales", "--stages", "Lead, Offer")
    ok("segment", "create", "best", "--static")
    ok("owner", "rule", "add", "hers", "--to", "anna", "--where", "in segment best or in funnel Sales")
    ok("points", "rule", "add", "visits", "--event", "page.visited", "--points", "2", "--for", "in segment best")
    for args in (("rm", "best"), ("rename", "best", "good")):
        ran = macli("segment", *args)
        assert (ran.code, "in use by the point rule 'visits' and the owner rule 'hers'" in ran.err) == (1, True)
    for args in (("rm", "Sales", "--yes"), ("edit", "Sales", "--rename", "Selling")):
        ran = macli("funnel", *args)
        assert (ran.code, "in use by the owner rule 'hers'" in ran.err) == (1, True)
    ok("owner", "rule", "rm", "hers")
    ok("points", "rule", "rm", "visits")
    ok("segment", "rename", "best", "good")
    ok("funnel", "rm", "Sales", "--yes")


def test_a_rule_that_no_longer_reads_is_named_and_no_contact_is_passed_over(world: World) -> None:
    rule(world, "rest", to="marek")
    with world.store.write():
        world.store.execute("UPDATE owner_rules SET rule = 'in segment gone'")
    add_contacts(world.store, 1, start=4)
    with pytest.raises(OperationFailed, match="the owner rule 'rest': no segment named 'gone'"):
        chore(world)
    owners.edit_rule(world.store, NOW, "rest", {"rule": None})
    chore(world)
    assert counted(world) == {"marek": 1}
