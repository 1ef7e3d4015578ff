"""``macli form``: forms on the web – make one, see it, change it, put it into a page."""

from pathlib import Path
from typing import Annotated

import typer

from macli.commands import options
from macli.commands.component_verbs import give_html, register_rm, register_versions
from macli.context import Macli

app = typer.Typer(no_args_is_help=True, help="Forms on the web: sign-ups, requests, consents.")

KIND = "form"

Name = Annotated[str, typer.Argument(metavar="NAME", help="The form.", autocompletion=options.names_of("forms"))]
File = Annotated[
    str | None, typer.Option("--file", metavar="FILE", help="Its definition in YAML; - is standard input.")
]
Category = Annotated[
    str | None,
    typer.Option("--category", help="The category it is in.", autocompletion=options.names_of("categories")),
]
Version = Annotated[int | None, typer.Option("--version", help="An earlier version.")]


@app.command("create")
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    file: File = None,
    field: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="NAME[!]", help="A field; with ! it has to be filled. Repeatable."),
    ] = None,
    topic: Annotated[
        list[str] | None, typer.Option("--topic", help="A consent to be asked for, by its topic. Repeatable.")
    ] = None,
    consent: Annotated[str | None, typer.Option("--consent", metavar="TEXT", help="The words of the consent.")] = None,
    double_opt_in: Annotated[
        bool, typer.Option("--double-opt-in", help="A yes counts when it was confirmed by mail.")
    ] = False,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="A tag for who sends it. Repeatable.")] = None,
    thanks: Annotated[str | None, typer.Option("--thanks", metavar="TEXT", help="What is said afterwards.")] = None,
    redirect: Annotated[
        str | None, typer.Option("--redirect", metavar="URL", help="Where it leads afterwards.")
    ] = None,
    category: Category = None,
) -> None:
    """Make a form, of a YAML file or of these options.

    Example: macli form create newsletter --field email! --field first_name --topic news --double-opt-in
    """
    from macli.content.authoring import read_text
    from macli.errors import UsageError
    from macli.forms import authoring
    from macli.store import categories

    macli = Macli.of(ctx)
    if file is not None and (field or topic or consent or double_opt_in or tag or thanks or redirect):
        raise UsageError("--file says all of it; the other options are for a form without a file")
    if file is not None:
        text = read_text(file)
    else:
        text = authoring.short_form(
            macli.store,
            field or (),
            about=topic or (),
            consent=consent,
            double_opt_in=double_opt_in,
            tags=tag or [],
            thanks=thanks,
            redirect=redirect,
        )
    if category is None and (known := [row["name"] for row in categories.list_all(macli.store)]):
        category = macli.out.ask(f"Its category ({', '.join(known)}; empty for none)?")
    where = name if file in (None, "-") else str(file)
    saved = authoring.create_form(macli.store, macli.now(), name, text, where=where, category=category)
    macli.out.say(f"made the form {name!r}; macli serve shows it at {macli.setting('public_url') or ''}/f/{saved.slug}")
    _tell(macli, saved.topics)


@app.command("list")
def list_(
    ctx: typer.Context, category: Category = None, format: options.Format = None, json: options.Json = False
) -> None:
    """List the forms, and how often each was sent.

    Example: macli form list
    """
    from macli.forms.authoring import listed

    macli = Macli.of(ctx)
    macli.out.rows(
        listed(macli.store, KIND, category=category),
        columns=("name", "slug", "category", "version", "sent", "contacts", "updated_at"),
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
    """Show a form: its address and its definition.

    Example: macli form show newsletter
    """
    from macli.forms.authoring import described

    macli = Macli.of(ctx)
    record = described(macli.store, KIND, name, version, base=macli.setting("public_url") or "")
    macli.out.record(record, shape=options.shape(format, json))


@app.command("edit")
def edit(ctx: typer.Context, name: Name, file: File = None, category: Category = None) -> None:
    """Change a form. Without options, its definition opens in $EDITOR. The versions before are kept.

    Example: macli form edit newsletter --file newsletter.yaml
    """
    from macli.content.authoring import open_editor, read_text
    from macli.forms import authoring
    from macli.store import templates

    macli = Macli.of(ctx)
    if category is not None:
        templates.set_category(macli.store, macli.now(), name, category, kind=KIND)
        macli.out.say(f"{name!r} is in the category {category!r}")
    if category is not None and file is None:
        return

    def save(text: str, source_format: str, where: str) -> int:
        saved = authoring.edit_form(macli.store, macli.now(), name, text, where=where)
        _tell(macli, saved.topics)
        return saved.version

    number = (
        authoring.edit_in_editor(macli.store, KIND, name, open_editor, save)
        if file is None
        else save(read_text(file), "yaml", name if file == "-" else file)
    )
    macli.out.say("nothing changed" if number is None else f"{name!r} is at version {number}")


@app.command("preview")
def preview(
    ctx: typer.Context,
    name: Name,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the page to a file.")] = None,
    version: Version = None,
    json: options.Json = False,
) -> None:
    """Show a form's page as a visitor gets it.

    Example: macli form preview newsletter --out newsletter.html
    """
    from macli.web import preview as previews

    macli = Macli.of(ctx)
    html = previews.of_form(macli.store, macli.workspace.path, macli.now(), name, version)
    give_html(macli, html, json=json, out=out)


@app.command("embed")
def embed(ctx: typer.Context, name: Name, json: options.Json = False) -> None:
    """Print the HTML that puts a form into a page of another site. Its host has to be among tracker.domains.

    Example: macli form embed newsletter
    """
    from macli.web import preview as previews

    macli = Macli.of(ctx)
    html = previews.embedded(macli.store, name, base=macli.setting("public_url"))
    give_html(macli, html, json=json)


register_versions(app, KIND, kind=KIND, example="newsletter", columns=("number", "current", "characters", "created_at"))
register_rm(app, KIND, says="Remove a form and all its versions. What came in by it stays.", example="newsletter")


def _tell(macli: Macli, topics: tuple[str, ...]) -> None:
    for topic in topics:
        macli.out.say(f"made the topic {topic!r}, which preference pages offer; macli topic edit gives it a title")
