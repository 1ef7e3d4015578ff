"""``macli category``: sort segments, templates and campaigns by name and colour."""

from typing import Annotated

import typer

from macli.commands import options
from macli.context import Macli
from macli.store import categories

app = typer.Typer(no_args_is_help=True, help="Sort segments, templates and campaigns, and say who may see them.")

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The category.", autocompletion=options.names_of("categories")),
]
Role = Annotated[
    str, typer.Argument(metavar="ROLE", help="A role of the staff.", autocompletion=options.names_of("staff_roles"))
]
Color = Annotated[str | None, typer.Option("--color", metavar="COLOR", help="#RRGGBB or a CSS name such as teal.")]


@app.command("create")
def create(ctx: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME")], color: Color = None) -> None:
    """Make a category.

    Example: macli category create "Email Promotions" --color teal
    """
    macli = Macli.of(ctx)
    categories.create(macli.store, macli.now(), name, color)
    macli.out.say(f"made the category {name!r}")


@app.command("list")
def list_(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """List the categories and how much is in each.

    Example: macli category list
    """
    macli = Macli.of(ctx)
    macli.out.rows(
        categories.list_all(macli.store),
        columns=("name", "color", "segments", "templates", "campaigns"),
        shape=options.shape(format, json),
    )


@app.command("show")
def show(ctx: typer.Context, name: Name, format: options.Format = None, json: options.Json = False) -> None:
    """Show one category and what is in it.

    Example: macli category show "Email Promotions"
    """
    macli = Macli.of(ctx)
    macli.out.record(categories.show(macli.store, name), shape=options.shape(format, json))


@app.command("edit")
def edit(
    ctx: typer.Context,
    name: Name,
    rename: Annotated[str | None, typer.Option("--rename", metavar="NAME", help="Its new name.")] = None,
    color: Color = None,
) -> None:
    """Change the name or the colour; --color '' takes the colour away.

    Example: macli category edit "Email Promotions" --color '#0088cc'
    """
    macli = Macli.of(ctx)
    categories.edit(macli.store, name, rename=rename, color=color)
    macli.out.say(f"changed the category {rename or name!r}")


@app.command("rm")
def rm(
    ctx: typer.Context,
    name: Name,
    reassign: Annotated[
        str | None,
        typer.Option(
            "--reassign",
            metavar="OTHER",
            help="Move what is in it to this category.",
            autocompletion=options.names_of("categories"),
        ),
    ] = None,
) -> None:
    """Remove a category; refused while something is in it, unless --reassign says where that goes.

    Example: macli category rm Spring --reassign "Email Promotions"
    """
    macli = Macli.of(ctx)
    moved = categories.remove(macli.store, name, reassign=reassign)
    macli.out.say(f"removed the category {name!r}" + (f"; {moved} moved to {reassign!r}" if moved else ""))


@app.command("grant")
def grant(
    ctx: typer.Context,
    name: Name,
    role: Role,
    access: Annotated[str, typer.Argument(metavar="none|view|edit", help="What the role may do there.")],
) -> None:
    """Say what a role may do with what is in a category: none, view or edit.

    A category without grants is open to everybody. Once it has one, roles that have none there see nothing of it;
    of several roles the best counts. The role admin, and commands typed as nobody of the staff, may do everything.

    Example: macli category grant "Email Promotions" sales view
    """
    from macli.store import grants

    macli = Macli.of(ctx)
    grants.grant(macli.store, name, role, access)
    words = {"none": "see nothing", "view": "see, not change, what is", "edit": "see and change what is"}
    macli.out.say(f"who has the role {role!r} may {words[access]} in {name!r}")
    if not grants.has(macli.store, role):
        macli.out.warn(f"nobody on the staff has the role {role!r}")


@app.command("revoke")
def revoke(ctx: typer.Context, name: Name, role: Role) -> None:
    """Take a role's grant in a category back; without any grant left it is open to everybody.

    Example: macli category revoke "Email Promotions" sales
    """
    from macli.store import grants

    macli = Macli.of(ctx)
    grants.revoke(macli.store, name, role)
    macli.out.say(f"took back what {role!r} was granted in {name!r}")


@app.command("access")
def access(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="One category; all of them.", autocompletion=options.names_of("categories")
        ),
    ] = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List which role may do what in which category, and who of the staff has the role.

    Example: macli category access
    """
    from macli.store import grants

    macli = Macli.of(ctx)
    macli.out.rows(grants.listed(macli.store, name), columns=grants.COLUMNS, shape=options.shape(format, json))
