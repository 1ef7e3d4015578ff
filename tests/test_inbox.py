"""Letters people write: kept once with whose they are, whatever is in them, and only where that is wanted."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from macli import contacts, selection, texts
from macli.clock import to_ms
from macli.errors import UsageError
from macli.mailbox import body, boxes
from macli.mailbox.ingesting import take_in
from macli.mailbox.keeping import keep
from macli.mailbox.polling import finder_of, ingest, read_new, understand
from macli.mailbox.reading import read
from macli.people import mails
from macli.privacy import erase, retention
from macli.store import mailboxes, settings
from macli.store import mails as kept
from macli.tick.tick import run_tick
from tests.conftest import Run
from tests.letters import complaint, letter, notice
from tests.test_mailbox_effects import key, verp
from tests.test_mailbox_sources import deliver
from tests.test_notes import said
from tests.world import NOW, World, add_campaign, add_contacts, new_world

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Three contacts to whom one mail has gone."""
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 3)
    add_campaign(world.store)
    run_tick(world.engine())
    yield world
    world.store.close()


def take(world: World, *messages: bytes, mailbox: str = "office", now=LATER) -> int:
    finder = finder_of(world.store, now, world.path)
    return keep(world.store, now, [understand(finder, read(message)) for message in messages], mailbox)


def listed(world: World) -> list[tuple]:
    return [(row["sender"], row["contact"], row["subject"]) for row in kept.listed(world.store)][::-1]


def test_g1_a_letter_is_kept_with_its_contact_and_what_it_answers(world: World) -> None:
    take(world, letter("Yes, please.\n", answers=key(world)))
    (row,) = kept.listed(world.store)
    assert (row["contact"], row["sender"], row["recipient"]) == (
        "c0@example.com",
        "c0@example.com",
        "news@shop.example",
    )
    assert (row["subject"], row["body"], row["mailbox"], row["answers"]) == (
        "Re: Hi",
        "Yes, please.",
        "office",
        "spring",
    )
    assert row["at"] == to_ms(NOW + timedelta(minutes=30)), "when it was written"
    assert said(world, "mail.received") == [(1, {"mail": 1, "subject": "Re: Hi", "to": "news@shop.example"})]
    assert world.store.value("SELECT send_id FROM events WHERE name = 'mail.received'") == row["message"]


def test_g1_a_strangers_letter_is_kept_and_told_of_nobody(world: World) -> None:
    take(world, letter(sender="who@stranger.example"))
    assert listed(world) == [("who@stranger.example", None, "Re: Hi")]
    assert said(world, "mail.received") == []


def test_what_no_person_wrote_is_not_kept(world: World) -> None:
    away = letter("I am away.\n", subject="Out of office", message_id="<2@x>", Auto_Submitted="auto-replied")
    leave = letter("unsubscribe\n", subject="unsubscribe", message_id="<3@x>")
    nested = b"Content-Type: message/rfc822\n\n" * 3000 + b"x"
    take(world, notice(to=verp(world)), complaint(to="c0@example.com"), away, leave, nested)
    assert listed(world) == []


def test_who_wants_no_more_mail_and_was_written_none_by_us_is_not_overheard(world: World) -> None:
    contacts.add(world.store, NOW, {"email": "dan@example.com"}, source="cli")
    leave = letter("unsubscribe\n", sender="dan@example.com", subject="No more", message_id="<3@x>")
    assert take(world, leave, leave) == 1
    (row,) = kept.listed(world.store)
    assert (row["contact"], row["subject"], row["body"]) == ("dan@example.com", "No more", "unsubscribe")
    assert [contact for contact, _ in said(world, "mail.received")] == [4]


@pytest.mark.parametrize("keeping", ["true", "false"])
def test_who_asks_to_be_left_in_peace_is_though_no_mail_went_there_lately(world: World, keeping: str) -> None:
    settings.put(world.store, NOW, "mails.keep", keeping)
    contacts.add(world.store, NOW, {"email": "dan@example.com"}, source="cli")
    far = NOW + timedelta(days=60)  # the mail the first contact got is not the last thing that was said
    leave = [
        letter("unsubscribe\n", sender=sender, subject="No more", message_id=f"<{sender}>")
        for sender in ("dan@example.com", "C0@example.com", "nobody@example.com")
    ]
    for _ in range(2):
        finder = finder_of(world.store, far, world.path)
        take_in(world.store, far, [understand(finder, read(message)) for message in leave])
    assert [contact for contact, _ in said(world, "email.unsubscribed")] == [4, 1]
    assert [contact for contact, _ in said(world, "consent.withdrawn")] == [4, 1]
    add_campaign(world.store, name="later")
    run_tick(world.engine(far))
    reached = world.store.rows(
        """
        SELECT contact_id
        FROM sends
        JOIN campaigns ON campaigns.id = sends.campaign_id
        WHERE campaigns.name = 'later'
          AND sends.state = 'accepted'
        ORDER BY contact_id
        """
    )
    assert [row["contact_id"] for row in reached] == [2, 3]


