"""What a contact consented to, and whether there is a way to write to it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from typing import Literal as OneOf

from macli.errors import did_you_mean
from macli.rules.readers import reads
from macli.rules.sql import Build, Condition
from macli.rules.tree import Leaf, Not, Rule
from macli.rules.values import Literal

ADDRESSES = {"email": "email", "sms": "phone"}
"""By channel, the column that holds the contact's address on it."""

SAID_ON = (*ADDRESSES, "push")
"""The channels contacts say yes or no to."""

WORK = ("note", "task", "deal", "call", "mail")
"""What else a contact may have; predicates of their own."""

TITLE = "Consent and reachability"


@dataclass(frozen=True, kw_only=True)
class Opted(Leaf):
    """What the contact said: yes (`opted in to`) or no (`opted out of`) to a channel, or to a topic on
    it. Who never said anything is neither. A no to the whole channel is a no to each of its topics, but for
    those the contact said yes to since; a yes to the whole channel is a yes to the topics the contact said
    nothing about. A yes that has expired is none.

    - `opted in to email`
    - `opted out of sms`
    - `not opted out of email`
    - `opted in to email topic "newsletter"`
    """

    way: OneOf["in", "out"]
    channel: Literal
    topic: Literal | None = None
    looks_elsewhere: ClassVar[bool] = True
    share: ClassVar[float] = 0.4

    def __str__(self) -> str:
        topic = "" if self.topic is None else f" topic {self.topic}"
        return f"opted {'in to' if self.way == 'in' else 'out of'} {self.channel}{topic}"

    def condition(self, build: Build, reach: float) -> Condition:
        channel = build.bind(channel_of(self.channel, build, SAID_ON))
        topic = None if self.topic is None else build.bind(" ".join(self.topic.text.split()).casefold())

        def said(rest: str) -> str:
            return (
                "EXISTS (SELECT 1 FROM consents WHERE consents.contact_id = contacts.id"
                f" AND consents.channel = {channel} AND {rest})"
            )

        if self.way == "in":
            build.timely = True
        holds = f"status = 'granted' AND coalesce({{0}}.expires_at > {build.bind(build.now_ms)}, true)"
        yes = "consents." + holds.format("consents")
        if topic is None:
            of_all = "consents.topic = '' AND "
            return Condition(sql=said(of_all + (yes if self.way == "in" else "consents.status = 'withdrawn'")))
        since = (
            "EXISTS (SELECT 1 FROM consents AS since WHERE since.contact_id = consents.contact_id"
            f" AND since.channel = consents.channel AND since.topic = {topic} AND since.{holds.format('since')}"
            " AND since.changed_at > consents.changed_at)"
        )
        no = f"(consents.topic = {topic} OR consents.topic = '' AND NOT {since}) AND consents.status = 'withdrawn'"
        if self.way == "out":
            return Condition(sql=said(no))
        asked = said(f"consents.topic = {topic} AND consents.status = 'pending'")
        agreed = said(f"consents.topic IN ('', {topic}) AND {yes}")
        return Condition(sql=f"({agreed} AND NOT {said(no)} AND NOT {asked})")


@dataclass(frozen=True, kw_only=True)
class Suppressed(Leaf):
    """The contact's address is never to be written to: it bounced for good, complained, or was put on
    the list by hand.

    - `suppressed on email`
    - `not suppressed on sms`
    """

    channel: Literal
    looks_elsewhere: ClassVar[bool] = True
    share: ClassVar[float] = 0.05

    def __str__(self) -> str:
        return f"suppressed on {self.channel}"

    def condition(self, build: Build, reach: float) -> Condition:
        build.reads.add("suppressions")
        channel = channel_of(self.channel, build)
        return Condition(
            sql=(
                "EXISTS (SELECT 1 FROM suppressions"
                f" WHERE suppressions.channel = {build.bind(channel)}"
                f" AND suppressions.address = contacts.{ADDRESSES[channel]})"
            )
        )


@dataclass(frozen=True, kw_only=True)
class Has(Leaf):
    """There is an address to write to; whether we may is another question.

    - `has email`
    - `has phone`
    """

    what: Literal
    share: ClassVar[float] = 0.8

    def __str__(self) -> str:
        return f"has {self.what}"

    def condition(self, build: Build, reach: float) -> Condition:
        what = self.what.text.casefold()
        if what not in ADDRESSES.values():
            near = did_you_mean(what, (*ADDRESSES.values(), "device", *WORK))
            raise build.error(
                f"expected email, phone, device, {', '.join(WORK[:-1])} or {WORK[-1]}, not {self.what.text!r}{near}",
                self.what.at,
                hint="whether an attribute has a value is: NAME is set",
            )
        return Condition(sql=f"(contacts.{what} IS NOT NULL AND contacts.{what} <> '')")


@dataclass(frozen=True, kw_only=True)
class HasDevice(Leaf):
    """A browser of the contact's takes push messages.

    - `has device`
    - `in segment "vip" and has device`
    """

    looks_elsewhere: ClassVar[bool] = True
    share: ClassVar[float] = 0.1

    def __str__(self) -> str:
        return "has device"

    def condition(self, build: Build, reach: float) -> Condition:
        # A device that comes or goes touches its contact, so that no other table has to be watched.
        return Condition(sql="EXISTS (SELECT 1 FROM devices WHERE devices.contact_id = contacts.id)")


def channel_of(word: Literal, build: Build, known: Iterable[str] = ADDRESSES) -> str:
    """The channel of that name. Raises RuleError."""
    channel = word.text.casefold()
    if channel not in known:
        raise build.error(
            f"no channel named {word.text!r}{did_you_mean(channel, known)}",
            word.at,
            hint=f"one of {', '.join(known)}",
        )
    return channel


@reads("opted_in")
def opted_in(channel: Literal, topic: Literal | None) -> Rule:
    return Opted(way="in", channel=channel, topic=topic)


@reads("opted_out")
def opted_out(channel: Literal, topic: Literal | None) -> Rule:
    return Opted(way="out", channel=channel, topic=topic)


@reads("suppressed")
def suppressed(channel: Literal) -> Rule:
    return Suppressed(channel=channel)


@reads("has")
def has(what: Literal) -> Leaf:
    return HasDevice() if what.text.casefold() == "device" else Has(what=what)


@reads("has_no")
def has_no(what: Literal) -> Rule:
    return Not(has(what))
