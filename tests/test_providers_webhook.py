"""Webhooks: signed, once a key, and never to an address inside."""

import hashlib
import hmac
import socket
import time
from pathlib import Path

import pytest
from web_server import Answer, Asked, web_server

from macli.errors import UsageError
from macli.model import Post
from macli.providers import load
from macli.providers.posting import is_public

POST = Post(send_id=3, key="3.shop", to="ann@example.com", payload={"name": "Łucja", "points": 5})


def webhook(url: str, **settings):
    return load("webhook", {"url": url, "allow_private": True, **settings}, name="hook", workspace=Path("/"))


def outcome_of(answer: Answer, **settings):
    with web_server(lambda asked: answer) as server:
        return webhook(server.url, **settings).send(POST)


def test_the_document_is_signed_over_its_time_and_body(monkeypatch) -> None:
    monkeypatch.setenv("HOOK", "k3y")
    with web_server(lambda asked: Answer(202)) as server:
        outcome = webhook(f"{server.url}/in?x=1", secret="env:HOOK").send(POST)
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/in?x=1")
    assert asked.json == {"id": "3.shop", "to": "ann@example.com", "name": "Łucja", "points": 5}
    assert asked.headers["Idempotency-Key"] == "3.shop"
    timestamp = asked.headers["X-Macli-Timestamp"]
    assert abs(int(timestamp) - time.time()) < 60
    expected = hmac.new(b"k3y", timestamp.encode() + b"." + asked.body, hashlib.sha256).hexdigest()
    assert asked.headers["X-Macli-Signature"] == f"sha256={expected}"
    assert (outcome.verdict, outcome.code) == ("accepted", "202")


def test_without_a_secret_nothing_is_signed() -> None:
    with web_server(lambda asked: Answer(200)) as server:
        webhook(server.url).send(POST)
    assert "X-Macli-Signature" not in server.asked[0].headers


def test_basic_and_bearer(monkeypatch) -> None:
    monkeypatch.setenv("W", "open sesame")
    with web_server(lambda asked: Answer(200)) as server:
        webhook(server.url, username="u", password="env:W").send(POST)
        webhook(server.url, token="env:W").send(POST)
    assert [asked.headers["Authorization"] for asked in server.asked] == [
        "Basic dTpvcGVuIHNlc2FtZQ==",
        "Bearer open sesame",
    ]


def test_a_step_may_name_another_address() -> None:
    with web_server(lambda asked: Answer(200)) as server:
        post = Post(send_id=1, key="1", to="x", payload={}, url=f"{server.url}/other")
        assert webhook("http://127.0.0.1:1/").send(post).verdict == "accepted"
    assert server.asked[0].path == "/other"


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(200, "accepted"), (204, "accepted"), (301, "failed"), (400, "failed"), (404, "failed"), (410, "failed"),
     (429, "retry"), (500, "retry"), (504, "retry")],
)  # fmt: skip
def test_what_the_receiver_answers(status, verdict) -> None:
    assert outcome_of(Answer(status)).verdict == verdict


def test_a_redirect_is_not_followed() -> None:
    with web_server(lambda asked: Answer(307, headers={"Location": "http://127.0.0.1/"})) as server:
        assert webhook(server.url).send(POST).verdict == "failed"
    assert len(server.asked) == 1


def test_the_receiver_says_when_to_come_again() -> None:
    assert outcome_of(Answer(503, headers={"Retry-After": "120"})).retry_after == 120
    later = outcome_of(Answer(429, headers={"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"})).retry_after
    assert later is not None
    assert later > 1e9
    assert outcome_of(Answer(503, headers={"Retry-After": "soon"})).retry_after is None


def test_no_answer_after_the_post_leaves_it_unknown() -> None:
    def slow(asked: Asked) -> Answer:
        time.sleep(0.6)
        return Answer(silent=True)

    with web_server(slow) as server:
        assert webhook(server.url, timeout=0.2).send(POST).verdict == "unknown"
    assert outcome_of(Answer(silent=True)).verdict == "unknown"


@pytest.mark.parametrize("host", ["a" * 70 + ".example", "xn--", "no-such-host.invalid"])
def test_a_host_that_is_none_means_nothing_left(host) -> None:
    assert webhook(f"http://{host}/").send(POST).verdict == "retry"


def test_spaces_and_letters_of_any_script_in_the_address_are_escaped() -> None:
    with web_server(lambda asked: Answer(200)) as server:
        assert webhook(f"{server.url}/żółć a?q=ł b%20c").send(POST).verdict == "accepted"
    assert server.asked[0].path == "/%C5%BC%C3%B3%C5%82%C4%87%20a?q=%C5%82%20b%20c"


def test_a_secret_that_cannot_stand_in_a_header_posts_nothing(monkeypatch) -> None:
    monkeypatch.setenv("W", "two\nlines")
    with web_server(lambda asked: Answer(200)) as server:
        assert webhook(server.url, token="env:W").send(POST).verdict == "sender_fault"
    assert server.asked == []


def test_nobody_there_means_nothing_left() -> None:
    assert webhook("http://127.0.0.1:1/").send(POST).verdict == "retry"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "0.0.0.0", "0x7f.1"]
)
def test_addresses_inside_are_refused_unless_allowed(host) -> None:
    hook = load("webhook", {"url": f"http://{host}:9/"}, name="hook", workspace=Path("/"))
    outcome = hook.send(POST)
    assert outcome.verdict == "failed"
    assert "private address" in outcome.text
    assert hook.check()[0].step == "resolve"


def test_one_address_inside_among_several_is_enough_to_refuse(monkeypatch) -> None:
    def resolve(host, port, **more):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    hook = load("webhook", {"url": "http://innocent.example/"}, name="hook", workspace=Path("/"))
    assert "innocent.example is 127.0.0.1" in hook.send(POST).text


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("224.0.0.1", False),
        ("ff02::1", False),
        ("100.64.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
        ("0.0.0.0", False),
    ],
)
def test_which_addresses_are_out_on_the_internet(address, public) -> None:
    assert is_public(address) is public


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch) -> None:
    with web_server(lambda asked: Answer(200)) as server:
        port = int(server.url.rsplit(":", 1)[1])
        asked: list[str] = []

        def resolve(host, wanted, **more):
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        assert webhook("http://rebinding.example/").send(POST).verdict == "accepted"
    assert asked == ["rebinding.example"], "a second look-up could give another address"
    assert server.asked[0].headers["Host"] == "rebinding.example"


@pytest.mark.parametrize(
    "url", ["ftp://example.com/", "example.com", "http://", "file:///etc/passwd", "http://x:99999/"]
)
def test_only_web_addresses_are_taken(url) -> None:
    with pytest.raises(UsageError, match="--url"):
        webhook(url)


def test_a_secret_that_is_not_there_is_the_senders_fault(monkeypatch) -> None:
    monkeypatch.delenv("HOOK", raising=False)
    outcome = webhook("http://127.0.0.1:1/", secret="env:HOOK").send(POST)
    assert outcome.verdict == "sender_fault"
    assert "HOOK" in outcome.text
