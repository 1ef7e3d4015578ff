"""Where mail comes from: a pipe, files, a Maildir, a mailbox that does not answer; each message once."""

import json
import os
from datetime import timedelta
from itertools import count as count_from
from pathlib import Path

import pytest

from macli.clock import to_ms
from macli.mailbox import files, polling
from macli.mailbox.mime import LONGEST
from macli.mailbox.settings import load
from macli.store import mailboxes, open_store
from macli.tick.tick import run_tick
from tests.conftest import Run
from tests.letters import letter, notice
from tests.test_mailbox_effects import mail, verp, world  # noqa: F401
from tests.world import NOW, World

LATER = NOW + timedelta(hours=1)
_NUMBERS = count_from(1)


def deliver(box: Path, *messages: bytes, at: int = 0) -> None:
    """Put messages into a Maildir as a mail server does."""
    for folder in ("new", "cur", "tmp"):
        (box / folder).mkdir(parents=True, exist_ok=True)
    for message in messages:
        count = next(_NUMBERS)
        file = box / "new" / f"{count}.mx"
        file.write_bytes(message)
        os.utime(file, (1_800_000_000 + at + count, 1_800_000_000 + at + count))


def test_one_message_from_a_pipe_with_the_servers_from_line(world: World, macli: Run, monkeypatch) -> None:  # noqa: F811
    monkeypatch.chdir(world.path)
    octets = b"From MAILER-DAEMON Tue Dec  1 09:30:00 2026\n" + notice(to=verp(world)) + b"\nFrom here on it is text.\n"
    ran = macli("mail", "ingest", "--json", stdin=octets, at=LATER)
    (row,) = json.loads(ran.out)
    assert (row["said"], row["address"], row["status"], row["new"]) == ("hard bounce", "c0@example.com", "5.1.1", True)
    again = json.loads(macli("mail", "ingest", "-", "--json", stdin=octets, at=LATER).out)
    assert [row["new"] for row in again] == [False]
    assert mail(world) == ["email.bounced"]


def test_the_recipient_can_be_told_where_no_header_does(world: World, macli: Run, monkeypatch) -> None:  # noqa: F811
    monkeypatch.chdir(world.path)
    octets = notice(to="undisclosed-recipients:;", final="someone@elsewhere.example")
    args = ("mail", "ingest", "--json", "--recipient", verp(world))
    assert json.loads(macli(*args, stdin=octets, at=LATER).out)[0]["new"]


def test_files_an_mbox_and_a_maildir(world: World, macli: Run, monkeypatch, tmp_path: Path) -> None:  # noqa: F811
    monkeypatch.chdir(world.path)
    one = notice(to=verp(world), message_id="<1@mx>")
    two = notice(to=verp(world, 1), final="c1@example.com", message_id="<2@mx>")
    (tmp_path / "one.eml").write_bytes(one)
    stuffed = letter("Dear all,\n\nFrom Monday on we are away.\n").replace(b"\nFrom Monday", b"\n>From Monday")
    (tmp_path / "box.mbox").write_bytes(
        b"".join(b"From x Tue Dec  1 09:30:00 2026\n" + message + b"\n\n" for message in (one, two, stuffed))
    )
    deliver(tmp_path / "Maildir", two, letter(subject="Out of office"))
    places = [str(tmp_path / name) for name in ("one.eml", "box.mbox", "Maildir")]
    rows = json.loads(macli("mail", "ingest", *places, "--json", at=LATER).out)
    assert [(row["said"], row["new"]) for row in rows] == [
        ("hard bounce", True),
        ("hard bounce", False),
        ("hard bounce", True),
        ("reply", True),
        ("hard bounce", False),
        ("automatic", False),
    ]


def test_what_is_no_mail_is_refused_or_does_nothing(workspace: Path, macli: Run) -> None:
    assert macli("mail", "ingest", "nofile").code == 2
    assert macli("mail", "ingest", "-", stdin="").code == 1
    assert macli("mail", "ingest", ".").code == 2
    (workspace / "noise").write_bytes(bytes(range(256)) * 40)
    assert macli("mail", "ingest", "noise").code == 0


