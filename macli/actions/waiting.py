"""Wait: for a time to pass, until an instant, or for an event."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

from macli.actions import moments
from macli.actions.batch import SKIP, STOP, Batch
from macli.campaign.words import AttributeName, EventName, EventRule
from macli.errors import UsageError

# What the plan says, not the lateness of the tick: the contact leaves at the planned instant.
_ELAPSE = """
UPDATE batch
SET left_at = arrived_at + :span,
    way = CASE WHEN arrived_at + :span <= :now THEN :way END,
    stay_until = CASE WHEN arrived_at + :span > :now THEN arrived_at + :span END
WHERE way IS NULL
"""

_PAST = """
UPDATE batch
SET way = :way,
    left_at = CASE WHEN left_at > arrived_at THEN left_at ELSE arrived_at END
WHERE left_at IS NULL
   OR left_at < arrived_at
   OR left_at < :missed
"""

_UNTIL = """
UPDATE batch
SET way = CASE WHEN left_at <= :now THEN 'next' END,
    stay_until = CASE WHEN left_at > :now THEN left_at END
WHERE way IS NULL
"""

_HAPPENED = """
UPDATE batch
SET way = 'then',
    left_at = CASE WHEN happened.at < :now THEN happened.at ELSE :now END
FROM (
  SELECT waiting.enrollment_id, min(events.at) AS at
  FROM batch AS waiting
  JOIN events
    ON events.contact_id = waiting.contact_id
   AND events.name IN ({names})
   AND events.at >= waiting.arrived_at
   AND events.at <= waiting.arrived_at + :span
  WHERE {condition}
  GROUP BY waiting.enrollment_id
) AS happened
WHERE happened.enrollment_id = batch.enrollment_id
"""


@dataclass(frozen=True, kw_only=True)
class AttributeDate:
    """An instant told from a date attribute of the contact: so long before or after it.

    `offset: -3 days` is three days before. `yearly` takes the next anniversary. `time` is the time
    of day, in the contact's zone; without it a plain date is its midnight.
    """

    attribute: AttributeName
    offset: str | None = None
    yearly: bool = False
    time: str | None = None

    def __post_init__(self) -> None:
        self.moments()

    def moments(self) -> moments.Moments:
        return moments.of_attribute(self.attribute, offset=self.offset, yearly=self.yearly, time=self.time)


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Wait for a time to pass, or until an instant.

    `until` is a time of day (`09:00`), a weekday and time (`monday 09:00`), a date and time
    (`2026-12-24 10:00`, with or without a zone) or a date attribute. Times without a zone are in the
    contact's where it is known. `if_past` says what happens where the instant had passed on arrival,
    was missed by more than the campaign's `max_lateness`, or is not known: `skip` (the default for attribute
    dates) passes by the send that follows, `continue` (the default else) goes on at once, `end` ends
    the contact's way.

    Example: `wait: 3 days` · `wait: {until: monday 09:00}` ·
    `wait: {until: {attribute: birthday, offset: -3 days, yearly: true, time: '09:00'}}`
    """

    word: ClassVar[str] = "wait"
    scalar: ClassVar[str] = "duration"
    nested: ClassVar[tuple[str, ...]] = ()

    duration: timedelta | None = None
    until: str | AttributeDate | None = None
    if_past: Literal["skip", "continue", "end"] | None = None

    def __post_init__(self) -> None:
        if (self.duration is None) == (self.until is None):
            raise UsageError(
                "a wait is either so long or until something",
                hint="write for example `wait: 3 days` or `wait: {until: '09:00'}`",
            )
        self._moments()

    def ways(self) -> tuple[str, ...]:
        return ("next",)

    def events(self) -> tuple[str, ...]:
        return ("attribute.set", "attribute.changed") if isinstance(self.until, AttributeDate) else ()

    def _moments(self) -> moments.Moments | None:
        if isinstance(self.until, AttributeDate):
            return self.until.moments()
        return None if self.until is None else moments.parse(self.until)

    def apply(self, batch: Batch) -> None:
        until = self._moments()
        if until is None:
            assert self.duration is not None
            span = moments.milliseconds(self.duration)
            batch.store.execute(_ELAPSE, {"span": span, "way": "next", "now": batch.now_ms})
            return
        until.find(batch)
        if_past = self.if_past or ("skip" if isinstance(self.until, AttributeDate) else "continue")
        missed = 0 if if_past == "continue" else batch.now_ms - moments.milliseconds(batch.max_lateness)
        way = {"skip": SKIP, "continue": "next", "end": STOP}[if_past]
        batch.store.execute(_PAST, {"way": way, "missed": missed})
        batch.store.execute(_UNTIL, {"now": batch.now_ms})


@dataclass(frozen=True, kw_only=True)
class WaitFor:
    """Wait for an event: `then` at once when it happens, `else` when it has not after the time-out.

    Only what happens after the contact arrived here counts. Several events: any of them.

    Example: `wait_for: {event: email.clicked, timeout: 2 days}` with `then:` and `else:` beside it
    """

    word: ClassVar[str] = "wait_for"
    scalar: ClassVar[str] = "event"
    nested: ClassVar[tuple[str, ...]] = ("then", "else")

    event: tuple[EventName, ...]
    timeout: timedelta
    where: EventRule | None = None

    def ways(self) -> tuple[str, ...]:
        return ("then", "else")

    def events(self) -> tuple[str, ...]:
        return self.event

    def apply(self, batch: Batch) -> None:
        span = moments.milliseconds(self.timeout)
        names = {f"name_{number}": name for number, name in enumerate(self.event)}
        condition = batch.event_where(self.where)
        batch.store.execute(
            _HAPPENED.format(names=", ".join(f":{name}" for name in names), condition=condition.sql),
            {**condition.params, **names, "span": span, "now": batch.now_ms},
        )
        batch.store.execute(_ELAPSE, {"span": span, "way": "else", "now": batch.now_ms})