def test_g1_a_letter_counts_once_however_often_and_wherever_it_is_read(world: World) -> None:
    one, other = letter(), letter(sender="c1@example.com", message_id="<2@example.com>")
    assert take(world, one, other, one) == 0, "both answer the campaign's mail, which counts them"
    assert take(world, one, mailbox="second") == 0
    assert take(world, letter(sender="who@x.example", message_id="<3@x>")) == 1
    assert take(world, letter(sender="who@x.example", message_id="<3@x>")) == 0
    assert [sender for sender, _, _ in listed(world)] == ["c0@example.com", "c1@example.com", "who@x.example"]
    assert [contact for contact, _ in said(world, "mail.received")] == [1, 2]


_KILLED = """
import os, signal, sys
from pathlib import Path
from macli.mailbox import polling
from macli.store import mailboxes, open_store
from tests.world import NOW
store = open_store(Path(sys.argv[1]) / "macli.db")
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "before": mailboxes.note_cursor = die
for _ in polling.read_new(store, NOW, mailboxes.get(store, "office"), Path(sys.argv[1])): die()
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_g1_a_process_killed_before_or_after_it_noted_how_far_it_read_keeps_a_letter_once(
    world: World, moment: str
) -> None:
    deliver(world.path / "box", letter(), letter(sender="who@x.example", message_id="<3@x>"))
    mailboxes.add(world.store, NOW, "office", "maildir", {"path": str(world.path / "box")})
    done = subprocess.run([sys.executable, "-c", _KILLED, world.path, moment], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(listed(world)) == (0 if moment == "before" else 2)
    for _ in range(2):
        list(read_new(world.store, LATER, mailboxes.get(world.store, "office"), world.path))
    assert len(listed(world)) == 2
    assert len(said(world, "mail.received")) == 1


def test_a_tick_keeps_what_is_in_a_mailbox(world: World) -> None:
    deliver(world.path / "box", letter())
    mailboxes.add(world.store, NOW, "office", "maildir", {"path": str(world.path / "box")})
    run_tick(world.engine(LATER))
    assert listed(world) == [("c0@example.com", "c0@example.com", "Re: Hi")]


def test_keeping_can_be_switched_off_and_answers_count_all_the_same(world: World) -> None:
    settings.put(world.store, NOW, "mails.keep", "false")
    deliver(world.path / "box", letter())
    mailboxes.add(world.store, NOW, "office", "maildir", {"path": str(world.path / "box")})
    assert boxes.read_now(world.store, LATER, "office", world.path) == {"new": 1, "reply": 1}
    assert listed(world) == []
    assert world.store.value("SELECT count(*) FROM events WHERE name = 'email.replied'") == 1


def test_letters_go_after_their_time_and_who_wrote_them_is_looked_at_again(world: World) -> None:
    take(world, letter())
    where = "has mail containing Monday"

    def found(now) -> int:
        rule = selection.where_of(world.store, where, now, world.engine().zone)
        return int(world.store.value(f"SELECT count(*) FROM contacts WHERE {rule.sql}", rule.params))

    assert found(LATER) == 1
    kinds = retention.purge(world.store, world.engine().setting, NOW + timedelta(days=399))
    assert kinds["letters"] == 0
    later = NOW + timedelta(days=402)
    assert retention.purge(world.store, world.engine().setting, later)["letters"] == 1
    assert found(later) == 0
    assert world.store.value("SELECT updated_at FROM contacts WHERE id = 1") == to_ms(later)
    assert world.store.value("SELECT updated_at FROM contacts WHERE id = 2") < to_ms(later)


def test_p49_nothing_is_kept_of_who_was_erased_until_they_come_back(world: World) -> None:
    erase.erase(world.store, NOW, erase.find(world.store, "c0@example.com", None))
    assert take(world, letter()) == 0
    assert listed(world) == []
    contacts.add(world.store, NOW, {"email": "c0@example.com"}, source="cli")
    take(world, letter(message_id="<later@example.com>"))
    assert [contact for _, contact, _ in listed(world)] == ["c0@example.com"]


def test_a_letter_from_a_clock_that_is_years_off_is_kept_as_long_as_others(world: World) -> None:
    take(world, letter().replace(b"Tue, 01 Dec 2026 09:30:00 +0000", b"Sat, 01 Jan 2000 00:00:00 +0000"))
    assert world.store.value("SELECT at FROM mails") == 946_684_800_000
    setting = world.engine().setting
    assert retention.purge(world.store, setting, LATER + timedelta(days=399))["letters"] == 0
    assert retention.purge(world.store, setting, LATER + timedelta(days=401))["letters"] == 1


@pytest.mark.parametrize("date", ["Tue, 01 Dec 2099 09:30:00 +0000", "nonsense", "Mon, 01 Jan 1900 00:00:00 +0000"])
def test_a_letter_from_no_time_is_one_from_now(world: World, date: str) -> None:
    take(world, letter().replace(b"Tue, 01 Dec 2026 09:30:00 +0000", date.encode()))
    assert world.store.value("SELECT at FROM mails") == to_ms(LATER)


def test_a_letters_text_is_what_a_person_sees(world: World) -> None:
    octets = b"""From: c0@example.com
