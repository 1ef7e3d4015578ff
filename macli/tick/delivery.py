"""One provider's share of a dispatch: claims in batches, messages rendered as connections ask for them."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from macli.content import TemplateFault
from macli.model import Message, Outcome
from macli.providers.base import Provider, sends, streams
from macli.tick.recorder import Claimed, Recorder

_MOST_TRIES = 3

Compose = Callable[[Claimed], Message]


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What a claim brought; with nothing claimed, ``wait`` says in how many seconds a rate allows more."""

    claimed: list[Claimed] = field(default_factory=list)
    wait: float | None = None


Refill = Callable[[int], Claims]
"""Claim up to n sends for this provider."""


@dataclass(kw_only=True, eq=False)
class Delivery:
    """The messages of one provider in one dispatch, over as many connections as it allows."""

    provider: Provider
    recorder: Recorder
    refill: Refill
    compose: Compose
    stopping: Callable[[], bool]
    held: Callable[[Claimed], bool]
    """Whether a claimed send may not leave any more, because its campaign was paused for a fault."""
    batch: int = 200
    refusal: Outcome | None = None
    """Why the provider itself would not talk to us, where that ended the delivery."""
    _queue: deque[Claimed] = field(default_factory=deque)
    _alive: int = 0
    _dry: bool = False
    _resume_at: float | None = None
    _filled_at: float | None = None

    async def run(self) -> None:
        """Send until nothing is due that may go, the provider refuses, or the dispatch is stopping."""
        connections = self.provider.connections
        if streams(self.provider):
            lives = [self._connection(self.provider.deliver) for _ in range(connections)]
            await _all(lives)
        else:
            assert sends(self.provider)
            with ThreadPoolExecutor(max_workers=connections) as pool:
                await _all([self._connection(_one_by_one(self.provider.send, pool)) for _ in range(connections)])

    async def _connection(self, deliver: Callable[["ConnectionFeed"], Awaitable[None]]) -> None:
        """One place for a connection: opened again while there is something to send and someone to take it."""
        self._alive += 1
        try:
            await self._reopened(deliver)
        finally:
            self._alive -= 1

    async def _reopened(self, deliver: Callable[["ConnectionFeed"], Awaitable[None]]) -> None:
        tries = 0
        while self.refusal is None and (self._more() or await self._rate_allows()):
            feed = ConnectionFeed(self)
            try:
                await deliver(feed)
            finally:
                feed.close()
            if self.recorder.failure is not None:
                raise self.recorder.failure
            if feed.answers and (feed.refusal is None or feed.refusal.reached):
                tries = 0
                continue
            # Nothing came of this connection. A server that takes fewer connections than we open
            # goes on with those it took; the last one is tried again before the provider is left alone.
            refusal = feed.refusal or Outcome(verdict="retry", text="the connection ended before anything was sent")
            if refusal.verdict == "sender_fault":
                self.refusal = refusal
            elif self._alive > 1:
                break
            elif (tries := tries + 1) >= _MOST_TRIES or not refusal.reached:
                self.refusal = refusal
            else:
                await asyncio.sleep(0.3 * tries)

    def next_claimed(self) -> Claimed | None:
        while self._more():
            claimed = self._queue.popleft()
            if not self.held(claimed):
                return claimed  # one that is held goes back to the plan when the worker lets go of its claims
        return None

    def put_back(self, claimed: Claimed) -> None:
        self._queue.appendleft(claimed)

    def _more(self) -> bool:
        if self.stopping() or self.recorder.failure is not None or self.refusal is not None:
            return False
        if not self._queue and not self._dry:
            claims = self.refill(self._size())
            self._queue.extend(claims.claimed)
            self._dry = not self._queue
            self._resume_at = None if claims.wait is None else time.monotonic() + claims.wait
        return bool(self._queue)

    async def _rate_allows(self) -> bool:
        """Wait for the window of a rate to end; False where no rate is what keeps the sends back."""
        while self._resume_at is not None and not self.stopping() and self.recorder.failure is None:
            await asyncio.sleep(max(0.0, min(self._resume_at - time.monotonic(), 1.0)))
            if time.monotonic() >= self._resume_at:
                self._dry = False
                if self._more():
                    return True
        return False

    def _size(self) -> int:
        """About a second's work: consent is looked at when a batch is claimed, so a batch is kept short."""
        at = time.monotonic()
        if self._filled_at is not None:
            rate = self.batch / max(at - self._filled_at, 0.001)
            self.batch = int(min(max(rate, 2 * self.provider.connections), 2 * self.batch, 2000))
        self._filled_at = at
        return self.batch


