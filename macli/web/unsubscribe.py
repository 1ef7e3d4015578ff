"""Unsubscribing: ``/u/TOKEN`` shows a page and changes nothing; a POST to it (RFC 8058) ends the channel at once."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from macli.contacts.leaving import leave
from macli.store import Store
from macli.web import look
from macli.web.acting import Asked, door
from macli.web.site import Site

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route


def routes(site: Site) -> "list[Route]":
    from starlette.routing import Route

    async def show(asked: Asked) -> "Response":
        acting = asked.acting
        said = {"id": acting.contact_id, "channel": acting.channel, "address": acting.address}
        gone = await site.read(lambda store: store.value(_SAID_NO, said))
        return await page(site, asked, done=bool(gone))

    async def say_no(asked: Asked) -> "Response":
        # Mail programs post List-Unsubscribe=One-Click; what else is posted here can only be the page's button.
        if b"One-Click" in asked.body:
            proof = asked.proof(how="one-click")
        else:
            proof = asked.proof(how="page", wording=asked.words[f"button.{asked.acting.channel}"])
        return await left(site, asked, proof)

    return [
        Route("/u/{token}", door(site, show), methods=["GET"]),
        Route("/u/{token}", door(site, say_no), methods=["POST"]),
    ]


async def left(site: Site, asked: Asked, proof: Mapping[str, Any]) -> "Response":
    """The page that says so, once the recipient's no is written down."""
    acting = asked.acting

    def write(store: Store, now: datetime) -> None:
        leave(
            store,
            now,
            send_id=acting.send_id,
            contact_id=acting.contact_id,
            campaign_id=acting.campaign_id,
            channel=acting.channel,
            evidence=proof,
        )

    if not acting.is_test:
        await site.write(write)
    return await page(site, asked, done=True)


async def page(site: Site, asked: Asked, *, done: bool) -> "Response":
    """The page with the button, or the one that says that it was pressed."""
    return await look.framed(site, "unsubscribe.html", locale=asked.locale, acting=asked.acting, done=done)


_SAID_NO = """
SELECT 1
FROM consents
WHERE contact_id = :id
  AND channel = :channel
  AND topic = ''
  AND status = 'withdrawn'
  AND NOT EXISTS (
    SELECT 1
    FROM consents AS since
    WHERE since.contact_id = consents.contact_id
      AND since.channel = consents.channel
      AND since.status = 'granted'
      AND since.changed_at > consents.changed_at
  )
UNION ALL
SELECT 1
FROM suppressions
WHERE :id IS NULL
  AND channel = :channel
  AND address = :address
  AND reason = 'opted_out'
"""
