"""``macli serve``: links, pixels, unsubscribing, forms, pages, the tracker and providers' reports."""

from typing import TYPE_CHECKING, Annotated

import typer

from macli.context import Macli

if TYPE_CHECKING:
    from macli.web.server import Place

Host = Annotated[str, typer.Option("--host", help="The address to listen at; a proxy in front adds TLS.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="The port to listen at; 0 takes a free one.")]


def command(
    ctx: typer.Context,
    host: Host = "127.0.0.1",
    port: Port = 8025,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes that answer.")] = 1,
) -> None:
    """Answer the world: opens, clicks, unsubscribing, forms, pages, the tracker, providers' reports.

    Ctrl-C or SIGTERM answers what has come in and ends. Put a proxy with TLS before it and set public_url to the
    address the world knows.

    Example: macli serve --port 8025 --workers 2
    """
    from macli.web.server import serve

    macli = Macli.of(ctx)
    place = place_of(macli, host, port, workers)
    known_as = f", {macli.setting('public_url')} to the world" if macli.setting("public_url") else ""
    macli.close()
    macli.out.say(f"serving {place.workspace} at http://{place.host}:{place.port}{known_as}; Ctrl-C ends it")
    serve(place)
    macli.out.say("stopped; everything answered is stored")


def place_of(macli: Macli, host: str, port: int, workers: int = 1) -> "Place":
    """The workspace of a run at an address. Raises OperationFailed where that is taken."""
    from macli.web.server import Place, free_port

    return Place(
        workspace=macli.workspace.path,
        store=macli.workspace.store,
        zone=macli.zone,
        host=host,
        port=free_port(host, port),
        workers=workers,
    )
