"""Locks held by a process, never by elapsed time: the kernel lets go when the process dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def folder(store_path: Path) -> Path:
    """Where the lock files of a store are."""
    return store_path.with_name(store_path.name + ".locks")


class Lock:
    """A held lock; ``release`` gives it back and removes its file."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def release(self, *, remove: bool = False) -> None:
        if remove:
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def take(store_path: Path, name: str) -> Lock | None:
    """The lock ``name`` of a store, or None while a living process holds it."""
    where = folder(store_path)
    where.mkdir(exist_ok=True)
    path = where / name
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return Lock(path, descriptor)


def held(store_path: Path, name: str) -> bool:
    """Whether a living process holds the lock ``name``."""
    path = folder(store_path) / name
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


class Turn:
    """The writers' queue of a store: whoever enters has the next turn to write.

    SQLite itself makes a second writer sleep and look again, up to 100 ms at a time; here the kernel
    wakes it when the first is done. Ten senders beside each other are several times as fast for it.
    A writer that does not queue (another program) is still waited for by SQLite's own means.
    """

    def __init__(self, store_path: Path) -> None:
        where = folder(store_path)
        where.mkdir(exist_ok=True)
        self._descriptor = os.open(where / "writer", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._descriptor)


@contextmanager
def holding(store_path: Path, name: str) -> Iterator[bool]:
    """Hold the lock ``name`` for a block; False where another process has it."""
    lock = take(store_path, name)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            lock.release()
