"""``macli template``: what is written – make it, see it, check it, change it, go back."""

from pathlib import Path
from typing import Annotated

import typer

from macli.commands import options
from macli.commands.component_verbs import register_versions
from macli.context import Macli

app = typer.Typer(no_args_is_help=True, help="What is written: e-mail and text message templates.")

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The template.", autocompletion=options.names_of("templates"))
]
Category = Annotated[
    str | None,
    typer.Option("--category", help="The category it is in.", autocompletion=options.names_of("categories")),
]
Subject = Annotated[str | None, typer.Option("--subject", help="The subject: 'Hi {{ first_name }}'.")]
Html = Annotated[str | None, typer.Option("--html", metavar="FILE", help="HTML; - is standard input.")]
Mjml = Annotated[str | None, typer.Option("--mjml", metavar="FILE", help="MJML.")]
Markdown = Annotated[str | None, typer.Option("--markdown", metavar="FILE", help="Markdown.")]
Text = Annotated[
    str | None, typer.Option("--text", metavar="FILE", help="The text part; made from the HTML where absent.")
]
Sms = Annotated[str | None, typer.Option("--sms", metavar="TEXT", help="The text of a text message.")]
Push = Annotated[
    str | None, typer.Option("--push", metavar="FILE", help="A push message: YAML with title, body, url and icon.")
]
Webhook = Annotated[str | None, typer.Option("--webhook", metavar="FILE", help="What is posted to a webhook.")]
Default = Annotated[
    list[str] | None,
    typer.Option("--default", metavar="NAME=VALUE", help="What a contact without NAME gets. Repeatable."),
]
Attach = Annotated[list[str] | None, typer.Option("--attach", metavar="FILE", help="Attach a file. Repeatable.")]
Contact = Annotated[
    str | None,
    typer.Option("--contact", metavar="WHO", help="For whom.", autocompletion=options.names_of("contacts")),
]


@app.command("create")
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    subject: Subject = None,
    html: Html = None,
    text: Text = None,
    mjml: Mjml = None,
    markdown: Markdown = None,
    sms: Sms = None,
    push: Push = None,
    webhook: Webhook = None,
    category: Category = None,
    default: Default = None,
    attach: Attach = None,
) -> None:
    """Make a template for e-mail (--html, --mjml, --markdown, --text), text or push messages or a webhook.

    Example: macli template create hello --subject 'Hi {{ first_name }}' --html hello.html
    """
    from macli.content import authoring
    from macli.store import categories

    macli = Macli.of(ctx)
    written = authoring.Written(
        subject=subject,
        html=html,
        mjml=mjml,
        markdown=markdown,
        text=text,
        sms=sms,
        push=push,
        webhook=webhook,
        defaults=default or (),
        attach=attach or (),
    )
    if category is None and (known := [row["name"] for row in categories.list_all(macli.store)]):
        category = macli.out.ask(f"Its category ({', '.join(known)}; empty for none)?")
    authoring.create(macli.store, macli.now(), name, written, category=category)
    macli.out.say(f"made the template {name!r}; macli template preview {name!r} shows it")
    _warn(macli, name)


