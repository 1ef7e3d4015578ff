"""Tags, given and taken."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from macli.clock import to_ms
from macli.contacts.chosen import changed, choose
from macli.store import Store, tags


def tag_where(store: Store, now: datetime, ids: str, params: Mapping[str, Any], tag: str, source: str) -> int:
    """Give a normalised tag to the contacts ``ids`` selects; how many did not have it."""
    with store.write():
        chosen = choose(store, _UNTAGGED.format(ids=ids), {**params, "door_tag": tags.id_of(store, tag)})
        if chosen:
            store.execute(_TAG, {"tag": tags.id_of(store, tag), "now": to_ms(now)})
            changed(store, now, "tag.added", {"tag": tag}, source)
    return chosen


_UNTAGGED = """
SELECT id, NULL
FROM contacts
WHERE id IN ({ids})
  AND NOT EXISTS (
    SELECT 1
    FROM contact_tags
    WHERE contact_tags.contact_id = contacts.id
      AND contact_tags.tag_id = :door_tag
  )
"""

_TAG = """
INSERT INTO contact_tags (contact_id, tag_id, tagged_at)
SELECT contact_id, :tag, :now
FROM chosen
"""


def untag_where(store: Store, now: datetime, ids: str, params: Mapping[str, Any], tag: str, source: str) -> int:
    """Take a tag off the contacts ``ids`` selects; how many had it."""
    with store.write():
        chosen = choose(store, _TAGGED.format(ids=ids), {**params, "door_tag": tags.id_of(store, tag)})
        if chosen:
            store.execute(_UNTAG, {"tag": tags.id_of(store, tag)})
            changed(store, now, "tag.removed", {"tag": tag}, source)
    return chosen


_TAGGED = """
SELECT contact_id, NULL
FROM contact_tags
WHERE tag_id = :door_tag
  AND contact_id IN ({ids})
"""

_UNTAG = """
DELETE FROM contact_tags
WHERE tag_id = :tag
  AND contact_id IN (SELECT contact_id FROM chosen)
"""
