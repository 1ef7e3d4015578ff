"""Banners: ``/b/SLUG`` keeps a click and leads to the banner's own address; ``/b/SLUG/image`` is its picture."""

from datetime import datetime
from html import escape
from typing import TYPE_CHECKING

from macli import events
from macli.clock import to_ms
from macli.model import NewEvent
from macli.store import Row, Store, banners
from macli.web import look
from macli.web.files import Files
from macli.web.hits import location
from macli.web.known import came, counts
from macli.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route


def routes(site: Site) -> "list[Route]":
    from starlette.responses import Response
    from starlette.routing import Route

    files = Files(site)

    async def follow(request: "Request") -> "Response":
        banner = await _banner(site, request)
        if banner is None:
            return _unknown()
        if request.method != "HEAD":
            known, caller = await came(site, request), site.caller(request)

            def keep(store: Store, now: datetime) -> None:
                if not counts(store, now, f"banner:{banner['slug']}", caller):
                    return
                clicked = NewEvent(
                    contact_id=known.contact_id,
                    name="banner.clicked",
                    at=to_ms(now),
                    source="banner",
                    properties={"banner": banner["name"], "slug": banner["slug"], "url": banner["url"]},
                    send_id=known.send_id,
                    campaign_id=banner["campaign_id"] or known.campaign_id,
                    visitor_id=known.visitor_id,
                )
                events.record(store, now, [clicked])

            await site.write(keep)
        headers = {
            "Location": location(banner["url"]).decode("ascii"),
            "Cache-Control": "no-store, private",
            "Referrer-Policy": "no-referrer",
        }
        return Response(status_code=302, headers=headers)

    async def image(request: "Request") -> "Response":
        banner = await _banner(site, request)
        if banner is None or banner["asset_id"] is None:
            return _unknown()
        headers = {
            "Cache-Control": "public, max-age=300",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        return await files.answer(banner["asset_id"], headers)

    return [Route("/b/{slug}", follow, methods=["GET"]), Route("/b/{slug}/image", image, methods=["GET"])]


def html_of(banner: Row, base: str, query: str = "") -> str:
    """The banner as a link in a page or a mail; ``base`` is the site's address, ``query`` goes behind the link's."""
    link = f"{base}/b/{banner['slug']}{query}"
    words = escape(banner["text"])
    if banner["asset_id"] is not None:
        picture = f"{base}/b/{banner['slug']}/image"
        words = f'<img src="{escape(picture)}" alt="{words}" style="max-width: 100%; height: auto; border: 0">'
    return f'<a href="{escape(link)}" data-macli-banner="{banner["slug"]}">{words}</a>'


async def _banner(site: Site, request: "Request") -> Row | None:
    slug = request.path_params["slug"]
    return await site.read(lambda store: banners.by_slug(store, slug))


def _unknown() -> "Response":
    return look.shown("form_note.html", status=404, title="Not here", lines=["This leads nowhere any more."])
