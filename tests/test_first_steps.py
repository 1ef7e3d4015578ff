"""What a newcomer types first on the finished parts: nothing is half-written, and what is said is so."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from conftest import Run

from macli.output import into


def test_a_provider_that_cannot_be_added_leaves_no_secret_behind(workspace: Path, macli: Run) -> None:
    before = sorted((workspace / "secrets").iterdir())
    for wrong in ((), ("--subject", "nobody"), ("--subject", "mailto:web@example.com", "--ttl", "-5")):
        assert macli("provider", "add", "webpush", "web", *wrong).code == 2
    assert sorted((workspace / "secrets").iterdir()) == before


def test_no_provider_takes_the_place_of_anothers_secret(workspace: Path, macli: Run) -> None:
    for name in ("a b", "a_b", "a/b"):
        assert macli("provider", "add", "webpush", name, "--subject", "mailto:web@example.com").code == 0
    keys = [*(workspace / "secrets").glob("a_b.*")]
    assert len({key.read_text("ascii") for key in keys}) == 3


def test_no_provider_takes_the_name_of_the_events_hook(workspace: Path, macli: Run) -> None:
    ran = macli("provider", "add", "outbox", "Events", "--path", "files")
    assert (ran.code, "hook of your own systems" in ran.err) == (2, True)
    macli("provider", "add", "outbox", "files", "--path", "files")
    assert macli("provider", "edit", "files", "--rename", "events").code == 2


def test_a_hooks_address_is_the_result_and_stays_out_of_the_log(workspace: Path, macli: Run, tmp_path: Path) -> None:
    macli("settings", "set", "public_url", "https://news.example")
    macli("provider", "add", "smtp2go", "go", "--username", "n", "--password", "env:NO_SUCH", "--from", "n@example.com")
    assert macli("hook", "secret", "go").code == 0
    secret = (workspace / "secrets" / "hook-smtp2go-go.key").read_text("ascii")
    log = tmp_path / "log"
    ran = macli("--quiet", "--log-file", str(log), "hook", "url", "go")
    assert ran.out == f"https://news.example/hooks/smtp2go/go/{secret}\n"
    assert secret not in log.read_text("utf-8")
    macli("settings", "unset", "public_url")
    assert "no provider named 'gone'" in macli("hook", "url", "gone").err


def test_an_edit_that_changes_nothing_says_so(workspace: Path, macli: Run) -> None:
    macli("url-rule", "add", "prices", "--path", "/prices/**", "--tag", "prices")
    ran = macli("url-rule", "edit", "prices")
    assert (ran.code, ran.out) == (2, "")
    assert "nothing to change" in ran.err


@pytest.mark.parametrize("command", [("check",), ("add",), ("rm", "--yes")])
def test_a_word_is_no_address_to_suppress(workspace: Path, macli: Run, command: tuple[str, ...]) -> None:
    ran = macli("suppression", *command, "nobody")
    assert (ran.code, ran.err.splitlines()[0]) == (2, "macli: 'nobody' is no e-mail address and no phone number")


def test_the_snippet_says_while_no_page_is_listened_to(workspace: Path, macli: Run) -> None:
    asked = ("tracker", "snippet", "js", "--public-url", "https://news.example")
    assert "macli settings set tracker.domains" in macli(*asked).err
    macli("settings", "set", "tracker.domains", "shop.example")
    assert macli(*asked).err == ""


@contextmanager
def _running(workspace: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "macli", "--workspace", str(workspace), *words, "--port", "0"]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


@pytest.mark.parametrize("words", [("serve",), ("run", "--serve", "--every", "1 hour")])
def test_serving_says_at_once_where_and_ctrl_c_ends_it(workspace: Path, words: tuple[str, ...]) -> None:
    from urllib.request import urlopen

    with _running(workspace, *words, "--json") as serving:
        assert serving.stdout is not None
        said = json.loads(serving.stdout.readline())
        assert (said["serving"], said["public_url"]) == (str(workspace), None)
        for _ in range(200):
            try:
                with urlopen(f"{said['url']}/health", timeout=5) as answer:
                    assert answer.read() == b"ok\n"
                break
            except OSError:
                time.sleep(0.05)
        else:
            pytest.fail("nothing answers where it said")
        os.kill(serving.pid, signal.SIGINT)
        rest, complaint = serving.communicate(timeout=20)
    assert (serving.returncode, complaint) == (0, "")
    assert all(json.loads(line) for line in rest.splitlines())


def test_serving_listens_nowhere_unasked_and_no_run_spins(workspace: Path, macli: Run) -> None:
    assert "--host is empty" in macli("serve", "--host", "").err
    ran = macli("run", "--every", "0s")
    assert (ran.code, ran.out) == (2, "")


def test_ctrl_c_behind_an_erasure_still_says_what_remains(workspace: Path, macli: Run) -> None:
    macli("contact", "add", "ann@example.com")
    store = workspace / "macli.db"
    # Somebody reads what was before, so that the file cannot be rewritten just now.
    with closing(sqlite3.connect(store)) as reader, closing(sqlite3.connect(store)) as see:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM contacts").fetchone()
        words = ["--workspace", str(workspace), "contact", "erase", "ann@example.com", "--yes"]
        erasing = subprocess.Popen([sys.executable, "-m", "macli", *words], stdout=subprocess.PIPE, text=True)
        while erasing.poll() is None and not see.execute("SELECT * FROM meta WHERE key = 'erasure_unswept'").fetchone():
            time.sleep(0.02)
        time.sleep(0.3)
        assert erasing.poll() is None
        erasing.send_signal(signal.SIGINT)
        reader.rollback()
        out, _ = erasing.communicate(timeout=60)
    assert "erased ann@example.com" in out
    assert "until the next tick rewrites it" in out


def test_an_export_that_ends_early_leaves_the_file_as_it_was(workspace: Path, macli: Run, tmp_path: Path) -> None:
    macli("contact", "add", "ann@example.com")
    file = tmp_path / "all.csv"
    file.write_text("as it was", "utf-8")
    with pytest.raises(ZeroDivisionError), into(file):
        print(1 / 0)
    assert (file.read_text("utf-8"), [*tmp_path.glob(".all*")]) == ("as it was", [])
    assert macli("contact", "export", "-o", str(file)).code == 0
    assert len(file.read_text("utf-8").splitlines()) == 2
    assert macli("contact", "export", "-o", "/dev/null").code == 0
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize(
    "words",
    [
        ("device", "rm", "{}"),
        ("message", "show", "{}"),
        ("contact", "erase", "#{}", "--yes"),
        ("suppression", "list", "--limit", "{}"),
        ("contact", "export", "#{}"),
    ],
)
def test_a_number_no_store_can_hold_is_the_callers_mistake(workspace: Path, macli: Run, words: tuple[str, ...]) -> None:
    ran = macli(*(word.format(10**23) for word in words))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "macli: a number is larger than any the store can hold\n"
