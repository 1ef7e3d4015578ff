"""``macli deal``: what may be sold to whom, how far it is, and what became of it."""

from typing import Annotated, Any, TypeAlias

import typer

from macli.commands import options
from macli.commands import people_options as people
from macli.context import Macli
from macli.output import Share

app = typer.Typer(no_args_is_help=True, help="Deals: what may be sold to whom, how far it is, what became of it.")

Number: TypeAlias = Annotated[int, people.number("deal")]
Value: TypeAlias = Annotated[
    str | None, typer.Option("--value", metavar="AMOUNT", help="What it is worth: 1200 or 99.50.")
]
Currency: TypeAlias = Annotated[str | None, typer.Option("--currency", metavar="CODE", help="In which money: EUR.")]
Funnel: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--funnel", metavar="FUNNEL", help="The funnel it goes through.", autocompletion=options.names_of("funnels")
    ),
]
Owner: TypeAlias = Annotated[
    str | None,
    typer.Option("--owner", metavar="STAFF", help="Whose deal it is.", autocompletion=options.names_of("staff")),
]


@app.command()
def add(
    ctx: typer.Context,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What is to be sold, in a line.")],
    contact: people.About = None,
    value: Value = None,
    currency: Currency = None,
    funnel: Funnel = None,
    stage: Annotated[
        str | None, typer.Option("--stage", metavar="STAGE", help="Where it stands; the funnel's first stage.")
    ] = None,
    owner: Owner = None,
) -> None:
    """Begin a deal. It is its contact's main owner's, or yours, unless --owner says whose.

    Example: macli deal add '20 seats' --contact ann@example.com --value 1200 --currency EUR --funnel Sales
    """
    from macli.people import deals

    macli = Macli.of(ctx)
    number = deals.add(
        macli.store,
        macli.now(),
        title,
        "cli",
        contact_id=people.contact_or_none(macli, contact),
        funnel=funnel,
        stage=stage,
        value=None if value is None else deals.read_value(value),
        currency=None if currency is None else deals.read_currency(currency),
        owner_id=people.staff_id(macli, owner),
        made_by=macli.acting_staff_id(),
    )
    macli.out.say(f"made deal {number}")


@app.command("list")
def list_(
    ctx: typer.Context,
    contact: people.Only = None,
    where: options.Where = None,
    limit: people.Limit = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List deals, the latest first, and what they come to.

    Example: macli deal list --where 'state = open and value >= 1000 and owner = anna'
    """
    from macli.store import deals

    macli, shape = Macli.of(ctx), options.shape(format, json)
    wheres = people.narrowed(macli, "deal", "deals", where, contact)
    macli.out.rows(deals.listed(macli.store, *wheres, limit=limit), columns=deals.COLUMNS, shape=shape)
    for row in deals.sums(macli.store, *wheres):
        macli.out.say(f"{row['deals']:,} {row['state']}: {_amount(row)}", shape=shape)


@app.command()
def show(ctx: typer.Context, number: Number, format: options.Format = None, json: options.Json = False) -> None:
    """Show one deal whole.

    Example: macli deal show 3
    """
    from macli.store import deals

    macli = Macli.of(ctx)
    people.show(macli, deals.get(macli.store, number), options.shape(format, json))


@app.command()
def edit(
    ctx: typer.Context,
    number: Number,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="What is to be sold.")] = None,
    value: Value = None,
    currency: Currency = None,
    owner: Owner = None,
) -> None:
    """Change what is sold, for how much, and whose deal it is; '' takes away all but the title.

    Example: macli deal edit 3 --value 1500
    """
    from macli.people import deals

    macli = Macli.of(ctx)
    changes = people.changes(
        {"title": title, "value": value, "currency": currency, "owner_id": owner},
        {
            "value": deals.read_value,
            "currency": deals.read_currency,
            "owner_id": lambda name: people.staff_id(macli, name),
        },
    )
    deals.edit(macli.store, macli.now(), number, changes)
    macli.out.say(f"changed deal {number}")


@app.command()
def move(
    ctx: typer.Context,
    number: Number,
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="The stage it comes to.")],
    funnel: Funnel = None,
) -> None:
    """Move a deal to another stage of its funnel, or into a funnel.

    Example: macli deal move 3 Offer
    """
    from macli.people import deals

    macli = Macli.of(ctx)
    moved = deals.move(macli.store, macli.now(), number, stage, "cli", funnel=funnel)
    macli.out.say(f"deal {number} is at {stage}" if moved else f"deal {number} was at {stage} already")


@app.command()
def win(ctx: typer.Context, number: Number) -> None:
    """Note that a deal is won.

    Example: macli deal win 3
    """
    from macli.people import deals

    macli = Macli.of(ctx)
    closed = deals.close(macli.store, macli.now(), number, "won", "cli")
    macli.out.say(f"deal {number} is won" if closed else f"deal {number} was won already")


@app.command()
def lose(ctx: typer.Context, number: Number) -> None:
    """Note that a deal is lost.

    Example: macli deal lose 3
    """
    from macli.people import deals

    macli = Macli.of(ctx)
    closed = deals.close(macli.store, macli.now(), number, "lost", "cli")
    macli.out.say(f"deal {number} is lost" if closed else f"deal {number} was lost already")


@app.command()
def reopen(ctx: typer.Context, number: Number) -> None:
    """Make a deal open again that was won or lost.

    Example: macli deal reopen 3
    """
    from macli.people import deals

    macli = Macli.of(ctx)
    opened = deals.reopen(macli.store, macli.now(), number)
    macli.out.say(f"deal {number} is open again" if opened else f"deal {number} was open already")


@app.command()
def report(
    ctx: typer.Context,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Of won and lost ones, those closed since then.")
    ] = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Show what is open at each stage, what was won and lost, and by whom.

    In CSV and the other row shapes: won and lost by owner.

    Example: macli deal report --since 2026-01-01
    """
    from macli.store import deals

    macli, shape = Macli.of(ctx), options.shape(format, json)
    after = people.due(macli, since)
    found = {
        "open": deals.pipeline(macli.store),
        "closed": deals.outcomes(macli.store, after),
        "by_owner": deals.outcomes_by_owner(macli.store, after),
    }
    if shape == "json":
        macli.out.record({name: [dict(row) for row in rows] for name, rows in found.items()}, shape=shape)
        return
    if shape in ("csv", "ndjson"):
        macli.out.rows(found["by_owner"], columns=("owner", *deals.CLOSED), shape=shape)
        return
    if not any(found.values()):
        macli.out.say("no deal is open, and none was closed")
    if found["open"]:
        macli.out.rows(found["open"], columns=deals.OPEN, shape=shape, title="open")
    for name, title, columns in (("closed", "won and lost", ()), ("by_owner", "by owner", ("owner",))):
        if found[name]:
            rows = ({**dict(row), "rate": Share(row["rate"])} for row in found[name])
            macli.out.rows(rows, columns=(*columns, *deals.CLOSED), shape=shape, title=title)


@app.command()
def rm(ctx: typer.Context, number: Number) -> None:
    """Delete a deal; tasks about it stay.

    Example: macli deal rm 3
    """
    from macli.people import deals

    macli = Macli.of(ctx)
    deals.remove(macli.store, macli.now(), number)
    macli.out.say(f"removed deal {number}")


def _amount(row: Any) -> str:
    return f"{row['value']:,.15g} {row['currency'] or 'in no currency'}"