@app.command("list")
def list_(
    ctx: typer.Context,
    category: Category = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List the templates.

    Example: macli template list --category "Email Promotions"
    """
    from macli.store import templates

    macli = Macli.of(ctx)
    macli.out.rows(
        templates.list_all(macli.store, category=category),
        columns=("name", "kind", "category", "subject", "written_in", "version", "updated_at"),
        shape=options.shape(format, json),
    )


@app.command("show")
def show(
    ctx: typer.Context,
    name: Name,
    version: Annotated[int | None, typer.Option("--version", help="An earlier version.")] = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Show a template: its parts as they are rendered, its source, what it needs to know of a contact.

    Example: macli template show hello
    """
    from macli.content.preview import described

    macli = Macli.of(ctx)
    macli.out.record(described(macli.store, name, version), shape=options.shape(format, json))


@app.command("edit")
def edit(
    ctx: typer.Context,
    name: Name,
    subject: Subject = None,
    html: Html = None,
    text: Text = None,
    mjml: Mjml = None,
    markdown: Markdown = None,
    sms: Sms = None,
    push: Push = None,
    webhook: Webhook = None,
    category: Category = None,
    default: Default = None,
    attach: Attach = None,
) -> None:
    """Change a template. Without options, its source opens in $EDITOR. The versions before are kept.

    Example: macli template edit hello --subject 'Hello {{ first_name }}'
    """
    from macli.content import authoring
    from macli.store import templates

    macli = Macli.of(ctx)
    written = authoring.Written(
        subject=subject,
        html=html,
        mjml=mjml,
        markdown=markdown,
        text=text,
        sms=sms,
        push=push,
        webhook=webhook,
        defaults=default or (),
        attach=attach or (),
    )
    if category is not None:
        templates.set_category(macli.store, macli.now(), name, category)
        macli.out.say(f"{name!r} is in the category {category!r}")
    if category is not None and written.empty:
        return
    number = (
        authoring.edit_in_editor(macli.store, macli.now(), name, authoring.open_editor)
        if written.empty
        else authoring.edit(macli.store, macli.now(), name, written)
    )
    macli.out.say("nothing changed" if number is None else f"{name!r} is at version {number}")
    _warn(macli, name)


@app.command("preview")
def preview(
    ctx: typer.Context,
    name: Name,
    contact: Contact = None,
    html_out: Annotated[
        Path | None, typer.Option("--html-out", metavar="FILE", help="Write the HTML part to a file.")
    ] = None,
    version: Annotated[int | None, typer.Option("--version", help="An earlier version.")] = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Show a template as a contact would get it; without one, with each value's name in its place.

    Example: macli template preview hello --contact ann@example.com --html-out hello.html
    """
    from macli.content import preview as previews

    macli = Macli.of(ctx)
    shown = previews.of_template(
        macli.store, name, contact, number=version, setting=macli.setting, now=macli.now().astimezone(macli.zone)
    )
    if html_out is not None:
        previews.write_html(shown, html_out)
        macli.out.say(f"wrote {html_out}")
    elif options.shape(format, json) is not None:
        macli.out.record(previews.record_of(shown), shape=options.shape(format, json))
    else:
        macli.out.text(previews.text_of(shown))


register_versions(
    app,
    "template",
    kind=None,
    example="hello",
    columns=("number", "current", "subject", "source_format", "characters", "created_at"),
)


@app.command("attach")
def attach(ctx: typer.Context, name: Name, file: Annotated[str, typer.Argument(metavar="FILE")]) -> None:
    """Attach a file to an e-mail template.

    Example: macli template attach welcome ebook.pdf
    """
    from macli.content import authoring

    macli = Macli.of(ctx)
    number = authoring.edit(macli.store, macli.now(), name, authoring.Written(attach=(file,)))
    macli.out.say(f"{name!r} is at version {number}, with {Path(file).name}")


@app.command("detach")
def detach(ctx: typer.Context, name: Name, file: Annotated[str, typer.Argument(metavar="FILE")]) -> None:
    """Take an attached file off a template.

    Example: macli template detach welcome ebook.pdf
    """
    from macli.content import authoring

    macli = Macli.of(ctx)
    number = authoring.detach(macli.store, macli.now(), name, file)
    macli.out.say(f"{name!r} is at version {number}, without {file}")


@app.command("lint")
def lint(ctx: typer.Context, name: Name, format: options.Format = None, json: options.Json = False) -> None:
    """Say what may harm a template on its way: size, missing alt texts, no way to unsubscribe, shouting.

    Example: macli template lint hello
    """
    from macli.content.lint import lint_template

    macli = Macli.of(ctx)
    macli.out.rows(
        (finding._asdict() for finding in lint_template(macli.store, name)),
        columns=("level", "message"),
        shape=options.shape(format, json),
    )


@app.command("rm")
def rm(ctx: typer.Context, name: Name, yes: options.Yes = False) -> None:
    """Remove a template and all its versions.

    Example: macli template rm hello --yes
    """
    from macli.campaign import uses
    from macli.store import templates

    macli = Macli.of(ctx)
    template = templates.find(macli.store, name)
    used_by = uses.using_template(macli.store, template["name"])
    if not used_by:
        macli.out.confirm(f"remove the template {template['name']!r} and all its versions?", yes=yes)
    templates.remove(macli.store, name, used_by=used_by)
    macli.out.say(f"removed the template {template['name']!r}")


def _warn(macli: Macli, name: str) -> None:
    """Say what ``lint`` warns of; its notes are for who asks."""
    from macli.content.lint import lint_template

    for finding in lint_template(macli.store, name):
        if finding.level == "warning":
            macli.out.warn(f"{name}: {finding.message}")
