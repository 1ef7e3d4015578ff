"""What SMTP2GO posts: what became of a mail, in the one vocabulary."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from macli.clock import to_ms
from macli.model import Report, SendState

SOURCE = "smtp2go"

EVENTS: Mapping[str, tuple[SendState | None, str | None]] = {
    "processed": ("accepted", None),
    "delivered": ("delivered", "email.delivered"),
    "hard": ("bounced", "email.bounced"),
    "soft": (None, "email.soft_bounced"),
    "spam": (None, "email.complained"),
    "unsubscribe": (None, "email.unsubscribed"),
    "reject": ("rejected", None),
    "open": (None, "email.opened"),
    "click": (None, "email.clicked"),
}
"""What each of SMTP2GO's events makes of a send, and what it is in the log; a bounce by its kind."""

_COUNTED = ("open", "click")
_KEY = re.compile(r"<?(\d{1,18}\.[0-9a-z]{1,16})@")
_CODE = re.compile(r"\b[245]\d\d(?: [245]\.\d{1,3}\.\d{1,3})?\b", re.ASCII)
_HEADER = "xmaclimessageid"
_MINUTE_MS = 60_000
_LONGEST = 998


def report(params: Mapping[str, Any], *, track: str, now: datetime) -> Report | None:
    """What one event says of a mail; None where it says nothing macli takes from SMTP2GO.

    With ``track`` own its opens and clicks are left out: macli's own pixel and links have told of them.
    """
    event = _text(params, "event").lower()
    kind = ("hard" if _text(params, "bounce").lower() == "hard" else "soft") if event == "bounce" else event
    if kind not in EVENTS or (kind in _COUNTED and track == "own"):
        return None
    state, name = EVENTS[kind]
    at = _moment(_text(params, "time"), now)
    address = _text(params, "rcpt") or _text(params, "recipient")
    url = _text(params, "url") or _text(params, "link")
    words = _text(params, "message") or _text(params, "context")
    properties = {"url": url} if kind == "click" and url else {}
    if code := _CODE.search(words):
        properties["code"] = code.group()
    return Report(
        source=SOURCE,
        source_id=_source_id(params, kind, address, at, url),
        at=at,
        event=name,
        state=state,
        key=_key(params),
        reference=_text(params, "email_id") or None,
        address=address or None,
        words=words,
        properties=properties,
    )


def resubscribed(params: Mapping[str, Any], now: datetime) -> tuple[str, int] | None:
    """The address SMTP2GO would write to again, and since when; None for any other event."""
    if _text(params, "event").lower() != "resubscribe" or not _text(params, "rcpt"):
        return None
    return _text(params, "rcpt").lower(), _moment(_text(params, "time"), now)


def _source_id(params: Mapping[str, Any], kind: str, address: str, at: int, url: str) -> str:
    """What a repetition has in common with the first; of opens and clicks one a minute counts."""
    message = _key(params) or _text(params, "email_id") or _text(params, "message-id") or _text(params, "id")
    when = str(at // _MINUTE_MS) if kind in _COUNTED else _text(params, "time")
    said = "\n".join((message, address.lower(), kind, when, url))
    return f"{kind}:{hashlib.blake2b(said.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"


def _key(params: Mapping[str, Any]) -> str | None:
    """The message's key: as the header that is echoed, however its name is written, else as in Message-ID."""
    headers = params.get("headers")
    for given in (params, headers if isinstance(headers, Mapping) else {}):
        for name in given:
            if re.sub(r"[^a-z]", "", str(name).lower()) == _HEADER and _text(given, name):
                return _text(given, name)
    found = _KEY.match(_text(params, "message-id") or _text(params, "message_id"))
    return found.group(1) if found else None


def _text(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name)
    # JSON can spell halves of characters, which nothing can store.
    text = str(value) if isinstance(value, str | int | float) else ""
    return text.encode("utf-8", "replace").decode().strip()[:_LONGEST]


def _moment(text: str, now: datetime) -> int:
    """A time as SMTP2GO writes it (ISO 8601 in UTC, or seconds), in milliseconds; now where it is none."""
    try:
        if re.fullmatch(r"\d{9,10}", text, re.ASCII):
            return int(text) * 1000
        moment = datetime.fromisoformat(text)
    except ValueError:
        return to_ms(now)
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
