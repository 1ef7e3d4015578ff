"""Unsubscribing: ``/u/TOKEN`` shows a page and changes nothing; a POST to it (RFC 8058) ends the channel at once."""

from datetime import datetime
from typing import TYPE_CHECKING

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
        gone = await site.read(
            lambda store: store.value(_SAID_NO, {"id": acting.contact_id, "channel": acting.channel})
        )
        return await _page(site, asked, done=bool(gone))

    async def say_no(asked: Asked) -> "Response":
        acting = asked.acting
        # Mail programs post List-Unsubscribe=One-Click; what else is posted here can only be the page's button.
        how = "one-click" if b"One-Click" in asked.body else "page"
        proof = asked.proof(how=how)
        if how == "page":
            proof["wording"] = asked.words[f"button.{acting.channel}"]

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
        return await _page(site, asked, done=True)

    return [
        Route("/u/{token}", door(site, show), methods=["GET"]),
        Route("/u/{token}", door(site, say_no), methods=["POST"]),
    ]


async def _page(site: Site, asked: Asked, *, done: bool) -> "Response":
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
"""
