"""``macli staff``: who works with macli, in which roles and groups."""

from typing import Annotated, TypeAlias

import typer

from macli.commands import options
from macli.context import Macli

app = typer.Typer(no_args_is_help=True, help="Who works with macli: their roles, their groups, what they own.")

_names = options.names_of("staff")

Name: TypeAlias = Annotated[str, typer.Argument(metavar="NAME", help="Who.", autocompletion=_names)]
FullName: TypeAlias = Annotated[str | None, typer.Option("--full-name", metavar="TEXT", help="As it is written out.")]
Email: TypeAlias = Annotated[str | None, typer.Option("--email", metavar="ADDRESS", help="Where alerts reach them.")]
Phone: TypeAlias = Annotated[str | None, typer.Option("--phone", metavar="NUMBER", help="The same, by SMS.")]
Roles: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--role", metavar="ROLE", help="A role; may be given again.", autocompletion=options.names_of("staff_roles")
    ),
]
Groups: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--group", metavar="GROUP", help="A group; may be given again.", autocompletion=options.names_of("staff_groups")
    ),
]


@app.command("add")
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What rules and commands call them.")],
    full_name: FullName = None,
    email: Email = None,
    phone: Phone = None,
    role: Roles = None,
    group: Groups = None,
) -> None:
    """Add somebody to the staff.

    Example: macli staff add anna --full-name 'Anna Kowalska' --email anna@shop.example --role sales --group north
    """
    from macli.store import staff

    macli = Macli.of(ctx)
    staff.add(
        macli.store,
        macli.now(),
        name,
        full_name=full_name or "",
        email=email,
        phone=phone,
        roles=role or (),
        groups=group or (),
        region=macli.setting("country"),
    )
    macli.out.say(f"{name} is on the staff")


@app.command("list")
def list_(
    ctx: typer.Context,
    role: Annotated[str | None, typer.Option("--role", metavar="ROLE", help="Only those who have it.")] = None,
    group: Annotated[str | None, typer.Option("--group", metavar="GROUP", help="Only those in it.")] = None,
    left: Annotated[bool, typer.Option("--left", help="Also those who have left.")] = False,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List the staff: roles, groups, how many contacts each owns and tasks each has to do.

    Example: macli staff list --group north
    """
    from macli.store import staff

    macli = Macli.of(ctx)
    rows = staff.list_all(macli.store, role=role, group=group, left=left)
    columns = staff.COLUMNS if left else staff.COLUMNS[:-1]
    macli.out.rows(rows, columns=columns, shape=options.shape(format, json))


@app.command("show")
def show(ctx: typer.Context, name: Name, format: options.Format = None, json: options.Json = False) -> None:
    """Show all that is known of one of the staff.

    Example: macli staff show anna
    """
    from macli.store import staff

    macli = Macli.of(ctx)
    macli.out.record(staff.show(macli.store, name), shape=options.shape(format, json))


@app.command("edit")
def edit(
    ctx: typer.Context,
    name: Name,
    rename: Annotated[str | None, typer.Option("--rename", metavar="NAME", help="Their new name.")] = None,
    full_name: FullName = None,
    email: Email = None,
    phone: Phone = None,
    role: Roles = None,
    no_role: Annotated[
        list[str] | None, typer.Option("--no-role", metavar="ROLE", help="A role to take away; may be given again.")
    ] = None,
    group: Groups = None,
    no_group: Annotated[
        list[str] | None, typer.Option("--no-group", metavar="GROUP", help="A group to leave; may be given again.")
    ] = None,
    active: Annotated[
        bool | None,
        typer.Option("--on/--off", help="Whether they can be given contacts and tasks, and act.", show_default=False),
    ] = None,
) -> None:
    """Change what is known of one of the staff; '' takes a value away.

    Example: macli staff edit anna --role sales --no-role intern --group north
    """
    from macli.people import renaming

    macli = Macli.of(ctx)
    renaming.edit(
        macli.store,
        macli.now(),
        name,
        rename=rename,
        full_name=full_name,
        email=email,
        phone=phone,
        roles=role or (),
        no_roles=no_role or (),
        groups=group or (),
        no_groups=no_group or (),
        active=active,
        region=macli.setting("country"),
    )
    macli.out.say(f"changed {rename or name}")


@app.command("rm")
def rm(
    ctx: typer.Context,
    name: Name,
    hand_over: Annotated[
        str | None,
        typer.Option(
            "--hand-over", metavar="OTHER", help="Who gets their contacts, tasks and deals.", autocompletion=_names
        ),
    ] = None,
    yes: options.Yes = False,
) -> None:
    """Take somebody off the staff. Where history names them they are kept as one who has left.

    Refused while they own contacts or have something to do, unless --hand-over says who takes over; that is asked.

    Example: macli staff rm anna --hand-over marek
    """
    from macli.people import leaving

    macli = Macli.of(ctx)
    if hand_over is not None and (had := leaving.outlook(macli.store, name, hand_over)):
        macli.out.confirm(f"take {name} off the staff and give {hand_over} {had}?", yes=yes)
    left = leaving.leave(macli.store, macli.now(), name, hand_over=hand_over)
    for line in left.lines():
        macli.out.say(line)


@app.command("groups")
def groups(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """List the groups, how many active members each has, and who.

    Example: macli staff groups
    """
    from macli.store import staff

    macli = Macli.of(ctx)
    macli.out.rows(staff.groups(macli.store), columns=("name", "members", "who"), shape=options.shape(format, json))
