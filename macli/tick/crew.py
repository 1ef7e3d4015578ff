"""Several workers on one dispatch: each a process of its own with its own claims and connections."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from macli.errors import MacliError
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

    The ledger is all they share: a claim belongs to one of them, rates are counted in the store.
    """
    with _helpers(engine, workers - 1, campaign_id, deadline) as results:
        own = dispatch(engine, campaign_id=campaign_id, deadline=deadline, stopping=stopping, progress=progress)
    for other in results:
        own.counts.update(other.counts)
        own.paused.update(other.paused)
        own.unreachable.update(other.unreachable)
        own.more = own.more or other.more
    return own


@contextmanager
def _helpers(
    engine: Engine, number: int, campaign_id: int | None, deadline: float | None
) -> Iterator[list[Dispatched]]:
    """The other processes for a block; their results are there when it ends."""
    context = get_context("spawn")
    answers: SimpleQueue[Dispatched | str] = context.SimpleQueue()
    processes = [
        context.Process(
            target=_work,
            args=(
                answers,
                engine.store.path,
                engine.workspace,
                engine.moment(),
                engine.zone.key,
                campaign_id,
                deadline,
            ),
            daemon=False,
        )
        for _ in range(number)
    ]
    results: list[Dispatched] = []
    for process in processes:
        process.start()
    try:
        yield results
    finally:
        for process in processes:
            process.join()
        while not answers.empty():
            answer = answers.get()
            if isinstance(answer, Dispatched):
                results.append(answer)


def _work(
    answers: "SimpleQueue[Dispatched | str]",
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

    with open_store(store_path) as store, listening() as stop:
        engine = Engine(
            store=store,
            setting=lambda key: settings.get(store, key),
            now=now,
            zone=zone_of(zone),
            workspace=workspace,
        )
        try:
            answers.put(dispatch(engine, campaign_id=campaign_id, deadline=deadline, stopping=stop))
        except MacliError as error:
            answers.put(error.message)
