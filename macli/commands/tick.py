"""``macli tick``: everything that is due, once; the line for cron."""

from datetime import datetime
from typing import Annotated

import typer

from macli.commands import options
from macli.context import Macli
from macli.errors import UsageError

Workers = Annotated[
    int, typer.Option("--workers", min=1, max=64, help="Processes that send; two are worth it on two cores.")
]
MaxSeconds = Annotated[
    float | None, typer.Option("--max-seconds", min=0.0, help="Stop after so long; the next tick goes on.")
]


def command(
    ctx: typer.Context,
    at: options.At = None,
    dry_run: options.DryRun = False,
    max_seconds: MaxSeconds = None,
    workers: Workers = 1,
    json: options.Json = False,
) -> None:
    """Do everything that is due, once.

    What happened comes in, contacts come into campaigns and move on, and messages leave. A second
    tick beside a running one says so and does nothing. For cron:

    * * * * * macli --workspace /srv/shop tick --quiet

    Example: macli tick --max-seconds 50
    """
    from macli.tick.stop import listening
    from macli.tick.tick import run_tick

    macli = Macli.of(ctx).as_operator()
    with listening() as stop:
        report = run_tick(
            macli.engine(moment(macli, at)),
            max_seconds=max_seconds,
            workers_wanted=workers,
            chosen_time=at is not None,
            dry=dry_run,
            stopping=stop,
        )
    if json:
        macli.out.record(report.as_record(), shape="json")
    else:
        # With --quiet cron mails what is printed, which is what a person has to know of.
        tell = macli.out.warn if macli.out.quiet and report.is_troubled else macli.out.say
        tell(report.line())
    if report.unreachable:
        raise typer.Exit(4)
    if report.paused or report.faults or report.failed:
        raise typer.Exit(1)


def moment(macli: Macli, at: str | None) -> datetime | None:
    """The time a person named, None where none was. Raises UsageError for what is no time."""
    from macli.clock import parse_when

    if at is None:
        return None
    if not at.strip():
        raise UsageError("--at needs a time", hint="for example --at '2026-12-01 09:00'")
    return parse_when(at, now=macli.now(), default=macli.zone)
