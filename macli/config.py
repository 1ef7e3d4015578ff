"""The settings: their keys, what each means, how its text is read, and what holds where nobody set it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any

from macli import clock
from macli.errors import UnknownName, UsageError


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


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One key: what it means, how its text is read, and what holds where nobody set it.

    ``read`` turns text into the typed value; ``clean`` stands in for it when a person sets the
    value, where checking costs more than reading does. ``default`` is text too; None means unset.
    """

    key: str
    kind: str
    read: Callable[[str], Any]
    default: str | None
    doc: str
    clean: Callable[[str], Any] | None = None


def _text(text: str) -> str:
    if not text.strip():
        raise UsageError("the value is empty", hint="macli settings unset KEY takes a value away")
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise UsageError("the value holds a line break or another control character")
    return text.strip()


def _email(text: str) -> str:
    from macli.address import normalise_email

    return normalise_email(text)


def _zone(text: str) -> str:
    return clock.zone(text.strip()).key


def _country(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", text.strip()):
        raise UsageError(f"{text!r} is no country code", hint="write two letters, for example CA or PL")
    return text.strip().upper()


def _locale(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*", text.strip()):
        raise UsageError(f"{text!r} is no locale", hint="write for example en, pl or pt-BR")
    return text.strip().replace("_", "-")


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", text.strip()):
        raise UsageError(f"{text!r} is no web address", hint="write for example https://news.example.com")
    return text.strip().rstrip("/")


def _bool(text: str) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False}
    answer = {**words, "0": False}.get(text.strip().lower())
    if answer is None:
        raise UsageError(f"{text!r} is neither true nor false")
    return answer


def _count(text: str) -> int:
    if not re.fullmatch(r"0*[1-9][0-9]{0,5}", text.strip(), re.ASCII):
        raise UsageError(f"{text!r} is no whole number above zero")
    return int(text)


def _duration(text: str) -> timedelta:
    span = clock.parse_duration(text)
    if span <= timedelta():
        raise UsageError(f"{text!r}: no time at all")
    return span


def _cap(text: str) -> Cap | None:
    if text.strip().lower() in ("none", "off", "no"):
        return None
    match = re.fullmatch(r"\s*([0-9]{1,6})\s*(?:per|/|in|within)\s*(.+)", text)
    hint = "write for example '3 per 7 days', or 'none'"
    if match is None:
        raise UsageError(f"{text!r} is no cap", hint=hint)
    words = match.group(2).strip()
    span = _duration(words if words[0].isdigit() else f"1 {words}")
    return Cap(count=int(match.group(1)), span=span)


def _hours(text: str) -> QuietHours | None:
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


SETTINGS = (
    Setting(
        key="timezone",
        kind="time zone",
        read=_zone,
        default=None,
        doc=(
            "The zone in which times are read and shown to people; the machine's where unset. "
            "Also the zone of contacts that have none."
        ),
    ),
    Setting(
        key="locale",
        kind="locale",
        read=_locale,
        default=None,
        doc="The locale of contacts that have none.",
    ),
    Setting(
        key="country",
        kind="country",
        read=_country,
        default=None,
        doc="The country of phone numbers written without one, as two letters.",
    ),
    Setting(
        key="sender.email",
        kind="e-mail",
        read=str,
        clean=_email,
        default=None,
        doc="The From address of campaigns that name none.",
    ),
    Setting(
        key="sender.name",
        kind="text",
        read=_text,
        default=None,
        doc="The name shown beside the From address.",
    ),
    Setting(
        key="sender.reply_to",
        kind="e-mail",
        read=str,
        clean=_email,
        default=None,
        doc="Where answers go; the From address where unset.",
    ),
    Setting(
        key="postal_address",
        kind="text",
        read=_text,
        default=None,
        doc="The sender's postal address, which marketing mail has to show in many countries.",
    ),
    Setting(
        key="unsubscribe.mailto",
        kind="e-mail",
        read=str,
        clean=_email,
        default=None,
        doc=("The mailbox of List-Unsubscribe while no public_url is set; the From address where unset."),
    ),
    Setting(
        key="public_url",
        kind="URL",
        read=_url,
        default=None,
        doc="Where this workspace can be reached from outside, for links in messages; no trailing slash.",
    ),
    Setting(
        key="tags.normalise",
        kind="bool",
        read=_bool,
        default="true",
        doc="Write tags in upper case, without diacritics and with _ for ! # $ & * \" '.",
    ),
    Setting(
        key="caps.email",
        kind="cap",
        read=_cap,
        default=None,
        doc="At most so many campaign e-mails to one contact within a time.",
    ),
    Setting(
        key="caps.sms",
        kind="cap",
        read=_cap,
        default=None,
        doc="At most so many campaign text messages to one contact within a time.",
    ),
    Setting(
        key="quiet_hours.email",
        kind="hours",
        read=_hours,
        default=None,
        doc=("The contact's local hours in which no campaign e-mail leaves; it waits for their end."),
    ),
    Setting(
        key="quiet_hours.sms",
        kind="hours",
        read=_hours,
        default="21:00-08:00",
        doc=("The contact's local hours in which no campaign text message leaves; it waits for their end."),
    ),
    Setting(
        key="consent.email.require_opt_in",
        kind="bool",
        read=_bool,
        default="false",
        doc="Write only to contacts who said yes to e-mail, not to all who never said no.",
    ),
    Setting(
        key="consent.sms.require_opt_in",
        kind="bool",
        read=_bool,
        default="true",
        doc="Write only to contacts who said yes to text messages.",
    ),
    Setting(
        key="max_lateness",
        kind="duration",
        read=_duration,
        default=None,
        doc=(
            "Where nothing ran for this long and a campaign's messages are overdue by as much, the campaign"
            " pauses and asks. Unset: 2 hours for a campaign sent once, 24 hours for any other."
        ),
    ),
    Setting(
        key="retry.attempts",
        kind="number",
        read=_count,
        default="8",
        doc="How often a send is tried before it has failed.",
    ),
    Setting(
        key="retry.first",
        kind="duration",
        read=_duration,
        default="1 minute",
        doc="The pause after the first transient failure; it doubles with each further one.",
    ),
    Setting(
        key="retry.longest",
        kind="duration",
        read=_duration,
        default="6 hours",
        doc="The longest pause between two tries.",
    ),
    Setting(
        key="check_every",
        kind="duration",
        read=_duration,
        default="15 minutes",
        doc="How often a campaign's automatic entry and a tracked segment are looked at again.",
    ),
)

REGISTRY: Mapping[str, Setting] = {known.key: known for known in SETTINGS}


def setting(key: str) -> Setting:
    """The setting of that key. Raises UnknownName with the nearest one."""
    found = REGISTRY.get(key)
    if found is None:
        raise UnknownName("setting", key, REGISTRY, hint="macli settings list shows them all")
    return found
