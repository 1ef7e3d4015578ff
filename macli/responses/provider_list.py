"""What a provider's own list of the unwilling says, where it takes an address off again."""

from collections.abc import Iterable

from macli.store import Store


def take_back(store: Store, source: str, addresses: Iterable[tuple[str, int]]) -> int:
    """Free addresses (each with the time it was taken off, in ms) that are suppressed by this source's word alone.

    What the recipient said stands, with a contact or the address alone: only a new yes changes that. A dead
    address stays dead.
    """
    with store.write():
        return sum(store.execute(_FREE, {"source": source, "address": address, "at": at}) for address, at in addresses)


_FREE = """
DELETE FROM suppressions
WHERE channel = 'email'
  AND address = :address
  AND source = :source
  AND reason NOT IN ('bounced', 'opted_out')
  AND suppressed_at <= :at
"""
