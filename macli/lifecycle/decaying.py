"""The tick's part in decay: credits whose time has come lose what time takes, batch by batch."""

from typing import TYPE_CHECKING

from macli import events
from macli.clock import to_ms
from macli.scoring import decaying
from macli.store import Store

if TYPE_CHECKING:
    from datetime import datetime

    from macli.tick.chores import Trouble
    from macli.tick.engine import Engine


def sweep(store: Store, now: "datetime") -> int:
    """Bring all credits that are due to what they are worth now; how many were due."""
    swept, due = 0, decaying.BATCH
    while due == decaying.BATCH:
        with store.write():
            due, caused = decaying.sweep(store, to_ms(now))
            events.record_caused(store, now, caused)
        swept += due
    return swept


def chore(engine: "Engine", trouble: "Trouble") -> int:
    """Sweep; how many credits were due."""
    return sweep(engine.store, engine.now)
