"""Landing pages: ``/p/SLUG``, rendered for whoever comes: a contact where a message's token proves it, else nobody."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from macli.content import TemplateFault
from macli.content.pages import own_scripts, parts_of, render_page
from macli.errors import UnknownName
from macli.signing import Keyring
from macli.store import Row, Store, banners, downloads, templates
from macli.web import form_view, look
from macli.web.banners import html_of
from macli.web.form_view import MAIL, PAGE, VISITOR
from macli.web.forms import fragment
from macli.web.known import asked, values, who
from macli.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route


def routes(site: Site) -> "list[Route]":
    from starlette.responses import HTMLResponse
    from starlette.routing import Route

    async def show(request: "Request") -> "Response":
        slug, (mail, visitor) = request.path_params["slug"], asked(request)
        accepted, now = request.headers.get("accept-language", ""), site.now()

        def render(store: Store) -> tuple[str, str] | None:
            page = page_at(store, slug)
            if page is None:
                return None
            # The token alone tells whose page it is; a visitor's token is no proof, others may use the browser.
            known = who(store, site.keys, mail, "")
            parts = Parts(
                store,
                site.keys,
                site.url,
                now=now,
                page=f"/p/{slug}",
                accepted=accepted,
                mail=mail if known.send_id is not None else "",
                visitor=visitor,
            )
            locale = site.setting("locale") or "en"
            html = _rendered(page, values(store, known.contact_id), parts, now, locale)
            return html, _policy(store, page)

        try:
            shown = await site.read(render)
        except TemplateFault:
            lines = ["This page cannot be shown at the moment."]
            return look.shown("form_note.html", status=503, title="Not now", lines=lines)
        if shown is None:
            lines = ["There is no such page, or not any more."]
            return look.shown("form_note.html", status=404, title="Not here", lines=lines)
        html, policy = shown
        return HTMLResponse(html, headers={**look.SAFETY, "Content-Security-Policy": policy})

    return [Route("/p/{slug}", show, methods=["GET"])]


def page_at(store: Store, slug: str, number: int | None = None) -> Row | None:
    """The page at an address, in its current version or another one; None where there is none."""
    try:
        found = templates.find(store, slug, "page")
    except UnknownName:
        return None
    if templates.slug_of(found["name"]) != slug:
        return None
    return templates.version(store, int(found["id"]), number)


class Parts:
    """The forms, banners and addresses of files a page shows, made for one visitor."""

    def __init__(
        self,
        store: Store,
        keys: Keyring,
        url: Callable[[str], str],
        *,
        now: datetime,
        page: str = "",
        accepted: str = "",
        mail: str = "",
        visitor: str = "",
    ) -> None:
        self._store = store
        self._keys = keys
        self._url = url
        self._now = now
        self._accepted = accepted
        self._hidden = {MAIL: mail, VISITOR: visitor, PAGE: url(page) if page else ""}
        self._query = f"?{MAIL}={quote(mail, safe='.-_')}" if mail else ""

    def made(self) -> Mapping[str, Callable[[str], Any]]:
        return {"form": self.form, "banner": self.banner, "download": self.download}

    def form(self, name: str) -> Any:
        from markupsafe import Markup

        from macli.clock import to_ms

        one = form_view.served(self._store, templates.slug_of(name))
        if one is None:
            return ""
        locale = one.locale(self._accepted)
        mark = form_view.seal(self._keys, one, to_ms(self._now), locale)
        return Markup(fragment(self._url, one, locale=locale, mark=mark, hidden=self._hidden))  # noqa: S704 - escaped in its template

    def banner(self, name: str) -> Any:
        from markupsafe import Markup

        found = banners.by_slug(self._store, templates.slug_of(name))
        return "" if found is None else Markup(html_of(found, self._url(""), self._query))  # noqa: S704 - escaped

    def download(self, name: str) -> str:
        try:
            slug = downloads.find(self._store, name)["slug"]
        except UnknownName:
            return ""
        return f"{self._url('/d/')}{slug}{self._query}"


def _rendered(page: Row, known: Mapping[str, Any], parts: Parts, now: datetime, locale: str) -> str:
    """The page for a contact; for nobody, where this contact's values do not do. Raises TemplateFault."""
    try:
        return render_page(page["name"], page["html"], known, parts=parts.made(), now=now, locale=locale)
    except TemplateFault:
        if not known:
            raise
        return render_page(page["name"], page["html"], {}, parts=parts.made(), now=now, locale=locale)


def _policy(store: Store, page: Row) -> str:
    """What the page may load and do: its author's own scripts run, and none that came in by a value."""
    forms = [one.name for one in parts_of(page["html"], where=page["name"]) if one.kind == "form"]
    posts = {"'self'"}
    for name in forms:
        posts.update(form_view.policy(form_view.served(store, templates.slug_of(name))).split())
    scripts = " ".join(["'self'", "https:", *own_scripts(page["html"])])
    return (
        f"default-src 'self' https: data:; script-src {scripts}; style-src 'self' https: 'unsafe-inline';"
        f" form-action {' '.join(sorted(posts))}; base-uri 'none'; frame-ancestors 'self'; object-src 'none'"
    )
