"""``macli points rule``: what events are worth."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from macli.commands import options
from macli.context import Macli
from macli.errors import UsageError

if TYPE_CHECKING:
    from macli.store.point_rules import PointRule

app = typer.Typer(no_args_is_help=True, help="Point rules: which events are worth how many points.")

_names = options.names_of("point_rules")

Name: TypeAlias = Annotated[str, typer.Argument(metavar="NAME", help="The rule.", autocompletion=_names)]
With: TypeAlias = Annotated[
    str | None,
    typer.Option("--with", metavar="TESTS", help="Only events with such properties: 'url contains \"/pricing\"'."),
]
For: TypeAlias = Annotated[
    str | None, typer.Option("--for", metavar="RULE", help="Only for contacts the rule selects at that moment.")
]
AtMost: TypeAlias = Annotated[
    str | None,
    typer.Option("--at-most", metavar="CAP", help="So many of a contact's events count: '3 per day', '10 ever', once."),
]
Once: TypeAlias = Annotated[bool, typer.Option("--once", help="A contact's first such event counts, no other.")]
Scopes: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--scope",
        metavar="SCOPE",
        help="What it counts to: global, group:NAME, tag:TAG, stage:FUNNEL/STAGE, stage; may be given again.",
    ),
]
Decay: TypeAlias = Annotated[
    str | None,
    typer.Option("--decay", metavar="DECAY", help="What time takes back of the points: '50 % every 30 days'."),
]


def _events(incomplete: str) -> list[str]:
    from macli.event_names import NAMES

    return [name for name in NAMES if name.startswith(incomplete)]


@app.command("add")
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    event: Annotated[
        str, typer.Option("--event", metavar="EVENT", help="The event, macli's or your own.", autocompletion=_events)
    ],
    points: Annotated[int, typer.Option("--points", metavar="N", help="How many; below 0 takes some away.")],
    condition: With = None,
    who: For = None,
    at_most: AtMost = None,
    once: Once = False,
    scope: Scopes = None,
    decay: Decay = None,
) -> None:
    """Make a rule, for events from now on; macli points replay applies it to those there were.

    Example: macli points rule add "price list" --event page.visited --with 'url contains "/pricing"' --points 20
    """
    from macli.clock import to_ms
    from macli.scoring import wording
    from macli.store import point_rules

    macli = Macli.of(ctx)
    rule = wording.changed(
        macli.store,
        macli.now(),
        macli.zone,
        wording.new(name, event, points),
        condition=condition,
        who=who,
        at_most=_cap(at_most, once=once),
        feeds=scope,
        decay=decay,
    )
    point_rules.add(macli.store, to_ms(macli.now()), rule)
    macli.out.say(f"made the point rule {rule.name!r}: {wording.told(rule)}")
    _doubt(macli, rule.event)


@app.command("list")
def list_(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """List the rules, those that are switched off too.

    Example: macli points rule list
    """
    from macli.scoring import wording
    from macli.store import point_rules

    macli = Macli.of(ctx)
    rules = [wording.record(rule) for rule in point_rules.listed(macli.store)]
    macli.out.rows(rules, columns=wording.COLUMNS, shape=options.shape(format, json))


@app.command("show")
def show(ctx: typer.Context, name: Name, format: options.Format = None, json: options.Json = False) -> None:
    """Show one rule, and what came of it: how often it gave points, to how many contacts, when last.

    Example: macli points rule show "price list"
    """
    from macli.reports import reasons
    from macli.scoring import wording
    from macli.store import point_rules

    macli = Macli.of(ctx)
    rule = point_rules.get(macli.store, name)
    came = reasons.of_rule(macli.store, rule.id)
    macli.out.record({**wording.record(rule), **came}, shape=options.shape(format, json))


@app.command("edit")
def edit(
    ctx: typer.Context,
    name: Name,
    rename: Annotated[str | None, typer.Option("--rename", metavar="NEW", help="Another name.")] = None,
    event: Annotated[
        str | None, typer.Option("--event", metavar="EVENT", help="Another event.", autocompletion=_events)
    ] = None,
    points: Annotated[int | None, typer.Option("--points", metavar="N", help="How many.")] = None,
    condition: With = None,
    who: For = None,
    at_most: AtMost = None,
    once: Once = False,
    scope: Scopes = None,
    decay: Decay = None,
) -> None:
    """Change a rule, for events from now on; 'none' takes a test, a cap or the decay away.

    Example: macli points rule edit "mail clicked" --points 15 --at-most '3 per day'
    """
    from macli.clock import to_ms
    from macli.scoring import wording
    from macli.store import point_rules

    macli = Macli.of(ctx)
    before = point_rules.get(macli.store, name)
    rule = wording.changed(
        macli.store,
        macli.now(),
        macli.zone,
        before,
        name=rename,
        event=event,
        points=points,
        condition=condition,
        who=who,
        at_most=_cap(at_most, once=once),
        feeds=scope,
        decay=decay,
    )
    if rule == before:
        raise UsageError("nothing to change", hint="for example --points 15")
    point_rules.edit(macli.store, to_ms(macli.now()), rule)
    macli.out.say(f"changed the point rule {rule.name!r}: {wording.told(rule)}")
    _doubt(macli, rule.event)


@app.command("rm")
def rm(ctx: typer.Context, name: Name) -> None:
    """Forget a rule. The points it gave stay until macli points replay.

    Example: macli points rule rm "price list"
    """
    from macli.store import point_rules

    macli = Macli.of(ctx)
    rule = point_rules.get(macli.store, name)
    point_rules.remove(macli.store, rule.id)
    macli.out.say(f"removed the point rule {rule.name!r}; the points it gave stay")


@app.command("on")
def on(ctx: typer.Context, name: Name) -> None:
    """Let a rule give points, for events from now on.

    Example: macli points rule on "first visit"
    """
    _switch(Macli.of(ctx), name, active=True)


@app.command("off")
def off(ctx: typer.Context, name: Name) -> None:
    """Let a rule give no more points; those it gave stay.

    Example: macli points rule off "page visited"
    """
    _switch(Macli.of(ctx), name, active=False)


def _switch(macli: Macli, name: str, *, active: bool) -> None:
    from dataclasses import replace

    from macli.clock import to_ms
    from macli.store import point_rules

    rule: PointRule = replace(point_rules.get(macli.store, name), active=active)
    point_rules.edit(macli.store, to_ms(macli.now()), rule)
    macli.out.say(f"the point rule {rule.name!r} is {'on' if active else 'off'}")


def _cap(at_most: str | None, *, once: bool) -> str | None:
    if once and at_most is not None:
        raise UsageError("--once and --at-most: say one of them")
    return "once" if once else at_most


def _doubt(macli: Macli, event: str) -> None:
    from macli.scoring import wording

    if doubt := wording.doubt(macli.store, event):
        macli.out.warn(doubt)
