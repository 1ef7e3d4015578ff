"""What can be wrong with a template: its text, when it is saved; its values, when it is rendered."""

import re
from collections.abc import Callable

from macli.errors import OperationFailed, UsageError

_TAG = re.compile(r"\{\{.*?(?:\}\}|$)|\{%.*?(?:%\}|$)|\{#.*?(?:#\}|$)")
_WIDTH = 100


class TemplateError(UsageError):
    """A template that cannot be saved, with the line and a caret under what is wrong."""

    def __init__(
        self,
        message: str,
        *,
        where: str,
        line: int | None = None,
        source: str = "",
        parses: Callable[[str], bool] | None = None,
        hint: str | None = None,
    ) -> None:
        place = where if line is None else f"{where}:{line}"
        shown = _pointed(source, line, parses) if line is not None else ""
        super().__init__(f"{place}: {message}{shown}", hint=hint)
        self.line = line


class TemplateFault(OperationFailed):
    """A template that could not be rendered for one contact; it is that send's failure alone."""

    def __init__(self, message: str, *, where: str, line: int | None = None) -> None:
        super().__init__(f"{where if line is None else f'{where}:{line}'}: {message}")
        self.reason = message


def _pointed(source: str, line: int, parses: Callable[[str], bool] | None) -> str:
    """The line and, under it, a caret at its first tag that is wrong by itself, else at its first tag."""
    lines = source.splitlines()
    if not 1 <= line <= len(lines):
        return ""
    text = lines[line - 1].replace("\t", " ")
    tags = list(_TAG.finditer(text))
    wrong = [tag for tag in tags if parses is not None and not parses(tag[0])] or tags
    column = wrong[0].start() if wrong else len(text) - len(text.lstrip())
    start = max(0, column - _WIDTH // 2)
    return f"\n  {text[start : start + _WIDTH]}\n  {' ' * (column - start)}^"
