"""How often somebody did something on the site within a time: counted in the store, for all processes."""

from macli.store.connection import Store


def count(store: Store, now_ms: int, key: str, span_ms: int) -> int:
    """Count one more under ``key``; how many there are in its window now. Inside a write.

    Windows that are over are forgotten, and with them whose they were.
    """
    store.execute("DELETE FROM web_rates WHERE window_at <= :old", {"old": now_ms - span_ms})
    return int(store.value(_COUNT, {"key": key, "now": now_ms}))


_COUNT = """
INSERT INTO web_rates (key, window_at, times)
VALUES (:key, :now, 1)
ON CONFLICT (key) DO UPDATE
SET times = web_rates.times + 1
RETURNING times
"""
