"""Selecting contacts: a rule's text, the store's names and the SQL, put together."""

from macli.selection.conditions import (
    check,
    entity_where,
    event_where_of,
    find_segment,
    named_where,
    segment_where,
    where_of,
)
from macli.selection.explaining import Explained, explain, plan
from macli.selection.knowing import vocabulary
from macli.selection.looking import Preview, Reach, count, member_ids, preview, reach, rows_of, total

__all__ = [
    "Explained",
    "Preview",
    "Reach",
    "check",
    "count",
    "entity_where",
    "event_where_of",
    "explain",
    "find_segment",
    "member_ids",
    "named_where",
    "plan",
    "preview",
    "reach",
    "rows_of",
    "segment_where",
    "total",
    "vocabulary",
    "where_of",
]
