"""Change the contact: its tags, attributes and consents."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from macli.actions.batch import Batch
from macli.campaign.words import AttributeName, TagName
from macli.errors import UsageError
from macli.store.attributes import RESERVED

_IDS = "SELECT contact_id FROM batch"


def _normalised(tags: Iterable[str], batch: Batch) -> Iterator[str]:
    from macli.address import normalise_tag

    faithful = bool(batch.setting("tags.normalise"))
    return (normalise_tag(tag, faithful=faithful) for tag in tags)


@dataclass(frozen=True, kw_only=True)
class Tag:
    """Give the contact a tag, or several.

    Example: `tag: VIP` · `tag: [VIP, NEWS]`
    """

    word: ClassVar[str] = "tag"
    scalar: ClassVar[str] = "tags"
    nested: ClassVar[tuple[str, ...]] = ()

    tags: tuple[TagName, ...]

    def ways(self) -> tuple[str, ...]:
        return ("next",)

    def events(self) -> tuple[str, ...]:
        return ()

    def apply(self, batch: Batch) -> None:
        for tag in _normalised(self.tags, batch):
            batch.contacts.tag_where(batch.store, batch.now, _IDS, {}, tag, batch.source)
        batch.set("way = 'next'")


@dataclass(frozen=True, kw_only=True)
class Untag:
    """Take a tag, or several, off the contact.

    Example: `untag: NEW`
    """

    word: ClassVar[str] = "untag"
    scalar: ClassVar[str] = "tags"
    nested: ClassVar[tuple[str, ...]] = ()

    tags: tuple[TagName, ...]

    def ways(self) -> tuple[str, ...]:
        return ("next",)

    def events(self) -> tuple[str, ...]:
        return ()

    def apply(self, batch: Batch) -> None:
        for tag in _normalised(self.tags, batch):
            batch.contacts.untag_where(batch.store, batch.now, _IDS, {}, tag, batch.source)
        batch.set("way = 'next'")


@dataclass(frozen=True, kw_only=True)
class Set:
    """Set attributes of the contact; one without a value is taken away.

    Example: `set: {orders: 3, country: Canada}`
    """

    word: ClassVar[str] = "set"
    scalar: ClassVar[str] = "values"
    nested: ClassVar[tuple[str, ...]] = ()

    values: Mapping[AttributeName, Any]

    def __post_init__(self) -> None:
        for name in self.values:
            if name.casefold() in RESERVED:
                raise UsageError(f"{name!r} is a part of every contact, not an attribute that a step may set")

    def ways(self) -> tuple[str, ...]:
        return ("next",)

    def events(self) -> tuple[str, ...]:
        return ()

    def apply(self, batch: Batch) -> None:
        for name, value in self.values.items():
            batch.contacts.set_attribute_where(
                batch.store, batch.now, _IDS, {}, name, value, batch.source, zone=batch.zone
            )
        batch.set("way = 'next'")


@dataclass(frozen=True, kw_only=True)
class OptOut:
    """Withdraw the contact's consent on a channel.

    Example: `opt_out: email`
    """

    word: ClassVar[str] = "opt_out"
    scalar: ClassVar[str] = "channel"
    nested: ClassVar[tuple[str, ...]] = ()

    channel: Literal["email", "sms"]

    def ways(self) -> tuple[str, ...]:
        return ("next",)

    def events(self) -> tuple[str, ...]:
        return ()

    def apply(self, batch: Batch) -> None:
        batch.contacts.withdraw_where(batch.store, batch.now, _IDS, {}, self.channel, batch.source)
        batch.set("way = 'next'")
