"""Where the links of an HTML template stand: its tags read as a browser reads them, Jinja apart.

What cannot be read as HTML ends the reading: the links behind it stay as they are.
"""

import re
from dataclasses import dataclass, field

_NEXT = re.compile(
    r"<!--(?:>|->|.*?(?:--!?>|\Z))|<[!?/][^>]*(?:>|\Z)|<(?P<name>[A-Za-z][^\s/>\x02]*)",
    re.DOTALL,
)
_BETWEEN = re.compile(r"(?:[\s/=]|\x02\d+\x03)*")
_NAME = re.compile(r"[^\s/>=\x02]+")
_VALUE = re.compile(r"\s*=\s*(?P<value>\"[^\"]*\"|'[^']*'|(?![\"'])[^\s>]+)")
_RAW = frozenset(("style", "script", "title", "textarea", "xmp", "iframe", "noembed", "noframes"))
_BODY_END = re.compile(r"</body[\s/>]", re.IGNORECASE)
_REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9A-Fa-f]+;?|[A-Za-z][A-Za-z0-9]*;?)(?P<more>(?<!;)[A-Za-z0-9=])?")


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute with a value, which stands from ``start`` to ``end`` in the marked source, quotes left out."""

    name: str
    start: int
    end: int
    quoted: bool


@dataclass(kw_only=True)
class Outline:
    """The links to follow, in order, and where the body ends (the end of all where no tag says)."""

    links: list[Attribute] = field(default_factory=list)
    end: int


def outline(marked: str) -> Outline:
    """What a mail's reader can click in HTML whose Jinja tags are marked (shield.mark).

    A link that says ``data-macli-track="off"`` is left out, and so is what stands in comments,
    style sheets and scripts.
    """
    found = Outline(end=len(marked))
    position = 0
    while (thing := _NEXT.search(marked, position)) is not None:
        position = thing.end()
        if thing["name"] is None:
            if _BODY_END.match(thing[0]):
                found.end = thing.start()
            continue
        name = thing["name"].lower()
        attributes, end = _attributes(marked, position)
        if end is None:
            break
        position = end
        if name in ("a", "area") and not any(_says_off(marked, attribute) for attribute in attributes):
            found.links += (attribute for attribute in attributes if attribute.name == "href")
        if name in _RAW:
            closing = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(marked, position)
            if closing is None:
                break
            position = closing.start()
    return found


def _attributes(marked: str, position: int) -> tuple[list[Attribute], int | None]:
    """The attributes of the start tag whose name ends at ``position``, and where it ends; None: it never does."""
    found: list[Attribute] = []
    while True:
        between = _BETWEEN.match(marked, position)
        assert between is not None
        position = between.end()
        if marked[position : position + 1] == ">":
            return found, position + 1
        name = _NAME.match(marked, position)
        if name is None:
            return found, None
        position = name.end()
        value = _VALUE.match(marked, position)
        if value is None:
            continue
        position = value.end()
        quoted = value["value"][0] in "\"'"
        found.append(Attribute(name[0].lower(), value.start("value") + quoted, position - quoted, quoted))


def _says_off(marked: str, attribute: Attribute) -> bool:
    return attribute.name == "data-macli-track" and marked[attribute.start : attribute.end].strip().casefold() == "off"


def unescaped(value: str) -> str:
    """An attribute's value as a browser understands it: ``&amp;`` is ``&``, and ``&copy=1`` stays."""
    return _REFERENCE.sub(_character, value) if "&" in value else value


def _character(match: re.Match[str]) -> str:
    from html import unescape
    from html.entities import html5

    more = match["more"] or ""
    written = match[0].removesuffix(more)
    if written[1] == "#":
        return unescape(written) + more
    # Without its semicolon a name counts only where nothing follows that could belong to an address.
    known = html5.get(written[1:]) if written.endswith(";") or not more else None
    return (written if known is None else known) + more
