"""How the text of a setting is read: each kind of value, and what it says of a text that is none."""

import re
from dataclasses import dataclass
from datetime import time, timedelta

from macli import clock
from macli.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Cap:
    """At most ``count`` messages within ``span``."""

    count: int
    span: timedelta


@dataclass(frozen=True, kw_only=True)
class QuietHours:
    """The local hours in which nothing is sent; they may pass midnight."""

    start: time
    end: time


def text(text: str) -> str:
    if not text.strip():
        raise UsageError("the value is empty", hint="macli settings unset KEY takes a value away")
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise UsageError("the value holds a line break or another control character")
    return text.strip()


def event(text: str) -> str:
    from macli.event_names import check_name

    return check_name(text.strip())


def events(text: str) -> tuple[str, ...]:
    if text.strip().lower() == "none":
        return ()
    return tuple(dict.fromkeys(event(part) for part in text.split(",")))


def member(text: str) -> str:
    if not re.fullmatch(r"[^\W\d]\w{0,99}", text.strip()):
        raise UsageError(f"{text!r} is no name of a property", hint="letters, digits and underscores: total")
    return text.strip()


def email(text: str) -> str:
    from macli.address import normalise_email

    return normalise_email(text)


def zone(text: str) -> str:
    return clock.zone(text.strip()).key


def country(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", text.strip()):
        raise UsageError(f"{text!r} is no country code", hint="write two letters, for example CA or PL")
    return text.strip().upper()


def locale(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*", text.strip()):
        raise UsageError(f"{text!r} is no locale", hint="write for example en, pl or pt-BR")
    return text.strip().replace("_", "-")


def url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", text.strip()):
        raise UsageError(f"{text!r} is no web address", hint="write for example https://news.example.com")
    return text.strip().rstrip("/")


def flag(text: str) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False}
    answer = {**words, "0": False}.get(text.strip().lower())
    if answer is None:
        raise UsageError(f"{text!r} is neither true nor false")
    return answer


def count(text: str) -> int:
    if not re.fullmatch(r"0*[1-9][0-9]{0,5}", text.strip(), re.ASCII):
        raise UsageError(f"{text!r} is no whole number above zero")
    return int(text)


def points(text: str) -> int | None:
    if text.strip().lower() in ("none", "off", "no"):
        return None
    if not re.fullmatch(r"[-+]?[0-9]{1,9}", text.strip(), re.ASCII):
        raise UsageError(f"{text!r} is no whole number of points", hint="write for example 0, -10, or 'none'")
    return int(text)


def duration(text: str) -> timedelta:
    span = clock.parse_lasting(text)
    if span <= timedelta():
        raise UsageError(f"{text!r}: no time at all")
    return span


def cap(text: str) -> Cap | None:
    if text.strip().lower() in ("none", "off", "no"):
        return None
    match = re.fullmatch(r"\s*([0-9]{1,6})\s*(?:per|/|in|within)\s*(.+)", text)
    hint = "write for example '3 per 7 days', or 'none'"
    if match is None:
        raise UsageError(f"{text!r} is no cap", hint=hint)
    words = match.group(2).strip()
    span = duration(words if words[0].isdigit() else f"1 {words}")
    return Cap(count=int(match.group(1)), span=span)


def hours(text: str) -> QuietHours | None:
    if text.strip().lower() in ("none", "off", "no"):
        return None
    match = re.fullmatch(r"\s*([0-2]?[0-9]:[0-5][0-9])\s*(?:-|–|to|until)\s*([0-2]?[0-9]:[0-5][0-9])\s*", text)
    hint = "write for example '21:00-08:00', or 'none'"
    if match is None:
        raise UsageError(f"{text!r} are no hours", hint=hint)
    try:
        start, end = (time.fromisoformat(part.rjust(5, "0")) for part in match.groups())
    except ValueError as error:
        raise UsageError(f"{text!r} are no hours: {error}", hint=hint) from None
    if start == end:
        raise UsageError(f"{text!r}: the hours begin when they end", hint=hint)
    return QuietHours(start=start, end=end)


def share(text: str) -> float:
    match = re.fullmatch(r"\s*([0-9]{1,2}(?:\.[0-9]{1,4})?)\s*%\s*", text)
    if match is None:
        raise UsageError(f"{text!r} is no share", hint="write for example '0.3 %'")
    return float(match.group(1)) / 100


def return_path(text: str) -> str:
    from macli.address import normalise_email

    if text.count("*") > 1:
        raise UsageError(f"{text!r}: one * at most", hint="write for example bounces+*@example.com")
    normalise_email(text.replace("*", "x"))
    return text.strip()


def hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    for host in hosts:
        if not re.fullmatch(r"(\*\.)?[a-z0-9.-]+(:[0-9]{1,5})?", host):
            raise UsageError(f"{host!r} is no host", hint="write for example shop.example, *.shop.example")
    return hosts


def networks(text: str) -> tuple[str, ...]:
    from ipaddress import ip_network

    if text.strip().lower() == "none":
        return ()
    networks = tuple(part.strip() for part in text.split(",") if part.strip())
    for network in networks:
        try:
            ip_network(network, strict=False)
        except ValueError:
            raise UsageError(f"{network!r} is no address or network", hint="write for example 10.0.0.0/8") from None
    return networks
