"""The answer to one question about a workspace or a domain."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warn", "fail", "not verified"]
"""``not verified``: nobody could be asked. It is never called right for that."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The answer to one question. ``type`` is the command that mends it, or the DNS record."""

    check: str
    verdict: Verdict
    said: str
    type: str = ""


def ok(check: str, said: str, hint: str = "") -> Finding:
    return Finding(check=check, verdict="ok", said=said, type=hint)


def warn(check: str, said: str, hint: str = "") -> Finding:
    return Finding(check=check, verdict="warn", said=said, type=hint)


def fail(check: str, said: str, hint: str = "") -> Finding:
    return Finding(check=check, verdict="fail", said=said, type=hint)


def not_verified(check: str, said: str, hint: str = "") -> Finding:
    return Finding(check=check, verdict="not verified", said=said, type=hint)
