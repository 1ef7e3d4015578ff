"""Jinja tags kept whole through tools that do not know them: shielded before, restored after.

A tag in the text of a document becomes a comment, which may stand anywhere, tables included; in an
attribute or a style sheet it becomes a word; and ``{% if %}…{% endif %}`` inside one HTML tag becomes
one word with all it holds, so that nothing in it can be sorted, merged or dropped.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_STRINGS = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'"
TAG = re.compile(
    r"\{%[-+]?\s*raw\s*-?%\}.*?\{%[-+]?\s*endraw\s*[-+]?%\}"
    rf"|\{{\{{(?:{_STRINGS}|[^\"'])*?\}}\}}|\{{%(?:{_STRINGS}|[^\"'])*?%\}}|\{{#.*?#\}}",
    re.DOTALL,
)
_TAG_LINE = re.compile(
    rf"^[ \t]*(?:(?:\{{%(?:{_STRINGS}|(?!%\}})[^\"'\n])*%\}}|\{{#(?:(?!#\}})[^\n])*#\}})[ \t]*)+$\n", re.MULTILINE
)
_TAG_END = re.compile(r"[-+]?[%#]\}[ \t]*\n\Z")
MARK = re.compile("\x02(\\d+)\x03")
_SEGMENT = re.compile(
    r"(?P<comment><!--.*?-->)"
    r"|(?P<raw><(?P<name>style|script|title|textarea|mj-title|mj-preview|mj-style)\b[^>]*>.*?</(?P=name)\s*>)"
    r"|(?P<tag></?[A-Za-z](?:\"[^\"]*\"|'[^']*'|[^>\"'])*>)",
    re.DOTALL | re.IGNORECASE,
)
_VALUE = re.compile(r"(?P<before>=\s*)(?P<value>\"[^\"]*\"|'[^']*'|[^\s>\"']+)")
_STYLE_VALUE = re.compile(r"\sstyle\s*$", re.IGNORECASE)
_OPENS = re.compile(r"\{%[-+]?\s*(if|for|filter|macro|call|with|autoescape)\b")
_CLOSES = re.compile(r"\{%[-+]?\s*end(if|for|filter|macro|call|with|autoescape)\b")


def mark(source: str, tags: list[str]) -> str:
    """``source`` with each Jinja tag replaced by a mark that only ``unmark`` reads; appends to ``tags``."""

    def replace(match: re.Match[str]) -> str:
        tags.append(match[0])
        return f"\x02{len(tags) - 1}\x03"

    return TAG.sub(replace, source)


def unmark(text: str, tags: list[str]) -> str:
    while MARK.search(text):
        text = MARK.sub(lambda match: tags[int(match[1])], text)
    return text


def own_lines_vanish(source: str) -> str:
    """``source`` where a line of nothing but ``{% … %}`` and ``{# … #}`` tags leaves no line behind.

    The line's end moves into its last tag, so line numbers stay. (Jinja's trim_blocks would also eat
    the line end after ``Dear {% if … %}…{% endif %}``.)
    """

    def swallow(match: re.Match[str]) -> str:
        line = match[0]
        end = _TAG_END.search(line)
        assert end is not None
        return line[: end.start()] + "\n" + end[0].rstrip()

    return _TAG_LINE.sub(swallow, source)


def tags_apart(marked: str) -> str:
    """Marked HTML where ``{% … %}`` between attributes is gone, so that a reader sees the attributes."""

    def apart(segment: re.Match[str]) -> str:
        if not segment["tag"]:
            return segment[0]
        position = 0
        pieces: list[str] = []
        for value in _VALUE.finditer(segment[0]):
            pieces += (MARK.sub(" ", segment[0][position : value.start()]), value[0])
            position = value.end()
        return "".join((*pieces, MARK.sub(" ", segment[0][position:])))

    return _SEGMENT.sub(apart, marked)


@dataclass(frozen=True, kw_only=True)
class Shielded:
    """A document without Jinja, and the way back. ``ordered`` are the tags that must keep their order."""

    text: str
    tags: list[str]
    word: str
    ordered: tuple[int, ...]
    optional: frozenset[int]

    def restore(self, text: str) -> str | None:
        """``text`` with the tags in their places; None where the tool lost, moved or doubled one."""
        found: list[int] = []

        def replace(match: re.Match[str]) -> str:
            number = int(next(group for group in match.groups() if group is not None))
            found.append(number)
            return self.tags[number]

        text = _pattern(self.word).sub(replace, text)
        if set(range(len(self.tags))) - set(found) - self.optional - _inner(self.tags):
            return None
        if [number for number in found if number in self.ordered] != list(self.ordered):
            return None
        return unmark(text, self.tags)

    def line_at(self, offset: int) -> int:
        """The line of the original at an offset of ``text``."""
        before = unmark(_pattern(self.word).sub(self._tag, self.text[:offset]), self.tags)
        return before.count("\n") + 1

    def _tag(self, match: re.Match[str]) -> str:
        return self.tags[int(next(group for group in match.groups() if group is not None))]


def _pattern(word: str) -> re.Pattern[str]:
    number = rf"{word}(\d+)x"
    return re.compile(
        rf"<!--{number}-->|&lt;!--{number}--&gt;|{number}:\s*{word}d(?![\w-])|{number}(?:=\"\")?", re.IGNORECASE
    )


def _inner(tags: list[str]) -> set[int]:
    """The tags that stand inside another, grouped one."""
    return {int(number) for tag in tags for number in MARK.findall(tag)}


def shield(source: str, *, words_in_text: bool = False) -> Shielded:
    """``source`` (HTML or MJML) with its tags replaced by what the place allows.

    ``words_in_text`` makes ``{{ … }}`` in running text a word instead of a comment, for tools that drop
    comments there.
    """
    tags: list[str] = []
    marked = mark(source, tags)
    word = next(word for word in _words() if word not in source.lower())
    optional: set[int] = set()
    pieces: list[str] = []
    ordered: list[int] = []

    def in_text(match: re.Match[str]) -> str:
        number = int(match[1])
        if tags[number].startswith("{{"):
            return f"{word}{number}x" if words_in_text else f"<!--{word}{number}x-->"
        ordered.append(number)
        return f"<!--{word}{number}x-->"

    def as_word(match: re.Match[str]) -> str:
        return f"{word}{match[1]}x"

    position = 0
    for segment in _SEGMENT.finditer(marked):
        pieces.append(MARK.sub(in_text, marked[position : segment.start()]))
        position = segment.end()
        if segment["tag"]:
            pieces.append(_tag_shielded(segment[0], tags, word))
            continue
        text = segment[0]
        if segment["raw"] and (segment["name"] or "").lower() in ("style", "mj-style"):
            optional.update(int(number) for number in MARK.findall(text))
            if any(not tags[int(number)].startswith("{{") for number in MARK.findall(text)):
                # A sheet with {% if %} in it is left alone: only the reader's program may read it.
                text = re.sub(r"^<style\b", '<style data-css-inline="ignore"', text, flags=re.IGNORECASE)
        pieces.append(MARK.sub(as_word, text))
    pieces.append(MARK.sub(in_text, marked[position:]))
    return Shielded(text="".join(pieces), tags=tags, word=word, ordered=tuple(ordered), optional=frozenset(optional))


def _words() -> Iterator[str]:
    yield from (f"jj{letter}" for letter in "qxzvkwyj")
    yield from (f"jjq{number}q" for number in range(10_000))


def _tag_shielded(tag: str, tags: list[str], word: str) -> str:
    tag = _grouped(tag, tags)
    pieces: list[str] = []
    position = 0
    for value in _VALUE.finditer(tag):
        pieces.append(MARK.sub(_bare(tags, word), tag[position : value.start()]))
        position = value.end()
        text = value["value"]
        if _STYLE_VALUE.search(tag[: value.start()]):
            text = _style_shielded(text, tags, word)
        pieces.append(value["before"] + MARK.sub(lambda match: f"{word}{match[1]}x", text))
    pieces.append(MARK.sub(_bare(tags, word), tag[position:]))
    return "".join(pieces)


def _bare(tags: list[str], word: str) -> Callable[[re.Match[str]], str]:
    """A tag between attributes becomes an attribute of its own."""

    def replace(match: re.Match[str]) -> str:
        name = f"{word}{match[1]}x"
        return name if tags[int(match[1])].startswith("{{") else f" {name} "

    return replace


def _style_shielded(value: str, tags: list[str], word: str) -> str:
    """A tag where a declaration could stand becomes one, so that the order of declarations stays."""

    def replace(match: re.Match[str]) -> str:
        number, after = int(match[3]), match[4]
        if tags[number].startswith("{{") and not after:
            return match[0]
        return f"{match[1]}{match[2]}{word}{number}x:{word}d{after or ';'}"

    return re.sub("(^[\"']?|;)(\\s*)\x02(\\d+)\x03(\\s*(?:;|[\"']?$))?", replace, value)


def _grouped(tag: str, tags: list[str]) -> str:
    """``tag`` with each ``{% if %}…{% endif %}`` (or other pair) inside it as one mark."""
    depth, start = 0, 0
    for match in MARK.finditer(tag):
        text = tags[int(match[1])]
        if _OPENS.match(text):
            start = match.start() if depth == 0 else start
            depth += 1
        elif _CLOSES.match(text) and depth:
            depth -= 1
            if depth == 0:
                tags.append(tag[start : match.end()])
                return tag[:start] + f"\x02{len(tags) - 1}\x03" + _grouped(tag[match.end() :], tags)
    return tag
