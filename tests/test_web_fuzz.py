"""Every route of the site, asked with hostile paths, queries, headers and bodies: no fault, no row, nothing told."""

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import Route
from starlette.testclient import TestClient

from macli.content.pages import prepare_page
from macli.forms import authoring
from macli.responses import hooks
from macli.store import banners, downloads, providers, templates
from macli.store import settings as kept
from macli.visitors import keys as tracker_keys
from macli.web.app import ROOMS
from macli.web.site import Site
from tests.push_device import use_webpush
from tests.site import keys, serving
from tests.test_forms import SIGN_UP
from tests.world import NOW, World, add_contacts, new_world

KNOWN = "letters"
"""The name of a form, a page, a banner and a download."""
SHOP = {"Origin": "https://www.shop.example"}

JUNK = (
    "",
    ".",
    "..",
    "%",
    "%00",
    "//evil.example",
    "\\\\evil.example",
    "javascript:alert(1)",
    "https://news.example@evil.example/",
    "a\r\nSet-Cookie: a=b",
    "{{ 7 * 7 }}{% include 'x' %}",
    "<script>alert(1)</script>\"'",
    "'; DROP TABLE contacts; --",
    "1.AAAAAAAAAAAAAAAA",
    "zzzzzzzzzzzzz.AAAAAAAAAAAAAAAA",
    "a" * 22,
    "9" * 400,
    "-1",
    "nan",
    "\x00\ud800".encode("utf-8", "replace").decode(),
    "\u202e\U0001f600",
    "x" * 5000,
)
WORDS = st.one_of(st.sampled_from(JUNK), st.text(st.characters(codec="utf-8"), max_size=40))
HEADER = st.one_of(
    st.sampled_from([word for word in JUNK if word.isascii() and word.isprintable()]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
)
NAMES = st.sampled_from(
    [
        "_m",
        "_mc",
        "_t",
        "_page",
        "_visitor",
        "lang",
        "key",
        "v",
        "m",
        "email",
        "first_name",
        "consent_1",
        "homepage_url",
    ]
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "Accept",
            "Accept-Language",
            "Authorization",
            "Content-Type",
            "Host",
            "Origin",
            "Purpose",
            "Range",
            "Referer",
            "Sec-Purpose",
            "User-Agent",
            "X-Forwarded-For",
            "X-Macli-Signature",
            "X-Twilio-Signature",
        ]
    ),
    st.one_of(
        HEADER,
        st.sampled_from(
            [
                "application/json",
                "application/x-www-form-urlencoded",
                "multipart/form-data; boundary=x",
                "text/plain",
                "null",
                "[",
                "[::1]:x",
                "evil.example/..;@",
                "https://www.shop.example.evil.example",
                "https://evilshop.example",
                "https://www.shop.example:444",
                "HTTPS://www.shop.example",
                "https://evil.example#.shop.example",
                "bytes=0-1,5-",
                "Basic Og==",
                "Bearer ",
                "t=1,v1=",
                "t=1796115600,v1=00",
                "en;q=nan, de;q=inf, fr;q=-1",
                "::1, 127.0.0.1, x",
            ]
        ),
    ),
    max_size=5,
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(
                NAMES,
                st.sampled_from(
                    [
                        "events",
                        "event",
                        "identify",
                        "subscription",
                        "keys",
                        "endpoint",
                        "replaces",
                        "name",
                        "at",
                        "props",
                        "url",
                    ]
                ),
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
BODIES = st.one_of(
    st.binary(max_size=200),
    DOCUMENTS.map(lambda document: json.dumps(document).encode()),
    st.dictionaries(NAMES, WORDS, max_size=5).map(
        lambda fields: "&".join(f"{name}={quote(value)}" for name, value in fields.items()).encode()
    ),
    st.sampled_from([b"[" * 30_000, b'{"v":' * 9_000, b"a=1&" * 700, b"{" + b'"a":1,' * 300 + b'"b":1}', b"9" * 5_000]),
)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"])

QUIET = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A workspace that has one of everything the site can show or hear."""
    world = new_world(tmp_path / "shop")
    store = world.store
    add_contacts(store, 2)
    use_webpush(world)
    kept.put(store, NOW, "tracker.domains", "*.shop.example")
    kept.put(store, NOW, "web.proxies", "127.0.0.1")
    tracker_keys.make(world.path)
    authoring.create_form(store, NOW, KNOWN, SIGN_UP, where="form.yaml", category=None)
    parts = '{{ form("letters") }}{{ banner("letters") }}{{ download("letters") }}'
    page = f'<h1>{{{{ first_name | default("you") }}}}</h1>{parts}'
    templates.create(store, NOW, KNOWN, "page", prepare_page(KNOWN, source=page, source_format="html", now=NOW))
    banners.add(store, NOW, KNOWN, url="https://shop.example/", text="Sale")
    downloads.add(store, NOW, "letters.html", b"<script>alert(1)</script>", slug=KNOWN)
    monkeypatch.setenv("TOKEN", "main-token")
    texts = {"account_sid": "AC" + "0" * 32, "auth_token": "env:TOKEN", "from": "+15005550006"}
    providers.add(store, NOW, "texts", "twilio", texts, workspace=world.path)
    providers.add(store, NOW, "mails", "smtp2go", {"username": "x", "password": "env:TOKEN"}, workspace=world.path)
    for name in ("mails", "events"):
        hooks.make(store, world.path, name)
    yield world
    store.close()


def routes(world: World) -> list[str]:
    """The paths of all routes."""
    site = Site(workspace=world.path, store=world.path / "macli.db", clock=lambda: NOW, zone=ZoneInfo("UTC"))
    found = [route for room in ROOMS for route in import_module(f"macli.web.{room}").routes(site)]
    assert all(isinstance(route, Route) for route in found)
    return sorted({"/health", "/o/{token}.gif", "/c/{token}/{link}", "/r/{token}/{url}", *(one.path for one in found)})


TOLD = (
    "contacts",
    "consents",
    "consent_log",
    "suppressions",
    "events",
    "sends",
    "hits",
    "visitors",
    "devices",
    "agents",
)


def rows(world: World) -> dict[str, list[tuple[Any, ...]]]:
    return {table: [tuple(row) for row in world.store.rows(f"SELECT * FROM {table}")] for table in TOLD}


def ask(client: TestClient, path: str, params: list[str], draw: Any, headers: dict[str, str]) -> Any:
    """One request to a route with whatever is drawn; its answer, which is no fault."""
    for name in params:
        path = path.replace(
            f"{{{name}}}", quote(draw(st.one_of(WORDS, st.sampled_from(["texts", "mails"]))), safe=""), 1
        )
    path += draw(st.sampled_from(["", "", "/", "//", "%2F", "/..%2f.."]))
    query = draw(st.dictionaries(NAMES, WORDS, max_size=3))
    answer = client.request(
        draw(METHODS), path, params=query, headers={**draw(HEADERS), **headers}, content=draw(BODIES)
    )
    assert answer.status_code < 500, (path, query, answer.text)
    assert "Traceback" not in answer.text
    return answer


def test_no_route_has_a_fault_or_lets_a_stranger_store_anything(world: World) -> None:
    before, paths = rows(world), routes(world)
    with serving(world) as client:

        @given(st.sampled_from(paths), st.data())
        @QUIET
        def asked(path: str, data: st.DataObject) -> None:
            ask(client, path, re.findall(r"{(\w+)}", path), data.draw, {})

        asked()
    assert rows(world) == before


def test_what_is_there_has_no_fault_either_and_a_page_of_ours_changes_no_contact(world: World) -> None:
    with world.store.write():
        world.store.execute(
            """
            INSERT INTO sends (contact_id, channel, purpose, state, due_at)
            VALUES (1, 'email', 'campaign', 'accepted', 0)
            """
        )
    tokens = keys(world).message(1)
    given_ = {"slug": KNOWN, "link": "1", "url": keys(world).personal(tokens.follow, "https://shop.example/")}
    people = ("consents", "consent_log", "suppressions")
    before, paths = {table: rows(world)[table] for table in people}, routes(world)
    emails = world.store.rows("SELECT id, email, phone, external_id, state FROM contacts WHERE id <= 2")
    with serving(world) as client:

        @given(st.sampled_from(paths), st.data())
        @QUIET
        def asked(path: str, data: st.DataObject) -> None:
            for name, value in given_.items():
                path = path.replace(f"{{{name}}}", value)
            params = re.findall(r"{(\w+)}", path)
            token = data.draw(st.sampled_from([tokens.follow, tokens.act, tokens.bounce]))
            if path[:3] in ("/o/", "/c/", "/r/"):
                path, params = path.replace("{token}", token), []
            ask(client, path, params, data.draw, data.draw(st.sampled_from([{}, SHOP])))

        asked()
    assert {table: rows(world)[table] for table in people} == before
    found = world.store.rows("SELECT id, email, phone, external_id, state FROM contacts WHERE id <= 2")
    assert [tuple(row) for row in found] == [tuple(row) for row in emails]


def test_whatever_the_holder_of_a_message_posts_is_no_fault(world: World) -> None:
    with world.store.write():
        world.store.execute(
            """
            INSERT INTO sends (contact_id, channel, purpose, state, due_at)
            VALUES (1, 'email', 'campaign', 'accepted', 0)
            """
        )
    act = keys(world).message(1).act
    names = st.sampled_from(["form", "get", "was_on", "was_off", "often", "pause", "untracked", "off", "confirm"])
    values = st.one_of(WORDS, st.sampled_from(["email", "sms", "push", "email:letters", "week", "30", "no", "1"]))
    fields = st.lists(st.tuples(names, values), max_size=12).map(urlencode).map(str.encode)
    with serving(world) as client:

        @given(st.sampled_from(["u", "prefs", "confirm"]), st.one_of(fields, BODIES), HEADERS)
        @QUIET
        def asked(room: str, body: bytes, headers: dict[str, str]) -> None:
            answer = client.post(f"/{room}/{act}", content=body, headers=headers)
            assert answer.status_code in (200, 400, 404), answer.text

        asked()
    assert world.store.value("SELECT count(*) FROM consents WHERE contact_id <> 1") == 0
