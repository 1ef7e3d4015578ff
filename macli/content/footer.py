"""The end of a marketing mail: the sender's postal address and the way out, where its template has none."""

import re
from collections.abc import Iterable, Mapping
from html import unescape
from typing import TYPE_CHECKING

from macli.content.tracking import before_end

if TYPE_CHECKING:
    from jinja2 import nodes

_TAGS = re.compile(r"<[^>]*>")
_WORD = re.compile(r"\w+")
_STYLE = (
    "padding:16px 24px 24px;font-family:Helvetica,Arial,sans-serif;font-size:12px;line-height:18px;"
    "color:#71717a;text-align:center"
)
_ADDRESS = "{{ postal_address }}"
_LEAVE = '<a href="{{ unsubscribe_url }}" style="color:#71717a;text-decoration:underline">Unsubscribe</a>'
_LEAVE_TEXT = "Unsubscribe: {{ unsubscribe_url }}"


def with_footer(parts: Mapping[str, str | None], postal_address: str | None) -> dict[str, str | None]:
    """The parts ``html`` and ``text``, each with what it lacks of address and way out at its end."""
    html, text = parts["html"], parts["text"]
    if html is not None:
        lines = _lacking(html, postal_address, html=True)
        if lines:
            html = before_end(html, f'<div style="{_STYLE}">{"<br>".join(lines)}</div>\n')
    if text is not None:
        lines = _lacking(text, postal_address, html=False)
        if lines:
            text = "\n".join((text.rstrip("\n"), "", *lines, ""))
    return {"html": html, "text": text}


def _lacking(source: str, postal_address: str | None, *, html: bool) -> list[str]:
    from macli.content.language import parse

    body = parse(source, html=html, where="template").body
    lines = []
    if postal_address and not _says(body, "postal_address") and _words(postal_address) not in _words(_written(body)):
        lines.append(_ADDRESS)
    if not _says(body, "unsubscribe_url"):
        lines.append(_LEAVE if html else _LEAVE_TEXT)
    return lines


def _says(body: Iterable["nodes.Node"], name: str) -> bool:
    """Whether every reader is told ``name``, whatever the conditions in the template say."""
    from jinja2 import nodes

    for output in _always(body):
        if any(isinstance(found, nodes.Name) and found.name == name for found in output.find_all(nodes.Name)):
            return True
    return False


def _written(body: Iterable["nodes.Node"]) -> str:
    """The words that stand in the template itself, for every reader."""
    from jinja2 import nodes

    return " ".join(
        words.data for output in _always(body) for words in output.nodes if isinstance(words, nodes.TemplateData)
    )


def _always(body: Iterable["nodes.Node"]) -> Iterable["nodes.Output"]:
    """The outputs that no condition and no loop keeps from anybody."""
    from jinja2 import nodes

    for node in body:
        match node:
            case nodes.Output():
                yield node
            case nodes.If() if all(name.name in ("postal_address", "unsubscribe_url") for name in _asked(node)):
                yield from _always(node.body)
            case nodes.FilterBlock() | nodes.Scope() | nodes.ScopedEvalContextModifier() | nodes.With():
                yield from _always(node.body)


def _asked(node: "nodes.If") -> list["nodes.Name"]:
    """The names a condition asks for; one that asks for more than their truth is asked for no name at all."""
    from jinja2 import nodes

    plain = nodes.Name | nodes.Or | nodes.And
    whole = [node.test, *node.test.find_all(nodes.Node)]
    if all(isinstance(part, plain) for part in whole):
        return [part for part in whole if isinstance(part, nodes.Name)]
    return [nodes.Name("", "load")]


def _words(text: str) -> str:
    """``text`` as bare words, to be found again however it is broken into lines and marked up."""
    words = _WORD.findall(unescape(_TAGS.sub(" ", text)).casefold())
    return f" {' '.join(words)} "
