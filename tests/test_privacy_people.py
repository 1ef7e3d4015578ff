"""Points, stages, owners, notes, tasks, deals, calls and letters in a person's record, and gone with the person."""

import json
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from macli import contacts, events
from macli.clock import to_ms
from macli.model import NewEvent
from macli.people import deals, noting, tasks
from macli.privacy import erase, export, reading, retention
from macli.store import deals as kept_deals
from macli.store import open_store, settings, staff
from tests.conftest import Run
from tests.people import add_work
from tests.test_privacy import (
    CITY,
    EMAIL,
    FORMER,
    NAME,
    PERSONAL,
    add_ann,
    contacts_row,
    erase_now,
    mail_everybody,
    traces,
)
from tests.world import NOW, World, add_contacts, new_world

KEPT = {
    "deals": "won and lost deals count in reports; their titles are gone",
    "enrollments": "ways through campaigns count in reports",
    "events": "what happened counts in reports; its words are gone",
    "sends": "messages count in reports; their addresses are gone",
}
"""Tables that may still have rows of somebody erased, and why."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = new_world(tmp_path / "shop")
    yield world
    world.store.close()


def columns_of_contacts(world: World) -> Iterator[tuple[str, str]]:
    """Each (table, column) that says which contact a row is about: by its reference, or by its name."""
    for row in world.store.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"):
        table = row["name"]
        found = {
            key["from"] for key in world.store.rows(f"PRAGMA foreign_key_list({table})") if key["table"] == "contacts"
        }
        found |= {one["name"] for one in world.store.rows(f"PRAGMA table_info({table})") if one["name"] == "contact_id"}
        yield from ((table, column) for column in sorted(found))


def rows_of(world: World, contact: int) -> dict[str, int]:
    """How many rows each table has of a contact."""
    return {
        table: int(world.store.value(f"SELECT count(*) FROM {table} WHERE {column} = ?", (contact,)))
        for table, column in columns_of_contacts(world)
    }


def add_everything(world: World) -> int:
    """A contact of whom every table has a row, in a store with others."""
    add_contacts(world.store, 2)
    ann = add_ann(world)
    mail_everybody(world)
    with world.store.write():
        world.store.execute(
            """
            INSERT INTO segments (name, name_key, kind, created_at, updated_at)
            VALUES ('best', 'best', 'static', 0, 0)
            """
        )
        world.store.execute(
            "INSERT INTO segment_members (segment_id, contact_id, entered_at) SELECT id, ?, 0 FROM segments", (ann,)
        )
    return ann


def test_p49_every_table_that_names_a_contact_is_in_the_record_and_empty_after_an_erasure(world: World) -> None:
    ann = add_everything(world)
    had = rows_of(world, ann)
    assert [table for table, rows in had.items() if not rows] == [], "fill a new table in tests/people.py"
    told = " ".join(export.LISTS.values())
    assert {table for table in had if f"FROM {table}" not in told} == set()
    record = export.record(world.store, NOW, contacts_row(world, ann))
    assert [name for name in export.LISTS if not record[name]] == []
    assert set(reading.HEADINGS) == {*export.LISTS, "suppressions"}
    erase_now(world)
    left = {table for table, rows in rows_of(world, ann).items() if rows}
    assert left == set(KEPT)
    assert [word for _, word in traces(world) if word != "203.0.113.77"] == [], "the others have that address, too"


def test_p49_grep_finds_no_word_of_what_was_written_about_a_person(world: World) -> None:
    add_ann(world)
    words = ("Annabella wants an offer", "friend of mine", "Seats for Anna", "Before you knew me", "by hand, for Anna")
    assert len({word for _, word in traces(world, words)}) == len(words)
    erase_now(world)
    assert traces(world, (*words, *PERSONAL)) == []
    done = subprocess.run(["grep", "-a", "-i", "-l", NAME, *world.path.glob("macli.db*")], capture_output=True)
    assert done.stdout == b""


def test_p49_what_is_said_before_an_erasure_counts_all_there_is(world: World) -> None:
    add_everything(world)
    counts = erase.find(world.store, EMAIL, None).counts
    for name, rows in (("notes", 2), ("tasks", 2), ("deals", 2), ("calls", 1), ("letters", 1), ("owners", 1)):
        assert counts[name] == rows, name
    assert len([name for name in counts if "points" in name or "stages" in name or "RFM" in name]) == 4


def test_p49_the_record_has_private_notes_too_and_says_so(world: World) -> None:
    ann = add_ann(world)
    found = export.record(world.store, NOW, contacts_row(world, ann))
    assert [(note["private"], note["author"]) for note in found["notes"]] == [(False, "anna"), (True, "anna")]
    assert found["owners"][0]["name"] == "anna"
    assert (found["scores"][0]["scope"], found["scores"][0]["points"]) == ("global", 70)
    assert found["points"][0]["points"] == 70
    assert [row["subject"] for row in found["letters"]] == [f"From {NAME}", "Before you knew me"]
    for text in (reading.markdown(found), reading.html(found)):
        assert all(word in text for word in ("Your letters", "friend of mine", "Seats for", "Who answers for you"))


def test_p49_the_record_is_refused_who_may_not_read_a_private_note_in_it(workspace: Path, macli: Run) -> None:
    for name, role in (("anna", "sales"), ("ben", "sales"), ("olga", "admin")):
        macli("staff", "add", name, "--role", role)
    macli("contact", "add", EMAIL)
    assert macli("contact", "export", EMAIL, "--as", "ben").code == 0
    macli("note", "add", EMAIL, "A secret of mine", "--private", "--as", "anna")
    refused = macli("contact", "export", EMAIL, "--as", "ben")
    assert (refused.code, refused.out) == (3, "")
    assert "ben (sales) may not read a private note" in refused.err
    for name in ("anna", "olga", ""):
        assert "A secret of mine" in macli("contact", "export", EMAIL, "--as", name).out


def test_p49_points_in_the_record_say_what_they_are_for(world: World) -> None:
    ann = contacts.add(world.store, NOW, {"email": EMAIL}, source="cli").contact_id
    events.record(
        world.store, NOW, [NewEvent(contact_id=ann, name="page.visited", at=to_ms(NOW), source="t", source_id="1")]
    )
    (given,) = export.record(world.store, NOW, contacts_row(world, ann))["points"]
    assert (given["scope"], given["points"], given["because_of"], given["rule"]) == (
        *("global", 2),
        *("page.visited", "page visited"),
    )


def test_p49_won_deals_count_as_they_did_and_open_ones_go(world: World) -> None:
    add_ann(world)
    before = [tuple(row) for row in kept_deals.outcomes(world.store)]
    erase_now(world)
    assert [tuple(row) for row in kept_deals.outcomes(world.store)] == before == [(None, 1, 0, 1, 1200.5, 0)]
    assert [(row["title"], row["state"], row["contact"]) for row in kept_deals.listed(world.store)] == [
        ("(erased)", "won", None)
    ]
    assert kept_deals.pipeline(world.store) == []


def test_p49_a_source_a_person_typed_goes_with_a_deal_and_a_common_one_stays(world: World) -> None:
    ann = contacts.add(world.store, NOW, {"email": EMAIL}, source="cli").contact_id
    for source in ("cli", f"card of {NAME}"):
        deals.close(world.store, NOW, deals.add(world.store, NOW, "Seats", source, contact_id=ann), "won", "cli")
    erase_now(world)
    assert [row["source"] for row in kept_deals.listed(world.store)] == ["erased", "cli"]


def test_p49_what_is_written_about_others_loses_the_address_alone(world: World) -> None:
    add_contacts(world.store, 1)
    contacts.add(world.store, NOW, {"email": EMAIL}, source="cli")
    noting.add(world.store, NOW, 1, f"Sent by {EMAIL.upper()}, not by x{EMAIL}", "cli")
    task = tasks.add(world.store, NOW, f"Write to {EMAIL}", "cli", contact_id=1)
    with world.store.write():
        world.store.execute(
            """
            INSERT INTO mails (contact_id, mailbox, message_key, sender, recipient, body, at, created_at)
            VALUES (1, '', 'k', 'c0@example.com', ?, ?, 0, 0)
            """,
            (EMAIL, f"My friend is {EMAIL}"),
        )
    erase_now(world)
    note = world.store.row("SELECT text, folded FROM notes")
    assert tuple(note) == (f"Sent by (erased), not by x{EMAIL}", f"sent by (erased), not by x{EMAIL}")
    assert world.store.value("SELECT title FROM tasks WHERE id = ?", (task,)) == "Write to (erased)"
    assert tuple(world.store.row("SELECT recipient, body FROM mails")) == ("(erased)", "My friend is (erased)")


def test_p49_letters_of_an_address_nobody_has_are_erased_by_it(workspace: Path, macli: Run) -> None:
    letter = f"From: {EMAIL}\nSubject: Hello\nMessage-ID: <1@x>\n\nI live in {CITY}.\n"
    assert macli("mail", "ingest", "-", stdin=letter).code == 0
    assert macli("contact", "erase", EMAIL, "--yes").out.startswith(f"erased {EMAIL}: 1 mentions")
    assert json.loads(macli("inbox", "list", "--json").out) == []
    assert macli("mail", "ingest", "-", stdin=letter).code == 0
    assert json.loads(macli("inbox", "list", "--json").out) == [], "it does not come back by reading it again"
    with open_store(workspace / "macli.db") as store:
        assert traces(World(path=workspace, store=store), (CITY, EMAIL)) == []


def test_p49_letters_from_an_address_the_person_had_before_go_too(world: World) -> None:
    add_ann(world)
    with world.store.write():
        for sender in (FORMER, "other@example.org"):
            world.store.execute(
                """
                INSERT INTO mails (mailbox, message_key, sender, at, created_at)
                VALUES ('', 'key of ' || :sender, :sender, 0, 0)
                """,
                {"sender": sender},
            )
    erase_now(world)
    assert [row["sender"] for row in world.store.rows("SELECT sender FROM mails")] == ["other@example.org"]
    assert traces(world) == []


def test_p49_somebody_who_may_not_do_everything_erases_as_thoroughly(workspace: Path, macli: Run) -> None:
    macli("staff", "add", "eve", "--role", "sales")
    macli("contact", "add", EMAIL, "--set", f"city={CITY}")
    assert macli("note", "add", EMAIL, f"Lives in {CITY}", "--as", "eve").code == 0
    ran = macli("contact", "erase", EMAIL, "--yes", "--as", "eve")
    assert (ran.code, ran.err) == (0, "")
    with open_store(workspace / "macli.db") as store:
        assert traces(World(path=workspace, store=store), (CITY, EMAIL)) == []
    assert macli("store", "vacuum", "--as", "eve").code == 0


def test_p49_who_is_staff_as_well_is_named_as_what_remains(workspace: Path, macli: Run) -> None:
    macli("contact", "add", EMAIL)
    macli("staff", "add", "anna", "--email", EMAIL)
    remains = json.loads(macli("contact", "erase", EMAIL, "--yes", "--json").out)["remains"]
    assert any("staff.email" in one for one in remains)


def test_p49_what_is_computed_anew_of_somebody_erased_is_gone_after_a_day(world: World) -> None:
    ann = add_everything(world)
    erase_now(world)
    with world.store.write():
        world.store.execute(
            "INSERT INTO point_ledger (contact_id, scope_id, rule, event, points, at) VALUES (?, 1, 1, 1, 5, 0)", (ann,)
        )
        world.store.execute("INSERT INTO scores (contact_id, scope_id, points, changed_at) VALUES (?, 1, 5, 0)", (ann,))
    retention.chore(world.engine(NOW + timedelta(days=1)), lambda *said: pytest.fail(str(said)))
    assert {table for table, rows in rows_of(world, ann).items() if rows} == set(KEPT)
    assert world.store.value("SELECT count(*) FROM scores") == 2, "the others' stay"


def test_p49_a_late_click_on_an_old_mail_gives_nobody_points(world: World) -> None:
    ann = add_everything(world)
    erase_now(world)
    late = NewEvent(contact_id=ann, name="email.clicked", at=to_ms(NOW), source="t", source_id="late")
    events.record(world.store, NOW, [late])
    retention.chore(world.engine(NOW + timedelta(days=1)), lambda *said: pytest.fail(str(said)))
    assert rows_of(world, ann)["scores"] == rows_of(world, ann)["point_ledger"] == 0


def test_p49_events_that_are_let_go_leave_the_points_they_gave(world: World) -> None:
    ann = contacts.add(world.store, NOW, {"email": EMAIL}, source="cli").contact_id
    for number in range(2):
        events.record(
            world.store,
            NOW,
            [NewEvent(contact_id=ann, name="page.visited", at=to_ms(NOW), source="t", source_id=f"{number}")],
        )
    ledger = "SELECT sum(points) FROM point_ledger WHERE contact_id = ?"
    assert world.store.value(ledger, (ann,)) == 4
    settings.put(world.store, NOW, "retention.visits", "30 days")
    gone = retention.purge(world.store, world.engine().setting, NOW + timedelta(days=40))
    assert gone["visits"] >= 1
    assert world.store.value(ledger, (ann,)) == 4
    assert world.store.value("SELECT points FROM scores WHERE contact_id = ?", (ann,)) == 4
    points = export.record(world.store, NOW, contacts_row(world, ann))["points"]
    assert [row["points"] for row in points] == [2, 2]


def test_p49_a_contact_purged_takes_its_rows_along_but_not_its_staff(world: World) -> None:
    ann = add_everything(world)
    contacts.purge_where(world.store, NOW, contacts.ONE, {"one_contact": ann})
    assert {table for table, rows in rows_of(world, ann).items() if rows} == set()
    assert world.store.rows("PRAGMA foreign_key_check") == []
    assert staff.get(world.store, "anna")["active"] == 1


def test_p49_removed_contacts_are_kept_with_their_work_until_their_time_is_over(world: World) -> None:
    ann = add_everything(world)
    contacts.remove_where(world.store, NOW, contacts.ONE, {"one_contact": ann}, "cli")
    assert rows_of(world, ann)["notes"] == 2
    contacts.restore_where(world.store, NOW, contacts.ONE, {"one_contact": ann}, "cli")
    contacts.remove_where(world.store, NOW, contacts.ONE, {"one_contact": ann}, "cli")
    settings.put(world.store, NOW, "retention.removed", "30 days")
    retention.purge(world.store, world.engine().setting, NOW + timedelta(days=31))
    assert {table for table, rows in rows_of(world, ann).items() if rows} == set(KEPT)


def test_p49_an_erasure_leaves_what_is_about_others(world: World) -> None:
    add_contacts(world.store, 3)
    for contact in (1, 2):
        add_work(world.store, contact, f"Person{contact}", f"c{contact - 1}@example.com")
    erase.erase(world.store, NOW, erase.find(world.store, "c0@example.com", None))
    left = rows_of(world, 2)
    assert (left["notes"], left["tasks"], left["deals"], left["calls"], left["mails"]) == (2, 2, 2, 1, 1)
    assert rows_of(world, 1)["notes"] == 0
