"""``macli hook``: where providers and other systems report, and the secrets they know."""

from typing import Annotated

import typer

from macli.commands import options
from macli.context import Macli

app = typer.Typer(no_args_is_help=True, help="Where providers and your own systems report what happened.")

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A provider, or `events` for your own systems.",
        autocompletion=options.names_of("providers"),
    ),
]


@app.command("list")
def list_(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """List the addresses to enter at Twilio, at SMTP2GO and in your own systems; secrets by reference.

    Example: macli hook list
    """
    from macli.responses import hooks

    macli = Macli.of(ctx)
    macli.out.rows(
        hooks.listed(macli.store, macli.workspace.path, macli.setting("public_url")),
        columns=("name", "from", "for", "url", "secret"),
        shape=options.shape(format, json),
    )


@app.command("url")
def url(ctx: typer.Context, name: Name, format: options.Format = None, json: options.Json = False) -> None:
    """Write a hook's whole addresses, ready to be pasted: with the secret, where there is one in it.

    Example: macli hook url go
    """
    from macli.responses import hooks

    macli, shape = Macli.of(ctx), options.shape(format, json)
    addresses = hooks.addresses(macli.store, macli.workspace.path, macli.setting("public_url"), name)
    if shape is None:
        macli.out.text("\n".join(addresses))
    else:
        macli.out.rows(({"url": one} for one in addresses), columns=("url",), shape=shape)


@app.command("secret")
def secret(
    ctx: typer.Context,
    name: Name,
    new: Annotated[bool, typer.Option("--new", help="Replace it; the old one opens nothing any more.")] = False,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Make a hook's secret, in a file only you can read; where there is one, say where.

    Example: macli hook secret events
    """
    from macli.responses import hooks

    macli, shape = Macli.of(ctx), options.shape(format, json)
    kept, made = hooks.make(macli.store, macli.workspace.path, name, anew=new)
    if shape is not None:
        macli.out.record({"name": name, "secret": str(kept), "made": made}, shape=shape)
    macli.out.say(f"{'made' if made else 'it is in'} {kept.path}", shape=shape)
