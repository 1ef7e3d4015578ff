"""``macli segment``: select contacts by a rule, name the selection, look at it."""

from time import perf_counter
from typing import Annotated

import typer

from macli.commands import options
from macli.context import Macli
from macli.output import percent

app = typer.Typer(no_args_is_help=True, help="Select contacts by a rule.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The segment.", autocompletion=options.names_of("segments"))]
RuleOption = Annotated[str | None, typer.Option("--rule", metavar="RULE", help="A rule, such as 'country = Canada'.")]
Category = Annotated[
    str | None,
    typer.Option("--category", metavar="NAME", help="Its category.", autocompletion=options.names_of("categories")),
]
Track = Annotated[
    bool | None,
    typer.Option(
        "--track/--no-track", help="Write down its members, and tell campaigns who comes into it and leaves it."
    ),
]
People = Annotated[
    list[str] | None, typer.Argument(metavar="ADDRESS...", help="E-mail addresses, phone numbers or external ids.")
]
File = Annotated[
    typer.FileText | None,
    typer.Option(
        "--from",
        metavar="FILE",
        encoding="utf-8-sig",
        errors="replace",
        help="A file of addresses, one a line; - is stdin.",
    ),
]
Sample = Annotated[int, typer.Option("--sample", min=0, max=1000, help="How many contacts to show.")]


@app.command("create")
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    rule: RuleOption = None,
    static: Annotated[bool, typer.Option("--static", help="Keep its members until they are changed by hand.")] = False,
    from_: File = None,
    category: Category = None,
    track: Track = None,
) -> None:
    """Name a rule; with --static, name the contacts it selects now, or those in a file.

    Example: macli segment create vip --rule 'country = "Canada" and orders >= 3'
    """
    macli = Macli.of(ctx)
    from macli import segments

    made = segments.create(
        macli.store,
        macli.now(),
        macli.zone,
        name,
        rule=rule,
        static=static or (from_ is not None and rule is None),
        tracked=bool(track),
        category=category,
        people=from_ or (),
    )
    _warn(macli, made.unknown)
    macli.out.say(f"made the segment {name!r}")


