"""``macli banner``: banners – where they lead, how they look, who followed them."""

from pathlib import Path
from typing import Annotated

import typer

from macli.commands import options
from macli.context import Macli

app = typer.Typer(no_args_is_help=True, help="Banners in pages and mails, and who followed them.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The banner.", autocompletion=options.names_of("banners"))]
Url = Annotated[str | None, typer.Option("--url", metavar="URL", help="Where it leads.")]
Text = Annotated[str | None, typer.Option("--text", metavar="TEXT", help="Its words, or what its image says.")]
Image = Annotated[Path | None, typer.Option("--image", metavar="FILE", help="Its image.")]
Campaign = Annotated[
    str | None,
    typer.Option("--campaign", help="The campaign it belongs to.", autocompletion=options.names_of("campaigns")),
]
Category = Annotated[
    str | None,
    typer.Option("--category", help="The category it is in.", autocompletion=options.names_of("categories")),
]


@app.command("add")
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    url: Annotated[str, typer.Option("--url", metavar="URL", help="Where it leads.")],
    text: Text = None,
    image: Image = None,
    campaign: Campaign = None,
    category: Category = None,
) -> None:
    """Make a banner.

    Example: macli banner add spring --url https://shop.example/spring --text "Spring sale" --image spring.png
    """
    from macli.forms import offering

    macli = Macli.of(ctx)
    slug = offering.add_banner(
        macli.store, macli.now(), name, url=url, text=text, image=image, campaign=campaign, category=category
    )
    macli.out.say(f"made the banner {name!r}, which leads there by {macli.setting('public_url') or ''}/b/{slug}")


@app.command("list")
def list_(
    ctx: typer.Context, category: Category = None, format: options.Format = None, json: options.Json = False
) -> None:
    """List the banners, how often each was followed, and by how many contacts.

    Example: macli banner list
    """
    from macli.store import banners

    macli = Macli.of(ctx)
    macli.out.rows(
        banners.list_all(macli.store, category=category),
        columns=("name", "slug", "category", "campaign", "url", "clicks", "contacts", "clicked_at"),
        shape=options.shape(format, json),
    )


@app.command("show")
def show(ctx: typer.Context, name: Name, format: options.Format = None, json: options.Json = False) -> None:
    """Show a banner.

    Example: macli banner show spring
    """
    from macli.store import banners

    macli = Macli.of(ctx)
    found = banners.find(macli.store, name)
    shown = ("name", "slug", "url", "text", "category", "campaign", "created_at", "updated_at")
    record = {**{key: found[key] for key in shown}, "image": found["asset_id"] is not None}
    macli.out.record(record, shape=options.shape(format, json))


@app.command("edit")
def edit(
    ctx: typer.Context,
    name: Name,
    url: Url = None,
    text: Text = None,
    image: Image = None,
    campaign: Campaign = None,
    category: Category = None,
) -> None:
    """Change a banner; its address stays.

    Example: macli banner edit spring --url https://shop.example/last-days
    """
    from macli.forms import offering

    macli = Macli.of(ctx)
    offering.edit_banner(
        macli.store, macli.now(), name, url=url, text=text, image=image, campaign=campaign, category=category
    )
    macli.out.say(f"changed the banner {name!r}")


@app.command("embed")
def embed(ctx: typer.Context, name: Name, json: options.Json = False) -> None:
    """Print the HTML of a banner for a page or a mail.

    Example: macli banner embed spring
    """
    from macli.web import preview as previews

    macli = Macli.of(ctx)
    html = previews.banner(macli.store, name, base=macli.setting("public_url"))
    if json:
        macli.out.record({"html": html}, shape="json")
    else:
        macli.out.text(html)


@app.command("rm")
def rm(ctx: typer.Context, name: Name, yes: options.Yes = False) -> None:
    """Remove a banner. Who followed it stays known.

    Example: macli banner rm spring --yes
    """
    from macli.store import banners

    macli = Macli.of(ctx)
    found = banners.find(macli.store, name)["name"]
    macli.out.confirm(f"remove the banner {found!r}? Links to it lead nowhere then.", yes=yes)
    banners.remove(macli.store, name)
    macli.out.say(f"removed the banner {found!r}")
