"""The names a rule may use, as the store has them."""

from collections.abc import Mapping
from dataclasses import dataclass

from macli.model import AttributeType
from macli.store import attributes, settings
from macli.store.connection import Row, Store


@dataclass(frozen=True, kw_only=True)
class Words:
    """Attributes with their types, and those that have an index; segments (``rule`` where dynamic);
    campaigns."""

    attributes: Mapping[str, AttributeType]
    indexed: frozenset[str]
    segments: list[Row]
    campaigns: list[Row]
    normalise_tags: bool


def load(store: Store) -> Words:
    """Every name a rule may use."""
    return Words(
        attributes=attributes.types(store),
        indexed=frozenset(row["name"] for row in store.rows("SELECT name FROM attributes WHERE indexed = 1")),
        segments=store.rows(_SEGMENTS),
        campaigns=store.rows("SELECT id, name, name_key FROM campaigns"),
        normalise_tags=settings.get(store, "tags.normalise"),
    )


_SEGMENTS = """
SELECT id, name, name_key, CASE kind WHEN 'dynamic' THEN rule END AS rule
FROM segments
"""
