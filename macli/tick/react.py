"""React: who waited for something that happened is looked at again, and tracked segments are kept."""

from collections.abc import Mapping

from macli.clock import to_ms
from macli.store import Store, enrollments
from macli.tick.engine import Engine

_CHUNK = 20_000

_CURSOR = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'react_cursor'"

_MOVE_CURSOR = """
INSERT INTO meta (key, value)
VALUES ('react_cursor', :cursor)
ON CONFLICT (key) DO UPDATE SET value = excluded.value
"""


_ANY_TRACKED = "SELECT EXISTS (SELECT 1 FROM segments WHERE tracked = 1)"


def refresh_segments(engine: Engine) -> Mapping[str, str]:
    """Keep the members of tracked segments; those whose rule no longer reads, and why."""
    if not engine.store.value(_ANY_TRACKED):
        return {}
    from macli import segments

    moved = segments.refresh_tracked(engine.store, engine.moment(), engine.zone, every=engine.setting("check_every"))
    return moved.faults


def react(engine: Engine) -> int:
    """Wake who waited for one of the new events; how many."""
    store = engine.store
    cursor, last = _cursor(store), int(store.value("SELECT coalesce(max(id), 0) FROM events"))
    woken = 0
    while cursor < last:
        upto = min(cursor + _CHUNK, last)
        with store.write():
            now_ms = to_ms(engine.moment())
            woken += enrollments.wake(store, now_ms, first_event=cursor, last_event=upto)
            woken += enrollments.wake_settled(store, now_ms, first_event=cursor, last_event=upto)
            store.execute(_MOVE_CURSOR, {"cursor": str(upto)})
        cursor = upto
    return woken


def _cursor(store: Store) -> int:
    found: int | None = store.value(_CURSOR)
    return found or 0
