"""The door of a campaign: who may come in is gathered once and let in chunk by chunk."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from macli.campaign.definition import Campaign
from macli.store import Row, Store, enrollments
from macli.store.enrollments import Again
from macli.tick.lookup import Lookup

CHUNK = 20_000


@dataclass(frozen=True, kw_only=True)
class Door:
    """One campaign's entry at one now."""

    lookup: Lookup
    row: Row
    campaign: Campaign
    over: Callable[[], bool]

    @property
    def store(self) -> Store:
        return self.lookup.store

    @property
    def id(self) -> int:
        return int(self.row["id"])

    def again(self, *, lapsed: bool = False) -> Again:
        """Whether contacts may come in again; ``lapsed``: only when the entry condition failed in between."""
        reentry = self.campaign.reentry
        interval = reentry.min_interval or timedelta()
        return Again(
            when=reentry.when,
            max_rounds=reentry.max_rounds,
            min_interval_ms=interval // timedelta(milliseconds=1),
            lapsed=lapsed,
        )

    def gather(self, select: str, params: Mapping[str, Any], again: Again) -> int:
        return enrollments.gather(
            self.store, select, params, campaign_id=self.id, now_ms=self.lookup.now_ms, again=again
        )

    def let_in(self, *, existing: bool = False) -> int | None:
        """Let in whom ``gather`` found, a transaction for each chunk; None where it was over before the end.

        ``existing``: they do not come in, it is only noted that the condition held for them before.
        """
        entered, after = 0, 0
        while (upto := enrollments.chunk(self.store, after, CHUNK)) is not None:
            if self.over():
                return None
            with self.store.write():
                entered += self.enter(after, upto, existing=existing)
            after = upto
        return entered

    def enter(self, after: int, upto: int, *, existing: bool = False) -> int:
        """Let in the gathered contacts with ids behind ``after`` up to ``upto``. Inside ``write``."""
        version = int(self.row["current_version"])
        if existing:
            enrollments.note_existing(
                self.store,
                campaign_id=self.id,
                version=version,
                now_ms=self.lookup.now_ms,
                after=after,
                upto=upto,
            )
            return 0
        first = self.lookup.program(self.id, version).first
        assert first is not None
        return enrollments.enter(
            self.store,
            campaign_id=self.id,
            version=version,
            step_id=self.lookup.step_id(self.id, first),
            now_ms=self.lookup.now_ms,
            after=after,
            upto=upto,
        )

    def note(self, **columns: int) -> None:
        """Set columns of the campaign's row."""
        assignments = ", ".join(f"{name} = :{name}" for name in columns)
        with self.store.write():
            self.store.execute(f"UPDATE campaigns SET {assignments} WHERE id = :id", {**columns, "id": self.id})
