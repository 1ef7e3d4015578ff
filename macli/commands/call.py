"""``macli call``: who talked to whom by telephone, and what came of it."""

from typing import Annotated, Any, TypeAlias

import typer

from macli.commands import options
from macli.commands import people_options as people
from macli.context import Macli

app = typer.Typer(no_args_is_help=True, help="Telephone calls: who talked to whom, and what came of it.")

Number: TypeAlias = Annotated[int, people.number("call")]
Outcome: TypeAlias = Annotated[
    str | None, typer.Option("--outcome", metavar="TEXT", help="What came of it, in a line.")
]
Lasted: TypeAlias = Annotated[
    str | None, typer.Option("--lasted", metavar="DURATION", help="How long it was: '4m 20s', '90 seconds'.")
]
Text: TypeAlias = Annotated[str | None, typer.Option("--text", metavar="TEXT", help="More words; - is standard input.")]


@app.command("log")
def log(
    ctx: typer.Context,
    contact: people.Contact,
    out: Annotated[bool, typer.Option("--out/--in", help="Who called: we, or the contact.")] = True,
    outcome: Outcome = None,
    lasted: Lasted = None,
    text: Text = None,
    by: people.By = None,
    at: options.At = None,
) -> None:
    """Write down a call with a contact. It is an event too: rules and campaigns can ask for it.

    Example: macli call log ann@example.com --outcome 'wants an offer' --lasted '4m 20s' --by anna
    """
    from macli.people import calls

    macli = Macli.of(ctx)
    number = calls.log(
        macli.store,
        macli.now(),
        people.contact_id(macli, contact),
        "cli",
        direction="out" if out else "in",
        at=options.moment(macli, at),
        outcome=outcome or "",
        seconds=people.seconds(lasted),
        text=people.typed(text or ""),
        staff_id=people.by(macli, by),
    )
    macli.out.say(f"logged call {number}")


app.command("add", hidden=True)(log)


@app.command("list")
def list_(
    ctx: typer.Context,
    contact: people.Only = None,
    where: options.Where = None,
    limit: people.Limit = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List calls, the latest first.

    Example: macli call list --where 'direction = in and at within 7 days'
    """
    from macli.store import calls

    macli = Macli.of(ctx)
    rows = calls.listed(macli.store, *people.narrowed(macli, "call", "calls", where, contact), limit=limit)
    macli.out.rows(rows, columns=calls.COLUMNS, shape=options.shape(format, json))


@app.command()
def show(ctx: typer.Context, number: Number, format: options.Format = None, json: options.Json = False) -> None:
    """Show one call whole.

    Example: macli call show 5
    """
    from macli.store import calls

    macli = Macli.of(ctx)
    people.show(macli, calls.get(macli.store, number), options.shape(format, json))


@app.command()
def edit(ctx: typer.Context, number: Number, outcome: Outcome = None, lasted: Lasted = None, text: Text = None) -> None:
    """Mend what is written of a call. What the event log says of it stays.

    Example: macli call edit 5 --outcome 'calls back on Monday'
    """
    from macli.people import calls

    macli = Macli.of(ctx)
    given: dict[str, Any] = {
        "outcome": outcome,
        "seconds": people.seconds(lasted),
        "text": None if text is None else people.typed(text),
    }
    changes = {name: value for name, value in given.items() if value is not None}
    calls.edit(macli.store, macli.now(), number, changes)
    macli.out.say(f"changed call {number}")


@app.command()
def rm(ctx: typer.Context, number: Number) -> None:
    """Delete a call. The event log keeps that there was one.

    Example: macli call rm 5
    """
    from macli.people import calls

    macli = Macli.of(ctx)
    calls.remove(macli.store, macli.now(), number)
    macli.out.say(f"removed call {number}")
