"""``macli mail``: what comes back by mail – bounces, complaints, answers, unsubscribe requests."""

import json as json_
from typing import Annotated

import typer

from macli.commands import mail_kinds, options
from macli.context import Macli
from macli.store import mailboxes

app = typer.Typer(no_args_is_help=True, help="Bounces, complaints and answers that come by mail: mailboxes, a pipe.")
app.add_typer(mail_kinds.app, name="add")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The mailbox.", autocompletion=options.names_of("mailboxes"))]


@app.command("list")
def list_(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """List the mailboxes that are read, when they were last and what went wrong.

    Example: macli mail list
    """
    macli = Macli.of(ctx)
    macli.out.rows(
        (
            {key: row[key] for key in ("name", "kind", "read_at", "trouble")}
            | {"settings": json_.loads(row["settings"])}
            for row in mailboxes.list_all(macli.store)
        ),
        columns=("name", "kind", "read_at", "trouble", "settings"),
        shape=options.shape(format, json),
    )


@app.command("test")
def try_(ctx: typer.Context, name: Name, format: options.Format = None, json: options.Json = False) -> None:
    """Try a mailbox: connect, log in, open the folder. Nothing is read.

    Example: macli mail test bounces
    """
    from macli.mailbox import boxes, polling

    macli = Macli.of(ctx)
    checks = polling.try_out(mailboxes.get(macli.store, name), macli.workspace.path)
    macli.out.rows(
        ({"step": check.step, "ok": check.ok, "detail": check.detail} for check in checks),
        columns=("step", "ok", "detail"),
        shape=options.shape(format, json),
    )
    boxes.raise_failure(name, checks)


@app.command("read")
def read(ctx: typer.Context, name: Name, json: options.Json = False) -> None:
    """Read a mailbox now, all that is new in it; the tick does so each minute, some at a time.

    Example: macli mail read bounces
    """
    from macli.mailbox import boxes

    macli = Macli.of(ctx)
    counts = boxes.read_now(macli.store, macli.clock(), name, macli.workspace.path)
    if json:
        macli.out.record(counts, shape="json")
    else:
        macli.out.say(boxes.in_words(counts))


@app.command("ingest")
def ingest(
    ctx: typer.Context,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]…", help="A message, an mbox or a Maildir; - or nothing: standard input."),
    ] = None,
    recipient: Annotated[
        list[str] | None,
        typer.Option("--recipient", metavar="ADDRESS", help="To whom it came, where its headers do not say."),
    ] = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Take mail in from files, or one message from a pipe; each takes effect once, however often it is read.

    Example: macli mail ingest bounce.eml
    """
    from macli.mailbox import boxes

    macli = Macli.of(ctx)
    macli.out.rows(
        boxes.ingest_all(
            macli.store, macli.clock, files or ["-"], macli.workspace.path, recipients=tuple(recipient or ())
        ),
        columns=("file", "said", "message", "address", "status", "new"),
        shape=options.shape(format, json),
    )


@app.command("rm")
def rm(ctx: typer.Context, name: Name) -> None:
    """Read a mailbox no more; what was read stays.

    Example: macli mail rm bounces
    """
    macli = Macli.of(ctx)
    mailboxes.remove(macli.store, name)
    macli.out.say(f"removed the mailbox {name!r}")
