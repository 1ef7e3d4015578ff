"""Opens and clicks answered and stored, against the same pages answered without storing anything.

    python bench/serve.py              one process of macli serve, wrk with 32 connections, three rounds
    python bench/serve.py --beside     the same hits while a send with ten connections leaves beside them

Needs wrk, and for --beside also Postfix's smtp-sink (Debian's packages wrk and postfix). Reference and
macli are measured in turn; only the ratios mean anything. Hits become events in the seconds after each
round, which is waited for and not counted: the digest keeps out of the way while a server is busy. The
share of a process is what it did for each second of processor it got, since two cores carry the load,
the server, the sender and the sink at once.
"""

import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.send import CONNECTIONS, HTML, TEXT, free_port, make_contacts, sink
from macli.signing import keyring
from macli.store import settings
from tests.world import NOW, World, add_campaign, add_template, new_world, use_smtp

WRK_CONNECTIONS = 32
SENDS = 2000
TARGET = "https://shop.example/sale?utm_source=news"
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"

REFERENCE = f"""
from starlette.applications import Starlette
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

PIXEL = bytes(43)
HEADERS = {{"Cache-Control": "no-store, private, max-age=0", "Referrer-Policy": "no-referrer"}}

async def opened(request):
    return Response(PIXEL, media_type="image/gif", headers=HEADERS)

async def clicked(request):
    return RedirectResponse({TARGET!r}, 302, headers=HEADERS)

app = Starlette(routes=[Route("/o/{{token}}", opened), Route("/c/{{token}}/{{link}}", clicked)])
"""

