"""Events other systems tell of: signed, each recorded once and answered for."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from macli.clock import to_ms
from macli.responses import hooks, told
from tests.site import serving
from tests.world import NOW, World, add_contacts, new_world, remove

BODY = {
    "events": [
        {
            "id": "order-1001",
            "event": "order.paid",
            "contact": {"email": "C0@example.com"},
            "at": "2026-12-01T08:00:00Z",
            "properties": {"total": 99.5, "items": [{"sku": "A1", "count": 2}]},
        }
    ]
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = new_world(tmp_path)
    add_contacts(world.store, 2)
    hooks.make(world.store, world.path, "events")
    yield world
    world.store.close()


def signature(world: World, body: bytes, at: datetime = NOW) -> str:
    seconds = str(int(at.timestamp()))
    known = hooks.secret(world.path, "events").reveal()
    return f"t={seconds},v1={hmac.new(known.encode(), f'{seconds}.'.encode() + body, hashlib.sha256).hexdigest()}"


def post(client: TestClient, world: World, body: bytes | Any, *, at: datetime = NOW) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post("/hooks/events", content=content, headers={"X-Macli-Signature": signature(world, content, at)})


def event(**more: Any) -> dict[str, Any]:
    return {"id": "1", "event": "order.paid", "contact": {"email": "c0@example.com"}, **more}


def answers(world: World, *events: Any) -> list[Any]:
    with serving(world) as client:
        answer = post(client, world, {"events": list(events)})
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["events"]
    return found


def recorded(world: World) -> int:
    return int(world.store.value("SELECT count(*) FROM events WHERE source = 'hook' AND name <> 'contact.added'"))


def test_e19_an_event_is_recorded_with_its_time_and_properties_and_rules_read_them(world: World) -> None:
    with serving(world) as client:
        assert post(client, world, BODY).json() == {"events": [{"id": "order-1001", "status": "recorded"}]}
    row = world.store.row("SELECT * FROM events WHERE name = 'order.paid'")
    assert row is not None
    assert (row["contact_id"], row["at"], row["source"]) == (1, to_ms(NOW - timedelta(hours=1)), "hook")
    assert json.loads(row["properties"]) == {"total": 99.5, "items": [{"sku": "A1", "count": 2}]}
    from macli.selection.conditions import where_of

    for rule, found in (
        ("event order.paid with total > 99 within 2 hours", [1]),
        ("event order.paid with total > 100 within 2 hours", []),
    ):
        where = where_of(world.store, rule, NOW, world.engine().zone)
        ids = world.store.rows(f"SELECT id FROM contacts WHERE {where.sql}", where.params)
        assert [row["id"] for row in ids] == found


def test_a_repeated_event_is_known_whatever_else_it_says(world: World) -> None:
    assert answers(world, event())[0]["status"] == "recorded"
    again, other = answers(world, event(event="order.refunded"), event(id="2"))
    assert (again["status"], other["status"]) == ("known", "recorded")
    assert [row["status"] for row in answers(world, event(id="3"), event(id="3"))] == ["recorded", "known"]
    assert recorded(world) == 3


@pytest.mark.parametrize(
    ("contact", "found"),
    [
        ({"email": "c1@example.com"}, 2),
        ({"phone": "+1 416 555 0001"}, 2),
        ({"external_id": "crm-7"}, 1),
        ({"email": "new@example.com", "external_id": "crm-7"}, 1),
    ],
)
def test_a_contact_is_found_by_any_of_its_names(world: World, contact: dict[str, str], found: int) -> None:
    with world.store.write():
        world.store.execute("UPDATE contacts SET external_id = 'crm-7' WHERE id = 1")
    assert answers(world, event(contact=contact))[0]["status"] == "recorded"
    assert world.store.value("SELECT contact_id FROM events WHERE name = 'order.paid'") == found


def test_a_contact_is_made_only_where_that_is_asked(world: World) -> None:
    contact = {"email": "New@Example.com", "phone": "+48501000111"}
    refused = answers(world, event(contact=contact))[0]
    assert refused == {
        "id": "1",
        "status": "refused",
        "reason": 'no such contact; with "create": true it would be made',
    }
    assert answers(world, event(contact=contact, create=True))[0]["status"] == "recorded"
    row = world.store.row("SELECT email, phone, source FROM contacts WHERE id = 3")
    assert row is not None
    assert tuple(row) == ("new@example.com", "+48501000111", "hook")


def test_a_removed_contact_is_nobody_and_comes_back_when_asked(world: World) -> None:
    remove(world, 1)
    assert answers(world, event())[0]["status"] == "refused"
    assert answers(world, event(create=True))[0]["status"] == "recorded"
    assert world.store.value("SELECT count(*) FROM events WHERE name = 'contact.readded'") == 1


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (5, "an object"),
        ({"id": "1"}, "event has to be"),
        (event(id=""), "id has to be"),
        (event(id=7), "id has to be"),
        (event(id="x" * 201), "id has to be"),
        (event(event="Order Paid"), "is no event name"),
        (event(contact="c0@example.com"), "contact is an object"),
        (event(contact={"name": "Ann"}), "contact is an object"),
        (event(contact={"email": "nobody"}), "is no e-mail address"),
        (event(contact={"email": None}), "are texts"),
        (event(contact={"phone": "12"}), "is no phone number"),
        (event(at="yesterday-ish"), "is no time"),
        (event(at="2027-12-01T00:00:00Z"), "future"),
        (event(at=1e300), "is no time"),
        (event(at=True), "at is a time"),
        (event(properties=[1]), "properties is an object"),
        (event(properties={"": 1}), "attribute"),
        (event(properties={"a": "x" * 20_000}), "longer than"),
        (event(properties={"a": [[[[[[[[[1]]]]]]]]]}), "deep"),
        (event(create="yes"), "create is true or false"),
        (event(who="me"), "'who' is no part"),
        (event(event="contact.removed"), "says what macli itself did"),
        (event(event="consent.granted"), "says what macli itself did"),
    ],
)
def test_what_is_wrong_with_one_event_is_said_and_the_others_are_recorded(world: World, wrong: Any, why: str) -> None:
    first, second = answers(world, wrong, event(id="good"))
    assert (first["status"], second["status"]) == ("refused", "recorded")
    assert why in first["reason"]
    assert recorded(world) == 1


def test_a_number_that_several_contacts_have_names_none_of_them(world: World) -> None:
    with world.store.write():
        world.store.execute("UPDATE contacts SET phone = '+14165550000'")
    assert answers(world, event(contact={"phone": "+14165550000"}))[0]["reason"] == "several contacts have this phone"


def test_what_is_not_signed_is_refused_and_nothing_is_recorded(world: World) -> None:
    body = json.dumps(BODY).encode()
    good = signature(world, body)
    seconds, tag = good.removeprefix("t=").split(",v1=")
    with serving(world) as client:
        for given in (
            "",
            "t=,v1=",
            f"v1={tag}",
            f"t={seconds}",
            f"t={seconds},v1={tag[:-1]}0" if tag[-1] != "0" else f"t={seconds},v1={tag[:-1]}1",
            f"t={int(seconds) + 1},v1={tag}",
            f"t={seconds},t={seconds},v1={tag}",
            f"t=٣,v1={tag}".encode().decode("latin-1"),
        ):
            headers = {"X-Macli-Signature": given.encode("latin-1")}
            assert client.post("/hooks/events", content=body, headers=headers).status_code == 403  # type: ignore[arg-type]
        changed = body.replace(b"99.5", b"11.5")
        assert client.post("/hooks/events", content=changed, headers={"X-Macli-Signature": good}).status_code == 403
    assert recorded(world) == 0


@pytest.mark.parametrize(("minutes", "status"), [(-6, 403), (-4, 200), (4, 200), (6, 403)])
def test_a_signature_holds_five_minutes(world: World, minutes: int, status: int) -> None:
    with serving(world) as client:
        assert post(client, world, BODY, at=NOW + timedelta(minutes=minutes)).status_code == status


def test_a_replay_within_its_minutes_records_nothing_again(world: World) -> None:
    with serving(world) as client:
        assert post(client, world, BODY).json()["events"][0]["status"] == "recorded"
        assert post(client, world, BODY).json()["events"][0]["status"] == "known"
    assert recorded(world) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"events": 1}',
        b'{"events": [{"id": NaN}]}',
        b'{"events": ["\\ud800"]}',
        b"\xff",
        b"[" * 100_000,
        json.dumps({"events": [0] * (told.MOST + 1)}).encode(),
        b'{"events": [' + b"9" * 5000 + b"]}",
    ],
    ids=range(10),
)
def test_a_body_of_another_shape_is_refused_whole(world: World, body: bytes) -> None:
    with serving(world) as client:
        assert post(client, world, body).status_code == 400
    assert recorded(world) == 0


def test_a_body_too_long_is_refused(world: World) -> None:
    with serving(world) as client:
        assert post(client, world, b" " * (1024 * 1024 + 1)).status_code == 413


def test_without_a_secret_the_hook_takes_nothing(world: World) -> None:
    body = json.dumps(BODY).encode()
    given = signature(world, body)
    hooks.secret(world.path, "events").path.unlink()
    with serving(world) as client:
        answer = client.post("/hooks/events", content=body, headers={"X-Macli-Signature": given})
    assert answer.status_code == 403
    assert "macli hook secret events" in answer.text


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = st.sampled_from(["id", "event", "contact", "at", "properties", "create", "x"])
GOOD = st.sampled_from(
    ["order.paid", "1", {"email": "c0@example.com"}, {"phone": "+1"}, True, {}, "2026-12-01", 10**18]
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(VALUES | st.dictionaries(MEMBERS, VALUES | GOOD), max_size=4))
def test_whatever_is_signed_is_answered_event_by_event(world: World, events: list[Any]) -> None:
    before = recorded(world)
    with serving(world) as client:
        answer = post(client, world, {"events": events})
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        said = [one["status"] for one in answer.json()["events"]]
        assert len(said) == len(events)
        assert recorded(world) == before + said.count("recorded")
    world.store.value("SELECT count(properties ->> 'a') FROM events")  # what is stored is JSON
