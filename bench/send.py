"""The whole send against Postfix's own generator: claim, mark, render, build, SMTP, record.

    python bench/send.py                  one process, 30,000 messages, three rounds
    python bench/send.py --tracked        the same with one-click unsubscribing, a pixel and ten followed links
    python bench/send.py --workers 2      120,000 messages: a worker of its own takes half a second to start
    python bench/send.py --memory         peak memory of a large broadcast against a small one, bytes a message

Needs smtp-source and smtp-sink (Debian's package postfix). The reference is
``smtp-source -d -s 10`` to the same sink, with bodies of the same size and no personalisation,
measured in turn with ours: only the ratio means anything.
"""

import argparse
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.world import NOW, World, add_campaign, add_template, new_world, use_smtp

CONNECTIONS = 10
ITEM = (
    '<tr><td style="padding:8px;font-family:sans-serif"><a href="https://shop.example/{{ link_%d }}">Offer %d</a>'
    '<p style="margin:0;color:#444">Something we think you will like, at a price you will like too.</p></td></tr>\n'
)
PARAGRAPH = "<p>Spring is here and so are the new arrivals.\nEvery one of them was chosen by hand.</p>\n"
HTML = (
    "<html><body><table width='100%'>\n<tr><td><h1>Hello {{ first_name }}</h1>\n"
    + PARAGRAPH * 13
    + "</td></tr>\n"
    + "".join(ITEM % (n, n) for n in range(5))
    + "{% if vip %}<tr><td>Thank you for being one of our best in {{ city }}.</td></tr>{% endif %}\n"
    + "</table><p><a href='{{ unsubscribe_url }}'>Unsubscribe</a></p></body></html>\n"
)
TEXT = (
    "Hello {{ first_name }},\n\n"
    + "Spring is here and so are the new arrivals.\n" * 13
    + "".join("Offer %d: https://shop.example/{{ link_%d }}\n" % (n, n) for n in range(5))
    + "\n{% if vip %}Thank you for being one of our best in {{ city }}.{% endif %}\n\n"
    + "Unsubscribe: {{ unsubscribe_url }}\n"
)


