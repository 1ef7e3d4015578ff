"""Downloads: how a file is sent, and whose fetching counts."""

import contextlib
import json
import random
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from macli.forms import offering
from macli.store import downloads, visitors
from macli.web import known
from tests.site import keys, serving
from tests.test_forms import happened, sent_to_c0, stored
from tests.test_serve import server
from tests.world import NOW, World, add_contacts, new_world

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = new_world(tmp_path / "shop")
    yield made
    made.store.close()


def add_file(world: World, name: str = "ebook.pdf", content: bytes = b"%PDF-1.7", slug: str | None = "ebook") -> None:
    (world.path / name).write_bytes(content)
    offering.add_download(world.store, NOW, world.path / name, slug)


def test_t29_a_file_is_sent_to_be_saved_and_never_shown(world: World) -> None:
    add_file(world, "cennik „zł”.html", b"<script>alert(1)</script>")
    with serving(world) as client:
        answer = client.get("/d/ebook", headers=BROWSER)
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-disposition"] == (
        "attachment; filename*=UTF-8''cennik%20%E2%80%9Ez%C5%82%E2%80%9D.html"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_downloads_without_end_are_sent_and_not_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_MOST", 3)
    add_file(world)
    with serving(world) as client:
        assert {client.get("/d/ebook", headers=BROWSER).content for _ in range(5)} == {b"%PDF-1.7"}
    assert len(happened(world, "asset.downloaded")) == 3


def test_a_file_is_in_memory_once_however_slowly_many_take_it(world: World) -> None:
    large = random.Random(1).randbytes(20_000_000)
    add_file(world, "film.mp4", large, "film")
    with server(world) as (process, port), contextlib.ExitStack() as open_:
        for _ in range(20):
            taker = open_.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            taker.sendall(b"GET /d/film HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert taker.recv(9) == b"HTTP/1.1 "
        peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
        assert peak is not None
        assert int(peak[1]) < 250_000
        taken = b""
        while octets := taker.recv(1_000_000):
            taken += octets
    assert taken.endswith(large)


def test_t29_who_comes_from_a_mail_is_known(world: World) -> None:
    send_id = sent_to_c0(world)
    add_file(world)
    with serving(world) as client:
        client.get(f"/d/ebook?_m={keys(world).message(send_id).follow}", headers=BROWSER)
    [fetched] = happened(world, "asset.downloaded")
    assert (fetched["contact_id"], fetched["send_id"], fetched["campaign_id"]) == (1, send_id, 1)
    assert fetched["said"] == {"asset": "ebook", "file": "ebook.pdf"}


def test_t29_a_visitor_s_download_is_the_contact_s_it_turns_out_to_be(world: World) -> None:
    add_contacts(world.store, 1)
    with world.store.write():
        visitor = visitors.seen(world.store, 1, "somebody-0123456789")["id"]
    add_file(world)
    with serving(world) as client:
        client.get("/d/ebook?_visitor=somebody-0123456789", headers=BROWSER)
    assert happened(world, "asset.downloaded")[0]["contact_id"] is None
    with world.store.write():
        visitors.give(world.store, 1, visitor, 1)
    assert happened(world, "asset.downloaded")[0]["contact_id"] == 1


@pytest.mark.parametrize("mail", ["", "x", "1.AAAAAAAAAAAAAAAA", "%00", "é"])
def test_a_token_nobody_signed_is_nobody_s(world: World, mail: str) -> None:
    sent_to_c0(world)
    add_file(world)
    with serving(world) as client:
        assert client.get(f"/d/ebook?_m={mail}", headers=BROWSER).status_code == 200
    assert happened(world, "asset.downloaded")[0]["contact_id"] is None


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", BROWSER),
        ("GET", {"User-Agent": "curl/8.0"}),
        ("GET", {**BROWSER, "Sec-Purpose": "prefetch"}),
    ],
)
def test_a_program_s_download_is_no_contact_s(world: World, method: str, headers: dict[str, str]) -> None:
    send_id = sent_to_c0(world)
    add_file(world)
    with serving(world) as client:
        client.request(method, f"/d/ebook?_m={keys(world).message(send_id).follow}", headers=headers)
    assert [row["contact_id"] for row in happened(world, "asset.downloaded")] == [None]


def test_the_same_address_leads_to_the_newer_file(world: World) -> None:
    add_file(world)
    add_file(world, "ebook.pdf", b"second edition")
    with serving(world) as client:
        assert client.get("/d/ebook").content == b"second edition"


@pytest.mark.parametrize("path", ["/d/nope", "/d/..%2f..%2fmacli.toml", "/d/ebook.pdf", "/d/%00", "/d/"])
def test_what_is_not_offered_is_not_there(world: World, path: str) -> None:
    add_file(world)
    before = stored(world)
    with serving(world) as client:
        assert client.get(path).status_code == 404
    assert stored(world) == before


def test_t29_files_are_added_listed_and_taken_away_by_command(workspace: Path, macli: Any) -> None:
    (workspace / "E-book 1.pdf").write_bytes(b"%PDF")
    assert "/d/e-book-1-pdf" in macli("asset", "add", "E-book 1.pdf").out
    assert macli("asset", "add", "nope.pdf").code == 2
    (workspace / "empty").write_bytes(b"")
    assert macli("asset", "add", "empty").code == 2
    macli("settings", "set", "public_url", "https://news.example")
    assert macli("asset", "url", "E-book 1.pdf").out.strip() == "https://news.example/d/e-book-1-pdf"
    [listed] = json.loads(macli("asset", "list", "--json").out)
    assert (listed["slug"], listed["times"], listed["contacts"]) == ("e-book-1-pdf", 0, 0)
    assert macli("asset", "rm", "e-book-1-pdf", "--yes").code == 0
    assert macli("asset", "url", "e-book-1-pdf").code == 2


def test_the_list_counts_downloads_and_contacts(world: World) -> None:
    send_id = sent_to_c0(world)
    add_file(world)
    with serving(world) as client:
        for mail in (keys(world).message(send_id).follow, keys(world).message(send_id).follow, ""):
            client.get(f"/d/ebook?_m={mail}", headers=BROWSER)
    [listed] = downloads.list_all(world.store)
    assert (listed["times"], listed["contacts"]) == (3, 1)
