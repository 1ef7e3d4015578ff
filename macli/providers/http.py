"""What requests to web APIs share: sessions, what a failed request amounts to, Retry-After."""

import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from macli.model import Outcome, Verdict

if TYPE_CHECKING:
    from requests import Session
    from requests.exceptions import RequestException

_HANDSHAKE = re.compile("CERTIFICATE_VERIFY_FAILED|WRONG_VERSION|HANDSHAKE_FAILURE|PROTOCOL_VERSION|UNSUPPORTED")

T = TypeVar("T")


class PerThread:
    """One ``made`` a thread and key: sessions of requests are not to be shared between threads."""

    def __init__(self) -> None:
        self._local = threading.local()

    def get(self, key: str, make: Callable[[], T]) -> T:
        kept: dict[str, T] = self._local.__dict__
        if key not in kept:
            kept[key] = make()
        return kept[key]


def new_session() -> "Session":
    import requests

    return requests.Session()


def lost(error: "RequestException") -> Outcome:
    """A request without an answer: ``retry`` where it cannot have left, else ``unknown``."""
    import requests
    from urllib3.exceptions import NewConnectionError

    text = f"{type(error).__name__}: {error}"
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, requests.exceptions.SSLError):
        # The handshake and a connection that breaks later are one exception; its words tell them apart.
        verdict: Verdict = "sender_fault" if _HANDSHAKE.search(str(reason or error)) else "unknown"
        return Outcome(verdict=verdict, text=text)
    never_left = (requests.exceptions.ConnectTimeout, requests.exceptions.ProxyError)
    if isinstance(error, never_left) or isinstance(reason, NewConnectionError):
        return Outcome(verdict="retry", text=f"cannot connect: {why_not(error)}", reached=False)
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader)):
        return Outcome(verdict="sender_fault", text=text)
    return Outcome(verdict="unknown", text=text)


def why_not(error: "RequestException") -> str:
    """Why no connection came about, in the words of the innermost error: the outer ones repeat the URL."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return re.sub(r"^.*?Connection(Pool)?\(.*?\): ", "", str(reason or error))


def retry_after(value: str | None, *, now: float) -> float | None:
    """A Retry-After header in seconds from ``now``, whichever of its two forms it has."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None
