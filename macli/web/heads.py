"""Requests' heads: read up to a size and within a time, which the server by itself leaves open.

Without that, one connection could fill the memory with a header that has no end, and a few hundred
that never say anything could take all there are.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST = 64 * 1024
"""Octets of a head behind the first read of it, of which one has at most 256 KB."""
SECONDS = 30.0


class Heads(HttpToolsProtocol):
    """uvicorn's protocol, on which a head that is too long, or does not end, ends the connection."""

    _inside = False
    _octets = 0
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._inside, self._octets = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._inside, self._octets = False, 0
        self._wait_no_more()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        continued = self._inside
        super().data_received(data)
        if self._inside and continued:
            self._octets += len(data)
        if self._octets > LARGEST:
            self._refuse()
        elif self._waiting is None and (self._inside or self.cycle is None or self.cycle.response_complete):
            self._wait()

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(SECONDS, self._refuse)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _refuse(self) -> None:
        self._inside, self._octets = False, 0
        self._wait_no_more()
        if not self.transport.is_closing():
            self.send_400_response("The head of this request is too long, or did not come.")
