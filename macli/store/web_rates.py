"""How often somebody did something on the site within a time: counted in the store, for all processes."""

from macli.store.connection import Store

_FORGOTTEN = 24 * 3_600_000
"""Windows as old as this, in ms, are forgotten, and with them whose they were."""


def count(store: Store, now_ms: int, key: str, span_ms: int) -> int:
    """Count one more under ``key``; how many there are in its window of ``span_ms`` now. Inside a write."""
    store.execute("DELETE FROM web_rates WHERE window_at <= :old", {"old": now_ms - _FORGOTTEN})
    return int(store.value(_COUNT, {"key": key, "now": now_ms, "over": now_ms - span_ms}))


_COUNT = """
INSERT INTO web_rates (key, window_at, times)
VALUES (:key, :now, 1)
ON CONFLICT (key) DO UPDATE
SET times = CASE WHEN web_rates.window_at > :over THEN web_rates.times + 1 ELSE 1 END,
  window_at = CASE WHEN web_rates.window_at > :over THEN web_rates.window_at ELSE :now END
RETURNING times
"""
