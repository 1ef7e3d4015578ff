"""Points for new events, by the rules there are: ledger, sums, and what follows from the new scores."""

from macli.effects.base import Caused
from macli.store import Store


def apply(store: Store, now_ms: int, first: int, last: int, names: frozenset[str]) -> list[Caused]:
    """Give the points that new events are worth, in the transaction that recorded them."""
    return []
