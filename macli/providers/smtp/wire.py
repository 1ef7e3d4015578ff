"""One TCP connection to a mail server: bytes out, replies in, every wait with an end."""

import asyncio
import socket
import ssl
from collections import deque
from typing import cast

from macli.providers.smtp.replies import Garbled, Replies


class Lost(Exception):
    """The connection is gone, or says what no mail server says, or nothing for too long."""


class Wire(asyncio.Protocol):
    """The connection of one session; ``ready`` holds the replies that have come.

    One watchdog a connection looks at the deadline of the present wait; a timer a wait would cost
    more than the rest of the wait.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        self.timeout = timeout
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parser = Replies()
        self.ready: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._lost: Lost | None = None
        self._full = False
        self._watchdog: asyncio.TimerHandle | None = None

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no instances of it
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._watch()

    def data_received(self, data: bytes) -> None:
        try:
            self.ready.extend(self._parser.feed(data))
        except Garbled as error:
            self._lose(str(error))
            return
        if self.ready:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(f"the connection was lost: {exc}" if exc else "the server closed the connection")

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._wake()

    # What a session calls

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport

    def write(self, chunk: bytes) -> None:
        """Hand bytes to the connection. Raises Lost where it is gone already."""
        if self._lost is not None:
            raise self._lost
        self.transport.write(chunk)

    async def reply(self, *, timeout: float = 0.0) -> bytes:
        """The next reply. Raises Lost where none comes."""
        while not self.ready:
            await self._wait(timeout or self.timeout)
        return self.ready.popleft()

    async def drained(self) -> None:
        """Wait until what was written has mostly left."""
        while self._full:
            await self._wait(self.timeout)

    def expect_silence(self) -> None:
        """Raises Lost where the connection is gone or the server speaks out of turn."""
        if self._lost is not None:
            raise self._lost
        if self.ready or self._parser.waiting:
            spoken = self.ready[0].decode("ascii", "replace") if self.ready else "half a reply"
            raise Lost(f"the server spoke out of turn: {spoken}")

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Go over to TLS. Raises ssl.SSLError, Lost."""
        self.expect_silence()  # what was sent in clear behind the 220 must not count as said in TLS
        async with asyncio.timeout(self.timeout):
            transport = await self._loop.start_tls(self.transport, self, context, server_hostname=host)
        if transport is None:
            raise self._lost or Lost("the server closed the connection during the TLS handshake")
        self._transport = transport

    def close(self) -> None:
        """Close after what was written has left."""
        self._stop()
        self.transport.close()
        self._transport = None

    def abort(self) -> None:
        """Close now; what was written and has not left never will."""
        self._stop()
        if self._transport is not None:
            self._transport.abort()

    # Waiting

    async def _wait(self, seconds: float) -> None:
        if self._lost is not None:
            raise self._lost
        self._deadline = self._loop.time() + seconds
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _lose(self, why: str) -> None:
        if self._lost is None:
            self._lost = Lost(why)
        self._stop()
        if self._waiter is not None and not self._waiter.done():
            # Replies that came before the end still count; the wait after them finds the loss.
            self._waiter.set_result(None)
        if self._transport is not None:
            self._transport.abort()

    def _watch(self) -> None:
        if self._waiter is not None and self._loop.time() > self._deadline:
            self._lose("no answer in time")
            return
        self._watchdog = self._loop.call_later(min(1.0, self.timeout / 4), self._watch)

    def _stop(self) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
