"""``macli apply``: make campaigns what their files say."""

from pathlib import Path
from typing import Annotated

import typer

from macli.commands import options
from macli.context import Macli

COLUMNS = ("file", "campaign", "change", "version", "state", "also", "moved")
Paths = Annotated[
    list[Path],
    typer.Argument(metavar="FOLDER…", help="A campaign's folder or file, or a folder of such folders.", exists=True),
]


def command(
    ctx: typer.Context,
    paths: Paths,
    dry_run: options.DryRun = False,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Make campaigns what their files say: all of a folder or nothing of it, and nothing twice.

    New campaigns are drafts. Contacts inside a campaign keep their version, or move, as its on_edit says.

    Example: macli apply campaigns/ --dry-run
    """
    from macli import segments
    from macli.campaign.apply import apply_all, refusals

    macli = Macli.of(ctx)
    done = apply_all(macli.store, macli.now(), paths, zone=macli.zone, put_segment=segments.put, dry_run=dry_run)
    shape = options.shape(format, json)
    if shape is not None:
        macli.out.rows([one.record() for one in done], columns=COLUMNS, shape=shape)
    else:
        macli.out.say("\n".join(line for one in done for line in one.lines(dry_run=dry_run)))
    refused = refusals(done)
    if refused is not None:
        raise refused
