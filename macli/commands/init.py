"""``macli init``: a workspace from which nothing leaves the machine until a provider is set."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from macli.context import Macli
from macli.store import open_store, starter
from macli.workspace import create


def command(
    ctx: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The workspace to make.")] = Path("."),
) -> None:
    """Make a workspace: macli.toml, the store, campaigns/, and an outbox that keeps mail on this machine.

    Example: macli init shop
    """
    macli = Macli.of(ctx)
    workspace = create(directory)
    with open_store(workspace.store, create=True) as store:
        starter.furnish(store, macli.now())
    macli.out.say(f"made the workspace {directory}: e-mail and text messages go to {directory / 'out'}")
    macli.out.say("next:")
    if workspace.path != Path.cwd():
        macli.out.say(f"  cd {shlex.quote(str(directory))}")
    macli.out.say("  macli contact import people.csv")
    macli.out.say("  macli settings set sender.email news@example.com")
