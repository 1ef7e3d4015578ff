"""``macli mail add KIND``: let macli read a mailbox, on a server or on this machine."""

import sys
from typing import Annotated, Any

import typer

from macli.context import Macli
from macli.mailbox.settings import Imap, Maildir

app = typer.Typer(no_args_is_help=True, help="Let macli read a mailbox.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")]
Delete = Annotated[bool, typer.Option("--delete", help="Delete what has been read.")]


@app.command("imap")
def imap(
    ctx: typer.Context,
    name: Name,
    host: Annotated[str, typer.Option("--host", help="The server's name or address.")],
    username: Annotated[str, typer.Option("--username", help="The user.")],
    password: Annotated[
        str | None, typer.Option("--password", metavar="REF", help="By reference: env:NAME or file:PATH.")
    ] = None,
    port: Annotated[int, typer.Option("--port", help="Its port; 993 means TLS from the first byte.")] = 993,
    folder: Annotated[str, typer.Option("--folder", help="The folder that is read.")] = "INBOX",
    security: Annotated[
        str | None,
        typer.Option("--security", metavar="tls|starttls|none", help="starttls is required then; by the port."),
    ] = None,
    verify: Annotated[bool, typer.Option("--verify/--no-verify", help="Verify the server's certificate.")] = True,
    ca_file: Annotated[
        str | None, typer.Option("--ca-file", metavar="FILE", help="Certificates to trust instead of the machine's.")
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Let the password travel unencrypted.")] = False,
    delete: Delete = False,
    move_to: Annotated[
        str | None, typer.Option("--move-to", metavar="FOLDER", help="Move what has been read to this folder.")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait for an answer.")] = 10.0,
) -> None:
    """A folder on an IMAP server. What is read is neither marked nor deleted, unless you say so.

    Example: macli mail add imap bounces --host mail.example.com --username bounces --password env:BOX_PASSWORD
    """
    given = {
        "host": host,
        "port": port,
        "username": username,
        "password": password,
        "folder": folder,
        "security": security,
        "verify": verify,
        "ca_file": ca_file,
        "insecure": insecure,
        "delete": delete,
        "move_to": move_to,
        "timeout": timeout,
    }
    typed = None if password or not sys.stdin.isatty() else typer.prompt(f"password of {name}", hide_input=True)
    _add(Macli.of(ctx), name, "imap", _said(given, Imap), typed)


@app.command("maildir")
def maildir(
    ctx: typer.Context,
    name: Name,
    path: Annotated[str, typer.Option("--path", metavar="DIR", help="What holds new and cur.")],
    delete: Delete = False,
) -> None:
    """A Maildir on this machine, to which a mail server delivers.

    Example: macli mail add maildir bounces --path /var/mail/bounces
    """
    _add(Macli.of(ctx), name, "maildir", _said({"path": path, "delete": delete}, Maildir), None)


def _said(given: dict[str, Any], settings: type) -> dict[str, Any]:
    """The options that say something else than their default."""
    return {key: value for key, value in given.items() if value is not None and value != getattr(settings, key, None)}


def _add(macli: Macli, name: str, kind: str, given: dict[str, Any], typed: str | None) -> None:
    from macli.mailbox import boxes

    folder = macli.workspace.path
    warning = boxes.add(macli.store, macli.now(), name, kind, given, workspace=folder, typed_password=typed)
    if warning:
        macli.out.warn(warning)
    macli.out.say(f"the tick reads {name!r} from now on; macli mail test {name!r} tries it")
