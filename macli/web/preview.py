"""Pages, forms and banners as the site would show them, for who makes them."""

from collections.abc import Callable
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from macli.clock import to_ms
from macli.content import values_of
from macli.content.pages import render_page
from macli.errors import OperationFailed, UsageError
from macli.signing import keyring
from macli.store import Store, banners, contacts, templates
from macli.web import form_view, look
from macli.web.banners import html_of
from macli.web.landing import Parts


def of_form(store: Store, workspace: Path, now: datetime, name: str, number: int | None) -> str:
    """The page of a form. Raises UnknownName."""
    slug = templates.slug_of(templates.find(store, name, "form")["name"])
    one = form_view.served(store, slug, number)
    assert one is not None
    locale = one.form.locale
    title, intro = form_view.heading(one, locale)
    mark = form_view.seal(keyring(workspace), one, to_ms(now), locale)
    view = form_view.view(one, action=f"/f/{slug}", locale=locale, mark=mark, typed={}, mistakes={})
    return look.rendered("form.html", locale=locale, title=title or one.name, intro=intro, view=view)


def of_page(
    store: Store,
    workspace: Path,
    now: datetime,
    name: str,
    number: int | None,
    *,
    who: str | None,
    setting: Callable[[str], Any],
) -> str:
    """A page as a visitor or a contact gets it. Raises UnknownName, TemplateFault."""
    page = templates.version(store, name, number, kind="page")
    known = {} if who is None else values_of(contacts.find(store, who, region=setting("country")))
    parts = Parts(store, keyring(workspace), lambda path: f"{setting('public_url') or ''}{path}", now=now)
    content = "[what this page frames]"
    return render_page(page["name"], page["html"], known, parts=parts.made(), now=now, content=content)


def embedded(store: Store, name: str, *, base: str | None) -> str:
    """The HTML that puts a form into a page elsewhere; without scripts it is a link. Raises UsageError."""
    found = templates.find(store, name, "form")["name"]
    address = f"{_public(base)}/f/{templates.slug_of(found)}"
    slug = templates.slug_of(found)
    return (
        f'<div data-macli-form="{slug}"><a href="{escape(address)}">{escape(found)}</a></div>\n'
        f'<script src="{escape(address)}/embed.js" async></script>'
    )


def banner(store: Store, name: str, *, base: str | None) -> str:
    """The HTML of a banner, for a page or a mail. Raises UnknownName, UsageError."""
    return html_of(banners.find(store, name), _public(base))


def write(html: str, file: Path) -> None:
    """Write a page to a file. Raises OperationFailed."""
    try:
        file.write_text(html, encoding="utf-8")
    except OSError as error:
        raise OperationFailed(f"{file}: {error.strerror}") from None


def _public(base: str | None) -> str:
    if not base:
        raise UsageError(
            "other sites need to know where this one is", hint="macli settings set public_url https://news.example.com"
        )
    return base
