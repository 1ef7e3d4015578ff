"""Contacts moved through funnels: onto a stage, to another, out."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from macli import events
from macli.address import fold_json
from macli.clock import to_ms
from macli.store import Store, funnels


def move_where(
    store: Store,
    now: datetime,
    ids: str,
    params: Mapping[str, Any],
    funnel: str,
    stage: str | None,
    source: str,
    *,
    silently: bool = False,
) -> int:
    """Put the contacts ``ids`` selects onto a stage, or with None take them out of the funnel; how many moved.

    Who stands there already is left alone. Records funnel.entered or funnel.left, unless ``silently``.
    Raises UnknownName.
    """
    known = funnels.get(store, funnel)
    to = None if stage is None else funnels.stage(store, known, stage)
    said = {**params, "door_funnel": known["id"], "door_stage": None if to is None else to["id"]}
    with store.write():
        store.execute(_TABLE)
        store.execute("DELETE FROM funnel_moves")
        moved = store.execute((_OUT if to is None else _ONTO).format(ids=ids), said)
        if moved:
            now_ms = to_ms(now)
            store.execute(_LEAVE, {"funnel": known["id"], "now": now_ms})
            if to is not None:
                entered = {"funnel": known["id"], "stage": to["id"], "now": now_ms, "source": source}
                store.execute(_ENTER, entered)
            store.execute(_TOUCH, {"now": now_ms})
            if not silently:
                _tell(store, now, known["name"], None if to is None else to["name"], source)
    return moved


_TABLE = "CREATE TEMP TABLE IF NOT EXISTS funnel_moves (contact_id INTEGER PRIMARY KEY, from_id INTEGER)"

_ONTO = """
INSERT INTO funnel_moves (contact_id, from_id)
SELECT contacts.id, stay.stage_id
FROM contacts
LEFT JOIN funnel_stays AS stay ON stay.contact_id = contacts.id
  AND stay.funnel_id = :door_funnel
  AND stay.left_at IS NULL
WHERE contacts.id IN ({ids})
  AND coalesce(stay.stage_id, 0) <> :door_stage
"""

_OUT = """
INSERT INTO funnel_moves (contact_id, from_id)
SELECT contact_id, stage_id
FROM funnel_stays
WHERE funnel_id = :door_funnel
  AND left_at IS NULL
  AND contact_id IN ({ids})
  AND CAST(:door_stage AS INTEGER) IS NULL
"""

_LEAVE = """
UPDATE funnel_stays
SET left_at = :now
WHERE funnel_id = :funnel
  AND left_at IS NULL
  AND contact_id IN (SELECT contact_id FROM funnel_moves)
"""

_ENTER = """
INSERT INTO funnel_stays (contact_id, funnel_id, stage_id, entered_at, source)
SELECT contact_id, :funnel, :stage, :now, :source
FROM funnel_moves
"""

_TOUCH = """
UPDATE contacts
SET updated_at = :now
WHERE id IN (SELECT contact_id FROM funnel_moves)
"""


def _tell(store: Store, now: datetime, funnel: str, stage: str | None, source: str) -> None:
    for row in store.rows(_FROM):
        said = (
            {"funnel": funnel, "from": row["name"]}
            if stage is None
            else {"funnel": funnel, "stage": stage, "from": row["name"]}
        )
        events.record_select(
            store,
            now,
            name="funnel.left" if stage is None else "funnel.entered",
            source=source,
            select=_HAPPENED,
            params={"now": to_ms(now), "from": row["from_id"], "said": json.dumps(said, ensure_ascii=False)},
            folded=fold_json(said),
        )


_FROM = """
SELECT DISTINCT funnel_moves.from_id, funnel_stages.name
FROM funnel_moves
LEFT JOIN funnel_stages ON funnel_stages.id = funnel_moves.from_id
ORDER BY funnel_moves.from_id
"""

_HAPPENED = """
SELECT contact_id, :now AS at, NULL AS source_id, :said AS properties, NULL AS send_id, NULL AS campaign_id
FROM funnel_moves
WHERE coalesce(from_id, 0) = coalesce(:from, 0)
"""
