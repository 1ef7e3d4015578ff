"""``macli note``: what people here write down about contacts."""

from typing import Annotated, Any, TypeAlias

import typer

from macli.commands import options
from macli.commands import people_options as people
from macli.context import Macli

app = typer.Typer(no_args_is_help=True, help="Notes: what people here write down about contacts.")

Number: TypeAlias = Annotated[int, people.number("note")]
Text: TypeAlias = Annotated[str, typer.Argument(metavar="TEXT", help="What to write; - is standard input.")]


@app.command()
def add(
    ctx: typer.Context,
    contact: people.Contact,
    text: Text,
    private: Annotated[bool, typer.Option("--private", help="Only for its author, and who may do everything.")] = False,
    by: people.By = None,
) -> None:
    """Write a note about a contact. It is an event too: rules and campaigns can ask for it.

    Example: macli note add ann@example.com 'Wants an offer for 20 seats.' --by anna
    """
    from macli.people import noting

    macli = Macli.of(ctx)
    number = noting.add(
        macli.store,
        macli.now(),
        people.contact_id(macli, contact),
        people.typed(text),
        "cli",
        private=private,
        author_id=people.by(macli, by),
    )
    macli.out.say(f"wrote note {number}")


@app.command("list")
def list_(
    ctx: typer.Context,
    contact: people.Only = None,
    where: options.Where = None,
    limit: people.Limit = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List notes, the latest first; of private ones your own.

    Example: macli note list --contact ann@example.com --where 'text contains offer'
    """
    from macli.store import notes

    macli = Macli.of(ctx)
    wheres = people.narrowed(macli, "note", "notes", where, contact)
    rows = notes.listed(macli.store, *wheres, notes.readable_by(macli.acting), limit=limit)
    macli.out.rows(map(_told, rows), columns=notes.COLUMNS, shape=options.shape(format, json))


@app.command()
def show(ctx: typer.Context, number: Number, format: options.Format = None, json: options.Json = False) -> None:
    """Show one note whole.

    Example: macli note show 7
    """
    from macli.store import notes

    macli = Macli.of(ctx)
    found = notes.get(macli.store, number, notes.readable_by(macli.acting))
    people.show(macli, found, options.shape(format, json), ("private",))


@app.command()
def edit(ctx: typer.Context, number: Number, text: Text) -> None:
    """Write a note anew. What the event log says was written stays.

    Example: macli note edit 7 'Wants an offer for 25 seats.'
    """
    from macli.people import noting
    from macli.store import notes

    macli = Macli.of(ctx)
    noting.edit(macli.store, macli.now(), number, people.typed(text), notes.readable_by(macli.acting))
    macli.out.say(f"changed note {number}")


@app.command()
def rm(ctx: typer.Context, number: Number) -> None:
    """Throw a note away. The event log keeps that it was written, without its words.

    Example: macli note rm 7
    """
    from macli.people import noting
    from macli.store import notes

    macli = Macli.of(ctx)
    noting.remove(macli.store, macli.now(), number, notes.readable_by(macli.acting))
    macli.out.say(f"removed note {number}")


def _told(row: Any) -> dict[str, Any]:
    return {**{name: row[name] for name in row.keys()}, "private": bool(row["private"])}  # noqa: SIM118
