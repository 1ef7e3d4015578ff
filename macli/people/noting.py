"""Notes about contacts: written, changed, thrown away."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from macli import texts
from macli.clock import to_ms
from macli.contacts import ONE
from macli.model import Where
from macli.people.telling import staff_name, tell_of_many, touch
from macli.store import Store, notes


def note_where(
    store: Store,
    now: datetime,
    ids: str,
    params: Mapping[str, Any],
    text: str,
    source: str,
    *,
    private: bool = False,
    author_id: int | None = None,
) -> int:
    """Write a note about each of the contacts ``ids`` selects; how many there were.

    The event note.added says who wrote it and what, but not the text of a private one. Raises UsageError
    where the text is empty or too long.
    """
    text = texts.body(text, "note")
    said = {"private": private, "author": staff_name(store, author_id), "text": None if private else text}
    with store.write():
        before = notes.last_id(store)
        written = store.execute(
            _WRITE.format(ids=ids),
            {
                **params,
                "note_text": text,
                "note_folded": text.casefold(),
                "note_private": private,
                "note_author": author_id,
                "note_source": source,
                "note_now": to_ms(now),
            },
        )
        tell_of_many(store, now, "note.added", _WRITTEN, {"before": before}, said, {"note": "id"}, source)
    return written


_WRITE = """
INSERT INTO notes (contact_id, text, folded, private, author_id, source, created_at)
SELECT contacts.id, :note_text, :note_folded, :note_private, :note_author, :note_source, :note_now
FROM contacts
WHERE contacts.id IN ({ids})
  AND contacts.state <> 'erased'
"""

_WRITTEN = "FROM notes WHERE id > :before"


def add(
    store: Store,
    now: datetime,
    contact_id: int,
    text: str,
    source: str,
    *,
    private: bool = False,
    author_id: int | None = None,
) -> int:
    """Write a note about one contact; its number. Raises UsageError as note_where does."""
    with store.write():
        note_where(store, now, ONE, {"one_contact": contact_id}, text, source, private=private, author_id=author_id)
        return notes.last_id(store)


def edit(store: Store, now: datetime, number: int, text: str, *readable: Where) -> None:
    """Write a note anew. What note.added said of it stays. Raises UsageError."""
    text = texts.body(text, "note")
    with store.write():
        note = notes.get(store, number, *readable)
        store.execute(_EDIT, {"id": note["id"], "text": text, "folded": text.casefold()})
        touch(store, now, note["contact_id"])


_EDIT = """
UPDATE notes
SET text = :text, folded = :folded
WHERE id = :id
"""


def remove(store: Store, now: datetime, number: int, *readable: Where) -> None:
    """Throw a note away; note.added stays, without its words. Raises UsageError."""
    with store.write():
        note = notes.get(store, number, *readable)
        store.execute("DELETE FROM notes WHERE id = :id", {"id": note["id"]})
        wordless = {name: store.dialect.json_without(name, "text") for name in ("properties", "folded")}
        store.execute(_FORGET.format(**wordless), {"contact": note["contact_id"], "id": note["id"]})
        touch(store, now, note["contact_id"])


_FORGET = """
UPDATE events
SET properties = {properties}, folded = {folded}
WHERE contact_id = :contact
  AND name = 'note.added'
  AND properties ->> 'note' = :id
"""
