"""What a campaign is: its entry, its steps and how they are kept, read from plain values."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, ClassVar, Literal

from macli.actions.sending import Sender
from macli.campaign import recurrence, schedule
from macli.campaign.conversion import Conversion
from macli.campaign.problems import BadDefinition, Places
from macli.campaign.reader import UNREAD, Mention, Reader
from macli.campaign.steps import Node, StepReader, Steps, check_reachable, walk
from macli.campaign.words import (
    CategoryName,
    ChannelName,
    EventName,
    EventRule,
    Every,
    Hours,
    Rule,
    SegmentName,
    Start,
    TopicName,
)
from macli.errors import UsageError, did_you_mean

EntryKind = Literal["once", "whenever", "event"]
LONGEST_NAME = 100
_EVENT = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")


@dataclass(frozen=True, kw_only=True)
class OnEvent:
    """An event that lets contacts in; `where` is a condition on its properties (`total > 100`)."""

    scalar: ClassVar[str] = "name"

    name: EventName
    where: EventRule | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Who comes in, and when.

    One of three kinds. *Once*: `segments` (a contact in several comes in once) and/or a `rule`, at
    `at` (`2026-12-01 09:00 Europe/Warsaw`, or `2026-12-01 09:00 local` for each contact's own zone)
    or, without it, when the campaign is sent by hand; with `every` (`1 hour`, `1 day`, `2 weeks`,
    `1 month`) again and again from there, each time for those who are not in it yet, or with
    `reentry: always` for everyone once more. *Automatic*: `whenever` a rule becomes true
    for a contact for the first time; those for whom it is true already come in too, unless
    `existing: no`. *By event*: at an `event`, or one of several; only events after activation,
    unless `existing: yes`. `segments` and `rule` narrow the last two; `delay` lets time pass first.
    """

    segments: tuple[SegmentName, ...] = ()
    rule: Rule | None = None
    at: Start | None = None
    every: Every | None = None
    whenever: Rule | None = None
    event: tuple[OnEvent, ...] = ()
    delay: timedelta | None = None
    existing: bool | None = None

    def __post_init__(self) -> None:
        if self.whenever is not None and self.event:
            raise UsageError("an entry has either 'whenever' or 'event', not both")
        if self.kind == "once":
            for name in ("delay", "existing"):
                if getattr(self, name) is not None:
                    raise UsageError(f"{name!r} belongs to an entry with 'whenever' or 'event'")
            if self.every is not None and self.at is not None and schedule.read(self.at).local:
                raise UsageError("'every' does not go with a start in the contacts' own zones")
            return
        for name in ("at", "every"):
            if getattr(self, name) is not None:
                raise UsageError(f"{name!r} does not go with {'event' if self.event else 'whenever'!r}")

    @property
    def kind(self) -> EntryKind:
        if self.whenever is not None:
            return "whenever"
        return "event" if self.event else "once"

    @property
    def includes_existing(self) -> bool:
        """Whether what was true, or had happened, before the activation counts."""
        return self.existing if self.existing is not None else self.kind == "whenever"