def test_a_maildir_is_read_on_from_where_it_was_left(tmp_path: Path) -> None:
    box = tmp_path / "box"
    settings = load("maildir", {"path": "box"}, workspace=tmp_path)
    deliver(box, *(letter(message_id=f"<{n}@x>") for n in range(250)))
    first = list(files.batches(settings, {}, most=150))  # type: ignore[arg-type]
    assert [len(batch.messages) for batch in first] == [100, 50]
    newest = max((box / "new").iterdir(), key=lambda file: file.stat().st_mtime)
    newest.rename(box / "cur" / f"{newest.name}:2,S")
    rest = list(files.batches(settings, json.loads(json.dumps(dict(first[-1].cursor))), most=500))  # type: ignore[arg-type]
    assert sum(len(batch.messages) for batch in rest) == 100
    deliver(box, letter(message_id="<late@x>"), at=-600)  # it was being written for ten minutes
    late = list(files.batches(settings, rest[-1].cursor, most=500))  # type: ignore[arg-type]
    assert [len(batch.messages) for batch in late] == [1]
    assert len(list(box.rglob("*.mx*"))) == 251


def test_a_tick_reads_the_mailboxes_each_minute(world: World) -> None:  # noqa: F811
    deliver(world.path / "box", notice(to=verp(world)))
    mailboxes.add(world.store, NOW, "bounces", "maildir", {"path": "box", "delete": True})
    report = run_tick(world.engine(LATER))
    assert (report.heard, mail(world)) == (1, ["email.bounced"])
    assert not list((world.path / "box").rglob("*.mx"))
    deliver(world.path / "box", notice(to=verp(world, 1), final="c1@example.com", message_id="<2@mx>"))
    assert run_tick(world.engine(LATER + timedelta(seconds=20))).heard == 0
    assert run_tick(world.engine(LATER + timedelta(seconds=60))).heard == 1


def test_a_tick_reads_so_many_messages_and_the_next_goes_on(world: World, monkeypatch) -> None:  # noqa: F811
    deliver(world.path / "box", *(letter(message_id=f"<{n}@x>") for n in range(polling.MOST + 1)))
    mailboxes.add(world.store, NOW, "answers", "maildir", {"path": "box"})
    assert run_tick(world.engine(LATER)).heard == polling.MOST
    assert run_tick(world.engine(LATER + timedelta(minutes=1))).heard == 1


