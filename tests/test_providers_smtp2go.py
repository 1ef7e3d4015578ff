"""SMTP2GO by its documented shapes: the API's answers, and SMTP by the same name."""

import base64
import time
from pathlib import Path

import pytest
from web_server import Answer, Asked, web_server

from macli.errors import UsageError
from macli.model import Email
from macli.providers import load, streams

MAIL = Email(
    send_id=7, key="7.shop", sender="news@example.com", to="ann@example.com", data="Subject: x\r\n\r\nŻółć\r\n".encode()
)


@pytest.fixture(autouse=True)
def _key(monkeypatch) -> None:
    monkeypatch.setenv("GO_KEY", "api-0123456789")
    monkeypatch.setenv("GO_PASSWORD", "secret")


def api(url: str, **settings):
    return load("smtp2go", {"api_key": "env:GO_KEY", "api_base": url, **settings}, name="go", workspace=Path("/"))


def outcome_of(answer: Answer, **settings):
    with web_server(lambda asked: answer) as server:
        return api(server.url, **settings).send(MAIL)


def test_the_message_goes_out_as_it_is_with_the_key_in_the_header() -> None:
    body = {"request_id": "r", "data": {"succeeded": 1, "failed": 0, "failures": [], "email_id": "1abc-def"}}
    with web_server(lambda asked: Answer(body=body)) as server:
        outcome = api(server.url).send(MAIL)
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/email/mime")
    assert asked.headers["X-Smtp2Go-Api-Key"] == "api-0123456789"
    assert base64.b64decode(asked.json["mime_email"]) == MAIL.data
    assert asked.json["fastaccept"] is False
    assert (outcome.verdict, outcome.reference) == ("accepted", "1abc-def")


@pytest.mark.parametrize(
    ("answer", "verdict", "code"),
    [
        (Answer(body={"data": {"succeeded": 0, "failed": 1, "failures": ["ann: suppressed"]}}), "rejected", "200"),
        (Answer(body={"data": {}}), "rejected", "200"),
        (
            Answer(400, {"data": {"error": "no", "error_code": "E_ApiResponseCodes.ENDPOINT_PERMISSION_DENIED"}}),
            "sender_fault",
            "E_ApiResponseCodes.ENDPOINT_PERMISSION_DENIED",
        ),
        (
            Answer(400, {"data": {"error": "bad", "error_code": "E_ApiResponseCodes.NON_VALIDATING_IN_PAYLOAD"}}),
            "rejected",
            "E_ApiResponseCodes.NON_VALIDATING_IN_PAYLOAD",
        ),
        (Answer(400, {"error": "bad", "error_code": "E_X"}), "rejected", "E_X"),
        (Answer(401, {"data": {"error": "no key"}}), "sender_fault", "401"),
        (Answer(402, {"data": {"error": "plan"}}), "sender_fault", "402"),
        (Answer(403, {}), "sender_fault", "403"),
        (Answer(429, {"data": {"error": "API key ratelimit exceeded"}}), "retry", "429"),
        (Answer(503, b"<html>"), "retry", "503"),
        (Answer(504, b""), "unknown", "504"),
    ],
)
def test_what_the_api_answers(answer, verdict, code) -> None:
    outcome = outcome_of(answer)
    assert (outcome.verdict, outcome.code) == (verdict, code)


def test_an_answer_that_never_comes_leaves_the_message_unknown() -> None:
    def slow(asked: Asked) -> Answer:
        time.sleep(0.6)
        return Answer(silent=True)

    with web_server(slow) as server:
        assert api(server.url, timeout=0.2).send(MAIL).verdict == "unknown"
    assert outcome_of(Answer(silent=True)).verdict == "unknown"


def test_a_server_that_is_not_there_has_taken_nothing() -> None:
    assert api("http://127.0.0.1:1").send(MAIL).verdict == "retry"


def test_the_check_asks_what_the_key_may_do() -> None:
    with web_server(lambda asked: Answer(body={"data": {"permissions": []}})) as server:
        (check,) = api(server.url).check()
    assert check.ok
    assert server.asked[0].path == "/api_keys/permissions"
    with web_server(lambda asked: Answer(401, {"data": {"error": "no"}})) as server:
        (check,) = api(server.url).check()
    assert (check.step, check.ok) == ("AUTH", False)
    assert api("http://127.0.0.1:1").check()[0].step == "connect"


def test_with_a_user_mail_goes_by_smtp_with_the_defaults_of_smtp2go() -> None:
    provider = load("smtp2go", {"username": "u", "password": "env:GO_PASSWORD"}, name="go", workspace=Path("/"))
    assert streams(provider)
    assert provider.kind == "smtp2go"
    described = provider.describe()
    assert (described["host"], described["port"]) == ("mail.smtp2go.com", 2525)
    assert provider.settings.encryption == "starttls"


@pytest.mark.parametrize(("port", "encryption"), [(587, "starttls"), (8025, "starttls"), (465, "tls"), (443, "tls")])
def test_smtp2gos_ports_decide_how_it_is_encrypted(port, encryption) -> None:
    settings = {"username": "u", "password": "env:GO_PASSWORD", "port": port}
    assert load("smtp2go", settings, name="go", workspace=Path("/")).settings.encryption == encryption


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "--username"),
        ({"username": "u", "password": "env:P", "api_key": "env:K"}, "either"),
        ({"username": "u", "password": "env:P", "port": 993}, "--port"),
        ({"api_key": "api-0123456789"}, "by reference"),
        ({"api_key": "env:K", "prot": 25}, "did you mean 'port'"),
        ({"username": "u"}, "--password"),
    ],
)
def test_wrong_settings_are_named(settings, says) -> None:
    with pytest.raises(UsageError, match=says):
        load("smtp2go", settings, name="go", workspace=Path("/"))


def test_nothing_that_is_shown_holds_the_key() -> None:
    assert "0123456789" not in str(api("http://127.0.0.1:1").describe())
