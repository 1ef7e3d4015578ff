"""Forms on the web: ``/f/SLUG`` as a page, inside other sites' pages, and what comes back.

No token guards against forged requests: nothing here acts for somebody signed in, there is no cookie
that could be abused, and whoever could make a visitor's browser post could as well post himself.
What stops programs is a field people do not see, the time since the page was shown, and a limit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from macli.clock import to_ms
from macli.forms import answering, submission, words
from macli.forms.answering import Answers
from macli.forms.definition import TRAP
from macli.forms.popups import when
from macli.store import Store, web_rates
from macli.web import form_view, look
from macli.web.bodies import Refused, read_fields
from macli.web.form_view import MAIL, MARK, PAGE, VISITOR, Mark, Served
from macli.web.known import asked, prefilled
from macli.web.origins import trusted
from macli.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

_LARGEST = 64 * 1024
_MOST, _SPAN = 20, 10 * 60_000
"""Answers one address may send to one form within so many milliseconds."""
_TOO_FAST, _TOO_OLD = 2_000, 24 * 3_600_000
"""Milliseconds since the form was shown: nobody types faster, and nobody remembers longer."""
_STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True, kw_only=True)
class _Came:
    """One posted form: what it is, what was typed, and how it is to be answered."""

    one: Served
    typed: Mapping[str, str]
    mark: Mark | None
    locale: str
    as_json: bool
    origin: str | None


def routes(site: Site) -> "list[Route]":
    from starlette.responses import JSONResponse, PlainTextResponse, Response
    from starlette.routing import Route

    async def show(request: "Request") -> "Response":
        one = await site.read(lambda store: form_view.served(store, request.path_params["slug"]))
        if one is None:
            return _unknown()
        mail, _ = asked(request)
        typed, liked = await site.read(lambda store: prefilled(store, site.keys, mail, one.form))
        locale = one.locale(request.query_params.get("lang") or liked or request.headers.get("accept-language", ""))
        mark = form_view.seal(site.keys, one, site.now_ms(), locale)
        return _page(site, one, locale=locale, mark=mark, typed=typed, mail=mail)

    async def take(request: "Request") -> "Response":
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_cross(trusted(site, request)))
        try:
            typed = await read_fields(request, _LARGEST)
        except Refused as refused:
            return PlainTextResponse(f"{refused}\n", refused.status)
        slug = request.path_params["slug"]
        mark = form_view.unseal(site.keys, slug, typed.get(MARK, ""))
        one = await site.read(lambda store: form_view.served(store, slug))
        if one is None:
            return _unknown()
        if mark is not None and mark.version != one.version:
            # What was shown counts: its words were agreed to.
            shown = mark.version
            one = await site.read(lambda store: form_view.served(store, slug, shown)) or one
        came = _Came(
            one=one,
            typed=typed,
            mark=mark,
            locale=mark.locale if mark else one.locale(request.headers.get("accept-language", "")),
            as_json="application/json" in request.headers.get("accept", "") + request.headers.get("content-type", ""),
            origin=trusted(site, request),
        )
        return await _answer(site, request, came)

    async def embedded(request: "Request") -> "Response":
        """The form for a page elsewhere; for a visitor who is known already, where it would pop up, nothing."""
        origin, slug = trusted(site, request), request.path_params["slug"]
        if origin is None:
            return JSONResponse({"error": "this page is none of tracker.domains"}, 403)
        one = await site.read(lambda store: form_view.served(store, slug))
        if one is None:
            return JSONResponse({"error": "no such form"}, 404, headers=_cross(origin))
        pops_up = request.scope["path"].endswith("/popup.json")
        visitor = request.query_params.get(VISITOR, "")
        if pops_up and (one.form.popup is None or await site.read(lambda store: _is_known(store, visitor))):
            return Response(status_code=204, headers=_cross(origin))
        locale = one.locale(request.query_params.get("lang") or request.headers.get("accept-language", ""))
        mark = form_view.seal(site.keys, one, site.now_ms(), locale)
        said: dict[str, Any] = {
            "form": one.slug,
            "html": fragment(site.url, one, locale=locale, mark=mark, hidden={VISITOR: visitor[:64]}),
            "close": words.words_for(locale)["close"],
        }
        if pops_up and one.form.popup is not None:
            said["popup"] = when(one.form.popup)
        return JSONResponse(said, headers=_cross(origin))

    async def script(request: "Request") -> "Response":
        text = (_STATIC / "form.js").read_text("utf-8")
        return Response(text, media_type="text/javascript", headers={"Cache-Control": "public, max-age=3600"})

    return [
        Route("/f/{slug}", show, methods=["GET"]),
        Route("/f/{slug}", take, methods=["POST", "OPTIONS"]),
        Route("/f/{slug}/embed.json", embedded),
        Route("/f/{slug}/popup.json", embedded),
        Route("/f/{slug}/embed.js", script),
    ]


def fragment(
    url: Callable[[str], str],
    one: Served,
    *,
    locale: str,
    mark: str,
    typed: Mapping[str, str] | None = None,
    mistakes: Mapping[str, str] | None = None,
    note: str = "",
    hidden: Mapping[str, str] | None = None,
) -> str:
    """The form as a part of another page."""
    title, intro = form_view.heading(one, locale)
    view = form_view.view(
        one,
        action=url(f"/f/{one.slug}"),
        locale=locale,
        mark=mark,
        typed=typed or {},
        mistakes=mistakes or {},
        note=note,
        hidden=hidden,
    )
    return look.rendered("form_fragment.html", locale=locale, view=view, title=title, intro=intro)


async def _answer(site: Site, request: "Request", came: _Came) -> "Response":
    what, caller = f"form:{came.one.slug}", site.caller(request)
    times = await site.write(lambda store, now: web_rates.count(store, to_ms(now), what, caller, _SPAN))
    own = words.words_for(came.locale)
    if times > _MOST:
        return _again(site, came, {}, own["often"], status=429)
    if came.typed.get(TRAP) or (came.mark is not None and site.now_ms() - came.mark.shown_at < _TOO_FAST):
        return _taken(site, came)  # a program is told what it wants to hear
    if came.mark is None or not 0 <= site.now_ms() - came.mark.shown_at < _TOO_OLD:
        return _again(site, came, {}, own["again"], status=422, afresh=True)
    zone = ZoneInfo(site.setting("timezone") or "UTC")
    answers = answering.check(came.one.form, came.typed, locale=came.locale, region=site.setting("country"), zone=zone)
    mistakes = answers.mistakes
    if not mistakes:
        sent = _sent(site, request, came, came.mark, answers)
        faithful = site.setting("tags.normalise")

        def keep(store: Store, now: datetime) -> Mapping[str, str]:
            return submission.keep(store, now, sent, zone=zone, faithful=faithful)

        mistakes = await site.write(keep)
    if mistakes:
        return _again(site, came, mistakes, own["mend"], status=422)
    return _taken(site, came)


def _sent(site: Site, request: "Request", came: _Came, mark: Mark, answers: Answers) -> submission.Sent:
    mail = came.typed.get(MAIL, "")
    proof = site.keys.act(mail) if mail else None
    evidence = {
        "ip": site.caller(request),
        "agent": request.headers.get("user-agent", "")[:400],
        "page": _page_of(came.typed.get(PAGE) or request.headers.get("referer", "")) or site.url(f"/f/{came.one.slug}"),
    }
    return submission.Sent(
        name=came.one.name,
        slug=came.one.slug,
        version=came.one.version,
        form=came.one.form,
        answers=answers,
        once=f"{came.one.slug}:{mark.once}",
        locale=came.locale,
        evidence=evidence,
        mail=proof if proof is not None else (site.keys.follow(mail) if mail else None),
        proof=proof,
        visitor=came.typed.get(VISITOR) or None,
    )


def _page_of(url: str) -> str:
    """A page's address as evidence: without what stands behind ``?``, which may be somebody's token."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    own = not parts.scheme and not parts.netloc and url.startswith("/")
    if not (own or parts.scheme in ("http", "https")) or len(url) > 2000 or not url.isprintable():
        return ""
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


