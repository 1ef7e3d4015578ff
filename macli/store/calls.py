"""Telephone calls with contacts, as they are read."""

from macli.store.records import Records

COLUMNS = ("id", "at", "contact", "direction", "outcome", "seconds", "staff", "text")


_SELECT = """
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

_RECORDS = Records(table="calls", noun="call", command="macli call list", select=_SELECT)
listed, get = _RECORDS.listed, _RECORDS.get
"""Calls, the latest first; one by its number."""
