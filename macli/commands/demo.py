"""``macli demo``: what macli does, shown on an invented shop in a temporary workspace."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from macli.context import Macli
from macli.errors import UsageError


def command(
    ctx: typer.Context,
    contacts: Annotated[int, typer.Option("--contacts", min=100, max=100_000, help="How many customers.")] = 3000,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Make it here, not in a temporary directory.")
    ] = None,
) -> None:
    """Show what macli does: an invented shop, its customers, its campaigns and a week of its days.

    Everything runs in a directory of its own, which is kept to look around in; nothing leaves the machine.

    Example: macli demo --keep /tmp/demo
    """
    import tempfile

    from macli.demo.stage import Stage
    from macli.demo.story import Story

    macli = Macli.of(ctx)
    if keep is not None and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise UsageError(f"{keep} is there already", hint="name a directory that is empty or not there yet")
    home = keep or Path(tempfile.mkdtemp(prefix="macli-demo-"))
    home.mkdir(parents=True, exist_ok=True)
    assert macli.run_line is not None
    stage = Stage(macli.run_line, now=_a_week_ago(macli.now()), color=not macli.no_color)
    Story(stage, home.resolve(), contacts).tell()


def _a_week_ago(now: datetime) -> datetime:
    """Ten o'clock a week ago: the story's last day is over when the reader goes on in the workspace."""
    return (now - timedelta(days=7)).replace(hour=10, minute=0, second=0, microsecond=0)
