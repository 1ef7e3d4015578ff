"""macli serve as a process: what it answered is stored, whatever happens to it, and it keeps out of a sender's way."""

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

import hypothesis
import hypothesis.strategies as st
import pytest

from macli.store import settings
from macli.tick.tick import run_tick
from macli.web.server import Place, in_background
from tests.site import keys, serving
from tests.world import NOW, World, add_campaign, add_contacts, new_world

CONTACTS = 200


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = new_world(tmp_path / "shop")
    settings.put(made.store, NOW, "public_url", "https://news.example")
    add_contacts(made.store, CONTACTS)
    add_campaign(made.store)
    run_tick(made.engine())
    with made.store.write():
        made.store.execute(
            "INSERT INTO links (id, step_id, url, created_at) SELECT 999, id, 'https://shop.example/', 0 FROM steps"
        )
    return made


@contextmanager
def server(world: World, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    words = [sys.executable, "-m", "macli", "serve", "--port", str(port), *options]
    process = subprocess.Popen(words, cwd=world.path, env={**os.environ, "MACLI_WORKSPACE": str(world.path)})
    try:
        for _ in range(400):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None
            time.sleep(0.05)
        yield process, port
    finally:
        process.kill()
        process.wait()


class Readers:
    """Threads that open and click until told to stop, and count what was answered."""

    def __init__(self, world: World, port: int, number: int = 8) -> None:
        self.answered = 0
        self.wrong: list[int] = []
        self._port = port
        self._tokens = [keys(world).message(send).follow for send in range(1, CONTACTS + 1)]
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._read, args=(place,)) for place in range(number)]
        for thread in self._threads:
            thread.start()

    def _read(self, place: int) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        turn = place
        while not self._stop.is_set():
            token = self._tokens[turn % CONTACTS]
            path, expected = (f"/o/{token}.gif", 200) if turn % 2 else (f"/c/{token}/999", 302)
            try:
                connection.request("GET", path, headers={"User-Agent": "Mozilla/5.0 (X11) Firefox/133.0"})
                answer = connection.getresponse()
                answer.read()
            except (OSError, HTTPException):
                return  # the server is gone, and this one was not answered
            with self._lock:
                self.answered += 1
                if answer.status != expected:
                    self.wrong.append(answer.status)
            turn += 7

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_server_loses_no_hit_it_answered(world: World, workers: int) -> None:
    with server(world, "--workers", str(workers)) as (process, port):
        readers = Readers(world, port)
        time.sleep(1.5)
        if workers == 1:
            process.kill()
        else:
            for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
                os.kill(int(child), signal.SIGKILL)
            process.kill()
        readers.stop()
    assert readers.wrong == []
    assert readers.answered > 50
    assert world.store.value("SELECT count(*) FROM hits") >= readers.answered


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_a_server_told_to_end_answers_what_came_in_and_says_so(world: World, told: signal.Signals) -> None:
    with server(world) as (process, port):
        readers = Readers(world, port, number=2)
        time.sleep(0.5)
        process.send_signal(told)
        assert process.wait(timeout=20) == 0
        readers.stop()
    assert readers.wrong == []
    assert world.store.value("SELECT count(*) FROM hits") >= readers.answered


def test_hits_and_a_send_beside_each_other_fail_neither(world: World) -> None:
    add_contacts(world.store, 3000, start=CONTACTS)
    add_campaign(world.store, "autumn")
    with server(world) as (_, port):
        readers = Readers(world, port)
        report = run_tick(world.engine())
        readers.stop()
    assert report.messages == {"accepted": CONTACTS + 3000}
    assert readers.wrong == []
    assert world.store.value("SELECT count(*) FROM hits") >= readers.answered > 0


def test_a_full_disk_is_told_to_try_again_and_over_when_there_is_room(world: World) -> None:
    path = f"/o/{keys(world).message(1).follow}.gif"
    with server(world) as (process, port):
        connection = HTTPConnection("127.0.0.1", port, timeout=30)

        def asked() -> int:
            connection.request("GET", path, headers={"User-Agent": "Mozilla/5.0 (X11)"})
            answer = connection.getresponse()
            answer.read()
            return answer.status

        assert asked() == 200
        unlimited = resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        assert [asked(), asked()] == [503, 503]
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, unlimited)
        assert asked() == 200
    assert world.store.value("SELECT count(*) FROM hits") == 2


