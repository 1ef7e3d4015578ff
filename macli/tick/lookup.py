"""What the phases of a tick look up again and again: campaigns, their steps, and rules as SQL."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from macli.campaign import loading
from macli.campaign.definition import Campaign
from macli.campaign.program import Program
from macli.clock import to_ms
from macli.errors import MacliError
from macli.model import Where
from macli.store import Store, campaign_states
from macli.tick.engine import Engine

Paused = Callable[[int, str], None]
"""Told of a campaign that was paused, and why."""

_LONGEST_LATE = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """One phase's view of the definitions, at one now."""

    engine: Engine
    now: datetime
    paused: Paused | None = None
    _rules: dict[tuple[str, bool], Where] = field(default_factory=dict)
    _steps: dict[tuple[int, str], int] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        return self.engine.store

    @property
    def now_ms(self) -> int:
        return to_ms(self.now)

    def campaign(self, campaign_id: int, version: int) -> Campaign:
        return loading.load(self.store, campaign_id, version).campaign

    def program(self, campaign_id: int, version: int) -> Program:
        return loading.load(self.store, campaign_id, version).program

    def step_id(self, campaign_id: int, key: str) -> int:
        if (campaign_id, key) not in self._steps:
            rows = self.store.rows("SELECT key, id FROM steps WHERE campaign_id = :campaign", {"campaign": campaign_id})
            self._steps.update({(campaign_id, row["key"]): row["id"] for row in rows})
        return self._steps[campaign_id, key]

    def where(self, rule: str, *, few: bool = False) -> Where:
        """A rule as SQL, compiled once; ``few`` where it is asked of few contacts chosen by other means.

        Removed contacts are selected like others: it is not the rule that keeps them out.
        """
        if (rule, few) not in self._rules:
            from macli.selection import where_of

            self._rules[rule, few] = where_of(
                self.store, rule, self.now, self.engine.zone, removed=True, narrow=few, stored=True
            )
        return self._rules[rule, few]

    def event_where(self, condition: str | None, *, prefix: str = "e") -> Where:
        """A condition on an event's properties as SQL over ``events``."""
        if condition is None:
            return Where(sql="TRUE")
        from macli.selection import event_where_of

        return event_where_of(self.store, condition, self.now, self.engine.zone, prefix=prefix)

    def max_lateness(self, campaign: Campaign) -> timedelta:
        general: timedelta | None = self.engine.setting("max_lateness")
        return campaign.max_lateness or general or _LONGEST_LATE


def guarded(lookup: Lookup, campaign_id: int, work: Callable[[], int]) -> int:
    """Do one campaign's work; where its definition fails it, it pauses and the others go on."""
    try:
        return work()
    except MacliError as error:
        paused = campaign_states.pause_for_fault(lookup.store, lookup.now, campaign_id, error.message)
        if paused and lookup.paused is not None:
            lookup.paused(campaign_id, error.message)
        return 0