def test_a_mailbox_that_does_not_answer_is_told_and_stops_nothing(
    world: World,  # noqa: F811
    macli: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(world.path)
    monkeypatch.setenv("BOX", "hunter2")
    down = {"host": "127.0.0.1", "port": 1, "username": "a", "password": "env:BOX"}
    mailboxes.add(world.store, NOW, "down", "imap", down)
    mailboxes.add(world.store, NOW, "gone", "maildir", {"path": "nowhere"})
    mailboxes.add(world.store, NOW, "empty", "imap", {**down, "password": "env:NOBODY_SET_IT"})
    deliver(world.path / "box", notice(to=verp(world)))
    mailboxes.add(world.store, NOW, "good", "maildir", {"path": "box"})
    ran = macli("tick", "--json", at=LATER)
    assert ran.code == 4
    assert set(json.loads(ran.out)["unreachable"]) == {"mailbox down", "mailbox gone", "mailbox empty"}
    assert mail(world) == ["email.bounced"]
    doctor = macli("doctor", at=LATER).out
    assert "mailbox down" in doctor
    assert "refused" in doctor
    assert "hunter2" not in doctor + macli("mail", "list", "--json").out + ran.out


def test_whatever_is_wrong_with_one_mailbox_the_next_is_read(world: World) -> None:  # noqa: F811
    for name in ("broken", "returns"):
        deliver(world.path / name, notice(to=verp(world)))
        mailboxes.add(world.store, NOW, name, "maildir", {"path": name})
    with world.store.write():
        world.store.execute("""UPDATE mailboxes SET cursor = '{"newest": "?"}' WHERE name = 'broken'""")
    report = run_tick(world.engine(LATER))
    assert "ValueError" in report.unreachable["mailbox broken"]
    assert (report.heard, report.failed, mail(world)) == (1, {}, ["email.bounced"])


def test_a_mailbox_read_by_a_clock_that_was_set_back_since_is_read_at_once(world: World) -> None:  # noqa: F811
    deliver(world.path / "returns")
    mailboxes.add(world.store, NOW, "returns", "maildir", {"path": "returns"})
    run_tick(world.engine(LATER + timedelta(days=400)), chosen_time=True)
    deliver(world.path / "returns", notice(to=verp(world)))
    assert run_tick(world.engine(LATER)).heard == 1
    assert mail(world) == ["email.bounced"]


def test_a_crash_before_the_cursor_is_kept_repeats_and_changes_nothing(world: World) -> None:  # noqa: F811
    deliver(world.path / "box", notice(to=verp(world)), letter(sender="c1@example.com"))
    mailboxes.add(world.store, NOW, "bounces", "maildir", {"path": "box"})
    row = mailboxes.get(world.store, "bounces")
    assert [new for new, _ in polling.read_new(world.store, LATER, row, world.path)] == [2]
    assert [new for new, _ in polling.read_new(world.store, LATER, row, world.path)] == [0]
    row = mailboxes.get(world.store, "bounces")
    assert list(polling.read_new(world.store, LATER, row, world.path)) == []


def test_mailboxes_are_added_listed_tried_and_removed(workspace: Path, macli: Run) -> None:
    deliver(workspace / "box", letter())
    assert macli("mail", "add", "maildir", "Bounces", "--path", "box").code == 0
    assert macli("mail", "add", "maildir", "bounces", "--path", "box").code == 2
    assert "1 messages" in macli("mail", "test", "bounces").out
    assert macli("mail", "read", "bounces").out.strip() == "1 read: 1 reply; 1 new"
    assert macli("mail", "read", "bounces").out.strip() == "nothing new"
    (row,) = json.loads(macli("mail", "list", "--json").out)
    assert (row["name"], row["kind"], row["trouble"]) == ("Bounces", "maildir", None)
    assert macli("mail", "rm", "BOUNCES").code == 0
    assert macli("mail", "rm", "bounces").code == 2


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--password", "hunter2"), "by reference"),
        (("--password", "env:X", "--security", "none"), "--insecure"),
        (("--password", "env:X", "--security", "ssl"), "--security"),
        (("--password", "env:X", "--delete", "--move-to", "Done"), "both"),
        (("--password", "env:X", "--move-to", "INBOX"), "is the folder that is read"),
        (("--password", "env:X", "--port", "0"), "--port"),
        ((), "--password"),
    ],
    ids=range(7),
)
def test_settings_that_do_not_hold_are_refused(workspace: Path, macli: Run, args: tuple[str, ...], words: str) -> None:
    ran = macli("mail", "add", "imap", "box", "--host", "mail.example", "--username", "box", *args)
    assert (ran.code, words in ran.err, "hunter2" in ran.err) == (2, True, False)
    with open_store(workspace / "macli.db") as store:
        assert mailboxes.list_all(store) == []


def test_only_the_beginning_of_a_message_is_read(tmp_path: Path) -> None:
    (tmp_path / "large.eml").write_bytes(notice() + b"x" * (2 * LONGEST))
    (message,) = files.messages(str(tmp_path / "large.eml"))
    assert len(message) == LONGEST


def test_a_date_out_of_this_world_is_not_believed(world: World, macli: Run, monkeypatch) -> None:  # noqa: F811
    monkeypatch.chdir(world.path)
    for number, date in enumerate(("Tue, 01 Dec 2099 09:30:00 +0000", "Tue, 01 Dec 1999 09:30:00 +0000", "never")):
        octets = notice("5.2.2", "full", to=verp(world, number), date=date, message_id=f"<{number}@mx>")
        assert macli("mail", "ingest", stdin=octets, at=LATER).code == 0
    times = {row["at"] for row in world.store.rows("SELECT at FROM events WHERE name = 'email.soft_bounced'")}
    assert times == {to_ms(LATER)}
