"""``macli contact export``: many contacts as a list that an import reads back, or one person's whole record."""

from pathlib import Path
from typing import Annotated

import typer

from macli.commands import options
from macli.commands.contact_changes import selected
from macli.context import Macli
from macli.errors import UnknownName, UsageError

RECORDS = ("json", "markdown", "html")
_SUFFIXES = {".md": "markdown", ".html": "html", ".htm": "html", ".json": "json"}


def command(
    ctx: typer.Context,
    contact: Annotated[
        str | None,
        typer.Argument(
            metavar="[CONTACT]",
            help="One person: everything known of them.",
            autocompletion=options.names_of("contacts"),
        ),
    ] = None,
    where: options.Where = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of to stdout.")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", metavar="SHAPE", help="csv, json or ndjson; of one person json, markdown or html."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Write contacts as CSV (or JSON, NDJSON) that an import reads back: attributes, tags, consents.

    With a CONTACT, write everything every table knows of that one person, for whoever asks what you know of
    them: as JSON, or to be read as Markdown or HTML. A directory takes both, record.json and record.html.

    Example: macli contact export --where 'country = "Canada"' --format ndjson -o canada.ndjson

    Example: macli contact export ann@example.com --format html -o ann.html
    """
    macli = Macli.of(ctx)
    if contact is None:
        _many(macli, where, output, options.shape(format, json))
        return
    if where is not None:
        raise UsageError("a contact and --where: say one of them")
    _one(macli, contact, output, "json" if json and format is None else format)


def _many(macli: Macli, where: str | None, output: Path | None, shape: str | None) -> None:
    from macli.output import into
    from macli.store import contacts

    found = selected(macli, where)
    rows, columns = contacts.exported(macli.store, found), contacts.export_columns(macli.store)
    with into(output):
        macli.out.rows(rows, columns=columns, shape=shape or "csv")


def _one(macli: Macli, reference: str, output: Path | None, format: str | None) -> None:
    from macli.privacy import export, reading
    from macli.store import contacts

    if format is not None and format not in RECORDS:
        raise UnknownName("format of a person's record", format, RECORDS, hint=f"one of {', '.join(RECORDS)}")
    found = contacts.find(macli.store, reference, region=macli.setting("country"))
    record = export.record(macli.store, macli.now(), found, who=macli.acting)
    texts = {"json": reading.json, "markdown": reading.markdown, "html": reading.html}
    if output is None:
        macli.out.text(texts[format or "json"](record))
        return
    files = {"json": output / "record.json", "html": output / "record.html"}
    if not output.is_dir():
        files = {format or _SUFFIXES.get(output.suffix.lower(), "json"): output}
    elif format is not None:
        files = {format: output / f"record.{'md' if format == 'markdown' else format}"}
    for shape, file in files.items():
        file.write_text(texts[shape](record), "utf-8")
        macli.out.say(f"wrote what is known of {reference} to {file}")
