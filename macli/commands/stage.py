"""``macli stage``: the stages that points lead contacts through, from the first interest to loyalty."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from macli.commands import funnel_options, meant, options
from macli.commands.contact_changes import Contact, people
from macli.context import Macli
from macli.errors import UsageError
from macli.output import MACHINE_SHAPES

if TYPE_CHECKING:
    from macli.lifecycle.ladder import Change

app = typer.Typer(no_args_is_help=True, help="The lifecycle: stages that points lead contacts through, one each.")

_names = options.names_of("stages")
Name: TypeAlias = Annotated[str, typer.Argument(metavar="NAME", help="The stage.", autocompletion=_names)]
Threshold: TypeAlias = Annotated[
    int | None, typer.Option("--threshold", metavar="N", help="A score of more than this leads to it.")
]
After: TypeAlias = Annotated[
    str | None, typer.Option("--after", metavar="STAGE", help="Behind this one.", autocompletion=_names)
]
Before: TypeAlias = Annotated[
    str | None, typer.Option("--before", metavar="STAGE", help="In front of this one.", autocompletion=_names)
]
Description: TypeAlias = Annotated[str | None, typer.Option("--description", metavar="TEXT", help="What it means.")]


@app.command("list")
def list_(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """List the stages from the lowest, and how many contacts stand on each.

    Example: macli stage list
    """
    from macli.store import stages

    macli = Macli.of(ctx)
    columns = ("position", "name", "threshold", "contacts", "description")
    macli.out.rows(stages.listed(macli.store), columns=columns, shape=options.shape(format, json))


@app.command("show")
def show(ctx: typer.Context, name: Name, format: options.Format = None, json: options.Json = False) -> None:
    """Show one stage, what leads to it, and what became of those who came to it.

    Example: macli stage show Purchase
    """
    from macli.reports import funnels
    from macli.store import stages

    macli, shape = Macli.of(ctx), options.shape(format, json)
    known = stages.get(macli.store, name)
    told = next(row for row in funnels.lifecycle(macli.store, None, None) if row["stage"] == known["name"])
    told = told if shape in MACHINE_SHAPES else funnel_options.for_people(told)
    facts = {key: known[key] for key in ("name", "position", "threshold", "description")}
    macli.out.record({**facts, **{key: told[key] for key in told if key != "stage"}}, shape=shape)


@app.command("add")
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    threshold: Annotated[int, typer.Option("--threshold", metavar="N", help="A score of more than this leads to it.")],
    after: After = None,
    before: Before = None,
    description: Description = None,
    fire_events: meant.BulkEvents = False,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
) -> None:
    """Add a stage at the end, or beside another; contacts whose score is higher move to it.

    Thresholds rise from stage to stage.

    Example: macli stage add Evaluation --after Consideration --threshold 35
    """
    from macli.lifecycle import ladder

    change = ladder.Add(name=name, threshold=threshold, after=after, before=before, description=description or "")
    _change(Macli.of(ctx), change, f"added the stage {name!r}", fire_events=fire_events, dry_run=dry_run, yes=yes)


@app.command("edit")
def edit(
    ctx: typer.Context,
    name: Name,
    threshold: Threshold = None,
    rename: Annotated[str | None, typer.Option("--rename", metavar="NEW", help="Another name.")] = None,
    description: Description = None,
    fire_events: meant.BulkEvents = False,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
) -> None:
    """Change a stage; with another threshold, contacts whose score is higher move to it.

    Nobody goes back by a higher threshold, unless the setting stages.demote is true.

    Example: macli stage edit Purchase --threshold 60
    """
    from macli.lifecycle import ladder, stages
    from macli.store import stages as kept

    macli = Macli.of(ctx)
    if threshold is None and rename is None and description is None:
        raise UsageError("nothing to change", hint="for example --threshold 60")
    name = kept.get(macli.store, name)["name"]
    change = None if threshold is None else ladder.SetThreshold(name=name, threshold=threshold)
    if not _agreed(macli, change, fire_events=fire_events, dry_run=dry_run, yes=yes):
        return
    with macli.store.write():
        moved = 0 if change is None else _make(macli, change, fire_events=fire_events)
        stages.describe(macli.store, macli.now(), name, rename=rename, description=description)
    _say(macli, f"changed the stage {rename or name!r}", moved, fire_events=fire_events)


@app.command("move")
def move(
    ctx: typer.Context,
    name: Name,
    after: After = None,
    before: Before = None,
    threshold: Threshold = None,
    fire_events: meant.BulkEvents = False,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
) -> None:
    """Give a stage another place, with a threshold that fits there; who stands on it stays on it.

    Example: macli stage move Consideration --after Purchase --threshold 75
    """
    from macli.lifecycle import ladder

    change = ladder.Move(name=name, after=after, before=before, threshold=threshold)
    _change(Macli.of(ctx), change, f"moved the stage {name!r}", fire_events=fire_events, dry_run=dry_run, yes=yes)


@app.command("rm")
def rm(
    ctx: typer.Context,
    name: Name,
    fire_events: meant.BulkEvents = False,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
) -> None:
    """Remove a stage; who stands on it is then on the one before it. Histories keep it.

    Example: macli stage rm Consideration
    """
    from macli.lifecycle import ladder

    change = ladder.Remove(name=name)
    _change(Macli.of(ctx), change, f"removed the stage {name!r}", fire_events=fire_events, dry_run=dry_run, yes=yes)


@app.command("set")
def set_(
    ctx: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(metavar="[CONTACT...] STAGE", help="Contacts and the stage; with --where, only the stage."),
    ],
    where: options.Where = None,
    segment: meant.Segment = None,
    fire_events: meant.FireEvents = None,
    yes: options.Yes = False,
) -> None:
    """Put contacts on a stage by hand, up or down. It holds until their score passes a threshold anew.

    Example: macli stage set ann@example.com Purchase
    """
    from macli.lifecycle import stages
    from macli.store import stages as kept

    macli = Macli.of(ctx)
    known = kept.get(macli.store, words[-1])["name"]
    chosen = meant.meant(macli, words[:-1], where, segment)
    meant.ask(macli, chosen, "put", f"on {known!r}", yes=yes, fire_events=fire_events)
    silently = chosen.silently(fire_events)
    moved = stages.set_where(macli.store, macli.now(), chosen.ids, chosen.params, known, silently=silently)
    macli.out.say(f"{moved:,} {people(moved)} put on {known!r}{meant.unheard(chosen, fire_events)}")


@app.command("settle")
def settle(
    ctx: typer.Context,
    fire_events: meant.BulkEvents = False,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
) -> None:
    """Bring all contacts to the stages their present scores lead to: after a change of the stages.… settings.

    Example: macli stage settle --dry-run
    """
    from macli.lifecycle import stages

    macli = Macli.of(ctx)
    if _shown(macli, stages.unsettled(macli.store, macli.now()), fire_events=fire_events, dry_run=dry_run, yes=yes):
        moved = stages.settle(macli.store, macli.now(), "settled", silently=not fire_events)
        _say(macli, "settled", moved, fire_events=fire_events)


@app.command("history")
def history(ctx: typer.Context, contact: Contact, format: options.Format = None, json: options.Json = False) -> None:
    """Show the stages a contact came to, since when, why, and which event brought it there.

    Example: macli stage history ann@example.com
    """
    from macli.store import contacts, stages

    macli, shape = Macli.of(ctx), options.shape(format, json)
    found = contacts.find(macli.store, contact, region=macli.setting("country"))
    rows = [{**dict(row), "passed": bool(row["passed"])} for row in stages.history(macli.store, found["id"])]
    if not rows and shape is None:
        macli.out.say(f"{contact} never came to a stage")
        return
    columns = ("stage", "entered_at", "left_at", "passed", "score", "cause", "event")
    macli.out.rows(rows, columns=(*columns, "event_id") if shape else columns, shape=shape)


@app.command("report")
def report(
    ctx: typer.Context,
    since: funnel_options.Since = None,
    until: funnel_options.Until = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Report on each stage: how many came to it, went on to a later one, and how long that took.

    Example: macli stage report --since 2026-01-01
    """
    from macli.reports import funnels

    macli, shape = Macli.of(ctx), options.shape(format, json)
    told = funnels.lifecycle(macli.store, *funnel_options.span(macli, since, until))
    funnel_options.show(macli, told, shape)


