"""``macli url-rule``: give tags and segments to who looks at certain pages."""

from typing import Annotated, TypeAlias

import typer

from macli.commands import options
from macli.context import Macli

app = typer.Typer(no_args_is_help=True, help="Tag who looks at certain pages, or put them into a segment.")

Name: TypeAlias = Annotated[
    str, typer.Argument(metavar="NAME", help="The rule.", autocompletion=options.names_of("url_rules"))
]
Exact: TypeAlias = Annotated[str | None, typer.Option("--exact", metavar="URL", help="This page; its query counts.")]
Words: TypeAlias = Annotated[
    str | None,
    typer.Option("--words", metavar="WORDS", help="Addresses with these whole words: 'any: shoes, boots', 'all: …'."),
]
Contains: TypeAlias = Annotated[
    str | None, typer.Option("--contains", metavar="TEXT", help="Addresses with these characters, as they stand.")
]
Path: TypeAlias = Annotated[
    str | None,
    typer.Option("--path", metavar="PATTERN", help="Paths: ? one character, * any but slashes, ** any folders."),
]
Regex: TypeAlias = Annotated[
    str | None, typer.Option("--regex", metavar="PATTERN", help="Addresses in which this expression is found.")
]
Tag: TypeAlias = Annotated[
    str | None, typer.Option("--tag", metavar="TAG", help="The tag to give.", autocompletion=options.names_of("tags"))
]
Segment: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--segment",
        metavar="SEGMENT",
        help="The static segment to put them into.",
        autocompletion=options.names_of("segments"),
    ),
]

_COLUMNS = ("name", "kind", "pattern", "tag", "segment", "active")


@app.command("add")
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    exact: Exact = None,
    words: Words = None,
    contains: Contains = None,
    path: Path = None,
    regex: Regex = None,
    tag: Tag = None,
    segment: Segment = None,
) -> None:
    """Make a rule, for visits from now on; backfill applies it to those there were.

    Example: macli url-rule add "price list" --path '/prices/**' --tag "price list"
    """
    from macli.visitors import url_rules

    macli = Macli.of(ctx)
    kind, pattern = url_rules.one_pattern(exact=exact, words=words, contains=contains, path=path, regex=regex)
    url_rules.add(macli.store, macli.now(), name, kind, pattern, tag=tag, segment=segment)
    macli.out.say(f"made the URL rule {name!r}; macli url-rule backfill {name!r} applies it to visits there were")


@app.command("list")
def list_(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """List the rules.

    Example: macli url-rule list
    """
    from macli.visitors import url_rules

    macli = Macli.of(ctx)
    macli.out.rows(url_rules.listed(macli.store), columns=_COLUMNS, shape=options.shape(format, json))


@app.command("edit")
def edit(
    ctx: typer.Context,
    name: Name,
    exact: Exact = None,
    words: Words = None,
    contains: Contains = None,
    path: Path = None,
    regex: Regex = None,
    tag: Tag = None,
    segment: Segment = None,
    active: Annotated[
        bool | None, typer.Option("--on/--off", help="Whether visits are held against it.", show_default=False)
    ] = None,
) -> None:
    """Change what a rule looks for, what it gives, or whether it works; from the next visit on.

    Example: macli url-rule edit "price list" --words "any: prices, pricing"
    """
    from macli.visitors import url_rules

    macli = Macli.of(ctx)
    given = {"exact": exact, "words": words, "contains": contains, "path": path, "regex": regex}
    pattern = url_rules.one_pattern(**given) if any(text is not None for text in given.values()) else None
    url_rules.edit(macli.store, macli.now(), name, pattern=pattern, tag=tag, segment=segment, active=active)
    macli.out.say(f"changed the URL rule {name!r}")


@app.command("rm")
def rm(ctx: typer.Context, name: Name) -> None:
    """Forget a rule; the tags it gave stay, and so do the members of its segment.

    Example: macli url-rule rm "price list"
    """
    from macli.visitors import url_rules

    macli = Macli.of(ctx)
    url_rules.remove(macli.store, name)
    macli.out.say(f"removed the URL rule {name!r}")


@app.command("test")
def try_out(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="A page's address.")],
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Show which rules a page fits, and what they would give.

    Example: macli url-rule test https://shop.example/prices/2026
    """
    from macli.visitors import url_rules

    macli = Macli.of(ctx)
    shape = options.shape(format, json)
    found = url_rules.try_out(macli.store, url)
    if not found and shape is None:
        macli.out.say("no rule fits this page")
        return
    macli.out.rows(found, columns=_COLUMNS[:-1], shape=shape)


@app.command("backfill")
def backfill(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="One rule; all of them.", autocompletion=options.names_of("url_rules")),
    ] = None,
    dry_run: options.DryRun = False,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Apply the rules to all visits on record, and say how many contacts fit and how many got something new.

    Example: macli url-rule backfill "price list" --dry-run
    """
    from dataclasses import asdict

    from macli.visitors import url_rules

    macli = Macli.of(ctx)
    told = url_rules.backfill(macli.store, macli.now(), name, dry_run=dry_run)
    macli.out.rows(
        (asdict(one) for one in told), columns=("name", "contacts", "new"), shape=options.shape(format, json)
    )
