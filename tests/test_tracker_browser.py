"""The tracker's script in a real browser: visits, identities, consent, a network that goes and comes back."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from macli.forms import authoring
from macli.store import banners, settings
from tests.browser import chromium, listening, pages, wait_for
from tests.world import NOW, World, add_contacts, new_world

pytestmark = pytest.mark.system("chromium")

PAGE = """<!doctype html><html lang="en"><head><title>{title}</title></head><body><h1>{title}</h1>
<a id="next" href="/prices">Prices</a>{more}<script src="{home}/m.js" {options} async></script></body></html>"""


class Shop:
    """A world that listens, a shop whose pages carry its tracker, and a browser."""

    def __init__(self, world: World, home: str, url: str, texts: dict[str, str], browser: Any) -> None:
        self.world, self.home, self.url, self.browser = world, home, url, browser
        self._texts = texts
        self.write()

    def write(self, options: str = "", more: str = "") -> None:
        for path, title in (("/", "Welcome"), ("/prices", "Prices")):
            self._texts[path] = PAGE.format(title=title, home=self.home, options=options, more=more)

    def open(self, path: str = "/", **context: Any) -> Any:
        page = self.browser.new_context(**context).new_page()
        page.goto(self.url + path)
        page.wait_for_function("!!(window.macli && macli.track)")
        return page

    def events(self, name: str) -> list[dict[str, Any]]:
        return [
            {**json.loads(row["properties"]), "contact_id": row["contact_id"]}
            for row in self.world.store.rows(
                "SELECT contact_id, properties FROM events WHERE name = :name ORDER BY at, id", {"name": name}
            )
        ]

    def wait(self, name: str, number: int = 1) -> list[dict[str, Any]]:
        wait_for(lambda: len(self.events(name)) >= number)
        return self.events(name)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture
def shop(tmp_path: Path, browser: Any) -> Iterator[Shop]:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 2)
    texts: dict[str, str] = {}
    with pages(texts) as url:
        settings.put(world.store, NOW, "tracker.domains", url.removeprefix("http://"))
        with listening(world) as home:
            settings.put(world.store, datetime.now(UTC), "public_url", home)
            yield Shop(world, home, url, texts, browser)


def stored(page: Any) -> list[str]:
    return [cookie["name"] for cookie in page.context.cookies() if cookie["name"] == "macli_v"]


def test_g18_t5_a_page_load_is_a_visit_and_identify_makes_it_the_contact_s(shop: Shop) -> None:
    page = shop.open("/?a=1#top")
    [visit] = shop.wait("page.visited")
    assert visit["title"] == "Welcome"
    assert visit["page"].endswith("/?a=1")
    assert visit["contact_id"] is None
    [cookie] = [one for one in page.context.cookies() if one["name"] == "macli_v"]
    assert cookie["sameSite"] == "Lax"
    assert len(cookie["value"]) == 22
    page.click("#next")
    shop.wait("page.visited", 2)
    page.wait_for_function("!!(window.macli && macli.identify)")
    page.evaluate("macli.identify({ email: 'c1@example.com' })")
    wait_for(lambda: [event["contact_id"] for event in shop.events("page.visited")] == [2, 2])
    assert [event["contact_id"] for event in shop.events("page.left")] == [2]


def test_e08_the_time_on_a_page_comes_with_its_leaving(shop: Shop) -> None:
    page = shop.open()
    shop.wait("page.visited")
    page.wait_for_timeout(1200)
    page.close()
    [left] = shop.wait("page.left")
    assert 1 <= left["seconds"] <= 5


def test_a_page_that_changes_its_address_by_itself_is_visited_anew(shop: Shop) -> None:
    page = shop.open()
    shop.wait("page.visited")
    page.evaluate("history.pushState({}, '', '/cart'); document.title = 'Cart'")
    visits = shop.wait("page.visited", 2)
    assert [visit["title"] for visit in visits] == ["Welcome", "Cart"]
    page.go_back()
    shop.wait("page.visited", 3)


def test_g20_events_of_the_page_are_told_even_before_the_script_is_there(shop: Shop) -> None:
    early = "<script>window.macli = { q: [['track', ['video.played', { title: 'Tour', seconds: 9 }]]] }</script>"
    shop.write(more=early)
    page = shop.open()
    page.evaluate("macli.track('trial.started', { plan: 'pro' })")
    assert shop.wait("video.played")[0]["seconds"] == 9
    assert shop.wait("trial.started")[0]["plan"] == "pro"


def test_what_happens_without_a_network_is_told_once_when_it_is_back(shop: Shop) -> None:
    page = shop.open()
    shop.wait("page.visited")
    page.context.set_offline(True)
    page.evaluate("macli.track('order.paid', { total: 5 }); macli.track('order.paid', { total: 6 })")
    page.wait_for_timeout(500)
    assert shop.events("order.paid") == []
    page.context.set_offline(False)
    page.evaluate("dispatchEvent(new Event('online'))")
    paid = shop.wait("order.paid", 2)
    page.reload()
    shop.wait("page.visited", 2)
    page.wait_for_timeout(500)
    assert sorted(event["total"] for event in paid) == [5, 6]
    assert len(shop.events("order.paid")) == 2
    assert page.evaluate("localStorage.macli_q") in (None, "[]")


def test_what_was_not_told_before_the_page_ended_is_told_by_the_next(shop: Shop) -> None:
    page = shop.open()
    shop.wait("page.visited")
    page.route("**/t", lambda route: route.abort())
    page.evaluate("macli.track('order.paid', { total: 7 })")
    page.wait_for_timeout(300)
    page.unroute("**/t")
    page.goto(shop.url + "/prices")
    assert [event["total"] for event in shop.wait("order.paid")] == [7]
    assert len(shop.wait("page.visited", 2)) == 2


def test_nothing_is_kept_or_told_without_consent(shop: Shop) -> None:
    shop.write(options='data-consent="required"')
    page = shop.open()
    page.evaluate("macli.track('order.paid'); macli.identify({ email: 'c1@example.com' })")
    page.wait_for_timeout(500)
    assert stored(page) == []
    assert page.evaluate("JSON.stringify(localStorage)") == "{}"
    assert shop.world.store.value("SELECT count(*) FROM events") == 0
    page.evaluate("macli.consent(true)")
    shop.wait("page.visited")
    assert stored(page) == ["macli_v"]
    page.goto(shop.url + "/prices")
    shop.wait("page.visited", 2)
    page.wait_for_function("!!(window.macli && macli.consent)")
    page.evaluate("macli.consent(false)")
    page.wait_for_timeout(300)
    assert stored(page) == []
    told = shop.world.store.value("SELECT count(*) FROM events")
    page.goto(shop.url + "/")
    page.wait_for_timeout(500)
    assert shop.world.store.value("SELECT count(*) FROM events") == told


def test_a_cookie_of_the_site_s_own_banner_can_be_the_consent(shop: Shop) -> None:
    shop.write(options='data-consent-cookie="agreed"')
    page = shop.open()
    page.wait_for_timeout(300)
    assert stored(page) == []
    page.evaluate("document.cookie = 'agreed=1; Path=/'")
    page.goto(shop.url + "/prices")
    shop.wait("page.visited")
    assert stored(page) == ["macli_v"]


def test_who_asks_not_to_be_tracked_is_not_where_the_site_respects_it(shop: Shop) -> None:
    shop.write(options="data-respect-dnt")
    context = shop.browser.new_context()
    context.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', { value: true })")
    page = context.new_page()
    page.goto(shop.url + "/")
    page.wait_for_function("!!window.macli")
    page.wait_for_timeout(500)
    assert stored(page) == []
    assert shop.world.store.value("SELECT count(*) FROM visitors") == 0


def test_a_page_can_tell_its_views_by_itself(shop: Shop) -> None:
    shop.write(options="data-manual")
    page = shop.open()
    page.evaluate("history.pushState({}, '', '/cart')")
    page.wait_for_timeout(400)
    assert shop.events("page.visited") == []
    page.evaluate("macli.view()")
    assert shop.wait("page.visited")[0]["url"] == f"{shop.url}/cart"


def test_what_listens_is_told(shop: Shop) -> None:
    page = shop.open()
    page.evaluate(
        "window.heard = []; for (const name of ['ready', 'identify', 'sent']) macli.on(name, () => heard.push(name))"
    )
    page.evaluate("macli.identify({ email: 'c1@example.com' })")
    page.wait_for_function("heard.includes('sent')")
    assert page.evaluate("heard").index("ready") < page.evaluate("heard").index("identify")


def test_the_second_person_at_a_browser_gets_a_cookie_of_her_own(shop: Shop) -> None:
    page = shop.open()
    page.evaluate("macli.identify({ email: 'c0@example.com' })")
    wait_for(lambda: shop.world.store.value("SELECT count(*) FROM visitors WHERE contact_id = 1"))
    first = page.evaluate("macli.visitor()")
    page.evaluate("macli.identify({ email: 'c1@example.com' })")
    wait_for(lambda: shop.world.store.value("SELECT count(*) FROM visitors WHERE contact_id = 2"))
    page.wait_for_function("first => macli.visitor() !== first", arg=first)
    page.evaluate("macli.track('video.played')")
    assert shop.wait("video.played")[0]["contact_id"] == 2


def test_the_token_of_a_mail_leaves_the_address_bar(shop: Shop) -> None:
    page = shop.open("/prices?_mc=1.forged&q=1")
    shop.wait("page.visited")
    assert page.url == f"{shop.url}/prices?q=1"
    assert shop.events("page.visited")[0]["url"] == f"{shop.url}/prices?q=1"


PERSON = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
"""A browser without a head says so, and counts as a program."""

LETTERS = """
title: Letters
fields:
  - {name: email, required: yes}
