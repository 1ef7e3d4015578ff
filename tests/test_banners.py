"""Banners: where a click leads, and whose it is."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from macli.errors import UsageError
from macli.forms import offering
from macli.store import banners, visitors
from macli.web import known
from tests.site import keys, serving
from tests.test_downloads import BROWSER
from tests.test_forms import happened, sent_to_c0, stored
from tests.world import NOW, World, add_contacts, new_world

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = new_world(tmp_path / "shop")
    yield made
    made.store.close()


def add_banner(
    world: World, name: str = "Spring Sale", url: str = "https://shop.example/spring?a=1", **more: Any
) -> None:
    facts = {"text": "Sale", "image": None, "campaign": None, "category": None, **more}
    offering.add_banner(world.store, NOW, name, url=url, **facts)


def test_e03_a_click_leads_to_the_banner_s_own_address_and_is_kept(world: World) -> None:
    add_banner(world)
    with serving(world) as client:
        answer = client.get("/b/spring-sale", headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (302, "https://shop.example/spring?a=1")
    [clicked] = happened(world, "banner.clicked")
    assert clicked["contact_id"] is None
    assert clicked["said"] == {
        "banner": "Spring Sale",
        "slug": "spring-sale",
        "url": "https://shop.example/spring?a=1",
    }


def test_clicks_without_end_lead_on_and_are_not_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_MOST", 3)
    add_banner(world)
    with serving(world) as client:
        answers = [client.get("/b/spring-sale", headers=BROWSER) for _ in range(5)]
        elsewhere = client.get("/b/spring-sale", headers={**BROWSER, "X-Forwarded-For": "203.0.113.9"})
    assert {answer.status_code for answer in (*answers, elsewhere)} == {302}
    assert len(happened(world, "banner.clicked")) == 4


def test_e03_a_known_visitor_s_click_is_the_contact_s(world: World) -> None:
    add_banner(world)
    add_contacts(world.store, 1)
    with world.store.write():
        known = visitors.seen(world.store, 1, "somebody-0123456789")
        visitors.give(world.store, 1, known["id"], 1)
    with serving(world) as client:
        client.get("/b/spring-sale?_visitor=somebody-0123456789", headers=BROWSER)
    [clicked] = happened(world, "banner.clicked")
    assert (clicked["contact_id"], clicked["visitor_id"]) == (1, known["id"])


def test_e03_a_click_in_a_mail_is_its_reader_s_and_its_campaign_s(world: World) -> None:
    send_id = sent_to_c0(world)
    add_banner(world)
    with serving(world) as client:
        client.get(f"/b/spring-sale?_m={keys(world).message(send_id).follow}", headers=BROWSER)
    [clicked] = happened(world, "banner.clicked")
    assert (clicked["contact_id"], clicked["send_id"], clicked["campaign_id"]) == (1, send_id, 1)


def test_e03_a_banner_of_a_campaign_counts_for_it_whoever_clicks(world: World) -> None:
    sent_to_c0(world)
    add_banner(world, campaign="spring")
    with serving(world) as client:
        client.get("/b/spring-sale", headers=BROWSER)
    assert happened(world, "banner.clicked")[0]["campaign_id"] == 1


@pytest.mark.parametrize("query", ["url=https://evil.example", "next=//evil.example", "_m=https://evil.example"])
def test_a_banner_leads_nowhere_else(world: World, query: str) -> None:
    add_banner(world)
    with serving(world) as client:
        assert client.get(f"/b/spring-sale?{query}").headers["location"] == "https://shop.example/spring?a=1"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//evil.example",
        "ftp://x.example",
        "https://a.example/\r\nX: y",
        "https://a@b.example",
        "",
    ],
)
def test_a_banner_s_address_is_a_web_address(world: World, url: str) -> None:
    with pytest.raises(UsageError):
        add_banner(world, url=url)


def test_a_program_that_looks_ahead_clicks_nothing_for_a_contact(world: World) -> None:
    send_id = sent_to_c0(world)
    add_banner(world)
    with serving(world) as client:
        token = keys(world).message(send_id).follow
        assert client.head(f"/b/spring-sale?_m={token}").status_code == 302
        client.get(f"/b/spring-sale?_m={token}", headers={"User-Agent": "curl/8.0"})
    assert [row["contact_id"] for row in happened(world, "banner.clicked")] == [None]


def test_a_banner_s_picture_is_shown_and_acts_for_nobody(world: World) -> None:
    (world.path / "b.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    add_banner(world, image=world.path / "b.svg")
    add_banner(world, name="words")
    before = stored(world)
    with serving(world) as client:
        picture = client.get("/b/spring-sale/image")
        assert client.get("/b/words/image").status_code == 404
        assert client.get("/b/nope").status_code == 404
        assert client.get("/b/%00/image").status_code == 404
    assert picture.headers["content-type"] == "image/svg+xml"
    assert "script-src" not in picture.headers["content-security-policy"]
    assert "default-src 'none'" in picture.headers["content-security-policy"]
    assert stored(world) == before


def test_a_banner_s_words_are_text(world: World) -> None:
    from macli.web.banners import html_of

    add_banner(world, text='"><script>alert(1)</script>')
    html = html_of(banners.find(world.store, "spring-sale"), "https://news.example")
    assert "<script>" not in html


def test_e03_banners_are_made_counted_changed_and_removed_by_command(workspace: Path, macli: Any) -> None:
    (workspace / "b.png").write_bytes(PNG)
    made = macli("banner", "add", "Spring", "--url", "https://shop.example", "--image", "b.png", "--text", "Spring!")
    assert (made.code, made.err) == (0, "")
    assert macli("banner", "add", "spring", "--url", "https://shop.example", "--text", "x").code == 2
    assert macli("banner", "add", "empty", "--url", "https://shop.example").code == 2
    assert macli("banner", "add", "bad", "--url", "shop", "--text", "x").code == 2
    assert macli("banner", "embed", "Spring").code == 2
    macli("settings", "set", "public_url", "https://news.example")
    assert macli("banner", "embed", "Spring").out.startswith('<a href="https://news.example/b/spring"')
    assert macli("banner", "edit", "Spring").code == 2
    assert macli("banner", "edit", "Spring", "--url", "https://shop.example/2").code == 0
    assert json.loads(macli("banner", "show", "Spring", "--json").out)["url"] == "https://shop.example/2"
    [listed] = json.loads(macli("banner", "list", "--json").out)
    assert (listed["clicks"], listed["contacts"], listed["clicked_at"]) == (0, 0, None)
    assert macli("banner", "rm", "Spring", "--yes").code == 0
    assert macli("banner", "show", "Spring").code == 2


def test_the_list_counts_clicks_and_contacts(world: World) -> None:
    send_id = sent_to_c0(world)
    add_banner(world)
    add_banner(world, name="other")
    with serving(world) as client:
        for mail in (keys(world).message(send_id).follow, ""):
            client.get(f"/b/spring-sale?_m={mail}", headers=BROWSER)
    counts = {row["name"]: (row["clicks"], row["contacts"]) for row in banners.list_all(world.store)}
    assert counts == {"Spring Sale": (2, 1), "other": (0, 0)}
