"""Several workers on one dispatch: each a process of its own with its own claims and connections."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_bool
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from macli.errors import MacliError, OperationFailed
from macli.tick.dispatch import Dispatched, dispatch
from macli.tick.engine import Engine


def dispatch_together(
    engine: Engine,
    *,
    workers: int,
    campaign_id: int | None,
    deadline: float | None,
    stopping: Callable[[], bool],
    progress: Callable[[int], None] | None,
) -> Dispatched:
    """Dispatch with ``workers`` processes, this one among them; what they did together.

    The ledger is all they share: a claim belongs to one of them, rates are counted in the store. Raises
    OperationFailed when one of them failed, once the others are done.
    """
    with _helpers(engine, workers - 1, campaign_id, deadline, stopping) as answers:
        own = dispatch(engine, campaign_id=campaign_id, deadline=deadline, stopping=stopping, progress=progress)
    for other in answers.results:
        own.counts.update(other.counts)
        own.paused.update(other.paused)
        own.unreachable.update(other.unreachable)
        own.more = own.more or other.more
    if answers.failures:
        raise OperationFailed(
            f"{len(answers.failures)} of {workers} workers failed: {'; '.join(dict.fromkeys(answers.failures))}",
            hint="macli tick goes on with what they left; macli message list --state unknown shows what is in doubt",
        )
    return own


@dataclass(kw_only=True)
class _Answers:
    """What the other processes said at their end."""

    results: list[Dispatched] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@contextmanager
def _helpers(
    engine: Engine, number: int, campaign_id: int | None, deadline: float | None, stopping: Callable[[], bool]
) -> Iterator[_Answers]:
    """The other processes for a block; their answers are there when it ends."""
    context = get_context("spawn")
    # Without a lock: a process killed while it held one would keep the others waiting for ever.
    stop = context.RawValue(c_bool, False)
    answers = _Answers()
    started = []
    try:
        for _ in range(number):
            hears, says = context.Pipe(duplex=False)
            process = context.Process(
                target=_work,
                args=(
                    says,
                    stop,
                    engine.store.path,
                    engine.workspace,
                    engine.moment(),
                    engine.zone.key,
                    campaign_id,
                    deadline,
                ),
            )
            process.start()
            # Theirs alone from here on, so that hearing ends when they do.
            says.close()
            started.append((process, hears))
        yield answers
    except BaseException:
        stop.value = True
        raise
    finally:
        if stopping():
            # A supervisor asks this process to stop and knows nothing of the others.
            stop.value = True
        for process, hears in started:
            try:
                answer: Dispatched | str = hears.recv()
            except EOFError:
                process.join()
                answer = f"a worker ended without a word (exit code {process.exitcode})"
            process.join()
            hears.close()
            if isinstance(answer, Dispatched):
                answers.results.append(answer)
            else:
                answers.failures.append(answer)


def _work(
    says: "Connection[Dispatched | str, None]",
    stop: c_bool,
    store_path: Path,
    workspace: Path,
    now: datetime,
    zone: str,
    campaign_id: int | None,
    deadline: float | None,
) -> None:
    """The life of one helper."""
    from macli.clock import zone as zone_of
    from macli.store import open_store, settings
    from macli.tick.stop import listening

    with open_store(store_path) as store, listening() as asked:
        engine = Engine(
            store=store,
            setting=lambda key: settings.get(store, key),
            now=now,
            zone=zone_of(zone),
            workspace=workspace,
        )
        answer: Dispatched | str
        try:
            answer = dispatch(
                engine, campaign_id=campaign_id, deadline=deadline, stopping=lambda: asked() or stop.value
            )
        except MacliError as error:
            answer = error.message
        except Exception as error:
            says.send(f"{type(error).__name__}: {error}")
            raise
        says.send(answer)
