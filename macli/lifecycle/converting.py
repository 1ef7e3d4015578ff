"""Leads become customers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from macli.contacts.chosen import changed, choose
from macli.store import Store


def convert_where(store: Store, now: datetime, ids: str, params: Mapping[str, Any], source: str) -> int:
    """Make customers of the leads ``ids`` selects; how many there were."""
    with store.write():
        chosen = choose(store, _LEADS.format(ids=ids), params)
        if chosen:
            store.execute("UPDATE contacts SET state = 'customer' WHERE id IN (SELECT contact_id FROM chosen)")
            changed(store, now, "contact.converted", {}, source)
    return chosen


_LEADS = """
SELECT id, NULL
FROM contacts
WHERE id IN ({ids})
  AND state = 'lead'
"""
