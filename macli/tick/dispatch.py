"""Dispatch: what is due leaves the machine, each send at most once.

Claim a batch (consent, suppression, caps, quiet hours and rates are looked at here) → mark before
the wire → the provider → the answer. Every provider's sends go their own way beside the others'.
"""

import gc
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from macli import audience, quiet
from macli.clock import to_ms
from macli.errors import MacliError, OperationFailed
from macli.model import Message, Outcome
from macli.providers.base import Provider
from macli.store import Row, address_hash, campaign_states, channels, claiming, identity, ledger, workers
from macli.tick import allowance
from macli.tick.compose import StepComposer, load_provider, provider_of
from macli.tick.delivery import Claims, Delivery
from macli.tick.engine import Engine
from macli.tick.lookup import Lookup
from macli.tick.recorder import Claimed, Recorder, Retry

_MOST_FAILURES_IN_A_ROW = 50
_REST_AFTER_REFUSAL = timedelta(minutes=1)
_LONGEST_REST = timedelta(hours=1)


@dataclass(kw_only=True)
class Dispatched:
    """What a dispatch did: counts of outcomes by campaign, and what stopped it where something did."""

    counts: Counter[tuple[int, str]] = field(default_factory=Counter)
    paused: dict[int, str] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)
    more: bool = False
    """Whether something due is left because time ran out or a rate limits it."""

    def count(self, state: str) -> int:
        return sum(number for (_, known), number in self.counts.items() if known == state)


def dispatch(
    engine: Engine,
    *,
    campaign_id: int | None = None,
    deadline: float | None = None,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] | None = None,
) -> Dispatched:
    """Send what is due, until nothing is, ``deadline`` (of the monotonic clock) or ``stopping``.

    Raises OperationFailed where the store may not send (it was moved or restored from a backup).
    """
    result = Dispatched()
    if not ledger.sources(engine.store, to_ms(engine.moment()), campaign_id=campaign_id):
        return result
    identity.check(engine.store)
    address_hash.check(engine.store)
    with workers.registered(engine.store, engine.moment()) as worker_id:
        run = _Run(
            engine=engine,
            worker_id=worker_id,
            campaign_id=campaign_id,
            deadline=deadline,
            stopping=stopping,
            progress=progress,
            result=result,
        )
        run.go()
    return result


