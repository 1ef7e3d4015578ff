"""``macli diff``: what apply would change."""

from pathlib import Path
from typing import Annotated

import typer

from macli.commands import options
from macli.context import Macli

Paths = Annotated[
    list[Path],
    typer.Argument(metavar="FOLDER…", help="A campaign's folder or file, or a folder of such folders.", exists=True),
]


def command(ctx: typer.Context, paths: Paths, json: options.Json = False) -> None:
    """Show what apply would change, line by line; exit code 1 where there is anything.

    Example: macli diff campaigns/
    """
    from macli.campaign.export import diff

    macli = Macli.of(ctx)
    found = list(diff(macli.store, paths))
    if json:
        macli.out.rows(
            [{"file": one.file, "campaign": one.campaign, "diff": "\n".join(one.lines)} for one in found],
            shape="json",
        )
    else:
        for one in found:
            if one.lines:
                macli.out.text("\n".join([f"# {one.file}", *one.lines]))
    if any(one.lines for one in found):
        raise typer.Exit(1)
    macli.out.say("the store says what the files say", shape=options.shape(None, json))
