"""Notes about contacts, as they are read."""

from collections.abc import Iterator

from macli.errors import UnknownName
from macli.model import Where
from macli.store.connection import Row, Store

COLUMNS = ("id", "created_at", "contact", "author", "private", "text")
ALL = Where(sql="TRUE")
_ALL = 2**62


def readable_by(staff_id: int | None) -> Where:
    """The notes a member of staff may read: all but the private ones of others."""
    return Where(sql="(notes.private = 0 OR notes.author_id = :note_reader)", params={"note_reader": staff_id})


def listed(store: Store, *wheres: Where, limit: int | None = None) -> Iterator[Row]:
    """The notes all of ``wheres`` select, the latest first."""
    params = {name: value for where in wheres for name, value in where.params.items()}
    tests = " AND ".join(where.sql for where in (ALL, *wheres))
    return store.stream(_LIST.format(tests=tests), {**params, "limit": _ALL if limit is None else limit})


_LIST = """
SELECT notes.id, notes.created_at, coalesce(contacts.email, contacts.phone, contacts.external_id) AS contact,
  staff.name AS author, notes.private, notes.text, notes.source, notes.contact_id, notes.author_id
FROM notes
JOIN contacts ON contacts.id = notes.contact_id
LEFT JOIN staff ON staff.id = notes.author_id
WHERE {tests}
ORDER BY notes.created_at DESC, notes.id DESC
LIMIT :limit
"""


def get(store: Store, number: int, *wheres: Where) -> Row:
    """One note, where all of ``wheres`` select it. Raises UnknownName."""
    one = Where(sql="notes.id = :note_number", params={"note_number": number})
    found = next(listed(store, one, *wheres, limit=1), None)
    if found is None:
        raise UnknownName("note", str(number), hint="macli note list shows their numbers")
    return found


def last_id(store: Store) -> int:
    return int(store.value("SELECT coalesce(max(id), 0) FROM notes"))