@app.command("preview")
def preview(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", autocompletion=options.names_of("segments"))] = None,
    rule: RuleOption = None,
    at: options.At = None,
    sample: Sample = 10,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Count the contacts a segment or a rule selects, and show a few of them.

    Example: macli segment preview --rule 'opened email within 30 days'
    """
    macli = Macli.of(ctx)
    from macli import selection

    now = options.moment(macli, at)
    where = selection.named_where(macli.store, name, rule, now, macli.zone)
    started = perf_counter()
    found = selection.preview(macli.store, where, sample)
    took = perf_counter() - started
    total, reach = selection.total(macli.store), selection.reach(macli.store, where, found)
    people = [dict(row) for row in selection.rows_of(macli.store, found.sample)]
    shape = options.shape(format, json)
    answer = {
        "contacts": found.count,
        "share": round(found.count / total, 4) if total else 0.0,
        "of": total,
        "reachable_by_email": reach.email,
        "reachable_by_sms": reach.sms,
        "milliseconds": round(took * 1000, 1),
    }
    if shape in ("json", "ndjson"):
        macli.out.record({**answer, "sample": people}, shape=shape)
        return
    macli.out.say(
        f"{found.count:,} of {total:,} contacts ({percent(answer['share'])}), found in {took * 1000:,.0f} ms;"
        f" {reach.email:,} have an e-mail address, {reach.sms:,} a phone number",
        shape=shape,
    )
    if people or shape == "csv":
        macli.out.rows(people, columns=("id", "email", "phone", "state", "added_at"), shape=shape)


@app.command("explain")
def explain(
    ctx: typer.Context,
    rule: Annotated[str, typer.Argument(metavar="RULE|NAME", help="A rule, or the name of a segment.")],
    at: options.At = None,
    json: options.Json = False,
) -> None:
    """Show how a rule is read, its SQL, how the store goes about it, and how long it takes.

    Example: macli segment explain 'not tagged vip or orders > 10'
    """
    macli = Macli.of(ctx)
    from macli import selection

    told = selection.explain(macli.store, rule, options.moment(macli, at), macli.zone)
    started = perf_counter()
    count = selection.count(macli.store, told.where)
    took = (perf_counter() - started) * 1000
    if json:
        macli.out.record(
            {
                "rule": told.rule,
                "tree": list(told.tree),
                "sql": told.where.sql,
                "params": dict(told.where.params),
                "plan": list(told.plan),
                "timely": told.where.timely,
                "contacts": count,
                "milliseconds": round(took, 1),
            },
            shape="json",
        )
        return
    macli.out.text(told.text())
    macli.out.text(f"\n{count:,} contacts in {took:,.0f} ms")


@app.command("list")
def list_(
    ctx: typer.Context, category: Category = None, format: options.Format = None, json: options.Json = False
) -> None:
    """List the segments.

    Example: macli segment list --category "VIP Clients"
    """
    macli = Macli.of(ctx)
    from macli.store import categories, segments

    macli.out.rows(
        segments.list_all(macli.store, categories.id_of(macli.store, category)),
        columns=("name", "kind", "category", "members", "rule"),
        shape=options.shape(format, json),
    )


@app.command("show")
def show(ctx: typer.Context, name: Name, format: options.Format = None, json: options.Json = False) -> None:
    """Show one segment, how many contacts are in it, and what asks for it.

    Example: macli segment show vip
    """
    macli = Macli.of(ctx)
    from macli import segments

    shown = segments.show(macli.store, name, macli.now(), macli.zone)
    macli.out.record(shown, shape=options.shape(format, json))


@app.command("edit")
def edit(
    ctx: typer.Context,
    name: Name,
    rule: RuleOption = None,
    category: Category = None,
    track: Track = None,
) -> None:
    """Change the rule or the category of a segment; --category '' takes it out of its category.

    Example: macli segment edit vip --rule 'orders >= 5'
    """
    macli = Macli.of(ctx)
    from macli import segments

    segments.edit(macli.store, macli.now(), macli.zone, name, rule=rule, category=category, tracked=track)
    macli.out.say(f"changed the segment {name!r}")


@app.command("rename")
def rename(ctx: typer.Context, name: Name, new: Annotated[str, typer.Argument(metavar="NEW")]) -> None:
    """Give a segment another name, also in the rules of the segments that ask for it.

    Example: macli segment rename vip "VIP clients"
    """
    macli = Macli.of(ctx)
    from macli import segments

    segments.rename(macli.store, macli.now(), name, new)
    macli.out.say(f"renamed the segment {name!r} to {new!r}")


@app.command("rm")
def rm(ctx: typer.Context, name: Name) -> None:
    """Remove a segment, not its contacts; refused while a campaign or another segment asks for it.

    Example: macli segment rm vip
    """
    macli = Macli.of(ctx)
    from macli import segments

    segments.remove(macli.store, name)
    macli.out.say(f"removed the segment {name!r}")


@app.command("refresh")
def refresh(ctx: typer.Context, name: Name, json: options.Json = False) -> None:
    """Find the members of a static segment, or of a tracked one, anew by its rule.

    Example: macli segment refresh spring-2026
    """
    macli = Macli.of(ctx)
    from macli import segments

    moved = segments.refresh(macli.store, name, macli.now(), macli.zone)
    if json:
        macli.out.record({"entered": moved.entered, "left": moved.left}, shape="json")
    else:
        macli.out.say(f"{moved.entered:,} came into {name!r}, {moved.left:,} left it")


@app.command("members")
def members(
    ctx: typer.Context,
    name: Name,
    at: options.At = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List the contacts of a segment, as many as there are.

    Example: macli segment members vip --format csv > vip.csv
    """
    macli = Macli.of(ctx)
    from macli import selection
    from macli.store import segments

    where = selection.segment_where(macli.store, name, options.moment(macli, at), macli.zone)
    macli.out.rows(
        segments.members(macli.store, where.sql, where.params),
        columns=("id", "email", "phone", "state", "added_at"),
        shape=options.shape(format, json),
    )


@app.command("add")
def add(ctx: typer.Context, name: Name, people: People = None, from_: File = None) -> None:
    """Put contacts into a static segment.

    Example: macli segment add guests ann@example.com bob@example.com
    """
    macli = Macli.of(ctx)
    from macli import segments

    added, unknown = segments.add_people(macli.store, macli.now(), name, [*(people or ()), *(from_ or ())])
    _warn(macli, unknown)
    macli.out.say(f"{added:,} came into {name!r}")


@app.command("remove")
def remove(ctx: typer.Context, name: Name, people: People = None, from_: File = None) -> None:
    """Take contacts out of a static segment.

    Example: macli segment remove guests bob@example.com
    """
    macli = Macli.of(ctx)
    from macli import segments

    removed, unknown = segments.remove_people(macli.store, macli.now(), name, [*(people or ()), *(from_ or ())])
    _warn(macli, unknown)
    macli.out.say(f"{removed:,} left {name!r}")


def _warn(macli: Macli, unknown: list[str]) -> None:
    for address in unknown:
        macli.out.warn(f"no contact has the address {address!r}")
