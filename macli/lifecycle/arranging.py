"""A funnel changed: its name, its stages and their order, and what becomes of who stands where."""

from dataclasses import dataclass
from datetime import datetime

from macli.clock import to_ms
from macli.errors import OperationFailed, UsageError
from macli.lifecycle import uses
from macli.lifecycle.funnels import move_where
from macli.store import Row, Store, funnels
from macli.texts import count_of


@dataclass(frozen=True, kw_only=True)
class Edit:
    """What is to change of a funnel; None leaves it as it is.

    ``after`` is where the stage ``add`` comes, at the end without it; ``rename_stage`` is ``OLD=NEW``;
    ``order`` names all stages; ``move_to`` takes those who stand on the stage ``remove``.
    """

    name: str | None = None
    description: str | None = None
    add: str | None = None
    after: str | None = None
    rename_stage: str | None = None
    order: str | None = None
    remove: str | None = None
    move_to: str | None = None


def split(text: str) -> list[str]:
    """The names of stages in ``Lead, Offer, Won``."""
    return [name.strip() for name in text.split(",") if name.strip()]


def edit(store: Store, now: datetime, funnel: Row, changes: Edit, source: str, *, silently: bool) -> int:
    """Change a funnel; how many contacts were moved. Raises UsageError, UnknownName, OperationFailed."""
    moved = 0
    with store.write():
        if changes.rename_stage is not None:
            _rename_stage(store, funnel, changes.rename_stage)
        if changes.add is not None:
            _add_stage(store, funnel, changes.add, changes.after)
        if changes.remove is not None:
            moved = _remove_stage(store, now, funnel, changes.remove, changes.move_to, source, silently=silently)
        if changes.order is not None:
            _arrange(store, funnel, split(changes.order))
        if changes.description is not None:
            funnels.describe(store, to_ms(now), funnel["id"], changes.description)
        if changes.name is not None:
            if changes.name.casefold() != funnel["name"].casefold():
                uses.refuse_used(store, uses.of_funnel(funnel), f"the funnel {funnel['name']!r}")
            funnels.rename(store, to_ms(now), funnel, changes.name)
    return moved


def _add_stage(store: Store, funnel: Row, name: str, after: str | None) -> None:
    order = _order(store, funnel)
    place = len(order) if after is None else 1 + order.index(funnels.stage(store, funnel, after)["id"])
    new = funnels.put_stage(store, funnel["id"], funnel["name"], funnels.clean_name(name, "stage"), place + 1)
    funnels.arrange(store, [*order[:place], new, *order[place:]])


def _rename_stage(store: Store, funnel: Row, text: str) -> None:
    old, equals, new = text.partition("=")
    if not equals:
        raise UsageError(f"--rename-stage {text!r} names no new name", hint="write --rename-stage 'Offer=Proposal'")
    stage = funnels.stage(store, funnel, old)
    if new.strip().casefold() != stage["name"].casefold():
        _refuse_used(store, funnel, stage)
    funnels.rename_stage(store, funnel, stage["id"], new)


def _refuse_used(store: Store, funnel: Row, stage: Row) -> None:
    uses.refuse_used(store, uses.of_funnel_stage(funnel, stage), f"the stage {stage['name']!r}")


def _arrange(store: Store, funnel: Row, names: list[str]) -> None:
    order = [funnels.stage(store, funnel, name)["id"] for name in names]
    missing = [row["name"] for row in funnels.stages(store, funnel["id"]) if row["id"] not in order]
    if missing or len(set(order)) < len(order):
        wrong = f"lacks {', '.join(missing)}" if missing else "names a stage twice"
        raise UsageError(f"the order {wrong}", hint="name every stage once")
    funnels.arrange(store, order)


def _order(store: Store, funnel: Row) -> list[int]:
    return [row["id"] for row in funnels.stages(store, funnel["id"])]


def _remove_stage(
    store: Store, now: datetime, funnel: Row, name: str, move_to: str | None, source: str, *, silently: bool
) -> int:
    gone = funnels.stage(store, funnel, name)
    order = _order(store, funnel)
    if len(order) == 1:
        raise OperationFailed(
            f"{gone['name']!r} is the only stage of {funnel['name']!r}", hint=f"macli funnel rm {funnel['name']!r}"
        )
    if deals := funnels.deals_on(store, gone["id"]):
        raise OperationFailed(f"on the stage {gone['name']!r}: {count_of(deals, 'open deal')}", hint="macli deal list")
    _refuse_used(store, funnel, gone)
    moved = 0
    if move_to is None and (count := funnels.count_on(store, gone["id"])):
        raise OperationFailed(
            f"on the stage {gone['name']!r}: {count_of(count, 'contact')}",
            hint=f"macli funnel edit {funnel['name']!r} --remove {gone['name']!r} --move-to STAGE",
        )
    if move_to is not None:
        to = funnels.stage(store, funnel, move_to)
        if to["id"] == gone["id"]:
            raise UsageError(f"the stage {gone['name']!r} cannot be left for itself")
        params = {"gone_stage": gone["id"]}
        moved = move_where(store, now, _THERE, params, funnel["name"], to["name"], source, silently=silently)
    funnels.remove_stage(store, to_ms(now), gone["id"])
    funnels.arrange(store, [stage_id for stage_id in order if stage_id != gone["id"]])
    return moved


_THERE = "SELECT contact_id FROM funnel_stays WHERE stage_id = :gone_stage AND left_at IS NULL"


def remove(store: Store, funnel: Row) -> None:
    """Delete a funnel with its history and the points counted on its stages. Raises OperationFailed."""
    with store.write():
        check_removable(store, funnel)
        funnels.remove(store, funnel["id"])


def check_removable(store: Store, funnel: Row) -> None:
    """Raises OperationFailed where something names the funnel, deals are in it, or point rules count to it."""
    uses.refuse_used(store, uses.of_funnel(funnel), f"the funnel {funnel['name']!r}")
    if deals := funnels.counts(store, funnel["id"])["deals"]:
        raise OperationFailed(f"in the funnel {funnel['name']!r}: {count_of(deals, 'deal')}", hint="macli deal list")
    if rules := funnels.feeding(store, funnel["name"]):
        raise OperationFailed(
            f"the point rule {rules[0]!r} counts to the funnel {funnel['name']!r}",
            hint=f"macli points rule edit {rules[0]!r}",
        )
