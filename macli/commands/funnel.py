"""``macli funnel``: ordered stages that people and campaigns move contacts through, as many as there are sales."""

from typing import Annotated, TypeAlias

import typer

from macli.clock import to_ms
from macli.commands import funnel_options, meant, options
from macli.commands.contact_changes import Contact, people
from macli.context import Macli
from macli.errors import UsageError
from macli.texts import count_of

app = typer.Typer(no_args_is_help=True, help="Funnels: ordered stages that contacts are moved through.")

Name: TypeAlias = Annotated[
    str, typer.Argument(metavar="FUNNEL", help="The funnel.", autocompletion=options.names_of("funnels"))
]
Description: TypeAlias = Annotated[str | None, typer.Option("--description", metavar="TEXT", help="What it is for.")]


@app.command("create")
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    stages: Annotated[str, typer.Option("--stages", metavar="NAMES", help="Its stages in order: 'Lead, Offer, Won'.")],
    description: Description = None,
) -> None:
    """Make a funnel. Points can be counted on each of its stages apart (stage:FUNNEL/STAGE).

    Example: macli funnel create Sales --stages "Lead, Offer, Won"
    """
    from macli.lifecycle import arranging
    from macli.store import funnels

    macli = Macli.of(ctx)
    names = arranging.split(stages)
    funnels.create(macli.store, to_ms(macli.now()), name, names, description or "")
    macli.out.say(f"made the funnel {name!r} with {count_of(len(names), 'stage')}")


@app.command("list")
def list_(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """List the funnels, their stages, and how many contacts stand in each.

    Example: macli funnel list
    """
    from macli.store import funnels

    macli = Macli.of(ctx)
    rows = [
        {**dict(row), "stages": [stage["name"] for stage in funnels.stages(macli.store, row["id"])]}
        for row in funnels.listed(macli.store)
    ]
    columns = ("name", "stages", "contacts", "description")
    macli.out.rows(rows, columns=columns, shape=options.shape(format, json))


@app.command("show")
def show(ctx: typer.Context, funnel: Name, format: options.Format = None, json: options.Json = False) -> None:
    """Show the stages of a funnel and how many contacts stand on each.

    Example: macli funnel show Sales
    """
    from macli.store import funnels

    macli, shape = Macli.of(ctx), options.shape(format, json)
    known = funnels.get(macli.store, funnel)
    rows = funnels.standing(macli.store, known["id"])
    if shape in ("json", "ndjson"):
        facts = {"name": known["name"], "description": known["description"]}
        macli.out.record({**facts, "stages": [dict(row) for row in rows]}, shape=shape)
        return
    title = f"{known['name']}: {known['description']}" if known["description"] else known["name"]
    macli.out.rows(rows, columns=("position", "stage", "contacts"), shape=shape, title=title)


@app.command("edit")
def edit(
    ctx: typer.Context,
    funnel: Name,
    rename: Annotated[str | None, typer.Option("--rename", metavar="NEW", help="Another name.")] = None,
    description: Description = None,
    add: Annotated[str | None, typer.Option("--add", metavar="STAGE", help="A new stage.")] = None,
    after: Annotated[
        str | None, typer.Option("--after", metavar="STAGE", help="With --add: behind this one; else at the end.")
    ] = None,
    rename_stage: Annotated[
        str | None, typer.Option("--rename-stage", metavar="OLD=NEW", help="Another name for a stage.")
    ] = None,
    order: Annotated[
        str | None, typer.Option("--order", metavar="NAMES", help="All stages in another order: 'Lead, Won, Lost'.")
    ] = None,
    remove: Annotated[str | None, typer.Option("--remove", metavar="STAGE", help="Take a stage out.")] = None,
    move_to: Annotated[
        str | None, typer.Option("--move-to", metavar="STAGE", help="With --remove: where those go who stand there.")
    ] = None,
    fire_events: meant.FireEvents = None,
    yes: options.Yes = False,
) -> None:
    """Change a funnel: its name, and which stages it has in which order.

    A stage somebody stands on goes only with --move-to. What a campaign or a rule names keeps its name.

    Example: macli funnel edit Sales --add Demo --after Lead
    """
    from macli.lifecycle import arranging
    from macli.store import funnels

    macli = Macli.of(ctx)
    given = (rename, description, add, rename_stage, order, remove)
    if all(text is None for text in given):
        raise UsageError("nothing to change", hint="for example --add Demo --after Lead")
    if (after and add is None) or (move_to and remove is None):
        raise UsageError("--after goes with --add, and --move-to with --remove")
    known = funnels.get(macli.store, funnel)
    if remove is not None and move_to is not None:
        gone = funnels.stage(macli.store, known, remove)
        count = funnels.count_on(macli.store, gone["id"])
        told = meant.heard(fire_events=bool(fire_events))
        macli.out.confirm(f"move {count_of(count, 'contact')} to {move_to!r}, {told}?", yes=yes)
    changes = arranging.Edit(
        name=rename,
        description=description,
        add=add,
        after=after,
        rename_stage=rename_stage,
        order=order,
        remove=remove,
        move_to=move_to,
    )
    moved = arranging.edit(macli.store, macli.now(), known, changes, "cli", silently=not fire_events)
    macli.out.say(f"changed the funnel {funnel!r}" + (f"; {moved:,} {people(moved)} moved" if moved else ""))


@app.command("rm")
def rm(ctx: typer.Context, funnel: Name, yes: options.Yes = False) -> None:
    """Delete a funnel with its history, and with the points counted on its stages.

    Example: macli funnel rm Sales
    """
    from macli.lifecycle import arranging
    from macli.store import funnels

    macli = Macli.of(ctx)
    known = funnels.get(macli.store, funnel)
    arranging.check_removable(macli.store, known)
    hangs = funnels.counts(macli.store, known["id"])
    macli.out.confirm(
        f"delete the funnel {known['name']!r}: {hangs['contacts']:,} {people(hangs['contacts'])} in it,"
        f" {hangs['stays']:,} stays on its stages, {hangs['scores']:,} scores counted there?",
        yes=yes,
    )
    arranging.remove(macli.store, known)
    macli.out.say(f"deleted the funnel {known['name']!r}")


@app.command("move")
def move(
    ctx: typer.Context,
    funnel: Name,
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="The stage to put them on.")],
    contacts: meant.Contacts = None,
    where: options.Where = None,
    segment: meant.Segment = None,
    fire_events: meant.FireEvents = None,
    yes: options.Yes = False,
) -> None:
    """Put contacts on a stage of a funnel; who stands there already is left alone.

    Example: macli funnel move Sales Offer ann@example.com
    """
    from macli.lifecycle import funnels
    from macli.store import funnels as kept

    macli = Macli.of(ctx)
    known = kept.get(macli.store, funnel)
    to = kept.stage(macli.store, known, stage)["name"]
    chosen = meant.meant(macli, contacts, where, segment)
    meant.ask(macli, chosen, "put", f"on {to!r} of {known['name']!r}", yes=yes, fire_events=fire_events)
    moved = funnels.move_where(
        macli.store,
        macli.now(),
        chosen.ids,
        chosen.params,
        known["name"],
        to,
        "cli",
        silently=chosen.silently(fire_events),
    )
    macli.out.say(f"{moved:,} {people(moved)} put on {to!r} of {known['name']!r}{meant.unheard(chosen, fire_events)}")


