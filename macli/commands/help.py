"""``macli help``: the words macli uses, or the help of one command."""

import dataclasses
from collections.abc import Sequence
from typing import Annotated

import typer
from typer._click import Context
from typer.core import TyperGroup

from macli.commands import options
from macli.context import Macli
from macli.errors import UnknownName
from macli.terms import TERMS


def command(
    ctx: typer.Context,
    about: Annotated[list[str] | None, typer.Argument(metavar="[COMMAND]...", help="A command.")] = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Explain the words macli uses; with a command's name, how it is used.

    Example: macli help campaign send
    """
    macli = Macli.of(ctx)
    if about:
        macli.out.text(help_of(ctx.find_root(), about))
        return
    terms = (dataclasses.asdict(term) for term in TERMS)
    macli.out.rows(terms, columns=("word", "means", "elsewhere"), shape=options.shape(format, json))


def help_of(root: Context, words: Sequence[str]) -> str:
    """The help of the command ``words`` name. Raises UnknownName."""
    ctx = root
    for word in words:
        group = ctx.command
        names = group.list_commands(ctx) if isinstance(group, TyperGroup) else []
        inner = group.get_command(ctx, word) if isinstance(group, TyperGroup) else None
        if inner is None:
            raise UnknownName("command", " ".join(words), names)
        ctx = Context(inner, info_name=word, parent=ctx)
    return ctx.get_help()
