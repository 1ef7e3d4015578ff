"""``macli suppression``: the addresses never to be written to."""

from typing import Annotated

import typer

from macli.clock import to_ms
from macli.commands import options
from macli.context import Macli
from macli.errors import OperationFailed, UnknownName, UsageError

app = typer.Typer(no_args_is_help=True, help="Addresses never to be written to, and why.")

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="An e-mail address, or a phone number.")]
Channel = Annotated[str | None, typer.Option("--channel", help="email or sms.")]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many.")]


@app.command("list")
def list_(
    ctx: typer.Context,
    channel: Channel = None,
    limit: Limit = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List the addresses, the latest first. Those of erased people are kept as hashes and cannot be read.

    Example: macli suppression list --channel email
    """
    from macli.store import consents, suppressions

    macli = Macli.of(ctx)
    channel = None if channel is None else consents.check_channel(channel)
    rows = suppressions.listed(macli.store, channel=channel, limit=limit)
    columns = ("channel", "address", "reason", "source", "suppressed_at", "hash")
    macli.out.rows(rows, columns=columns, shape=options.shape(format, json))


@app.command()
def add(
    ctx: typer.Context,
    address: Address,
    reason: Annotated[str, typer.Option("--reason", help="Why, in a word or two.")] = "by_hand",
) -> None:
    """Never write to an address again, whoever has it now or later.

    Example: macli suppression add ann@example.com --reason 'asked by phone'
    """
    from macli.store import suppressions

    macli = Macli.of(ctx)
    channel, written = _read(macli, address)
    if not reason.strip() or not reason.isprintable():
        raise UsageError("the reason is empty or not plain text", hint="--reason 'asked by phone'")
    added = suppressions.add(macli.store, to_ms(macli.now()), channel, written, reason=reason.strip(), source="cli")
    macli.out.say(f"{written} is not written to any more" if added else f"{written} was suppressed already")


@app.command()
def rm(ctx: typer.Context, address: Address, yes: options.Yes = False) -> None:
    """Allow an address to be written to again: only where its owner asked for it.

    What a contact said itself (opt-out) still counts. Works for an erased address too.

    Example: macli suppression rm ann@example.com
    """
    from macli.store import suppressions

    macli = Macli.of(ctx)
    channel, written = _read(macli, address)
    row = suppressions.on(macli.store, channel, written)
    if row is None:
        raise UnknownName("suppressed address", written, hint="macli suppression list")
    macli.out.confirm(f"{written} is suppressed ({row['reason']}). Did its owner ask to hear from you again?", yes=yes)
    suppressions.remove(macli.store, channel, written)
    macli.out.say(f"{written} may be written to again")


@app.command()
def check(ctx: typer.Context, address: Address, format: options.Format = None, json: options.Json = False) -> None:
    """Say whether an address is suppressed, and why. Ends with 1 where it is not.

    Example: macli suppression check ann@example.com
    """
    from macli.store import suppressions

    macli, shape = Macli.of(ctx), options.shape(format, json)
    channel, written = _read(macli, address)
    row = suppressions.on(macli.store, channel, written)
    if row is None:
        raise OperationFailed(f"{written} is not suppressed")
    macli.out.record({name: row[name] for name in suppressions.COLUMNS}, shape=shape)


def _read(macli: Macli, address: str) -> tuple[str, str]:
    """(channel, normalised address)."""
    from macli.address import normalise_email, normalise_phone

    if "@" in address:
        return "email", normalise_email(address)
    if not any(character.isdigit() for character in address):
        raise UsageError(f"{address!r} is no e-mail address and no phone number", hint="ann@example.com, +48501000111")
    return "sms", normalise_phone(address, macli.setting("country"))
