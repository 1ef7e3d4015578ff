"""Banners: what is shown, where it leads, and how often it was followed."""

from datetime import datetime
from typing import Any

from macli.clock import to_ms
from macli.errors import UnknownName, UsageError
from macli.store import categories
from macli.store.connection import Row, Store
from macli.store.templates import slug_of


def add(
    store: Store,
    now: datetime,
    name: str,
    *,
    url: str,
    text: str,
    asset_id: int | None = None,
    campaign_id: int | None = None,
    category: str | None = None,
) -> str:
    """Make a banner; its slug. Raises UsageError where the name, or the address it makes, is taken."""
    name, slug = " ".join(name.split()), slug_of(name)
    if not name.isprintable() or not slug:
        raise UsageError(f"no address can be made of {name!r}", hint="use letters or digits")
    facts = {
        "name": name,
        "key": name.casefold(),
        "slug": slug,
        "url": url,
        "text": text,
        "asset": asset_id,
        "campaign": campaign_id,
        "category": categories.id_of(store, category),
        "now": to_ms(now),
    }
    with store.write():
        if store.value("SELECT id FROM banners WHERE slug = :slug", {"slug": slug}) is not None:
            raise UsageError(f"there is a banner {name!r} already", hint=f"macli banner edit {name!r} changes it")
        store.execute(_ADD, facts)
    return slug


_ADD = """
INSERT INTO banners (name, name_key, slug, category_id, campaign_id, url, text, asset_id, created_at, updated_at)
VALUES (:name, :key, :slug, :category, :campaign, :url, :text, :asset, :now, :now)
"""


def edit(store: Store, now: datetime, name: str, changes: dict[str, Any]) -> None:
    """Set columns of a banner: url, text, asset_id, campaign_id, category_id. Raises UnknownName."""
    banner = find(store, name)
    assignments = ", ".join(f"{column} = :{column}" for column in changes)
    with store.write():
        store.execute(
            f"UPDATE banners SET {assignments}, updated_at = :now WHERE id = :id",
            {**changes, "now": to_ms(now), "id": banner["id"]},
        )


def find(store: Store, name: str) -> Row:
    """The banner of that name or slug. Raises UnknownName."""
    found = by_slug(store, slug_of(name))
    if found is None:
        store.refuse_hidden("banners", slug_of(name))
        known = (row["name"] for row in store.rows("SELECT name FROM banners"))
        raise UnknownName("banner", name, known, hint="macli banner list shows them")
    return found


def by_slug(store: Store, slug: str) -> Row | None:
    return store.row(_BY_SLUG, {"slug": slug})


_BY_SLUG = """
SELECT b.id, b.name, b.slug, b.url, b.text, b.asset_id, b.campaign_id, categories.name AS category,
  campaigns.name AS campaign, b.created_at, b.updated_at
FROM banners AS b
LEFT JOIN categories ON categories.id = b.category_id
LEFT JOIN campaigns ON campaigns.id = b.campaign_id
WHERE b.slug = :slug
"""


def list_all(store: Store, *, category: str | None = None) -> list[Row]:
    """The banners with how often each was clicked, by how many contacts, and when last."""
    return store.rows(_LIST, {"category": categories.id_of(store, category)})


_LIST = """
SELECT b.name, b.slug, c.name AS category, campaigns.name AS campaign, b.url,
  count(clicked.name) AS clicks, count(DISTINCT clicked.contact_id) AS contacts, max(clicked.at) AS clicked_at
FROM banners AS b
LEFT JOIN categories AS c ON c.id = b.category_id
LEFT JOIN campaigns ON campaigns.id = b.campaign_id
LEFT JOIN (
  SELECT properties ->> 'slug' AS name, contact_id, at
  FROM events
  WHERE name = 'banner.clicked'
) AS clicked ON clicked.name = b.slug
WHERE :category IS NULL OR b.category_id = :category
GROUP BY b.id, b.name, b.slug, c.name, campaigns.name, b.url
ORDER BY b.name_key
"""


def remove(store: Store, name: str) -> str:
    """Remove a banner; its name. What was clicked stays. Raises UnknownName."""
    banner = find(store, name)
    with store.write():
        store.execute("DELETE FROM banners WHERE id = :id", {"id": banner["id"]})
    return str(banner["name"])
