"""``macli rfm``: contacts by how recently, how often and for how much they bought."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from macli.commands import options
from macli.context import Macli
from macli.texts import count_of

if TYPE_CHECKING:
    from macli.scoring.rfm import Rebuilt

app = typer.Typer(no_args_is_help=True, help="Sort contacts by how recently, how often and for how much they bought.")

Name: TypeAlias = Annotated[
    str, typer.Argument(metavar="NAME", help="The report.", autocompletion=options.names_of("rfm_reports"))
]
_SORTING = "sorting contacts"
_RECENCY = "Bands by the time since the last purchase: 'short 30 days, medium 90 days'; long is the rest."
_FREQUENCY = "Bands by the number of purchases: 'common 10, regular 3'; casual is the rest."
_MONETARY = "Bands by their value: 'spender 500, medium 100'; saver is the rest."
Recency: TypeAlias = Annotated[str, typer.Option("--recency", metavar="BANDS", help=_RECENCY)]
Frequency: TypeAlias = Annotated[str, typer.Option("--frequency", metavar="BANDS", help=_FREQUENCY)]
Monetary: TypeAlias = Annotated[str, typer.Option("--monetary", metavar="BANDS", help=_MONETARY)]
OtherRecency: TypeAlias = Annotated[str | None, typer.Option("--recency", metavar="BANDS", help=_RECENCY)]
OtherFrequency: TypeAlias = Annotated[str | None, typer.Option("--frequency", metavar="BANDS", help=_FREQUENCY)]
OtherMonetary: TypeAlias = Annotated[str | None, typer.Option("--monetary", metavar="BANDS", help=_MONETARY)]
Window: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--window", metavar="DURATION", help="How far back number and value are counted: '365 days', or 'none'."
    ),
]
Event: TypeAlias = Annotated[str | None, typer.Option("--event", metavar="EVENT", help="What a purchase is.")]
Value: TypeAlias = Annotated[
    str | None, typer.Option("--value", metavar="PROPERTY", help="The property that says a purchase's value.")
]
Refunds: TypeAlias = Annotated[
    str | None,
    typer.Option("--refunds", metavar="EVENTS", help="What takes a purchase back, commas between them, or 'none'."),
]
With: TypeAlias = Annotated[
    str | None,
    typer.Option("--with", metavar="TESTS", help="Only purchases like this: 'currency = EUR'; 'none' for all."),
]


@app.command("create")
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    recency: Recency,
    frequency: Frequency,
    monetary: Monetary,
    window: Window = None,
    event: Event = None,
    value: Value = None,
    refunds: Refunds = None,
    with_: With = None,
) -> None:
    """Make a report and sort everybody who bought. From here on each purchase, and time, moves them.

    Example: macli rfm create customers --recency 'short 30 days, medium 90 days'
    --frequency 'common 10, regular 3' --monetary 'spender 500, medium 100'
    """
    from macli.lifecycle import rfm

    macli = Macli.of(ctx)
    with macli.out.progress(_SORTING) as progress:
        made = rfm.create(
            macli.store,
            macli.now(),
            name,
            recency=recency,
            frequency=frequency,
            monetary=monetary,
            window=window,
            event=event,
            value=value,
            refunds=refunds,
            condition=with_,
            advance=progress.advance,
        )
    _tell(macli, f"made the RFM report {name!r}: {count_of(made.contacts, 'contact')} in it", made)


@app.command("list")
def list_(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """List the reports.

    Example: macli rfm list
    """
    from macli.reports import rfm

    macli = Macli.of(ctx)
    macli.out.rows(rfm.listed(macli.store), columns=rfm.LISTED, shape=options.shape(format, json))


@app.command("show")
def show(ctx: typer.Context, name: Name, format: options.Format = None, json: options.Json = False) -> None:
    """Show how many contacts are in which bands, and what they brought.

    In CSV and ndjson: a row for each recency and frequency.

    Example: macli rfm show customers
    """
    from macli.clock import to_ms
    from macli.reports import rfm

    macli = Macli.of(ctx)
    shape = options.shape(format, json)
    found = rfm.summary(macli.store, name, to_ms(macli.now()))
    if shape == "json":
        macli.out.record(found, shape=shape)
        return
    if shape in ("csv", "ndjson"):
        macli.out.rows(found["matrix"], columns=rfm.MATRIX, shape=shape)
        return
    macli.out.say(f"{found['report']}: {count_of(found['contacts'], 'contact')}, {found['value']:,.2f}")
    if not found["complete"]:
        macli.out.say(f"  not everybody is sorted yet: macli rfm recompute {found['report']!r} sorts them")
    for word in ("event", "with", "window", "recency", "frequency", "monetary"):
        if found["definition"][word] is not None:
            macli.out.say(f"  {word}: {found['definition'][word]}")
    title = "recency and frequency: contacts (value)"
    macli.out.rows(rfm.crossed(found["matrix"]), shape=shape, title=title)
    macli.out.rows(found["bands"], columns=rfm.TOTALS, shape=shape, title="bands")
    if found["waiting"]:
        macli.out.say(f"{found['waiting']:,} of them are looked at again by the next macli tick")


@app.command("contacts")
def contacts(
    ctx: typer.Context,
    name: Name,
    recency: Annotated[
        list[str] | None,
        typer.Option("--recency", metavar="BAND", help="short, medium or long; may be given again."),
    ] = None,
    frequency: Annotated[
        list[str] | None,
        typer.Option("--frequency", metavar="BAND", help="common, regular or casual; may be given again."),
    ] = None,
    monetary: Annotated[
        list[str] | None,
        typer.Option("--monetary", metavar="BAND", help="spender, medium or saver; may be given again."),
    ] = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List who is in a report, or in some of its bands; who brought most comes first.

    Example: macli rfm contacts customers --recency long --monetary spender
    """
    from macli.reports import rfm

    macli = Macli.of(ctx)
    found = rfm.contacts(
        macli.store, name, {"recency": recency or (), "frequency": frequency or (), "monetary": monetary or ()}
    )
    macli.out.rows(found, columns=rfm.CONTACTS, shape=options.shape(format, json))