class ConnectionFeed:
    """What one connection is fed with; see macli.providers.base.Feed."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._next: tuple[Claimed, Message] | None = None
        self._open: dict[int, Claimed] = {}
        self._marked: int | None = None
        self.answers = 0
        self.refusal: Outcome | None = None

    def peek(self) -> Message | None:
        while self._next is None:
            claimed = self._delivery.next_claimed()
            if claimed is None:
                return None
            try:
                message = self._delivery.compose(claimed)
            except TemplateFault as fault:
                self._cannot(claimed, "template", fault.message)
                continue
            except Exception as error:
                # Whatever one contact's values can do to a message ends this message and not the others,
                # who would wait behind it at every tick; many in a row stop the campaign.
                self._cannot(claimed, "compose", f"{type(error).__name__}: {error}")
                continue
            self._next = (claimed, message)
        return self._next[1]

    def mark(self, message: Message) -> "asyncio.Future[bool]":
        claimed = self._take(message)
        self._open[message.send_id] = claimed
        self._marked = message.send_id
        future = self._delivery.recorder.mark(claimed)
        future.add_done_callback(self._marking_ended)
        return future

    def done(self, message: Message, outcome: Outcome) -> None:
        claimed = self._open.pop(message.send_id, None) or self._take(message)
        if self._marked == message.send_id:
            self._marked = None
        self.answers += 1
        self._delivery.recorder.answer(claimed, outcome)

    def refused(self, outcome: Outcome) -> None:
        self.refusal = outcome

    def close(self) -> None:
        """The connection is over: what it had not marked goes to another, what it had marked is unknown."""
        if self._next is not None:
            self._delivery.put_back(self._next[0])
            self._next = None
        if self._marked is not None and self._delivery.recorder.failure is None:
            claimed = self._open.pop(self._marked)
            outcome = Outcome(verdict="unknown", text="the connection ended without an answer")
            self._delivery.recorder.answer(claimed, outcome)
        self._open.clear()

    def _marking_ended(self, future: "asyncio.Future[bool]") -> None:
        if self._marked is not None and (future.cancelled() or future.exception() or not future.result()):
            self._open.pop(self._marked)
            self._marked = None
            self.answers += 1

    def _cannot(self, claimed: Claimed, code: str, text: str) -> None:
        self._delivery.recorder.answer(claimed, Outcome(verdict="failed", code=code, text=text))

    def _take(self, message: Message) -> Claimed:
        assert self._next is not None
        assert self._next[1].send_id == message.send_id
        claimed, self._next = self._next[0], None
        return claimed


def _one_by_one(
    send: Callable[[Message], Outcome], pool: ThreadPoolExecutor
) -> Callable[[ConnectionFeed], Awaitable[None]]:
    """A connection of a provider that takes one message a call."""

    async def deliver(feed: ConnectionFeed) -> None:
        loop = asyncio.get_running_loop()
        while (message := feed.peek()) is not None:
            if not await feed.mark(message):
                continue
            outcome = await loop.run_in_executor(pool, send, message)
            feed.done(message, outcome)
            if not outcome.reached:
                feed.refused(outcome)
                return

    return deliver


async def _all(lives: Sequence[Awaitable[None]]) -> None:
    """Wait for every connection, and raise the first failure only when all of them have ended."""
    for result in await asyncio.gather(*lives, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
