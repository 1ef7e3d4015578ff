"""What follows from a visit: the tags and segments that URL rules give for a page.

Each address that is new in a batch is held against the rules once; everything else is SQL over the
whole batch.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from macli.address import fold_json
from macli.effects.base import NEW, Caused
from macli.errors import UsageError
from macli.store import Row, Store, tags, url_rules
from macli.urls import matcher

SOURCE = "url-rule"


def apply_rules(store: Store, now_ms: int, first: int, last: int) -> list[Caused]:
    """The new visits get what the URL rules give for their pages."""
    rules = url_rules.active(store)
    if not rules:
        return []
    gather(store, rules, NEW, {"event": "page.visited", "first": first, "last": last})
    return give(store, now_ms, rules)


def gather(store: Store, rules: Sequence[Row], visits: str, params: Mapping[str, Any]) -> None:
    """Put who visited a page of which rule into the temp table ``visits_found``.

    ``visits`` is a condition on ``events`` that selects visits; only those of contacts count that are not
    removed.
    """
    store.execute("CREATE TEMP TABLE IF NOT EXISTS pages_found (url TEXT NOT NULL, rule_id INTEGER NOT NULL)")
    store.execute(
        """
        CREATE TEMP TABLE IF NOT EXISTS visits_found (
          rule_id INTEGER NOT NULL,
          contact_id INTEGER NOT NULL,
          PRIMARY KEY (rule_id, contact_id)
        )
        """
    )
    store.execute("DELETE FROM pages_found")
    store.execute("DELETE FROM visits_found")
    known = tuple((row["id"], row["kind"], row["pattern"]) for row in rules)
    addresses = store.rows(_ADDRESSES.format(visits=visits), params)
    store.executemany(
        "INSERT INTO pages_found (url, rule_id) VALUES (?, ?)",
        [(url, rule_id) for (url,) in addresses for rule_id in fitting(known, url)],
    )
    store.execute(_FOUND.format(visits=visits), params)


_ADDRESSES = """
SELECT DISTINCT events.properties ->> 'url' AS url
FROM events
WHERE {visits}
  AND events.contact_id IS NOT NULL
  AND events.properties ->> 'url' IS NOT NULL
"""

_FOUND = """
INSERT INTO visits_found (rule_id, contact_id)
SELECT DISTINCT pages_found.rule_id, events.contact_id
FROM events
JOIN pages_found ON pages_found.url = events.properties ->> 'url'
JOIN contacts ON contacts.id = events.contact_id
WHERE {visits}
  AND contacts.removed_at IS NULL
"""


@lru_cache(maxsize=4096)
def fitting(rules: tuple[tuple[int, str, str], ...], url: str) -> tuple[int, ...]:
    """The ids of those (id, kind, pattern) that an address fits."""
    return tuple(rule_id for rule_id, kind, pattern in rules if _fits(kind, pattern, url))


def _fits(kind: Any, pattern: str, url: str) -> bool:
    try:
        return matcher(kind, pattern)(url)
    except UsageError:  # a pattern that an earlier macli took and this one does not
        return False


# Most visits give nothing new: one question tells.
_LACKING = """
SELECT DISTINCT found.rule_id
FROM visits_found AS found
JOIN url_rules ON url_rules.id = found.rule_id
LEFT JOIN tags ON tags.name = url_rules.tag
WHERE NOT EXISTS (
    SELECT 1
    FROM contact_tags
    WHERE contact_tags.contact_id = found.contact_id
      AND contact_tags.tag_id = tags.id
  )
  AND NOT EXISTS (
    SELECT 1
    FROM segment_members
    WHERE segment_members.contact_id = found.contact_id
      AND segment_members.segment_id = url_rules.segment_id
  )
"""

_GIFTS = {
    "tag": ("contact_tags", "tag_id", "tagged_at", "tag.added"),
    "segment": ("segment_members", "segment_id", "entered_at", "segment.entered"),
}
"""What a rule gives: where it is kept, in which columns, and the event that tells of it."""


def give(store: Store, now_ms: int, rules: Sequence[Row]) -> list[Caused]:
    """Give the contacts in ``visits_found`` what their rules give and they do not have yet. Inside a write."""
    found = {row["rule_id"] for row in store.rows(_LACKING)}
    gifts: dict[tuple[str, str], list[int]] = {}
    for rule in rules:
        if rule["id"] in found:
            what = "segment" if rule["tag"] is None else "tag"
            gifts.setdefault((what, rule[what]), []).append(rule["id"])
    caused = [_hand_out(store, now_ms, what, name, ids) for (what, name), ids in gifts.items()]
    return [one for one in caused if one is not None]


def _hand_out(store: Store, now_ms: int, what: str, name: str, rule_ids: Sequence[int]) -> Caused | None:
    table, column, since, event = _GIFTS[what]
    target = tags.id_of(store, name) if what == "tag" else _segment_id(store, rule_ids[0])
    store.execute("CREATE TEMP TABLE IF NOT EXISTS visits_new (rule_id INTEGER NOT NULL, contact_id INTEGER NOT NULL)")
    said = {"rule": rule_ids[0], "target": target, "now": now_ms}
    store.execute("DELETE FROM visits_new WHERE rule_id = :rule", said)
    each = {f"rule_{number}": rule_id for number, rule_id in enumerate(rule_ids)}
    new = store.execute(
        f"""
        INSERT INTO visits_new (rule_id, contact_id)
        SELECT DISTINCT :rule, found.contact_id
        FROM visits_found AS found
        WHERE found.rule_id IN ({", ".join(f":{name}" for name in each)})
          AND NOT EXISTS (
            SELECT 1
            FROM {table}
            WHERE {table}.contact_id = found.contact_id
              AND {table}.{column} = :target
          )
        """,
        {**said, **each},
    )
    if not new:
        return None
    chosen = "SELECT contact_id FROM visits_new WHERE rule_id = :rule"
    store.execute(
        f"INSERT INTO {table} (contact_id, {column}, {since}) SELECT contact_id, :target, :now FROM ({chosen}) AS new",
        said,
    )
    # Rules that ask for tags and segments look at them again.
    store.execute(f"UPDATE contacts SET updated_at = :now WHERE id IN ({chosen})", said)
    told = {what: name}
    return Caused(
        name=event,
        source=SOURCE,
        select=f"""
        SELECT contact_id, :now AS at, NULL AS source_id, :properties AS properties, NULL AS send_id,
          NULL AS campaign_id
        FROM ({chosen}) AS new
        """,
        params={"now": now_ms, "rule": rule_ids[0], "properties": json.dumps(told, ensure_ascii=False)},
        folded=fold_json(told),
    )


def _segment_id(store: Store, rule_id: int) -> int:
    return int(store.value("SELECT segment_id FROM url_rules WHERE id = :id", {"id": rule_id}))
