"""``macli owner rule``: which contacts get which owner."""

from typing import Annotated, Any, TypeAlias

import typer

from macli.commands import options
from macli.context import Macli

app = typer.Typer(no_args_is_help=True, help="Rules that give new contacts an owner; the first that fits counts.")

Name: TypeAlias = Annotated[
    str, typer.Argument(metavar="NAME", help="The rule.", autocompletion=options.names_of("owner_rules"))
]
To: TypeAlias = Annotated[
    str | None,
    typer.Option("--to", metavar="STAFF", help="Who gets them.", autocompletion=options.names_of("staff")),
]
RoundRobin: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--round-robin",
        metavar="GROUP",
        help="The active members of this group get them in turn.",
        autocompletion=options.names_of("staff_groups"),
    ),
]

_COLUMNS = ("position", "name", "to", "round_robin", "where", "active")


@app.command("add")
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    to: To = None,
    round_robin: RoundRobin = None,
    where: options.Where = None,
) -> None:
    """Add a rule behind the others. It is asked about contacts that are new from now on and have no main owner.

    macli owner assign asks it about those that are there already.

    Example: macli owner rule add canada --round-robin north --where 'country = "Canada"'
    """
    from macli.selection import check
    from macli.store import owners

    macli = Macli.of(ctx)
    if where is not None:
        check(macli.store, where, macli.now(), macli.zone)
    owners.add_rule(macli.store, macli.now(), name, owners.target(macli.store, to, round_robin), where)
    macli.out.say(f"made the owner rule {name!r}; new contacts get their owner with the next tick")


@app.command("list")
def list_(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """List the rules in their order.

    Example: macli owner rule list
    """
    from macli.store import owners

    macli = Macli.of(ctx)
    rows = ({**dict(row), "where": row["rule"], "active": bool(row["active"])} for row in owners.rules(macli.store))
    macli.out.rows(rows, columns=_COLUMNS, shape=options.shape(format, json))


@app.command("edit")
def edit(
    ctx: typer.Context,
    name: Name,
    to: To = None,
    round_robin: RoundRobin = None,
    where: options.Where = None,
    active: Annotated[bool | None, typer.Option("--on/--off", help="Whether it is asked.", show_default=False)] = None,
) -> None:
    """Change whom a rule gives contacts to, which, or whether it is asked; --where '' means all.

    Example: macli owner rule edit canada --to anna
    """
    from macli.selection import check
    from macli.store import owners

    macli = Macli.of(ctx)
    changes: dict[str, Any] = {}
    if to is not None or round_robin is not None:
        target = owners.target(macli.store, to, round_robin)
        changes |= {"staff_id": target.staff_id, "group_key": target.group_key}
    if where is not None:
        if where.strip():
            check(macli.store, where, macli.now(), macli.zone)
        changes["rule"] = where if where.strip() else None
    if active is not None:
        changes["active"] = int(active)
    owners.edit_rule(macli.store, macli.now(), name, changes)
    macli.out.say(f"changed the owner rule {name!r}")


@app.command("move")
def move(
    ctx: typer.Context,
    name: Name,
    position: Annotated[int, typer.Argument(metavar="POSITION", min=1, help="Its new place; 1 is the first.")],
) -> None:
    """Put a rule at another place in the order.

    Example: macli owner rule move canada 1
    """
    from macli.store import owners

    macli = Macli.of(ctx)
    owners.move_rule(macli.store, name, position)
    macli.out.say(f"{name!r} is now rule {owners.get_rule(macli.store, name)['position']}")


@app.command("rm")
def rm(ctx: typer.Context, name: Name) -> None:
    """Forget a rule; the owners it gave stay.

    Example: macli owner rule rm canada
    """
    from macli.store import owners

    macli = Macli.of(ctx)
    owners.remove_rule(macli.store, name)
    macli.out.say(f"removed the owner rule {name!r}")
