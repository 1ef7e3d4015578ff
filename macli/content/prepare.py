"""From what an author hands in to what is stored: checked, inlined, with a text part. All at save time."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from macli.content.errors import TemplateError
from macli.content.sources import html_of
from macli.content.values import GIVEN, Record
from macli.errors import UnknownName, UsageError
from macli.store.templates import Content

if TYPE_CHECKING:
    from macli.content.variables import Uses

PARTS = ("subject", "html", "text")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def decode(octets: bytes, *, where: str) -> str:
    """The text of a template file: UTF-8, with or without a byte order mark. Raises UsageError."""
    if octets.startswith((b"\xff\xfe", b"\xfe\xff")):
        return clean(octets.decode("utf-16"))
    try:
        return clean(octets.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{where}:{line}: not UTF-8 (octet 0x{octets[error.start]:02x})",
            hint=f"convert it: iconv -f windows-1252 -t utf-8 {where}",
        ) from None


def clean(text: str) -> str:
    """The text with plain line ends and without control characters."""
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def prepare(
    name: str,
    kind: str,
    *,
    source: str,
    source_format: str,
    subject: str | None = None,
    text: str | None = None,
    defaults: Mapping[str, Any] | None = None,
    attachments: tuple[int, ...] = (),
) -> Content:
    """A template version ready to be stored. ``text`` None: an e-mail's text part is made from its HTML.

    Raises TemplateError naming part and line, so that what is wrong is never stored.
    """
    html = None
    derived = False
    if kind == "email" and not (subject or "").strip():
        raise UsageError(f"{name}: an e-mail template needs a subject", hint="add --subject 'Hi {{ first_name }}'")
    source = clean(source)
    subject = clean(subject).strip() if subject and kind == "email" else None
    if not source.strip():
        raise UsageError(f"{name}: the template is empty")
    if source_format in ("html", "mjml", "markdown"):
        check_syntax(source, html=True, where=f"{name} ({source_format})")
        html = html_of(source, source_format, where=f"{name} ({source_format})")
        if text is None:
            from macli.content.plain import text_of

            text, derived = text_of(html), True
    elif source_format == "push":
        from macli.content.push import parts_of

        subject, text = parts_of(source, where=f"{name} (push)")
    else:
        text = source
    content = Content(
        subject=subject,
        html=html,
        text=clean(text),
        source=source,
        source_format=source_format,
        text_derived=derived,
        defaults=_checked_defaults(name, defaults or {}),
        attachments=attachments,
    )
    for part in PARTS:
        written = getattr(content, part)
        if written is not None:
            where = f"{name} ({part})"
            try:
                check_syntax(written, html=part == "html", where=where)
            except TemplateError as error:
                if part == "text" and derived:
                    raise TemplateError(
                        f"no text part can be made from this HTML: {error.message}",
                        where=where,
                        hint="give one with --text FILE",
                    ) from None
                raise
    _refuse_unknown_fields(name, content)
    return content


def check_syntax(source: str, *, html: bool, where: str) -> None:
    """Raises TemplateError where ``source`` is no template."""
    from macli.content.language import parse

    parse(source, html=html, where=where)


def _checked_defaults(name: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    for key in defaults:
        if not key.isidentifier() or key in GIVEN:
            raise UsageError(f"{name}: {key!r} cannot have a default", hint="a default is for a contact's value")
    return {key.casefold(): value for key, value in defaults.items()}


def _refuse_unknown_fields(name: str, content: Content) -> None:
    for base, field in sorted(uses(vars(content)).given):
        if GIVEN[base] and field not in GIVEN[base]:
            raise UnknownName(f"field of {base!r}", field, GIVEN[base], hint=f"in the template {name!r}")


def uses(version: Record) -> "Uses":
    """What a template version reads of the contact and of what macli gives."""
    from macli.content.language import parse
    from macli.content.variables import uses_of

    return uses_of(parse(version[part], html=part == "html", where=part) for part in PARTS if version[part] is not None)
