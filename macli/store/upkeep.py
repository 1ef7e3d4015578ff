"""The upkeep of the store's file: its size, its soundness, copies of it."""

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from macli.errors import OperationFailed, UsageError
from macli.store import identity, locks, migrations
from macli.store.connection import BUSY_SECONDS, Store

COUNTED = ("contacts", "segments", "templates", "campaigns", "enrollments", "sends", "events")


def describe(store: Store) -> Mapping[str, Any]:
    """Where the store is, how big it is, and how much is in it."""
    return {
        "path": str(store.path),
        "size": size_words(size(store)),
        "version": store.value("PRAGMA user_version"),
        "generation": identity.generation(store),
        "home": identity.doubt(store) or "this machine",
        **{table: store.value(f"SELECT count(*) FROM {table}") for table in COUNTED},
    }


def size(store: Store) -> int:
    """The bytes on disk, the write-ahead log included."""
    files = (store.path, store.path.with_name(f"{store.path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def size_words(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def damage(store: Store) -> list[str]:
    """What is wrong with the file, in SQLite's words; empty where it is whole."""
    found = [row[0] for row in store.rows("PRAGMA integrity_check(20)") if row[0] != "ok"]
    for row in store.rows("PRAGMA foreign_key_check"):
        found.append(f"row {row[1]} of {row[0]} refers to a row of {row[2]} that is not there")
    return found


def check(store: Store) -> None:
    """Raises OperationFailed where the file is damaged."""
    if found := damage(store):
        raise OperationFailed(
            f"the store {store.path} is damaged: {'; '.join(found[:5])}",
            hint="restore the last good backup, or try: sqlite3 macli.db .recover",
        )


def behind(store: Store) -> int:
    """How many migrations the store has not had."""
    return len(migrations.NAMES) - int(store.value("PRAGMA user_version"))


def backup(store: Store, file: Path) -> None:
    """Write a consistent copy to ``file`` beside running readers and writers.

    The copy replaces ``file`` only when it is complete. Raises UsageError where that is the store.
    """
    store.refuse_partly("a copy of the store")
    if file.exists() and file.samefile(store.path):
        raise UsageError(f"{file} is the store itself")
    if not file.parent.is_dir():
        raise UsageError(f"no directory {file.parent}")
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with closing(sqlite3.connect(partial)) as copy:
            store.connection.backup(copy, pages=10_000)
            copy.execute("PRAGMA journal_mode=DELETE")
        partial.chmod(0o600)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def vacuum(store: Store) -> int:
    """Rewrite the file without its gaps; the bytes given back. Raises OperationFailed without room for it."""
    before = size(store)
    _check_room(store)
    with _apart(store) as connection:
        connection.execute("VACUUM")
        connection.execute("ANALYZE")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return max(0, before - size(store))


def rewrite(store: Store) -> None:
    """Rewrite the file so that nothing deleted is left in it or in its log; other writers wait meanwhile.

    Raises OperationFailed without room for it, or while somebody reads what it was before.
    """
    _check_room(store)
    turn = locks.Turn(store.path)
    try:
        with turn, _apart(store) as connection:
            # Samples of what was indexed, which some builds of SQLite keep; ANALYZE takes new ones.
            connection.execute("DROP TABLE IF EXISTS sqlite_stat4")
            connection.execute("VACUUM")
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname != "SQLITE_BUSY":
            raise
        busy = 1
    finally:
        turn.close()
    if busy:
        raise OperationFailed("another program is reading the store", hint="macli tick tries again")


@contextmanager
def _apart(store: Store) -> Iterator[sqlite3.Connection]:
    """A connection of its own: one that shows somebody only what they may see cannot rewrite the file."""
    with closing(sqlite3.connect(store.path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        yield connection


def _check_room(store: Store) -> None:
    needed = size(store)
    free = shutil.disk_usage(store.path.parent).free
    if free < needed:
        raise OperationFailed(
            f"vacuum needs {size_words(needed)} beside the store, {size_words(free)} are free",
        )
