"""Marks before the wire and answers behind it, committed together for all connections of a worker.

Ten connections that are each about to send share one commit; the answer to a connection's last
message and the mark of its next one are in the same commit, so a killed worker leaves at most one
message in doubt per connection.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from macli.audience import Policy, refusal
from macli.clock import to_ms
from macli.events import record
from macli.model import NewEvent, Outcome, SendState, Verdict
from macli.store import Row, Store, devices, ledger
from macli.tick.compose import StepComposer
from macli.tick.pulse import Heart, Pulse

STATES: dict[Verdict, SendState] = {
    "accepted": "accepted",
    "delivered": "delivered",
    "bounced": "bounced",
    "rejected": "rejected",
    "failed": "failed",
    "unknown": "unknown",
}
"""What a verdict makes of a send; the other verdicts leave it to be tried again."""

_TURNS = 3
_ANSWER_WAITS = 0.02
_LONGEST_WORDS = 300

_LONGEST_ASKED = 86_400.0

_CLAIM_HOLDS = timedelta(minutes=1)
"""How long what was looked at when a message was claimed, such as the hour at its recipient's, is taken as it was."""


@dataclass(frozen=True, kw_only=True)
class Retry:
    """How often and how late a transient failure is tried again."""

    attempts: int
    first: timedelta
    longest: timedelta

    def due(self, moment: datetime, attempts: int, asked: float | None) -> datetime | None:
        """When to try again after ``attempts`` tries; None: no more. Doubled each time, with jitter."""
        if attempts + 1 >= self.attempts:
            return None
        span: timedelta = min(self.first * 2 ** min(attempts, 40), self.longest) * random.uniform(0.75, 1.25)  # noqa: S311
        return moment + max(span, timedelta(seconds=min(asked or 0, _LONGEST_ASKED)))


@dataclass(kw_only=True, eq=False, slots=True)
class Claimed:
    """A claimed send on its way to the wire."""

    row: Row
    source: ledger.Source
    policy: Policy
    pulse: Pulse
    at: datetime
    composer: StepComposer

    @property
    def send_id(self) -> int:
        return int(self.row["send_id"])

    @property
    def wakes(self) -> bool:
        """Whether the contact's enrollment waits for this send to settle."""
        return not self.composer.last


