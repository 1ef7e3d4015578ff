"""The application: hits go their own short way, everything else by Starlette's routes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from macli.web import digest
from macli.web.hits import PREFIXES, Hits
from macli.web.site import Site

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

Message = MutableMapping[str, Any]
App = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

ROOMS: tuple[str, ...] = ("push",)
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
            if scope["path"].startswith(PREFIXES):
                await hits.answer(scope, send)
                return
            await site.refresh()
        await pages(scope, receive, send)

    return application


def _pages(site: Site) -> "Starlette":
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

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
    return Starlette(routes=routes, lifespan=lifespan)