@dataclass(frozen=True, kw_only=True)
class Reentry:
    """Whether a contact may come in again: `never`, `after_finish` of its last round, or `always`.

    `max_rounds` and `min_interval` (between two entries of a contact) limit it further.
    """

    scalar: ClassVar[str] = "when"

    when: Literal["never", "after_finish", "always"] = "never"
    max_rounds: int | None = None
    min_interval: timedelta | None = None

    def __post_init__(self) -> None:
        if self.max_rounds is not None and self.max_rounds < 1:
            raise UsageError("'max_rounds' is less than 1")


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """A campaign.

    `channel` carries the messages of steps that name none. `purpose: transactional` leaves consent
    and caps aside: for what the contact is owed, never for marketing. Whom `exit` selects leaves,
    wherever in the campaign they stand; `goal` selects those it succeeded with. `conversion` is what the
    report counts as brought about. `on_edit` says
    what an edit does to the contacts inside: they `keep` their version to its end, or `move` to the
    new one. A campaign that is late by more than `max_lateness`, because nothing ran, pauses and asks.
    `caps: no` leaves the caps on messages per contact aside; `quiet_hours` are the contact's local
    hours in which nothing is sent (`21:00-08:00`, or `no`). Whoever said no to its `topic` gets nothing of it.
    `tracking: no` leaves links and pixel out; a transactional campaign has them only with `tracking: yes`.
    Whatever is not said here is as the settings
    say.
    """

    name: str
    description: str = ""
    category: CategoryName | None = None
    channel: ChannelName | None = None
    purpose: Literal["campaign", "transactional"] = "campaign"
    topic: TopicName | None = None
    tracking: bool | None = None
    sender: Sender | None = None
    entry: Entry
    exit: Rule | None = None
    goal: Rule | None = None
    conversion: Conversion | None = None
    reentry: Reentry = Reentry()
    on_edit: Literal["keep", "move"] = "keep"
    max_lateness: timedelta | None = None
    caps: bool = True
    quiet_hours: bool | Hours | None = None
    steps: Steps

    def __post_init__(self) -> None:
        if not self.name.isprintable() or len(self.name) > LONGEST_NAME:
            raise UsageError(f"a campaign's name is one line of at most {LONGEST_NAME} characters")

    @property
    def default_channel(self) -> str:
        return self.channel or "email"

    def each_step(self) -> Iterator[Node]:
        """Every step, those inside others after them, in the order of the file."""
        yield from walk(self.steps)


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A definition that reads, and what is still to be looked up in the store."""

    campaign: Campaign
    mentions: tuple[Mention, ...]
    places: Places


def parse(value: Any, places: Places | None = None) -> Parsed:
    """The definition in plain values. Raises BadDefinition naming every mistake."""
    places = places or Places()
    reader = new_reader()
    campaign = read(reader, value)
    if reader.problems:
        raise BadDefinition(places, reader.problems)
    assert isinstance(campaign, Campaign)
    return Parsed(campaign=campaign, mentions=tuple(reader.mentions), places=places)


def new_reader() -> Reader:
    """A reader that knows the words of campaign files."""
    return Reader(_CHECKS)


def read(reader: Reader, value: Any) -> Any:
    """The campaign in ``value``; UNREAD, and the reader knows why, where it is none."""
    if not isinstance(value, Mapping):
        return reader.wrong((), "this is no campaign: it has no 'name', 'entry' and 'steps'")
    plain = {name: member for name, member in value.items() if name != "steps"}
    known = {field.name for field in fields(Campaign)} | FILE_KEYS
    for name in [name for name in plain if name not in known]:
        reader.wrong((name,), f"{name!r} is no key of a campaign{did_you_mean(name, known)}")
        del plain[name]
    for name in FILE_KEYS:
        plain.pop(name, None)
    steps = {"steps": StepReader(reader, value["steps"]).all()} if "steps" in value else {}
    campaign = reader.build(Campaign, plain, (), steps)
    _check_start_only(reader)
    if steps and steps["steps"] is not UNREAD:
        check_reachable(reader, steps["steps"])
    return campaign


FILE_KEYS = {"attributes", "segments", "templates"}
"""What a file may hold beside the campaign; ``apply`` reads these."""


def _check_start_only(reader: Reader) -> None:
    for mention in reader.mentions:
        if mention.kind == "EventName" and mention.text == "contact.added" and mention.path[0] == "steps":
            reader.wrong(
                mention.path,
                "'contact.added' cannot be waited for: Contact added only at start",
                "entry: {event: contact.added} lets contacts in when they are added",
            )


def _check_event(text: str) -> None:
    if not _EVENT.fullmatch(text):
        raise UsageError(f"{text!r} is no event name", hint="lower-case words with dots, for example order.paid")


def _check_email(text: str) -> None:
    from macli.address import normalise_email

    normalise_email(text)


def _check_hours(text: str) -> None:
    from macli.config import setting

    setting("quiet_hours.email").read(text)


def _check_start(text: str) -> None:
    schedule.read(text)


def _check_every(text: str) -> None:
    recurrence.read(text)


_CHECKS = {
    "EventName": _check_event,
    "EmailAddress": _check_email,
    "Hours": _check_hours,
    "Start": _check_start,
    "Every": _check_every,
}