@dataclass(kw_only=True, eq=False)
class _Run:
    """One dispatch by one worker."""

    engine: Engine
    worker_id: int
    campaign_id: int | None
    deadline: float | None
    stopping: Callable[[], bool]
    progress: Callable[[int], None] | None
    result: Dispatched
    recorder: Recorder = field(init=False)
    _composers: dict[tuple[int, int, int], StepComposer] = field(default_factory=dict)
    _in_a_row: Counter[int] = field(default_factory=Counter)
    _turn: dict[int, int] = field(default_factory=dict)
    _date: datetime = field(init=False)
    _date_at: int | None = None

    def go(self) -> None:
        self.recorder = Recorder(
            store=self.engine.store,
            worker_id=self.worker_id,
            retry=Retry(
                attempts=self.engine.setting("retry.attempts"),
                first=self.engine.setting("retry.first"),
                longest=self.engine.setting("retry.longest"),
            ),
            moment=self.engine.moment,
            on_sender_fault=lambda claimed, outcome: self.pause(claimed.source.campaign_id, outcome),
            on_answer=self._answered,
            counts=self.result.counts,
        )
        try:
            with _seldom_collecting():
                _run_loop(self._deliver_all)
        finally:
            self.recorder.close()
            identity.advance(self.engine.store)
        if self.recorder.failure is not None:
            raise self.recorder.failure

    async def _deliver_all(self) -> None:
        import asyncio

        deliveries = {}
        for source in self._sources():
            row = self._provider_row(source)
            if row is not None and row["id"] not in deliveries and self._rested(row):
                deliveries[row["id"]] = self._delivery(row)
        results = await asyncio.gather(
            *(delivery.run() for delivery in deliveries.values() if delivery is not None),
            return_exceptions=True,
        )
        for provider_id, delivery in deliveries.items():
            if delivery is not None and delivery.refusal is not None:
                self._provider_refused(provider_id, delivery)
        for outcome in results:
            if isinstance(outcome, BaseException):
                raise outcome

    def _delivery(self, row: Row) -> Delivery | None:
        try:
            provider = load_provider(self.engine, row)
        except MacliError as error:
            outcome = Outcome(verdict="sender_fault", text=error.message)
            for source in self._sources_of(row["id"]):
                self.pause(source.campaign_id, outcome)
            return None
        return Delivery(
            provider=provider,
            recorder=self.recorder,
            refill=lambda limit: self._claim(row, provider, limit),
            compose=self._compose,
            stopping=self._stopping,
            held=lambda claimed: claimed.source.campaign_id in self.result.paused,
        )

    def _compose(self, claimed: Claimed) -> Message:
        at = int(time.monotonic())
        if at != self._date_at:
            # A mail's date is in whole seconds: it is worked out once for all that leave within one.
            self._date_at, self._date = at, self.engine.moment().replace(microsecond=0)
        return claimed.composer.compose(claimed.row, self._date)

    def _sources(self) -> list[ledger.Source]:
        return ledger.sources(self.engine.store, to_ms(self.engine.moment()), campaign_id=self.campaign_id)

    def _sources_of(self, provider_id: int) -> list[ledger.Source]:
        """The sources this provider carries, in turn: a long campaign does not keep the others waiting."""
        found = []
        for source in self._sources():
            row = self._provider_row(source)
            if row is not None and row["id"] == provider_id and source.campaign_id not in self.result.paused:
                found.append(source)
        return found

    def _provider_row(self, source: ledger.Source) -> Row | None:
        try:
            composer = self._composer(source, None)
            channel = composer.action.channel or composer.campaign.default_channel
            kind = channels.get(self.engine.store, channel)["kind"]
            if kind != source.channel:
                raise OperationFailed(
                    f"the channel {channel!r} is {kind} now, and messages are planned as {source.channel}"
                )
            return provider_of(self.engine.store, channel)
        except MacliError as error:
            self.pause(source.campaign_id, Outcome(verdict="sender_fault", text=error.message))
            return None

    def _composer(self, source: ledger.Source, sender: str | None) -> StepComposer:
        key = (source.campaign_id, source.version, source.step_id)
        if key not in self._composers:
            step_key = self.engine.store.value("SELECT key FROM steps WHERE id = :id", {"id": source.step_id})
            self._composers[key] = StepComposer(self.engine, source.campaign_id, source.version, step_key)
        composer = self._composers[key]
        composer.provider_sender = sender or composer.provider_sender
        return composer

    def _claim(self, provider_row: Row, provider: Provider, limit: int) -> Claims:
        """Claim up to ``limit`` sends for a provider: from the next source in turn that has some."""
        done: set[ledger.Source] = set()
        store = self.engine.store
        while not self._stopping():
            sources = [source for source in self._sources_of(provider_row["id"]) if source not in done]
            if not sources:
                break
            now_ms = to_ms(self.engine.moment())
            if allowance.left(store, provider_row, now_ms) <= 0:
                wait = allowance.soon(store, provider_row, now_ms)
                if wait is not None and (self.deadline is None or time.monotonic() + wait < self.deadline):
                    return Claims(wait=wait)
                self.result.more = True
                break
            urgent = [source for source in sources if source.purpose == "transactional"]
            turn = self._turn[provider_row["id"]] = self._turn.get(provider_row["id"], -1) + 1
            source = urgent[0] if urgent else sources[turn % len(sources)]
            claimed, gathered = self._claim_from(source, provider_row, provider, limit)
            if claimed:
                return Claims(claimed=claimed)
            if not gathered:
                done.add(source)
        return Claims()

    def _claim_from(
        self, source: ledger.Source, provider_row: Row, provider: Provider, limit: int
    ) -> tuple[list[Claimed], int]:
        store, moment = self.engine.store, self.engine.moment()
        now_ms = to_ms(moment)
        composer = self._composer(source, provider.sender)
        # Time has passed since a message was planned where it waited for a quiet hour, a rate or a retry.
        lookup = Lookup(engine=self.engine, now=moment)
        rules = (composer.campaign.goal, composer.campaign.exit)
        try:
            template_version = composer.template_version()
            leaving = [lookup.where(rule, few=True) for rule in rules if rule is not None]
        except MacliError as error:
            self.pause(source.campaign_id, Outcome(verdict="sender_fault", text=error.message))
            return [], 0
        policy = audience.policy(
            self.engine.setting,
            channel=source.channel,
            purpose=source.purpose,
            topic=composer.campaign.topic,
            caps=composer.campaign.caps,
            quiet_hours=composer.campaign.quiet_hours,
        )
        reason, params = audience.refusal(policy, moment, own="sends.id")
        # Before each claim and behind the last, so that any copy of the store made earlier is known as older.
        identity.advance(store)
        with store.write():
            allowed = min(limit, allowance.left(store, provider_row, now_ms))
            if allowed <= 0:
                return [], 0
            gathered = claiming.gather(
                store,
                source,
                now_ms=now_ms,
                limit=allowed,
                address=policy.address,
                place=quiet.place(policy.channel),
                reason=reason,
                params=params,
                leaving=leaving,
            )
            held = quiet.hold(store, policy, moment, self.engine.zone)
            allowance.hold_domains(store, provider_row, now_ms)
            rows = claiming.claim(
                store,
                worker_id=self.worker_id,
                provider_id=provider_row["id"],
                now_ms=now_ms,
                template_version=template_version,
            )
            allowance.spend(store, provider_row, len(rows), now_ms)
            skipped = store.rows(
                "SELECT reason, count(*) AS sends FROM claiming WHERE reason IS NOT NULL GROUP BY reason"
            )
            pulse = self.recorder.heart.read()
        if held:
            self.result.counts[source.campaign_id, "held"] += held
        for row in skipped:
            self.result.counts[source.campaign_id, f"skipped:{row['reason']}"] += row["sends"]
            self._tell(row["sends"])
        return [
            Claimed(row=row, source=source, policy=policy, pulse=pulse, at=moment, composer=composer) for row in rows
        ], gathered

    def _answered(self, claimed: Claimed, outcome: Outcome) -> None:
        """Many refusals in a row are no longer the recipients' fault."""
        self._tell(1)
        campaign_id = claimed.source.campaign_id
        if outcome.verdict in ("rejected", "failed", "bounced"):
            self._in_a_row[campaign_id] += 1
            if self._in_a_row[campaign_id] == _MOST_FAILURES_IN_A_ROW:
                words = f"{_MOST_FAILURES_IN_A_ROW} messages in a row were refused: {outcome.code} {outcome.text}"
                self.pause(campaign_id, Outcome(verdict="sender_fault", text=words))
        else:
            self._in_a_row[campaign_id] = 0

    def pause(self, campaign_id: int, outcome: Outcome) -> None:
        """The fault is on our side: nothing more of the campaign leaves until a person has looked."""
        if campaign_id in self.result.paused:
            return
        reason = f"{outcome.code} {outcome.text}".strip()
        self.result.paused[campaign_id] = reason
        campaign_states.pause_for_fault(self.engine.store, self.engine.moment(), campaign_id, reason)

    def _provider_refused(self, provider_id: int, delivery: Delivery) -> None:
        refusal = delivery.refusal
        assert refusal is not None
        if refusal.verdict == "sender_fault":
            for source in self._sources_of(provider_id):
                self.pause(source.campaign_id, refusal)
            return
        words = f"{refusal.code} {refusal.text}".strip()
        self.result.unreachable[delivery.provider.name] = words
        self.result.more = True
        rest = _REST_AFTER_REFUSAL * random.uniform(1, 1.5)  # noqa: S311
        asked = timedelta(seconds=min(refusal.retry_after or 0, _LONGEST_REST.total_seconds()))
        rest_over = self.engine.moment() + max(rest, asked)
        with self.engine.store.write():
            self.engine.store.execute(
                """
                UPDATE providers
                SET blocked_until_at = :until, blocked_reason = :reason
                WHERE id = :id
                """,
                {"id": provider_id, "until": to_ms(rest_over), "reason": words},
            )

    def _rested(self, row: Row) -> bool:
        moment = self.engine.moment()
        # A rest that ends later than any does was noted by a tick at a chosen time, or by a wrong clock.
        if not to_ms(moment) < (row["blocked_until_at"] or 0) <= to_ms(moment + _LONGEST_REST):
            return True
        self.result.unreachable[row["name"]] = f"resting after: {row['blocked_reason']}"
        self.result.more = True
        return False

    def _tell(self, number: int) -> None:
        if self.progress is not None:
            self.progress(number)

    def _stopping(self) -> bool:
        if self.stopping():
            return True
        if self.deadline is not None and time.monotonic() >= self.deadline:
            self.result.more = True
            return True
        return False


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Python's collector of cycles looks at everything that lives, every few hundred new objects, and a send
    makes thousands a second and no cycles: it is asked to look seldom. Worth 5 % of a send."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _run_loop(main: Callable[[], Any]) -> None:
    """Run a coroutine on uvloop where there is one: its sockets cost half of asyncio's own."""
    import asyncio

    try:
        import uvloop
    except ImportError:
        asyncio.run(main())
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
