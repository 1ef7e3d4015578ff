"""What every request is handed: the writer, a way to read, the settings, the keys and the now."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from threading import Barrier, local
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

from macli.clock import Clock, system_clock, to_ms
from macli.errors import OperationFailed
from macli.signing import Keyring, keyring
from macli.store import Store, open_store
from macli.web.writer import Job, Writer

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

T = TypeVar("T")
_SETTINGS_LAST = 2.0
"""Seconds after which a setting, or a rotated key, is read again."""
_READERS = 2


class Site:
    """One serving process of one workspace."""

    def __init__(self, *, workspace: Path, store: Path, clock: Clock, zone: ZoneInfo) -> None:
        self.workspace = workspace
        self.store_path = store
        self.clock = clock
        self.zone = zone
        self.writer = Writer(store, clock)
        self._pool = ThreadPoolExecutor(_READERS, thread_name_prefix="macli-reader")
        self._own = local()
        self._settings: dict[str, Any] = {}
        self._keys: Keyring | None = None
        self._fresh_until = 0.0
        self._ms: Callable[[], int] = _system_ms if clock is system_clock else lambda: to_ms(clock())

    async def start(self) -> None:
        self.writer.start()
        await self.refresh()

    async def close(self) -> None:
        await self.writer.close()
        # A connection is closed by the thread that uses it: each takes one of these and waits for the others.
        together = Barrier(_READERS)
        await asyncio.gather(*(self._close_one(together) for _ in range(_READERS)))
        self._pool.shutdown(wait=True)

    def now(self) -> datetime:
        return self.clock()

    def now_ms(self) -> int:
        return self._ms()

    async def read(self, job: Callable[[Store], T]) -> T:
        """What ``job`` finds in the store, in a thread of its own with a connection of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: job(self._reading()))

    async def write(self, job: Job[T]) -> T:
        """What ``job`` returns, once what it wrote is on the disk."""
        return await self.writer.do(job)

    def setting(self, key: str) -> Any:
        """A setting as it was at most seconds ago."""
        return self._settings[key]

    @property
    def keys(self) -> Keyring:
        assert self._keys is not None
        return self._keys

    def is_stale(self) -> bool:
        """Whether settings and keys may have changed since they were read."""
        return time.monotonic() >= self._fresh_until

    async def refresh(self) -> None:
        """Read settings and keys anew."""
        self._fresh_until = time.monotonic() + _SETTINGS_LAST
        try:
            self._settings, self._keys = await self.read(self._current)
        except OperationFailed as error:
            # Links in sent mail are answered with the keys there were, until somebody has mended their file.
            if self._keys is None:
                raise
            logging.getLogger("uvicorn.error").warning("%s", error.message)

    def _current(self, store: Store) -> tuple[dict[str, Any], Keyring]:
        from macli.config import REGISTRY
        from macli.store import settings

        return {key: settings.get(store, key) for key in REGISTRY}, keyring(self.workspace)

    def _reading(self) -> Store:
        store: Store | None = getattr(self._own, "store", None)
        if store is None:
            store = open_store(self.store_path)
            self._own.store = store
        store.check_place()
        return store

    async def _close_one(self, together: Barrier) -> None:
        def close() -> None:
            together.wait()
            store: Store | None = getattr(self._own, "store", None)
            if store is not None:
                store.close()

        await asyncio.get_running_loop().run_in_executor(self._pool, close)

    def caller(self, request: "HTTPConnection") -> str:
        """The visitor's address: the last one that no trusted proxy vouches for."""
        peer = request.client.host if request.client else ""
        forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
        return real_address(peer, forwarded, self.setting("web.proxies"))

    def url(self, path: str) -> str:
        """The address of one of macli's own pages as the world sees it; relative without a public_url."""
        return f"{self.setting('public_url') or ''}{path}"


def _system_ms() -> int:
    """What ``to_ms(system_clock())`` says, without making a datetime for each hit."""
    return time.time_ns() // 1_000_000


def real_address(peer: str, forwarded: str, trusted: tuple[str, ...]) -> str:
    """Whose request it is, by the peer's address and X-Forwarded-For, whose words count from right to left."""
    chain = [_plain(part.strip()) for part in (peer, *reversed(forwarded.split(","))) if part.strip()] or [""]
    for position, address in enumerate(chain):
        if not _among(address, trusted):
            return address if _is_address(address) else chain[max(position - 1, 0)]
    return chain[-1]


def _among(address: str, networks: tuple[str, ...]) -> bool:
    return _is_address(address) and any(
        ip_address(address) in ip_network(network, strict=False) for network in networks
    )


def _plain(address: str) -> str:
    """An address as it is written elsewhere: one of IPv4 that is told in IPv6 as what it is."""
    mapped = ip_address(address) if address[:7].lower() == "::ffff:" and _is_address(address) else None
    return str(getattr(mapped, "ipv4_mapped", None) or address)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
