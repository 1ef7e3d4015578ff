"""Twilio against a server of its documented shapes: requests, statuses, errors, routes."""

import base64
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from web_server import Answer, Asked, web_server

from macli.errors import UsageError
from macli.model import Sms
from macli.providers import Enquiry, load
from macli.providers.twilio import later

MAIN, POLAND, WARSAW = "AC" + "a" * 32, "AC" + "b" * 32, "AC" + "c" * 32
SID = "SM" + "1" * 32
SINCE = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def resource(status: str = "queued", **fields):
    return {
        "sid": SID,
        "account_sid": MAIN,
        "status": status,
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "date_created": format_datetime(SINCE),
        "date_sent": None,
        "date_updated": format_datetime(SINCE),
        **fields,
    }


@pytest.fixture(autouse=True)
def _tokens(monkeypatch) -> None:
    monkeypatch.setenv("TOKEN", "main-token")
    monkeypatch.setenv("TOKEN_PL", "polish-token")
    for name in ("TWILIO_EDGE", "TWILIO_REGION"):
        monkeypatch.delenv(name, raising=False)


def twilio(url: str, **settings):
    given = {"account_sid": MAIN, "auth_token": "env:TOKEN", "from": "+15005550006", "api_base": url, **settings}
    given = {key: value for key, value in given.items() if value is not None}
    return load("twilio", given, name="texts", workspace=Path("/"))


def sms(to: str = "+14165550123") -> Sms:
    return Sms(send_id=1, key="1.shop", to=to, text="Zażółć")


def outcome_of(answer: Answer, **settings):
    with web_server(lambda asked: answer) as server:
        return twilio(server.url, **settings).send(sms())


def test_one_post_with_to_from_and_body_signed_in_as_the_account() -> None:
    with web_server(lambda asked: Answer(201, resource())) as server:
        outcome = twilio(server.url).send(sms())
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", f"/2010-04-01/Accounts/{MAIN}/Messages.json")
    assert asked.form == {"To": "+14165550123", "From": "+15005550006", "Body": "Zażółć"}
    signed_in = base64.b64decode(asked.headers["Authorization"].removeprefix("Basic ")).decode()
    assert signed_in == f"{MAIN}:main-token"
    assert (outcome.verdict, outcome.reference, outcome.code) == ("accepted", SID, "queued")


def test_a_messaging_service_stands_in_for_the_number() -> None:
    service = "MG" + "d" * 32
    with web_server(lambda asked: Answer(201, resource("accepted"))) as server:
        twilio(server.url, **{"from": None, "messaging_service_sid": service}).send(sms())
    assert server.asked[0].form == {"To": "+14165550123", "MessagingServiceSid": service, "Body": "Zażółć"}


ROUTES = [
    {"prefix": "+48", "account_sid": POLAND, "auth_token": "env:TOKEN_PL", "from": "+48500100200"},
    {"prefix": "+4822", "account_sid": WARSAW, "auth_token": "env:TOKEN_PL", "from": "+48221002000"},
]


@pytest.mark.parametrize(
    ("to", "account", "sender"),
    [
        ("+48600700800", POLAND, "+48500100200"),
        ("+48221234567", WARSAW, "+48221002000"),
        ("+14165550123", MAIN, "+15005550006"),
    ],
)
def test_the_longest_prefix_chooses_the_sub_account(to, account, sender) -> None:
    with web_server(lambda asked: Answer(201, resource())) as server:
        twilio(server.url, routes=ROUTES).send(sms(to))
    assert f"/Accounts/{account}/" in server.asked[0].path
    assert server.asked[0].form["From"] == sender


def test_a_number_without_a_route_is_refused_where_that_is_asked() -> None:
    with web_server(lambda asked: Answer(201, resource())) as server:
        outcome = twilio(server.url, routes=ROUTES, no_route="refuse").send(sms("+14165550123"))
    assert outcome.verdict == "rejected"
    assert server.asked == []


@pytest.mark.parametrize(
    ("status", "code", "verdict", "event"),
    [
        (400, 21610, "rejected", "sms.opted_out"),
        (400, 21211, "bounced", "address.invalid"),
        (401, 20003, "sender_fault", None),
        (400, 21606, "sender_fault", None),
        (429, 20429, "retry", None),
        (503, None, "retry", None),
        (400, 88888, "failed", None),
    ],
)
def test_what_twilio_refuses(status, code, verdict, event) -> None:
    outcome = outcome_of(Answer(status, {"code": code, "message": "Said so", "status": status}))
    assert (outcome.verdict, outcome.event) == (verdict, event)
    assert "Said so" in outcome.text
    assert "main-token" not in f"{outcome}"


def test_a_code_is_judged_as_the_settings_say() -> None:
    refusal = Answer(400, {"code": 30007, "message": "filtered", "status": 400})
    assert outcome_of(refusal).verdict == "rejected"
    assert outcome_of(refusal, verdicts={"30007": "retry"}).verdict == "retry"


