"""Push messages from the template to the device's screen, over a push service that is a server here."""

import base64
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_vapid import Vapid02

from macli.clock import to_ms
from macli.forms import authoring
from macli.model import Push
from macli.providers import load
from macli.providers.webpush import MOST_OCTETS, new_key
from macli.store import devices, providers
from macli.tick.tick import run_tick
from macli.visitors.joining import join
from tests.push_device import Browser, give, text, use_webpush
from tests.site import keys, serving
from tests.test_forms import Clock, hidden
from tests.web_server import Answer, web_server
from tests.world import NOW, World, add_campaign, add_contacts, new_world, opt_out

VISITOR = "v" * 32
SHOP = {"Origin": "https://shop.example"}
TEMPLATE = """
title: Hi {{ first_name }}
body: |
  Spring "is" here.
  Come.
url: https://shop.example/spring?who={{ email|urlencode }}
icon: https://shop.example/icon.png
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = new_world(tmp_path / "shop")
    add_contacts(made.store, 2)
    with made.store:
        yield made


def push_campaign(world: World, **definition: Any) -> int:
    from macli.content.prepare import prepare
    from macli.store import templates

    content = prepare("spring", "push", source=TEMPLATE, source_format="push")
    templates.create(world.store, NOW, "spring", "push", content)
    definition.setdefault("entry", {"rule": "number = 0"})
    return add_campaign(world.store, "spring", channel="push", steps=[{"send": "spring"}], **definition)


def webpush(**settings: Any):
    os.environ["MACLI_TEST_VAPID"] = new_key()
    given = {"subject": "mailto:web@shop.example", "private_key": "env:MACLI_TEST_VAPID", "allow_private": True}
    return load("webpush", {**given, **settings}, name="web", workspace=Path("/"))


def message(*browsers: Browser, payload: dict[str, Any] | None = None) -> Push:
    found = tuple(browser.device for browser in browsers)
    return Push(send_id=3, key="3.shop", to="contact:1", payload=payload or {"title": "Łódź"}, devices=found)


def outcome_of(*answers: Answer, **settings: Any):
    """The outcome of a message to as many devices as there are answers, in that order."""
    with web_server(lambda asked: answers[int(asked.path[1:])]) as server:
        browsers = [Browser(f"{server.url}/{place}") for place in range(len(answers))]
        outcome = webpush(**settings).send(message(*browsers))
        return outcome, [place for place, one in enumerate(browsers) if one.device.endpoint in outcome.gone]


def test_a_device_reads_what_was_posted_and_the_push_service_knows_who_posted() -> None:
    with web_server(lambda asked: Answer(201, headers={"Location": "https://push.example/m/1"})) as server:
        browser = Browser(f"{server.url}/send/abc?x=1")
        provider = webpush(ttl=600, urgency="high")
        outcome = provider.send(message(browser, payload={"title": "Łódź", "body": "x"}))
    (asked,) = server.asked
    assert (outcome.verdict, outcome.code, outcome.reference) == ("accepted", "201", "https://push.example/m/1")
    assert (asked.method, asked.path) == ("POST", "/send/abc?x=1")
    assert browser.read(asked.body) == {"title": "Łódź", "body": "x"}
    assert asked.headers["Content-Encoding"] == "aes128gcm"
    assert (asked.headers["Ttl"], asked.headers["Urgency"], len(asked.headers["Topic"])) == ("600", "high", 32)
    assert Vapid02.verify(asked.headers["Authorization"])
    token, key = (part.split("=", 1)[1] for part in asked.headers["Authorization"].removeprefix("vapid ").split(","))
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert key.strip() == provider.public_key
    assert claims["aud"] == server.url
    assert claims["sub"] == "mailto:web@shop.example"
    assert 0 < claims["exp"] - time.time() <= 86_400


@pytest.mark.parametrize(
    ("status", "verdict", "gone"),
    [
        (200, "accepted", []),
        (202, "accepted", []),
        (404, "bounced", [0]),
        (410, "bounced", [0]),
        (400, "rejected", []),
        (403, "rejected", []),
        (413, "rejected", []),
        (429, "retry", []),
        (500, "retry", []),
        (503, "retry", []),
    ],
)
def test_each_answer_of_a_push_service_has_its_meaning(status: int, verdict: str, gone: list[int]) -> None:
    outcome, without = outcome_of(Answer(status, headers={"Retry-After": "90"}))
    assert (outcome.verdict, without) == (verdict, gone)
    assert outcome.retry_after == (90.0 if verdict == "retry" else None)


def test_one_device_that_takes_it_is_enough() -> None:
    outcome, gone = outcome_of(Answer(503), Answer(410), Answer(201))
    assert (outcome.verdict, gone) == ("accepted", [1])


def test_while_none_took_it_and_one_may_later_it_is_tried_again() -> None:
    outcome, gone = outcome_of(Answer(410), Answer(429, headers={"Retry-After": "5"}), Answer(400))
    assert (outcome.verdict, outcome.retry_after, gone) == ("retry", 5.0, [0])


def test_silence_after_the_post_is_unknown_and_never_a_retry() -> None:
    outcome, _ = outcome_of(Answer(silent=True), Answer(503))
    assert outcome.verdict == "unknown"


def test_a_message_that_fits_no_push_service_is_not_posted() -> None:
    with web_server(lambda asked: Answer(201)) as server:
        browser = Browser(server.url)
        most = webpush().send(message(browser, payload={"title": "x" * (MOST_OCTETS - 13)}))
        over = webpush().send(message(browser, payload={"title": "x" * (MOST_OCTETS - 12)}))
    assert (most.verdict, over.verdict) == ("accepted", "rejected")
    assert [len(asked.body) for asked in server.asked] == [4_096]


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://push.example/x",
        "https://127.0.0.1/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://169.254.169.254/latest",
        "https://user:word@push.example/x",
        "ftp://push.example/x",
        "https:///x",
        "https://push.example:99999/x",
        "https://push example/x",
        "https://push.example\x7f/x",
    ],
)
def test_a_browser_cannot_make_us_post_to_our_own_network(endpoint: str) -> None:
    outcome = webpush(allow_private=False).send(message(Browser(endpoint)))
    assert outcome.verdict == "rejected"


def test_an_answer_that_dribbles_does_not_hold_us() -> None:
    def dribble() -> None:
        taken, _ = listener.accept()
        with taken, suppress(OSError):
            taken.recv(65_536)
            while True:
                taken.sendall(b"H")
                time.sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=dribble)
        thread.start()
        began = time.monotonic()
        outcome = webpush(timeout=0.3).send(message(Browser(f"http://127.0.0.1:{listener.getsockname()[1]}/")))
        took = time.monotonic() - began
        thread.join()
    assert outcome.verdict == "unknown"
    assert took < 5


def test_a_message_is_shown_with_a_link_that_comes_to_us_first(world: World) -> None:
    with web_server(lambda asked: Answer(201)) as server:
        use_webpush(world)
        browser = Browser(f"{server.url}/1")
        give(world, 1, browser)
        push_campaign(world, entry={"rule": "has email"})
        run_tick(world.engine())
    assert world.states() == {"accepted": 1, "skipped": 1}
    assert world.reasons() == {"no_address": 1}
    said = browser.read(server.asked[0].body)
    assert said["title"] == "Hi Contact 0"
    assert said["body"] == 'Spring "is" here.\nCome.'
    assert said["icon"] == "https://shop.example/icon.png"
    with serving(world) as client:
        answer = client.get(said["url"])
    leads = answer.headers["location"]
    assert leads.startswith("https://shop.example/spring?who=c0%40example.com&utm_source=shop.example&utm_medium=push")
    assert [tuple(row) for row in world.store.rows("SELECT kind, send FROM hits")] == [("click", 1)]


def test_r32_who_does_not_want_to_be_followed_gets_the_link_as_it_was_written(world: World) -> None:
    with web_server(lambda asked: Answer(201)) as server:
        use_webpush(world)
        browser = Browser(f"{server.url}/1")
        give(world, 1, browser)
        with world.store.write():
            world.store.execute("INSERT INTO preferences (contact_id, untracked, changed_at) VALUES (1, 1, 0)")
        push_campaign(world)
        run_tick(world.engine())
    assert browser.read(server.asked[0].body)["url"] == "https://shop.example/spring?who=c0%40example.com"


def test_a_device_that_is_gone_is_removed_and_the_other_gets_the_message(world: World) -> None:
    with web_server(lambda asked: Answer(410 if asked.path == "/gone" else 201)) as server:
        use_webpush(world)
        here, gone = Browser(f"{server.url}/here"), Browser(f"{server.url}/gone")
        give(world, 1, here, gone)
        push_campaign(world)
        run_tick(world.engine())
    assert world.states() == {"accepted": 1}
    assert [row["endpoint"] for row in devices.list_all(world.store)] == [here.device.endpoint]
    told = world.store.rows("SELECT contact_id, send_id FROM events WHERE name = 'push.expired'")
    assert [tuple(row) for row in told] == [(1, 1)]


def test_with_its_last_device_gone_a_message_has_bounced(world: World) -> None:
    with web_server(lambda asked: Answer(404)) as server:
        use_webpush(world)
        give(world, 1, Browser(f"{server.url}/1"))
        push_campaign(world)
        run_tick(world.engine())
    assert world.states() == {"bounced": 1}
    assert devices.list_all(world.store) == []


def test_who_said_no_to_push_messages_gets_none(world: World) -> None:
    with web_server(lambda asked: Answer(201)) as server:
        use_webpush(world)
        give(world, 1, Browser(f"{server.url}/1"))
        opt_out(world, 1, "push")
        push_campaign(world)
        run_tick(world.engine())
    assert server.asked == []
    assert world.reasons() == {"opted_out": 1}


def test_silence_is_not_sent_again(world: World) -> None:
    with web_server(lambda asked: Answer(silent=True)) as server:
        use_webpush(world)
        give(world, 1, Browser(f"{server.url}/1"))
        push_campaign(world)
        run_tick(world.engine())
        run_tick(world.engine())
    assert len(server.asked) == 1
    assert world.states() == {"unknown": 1}


@contextmanager
def subscribing(world: World) -> Iterator[Any]:
    use_webpush(world)
    with serving(world) as client:

        def post(document: Any, path: str = "subscribe", **headers: str):
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            return client.post(f"/push/{path}", content=body, headers={**SHOP, **headers})

        yield post


def send_of(world: World, contact_id: int) -> int:
    return int(
        world.store.value(
            """
            INSERT INTO sends (contact_id, channel, purpose, state, due_at)
            VALUES (:contact, 'email', 'test', 'accepted', 0)
            RETURNING id
            """,
            {"contact": contact_id},
        )
    )


def test_a_visitor_subscribes_and_the_device_is_the_contacts_once_it_is_known(world: World) -> None:
    browser = Browser("http://127.0.0.1:9/1")
    with subscribing(world) as post:
        answer = post({"v": VISITOR, "subscription": browser.subscription}, **{"User-Agent": "Firefox"})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://shop.example")
    (device,) = devices.list_all(world.store)
    assert (device["contact_id"], device["agent"], device["service"]) == (None, "Firefox", "127.0.0.1")
    assert join(world.store, NOW, VISITOR, 2, proven=True)
    assert devices.of_contact(world.store, 2) == (browser.device,)


def test_a_messages_token_says_whose_the_device_is_and_the_yes_is_kept_with_its_evidence(world: World) -> None:
    browser = Browser("http://127.0.0.1:9/1")
    with world.store.write():
        send_id = send_of(world, 2)
    with subscribing(world) as post:
        post({"v": VISITOR, "m": keys(world).message(send_id).follow, "subscription": browser.subscription})
    assert devices.of_contact(world.store, 2) == (browser.device,)
    said = world.store.row("SELECT status, source, evidence FROM consents WHERE contact_id = 2 AND channel = 'push'")
    assert said is not None
    assert (said["status"], said["source"]) == ("granted", "push")
    assert json.loads(said["evidence"])["page"] == "https://shop.example"


def test_a_stranger_s_word_sends_nobody_s_messages_to_another_browser(world: World) -> None:
    authoring.create_form(
        world.store, NOW, "letters", "fields: [{name: email, required: yes}]", where="f", category=None
    )
    browsers = [Browser(f"http://127.0.0.1:9/{place}") for place in range(3)]
    names = [str(place) * 22 for place in range(3)]
    clock = Clock()
    use_webpush(world)
    with serving(world, clock) as client:

        def subscribe(place: int) -> None:
            posted = {"v": names[place], "subscription": browsers[place].subscription}
            assert client.post("/push/subscribe", json=posted, headers=SHOP).status_code == 200

        def identify(place: int, email: str, **more: str) -> None:
            told = {"v": names[place], "identify": {"email": email}, **more}
            assert client.post("/t", json=told, headers=SHOP).status_code == 204

        subscribe(0)
        identify(0, "c0@example.com")
        identify(1, "c0@example.com")
        subscribe(1)
        shown = client.get("/f/letters").text
        clock.passes(10)
        typed = {**hidden(shown), "email": "c0@example.com", "_visitor": names[2]}
        assert client.post("/f/letters", data=typed).status_code == 200
        subscribe(2)
        assert world.store.value("SELECT count(*) FROM visitors WHERE contact_id = 1") == 3
        assert devices.of_contact(world.store, 1) == ()
        assert world.store.value("SELECT count(*) FROM consents WHERE channel = 'push'") == 0
        with world.store.write():
            send_id = send_of(world, 1)
        identify(1, "c0@example.com", m=keys(world).message(send_id).follow)
        assert devices.of_contact(world.store, 1) == (browsers[1].device,)
        names.append("n" * 22)
        browsers.append(Browser("http://127.0.0.1:9/new"))
        subscribe(3)
        identify(3, "new@example.com")  # who has that address may come later
        assert world.store.value("SELECT count(*) FROM devices WHERE contact_id IS NULL") == 3


def test_the_same_browser_again_is_the_same_device_and_undoes_no_no(world: World) -> None:
    browser, token = Browser("http://127.0.0.1:9/1"), {"v": VISITOR}
    join(world.store, NOW, VISITOR, 1, proven=True)
    with subscribing(world) as post:
        post({**token, "subscription": browser.subscription})
        opt_out(world, 1, "push")
        again = Browser("http://127.0.0.1:9/1")
        assert post({**token, "subscription": again.subscription}).status_code == 200
    assert devices.of_contact(world.store, 1) == (again.device,)
    status = world.store.value("SELECT status FROM consents WHERE contact_id = 1 AND channel = 'push'")
    assert status == "withdrawn"


def test_a_browser_that_got_another_endpoint_stays_the_same_device(world: World) -> None:
    old, new = Browser("http://127.0.0.1:9/old"), Browser("http://127.0.0.1:9/new")
    give(world, 1, old)
    with subscribing(world) as post:
        document = {"replaces": old.device.endpoint, "subscription": new.subscription}
        assert [post(document).status_code, post(document).status_code] == [200, 404]
    assert devices.of_contact(world.store, 1) == (new.device,)


def test_unsubscribing_the_last_device_takes_the_yes_back(world: World) -> None:
    browsers = [Browser(f"http://127.0.0.1:9/{place}") for place in range(2)]
    join(world.store, NOW, VISITOR, 1, proven=True)
    said = "SELECT status FROM consents WHERE contact_id = 1 AND channel = 'push'"
    with subscribing(world) as post:
        for browser in browsers:
            post({"v": VISITOR, "subscription": browser.subscription})
        post({"endpoint": browsers[0].device.endpoint}, "unsubscribe")
        assert world.store.value(said) == "granted"
        post({"endpoint": browsers[1].device.endpoint}, "unsubscribe")
    assert world.store.value(said) == "withdrawn"
    assert devices.list_all(world.store) == []


def test_of_a_contacts_many_devices_those_not_seen_for_longest_go(world: World) -> None:
    many = [Browser(f"https://push.example/{place}") for place in range(devices.MOST + 2)]
    give(world, 2, Browser("https://push.example/other"))
    for place, browser in enumerate(many):
        devices.put(world.store, to_ms(NOW) + place, browser.device, contact_id=1, visitor_id=None, agent=None)
    assert devices.of_contact(world.store, 1) == tuple(one.device for one in reversed(many[2:]))
    assert devices.count_of(world.store, 2) == 1


GOOD = Browser("https://push.example/1").subscription


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (b"{", 400),
        (b"[" * 5_000, 400),
        (b"\xff", 400),
        ([], 400),
        ({}, 400),
        ({"v": VISITOR}, 400),
        ({"v": "short", "subscription": GOOD}, 400),
        ({"v": 5, "subscription": GOOD}, 400),
        ({"v": "é" * 32, "subscription": GOOD}, 400),
        ({"v": VISITOR, "m": ["x"], "subscription": GOOD}, 400),
        ({"v": VISITOR, "subscription": {**GOOD, "endpoint": "https:"}}, 400),
        ({"v": VISITOR, "subscription": {**GOOD, "endpoint": "https://[x/"}}, 400),
        ({"v": VISITOR, "subscription": {**GOOD, "endpoint": "https://a b/"}}, 400),
        ({"v": VISITOR, "subscription": {**GOOD, "endpoint": "https://push.example/\u0142"}}, 400),
        ({"v": VISITOR, "subscription": {**GOOD, "endpoint": "https://push.example/a b\r\nX: y"}}, 400),
        ({"v": VISITOR, "subscription": {**GOOD, "endpoint": "https://push.example/" + "x" * 2000}}, 400),
        ({"v": VISITOR, "subscription": {**GOOD, "keys": {**GOOD["keys"], "auth": "AAAA"}}}, 400),
        ({"v": VISITOR, "subscription": {**GOOD, "keys": {**GOOD["keys"], "auth": None}}}, 400),
        ({"v": VISITOR, "subscription": {**GOOD, "keys": {**GOOD["keys"], "p256dh": text(b"\4" + b"\1" * 64)}}}, 400),
        ({"v": VISITOR, "subscription": {**GOOD, "keys": {**GOOD["keys"], "p256dh": "!"}}}, 400),
        ({"v": VISITOR, "subscription": GOOD, "more": "x" * 9_000}, 413),
    ],
)
def test_what_is_no_subscription_is_refused_and_nothing_is_kept(world: World, document: Any, status: int) -> None:
    with subscribing(world) as post:
        answer = post(document)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert devices.list_all(world.store) == []
    assert world.store.value("SELECT count(*) FROM visitors") == 0


_PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(VISITOR) | st.just(GOOD)
_NAMES = st.sampled_from(["v", "m", "replaces", "subscription", "endpoint", "keys", "auth", "p256dh"]) | st.text()
_ANYTHING = st.recursive(_PLAIN, lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner), max_leaves=12)


@pytest.mark.parametrize("path", ["subscribe", "unsubscribe"])
def test_whatever_is_posted_is_answered(world: World, path: str) -> None:
    with subscribing(world) as post:

        @settings(max_examples=150)
        @given(st.dictionaries(_NAMES, _ANYTHING) | _ANYTHING)
        def posted(document: Any) -> None:
            assert post(document, path).status_code in (200, 400, 404, 413, 429)

        posted()


@pytest.mark.parametrize("origin", ["https://evil.example", "https://shop.example.evil.example", "null", "", "https:"])
def test_pages_that_are_not_ours_are_not_listened_to(world: World, origin: str) -> None:
    with subscribing(world) as post:
        answer = post({"v": VISITOR, "subscription": GOOD}, Origin=origin)
        assert post({"endpoint": "x"}, "unsubscribe", Origin=origin).status_code == 403
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert devices.list_all(world.store) == []


def test_one_address_cannot_fill_the_store(world: World) -> None:
    with subscribing(world) as post:
        codes = [
            post(
                {"v": f"{place:032}", "subscription": {**GOOD, "endpoint": f"https://push.example/{place}"}}
            ).status_code
            for place in range(62)
        ]
    assert codes == [200] * 60 + [429] * 2


def test_the_page_is_given_the_key_and_the_worker_where_home_is(world: World) -> None:
    use_webpush(world)
    with serving(world) as client:
        key = client.get("/push/key")
        worker = client.get("/sw.js")
        page = client.get("/push.js")
    assert key.json() == {"key": providers.load(world.store, "web", workspace=world.path).public_key}
    assert worker.headers["content-type"].startswith("text/javascript")
    assert worker.text.startswith('self.macliHome = "https://news.example";\n')
    assert "macliPush" in page.text


def test_where_nobody_carries_push_there_is_no_key(world: World) -> None:
    with serving(world) as client:
        assert client.get("/push/key").status_code == 404


def test_a_provider_is_added_with_a_key_of_its_own_that_adding_it_again_keeps(macli, workspace: Path) -> None:
    made = macli("provider", "add", "webpush", "web", "--subject", "mailto:web@shop.example")
    assert made.code == 0, made.err
    (key,) = (workspace / "secrets").glob("web.private_key")
    first = key.read_text()
    shown = json.loads(macli("provider", "show", "web", "--json").out)["settings"]
    assert (shown["private_key"], len(shown["public_key"])) == ("file:secrets/web.private_key", 87)
    assert first not in json.dumps(shown)
    again = macli("provider", "add", "webpush", "web", "--subject", "mailto:web@shop.example")
    assert again.code == 2
    assert key.read_text() == first
    tried = macli("provider", "test", "web")
    assert tried.code == 0
    assert shown["public_key"] in tried.out


@pytest.mark.parametrize("subject", ["web@shop.example", "mailto:web", "http://shop.example", ""])
def test_a_subject_that_no_push_service_takes_is_refused(macli, workspace: Path, subject: str) -> None:
    ran = macli("provider", "add", "webpush", "web", "--subject", subject)
    assert ran.code == 2
    assert "--subject" in ran.err


def test_a_push_template_from_its_file_to_its_preview(macli, workspace: Path) -> None:
    (workspace / "spring.yaml").write_text(TEMPLATE)
    made = macli("template", "create", "spring", "--push", "spring.yaml")
    assert made.code == 0, made.err
    macli("contact", "add", "ann@example.com", "--set", "first_name=Ann")
    shown = json.loads(macli("template", "preview", "spring", "--contact", "ann@example.com", "--json").out)
    assert shown["title"] == "Hi Ann"
    assert shown["url"] == "https://shop.example/spring?who=ann%40example.com"
    macli("campaign", "create", "spring", "--channel", "push", "--template", "spring", "--rule", "has email")
    read = macli("campaign", "preview", "spring", "--contact", "ann@example.com").out
    assert "title: Hi Ann" in read
    assert "no address for this channel" in read


def test_a_push_campaign_goes_into_a_folder_and_comes_back_changed(macli, workspace: Path) -> None:
    (workspace / "spring.yaml").write_text(TEMPLATE)
    macli("template", "create", "spring", "--push", "spring.yaml")
    macli("campaign", "create", "spring", "--channel", "push", "--template", "spring", "--rule", "has device")
    assert macli("export", "campaign", "spring", "-o", "out-of-it").code == 0
    assert "unchanged" in macli("apply", "out-of-it").out
    file = workspace / "out-of-it" / "spring.yaml"
    file.write_text(file.read_text().replace("Come.", "Go."))
    ran = macli("apply", "out-of-it")
    assert ran.code == 0, ran.err
    shown = json.loads(macli("template", "show", "spring", "--json").out)
    assert (shown["version"], "Go." in shown["source"]) == (2, True)


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("body: x", "title"),
        ("title: [x]", "title"),
        ("title: x\nurl: shop.example", "https"),
        ("title: x\nlink: y", "link"),
        ("title: {{ first_name }}", "YAML"),
        ("title: 'Hi {{ first_name'", "title"),
        ("title: x\nbody: '{% endfilter %}{{ 1 }}{% filter upper %}'", "body"),
    ],
)
def test_a_push_template_that_says_too_little_or_too_much_is_refused(
    macli, workspace: Path, written: str, word: str
) -> None:
    (workspace / "spring.yaml").write_text(written)
    ran = macli("template", "create", "spring", "--push", "spring.yaml")
    assert ran.code == 2
    assert word in ran.err


def test_c14_devices_are_listed_by_contact_and_removed_by_number(macli, workspace: Path) -> None:
    from macli.store import open_store

    macli("contact", "add", "ann@example.com")
    with open_store(workspace / "macli.db") as store:
        for place in (1, 2):
            devices.put(
                store,
                to_ms(NOW),
                Browser(f"https://push.example/{place}").device,
                contact_id=1,
                visitor_id=None,
                agent="Firefox",
            )
    listed = json.loads(macli("device", "list", "--contact", "ann@example.com", "--json").out)
    assert [(row["id"], row["contact"], row["service"]) for row in listed] == [
        (1, "ann@example.com", "push.example"),
        (2, "ann@example.com", "push.example"),
    ]
    assert "endpoint" not in listed[0]
    assert macli("device", "rm", "2").code == 0
    assert macli("device", "rm", "2").code == 2
    assert len(json.loads(macli("device", "list", "--json").out)) == 1


def test_c14_a_rule_asks_whether_a_contact_has_a_device(macli, workspace: Path) -> None:
    from macli.store import open_store

    for name in ("ann", "bob", "cid"):
        macli("contact", "add", f"{name}@example.com")
    macli("segment", "create", "vip", "--rule", "email in (bob@example.com, cid@example.com)")
    with open_store(workspace / "macli.db") as store:
        for contact_id in (1, 2):
            browser = Browser(f"https://push.example/{contact_id}")
            devices.put(store, to_ms(NOW), browser.device, contact_id=contact_id, visitor_id=None, agent=None)

    def count(rule: str) -> int:
        return int(json.loads(macli("segment", "preview", "--rule", rule, "--json").out)["contacts"])

    assert [count(rule) for rule in ("has device", "not has device", 'in segment "vip" and has device')] == [2, 1, 1]
    assert "expected email, phone, device" in macli("segment", "preview", "--rule", "has devices").err


def test_a_campaigns_push_message_can_be_tried_on_ones_own_devices(world: World) -> None:
    from macli.errors import OperationFailed
    from macli.store import campaigns
    from macli.tick.trial import send_test

    with web_server(lambda asked: Answer(201)) as server:
        use_webpush(world)
        browser = Browser(f"{server.url}/1")
        give(world, 2, browser)
        push_campaign(world)
        campaign = campaigns.get(world.store, "spring")
        (trial,) = send_test(world.engine(), campaign, "c1@example.com", contact_id=1)
        with pytest.raises(OperationFailed, match="has no message for c0"):
            send_test(world.engine(), campaign, "c0@example.com")
    assert (trial.to, trial.outcome.verdict) == ("contact:2", "accepted")
    assert browser.read(server.asked[0].body)["title"] == "Hi Contact 0"


def test_in_a_new_store_push_messages_go_to_the_outbox_and_no_device_is_written_down(world: World) -> None:
    give(world, 1, Browser("https://push.example/secret"))
    push_campaign(world)
    run_tick(world.engine())
    (file,) = (world.path / "out").rglob("*.push")
    said = json.loads(file.read_text())
    assert (said["to"], said["devices"], said["payload"]["title"]) == ("contact:1", 1, "Hi Contact 0")
    assert "secret" not in file.read_text()


@pytest.fixture
def push_service(tmp_path: Path) -> Iterator[str]:
    """The address of web-push-testing, a push service in JavaScript that decrypts what it is sent."""
    command = shutil.which("web-push-testing")
    if command is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("npm install -g web-push-testing")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = Path(command).resolve().with_name("server.js")
    running = subprocess.Popen(["node", str(script), str(port)], cwd=tmp_path, stdout=subprocess.PIPE)
    try:
        assert running.stdout is not None
        assert running.stdout.readline()
        yield f"http://localhost:{port}"
    finally:
        running.kill()
        running.communicate()


def ask(url: str, document: Any) -> Any:
    request = urllib.request.Request(url, json.dumps(document).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        body = answer.read()
    return json.loads(body)["data"] if body.startswith(b"{") else None


def test_p24_a_push_service_in_another_language_decrypts_the_message_until_the_device_expires(
    world: World, push_service: str
) -> None:
    use_webpush(world)
    with serving(world) as client:
        key = client.get("/push/key").json()["key"]
        asked = {"userVisibleOnly": "true", "applicationServerKey": key}
        stays, expires = (ask(f"{push_service}/subscribe", asked) for _ in range(2))
        for place, subscription in enumerate((stays, expires)):
            join(world.store, NOW, str(place) * 32, 1, proven=True)
            posted = {"v": str(place) * 32, "subscription": subscription}
            assert client.post("/push/subscribe", json=posted, headers=SHOP).status_code == 200
    ask(f"{push_service}/expire-subscription/{expires['clientHash']}", {})
    push_campaign(world)
    run_tick(world.engine())
    (said,) = ask(f"{push_service}/get-notifications", {"clientHash": stays["clientHash"]})["messages"]
    assert json.loads(said)["title"] == "Hi Contact 0"
    assert world.states() == {"accepted": 1}
    assert [row["endpoint"] for row in devices.list_all(world.store)] == [stays["endpoint"]]
