"""The frame of the command line: names, options, errors, exit codes, completion, the log."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from conftest import NOW, Run

from macli import cli
from macli.context import Macli
from macli.errors import NotPermitted, Unreachable

NAMES = [name for section in cli.COMMANDS.values() for name in section]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_named_in_the_help_exists(name: str) -> None:
    assert cli.load(name).name == name


@pytest.mark.parametrize("name", NAMES)
def test_every_command_says_what_it_does_and_gives_an_example(name: str) -> None:
    def leaves(command, path):
        inner = getattr(command, "commands", None)
        if inner is None:
            yield path, command
        else:
            for word, below in inner.items():
                yield from leaves(below, f"{path} {word}")

    for path, command in leaves(cli.load(name), f"macli {name}"):
        assert command.help, f"{path} says nothing"
        examples = [line.strip() for line in command.help.splitlines() if line.strip().startswith("Example: ")]
        assert examples, f"{path} gives no example"
        assert examples[0].startswith(f"Example: macli {name}") or f"| macli {name}" in examples[0], examples[0]


def test_the_help_groups_the_commands_by_subject(macli: Run) -> None:
    ran = macli("--help")
    assert ran.code == 0
    assert "People:\n  contact " in ran.out
    assert "Sending:\n  template" in ran.out


def test_nothing_typed_shows_the_help_and_is_a_usage_error(macli: Run) -> None:
    ran = macli()
    assert ran.code == 2
    assert "People:" in ran.err


def test_a_misspelt_command_is_answered_with_the_nearest(macli: Run) -> None:
    ran = macli("segmnt", "list")
    assert ran.code == 2
    assert ran.err.startswith("macli: no command named 'segmnt'; did you mean 'segment'?")


def test_a_misspelt_subcommand_is_answered_with_the_nearest(macli: Run) -> None:
    ran = macli("category", "crate", "x")
    assert ran.code == 2
    assert "create" in ran.err


def test_a_missing_argument_is_a_usage_error_with_what_to_type(macli: Run, workspace: Path) -> None:
    ran = macli("category", "show")
    assert ran.code == 2
    assert "NAME" in ran.err
    assert "macli category show --help" in ran.err


def test_an_error_is_a_json_object_where_json_was_asked_for(macli: Run, workspace: Path) -> None:
    ran = macli("settings", "get", "time_zone", "--json")
    assert ran.code == 2
    assert ran.out == ""
    assert json.loads(ran.err) == {
        "error": "no setting named 'time_zone'; did you mean 'timezone'?",
        "hint": "macli settings list shows them all",
        "exit_code": 2,
    }


def test_outside_a_workspace_a_command_says_how_to_make_one(
    macli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = macli("settings", "list")
    assert ran.code == 2
    assert "no workspace here" in ran.err
    assert "macli init" in ran.err


def test_the_workspace_is_the_nearest_above(macli: Run, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace / "campaigns")
    assert macli("settings", "get", "retry.attempts").out == "8\n"


def test_the_workspace_is_named_by_option_before_and_after_the_command_and_by_environment(
    macli: Run, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert macli("--workspace", str(workspace), "settings", "get", "retry.attempts").out == "8\n"
    assert macli("settings", "get", "retry.attempts", "--workspace", str(workspace)).out == "8\n"
    monkeypatch.setenv("MACLI_WORKSPACE", str(workspace))
    assert macli("settings", "get", "retry.attempts").out == "8\n"
    assert "no workspace at elsewhere" in macli("--workspace", "elsewhere", "settings", "list").err


def test_quiet_silences_talk_and_not_results(macli: Run, workspace: Path) -> None:
    assert macli("--quiet", "category", "create", "Spring").out == ""
    assert macli("category", "create", "Summer", "--quiet").out == ""
    assert macli("--quiet", "settings", "get", "retry.attempts").out == "8\n"


def test_a_broken_macli_toml_is_named(macli: Run, workspace: Path) -> None:
    (workspace / "macli.toml").write_text('stroe = "macli.db"\n')
    ran = macli("settings", "list")
    assert ran.code == 2
    assert "macli.toml: no key named 'stroe'; did you mean 'store'?" in ran.err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (NotPermitted("no"), 3, "macli: no"),
        (Unreachable("gone", hint="wait"), 4, "macli: gone\n  wait"),
        (Unreachable("imap.example: \x1b[2J\x07no"), 4, "macli: imap.example: ␛[2J␇no"),
        (OSError(28, "No space left on device"), 1, "macli: the disk is full"),
        (FileNotFoundError(2, "No such file", "people.csv"), 1, "macli: people.csv: No such file"),
        (KeyboardInterrupt(), 130, "macli: stopped"),
    ],
)
def test_each_error_has_its_exit_code(macli: Run, workspace: Path, monkeypatch, error, code, said) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("macli.store.settings.in_force", fail)
    ran = macli("settings", "get", "timezone")
    assert ran.code == code
    assert ran.err.startswith(said)


def test_a_mistake_of_maclis_own_keeps_its_traceback_for_who_mends_it(
    macli: Run, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("macli.store.settings.in_force", lambda *_: 1 / 0)
    ran = macli("--log-file", "it.log", "settings", "get", "timezone")
    assert ran.code == 1
    assert "a mistake in macli itself: ZeroDivisionError" in ran.err
    assert "Traceback" not in ran.err
    assert "Traceback (most recent call last)" in Path("it.log").read_text()
    assert "Traceback" in macli("--verbose", "settings", "get", "timezone").err


def refused(provoke: str, path: Path) -> sqlite3.Error:
    """What SQLite itself raises in such surroundings."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as connection:
        connection.execute("CREATE TABLE t (x)")
        if provoke == "full":
            connection.execute("PRAGMA max_page_count = 3")
        elif provoke == "read-only":
            connection.execute("PRAGMA query_only = 1")
        else:
            holder = sqlite3.connect(path, isolation_level=None)
            holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.Error) as caught:
            connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    if provoke == "locked":
        holder.close()
    return caught.value


