"""A feed over one session: with PIPELINING (RFC 2920) one round trip a message, without it, four.

Behind the final dot of a message goes the envelope of the next, in one write. The next one's
content waits for three things: the server asks for it (354), the answer to the one before is
recorded, and the feed has marked it. So a lost connection leaves at most one message in doubt.
"""

from macli.model import Email, Outcome
from macli.providers.base import Feed
from macli.providers.codes import Stage, smtp_outcome
from macli.providers.smtp import replies
from macli.providers.smtp.envelope import Unsendable, commands, stuffed
from macli.providers.smtp.session import Session
from macli.providers.smtp.wire import Lost

DOT = b".\r\n"
RESET = b"RSET\r\n"
LARGE = 49_152
"""Bytes from which the final dot is kept back until the content has left: below the write buffer's
high-water mark content and dot leave together, above it a lost connection would leave a doubt that
need not be."""
PATIENCE = 5
"""How many times the usual wait an answer to the final dot may take: RFC 5321 asks for twice the
rest, and giving up there leaves a message unknown for ever."""


class Closing(Exception):
    """The server ends the session (421); ``outcome`` is why."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


class Stream:
    """Carries the messages of one feed over one open session."""

    def __init__(self, session: Session, feed: Feed) -> None:
        self._session = session
        self._wire = session.wire
        self._feed = feed
        self._pipelining = "PIPELINING" in session.extensions
        self._left = session.settings.per_connection or -1
        self._envelope = b""
        self._marked: Email | None = None
        self._dotted = False  # whether the marked message's final dot may have left
        self._reset = b""  # RSET, where the last transaction did not end by itself

    async def run(self) -> None:
        """Send until the feed has nothing more or the session ends; the wire is closed then."""
        try:
            await self._run()
        except Lost as error:
            self._settle(str(error))
        except Closing as closing:
            self._feed.refused(closing.outcome)
        except BaseException:
            if self._marked is not None:
                self._settle("interrupted")
            raise
        finally:
            self._wire.abort()  # nothing, where it was closed in order

    async def _run(self) -> None:
        message = self._next()
        self._open_transaction(message)
        while message is not None:
            refusal = await (self._invited() if self._pipelining else self._invited_plainly())
            if refusal is not None:
                message = await self._recover(message, refusal)
                continue
            self._marked, self._dotted = message, False
            if not await self._feed.mark(message):
                self._marked = None
                return  # the server waits for content now; only hanging up takes that back
            message = await self._carry(message)
        self._wire.write(b"QUIT\r\n")
        self._wire.close()

    def _next(self) -> Email | None:
        """The next message this server can be offered, its envelope in ``_envelope``."""
        while self._left != 0 and (message := self._feed.peek()) is not None:
            assert isinstance(message, Email)
            try:
                self._envelope = self._reset + commands(message, self._session.extensions)
                return message
            except Unsendable as error:
                self._feed.done(message, error.outcome)
        return None

    def _open_transaction(self, message: Email | None) -> None:
        """Write the envelope of ``message``; without PIPELINING that waits for its turn."""
        if message is not None and self._pipelining:
            self._wire.write(self._envelope)

    async def _carry(self, message: Email) -> Email | None:
        """Send the content of a marked message; the next message, its envelope on its way."""
        wire = self._wire
        wire.expect_silence()
        self._left -= 1
        following = self._next() if self._pipelining else None
        behind = DOT + self._envelope if following else DOT
        content = stuffed(message.data)
        if len(content) > LARGE:
            wire.write(content)
            await wire.drained()
            self._dotted = True
            wire.write(behind)
        else:
            self._dotted = True
            wire.write(content + behind)
        reply = await wire.reply(timeout=wire.timeout * PATIENCE)
        self._marked = None
        self._feed.done(message, _answer(reply))
        if reply[:3] == b"421":
            raise Closing(_refusal("content", reply))
        if following is None:
            following = self._next()
            self._open_transaction(following)
        return following

    async def _invited(self) -> tuple[Stage, bytes, bool] | None:
        """None once the server wants the content; else who refused, how, and whether it wants it still."""
        wire = self._wire
        if self._reset:
            self._reset = b""
            _unless_closing(await wire.reply())
        # The three come together nearly always; taking them at once is a fifth of the loop's cost.
        ready = wire.ready
        mail = _unless_closing(ready.popleft() if ready else await wire.reply())
        rcpt = ready.popleft() if ready else await wire.reply()
        if rcpt[:3] == b"421":
            return "RCPT", rcpt, False
        data = ready.popleft() if ready else await wire.reply()
        wants_content = data[:3] == b"354"
        if mail[:1] != b"2":
            return "MAIL", mail, wants_content
        if rcpt[:1] != b"2":
            return "RCPT", rcpt, wants_content
        return None if wants_content else ("DATA", data, False)

    async def _invited_plainly(self) -> tuple[Stage, bytes, bool] | None:
        wire = self._wire
        *reset, mail, rcpt, data = self._envelope.splitlines(keepends=True)
        self._reset = b""
        for line in reset:
            wire.write(line)
            _unless_closing(await wire.reply())
        wire.write(mail)
        reply = _unless_closing(await wire.reply())
        if reply[:1] != b"2":
            return "MAIL", reply, False
        wire.write(rcpt)
        reply = await wire.reply()
        if reply[:1] != b"2":
            return "RCPT", reply, False
        wire.write(data)
        reply = await wire.reply()
        return None if reply[:3] == b"354" else ("DATA", reply, False)

    async def _recover(self, message: Email, refusal: tuple[Stage, bytes, bool]) -> Email | None:
        """Record a refused message and clear the way; the next one."""
        stage, reply, wants_content = refusal
        self._feed.done(message, _refusal(stage, reply))
        if reply[:3] == b"421":
            raise Lost("the server ended the session")
        if wants_content:
            if stage == "MAIL":
                raise Lost("the server asked for content after it refused the sender")
            # No recipient was accepted, so this dot sends nothing to nobody (RFC 2920, 3.1).
            self._wire.write(DOT)
            await self._wire.reply()
        self._reset = RESET
        following = self._next()
        self._open_transaction(following)
        return following

    def _settle(self, why: str) -> None:
        """Say what is known of the marked message now that the connection is gone."""
        if self._marked is None:
            self._feed.refused(Outcome(verdict="retry", text=why))
        elif self._dotted:
            self._feed.done(self._marked, Outcome(verdict="unknown", text=f"after the message left: {why}"))
        else:
            self._feed.done(self._marked, Outcome(verdict="retry", text=f"before the message left: {why}"))
        self._marked = None


def _answer(reply: bytes) -> Outcome:
    if reply[:1] != b"2":
        return _refusal("content", reply)
    text = replies.text(reply)
    _, queued, reference = text.rpartition("queued as ")
    return Outcome(verdict="accepted", code=reply[:3].decode(), text=text, reference=reference if queued else None)


def _refusal(stage: Stage, reply: bytes) -> Outcome:
    return smtp_outcome(stage, replies.code(reply), replies.text(reply))


def _unless_closing(reply: bytes) -> bytes:
    """The reply to what begins a transaction. Raises Closing where the server ends the session instead."""
    if reply[:3] == b"421":
        raise Closing(_refusal("MAIL", reply))
    return reply
