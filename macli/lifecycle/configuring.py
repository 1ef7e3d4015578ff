"""Changing a setting: bands of readiness that something names stay."""

from datetime import datetime

from macli.lifecycle import uses
from macli.store import Store, settings

BANDS = "points.bands"


def put(store: Store, now: datetime, key: str, text: str) -> None:
    """Set a setting. Raises UsageError, and OperationFailed where a band would go that something names."""
    with store.write():
        before = _bands(store, key)
        settings.put(store, now, key, text)
        _refuse_gone(store, before - _bands(store, key))


def unset(store: Store, key: str) -> bool:
    """Let a setting's default hold again; False where it did. Raises OperationFailed as ``put`` does."""
    with store.write():
        before = _bands(store, key)
        was_set = settings.unset(store, key)
        _refuse_gone(store, before - _bands(store, key))
    return was_set


def _bands(store: Store, key: str) -> set[str]:
    return {band.name.casefold() for band in settings.get(store, BANDS)} if key == BANDS else set()


def _refuse_gone(store: Store, names: set[str]) -> None:
    for name in sorted(names):
        uses.refuse_used(store, uses.of_band(name), f"the band {name!r}")
