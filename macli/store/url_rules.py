"""URL rules: which pages give their visitors which tag, or put them into which segment."""

from typing import Any

from macli.errors import UnknownName, UsageError
from macli.store.connection import Row, Store

MOST = 1000
"""Rules a workspace can have: each visit is held against all of them."""


def create(store: Store, now_ms: int, rule: dict[str, Any]) -> None:
    """Keep a new rule: name, kind, pattern, tag or segment_id. Raises UsageError for a taken name."""
    with store.write():
        if int(store.value("SELECT count(*) FROM url_rules")) >= MOST:
            raise UsageError(f"there are {MOST:,} URL rules already", hint="macli url-rule list")
        made = store.execute(_CREATE, {**rule, "key": rule["name"].casefold(), "now": now_ms})
    if not made:
        raise UsageError(
            f"there is a URL rule {rule['name']!r} already", hint=f"macli url-rule edit {rule['name']!r} changes it"
        )


_CREATE = """
INSERT INTO url_rules (name, name_key, kind, pattern, tag, segment_id, created_at, updated_at)
VALUES (:name, :key, :kind, :pattern, :tag, :segment_id, :now, :now)
ON CONFLICT (name_key) DO NOTHING
"""


def change(store: Store, now_ms: int, rule: dict[str, Any]) -> None:
    """Write a rule as it is to be: id, kind, pattern, tag, segment_id, active. Inside a write."""
    store.execute(_CHANGE, {**rule, "now": now_ms})


_CHANGE = """
UPDATE url_rules
SET kind = :kind, pattern = :pattern, tag = :tag, segment_id = :segment_id, active = :active, updated_at = :now
WHERE id = :id
"""


def remove(store: Store, rule_id: int) -> None:
    """Forget a rule; the tags it gave stay. Inside a write."""
    store.execute("DELETE FROM url_rules WHERE id = :id", {"id": rule_id})


def get(store: Store, name: str) -> Row:
    """The rule of that name. Raises UnknownName."""
    found = store.row(f"{_ALL} WHERE url_rules.name_key = :key", {"key": clean_name(name).casefold()})
    if found is None:
        names = (row["name"] for row in store.rows("SELECT name FROM url_rules"))
        raise UnknownName("URL rule", name, names, hint="macli url-rule list shows them")
    return found


def listed(store: Store) -> list[Row]:
    """Every rule, by name."""
    return store.rows(f"{_ALL} ORDER BY url_rules.name_key")


def active(store: Store) -> list[Row]:
    """The rules that visits are held against."""
    return store.rows(f"{_ALL} WHERE url_rules.active = 1 ORDER BY url_rules.id")


_ALL = """
SELECT url_rules.id, url_rules.name, url_rules.kind, url_rules.pattern, url_rules.tag, url_rules.segment_id,
  segments.name AS segment, url_rules.active, url_rules.created_at, url_rules.updated_at
FROM url_rules
LEFT JOIN segments ON segments.id = url_rules.segment_id
"""


def clean_name(name: str) -> str:
    """The name without doubled blanks. Raises UsageError where nothing or something unprintable is left."""
    name = " ".join(name.split())
    if not name or not name.isprintable() or len(name) > 200:
        raise UsageError("a URL rule needs a name")
    return name
