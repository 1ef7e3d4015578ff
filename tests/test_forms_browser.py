"""Forms and pages as people meet them: in a real browser, on a phone and a desk, with and without scripts."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from macli.forms import authoring
from macli.store import settings
from tests.browser import chromium, listening, pages, wait_for
from tests.test_forms import consent, contact, happened
from tests.world import World, new_world

pytestmark = pytest.mark.system("chromium")

FORM = """
title: Garden letters
intro: Twice a month, what blooms.
fields:
  - {name: email, required: yes}
  - first_name
  - {name: garden, choices: [balcony, {value: big, label: A big garden}], required: yes}
  - {name: wishes, type: textarea}
consents:
  - {topic: letters, required: yes, text: "Yes, send me the garden letters. I can stop them at any time."}
thanks: See you in the garden.
popup: {after_visits: 1}
"""
SIZES = ({"width": 390, "height": 844}, {"width": 1280, "height": 900})
SLOWER_THAN_A_PROGRAM = 2100


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = new_world(tmp_path / "shop")
    authoring.create_form(made.store, datetime.now(UTC), "garden", FORM, where="form.yaml", category=None)
    (tmp_path / "page.md").write_text('# Spring\n\nEverything blooms.\n\n{{ form("garden") }}\n')
    authoring.create_page(
        made.store, datetime.now(UTC), "spring", {"markdown": str(tmp_path / "page.md")}, category=None
    )
    yield made
    made.store.close()


def fill(page: Any, address: str) -> None:
    page.get_by_label("E-mail").fill(address)
    page.get_by_label("First name").fill("Ann")
    page.get_by_label("Garden", exact=True).select_option(label="A big garden")
    page.get_by_label("Yes, send me the garden letters").check()
    page.wait_for_timeout(SLOWER_THAN_A_PROGRAM)
    page.get_by_role("button", name="Send").click()


@pytest.mark.parametrize("size", SIZES, ids=("phone", "desk"))
@pytest.mark.parametrize("path", ["/f/garden", "/p/spring"])
def test_a_person_fills_a_form_without_scripts(
    world: World, browser: Any, size: dict[str, int], path: str, tmp_path: Path
) -> None:
    with listening(world) as site:
        context = browser.new_context(viewport=size, java_script_enabled=False)
        page = context.new_page()
        page.goto(site + path)
        width = page.locator("main").bounding_box()["width"]
        assert width <= size["width"]
        assert page.locator("input[name=homepage_url]").bounding_box()["x"] < 0
        page.screenshot(path=str(tmp_path / "shown.png"), full_page=True)
        fill(page, "ann@example.com")
        page.get_by_text("See you in the garden.").wait_for()
        context.close()
    ann = contact(world, "ann@example.com")
    assert (ann["first_name"], ann["garden"]) == ("Ann", "big")
    said = consent(world, "ann@example.com")
    assert said is not None
    assert said["status"] == "granted"
    assert said["said"]["text"] == "Yes, send me the garden letters. I can stop them at any time."


def test_a_slip_is_shown_beside_its_field_and_mended(world: World, browser: Any) -> None:
    with listening(world) as site:
        context = browser.new_context(viewport=SIZES[0], java_script_enabled=False)
        page = context.new_page()
        page.goto(f"{site}/f/garden")
        fill(page, "ann@localhost")
        slip = page.get_by_text("This is not an e-mail address.")
        slip.wait_for()
        field = page.get_by_label("E-mail")
        assert field.get_attribute("aria-invalid") == "true"
        assert field.get_attribute("aria-describedby") == slip.get_attribute("id")
        assert page.get_by_label("First name").input_value() == "Ann"
        field.fill("ann@example.com")
        page.get_by_role("button", name="Send").click()
        page.get_by_text("See you in the garden.").wait_for()
        context.close()
    assert contact(world, "ann@example.com")["first_name"] == "Ann"


def test_t38_a_form_on_another_site_is_sent_and_thanked_in_its_place(world: World, browser: Any) -> None:
    with listening(world) as site:
        snippet = f'<div data-macli-form="garden"></div><script src="{site}/f/garden/embed.js" async></script>'
        with pages({"/": f"<!doctype html><title>Shop</title>{snippet}"}) as shop:
            settings.put(world.store, datetime.now(UTC), "tracker.domains", shop.partition("://")[2])
            page = browser.new_context(viewport=SIZES[0]).new_page()
            page.wait_for_timeout(2500)  # a setting is read anew after two seconds
            page.goto(shop)
            fill(page, "ann@example.com")
            page.get_by_text("See you in the garden.").wait_for()
            assert page.url.startswith(shop)
            page.context.close()
    said = consent(world, "ann@example.com")
    assert said is not None
    assert said["said"]["page"] == f"{shop}/"


def test_t38_a_form_pops_up_for_a_stranger_and_for_nobody_known(world: World, browser: Any) -> None:
    with listening(world) as site:
        html = f'<!doctype html><title>Shop</title><script src="{site}/m.js" async></script>'
        with pages({"/": html, "/again": html}) as shop:
            settings.put(world.store, datetime.now(UTC), "tracker.domains", shop.partition("://")[2])
            page = browser.new_context(viewport=SIZES[0]).new_page()
            page.wait_for_timeout(2500)
            page.goto(shop)
            page.locator(".macli-popup form").wait_for()
            fill(page, "ann@example.com")
            page.get_by_text("See you in the garden.").wait_for()
            page.evaluate("localStorage.removeItem('macli_shown_garden')")
            page.goto(f"{shop}/again")
            page.wait_for_timeout(2000)
            assert page.locator(".macli-popup").count() == 0
            page.context.close()
    ann = contact(world, "ann@example.com")
    wait_for(lambda: happened(world, "page.visited"))
    assert {row["contact_id"] for row in happened(world, "page.visited")} == {ann["id"]}
    assert re.fullmatch(r"http://localhost:\d+/", happened(world, "page.visited")[0]["said"]["url"])
