"""Twilio's posts: signed by the right account, in any order, any number of times; and what recipients write."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from twilio.request_validator import RequestValidator
from web_server import Answer, web_server

from macli import contacts
from macli.clock import to_ms
from macli.store import providers
from macli.store import settings as store_settings
from tests.site import serving
from tests.world import NOW, World, add_campaign, add_contacts, add_template, new_world, opt_in, opt_out

MAIN, POLAND = "AC" + "a" * 32, "AC" + "b" * 32
PUBLIC = "https://news.example"
SID = "SM" + "1" * 32
NUMBER = "+14165550000"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("TOKEN", "main-token")
    monkeypatch.setenv("TOKEN_PL", "polish-token")
    world = new_world(tmp_path)
    add_contacts(world.store, 2)
    store_settings.put(world.store, NOW, "public_url", PUBLIC)
    store_settings.put(world.store, NOW, "sender.name", "Shop & Co")
    add_provider(world)
    yield world
    world.store.close()


def add_provider(world: World, name: str = "texts", **more: Any) -> None:
    given = {
        "account_sid": MAIN,
        "auth_token": "env:TOKEN",
        "from": "+15005550006",
        "routes": [{"prefix": "+48", "account_sid": POLAND, "auth_token": "env:TOKEN_PL", "from": "+48500100200"}],
        **more,
    }
    providers.add(world.store, NOW, name, "twilio", given, workspace=world.path)


def add_send(world: World, *, state: str = "accepted", reference: str | None = SID, contact_id: int = 1) -> int:
    with world.store.write():
        return int(
            world.store.value(
                """
                INSERT INTO sends (contact_id, channel, state, address, due_at, left_at, reference)
                VALUES (?, 'sms', ?, ?, 0, 0, ?)
                RETURNING id
                """,
                (contact_id, state, NUMBER, reference),
            )
        )


def key_of(world: World, send_id: int) -> str:
    token = world.store.value("SELECT value FROM meta WHERE key = 'store'")[:8]
    return f"{send_id}.{token}"


def post(
    client: TestClient, path: str, params: dict[str, str], *, token: str = "main-token", url: str | None = None
) -> Any:
    """Post as Twilio does; signed by its own library, for ``url`` where that is another than the real one."""
    signature = RequestValidator(token).compute_signature(url or f"{PUBLIC}{path}", params)
    return client.post(
        path,
        content=urlencode(params),
        headers={"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature},
    )


def status(client: TestClient, word: str, **more: str) -> Any:
    path = more.pop("path", "/hooks/twilio/texts")
    token = more.pop("token", "main-token")
    params = {"MessageSid": SID, "SmsSid": SID, "AccountSid": MAIN, "MessageStatus": word, "To": NUMBER, **more}
    return post(client, path, params, token=token)


def wrote(client: TestClient, text: str, *, sid: str = "SM" + "2" * 32, number: str = NUMBER, **more: str) -> Any:
    params = {
        "MessageSid": sid,
        "AccountSid": MAIN,
        "From": number,
        "To": "+15005550006",
        "Body": text,
        "NumMedia": "0",
        **more,
    }
    return post(client, "/hooks/twilio/texts/inbound", params)


def state(world: World) -> str:
    return str(world.store.value("SELECT state FROM sends"))


def names(world: World) -> list[str]:
    rows = world.store.rows(
        "SELECT name FROM events WHERE name NOT LIKE 'consent.%' AND name NOT LIKE 'contact.%' ORDER BY id"
    )
    return [row["name"] for row in rows]


def consent(world: World, channel: str, contact_id: int = 1) -> str | None:
    sql = "SELECT status FROM consents WHERE contact_id = ? AND channel = ? AND topic = ''"
    found: str | None = world.store.value(sql, (contact_id, channel))
    return found


# Status callbacks


def test_p29_an_undelivered_message_has_failed_and_says_why(world: World) -> None:
    add_send(world)
    with serving(world) as client:
        answer = status(client, "undelivered", ErrorCode="30005", ErrorMessage="Unknown destination handset")
    assert (answer.status_code, answer.content) == (204, b"")
    row = world.store.row("SELECT state, code FROM sends")
    assert row is not None
    assert tuple(row) == ("bounced", "30005 undelivered: Unknown destination handset")
    assert names(world) == ["address.invalid"]
    assert world.store.value("SELECT reason FROM suppressions WHERE address = ?", (NUMBER,)) == "invalid"


def test_p29_the_reason_stands_in_the_list_of_messages(world: World, macli: Any) -> None:
    add_send(world)
    with serving(world) as client:
        status(client, "undelivered", ErrorCode="30007", ErrorMessage="Carrier violation")
    shown = macli("--workspace", str(world.path), "message", "list", "--state", "rejected", "--json")
    assert "30007 undelivered: Carrier violation" in shown.out


def test_reports_out_of_turn_and_repeated_end_as_the_last_would(world: World) -> None:
    add_send(world, state="sending", reference=SID)
    with serving(world) as client:
        for word in ("delivered", "queued", "sent", "delivered", "sending", "sent", "undelivered"):
            assert status(client, word).status_code == 204
    assert state(world) == "delivered"
    assert names(world) == ["sms.delivered"]


def test_a_report_that_comes_before_the_answer_finds_its_message_by_the_key(world: World) -> None:
    send_id = add_send(world, state="sending", reference=None)
    with serving(world) as client:
        assert status(client, "sent", path=f"/hooks/twilio/texts?key={key_of(world, send_id)}").status_code == 204
    row = world.store.row("SELECT state, reference FROM sends")
    assert row is not None
    assert tuple(row) == ("accepted", SID)


@pytest.mark.parametrize(
    ("code", "end", "event"),
    [
        ("21610", "rejected", "sms.opted_out"),
        ("30006", "bounced", "address.invalid"),
        ("30007", "rejected", "sms.failed"),
        ("30003", "failed", "sms.failed"),
        ("30002", "failed", "sms.failed"),
        ("", "failed", "sms.failed"),
    ],
)
def test_what_a_failure_means_depends_on_the_code(world: World, code: str, end: str, event: str) -> None:
    add_send(world)
    with serving(world) as client:
        status(client, "failed", ErrorCode=code)
    assert state(world) == end
    assert names(world) == [event]


def test_a_report_on_a_message_nobody_knows_is_nothing(world: World) -> None:
    with serving(world) as client:
        assert status(client, "delivered").status_code == 204
    assert names(world) == []


# Whose word it is


def test_p30_a_sub_accounts_messages_are_signed_with_its_own_token(world: World) -> None:
    add_send(world)
    with serving(world) as client:
        assert status(client, "delivered", AccountSid=POLAND, token="main-token").status_code == 403
        assert status(client, "delivered", AccountSid=MAIN, token="polish-token").status_code == 403
        assert state(world) == "accepted"
        assert status(client, "delivered", AccountSid=POLAND, token="polish-token").status_code == 204
    assert state(world) == "delivered"


@pytest.mark.parametrize(
    "forged",
    [
        lambda client: status(client, "delivered", token="another"),
        lambda client: status(client, "delivered", AccountSid="AC" + "f" * 32),
        lambda client: status(client, "delivered", AccountSid=""),
        lambda client: post(
            client,
            "/hooks/twilio/texts",
            {"MessageSid": SID, "AccountSid": MAIN, "MessageStatus": "delivered"},
            url="https://elsewhere.example/hooks/twilio/texts",
        ),
        lambda client: client.post("/hooks/twilio/texts", data={"MessageSid": SID, "AccountSid": MAIN}),
        lambda client: client.post(
            "/hooks/twilio/texts",
            data={"MessageSid": SID, "AccountSid": MAIN, "MessageStatus": "failed"},
            headers={
                "X-Twilio-Signature": RequestValidator("main-token").compute_signature(
                    f"{PUBLIC}/hooks/twilio/texts",
                    {"MessageSid": SID, "AccountSid": MAIN, "MessageStatus": "delivered"},
                )
            },
        ),
    ],
    ids=["token", "account", "no account", "address", "no signature", "changed"],
)
def test_what_twilio_did_not_sign_is_refused_and_not_stored(world: World, forged: Callable[[TestClient], Any]) -> None:
    add_send(world)
    with serving(world) as client:
        assert forged(client).status_code == 403
    assert state(world) == "accepted"
    assert names(world) == []


def test_without_a_public_address_nothing_can_be_checked_and_nothing_is_taken(world: World) -> None:
    store_settings.unset(world.store, "public_url")
    add_send(world)
    with serving(world) as client:
        assert status(client, "delivered").status_code == 403


def test_the_address_is_signed_as_it_was_posted_with_its_query_empty_values_and_signs(world: World) -> None:
    add_provider(world, "texts é 2")
    add_send(world)
    with serving(world) as client:
        answer = status(
            client, "delivered", path="/hooks/twilio/texts%20%C3%A9%202?key=&a=b%20c", RawDlrDoneDate="", New="+& ="
        )
    assert answer.status_code == 204
    assert state(world) == "delivered"


def test_a_provider_of_another_kind_or_name_is_not_there(world: World) -> None:
    with serving(world) as client:
        assert status(client, "sent", path="/hooks/twilio/other").status_code == 404
        assert status(client, "sent", path="/hooks/twilio/outbox").status_code == 404
        assert client.get("/hooks/twilio/texts").status_code == 405


def test_a_body_too_long_is_refused(world: World) -> None:
    with serving(world) as client:
        assert wrote(client, "x" * 70_000).status_code == 413


def test_messages_say_where_to_report(world: World) -> None:
    from macli.tick.compose import load_provider

    with web_server(lambda asked: Answer(201, {"sid": SID, "status": "queued", "error_code": None})) as server:
        providers.edit(world.store, NOW, "texts", {"api_base": server.url}, workspace=world.path)
        row = providers.get(world.store, "texts")
        from macli.model import Sms
        from macli.providers import send_one

        send_one(load_provider(world.engine(), row), Sms(send_id=7, key="7.shop", to=NUMBER, text="Hi"))
        store_settings.put(world.store, NOW, "public_url", "http://localhost:8000")
        send_one(load_provider(world.engine(), row), Sms(send_id=8, key="8.shop", to=NUMBER, text="Hi"))
    assert server.asked[0].form["StatusCallback"] == f"{PUBLIC}/hooks/twilio/texts?key=7.shop"
    assert "StatusCallback" not in server.asked[1].form


# What recipients write


def replied(answer: Any) -> list[str]:
    """The messages in a TwiML answer."""
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/xml")
    return [message.text or "" for message in ElementTree.fromstring(answer.text)]


@pytest.mark.parametrize("word", ["STOP", " stop ", "Unsubscribe", "OPTOUT", "cancel\n"])
def test_e20_stop_withdraws_the_consent_to_texts_and_to_nothing_else(world: World, word: str) -> None:
    opt_in(world, 1, "sms")
    opt_in(world, 1, "email")
    with serving(world) as client:
        assert replied(wrote(client, word)) == []
    assert (consent(world, "sms"), consent(world, "email")) == ("withdrawn", "granted")
    assert consent(world, "sms", 2) is None
    assert names(world) == ["sms.opted_out"]


def test_r24_what_twilio_says_of_a_message_goes_before_its_words(world: World) -> None:
    with serving(world) as client:
        wrote(client, "ARRET NOW", OptOutType="STOP")
        assert consent(world, "sms") == "withdrawn"
        wrote(client, "please stop texting me", sid="SM" + "3" * 32, OptOutType="START")
    assert consent(world, "sms") == "granted"
    assert names(world) == ["sms.opted_out", "sms.opted_in"]


def test_everybody_with_the_number_said_no(world: World) -> None:
    with world.store.write():
        world.store.execute("UPDATE contacts SET phone = ?", (NUMBER,))
    with serving(world) as client:
        wrote(client, "STOP")
    assert (consent(world, "sms", 1), consent(world, "sms", 2)) == ("withdrawn", "withdrawn")


def test_a_no_from_a_number_no_contact_has_is_kept_by_the_number(world: World) -> None:
    with serving(world) as client:
        wrote(client, "STOP", number="+14165559999")
        row = world.store.row("SELECT address, reason, source FROM suppressions")
        assert row is not None
        assert tuple(row) == ("+14165559999", "opted_out", "twilio")
        wrote(client, "START", number="+14165559999", sid="SM" + "3" * 32)
        assert world.store.value("SELECT count(*) FROM suppressions") == 0
        wrote(client, "STOP", number="+14165559999")
    assert world.store.value("SELECT count(*) FROM suppressions") == 0


def test_start_undoes_a_stop_and_no_other_no(world: World) -> None:
    opt_out(world, 1, "sms")
    with serving(world) as client:
        assert replied(wrote(client, "START")) == []
        assert consent(world, "sms") == "withdrawn"
        assert names(world) == ["sms.received"]
        opt_in(world, 1, "sms")
        wrote(client, "STOP", sid="SM" + "3" * 32)
        wrote(client, "yes", sid="SM" + "4" * 32)
    assert consent(world, "sms") == "granted"
    assert names(world) == ["sms.received", "sms.opted_out", "sms.opted_in"]


def test_start_undoes_what_the_provider_said_of_a_stop(world: World) -> None:
    add_send(world)
    with serving(world) as client:
        status(client, "failed", ErrorCode="21610")
        assert consent(world, "sms") == "withdrawn"
        wrote(client, "UNSTOP")
    assert consent(world, "sms") == "granted"


def test_an_old_start_posted_again_does_not_undo_a_later_stop(world: World) -> None:
    first, second, third = ("SM" + digit * 32 for digit in "345")
    with serving(world) as client:
        wrote(client, "STOP", sid=first)
        wrote(client, "START", sid=second)
        wrote(client, "STOP", sid=third)
        assert replied(wrote(client, "START", sid=second)) == []
        assert consent(world, "sms") == "withdrawn"
        wrote(client, "START", sid="SM" + "6" * 32)
        wrote(client, "STOP", sid=third)
    assert consent(world, "sms") == "granted"


def test_help_and_anything_else_is_an_event_and_no_more(world: World) -> None:
    opt_in(world, 1, "sms")
    send_id = add_send(world)
    with serving(world) as client:
        assert replied(wrote(client, "HELP")) == []
        assert replied(wrote(client, "When do you open? 👍", sid="SM" + "3" * 32)) == []
    assert consent(world, "sms") == "granted"
    rows = world.store.rows("SELECT name, send_id, properties ->> 'text' AS text FROM events WHERE source = 'twilio'")
    assert [tuple(row) for row in rows] == [
        ("sms.received", send_id, "HELP"),
        ("sms.received", send_id, "When do you open? 👍"),
    ]


def test_r22_a_no_in_other_words_is_a_no(world: World) -> None:
    opt_in(world, 1, "sms")
    with serving(world) as client:
        wrote(client, "Proszę do mnie nie pisać")
    assert consent(world, "sms") == "withdrawn"
    assert world.store.value("SELECT properties ->> 'language' FROM events WHERE name = 'sms.opted_out'") == "pl"


def test_r23_a_no_twilio_does_not_know_is_confirmed_once_and_at_once(world: World) -> None:
    with serving(world) as client:
        answer = replied(wrote(client, "please stop texting me"))
        assert answer == ["Shop & Co: You will get no more text messages from us. Reply START to get them again."]
        assert replied(wrote(client, "please stop texting me")) == []
        assert replied(wrote(client, "STOP TEXTING ME!", sid="SM" + "3" * 32)) == []
        assert replied(wrote(client, "STOP", sid="SM" + "4" * 32)) == []
        assert replied(wrote(client, "please stop texting me", number="+14165557777", sid="SM" + "5" * 32)) != []
        assert replied(wrote(client, "stop texting", number="+14165557777", sid="SM" + "6" * 32)) == []


def test_r24_a_stop_keeps_what_is_planned_from_going_out(world: World) -> None:
    opt_in(world, 1, "sms")
    add_template(world.store, "text", kind="sms", text="Hello")
    add_campaign(world.store, channel="sms", entry={"rule": "has phone"}, steps=[{"send": "text"}])
    from macli.tick.advance import advance
    from macli.tick.enroll import enroll

    engine = world.engine()
    enroll(engine, over=lambda: False)
    advance(engine, over=lambda: False)
    assert world.states() == {"planned": 2}
    with serving(world) as client:
        wrote(client, "STOP")
    assert world.states() == {"planned": 1, "skipped": 1}


def test_r25_21610_is_a_no_and_nothing_is_tried_again(world: World) -> None:
    opt_in(world, 1, "sms")
    opt_in(world, 2, "sms")
    add_template(world.store, "text", kind="sms", text="Hello")
    add_campaign(world.store, channel="sms", entry={"rule": "has phone"}, steps=[{"send": "text"}])
    with web_server(lambda asked: Answer(400, {"code": 21610, "message": "Unsubscribed", "status": 400})) as server:
        sent_by(world, server.url)
        run(world)
        run(world, hours=48)
    assert len(server.asked) == 2
    assert world.states() == {"rejected": 2}
    assert (consent(world, "sms", 1), consent(world, "sms", 2)) == ("withdrawn", "withdrawn")


@pytest.mark.parametrize("code", [21211, 21614, 21635, 30005, 30006])
def test_r26_a_number_that_cannot_be_reached_is_never_tried_again(world: World, code: int) -> None:
    opt_in(world, 1, "sms")
    add_template(world.store, "text", kind="sms", text="Hello")
    add_campaign(world.store, channel="sms", entry={"rule": "has phone"}, steps=[{"send": "text"}])
    with web_server(lambda asked: Answer(400, {"code": code, "message": "No", "status": 400})) as server:
        sent_by(world, server.url)
        run(world)
        run(world, hours=48)
    assert len(server.asked) == 1
    assert world.states() == {"bounced": 1, "skipped": 1}
    assert world.store.value("SELECT reason FROM suppressions") == "invalid"


@pytest.mark.parametrize("code", [30004, 30007])
def test_r27_what_a_carrier_blocks_is_not_tried_again_and_the_number_stays_good(world: World, code: int) -> None:
    opt_in(world, 1, "sms")
    add_template(world.store, "text", kind="sms", text="Hello")
    add_campaign(world.store, channel="sms", entry={"rule": "has phone"}, steps=[{"send": "text"}])
    with web_server(lambda asked: Answer(400, {"code": code, "message": "No", "status": 400})) as server:
        sent_by(world, server.url)
        run(world)
        run(world, hours=48)
    assert len(server.asked) == 1
    assert world.states() == {"rejected": 1, "skipped": 1}
    assert world.store.value("SELECT count(*) FROM suppressions") == 0


def test_r28_20429_backs_off_and_the_message_goes_out_once_later(world: World) -> None:
    opt_in(world, 1, "sms")
    add_template(world.store, "text", kind="sms", text="Hello")
    add_campaign(world.store, channel="sms", entry={"rule": "has phone"}, steps=[{"send": "text"}])
    answers = iter([Answer(429, {"code": 20429, "message": "Too many requests", "status": 429})])
    fine = Answer(201, {"sid": SID, "status": "queued", "error_code": None})
    with web_server(lambda asked: next(answers, fine)) as server:
        sent_by(world, server.url)
        run(world)
        (due,) = [row["due_at"] for row in world.store.rows("SELECT due_at FROM sends WHERE state = 'planned'")]
        assert 45_000 <= due - to_ms(NOW.replace(hour=15)) <= 120_000  # a minute, a quarter more or less
        run(world, hours=1)
    assert len(server.asked) == 2
    assert world.states() == {"accepted": 1, "skipped": 1}


def test_r28_where_twilio_asks_for_a_longer_pause_it_gets_it(world: World) -> None:
    opt_in(world, 1, "sms")
    add_template(world.store, "text", kind="sms", text="Hello")
    add_campaign(world.store, channel="sms", entry={"rule": "has phone"}, steps=[{"send": "text"}])
    busy = Answer(429, {"code": 20429, "message": "Too many requests", "status": 429}, {"Retry-After": "900"})
    with web_server(lambda asked: busy) as server:
        sent_by(world, server.url)
        run(world)
    due = world.store.value("SELECT due_at FROM sends WHERE state = 'planned'")
    assert due - to_ms(NOW.replace(hour=15)) >= 900_000


def test_r29_a_fault_of_the_account_stops_the_campaign_and_blames_nobody(world: World) -> None:
    opt_in(world, 1, "sms")
    opt_in(world, 2, "sms")
    add_template(world.store, "text", kind="sms", text="Hello")
    add_campaign(world.store, channel="sms", entry={"rule": "has phone"}, steps=[{"send": "text"}])
    with web_server(lambda asked: Answer(401, {"code": 20003, "message": "Authenticate", "status": 401})) as server:
        sent_by(world, server.url)
        run(world)
    assert world.store.value("SELECT state FROM campaigns") == "paused"
    assert world.states() == {"planned": 2}
    assert world.store.value("SELECT count(*) FROM suppressions") == 0


def sent_by(world: World, url: str) -> None:
    from macli.store import channels

    providers.edit(world.store, NOW, "texts", {"api_base": url, "connections": 1}, workspace=world.path)
    channels.set_provider(world.store, "sms", "texts")


def run(world: World, *, hours: float = 0) -> None:
    """One tick in the afternoon in Toronto, or so many hours later."""
    from datetime import timedelta

    from macli.tick.tick import run_tick

    run_tick(world.engine(NOW.replace(hour=15) + timedelta(hours=hours)))


# Anything at all


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(
        ["/hooks/twilio/texts", "/hooks/twilio/texts/inbound", "/hooks/twilio/%00", "/hooks/twilio//"]
    ),
    body=st.binary(max_size=200)
    | st.dictionaries(st.text(max_size=20), st.text(max_size=50)).map(
        lambda fields: urlencode(fields, errors="replace").encode()
    ),
    signature=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=40),
)
def test_whatever_a_stranger_posts_is_refused_and_nothing_is_stored(
    world: World, path: str, body: bytes, signature: str
) -> None:
    with serving(world) as client:
        answer = client.post(path, content=body, headers={"X-Twilio-Signature": signature.encode("latin-1")})
    assert answer.status_code in (400, 403, 404)
    assert names(world) == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    params=st.dictionaries(
        st.sampled_from(
            ["MessageSid", "SmsSid", "MessageStatus", "ErrorCode", "ErrorMessage", "From", "Body", "OptOutType", "X"]
        ),
        st.text(st.characters(codec="utf-8"), max_size=60)
        | st.sampled_from([SID, "delivered", "failed", "STOP", NUMBER]),
    ),
    inbound=st.booleans(),
)
def test_whatever_twilio_signs_is_answered(world: World, params: dict[str, str], inbound: bool) -> None:
    path = "/hooks/twilio/texts/inbound" if inbound else "/hooks/twilio/texts"
    with serving(world) as client:
        assert post(client, path, {**params, "AccountSid": MAIN}).status_code in (200, 204)


def test_a_removed_contacts_no_is_a_no_too(world: World) -> None:
    contacts.remove_where(world.store, NOW, contacts.ONE, {"one_contact": 1}, "test")
    with serving(world) as client:
        wrote(client, "STOP")
    assert consent(world, "sms") == "withdrawn"
