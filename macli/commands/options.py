"""The options many commands share, and the completion of names from the store."""

from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from typing import Annotated, TypeAlias
from urllib.parse import quote

import typer

from macli.context import Macli
from macli.errors import MacliError, UnknownName, UsageError
from macli.output import SHAPES


def _shapes(incomplete: str) -> list[str]:
    return [shape for shape in SHAPES if shape.startswith(incomplete)]


Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Write JSON.")]
Format: TypeAlias = Annotated[
    str | None,
    typer.Option("--format", metavar="SHAPE", help=f"One of {', '.join(SHAPES)}.", autocompletion=_shapes),
]
Where: TypeAlias = Annotated[str | None, typer.Option("--where", metavar="RULE", help="Only those the rule selects.")]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
At: TypeAlias = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="When: '2026-12-01 09:00 Europe/Warsaw', 'in 2 hours'."),
]
DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Say what would happen and change nothing.")]


def moment(macli: Macli, at: str | None) -> datetime:
    """The time named with --at, or now. Raises UsageError."""
    from macli.clock import parse_when

    return macli.now() if at is None else parse_when(at, now=macli.now(), default=macli.zone)


def shape(format: str | None, json: bool) -> str | None:
    """The shape asked for; None means a table for people."""
    if json and format not in (None, "json"):
        raise UsageError(f"--json and --format {format} ask for two shapes")
    if json:
        return "json"
    if format is not None and format not in SHAPES:
        raise UnknownName("format", format, SHAPES, hint=f"one of {', '.join(SHAPES)}")
    return format


NAMED = {
    "mailboxes": "name",
    "segments": "name",
    "campaigns": "name",
    "templates": "name",
    "providers": "name",
    "channels": "name",
    "categories": "name",
    "attributes": "name",
    "tags": "name",
    "topics": "name",
    "contacts": "email",
    "url_rules": "name",
    "stages": "name",
    "rfm_reports": "name",
    "forms": "name",
    "pages": "name",
    "banners": "name",
    "staff": "name",
    "owner_rules": "name",
    "funnels": "name",
    "staff_roles": "role",
    "staff_groups": "name",
    "downloads": "slug",
    "point_rules": "name",
}
_KINDS = {
    "stages": "(SELECT name FROM stages WHERE removed_at IS NULL)",
    "templates": "(SELECT name FROM templates WHERE kind NOT IN ('page', 'form'))",
    "forms": "(SELECT name FROM templates WHERE kind = 'form')",
    "staff_roles": "(SELECT DISTINCT role FROM staff_roles)",
    "staff_groups": "(SELECT DISTINCT name FROM staff_groups)",
    "pages": "(SELECT name FROM templates WHERE kind = 'page')",
}


def names_of(table: str) -> Callable[[typer.Context, str], list[str]]:
    """A completion that offers the names in ``table``; nothing where they cannot be read."""
    column, source = NAMED[table], _KINDS.get(table, table)

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        import sqlite3

        try:
            macli = Macli.of(ctx)
            store = macli.workspace.store
            with closing(sqlite3.connect(f"file:{quote(str(store))}?mode=ro", uri=True, timeout=0.2)) as connection:
                if macli.acting_name:
                    from macli.store import access

                    access.limit(connection, store, macli.acting_name)
                found = connection.execute(
                    f"SELECT {column} FROM {source} WHERE {column} LIKE :start ESCAPE '!' ORDER BY 1 LIMIT 100",
                    {"start": _like(incomplete) + "%"},
                )
                return [name for (name,) in found]
        except (sqlite3.Error, MacliError, OSError):
            return []  # a shell that waits for a completion is no place for an error

    return complete


def _like(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
