"""Change where the contact stands: its points, its stage of a funnel."""

from dataclasses import dataclass
from typing import ClassVar

from macli.actions.batch import Batch
from macli.campaign.words import FunnelName, ScopeName
from macli.errors import UsageError
from macli.store import scopes

_IDS = "SELECT contact_id FROM batch"


@dataclass(frozen=True, kw_only=True)
class Points:
    """Give the contact points, or take some; `set` makes the score that much.

    Example: `points: 10` · `points: {add: -5, scope: "tag:VIP"}` · `points: {set: 0}`

    Scopes are `global` (where none is named), `group:NAME`, `tag:TAG` and `stage:FUNNEL/STAGE`.
    """

    word: ClassVar[str] = "points"
    scalar: ClassVar[str] = "add"
    nested: ClassVar[tuple[str, ...]] = ()

    add: int | None = None
    set: int | None = None
    scope: ScopeName | None = None

    def __post_init__(self) -> None:
        if (self.add is None) == (self.set is None):
            raise UsageError("points are added or set", hint="write points: 10, or points: {set: 50}")
        scopes.checked(self.add or self.set or 0)

    def ways(self) -> tuple[str, ...]:
        return ("next",)

    def events(self) -> tuple[str, ...]:
        return ()

    def apply(self, batch: Batch) -> None:
        scope = scopes.id_of(batch.store, scopes.read(batch.store, self.scope or "global"))
        if self.add is not None:
            batch.points.give_where(batch.store, batch.now, _IDS, {}, self.add, scope, batch.source)
        elif self.set is not None:
            batch.points.set_where(batch.store, batch.now, _IDS, {}, self.set, scope, batch.source)
        batch.set("way = 'next'")


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """Move the contact to a stage of a funnel, or without a stage take it out of the funnel.

    Example: `funnel: {name: Sales, stage: Offer}` · `funnel: Sales`
    """

    word: ClassVar[str] = "funnel"
    scalar: ClassVar[str] = "name"
    nested: ClassVar[tuple[str, ...]] = ()

    name: FunnelName
    stage: str | None = None

    def ways(self) -> tuple[str, ...]:
        return ("next",)

    def events(self) -> tuple[str, ...]:
        return ()

    def apply(self, batch: Batch) -> None:
        batch.funnels.move_where(batch.store, batch.now, _IDS, {}, self.name, self.stage, batch.source)
        batch.set("way = 'next'")