@dataclass(kw_only=True, eq=False)
class Recorder:
    """The one writer of a worker's ledger rows while messages are on the wire."""

    store: Store
    worker_id: int
    retry: Retry
    moment: Callable[[], datetime]
    on_sender_fault: Callable[[Claimed, Outcome], None]
    on_answer: Callable[[Claimed, Outcome], None]
    counts: Counter[tuple[int, str]] = field(default_factory=Counter)
    failure: BaseException | None = None
    heart: Heart = field(init=False)
    _marks: list[tuple[Claimed, "asyncio.Future[bool]"]] = field(default_factory=list)
    _answers: list[tuple[Claimed, Outcome]] = field(default_factory=list)
    _settled: list[int] = field(default_factory=list)
    _scheduled: bool = False
    _alone: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        self.heart = Heart(self.store)

    def mark(self, claimed: Claimed) -> "asyncio.Future[bool]":
        """Ask for the mark of a message; the future tells, once it is committed, whether to send it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        self._marks.append((claimed, future))
        self._schedule(loop)
        return future

    def answer(self, claimed: Claimed, outcome: Outcome) -> None:
        """Record what became of a message, with the next commit."""
        self._answers.append((claimed, outcome))
        if not self._scheduled and self._alone is None:
            # Usually the connection asks for its next mark at once and that commit takes the answer along.
            self._alone = asyncio.get_running_loop().call_later(_ANSWER_WAITS, self.flush)
        # At once: it may be the refusal after which nothing more may leave. And behind the rest: it can
        # write to the store, and where that fails the answer itself must not be lost.
        self.on_answer(claimed, outcome)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._gather(loop, _TURNS)

    def _gather(self, loop: asyncio.AbstractEventLoop, turns: int) -> None:
        """Let the other connections that are ready join in: it takes a connection a few turns of the loop
        from the server's reply to the wish for a mark. Measured with ten: 9.4 marks a commit, at once 3.7."""
        if turns:
            loop.call_soon(self._gather, loop, turns - 1)
        else:
            self.flush()

    def flush(self) -> None:
        """Commit what is pending and let the marked messages go."""
        self._scheduled = False
        if self._alone is not None:
            self._alone.cancel()
            self._alone = None
        marks, self._marks = self._marks, []
        answers, self._answers = self._answers, []
        if not marks and not answers:
            return
        if self.failure is not None:
            self._give_up(marks, self.failure)
            return
        try:
            # Not flushed to the disk one by one: after a power cut every claim of this worker counts
            # as unknown (store/workers.py), so a lost mark cannot become a second message.
            with self.store.write(durable=False):
                self._record(answers)
                allowed = self._mark([claimed for claimed, _ in marks])
                if len(self._settled) >= 500:
                    self._wake()
        except BaseException as error:
            self.failure = error
            self._give_up(marks, error)
            if not isinstance(error, Exception):
                raise
            return
        for claimed, future in marks:
            if not future.done():
                future.set_result(claimed.send_id in allowed)

    def close(self) -> None:
        """Commit the last answers and wake the enrollments that waited for them."""
        self.flush()
        if self.failure is None:
            with self.store.write():
                self._wake()

    def _give_up(self, marks: list[tuple[Claimed, "asyncio.Future[bool]"]], error: BaseException) -> None:
        for _, future in marks:
            if not future.done():
                future.set_exception(error)

    def _mark(self, claimed: list[Claimed]) -> set[int]:
        if not claimed:
            return set()
        pulse, old = self.heart.read(), self.moment() - _CLAIM_HOLDS
        ids = {one.send_id for one in claimed if (one.pulse == pulse and one.at > old) or not self._withdrawn(one)}
        marked = ledger.mark(self.store, ids, worker_id=self.worker_id, now_ms=to_ms(self.moment()))
        if marked != len(ids):
            # Somebody took a claim away (this worker was held for dead): only what is marked may leave.
            ids = ledger.marked(self.store, ids, worker_id=self.worker_id)
        return ids

    def _withdrawn(self, claimed: Claimed) -> bool:
        """Whether a claimed message must not leave after all; it is then skipped or put back."""
        moment = self.moment()
        reason, params = refusal(claimed.policy, moment, own="sends.id")
        row = self.store.row(
            f"""
            SELECT campaigns.state, sends.state AS send_state, sends.worker_id, {reason} AS reason,
                   {claimed.policy.address} AS address
            FROM sends
            LEFT JOIN contacts ON contacts.id = sends.contact_id
            LEFT JOIN campaigns ON campaigns.id = sends.campaign_id
            WHERE sends.id = :id
            """,
            {**params, "id": claimed.send_id},
        )
        assert row is not None
        if row["send_state"] != "claimed" or row["worker_id"] != self.worker_id:
            return True
        if row["reason"] is not None:
            self._settle(claimed, "skipped", reason=row["reason"], code=None, reference=None)
        elif (
            row["state"] != "active" or row["address"] != claimed.row["address"] or claimed.at <= moment - _CLAIM_HOLDS
        ):
            ledger.put_back(self.store, claimed.send_id, due_ms=to_ms(moment), attempted=False)
        else:
            return False
        return True

    def _record(self, answers: list[tuple[Claimed, Outcome]]) -> None:
        accepted = []
        for claimed, outcome in answers:
            if outcome.gone:
                self._forget(claimed, outcome.gone)
            if outcome.verdict == "accepted" and outcome.event is None:
                accepted.append((_words(outcome), outcome.reference, claimed.send_id))
                self.counts[claimed.source.campaign_id, "accepted"] += 1
                if claimed.wakes:
                    self._settled.append(claimed.send_id)
            elif outcome.verdict == "retry":
                self._try_again(claimed, outcome)
            elif outcome.verdict == "sender_fault":
                ledger.put_back(
                    self.store,
                    claimed.send_id,
                    due_ms=to_ms(self.moment()),
                    code=_words(outcome),
                    attempted=False,
                )
                self.on_sender_fault(claimed, outcome)
            else:
                self._settle(
                    claimed,
                    STATES[outcome.verdict],
                    reason=None,
                    code=_words(outcome),
                    reference=outcome.reference,
                )
                self._record_event(claimed, outcome)
        if accepted:
            ledger.accept(self.store, accepted)

    def _try_again(self, claimed: Claimed, outcome: Outcome) -> None:
        if not outcome.reached:  # the provider is left alone for a while, the message loses nothing by it
            due_ms = to_ms(self.moment())
            ledger.put_back(self.store, claimed.send_id, due_ms=due_ms, code=_words(outcome), attempted=False)
            return
        due = self.retry.due(self.moment(), claimed.row["attempts"], outcome.retry_after)
        if due is None:
            self._settle(claimed, "failed", reason="gave_up", code=_words(outcome), reference=None)
        else:
            ledger.put_back(self.store, claimed.send_id, due_ms=to_ms(due), code=_words(outcome), attempted=True)
            self.counts[claimed.source.campaign_id, "retry"] += 1

    def _settle(
        self,
        claimed: Claimed,
        state: SendState,
        *,
        reason: str | None,
        code: str | None,
        reference: str | None,
    ) -> None:
        ledger.settle(
            self.store,
            claimed.send_id,
            state,
            now_ms=to_ms(self.moment()),
            reason=reason,
            code=code,
            reference=reference,
        )
        self.counts[claimed.source.campaign_id, state] += 1
        if claimed.wakes:
            self._settled.append(claimed.send_id)

    def _record_event(self, claimed: Claimed, outcome: Outcome) -> None:
        if outcome.event is None:
            return
        moment = self.moment()
        record(
            self.store,
            moment,
            [
                NewEvent(
                    # Whoever was deleted while the message was on its way has no events any more.
                    contact_id=ledger.contact_of(self.store, claimed.send_id),
                    name=outcome.event,
                    at=to_ms(moment),
                    source="provider",
                    source_id=f"{outcome.event}:{claimed.send_id}",
                    properties={"code": outcome.code, "text": outcome.text[:_LONGEST_WORDS]},
                    send_id=claimed.send_id,
                    campaign_id=claimed.source.campaign_id,
                )
            ],
        )

    def _forget(self, claimed: Claimed, endpoints: tuple[str, ...]) -> None:
        """Devices that take no push messages any more are nobody's from here on."""
        moment = self.moment()
        gone = [devices.remove(self.store, to_ms(moment), endpoint) for endpoint in endpoints]
        record(
            self.store,
            moment,
            (
                NewEvent(
                    contact_id=device["contact_id"],
                    name="push.expired",
                    at=to_ms(moment),
                    source="provider",
                    source_id=f"push.expired:{claimed.send_id}:{device['id']}",
                    send_id=claimed.send_id,
                    campaign_id=claimed.source.campaign_id,
                )
                for device in gone
                if device is not None
            ),
        )

    def _wake(self) -> None:
        if not self._settled:
            return
        self.store.execute("CREATE TEMP TABLE IF NOT EXISTS settled (send_id INTEGER PRIMARY KEY)")
        self.store.execute("DELETE FROM settled")
        self.store.executemany(
            "INSERT INTO settled (send_id) VALUES (?) ON CONFLICT DO NOTHING",
            ((send_id,) for send_id in self._settled),
        )
        ledger.wake(self.store, "SELECT send_id FROM settled", to_ms(self.moment()))
        self._settled.clear()


def _words(outcome: Outcome) -> str | None:
    """The provider's own words, as far as the ledger keeps them."""
    return f"{outcome.code} {outcome.text}".strip()[:_LONGEST_WORDS] or None
