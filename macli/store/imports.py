"""Imports: how far each came, so that one that was stopped goes on where it stood."""

from dataclasses import dataclass

from macli.errors import OperationFailed
from macli.store.connection import Row, Store


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What one batch, or a whole import, came to. ``repeated`` rows named a contact the file had added."""

    records: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    repeated: int = 0
    refused: int = 0


def begin(store: Store, now_ms: int, *, source: str, fingerprint: str, refusals_file: str) -> Row:
    """The running import with this fingerprint, or a new one."""
    with store.write():
        store.execute(
            _BEGIN, {"source": source, "fingerprint": fingerprint, "refusals_file": refusals_file, "now": now_ms}
        )
        found = running(store, fingerprint)
    assert found is not None
    return found


_BEGIN = """
INSERT INTO imports (source, fingerprint, state, refusals_file, newest_contact, started_at)
SELECT :source, :fingerprint, 'running', :refusals_file, (SELECT coalesce(max(id), 0) FROM contacts), :now
WHERE true
ON CONFLICT (fingerprint) WHERE state = 'running' DO NOTHING
"""


def running(store: Store, fingerprint: str) -> Row | None:
    """The import of the same file with the same options that did not come to its end."""
    return store.row(_RUNNING, {"fingerprint": fingerprint})


_RUNNING = """
SELECT *
FROM imports
WHERE fingerprint = :fingerprint
  AND state = 'running'
"""


def advance(store: Store, import_id: int, came_to: int, batch: Progress, refusals_size: int) -> None:
    """Note a batch, in its own transaction. Raises OperationFailed where somebody else moved the import."""
    moved = store.execute(
        _ADVANCE,
        {
            "id": import_id,
            "came_to": came_to,
            "records": batch.records,
            "added": batch.added,
            "updated": batch.updated,
            "unchanged": batch.unchanged,
            "repeated": batch.repeated,
            "refused": batch.refused,
            "refusals_size": refusals_size,
        },
    )
    if not moved:
        raise OperationFailed("another macli is importing the same file", hint="let it finish")


_ADVANCE = """
UPDATE imports
SET records = records + :records, added = added + :added, updated = updated + :updated,
  unchanged = unchanged + :unchanged, repeated = repeated + :repeated, refused = refused + :refused,
  refusals_size = :refusals_size
WHERE id = :id
  AND state = 'running'
  AND records = :came_to
"""


def finish(store: Store, import_id: int, now_ms: int) -> Row:
    """The import came to its end; its counts."""
    store.execute(_FINISH, {"id": import_id, "now": now_ms})
    found = store.row("SELECT * FROM imports WHERE id = :id", {"id": import_id})
    assert found is not None
    return found


_FINISH = """
UPDATE imports
SET state = 'finished', finished_at = :now
WHERE id = :id
"""
