"""What a provider is to the rest of macli: it says what became of a message, and nothing else."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeGuard

from macli.model import ChannelKind, Check, Message, Outcome


@dataclass(frozen=True, kw_only=True)
class Enquiry:
    """A message whose fate is asked for: what the ledger knows about it.

    ``reference`` is the provider's own id where it gave one; ``since`` the moment the message was
    marked, before which it cannot have left; ``text`` helps to tell two messages to one number apart.
    """

    send_id: int
    key: str
    to: str
    since: datetime
    reference: str | None = None
    text: str | None = None


class Provider(Protocol):
    """Who carries messages of the kinds in ``channels``, up to ``connections`` of them at once.

    A provider does not retry, wait, log or touch the store. Where a connection fails before a
    message can have left, its answer is ``retry``; where it may have left, ``unknown``.
    """

    kind: str
    name: str
    channels: frozenset[ChannelKind]
    connections: int
    looks_up: bool
    """Whether ``lookup`` can say what became of a message."""

    @property
    def sender(self) -> str | None:
        """The address or number messages come from where nothing else names one."""

    def check(self) -> list[Check]:
        """Try the connection without sending: each step in turn, up to the first that fails."""

    def describe(self) -> Mapping[str, Any]:
        """The settings in force, secrets by their references only."""

    def lookup(self, enquiry: Enquiry) -> Outcome | None:
        """What became of a message, None where the provider has no such message.

        Raises NotImplementedError where ``looks_up`` is false.
        """


class SendingProvider(Provider, Protocol):
    """A provider that takes one message a call; ``send`` may be called from several threads."""

    def send(self, message: Message) -> Outcome: ...


class StreamingProvider(Provider, Protocol):
    """A provider whose connections carry many messages each."""

    async def deliver(self, feed: "Feed") -> None:
        """The life of one connection: send what ``feed`` has until it has nothing more.

        Returns early where the server, a limit of messages a connection or a message withdrawn at
        the last moment ends the connection; the caller opens another while there is more to send.
        """


class Feed(Protocol):
    """One connection's supply of messages. At most one is marked and unanswered at any time."""

    def peek(self) -> Message | None:
        """The next message, rendered, not yet marked.

        The same one until it is marked or done; None where there is nothing more now.
        """

    def mark(self, message: Message) -> Awaitable[bool]:
        """Commit that ``message`` is about to leave; false: it must not go out any more."""

    def done(self, message: Message, outcome: Outcome) -> None:
        """Record the answer for ``message``.

        Usually after its mark; without one where the server refused it before its content could
        leave (an unknown recipient), which also takes it off the feed.
        """

    def refused(self, outcome: Outcome) -> None:
        """The connection itself was refused or lost (AUTH, TLS, 421) with no message marked."""


def streams(provider: Provider) -> TypeGuard[StreamingProvider]:
    """Whether ``provider`` is fed a connection at a time rather than a message at a time."""
    return hasattr(provider, "deliver")


def sends(provider: Provider) -> TypeGuard[SendingProvider]:
    return hasattr(provider, "send")


def send_one(provider: Provider, message: Message) -> Outcome:
    """Carry one message now, over a connection of its own where the provider streams."""
    if sends(provider):
        return provider.send(message)
    assert streams(provider)
    import asyncio

    feed = _One(message)
    asyncio.run(provider.deliver(feed))
    return feed.outcome


class _One:
    """A feed of one message."""

    def __init__(self, message: Message) -> None:
        self._message: Message | None = message
        self.outcome = Outcome(verdict="retry", text="the connection ended before the message could leave")

    def peek(self) -> Message | None:
        return self._message

    async def mark(self, message: Message) -> bool:
        self._message = None
        return True

    def done(self, message: Message, outcome: Outcome) -> None:
        self._message = None
        self.outcome = outcome

    def refused(self, outcome: Outcome) -> None:
        self.outcome = outcome
