"""SMTP: any mail server, with TLS verified, over a few connections that carry many messages each."""

from collections.abc import Mapping
from typing import Any

from macli.model import ChannelKind, Check, Outcome
from macli.providers.base import Enquiry, Feed
from macli.providers.settings import shown
from macli.providers.smtp.settings import Settings

__all__ = ["Settings", "Smtp", "build"]


class Smtp:
    """A mail server."""

    channels: frozenset[ChannelKind] = frozenset({"email"})
    looks_up = False

    def __init__(self, settings: Settings, *, name: str, kind: str = "smtp", given: Any = None) -> None:
        self.kind = kind
        self.name = name
        self.settings = settings
        self._given = given or settings  # what a provider that is SMTP underneath was set up with
        self.connections = settings.connections

    @property
    def sender(self) -> str | None:
        return self.settings.sender

    def describe(self) -> Mapping[str, Any]:
        return shown(self._given)

    def lookup(self, enquiry: Enquiry) -> Outcome | None:
        raise NotImplementedError("a mail server cannot be asked about a message it took")

    async def deliver(self, feed: Feed) -> None:
        """One connection's life; see ``StreamingProvider``."""
        from macli.providers.smtp.session import Refused, Session
        from macli.providers.smtp.stream import Stream

        if feed.peek() is None:
            return
        session = Session(self.settings)
        try:
            await session.open()
        except Refused as refused:
            feed.refused(refused.outcome)
            return
        await Stream(session, feed).run()

    def check(self) -> list[Check]:
        """Resolve, connect, TLS, AUTH and NOOP, up to the step that fails."""
        import asyncio

        return asyncio.run(self._check())

    async def _check(self) -> list[Check]:
        from macli.providers.smtp.session import Refused, Session
        from macli.providers.smtp.wire import Lost

        session = Session(self.settings)
        try:
            await session.open()
        except Refused as refused:
            return [*session.steps, Check(step=refused.step, ok=False, detail=refused.outcome.text)]
        try:
            await session.ask("NOOP", "NOOP")
            session.wire.write(b"QUIT\r\n")
        except (Refused, Lost) as error:
            return [*session.steps, Check(step="NOOP", ok=False, detail=str(error))]
        finally:
            session.wire.close()
        return [*session.steps, Check(step="NOOP", ok=True)]


def build(settings: Settings, *, name: str) -> Smtp:
    return Smtp(settings, name=name)
