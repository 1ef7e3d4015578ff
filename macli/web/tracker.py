"""The tracker: what browsers and a company's own servers tell of visitors, and the script that tells it."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from macli.clock import to_ms
from macli.errors import MacliError, UsageError
from macli.forms import popups
from macli.store import Store, web_rates
from macli.visitors import keys, reading
from macli.visitors.recording import Recorded, Teller, record
from macli.web.bodies import Refused, read
from macli.web.origins import trusted
from macli.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

_SCRIPT = Path(__file__).parent / "static" / "m.js"
_POPUPS = "const popups = [];"
_FRESH_MS = 10_000
_MOST_NAMED, _HOUR = 30, 3_600_000
"""Contacts that browsers of one address can say they are in an hour, since anybody can invent them."""
_MOST_TOLD, _LEAST = 32 * 1024 * 1024, 1024
"""Octets that browsers of one address can tell in an hour; of a shorter message so many are counted."""
_NOT_OURS = "this page is none of tracker.domains, and no key was shown"


def routes(site: Site) -> "list[Route]":
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    async def track(request: "Request") -> "Response":
        origin = trusted(site, request)
        headers = {"Vary": "Origin", "Cache-Control": "no-store"}
        if origin is not None:
            headers["Access-Control-Allow-Origin"] = origin
        if request.method == "OPTIONS":
            allowed = {"Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "content-type"}
            return Response(status_code=403 if origin is None else 204, headers={**headers, **allowed})
        try:
            said = await _take(site, request, origin)
        except Refused as refused:
            return JSONResponse({"error": str(refused)}, refused.status, headers=headers)
        return JSONResponse(said, headers=headers) if said else Response(status_code=204, headers=headers)

    script_of = _Script(site)

    async def script(request: "Request") -> "Response":
        text = await script_of.text()
        headers = {"Cache-Control": "public, max-age=600", "Cross-Origin-Resource-Policy": "cross-origin"}
        return Response(text, media_type="text/javascript", headers=headers)

    return [Route("/t", track, methods=["POST", "OPTIONS"]), Route("/m.js", script)]


class _Script:
    """The script with the forms that pop up, put together anew every few seconds."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._text = ""
        self._until_ms = 0

    async def text(self) -> str:
        if self._site.now_ms() >= self._until_ms:
            shown = json.dumps(await self._site.read(popups.active))
            self._text = _SCRIPT.read_text("utf-8").replace(_POPUPS, f"const popups = {shown};")
            self._until_ms = self._site.now_ms() + _FRESH_MS
        return self._text


async def _take(site: Site, request: "Request", origin: str | None) -> dict[str, Any]:
    """What to answer a message; nothing where the teller need know no more. Raises Refused."""
    try:
        key = keys.read(site.workspace)
        is_server = keys.shown(key, request.headers.get("authorization", ""))
    except UsageError as error:
        raise Refused(401, error.message) from None
    except MacliError:  # its words are for who runs macli
        raise Refused(503, "the tracker's key does not read") from None
    if not is_server and origin is None:
        raise Refused(403, _NOT_OURS)
    body = await read(request, reading.MOST_OCTETS)
    try:
        told = reading.read(body, site.now(), trusted=is_server)
        if not (told.events or told.identity or told.follow):
            return _said(Recorded(refused=told.refused), is_server)
        caller = site.caller(request)

        def keep(store: Store, now: datetime) -> Recorded:
            def admit() -> bool:
                return web_rates.count(store, to_ms(now), "identify", caller, _HOUR) <= _MOST_NAMED

            octets = max(len(body), _LEAST)
            if not is_server and web_rates.count(store, to_ms(now), "tracker", caller, _HOUR, more=octets) > _MOST_TOLD:
                raise Refused(429, "too much from this address; try again in an hour")
            teller = Teller(
                trusted=is_server,
                key=key,
                keys=site.keys,
                region=site.setting("country"),
                zone=site.zone,
                admit=admit,
            )
            send_id = None if told.follow is None else site.keys.follow(told.follow)
            return record(store, now, told, teller, send_id=send_id)

        return _said(await site.write(keep), is_server)
    except UsageError as error:
        raise Refused(400, error.message) from None


def _said(done: Recorded, is_server: bool) -> dict[str, Any]:
    """A browser learns its new token, where it has one, and nothing about who is known here."""
    moved = {} if done.visitor is None else {"v": done.visitor}
    if not is_server:
        return moved
    refused = [{"what": what, "why": why} for what, why in done.refused]
    return {"recorded": done.recorded, "refused": refused, **moved}