@app.command("quintiles")
def quintiles(
    ctx: typer.Context,
    name: Name,
    summary: Annotated[
        bool, typer.Option("--summary", help="Only how many contacts have which scores of recency and frequency.")
    ] = False,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Score everybody in a report from 1 to 5 in each dimension; 5 is the best fifth. Nothing is kept.

    Example: macli rfm quintiles customers --summary
    """
    from macli.reports import rfm

    macli = Macli.of(ctx)
    shape = options.shape(format, json)
    if not summary:
        macli.out.rows(rfm.quintiles(macli.store, name), columns=rfm.QUINTILES, shape=shape)
        return
    cells = rfm.quintile_cells(macli.store, name)
    if shape in ("json", "csv", "ndjson"):
        macli.out.rows(cells, columns=rfm.MATRIX, shape=shape)
        return
    macli.out.rows(rfm.crossed(cells), shape=shape, title="recency and frequency: contacts (value)")


@app.command("edit")
def edit(
    ctx: typer.Context,
    name: Name,
    recency: OtherRecency = None,
    frequency: OtherFrequency = None,
    monetary: OtherMonetary = None,
    window: Window = None,
    event: Event = None,
    value: Value = None,
    refunds: Refunds = None,
    with_: With = None,
) -> None:
    """Change a report and sort everybody anew; campaigns are not told of who moves by it.

    Example: macli rfm edit customers --window '365 days'
    """
    from macli.lifecycle import rfm

    macli = Macli.of(ctx)
    with macli.out.progress(_SORTING) as progress:
        made = rfm.edit(
            macli.store,
            macli.now(),
            name,
            recency=recency,
            frequency=frequency,
            monetary=monetary,
            window=window,
            event=event,
            value=value,
            refunds=refunds,
            condition=with_,
            advance=progress.advance,
        )
    _tell(macli, f"changed the RFM report {name!r}: {count_of(made.changed, 'contact')} came to other bands", made)


@app.command("recompute")
def recompute(ctx: typer.Context, name: Name) -> None:
    """Sort everybody anew from all events, as after some were deleted; campaigns are not told of who moves by it.

    Example: macli rfm recompute customers
    """
    from macli.lifecycle import rfm

    macli = Macli.of(ctx)
    with macli.out.progress(_SORTING) as progress:
        made = rfm.recompute(macli.store, macli.now(), name, progress.advance)
    _tell(macli, f"sorted {count_of(made.contacts, 'contact')}; {made.changed:,} came to other bands", made)


@app.command("rm")
def rm(ctx: typer.Context, name: Name) -> None:
    """Forget a report. Refused where a campaign, a segment or a point rule asks for it.

    Example: macli rfm rm customers
    """
    from macli.lifecycle import rfm

    macli = Macli.of(ctx)
    rfm.remove(macli.store, name)
    macli.out.say(f"removed the RFM report {name!r}")


def _tell(macli: Macli, told: str, made: "Rebuilt") -> None:
    macli.out.say(told)
    if made.unvalued:
        macli.out.say(f"purchases without a number for a value, which count with 0: {made.unvalued:,}")
