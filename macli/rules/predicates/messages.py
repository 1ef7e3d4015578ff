"""Messages a contact received, from the ledger of sends."""

from dataclasses import dataclass, replace
from typing import ClassVar

from macli.errors import did_you_mean
from macli.model import REACHED_WIRE
from macli.rules.asked import ONCE, Count, Counted, Name
from macli.rules.errors import Misread
from macli.rules.moments import When, instants, span_of
from macli.rules.predicates.events import counted
from macli.rules.readers import reads
from macli.rules.sql import Build, Condition
from macli.rules.tree import Leaf, Not, Rule
from macli.rules.values import Literal

CHANNELS = {
    "email": "email",
    "emails": "email",
    "sms": "sms",
    "push": "push",
    "pushes": "push",
    "message": None,
    "messages": None,
    "webhook": "webhook",
    "webhooks": "webhook",
}
_NOUNS = {
    "email": ("email", "emails"),
    "sms": ("sms", "sms"),
    "push": ("push", "pushes"),
    "webhook": ("webhook", "webhooks"),
}

TITLE = "Messages received"


@dataclass(frozen=True, kw_only=True)
class Received(Leaf):
    """We wrote to the contact and the message left, as the ledger of sends has it: taken, delivered, or
    left without an answer. What failed, bounced or was skipped does not count, nor do test messages.

    - `received email within 7 days`
    - `received at least 3 emails within 7 days`
    - `received at most 2 messages within 30 days`
    - `received exactly 1 email from campaign "spring"`
    - `received campaign "spring"`
    - `received no sms within 14 days`
    """

    channel: str | None = None
    campaign: Literal | None = None
    count: Count = ONCE
    when: When | None = None
    looks_elsewhere: ClassVar[bool] = True
    share: ClassVar[float] = 0.3

    def __str__(self) -> str:
        if self.count == ONCE and self.channel is None and self.campaign is not None:
            return f"received campaign {self.campaign}{self._time()}"
        quantity = "" if self.count == ONCE else f"{self.count} "
        return f"received {quantity}{self._what(self.count.times)}{self._time()}"

    def opposite(self) -> str:
        if self.count.sign == "exactly":
            return f"not {self}"
        most = self.count.times - 1
        return f"received {f'at most {most}' if most else 'no'} {self._what(most)}{self._time()}"

    def _what(self, count: int) -> str:
        singular, plural = _NOUNS.get(self.channel or "", ("message", "messages"))
        campaign = "" if self.campaign is None else f" from campaign {self.campaign}"
        return f"{singular if count == 1 else plural}{campaign}"

    def _time(self) -> str:
        return "" if self.when is None else f" {self.when}"

    def condition(self, build: Build, reach: float) -> Condition:
        build.reads.add("sends")
        states = ", ".join(f"'{state}'" for state in REACHED_WIRE)
        asked = [f"sends.state IN ({states})", "sends.purpose <> 'test'"]
        if self.when is not None:
            asked.append(instants("sends.left_at", span_of(self.when, build), build))
        if self.channel is not None:
            asked.append(f"sends.channel = {build.bind(self.channel)}")
        if self.campaign is not None:
            campaign = build.campaign(self.campaign)
            asked.append(f"sends.campaign_id = {build.bind(campaign.id)}")
        else:
            # The ledger has an index by contact and time and none by time: look at each contact.
            reach = 0.0
        return Condition(sql=counted("sends", asked, self.count, build, reach))


def _channel(noun: Name) -> str | None:
    word = noun.text.casefold()
    if word not in CHANNELS:
        raise Misread(f"expected emails, sms or messages, not {noun.text!r}{did_you_mean(word, CHANNELS)}", noun.at)
    return CHANNELS[word]


@reads("received")
def received(noun: Name, campaign: Literal | None, when: When | None) -> Received:
    return Received(channel=_channel(noun), campaign=campaign, when=when)


@reads("received_counted")
def received_counted(counted: Counted, noun: Name, campaign: Literal | None, when: When | None) -> Rule:
    leaf = replace(received(noun, campaign, when), count=counted.count)
    return Not(leaf) if counted.negated else leaf


@reads("received_no")
def received_no(noun: Name, campaign: Literal | None, when: When | None) -> Rule:
    return Not(received(noun, campaign, when))


@reads("received_campaign")
def received_campaign(campaign: Literal, when: When | None) -> Rule:
    return Received(campaign=campaign, when=when)
