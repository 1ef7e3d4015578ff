"""Deals: what may be sold to whom, as it is read, and what they come to."""

from collections.abc import Iterator

from macli.errors import UnknownName
from macli.model import Where
from macli.store.connection import Row, Store

COLUMNS = ("id", "title", "contact", "state", "funnel", "stage", "value", "currency", "owner", "created_at")
_ALL = 2**62


def listed(store: Store, *wheres: Where, limit: int | None = None) -> Iterator[Row]:
    """The deals all of ``wheres`` select, the latest first."""
    params = {name: value for where in wheres for name, value in where.params.items()}
    tests = " AND ".join(("TRUE", *(where.sql for where in wheres)))
    return store.stream(_LIST.format(tests=tests), {**params, "limit": _ALL if limit is None else limit})


_LIST = """
SELECT deals.id, deals.title, coalesce(contacts.email, contacts.phone, contacts.external_id) AS contact, deals.state,
  funnels.name AS funnel, funnel_stages.name AS stage, deals.value, deals.currency, staff.name AS owner, deals.source,
  deals.created_at, deals.updated_at, deals.moved_at, deals.closed_at, deals.contact_id, deals.funnel_id,
  deals.stage_id, deals.owner_id
FROM deals
LEFT JOIN contacts ON contacts.id = deals.contact_id
LEFT JOIN funnels ON funnels.id = deals.funnel_id
LEFT JOIN funnel_stages ON funnel_stages.id = deals.stage_id
LEFT JOIN staff ON staff.id = deals.owner_id
WHERE {tests}
ORDER BY deals.created_at DESC, deals.id DESC
LIMIT :limit
"""


def get(store: Store, number: int) -> Row:
    """One deal. Raises UnknownName."""
    one = Where(sql="deals.id = :deal_number", params={"deal_number": number})
    found = next(listed(store, one, limit=1), None)
    if found is None:
        raise UnknownName("deal", str(number), hint="macli deal list shows their numbers")
    return found
