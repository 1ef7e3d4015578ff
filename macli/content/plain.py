"""The text part of a mail whose author wrote only HTML: made once, when the template is saved.

It reads the document as a stream, not as a tree, so Jinja tags come out in the order and the places
they went in, and the text part loops and branches as the HTML does.
"""

import re
from html.parser import HTMLParser

from macli.content.shield import MARK, mark, tags_apart, unmark

_PARAGRAPHS = frozenset("p h1 h2 h3 h4 h5 h6 ul ol table blockquote pre section article header footer".split())  # noqa: SIM905
_LINES = frozenset(("div", "tr", "li", "center", "address", "dt", "dd", "main"))
_SILENT = frozenset(("style", "script", "title", "head", "template", "noscript"))
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
_SAFE = re.compile(r"\|\s*safe\b")
_SPACES = re.compile(r"[ \t\r\n\f]+")


def text_of(html: str) -> str:
    """The text of an HTML template, itself a template; a link is ``label <address>``."""
    tags: list[str] = []
    reader = _Reader(tags)
    reader.feed(tags_apart(mark(html, tags)))
    reader.close()
    # What was markup in HTML is only its words here.
    tags[:] = [_SAFE.sub("| striptags", tag) if tag.startswith("{{") else tag for tag in tags]
    return unmark(reader.text(), tags)


class _Reader(HTMLParser):
    def __init__(self, tags: list[str]) -> None:
        super().__init__(convert_charrefs=True)
        self._tags = tags
        self._out: list[str] = []
        self._break = 0
        self._space = False
        self._only_tags = True  # nothing but {% … %} on this line yet
        self._vanishing = False  # the break asked for ends such a line, which will leave none
        self._gap = 9  # the line ends a reader sees before this line
        self._hidden: list[str] = []
        self._links: list[tuple[str, int]] = []
        self._lists: list[int | None] = []
        self._cells = 0
        self._pre = 0

    def text(self) -> str:
        lines = "".join(self._out).split("\n")
        return "\n".join(line.rstrip() for line in lines).strip("\n") + "\n"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: value or "" for name, value in attrs}
        if self._hidden:
            if tag == self._hidden[0]:
                self._hidden.append(tag)
            return
        void = tag in ("br", "hr", "img", "meta", "link", "input", "col", "wbr", "area", "base")
        if tag in _SILENT or (not void and _HIDDEN.search(facts.get("style", ""))):
            self._hidden.append(tag)
            return
        if tag == "br":
            self._newlines(self._break + 1 if self._break else 1)
        elif tag == "hr":
            self._newlines(2)
            self._write("-" * 40)
            self._newlines(2)
        elif tag == "img":
            self._flow(facts.get("alt", ""))
        elif tag == "a":
            self._links.append((facts.get("href", "").strip(), len(self._out)))
        elif tag in ("ul", "ol"):
            self._newlines(2 if not self._lists else 1)
            self._lists.append(1 if tag == "ol" else None)
        elif tag == "li":
            self._item()
        elif tag in ("td", "th"):
            self._cells += 1
            if self._cells > 1 and not self._break and self._out:
                self._write("  ")
        elif tag in _PARAGRAPHS:
            self._newlines(2)
        elif tag in _LINES:
            self._newlines(1)
            self._cells = 0 if tag == "tr" else self._cells
        self._pre += tag == "pre"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in ("br", "hr", "img"):
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag == self._hidden[0]:
                self._hidden.pop()
            return
        if tag == "a" and self._links:
            self._end_link(*self._links.pop())
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
            self._newlines(2 if not self._lists else 1)
        elif tag in _PARAGRAPHS:
            self._newlines(2)
        elif tag in _LINES:
            self._newlines(1)
        self._pre -= tag == "pre" and self._pre > 0

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._pre:
            for number, line in enumerate(data.split("\n")):
                if number:
                    self._newlines(self._break + 1)
                self._write(line)
            return
        self._flow(data)

    def _flow(self, text: str) -> None:
        """Running text: spaces and line ends become one space, none at the start of a line."""
        for piece in re.split("(\x02\\d+\x03)", _SPACES.sub(" ", text).replace("\u200c", "")):
            if not piece:
                continue
            if MARK.fullmatch(piece) and not self._tags[int(piece[1:-1])].startswith("{{"):
                self._block_tag(piece)
                continue
            if piece[0] == " " and self._out and not self._break:
                self._space = True
            words = piece.strip(" ")
            if words:
                self._write((" " if self._space else "") + words)
                self._space = piece[-1] == " "

    def _block_tag(self, piece: str) -> None:
        alone = self._only_tags or bool(self._break) or not self._out
        if self._space and not self._break:
            self._out.append(" ")
        self._space = False
        self._write(piece)
        self._only_tags = alone

    def _write(self, text: str) -> None:
        if self._break:
            if self._out:
                self._out.append("\n" * self._break)
                self._gap = self._gap + self._break - 1 if self._vanishing else self._break
            self._break = 0
            self._vanishing = False
            text = text if self._pre else text.lstrip(" ")
        self._space = False
        self._only_tags = False
        self._out.append(text)

    def _newlines(self, count: int) -> None:
        """Ask for line ends before the next words; a line of tags alone adds its own, which vanishes."""
        if not self._out:
            return
        self._vanishing = self._vanishing or (self._only_tags and not self._break)
        if self._vanishing:
            count = 1 + max(0, count - self._gap)
        self._break = max(self._break, count)
        self._space = False

    def _item(self) -> None:
        self._newlines(1)
        number = self._lists[-1] if self._lists else None
        if number is None:
            self._write("- ")
        else:
            self._lists[-1] = number + 1
            self._write(f"{number}. ")

    def _end_link(self, address: str, start: int) -> None:
        label = "".join(self._out[start:]).strip()
        bare = address.removeprefix("mailto:").partition("?")[0] if address.startswith("mailto:") else address
        if not address or address.startswith("#") or bare == label:
            return
        self._write(f" <{address}>" if label and not self._break else f"<{address}>")
