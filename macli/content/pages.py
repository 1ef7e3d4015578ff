"""Landing pages: HTML or Markdown in the template language, checked when saved, rendered for a visitor."""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from macli.content.errors import TemplateError, TemplateFault
from macli.content.prepare import check_syntax, clean
from macli.content.sources import words_of_markdown
from macli.errors import UsageError
from macli.store.templates import Content

PARTS = ("form", "banner", "download")
"""What a page may call with a name: ``{{ form("newsletter") }}``."""

CONTENT = "content"
"""What a page that frames others (the setting unsubscribe.page) shows in its middle."""
_GIVEN = (*PARTS, CONTENT, "title", "locale", "now")

_PAGE = Path(__file__).parent / "page.html"
"""What a page without ``<html>`` stands in: one column, readable on a phone, light or dark."""
_DOCUMENT = re.compile(r"<html\b", re.IGNORECASE)
_HEADING = re.compile(r"<h1\b[^>]*>(.*?)</h1>", re.IGNORECASE | re.DOTALL)
_SCRIPT = re.compile(r"<script(?![^>]*\bsrc\s*=)[^>]*>(.*?)</script\s*>", re.IGNORECASE | re.DOTALL)
_ALONE = re.compile(r"<p>\s*(\{\{\s*(?:form|banner|content)\b[^}]*\}\})\s*</p>")
_TAG = re.compile(r"<[^>]+>")


@dataclass(frozen=True, kw_only=True)
class Part:
    """A form, banner or file a page shows, by its name."""

    kind: str
    name: str


def prepare_page(name: str, *, source: str, source_format: str, now: datetime) -> Content:
    """A page's version ready to be stored. Raises TemplateError naming the line, UsageError, TemplateFault."""
    source = clean(source)
    if not source.strip():
        raise UsageError(f"{name}: the page is empty")
    where = f"{name} ({source_format})"
    check_syntax(source, html=True, where=where)
    words = _ALONE.sub(r"\1", words_of_markdown(source)) if source_format == "markdown" else source
    html = words if _DOCUMENT.search(words) else _framed(name, words)
    check_syntax(html, html=True, where=where)
    content = Content(subject=None, html=html, text="", source=source, source_format=source_format)
    _refuse_strangers_values(where, html)
    parts_of(html, where=where)
    render_page(where, html, {}, parts=dict.fromkeys(PARTS, str), now=now)
    return content


def _framed(name: str, words: str) -> str:
    heading = _HEADING.search(words)
    title = _TAG.sub("", heading[1]).strip() if heading and "{" not in heading[1] else name
    escaped = title.replace("&", "&amp;").replace("<", "&lt;").replace("{", "&#123;")
    return _PAGE.read_text("utf-8").replace("$title", escaped).replace("$words", words)


def _refuse_strangers_values(where: str, html: str) -> None:
    """Most who see a page are nobody known: it has to read well without a contact's values."""
    from macli.content.language import parse
    from macli.content.variables import uses_of

    needed = sorted(uses_of([parse(html, html=True, where=where)]).required.difference(_GIVEN))
    if needed:
        raise UsageError(
            f"{where}: a visitor nobody knows has no {', '.join(needed)}",
            hint=f"write for example {{{{ {needed[0]} | default('friend') }}}} or {{% if {needed[0]} %}}…{{% endif %}}",
        )


def parts_of(html: str, *, where: str) -> list[Part]:
    """The forms, banners and files a page shows. Raises TemplateError where one is not named plainly."""
    from jinja2 import nodes

    from macli.content.language import parse

    parts = []
    for call in parse(html, html=True, where=where).find_all(nodes.Call):
        if not isinstance(call.node, nodes.Name) or call.node.name not in PARTS:
            continue
        kind = call.node.name
        if len(call.args) != 1 or call.kwargs or not isinstance(call.args[0], nodes.Const):
            example = f'{{{{ {kind}("name") }}}}'
            raise TemplateError(f"a {kind} is shown by its name: {example}", where=where, line=call.lineno, source=html)
        parts.append(Part(kind=kind, name=str(call.args[0].value)))
    return list(dict.fromkeys(parts))


def render_page(
    name: str,
    html: str,
    values: Mapping[str, Any],
    *,
    parts: Mapping[str, Callable[[str], Any]],
    now: datetime,
    content: Any = "",
    locale: str = "en",
) -> str:
    """The page for a contact's ``values``, or for nobody's. ``parts`` make forms, banners and addresses.

    ``title`` is the page's name and ``locale`` its language, where no value says otherwise.

    Raises TemplateFault where the values do not do.
    """
    from macli.content.language import compile_part, language, open_context
    from macli.content.render import line_of, reason_of

    template = compile_part(html, html=True, where=name)
    given = {"title": name, "locale": locale, "now": now}
    scope = {**language(html=True).globals, **given, **values, "contact": values, **parts, CONTENT: content}
    try:
        return "".join(template.root_render_func(open_context(template, scope)))
    except Exception as error:
        # Whatever a page's own code can raise: the caller shows another page.
        raise TemplateFault(reason_of(error), where=name, line=line_of(template, error)) from error


def own_scripts(html: str) -> list[str]:
    """What a Content-Security-Policy calls the scripts written in a page's source, so that no other runs.

    A script with template tags in it is another one for each visitor and does not run.
    """
    scripts = (match[1] for match in _SCRIPT.finditer(html) if "{{" not in match[1] and "{%" not in match[1])
    return [f"'sha256-{b64encode(sha256(script.encode()).digest()).decode('ascii')}'" for script in scripts]
