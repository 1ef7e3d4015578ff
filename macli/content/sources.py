"""What authors write – HTML, MJML, Markdown – made into mail-ready HTML, once, when it is saved."""

import re
from typing import Literal

from macli.content.errors import TemplateError
from macli.content.shield import MARK, Shielded, mark, shield, unmark

SourceFormat = Literal["html", "mjml", "markdown", "text", "sms", "push", "webhook"]

_STYLE = re.compile(r"<style\b", re.IGNORECASE)
_MJ_INLINE = re.compile(
    r"<mj-style\b[^>]*\binline\s*=\s*[\"']inline[\"'][^>]*>(?P<css>.*?)</mj-style\s*>", re.DOTALL | re.IGNORECASE
)
_ALONE = re.compile(r"^[ \t]*((?:\x02\d+\x03[ \t]*)+)$", re.MULTILINE)


def html_of(source: str, source_format: str, *, where: str) -> str:
    """The HTML template of a source, its style sheets inlined. Raises TemplateError."""
    if source_format == "mjml":
        return _from_mjml(source, where)
    if source_format == "markdown":
        html = _from_markdown(source)
        return _inline(shield(html), keep_unused=False) or html
    return inlined(source)


def inlined(html: str) -> str:
    """``html`` with its style sheets in style attributes, where mail programs look.

    What cannot be inlined (``@media``, ``:hover``) stays in a style sheet. A document whose Jinja tags
    would not survive the move – one that opens a tag in one branch and closes it in another – is left
    as its author wrote it.
    """
    if not _STYLE.search(html):
        return html
    return _inline(shield(html)) or html


def _inline(shielded: Shielded, *, extra: str = "", keep_unused: bool = True) -> str | None:
    import css_inline

    source = shielded.text
    if extra:
        source = _STYLE.sub('<style data-css-inline="ignore"', source)
    text = css_inline.inline(
        source,
        keep_style_tags=keep_unused,
        remove_inlined_selectors=keep_unused,
        keep_at_rules=True,
        keep_link_tags=True,
        load_remote_stylesheets=False,
        extra_css=extra or None,
    )
    text = text.replace(' data-css-inline="ignore"', "").replace("<style></style>", "")
    if "<tbody" not in shielded.text.lower():
        # The inliner's parser adds them; before a loop over rows they would open outside and close inside it.
        text = text.replace("<tbody>", "").replace("</tbody>", "")
    return shielded.restore(text)


def _from_mjml(source: str, where: str) -> str:
    from macli.content.mjml import compile_mjml

    sheets = "\n".join(match["css"] for match in _MJ_INLINE.finditer(source))
    shielded = shield(_MJ_INLINE.sub(lambda match: "\n" * match[0].count("\n"), source), words_in_text=True)
    restored = shielded.restore(compile_mjml(shielded, where=where, source=source))
    if restored is None:
        raise TemplateError(
            "MJML has no place for one of the Jinja tags where it stands",
            where=where,
            hint="put {% for %} and {% if %} around whole elements, or into mj-text",
        )
    return (_inline(shield(restored), extra=sheets) or restored) if sheets.strip() else restored


def _from_markdown(source: str) -> str:
    from macli.content.layout import PAGE

    return PAGE.replace("$words", words_of_markdown(source))


def words_of_markdown(source: str) -> str:
    """The HTML template of a Markdown text, without a page around it."""
    from markdown_it import MarkdownIt

    tags: list[str] = []
    marked = mark(source, tags)
    # Block tags alone on a line stand between blocks; as HTML comments they end no paragraph they begin.
    marked = _ALONE.sub(lambda match: _as_comments(match[1], tags), marked)
    marked = MARK.sub(
        lambda match: f"jjm{match[1]}x" if tags[int(match[1])].startswith("{{") else f"<!--jjm{match[1]}x-->",
        marked,
    )
    words = MarkdownIt("commonmark", {"html": True}).enable("table").render(marked)
    words = re.sub(
        r"<!--jjm(\d+)x-->|&lt;!--jjm(\d+)x--&gt;|jjm(\d+)x",
        lambda match: f"\x02{next(group for group in match.groups() if group)}\x03",
        words,
    )
    return unmark(words, tags).strip()


def _as_comments(line: str, tags: list[str]) -> str:
    numbers = MARK.findall(line)
    if any(tags[int(number)].startswith("{{") for number in numbers):
        return line
    return "".join(f"<!--jjm{number}x-->" for number in numbers)
