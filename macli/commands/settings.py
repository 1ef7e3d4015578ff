"""``macli settings``: what holds for the whole workspace."""

from typing import Annotated

import typer

from macli import config
from macli.commands import options
from macli.context import Macli
from macli.store import settings

app = typer.Typer(no_args_is_help=True, help="Show and change settings.")


def _keys(incomplete: str) -> list[str]:
    return [key for key in config.REGISTRY if key.startswith(incomplete)]


Key = Annotated[str, typer.Argument(metavar="KEY", help="The setting.", autocompletion=_keys)]


@app.command("set")
def set_(
    ctx: typer.Context,
    key: Key,
    value: Annotated[list[str], typer.Argument(metavar="VALUE", help="What it shall be.")],
) -> None:
    """Change a setting.

    Example: macli settings set quiet_hours.sms 20:00-09:00
    """
    from macli.lifecycle import configuring

    macli = Macli.of(ctx)
    text = " ".join(value)
    configuring.put(macli.store, macli.now(), key, text)
    macli.out.say(f"{key} is {settings.in_force(macli.store, key)['value']}")


@app.command("get")
def get(ctx: typer.Context, key: Key, format: options.Format = None, json: options.Json = False) -> None:
    """Print the value in force, which is the default where none was set.

    Example: macli settings get timezone
    """
    macli = Macli.of(ctx)
    entry = settings.in_force(macli.store, key)
    shape = options.shape(format, json)
    if shape is None:
        macli.out.text(entry["value"] or "")
    else:
        macli.out.record(entry, shape=shape)


@app.command("list")
def list_(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """List every setting, the value in force, where it comes from and what it means.

    Example: macli settings list --format markdown
    """
    macli = Macli.of(ctx)
    entries = (settings.in_force(macli.store, key) for key in config.REGISTRY)
    macli.out.rows(entries, columns=("key", "value", "from", "meaning"), shape=options.shape(format, json))


@app.command("unset")
def unset(ctx: typer.Context, key: Key) -> None:
    """Take a value away, so that the default holds again.

    Example: macli settings unset quiet_hours.sms
    """
    from macli.lifecycle import configuring

    macli = Macli.of(ctx)
    was_set = configuring.unset(macli.store, key)
    value = settings.in_force(macli.store, key)["value"]
    macli.out.say(f"{key} {'is' if was_set else 'was'} {value or 'unset'}")
