"""Notes: once an event, private ones only for who wrote them, whatever people type."""

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from macli import selection, texts
from macli.errors import UsageError
from macli.people import noting
from macli.store import access, notes, staff
from macli.tick.tick import run_tick
from tests.conftest import Run
from tests.people import add_staff
from tests.world import NOW, World, add_campaign, add_contacts, new_world

EVERYBODY = "SELECT id FROM contacts"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 3)
    add_staff(world.store, "Łucja", "ben")
    return world


def staff_id(world: World, name: str) -> int:
    return int(staff.get(world.store, name)["id"])


def said(world: World, name: str = "note.added") -> list[tuple[int, dict]]:
    rows = world.store.rows("SELECT contact_id, properties FROM events WHERE name = ? ORDER BY id", (name,))
    return [(row["contact_id"], json.loads(row["properties"])) for row in rows]


def selected(world: World, rule: str) -> list[int]:
    found = selection.where_of(world.store, rule, NOW, world.engine().zone)
    rows = world.store.rows(f"SELECT id FROM contacts WHERE {found.sql} ORDER BY id", found.params)
    return [row["id"] for row in rows]


def test_e15_a_note_is_an_event_once_with_its_text_and_author(world: World) -> None:
    noting.add(world.store, NOW, 2, "Wants an offer", "cli", author_id=staff_id(world, "łucja"))
    assert said(world) == [(2, {"note": 1, "text": "Wants an offer", "private": False, "author": "Łucja"})]


def test_e15_a_campaign_lets_in_whom_such_a_note_is_about(world: World) -> None:
    event = {"name": "note.added", "where": 'text contains "WANTS AN OFFER" and author = "ŁUCJA"'}
    add_campaign(world.store, entry={"event": event}, steps=[{"tag": "offer"}])
    noting.add(world.store, NOW, 1, "Said she wants an offer", "cli", author_id=staff_id(world, "łucja"))
    noting.add(world.store, NOW, 2, "Said he wants an offer", "cli", author_id=staff_id(world, "ben"))
    noting.add(world.store, NOW, 3, "Nothing", "cli", author_id=staff_id(world, "łucja"))
    run_tick(world.engine())
    assert selected(world, "tagged OFFER") == [1]


def test_t4_many_contacts_get_a_note_at_once(world: World) -> None:
    assert noting.note_where(world.store, NOW, f"{EVERYBODY} WHERE id > 1", {}, "Met at the fair", "cli") == 2
    assert [(contact, event["note"]) for contact, event in said(world)] == [(2, 1), (3, 2)]
    assert noting.note_where(world.store, NOW, f"{EVERYBODY} WHERE id > 9", {}, "Met at the fair", "cli") == 0
    assert len(said(world)) == 2


def test_c13_rules_ask_for_notes_by_words_and_author(world: World) -> None:
    noting.add(world.store, NOW, 1, "Zażółć GĘŚLĄ jaźń", "cli", author_id=staff_id(world, "łucja"))
    assert selected(world, 'has note containing "gęślą"') == [1]
    assert selected(world, 'has note containing "gęślą" by ben') == []
    noting.edit(world.store, NOW, 1, "Something else")
    assert selected(world, 'has note containing "gęślą"') == []
    noting.remove(world.store, NOW, 1)
    assert selected(world, "has no note") == [1, 2, 3]


def test_a_private_note_counts_in_no_rule_whoever_asks(world: World) -> None:
    lucja = staff_id(world, "łucja")
    noting.add(world.store, NOW, 1, "Between us: a divorce", "cli", private=True, author_id=lucja)
    noting.add(world.store, NOW, 2, "For all: a wedding", "cli", author_id=lucja)
    assert selected(world, "has note") == [2]
    assert selected(world, "has note containing divorce or has note containing wedding by łucja") == [2]
    assert selected(world, "has no note") == [1, 3]
    asked = selection.entity_where(world.store, "note", "has note", NOW, world.engine().zone)
    assert [row["contact_id"] for row in notes.listed(world.store, asked)] == [2]


def test_a_private_note_is_read_by_its_author_and_who_may_do_everything_alone(world: World) -> None:
    staff.edit(world.store, NOW, "ben", roles=["admin"])
    add_staff(world.store, "eve")
    mine = noting.add(world.store, NOW, 1, "Between us", "cli", private=True, author_id=staff_id(world, "łucja"))
    nobodys = noting.add(world.store, NOW, 1, "Nobody's", "cli", private=True)
    open_ = noting.add(world.store, NOW, 1, "For all", "cli")
    read = {
        name: {row["id"] for row in notes.listed(world.store, notes.readable_by(who))}
        for name, who in [(None, None), *((one, access.acting(world.store, one)) for one in ("łucja", "ben", "eve"))]
    }
    assert read == {
        None: {mine, nobodys, open_},
        "łucja": {mine, open_},
        "ben": {mine, nobodys, open_},
        "eve": {open_},
    }
    assert said(world)[0][1] == {"note": mine, "private": True, "author": "Łucja"}
    with pytest.raises(UsageError, match="there is no note"):
        noting.edit(world.store, NOW, mine, "Seen", notes.readable_by(access.acting(world.store, "eve")))
    with pytest.raises(UsageError, match="there is no note"):
        noting.remove(world.store, NOW, mine, notes.readable_by(access.acting(world.store, "eve")))


