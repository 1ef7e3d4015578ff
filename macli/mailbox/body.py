"""What a person wrote in a letter: its plain text, or what its HTML says; nothing that is attached."""

import re
from collections.abc import Iterator
from email.message import Message
from html import unescape

from macli.mailbox import mime

LONGEST = 20_000
"""So many characters of a letter are kept."""
_LONGEST_HTML = 200_000
_DEEPEST = 20
_SILENT = frozenset(("style", "script", "head", "title", "template"))
_BREAKS = frozenset(
    ("p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "table", "ul", "ol", "hr", "pre")
)


def text_of(message: Message) -> str:
    """The letter's text, at most ``LONGEST`` characters; empty where it has none."""
    written = [mime.text_of(part) for part in _shown(message, 0) if part.get_content_type() == "text/plain"]
    text = "\n\n".join(part.strip() for part in written if part.strip())
    if not text:
        pages = [mime.text_of(part) for part in _shown(message, 0) if part.get_content_type() == "text/html"]
        text = "\n\n".join(_words(page[:_LONGEST_HTML]) for page in pages[:3])
    return text[:LONGEST]


def _shown(part: Message, depth: int) -> Iterator[Message]:
    """The parts a mail program shows: no attachments, no messages within the message."""
    if part.get_content_disposition() == "attachment" or part.get_content_maintype() == "message":
        return
    inner = part.get_payload()
    if not part.is_multipart() or not isinstance(inner, list):
        yield part
    elif depth < _DEEPEST:
        for one in inner:
            if isinstance(one, Message):
                yield from _shown(one, depth + 1)


def _words(html: str) -> str:
    """What a page says. Read by hand in one pass: the library's parser takes minutes for a page made for that."""
    said = unescape("".join(_said(html)))
    lines = (" ".join(line.split()) for line in said.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _said(html: str) -> Iterator[str]:
    """The page's words, as they are escaped, and its line ends. Each search goes on where the last one ended."""
    folded = html.lower()
    if len(folded) != len(html):
        folded = html
    place = 0
    while (tag := _TAG.search(folded, place)) is not None:
        yield " ".join(html[place : tag.start()].split("\n"))
        comment = folded.startswith("<!--", tag.start())
        end = folded.find("-->" if comment else ">", tag.start())
        if end < 0:
            return
        place = end + (3 if comment else 1)
        if tag["opens"] in _SILENT and (place := folded.find(f"</{tag['opens']}", place)) < 0:
            return
        if (tag["opens"] or tag["closes"]) in _BREAKS:
            yield "\n"
    yield " ".join(html[place:].split("\n"))


_TAG = re.compile("<(?:(?P<opens>[a-z][a-z0-9]*)|/(?P<closes>[a-z][a-z0-9]*)|[!?/])")
