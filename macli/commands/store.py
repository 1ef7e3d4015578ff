"""``macli store``: the file everything is in."""

from pathlib import Path
from typing import Annotated

import typer

from macli.commands import options
from macli.context import Macli
from macli.store import identity, upkeep

app = typer.Typer(no_args_is_help=True, help="The store: check it, back it up, move it.")


@app.command("info")
def info(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """Say where the store is, how big, and what is in it.

    Example: macli store info
    """
    macli = Macli.of(ctx)
    macli.out.record(upkeep.describe(macli.store), shape=options.shape(format, json))


@app.command("check")
def check(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """Look for damage: the file's structure, and references that lead nowhere.

    Example: macli store check
    """
    macli = Macli.of(ctx)
    shape = options.shape(format, json)
    upkeep.check(macli.store)
    if shape is None:
        macli.out.say("the store is whole")
    else:
        macli.out.record({"ok": True}, shape=shape)


@app.command("backup")
def backup(
    ctx: typer.Context, file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy to write.")]
) -> None:
    """Copy the store to a file, while it is in use.

    Example: macli store backup /backup/macli.db
    """
    macli = Macli.of(ctx)
    upkeep.backup(macli.store, file)
    macli.out.say(f"copied the store to {file}")


@app.command("vacuum")
def vacuum(ctx: typer.Context) -> None:
    """Give unused space back to the disk and refresh what queries are planned by.

    Example: macli store vacuum
    """
    macli = Macli.of(ctx)
    freed = upkeep.vacuum(macli.store)
    macli.out.say(f"gave back {upkeep.size_words(freed)}")


@app.command("adopt")
def adopt(ctx: typer.Context, yes: options.Yes = False) -> None:
    """Make this machine the store's home after it was moved, copied or restored from a backup.

    Example: macli store adopt
    """
    macli = Macli.of(ctx)
    doubt = identity.doubt(macli.store)
    if doubt is None:
        macli.out.say("the store is at home here already")
        return
    macli.out.confirm(f"{doubt}. Will no other copy of it send?", yes=yes)
    paused = identity.adopt(macli.store, macli.now())
    macli.out.say("the store is at home here now")
    for name in paused:
        macli.out.say(f"paused {name!r}: see what it sent elsewhere, then macli campaign resume {name!r}")