popup: {after_visits: 1, after: 1 second, every: 1 second}
"""


def letters(shop: Shop, text: str) -> None:
    authoring.create_form(shop.world.store, NOW, "letters", text, where="form.yaml", category=None)


def test_t38_a_form_pops_up_for_a_stranger_and_never_for_who_filled_it_in(shop: Shop) -> None:
    letters(shop, LETTERS)
    page = shop.open(viewport={"width": 390, "height": 844})
    popup = page.wait_for_selector(".macli-popup input[name=email]")
    box = page.query_selector(".macli-popup").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    page.wait_for_timeout(2100)  # nobody types faster
    popup.fill("new@example.com")
    page.click(".macli-popup button[type=submit]")
    page.wait_for_selector(".macli-popup [role=status]")
    contact_id = shop.world.store.value("SELECT id FROM contacts WHERE email = 'new@example.com'")
    wait_for(lambda: shop.events("page.visited")[0]["contact_id"] == contact_id)
    page.evaluate("localStorage.removeItem('macli_shown_letters')")
    with page.expect_response("**/popup.json*") as answer:
        page.goto(shop.url + "/prices")
    assert answer.value.status == 204
    page.wait_for_timeout(300)
    assert page.query_selector(".macli-popup") is None


def test_t38_a_popup_waits_for_its_visits_and_can_be_shut(shop: Shop) -> None:
    letters(shop, LETTERS.replace("after_visits: 1, after: 1 second", "after_visits: 2"))
    page = shop.open()
    shop.wait("page.visited")
    page.wait_for_timeout(500)
    assert page.query_selector(".macli-popup") is None
    page.evaluate("localStorage.macli_seen = Date.now() - 3600000")
    page.goto(shop.url + "/prices")
    page.wait_for_selector(".macli-popup input[name=email]")
    page.click(".macli-popup > button")
    assert page.query_selector(".macli-popup") is None


def test_a_form_in_the_page_makes_the_visitor_the_contact(shop: Shop) -> None:
    letters(shop, LETTERS.split("popup")[0])
    shop.write(more='<div data-macli-form="letters"></div>')
    page = shop.open()
    page.wait_for_selector("[data-macli-form] input[name=email]")
    page.wait_for_timeout(2100)
    page.fill("input[name=email]", "new@example.com")
    page.click("button[type=submit]")
    page.wait_for_selector("[data-macli-form] [role=status]")
    contact_id = shop.world.store.value("SELECT id FROM contacts WHERE email = 'new@example.com'")
    assert contact_id is not None
    wait_for(lambda: shop.events("page.visited")[0]["contact_id"] == contact_id)


def test_a_click_on_a_banner_is_the_visitor_s(shop: Shop) -> None:
    slug = banners.add(shop.world.store, NOW, "spring", url=f"{shop.url}/prices?sale", text="Sale")
    shop.write(more=f'<a href="{shop.home}/b/{slug}" data-macli-banner="{slug}">Sale</a>')
    page = shop.open(user_agent=PERSON)
    shop.wait("page.visited")
    page.click("[data-macli-banner]")
    page.wait_for_url("**/prices?sale")
    clicked = shop.world.store.row("SELECT visitor_id FROM events WHERE name = 'banner.clicked'")
    assert clicked is not None
    assert clicked["visitor_id"] is not None
