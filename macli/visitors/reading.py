"""What a browser or a server tells of a visitor, read from JSON: bounded, cleaned, each fault of its own."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn

from macli.address import attribute_name
from macli.clock import parse_when, to_ms
from macli.errors import UsageError
from macli.event_names import NAMES, check_name, is_misspelt
from macli.urls import LONGEST, normal, without_follow

MOST_OCTETS = 65_536
MOST_EVENTS = 50
MOST_PROPERTIES = 50
OLDEST = timedelta(days=7)
"""A browser that was without a network tells later; what it says happened before that, happened then."""

PAGE = ("page.visited", "page.left")
"""Events of macli's own that a tracker may tell."""

_LONGEST_TEXT = 1000
_MOST_JSON = 16_384
_DEEPEST = 4
_LONGEST_STAY = 24 * 3600
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One event: ``at`` in UTC milliseconds, ``id`` makes it once."""

    id: str | None
    name: str
    at: int
    properties: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who the visitor is said to be; ``proof`` is what only the company's own server can make."""

    own: Mapping[str, str]
    traits: Mapping[str, Any]
    state: str | None = None
    proof: str | None = None


@dataclass(frozen=True, kw_only=True)
class Told:
    """One message. ``follow`` is the token of the mail whose link was clicked; ``refused`` holds (what, why)."""

    visitor: str | None
    follow: str | None
    events: tuple[Seen, ...]
    identity: Identity | None
    refused: tuple[tuple[str, str], ...]


def read(body: bytes, now: datetime, *, trusted: bool) -> Told:
    """The message in ``body``. Raises UsageError where it is none at all.

    Times of a browser are bounded by ``OLDEST`` and set right by its own clock's now (``sent``); those of
    a server with the key only never lie in the future.
    """
    try:
        message = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise UsageError("the body is no JSON") from None
    if not isinstance(message, dict):
        raise UsageError('the body is no JSON object: {"v": …, "events": […]}')
    events = message.get("events", [])
    if not isinstance(events, list):
        raise UsageError('"events" is no list')
    if len(events) > MOST_EVENTS:
        raise UsageError(f"more than {MOST_EVENTS} events at once")
    clock = _Clock(now=now, sent=message.get("sent"), trusted=trusted)
    seen: list[Seen] = []
    refused: list[tuple[str, str]] = []
    for number, event in enumerate(events):
        try:
            seen.extend(_event(event, clock))
        except UsageError as error:
            refused.append((f"events[{number}]", error.message))
    identity = None
    if message.get("identify") is not None:
        try:
            identity = _identity(message["identify"])
        except UsageError as error:
            refused.append(("identify", error.message))
    return Told(
        visitor=_text(message, "v"),
        follow=_text(message, "m"),
        events=tuple(seen),
        identity=identity,
        refused=tuple(refused),
    )


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def _text(record: Mapping[str, Any], name: str) -> str | None:
    value = record.get(name)
    return value if isinstance(value, str) and value else None


@dataclass(frozen=True, kw_only=True)
class _Clock:
    """The teller's clock beside ours."""

    now: datetime
    sent: Any
    trusted: bool

    def moment(self, said: Any) -> int:
        now = to_ms(self.now)
        if said is None:
            return now
        at = self._read(said)
        if isinstance(self.sent, int | float) and not isinstance(self.sent, bool) and math.isfinite(self.sent):
            at += now - int(self.sent)
        oldest = 0 if self.trusted else now - OLDEST // timedelta(milliseconds=1)
        return min(max(at, oldest), now)

    def _read(self, said: Any) -> int:
        if isinstance(said, int | float) and not isinstance(said, bool) and math.isfinite(said):
            return int(said)
        if isinstance(said, str) and re.match(r"\d{4}-\d{2}-\d{2}T", said, re.ASCII):
            return to_ms(parse_when(said[:40], now=self.now, default=_utc()))
        raise UsageError('"at" is no time: milliseconds since 1970, or ISO 8601')


def _utc() -> Any:
    from zoneinfo import ZoneInfo

    return ZoneInfo("UTC")


