"""How points lose their worth, as the setting ``points.decay`` and point rules say it."""

import re
from dataclasses import dataclass
from datetime import timedelta

from macli.config import readers
from macli.errors import UsageError

_HINT = "write for example '50 % every 30 days', '100 % every year' or 'none'"


@dataclass(frozen=True, kw_only=True)
class Decay:
    """``share`` percent of what is left goes every ``span`` (ms)."""

    share: int
    span: int


def read(text: str) -> Decay | None:
    """A decay as people write it; None for ``none``. Raises UsageError."""
    words = " ".join(text.split()).casefold()
    if words in ("none", "off", "no", ""):
        return None
    match = re.fullmatch(r"([0-9]{1,3}) ?% (?:every|per|in|after) (.+)", words, re.ASCII)
    if match is None:
        raise UsageError(f"{text!r} is no decay", hint=_HINT)
    share, span = int(match.group(1)), match.group(2)
    if not 1 <= share <= 100:
        raise UsageError(f"{text!r}: 1 % to 100 % of what is left can go", hint=_HINT)
    lasts = readers.duration(span if span[0].isdigit() else f"1 {span}")
    if lasts < timedelta(hours=1):
        raise UsageError(f"{text!r}: points decay by the hour at most", hint=_HINT)
    return Decay(share=share, span=lasts // timedelta(milliseconds=1))
