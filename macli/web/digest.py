"""Hits become events while macli serve runs, in small pieces between the requests' own writes."""

import asyncio
import sqlite3
from datetime import datetime

from macli.errors import MacliError
from macli.hits import rules as written
from macli.hits.digest import digest_some
from macli.hits.rules import Rules
from macli.store import Store
from macli.web.site import Site

EVERY = 1.0
AFTER_A_FAULT = 30.0
FAULTS = (MacliError, sqlite3.Error, OSError)
"""Rules that do not read, a full disk, a store that is away: over when somebody has mended it."""
PIECE = 500
BUSY = 1000
"""Hits in a second from which on the digest waits: who clicks in the minute after a mailing is answered first."""
LONGEST_PUT_OFF = 60
_NEW = "SELECT EXISTS (SELECT 1 FROM hits WHERE class IS NULL)"


async def keep_digesting(site: Site) -> None:
    """Digest what has settled, each second that is not busy and at least once a minute, until cancelled.

    A fault is left for the tick to tell, and ends when what caused it is mended.
    """
    stored, put_off = site.writer.stored, 0
    while True:
        await asyncio.sleep(EVERY)
        before, stored = stored, site.writer.stored
        if stored - before > BUSY * EVERY and put_off < LONGEST_PUT_OFF:
            put_off += 1
            continue
        put_off = 0
        try:
            if await site.read(lambda store: store.value(_NEW)):
                await _digest(site, written.read(site.workspace))
        except FAULTS:
            await asyncio.sleep(AFTER_A_FAULT)


async def _digest(site: Site, rules: Rules) -> None:
    found, after = PIECE, 0
    while found == PIECE:

        def piece(store: Store, now: datetime, after: int = after) -> tuple[int, int]:
            return digest_some(store, now, rules, after=after, limit=PIECE)

        found, after = await site.write(piece)
