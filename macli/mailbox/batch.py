"""What a source of mail hands over: messages, and where it stands behind them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


def _nothing() -> None:
    """What there is to do where what was read stays."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Some messages. ``cursor`` is kept once they have taken effect, and then ``tidy`` is called."""

    messages: Sequence[bytes]
    cursor: Mapping[str, Any]
    tidy: Callable[[], None] = _nothing
