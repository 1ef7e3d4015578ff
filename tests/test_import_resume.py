"""An import that is killed at any instant goes on where it stood and ends as if nothing had happened."""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from macli.errors import OperationFailed
from macli.importer import Options, prepare, run
from macli.importer.source import opened
from macli.store import Store, open_store

ROWS = 6000
CHILD = """
import sys
from pathlib import Path
from macli.clock import system_clock
from macli.importer import Options, prepare, run
from macli.importer.source import opened
from macli.store import open_store

with open_store(Path(sys.argv[1])) as store, opened(sys.argv[2]) as source:
    plan = prepare(store, source, Options(tags=("FAIR",), fire_events=True))
    print("started", flush=True)
    run(store, plan, system_clock, batch_size=100)
"""


def write_people(path: Path) -> None:
    """Every tenth row is refused, every seventh names a contact again."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(("email", "first_name", "orders"))
        for number in range(ROWS):
            who = number - 3 if number % 7 == 6 else number
            address = f"bad {number}" if number % 10 == 0 else f"p{who}@example.com"
            writer.writerow((address, f"Zoë {number}", number))


def state_of(store: Store) -> dict[str, list[tuple]]:
    questions = {
        "contacts": "SELECT email, attributes, folded FROM contacts ORDER BY email",
        "tags": "SELECT email, tag_id FROM contact_tags JOIN contacts ON contacts.id = contact_id ORDER BY 1, 2",
        "events": "SELECT email, name, properties FROM events JOIN contacts c ON c.id = contact_id ORDER BY 1, 2, 3",
        "imports": "SELECT state, records, added, updated, unchanged, repeated, refused, refusals_size FROM imports",
    }
    return {name: [tuple(row) for row in store.rows(sql)] for name, sql in questions.items()}


def import_whole(folder: Path) -> dict[str, list[tuple]]:
    from macli.clock import system_clock

    folder.mkdir()
    write_people(folder / "people.csv")
    with open_store(folder / "macli.db", create=True) as store, opened(str(folder / "people.csv")) as source:
        plan = prepare(store, source, Options(tags=("FAIR",), fire_events=True))
        run(store, plan, system_clock, batch_size=100)
        return state_of(store)


@pytest.mark.slow
def test_an_import_killed_again_and_again_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    expected = import_whole(tmp_path / "whole")
    folder = tmp_path / "killed"
    folder.mkdir()
    path, database = folder / "people.csv", folder / "macli.db"
    write_people(path)
    open_store(database, create=True).close()
    chance, kills, done = random.Random(4), 0, False
    while not done:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(database), str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
        )
        assert child.stdout is not None
        child.stdout.readline()
        deadline = time.monotonic() + chance.uniform(0.0, 0.12)
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        if child.poll() is None:
            os.kill(child.pid, signal.SIGKILL)
            kills += 1
        _, errors = child.communicate()
        with open_store(database) as store:
            # A kill behind the last commit finds the work done.
            done = store.value("SELECT count(*) FROM imports WHERE state = 'finished'") == 1
        assert done or child.returncode == -signal.SIGKILL, errors.decode()
        assert kills < 500
    assert kills >= 5
    with open_store(database) as store:
        assert state_of(store) == expected
    refused = sorted(folder.glob("*.refused*"))
    assert [name.name for name in refused] == ["people.csv.refused.csv"]
    whole = (tmp_path / "whole" / "people.csv.refused.csv").read_bytes()
    assert refused[0].read_bytes() == whole
    assert len(whole.splitlines()) == 1 + ROWS // 10


def test_ctrl_c_says_how_to_go_on_and_the_same_command_does(store: Store, now, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    write_people(path)
    batches = 0

    def stop_at_the_third(lines: int) -> None:
        nonlocal batches
        batches += 1
        if batches == 3:
            raise KeyboardInterrupt

    with opened(str(path)) as source:
        with pytest.raises(OperationFailed, match="stopped after 300 rows") as stopped:
            run(store, prepare(store, source, Options()), lambda: now, advance=stop_at_the_third, batch_size=100)
        assert "same command again" in (stopped.value.hint or "")
        report = run(store, prepare(store, source, Options()), lambda: now, batch_size=100)
    assert report.resumed_at == 300
    assert report.counts.records == ROWS
    assert report.counts.refused == ROWS // 10
    assert store.value("SELECT count(*) FROM contacts") == report.counts.added


def test_the_same_file_with_other_options_is_another_import(store: Store, now, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    write_people(path)

    def stop(lines: int) -> None:
        raise KeyboardInterrupt

    with opened(str(path)) as source:
        with pytest.raises(OperationFailed):
            run(store, prepare(store, source, Options()), lambda: now, advance=stop, batch_size=100)
        report = run(store, prepare(store, source, Options(tags=("X",))), lambda: now)
    assert report.resumed_at == 0


def test_two_imports_of_the_same_file_do_not_count_it_twice(store: Store, now, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    write_people(path)

    def another(lines: int) -> None:
        with open_store(store.path) as other, opened(str(path)) as source:
            run(other, prepare(other, source, Options()), lambda: now)

    with opened(str(path)) as source, pytest.raises(OperationFailed, match="another macli"):
        run(store, prepare(store, source, Options()), lambda: now, advance=another, batch_size=100)
    row = store.row("SELECT state, records, refused FROM imports")
    assert row is not None
    assert tuple(row) == ("finished", ROWS, ROWS // 10)
