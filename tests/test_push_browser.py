"""The service worker in a real browser: what it shows, what a click opens, and the subscription it renews."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from macli.store import devices
from macli.store import settings as kept
from tests.browser import chromium, listening, wait_for
from tests.push_device import Browser, give, use_webpush
from tests.world import NOW, World, add_contacts, new_world

pytestmark = pytest.mark.system("chromium")

SHOWN = """
async () => {
  const registered = await navigator.serviceWorker.ready;
  const shown = await registered.getNotifications();
  return shown.map(({ title, body, icon, tag, data }) => ({ title, body, icon, tag, data }));
}
"""
CLICKED = """
async () => {
  const opened = [];
  Object.defineProperty(self.clients, "openWindow", { value: async (url) => opened.push(url) });
  const [notification] = await self.registration.getNotifications();
  self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
  return [opened, (await self.registration.getNotifications()).length];
}
"""
MESSAGE = {
    "title": "Łódź",
    "body": "Spring",
    "url": "https://news.example/r/1/2",
    "icon": "https://shop.example/i.png",
    "tag": "1.x",
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = new_world(tmp_path / "shop")
    with made.store:
        yield made


def test_a_push_message_is_shown_and_a_click_on_it_opens_what_it_leads_to(world: World) -> None:
    with listening(world) as site, chromium() as browser:
        kept.put(world.store, NOW, "public_url", site)
        context = browser.new_context()
        context.grant_permissions(["notifications"], origin=site)
        page = context.new_page()
        page.goto(f"{site}/health")
        told = context.new_cdp_session(page)
        found: list[dict[str, Any]] = []
        told.on("ServiceWorker.workerRegistrationUpdated", lambda said: found.extend(said["registrations"]))
        told.send("ServiceWorker.enable")
        page.evaluate("() => navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready)")
        wait_for(lambda: (page.wait_for_timeout(20), found)[1])
        told.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": site, "registrationId": found[-1]["registrationId"], "data": json.dumps(MESSAGE)},
        )
        wait_for(lambda: page.evaluate(SHOWN))
        (shown,) = page.evaluate(SHOWN)
        (worker,) = context.service_workers
        opened, left = worker.evaluate(CLICKED)
    assert shown == {**{key: MESSAGE[key] for key in ("title", "body", "icon", "tag")}, "data": {"url": MESSAGE["url"]}}
    assert (opened, left) == ([MESSAGE["url"]], 0)


def test_a_subscription_the_browser_renews_is_told_to_us(world: World) -> None:
    old, fresh = Browser("http://127.0.0.1:9/old"), Browser("http://127.0.0.1:9/fresh")
    add_contacts(world.store, 1)
    use_webpush(world)
    give(world, 1, old)
    with listening(world) as site, chromium() as browser:
        kept.put(world.store, NOW, "public_url", site)
        context = browser.new_context()
        page = context.new_page()
        wait_for(lambda: site in page.request.get(f"{site}/sw.js").text())
        page.goto(f"{site}/health")
        page.evaluate("() => navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready)")
        (worker,) = context.service_workers
        said = [{"endpoint": old.device.endpoint}, fresh.subscription]
        worker.evaluate("([old, fresh]) => renew(old, fresh)", said)
    assert devices.of_contact(world.store, 1) == (fresh.device,)
