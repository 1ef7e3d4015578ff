"""10,000 posts of SMTP2GO and Twilio, a third of them repeated, all shuffled, at a running `macli serve`.

Each of the two providers reports on half of the messages, in two steps; each post is checked, stored and only
then answered. Afterwards every event is there once and every message in the right state, or this fails. Prints
posts a second as a share of what the same app answers when it checks the same posts and stores nothing; the two
take turns.
Usage: python bench/hooks.py [--posts N] [--connections N] [--rounds N]
"""

import argparse
import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from macli.clock import system_clock
from macli.responses import hooks
from macli.store import Store, identity, open_store, providers, settings, starter

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
PUBLIC = "https://news.example"
ACCOUNT = "AC" + "a" * 32
TOKEN = "bench-token"
STEPS = 2


@dataclass(frozen=True)
class Post:
    path: str
    body: bytes
    headers: str


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        serve(Path(sys.argv[2]), int(sys.argv[3]), storing=sys.argv[4] == "storing")
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    speeds: dict[str, list[float]] = {"storing": [], "answering": []}
    os.environ["BENCH_TOKEN"] = TOKEN
    for number in range(asked.rounds):
        for how in speeds:
            with tempfile.TemporaryDirectory() as folder:
                speeds[how].append(one(Path(folder), asked.posts, asked.connections, how, seed=number))
    stored, answered = (statistics.median(speeds[how]) for how in ("storing", "answering"))
    print(f"stored {stored:,.0f} posts/s, answered without storing {answered:,.0f}/s: {stored / answered:.2f}")


