"""Members on the move: the temp table of who comes or goes, the log, and the change itself."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from macli import events
from macli.address import fold_json
from macli.clock import to_ms
from macli.store import Row, Store

SOURCE = "segment"


def enter(
    store: Store, now: datetime, segment: Row, select: str, params: Mapping[str, Any], *, silently: bool = False
) -> int:
    """Make members of the contacts that ``select`` yields and that are none yet; how many. Inside a write."""
    moved = _gather(
        store,
        f"""
        SELECT found.contact_id
        FROM ({select}) AS found
        WHERE NOT EXISTS (
          SELECT 1
          FROM segment_members
          WHERE segment_members.segment_id = :segment_id
            AND segment_members.contact_id = found.contact_id
        )
        """,
        {**params, "segment_id": segment["id"]},
    )
    if moved:
        store.execute(_ENTER, {"segment_id": segment["id"], "now": to_ms(now)})
        _tell(store, now, segment, "segment.entered", silently)
    return moved


def leave(
    store: Store, now: datetime, segment: Row, select: str, params: Mapping[str, Any], *, silently: bool = False
) -> int:
    """Take out the members that ``select`` yields; how many. Inside a write."""
    moved = _gather(store, select, {**params, "segment_id": segment["id"]})
    if moved:
        store.execute(_LEAVE, {"segment_id": segment["id"]})
        _tell(store, now, segment, "segment.left", silently)
    return moved


def _gather(store: Store, select: str, params: Mapping[str, Any]) -> int:
    store.execute("CREATE TEMP TABLE IF NOT EXISTS moved (contact_id INTEGER PRIMARY KEY)")
    store.execute("DELETE FROM moved")
    return store.execute(f"INSERT INTO moved (contact_id) {select}", params)


_ENTER = """
INSERT INTO segment_members (segment_id, contact_id, entered_at)
SELECT :segment_id, contact_id, :now
FROM moved
"""

_LEAVE = """
DELETE FROM segment_members
WHERE segment_id = :segment_id
  AND contact_id IN (SELECT contact_id FROM moved)
"""


def _tell(store: Store, now: datetime, segment: Row, name: str, silently: bool) -> None:
    if segment["kind"] == "static":
        # Rules that ask for a static segment read its members; of a dynamic one they read its rule.
        store.execute(_TOUCH, {"now": to_ms(now)})
    if silently:
        return
    said = {"segment": segment["name"]}
    events.record_select(
        store,
        now,
        name=name,
        source=SOURCE,
        select=_HAPPENED,
        params={"now": to_ms(now), "properties": json.dumps(said, ensure_ascii=False)},
        folded=fold_json(said),
    )


_TOUCH = """
UPDATE contacts
SET updated_at = :now
WHERE id IN (SELECT contact_id FROM moved)
"""

_HAPPENED = """
SELECT contact_id, :now AS at, NULL AS source_id, :properties AS properties, NULL AS send_id,
  NULL AS campaign_id
FROM moved
"""
