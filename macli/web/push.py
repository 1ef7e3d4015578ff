"""Web push: the key browsers subscribe to, their subscriptions, and the scripts that make them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from macli.clock import to_ms
from macli.errors import MacliError
from macli.model import Device
from macli.providers.webpush import WebPush
from macli.store import Store, channels, devices, ledger, providers, web_rates
from macli.store import visitors as known
from macli.visitors import devices as browsers
from macli.web.bodies import Refused, read
from macli.web.origins import trusted
from macli.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

STATIC = Path(__file__).parent / "static"
_LARGEST = 8 * 1024
_MOST, _HOUR = 60, 3_600_000
"""Subscriptions one address may post in an hour."""


def routes(site: Site) -> "list[Route]":
    from starlette.responses import JSONResponse, PlainTextResponse, Response
    from starlette.routing import Route

    async def key(request: "Request") -> "Response":
        provider = await site.read(lambda store: _provider(store, site))
        if provider is None:
            return PlainTextResponse("Nobody carries push messages here.\n", 404)
        try:
            public = provider.public_key
        except MacliError:  # its words are for who runs macli: `macli provider test` says them
            return PlainTextResponse("Push messages are not set up here.\n", 503)
        return JSONResponse({"key": public}, headers={"Access-Control-Allow-Origin": "*"})

    async def subscribe(request: "Request") -> "Response":
        return await answered(request, _subscribe)

    async def unsubscribe(request: "Request") -> "Response":
        return await answered(request, _unsubscribe)

    async def answered(request: "Request", do: Any) -> "Response":
        origin = trusted(site, request)
        if origin is None:
            return JSONResponse({"error": "this page is none of tracker.domains"}, 403)
        headers = {"Access-Control-Allow-Origin": origin, "Vary": "Origin", "Cache-Control": "no-store"}
        if request.method == "OPTIONS":
            allowed = {"Access-Control-Allow-Headers": "content-type", "Access-Control-Allow-Methods": "POST"}
            return Response(status_code=204, headers={**headers, **allowed})
        try:
            await do(site, request, await _document(request))
        except Refused as refused:
            return JSONResponse({"error": str(refused)}, refused.status, headers=headers)
        return JSONResponse({"ok": True}, headers=headers)

    async def worker(request: "Request") -> "Response":
        home = f"self.macliHome = {json.dumps(site.url(''))};\n"
        return Response(home + _script("sw.js"), media_type="text/javascript", headers={"Cache-Control": "no-cache"})

    async def client(request: "Request") -> "Response":
        headers = {"Cache-Control": "public, max-age=3600"}
        return Response(_script("push.js"), media_type="text/javascript", headers=headers)

    return [
        Route("/push/key", key),
        Route("/push/subscribe", subscribe, methods=["POST", "OPTIONS"]),
        Route("/push/unsubscribe", unsubscribe, methods=["POST", "OPTIONS"]),
        Route("/sw.js", worker),
        Route("/push.js", client),
    ]


async def _subscribe(site: Site, request: "Request", document: dict[str, Any]) -> None:
    provider = await site.read(lambda store: _provider(store, site))
    if provider is None:
        raise Refused(404, "nobody carries push messages here")
    try:
        device = browsers.read(document.get("subscription"), private=provider.settings.allow_private)
    except MacliError as error:
        raise Refused(400, error.message) from None
    caller, agent = site.caller(request), request.headers.get("user-agent", "")[:400]
    old, token, message = (_text(document, name) for name in ("replaces", "v", "m"))
    if not old and not known.is_token(token):
        raise Refused(400, "v is no visitor's token")
    send_id = site.keys.follow(message) if message else None

    def keep(store: Store, now: Any) -> None:
        if web_rates.count(store, to_ms(now), "push", caller, _HOUR) > _MOST:
            raise Refused(429, "too many subscriptions from this address; try again in an hour")
        if old:
            _renew(store, to_ms(now), old, device)
            return
        browsers.subscribe(
            store,
            now,
            device,
            visitor_token=token,
            contact_id=None if send_id is None else ledger.contact_of(store, send_id),
            agent=agent or None,
            evidence={"ip": caller, "agent": agent, "page": request.headers.get("origin", "")},
        )

    await site.write(keep)


def _renew(store: Store, now_ms: int, old: str, device: Device) -> None:
    if not devices.renew(store, now_ms, old, device):
        raise Refused(404, "the subscription it replaces is not known here")


async def _unsubscribe(site: Site, request: "Request", document: dict[str, Any]) -> None:
    endpoint, caller = _text(document, "endpoint"), site.caller(request)
    if not endpoint:
        raise Refused(400, "endpoint is missing")
    evidence = {"ip": caller, "page": request.headers.get("origin", "")}
    await site.write(lambda store, now: browsers.unsubscribe(store, now, endpoint, evidence=evidence))


def _provider(store: Store, site: Site) -> WebPush | None:
    """Who carries the channel push, where browsers can subscribe to it."""
    row = channels.get(store, "push")
    if row["carried_by"] != WebPush.kind:
        return None
    provider = providers.load(store, row["provider"], workspace=site.workspace)
    return provider if isinstance(provider, WebPush) else None


async def _document(request: "Request") -> dict[str, Any]:
    body = await read(request, _LARGEST)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "no JSON") from None
    if not isinstance(document, dict):
        raise Refused(400, "no JSON object")
    return document


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > browsers.LONGEST or not value.isascii() or not value.isprintable():
        raise Refused(400, f"{name} is no text")
    return value


def _script(name: str) -> str:
    return (STATIC / name).read_text("utf-8")
