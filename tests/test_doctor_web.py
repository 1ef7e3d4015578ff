"""The doctor on what macli serve stands on: an address the world reaches, keys, hits that become events."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from macli.clock import to_ms
from macli.doctor import web
from macli.signing import keyring
from macli.store import open_store
from macli.web.server import Place, free_port, in_background
from tests.conftest import NOW, Run


def _found(macli: Run, check: str) -> list[tuple[str, str, str]]:
    rows = json.loads(macli("doctor", "--json", at=NOW).out)
    return [(row["verdict"], row["said"], row["type"]) for row in rows if row["check"] == check]


@contextmanager
def _answers(answer: bytes | None) -> Iterator[str]:
    """An address where somebody takes a connection and says just that, or nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def once() -> None:
            connection, _ = server.accept()
            with connection:
                if answer is not None:
                    connection.recv(65_536)
                    connection.sendall(answer)
                else:
                    gone.wait(10)

        gone = threading.Event()
        threading.Thread(target=once, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        gone.set()


def test_p37_a_real_provider_without_a_public_url_is_warned_of(workspace: Path, macli: Run) -> None:
    assert _found(macli, "public_url") == []
    macli("provider", "add", "smtp", "local", "--host", "127.0.0.1", "--port", "1", "--from", "news@example.com")
    macli("channel", "set", "email", "--provider", "local")
    ((verdict, said, hint),) = _found(macli, "public_url")
    assert (verdict, hint) == ("warn", "macli settings set public_url https://news.example.com")
    assert "one-click" in said


def test_p37_the_server_that_answers_at_the_public_url_is_ok(workspace: Path, macli: Run) -> None:
    port = free_port("127.0.0.1", 0)
    macli("settings", "set", "public_url", f"http://127.0.0.1:{port}")
    place = Place(workspace=workspace, store=workspace / "macli.db", zone=ZoneInfo("UTC"), host="127.0.0.1", port=port)
    with in_background(place, lambda: NOW):
        ((verdict, said, _),) = _found(macli, "public_url")
    assert (verdict, said) == ("ok", f"macli serve answers at http://127.0.0.1:{port}")
    ((verdict, said, hint),) = _found(macli, "public_url")
    assert (verdict, hint) == ("warn", "macli serve, and a proxy with TLS before it")
    assert "refused" in said
    assert macli("doctor", at=NOW).code == 0, "a server that is down is no fault of the workspace"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "something else answers"),
        (b"HTTP/1.1 301 Moved\r\nLocation: https://x.example/\r\nContent-Length: 0\r\n\r\n", "the answer is 301"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH_9.2"),
        (None, "nothing within 0.3 seconds"),
    ],
)
def test_p37_what_answers_at_the_public_url(answer: bytes | None, said: str) -> None:
    with _answers(answer) as url:
        assert (web.asked(f"{url}/health", 0.3) or "").strip() == said


def test_p37_a_key_others_can_read_is_warned_of(workspace: Path, macli: Run) -> None:
    keyring(workspace)
    ((verdict, _, _),) = _found(macli, "keys")
    assert verdict == "ok"
    file = workspace / "secrets" / "signing.key"
    file.chmod(0o644)
    assert _found(macli, "keys") == [("warn", f"anyone on this machine can read {file}", f"chmod 600 {file}")]


def test_p37_a_lost_signing_key_fails_once_links_were_sent(workspace: Path, macli: Run) -> None:
    assert _found(macli, "keys") == []
    with open_store(workspace / "macli.db") as store, store.write():
        store.execute("INSERT INTO links (url, created_at) VALUES ('https://shop.example/', 1)")
    ((verdict, said, hint),) = _found(macli, "keys")
    assert (verdict, hint) == ("fail", "restore it from a backup")
    assert "signing.key is gone" in said


def test_p37_hits_that_wait_for_long_are_warned_of(workspace: Path, macli: Run) -> None:
    def hit(ago: timedelta) -> None:
        with open_store(workspace / "macli.db") as store, store.write():
            store.execute(
                "INSERT INTO hits (kind, at, send, method) VALUES ('open', :at, 1, 'GET')", {"at": to_ms(NOW - ago)}
            )

    hit(timedelta(minutes=5))
    assert _found(macli, "hits") == []
    hit(timedelta(hours=3))
    ((verdict, said, hint),) = _found(macli, "hits")
    assert (verdict, hint) == ("warn", "macli tick")
    assert said == "2 opens and clicks are in no report yet, the first from 3 hours ago"
