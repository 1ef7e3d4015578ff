"""What a contact chooses on its preference page: channels and topics, each on or off."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from macli import audience
from macli.contacts.chosen import ONE
from macli.contacts.consenting import grant_where, withdraw_where
from macli.model import ChannelKind
from macli.store import Store, topics
from macli.store.consents import CHANNELS

Setting = Callable[[str], Any]
Proof = Callable[["Offer"], Mapping[str, Any]]
"""The evidence of a choice: what was read beside its box, and by whom it was ticked."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A box on the page: a channel (``topic`` is '') or a topic on it, and whether the contact gets it now."""

    channel: ChannelKind
    topic: str = ""
    title: str = ""
    description: str = ""
    on: bool

    @property
    def key(self) -> str:
        return f"{self.channel}:{self.topic}" if self.topic else self.channel


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The boxes a page showed ticked and not, and those that came back ticked, by their keys."""

    was_on: frozenset[str]
    was_off: frozenset[str]
    ticked: frozenset[str]

    def turned_on(self, offer: Offer) -> bool:
        return offer.key in self.ticked and offer.key in self.was_off and not offer.on

    def turned_off(self, offer: Offer) -> bool:
        return offer.key not in self.ticked and offer.key in self.was_on and offer.on

    def left_off(self, offer: Offer) -> bool:
        return offer.key not in self.ticked and offer.key in self.was_off


def offers(store: Store, setting: Setting, contact_id: int, now: datetime) -> list[Offer]:
    """What a contact can choose: the channels it has an address on, each followed by its topics."""
    found = []
    for channel in _channels(store, contact_id):
        found.append(Offer(channel=channel, on=_is_on(store, setting, contact_id, channel, "", now)))
        found += [
            Offer(
                channel=channel,
                topic=row["name_key"],
                title=row["title"],
                description=row["description"],
                on=_is_on(store, setting, contact_id, channel, row["name_key"], now),
            )
            for row in topics.shown(store, channel)
        ]
    return found


def take(
    store: Store, setting: Setting, now: datetime, contact_id: int, choice: Choice, proof: Proof, *, proven: str
) -> int:
    """Do what the contact chose; how many boxes that changed.

    A yes is only what it ticked itself. A channel turned off ends its topics too, and one turned on brings
    none that stayed without a tick. ``proven`` is the channel the page came by, whose address is the contact's.
    """
    one, changed = {"one_contact": contact_id}, 0

    def yes(offer: Offer) -> int:
        confirmed = offer.channel == proven
        return grant_where(
            store, now, ONE, one, offer.channel, "web", topic=offer.topic, evidence=proof(offer), confirmed=confirmed
        )

    def no(offer: Offer) -> int:
        return withdraw_where(store, now, ONE, one, offer.channel, "web", topic=offer.topic, evidence=proof(offer))

    with store.write():
        before = offers(store, setting, contact_id, now)
        for channel in [offer for offer in before if not offer.topic]:
            about = [offer for offer in before if offer.topic and offer.channel == channel.channel]
            changed += sum(no(offer) for offer in about if choice.turned_off(offer))
            if choice.turned_off(channel):
                changed += no(channel)
                continue
            if choice.turned_on(channel):
                changed += yes(channel)
                changed += sum(no(offer) for offer in about if choice.left_off(offer))
            changed += sum(yes(offer) for offer in about if choice.turned_on(offer))
    return changed


def leave_all(store: Store, now: datetime, contact_id: int, proof: Mapping[str, Any]) -> int:
    """The contact wants nothing more, by no channel; on how many it had not said so before."""
    one = {"one_contact": contact_id}
    with store.write():
        return sum(withdraw_where(store, now, ONE, one, channel, "web", evidence=proof) for channel in CHANNELS)


def _channels(store: Store, contact_id: int) -> list[ChannelKind]:
    row = store.row(_REACHED_BY, {"id": contact_id})
    if row is None:
        return []
    channels: tuple[ChannelKind, ...] = ("email", "sms", "push")
    return [channel for channel in channels if row[channel]]


_REACHED_BY = """
SELECT email IS NOT NULL AS email, phone IS NOT NULL AS sms,
  EXISTS (SELECT 1 FROM devices WHERE devices.contact_id = contacts.id) AS push
FROM contacts
WHERE id = :id
"""


def _is_on(store: Store, setting: Setting, contact_id: int, channel: ChannelKind, topic: str, now: datetime) -> bool:
    policy = audience.policy(setting, channel=channel, purpose="campaign", topic=topic)
    return audience.standing(store, contact_id, policy, now)
