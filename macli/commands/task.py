"""``macli task``: what somebody here has to do, by when, about whom."""

from typing import Annotated, TypeAlias

import typer

from macli.commands import options
from macli.commands import people_options as people
from macli.context import Macli

app = typer.Typer(no_args_is_help=True, help="Tasks: what somebody here has to do, by when, about whom.")

Number: TypeAlias = Annotated[int, people.number("task")]
For: TypeAlias = Annotated[
    str | None,
    typer.Option("--for", metavar="STAFF", help="Who has to do it.", autocompletion=options.names_of("staff")),
]
Due: TypeAlias = Annotated[
    str | None, typer.Option("--due", metavar="TIME", help="By when: 'tomorrow 9:00', 'in 3 days', 2026-12-24.")
]
Description: TypeAlias = Annotated[
    str | None, typer.Option("--description", metavar="TEXT", help="More words; - is standard input.")
]


@app.command()
def add(
    ctx: typer.Context,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What is to be done, in a line.")],
    contact: people.About = None,
    deal: Annotated[int | None, typer.Option("--deal", metavar="ID", help="The deal it is about.")] = None,
    assignee: For = None,
    due: Due = None,
    description: Description = None,
    by: people.By = None,
) -> None:
    """Give somebody something to do, about a contact or a deal or neither.

    Example: macli task add 'Call about the offer' --contact ann@example.com --for anna --due 'tomorrow 9:00'
    """
    from macli.people import tasks

    macli = Macli.of(ctx)
    number = tasks.add(
        macli.store,
        macli.now(),
        title,
        "cli",
        contact_id=people.contact_or_none(macli, contact),
        deal_id=deal,
        description=people.typed(description or ""),
        assignee_id=people.staff_id(macli, assignee),
        author_id=people.by(macli, by),
        due_at=people.due(macli, due),
    )
    macli.out.say(f"made task {number}")


@app.command("list")
def list_(
    ctx: typer.Context,
    contact: people.Only = None,
    mine: Annotated[bool, typer.Option("--mine", help="Yours; --as says who you are.")] = False,
    assignee: For = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Open ones whose time has passed.")] = False,
    closed: Annotated[bool, typer.Option("--all", help="Done and called off ones too.")] = False,
    where: options.Where = None,
    limit: people.Limit = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List open tasks, those due first.

    --where asks for a task's own fields, and for all that rules know of its contact; its tasks may be closed.

    Example: macli task list --overdue --where 'assignee = anna and score >= 50'
    """
    from macli.clock import to_ms
    from macli.store import tasks

    macli = Macli.of(ctx)
    wheres = people.narrowed(macli, "task", "tasks", where, contact)
    whose = people.whose(macli, mine, assignee)
    wheres += [] if whose is None else [tasks.of_assignee(whose)]
    wheres += [tasks.overdue(to_ms(macli.now()))] if overdue else []
    wheres += [] if closed or where is not None else [tasks.OPEN]
    rows = tasks.listed(macli.store, *wheres, limit=limit)
    macli.out.rows(rows, columns=tasks.COLUMNS, shape=options.shape(format, json))


@app.command()
def show(ctx: typer.Context, number: Number, format: options.Format = None, json: options.Json = False) -> None:
    """Show one task whole.

    Example: macli task show 12
    """
    from macli.store import tasks

    macli = Macli.of(ctx)
    people.show(macli, tasks.get(macli.store, number), options.shape(format, json))


@app.command()
def edit(
    ctx: typer.Context,
    number: Number,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="What is to be done.")] = None,
    assignee: For = None,
    due: Due = None,
    description: Description = None,
) -> None:
    """Change what is to be done, by whom or by when; --for '' and --due '' take that away.

    Example: macli task edit 12 --due 'in 2 days' --for ben
    """
    from macli.people import tasks

    macli = Macli.of(ctx)
    words = None if description is None else people.typed(description)
    changes = people.changes(
        {"title": title, "assignee_id": assignee, "due_at": due, "description": words},
        {
            "assignee_id": lambda name: people.staff_id(macli, name),
            "due_at": lambda moment: people.due(macli, moment),
        },
    )
    tasks.edit(macli.store, macli.now(), number, changes)
    macli.out.say(f"changed task {number}")


@app.command()
def done(ctx: typer.Context, number: Number) -> None:
    """Note that a task is done.

    Example: macli task done 12
    """
    from macli.people import tasks

    macli = Macli.of(ctx)
    closed = tasks.close(macli.store, macli.now(), number, "done", "cli")
    macli.out.say(f"task {number} is done" if closed else f"task {number} was closed already")


@app.command()
def cancel(ctx: typer.Context, number: Number) -> None:
    """Call a task off.

    Example: macli task cancel 12
    """
    from macli.people import tasks

    macli = Macli.of(ctx)
    closed = tasks.close(macli.store, macli.now(), number, "cancelled", "cli")
    macli.out.say(f"task {number} is called off" if closed else f"task {number} was closed already")


@app.command()
def reopen(ctx: typer.Context, number: Number) -> None:
    """Make a task open again.

    Example: macli task reopen 12
    """
    from macli.people import tasks

    macli = Macli.of(ctx)
    opened = tasks.reopen(macli.store, macli.now(), number)
    macli.out.say(f"task {number} is open again" if opened else f"task {number} was open already")


@app.command()
def rm(ctx: typer.Context, number: Number) -> None:
    """Delete a task.

    Example: macli task rm 12
    """
    from macli.people import tasks

    macli = Macli.of(ctx)
    tasks.remove(macli.store, macli.now(), number)
    macli.out.say(f"removed task {number}")