# What the commands share


def _change(macli: Macli, change: "Change", done: str, *, fire_events: bool, dry_run: bool, yes: bool) -> None:
    if _agreed(macli, change, fire_events=fire_events, dry_run=dry_run, yes=yes):
        _say(macli, done, _make(macli, change, fire_events=fire_events), fire_events=fire_events)


def _make(macli: Macli, change: "Change", *, fire_events: bool) -> int:
    from macli.lifecycle import stages

    return stages.make(macli.store, macli.now(), change, silently=not fire_events)


def _agreed(macli: Macli, change: "Change | None", *, fire_events: bool, dry_run: bool, yes: bool) -> bool:
    from macli.lifecycle import stages

    moves = [] if change is None else stages.moves(macli.store, macli.now(), change)
    return _shown(macli, moves, fire_events=fire_events, dry_run=dry_run, yes=yes)


def _shown(macli: Macli, moves: Sequence[dict[str, Any]], *, fire_events: bool, dry_run: bool, yes: bool) -> bool:
    """Show who would move where, and ask; whether to go on."""
    count = sum(move["contacts"] for move in moves)
    for move in moves:
        way = f"{move['from'] or '(none)'} → {move['to'] or '(none)'}"
        macli.out.say(f"{way}: {move['contacts']:,} {people(move['contacts'])}")
    heard = meant.heard(fire_events=fire_events)
    if dry_run:
        how = f", {heard}" if moves else ""
        macli.out.say(f"{count:,} {people(count)} would move{how}; nothing was changed")
        return False
    if moves:
        macli.out.confirm(f"move {count:,} {people(count)}, {heard}?", yes=yes)
    return True


def _say(macli: Macli, done: str, moved: int, *, fire_events: bool) -> None:
    silent = meant.SILENT if moved and not fire_events else ""
    macli.out.say(f"{done}; {moved:,} {people(moved)} moved{silent}")
