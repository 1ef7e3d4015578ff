"""Points for new events, by the rules there are: ledger, sums, and what follows from the new scores."""

from macli.effects.base import Caused
from macli.scoring import counting
from macli.scoring.compiling import plan_of
from macli.scoring.promoting import promote
from macli.scoring.watching import watched
from macli.store import Store, settings

_NEW = "events.id > :first AND events.id <= :last"


def apply(store: Store, now_ms: int, first: int, last: int, names: frozenset[str]) -> list[Caused]:
    """Give the points that new events are worth, in the transaction that recorded them."""
    plan = plan_of(store, now_ms, sorted(names))
    given = "points.given" in names
    if plan is None and not given:
        return []
    counting.clear(store)
    found = 0
    if plan is not None:
        found += counting.gather(store, plan, _NEW, {"first": first, "last": last})
    if given:
        default = settings.get(store, "points.decay")
        found += counting.gather_given(store, first, last, default and default.span)
    if not found:
        return []
    counting.book(store, now_ms)
    return follow(store, now_ms, "points")


def follow(store: Store, now_ms: int, cause: str, source_id: str | None = None) -> list[Caused]:
    """What follows from the changes in ``score_changes``: watched values come to, other stages."""
    return [*watched(store, source_id), *promote(store, now_ms, cause)]
