"""Tags: their names, and who has them."""

from macli.errors import UnknownName
from macli.store.connection import Row, Store


def id_of(store: Store, name: str) -> int:
    """The id of a tag, made where it is new. Inside a write."""
    store.execute("INSERT INTO tags (name) VALUES (:name) ON CONFLICT (name) DO NOTHING", {"name": name})
    return int(store.value("SELECT id FROM tags WHERE name = :name", {"name": name}))


def known(store: Store, name: str) -> int:
    """The id of a tag somebody has or had. Raises UnknownName."""
    found: int | None = store.value("SELECT id FROM tags WHERE name = :name", {"name": name})
    if found is None:
        raise UnknownName("tag", name, (row["name"] for row in store.rows("SELECT name FROM tags")))
    return found


def of(store: Store, contact_id: int) -> list[Row]:
    """The tags of one contact, and since when."""
    return store.rows(_OF, {"contact_id": contact_id})


_OF = """
SELECT tags.name, contact_tags.tagged_at
FROM contact_tags
JOIN tags ON tags.id = contact_tags.tag_id
WHERE contact_tags.contact_id = :contact_id
ORDER BY tags.name
"""
