"""The tracker's door: who may tell what, each thing once, and what a stranger's word is worth."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from macli import contacts
from macli.clock import to_ms
from macli.model import AttributeType
from macli.signing import Keyring
from macli.store import attributes
from macli.store import settings as kept
from macli.visitors import keys as tracker_keys
from macli.visitors.recording import successor
from macli.web import tracker
from tests.site import keys, serving
from tests.world import NOW, World, add_contacts, new_world

ANN = "a" * 22
SHOP = {"Origin": "https://www.shop.example"}
PAGE = {"id": "p1", "name": "page.visited", "url": "https://www.shop.example/prices/?a=1#top", "title": "Prices"}


@pytest.fixture
def world(tmp_path) -> World:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 2)
    kept.put(world.store, NOW, "public_url", "https://news.example")
    kept.put(world.store, NOW, "tracker.domains", "*.shop.example")
    tracker_keys.make(world.path)
    return world


@pytest.fixture
def site(world: World) -> Iterator[TestClient]:
    with serving(world) as client:
        yield client


@pytest.fixture
def server(world: World) -> dict[str, str]:
    return {"Authorization": f"Bearer {tracker_keys.read(world.path)}"}


def declare(world: World, name: str, kind: AttributeType = "text") -> None:
    attributes.declare(world.store, to_ms(NOW), name, kind)


def log(world: World) -> list[dict[str, Any]]:
    return [
        {**json.loads(row["properties"]), **{name: row[name] for name in ("contact_id", "visitor_id", "name", "at")}}
        for row in world.store.rows("SELECT * FROM events ORDER BY id")
    ]


def named(world: World, name: str) -> list[dict[str, Any]]:
    return [event for event in log(world) if event["name"] == name]


def known(world: World, email: str) -> dict[str, Any] | None:
    row = world.store.row("SELECT id, state, attributes FROM contacts WHERE email = :email", {"email": email})
    return None if row is None else {"id": row["id"], "state": row["state"], **json.loads(row["attributes"])}


def proof(world: World, text: str) -> str:
    key = tracker_keys.read(world.path)
    assert key is not None
    return hmac.new(key.encode(), text.lower().encode(), hashlib.sha256).hexdigest()


# Who may speak


def test_g18_a_page_of_ours_tells_of_a_visit(world: World, site: TestClient) -> None:
    answer = site.post("/t", json={"v": ANN, "events": [PAGE]}, headers=SHOP)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "https://www.shop.example"
    [event] = log(world)
    assert event["contact_id"] is None
    assert event["visitor_id"] is not None
    assert event["url"] == "https://www.shop.example/prices/?a=1#top"
    assert event["page"] == "https://www.shop.example/prices?a=1"
    assert (event["title"], event["at"]) == ("Prices", to_ms(NOW))


def test_a_beacon_is_plain_text(world: World, site: TestClient) -> None:
    body = json.dumps({"v": ANN, "events": [PAGE]})
    assert site.post("/t", content=body, headers={**SHOP, "Content-Type": "text/plain"}).status_code == 204
    assert len(log(world)) == 1


def test_other_pages_and_nameless_callers_are_refused(world: World, site: TestClient) -> None:
    for headers in (
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "https://shop.example.evil.example"},
        {"Origin": "null"},
        {"Origin": "https://["},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic eDp5"},
        {**SHOP, "Authorization": "Bearer "},
    ):
        answer = site.post("/t", json={"v": ANN, "events": [PAGE]}, headers=headers)
        assert answer.status_code in (401, 403), headers
    assert log(world) == []
    assert site.options("/t", headers={"Origin": "https://evil.example"}).status_code == 403


def test_a_browser_asks_first_and_is_allowed(site: TestClient) -> None:
    answer = site.options("/t", headers={**SHOP, "Access-Control-Request-Method": "POST"})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "https://www.shop.example"
    assert "content-type" in answer.headers["access-control-allow-headers"]


def test_without_domains_only_the_own_pages_speak(world: World) -> None:
    kept.put(world.store, NOW, "tracker.domains", "")
    with serving(world) as site:
        assert site.post("/t", json={"v": ANN, "events": [PAGE]}, headers=SHOP).status_code == 403
        own = {"Origin": "https://news.example"}
        assert site.post("/t", json={"v": ANN, "events": [PAGE]}, headers=own).status_code == 204


# What happened


def test_an_event_told_twice_is_one(world: World, site: TestClient) -> None:
    for _ in range(3):
        site.post("/t", json={"v": ANN, "events": [PAGE, {"id": "x", "name": "video.played"}]}, headers=SHOP)
    assert [event["name"] for event in log(world)] == ["page.visited", "video.played"]
    site.post("/t", json={"v": "b" * 22, "events": [PAGE]}, headers=SHOP)
    assert len(log(world)) == 3


def test_e08_time_on_a_page_is_told_when_it_is_left(world: World, site: TestClient) -> None:
    left = {**PAGE, "id": "p2", "name": "page.left", "duration": 42.7}
    site.post("/t", json={"v": ANN, "events": [PAGE, left]}, headers=SHOP)
    site.post("/t", json={"v": ANN, "events": [{**PAGE, "id": "p3", "duration": 5}]}, headers=SHOP)
    assert [(event["name"], event.get("seconds")) for event in log(world)] == [
        ("page.visited", None),
        ("page.left", 42),
        ("page.visited", None),
        ("page.left", 5),
    ]


def test_the_clock_of_a_browser_is_bounded_and_set_right(world: World, site: TestClient) -> None:
    now = to_ms(NOW)
    day = 24 * 3600 * 1000
    for at, sent in ((now + day, None), (now - 30 * day, None), (now - 1000, None), (5_000, 8_000), ("junk", None)):
        event = {"name": "video.played", "at": at}
        site.post("/t", json={"v": ANN, "sent": sent, "events": [event]}, headers=SHOP)
    assert [event["at"] for event in log(world)] == [now, now - 7 * day, now - 1000, now - 3_000]


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00+12:00", "2026-01-01T00:00+99:99"])
def test_a_time_no_calendar_has_is_refused(world: World, site: TestClient, server, at: str) -> None:
    said = site.post("/t", json={"v": ANN, "events": [{**PAGE, "at": at}]}, headers=server)
    assert (said.status_code, said.json()["recorded"]) == (200, 0)
    assert "is no time" in said.json()["refused"][0]["why"]


def test_a_server_tells_of_the_past_but_not_of_the_future(world: World, site: TestClient, server) -> None:
    for at in ("2020-01-01T00:00:00Z", "2099-01-01T00:00:00+02:00"):
        message = {"identify": {"email": "c0@example.com"}, "events": [{"name": "order.paid", "at": at}]}
        assert site.post("/t", json=message, headers=server).json() == {"recorded": 1, "refused": []}
    assert [event["at"] for event in log(world)] == [1_577_836_800_000, to_ms(NOW)]


def test_macli_s_own_events_are_not_a_tracker_s_to_tell(world: World, site: TestClient, server) -> None:
    names = ["email.opened", "consent.granted", "contact.added", "cart.abandoned", "tag.x", "Bad Name", "", 5, None]
    events = [{"name": name} for name in names] + [{"name": "cart.updated"}, "no object"]
    message = {"identify": {"email": "c0@example.com"}, "events": events}
    said = site.post("/t", json=message, headers=server).json()
    assert said["recorded"] == 1
    assert [one["what"] for one in said["refused"]] == [f"events[{number}]" for number in (*range(9), 10)]
    assert [event["name"] for event in log(world)] == ["cart.updated"]
    assert site.post("/t", json={"v": ANN, "events": events}, headers=SHOP).status_code == 204
    assert len(log(world)) == 2


def test_the_token_of_a_mail_joins_its_contact_and_leaves_the_address(world: World, site: TestClient) -> None:
    from macli.tick.tick import run_tick
    from tests.world import add_campaign

    add_campaign(world.store, "spring", entry={"rule": 'email = "c1@example.com"'})
    run_tick(world.engine())
    send_id = world.store.value("SELECT id FROM sends")
    follow = keys(world).message(send_id).follow
    page = {**PAGE, "url": f"https://www.shop.example/?_mc={follow}&q=1"}
    site.post("/t", json={"v": ANN, "m": follow, "events": [page]}, headers=SHOP)
    [visit] = named(world, "page.visited")
    assert (visit["contact_id"], visit["url"]) == (2, "https://www.shop.example/?q=1")
    site.post("/t", json={"v": "b" * 22, "m": "1.forged", "events": [PAGE]}, headers=SHOP)
    assert named(world, "page.visited")[1]["contact_id"] is None
    # A browser that is somebody's already stays so, whoever's mail it was led by.
    site.post("/t", json={"v": "c" * 22, "identify": {"email": "c0@example.com"}}, headers=SHOP)
    site.post("/t", json={"v": "c" * 22, "m": follow, "events": [PAGE]}, headers=SHOP)
    assert named(world, "page.visited")[2]["contact_id"] == 1


# Who it is


def test_t5_a_visitor_who_says_who_it_is_becomes_a_contact_with_its_history(world: World, site: TestClient) -> None:
    declare(world, "first_name")
    site.post("/t", json={"v": ANN, "events": [PAGE]}, headers=SHOP)
    identity = {"email": "Ann@Example.com", "traits": {"first_name": "Ann"}}
    assert site.post("/t", json={"v": ANN, "identify": identity}, headers=SHOP).status_code == 204
    ann = known(world, "ann@example.com")
    assert ann is not None
    assert ann["first_name"] == "Ann"
    assert [event["contact_id"] for event in named(world, "page.visited")] == [ann["id"]]
    assert len(named(world, "contact.added")) == 1
    assert world.store.value("SELECT source FROM contacts WHERE email = 'ann@example.com'") == "tracker"


def test_a_stranger_s_word_fills_what_is_empty_and_changes_nothing(world: World, site: TestClient) -> None:
    declare(world, "city")
    identity = {
        "email": "c0@example.com",
        "external_id": "boss",
        "state": "customer",
        "traits": {"first_name": "Mallory", "city": "Rome", "invented": "x", "email": "m@evil.example"},
    }
    assert site.post("/t", json={"v": ANN, "identify": identity}, headers=SHOP).status_code == 204
    contact = known(world, "c0@example.com")
    assert contact == {"id": 1, "state": "lead", "first_name": "Contact 0", "number": 0, "city": "Rome"}
    assert "invented" not in attributes.types(world.store)
    assert known(world, "m@evil.example") is None
    assert world.store.value("SELECT external_id FROM contacts WHERE id = 1") is None


def test_a_stranger_s_word_brings_nobody_back(world: World, site: TestClient, server) -> None:
    contacts.remove_where(world.store, NOW, contacts.ONE, {"one_contact": 1}, "test")
    for headers in (SHOP, server):
        site.post("/t", json={"v": ANN, "identify": {"email": "c0@example.com"}, "events": [PAGE]}, headers=headers)
    assert named(world, "contact.readded") == []
    assert [event["contact_id"] for event in named(world, "page.visited")] == [None]


def test_e10_e12_g20_a_proof_of_the_site_s_server_changes_what_is_known(world: World, site: TestClient) -> None:
    identity = {
        "email": "C0@example.com",
        "state": "customer",
        "traits": {"first_name": "Ann", "plan": "trial"},
        "proof": proof(world, "c0@example.com"),
    }
    for _ in range(2):
        site.post("/t", json={"v": ANN, "identify": identity}, headers=SHOP)
    changes = [(event["contact_id"], event.get("old"), event["value"]) for event in named(world, "attribute.changed")]
    assert sorted(changes) == [(1, "Contact 0", "Ann"), (1, "lead", "customer")]
    assert [event["value"] for event in named(world, "attribute.set")] == ["trial"]


def test_a_proof_of_another_address_proves_nothing(world: World, site: TestClient) -> None:
    for wrong in (proof(world, "c1@example.com"), "", "0" * 64, "ü", proof(world, "not an address")):
        for own in ({"email": "c0@example.com"}, {"email": "not an address", "phone": "+14165550000"}):
            identity = {**own, "traits": {"first_name": "Mallory"}, "proof": wrong}
            assert site.post("/t", json={"v": ANN, "identify": identity}, headers=SHOP).status_code == 204
    assert known(world, "c0@example.com")["first_name"] == "Contact 0"


def test_e10_what_comes_with_a_new_contact_is_no_change_of_it(world: World, site: TestClient, server) -> None:
    identity = {"email": "new@example.com", "external_id": 77, "traits": {"plan": "trial"}}
    site.post("/t", json={"identify": identity}, headers=server)
    assert [event["name"] for event in log(world)] == ["contact.added"]
    assert world.store.value("SELECT email FROM contacts WHERE external_id = '77'") == "new@example.com"


def test_g20_a_server_s_word_is_taken_and_what_is_wrong_is_told(world: World, site: TestClient, server) -> None:
    identity = {
        "email": "c0@example.com",
        "state": "pope",
        "traits": {"first_name": "Ann", "number": "many", "list": [1], "gone": None, "locale": "pl"},
    }
    message = {"v": ANN, "identify": identity, "events": [{"id": "1", "name": "trial.ended"}]}
    said = site.post("/t", json=message, headers=server).json()
    assert said["recorded"] == 1
    assert {one["what"] for one in said["refused"]} == {
        "identify.state",
        "identify.traits.number",
        "identify.traits.list",
    }
    assert known(world, "c0@example.com")["first_name"] == "Ann"
    assert world.store.value("SELECT locale FROM contacts WHERE id = 1") == "pl"
    assert named(world, "trial.ended")[0]["contact_id"] == 1


def test_an_event_of_nobody_is_refused(world: World, site: TestClient, server) -> None:
    said = site.post("/t", json={"events": [{"name": "order.paid"}]}, headers=server).json()
    assert said["recorded"] == 0
    assert said["refused"][0]["what"] == "events"
    assert log(world) == []


def test_the_second_person_at_a_browser_gets_a_token_of_her_own(world: World, site: TestClient) -> None:
    site.post("/t", json={"v": ANN, "identify": {"email": "c0@example.com"}, "events": [PAGE]}, headers=SHOP)
    second = {"v": ANN, "identify": {"email": "c1@example.com"}, "events": [{**PAGE, "id": "p9"}]}
    answers = [site.post("/t", json=second, headers=SHOP).json() for _ in range(2)]
    assert answers == [{"v": successor(keys(world), ANN, 2)}] * 2
    assert [event["contact_id"] for event in named(world, "page.visited")] == [1, 2]


def test_a_shared_phone_number_names_nobody(world: World, site: TestClient, server) -> None:
    with world.store.write():
        world.store.execute("UPDATE contacts SET phone = '+14165550000'")
    identity = {"phone": "+14165550000", "traits": {"first_name": "Mallory"}}
    assert site.post("/t", json={"v": ANN, "identify": identity}, headers=SHOP).status_code == 204
    assert site.post("/t", json={"v": ANN, "identify": identity}, headers=server).json()["refused"]
    assert named(world, "attribute.changed") == []
    assert world.store.value("SELECT count(*) FROM contacts") == 2


def test_an_external_id_needs_a_proof(world: World, site: TestClient) -> None:
    with world.store.write():
        world.store.execute("UPDATE contacts SET external_id = '42' WHERE id = 1")
    for number, proven in ((1, "0" * 64), (2, proof(world, "42"))):
        identity = {"external_id": 42, "proof": proven, "traits": {"first_name": "Ann"}}
        message = {"v": f"{number:022}", "identify": identity, "events": [PAGE]}
        assert site.post("/t", json=message, headers=SHOP).status_code == 204
    assert [event["contact_id"] for event in named(world, "page.visited")] == [None, 1]


def test_strangers_cannot_make_contacts_without_end(world: World, site: TestClient) -> None:
    for number in range(40):
        message = {"v": f"{number:022}", "identify": {"email": f"x{number}@example.com"}, "events": [PAGE]}
        assert site.post("/t", json=message, headers=SHOP).status_code == 204
    assert world.store.value("SELECT count(*) FROM contacts WHERE source = 'tracker'") == 30
    assert len(named(world, "page.visited")) == 40


def test_a_limit_tells_nobody_which_addresses_are_known(world: World, site: TestClient) -> None:
    def said(email: str, number: int = 0, address: str = "2001:db8::") -> tuple[int, str]:
        message = {"v": f"{number:022}", "identify": {"email": email}}
        # A household has a whole network of IPv6, so that another address in it is the same one.
        answer = site.post("/t", json=message, headers={**SHOP, "X-Forwarded-For": f"{address}{number}"})
        return answer.status_code, answer.text

    for number in range(29):
        said(f"x{number}@example.com", number + 1)
    assert said("me@evil.example") == (204, "")
    assert said("c0@example.com") == said("c0@example.com", 77) == said("nobody@example.com") == (204, "")
    assert world.store.value("SELECT count(*) FROM visitors WHERE contact_id = 1") == 0
    assert said("me@evil.example") == (204, "")
    assert said("c0@example.com", 99, address="2001:db8:1::") == (204, "")
    assert world.store.value("SELECT count(*) FROM visitors WHERE contact_id = 1") == 1


def test_a_second_token_says_nothing_of_whose_it_is(world: World, site: TestClient) -> None:
    site.post("/t", json={"v": ANN, "identify": {"email": "c0@example.com"}}, headers=SHOP)
    given = site.post("/t", json={"v": ANN, "identify": {"email": "c1@example.com"}}, headers=SHOP).json()["v"]
    plain = hashlib.sha256(f"{ANN} 2".encode()).digest()[:16]
    assert given != urlsafe_b64encode(plain).decode().rstrip("=")
    assert given != successor(Keyring((b"0" * 32,)), ANN, 2)


def test_browsers_of_one_address_cannot_fill_the_store(world: World, site: TestClient, server, monkeypatch) -> None:
    monkeypatch.setattr(tracker, "_MOST_TOLD", 5_000)
    messages = [{"v": f"{number:022}", "events": [PAGE]} for number in range(7)]
    assert [site.post("/t", json=one, headers=SHOP).status_code for one in messages] == [204] * 4 + [429] * 3
    assert world.store.value("SELECT count(*) FROM visitors") == 4
    assert site.post("/t", json=messages[6], headers=server).status_code == 200


def test_the_script_is_served_to_pages_everywhere(site: TestClient) -> None:
    answer = site.get("/m.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "const popups = [];" in answer.text
    assert site.post("/m.js").status_code == 405


# What is no message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{",
        b"[" * 60_000,
        b'{"events": 5}',
        b'{"events": [{"name": "a.b", "props": {"x": NaN}}]}',
        b'{"v": "short", "events": [{"name": "a.b"}]}',
        json.dumps({"v": ANN, "events": [{"name": "a.b"}] * 51}).encode(),
    ],
)
def test_what_is_no_message_is_a_plain_400(world: World, site: TestClient, body: bytes) -> None:
    answer = site.post("/t", content=body, headers=SHOP)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert "Traceback" not in answer.text
    assert log(world) == []
    assert world.store.value("SELECT count(*) FROM visitors") == 0


def test_a_message_that_is_too_long_is_a_413(site: TestClient) -> None:
    assert site.post("/t", content=b" " * 70_000, headers=SHOP).status_code == 413


def test_values_that_would_harm_the_store_are_cleaned_or_refused(world: World, site: TestClient) -> None:
    raw = (
        f'{{"v": "{ANN}", "events": ['
        '{"name": "a.b", "props": {"text": "a\\u0000b\\ud800c", "A b-C": [1, {"x": null}]}},'
        '{"name": "a.c", "props": {"n": 1e999}},'
        '{"name": "a.d", "props": {"n": 99999999999999999999999999}},'
        '{"name": "a.e", "props": {"deep": [[[[[1]]]]]}},'
        '{"name": "a.f", "props": {"!": 1}},'
        '{"name": "a.g", "title": {"x": 1}, "url": "javascript:alert(1)"}]}'
    )
    assert site.post("/t", content=raw, headers=SHOP).status_code == 204
    [event] = log(world)
    assert (event["text"], event["a_b_c"]) == ("a b c", [1, {"x": None}])
    assert world.store.value("SELECT properties ->> 'text' FROM events") == "a b c"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from(["page.visited", "page.left", "order.paid", "email.opened"]) | st.text(max_size=8)
_EVENT = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["a", "b"]) | _JSON,
        "name": _NAMES | _JSON,
        "url": st.sampled_from(["https://shop.example/", "//x", "http://["]) | _JSON,
        "title": _JSON,
        "at": st.integers()
        | st.floats()
        | st.sampled_from(["2026-02-30T00:00:00Z", "9999-12-31T23:59:59-12:00"])
        | _JSON,
        "props": st.dictionaries(st.text(max_size=8), _JSON, max_size=3) | _JSON,
        "duration": _JSON,
    },
)
_MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "v": st.sampled_from([ANN, "b" * 22]) | _JSON,
        "m": _JSON,
        "sent": _JSON,
        "events": st.lists(_EVENT | _JSON, max_size=4) | _JSON,
        "identify": st.fixed_dictionaries(
            {},
            optional={
                "email": st.sampled_from(["c0@example.com", "x@example.com", "@"]) | _JSON,
                "phone": st.sampled_from(["+14165550001", "+"]) | _JSON,
                "external_id": _JSON,
                "traits": st.dictionaries(
                    st.sampled_from(["first_name", "number", "locale", "new"]) | st.text(max_size=5), _JSON, max_size=3
                )
                | _JSON,
                "state": _JSON,
                "proof": _JSON,
            },
        )
        | _JSON,
    },
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(message=_MESSAGE | _JSON, as_server=st.booleans())
def test_nothing_that_is_sent_is_a_500(world, site, server, message, as_server) -> None:
    answer = site.post("/t", content=json.dumps(message), headers=server if as_server else SHOP)
    assert answer.status_code in (200, 204, 400)
    assert world.store.value("SELECT count(*) FROM events WHERE NOT json_valid(properties)") == 0
    assert world.store.value("SELECT count(*) FROM contacts WHERE NOT json_valid(attributes)") == 0
    assert world.store.value("SELECT count(*) FROM events WHERE at > :now", {"now": to_ms(NOW + timedelta(0))}) == 0
