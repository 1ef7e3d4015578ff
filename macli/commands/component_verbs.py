"""``versions``, ``rollback``, ``rm`` and the HTML of ``preview``: what templates, forms and pages have in common."""

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from macli.commands import options
from macli.context import Macli

Number: TypeAlias = Annotated[int | None, typer.Argument(metavar="[VERSION]", help="The version; else the one before.")]


def register_versions(app: typer.Typer, word: str, *, kind: str | None, example: str, columns: tuple[str, ...]) -> None:
    """Give ``versions`` and ``rollback`` to ``macli WORD``; ``kind`` is what the store calls it, None a template."""
    named = _named(word)

    @app.command(
        "versions",
        help=f"List the versions of a {word}, newest first.\n\nExample: macli {word} versions {example}",
    )
    def versions(
        ctx: typer.Context, name: Annotated[str, named], format: options.Format = None, json: options.Json = False
    ) -> None:
        from macli.store import templates

        macli = Macli.of(ctx)
        rows = templates.versions(macli.store, name, kind=kind)
        macli.out.rows(rows, columns=columns, shape=options.shape(format, json))

    @app.command(
        "rollback",
        help=f"Make an earlier version the current one.\n\nExample: macli {word} rollback {example} 2",
    )
    def rollback(ctx: typer.Context, name: Annotated[str, named], number: Number = None) -> None:
        from macli.store import templates

        macli = Macli.of(ctx)
        number = templates.rollback(macli.store, macli.now(), name, number, kind=kind)
        macli.out.say(f"{name!r} is at version {number}")


def register_rm(app: typer.Typer, kind: str, *, says: str, example: str) -> None:
    """Give ``rm`` to ``macli form`` or ``macli page``; ``says`` is the first line of its help."""

    @app.command("rm", help=f"{says}\n\nExample: macli {kind} rm {example} --yes")
    def rm(ctx: typer.Context, name: Annotated[str, _named(kind)], yes: options.Yes = False) -> None:
        from macli.forms import authoring
        from macli.store import templates

        macli = Macli.of(ctx)
        found = templates.find(macli.store, name, kind)["name"]
        macli.out.confirm(f"remove the {kind} {found!r} and all its versions?", yes=yes)
        macli.out.say(f"removed the {kind} {authoring.remove(macli.store, kind, name)!r}")


def give_html(macli: Macli, html: str, *, json: bool, out: Path | None = None) -> None:
    """Print HTML, or write it to the file named. Raises OperationFailed."""
    from macli.web import preview

    if json:
        macli.out.record({"html": html}, shape="json")
    elif out is None:
        macli.out.text(html)
    else:
        preview.write(html, out)
        macli.out.say(f"wrote {out}")


def _named(word: str) -> Any:
    return typer.Argument(metavar="NAME", help=f"The {word}.", autocompletion=options.names_of(f"{word}s"))
