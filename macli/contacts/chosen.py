"""The contacts a change is about: a temp table of those it really changes, and what is said of them."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from macli import events
from macli.address import fold_json
from macli.clock import to_ms
from macli.model import Where
from macli.store import Store

ONE = "SELECT CAST(:one_contact AS INTEGER) AS id"
"""The query of a single id, for ``{"one_contact": id}``."""


def ids_of(where: Where) -> tuple[str, dict[str, Any]]:
    """The query of the ids a condition selects, and its parameters."""
    return f"SELECT contacts.id FROM contacts WHERE {where.sql}", dict(where.params)


def how_many(store: Store, ids: str, params: Mapping[str, Any]) -> int:
    """How many contacts a query of ids selects."""
    return int(store.value(f"SELECT count(*) FROM ({ids}) AS meant", params))


def choose(store: Store, select: str, params: Mapping[str, Any]) -> int:
    """Put who really changes into the temp table ``chosen``, with the old value where one counts."""
    store.execute("CREATE TEMP TABLE IF NOT EXISTS chosen (contact_id INTEGER PRIMARY KEY, old TEXT)")
    store.execute("DELETE FROM chosen")
    return store.execute(f"INSERT INTO chosen (contact_id, old) {select}", params)


def changed(store: Store, now: datetime, name: str, said: Mapping[str, Any], source: str) -> None:
    """Say that the chosen contacts changed, to the tick and to the log."""
    store.execute(_TOUCH, {"now": to_ms(now)})
    events.record_select(
        store,
        now,
        name=name,
        source=source,
        select=_HAPPENED,
        params={"now": to_ms(now), "properties": json.dumps(dict(said), ensure_ascii=False)},
        folded=fold_json(said),
    )


_TOUCH = """
UPDATE contacts
SET updated_at = :now
WHERE id IN (SELECT contact_id FROM chosen)
"""

_HAPPENED = """
SELECT contact_id, :now AS at, NULL AS source_id, :properties AS properties, NULL AS send_id,
  NULL AS campaign_id
FROM chosen
"""
