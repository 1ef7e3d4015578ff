"""``macli inbox``: the letters people wrote to the mailboxes that are read."""

from typing import Annotated, TypeAlias

import typer

from macli.commands import options
from macli.commands import people_options as people
from macli.context import Macli

app = typer.Typer(no_args_is_help=True, help="Letters people wrote to the mailboxes that macli mail reads.")

Number: TypeAlias = Annotated[int, typer.Argument(metavar="ID", min=1, help="The letter's number in macli inbox list.")]


@app.command("list")
def list_(
    ctx: typer.Context,
    contact: people.Only = None,
    where: options.Where = None,
    limit: people.Limit = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List letters, the latest first: who wrote, and which campaign it answers.

    They come by macli mail: mailboxes that are read, a pipe, files.

    Example: macli inbox list --where 'subject contains invoice or body contains invoice'
    """
    from macli.store import mails

    macli = Macli.of(ctx)
    rows = mails.listed(macli.store, *people.narrowed(macli, "mail", "mails", where, contact), limit=limit)
    macli.out.rows(rows, columns=mails.COLUMNS, shape=options.shape(format, json))


@app.command()
def show(ctx: typer.Context, number: Number, format: options.Format = None, json: options.Json = False) -> None:
    """Show one letter whole, without what was attached.

    Example: macli inbox show 9
    """
    from macli.store import mails

    macli = Macli.of(ctx)
    people.show(macli, mails.get(macli.store, number), options.shape(format, json))


@app.command()
def rm(ctx: typer.Context, number: Number) -> None:
    """Delete a letter here; in the mailbox it stays.

    Example: macli inbox rm 9
    """
    from macli.people import mails

    macli = Macli.of(ctx)
    mails.remove(macli.store, macli.now(), number)
    macli.out.say(f"removed letter {number}")
