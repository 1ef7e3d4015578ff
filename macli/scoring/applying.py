"""Points for new events, by the rules there are: ledger, sums, and what follows from the new scores."""

from collections.abc import Mapping
from typing import Any

from macli.effects.base import Caused
from macli.store import Store


def apply(store: Store, now_ms: int, first: int, last: int, names: frozenset[str]) -> list[Caused]:
    """Give the points that new events are worth, in the transaction that recorded them."""
    return []


def rescore(store: Store, now_ms: int, which: str, params: Mapping[str, Any]) -> list[Caused]:
    """Give anew what events are worth whose contact or name changed in place; the events this causes.

    ``which`` is a condition on ``events``. Inside a write.
    """
    return []
