"""``macli run``: a tick at every interval, until stopped."""

import time
from typing import Annotated

import typer

from macli.commands import options
from macli.commands.tick import MaxSeconds, Workers
from macli.context import Macli


def command(
    ctx: typer.Context,
    every: Annotated[
        str, typer.Option("--every", metavar="DURATION", help="The time from one tick's start to the next.")
    ] = "1 minute",
    max_seconds: MaxSeconds = None,
    workers: Workers = 1,
    json: options.Json = False,
) -> None:
    """Do what is due at every interval, until stopped.

    Ctrl-C or SIGTERM finishes the messages on the wire and ends; a second Ctrl-C ends at once.

    Example: macli run --every 30s
    """
    from macli.clock import parse_duration
    from macli.tick.stop import listening
    from macli.tick.tick import run_tick

    macli = Macli.of(ctx)
    interval = parse_duration(every).total_seconds()
    with listening() as stop:
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
    macli.out.say("stopped; nothing is on the wire")
