"""What is wrong with a rule: the words, the line, and a caret under the place."""

from unicodedata import combining, east_asian_width

from macli.errors import UsageError

WIDEST = 100


class Misread(Exception):
    """What the reader of one predicate found wrong, before the whole rule's text is at hand."""

    def __init__(self, what: str, at: int, *, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.at = at
        self.hint = hint


class RuleError(UsageError):
    """A rule that cannot be read, or speaks of something that is not there.

    ``at`` is the place in ``text``, counted in characters.
    """

    def __init__(self, what: str, text: str, at: int, *, hint: str | None = None) -> None:
        at = max(0, min(at, len(text)))
        self.what = what
        self.at = at
        number = text.count("\n", 0, at) + 1
        where = f"line {number}: " if "\n" in text.strip() else ""
        super().__init__(f"{where}{what}\n{_pointed(text, at)}", hint=hint)


def _pointed(text: str, at: int) -> str:
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[start : len(text) if end < 0 else end]
    column = at - start
    if len(line) > WIDEST:
        left = max(0, min(column - WIDEST // 2, len(line) - WIDEST))
        line = ("…" if left else "") + line[left : left + WIDEST] + ("…" if left + WIDEST < len(line) else "")
        column = column - left + (1 if left else 0)
    line = "".join(character if character.isprintable() else " " for character in line)
    return f"  {line}\n  {' ' * sum(map(_width, line[:column]))}^"


def _width(character: str) -> int:
    """How many columns a terminal gives the character."""
    if combining(character):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1
