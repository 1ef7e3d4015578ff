"""Files that messages carry: each kept once under its name."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from macli.clock import to_ms
from macli.errors import UnknownName
from macli.store.connection import Row, Store


def add(store: Store, now: datetime, name: str, content: bytes) -> int:
    """Keep a file; its id. The same file under the same name is kept once."""
    from mimetypes import guess_type

    facts = {
        "sha256": sha256(content).hexdigest(),
        "name": name,
        "type": guess_type(name)[0] or "application/octet-stream",
        "content": content,
        "now": to_ms(now),
    }
    with store.write():
        store.execute(_ADD, facts)
        return int(store.value(_ID, {"sha256": facts["sha256"], "name": name}))


_ADD = """
INSERT INTO assets (sha256, name, content_type, data, created_at)
VALUES (:sha256, :name, :type, :content, :now)
ON CONFLICT (sha256, name) DO NOTHING
"""

_ID = """
SELECT id
FROM assets
WHERE sha256 = :sha256
  AND name = :name
"""


def by_ids(store: Store, ids: Sequence[int]) -> list[Row]:
    """The files of these ids with their content, in that order."""
    return [row for asset in ids for row in store.rows(_BY_ID, {"id": asset})]


_BY_ID = """
SELECT id, name, content_type, length(data) AS octets, data
FROM assets
WHERE id = :id
"""


def named(store: Store, ids: Sequence[int], names: Sequence[str]) -> list[Row]:
    """The files of these ids and, behind them, the newest of each of these names, none twice.

    Raises UnknownName.
    """
    found = {row["id"]: row for row in by_ids(store, ids)}
    for name in names:
        row = store.row(_NEWEST, {"name": name})
        if row is None:
            known = (row["name"] for row in store.rows("SELECT name FROM assets"))
            raise UnknownName("file", name, known, hint="macli template attach NAME FILE keeps one")
        found.setdefault(row["id"], row)
    return list(found.values())


_NEWEST = """
SELECT id, name, content_type, length(data) AS octets, data
FROM assets
WHERE name = :name
ORDER BY id DESC
LIMIT 1
"""
