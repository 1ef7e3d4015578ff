"""Sweeping the store's file: what was erased from the tables is rewritten away, also where it lay in gaps."""

from typing import TYPE_CHECKING

from macli.errors import OperationFailed
from macli.store import Store, upkeep

if TYPE_CHECKING:
    from macli.tick.chores import Trouble
    from macli.tick.engine import Engine

_WANT = """
INSERT INTO meta (key, value)
VALUES ('erasure_unswept', '1')
ON CONFLICT (key) DO NOTHING
"""


def want(store: Store) -> None:
    """Note that something was erased, in the transaction that does it."""
    store.execute(_WANT)


def sweep(store: Store) -> None:
    """Rewrite the file. Raises OperationFailed where that cannot be done now; the next tick tries again."""
    upkeep.rewrite(store)
    with store.write():
        store.execute("DELETE FROM meta WHERE key = 'erasure_unswept'")


def finish(store: Store) -> str | None:
    """Sweep where something erased has not been swept yet; why that could not be done now."""
    if store.value("SELECT value FROM meta WHERE key = 'erasure_unswept'") is None:
        return None
    try:
        sweep(store)
    except OperationFailed as error:
        return error.message
    return None


def follow(store: Store) -> str | None:
    """Sweep what was erased just now; why that could not be done.

    Ctrl-C leaves it to the next tick: the erasure is done, and what remains elsewhere is still to be said.
    """
    try:
        return finish(store)
    except KeyboardInterrupt:
        return "stopped"


def chore(engine: "Engine", trouble: "Trouble") -> int:
    """Finish a sweep that was interrupted, or was not possible. Nothing of this is heard from outside: 0."""
    if said := finish(engine.store):
        trouble("store", said)
    return 0
