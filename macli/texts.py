"""Texts people write about contacts, as they are kept: bounded, composed, without what moves a cursor."""

import re
from unicodedata import normalize

from macli.errors import UsageError

LONGEST_LINE = 200
LONGEST_TEXT = 20_000

# Line breaks and tabs stay; marks of direction too: they belong to how some languages are written.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def clean(text: str) -> str:
    """The text with ``\\n`` at the end of lines, without control characters and blanks around it."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return normalize("NFC", _CONTROL.sub("", lines)).strip()


def line(text: str, what: str, *, empty: bool = False) -> str:
    """A text of one line. Raises UsageError where it is too long, or empty and must not be."""
    return _checked(" ".join(clean(text).split()), what, LONGEST_LINE, empty)


def body(text: str, what: str, *, empty: bool = False) -> str:
    """A text of any number of lines. Raises UsageError where it is too long, or empty and must not be."""
    return _checked(clean(text), what, LONGEST_TEXT, empty)


def count_of(count: int, one: str) -> str:
    """So many of something: ``1 open deal``, ``2,357 open deals``."""
    return f"{count:,} {one if count == 1 else one + 's'}"


def _checked(text: str, what: str, longest: int, empty: bool) -> str:
    if not text and not empty:
        raise UsageError(f"the {what} is empty")
    if len(text) > longest:
        raise UsageError(f"{len(text):,} characters are too many for the {what} (at most {longest:,})")
    return text
