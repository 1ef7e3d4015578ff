"""Changing a setting: bands of readiness that something names stay, and no rule comes to feed itself."""

from datetime import datetime

from macli.errors import OperationFailed
from macli.lifecycle import uses
from macli.store import Store, point_rules, settings

BANDS = "points.bands"
DEMOTE = "stages.demote"


def put(store: Store, now: datetime, key: str, text: str) -> None:
    """Set a setting. Raises UsageError; OperationFailed where a band would go that something names, or where
    points for a stage would lead to stages without end."""
    with store.write():
        before = _bands(store, key)
        settings.put(store, now, key, text)
        _refuse_gone(store, before - _bands(store, key))
        if key == DEMOTE and settings.get(store, DEMOTE):
            _refuse_circle(store)


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


def _refuse_circle(store: Store) -> None:
    """Raises OperationFailed where a stage that can be left again gives points that lead to stages."""
    for rule in point_rules.active(store, ["stage.entered"]):
        raise OperationFailed(
            f"the point rule {rule.name!r} scores 'stage.entered': with scores that lead back it would feed itself",
            hint=f"macli points rule off {rule.name!r}",
        )
