"""``macli points``: who has how many points and why, what the rules are, and what they would have given."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from macli.commands import meant, options, points_giving, points_rules
from macli.commands.contact_changes import Contact, people, selected
from macli.context import Macli
from macli.errors import OperationFailed, UsageError
from macli.output import Share

if TYPE_CHECKING:
    from macli.scoring.rule_sets import Change

app = typer.Typer(no_args_is_help=True, help="Points: what events are worth, and who has most.")
app.add_typer(points_rules.app, name="rule")


def _presets(incomplete: str) -> list[str]:
    from macli.scoring import presets

    return [name for name in presets.titles() if name.startswith(incomplete)]


Preset: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]", help="persisca or salesmanago; without it, which there are.", autocompletion=_presets
    ),
]
ScopeOption: TypeAlias = Annotated[
    str,
    typer.Option("--scope", metavar="SCOPE", help="What was counted: global, group:NAME, tag:TAG, stage:FUNNEL/STAGE."),
]


@app.command("list")
def list_(
    ctx: typer.Context,
    where: options.Where = None,
    scope: ScopeOption = "global",
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=100_000, help="At most so many.")] = 20,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List the contacts with most points, with readiness, stage, and the rules that gave most of them.

    Example: macli points list --where 'country = Canada' --limit 10
    """
    from macli.reports import ranking, reasons

    macli, shape = Macli.of(ctx), options.shape(format, json)
    found = ranking.top(macli.store, selected(macli, where), ranking.scope_id(macli.store, scope), limit)
    if shape not in ("json", "ndjson"):
        found = [{**row, "why": reasons.told(row["why"])} for row in found]
    if not found and shape is None:
        macli.out.say("nobody has points there yet")
        return
    macli.out.rows(found, columns=ranking.COLUMNS, shape=shape)


@app.command("show")
def show(
    ctx: typer.Context,
    contact: Contact,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="So many rows of the ledger.")] = 20,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Show a contact's scores, which rules made them, and the last points with event and time.

    Example: macli points show ann@example.com
    """
    from macli.reports import reasons
    from macli.store import contacts

    macli, shape = Macli.of(ctx), options.shape(format, json)
    found = contacts.find(macli.store, contact, region=macli.setting("country"))
    told = reasons.everything(macli.store, found["id"], limit)
    if shape in ("json", "ndjson", "csv"):
        macli.out.record(told, shape=shape)
        return
    macli.out.record(
        {"readiness": told["readiness"], **{row["scope"]: row["score"] for row in told["scores"]}}, shape=shape
    )
    for title in ("why", "ledger"):
        if told[title]:
            macli.out.rows(told[title], shape=shape, title=title)


@app.command("scopes")
def scopes(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """List what points are counted for, how many contacts have any there, and the most one has.

    Example: macli points scopes
    """
    from macli.reports import ranking

    macli = Macli.of(ctx)
    macli.out.rows(
        ranking.counted(macli.store), columns=("scope", "contacts", "highest"), shape=options.shape(format, json)
    )


@app.command("preset")
def preset(
    ctx: typer.Context,
    name: Preset = None,
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Put a set of rules in the place of another; rules of your own stay. Without a name, list the sets.

    Points that were given stay too: macli points replay says what the new rules make of them.

    Example: macli points preset salesmanago
    """
    from macli.scoring import presets, rule_sets

    macli, shape = Macli.of(ctx), options.shape(format, json)
    if name is None:
        macli.out.rows(presets.listed(macli.store), columns=("name", "rules", "in_force", "about"), shape=shape)
        return
    changes = presets.outlook(macli.store, name)
    macli.out.rows((change.record() for change in changes), columns=rule_sets.COLUMNS, shape=shape)
    if all(change.what == "same" for change in changes):
        macli.out.say(f"the rules of {name} are in force as they are", shape=shape)
    elif not dry_run:
        macli.out.confirm(f"{rule_sets.told(changes)}: put {name} in force?", yes=yes)
        rule_sets.put(macli.store, macli.now(), changes)
        macli.out.say(f"{rule_sets.told(changes)}; {name} is in force for what comes from now on", shape=shape)
        macli.out.say("points given before stay; macli points replay says what these rules make of them", shape=shape)


