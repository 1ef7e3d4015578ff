"""RFM reports: how contacts are sorted by how recently, how often and for how much they bought."""

from macli.errors import UnknownName, UsageError
from macli.store.connection import Row, Store


def create(store: Store, now_ms: int, name: str, definition: str) -> int:
    """Keep a new report; its id. Inside a write. Raises UsageError for a taken name."""
    name = _line(name)
    made: int | None = store.value(
        _CREATE, {"name": name, "key": name.casefold(), "definition": definition, "now": now_ms}
    )
    if made is None:
        raise UsageError(f"there is an RFM report {name!r} already", hint=f"macli rfm edit {name!r} changes it")
    return made


_CREATE = """
INSERT INTO rfm_reports (name, name_key, definition, created_at, updated_at)
VALUES (:name, :key, :definition, :now, :now)
ON CONFLICT (name_key) DO NOTHING
RETURNING id
"""


def change(store: Store, now_ms: int, report_id: int, definition: str) -> None:
    """Give a report another definition. Inside a write."""
    store.execute(
        "UPDATE rfm_reports SET definition = :definition, updated_at = :now WHERE id = :id",
        {"id": report_id, "definition": definition, "now": now_ms},
    )


def note_computed(store: Store, now_ms: int, report_id: int) -> None:
    """Note that every contact was looked at. Inside a write."""
    store.execute("UPDATE rfm_reports SET computed_at = :now WHERE id = :id", {"id": report_id, "now": now_ms})


def remove(store: Store, report_id: int) -> None:
    """Forget a report and everybody's bands in it. Inside a write."""
    store.execute("DELETE FROM rfm_reports WHERE id = :id", {"id": report_id})


def get(store: Store, name: str) -> Row:
    """The report of that name. Raises UnknownName."""
    found = store.row(f"{_ALL} WHERE name_key = :key", {"key": " ".join(name.split()).casefold()})
    if found is None:
        raise UnknownName("RFM report", name, (row["name"] for row in all_(store)), hint="macli rfm list shows them")
    return found


def all_(store: Store) -> list[Row]:
    """Every report, by name."""
    return store.rows(f"{_ALL} ORDER BY name_key")


_ALL = "SELECT id, name, definition, computed_at, created_at, updated_at FROM rfm_reports"


def _line(name: str) -> str:
    name = " ".join(name.split())
    if not name or not name.isprintable() or len(name) > 200:
        raise UsageError("an RFM report needs a name of one line")
    return name