def _taken(site: Site, came: _Came) -> "Response":
    """What everybody is answered whose form was taken, known address or new."""
    from starlette.responses import JSONResponse, RedirectResponse

    target = form_view.target(came.one)
    asked = any(came.typed.get(answering.box(place)) for place, _ in enumerate(came.one.form.consents))
    lines = form_view.thanks(came.one, came.locale, asked=asked)
    if came.as_json:
        leads = site.url(target) if target and target.startswith("/") else target
        return JSONResponse({"ok": True, "thanks": lines, "redirect": leads}, headers=_cross(came.origin))
    if target is not None:
        return RedirectResponse(target, 303, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
    title, _ = form_view.heading(came.one, came.locale)
    return look.shown("form_note.html", locale=came.locale, title=title or came.one.name, lines=lines)


def _again(
    site: Site, came: _Came, mistakes: Mapping[str, str], note: str, *, status: int, afresh: bool = False
) -> "Response":
    """The form once more, with what was typed and what is wrong with it."""
    from starlette.responses import JSONResponse

    # The mark stays, so that whoever mends a slip at once is not taken for a program.
    mark = form_view.seal(site.keys, came.one, site.now_ms(), came.locale) if afresh else came.typed.get(MARK, "")
    if not came.as_json:
        mail = came.typed.get(MAIL, "")[:200]
        return _page(
            site,
            came.one,
            locale=came.locale,
            mark=mark,
            typed=came.typed,
            mistakes=mistakes,
            note=note,
            mail=mail,
            visitor=came.typed.get(VISITOR, "")[:64],
            status=status,
        )
    hidden = {name: came.typed.get(name, "")[:2000] for name in (MAIL, PAGE, VISITOR)}
    html = fragment(
        site.url,
        came.one,
        locale=came.locale,
        mark=mark,
        typed=came.typed,
        mistakes=mistakes,
        note=note,
        hidden=hidden,
    )
    said = {"ok": False, "errors": dict(mistakes), "note": note, "html": html, "mark": mark}
    return JSONResponse(said, status, headers=_cross(came.origin))


def _page(
    site: Site,
    one: Served,
    *,
    locale: str,
    mark: str,
    typed: Mapping[str, str],
    mistakes: Mapping[str, str] | None = None,
    note: str = "",
    mail: str = "",
    visitor: str = "",
    status: int = 200,
) -> "Response":
    title, intro = form_view.heading(one, locale)
    view = form_view.view(
        one,
        action=f"/f/{one.slug}",
        locale=locale,
        mark=mark,
        typed=typed,
        mistakes=mistakes or {},
        note=note,
        hidden={MAIL: mail, VISITOR: visitor, PAGE: site.url(f"/f/{one.slug}")},
    )
    safety = look.SAFETY["Content-Security-Policy"].replace(
        "form-action 'self'", f"form-action {form_view.policy(one)}"
    )
    return look.shown(
        "form.html",
        locale=locale,
        status=status,
        headers={"Content-Security-Policy": safety},
        title=title or one.name,
        intro=intro,
        view=view,
    )


def _unknown() -> "Response":
    return look.shown("form_note.html", status=404, title="Not here", lines=["There is no such form, or not any more."])


def _is_known(store: Store, visitor: str) -> bool:
    from macli.store import visitors

    found = visitors.by_token(store, visitor)
    return found is not None and found["contact_id"] is not None


def _cross(origin: str | None) -> dict[str, str]:
    """What lets the pages of tracker.domains, and no others, read an answer."""
    if origin is None:
        return {"Vary": "Origin", "Cache-Control": "no-store"}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "content-type, accept",
        "Vary": "Origin",
        "Cache-Control": "no-store",
    }