def make_contacts(world: World, number: int) -> None:
    """Contacts with a name, a city, five personal links and a few more attributes."""
    now = int(NOW.timestamp() * 1000)
    store = world.store
    with store.write():
        for name, kind in (
            ("first_name", "text"),
            ("city", "text"),
            ("orders", "number"),
            ("vip", "bool"),
            *((f"link_{n}", "text") for n in range(5)),
        ):
            store.execute("INSERT INTO attributes (name, type, created_at) VALUES (?, ?, ?)", (name, kind, now))
        store.executemany(
            "INSERT INTO contacts (email, external_id, attributes, added_at, updated_at) VALUES (?, ?, ?, ?, ?)",
            (
                (
                    f"contact{n}@domain{n % 50}.example",
                    f"x{n}",
                    json.dumps(
                        {
                            "first_name": f"Ann{n % 997}",
                            "city": "Ottawa",
                            "orders": n % 9,
                            "vip": n % 10 == 0,
                            **{f"link_{k}": f"p/{n * 7 + k:x}" for k in range(5)},
                        }
                    ),
                    now,
                    now,
                )
                for n in range(number)
            ),
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def sink() -> Iterator[int]:
    """Postfix's sink on a free port; as root it must be told whom to run as."""
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([_tool("smtp-sink"), *user, f"127.0.0.1:{port}", "1000"])
    time.sleep(0.5)
    try:
        yield port
        assert process.poll() is None, "the sink died: the figures are worth nothing"
    finally:
        process.kill()
        process.wait()


def _tool(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        sys.exit(f"{name} is missing: apt-get install -y --no-install-recommends postfix")
    return found


def reference(port: int, number: int, octets: int) -> float:
    """Messages a second of smtp-source."""
    started = time.monotonic()
    subprocess.run(
        [
            _tool("smtp-source"), "-d", "-s", str(CONNECTIONS), "-l", str(octets), "-m", str(number),
            "-f", "news@shop.example", "-t", "ann@example.com", f"127.0.0.1:{port}",
        ],
        check=True,
    )  # fmt: skip
    return number / (time.monotonic() - started)


def prepare(folder: Path, port: int, number: int, *, tracked: bool) -> World:
    """A workspace whose campaign is planned to the last message, ready for the dispatcher."""
    from macli.store import settings
    from macli.tick import advance, enroll

    world = new_world(folder)
    if tracked:
        settings.put(world.store, NOW, "public_url", "https://news.shop.example")
    make_contacts(world, number)
    use_smtp(world.store, port, connections=CONNECTIONS, timeout=30.0)
    add_template(world.store, subject="{{ first_name }}, spring is here", html=HTML, text=TEXT)
    add_campaign(world.store)
    engine = world.engine()
    started = time.monotonic()
    enroll.enroll(engine, campaign_id=None, over=lambda: False)
    advance.advance(engine, campaign_id=None, over=lambda: False)
    took = time.monotonic() - started
    planned = world.store.value("SELECT count(*) FROM sends WHERE state = 'planned'")
    assert planned == number, planned
    print(f"  planned {number:,} sends in {took:.2f} s ({number / took:,.0f}/s)")
    return world


def send(world: World, number: int, workers: int) -> float:
    """Messages a second from the first claim to the last recorded outcome."""
    from macli.tick.crew import dispatch_together

    started = time.monotonic()
    result = dispatch_together(
        world.engine(), workers=workers, campaign_id=None, deadline=None, stopping=lambda: False, progress=None
    )
    took = time.monotonic() - started
    assert result.count("accepted") == number, result
    return number / took


def message_octets(world: World) -> int:
    """The size of one message, as the outbox would write it."""
    from macli.tick.compose import StepComposer

    row = world.store.row(
        "SELECT 1 AS send_id, 0 AS variant, 0 AS untracked, email AS address, * FROM contacts WHERE id = 1"
    )
    assert row is not None
    composer = StepComposer(world.engine(), 1, 1, world.store.value("SELECT key FROM steps"))
    return len(composer.compose(row, NOW).data)  # type: ignore[union-attr]


def rates(number: int, rounds: int, workers: int, *, tracked: bool) -> None:
    ratios = []
    for turn in range(rounds):
        with tempfile.TemporaryDirectory() as folder, sink() as port:
            world = prepare(Path(folder) / "shop", port, number, tracked=tracked)
            octets = message_octets(world)
            theirs = reference(port, number, octets)
            ours = send(world, number, workers)
            again = reference(port, number, octets)
            pages = world.store.value("PRAGMA page_count") * world.store.value("PRAGMA page_size")
            ratio = ours / statistics.mean((theirs, again))
            ratios.append(ratio)
            print(
                f"  round {turn + 1}: {octets:,} octets a message; macli {ours:,.0f}/s with {workers} worker(s),"
                f" smtp-source {theirs:,.0f} and {again:,.0f}/s: ratio {ratio:.3f}; store {pages / 1e6:.0f} MB"
            )
    what = "whole send, tracked" if tracked else "whole send"
    print(f"{what}, {workers} worker(s): ratio to smtp-source -d -s 10, median {statistics.median(ratios):.3f}")


def memory_child(folder: str, number: int, port: int) -> None:
    """One broadcast from entry to the last outcome, in this process; prints its peak memory and its store's growth."""
    from macli.tick.tick import run_tick

    world = new_world(Path(folder) / "shop")
    make_contacts(world, number)
    use_smtp(world.store, port, connections=CONNECTIONS, timeout=30.0)
    add_template(world.store, subject="{{ first_name }}, spring is here", html=HTML, text=TEXT)
    add_campaign(world.store)

    def octets() -> int:
        return int(world.store.value("PRAGMA page_count") * world.store.value("PRAGMA page_size"))

    before = octets()
    report = run_tick(world.engine())
    assert report.messages == {"accepted": number}, report
    free = world.store.value("PRAGMA freelist_count") * world.store.value("PRAGMA page_size")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peak_mib": peak, "store_octets": octets() - free - before}))


def memory(large: int) -> None:
    small, peaks = large // 10, {}
    for number in (small, large):
        with tempfile.TemporaryDirectory() as folder, sink() as port:
            arguments = [sys.executable, __file__, "--child", folder, "--messages", str(number), "--port", str(port)]
            answer = subprocess.run(arguments, check=True, capture_output=True, text=True)
            found = json.loads(answer.stdout.splitlines()[-1])
            peaks[number] = found["peak_mib"]
            each = found["store_octets"] / number
            print(f"  {number:,} messages: peak {found['peak_mib']:.0f} MiB, {each:.0f} store octets a message")
    print(f"peak memory of {large:,} against {small:,}: ratio {peaks[large] / peaks[small]:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--messages", type=int, help="default: 30,000 for one worker, 120,000 for more, 1,000,000 for --memory"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--tracked", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--child")
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    if options.child:
        memory_child(options.child, options.messages, options.port)
    elif options.memory:
        memory(options.messages or 1_000_000)
    else:
        number = options.messages or (30_000 if options.workers == 1 else 120_000)
        rates(number, options.rounds, options.workers, tracked=options.tracked)
