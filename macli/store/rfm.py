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


# A round looks at every contact of a report. Beside it others record purchases: whom they look at meanwhile is noted,
# and the round leaves them alone.


def begin_round(store: Store, report_id: int, *, afresh: bool = False) -> None:
    """Begin a round, which ends any other that is on its way. Inside a write.

    ``afresh``: nobody's bands are those of the report any more.
    """
    store.execute(
        """
        UPDATE rfm_reports
        SET round = round + 1, settled_to = 0, computed_at = CASE WHEN NOT :afresh THEN computed_at END
        WHERE id = :id
        """,
        {"id": report_id, "afresh": afresh},
    )
    store.execute("DELETE FROM rfm_looked_at WHERE report_id = :id", {"id": report_id})


def go_on(store: Store, report: Row, settled_to: int) -> bool:
    """Note that the bands of contacts up to that id are settled; False where another round began since. In a write."""
    return bool(
        store.execute(
            "UPDATE rfm_reports SET settled_to = :to WHERE id = :id AND round = :round",
            {"to": settled_to, "id": report["id"], "round": report["round"]},
        )
    )


def end_round(store: Store, now_ms: int, report: Row) -> bool:
    """Note that every contact was looked at; False where another round began since. Inside a write."""
    known = {"id": report["id"], "round": report["round"], "now": now_ms}
    ended = store.execute(
        "UPDATE rfm_reports SET computed_at = :now, settled_to = NULL WHERE id = :id AND round = :round", known
    )
    if ended:
        store.execute("DELETE FROM rfm_looked_at WHERE report_id = :id", known)
    return bool(ended)


def forget_some(store: Store, report_id: int, most: int) -> int:
    """Forget the bands of so many contacts of a report; how many there were. Inside a write."""
    return store.execute(_FORGET, {"id": report_id, "most": most})


_FORGET = """
DELETE FROM rfm_bands
WHERE report_id = :id
  AND contact_id IN (SELECT contact_id FROM rfm_bands WHERE report_id = :id ORDER BY contact_id LIMIT :most)
"""


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


_ALL = "SELECT id, name, definition, computed_at, round, settled_to, created_at, updated_at FROM rfm_reports"


def _line(name: str) -> str:
    name = " ".join(name.split())
    if not name or not name.isprintable() or len(name) > 200:
        raise UsageError("an RFM report needs a name of one line")
    return name
