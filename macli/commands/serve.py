"""``macli serve``: links, pixels, unsubscribing, forms, pages, the tracker and providers' reports."""

from typing import TYPE_CHECKING, Annotated

import typer

from macli.commands import options
from macli.context import Macli
from macli.errors import UsageError

if TYPE_CHECKING:
    from macli.web.server import Place

Host = Annotated[str, typer.Option("--host", help="The address to listen at; a proxy in front adds TLS.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="The port to listen at; 0 takes a free one.")]


def command(
    ctx: typer.Context,
    host: Host = "127.0.0.1",
    port: Port = 8025,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes that answer.")] = 1,
    json: options.Json = False,
) -> None:
    """Answer the world: opens, clicks, unsubscribing, forms, pages, the tracker, providers' reports.

    Ctrl-C or SIGTERM answers what has come in and ends. Put a proxy with TLS before it and set public_url to the
    address the world knows.

    Example: macli serve --port 8025 --workers 2
    """
    from macli.web.server import serve

    macli = Macli.of(ctx).as_operator()
    place = place_of(macli, host, port, workers)
    announce(macli, place, json=json)
    macli.close()
    serve(place)
    macli.out.say("stopped; everything answered is stored", shape=options.shape(None, json))


def announce(macli: Macli, place: "Place", *, json: bool) -> None:
    """Say where a place is served, before it is: to a program as one line of JSON."""
    public_url = macli.setting("public_url")
    if json:
        served = {"serving": str(place.workspace), "url": place.url, "public_url": public_url}
        macli.out.record(served, shape="ndjson")
        return
    known_as = f", {public_url} to the world" if public_url else ""
    macli.out.say(f"serving {place.workspace} at {place.url}{known_as}; Ctrl-C ends it")
    if not public_url:
        macli.out.say("no mail leads here yet: macli settings set public_url https://news.example.com")


def place_of(macli: Macli, host: str, port: int, workers: int = 1) -> "Place":
    """The workspace of a run at an address. Raises OperationFailed where that is taken."""
    from macli.web.server import Place, free_port

    if not host.strip():
        raise UsageError("--host is empty", hint="--host 0.0.0.0 listens at every address of this machine")
    return Place(
        workspace=macli.workspace.path,
        store=macli.workspace.store,
        zone=macli.zone,
        host=host,
        port=free_port(host, port),
        workers=workers,
    )
