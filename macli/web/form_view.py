"""A form as it is shown: its words in one language, what was typed, what is wrong, and its signed mark."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from macli.errors import UnknownName
from macli.forms import definition, words
from macli.forms.answering import box
from macli.forms.definition import TRAP, Field, Form
from macli.forms.submission import text_of
from macli.signing import Keyring
from macli.store import Store, templates

MARK = "_t"
MAIL = "_m"
PAGE = "_page"
VISITOR = "_visitor"
_PURPOSE = "form"
_INPUTS = {"email": "email", "phone": "tel", "date": "date"}
_MODES = {"number": "decimal"}
_AUTOCOMPLETE = {
    "email": "email",
    "phone": "tel",
    "first_name": "given-name",
    "last_name": "family-name",
    "name": "name",
    "company": "organization",
    "city": "address-level2",
    "country": "country-name",
    "postcode": "postal-code",
    "zip": "postal-code",
    "birthday": "bday",
}


@dataclass(frozen=True, kw_only=True)
class Served:
    """A stored form, as of one version."""

    name: str
    slug: str
    version: int
    form: Form

    def locale(self, accepted: str) -> str:
        """The form's locale an Accept-Language header likes best."""
        return words.best(accepted, (self.form.locale, *self.form.locales))


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What the mark of a shown form says: which version was shown, when (ms), in which words."""

    slug: str
    version: int
    shown_at: int
    locale: str
    once: str


def served(store: Store, slug: str, number: int | None = None) -> Served | None:
    """The form at that address, in a version; None where there is none."""
    try:
        template = templates.find(store, slug, "form")
    except UnknownName:
        return None
    if templates.slug_of(template["name"]) != slug:
        return None
    version = templates.version(store, int(template["id"]), number)
    return Served(name=template["name"], slug=slug, version=version["number"], form=_read(version["source"]))


@lru_cache(maxsize=64)
def _read(source: str) -> Form:
    return definition.stored(source)


def seal(keys: Keyring, one: Served, now_ms: int, locale: str) -> str:
    return keys.seal(_PURPOSE, [one.slug, one.version, now_ms, locale, secrets.token_urlsafe(9)])


def unseal(keys: Keyring, slug: str, token: str) -> Mark | None:
    """What a mark says; None where nobody here made it for this form."""
    said = keys.open(_PURPOSE, token)
    if said is None or said[0] != slug:
        return None
    return Mark(slug=slug, version=said[1], shown_at=said[2], locale=said[3], once=said[4])


def view(
    one: Served,
    *,
    action: str,
    locale: str,
    mark: str,
    typed: Mapping[str, str],
    mistakes: Mapping[str, str],
    note: str = "",
    hidden: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The values of ``form_fields.html``. What people typed comes back as they typed it."""
    form, own = one.form, words.words_for(locale)
    other = form.locales.get(locale)
    return {
        "id": f"macli-{one.slug}",
        "action": action,
        "words": own,
        "note": note,
        "mistakes": mistakes,
        "trap": TRAP,
        "fields": [_field(form, field, locale, typed) for field in form.asked()],
        "consents": [
            {
                "name": box(place),
                "text": text_of(form, place, locale),
                "typed": bool(typed.get(box(place))),
                "required": consent.required,
            }
            for place, consent in enumerate(form.consents)
        ],
        "hidden": {MARK: mark, **{name: value for name, value in (hidden or {}).items() if value}},
        "submit": (other.submit if other else None) or form.submit or own["submit"],
    }


def heading(one: Served, locale: str) -> tuple[str, str]:
    """The form's title and what stands under it, where it has them."""
    other = one.form.locales.get(locale)
    title = (other.title if other else None) or one.form.title or ""
    return title, (other.intro if other else None) or one.form.intro or ""


def thanks(one: Served, locale: str, *, asked: bool) -> list[str]:
    """What is said after an answer, known address or not; ``asked``: a consent was ticked."""
    own, other = words.words_for(locale), one.form.locales.get(locale)
    lines = [(other.thanks if other else None) or one.form.thanks or own["thanks"]]
    return [*lines, own["confirm"]] if asked and one.form.double_opt_in else lines


def target(one: Served) -> str | None:
    """Where an answer leads: an address that stands in the definition, and no other."""
    if one.form.thanks_page is not None:
        return f"/p/{templates.slug_of(one.form.thanks_page)}"
    return one.form.redirect


def policy(one: Served | None) -> str:
    """Where a page with this form may post to: browsers count the redirect that follows as a part of it."""
    redirect = target(one) if one is not None else None
    if redirect is None or redirect.startswith("/"):
        return "'self'"
    parts = urlsplit(redirect)
    return f"'self' {parts.scheme}://{parts.netloc}"


def _field(form: Form, one: Field, locale: str, typed: Mapping[str, str]) -> dict[str, Any]:
    other = form.locales.get(locale)
    labels, help, choices = (other.labels, other.help, other.choices) if other else ({}, {}, {})
    return {
        "name": one.name,
        "kind": one.kind,
        "label": labels.get(one.name) or one.shown,
        "help": help.get(one.name) or one.help or "",
        "required": one.required,
        "longest": one.longest,
        "typed": typed.get(one.name, ""),
        "input": _INPUTS.get(one.kind, "text"),
        "mode": _MODES.get(one.kind, ""),
        "autocomplete": _AUTOCOMPLETE.get(one.name, ""),
        "choices": [
            {"value": choice.value, "label": choices.get(choice.value) or choice.label or choice.value}
            for choice in one.choices
        ],
    }
