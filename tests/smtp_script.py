"""A mail server that follows a script, and a feed that remembers: for tests of the SMTP client."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from macli.model import Email, Message, Outcome
from macli.providers.smtp import Settings, Smtp


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.heard: list[str] = []
        self.contents: list[bytes] = []

    async def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self.writer.drain()

    async def hear(self) -> str:
        """The next command, empty at the end of the connection."""
        line = (await self.reader.readline()).decode().rstrip("\r\n")
        if line:
            self.heard.append(line)
        return line

    async def content(self) -> bytes:
        """Everything up to the final dot, as it came."""
        content = await self.reader.readuntil(b"\r\n.\r\n")
        self.contents.append(content[:-3])
        return content[:-3]

    async def hello(self, *extensions: str) -> None:
        await self.say("220 script ESMTP")
        await self.hear()
        words = ["script", *extensions]
        await self.say(*(f"250{'-' if word is not words[-1] else ' '}{word}" for word in words))

    async def envelope(self, *answers: str) -> None:
        """Hear MAIL, RCPT and DATA, then answer all three."""
        for _ in range(3):
            await self.hear()
        await self.say(*answers)

    def hang_up(self) -> None:
        self.writer.transport.abort()


TAKE = ("250 ok", "250 ok", "354 go")


class Queue:
    """A feed of given messages; ``withdrawn`` are those whose mark is refused."""

    def __init__(self, messages: Sequence[Email], *, withdrawn: Sequence[int] = ()) -> None:
        self.waiting = list(messages)
        self.withdrawn = set(withdrawn)
        self.marked: list[int] = []
        self.open: set[int] = set()
        self.outcomes: dict[int, Outcome] = {}
        self.refusals: list[Outcome] = []
        self.log: list[str] = []

    def peek(self) -> Message | None:
        return self.waiting[0] if self.waiting else None

    async def mark(self, message: Message) -> bool:
        assert not self.open, "at most one message is marked and unanswered"
        assert self.waiting
        assert self.waiting.pop(0) is message
        await asyncio.sleep(0)
        if message.send_id in self.withdrawn:
            return False
        self.marked.append(message.send_id)
        self.open.add(message.send_id)
        self.log.append(f"mark {message.send_id}")
        return True

    def done(self, message: Message, outcome: Outcome) -> None:
        assert message.send_id not in self.outcomes, "one answer a message"
        if message.send_id in self.open:
            self.open.discard(message.send_id)
        else:
            assert self.waiting.pop(0) is message
        self.outcomes[message.send_id] = outcome
        self.log.append(f"done {message.send_id} {outcome.verdict}")

    def refused(self, outcome: Outcome) -> None:
        assert not self.open, "a refused connection has nothing marked"
        self.refusals.append(outcome)

    @property
    def verdicts(self) -> list[str]:
        return [self.outcomes[number].verdict for number in sorted(self.outcomes)]


def mails(count: int, content: bytes = b"Subject: x\r\n\r\nHello\r\n", **fields: Any) -> list[Email]:
    return [
        Email(
            send_id=number,
            key=str(number),
            data=content,
            **{"sender": "news@example.com", "to": f"person{number}@example.net", **fields},
        )
        for number in range(1, count + 1)
    ]


def play(script: Callable[[Peer], Awaitable[None]], feed: Queue, *, lives: int = 1, **settings: Any) -> list[Peer]:
    """Deliver ``feed`` over ``lives`` connections, one after another, to a server that plays ``script``."""
    peers: list[Peer] = []
    failures: list[Exception] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        peers.append(peer)
        try:
            await script(peer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except Exception as error:
            failures.append(error)
        finally:
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        provider = Smtp(Settings(**{"host": "127.0.0.1", "port": port, "timeout": 2.0, **settings}), name="script")
        for _ in range(lives):
            await asyncio.wait_for(provider.deliver(feed), 30)
        server.close()
        await asyncio.sleep(0.02)

    asyncio.run(main())
    if failures:
        raise failures[0]
    return peers
