"""``macli asset``: files people download from the site, and who did."""

from pathlib import Path
from typing import Annotated

import typer

from macli.commands import options
from macli.context import Macli

app = typer.Typer(no_args_is_help=True, help="Files to download: e-books, price lists.")

Slug = Annotated[
    str, typer.Argument(metavar="SLUG", help="The file, by its address.", autocompletion=options.names_of("downloads"))
]


@app.command("add")
def add(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    slug: Annotated[str | None, typer.Option("--slug", metavar="WORD", help="Its address: /d/WORD.")] = None,
) -> None:
    """Offer a file for download. The same address again leads to the new file from then on.

    Example: macli asset add ebook.pdf --slug ebook
    """
    from macli.forms import offering

    macli = Macli.of(ctx)
    made = offering.add_download(macli.store, macli.now(), file, slug)
    macli.out.say(f"{file.name} can be downloaded at {macli.setting('public_url') or ''}/d/{made}")


@app.command("list")
def list_(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """List the files, how often each was fetched, and by how many contacts.

    Example: macli asset list
    """
    from macli.store import downloads

    macli = Macli.of(ctx)
    macli.out.rows(
        downloads.list_all(macli.store),
        columns=("slug", "name", "content_type", "octets", "times", "contacts", "created_at"),
        shape=options.shape(format, json),
    )


@app.command("url")
def url(ctx: typer.Context, slug: Slug, json: options.Json = False) -> None:
    """Print the address of a file.

    Example: macli asset url ebook
    """
    from macli.store import downloads

    macli = Macli.of(ctx)
    address = f"{macli.setting('public_url') or ''}/d/{downloads.find(macli.store, slug)['slug']}"
    if json:
        macli.out.record({"url": address}, shape="json")
    else:
        macli.out.text(address)


@app.command("rm")
def rm(ctx: typer.Context, slug: Slug, yes: options.Yes = False) -> None:
    """Offer a file no more. Who fetched it stays known.

    Example: macli asset rm ebook --yes
    """
    from macli.store import downloads

    macli = Macli.of(ctx)
    found = downloads.find(macli.store, slug)
    macli.out.confirm(f"offer {found['name']} at /d/{found['slug']} no more?", yes=yes)
    downloads.remove(macli.store, slug)
    macli.out.say(f"{found['name']} can no longer be downloaded at /d/{found['slug']}")