@pytest.mark.parametrize(
    ("provoke", "words"),
    [
        ("full", "the disk is full"),
        ("locked", "another program holds the store locked"),
        ("read-only", "the store cannot be written"),
    ],
)
def test_what_sqlite_refuses_is_said_in_words(tmp_path: Path, provoke: str, words: str) -> None:
    said = cli.surroundings(refused(provoke, tmp_path / "x.db"))
    assert said is not None
    assert said[0] == words


def test_a_store_that_cannot_be_written_is_said_in_words(macli: Run, workspace: Path) -> None:
    (workspace / "macli.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    ran = macli("settings", "list")
    assert ran.code == 1
    assert "is no macli store" in ran.err


def test_a_reader_that_leaves_ends_the_command_quietly(macli_process: Run, workspace: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m macli help --format ndjson | (head -1; sleep 1)",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout.splitlines()[0])["word"] == "category"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("note add ann@example.com - <&-", 2, "macli: the note is empty\n"),
        ("contact purge ann@example.com <&-", 2, "macli: nothing was done: this needs a yes: "),
        ("contact list >&-", 0, ""),
        ("contact show nobody 2>&-", 2, ""),
    ],
)
def test_who_starts_it_without_a_stream_is_no_mistake_of_maclis(
    macli: Run, workspace: Path, line: str, code: int, said: str
) -> None:
    macli("contact", "add", "ann@example.com")
    done = subprocess.run(f"{sys.executable} -m macli {line}", shell=True, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(said)


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(workspace: Path) -> None:
    program = (
        "import os, signal, sys\n"
        # A shell that runs the tests in the background lets them ignore Ctrl-C.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from macli import cli\n"
        "from macli.store import settings\n"
        "settings.in_force = lambda *_: (os.kill(os.getpid(), signal.SIGINT), __import__('time').sleep(5))\n"
        "sys.exit(cli.run(['settings', 'get', 'timezone']))\n"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 130
    assert "macli: stopped\n" in done.stderr
    assert time.monotonic() - began < 5


def test_the_log_has_a_line_for_each_thing_said_and_for_the_end(macli: Run, workspace: Path) -> None:
    macli("--log-file", "it.log", "--log-json", "category", "create", "Spring")
    said, ended = (json.loads(line) for line in Path("it.log").read_text().splitlines())
    assert said["level"] == "info"
    assert said["text"] == "made the category 'Spring'"
    assert ended["text"] == "ended"
    assert ended["exit_code"] == 0


def test_the_log_may_be_named_in_the_workspace(macli: Run, workspace: Path) -> None:
    with (workspace / "macli.toml").open("a") as file:
        file.write('log = "logs/macli.log"\nlog_json = true\n')
    macli("category", "show", "Nothing")
    lines = [json.loads(line) for line in (workspace / "logs" / "macli.log").read_text().splitlines()]
    assert lines[0]["level"] == "error"
    assert lines[-1]["exit_code"] == 2


def test_the_json_log_goes_to_standard_error_where_no_file_is_named(macli: Run, workspace: Path) -> None:
    ran = macli("--log-json", "--quiet", "category", "create", "Spring")
    assert json.loads(ran.err.splitlines()[0])["text"] == "made the category 'Spring'"


def test_help_explains_the_words_and_the_commands(macli: Run) -> None:
    assert "segment" in macli("help").out
    assert "Usage: macli category rm" in macli("help", "category", "rm").out
    assert "did you mean 'category'" in macli("help", "categroy").err


def test_help_has_the_words_of_what_comes_back_and_calls_nothing_missing_that_is_there(macli: Run) -> None:
    terms = {row["word"]: row["means"] for row in json.loads(macli("help", "--json").out)}
    words = {"topic", "hit", "visitor", "form", "page", "banner", "asset", "device", "double opt-in", "hook", "tracker"}
    assert words <= terms.keys()
    missing = {word for word, means in terms.items() if "not in this version" in means}
    assert not {word.lower().replace(" ", "-") for word in missing} & set(NAMES)


def test_init_makes_a_workspace_that_keeps_everything_here(macli: Run, workspace: Path) -> None:
    assert {path.name for path in workspace.iterdir()} >= {
        "macli.toml",
        "macli.db",
        "campaigns",
        "out",
        "secrets",
        ".gitignore",
    }
    assert (workspace / "secrets").stat().st_mode & 0o077 == 0
    macli_ = Macli()
    with macli_.store as store:
        carried = dict(
            store.rows("SELECT c.name, p.kind FROM channels AS c LEFT JOIN providers AS p ON p.id = provider_id")
        )
    assert carried == {"email": "outbox", "sms": "outbox", "push": "outbox", "webhook": None}


def test_init_leaves_a_workspace_alone(macli: Run, workspace: Path) -> None:
    before = (workspace / "macli.db").read_bytes()
    ran = macli("init", str(workspace))
    assert ran.code == 2
    assert "is a workspace already" in ran.err
    assert (workspace / "macli.db").read_bytes() == before


def complete(line: str, workspace: Path) -> list[str]:
    words = line.split(" ")
    done = subprocess.run(
        [sys.executable, "-c", "from macli.__main__ import main; main()"],
        env={
            **os.environ,
            "_MACLI_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            "MACLI_WORKSPACE": str(workspace),
        },
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_the_shell_completes_commands_settings_and_names_in_the_store(macli: Run, workspace: Path) -> None:
    macli("category", "create", "Spring_sale")
    macli("category", "create", "Springfield")
    assert complete("macli cat", workspace) == ["category"]
    assert "caps.email" in complete("macli settings set caps", workspace)
    assert complete("macli category show Spring_", workspace) == ["Spring_sale"]
    assert complete("macli category show Spring_", workspace / "nowhere") == []
    elsewhere = f"macli --workspace {workspace} category show Spring_"
    assert complete(elsewhere, workspace / "nowhere") == ["Spring_sale"]


def test_completion_installs_itself(macli_process: Run, tmp_path: Path) -> None:
    # Typer looks for the shell among its parents; where a test runs there need not be one.
    told = {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    ran = macli_process("--show-completion", "bash", env=told)
    assert ran.code == 0, ran.err
    assert "_MACLI_COMPLETE=complete_bash" in ran.out


def test_the_moment_of_a_run_is_read_once_and_may_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    macli = Macli()
    assert macli.now() is macli.now()
    monkeypatch.setenv("MACLI_NOW", "2026-03-04T12:00:00+00:00")
    assert Macli().now() == NOW


def test_the_version_is_said(macli: Run) -> None:
    from macli import __version__

    assert macli("--version").out == f"macli {__version__}\n"
