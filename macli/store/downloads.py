"""Downloads: files people fetch from the site, each under an address of its own."""

from datetime import datetime

from macli.clock import to_ms
from macli.errors import UnknownName, UsageError
from macli.store import assets
from macli.store.connection import Row, Store
from macli.store.templates import slug_of


def add(store: Store, now: datetime, name: str, content: bytes, *, slug: str | None = None) -> str:
    """Offer a file; its slug. The same address again leads to the new file from here on. Raises UsageError."""
    slug = slug_of(slug or name)
    if not slug:
        raise UsageError(f"no address can be made of {name!r}", hint="give one with --slug ebook")
    with store.write():
        asset = assets.add(store, now, name, content)
        store.execute(_ADD, {"slug": slug, "asset": asset, "now": to_ms(now)})
    return slug


_ADD = """
INSERT INTO downloads (slug, asset_id, created_at)
VALUES (:slug, :asset, :now)
ON CONFLICT (slug) DO UPDATE
SET asset_id = excluded.asset_id
"""


def find(store: Store, name: str) -> Row:
    """The download of that slug or file name: slug, name, content_type, octets. Raises UnknownName."""
    found = store.row(_FIND, {"slug": slug_of(name), "name": name})
    if found is None:
        known = (row["slug"] for row in store.rows("SELECT slug FROM downloads"))
        raise UnknownName("download", name, known, hint="macli asset list shows them")
    return found


_FIND = """
SELECT downloads.id, downloads.slug, assets.name, assets.content_type, length(assets.data) AS octets,
  downloads.asset_id, downloads.created_at
FROM downloads
JOIN assets ON assets.id = downloads.asset_id
WHERE downloads.slug = :slug
  OR assets.name = :name
ORDER BY downloads.slug = :slug DESC, downloads.id
LIMIT 1
"""


def served(store: Store, slug: str) -> Row | None:
    """What is sent for a slug: slug, name, asset_id."""
    return store.row(_SERVED, {"slug": slug})


_SERVED = """
SELECT downloads.slug, assets.name, downloads.asset_id
FROM downloads
JOIN assets ON assets.id = downloads.asset_id
WHERE downloads.slug = :slug
"""


def list_all(store: Store) -> list[Row]:
    """The downloads with how often each was fetched, and by how many contacts."""
    return store.rows(_LIST)


_LIST = """
SELECT downloads.slug, assets.name, assets.content_type, length(assets.data) AS octets,
  count(fetched.slug) AS times, count(DISTINCT fetched.contact_id) AS contacts, downloads.created_at
FROM downloads
JOIN assets ON assets.id = downloads.asset_id
LEFT JOIN (
  SELECT properties ->> 'asset' AS slug, contact_id
  FROM events
  WHERE name = 'asset.downloaded'
) AS fetched ON fetched.slug = downloads.slug
GROUP BY downloads.id, downloads.slug, assets.name, assets.content_type, assets.data, downloads.created_at
ORDER BY downloads.slug
"""


def remove(store: Store, name: str) -> str:
    """Offer a file no more; its slug. Templates that carry the file keep it. Raises UnknownName."""
    found = find(store, name)
    with store.write():
        store.execute("DELETE FROM downloads WHERE id = :id", {"id": found["id"]})
    return str(found["slug"])
