"""What a setting is: its key, what it means, how its text is read, and what holds where nobody set it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One key: what it means, how its text is read, and what holds where nobody set it.

    ``read`` turns text into the typed value; ``clean`` stands in for it when a person sets the
    value, where checking costs more than reading does. ``default`` is text too; None means unset.
    ``asked`` where rules go by it, so that a change can change whom they select.
    """

    key: str
    kind: str
    read: Callable[[str], Any]
    default: str | None
    doc: str
    clean: Callable[[str], Any] | None = None
    asked: bool = False
