"""The error tree: what went wrong, where, and what to type next; the class is the exit code."""

from collections.abc import Iterable
from difflib import get_close_matches


class MacliError(Exception):
    """An error a person can act on.

    ``message`` says what and where; ``hint`` says what to type next. Commands never catch it:
    the command line's entry does, once, prints both lines and exits with ``exit_code``.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class OperationFailed(MacliError):
    """The request was understood and could not be carried out."""


class UsageError(MacliError):
    """The request itself is wrong: a bad value, an unknown name, a missing option."""

    exit_code = 2


class UnknownName(UsageError):
    """A name that is not in the store or the vocabulary; says the nearest one that is."""

    def __init__(self, kind: str, name: str, known: Iterable[str] = (), *, hint: str | None = None) -> None:
        super().__init__(f"no {kind} named {name!r}{did_you_mean(name, known)}", hint=hint)
        self.name = name


class NotPermitted(MacliError):
    """The acting user may not do this."""

    exit_code = 3


class Unreachable(MacliError):
    """A provider or another system could not be reached, or refused the connection."""

    exit_code = 4


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error message: ``; did you mean 'send'?``, or nothing when no word is near."""
    by_folded = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f"; did you mean {by_folded[near[0]]!r}?" if near else ""
