"""One tick: everything due, once. What happened comes in, is reacted to; contacts are enrolled, move on,
and what they are to be sent is dispatched."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from macli.clock import iso, to_ms
from macli.store import Store, ledger, locks, workers
from macli.tick.engine import Engine

if TYPE_CHECKING:
    from macli.tick.dispatch import Dispatched


@dataclass(kw_only=True)
class TickReport:
    """What one tick did.

    ``swept`` counts what was brought up to date because time passed; ``messages`` counts by state,
    skipped ones by reason; ``failed`` are chores that could not be done, and why; ``more``: something
    due is left.
    """

    at: str | None
    seconds: float = 0.0
    busy: bool = False
    heard: int = 0
    swept: dict[str, int] = field(default_factory=dict)
    woken: int = 0
    enrolled: int = 0
    moved: int = 0
    messages: dict[str, int] = field(default_factory=dict)
    finished: list[str] = field(default_factory=list)
    paused: dict[str, str] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)
    warned: dict[str, str] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    recovered: dict[str, int] = field(default_factory=dict)
    more: bool = False
    dry: bool = False

    @property
    def is_troubled(self) -> bool:
        """Whether something in it is for a person to look at."""
        return bool(self.paused or self.unreachable or self.warned or self.faults or self.failed)

    def line(self) -> str:
        """The report in one line, for a log."""
        if self.busy:
            return "another tick is running; nothing to do"
        parts = []
        if self.dry:
            parts.append("dry run")
        for number, words in (
            (self.heard, "heard"),
            *((number, words) for words, number in self.swept.items()),
            (self.woken, "woken"),
            (self.enrolled, "enrolled"),
            (self.moved, "moved"),
        ):
            if number:
                parts.append(f"{number} {words}")
        parts += [f"{number} {state}" for state, number in self.messages.items()]
        if self.recovered:
            parts.append("recovered " + ", ".join(f"{number} {what}" for what, number in self.recovered.items()))
        if self.finished:
            parts.append("finished " + ", ".join(self.finished))
        parts += [f"PAUSED {name}: {reason}" for name, reason in self.paused.items()]
        parts += [f"UNREACHABLE {name}: {reason}" for name, reason in self.unreachable.items()]
        parts += [f"WARNING {name}: {reason}" for name, reason in self.warned.items()]
        parts += [f"SEGMENT {name}: {reason}" for name, reason in self.faults.items()]
        parts += [f"FAILED {name}: {reason}" for name, reason in self.failed.items()]
        if self.more:
            parts.append("more is due")
        return f"{'; '.join(parts) or 'nothing due'} ({self.seconds:.2f} s)"

    def as_record(self) -> dict[str, Any]:
        return asdict(self)


def run_tick(
    engine: Engine,
    *,
    max_seconds: float | None = None,
    workers_wanted: int = 1,
    chosen_time: bool = False,
    dry: bool = False,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] | None = None,
) -> TickReport:
    """Do everything that is due at the engine's now, unless another tick is at it.

    ``chosen_time``: a person named the time, so nothing counts as late. ``dry``: everything is
    undone at the end and nothing leaves.
    """
    report = TickReport(at=iso(to_ms(engine.now)), dry=dry)
    started = time.monotonic()
    deadline = None if max_seconds is None else started + max_seconds
    with locks.holding(engine.store.path, "tick") as ours:
        if not ours:
            report.busy = True
            return report
        if dry:
            with _undone(engine.store):
                _phases(engine, report, None, deadline, stopping, chosen_time)
                report.messages = _would_send(engine)
        else:
            _recover(engine, report)
            _phases(engine, report, None, deadline, stopping, chosen_time)
            _dispatch(engine, report, None, deadline, stopping, progress, workers_wanted)
            _note(engine)
    report.seconds = time.monotonic() - started
    return report


def run_campaign(
    engine: Engine,
    campaign_id: int,
    *,
    workers_wanted: int = 1,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] | None = None,
) -> TickReport:
    """Do what is due of one campaign, beside any tick: what ``macli campaign send`` does."""
    report = TickReport(at=iso(to_ms(engine.now)))
    started = time.monotonic()
    _recover(engine, report)
    _phases(engine, report, campaign_id, None, stopping, True)
    _dispatch(engine, report, campaign_id, None, stopping, progress, workers_wanted)
    report.seconds = time.monotonic() - started
    return report


def _phases(
    engine: Engine,
    report: TickReport,
    campaign_id: int | None,
    deadline: float | None,
    stopping: Callable[[], bool],
    chosen_time: bool,
) -> None:
    """In, react, enroll, advance."""
    from macli.tick import chores, intake, react

    def over() -> bool:
        return stopping() or (deadline is not None and time.monotonic() >= deadline)

    if not chosen_time:
        from macli.tick import lateness

        for name in lateness.pause_the_late(engine):
            report.paused[name] = "late"
    if campaign_id is None:
        if not report.dry:
            report.heard = intake.intake(engine, report.unreachable.__setitem__)
            heard, report.swept = chores.run(
                engine, report.unreachable.__setitem__, report.warned.__setitem__, report.failed.__setitem__
            )
            report.heard += heard
        report.faults = dict(react.refresh_segments(engine))
        report.woken = react.react(engine)
    if engine.store.value(_ANY_LIVE):
        # Imported only now: what campaigns are made of is a third of an idle tick's time.
        from macli.tick import advance, enroll

        paused = partial(_note_paused, engine.store, report)
        report.enrolled = enroll.enroll(engine, campaign_id=campaign_id, over=over, paused=paused)
        report.moved = advance.advance(engine, campaign_id=campaign_id, over=over, paused=paused)
    report.more = over()


_ANY_LIVE = "SELECT EXISTS (SELECT 1 FROM campaigns WHERE state IN ('scheduled', 'active'))"


def _dispatch(
    engine: Engine,
    report: TickReport,
    campaign_id: int | None,
    deadline: float | None,
    stopping: Callable[[], bool],
    progress: Callable[[int], None] | None,
    workers_wanted: int,
) -> None:
    """Send, and let those move on whose message is settled, until nothing is due at this now."""
    paused = partial(_note_paused, engine.store, report)
    while ledger.sources(engine.store, to_ms(engine.moment()), campaign_id=campaign_id):
        result = _send(engine, campaign_id, deadline, stopping, progress, workers_wanted)
        for (_, state), number in result.counts.items():
            report.messages[state] = report.messages.get(state, 0) + number
        report.unreachable.update(result.unreachable)
        report.more = report.more or result.more
        for paused_id, reason in result.paused.items():
            paused(paused_id, reason)
        if stopping() or not result.counts or result.more:
            break
        from macli.tick import advance

        report.moved += advance.advance(engine, campaign_id=campaign_id, over=stopping, paused=paused)
    report.finished = _finish(engine)


def _send(
    engine: Engine,
    campaign_id: int | None,
    deadline: float | None,
    stopping: Callable[[], bool],
    progress: Callable[[int], None] | None,
    workers_wanted: int,
) -> "Dispatched":
    if workers_wanted > 1:
        from macli.tick.crew import dispatch_together

        return dispatch_together(
            engine,
            workers=workers_wanted,
            campaign_id=campaign_id,
            deadline=deadline,
            stopping=stopping,
            progress=progress,
        )
    from macli.tick.dispatch import dispatch

    return dispatch(engine, campaign_id=campaign_id, deadline=deadline, stopping=stopping, progress=progress)


def _recover(engine: Engine, report: TickReport) -> None:
    found = workers.recover(engine.store, engine.now)
    if found.workers:
        report.recovered = {"planned again": found.planned, "unknown": found.unknown}


def _finish(engine: Engine) -> list[str]:
    """Campaigns sent once end when everyone has come in, nobody is inside and nothing is on its way."""
    if engine.store.value(f"SELECT count(*) FROM campaigns WHERE {_DONE}") == 0:
        return []
    with engine.store.write():
        rows = engine.store.rows(
            f"""
            UPDATE campaigns
            SET state = 'finished', finished_at = :now, updated_at = :now
            WHERE {_DONE}
            RETURNING name
            """,
            {"now": to_ms(engine.moment())},
        )
    return [row["name"] for row in rows]


_DONE = """
state = 'active'
AND enrolled_at IS NOT NULL
AND NOT EXISTS (
  SELECT 1
  FROM enrollments
  WHERE enrollments.campaign_id = campaigns.id
    AND enrollments.ended_at IS NULL
)
AND NOT EXISTS (
  SELECT 1
  FROM sends
  WHERE sends.campaign_id = campaigns.id
    AND sends.state = 'planned'
)
AND NOT EXISTS (
  SELECT 1
  FROM sends
  WHERE sends.campaign_id = campaigns.id
    AND sends.state IN ('claimed', 'sending')
)
"""


def _note(engine: Engine) -> None:
    from macli.tick.lateness import note_tick

    note_tick(engine)


class _Undo(Exception):
    """Ends a dry run."""


@contextmanager
def _undone(store: Store) -> Iterator[None]:
    """A block whose changes to the store are rolled back."""
    try:
        with store.write():
            yield
            raise _Undo
    except _Undo:
        pass


def _would_send(engine: Engine) -> dict[str, int]:
    """What is due to leave after a dry run's phases: by channel, before consent is looked at."""
    rows = engine.store.rows(
        """
        SELECT sends.channel, count(*) AS sends
        FROM sends
        JOIN campaigns ON campaigns.id = sends.campaign_id
        WHERE campaigns.state = 'active'
          AND sends.state = 'planned'
          AND sends.due_at <= :now
        GROUP BY sends.channel
        """,
        {"now": to_ms(engine.now)},
    )
    return {f"{row['channel']} due": row["sends"] for row in rows}


def _note_paused(store: Store, report: TickReport, campaign_id: int, reason: str) -> None:
    name = str(store.value("SELECT name FROM campaigns WHERE id = :id", {"id": campaign_id}))
    report.paused[name] = reason