def _event(event: Any, clock: _Clock) -> list[Seen]:
    if not isinstance(event, dict):
        raise UsageError("it is no object")
    name = event.get("name")
    if not isinstance(name, str) or len(name) > 100:
        raise UsageError("it has no name")
    check_name(name)
    if name not in PAGE and (name in NAMES or is_misspelt(name)):
        raise UsageError(f"{name} is macli's own to record", hint="choose another first word")
    id = event.get("id")
    if id is not None and not (isinstance(id, str) and _ID.fullmatch(id)):
        raise UsageError('"id" is no text of at most 64 letters, digits and . : _ -')
    at = clock.moment(event.get("at"))
    properties = _properties(event.get("props"))
    url = event.get("url")
    if url is not None or name in PAGE:
        address = _address(url)
        properties = {**address, **properties} if name not in PAGE else {**properties, **address}
    if name not in PAGE:
        return [Seen(id=id, name=name, at=at, properties=properties)]
    if isinstance(title := event.get("title"), str) and title.strip():
        properties["title"] = _clean_text(title).strip()[:300]
    seconds = _seconds(event.get("duration"))
    if name == "page.left":
        return [Seen(id=id, name=name, at=at, properties={**properties, "seconds": seconds or 0})]
    visit = Seen(id=id, name=name, at=at, properties=properties)
    if seconds is None:
        return [visit]
    left = Seen(id=id and f"{id}:left", name="page.left", at=at, properties={**properties, "seconds": seconds})
    return [visit, left]


def _address(url: Any) -> dict[str, str]:
    if not isinstance(url, str) or not url.strip() or len(url) > LONGEST:
        raise UsageError(f'"url" is no address of at most {LONGEST:,} characters')
    text = without_follow(_CONTROL.sub("", url.strip()))
    return {"url": text, "page": normal(text)}


def _seconds(duration: Any) -> int | None:
    if isinstance(duration, bool) or not isinstance(duration, int | float) or not math.isfinite(duration):
        return None
    return int(min(max(duration, 0), _LONGEST_STAY))


def _properties(props: Any) -> dict[str, Any]:
    if props is None:
        return {}
    if not isinstance(props, dict) or len(props) > MOST_PROPERTIES:
        raise UsageError(f'"props" is no object of at most {MOST_PROPERTIES} members')
    found = {attribute_name(name[:60]): _clean(value, 1) for name, value in props.items()}
    if len(json.dumps(found)) > _MOST_JSON:
        raise UsageError(f'"props" is more than {_MOST_JSON:,} characters')
    return found


def _clean(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, int | float):
        if not math.isfinite(value) or abs(value) > 2**53:
            raise UsageError("a number is too large")
        return value
    if depth >= _DEEPEST:
        raise UsageError(f'"props" is nested more than {_DEEPEST} deep')
    if isinstance(value, list):
        return [_clean(inner, depth + 1) for inner in value]
    return {_clean_text(name)[:60]: _clean(inner, depth + 1) for name, inner in value.items()}


def _clean_text(text: str) -> str:
    return _CONTROL.sub(" ", text)[:_LONGEST_TEXT]


def _identity(identify: Any) -> Identity:
    if not isinstance(identify, dict):
        raise UsageError("it is no object")
    traits = identify.get("traits")
    if traits is not None and (not isinstance(traits, dict) or len(traits) > MOST_PROPERTIES):
        raise UsageError(f'"traits" is no object of at most {MOST_PROPERTIES} members')
    own = {name: said for name in ("email", "phone", "external_id") if (said := _word(identify.get(name)))}
    if not own:
        raise UsageError("it names nobody", hint="email, phone or external_id")
    return Identity(own=own, traits=traits or {}, state=_text(identify, "state"), proof=_text(identify, "proof"))


def _word(value: Any) -> str | None:
    """A text, or a number that stands for one, as shops' ids often are."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 2**53:
        return str(value)
    return value.strip() if isinstance(value, str) and value.strip() and len(value) <= 400 else None
