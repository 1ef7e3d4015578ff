"""``macli tracker``: what to put into pages and programs, so that macli hears of visits and events."""

from typing import Annotated

import typer

from macli.commands import options
from macli.context import Macli

app = typer.Typer(no_args_is_help=True, help="Hear from your pages and programs: visits, events, who it is.")


def _languages(incomplete: str) -> list[str]:
    from macli.visitors.snippets import LANGUAGES

    return [language for language in LANGUAGES if language.startswith(incomplete)]


@app.command()
def snippet(
    ctx: typer.Context,
    language: Annotated[
        str,
        typer.Argument(metavar="LANGUAGE", help="js, ruby, php, python or curl.", autocompletion=_languages),
    ],
    public_url: Annotated[
        str | None,
        typer.Option("--public-url", metavar="URL", help="Where macli serve is reached, if not at public_url."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Print a client for a page (js) or for a program of yours; it needs nothing else installed.

    Example: macli tracker snippet ruby > macli.rb
    """
    from macli.visitors import snippets

    macli = Macli.of(ctx)
    text = snippets.snippet(language, macli.workspace.path, public_url or macli.setting("public_url"))
    if json:
        macli.out.record({"language": language, "client": text}, shape="json")
    else:
        macli.out.text(text)
    if language == "js" and not macli.setting("tracker.domains"):
        macli.out.warn("no page is listened to yet: macli settings set tracker.domains 'shop.example, *.shop.example'")


@app.command()
def key(
    ctx: typer.Context,
    new: Annotated[bool, typer.Option("--new", help="Replace it: programs with the old one are refused then.")] = False,
) -> None:
    """Make the key that your own programs show, in a file only you can read; say where it is.

    Example: macli tracker key
    """
    from macli.visitors import keys

    macli = Macli.of(ctx)
    made = keys.make(macli.workspace.path, anew=new)
    file = macli.workspace.path / keys.REFERENCE.removeprefix("file:")
    macli.out.say(f"{'made the key of the tracker' if made else 'the key of the tracker is'}: {file}")