@app.command("bands")
def bands(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """Show how many contacts are how ready. The setting points.bands says from which score.

    Example: macli points bands
    """
    from macli.scoring import bands as ready

    macli = Macli.of(ctx)
    macli.out.rows(
        ({**band, "share": Share(band["share"])} for band in ready.counts(macli.store)),
        columns=("readiness", "from", "contacts", "share"),
        shape=options.shape(format, json),
    )


@app.command("lint")
def lint(
    ctx: typer.Context,
    strict: Annotated[bool, typer.Option("--strict", help="With a warning, end with exit code 1.")] = False,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Say what is odd about the rules, and what to type.

    Example: macli points lint
    """
    from dataclasses import asdict

    from macli.scoring import linting

    macli, shape = Macli.of(ctx), options.shape(format, json)
    found = linting.lint(macli.store, macli.now(), macli.zone)
    if not found:
        macli.out.say("nothing is odd about the rules", shape=shape)
    if found or shape is not None:
        macli.out.rows((asdict(one) for one in found), columns=linting.COLUMNS, shape=shape)
    if strict and found:
        raise OperationFailed(f"{len(found)} warning{'s' if len(found) != 1 else ''}")


@app.command("replay")
def replay(
    ctx: typer.Context,
    rules: Annotated[
        Path | None,
        typer.Option(
            "--rules", metavar="FILE", help="Other rules: what macli points rule list --json writes, changed."
        ),
    ] = None,
    preset: Annotated[
        str | None, typer.Option("--preset", metavar="NAME", help="The rules of a preset.", autocompletion=_presets)
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Leave what was counted before as it is.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Make it so; the other rules come in force.")] = False,
    fire_events: meant.BulkEvents = False,
    yes: options.Yes = False,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Count all events anew under the rules there are, or others, and show whose scores change.

    Points given by hand stay. Stages go up, and down only where the setting stages.demote is true. Nothing happened
    today: watched values are not told of, and new stages only with --fire-events.

    Example: macli points replay --preset salesmanago
    """
    from macli.clock import parse_when
    from macli.lifecycle import replaying
    from macli.reports import replay as report

    macli, shape = Macli.of(ctx), options.shape(format, json)
    changes = _other_rules(macli, rules, preset)
    start = None if since is None else parse_when(since, now=macli.now(), default=macli.zone)
    prepared = replaying.prepare(macli.store, macli.now(), changes, start)
    told = report.outlook(macli.store, macli.now(), prepared.staged)
    if shape in ("json", "ndjson", "csv"):
        macli.out.record({**told, "rules": [change.record() for change in changes]}, shape=shape)
    else:
        _tell(macli, told, changes, shape)
    if not told["contacts"] and all(change.what == "same" for change in changes):
        macli.out.say("history counts as it did: nothing changes", shape=shape)
        return
    if not apply:
        macli.out.say("nothing was changed; --apply makes it so", shape=shape)
        return
    count = f"the scores of {told['contacts']:,} {people(told['contacts'])}"
    heard = f", {meant.heard(fire_events=fire_events)}" if told["stages"] else ""
    macli.out.confirm(f"change {count}{heard}?", yes=yes)
    moved = replaying.apply(macli.store, macli.now(), prepared, silently=not fire_events)
    silent = meant.SILENT if moved and not fire_events else ""
    macli.out.say(f"changed {count}; {moved:,} came to another stage{silent}", shape=shape)


points_giving.register(app)


def _other_rules(macli: Macli, file: Path | None, preset: str | None) -> "list[Change]":
    from macli.scoring import presets, rule_sets

    if file is not None and preset is not None:
        raise UsageError("--rules and --preset: say one of them")
    if preset is not None:
        return presets.outlook(macli.store, preset)
    if file is not None:
        return rule_sets.outlook(macli.store, rule_sets.read(macli.store, macli.now(), macli.zone, file))
    return []


def _tell(macli: Macli, told: dict[str, Any], changes: "list[Change]", shape: str | None) -> None:
    from macli.reports import replay as report
    from macli.scoring import rule_sets

    if any(change.what != "same" for change in changes):
        macli.out.rows((change.record() for change in changes), columns=rule_sets.COLUMNS, shape=shape, title="rules")
    if told["contacts"]:
        macli.out.say(
            f"the scores of {told['contacts']:,} {people(told['contacts'])} change:"
            f" {told['up']:,} up, {told['down']:,} down"
        )
    if told["kept"]:
        macli.out.say(f"{told['kept']:,} times the event that brought points was deleted: those points stay")
    if told["as_now"]:
        macli.out.say(f"asked of contacts as they are now: whom these rules are for: {', '.join(told['as_now'])}")
    if not told["contacts"]:
        return
    macli.out.rows(told["readiness"], shape=shape, title="readiness")
    if told["stages"]:
        macli.out.rows(told["stages"], shape=shape, title="come to another stage")
    macli.out.rows(told["ranking"], columns=report.RANKING, shape=shape, title=f"the first {len(told['ranking'])}")
