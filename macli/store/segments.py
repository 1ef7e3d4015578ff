"""Segments: their names and rules, and the members of those that keep them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from macli.errors import OperationFailed, UnknownName, UsageError
from macli.store.connection import Row, Store

Kind = Literal["dynamic", "static"]


def create(
    store: Store,
    now_ms: int,
    name: str,
    *,
    kind: Kind,
    rule: str | None,
    category_id: int | None = None,
    tracked: bool = False,
) -> int:
    """Make a segment; its id. Its rule has been checked. Raises UsageError for a taken name."""
    name = clean_name(name)
    with store.write():
        made: int | None = store.value(
            _CREATE,
            {
                "name": name,
                "key": name.casefold(),
                "kind": kind,
                "rule": rule,
                "category": category_id,
                "tracked": int(tracked),
                "now": now_ms,
            },
        )
    if made is None:
        raise UsageError(f"there is a segment {name!r} already", hint=f"macli segment edit {name!r} changes it")
    return made


_CREATE = """
INSERT INTO segments (name, name_key, kind, rule, category_id, tracked, created_at, updated_at)
VALUES (:name, :key, :kind, :rule, :category, :tracked, :now, :now)
ON CONFLICT (name_key) DO NOTHING
RETURNING id
"""


def clean_name(name: str) -> str:
    """The name without doubled blanks. Raises UsageError where nothing or something unprintable is left."""
    name = " ".join(name.split())
    if not name or not name.isprintable():
        raise UsageError("a segment needs a name")
    return name


def get(store: Store, name: str) -> Row:
    """The segment of that name. Raises UnknownName."""
    key = " ".join(name.split()).casefold()
    found = store.row(_GET, {"key": key})
    if found is None:
        store.refuse_hidden("segments", key)
        names = (row["name"] for row in store.rows("SELECT name FROM segments"))
        raise UnknownName("segment", name, names, hint="macli segment list shows them")
    return found


_GET = """
SELECT segments.id, segments.name, segments.kind, segments.rule, categories.name AS category,
  segments.tracked, segments.created_at, segments.updated_at, segments.swept_at, segments.swept_all_at,
  segments.event_cursor
FROM segments
LEFT JOIN categories ON categories.id = segments.category_id
WHERE segments.name_key = :key
"""


def list_all(store: Store, category_id: int | None = None) -> list[Row]:
    """Every segment, or those of one category."""
    return store.rows(_LIST, {"category": category_id})


_LIST = """
SELECT segments.name, segments.kind, segments.rule, categories.name AS category, segments.tracked,
  CASE segments.kind
    WHEN 'static' THEN (SELECT count(*) FROM segment_members WHERE segment_id = segments.id)
  END AS members,
  segments.updated_at
FROM segments
LEFT JOIN categories ON categories.id = segments.category_id
WHERE CAST(:category AS INTEGER) IS NULL OR segments.category_id = :category
ORDER BY segments.name_key
"""


def rules(store: Store) -> list[Row]:
    """Every segment that has a rule."""
    return store.rows("SELECT id, name, name_key, rule FROM segments WHERE rule IS NOT NULL")


def tracked(store: Store) -> list[Row]:
    """The dynamic segments whose members are written down as they come and go."""
    return store.rows(_TRACKED)


_TRACKED = """
SELECT id, name, kind, rule, swept_at, swept_all_at, event_cursor
FROM segments
WHERE tracked = 1
  AND kind = 'dynamic'
