"""Categories: names and colours that sort segments, templates and campaigns."""

from datetime import datetime

from macli.clock import to_ms
from macli.colors import hexadecimal, read_color
from macli.errors import OperationFailed, UnknownName, UsageError
from macli.store.connection import Row, Store

USERS = ("segments", "templates", "campaigns", "banners")
"""The tables whose ``category_id`` names a category."""


def create(store: Store, now: datetime, name: str, color: str | None = None) -> int:
    """Make a category; its id. Raises UsageError for a taken name or a colour that is none."""
    name, color = _name(name), read_color(color) if color else None
    with store.write():
        made: int | None = store.value(
            _CREATE, {"name": name, "key": name.casefold(), "color": color, "now": to_ms(now)}
        )
    if made is None:
        raise UsageError(f"there is a category {name!r} already", hint=f"macli category edit {name!r} changes it")
    return made


_CREATE = """
INSERT INTO categories (name, name_key, color, created_at)
VALUES (:name, :key, :color, :now)
ON CONFLICT (name_key) DO NOTHING
RETURNING id
"""


def edit(store: Store, name: str, *, rename: str | None = None, color: str | None = None) -> None:
    """Change the name or the colour; an empty colour takes it away."""
    category = get(store, name)
    with store.write():
        if rename is not None:
            new = _name(rename)
            other = store.value(_ID, {"key": new.casefold()})
            if other not in (None, category["id"]):
                raise UsageError(f"there is a category {new!r} already")
            store.execute(_RENAME, {"id": category["id"], "name": new, "key": new.casefold()})
        if color is not None:
            store.execute(_RECOLOR, {"id": category["id"], "color": read_color(color) if color else None})


_RENAME = """
UPDATE categories
SET name = :name, name_key = :key
WHERE id = :id
"""

_RECOLOR = """
UPDATE categories
SET color = :color
WHERE id = :id
"""


def remove(store: Store, name: str, *, reassign: str | None = None) -> int:
    """Remove a category; how many things moved to ``reassign``.

    Raises OperationFailed where something is in it and nothing was said about where that goes.
    """
    with store.write():
        category = get(store, name)
        target = get(store, reassign)["id"] if reassign is not None else None
        if target == category["id"]:
            raise UsageError(f"{name!r} cannot take what is in {name!r}")
        if target is None and (used := _uses(store, category["id"])):
            raise OperationFailed(
                f"the category {category['name']!r} is in use: {used}",
                hint=f"macli category rm {category['name']!r} --reassign OTHER moves them first",
            )
        moved = 0
        for table in USERS:
            moved += store.execute(
                f"UPDATE {table} SET category_id = :target WHERE category_id = :id",
                {"target": target, "id": category["id"]},
            )
        store.execute("DELETE FROM categories WHERE id = :id", {"id": category["id"]})
    return moved


def _uses(store: Store, category_id: int) -> str:
    counts = {
        table: store.value(f"SELECT count(*) FROM {table} WHERE category_id = :id", {"id": category_id})
        for table in USERS
    }
    words = (f"{count} {table if count != 1 else table.removesuffix('s')}" for table, count in counts.items() if count)
    return ", ".join(words)


def list_all(store: Store) -> list[Row]:
    """Every category with how many segments, templates and campaigns are in it."""
    return store.rows(_LIST)


_LIST = """
SELECT c.name, c.color, c.created_at,
  (SELECT count(*) FROM segments WHERE category_id = c.id) AS segments,
  (SELECT count(*) FROM templates WHERE category_id = c.id) AS templates,
  (SELECT count(*) FROM campaigns WHERE category_id = c.id) AS campaigns
FROM categories AS c
ORDER BY c.name_key
"""


def get(store: Store, name: str) -> Row:
    """The category of that name. Raises UnknownName."""
    found = store.row(_GET, {"key": name.strip().casefold()})
    if found is None:
        store.refuse_hidden("categories", name.strip().casefold())
        known = (row["name"] for row in store.rows("SELECT name FROM categories"))
        raise UnknownName("category", name, known, hint=f"macli category create {name!r} makes it")
    return found


_GET = """
SELECT id, name, color, created_at
FROM categories
WHERE name_key = :key
"""

_ID = """
SELECT id
FROM categories
WHERE name_key = :key
"""


def id_of(store: Store, name: str | None) -> int | None:
    """The id of a category named in an option; None where none was named."""
    return None if name is None else int(get(store, name)["id"])


def show(store: Store, name: str) -> dict[str, object]:
    """One category, with the names of what is in it."""
    category = get(store, name)
    held = {
        table: [row["name"] for row in store.rows(_HELD.format(table=table), {"id": category["id"]})] for table in USERS
    }
    return {
        "name": category["name"],
        "color": category["color"],
        "created_at": category["created_at"],
        **held,
    }


_HELD = """
SELECT name
FROM {table}
WHERE category_id = :id
ORDER BY name_key
"""


def colors(store: Store) -> dict[str, str]:
    """The colour of each category that has one, as #rrggbb, by its name without regard to case."""
    return {row["name_key"]: hexadecimal(row["color"]) for row in store.rows(_COLORS)}


_COLORS = """
SELECT name_key, color
FROM categories
WHERE color IS NOT NULL
"""


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise UsageError("a category needs a name")
    if not name.isprintable():
        raise UsageError(f"{name!r} holds characters that cannot be shown")
    return name
