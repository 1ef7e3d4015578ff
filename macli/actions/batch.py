"""The enrollments due at one step: the temp table ``batch`` of them, and what an action may use."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol
from zoneinfo import ZoneInfo

from macli.actions.doors import Contacts, Funnels, Notes, Owners, Points, Tasks
from macli.clock import to_ms
from macli.model import Purpose, Where
from macli.store import Store

TABLE = """
CREATE TEMP TABLE IF NOT EXISTS batch (
  enrollment_id INTEGER PRIMARY KEY,
  contact_id INTEGER NOT NULL,
  round INTEGER NOT NULL,
  arrived_at INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  way TEXT,
  stay_until INTEGER,
  left_at INTEGER,
  variant INTEGER
)
"""

SKIP = "skip"
"""The way past the next step, where that is a send, and else to it."""
FAIL = "failed"
"""The way out of the campaign after a send that went wrong."""
STOP = "end"
"""The way out of the campaign by the step's own word."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One step of one version, and in the temp table ``batch`` a chunk of the enrollments due there.

    An action fills ``way`` (go on that way) or ``stay_until`` (stay here till then); a row left
    with neither waits for its send to settle. ``left_at`` is the instant the contact leaves the
    step by the campaign's plan, from which the next step counts; where an action leaves it
    empty, that is the instant it was due here.
    """

    store: Store
    now: datetime
    zone: ZoneInfo
    campaign_id: int
    version: int
    step_id: int
    key: str
    ways: Mapping[str, str | None]
    channel: str
    purpose: Purpose
    max_lateness: timedelta
    contacts: Contacts
    points: Points
    funnels: Funnels
    owners: Owners
    notes: Notes
    tasks: Tasks
    setting: Callable[[str], Any]
    where: Callable[[str], Where]
    event_where: Callable[[str | None], Where]

    @property
    def now_ms(self) -> int:
        return to_ms(self.now)

    @property
    def source(self) -> str:
        """What the changes of this step give as their source."""
        return f"campaign:{self.campaign_id}:{self.key}"

    def set(self, assignments: str, condition: str = "TRUE", **params: Any) -> int:
        """Fill columns of the rows for which the condition holds; how many they were."""
        return self.store.execute(f"UPDATE batch SET {assignments} WHERE {condition}", params)

    def set_where(self, rule: str, assignments: str, condition: str = "TRUE") -> int:
        """Fill columns of the rows whose contact the rule selects."""
        where = self.where(rule)
        return self.store.execute(
            f"""
            UPDATE batch
            SET {assignments}
            WHERE {condition}
              AND contact_id IN (
                SELECT contacts.id
                FROM contacts
                WHERE contacts.id IN (SELECT contact_id FROM batch)
                  AND ({where.sql})
              )
            """,
            where.params,
        )


class Action(Protocol):
    """What a step may do."""

    word: ClassVar[str]
    """Its name in a campaign file."""
    scalar: ClassVar[str]
    """The field a bare value sets."""
    nested: ClassVar[tuple[str, ...]]
    """Keys of the step, beside the word, that hold steps: ``then``, ``else``."""

    def ways(self) -> tuple[str, ...]:
        """The ways out of the step, in the order a person reads them."""

    def events(self) -> tuple[str, ...]:
        """The events at which a contact that stays at this step is looked at again."""

    def apply(self, batch: Batch) -> None:
        """Say of every row of the batch what becomes of it."""
