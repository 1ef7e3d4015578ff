"""A person with a browser: reads the pages, ticks, saves, unsubscribes, confirms; on a phone and on a desktop."""

from datetime import timedelta
from pathlib import Path

import pytest

from macli import contacts
from macli.store import settings, topics
from macli.tick.tick import run_tick
from tests import browser
from tests.site import keys
from tests.world import NOW, World, add_campaign, add_contacts, new_world

pytestmark = pytest.mark.system("chromium")

BEFORE = timedelta(days=400)
"""The browser's site keeps the real time, which is to be later than what was said."""
PHONE, DESKTOP = {"width": 390, "height": 800}, {"width": 1280, "height": 900}


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = new_world(tmp_path / "shop")
    topics.create(made.store, NOW, "news", title="Our news", description="Once a month.")
    topics.create(made.store, NOW, "offers", title="Offers")
    settings.put(made.store, NOW, "sender.name", "The shop")
    add_contacts(made.store, 1)
    add_campaign(made.store, now=NOW - BEFORE)
    run_tick(made.engine(NOW - BEFORE))
    return made


def held(world: World) -> dict[tuple[str, str], str]:
    rows = world.store.rows("SELECT channel, topic, status FROM consents")
    return {(row["channel"], row["topic"]): row["status"] for row in rows}


@pytest.mark.parametrize("screen", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_person_chooses_unsubscribes_and_comes_back(world: World, screen: dict[str, int], scripts: bool) -> None:
    act = keys(world).message(1).act
    contacts.ask(world.store, NOW - BEFORE, contacts.ONE, {"one_contact": 1}, "email", "form", topic="offers")
    with browser.listening(world) as site, browser.chromium() as chromium:
        page = chromium.new_context(viewport=screen, java_script_enabled=scripts).new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(f"{site}/confirm/{act}")
        page.get_by_role("button", name="Yes, send it to me").click()
        page.get_by_role("heading", name="Thank you").wait_for()
        assert held(world) == {("email", "offers"): "granted"}

        page.get_by_role("link", name="Choose what you get").click()
        assert page.get_by_label("Our news").is_checked()
        page.get_by_label("Our news").uncheck()
        page.get_by_label("How often").select_option(label="At most once a week")
        page.get_by_label("Pause").select_option(label="Send me nothing for 30 days")
        page.get_by_label("Do not record what I open and click").check()
        page.get_by_role("button", name="Save").click()
        assert page.get_by_role("status").inner_text() == "Saved. This holds from now on."
        assert not page.get_by_label("Our news").is_checked()
        assert page.get_by_label("Do not record what I open and click").is_checked()
        assert held(world)["email", "news"] == "withdrawn"
        row = world.store.row("SELECT most, most_span, untracked FROM preferences")
        assert row is not None
        assert tuple(row) == (1, 7 * 86_400_000, 1)
        assert page.evaluate("document.documentElement.scrollWidth") <= screen["width"]

        page.goto(f"{site}/u/{act}")
        page.get_by_role("button", name="Unsubscribe from all e-mails").click()
        page.get_by_role("heading", name="You are unsubscribed").wait_for()
        assert held(world)["email", ""] == "withdrawn"

        page.get_by_role("link", name="Changed your mind? Choose what you get").click()
        assert not page.get_by_label("Everything we send by e-mail").is_checked()
        page.get_by_label("Offers").check()
        page.get_by_role("button", name="Save").click()
        assert page.get_by_label("Offers").is_checked()
        page.get_by_role("button", name="Unsubscribe from everything").click()
        assert page.get_by_role("status").inner_text() == "Saved. We send you nothing more."
        assert complaints == []
    assert set(held(world).values()) == {"withdrawn", "granted"}
    assert held(world)["sms", ""] == held(world)["push", ""] == held(world)["email", ""] == "withdrawn"
    add_campaign(world.store, "offers", topic="offers", caps=False)
    world.store.execute("DELETE FROM preferences")
    run_tick(world.engine(NOW + BEFORE))
    assert world.reasons() == {"opted_out": 1}
