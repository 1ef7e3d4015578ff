"""The workers: processes that may hold claims, and what becomes of a dead one's."""

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from macli.clock import to_ms
from macli.store import identity, ledger, locks
from macli.store.connection import Store


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """What dead workers left: claims that went back to the plan, and messages nobody can vouch for."""

    workers: int = 0
    planned: int = 0
    unknown: int = 0


@cache
def boot_id() -> str:
    """What tells one run of the machine from the next."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return "no-boot-id"


@contextmanager
def registered(store: Store, now: datetime) -> Iterator[int]:
    """This process as a worker for a block: its id, which its claims name.

    The worker's lock is held before its row exists, so no one ever sees a living worker as dead.
    """
    token = uuid.uuid4().hex
    lock = locks.take(store.path, f"worker-{token}")
    assert lock is not None
    try:
        with store.write():
            worker_id = int(
                store.value(
                    """
                    INSERT INTO workers (token, pid, host, boot, started_at)
                    VALUES (:token, :pid, :host, :boot, :now)
                    RETURNING id
                    """,
                    {
                        "token": token,
                        "pid": os.getpid(),
                        "host": socket.gethostname(),
                        "boot": boot_id(),
                        "now": to_ms(now),
                    },
                )
            )
        died = True
        try:
            yield worker_id
            died = False
        finally:
            with store.write():
                _let_go(store, worker_id, now, trust_marks=True, died=died)
    finally:
        lock.release(remove=True)


def recover(store: Store, now: datetime) -> Recovered:
    """Give back what dead workers held.

    A claim that never reached the wire is planned again; a message marked ``sending`` is
    ``unknown``. After a crash of the machine the marks themselves may be lost (they are not
    flushed one by one), so there every claim of the dead worker is ``unknown``. A store that may be
    older than what was sent from it is left alone: what it calls claimed may have left since.
    """
    total = Recovered()
    rows = store.rows("SELECT id, token, boot FROM workers WHERE ended_at IS NULL")
    if not rows or identity.doubt(store) is not None:
        return total
    for row in rows:
        if locks.held(store.path, f"worker-{row['token']}"):
            continue
        with store.write():
            planned, unknown = _let_go(store, row["id"], now, trust_marks=row["boot"] == boot_id())
        total = Recovered(workers=total.workers + 1, planned=total.planned + planned, unknown=total.unknown + unknown)
        # A copy of the store made while that worker lived must be known as older from here on.
        identity.advance(store)
        (locks.folder(store.path) / f"worker-{row['token']}").unlink(missing_ok=True)
    return total


def abandon_all(store: Store, now: datetime) -> Recovered:
    """Declare every worker dead and its claims unknown: for a store that came from another machine."""
    total = Recovered()
    with store.write():
        for row in store.rows("SELECT id FROM workers WHERE ended_at IS NULL"):
            planned, unknown = _let_go(store, row["id"], now, trust_marks=False)
            total = Recovered(
                workers=total.workers + 1, planned=total.planned + planned, unknown=total.unknown + unknown
            )
    return total


def _let_go(store: Store, worker_id: int, now: datetime, *, trust_marks: bool, died: bool = True) -> tuple[int, int]:
    params = {"worker": worker_id, "now": to_ms(now)}
    in_doubt = "('sending')" if trust_marks else "('sending', 'claimed')"
    unknown = store.execute(
        f"""
        UPDATE sends
        SET state = 'unknown', settled_at = :now
        WHERE worker_id = :worker
          AND state IN {in_doubt}
        """,
        params,
    )
    planned = ledger.let_go(store, worker_id, to_ms(now))
    store.execute("UPDATE workers SET ended_at = :now WHERE id = :worker", params)
    if died:
        ledger.wake_settled(store, to_ms(now))
    return planned, unknown
