"""Mailboxes macli reads: their settings, with secrets by reference only, and how far they are read."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from macli.clock import to_ms
from macli.errors import UnknownName, UsageError
from macli.store.connection import Row, Store
from macli.store.providers import checked_name


def add(store: Store, now: datetime, name: str, kind: str, settings: Mapping[str, Any]) -> None:
    """Keep a mailbox whose settings hold. Raises UsageError where there is one of that name."""
    name = checked_name("mailbox", name)
    with store.write():
        made = store.execute(
            """
            INSERT INTO mailboxes (name, name_key, kind, settings, created_at, updated_at)
            VALUES (:name, :key, :kind, :settings, :now, :now)
            ON CONFLICT (name_key) DO NOTHING
            """,
            {
                "name": name,
                "key": name.casefold(),
                "kind": kind,
                "settings": json.dumps(dict(settings), ensure_ascii=False),
                "now": to_ms(now),
            },
        )
    if not made:
        raise UsageError(f"there is a mailbox {name!r} already", hint=f"macli mail rm {name} removes it")


def get(store: Store, name: str) -> Row:
    """A mailbox's row. Raises UnknownName."""
    row = store.row("SELECT * FROM mailboxes WHERE name_key = :key", {"key": name.strip().casefold()})
    if row is None:
        known = [found["name"] for found in store.rows("SELECT name FROM mailboxes")]
        raise UnknownName("mailbox", name, known, hint="macli mail list")
    return row


def list_all(store: Store) -> list[Row]:
    """Every mailbox, when it was last read and what went wrong then."""
    return store.rows("SELECT name, kind, settings, read_at, trouble FROM mailboxes ORDER BY name_key")


def unread_since(store: Store, before_ms: int, now_ms: int) -> list[Row]:
    """The mailboxes last read before an instant, those that wait longest first.

    One that was read in what is the future now, by a clock that was set back, is among them.
    """
    return store.rows(
        """
        SELECT *
        FROM mailboxes
        WHERE coalesce(read_at, 0) <= :before
           OR read_at > :now
        ORDER BY coalesce(read_at, 0), id
        """,
        {"before": before_ms, "now": now_ms},
    )


def note_cursor(store: Store, mailbox_id: int, cursor: Mapping[str, Any]) -> None:
    """Keep how far a mailbox is read. Inside ``write``, with what was read."""
    store.execute(
        "UPDATE mailboxes SET cursor = :cursor WHERE id = :id",
        {"id": mailbox_id, "cursor": json.dumps(dict(cursor))},
    )


def note_read(store: Store, now: datetime, mailbox_id: int, trouble: str | None) -> None:
    """Keep when a mailbox was read, and what went wrong."""
    with store.write():
        store.execute(
            "UPDATE mailboxes SET read_at = :now, trouble = :trouble WHERE id = :id",
            {"id": mailbox_id, "now": to_ms(now), "trouble": trouble},
        )


def remove(store: Store, name: str) -> None:
    """Read a mailbox no more; what was read stays. Raises UnknownName."""
    row = get(store, name)
    with store.write():
        store.execute("DELETE FROM mailboxes WHERE id = :id", {"id": row["id"]})
