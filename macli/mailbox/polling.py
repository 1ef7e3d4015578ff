"""Reading mailboxes, again and again: a bounded number of messages each time, each taking effect once."""

import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from macli.clock import to_ms
from macli.errors import MacliError
from macli.mailbox import files, imap
from macli.mailbox.batch import Batch
from macli.mailbox.finding import Finder, finder
from macli.mailbox.ingesting import Understood, take_in, understand
from macli.mailbox.keeping import keep
from macli.mailbox.reading import read
from macli.mailbox.settings import Imap, Settings, load
from macli.model import Check
from macli.signing import keyring
from macli.store import Row, Store, mailboxes, settings
from macli.tick.engine import Engine

EVERY_MS = 55_000
"""A mailbox is read at most so often; a tick each minute reads it each time."""

MOST = 500
SECONDS = 10.0


def poll(engine: Engine, trouble: Callable[[str, str], None]) -> int:
    """Read the mailboxes that are due; how many messages said something new. ``trouble`` is told of
    a mailbox that cannot be read; the others are read all the same."""
    new = 0
    until = time.monotonic() + SECONDS
    for row in mailboxes.unread_since(engine.store, to_ms(engine.now) - EVERY_MS, to_ms(engine.moment())):
        if time.monotonic() >= until:
            break
        why: str | None = None
        try:
            new += sum(
                found for found, _ in read_new(engine.store, engine.moment(), row, engine.workspace, until=until)
            )
        except Exception as error:
            # Whatever a server says or a message holds, a no may lie in the next mailbox.
            why = error.message if isinstance(error, MacliError) else f"{type(error).__name__}: {error}"
            trouble(f"mailbox {row['name']}", why)
        mailboxes.note_read(engine.store, engine.moment(), row["id"], why)
    return new


def read_new(
    store: Store, now: datetime, row: Row, workspace: Path, *, most: int = MOST, until: float | None = None
) -> Iterator[tuple[int, list[Understood]]]:
    """Take in what is new in a mailbox, batch by batch: how much of each was new, and what it said.

    What a batch says and how far the mailbox is read are one transaction. Raises MacliError.
    """
    found = load(row["kind"], json.loads(row["settings"]), workspace=workspace)
    finding = finder_of(store, now, workspace)
    with closing(_batches(found, json.loads(row["cursor"]), most)) as batches:
        for batch in batches:
            understood = [understand(finding, read(message)) for message in batch.messages]
            with store.write():
                new = take_in(store, now, understood) + keep(store, now, understood, row["name"])
                mailboxes.note_cursor(store, row["id"], batch.cursor)
            batch.tidy()
            yield new, understood
            if until is not None and time.monotonic() >= until:
                break


def ingest(
    store: Store, now: datetime, path: str, workspace: Path, *, recipients: tuple[str, ...] = ()
) -> Iterator[tuple[bool, Understood]]:
    """Take in the messages at a path, one after another: whether each said something new, and what it said."""
    finding = finder_of(store, now, workspace)
    for message in files.messages(path):
        understood = understand(finding, read(message, recipients=recipients))
        with store.write():
            new = take_in(store, now, [understood]) + keep(store, now, [understood], "")
        yield new > 0, understood


def try_out(row: Row, workspace: Path) -> list[Check]:
    """Each step of opening a mailbox. Raises MacliError where its settings do not do."""
    found = load(row["kind"], json.loads(row["settings"]), workspace=workspace)
    return imap.check(found) if isinstance(found, Imap) else files.check(found)


def finder_of(store: Store, now: datetime, workspace: Path) -> Finder:
    marked = settings.get(store, "bounces.address") is not None
    return finder(store, keyring(workspace), now, marked=marked)


def _batches(found: Settings, cursor: Mapping[str, Any], most: int) -> Generator[Batch, None, None]:
    if isinstance(found, Imap):
        return imap.batches(found, cursor, most=most)
    return files.batches(found, cursor, most=most)
