"""How often somebody did something on the site within a time: counted in the store, for all processes."""

from macli.store.connection import Store

_FORGOTTEN = 24 * 3_600_000
"""Windows as old as this, in ms, are forgotten, and with them whose they were."""


def count(store: Store, now_ms: int, what: str, address: str, span_ms: int, *, more: int = 1) -> int:
    """Count ``more`` of what an address does; how many there are in its window of ``span_ms`` now. Inside a write."""
    store.execute("DELETE FROM web_rates WHERE window_at <= :old", {"old": now_ms - _FORGOTTEN})
    key = f"{what}:{network(address)}"
    return int(store.value(_COUNT, {"key": key, "now": now_ms, "over": now_ms - span_ms, "more": more}))


_COUNT = """
INSERT INTO web_rates (key, window_at, times)
VALUES (:key, :now, :more)
ON CONFLICT (key) DO UPDATE
SET times = CASE WHEN web_rates.window_at > :over THEN web_rates.times + :more ELSE :more END,
  window_at = CASE WHEN web_rates.window_at > :over THEN web_rates.window_at ELSE :now END
RETURNING times
"""


def network(address: str) -> str:
    """An address as it is counted: of IPv6 the network, of which one household has all."""
    from ipaddress import IPv6Address, IPv6Network

    try:
        return str(IPv6Network((int(IPv6Address(address)) >> 64 << 64, 64)))
    except ValueError:
        return address
