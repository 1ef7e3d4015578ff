"""What is likely to harm a template on its way to a reader: size, missing alternatives, shouting."""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from macli.content.sms import segments_of
from macli.content.values import Record
from macli.store import Store

GMAIL_CLIPS = 102 * 1024
SUBJECT_SHOWN = 60

_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_ALT = re.compile(r"\balt\s*=", re.IGNORECASE)
_SCRIPT = re.compile(r"<(script|form|iframe|object|embed|video)\b", re.IGNORECASE)
_HTTP_IMAGE = re.compile(r"<img\b[^>]*\bsrc\s*=\s*[\"']?(?!https://|cid:|\{\{)(?=[^\"'>\s])", re.IGNORECASE)
_TAGS = re.compile(r"<[^>]+>|\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_SHOUTED = re.compile(r"\b[A-Z]{4,}\b")


class Finding(NamedTuple):
    level: Literal["warning", "note"]
    message: str


def lint(version: Record, *, kind: str, attributes: frozenset[str] | None = None) -> list[Finding]:
    """The findings on a template version; ``attributes`` are those declared, where they are known."""
    findings = list(_mail(version) if kind == "email" else _sms(version) if kind == "sms" else ())
    return [*findings, *_unknown(version, attributes)]


def lint_template(store: Store, name: str) -> list[Finding]:
    """The findings on the current version of a stored template. Raises UnknownName."""
    from macli.store import attributes, templates

    version = templates.version(store, name)
    return lint(version, kind=version["kind"], attributes=frozenset(attributes.types(store)))


def _mail(version: Record) -> Iterator[Finding]:
    subject, html, text = version["subject"], version["html"] or "", version["text"]
    shown = _TAGS.sub("", subject)
    if len(shown) > SUBJECT_SHOWN:
        yield Finding("note", f"the subject has {len(shown)} characters; phones show about {SUBJECT_SHOWN}")
    if shown.count("!") > 1 or "$$" in shown:
        yield Finding("warning", "the subject has several '!' or '$$', which filters count as spam")
    words = _SHOUTED.findall(shown)
    if len(words) > 1 or (words and len(shown.split()) == 1):
        yield Finding("warning", f"the subject shouts: {' '.join(words)}")
    octets = len(html.encode())
    if octets > GMAIL_CLIPS:
        yield Finding("warning", f"the HTML has {octets // 1024} KB; Gmail cuts a message off at 102 KB")
    images = _IMAGE.findall(html)
    without = sum(not _ALT.search(image) for image in images)
    if without:
        yield Finding("warning", f"{without} of {len(images)} images have no alt text")
    if images and len(_TAGS.sub("", html).split()) < 20:
        yield Finding("warning", "hardly any text beside images: many readers will see nothing")
    if _HTTP_IMAGE.search(html):
        yield Finding("warning", "an image is not loaded from https:// – most mail programs will not show it")
    for tag in sorted({match[1].lower() for match in _SCRIPT.finditer(html)}):
        yield Finding("warning", f"<{tag}> does nothing in a mail, and filters dislike it")
    if "unsubscribe_url" not in html + text:
        yield Finding("note", "no {{ unsubscribe_url }}: as marketing mail it gets a footer with that link")
    if "postal_address" not in html + text:
        yield Finding("note", "no {{ postal_address }}: as marketing mail it gets a footer with it")


def _sms(version: Record) -> Iterator[Finding]:
    counted = segments_of(_TAGS.sub("", version["text"]))
    if counted.odd:
        yield Finding("note", f"{counted.odd[:20]!r} makes it UCS-2: 70 characters a segment instead of 160")
    if counted.segments > 1:
        yield Finding("note", f"{counted.segments} segments before any value is filled in")


def _unknown(version: Record, attributes: frozenset[str] | None) -> Iterator[Finding]:
    from macli.content.prepare import uses
    from macli.content.values import CORE
    from macli.errors import did_you_mean

    if attributes is None:
        return
    known = attributes.union(CORE)
    for name in sorted(uses(version).contact - known):
        yield Finding("warning", f"no contact has an attribute {name!r}{did_you_mean(name, known)}")