@app.command("remove")
def remove(
    ctx: typer.Context,
    funnel: Name,
    contacts: meant.Contacts = None,
    where: options.Where = None,
    segment: meant.Segment = None,
    fire_events: meant.FireEvents = None,
    yes: options.Yes = False,
) -> None:
    """Take contacts out of a funnel; their history in it stays.

    Example: macli funnel remove Sales ann@example.com
    """
    from macli.lifecycle import funnels
    from macli.store import funnels as kept

    macli = Macli.of(ctx)
    known = kept.get(macli.store, funnel)["name"]
    chosen = meant.meant(macli, contacts, where, segment)
    meant.ask(macli, chosen, "take", f"out of {known!r}", yes=yes, fire_events=fire_events)
    silently = chosen.silently(fire_events)
    left = funnels.move_where(
        macli.store, macli.now(), chosen.ids, chosen.params, known, None, "cli", silently=silently
    )
    macli.out.say(f"{left:,} {people(left)} taken out of {known!r}{meant.unheard(chosen, fire_events)}")


@app.command("contacts")
def contacts_(
    ctx: typer.Context,
    funnel: Name,
    stage: Annotated[str | None, typer.Option("--stage", metavar="STAGE", help="Only those on this one.")] = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List who stands in a funnel, on which stage, since when, and the points counted there.

    Example: macli funnel contacts Sales --stage Offer
    """
    from macli.store import funnels

    macli = Macli.of(ctx)
    known = funnels.get(macli.store, funnel)
    only = None if stage is None else funnels.stage(macli.store, known, stage)["id"]
    columns = ("id", "email", "phone", "stage", "entered_at", "score")
    rows = funnels.contacts(macli.store, known["id"], only)
    macli.out.rows(rows, columns=columns, shape=options.shape(format, json))


@app.command("history")
def history(ctx: typer.Context, contact: Contact, format: options.Format = None, json: options.Json = False) -> None:
    """Show the stages of funnels a contact stood on, from when to when, and what put it there.

    Example: macli funnel history ann@example.com
    """
    from macli.store import contacts, funnels

    macli, shape = Macli.of(ctx), options.shape(format, json)
    found = contacts.find(macli.store, contact, region=macli.setting("country"))
    rows = funnels.history(macli.store, found["id"])
    if not rows and shape is None:
        macli.out.say(f"{contact} never stood in a funnel")
        return
    columns = ("funnel", "stage", "entered_at", "left_at", "score", "source")
    macli.out.rows(rows, columns=columns, shape=shape)


@app.command("report")
def report(
    ctx: typer.Context,
    funnel: Name,
    since: funnel_options.Since = None,
    until: funnel_options.Until = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Report on each stage: how many came to it, went on to a later one or left, and how long that took.

    Times are those of the stays that have ended; the score is the points counted on the stage, of those who
    stand there now.

    Example: macli funnel report Sales --since 2026-01-01
    """
    from macli.reports import funnels as reporting
    from macli.store import funnels

    macli, shape = Macli.of(ctx), options.shape(format, json)
    known = funnels.get(macli.store, funnel)
    told = reporting.funnel(macli.store, known, *funnel_options.span(macli, since, until))
    funnel_options.show(macli, told, shape)
