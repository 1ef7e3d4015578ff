"""``macli contact import``: many contacts at once, from a file."""

from typing import Annotated

import typer

from macli.commands import options
from macli.context import Macli
from macli.errors import OperationFailed


def command(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A .csv, .tsv, .json or .ndjson file; - is stdin.")],
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="COLUMN=TARGET",
            help="What a column becomes: email, phone, external_id, an attribute as name:type, or - to drop it. "
            "Several with commas, or again.",
        ),
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Tag everybody in the file.")] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="What tells contacts apart: email, phone or external_id."),
    ] = None,
    on_conflict: Annotated[
        str,
        typer.Option(
            "--on-conflict",
            metavar="ANSWER",
            help="A contact we have: update it, skip it, fill what it lacks, or refuse the row.",
        ),
    ] = "update",
    restore: Annotated[bool, typer.Option("--restore", help="Bring removed contacts back.")] = False,
    fire_events: Annotated[
        bool, typer.Option("--fire-events", help="Record events, which campaigns may wait for.")
    ] = False,
    opt_in: Annotated[
        list[str] | None,
        typer.Option("--opt-in", metavar="CHANNEL", help="They agreed to email or sms; a no stays a no."),
    ] = None,
    consent_source: Annotated[
        str | None, typer.Option("--consent-source", metavar="TEXT", help="How they agreed, for the record.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option("--encoding", metavar="NAME", help="The file's encoding, where the guess is wrong.")
    ] = None,
    dry_run: options.DryRun = False,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Import contacts: new ones are added, known ones brought up to date, an opt-out always stays.

    Stopped by Ctrl-C or worse, the same command goes on where it stood. Refused rows are written,
    with their line and reason, to FILE.refused.csv, which can be mended and imported again.

    Example: macli contact import people.csv --tag 'spring fair' --map 'Kundennr=external_id,Notes=-'
    """
    from macli import importer
    from macli.address import split_tags
    from macli.importer.source import opened
    from macli.store import consents

    macli, shape = Macli.of(ctx), options.shape(format, json)
    faithful = bool(macli.setting("tags.normalise"))
    asked = importer.Options(
        map=tuple(mapping or ()),
        tags=tuple(one for text in tag or () for one in split_tags(text, faithful)),
        key=key,
        on_conflict=importer.on_conflict(on_conflict),
        restore=restore,
        fire_events=fire_events,
        opt_in=tuple(consents.check_channel(channel) for channel in opt_in or ()),
        consent_source=consent_source,
        encoding=encoding,
        faithful_tags=faithful,
        region=macli.setting("country"),
        zone=macli.zone,
    )
    with opened(file) as source:
        plan = importer.prepare(macli.store, source, asked)
        if shape is None and not macli.quiet:
            macli.out.rows(
                [{"column": c.header, "becomes": c.meaning, "for example": plan.examples(c)} for c in plan.columns],
                title=f"{source.name}: {plan.shape.description}",
            )
        if asked.tags:
            macli.out.say(f"everybody in it is tagged {', '.join(asked.tags)}", shape=shape)
        with macli.out.progress(f"importing {source.name}", total=source.lines) as progress:
            report = importer.run(macli.store, plan, macli.clock, advance=progress.advance, dry_run=dry_run)
    if shape is not None:
        macli.out.record(report.told(), shape=shape)
    for line in report.lines(source.name, dry_run=dry_run):
        macli.out.say(line, shape=shape)
    if report.counts.refused and not report.taken:
        raise OperationFailed(f"every row of {source.name} was refused", hint=report.reasons[0].reason)
