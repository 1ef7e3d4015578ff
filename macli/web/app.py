"""The application: hits go their own short way, everything else by Starlette's routes."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from macli.web import digest
from macli.web.hits import PREFIXES, Hits, respond
from macli.web.site import Site

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

Message = MutableMapping[str, Any]
App = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

UNAVAILABLE = (sqlite3.Error, OSError)
"""A full disk, a store that is locked or away: not the request's fault, and over when it is mended."""

_LATER = b"This cannot be stored just now. Please try again in a minute.\n"
_LATER_HEADERS = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"content-length", str(len(_LATER)).encode("ascii")),
    (b"retry-after", b"60"),
]

ROOMS: tuple[str, ...] = (
    "push",
    "tracker",
    "forms",
    "landing",
    "downloads",
    "banners",
    "hooks",
    "unsubscribe",
    "preferences",
    "confirm",
)
"""Modules of this folder with pages: each has ``routes(site)``."""


def create(site: Site) -> App:
    """The ASGI application of a site."""
    hits = Hits(site)
    pages = _pages(site)

    async def application(
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if scope["type"] == "http":
            try:
                if site.is_stale():
                    await site.refresh()
                if scope["path"].startswith(PREFIXES):
                    await hits.answer(scope, send)
                    return
            except UNAVAILABLE as error:
                # A hit is answered only behind its commit, so nothing has been answered yet.
                warn(error)
                await respond(send, 503, _LATER_HEADERS, _LATER)
                return
        await pages(scope, receive, send)

    return application


def _pages(site: Site) -> "Starlette":
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse, RedirectResponse
    from starlette.routing import Match, Route

    async def unavailable(request: "Request", error: Exception) -> "Response":
        warn(error)
        headers = {name.decode("ascii"): value.decode("ascii") for name, value in _LATER_HEADERS}
        return PlainTextResponse(_LATER, 503, headers)

    async def nothing(request: "Request", error: Exception) -> "Response":
        """No such page; with a slash too many, where it may be, which no header of the request has a say in."""
        asked, query = request.scope["path"], request.scope["query_string"].decode("latin-1")
        path = asked.rstrip("/")
        shorter = {**request.scope, "path": path}
        if path != asked and any(route.matches(shorter)[0] is not Match.NONE for route in routes):
            return RedirectResponse(f"{quote(path)}{'?' if query else ''}{query}", 307)
        return PlainTextResponse("Not Found", 404)

    async def health(request: "Request") -> "Response":
        await site.read(lambda store: store.value("SELECT 1"))
        return PlainTextResponse("ok\n")

    @asynccontextmanager
    async def lifespan(app: "Starlette") -> AsyncIterator[None]:
        await site.start()
        digesting = asyncio.create_task(digest.keep_digesting(site))
        try:
            yield
        finally:
            digesting.cancel()
            await asyncio.gather(digesting, return_exceptions=True)
            await site.close()

    routes = [Route("/health", health)]
    for room in ROOMS:
        routes += import_module(f"macli.web.{room}").routes(site)
    handlers: dict[Any, Any] = {**dict.fromkeys(UNAVAILABLE, unavailable), 404: nothing}
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    app.router.redirect_slashes = False  # it would lead to whatever host the request names
    return app


def warn(error: BaseException) -> None:
    """Tell whoever runs the server; the one who asked is told nothing of our inside."""
    logging.getLogger("uvicorn.error").warning("the store cannot be used: %s: %s", type(error).__name__, error)