def test_an_address_that_is_taken_is_told(world: World) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        words = [sys.executable, "-m", "macli", "serve", "--port", port]
        done = subprocess.run(words, cwd=world.path, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert f"cannot listen at 127.0.0.1:{port}: Address already in use" in done.stderr


def test_whatever_stands_in_a_path_is_no_fault_and_nothing_is_stored(world: World) -> None:
    text = st.text(st.characters(codec="utf-8"), max_size=60).map(lambda written: quote(written, safe="/"))
    with serving(world) as client:

        @hypothesis.given(st.sampled_from("ocr"), text, st.sampled_from(["GET", "HEAD", "POST", "PUT"]))
        @hypothesis.settings(max_examples=300, deadline=None)
        def asked(kind: str, rest: str, method: str) -> None:
            assert client.request(method, f"/{kind}/{rest}").status_code in (200, 404, 405)

        asked()
    assert world.store.value("SELECT count(*) FROM hits") == 0


def said(port: int, request: bytes, *, more: bytes = b"", times: int = 0) -> bytes:
    """What a server answers to octets as they are, followed by ``more`` so many times."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        try:
            for _ in range(times):
                connection.sendall(more)
        except ConnectionError:
            pass  # it had enough
        answer = b""
        with contextlib.suppress(ConnectionError):
            while octets := connection.recv(65_536):
                answer += octets
        return answer


def test_a_header_without_an_end_ends_the_connection(world: World) -> None:
    with server(world) as (process, port):
        said(port, b"GET /health HTTP/1.1\r\nHost: x\r\nX: ", more=b"a" * 1_000_000, times=100)
        peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
        assert peak is not None
        assert int(peak[1]) < 150_000
        long = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: " + b"a" * 30_000 + b"\r\n\r\n"
        assert said(port, long).startswith(b"HTTP/1.1 200 ")


def test_a_head_that_does_not_come_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from macli.web import heads

    monkeypatch.setattr(heads, "SECONDS", 0.3)
    port = free_port()
    place = Place(
        workspace=world.path, store=world.path / "macli.db", zone=ZoneInfo("UTC"), host="127.0.0.1", port=port
    )
    with in_background(place):
        for begun in (b"", b"\r\n", b"GET /heal", b"GET /health HTTP/1.1\r\nX: "):
            assert said(port, begun).endswith(b"is too long, or did not come.")


def test_a_body_that_breaks_off_is_no_fault(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    head = b"POST /hooks/events HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
    form = b"POST /f/none HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    with server(world) as (_, port):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(head + b"ab")
        said(port, form)
        time.sleep(0.3)
    assert "Traceback" not in capfd.readouterr().err


def test_a_slash_too_many_leads_to_the_page_and_to_no_other_host(world: World) -> None:
    with serving(world) as client:
        answer = client.get("/health/?a=1", headers={"Host": "evil.example"})
        assert (answer.status_code, answer.headers["location"]) == (307, "/health?a=1")
        for path in ("//evil.example/", "//evil.example/health/", "/\\evil.example/", "/%2Fevil.example/", "/d/", "/"):
            assert client.get(f"https://news.example{path}").status_code == 404
        assert client.get("/p/%0d%0aX:1/").headers["location"] == "/p/%0D%0AX%3A1"


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ([], "127.0.0.1"),
        (["203.0.113.9"], "203.0.113.9"),
        (["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        (["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9, ::ffff:127.0.0.1"], "203.0.113.9"),
        (["::ffff:203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9, nonsense"], "127.0.0.1"),
        ([",, ,"], "127.0.0.1"),
    ],
)
def test_whose_request_it_is_a_visitor_has_no_say_in(world: World, headers: list[str], address: str) -> None:
    message = keys(world).message(1)
    many = [("X-Forwarded-For", value) for value in headers]
    with serving(world) as client:
        assert client.get(f"/o/{message.follow}.gif", headers=many).status_code == 200
        assert client.post(f"/u/{message.act}", headers=many).status_code == 200
    assert world.store.value("SELECT ip FROM hits") == address
    assert world.store.value("SELECT evidence ->> 'ip' FROM consent_log") == address


def test_a_link_followed_without_end_leads_on_and_fills_no_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("macli.web.hits._MOST_HITS", 3)
    one, other = (keys(world).message(send).follow for send in (1, 2))
    with serving(world) as client:
        assert {client.get(f"/c/{one}/999").status_code for _ in range(5)} == {302}
        assert client.get(f"/o/{other}.gif").status_code == 200
    kept = world.store.rows("SELECT send, count(*) FROM hits GROUP BY send ORDER BY send")
    assert [tuple(row) for row in kept] == [(1, 3), (2, 1)]


def test_an_address_that_invents_programs_is_kept_without_their_names(world: World) -> None:
    path = f"/o/{keys(world).message(1).follow}.gif"
    with serving(world) as client:
        for number in range(203):
            assert client.get(path, headers={"User-Agent": f"Invented/{number}"}).status_code == 200
        elsewhere = {"User-Agent": "Another/1", "X-Forwarded-For": "203.0.113.9"}
        assert client.get(path, headers=elsewhere).status_code == 200
    assert world.store.value("SELECT count(*) FROM hits") == 204
    assert world.store.value("SELECT count(*) FROM agents") == 201
    assert world.store.value("SELECT count(*) FROM hits WHERE agent IS NULL") == 3


def test_no_host_a_request_names_is_a_fault(world: World) -> None:
    with serving(world) as client:
        for host in ("[", "a b", "", "x:y", "]/[", "evil.example"):
            for path in ("/health", "/health/", "/f/x/embed.json", "/f/x/popup.json", "/p/x", "/nothing"):
                headers = {"Host": host, "Origin": "https://news.example"}
                assert client.get(path, headers=headers).status_code in (200, 307, 404)


def test_a_broken_key_file_breaks_no_link_of_a_sent_mail(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("macli.web.site._SETTINGS_LAST", 0.0)
    message = keys(world).message(1)
    with serving(world) as client:
        (world.path / "secrets" / "signing.key").write_text("")
        for _ in range(2):
            assert client.get(f"/c/{message.follow}/999").status_code == 302
            assert client.get("/health").status_code == 200
            assert client.post(f"/u/{message.act}").status_code == 200
