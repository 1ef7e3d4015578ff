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
    _since: float | None = None
    """When this end began to wait for a head; None while a request is answered."""
    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = self.loop.time()
        self._watch = self.loop.call_later(SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._inside, self._octets = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._inside, self._octets, self._since = False, 0, None
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        continued = self._inside
        super().data_received(data)
        if self._inside:
            if continued:
                self._octets += len(data)
                if self._octets > LARGEST:
                    self._refuse()
            elif self._since is None:
                self._since = self.loop.time()

    def _look(self) -> None:
        """Once for each span, whatever the number of requests: a timer a request would cost a tenth of it."""
        now = self.loop.time()
        if self._since is None and (self.cycle is None or self.cycle.response_complete):
            self._since = now  # answered since the last look; it may wait for the next request from here on
        if self._since is not None and now - self._since >= SECONDS:
            self._refuse()
        else:
            left = SECONDS if self._since is None else SECONDS - (now - self._since)
            self._watch = self.loop.call_later(left, self._look)

    def _refuse(self) -> None:
        self._inside, self._octets = False, 0
        if not self.transport.is_closing():
            self.send_400_response("The head of this request is too long, or did not come.")
