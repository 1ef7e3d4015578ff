"""Files sent from the store: each is in memory once, however many fetch it, and goes as fast as it is taken."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from macli.store import Store, assets
from macli.web.site import Site

if TYPE_CHECKING:
    from starlette.responses import Response

_PIECE = 64 * 1024


class _File:
    """One file, which is let go with the last answer that sends it."""

    def __init__(self, octets: bytes, content_type: str) -> None:
        self.octets = octets
        self.content_type = content_type


class Files:
    """The files one serving process is sending."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._sending: WeakValueDictionary[int, _File] = WeakValueDictionary()
        self._reading = asyncio.Lock()

    async def answer(self, asset_id: int, headers: Mapping[str, str]) -> "Response":
        """The file of that id; the type it was given, and no other, is for the browser to believe."""
        from starlette.responses import StreamingResponse

        async with self._reading:
            file = self._sending.get(asset_id)
            if file is None:
                file = self._sending[asset_id] = await self._site.read(lambda store: _read(store, asset_id))
        more = {"Content-Length": str(len(file.octets)), "X-Content-Type-Options": "nosniff"}
        return StreamingResponse(_pieces(file), media_type=file.content_type, headers={**headers, **more})


def _read(store: Store, asset_id: int) -> _File:
    [found] = assets.by_ids(store, [asset_id])
    return _File(found["data"], found["content_type"])


async def _pieces(file: _File) -> AsyncIterator[bytes]:
    for start in range(0, len(file.octets), _PIECE):
        yield file.octets[start : start + _PIECE]
