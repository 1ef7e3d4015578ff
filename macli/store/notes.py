"""Notes about contacts, as they are read."""

from typing import TYPE_CHECKING

from macli.errors import NotPermitted
from macli.model import Where
from macli.store.connection import Store
from macli.store.records import Records

if TYPE_CHECKING:
    from macli.store.access import Acting

COLUMNS = ("id", "created_at", "contact", "author", "private", "text")


def readable_by(who: "Acting | None") -> Where:
    """The notes somebody may read: all but the private ones of others; the operator and an admin all of them."""
    if who is None or who.is_admin:
        return Where(sql="TRUE")
    sql = "(notes.private = 0 OR coalesce(notes.author_id = :note_reader, FALSE))"
    return Where(sql=sql, params={"note_reader": who.staff_id})


_SELECT = """
SELECT notes.id, notes.created_at, coalesce(contacts.email, contacts.phone, contacts.external_id) AS contact,
  staff.name AS author, notes.private, notes.text, {source} AS source, notes.contact_id, notes.author_id
FROM notes
JOIN contacts ON contacts.id = notes.contact_id
LEFT JOIN staff ON staff.id = notes.author_id
WHERE {tests}
ORDER BY notes.created_at DESC, notes.id DESC
LIMIT :limit
"""

_RECORDS = Records(table="notes", noun="note", command="macli note list", select=_SELECT)
listed, get = _RECORDS.listed, _RECORDS.get
"""Notes, the latest first; one by its number."""


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
