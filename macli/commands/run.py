"""``macli run``: a tick at every interval, until stopped."""

import time
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

import typer

from macli.commands import options
from macli.commands.serve import Host, Port, announce, place_of
from macli.commands.tick import MaxSeconds, Workers
from macli.context import Macli
from macli.errors import UsageError


def command(
    ctx: typer.Context,
    every: Annotated[
        str, typer.Option("--every", metavar="DURATION", help="The time from one tick's start to the next.")
    ] = "1 minute",
    max_seconds: MaxSeconds = None,
    workers: Workers = 1,
    serve: Annotated[bool, typer.Option("--serve", help="Also answer the world, as macli serve does.")] = False,
    host: Host = "127.0.0.1",
    port: Port = 8025,
    json: options.Json = False,
) -> None:
    """Do what is due at every interval, until stopped.

    Ctrl-C or SIGTERM finishes the messages on the wire and ends; a second Ctrl-C ends at once. With --serve one
    process does both jobs, which is enough for small lists; for large ones run macli serve beside it.

    Example: macli run --every 30s --serve
    """
    from macli.clock import parse_duration
    from macli.tick.stop import listening
    from macli.tick.tick import run_tick

    macli = Macli.of(ctx).as_operator()
    interval = parse_duration(every).total_seconds()
    if not interval:
        raise UsageError(f"--every {every!r} is no time at all", hint="--every '1 minute'")
    serving: AbstractContextManager[None] = nullcontext()
    if serve:
        from macli.web.server import in_background

        place = place_of(macli, host, port)
        serving = in_background(place, macli.clock)
    with serving, listening() as stop:
        if serve:
            announce(macli, place, json=json)
        while not stop():
            started = time.monotonic()
            report = run_tick(
                macli.engine(macli.clock()),
                max_seconds=max_seconds,
                workers_wanted=workers,
                stopping=stop,
            )
            if json:
                macli.out.record(report.as_record(), shape="ndjson")
            else:
                macli.out.say(f"{report.at} {report.line()}")
            while not stop() and (rest := started + interval - time.monotonic()) > 0:
                time.sleep(min(rest, 0.2))
    macli.out.say("stopped; nothing is on the wire", shape=options.shape(None, json))
