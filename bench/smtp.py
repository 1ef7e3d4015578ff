"""The SMTP client against Postfix's smtp-sink, beside smtp-source in the same run.

Usage: python bench/smtp.py [--messages 40000] [--connections 10] [--runs 3]
Both send messages of 4 KB over the same number of kept connections to the same sink. The feed
hands out prepared bytes and marks at once: what is measured is the client, not what feeds it.
"""

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable
from pathlib import Path

from macli.model import Email, Message, Outcome
from macli.providers.smtp import Settings, Smtp

SINK, SOURCE = "/usr/sbin/smtp-sink", "/usr/sbin/smtp-source"


class Prepared:
    """A feed of ``count`` messages over the same bytes."""

    def __init__(self, count: int, content: bytes, loop: asyncio.AbstractEventLoop) -> None:
        self.accepted = 0
        self._left = count
        self._content = content
        self._next = self._make()
        self._yes: asyncio.Future[bool] = loop.create_future()
        self._yes.set_result(True)

    def _make(self) -> Email | None:
        if not self._left:
            return None
        self._left -= 1
        return Email(
            send_id=self._left,
            key=str(self._left),
            sender="news@example.com",
            to=f"person{self._left}@example.net",
            data=self._content,
        )

    def peek(self) -> Message | None:
        return self._next

    def mark(self, message: Message) -> Awaitable[bool]:
        self._next = self._make()
        return self._yes

    def done(self, message: Message, outcome: Outcome) -> None:
        assert outcome.verdict == "accepted", outcome
        self.accepted += 1

    def refused(self, outcome: Outcome) -> None:
        raise RuntimeError(outcome.text)


async def deliver(port: int, messages: int, connections: int, content: bytes) -> int:
    provider = Smtp(Settings(host="127.0.0.1", port=port, security="none"), name="sink")
    loop = asyncio.get_running_loop()
    feeds = [Prepared(messages // connections, content, loop) for _ in range(connections)]
    await asyncio.gather(*(provider.deliver(feed) for feed in feeds))
    return sum(feed.accepted for feed in feeds)


def client(port: int, messages: int, connections: int, content: bytes) -> tuple[float, float]:
    """Messages a second, and microseconds of processor time each."""
    import uvloop

    wall, processor = time.perf_counter(), time.process_time()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sent = runner.run(deliver(port, messages, connections, content))
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return sent / wall, processor / sent * 1e6


def reference(port: int, messages: int, connections: int) -> float:
    wall = time.perf_counter()
    subprocess.run(
        [SOURCE, "-d", "-s", str(connections), "-m", str(messages), "-l", "4096", f"127.0.0.1:{port}"], check=True
    )
    return messages / (time.perf_counter() - wall)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=40_000)
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    if not (Path(SINK).exists() and Path(SOURCE).exists()):
        print("needs Postfix's smtp-sink: apt-get install -y --no-install-recommends postfix", file=sys.stderr)
        return 2
    content = b"Subject: x\r\n\r\n" + b"A line of a newsletter, seventy characters in all, more or less.\r\n" * 62
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with subprocess.Popen([SINK, *user, f"127.0.0.1:{port}", "100"]) as sink:
        try:
            time.sleep(0.5)
            results = []
            for _ in range(asked.runs):
                source = reference(port, asked.messages, asked.connections)
                rate, cost = client(port, asked.messages, asked.connections, content)
                if sink.poll() is not None:
                    print("the sink died: these figures mean nothing", file=sys.stderr)
                    return 1
                results.append((source, rate, cost))
                print(f"smtp-source {source:8,.0f}/s   macli {rate:8,.0f}/s  {cost:5.1f} us   {rate / source:.2f}")
            print(f"median ratio {statistics.median(rate / source for source, rate, _ in results):.2f}")
        finally:
            sink.terminate()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