REQUESTS = """
local tokens = {%s}
local at = 0
request = function()
  at = at + 1
  local token = tokens[at %% #tokens + 1]
  if at %% 2 == 0 then return wrk.format("GET", "/o/" .. token .. ".gif") end
  return wrk.format("GET", "/c/" .. token .. "/1")
end
wrk.headers["User-Agent"] = "%s"
"""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What wrk saw: requests a second, and answers that were none of ours."""

    rate: float
    wrong: int


def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        sys.exit(f"{name} is missing: apt-get install -y --no-install-recommends {package}")
    return found


def load(port: int, script: Path, seconds: int) -> Load:
    done = subprocess.run(
        [tool("wrk", "wrk"), "-t1", f"-c{WRK_CONNECTIONS}", f"-d{seconds}", "-s", script, f"http://127.0.0.1:{port}"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    errors = re.search(r"Socket errors: (.*)", done.stdout)
    assert errors is None, errors
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert rate is not None, done.stdout
    return Load(rate=float(rate[1]), wrong=int(wrong[1]) if wrong else 0)


@contextmanager
def running(*words: str, port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server process, ready to answer."""
    import socket

    environment = {**os.environ, "PYTHONPATH": f"{Path(__file__).parent.parent}:{folder}"}
    process = subprocess.Popen([sys.executable, "-m", *words], cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield process
        assert process.poll() is None, "the server died: the figures are worth nothing"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def cpu(pid: int) -> float:
    """Seconds of processor a process and its ended children have had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def shop(folder: Path, contacts: int = SENDS) -> World:
    """A workspace with sent messages and one link, and wrk's script for them."""
    world = new_world(folder)
    settings.put(world.store, NOW, "public_url", "https://news.example")
    settings.put(world.store, NOW, "unsubscribe.require_https", "false")
    make_contacts(world, contacts)
    add_template(world.store, subject="{{ first_name }}, spring is here", html=HTML, text=TEXT)
    add_campaign(world.store, "sent")
    with world.store.write():
        world.store.execute(
            """
            INSERT INTO sends (campaign_id, step_id, contact_id, version, channel, state, due_at, left_at, address)
            SELECT 1, (SELECT id FROM steps LIMIT 1), id, 1, 'email', 'accepted', 0, 0, email
            FROM contacts
            WHERE id <= ?
            """,
            (SENDS,),
        )
        world.store.execute("UPDATE campaigns SET state = 'finished'")
        world.store.execute("INSERT INTO links (id, url, created_at) VALUES (1, ?, 0)", (TARGET,))
    keys = keyring(folder)
    tokens = ", ".join(f'"{keys.message(number).follow}"' for number in range(1, SENDS + 1))
    (folder / "hits.lua").write_text(REQUESTS % (tokens, AGENT))
    (folder / "reference.py").write_text(REFERENCE)
    return world


def serving(folder: Path, port: int):  # type: ignore[no-untyped-def]
    return running("macli", "serve", "--port", str(port), port=port, folder=folder)


def against_the_reference(folder: Path, rounds: int, seconds: int) -> None:
    world = shop(folder)
    script = folder / "hits.lua"
    mine, other = free_port(), free_port()
    ratios = []
    words = ("uvicorn", "reference:app", "--port", str(other), "--no-access-log", "--log-level", "warning")
    with serving(folder, mine), running(*words, port=other, folder=folder):
        load(mine, script, 1)
        load(other, script, 1)
        answered = 0
        stored = world.store.value("SELECT count(*) FROM hits")
        for _ in range(rounds):
            digested(world)  # what the round before left to do must not slow the reference down
            reference, ours = load(other, script, seconds), load(mine, script, seconds)
            assert ours.wrong == reference.wrong == 0
            ratios.append(ours.rate / reference.rate)
            answered += int(ours.rate * seconds)
            print(f"stored {ours.rate:8,.0f}/s   not stored {reference.rate:8,.0f}/s   ratio {ratios[-1]:.3f}")
        kept = world.store.value("SELECT count(*) FROM hits") - stored
        assert kept >= 0.98 * answered, f"{answered} answered and {kept} stored"
    print(f"ratio {statistics.median(ratios):.3f} ({min(ratios):.3f}–{max(ratios):.3f}); {kept:,} hits stored")


def digested(world: World) -> None:
    """Wait until every hit is an event."""
    while world.store.value("SELECT EXISTS (SELECT 1 FROM hits WHERE class IS NULL)"):
        time.sleep(0.2)


def beside_a_send(folder: Path, messages: int, seconds: int) -> None:
    world = shop(folder, messages)
    script = folder / "hits.lua"
    port = free_port()
    with sink() as smtp, serving(folder, port) as server:
        use_smtp(world.store, smtp, connections=CONNECTIONS)
        load(port, script, 1)
        hits_alone = hits_for_each_second(server.pid, port, script, seconds)
        sent_alone = finish(send(world, "alone", messages))
        sending = send(world, "beside", messages)
        time.sleep(1.0)
        hits_beside = hits_for_each_second(server.pid, port, script, seconds)
        sent_beside = finish(sending)
    wrong = world.store.value("SELECT count(*) FROM sends WHERE state NOT IN ('accepted')")
    assert wrong == 0, f"{wrong} messages were not accepted"
    print(f"hits for a second of processor: alone {hits_alone:,.0f}, beside {hits_beside:,.0f}")
    print(f"messages for a second of processor: alone {sent_alone:,.0f}, beside {sent_beside:,.0f}")
    print(f"share kept by the hits {hits_beside / hits_alone:.3f}, by the send {sent_beside / sent_alone:.3f}")


def hits_for_each_second(pid: int, port: int, script: Path, seconds: int) -> float:
    before = cpu(pid)
    found = load(port, script, seconds)
    assert found.wrong == 0
    return found.rate * seconds / (cpu(pid) - before)


def send(world: World, name: str, messages: int) -> tuple[subprocess.Popen[bytes], int]:
    """A broadcast to the contacts made for it, by a process of its own."""
    add_campaign(world.store, name)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    words = [sys.executable, "-m", "macli", "--quiet", "tick", "--at", NOW.isoformat()]
    return subprocess.Popen(words, cwd=world.path, env=environment), messages


def finish(started: tuple[subprocess.Popen[bytes], int]) -> float:
    """Messages for a second of the sender's processor."""
    process, messages = started
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"the tick ended with {process.returncode}"
    return messages / (usage.ru_utime + usage.ru_stime)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beside", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=60_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.beside:
            beside_a_send(Path(folder) / "shop", given.messages, given.seconds)
        else:
            against_the_reference(Path(folder) / "shop", given.rounds, given.seconds)


if __name__ == "__main__":
    main()
