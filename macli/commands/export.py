"""``macli export``: write campaigns as files."""

from pathlib import Path
from typing import Annotated

import typer

from macli.commands import options
from macli.context import Macli

app = typer.Typer(no_args_is_help=True, help="Write campaigns as files.")


@app.callback()
def exports() -> None:
    """Write campaigns as files."""


@app.command("campaign")
def campaign(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="The campaign.", autocompletion=options.names_of("campaigns")),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where to; campaigns/NAME in the workspace otherwise."),
    ] = None,
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Write a campaign's folder: campaign.yaml, its templates, their files. apply reads it back.

    Example: macli export campaign welcome -o campaigns/welcome
    """
    from macli.campaign.export import export, write

    macli = Macli.of(ctx)
    target = output or macli.workspace.path / "campaigns" / name
    written = write(export(macli.store, name), target, overwrite=yes)
    if json:
        macli.out.rows([{"file": str(file)} for file in written], shape="json")
    else:
        macli.out.say("\n".join(f"wrote {file}" for file in written))
