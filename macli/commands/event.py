"""``macli event``: what happened to contacts, seen, told and imported."""

import json as json_module
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, TypeAlias

import typer

from macli.commands import options
from macli.context import Macli
from macli.errors import OperationFailed, UsageError

app = typer.Typer(no_args_is_help=True, help="Events: what happened to contacts, never changed afterwards.")

Contact: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="CONTACT", help="Whom it happened to.", autocompletion=options.names_of("contacts")),
]


@app.command("list")
def list_(
    ctx: typer.Context,
    contact: Annotated[
        str | None,
        typer.Option("--contact", help="Only this contact's.", autocompletion=options.names_of("contacts")),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="EVENT", help="Only these: order.paid, or email.* for all such.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="Not before.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many.")] = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List events, the latest first; without any filter, the last recorded first.

    Example: macli event list --contact ann@example.com --since 2026-11-01
    """
    from macli.clock import parse_when, to_ms
    from macli.store import contacts, event_log

    macli, shape = Macli.of(ctx), options.shape(format, json)

    def moment(text: str | None) -> int | None:
        return None if text is None else to_ms(parse_when(text, now=macli.now(), default=macli.zone))

    found = None
    if contact is not None:
        found = contacts.find(macli.store, contact, region=macli.setting("country"))["id"]
    rows = event_log.listed(
        macli.store, contact_id=found, name=name, since=moment(since), until=moment(until), limit=limit
    )
    macli.out.rows(_readable(rows), columns=event_log.COLUMNS, shape=shape)


def _readable(rows: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for row in rows:
        known = {name: row[name] for name in row.keys()}  # noqa: SIM118
        yield {**known, "properties": json_module.loads(known["properties"])}


@app.command()
def add(
    ctx: typer.Context,
    contact: Contact,
    name: Annotated[str, typer.Argument(metavar="EVENT", help="Its name, for example order.paid.")],
    assign: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A property; may be given again.")
    ] = None,
    at: options.At = None,
    id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="What makes it once: a second with it is nothing.")
    ] = None,
) -> None:
    """Tell macli that something happened to a contact.

    Example: macli event add ann@example.com order.paid --set total=99.50 --id order-1001
    """
    from macli import events
    from macli.address import attribute_name
    from macli.clock import parse_when, to_ms
    from macli.model import NewEvent
    from macli.store import attributes, contacts

    macli = Macli.of(ctx)
    found = contacts.find(macli.store, contact, region=macli.setting("country"))
    said: dict[str, Any] = {}
    for text in assign or ():
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {text!r} sets nothing", hint="write --set total=99.50")
        said[attribute_name(key)] = attributes.read_value(attributes.infer((value,)), value, macli.zone)
    moment = macli.now() if at is None else parse_when(at, now=macli.now(), default=macli.zone)
    happened = NewEvent(
        contact_id=found["id"],
        name=events.check_name(name),
        at=to_ms(moment),
        source="cli",
        source_id=id,
        properties=said,
    )
    new = events.record(macli.store, macli.now(), [happened])
    macli.out.say(f"recorded {name}" if new else f"{name} with the id {id} was recorded already")


@app.command("import")
def import_(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A .csv, .tsv, .json or .ndjson file; - is stdin.")],
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Import events. Columns: contact (or email), event, at, id; every other is a property.

    Each event is recorded once: by its id, or by all that it says where it has none.

    Example: macli event import orders.ndjson
    """
    from macli.importer.happenings import import_events
    from macli.importer.source import opened

    macli, shape = Macli.of(ctx), options.shape(format, json)
    with opened(file) as source, macli.out.progress(f"importing {source.name}", total=source.lines) as progress:
        told = import_events(
            macli.store,
            source,
            macli.now(),
            zone=macli.zone,
            region=macli.setting("country"),
            advance=progress.advance,
        )
    if shape is not None:
        reasons = [{"line": line, "reason": reason} for line, reason in told.reasons]
        counts = {"recorded": told.recorded, "known": told.known, "refused": told.refused}
        macli.out.record({**counts, "reasons": reasons}, shape=shape)
    macli.out.say(
        f"{told.recorded:,} events recorded, {told.known:,} known already, {told.refused:,} refused", shape=shape
    )
    for line, reason in told.reasons:
        macli.out.say(f"  line {line}: {reason}", shape=shape)
    if told.refused and not told.recorded and not told.known:
        raise OperationFailed(f"every row of {source.name} was refused", hint=told.reasons[0][1])


@app.command("reclassify")
def reclassify(
    ctx: typer.Context,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="Only hits from then on.")] = None,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Judge opens and clicks anew, person or program, by the rules in force; first say what would change.

    The rules come with macli; a file hit-rules.toml in the workspace stands in for them. Segments and reports follow
    at once; campaigns are not run again over the past.

    Example: macli event reclassify --since 2026-11-01
    """
    from macli.clock import parse_when
    from macli.hits import reclassifying

    macli, shape = Macli.of(ctx), options.shape(format, json)
    start = None if since is None else parse_when(since, now=macli.now(), default=macli.zone)
    found = reclassifying.compare(macli.store, macli.workspace.path, since=start)
    macli.out.rows(found.rows, columns=("kind", "before", "after", "rule", "hits", "contacts"), shape=shape)
    words = f"{found.changed:,} of {found.looked_at:,} hits by version {found.version} of the rules"
    if dry_run or not found.changed:
        macli.out.say(f"{words} would change", shape=shape)
        return
    macli.out.confirm(f"change {words}?", yes=yes)
    reclassifying.apply(macli.store, macli.now(), macli.workspace.path, since=start)
    macli.out.say(f"changed {words}", shape=shape)
