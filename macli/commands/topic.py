"""``macli topic``: what messages are about, which contacts say yes or no to."""

from typing import Annotated, TypeAlias

import typer

from macli.commands import options
from macli.context import Macli

app = typer.Typer(no_args_is_help=True, help="Topics: what contacts can say yes or no to, apart from a whole channel.")

Name: TypeAlias = Annotated[
    str, typer.Argument(metavar="NAME", help="The topic.", autocompletion=options.names_of("topics"))
]
Title: TypeAlias = Annotated[
    str | None, typer.Option("--title", metavar="TEXT", help="What people read on the preference page.")
]
Description: TypeAlias = Annotated[
    str | None, typer.Option("--description", metavar="TEXT", help="A line below the title: what comes, and how often.")
]
Position: TypeAlias = Annotated[
    int | None, typer.Option("--position", metavar="N", help="Where it stands on the page.")
]


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What campaigns and consents call it.")],
    title: Title = None,
    description: Description = None,
    channel: Annotated[str, typer.Option("--channel", help="email, sms or push.")] = "email",
    position: Position = None,
) -> None:
    """Make a topic. Campaigns are about it by --topic; contacts see it on their preference page.

    Example: macli topic create newsletter --title 'Our newsletter' --description 'Once a month.'
    """
    from macli.store import topics

    macli = Macli.of(ctx)
    topics.create(
        macli.store,
        macli.now(),
        name,
        title=title,
        description=description or "",
        channel=channel,
        position=position,
    )
    macli.out.say(f"made the topic {name!r}")


@app.command("list")
def list_(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """List the topics, and how many contacts said yes or no to each or have still to confirm.

    Example: macli topic list
    """
    from macli.store import topics

    macli = Macli.of(ctx)
    macli.out.rows(topics.list_all(macli.store), columns=topics.COLUMNS, shape=options.shape(format, json))


@app.command()
def edit(
    ctx: typer.Context,
    name: Name,
    title: Title = None,
    description: Description = None,
    position: Position = None,
) -> None:
    """Change what people read of a topic, and where it stands.

    Example: macli topic edit newsletter --description 'At most once a month.' --position 1
    """
    from macli.store import topics

    macli = Macli.of(ctx)
    topics.edit(macli.store, name, title=title, description=description, position=position)
    macli.out.say(f"changed the topic {name!r}")


@app.command()
def rm(ctx: typer.Context, name: Name) -> None:
    """Remove a topic that no campaign is about. What contacts said of it stays in the consent log.

    Example: macli topic rm newsletter
    """
    from macli.store import topics

    macli = Macli.of(ctx)
    topics.remove(macli.store, name)
    macli.out.say(f"removed the topic {name!r}")
