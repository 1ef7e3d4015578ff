"""What a mail must have before it may leave: a postal address, a way out with one click, and links that work."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from macli.model import ChannelKind, Purpose

_NOT_REAL = "outbox"
"""The kind of provider that reaches nobody."""
_HERE = ("localhost", "127.0.0.1", "::1")


class Duty(NamedTuple):
    """What is missing, and what to type."""

    text: str
    hint: str


def unmet(
    *, kind: ChannelKind, purpose: Purpose, provider: str, written: str, setting: Callable[[str], Any]
) -> Iterator[Duty]:
    """What keeps a message from leaving by a ``provider`` of that kind.

    ``written`` is the template's text, all its parts together.
    """
    public_url = setting("public_url")
    if public_url is None and "confirm_url" in written:
        yield Duty("{{ confirm_url }} needs public_url, where recipients confirm", _PUBLIC)
    if kind != "email" or purpose != "campaign" or provider == _NOT_REAL:
        return
    if not setting("postal_address"):
        yield Duty(
            "no postal address, which marketing mail has to show",
            "macli settings set postal_address '1 Main St, Ottawa'",
        )
    if not setting("unsubscribe.require_https"):
        return
    if public_url is None:
        yield Duty("recipients cannot unsubscribe with one click: public_url is not set", f"{_PUBLIC}, {_OR}")
    elif not is_safe(public_url):
        yield Duty(f"recipients cannot unsubscribe with one click: {public_url} is not https", f"{_PUBLIC}, {_OR}")


_PUBLIC = "macli settings set public_url https://news.example.com"
_OR = "or macli settings set unsubscribe.require_https false"


def is_safe(url: str) -> bool:
    """Whether a page there may be linked from mail: https, or this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in _HERE
