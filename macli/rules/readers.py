"""Which function reads which alternative of the grammar: each says so itself, next to its predicate."""

from collections.abc import Callable
from typing import Any, TypeVar

READERS: dict[str, Callable[[list[Any]], Any]] = {}
"""By the alternative's name in rule.lark: from what its parts were read as to what it means."""

CALLED: dict[str, Callable[[Any, Any], Any]] = {}
"""By the word that stands where an attribute's name could: from the word and the test to a predicate, or None."""

SAID: dict[str, Callable[..., Any]] = {}
"""By the word before ``is``: from what stands behind it to a predicate."""

Reader = TypeVar("Reader", bound=Callable[..., Any])


def reads(*alternatives: str) -> Callable[[Reader], Reader]:
    """Mark a function as the reader of these alternatives of the grammar."""

    def mark(function: Reader) -> Reader:
        for name in alternatives:
            READERS[name] = lambda parts: function(*parts)
        return function

    return mark


def called(*words: str) -> Callable[[Reader], Reader]:
    """Mark a function as the reader of these words, where one is tested like an attribute."""
    return _marking(CALLED, words)


def said(*words: str) -> Callable[[Reader], Reader]:
    """Mark a function as the reader of ``WORD is …``."""
    return _marking(SAID, words)


def _marking(readers: dict[str, Callable[..., Any]], words: tuple[str, ...]) -> Callable[[Reader], Reader]:
    def mark(function: Reader) -> Reader:
        readers.update(dict.fromkeys(words, function))
        return function

    return mark