Subject: =?utf-8?q?Faktura_=C5=82?=
Message-ID: <m@x>
Content-Type: multipart/mixed; boundary=B

--B
Content-Type: multipart/alternative; boundary=A

--A
Content-Type: text/html; charset=utf-8

<style>p { color: red }</style><p>Dear&nbsp;all,<br>see &lt;this&gt;<!-- secret --></p>
--A--
--B
Content-Type: text/plain
Content-Disposition: attachment; filename=list.txt

attached words
--B
Content-Type: message/rfc822

Subject: within

forwarded words
--B--
"""
    take(world, octets)
    (row,) = kept.listed(world.store)
    assert (row["subject"], row["body"]) == ("Faktura ł", "Dear all,\nsee <this>")


def test_a_letter_is_kept_as_far_as_is_sensible(world: World) -> None:
    take(world, letter("x" * 900 + "\n" + "word \x00\x1b[31m" * 100_000, subject="s" * 2000))
    (row,) = kept.listed(world.store)
    assert len(row["subject"]) == 300
    assert len(row["body"]) <= body.LONGEST
    assert not {"\x00", "\x1b"} & set(row["body"])


@pytest.mark.parametrize(
    "piece", ["<", "<!--", "<a href='", "<a ", "</", "<?", "<![CDATA[", "&", "&#x", "<style>", "\n"]
)
def test_a_page_made_to_take_long_takes_no_time(world: World, piece: str) -> None:
    import time

    started = time.process_time()
    head = b"From: c0@example.com\nMessage-ID: <m@x>\nContent-Type: text/html\n\n"
    take(world, head + piece.encode() * (900_000 // len(piece)))
    assert time.process_time() - started < 5
    assert len(listed(world)) == 1


@given(junk=st.binary(max_size=400), subject=st.text(max_size=40))
@examples(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_letter_stops_the_reader(world: World, junk: bytes, subject: str) -> None:
    head = b"From: c0@example.com\nSubject: " + subject.encode("utf-8", "replace").replace(b"\n", b" ")
    take(world, head + b"\nContent-Type: text/html; charset=" + junk[:10] + b"\n\n" + junk, junk)
    for row in kept.listed(world.store, limit=2):
        assert (row["subject"], row["body"]) == (texts.clean(row["subject"]), texts.clean(row["body"]))


def test_g10_lists_ask_for_what_a_letter_says_and_for_who_wrote_it(world: World) -> None:
    take(world, letter("About the FAKTURA.\n"), letter(sender="who@x.example", message_id="<3@x>"))

    def found(rule: str) -> list[str]:
        where = selection.entity_where(world.store, "mail", rule, LATER, world.engine().zone)
        return [row["sender"] for row in kept.listed(world.store, where)]

    assert found("body contains faktura") == ["c0@example.com"]
    assert found("first_name = 'Contact 0'") == ["c0@example.com"]
    assert found("sender contains stranger or sender contains who") == ["who@x.example"]


def test_a_letter_thrown_away_is_still_an_event(world: World) -> None:
    take(world, letter())
    mails.remove(world.store, LATER, 1)
    with pytest.raises(UsageError, match="there is no letter 1"):
        kept.get(world.store, 1)
    assert len(said(world, "mail.received")) == 1


def test_g1_the_inbox_on_the_command_line(workspace: Path, macli: Run) -> None:
    macli("contact", "add", "c0@example.com")
    assert json.loads(macli("mail", "ingest", "-", "--json", stdin=letter("Hello there.\n")).out)[0]["new"]
    assert not json.loads(macli("mail", "ingest", "-", "--json", stdin=letter("Hello there.\n")).out)[0]["new"]
    macli("mail", "ingest", "-", stdin=letter(sender="who@x.example", subject="=1+1", message_id="<2@x>"))
    listed = json.loads(macli("inbox", "list", "--json").out)
    assert [(row["contact"], row["subject"]) for row in listed] == [(None, "=1+1"), ("c0@example.com", "Re: Hi")]
    assert "'=1+1" in macli("inbox", "list", "--format", "csv").out
    assert len(json.loads(macli("inbox", "list", "--contact", "c0@example.com", "--json").out)) == 1
    assert len(json.loads(macli("inbox", "list", "--where", "body contains hello", "--json").out)) == 1
    assert "Hello there." in macli("inbox", "show", "1").out
    assert macli("inbox", "rm", "1").code == 0
    gone = macli("inbox", "show", "1")
    assert (gone.code, "macli inbox list" in gone.err) == (2, True)


def test_files_and_pipes_are_kept_as_mailboxes_are(world: World, tmp_path: Path) -> None:
    file = tmp_path / "one.eml"
    file.write_bytes(letter())
    for _ in range(2):
        list(ingest(world.store, LATER, str(file), world.path))
    assert listed(world) == [("c0@example.com", "c0@example.com", "Re: Hi")]
