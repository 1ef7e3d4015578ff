"""The connection to the store: rows out, transactions in, one writer at a time."""

import os
import re
import sqlite3
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from macli.dialect import SQLITE, Dialect
from macli.errors import OperationFailed, UsageError
from macli.store import locks, migrations

Row = sqlite3.Row
Params = Mapping[str, Any] | Sequence[Any]

BUSY_SECONDS = 60.0


class Store:
    """One open SQLite store.

    Reading needs no ceremony. Writing happens inside ``with store.write():``, which takes the
    write lock at once (BEGIN IMMEDIATE: a transaction that reads first and writes later fails
    beside another writer), commits at its end and rolls back on any exception. A ``write`` inside
    a ``write`` joins it.
    """

    restricted = False
    """Whether the acting person may not do everything."""

    def __init__(self, connection: sqlite3.Connection, path: Path, dialect: Dialect = SQLITE) -> None:
        self.connection = connection
        self.path = path
        self.dialect = dialect
        self._synchronous = "FULL"
        self._turn: locks.Turn | None = None
        self._files = _files(path)

    def check_place(self) -> None:
        """Raises OSError where other files stand in the place of those that were opened: a backup was restored.

        What is written then is in none of them.
        """
        if any(known not in (None, now) for known, now in zip(self._files, _files(self.path), strict=True)):
            raise OSError(f"{self.path} was replaced by another file; stop what uses it and start that anew")

    def _run(self, sql: str, params: Params) -> sqlite3.Cursor:
        return self.connection.execute(sql, params)

    def rows(self, sql: str, params: Params = ()) -> list[Row]:
        return self._run(sql, params).fetchall()

    def row(self, sql: str, params: Params = ()) -> Row | None:
        cursor = self._run(sql, params)
        found: Row | None = cursor.fetchone()
        cursor.close()
        return found

    def value(self, sql: str, params: Params = ()) -> Any:
        """The first column of the first row, None where there is no row."""
        found = self.row(sql, params)
        return None if found is None else found[0]

    def stream(self, sql: str, params: Params = ()) -> Iterator[Row]:
        """The rows one after another, in flat memory; finish reading before writing what they read."""
        cursor = self._run(sql, params)
        while batch := cursor.fetchmany(1000):
            yield from batch

    def execute(self, sql: str, params: Params = ()) -> int:
        """Run one writing statement inside ``write``; the number of rows it changed."""
        return self._run(sql, params).rowcount

    def executemany(self, sql: str, params: Iterable[Params]) -> int:
        return self.connection.executemany(sql, params).rowcount

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[None]:
        """One transaction.

        ``durable=False`` lets the commit reach the disk a moment later: it survives the death of
        this process but not of the machine. Only for what can be found out again after a power cut.
        """
        connection = self.connection
        if connection.in_transaction:
            yield
            return
        synchronous = "FULL" if durable else "NORMAL"
        if synchronous != self._synchronous:
            connection.execute(f"PRAGMA synchronous={synchronous}")
            self._synchronous = synchronous
        if self._turn is None:
            self._turn = locks.Turn(self.path)
        with self._turn:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Where macli itself works with the store, not the person who acts: nothing is hidden meanwhile."""
        yield

    def hides(self, category_id: int | None) -> bool:
        """Whether the acting person may not see what is in the category, even where macli itself works."""
        return False

    def refuse_hidden(self, table: str, key: str | int) -> None:
        """Raise NotPermitted where the one that was not found is there, and the acting person may not see it.

        ``key`` is its name_key, a banner's slug, or an id.
        """

    def refuse_partly(self, doing: str) -> None:
        """Raise NotPermitted where the acting person may not see all there is, which ``doing`` needs."""

    def told(self, table: str, names: list[str]) -> list[str]:
        """The names as the acting person may read them."""
        return names

    def shown(self, table: str) -> str:
        """A condition on rows of ``events`` or ``sends``: those the acting person may see."""
        return "TRUE"

    def source(self, column: str) -> str:
        """A column that says where something came from, in SQL, as the acting person may read it."""
        return column

    def keep_in_memory(self, megabytes: int) -> None:
        """Keep so much of the store in memory, for work that goes all over it."""
        self.connection.execute(f"PRAGMA cache_size=-{megabytes * 1024}")

    def changes_elsewhere(self) -> int:
        """A number that changes when another connection commits to this store."""
        return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        self.connection.close()
        if self._turn is not None:
            self._turn.close()
            self._turn = None

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _files(path: Path) -> tuple[tuple[int, int] | None, ...]:
    """What tells the store's file, and its log's, from any other that bears its name."""
    found: list[tuple[int, int] | None] = []
    for file in (path, f"{path}-wal"):
        try:
            known = os.stat(file)
        except OSError:
            found.append(None)
        else:
            found.append((known.st_dev, known.st_ino))
    return tuple(found)


def open_store(path: Path, *, create: bool = False) -> Store:
    """Open the store at ``path`` and bring its tables up to date.

    Raises UsageError where there is none (unless ``create``), OperationFailed where the file is
    not a macli store or comes from a later macli.
    """
    if not create and not path.exists():
        raise UsageError(f"no store at {path}", hint="macli init DIR makes one")
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, cached_statements=512, factory=_Connection
    )
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=FULL")
        # Moving the log into the store flushes both: at 32 MB instead of 4 a send does it an eighth as often.
        connection.execute("PRAGMA wal_autocheckpoint=8000")
        # A batch of events goes all over events and ledger: in SQLite's own 2 MB it would read half of them anew.
        connection.execute("PRAGMA cache_size=-16000")
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.DatabaseError as error:
        connection.close()
        if error.sqlite_errorname != "SQLITE_NOTADB":
            raise
        raise OperationFailed(f"{path} is no macli store: {error}") from None
    if version > len(migrations.NAMES):
        connection.close()
        raise OperationFailed(
            f"{path} was written by a later macli (version {version}, this one knows {len(migrations.NAMES)})",
            hint="upgrade macli: pip install --upgrade macli",
        )
    if version < len(migrations.NAMES):
        migrations.migrate(connection)
    connection.row_factory = sqlite3.Row
    connection.create_function("regexp", 2, _regexp, deterministic=True)
    connection.create_function("casefold", 1, _casefold, deterministic=True)
    connection.create_function("decayed", 3, _decayed, deterministic=True)
    connection.create_function("address_hash", 2, _address_hash(connection, path), deterministic=True)
    return Store(connection, path)


class _Connection(sqlite3.Connection):
    """A connection that its own SQL functions can know without keeping it open for ever."""

    __slots__ = ("__weakref__",)


def _address_hash(connection: sqlite3.Connection, path: Path) -> Callable[[str, str | None], str | None]:
    """The SQL function ``address_hash(channel, address)``, which few statements need."""
    made: Callable[[str, str | None], str | None] | None = None
    asked_by = weakref.ref(connection)

    def address_hash(channel: str, address: str | None) -> str | None:
        nonlocal made
        if made is None:
            from macli.store.address_hash import AddressHash

            made = AddressHash(asked_by, path)
        return made(channel, address)

    return address_hash


def _casefold(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def _regexp(pattern: str, value: str | None) -> bool:
    return value is not None and re.search(pattern, str(value), re.IGNORECASE) is not None


def _decayed(points: int, share: int, periods: int) -> int:
    """What is left of points that lose ``share`` percent each period, in whole points towards zero."""
    if periods > 5000:  # less than a point of any that can be given
        return 0
    left: int = abs(points) * (100 - share) ** periods // 100**periods
    return left if points > 0 else -left