def test_an_answer_that_never_comes_leaves_the_message_unknown() -> None:
    def slow(asked: Asked) -> Answer:
        time.sleep(0.6)
        return Answer(silent=True)

    with web_server(slow) as server:
        assert twilio(server.url, timeout=0.2).send(sms()).verdict == "unknown"
    assert outcome_of(Answer(silent=True)).verdict == "unknown"


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Answer(201, b"<html>"), "unknown"),
        (Answer(504, b"<html>gateway"), "unknown"),
        (Answer(500, b""), "retry"),
        (Answer(401, b""), "sender_fault"),
        (Answer(429, {"type": "t", "title": "Slow down", "status": 429, "code": 20429}), "retry"),
    ],
)
def test_answers_that_are_not_twilios_usual_ones(answer, verdict) -> None:
    assert outcome_of(answer).verdict == verdict


def test_a_server_that_is_not_there_has_taken_nothing() -> None:
    assert twilio("http://127.0.0.1:1").send(sms()).verdict == "retry"


@pytest.mark.parametrize(
    ("status", "code", "verdict", "event"),
    [
        ("queued", None, "accepted", None),
        ("sent", None, "accepted", None),
        ("delivered", None, "delivered", "sms.delivered"),
        ("read", None, "delivered", "sms.delivered"),
        ("undelivered", 30005, "bounced", "address.invalid"),
        ("undelivered", 30007, "rejected", "sms.failed"),
        ("undelivered", 30003, "failed", "sms.failed"),
        ("failed", None, "failed", "sms.failed"),
    ],
)
def test_a_message_is_looked_up_by_its_sid(status, code, verdict, event) -> None:
    with web_server(lambda asked: Answer(200, resource(status, error_code=code))) as server:
        outcome = twilio(server.url).lookup(Enquiry(send_id=1, key="1", to="+14165550123", since=SINCE, reference=SID))
    assert server.asked[0].path == f"/2010-04-01/Accounts/{MAIN}/Messages/{SID}.json"
    assert (outcome.verdict, outcome.event, outcome.reference) == (verdict, event, SID)


def page(*messages):
    return {"messages": list(messages), "page": 0, "page_size": 200, "next_page_uri": None}


def found_among(*messages, text=None):
    with web_server(lambda asked: Answer(200, page(*messages))) as server:
        enquiry = Enquiry(send_id=1, key="1", to="+14165550123", since=SINCE, text=text)
        return twilio(server.url).lookup(enquiry), server.asked[0]


def test_a_message_without_a_sid_is_looked_for_by_number_and_time() -> None:
    outcome, asked = found_among(resource("delivered"))
    assert outcome.verdict == "delivered"
    query = parse_qs(urlsplit(asked.path).query)
    assert query["To"] == ["+14165550123"]
    assert query["DateSent>"][0].startswith("2026-03-04")


def test_what_twilio_has_never_seen_is_not_there() -> None:
    earlier = resource("delivered", date_created=format_datetime(datetime(2026, 3, 4, 9, tzinfo=UTC)))
    inbound = resource("received", direction="inbound")
    assert found_among(earlier, inbound)[0] is None


def test_two_messages_it_could_be_leave_it_unknown_unless_the_text_tells() -> None:
    one, other = resource("delivered", body="One"), resource("failed", body="Other")
    assert found_among(one, other)[0].verdict == "unknown"
    assert found_among(one, other, text="One")[0].verdict == "delivered"


def test_the_check_opens_the_account_and_every_route() -> None:
    def accounts(asked: Asked) -> Answer:
        suspended = WARSAW in asked.path
        return Answer(200, {"sid": "x", "status": "suspended" if suspended else "active"})

    with web_server(accounts) as server:
        checks = twilio(server.url, routes=ROUTES).check()
    assert [(check.step, check.ok) for check in checks] == [("AUTH", True), ("AUTH +48", True), ("AUTH +4822", False)]
    with web_server(lambda asked: Answer(401, {"code": 20003, "message": "Authenticate"})) as server:
        (check,) = twilio(server.url).check()
    assert not check.ok
    assert "20003" in check.detail


def test_a_status_never_goes_back() -> None:
    assert later("sent", "queued") == "sent"
    assert later("queued", "sent") == "sent"
    assert later("delivered", "sent") == "delivered"
    assert later("delivered", "read") == "read"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"account_sid": "AC123"}, "--account-sid"),
        ({"from": "0500"}, None),
        ({"from": "5005550006x!"}, "--from"),
        ({"from": None}, "--from or --messaging-service-sid"),
        ({"messaging_service_sid": "MG" + "d" * 32}, "either"),
        ({"auth_token": "0123456789abcdef"}, "by reference"),
        ({"routes": [{**ROUTES[0], "prefix": "48"}]}, "--prefix '48'"),
        ({"routes": [{**ROUTES[0], "account_sid": "x"}]}, r"of the route \+48"),
        ({"routes": [ROUTES[0], ROUTES[0]]}, "same prefix"),
        ({"no_route": "drop"}, "--no-route"),
        ({"verdicts": {"1": "nonsense"}}, "no verdict"),
    ],
)
def test_wrong_settings_are_named(settings, says) -> None:
    if says is None:
        twilio("http://127.0.0.1:1", **settings)
        return
    with pytest.raises(UsageError, match=says):
        twilio("http://127.0.0.1:1", **settings)


def test_nothing_that_is_shown_holds_a_token() -> None:
    shown = str(twilio("http://127.0.0.1:1", routes=ROUTES).describe())
    assert "env:TOKEN_PL" in shown
    assert "polish-token" not in shown
    assert "main-token" not in shown
