"""``macli provider``: who carries messages – add one, try it, limit it, route through it."""

from typing import Annotated

import typer

from macli.commands import options, provider_kinds
from macli.context import Macli
from macli.providers.settings import read_changes
from macli.store import providers

app = typer.Typer(no_args_is_help=True, help="Who carries it: SMTP, SMTP2GO, Twilio, web push, a webhook, the outbox.")
app.add_typer(provider_kinds.app, name="add")
route = typer.Typer(no_args_is_help=True, help="Sub-accounts of a Twilio provider by the number's prefix.")
app.add_typer(route, name="route")

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The provider.", autocompletion=options.names_of("providers"))
]


@app.command("list")
def list_(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """List the providers, the channels on them and how their last test went.

    Example: macli provider list
    """
    macli = Macli.of(ctx)
    macli.out.rows(
        providers.list_all(macli.store),
        columns=("name", "kind", "channels", "limits", "tested_at", "test", "blocked_until_at"),
        shape=options.shape(format, json),
    )


@app.command("show")
def show(ctx: typer.Context, name: Name, format: options.Format = None, json: options.Json = False) -> None:
    """Show one provider; secrets by their references only.

    Example: macli provider show local
    """
    macli = Macli.of(ctx)
    macli.out.record(
        providers.show(macli.store, name, workspace=macli.workspace.path), shape=options.shape(format, json)
    )


@app.command("edit")
def edit(
    ctx: typer.Context,
    name: Name,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, as `provider show` names it."),
    ] = None,
    unset: Annotated[list[str] | None, typer.Option("--unset", metavar="KEY", help="Take a setting away.")] = None,
    rename: Annotated[str | None, typer.Option("--rename", metavar="NAME", help="Its new name.")] = None,
) -> None:
    """Change a provider's settings.

    Example: macli provider edit local --set port=587 --set password=env:SMTP_PASSWORD
    """
    macli = Macli.of(ctx)
    changes = read_changes(change or (), unset or ())
    providers.edit(macli.store, macli.now(), name, changes, workspace=macli.workspace.path, rename=rename)
    provider_kinds.warn_of_exposed(macli, rename or name)
    macli.out.say(f"changed the provider {rename or name!r}")


@app.command("rm")
def rm(ctx: typer.Context, name: Name) -> None:
    """Remove a provider that no channel is on and that has carried nothing.

    Example: macli provider rm local
    """
    macli = Macli.of(ctx)
    providers.remove(macli.store, name)
    macli.out.say(f"removed the provider {name!r}")


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
    """Try a provider: each step of the connection, and with --to a real message.

    Example: macli provider test local --to me@example.com
    """
    from macli.providers import trial

    macli = Macli.of(ctx)
    provider = providers.load(macli.store, name, workspace=macli.workspace.path)
    checks = trial.run(provider, to, sender=macli.setting("sender.email"), now=macli.now())
    providers.note_test(macli.store, macli.now(), name, checks)
    macli.out.rows(
        ({"step": check.step, "ok": check.ok, "detail": check.detail} for check in checks),
        columns=("step", "ok", "detail"),
        shape=options.shape(format, json),
    )
    trial.raise_failure(provider, checks)


@app.command("limit")
def limit(
    ctx: typer.Context,
    name: Name,
    limits: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[LIMIT]…", help="'14 per second', 'gmail.com=20 per minute', 'warm-up 500 x1.5 until 50000'."
        ),
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Take every limit away.")] = False,
) -> None:
    """Limit how fast a provider is used; the new limits replace the old. Alone, show them.

    Example: macli provider limit local '14 per second' 'gmail.com=20 per minute'
    """
    macli = Macli.of(ctx)
    written = providers.limits(macli.store, macli.now(), name, None if not limits and not none else limits or ())
    macli.out.say("\n".join(written) or f"{name!r} has no limits")


@app.command("unblock")
def unblock(ctx: typer.Context, name: Name) -> None:
    """Use a provider at once that rests after it refused a connection.

    Example: macli provider unblock local
    """
    macli = Macli.of(ctx)
    rested = providers.unblock(macli.store, name)
    macli.out.say(f"{name!r} is used again" if rested else f"{name!r} was not resting")


@app.command("dns-check")
def dns_check(
    ctx: typer.Context,
    name: Name,
    domain: Annotated[str | None, typer.Argument(metavar="[DOMAIN]", help="Of the sender, unless given.")] = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Show the DNS records a sending domain needs; they are not looked up: `macli doctor domain` does that.

    Example: macli provider dns-check go example.com
    """
    macli = Macli.of(ctx)
    macli.out.rows(
        providers.dns_records(macli.store, name, domain, sender=macli.setting("sender.email")),
        columns=("type", "name", "value", "for", "status"),
        shape=options.shape(format, json),
    )


@route.command("add")
def route_add(
    ctx: typer.Context,
    name: Name,
    prefix: Annotated[str, typer.Option("--prefix", metavar="+48", help="Numbers that begin so.")],
    account_sid: Annotated[str, typer.Option("--account-sid", metavar="AC…", help="The sub-account.")],
    auth_token: Annotated[str, typer.Option("--auth-token", metavar="REF", help="Its token: env:NAME or file:PATH.")],
    sender: Annotated[str | None, typer.Option("--from", metavar="NUMBER", help="Its number.")] = None,
    service: Annotated[
        str | None, typer.Option("--messaging-service-sid", metavar="MG…", help="Or its Messaging Service.")
    ] = None,
) -> None:
    """Send to numbers with a prefix by a sub-account; the longest prefix wins.

    Example: macli provider route add texts --prefix +48 --account-sid AC… --auth-token env:PL --from +48500100200
    """
    macli = Macli.of(ctx)
    entry = {
        "prefix": prefix,
        "account_sid": account_sid,
        "auth_token": auth_token,
        "from": sender,
        "messaging_service_sid": service,
    }
    providers.add_route(macli.store, macli.now(), name, entry, workspace=macli.workspace.path)
    macli.out.say(f"numbers beginning with {prefix} go by {account_sid}")


@route.command("list")
def route_list(ctx: typer.Context, name: Name, format: options.Format = None, json: options.Json = False) -> None:
    """List a provider's routes.

    Example: macli provider route list texts
    """
    macli = Macli.of(ctx)
    macli.out.rows(
        providers.routes(macli.store, name),
        columns=("prefix", "account_sid", "auth_token", "from", "messaging_service_sid"),
        shape=options.shape(format, json),
    )


@route.command("rm")
def route_rm(
    ctx: typer.Context, name: Name, prefix: Annotated[str, typer.Option("--prefix", metavar="+48", help="Its prefix.")]
) -> None:
    """Remove a route.

    Example: macli provider route rm texts --prefix +48
    """
    macli = Macli.of(ctx)
    providers.remove_route(macli.store, macli.now(), name, prefix, workspace=macli.workspace.path)
    macli.out.say(f"numbers beginning with {prefix} have no route of their own any more")
