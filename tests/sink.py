"""A mail server that keeps a line for each message it took, and misbehaves as it is told.

A process of its own: what it wrote is what really arrived, whatever becomes of the sender.
"""

import argparse
import asyncio
import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODES = (
    "take",
    "drop-before",
    "drop-after",
    "hang",
    "busy",
    "closing",
    "refuse-rcpt",
    "refuse-all",
    "no-auth",
    "plain",
)


class Session(asyncio.Protocol):
    """One connection. It acts on every line as it comes, so pipelined commands just work."""

    def __init__(self, options: argparse.Namespace, log: int) -> None:
        self.options = options
        self.log = log
        self.buffer = b""
        self.data: list[bytes] | None = None
        self.recipient = b""
        self.thinking = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.reply(b"220 sink ESMTP")

    def reply(self, line: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(line + b"\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.read()

    def read(self) -> None:
        *lines, rest = self.buffer.split(b"\r\n")
        for place, line in enumerate(lines):
            if self.thinking or self.transport.is_closing():
                self.buffer = b"\r\n".join([*lines[place:], rest])
                return
            if self.data is not None:
                self.content(line)
            else:
                self.command(line)
        self.buffer = rest

    def unlucky(self, mode: str) -> bool:
        return self.options.mode == mode and random.random() < self.options.share

    def command(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb == b"EHLO":
            if self.options.mode == "plain":
                self.reply(b"250 sink")
            else:
                self.reply(b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 10000000")
        elif verb == b"RCPT":
            self.recipient = line.split(b"<", 1)[1].split(b">", 1)[0]
            if self.unlucky("refuse-rcpt"):
                self.reply(b"550 5.1.1 no such user")
                self.recipient = b""
            elif self.unlucky("refuse-all"):
                self.reply(b"554 5.7.0 refused")
                self.recipient = b""
            elif self.unlucky("busy"):
                self.reply(b"451 4.7.1 try again later")
                self.recipient = b""
            else:
                self.reply(b"250 2.1.5 ok")
        elif verb == b"DATA":
            if not self.recipient:
                self.reply(b"503 5.5.1 no recipient")
            else:
                self.data = []
                self.reply(b"354 go ahead")
        elif verb == b"MAIL":
            if self.unlucky("closing"):
                self.reply(b"421 4.3.2 going down")
                self.transport.close()
            else:
                self.reply(b"250 2.1.0 ok")
        elif verb == b"RSET":
            self.recipient = b""
            self.reply(b"250 2.0.0 ok")
        elif verb == b"QUIT":
            self.reply(b"221 2.0.0 bye")
            self.transport.close()
        else:
            self.reply(b"250 ok")

    def content(self, line: bytes) -> None:
        assert self.data is not None
        if line != b".":
            self.data.append(line)
            if len(self.data) == 3 and self.unlucky("drop-before"):
                self.transport.abort()
            return
        key = next((found[20:] for found in self.data if found.startswith(b"X-Macli-Message-Id: ")), b"?")
        recipient, self.data, self.recipient = self.recipient, None, b""
        if self.unlucky("hang"):
            self.thinking = True
            return
        # One write to a file opened for appending: whole or not at all, even beside other connections.
        os.write(self.log, recipient + b"\t" + key.strip() + b"\n")
        if self.unlucky("drop-after"):
            self.transport.abort()
            return
        if self.options.delay:
            # Replies keep the order of the commands: what came behind the message waits too.
            self.thinking = True
            asyncio.get_running_loop().call_later(self.options.delay, self.thought)
        else:
            self.reply(b"250 2.0.0 taken")

    def thought(self) -> None:
        self.thinking = False
        self.reply(b"250 2.0.0 taken")
        self.read()


async def serve(options: argparse.Namespace) -> None:
    log = os.open(options.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Session(options, log), "127.0.0.1", options.port)
    await server.serve_forever()


class Sink:
    """A running sink: its port, and what it took."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self.log = log

    def taken(self) -> Counter[str]:
        """How often each recipient got a message."""
        lines = self.log.read_text("utf-8").splitlines() if self.log.exists() else []
        return Counter(line.split("\t")[0] for line in lines)


@contextmanager
def running(log: Path, mode: str = "take", *, share: float = 1.0, delay: float = 0.0) -> Iterator[Sink]:
    """A sink for a block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["--port", str(port), "--log", str(log), "--mode", mode, "--share", str(share), "--delay", str(delay)]
    process = subprocess.Popen([sys.executable, __file__, *arguments])
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield Sink(port, log)
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--mode", choices=MODES, default="take")
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--delay", type=float, default=0.0)
    asyncio.run(serve(parser.parse_args()))
