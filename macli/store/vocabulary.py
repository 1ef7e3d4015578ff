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
    """The names most rules use. What few ask for is read by the functions below, when it is asked for."""
    return Words(
        attributes=attributes.types(store),
        indexed=frozenset(row["name"] for row in store.rows("SELECT name FROM attributes WHERE indexed = 1")),
        segments=store.rows(_SEGMENTS),
        campaigns=store.rows("SELECT id, name, name_key FROM campaigns"),
        normalise_tags=settings.get(store, "tags.normalise"),
    )


_SEGMENTS = """
SELECT id, name, name_key, CASE kind WHEN 'dynamic' THEN rule END AS rule, category_id
FROM segments
"""


def stages(store: Store) -> list[Row]:
    """The stages of the lifecycle, removed ones too: id, name, name_key, position, removed."""
    return store.rows(
        """
        SELECT id, name, name_key, position, removed_at IS NOT NULL AS removed
        FROM stages
        ORDER BY position
        """
    )


def funnel_stages(store: Store) -> list[Row]:
    """The stages of every funnel, with it: funnel_id, funnel, funnel_key, and id, name, name_key, position,
    removed, NULL for a funnel that has none."""
    return store.rows(_FUNNEL_STAGES)


_FUNNEL_STAGES = """
SELECT funnels.id AS funnel_id, funnels.name AS funnel, funnels.name_key AS funnel_key,
  funnel_stages.id, funnel_stages.name, funnel_stages.name_key, funnel_stages.position,
  funnel_stages.removed_at IS NOT NULL AS removed
FROM funnels
LEFT JOIN funnel_stages ON funnel_stages.funnel_id = funnels.id
ORDER BY funnels.id, funnel_stages.position
"""


def staff(store: Store) -> list[Row]:
    """Who works here or did: id, name, name_key."""
    return store.rows("SELECT id, name, name_key FROM staff")


def staff_groups(store: Store) -> list[Row]:
    """The groups of staff: name, name_key."""
    return store.rows("SELECT min(name) AS name, name_key FROM staff_groups GROUP BY name_key")


def reports(store: Store) -> list[Row]:
    """The RFM reports: id, name, name_key."""
    return store.rows("SELECT id, name, name_key FROM rfm_reports")


def scopes(store: Store) -> list[Row]:
    """What points are counted for, or could be: kind, name. Every tag is among them."""
    return store.rows(_SCOPES)


_SCOPES = """
SELECT kind, name
FROM scopes
UNION
SELECT kind, name
FROM point_rule_scopes
UNION
SELECT 'tag', name
FROM tags
"""
