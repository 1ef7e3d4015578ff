"""The SMTP provider against a real Postfix: TLS verified, AUTH, refusals, and every byte delivered."""

import tempfile
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from mail_server import DOMAIN, PASSWORD, USER, MailServer, mail_server
from smtp_script import Queue, mails

from macli.model import Email, Outcome
from macli.providers import load, send_one

pytestmark = pytest.mark.system("postfix", "dovecot-imapd", "openssl")


@pytest.fixture(scope="module")
def server() -> Iterator[MailServer]:
    with (
        tempfile.TemporaryDirectory(prefix="macli-mail-", dir="/tmp") as folder,
        mail_server(Path(folder) / "base") as running,
    ):
        yield running


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_RIGHT", PASSWORD)
    monkeypatch.setenv("SMTP_WRONG", "wrong")


def provider(server: MailServer, **settings: Any) -> Any:
    given = {
        "host": "localhost",
        "port": server.port,
        "ca_file": str(server.ca),
        "username": USER,
        "password": "env:SMTP_RIGHT",
        "timeout": 10,
    }
    given.update(settings)
    return load("smtp", given, name="postfix", workspace=Path("/"))


def mail(to: str, content: bytes = b"Subject: x\r\n\r\nHello\r\n") -> Email:
    return Email(send_id=1, key="1", sender=f"{USER}@{DOMAIN}", to=to, data=content)


def test_the_connection_test_names_every_step(server: MailServer) -> None:
    checks = provider(server).check()
    assert [check.step for check in checks] == ["resolve", "connect", "TLS", "AUTH", "NOOP"]
    assert all(check.ok for check in checks)
    assert "certificate verified" in checks[2].detail


def test_tls_from_the_first_byte(server: MailServer) -> None:
    checks = provider(server, port=server.tls_port, security="tls").check()
    assert all(check.ok for check in checks)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_nobody_vouches_for_is_refused(server: MailServer, security: str) -> None:
    port = server.tls_port if security == "tls" else server.port
    checks = provider(server, ca_file=None, security=security, port=port).check()
    assert checks[-1].step == "TLS"
    assert "certificate does not hold" in checks[-1].detail
    unverified = provider(server, ca_file=None, security=security, port=port, verify=False).check()
    assert all(check.ok for check in unverified)


def test_a_file_of_certificates_that_is_none_is_named(server: MailServer, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for path in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        checks = provider(server, ca_file=str(path)).check()
        assert (checks[-1].step, checks[-1].ok) == ("TLS", False)
        assert path.name in checks[-1].detail


def test_a_certificate_for_another_name_is_refused(server: MailServer) -> None:
    checks = provider(server, host="127.0.0.2").check()
    assert not checks[-1].ok


def test_a_wrong_password_is_the_senders_fault(server: MailServer) -> None:
    wrong = provider(server, password="env:SMTP_WRONG")
    assert wrong.check()[-1].detail.startswith("AUTH failed (535)")
    outcome = send_one(wrong, mail(f"ann@{DOMAIN}"))
    assert outcome.verdict == "sender_fault"
    assert outcome.code.startswith("535")


def test_relaying_without_a_login_is_the_senders_fault(server: MailServer) -> None:
    outcome = send_one(provider(server, username=None, password=None), mail("someone@elsewhere.test"))
    assert outcome.verdict == "sender_fault", outcome
    assert "elay access denied" in outcome.text


def test_an_unknown_recipient_bounces(server: MailServer) -> None:
    outcome = send_one(provider(server), mail(f"nobody@{DOMAIN}"))
    assert (outcome.verdict, outcome.event, outcome.code) == ("bounced", "email.bounced", "550 5.1.1")


def test_a_message_too_large_is_refused_alone(server: MailServer) -> None:
    outcome = send_one(provider(server), mail(f"ann@{DOMAIN}", b"Subject: x\r\n\r\n" + b"y\r\n" * 100_000))
    assert (outcome.verdict, outcome.code) == ("rejected", "552 5.3.4")


def test_what_is_sent_arrives_byte_for_byte(server: MailServer) -> None:
    content = (
        "From: Łucja <news@shop.test>\r\nSubject: dots\r\nDate: Wed, 04 Mar 2026 12:00:00 +0000\r\n"
        "Message-ID: <1@shop.test>\r\nTo: news@shop.test\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        ".\r\n..\r\n. dot\r\nŻółć\r\n\r\n.\r\n" + "long " * 190 + "\r\nend\r\n"
    ).encode()
    before = len(server.arrived(USER, 0))
    outcome = send_one(provider(server), mail(f"{USER}@{DOMAIN}", content))
    assert outcome.verdict == "accepted"
    assert outcome.reference
    arrived = server.arrived(USER, before + 1)[-1]
    assert message_from_bytes(arrived)["Return-Path"] == f"<{USER}@{DOMAIN}>"
    assert arrived.replace(b"\n", b"\r\n").endswith(content)


def test_many_messages_over_one_connection_arrive_once_each_around_the_refused(server: MailServer) -> None:
    import asyncio

    count = 60
    known, unknown = f"ann@{DOMAIN}", f"nobody@{DOMAIN}"
    messages = [
        Email(
            send_id=number,
            key=str(number),
            sender=f"{USER}@{DOMAIN}",
            to=unknown if number % 7 == 0 else known,
            data=f"Subject: {number}\r\nX-Number: {number}\r\n\r\nHello {number}\r\n".encode(),
        )
        for number in range(1, count + 1)
    ]
    feed = Queue(messages)
    asyncio.run(provider(server).deliver(feed))
    bounced = [number for number, outcome in feed.outcomes.items() if outcome.verdict == "bounced"]
    assert bounced == [number for number in range(1, count + 1) if number % 7 == 0]
    expected = sorted(number for number in range(1, count + 1) if number % 7)
    arrived = server.arrived("ann", len(expected))
    assert sorted(int(message_from_bytes(one)["X-Number"]) for one in arrived) == expected


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_tls_and_auth_on_uvloop_too(server: MailServer, security: str) -> None:
    import asyncio

    import uvloop

    port = server.tls_port if security == "tls" else server.port
    feed = Queue(
        mails(20, sender=f"{USER}@{DOMAIN}", to=f"{USER}@{DOMAIN}", content=b"S: x\r\n\r\n" + b"y\r\n" * 40_000)
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(provider(server, security=security, port=port).deliver(feed))
        wrong = Queue(mails(1))
        runner.run(provider(server, security=security, port=port, ca_file=None).deliver(wrong))
    assert feed.verdicts == ["accepted"] * 20, feed.refusals
    assert "certificate does not hold" in wrong.refusals[0].text


def test_a_connection_nobody_answers_is_tried_again_later(server: MailServer) -> None:
    import asyncio

    feed = Queue(mails(1))
    asyncio.run(provider(server, port=1).deliver(feed))
    refusal: Outcome = feed.refusals[0]
    assert refusal.verdict == "retry"
