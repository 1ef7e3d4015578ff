"""Which machine a store belongs to, and whether it is the newest of its copies.

A store that was moved, copied or restored from a backup holds campaigns that its original has
sent since. So the store remembers its machine and counts generations, and a file beside it, which
a backup of the store alone does not bring back, remembers the last generation seen here.
"""

import json
import os
from binascii import crc32
from datetime import datetime
from pathlib import Path
from typing import Any

from macli.clock import to_ms
from macli.errors import OperationFailed
from macli.store.connection import Row, Store

HINT = "macli store adopt, once no other copy of this store will send"


def record(store: Store) -> None:
    """Make this machine the store's home, if it has none yet."""
    if store.value(_GET, {"key": "store"}) is not None:
        return
    with store.write():
        if store.value(_GET, {"key": "store"}) is None:
            for key, value in (
                ("store", os.urandom(8).hex()),
                ("machine", machine(store)),
                ("generation", "1"),
            ):
                store.execute(_PUT, {"key": key, "value": value})
    _write_seen(store, generation(store))


def check(store: Store) -> None:
    """Raises OperationFailed where sending from this store could repeat what another copy sent."""
    record(store)
    if trouble := doubt(store):
        raise OperationFailed(trouble, hint=HINT)


def doubt(store: Store) -> str | None:
    """Why this store may not be the newest of its copies; None where nothing speaks against it."""
    # The file first: another sender may count on between the two, and the file is never ahead of the store.
    seen = _read_seen(store)
    identity = {row["key"]: row["value"] for row in store.rows(_ALL)}
    if "store" not in identity:
        return None
    if identity.get("machine") != machine(store):
        return f"the store {store.path} was moved or copied: it belongs to another machine or directory"
    if seen is None or seen.get("store") != identity["store"]:
        return f"the store {store.path} was put here from elsewhere: {_sidecar(store).name} does not know it"
    if int(identity["generation"]) < seen["generation"]:
        return (
            f"the store {store.path} is older than what this machine has done with it"
            f" (generation {identity['generation']}, {seen['generation']} was seen): a restored backup"
        )
    return None


def advance(store: Store) -> None:
    """Count one generation: call it in each transaction that lets messages leave.

    The file beside the store learns only of generations that were committed, so a rollback or a
    crash can leave it behind the store and never ahead of it.
    """
    joined = store.connection.in_transaction
    with store.write():
        now: str | None = store.value(_ADVANCE)
    if now is not None:
        _write_seen(store, int(now) - joined)


_ADVANCE = """
UPDATE meta
SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)
WHERE key = 'generation'
RETURNING value
"""


def adopt(store: Store, now: datetime) -> list[str]:
    """Make this machine the store's home; the names of the campaigns that were paused for it.

    A store moved together with its file goes on as it was. Any other may have been overtaken by
    what another copy sent, so its running campaigns wait for a person to resume them.
    """
    from macli.store import workers

    record(store)
    seen = _read_seen(store)
    known = seen is not None and seen.get("store") == store.value(_GET, {"key": "store"})
    newest = seen["generation"] if known and seen is not None else 0
    with store.write():
        workers.abandon_all(store, now)
        paused: list[Row] = []
        if not known or generation(store) < newest:
            reason = "the store was restored from a backup or copied; messages may have been sent since"
            paused = store.rows(_PAUSE, {"now": to_ms(now), "reason": reason})
        store.execute(_PUT, {"key": "machine", "value": machine(store)})
        store.execute(_PUT, {"key": "generation", "value": str(max(generation(store), newest) + 1)})
    _write_seen(store, generation(store))
    return [row["name"] for row in paused]


_PAUSE = """
UPDATE campaigns
SET paused_from = state, state = 'paused', pause_reason = :reason, updated_at = :now
WHERE state IN ('active', 'scheduled')
RETURNING name
"""

_GET = """
SELECT value
FROM meta
WHERE key = :key
"""

_ALL = """
SELECT key, value
FROM meta
WHERE key IN ('store', 'machine', 'generation')
"""

_PUT = """
INSERT INTO meta (key, value)
VALUES (:key, :value)
ON CONFLICT (key) DO UPDATE
SET value = excluded.value
"""


def generation(store: Store) -> int:
    return int(store.value(_GET, {"key": "generation"}) or 0)


def machine(store: Store) -> str:
    """This machine and the store's place on it, in so few bits that it gives neither away."""
    name = ""
    for file in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        if os.path.exists(file):
            name = Path(file).read_text("ascii", "replace").strip()
            break
    else:
        import uuid

        node = uuid.getnode()
        # A random node, which changes at every start, has the multicast bit set.
        name = "" if node >> 40 & 1 else f"{node:012x}"
    return f"{crc32(f'{name}{chr(10)}{store.path.resolve()}'.encode()):08x}"


def _sidecar(store: Store) -> Path:
    return store.path.with_name(f"{store.path.name}.machine")


def _read_seen(store: Store) -> dict[str, Any] | None:
    try:
        seen = json.loads(_sidecar(store).read_text("utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return seen if isinstance(seen, dict) and isinstance(seen.get("generation"), int) else None


def _write_seen(store: Store, generation: int) -> None:
    file = _sidecar(store)
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    fresh.write_text(
        json.dumps({"store": store.value(_GET, {"key": "store"}), "generation": generation}) + "\n", "utf-8"
    )
    fresh.replace(file)
