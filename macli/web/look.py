"""How macli's own pages look: one quiet frame, readable on a phone, by day and night, without JavaScript."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from macli.errors import UsageError
from macli.store import Store

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup
    from starlette.responses import HTMLResponse

    from macli.web.site import Site

PAGES = Path(__file__).parent / "pages"

# Forms post to ourselves only, nothing is loaded from elsewhere, and nobody frames these pages.
SAFETY: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' https: data:; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store, private",
}


def shown(
    template: str, *, locale: str = "en", status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> "HTMLResponse":
    """The page ``pages/TEMPLATE``, which extends ``frame.html``; ``values`` are escaped where they stand."""
    from starlette.responses import HTMLResponse

    html = rendered(template, locale=locale, **values)
    return HTMLResponse(html, status, {**SAFETY, **(headers or {})})


async def framed(site: "Site", template: str, *, locale: str, status: int = 200, **values: Any) -> "HTMLResponse":
    """A page in the words of a language, inside the company's own page where the setting unsubscribe.page names one.

    Where that page cannot be shown, macli's own frame takes its place: what people ask for here is not to
    fail by a mistake in it.
    """
    from starlette.responses import HTMLResponse

    from macli.web.words import WORDS

    imprint = [line for key in ("sender.name", "postal_address") for line in (site.setting(key) or "").splitlines()]
    values = {"locale": locale, "words": WORDS[locale], "imprint": imprint, **values}
    name = site.setting("unsubscribe.page")
    if name:
        title, content = _parts(template, values)
        html = await site.read(lambda store: _in_page(store, name, title, content, locale, site.now()))
        if html is not None:
            return HTMLResponse(html, status, {**SAFETY, "Content-Security-Policy": _BRANDED})
    html = rendered(template, frame="frame.html", **values)
    return HTMLResponse(html, status, SAFETY)


# The company's page may bring its own style sheets, pictures and letters, and no scripts.
_BRANDED = (
    "default-src 'none'; style-src https: 'unsafe-inline'; img-src 'self' https: data:; font-src https: data:;"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def _parts(template: str, values: Mapping[str, Any]) -> "tuple[str, Markup]":
    """The title of a page, and what stands on it."""
    from markupsafe import Markup

    page = _environment().get_template(template)
    title = "".join(page.blocks["title"](page.new_context(dict(values))))
    return title, Markup(page.render(frame="bare.html", **values))  # noqa: S704 - escaped in its template


def _in_page(store: Store, name: str, title: str, content: "Markup", locale: str, now: datetime) -> str | None:
    """The company's page around ``content``; None where there is none, or it fails, or does not show it."""
    from macli.content import TemplateFault
    from macli.content.pages import PARTS, render_page
    from macli.store import templates

    try:
        html = templates.version(store, name, kind="page")["html"]
        parts = dict.fromkeys(PARTS, lambda name: "")
        page = render_page(name, html, {"title": title, "locale": locale}, parts=parts, now=now, content=content)
    except (TemplateFault, UsageError):
        return None
    return page if content in page else None


def rendered(template: str, *, locale: str = "en", **values: Any) -> str:
    """The text of ``pages/TEMPLATE``: a page, or a part of one that goes into another."""
    return _environment().get_template(template).render(locale=locale, **values)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
