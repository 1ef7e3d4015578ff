"""What a contact consented to, and whether there is a way to write to it."""

from dataclasses import dataclass
from typing import ClassVar
from typing import Literal as OneOf

from macli.errors import did_you_mean
from macli.rules.readers import reads
from macli.rules.sql import Build, Condition
from macli.rules.tree import Leaf, Rule
from macli.rules.values import Literal

ADDRESSES = {"email": "email", "sms": "phone"}
"""By channel, the column that holds the contact's address on it."""

TITLE = "Consent and reachability"


@dataclass(frozen=True, kw_only=True)
class Opted(Leaf):
    """What the contact said: yes (`opted in to`) or no (`opted out of`) to a channel, or to a topic on
    it. Who never said anything is neither. A no to the whole channel is a no to each of its topics;
    a yes to the whole channel is a yes to the topics the contact said nothing about.

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
        channel = build.bind(channel_of(self.channel, build))
        topic = None if self.topic is None else build.bind(self.topic.text.strip())
        topics = "= ''" if topic is None else f"IN ('', {topic})"

        def said(rest: str) -> str:
            return (
                "EXISTS (SELECT 1 FROM consents WHERE consents.contact_id = contacts.id"
                f" AND consents.channel = {channel} AND {rest})"
            )

        if self.way == "out":
            return Condition(sql=said(f"consents.topic {topics} AND consents.status = 'withdrawn'"))
        yes = said(f"consents.topic {topics} AND consents.status = 'granted'")
        if topic is None:
            return Condition(sql=yes)
        no = said(
            f"(consents.topic = '' AND consents.status = 'withdrawn'"
            f" OR consents.topic = {topic} AND consents.status <> 'granted')"
        )
        return Condition(sql=f"({yes} AND NOT {no})")


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
            near = did_you_mean(what, ADDRESSES.values())
            raise build.error(
                f"expected email or phone, not {self.what.text!r}{near}",
                self.what.at,
                hint="whether an attribute has a value is: NAME is set",
            )
        return Condition(sql=f"(contacts.{what} IS NOT NULL AND contacts.{what} <> '')")


def channel_of(word: Literal, build: Build) -> str:
    """The channel of that name. Raises RuleError."""
    channel = word.text.casefold()
    if channel not in ADDRESSES:
        raise build.error(
            f"no channel named {word.text!r}{did_you_mean(channel, ADDRESSES)}",
            word.at,
            hint=f"one of {', '.join(ADDRESSES)}",
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
def has(what: Literal) -> Rule:
    return Has(what=what)
