"""Downloads: ``/d/SLUG`` sends a file and keeps who fetched it."""

from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from macli import events
from macli.clock import to_ms
from macli.model import NewEvent
from macli.store import Store, downloads
from macli.web import look
from macli.web.files import Files
from macli.web.known import came, counts
from macli.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route


def routes(site: Site) -> "list[Route]":
    from starlette.routing import Route

    files = Files(site)

    async def fetch(request: "Request") -> "Response":
        slug = request.path_params["slug"]
        found = await site.read(lambda store: downloads.served(store, slug))
        if found is None:
            lines = ["There is no such file, or not any more."]
            return look.shown("form_note.html", status=404, title="Not here", lines=lines)
        known, caller = await came(site, request), site.caller(request)

        def keep(store: Store, now: datetime) -> None:
            if not counts(store, now, f"download:{slug}", caller):
                return
            fetched = NewEvent(
                contact_id=known.contact_id,
                name="asset.downloaded",
                at=to_ms(now),
                source="download",
                properties={"asset": slug, "file": found["name"]},
                send_id=known.send_id,
                campaign_id=known.campaign_id,
                visitor_id=known.visitor_id,
            )
            events.record(store, now, [fetched])

        await site.write(keep)
        # Never shown in the browser, where an HTML or SVG file would act as a page of ours.
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found['name'], safe='')}",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, no-store",
            "Referrer-Policy": "no-referrer",
        }
        return await files.answer(found["asset_id"], headers)

    return [Route("/d/{slug}", fetch, methods=["GET"])]
