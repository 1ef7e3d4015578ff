"""Hits become events while macli serve runs, in small pieces between the requests' own writes."""

import asyncio
from datetime import datetime

from macli.errors import MacliError
from macli.hits import rules as written
from macli.hits.digest import digest_some
from macli.store import Store
from macli.web.site import Site

EVERY = 1.0
PIECE = 500
_NEW = "SELECT EXISTS (SELECT 1 FROM hits WHERE class IS NULL)"


async def keep_digesting(site: Site) -> None:
    """Digest what has settled, each second, until cancelled; a fault is left for the tick to tell."""
    rules = written.read(site.workspace)
    while True:
        await asyncio.sleep(EVERY)
        try:
            if await site.read(lambda store: store.value(_NEW)):
                found, after = PIECE, 0
                while found == PIECE:

                    def piece(store: Store, now: datetime, after: int = after) -> tuple[int, int]:
                        return digest_some(store, now, rules, after=after, limit=PIECE)

                    found, after = await site.write(piece)
        except MacliError:
            await asyncio.sleep(30 * EVERY)
