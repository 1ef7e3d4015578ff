"""``macli points give``, ``set``, ``watch`` and ``check``: points by hand, watched values, and right sums."""

from typing import Annotated, TypeAlias

import typer

from macli.commands import options
from macli.commands.contact_changes import chosen, people
from macli.context import Macli
from macli.errors import OperationFailed, UsageError
from macli.texts import count_of

watch = typer.Typer(no_args_is_help=True, help="Watched values: scores whose reaching is an event.")

NEGATIVE = {"ignore_unknown_options": True}
"""A number below 0 is no option."""

Words: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="[CONTACT] POINTS", help="A contact and a number; with --where, only the number.")
]
ScopeOption: TypeAlias = Annotated[
    str,
    typer.Option("--scope", metavar="SCOPE", help="global, group:NAME, tag:TAG or stage:FUNNEL/STAGE."),
]
Why: TypeAlias = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for the record.")]
Crossed: TypeAlias = Annotated[bool, typer.Option("--crossed", help="Rising to the value or past it.")]
Exceeded: TypeAlias = Annotated[bool, typer.Option("--exceeded", help="Every change that leaves it above.")]
AtLeast: TypeAlias = Annotated[
    bool, typer.Option("--at-least", help="Every change that leaves a tag's score there or above.")
]
Value: TypeAlias = Annotated[int, typer.Argument(metavar="VALUE", help="The score.")]


def register(app: typer.Typer) -> None:
    """Give the commands of this module to ``macli points``."""
    app.command(context_settings=NEGATIVE)(give)
    app.command("set", context_settings=NEGATIVE)(set_)
    app.add_typer(watch, name="watch")
    app.command()(check)
    app.command()(recompute)


def give(
    ctx: typer.Context,
    words: Words,
    where: options.Where = None,
    scope: ScopeOption = "global",
    why: Why = "",
    yes: options.Yes = False,
) -> None:
    """Give points to a contact, or to all that a rule selects; below 0 takes some away.

    Example: macli points give ann@example.com 25 --why "met at the fair"
    """
    from macli.lifecycle import points

    macli = Macli.of(ctx)
    contact, number = _read(words, where, "give")
    given = count_of(number, "point")
    with chosen(macli, contact, where, f"give {given} to", yes=yes) as (ids, params):
        scope_id = points.scope_id(macli.store, scope)
        count = points.give_where(macli.store, macli.now(), ids, params, number, scope_id, "cli", why=why)
    macli.out.say(f"gave {given} to {count_of(count, 'contact')}")


def set_(
    ctx: typer.Context,
    words: Words,
    where: options.Where = None,
    scope: ScopeOption = "global",
    why: Why = "",
    yes: options.Yes = False,
) -> None:
    """Give a contact, or all that a rule selects, what is missing to so many points; or take what is too much.

    Example: macli points set ann@example.com 0 --scope tag:VIP
    """
    from macli.lifecycle import points

    macli = Macli.of(ctx)
    contact, number = _read(words, where, "set")
    with chosen(macli, contact, where, f"set the points to {number:,} of", yes=yes) as (ids, params):
        scope_id = points.scope_id(macli.store, scope)
        count = points.set_where(macli.store, macli.now(), ids, params, number, scope_id, "cli", why=why)
    macli.out.say(f"{count:,} {people(count)} had other points and {'has' if count == 1 else 'have'} {number:,} now")


def _read(words: list[str], where: str | None, verb: str) -> tuple[str | None, int]:
    from macli.lifecycle import points

    if len(words) != (1 if where is not None else 2):
        raise UsageError(
            "say which contact and how many points",
            hint=f"macli points {verb} ann@example.com 25, or macli points {verb} --where RULE 25",
        )
    return None if where is not None else words[0], points.read(words[-1])


@watch.command("add", context_settings=NEGATIVE)
def add(
    ctx: typer.Context,
    value: Value,
    scope: ScopeOption = "global",
    crossed: Crossed = False,
    exceeded: Exceeded = False,
    at_least: AtLeast = False,
) -> None:
    """Watch a value: the event score.reached tells when a score is exactly that, for campaigns and rules to act on.

    With an option, score.crossed, score.exceeded or tag.scored tells instead. A campaign that starts from such
    an event watches by itself.

    Example: macli points watch add 200 --crossed
    """
    from macli.scoring import marking

    macli = Macli.of(ctx)
    kind = marking.kind_of(crossed=crossed, exceeded=exceeded, at_least=at_least)
    told = marking.watch(macli.store, macli.now(), scope, kind, value)
    macli.out.say(told)


@watch.command("list")
def list_(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """List the watched values, with the event that tells of each and when.

    Example: macli points watch list
    """
    from macli.scoring import marking

    macli = Macli.of(ctx)
    macli.out.rows(marking.listed(macli.store), columns=marking.COLUMNS, shape=options.shape(format, json))


@watch.command("rm", context_settings=NEGATIVE)
def rm(
    ctx: typer.Context,
    value: Value,
    scope: ScopeOption = "global",
    crossed: Crossed = False,
    exceeded: Exceeded = False,
    at_least: AtLeast = False,
) -> None:
    """Watch a value no longer. A campaign that needs it watches again when it is activated.

    Example: macli points watch rm 200 --crossed
    """
    from macli.scoring import marking

    macli = Macli.of(ctx)
    kind = marking.kind_of(crossed=crossed, exceeded=exceeded, at_least=at_least)
    marking.unwatch(macli.store, scope, kind, value)
    macli.out.say(f"{value:,} is not watched any more")


def check(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """Prove that every score is the sum of its ledger; exit code 1 where one is not.

    Example: macli points check
    """
    from dataclasses import asdict

    from macli.scoring import checking

    macli, shape = Macli.of(ctx), options.shape(format, json)
    found = checking.check(macli.store)
    if shape is not None:
        macli.out.record(asdict(found), shape=shape)
    if found.wrong:
        raise OperationFailed(
            f"scores that are not the sum of their ledger: {found.wrong:,} of {found.scores:,}",
            hint="macli points recompute",
        )
    macli.out.say(f"every score is the sum of its ledger (scores: {found.scores:,}, rows: {found.rows:,})", shape=shape)


def recompute(ctx: typer.Context) -> None:
    """Sum every score anew from its ledger, and date the decay of points by the rules and settings of now.

    Example: macli points recompute
    """
    from macli.lifecycle import points

    macli = Macli.of(ctx)
    done = points.recompute(macli.store, macli.now())
    macli.out.say(f"scores corrected: {done.corrected:,}")
    macli.out.say(f"rows of the ledger that begin to decay, or decay no longer: {done.dated:,}")