def test_a_note_thrown_away_leaves_no_words_in_the_log(world: World) -> None:
    author = staff_id(world, "łucja")
    gone = noting.add(world.store, NOW, 1, "Not what I meant: GĘŚ", "cli", author_id=author)
    noting.add(world.store, NOW, 1, "Stays: GĘŚ", "cli", author_id=author)
    noting.remove(world.store, NOW, gone)
    log = world.store.rows("SELECT properties, folded FROM events WHERE name = 'note.added' ORDER BY id")
    assert "meant" not in log[0]["properties"] + log[0]["folded"]
    assert json.loads(log[0]["folded"]) == {"author": "łucja"}
    assert json.loads(log[1]["folded"])["text"] == "stays: gęś"


def test_what_changes_about_notes_is_looked_at_again(world: World) -> None:
    noting.add(world.store, NOW, 1, "One", "cli")
    later = NOW.replace(hour=12)
    noting.edit(world.store, later, 1, "Two")
    changed = world.store.rows("SELECT id FROM contacts WHERE updated_at > (SELECT min(updated_at) FROM contacts)")
    assert [row["id"] for row in changed] == [1]


@pytest.mark.parametrize("text", ["", " \n\t", "\x00\x1b", "x" * (texts.LONGEST_TEXT + 1)])
def test_a_note_without_words_or_with_too_many_is_refused(world: World, text: str) -> None:
    with pytest.raises(UsageError, match=r"empty|too many"):
        noting.add(world.store, NOW, 1, text, "cli")
    assert said(world) == []


@given(text=st.text(max_size=300))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_kept_whole_but_for_what_moves_a_cursor(world: World, text: str) -> None:
    if not texts.clean(text):
        return
    number = noting.add(world.store, NOW, 1, text, "cli")
    kept = notes.get(world.store, number)["text"]
    assert kept == texts.clean(text) == texts.clean(kept)
    assert not any((ord(sign) < 32 and sign not in "\n\t") or 127 <= ord(sign) < 160 for sign in kept)
    assert said(world)[-1][1]["text"] == kept


def test_notes_on_the_command_line(workspace: Path, macli: Run) -> None:
    macli("contact", "add", "ann@example.com")
    macli("staff", "add", "anna")
    assert macli("note", "add", "ann@example.com", "Likes tea", "--as", "anna").out == "wrote note 1\n"
    assert macli("note", "add", "ann@example.com", "-", "--private", "--by", "anna", stdin="a\nb\n").code == 0
    listed = json.loads(macli("note", "list", "--json").out)
    assert [(row["author"], row["private"], row["text"]) for row in listed] == [
        ("anna", True, "a\nb"),
        ("anna", False, "Likes tea"),
    ]
    only = json.loads(macli("note", "list", "--where", "text contains tea and private = no", "--json").out)
    assert [row["id"] for row in only] == [1]
    assert macli("note", "add", "ann@example.com", "-", stdin=b"a\xffb").code == 0
    assert json.loads(macli("note", "show", "3", "--json").out)["text"] == "a\ufffdb"
    assert "Likes tea" in macli("note", "show", "1").out
    assert macli("note", "edit", "1", "Likes coffee").code == 0
    assert macli("note", "list", "--contact", "ann@example.com", "--limit", "1", "--json").out.count('"id"') == 1
    assert macli("note", "rm", "1").code == 0
    gone = macli("note", "show", "1")
    assert (gone.code, "macli note list" in gone.err) == (2, True)
    for wrong in (
        ("note", "add", "nobody@example.com", "x"),
        ("note", "add", "ann@example.com", ""),
        ("note", "add", "ann@example.com", "x", "--by", "nobody"),
        ("note", "list", "--where", "text contain x"),
    ):
        assert macli(*wrong).code == 2, wrong


def test_a_note_moves_no_cursor_on_a_terminal_and_is_no_formula_in_a_table(workspace: Path, macli: Run) -> None:
    macli("contact", "add", "ann@example.com")
    for text in ("=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", "\u202etxt.exe"):
        assert macli("note", "add", "ann@example.com", "--", text).code == 0
    assert "\u202e" not in macli("note", "list").out
    rows = list(csv.DictReader(io.StringIO(macli("note", "list", "--format", "csv").out)))
    assert [row["text"][:1] for row in rows] == ["\u202e", "'", "'", "'", "'"]
