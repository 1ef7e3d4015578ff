"""``macli device``: the browsers that take push messages."""

from typing import Annotated

import typer

from macli.clock import to_ms
from macli.commands import options
from macli.context import Macli
from macli.store import devices

app = typer.Typer(no_args_is_help=True, help="The browsers that take push messages.")


@app.command("list")
def list_(
    ctx: typer.Context,
    contact: Annotated[
        str | None,
        typer.Option("--contact", metavar="WHO", help="Of whom.", autocompletion=options.names_of("contacts")),
    ] = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List the devices, all or a contact's. One without a contact is a visitor's nobody knows yet.

    Example: macli device list --contact ann@example.com
    """
    from macli.store import contacts

    macli = Macli.of(ctx)
    whose = None if contact is None else contacts.find(macli.store, contact, region=macli.setting("country"))["id"]
    macli.out.rows(
        devices.list_all(macli.store, contact_id=whose),
        columns=("id", "contact", "service", "agent", "created_at", "seen_at"),
        shape=options.shape(format, json),
    )


@app.command("rm")
def rm(
    ctx: typer.Context,
    number: Annotated[int, typer.Argument(metavar="ID", help="The device, as `device list` numbers it.")],
) -> None:
    """Remove a device: nothing is pushed to it any more, until its browser asks again.

    Example: macli device rm 3
    """
    macli = Macli.of(ctx)
    devices.remove_by_id(macli.store, to_ms(macli.now()), number)
    macli.out.say(f"removed the device {number}")
