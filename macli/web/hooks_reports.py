"""Reports of concurrent requests are heard together: one transaction for all that came meanwhile."""

import asyncio
from collections.abc import Sequence

from macli.model import Report
from macli.responses import hear
from macli.web.app import UNAVAILABLE
from macli.web.site import Site

_MOST = 1000

Waiting = tuple[Sequence[Report], "asyncio.Future[None]"]


class Reports:
    """What providers report to one serving process."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._waiting: list[Waiting] = []
        self._hearing: asyncio.Task[None] | None = None

    async def take(self, reports: Sequence[Report]) -> None:
        """Returns once the reports are on the disk; raises what kept them from it."""
        heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((reports, heard))
        if self._hearing is None:
            self._hearing = asyncio.create_task(self._hear_all())
        await heard

    async def _hear_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            error = await self._hear(batch)
            if error is None or isinstance(error, UNAVAILABLE) or len(batch) == 1:
                _answer(batch, error)
                continue
            # What is wrong with one request's reports is not the others' fault.
            for one in batch:
                _answer([one], await self._hear([one]))
        self._hearing = None

    async def _hear(self, batch: list[Waiting]) -> Exception | None:
        reports = [report for some, _ in batch for report in some]
        try:
            await self._site.write(lambda store, now: hear(store, now, reports))
        except Exception as error:
            return error
        return None


def _answer(batch: list[Waiting], error: Exception | None) -> None:
    for _, heard in batch:
        if heard.done():
            continue  # whoever asked has gone
        if error is None:
            heard.set_result(None)
        else:
            heard.set_exception(error)
