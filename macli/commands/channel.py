"""``macli channel``: which provider carries e-mail, text messages, push messages and webhooks."""

from typing import Annotated

import typer

from macli.commands import options
from macli.context import Macli
from macli.store import channels

app = typer.Typer(
    no_args_is_help=True, help="Which provider carries e-mail, text messages, push messages and webhooks."
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The channel.", autocompletion=options.names_of("channels"))]
Provider = Annotated[
    str,
    typer.Option("--provider", metavar="NAME", help="The provider.", autocompletion=options.names_of("providers")),
]
COLUMNS = ("name", "kind", "provider", "carried_by")


@app.command("set")
def set_(ctx: typer.Context, name: Name, provider: Provider) -> None:
    """Put a channel on a provider.

    Example: macli channel set email --provider local
    """
    macli = Macli.of(ctx)
    channels.set_provider(macli.store, name, provider)
    macli.out.say(f"the channel {name!r} is carried by {provider!r}")


@app.command("add")
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="email, sms, push or webhook.")],
    provider: Provider,
) -> None:
    """Add a channel beside the first of its kind, for campaigns that name it.

    Example: macli channel add receipts --kind email --provider local
    """
    macli = Macli.of(ctx)
    channels.create(macli.store, macli.now(), name, kind, provider=provider)
    macli.out.say(f"added the {kind} channel {name!r}, carried by {provider!r}")


@app.command("list")
def list_(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """List the channels and their providers.

    Example: macli channel list
    """
    macli = Macli.of(ctx)
    macli.out.rows(channels.list_all(macli.store), columns=COLUMNS, shape=options.shape(format, json))


@app.command("show")
def show(ctx: typer.Context, name: Name, format: options.Format = None, json: options.Json = False) -> None:
    """Show one channel.

    Example: macli channel show email
    """
    macli = Macli.of(ctx)
    channel = channels.get(macli.store, name)
    macli.out.record({column: channel[column] for column in COLUMNS}, shape=options.shape(format, json))


@app.command("rm")
def rm(ctx: typer.Context, name: Name) -> None:
    """Remove a channel that was added.

    Example: macli channel rm receipts
    """
    macli = Macli.of(ctx)
    channels.remove(macli.store, name)
    macli.out.say(f"removed the channel {name!r}")


@app.command("test")
def try_(
    ctx: typer.Context,
    name: Name,
    to: Annotated[
        str | None, typer.Option("--to", metavar="ADDRESS", help="Also send a test message to this address.")
    ] = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Try the provider a channel is on.

    Example: macli channel test email --to me@example.com
    """
    from macli.commands.provider import try_ as try_provider

    provider = channels.provider_of(Macli.of(ctx).store, name)
    try_provider(ctx, provider, to, format, json)
