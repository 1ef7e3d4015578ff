"""``macli attribute``: what is known about contacts, by name and type."""

from typing import Annotated, TypeAlias

import typer

from macli.commands import options
from macli.context import Macli
from macli.errors import UnknownName
from macli.model import ATTRIBUTE_TYPES, AttributeType

app = typer.Typer(no_args_is_help=True, help="Attributes: the facts about contacts, each a name and a type.")

Name: TypeAlias = Annotated[
    str, typer.Argument(metavar="NAME", help="The attribute.", autocompletion=options.names_of("attributes"))
]
Type: TypeAlias = Annotated[str, typer.Option("--type", metavar="TYPE", help=f"One of {', '.join(ATTRIBUTE_TYPES)}.")]


@app.command()
def create(ctx: typer.Context, name: Name, kind: Type) -> None:
    """Declare an attribute before anybody has it; an import or --set does so by itself.

    Example: macli attribute create birthday --type date
    """
    from macli.address import attribute_name
    from macli.clock import to_ms
    from macli.store import attributes

    macli = Macli.of(ctx)
    made = attributes.declare(macli.store, to_ms(macli.now()), name, _type(kind))
    macli.out.say(f"{'made' if made else 'there is'} the attribute {attribute_name(name)} ({kind})")


@app.command("list")
def list_(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """List the attributes.

    Example: macli attribute list
    """
    from macli.store import attributes

    macli = Macli.of(ctx)
    rows = [{"name": name, "type": kind} for name, kind in attributes.types(macli.store).items()]
    macli.out.rows(rows, columns=("name", "type"), shape=options.shape(format, json))


@app.command()
def show(ctx: typer.Context, name: Name, format: options.Format = None, json: options.Json = False) -> None:
    """Show an attribute: how many contacts have it, and its commonest values.

    Example: macli attribute show country
    """
    from macli.store import attributes

    macli = Macli.of(ctx)
    found = attributes.get(macli.store, name)
    known = {
        "name": found["name"],
        "type": found["type"],
        "created_at": found["created_at"],
        "contacts": attributes.count_of(macli.store, found["name"]),
        "commonest": {str(row["value"]): row["contacts"] for row in attributes.commonest(macli.store, found["name"])},
    }
    macli.out.record(known, shape=options.shape(format, json))


@app.command()
def edit(ctx: typer.Context, name: Name, kind: Type) -> None:
    """Give an attribute another type and convert its values; nothing changes where one does not fit.

    Example: macli attribute edit orders --type number
    """
    from macli.clock import to_ms
    from macli.store import attributes

    macli = Macli.of(ctx)
    changed = attributes.retype(macli.store, to_ms(macli.now()), name, _type(kind), macli.zone)
    macli.out.say(f"{name} holds {kind} now; {changed:,} contacts changed")


@app.command()
def index(
    ctx: typer.Context,
    name: Name,
    off: Annotated[bool, typer.Option("--off", help="Take the index away.")] = False,
) -> None:
    """Index an attribute: rules that compare it find their contacts without reading everyone's.

    Worth it from some hundred thousand contacts; each import and change then costs a little more.

    Example: macli attribute index country
    """
    from macli.store import attributes

    macli = Macli.of(ctx)
    if off:
        attributes.unindex(macli.store, name)
    else:
        attributes.index(macli.store, name)
    macli.out.say(f"{'took the index off' if off else 'indexed'} {name}")


@app.command()
def rm(ctx: typer.Context, name: Name, yes: options.Yes = False) -> None:
    """Forget an attribute, and its value on every contact.

    Example: macli attribute rm fax --yes
    """
    from macli.clock import to_ms
    from macli.store import attributes

    macli = Macli.of(ctx)
    found = attributes.get(macli.store, name)["name"]
    count = attributes.count_of(macli.store, found)
    macli.out.confirm(f"forget {found} of {count:,} contacts?", yes=yes)
    attributes.remove(macli.store, to_ms(macli.now()), found)
    macli.out.say(f"forgot {found}, which {count:,} contacts had")


def _type(text: str) -> AttributeType:
    for known in ATTRIBUTE_TYPES:
        if known == text:
            return known
    raise UnknownName("type", text, ATTRIBUTE_TYPES, hint=f"one of {', '.join(ATTRIBUTE_TYPES)}")