ORDER BY id
"""


def set_rule(store: Store, now_ms: int, segment_id: int, rule: str | None) -> None:
    store.execute(
        "UPDATE segments SET rule = :rule, updated_at = :now, swept_all_at = NULL WHERE id = :id",
        {"id": segment_id, "rule": rule, "now": now_ms},
    )


def set_category(store: Store, now_ms: int, segment_id: int, category_id: int | None) -> None:
    store.execute(
        "UPDATE segments SET category_id = :category, updated_at = :now WHERE id = :id",
        {"id": segment_id, "category": category_id, "now": now_ms},
    )


def set_tracked(store: Store, now_ms: int, segment_id: int, tracked: bool) -> None:
    """Begin or cease to write down the members of a dynamic segment; beginning, there are none yet."""
    store.execute(
        """
        UPDATE segments
        SET tracked = :tracked, updated_at = :now, swept_at = NULL, swept_all_at = NULL
        WHERE id = :id
        """,
        {"id": segment_id, "tracked": int(tracked), "now": now_ms},
    )
    store.execute("DELETE FROM segment_members WHERE segment_id = :id", {"id": segment_id})


def rename(store: Store, now_ms: int, segment_id: int, name: str) -> None:
    """Give the segment another name. Raises UsageError where it is taken. Inside a write."""
    name = clean_name(name)
    taken = store.value(
        "SELECT 1 FROM segments WHERE name_key = :key AND id <> :id",
        {"key": name.casefold(), "id": segment_id},
    )
    if taken:
        raise UsageError(f"there is a segment {name!r} already")
    store.execute(
        "UPDATE segments SET name = :name, name_key = :key, updated_at = :now WHERE id = :id",
        {"id": segment_id, "name": name, "key": name.casefold(), "now": now_ms},
    )


def remove(store: Store, segment_id: int) -> None:
    store.execute("DELETE FROM segments WHERE id = :id", {"id": segment_id})


def campaigns_of(store: Store, segment_id: int) -> list[str]:
    """The names of the campaigns that are sent to the segment."""
    rows = store.rows(
        """
        SELECT campaigns.name
        FROM campaign_segments
        JOIN campaigns ON campaigns.id = campaign_segments.campaign_id
        WHERE campaign_segments.segment_id = :id
        ORDER BY campaigns.name_key
        """,
        {"id": segment_id},
    )
    return [row["name"] for row in rows]


def definitions(store: Store) -> Iterator[Row]:
    """The name and the current definition of every campaign whose definition speaks of segments."""
    return store.stream(
        """
        SELECT campaigns.name, campaign_versions.definition
        FROM campaigns
        JOIN campaign_versions
          ON campaign_versions.campaign_id = campaigns.id
          AND campaign_versions.number = campaigns.current_version
        WHERE lower(campaign_versions.definition) LIKE '%segment%'
        ORDER BY campaigns.name_key
        """
    )


# Members


def members(store: Store, where: str, params: Mapping[str, Any]) -> Iterator[Row]:
    """What people want to see of the contacts a condition selects, one after another, by id."""
    return store.stream(
        f"""
        SELECT contacts.id, contacts.email, contacts.phone, contacts.state, contacts.added_at
        FROM contacts
        WHERE {where}
        ORDER BY contacts.id
        """,
        params,
    )


def name_people(store: Store, people: Iterable[str]) -> list[str]:
    """Put the contacts of these addresses into the temp table ``named``; the addresses nobody has.

    An address is an e-mail address, a phone number or an external id, in the form the store keeps.
    """
    store.execute("CREATE TEMP TABLE IF NOT EXISTS addresses (address TEXT PRIMARY KEY)")
    store.execute("CREATE TEMP TABLE IF NOT EXISTS named (contact_id INTEGER PRIMARY KEY)")
    store.execute("DELETE FROM addresses")
    store.execute("DELETE FROM named")
    store.executemany(
        "INSERT INTO addresses (address) VALUES (:address) ON CONFLICT (address) DO NOTHING",
        ({"address": address} for address in people),
    )
    for column in ("email", "phone", "external_id"):
        store.execute(
            f"""
            INSERT INTO named (contact_id)
            SELECT contacts.id
            FROM addresses
            JOIN contacts ON contacts.{column} = addresses.address
            WHERE contacts.removed_at IS NULL
            ON CONFLICT (contact_id) DO NOTHING
            """
        )
    unknown = store.rows(
        """
        SELECT address
        FROM addresses
        WHERE NOT EXISTS (
          SELECT 1
          FROM contacts
          WHERE contacts.removed_at IS NULL
            AND (contacts.email = address OR contacts.phone = address OR contacts.external_id = address)
        )
        ORDER BY address
        """
    )
    return [row["address"] for row in unknown]


def require_static(segment: Row) -> None:
    """Raise OperationFailed where the segment's members are found by its rule, not written down."""
    if segment["kind"] != "static":
        raise OperationFailed(
            f"{segment['name']!r} is dynamic: its rule says who is in it",
            hint=f"macli segment edit {segment['name']!r} --rule …",
        )