def one(folder: Path, posts: int, connections: int, how: str, *, seed: int) -> float:
    """Posts a second of one round, whose end is checked where it stored."""
    store = build(folder, posts * 2 // 3 // STEPS)
    made = make_posts(store, folder, posts, random.Random(seed))
    port = free_port()
    server = subprocess.Popen([sys.executable, __file__, "serve", str(folder), str(port), how])
    try:
        wait_for(port)
        asyncio.run(post_all(port, made[:50], 2))  # nothing is read for the first time in what is measured
        started = time.perf_counter()
        asyncio.run(post_all(port, made, connections))
        took = time.perf_counter() - started
    finally:
        server.terminate()
        server.wait(30)
    if how == "storing":
        check(store)
    store.close()
    return len(made) / took


def build(folder: Path, sends: int) -> Store:
    """A workspace whose messages are half mails and half texts, all accepted by their provider."""
    store = open_store(folder / "macli.db", create=True)
    identity.record(store)
    starter.furnish(store, NOW)
    settings.put(store, NOW, "public_url", PUBLIC)
    texts = {"account_sid": ACCOUNT, "auth_token": "env:BENCH_TOKEN", "from": "+15005550006"}
    providers.add(store, NOW, "texts", "twilio", texts, workspace=folder)
    providers.add(store, NOW, "go", "smtp2go", {"username": "u", "password": "env:BENCH_TOKEN"}, workspace=folder)
    hooks.make(store, folder, "go")
    with store.write():
        store.executemany(
            "INSERT INTO contacts (id, email, phone, added_at, updated_at) VALUES (?, ?, ?, 0, 0)",
            ((n, f"c{n}@example.com", f"+1416{n:07}") for n in range(1, sends + 1)),
        )
        store.executemany(
            """
            INSERT INTO sends (id, contact_id, channel, state, address, due_at, left_at, reference)
            VALUES (?, ?, ?, 'accepted', ?, 0, 0, ?)
            """,
            (
                (n, n, *(("sms", f"+1416{n:07}", f"SM{n:032}") if n % 2 else ("email", f"c{n}@example.com", None)))
                for n in range(1, sends + 1)
            ),
        )
    return store


def fails(number: int) -> bool:
    return number % 10 < 2


def make_posts(store: Store, folder: Path, posts: int, luck: random.Random) -> list[Post]:
    """Two posts for each message, as many of them again as are still wanted, in any order."""
    token = store.value("SELECT value FROM meta WHERE key = 'store'")[:8]
    secret = hooks.secret(folder, "go", "smtp2go").reveal()
    sends = int(store.value("SELECT count(*) FROM sends"))
    made = []
    for number in range(1, sends + 1):
        for step in range(STEPS):
            made.append(twilio(number, step) if number % 2 else smtp2go(number, step, token=token, secret=secret))
    made += luck.choices(made, k=posts - len(made))
    luck.shuffle(made)
    return made


def twilio(number: int, step: int) -> Post:
    from twilio.request_validator import RequestValidator

    status = "sent" if step == 0 else "undelivered" if fails(number) else "delivered"
    params = {
        "MessageSid": f"SM{number:032}",
        "AccountSid": ACCOUNT,
        "MessageStatus": status,
        "To": f"+1416{number:07}",
        **({"ErrorCode": "30003"} if status == "undelivered" else {}),
    }
    path = "/hooks/twilio/texts"
    signature = RequestValidator(TOKEN).compute_signature(PUBLIC + path, params)
    headers = f"Content-Type: application/x-www-form-urlencoded\r\nX-Twilio-Signature: {signature}\r\n"
    return Post(path, urlencode(params).encode(), headers)


def smtp2go(number: int, step: int, *, token: str, secret: str) -> Post:
    event = "processed" if step == 0 else "bounce" if fails(number) else "delivered"
    said = {
        "event": event,
        "time": "2026-12-01T08:59:00Z",
        "rcpt": f"c{number}@example.com",
        "email_id": f"{number}-abc",
        "X-Macli-Message-Id": f"{number}.{token}",
        **({"bounce": "hard", "message": "550 5.1.1 no such user"} if event == "bounce" else {}),
    }
    return Post(f"/hooks/smtp2go/go/{secret}", json.dumps(said).encode(), "Content-Type: application/json\r\n")


async def post_all(port: int, posts: list[Post], connections: int) -> None:
    """Post them in order over connections that are kept open; each waits for its answer."""
    waiting = iter(posts)

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for post in waiting:
            head = f"POST {post.path} HTTP/1.1\r\nHost: news.example\r\nContent-Length: {len(post.body)}\r\n"
            writer.write(f"{head}{post.headers}\r\n".encode() + post.body)
            answer = await reader.readuntil(b"\r\n\r\n")
            if answer[9:11] != b"20":
                raise SystemExit(f"not taken: {answer[:80]!r}")
            for line in answer.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    await reader.readexactly(int(line.partition(b":")[2]))
        writer.close()

    await asyncio.gather(*(work() for _ in range(connections)))


def check(store: Store) -> None:
    """Every event is there once, every message in the state its last report gave it."""
    wrong: Counter[str] = Counter()
    for row in store.rows("SELECT id, state FROM sends"):
        bad = "failed" if row["id"] % 2 else "bounced"
        if row["state"] != (bad if fails(row["id"]) else "delivered"):
            wrong[f"state {row['state']}"] += 1
    found = store.rows("SELECT send_id, name, count(*) AS times FROM events WHERE send_id IS NOT NULL GROUP BY 1, 2")
    events = {row["send_id"]: (row["name"], row["times"]) for row in found if not row["name"].startswith("consent")}
    for number in range(1, int(store.value("SELECT count(*) FROM sends")) + 1):
        names = ("sms.failed", "sms.delivered") if number % 2 else ("email.bounced", "email.delivered")
        if events.get(number) != (names[0] if fails(number) else names[1], 1):
            wrong[f"event {events.get(number)}"] += 1
    if wrong:
        raise SystemExit(f"wrong at the end: {wrong.most_common(5)}")


def serve(folder: Path, port: int, *, storing: bool) -> None:
    import uvicorn

    from macli.web import hooks_reports
    from macli.web.app import create
    from macli.web.site import Site

    if not storing:

        async def answer(self: object, reports: object) -> None:
            return None

        hooks_reports.Reports.take = answer  # type: ignore[method-assign, assignment]
    site = Site(workspace=folder, store=folder / "macli.db", clock=system_clock, zone=ZoneInfo("UTC"))
    uvicorn.run(create(site), host="127.0.0.1", port=port, access_log=False, log_level="warning")  # type: ignore[arg-type]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()
