"""``macli prediction``: how likely contacts have left for good or buy again."""

from typing import Annotated

import typer

from macli.commands import options
from macli.context import Macli
from macli.errors import OperationFailed
from macli.texts import count_of

app = typer.Typer(no_args_is_help=True, help="How likely contacts have left for good (churn) or buy again (purchase).")


@app.command()
def fit(
    ctx: typer.Context,
    event: Annotated[
        str | None, typer.Option("--event", metavar="EVENT", help="What a purchase is; purchases.event where left out.")
    ] = None,
    horizon: Annotated[str, typer.Option("--horizon", metavar="DURATION", help="How far ahead, in days.")] = "90 days",
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="Only purchases from then on.")] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Only purchases before; predictions are as of then.")
    ] = None,
    dry_run: options.DryRun = False,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Fit BG/NBD and Gamma-Gamma to the purchases, test them on the latest, and predict for all who bought.

    Needs numpy and scipy: pip install 'macli[predict]'.

    Example: macli prediction fit --horizon '30 days'
    """
    from macli.clock import parse_duration, parse_when
    from macli.event_names import check_name
    from macli.lifecycle import predictions

    macli, shape = Macli.of(ctx), options.shape(format, json)
    asked = predictions.Options(
        event=macli.setting("purchases.event") if event is None else check_name(event),
        horizon=parse_duration(horizon),
        since=None if since is None else parse_when(since, now=macli.now(), default=macli.zone),
        until=None if until is None else parse_when(until, now=macli.now(), default=macli.zone),
    )
    with macli.out.progress("predicting") as progress:
        found = predictions.fit(macli.store, macli.now(), asked, dry_run=dry_run, advance=progress.advance)
    if shape is not None:
        macli.out.record(found.told(), shape=shape)
    for line in found.lines():
        macli.out.say(line, shape=shape)
    if shape is None and found.bands and not macli.quiet:
        macli.out.rows(found.bands, title="Purchases in the part held out, by band")


@app.command("import")
def import_(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A .csv, .tsv, .json or .ndjson file; - is stdin.")],
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="What made them; the file's name where left out.")
    ] = None,
    dry_run: options.DryRun = False,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Import predictions. Columns: email (or external_id, or id), churn and purchase, as 0.63 or 63 %.

    An empty cell says nothing. Refused rows are written, with line and reason, to FILE.refused.csv.

    Example: macli prediction import scores.csv --model 'our data team'
    """
    from macli.importer.source import opened
    from macli.lifecycle.scores_import import import_scores

    macli, shape = Macli.of(ctx), options.shape(format, json)
    with opened(file) as source, macli.out.progress(f"importing {source.name}", total=source.lines) as progress:
        told = import_scores(macli.store, source, macli.now(), model=model, dry_run=dry_run, advance=progress.advance)
    if shape is not None:
        macli.out.record(told.told(), shape=shape)
    for line in told.lines(dry_run=dry_run):
        macli.out.say(line, shape=shape)
    if told.refused and not told.taken:
        raise OperationFailed(f"every row of {source.name} was refused", hint=told.reasons[0][1])


@app.command("list")
def list_(
    ctx: typer.Context,
    kind: Annotated[str | None, typer.Option("--kind", metavar="KIND", help="churn or purchase.")] = None,
    likelihood: Annotated[
        str | None, typer.Option("--likelihood", metavar="BAND", help="small, medium, high or 'very high'.")
    ] = None,
    where: options.Where = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many of a kind.")] = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List the predictions that count now, the likeliest of each kind first.

    expected and spend are purchases and their value within the horizon.

    Example: macli prediction list --kind churn --likelihood 'very high' --where 'tagged VIP'
    """
    from macli.commands.contact_changes import selected
    from macli.config import likelihoods
    from macli.store import predictions

    macli = Macli.of(ctx)
    rows = predictions.listed(
        macli.store,
        macli.now(),
        selected(macli, where),
        kind=None if kind is None else predictions.check_kind(kind),
        band=None if likelihood is None else likelihoods.read(likelihood),
        limit=limit,
    )
    macli.out.rows(rows, columns=predictions.COLUMNS, shape=options.shape(format, json))


@app.command()
def show(
    ctx: typer.Context,
    contact: Annotated[
        str, typer.Argument(metavar="CONTACT", help="Whose.", autocompletion=options.names_of("contacts"))
    ],
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Show what is predicted of a contact, by which model and when.

    Example: macli prediction show ann@example.com
    """
    from macli.store import contacts, predictions

    macli = Macli.of(ctx)
    found = contacts.find(macli.store, contact, region=macli.setting("country"))
    rows = predictions.of(macli.store, found["id"], macli.now())
    macli.out.rows(rows, columns=predictions.OF_ONE, shape=options.shape(format, json))


@app.command()
def models(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """List what predictions came from, the latest first: when it was made and how a fit did in its test.

    Example: macli prediction models --json
    """
    from macli.output import MACHINE_SHAPES
    from macli.store import predictions

    macli, shape = Macli.of(ctx), options.shape(format, json)
    columns = (*predictions.MODELS, "quality") if shape in MACHINE_SHAPES else predictions.MODELS
    macli.out.rows(predictions.models(macli.store, macli.now()), columns=columns, shape=shape)


@app.command()
def clear(ctx: typer.Context, yes: options.Yes = False) -> None:
    """Take away all predictions and their models: no contact has one any more.

    Example: macli prediction clear --yes
    """
    from macli.store import predictions

    macli = Macli.of(ctx)
    macli.out.confirm(
        f"take away the predictions of {count_of(predictions.how_many(macli.store), 'contact')}?", yes=yes
    )
    cleared = predictions.clear(macli.store, macli.now())
    macli.out.say(f"took away the predictions of {count_of(cleared, 'contact')}")
