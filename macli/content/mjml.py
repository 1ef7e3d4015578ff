"""MJML made into HTML, and its mistakes named with their line, which the library does not do."""

import re

from macli.content.errors import TemplateError
from macli.content.shield import Shielded
from macli.errors import did_you_mean

ELEMENTS = frozenset(
    """
    mjml mj-head mj-body mj-accordion mj-accordion-element mj-accordion-text mj-accordion-title mj-all
    mj-attributes mj-breakpoint mj-button mj-carousel mj-carousel-image mj-class mj-column mj-divider mj-font
    mj-group mj-hero mj-html-attributes mj-html-attribute mj-image mj-include mj-navbar mj-navbar-link
    mj-preview mj-raw mj-section mj-selector mj-social mj-social-element mj-spacer mj-style mj-table mj-text
    mj-title mj-wrapper
    """.split()  # noqa: SIM905 - a list of words reads as words
)

_PLACE = re.compile(r" in root template at position (\d+):(\d+)")
_ELEMENT = re.compile(r"<!--.*?-->|<(/?)(mjml|mj-[a-z0-9-]+)\b(?:\"[^\"]*\"|'[^']*'|[^>\"'])*?(/?)>", re.DOTALL)


def compile_mjml(shielded: Shielded, *, where: str, source: str) -> str:
    """The HTML of shielded MJML. Raises TemplateError with the line of the first mistake that can be found."""
    from mjml import mjml2html

    _check_elements(shielded, where, source)
    try:
        html: str = mjml2html(shielded.text)
    except ValueError as error:
        place = _PLACE.search(str(error))
        line = None
        if place is not None:
            octets = shielded.text.encode()[: int(place[1])]
            line = shielded.line_at(len(octets.decode(errors="ignore")))
        message = f"MJML: {_PLACE.sub('', str(error)).removesuffix(' in root template')}"
        raise TemplateError(message, where=where, line=line, source=source) from None
    return html


def _check_elements(shielded: Shielded, where: str, source: str) -> None:
    """Raise for an element MJML does not know, or that is not closed where it was opened."""
    open_elements: list[tuple[str, int]] = []

    def refuse(message: str, offset: int) -> TemplateError:
        return TemplateError(f"MJML: {message}", where=where, line=shielded.line_at(offset), source=source)

    for match in _ELEMENT.finditer(shielded.text):
        closing, name, alone = match.groups()
        if name is None:
            continue
        if name not in ELEMENTS:
            raise refuse(f"no element named {name!r}{did_you_mean(name, ELEMENTS)}", match.start())
        if closing:
            if not open_elements or open_elements[-1][0] != name:
                opened = f"; <{open_elements[-1][0]}> is open" if open_elements else ""
                raise refuse(f"</{name}> closes nothing{opened}", match.start())
            open_elements.pop()
        elif not alone:
            open_elements.append((name, match.start()))
    if open_elements:
        raise refuse(f"<{open_elements[-1][0]}> is never closed", open_elements[-1][1])
    if "<mjml" not in shielded.text:
        raise TemplateError("MJML: there is no <mjml> element", where=where)
