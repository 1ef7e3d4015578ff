"""The one writer of a serving process: what requests ask to be written is committed together.

A request is answered after its commit, so what was answered survives the death of the process.
While one commit is on its way the next requests gather; nothing waits for a clock.
"""

import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from macli.clock import Clock
from macli.store import Store, open_store

T = TypeVar("T")
Job = Callable[[Store, datetime], T]
"""Something to write: called inside a transaction of its own kind (a savepoint), with the store and the now."""

Hit = tuple[str, int, int, int | None, str | None, str, str | None, int | None]
"""kind, at, send, link, url, method, ip, agent."""

_Wanted = tuple[Hit | None, Job[Any] | None, "asyncio.Future[Any]"]
"""A hit to be stored or a job to be done, and who waits for it."""

_MOST = 2000
"""Requests a transaction takes at most, so that a sender beside it waits for milliseconds."""

# One statement for all hits of a batch: SQLite works through it without the interpreter's lock, so the
# loop answers other requests meanwhile.
_HITS = """
INSERT INTO hits (kind, at, send, link, url, method, ip, agent)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
FROM json_each(:hits)
"""


class Writer:
    """A thread with a connection of its own; ``hit`` and ``do`` are called on the event loop."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._wanted: SimpleQueue[_Wanted | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.stored = 0
        """Hits committed so far."""
        self._thread = threading.Thread(target=self._run, name="macli-writer", daemon=True)

    def start(self) -> None:
        """Begin; called on the event loop whose futures are to be resolved."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def close(self) -> None:
        """Write what is left and end."""
        self._wanted.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def hit(self, hit: Hit) -> "asyncio.Future[None]":
        """Store a hit; the future is done when it is committed."""
        assert self._loop is not None
        future: asyncio.Future[None] = self._loop.create_future()
        self._wanted.put((hit, None, future))
        return future

    def do(self, job: Job[T]) -> "asyncio.Future[T]":
        """Run ``job`` in a transaction; the future has what it returned, once that is on the disk.

        What one job raises undoes that job alone and is raised by its future.
        """
        assert self._loop is not None
        future: asyncio.Future[T] = self._loop.create_future()
        self._wanted.put((None, job, future))
        return future

    def _run(self) -> None:
        store: Store | None = None
        ending = False
        while not ending:
            batch, ending = self._gathered()
            if batch:
                store = self._commit(store, batch)
        if store is not None:
            store.close()

    def _gathered(self) -> tuple[list[_Wanted], bool]:
        """What is wanted, as soon as anything is; and whether that was the last."""
        batch: list[_Wanted] = []
        wanted = self._wanted.get()
        while wanted is not None:
            batch.append(wanted)
            if len(batch) >= _MOST or self._wanted.empty():
                return batch, False
            wanted = self._wanted.get()
        return batch, True

    def _commit(self, store: Store | None, batch: list[_Wanted]) -> Store | None:
        """Write what has gathered; the open store, None where it could not be opened."""
        hits = [(hit, future) for hit, _, future in batch if hit is not None]
        jobs = [(job, future) for _, job, future in batch if job is not None]
        answers: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
        try:
            store = store or open_store(self._path)
            store.check_place()
            # A hit lost in a power cut is one open less; a lost no would be a mail too much.
            with store.write(durable=bool(jobs)):
                if hits:
                    store.execute(_HITS, {"hits": json.dumps([hit for hit, _ in hits])})
                now = self._clock()
                answers += [(future, *_attempt(store, job, now)) for job, future in jobs]
            store.check_place()
            self.stored += len(hits)
        except BaseException as error:
            # The transaction is undone: everyone in it is told, and the next requests try anew.
            answers = [(future, None, error) for _, future in (*hits, *jobs)]
            hits = []
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            self._loop.call_soon_threadsafe(_resolve, [future for _, future in hits], answers)
        return store


def _attempt(store: Store, job: Job[Any], now: datetime) -> tuple[Any, BaseException | None]:
    store.execute("SAVEPOINT job")
    try:
        result = job(store, now)
    except Exception as error:
        store.execute("ROLLBACK TO job")
        store.execute("RELEASE job")
        return None, error
    store.execute("RELEASE job")
    return result, None


def _resolve(
    stored: list["asyncio.Future[None]"], answers: list[tuple["asyncio.Future[Any]", Any, BaseException | None]]
) -> None:
    for future in stored:
        if not future.done():
            future.set_result(None)
    for answer, result, error in answers:
        if answer.done():
            continue
        if error is None:
            answer.set_result(result)
        else:
            answer.set_exception(error)
