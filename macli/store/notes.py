"""Notes about contacts, as they are read."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from macli.errors import NotPermitted, UsageError
from macli.model import Where
from macli.store.connection import Row, Store

if TYPE_CHECKING:
    from macli.store.access import Acting

COLUMNS = ("id", "created_at", "contact", "author", "private", "text")
_ALL = 2**62


def readable_by(who: "Acting | None") -> Where:
    """The notes somebody may read: all but the private ones of others; the operator and an admin all of them."""
    if who is None or who.is_admin:
        return Where(sql="TRUE")
    sql = "(notes.private = 0 OR coalesce(notes.author_id = :note_reader, FALSE))"
    return Where(sql=sql, params={"note_reader": who.staff_id})


def listed(store: Store, *wheres: Where, limit: int | None = None) -> Iterator[Row]:
    """The notes all of ``wheres`` select, the latest first."""
    params = {name: value for where in wheres for name, value in where.params.items()}
    tests = " AND ".join(("TRUE", *(where.sql for where in wheres)))
    said = {"tests": tests, "source": store.source("notes.source")}
    return store.stream(_LIST.format(**said), {**params, "limit": _ALL if limit is None else limit})


_LIST = """
SELECT notes.id, notes.created_at, coalesce(contacts.email, contacts.phone, contacts.external_id) AS contact,
  staff.name AS author, notes.private, notes.text, {source} AS source, notes.contact_id, notes.author_id
FROM notes
JOIN contacts ON contacts.id = notes.contact_id
LEFT JOIN staff ON staff.id = notes.author_id
WHERE {tests}
ORDER BY notes.created_at DESC, notes.id DESC
LIMIT :limit
"""


def get(store: Store, number: int, *wheres: Where) -> Row:
    """One note, where all of ``wheres`` select it. Raises UsageError."""
    one = Where(sql="notes.id = :note_number", params={"note_number": number})
    found = next(listed(store, one, *wheres, limit=1), None)
    if found is None:
        raise UsageError(f"there is no note {number}", hint="macli note list shows their numbers")
    return found


def refuse_unread(store: Store, who: "Acting | None", contact_id: int) -> None:
    """Raises NotPermitted where a note about the contact is not for who acts to read."""
    about = Where(sql="notes.contact_id = :note_contact", params={"note_contact": contact_id})
    readable = readable_by(who)
    others = Where(sql=f"NOT {readable.sql}", params=readable.params)
    if next(listed(store, about, others, limit=1), None) is not None:
        raise NotPermitted(
            f"{who} may not read a private note of somebody else's about this contact",
            hint="somebody with the role admin may",
        )


def last_id(store: Store) -> int:
    return int(store.value("SELECT coalesce(max(id), 0) FROM notes"))
