"""Addresses never to be written to: in plain words while somebody is known by them, as keyed hashes once erased."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from macli.store import address_hash
from macli.store.connection import Row, Store

COLUMNS = ("channel", "address", "reason", "source", "suppressed_at")
_ALL = 2**62


def listed(store: Store, *, channel: str | None = None, limit: int | None = None) -> Iterator[Row]:
    """The list, the latest first. An erased address is there as a hash, which stands in ``hash``."""
    return store.stream(_LIST, {"channel": channel, "limit": _ALL if limit is None else limit})


_LIST = """
SELECT channel, address, NULL AS hash, reason, source, suppressed_at
FROM suppressions
WHERE :channel IS NULL OR channel = :channel
UNION ALL
SELECT channel, NULL, hash, reason, source, suppressed_at
FROM suppression_hashes
WHERE :channel IS NULL OR channel = :channel
ORDER BY suppressed_at DESC
LIMIT :limit
"""


def on(store: Store, channel: str, address: str | None) -> Row | None:
    """Why a normalised address is never written to on a channel; None where it may be."""
    if address is None:
        return None
    return store.row(_ON, {"channel": channel, "address": address})


_ON = """
SELECT channel, :address AS address, reason, source, suppressed_at
FROM suppressions
WHERE channel = :channel
  AND address = :address
UNION ALL
SELECT channel, :address, reason, source, suppressed_at
FROM suppression_hashes
WHERE channel = :channel
  AND hash = address_hash(:channel, :address)
LIMIT 1
"""


def of(store: Store, email: str | None, phone: str | None) -> list[Row]:
    """Why a contact's addresses are never written to, where they are not."""
    found = (on(store, "email", email), on(store, "sms", phone))
    return [row for row in found if row is not None]


def add(store: Store, now_ms: int, channel: str, address: str, *, reason: str, source: str) -> bool:
    """Put a normalised address on the list; whether it was not there."""
    with store.write():
        if on(store, channel, address) is not None:
            return False
        store.execute(_ADD, {"channel": channel, "address": address, "reason": reason, "source": source, "now": now_ms})
    return True


_ADD = """
INSERT INTO suppressions (channel, address, reason, source, suppressed_at)
VALUES (:channel, :address, :reason, :source, :now)
"""


def remove(store: Store, channel: str, address: str) -> bool:
    """Take a normalised address off the list, erased or not; whether it was there."""
    params = {"channel": channel, "address": address}
    with store.write():
        gone = store.execute(_REMOVE, params) + store.execute(_REMOVE_HASH, params)
    return gone > 0


_REMOVE = """
DELETE FROM suppressions
WHERE channel = :channel
  AND address = :address
"""

_REMOVE_HASH = """
DELETE FROM suppression_hashes
WHERE channel = :channel
  AND hash = address_hash(:channel, :address)
"""


def keep_as_hashes(
    store: Store, now_ms: int, addresses: Iterable[tuple[str, str]], *, source: str, reason: str = "erased"
) -> Mapping[tuple[str, str], str]:
    """Suppress (channel, address) for good without keeping the address: their hashes.

    What the list said of one in plain words goes over to its hash; ``reason`` is that of the others.
    """
    key = address_hash.key_of(store)
    made = {}
    for channel, address in addresses:
        params: dict[str, Any] = {"channel": channel, "address": address, "reason": reason, "source": source}
        params["now"] = now_ms
        made[channel, address] = params["hash"] = address_hash.hashed(key, channel, address)
        store.execute(_TAKE_OVER, params)
        store.execute(_REMOVE, {"channel": channel, "address": address})
    return made


_TAKE_OVER = """
INSERT INTO suppression_hashes (channel, hash, reason, source, suppressed_at)
SELECT :channel, :hash, coalesce(plain.reason, :reason), :source, coalesce(plain.suppressed_at, :now)
FROM (SELECT 1 AS one) AS always
LEFT JOIN suppressions AS plain ON plain.channel = :channel AND plain.address = :address
WHERE true
ON CONFLICT (channel, hash) DO NOTHING
"""


def hashes(store: Store) -> int:
    """How many erased addresses are remembered."""
    return int(store.value("SELECT count(*) FROM suppression_hashes"))


def forget_hashes(store: Store) -> int:
    """Forget the erased addresses and their key's fingerprint; how many there were."""
    with store.write():
        count = store.execute("DELETE FROM suppression_hashes")
        store.execute("DELETE FROM meta WHERE key = 'erasure_key'")
    return count
