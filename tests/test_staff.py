"""Staff: who works here, in which roles and groups, and what becomes of what they had."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from macli.clock import to_ms
from macli.people import leaving
from macli.people.owning import set_owner_where
from macli.store import Store, owners, staff
from tests.conftest import Run
from tests.world import NOW, World, add_contacts, new_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = new_world(tmp_path / "shop")
    add_contacts(made.store, 3)
    for name in ("anna", "marek"):
        staff.add(made.store, NOW, name)
    return made


def test_p10_staff_have_roles_and_groups_that_come_and_go(workspace: Path, macli: Run) -> None:
    macli("staff", "add", "Anna", "--full-name", "Anna Nowak", "--email", "Anna@Shop.example", "--role", "Intern")
    macli("staff", "edit", "anna", "--role", "sales", "--no-role", "intern", "--group", "North", "--group", "VIP desk")
    shown = json.loads(macli("staff", "show", "ANNA", "--json").out)
    assert {name: shown[name] for name in ("name", "full_name", "email", "roles", "groups", "active")} == {
        "name": "Anna",
        "full_name": "Anna Nowak",
        "email": "anna@shop.example",
        "roles": ["sales"],
        "groups": ["North", "VIP desk"],
        "active": True,
    }
    macli("staff", "add", "marek", "--group", "north")
    assert json.loads(macli("staff", "groups", "--json").out) == [
        {"name": "North", "members": 2, "who": ["Anna", "marek"]},
        {"name": "VIP desk", "members": 1, "who": ["Anna"]},
    ]
    assert [row["name"] for row in json.loads(macli("staff", "list", "--group", "vip desk", "--json").out)] == ["Anna"]
    assert [row["name"] for row in json.loads(macli("staff", "list", "--role", "SALES", "--json").out)] == ["Anna"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (("add", "ANNA"), "on the staff already"),
        (("add", " "), "needs a name"),
        (("add", "x", "--email", "nonsense"), "is no e-mail address"),
        (("add", "x", "--role", ""), "a role needs a name"),
        (("edit", "anna"), "nothing to change"),
        (("edit", "ana", "--role", "x"), "did you mean 'anna'"),
        (("edit", "anna", "--no-role", "sale"), "did you mean 'sales'"),
        (("edit", "anna", "--no-group", "nord"), "did you mean 'north'"),
        (("edit", "anna", "--rename", "Marek"), "on the staff already"),
        (("list", "--group", "nord"), "did you mean 'north'"),
        (("rm", "anna", "--hand-over", "anna"), "cannot take over from themselves"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(workspace: Path, macli: Run, line: tuple, says: str) -> None:
    macli("staff", "add", "anna", "--role", "sales", "--group", "north")
    macli("staff", "add", "marek")
    before = macli("staff", "list", "--left", "--json").out
    ran = macli("staff", *line)
    assert ran.code == 2
    assert says in ran.err
    assert macli("staff", "list", "--left", "--json").out == before


def test_an_empty_value_takes_it_away(workspace: Path, macli: Run) -> None:
    macli("staff", "add", "anna", "--email", "a@shop.example", "--phone", "+14165550123")
    macli("staff", "edit", "anna", "--email", "", "--rename", "anne")
    shown = json.loads(macli("staff", "show", "anne", "--json").out)
    assert (shown["email"], shown["phone"]) == (None, "+14165550123")


# Leaving


def give(store: Store, name: str) -> None:
    """Contacts 1 and 2, an open task about 3, an open deal with 3, an owner rule, and a co-ownership of 3."""
    member = staff.get(store, name)["id"]
    set_owner_where(store, NOW, "SELECT id FROM contacts WHERE id < 3", {}, member, "main", "test", told=False)
    set_owner_where(store, NOW, "SELECT 3 AS id", {}, member, "co", "test", told=False)
    facts = {"member": member, "now": to_ms(NOW)}
    with store.write():
        for table, columns in (
            ("tasks", "(contact_id, assignee_id, title, source, created_at, updated_at)"),
            ("deals", "(contact_id, owner_id, title, source, created_at, updated_at)"),
        ):
            store.execute(f"INSERT INTO {table} {columns} VALUES (3, :member, 'x', 'test', :now, :now)", facts)
    owners.add_rule(store, NOW, "all", owners.Target(staff_id=member), None)


def test_who_has_something_to_do_cannot_just_go(workspace: Path, macli: Run) -> None:
    macli("staff", "add", "anna")
    macli("contact", "add", "a@example.com")
    macli("owner", "set", "a@example.com", "anna")
    ran = macli("staff", "rm", "anna")
    assert ran.code == 1
    assert "still has 1 contact" in ran.err
    assert "--hand-over OTHER" in ran.err
    assert macli("staff", "show", "anna").code == 0


def test_what_somebody_has_is_handed_over_only_after_a_yes(workspace: Path, macli: Run) -> None:
    macli("staff", "add", "anna")
    macli("staff", "add", "marek")
    macli("contact", "add", "a@example.com")
    macli("owner", "set", "a@example.com", "anna")
    ran = macli("staff", "rm", "anna", "--hand-over", "marek")
    assert ran.code == 2
    assert "this needs a yes: take anna off the staff and give marek 1 contact?" in ran.err
    assert "cannot take over from themselves" in macli("staff", "rm", "anna", "--hand-over", "anna").err
    assert "anna" in macli("owner", "show", "a@example.com").out
    assert "1 contact went to marek" in macli("staff", "rm", "anna", "--hand-over", "marek", "--yes").out


def test_rules_look_again_at_whom_somebody_who_leaves_only_helped_with(world: World) -> None:
    store, later = world.store, NOW + timedelta(hours=1)
    set_owner_where(store, NOW, "SELECT 3 AS id", {}, staff.get(store, "anna")["id"], "co", "test", told=False)
    leaving.leave(store, later, "anna")
    assert [row["id"] for row in store.rows("SELECT id FROM contacts WHERE updated_at = ?", (to_ms(later),))] == [3]


def test_what_somebody_had_is_handed_over_without_an_event(world: World) -> None:
    store = world.store
    give(store, "anna")
    left = leaving.leave(store, NOW, "anna", hand_over="marek")
    assert left.handed == {"contact": 2, "open task": 1, "open deal": 1}
    marek = staff.get(store, "marek")["id"]
    assert [tuple(row) for row in store.rows("SELECT contact_id, staff_id, kind FROM owners ORDER BY 1")] == [
        (1, marek, "main"),
        (2, marek, "main"),
    ]
    for column, table in (("assignee_id", "tasks"), ("owner_id", "deals"), ("staff_id", "owner_rules")):
        assert store.value(f"SELECT {column} FROM {table}") == marek
    assert store.value("SELECT count(*) FROM events") == 0
    assert staff.find(store, "anna") is None
    assert not left.kept


def test_whom_history_names_is_kept_as_one_who_has_left(world: World) -> None:
    store = world.store
    anna = staff.get(store, "anna")["id"]
    with store.write():
        store.execute(
            """
            INSERT INTO notes (contact_id, text, folded, author_id, source, created_at)
            VALUES (1, 'hi', 'hi', ?, 'test', 0)
            """,
            (anna,),
        )
    left = leaving.leave(store, NOW, "anna")
    assert left.kept
    assert [row["name"] for row in staff.list_all(store)] == ["marek"]
    assert [row["name"] for row in staff.list_all(store, left=True)] == ["anna", "marek"]
    staff.edit(store, NOW, "anna", active=True)
    assert staff.get_active(store, "anna")["id"] == anna


def test_whom_a_rule_or_a_campaign_names_is_kept_and_not_renamed(workspace: Path, macli: Run) -> None:
    macli("staff", "add", "anna")
    macli("staff", "add", "ann")
    macli("segment", "create", "hers", "--rule", "owner is Anna")
    ran = macli("staff", "edit", "anna", "--rename", "anne")
    assert ran.code == 1
    assert "named by the segment 'hers'" in ran.err
    assert macli("staff", "edit", "ann", "--rename", "Annie").code == 0
    assert macli("staff", "edit", "anna", "--rename", "ANNA").code == 0
    assert "the segment 'hers' still names ANNA" in macli("staff", "rm", "anna").out
    assert macli("segment", "show", "hers").code == 0


NAMING = (
    ("segment", "create", "hers", "--rule", "has note by 'O\\'BRIEN' or owner in group north"),
    ("points", "rule", "add", "hers", "--event", "email.opened", "--points", "1", "--for", 'owned by "o\'brien"'),
    ("points", "rule", "add", "ours", "--event", "owner.changed", "--points", "1", "--with", 'staff = "O\'Brien"'),
    ("owner", "rule", "add", "hers", "--to", "marek", "--where", 'co-owner is "O\'Brien"'),
)


@pytest.mark.parametrize("naming", NAMING, ids=lambda naming: " ".join(naming))
def test_whatever_names_somebody_in_a_rule_keeps_the_name(workspace: Path, macli: Run, naming: tuple[str, ...]) -> None:
    for name in ("O'Brien", "marek"):
        assert macli("staff", "add", name, "--group", "north").code == 0
    ran = macli(*naming)
    assert ran.code == 0, ran.err
    ran = macli("staff", "edit", "O'Brien", "--rename", "Ob")
    assert ran.code == 1
    assert f"rule {naming[3]!r}" in ran.err or "the segment 'hers'" in ran.err
    assert "still names O'Brien" in macli("staff", "rm", "O'Brien").out


@pytest.mark.parametrize(
    "step", ["owner: O'Brien", "owner: {staff: o'brien, kind: co}", "task: {title: x, staff: O'Brien}"]
)
def test_a_campaign_s_step_keeps_the_name_of_whom_it_names(workspace: Path, macli: Run, step: str) -> None:
    macli("staff", "add", "O'Brien")
    (workspace / "c.yaml").write_text(f"name: spring\nentry: {{rule: everyone}}\nsteps:\n  - {step}\n", "utf-8")
    ran = macli("apply", "c.yaml")
    assert ran.code == 0, ran.err
    assert "named by the campaign 'spring'" in macli("staff", "edit", "O'Brien", "--rename", "Ob").err


def test_a_tag_that_is_called_like_somebody_names_nobody(workspace: Path, macli: Run) -> None:
    macli("staff", "add", "anna")
    macli("segment", "create", "hers", "--rule", "tagged anna")
    assert macli("staff", "edit", "anna", "--rename", "anne").code == 0


def test_a_rule_that_asks_for_a_group_goes_on_when_nobody_is_in_it_any_more(workspace: Path, macli: Run) -> None:
    macli("staff", "add", "anna", "--group", "north")
    macli("contact", "add", "ann@example.com")
    macli("segment", "create", "theirs", "--rule", "not owner in group North")
    macli("staff", "edit", "anna", "--no-group", "north")
    assert macli("segment", "show", "theirs").code == 0
    listed = macli("contact", "list", "--where", "in segment theirs", "--json")
    assert [row["email"] for row in json.loads(listed.out)] == ["ann@example.com"]
    assert macli("segment", "preview", "--rule", "owner in group north").code == 2


def test_who_has_left_becomes_nobody_s_owner(world: World) -> None:
    staff.edit(world.store, NOW, "anna", active=False)
    anna = staff.get(world.store, "anna")["id"]
    assert set_owner_where(world.store, NOW, "SELECT id FROM contacts", {}, anna, "main", "test") == 0
    assert world.store.value("SELECT count(*) FROM owners") == 0


def test_nothing_is_handed_to_who_has_left(workspace: Path, macli: Run) -> None:
    macli("staff", "add", "anna")
    macli("staff", "add", "marek")
    macli("staff", "edit", "marek", "--off")
    assert macli("staff", "rm", "anna", "--hand-over", "marek").code == 1
