"""Telephone calls with contacts, as they are read."""

from collections.abc import Iterator

from macli.errors import UsageError
from macli.model import Where
from macli.store.connection import Row, Store

COLUMNS = ("id", "at", "contact", "direction", "outcome", "seconds", "staff", "text")
_ALL = 2**62


def listed(store: Store, *wheres: Where, limit: int | None = None) -> Iterator[Row]:
    """The calls all of ``wheres`` select, the latest first."""
    params = {name: value for where in wheres for name, value in where.params.items()}
    tests = " AND ".join(("TRUE", *(where.sql for where in wheres)))
    return store.stream(_LIST.format(tests=tests), {**params, "limit": _ALL if limit is None else limit})


_LIST = """
SELECT calls.id, calls.at, coalesce(contacts.email, contacts.phone, contacts.external_id) AS contact, calls.direction,
  calls.outcome, calls.seconds, staff.name AS staff, calls.phone, calls.text, calls.source, calls.created_at,
  calls.contact_id, calls.staff_id
FROM calls
LEFT JOIN contacts ON contacts.id = calls.contact_id
LEFT JOIN staff ON staff.id = calls.staff_id
WHERE {tests}
ORDER BY calls.at DESC, calls.id DESC
LIMIT :limit
"""


def get(store: Store, number: int) -> Row:
    """One call. Raises UsageError."""
    one = Where(sql="calls.id = :call_number", params={"call_number": number})
    found = next(listed(store, one, limit=1), None)
    if found is None:
        raise UsageError(f"there is no call {number}", hint="macli call list shows their numbers")
    return found
