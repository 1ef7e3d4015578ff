"""Which function reads which alternative of the grammar: each says so itself, next to its predicate."""

from collections.abc import Callable
from typing import Any, TypeVar

READERS: dict[str, Callable[[list[Any]], Any]] = {}
"""By the alternative's name in rule.lark: from what its parts were read as to what it means."""

Reader = TypeVar("Reader", bound=Callable[..., Any])


def reads(*alternatives: str) -> Callable[[Reader], Reader]:
    """Mark a function as the reader of these alternatives of the grammar."""

    def mark(function: Reader) -> Reader:
        for name in alternatives:
            READERS[name] = lambda parts: function(*parts)
        return function

    return mark
