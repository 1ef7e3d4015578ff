"""``macli page``: landing pages – make one, see it, change it, go back."""

from pathlib import Path
from typing import Annotated

import typer

from macli.commands import options
from macli.commands.component_verbs import give_html, register_rm, register_versions
from macli.context import Macli

app = typer.Typer(no_args_is_help=True, help="Landing pages, with forms, banners and downloads in them.")

KIND = "page"

Name = Annotated[str, typer.Argument(metavar="NAME", help="The page.", autocompletion=options.names_of("pages"))]
Html = Annotated[str | None, typer.Option("--html", metavar="FILE", help="HTML; - is standard input.")]
Markdown = Annotated[str | None, typer.Option("--markdown", metavar="FILE", help="Markdown.")]
Category = Annotated[
    str | None,
    typer.Option("--category", help="The category it is in.", autocompletion=options.names_of("categories")),
]
Version = Annotated[int | None, typer.Option("--version", help="An earlier version.")]


@app.command("create")
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    html: Html = None,
    markdown: Markdown = None,
    category: Category = None,
) -> None:
    """Make a page. {{ form("newsletter") }} in it shows a form, banner() and download() the like.

    Example: macli page create spring --markdown spring.md
    """
    from macli.forms import authoring
    from macli.store import categories

    macli = Macli.of(ctx)
    if category is None and (known := [row["name"] for row in categories.list_all(macli.store)]):
        category = macli.out.ask(f"Its category ({', '.join(known)}; empty for none)?")
    written = {"html": html, "markdown": markdown}
    slug = authoring.create_page(macli.store, macli.now(), name, written, category=category)
    macli.out.say(f"made the page {name!r}; macli serve shows it at {macli.setting('public_url') or ''}/p/{slug}")


@app.command("list")
def list_(
    ctx: typer.Context, category: Category = None, format: options.Format = None, json: options.Json = False
) -> None:
    """List the pages.

    Example: macli page list
    """
    from macli.forms.authoring import listed

    macli = Macli.of(ctx)
    macli.out.rows(
        listed(macli.store, KIND, category=category),
        columns=("name", "slug", "category", "written_in", "version", "updated_at"),
        shape=options.shape(format, json),
    )


@app.command("show")
def show(
    ctx: typer.Context,
    name: Name,
    version: Version = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Show a page: its address and its source.

    Example: macli page show spring
    """
    from macli.forms.authoring import described

    macli = Macli.of(ctx)
    record = described(macli.store, KIND, name, version, base=macli.setting("public_url") or "")
    macli.out.record(record, shape=options.shape(format, json))


@app.command("edit")
def edit(
    ctx: typer.Context, name: Name, html: Html = None, markdown: Markdown = None, category: Category = None
) -> None:
    """Change a page. Without options, its source opens in $EDITOR. The versions before are kept.

    Example: macli page edit spring --markdown spring.md
    """
    from macli.content.authoring import open_editor
    from macli.forms import authoring
    from macli.store import templates

    macli = Macli.of(ctx)
    if category is not None:
        templates.set_category(macli.store, macli.now(), name, category, kind=KIND)
        macli.out.say(f"{name!r} is in the category {category!r}")
    given = authoring.given_page({"html": html, "markdown": markdown})
    if category is not None and given is None:
        return

    def save(text: str, source_format: str, where: str) -> int:
        return authoring.edit_page(macli.store, macli.now(), name, text, source_format)

    number = (
        authoring.edit_in_editor(macli.store, KIND, name, open_editor, save) if given is None else save(*given, name)
    )
    macli.out.say("nothing changed" if number is None else f"{name!r} is at version {number}")


@app.command("preview")
def preview(
    ctx: typer.Context,
    name: Name,
    contact: Annotated[
        str | None,
        typer.Option("--contact", metavar="WHO", help="For whom.", autocompletion=options.names_of("contacts")),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the page to a file.")] = None,
    version: Version = None,
    json: options.Json = False,
) -> None:
    """Show a page as a visitor gets it, or as a contact who comes by a link in a mail.

    Example: macli page preview spring --out spring.html
    """
    from macli.web import preview as previews

    macli = Macli.of(ctx)
    html = previews.of_page(
        macli.store, macli.workspace.path, macli.now(), name, version, who=contact, setting=macli.setting
    )
    give_html(macli, html, json=json, out=out)


register_versions(
    app, KIND, kind=KIND, example="spring", columns=("number", "current", "source_format", "characters", "created_at")
)
register_rm(app, KIND, says="Remove a page and all its versions.", example="spring")
