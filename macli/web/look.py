"""How macli's own pages look: one quiet frame, readable on a phone, by day and night, without JavaScript."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.responses import HTMLResponse

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
