"""Reading one message that came in: what it says, whoever wrote it, and that nothing makes it fail."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from macli.mailbox.letter import Letter
from macli.mailbox.policy import judge
from macli.mailbox.reading import read
from tests.letters import complaint, letter, notice, original


def test_a_standard_notice_says_for_each_recipient_what_became_of_it() -> None:
    found = read(notice("5.1.1", "smtp; 550 5.1.1 <c0@example.com>: User unknown", first="c0@old.example"))
    assert found.kind == "bounce"
    (failure,) = found.failures
    assert (failure.address, failure.original) == ("c0@example.com", "c0@old.example")
    assert (failure.action, failure.status) == ("failed", "5.1.1")
    assert "User unknown" in failure.said


def test_a_status_that_says_nothing_gives_way_to_the_words() -> None:
    (failure,) = read(notice("5.0.0", "smtp; 552 5.2.2 Mailbox full")).failures
    assert failure.status == "5.2.2"


@pytest.mark.parametrize(
    ("text", "address", "what"),
    [
        (("Hi. This is the qmail-send program at mx.example.\nI'm afraid I wasn't able to deliver your message to the"
         " following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n"
         "<ann@example.com>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n--- Below this line is a copy of the"
         " message.\n\nSubject: x\n"), "ann@example.com", "hard"),
        (("Message from yahoo.com.\nUnable to deliver message to the following address(es).\n\n<ann@yahoo.example>:\n"
         "Sorry, your message to ann@yahoo.example cannot be delivered. This account is over quota.\n\n"
         "--- Original message follows.\n"), "ann@yahoo.example", "soft"),
    ],
    ids=["qmail", "yahoo"],
)  # fmt: skip
def test_notices_that_keep_to_no_standard_are_read_too(text: str, address: str, what: str) -> None:
    octets = f"From: MAILER-DAEMON@mx.example\r\nTo: b@shop.example\r\nSubject: failure notice\r\n\r\n{text}".encode()
    if what == "soft":
        octets = octets.replace(b"failure notice", b"Delivery failure").replace(b"mx.example", b"yahoo.com", 1)
    found = read(octets)
    assert found.kind == "bounce"
    assert [failure.address for failure in found.failures] == [address]
    assert judge(found.failures[0].status, found.failures[0].said) == what


def test_a_corpus_of_old_notices_is_classified() -> None:
    """flufl.bounce's source distribution has one; MACLI_BOUNCES names the directory with its texts."""
    folder = os.environ.get("MACLI_BOUNCES")
    if not folder:
        missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        missing("MACLI_BOUNCES names no directory with bounces")
    from email import message_from_bytes

    from flufl.bounce import all_failures

    texts = sorted(Path(folder).glob("*.txt"))
    assert len(texts) > 100
    for text in texts:
        octets = text.read_bytes()
        expected = {
            (one.decode() if isinstance(one, bytes) else one).lower()
            for found in all_failures(message_from_bytes(octets))
            for one in found
        }
        letter_read = read(octets)
        assert (letter_read.kind == "bounce") == bool(expected), text.name
        ours = {name for one in letter_read.failures for name in (one.address, one.original)}
        if not letter_read.failures or letter_read.failures[0].said:
            assert expected <= ours or text.name.startswith("dsn_"), text.name
        for failure in letter_read.failures:
            assert judge(failure.status, failure.said) in ("hard", "soft", "refused", "sender")


@pytest.mark.parametrize(
    ("status", "said", "what"),
    [
        ("5.1.1", "smtp; 550 5.1.1 User unknown", "hard"),
        ("5.1.10", "smtp; 556 5.1.10 Recipient address has null MX", "hard"),
        ("5.1.2", "", "hard"),
        ("5.2.1", "smtp; 550 5.2.1 The email account that you tried to reach is disabled", "hard"),
        ("5.4.4", "X-Postfix; Host or domain name not found. Name service error", "hard"),
        ("5.2.2", "smtp; 552 5.2.2 Mailbox full", "soft"),
        ("4.7.1", "smtp; 451 4.7.1 Greylisted, try again later", "soft"),
        ("4.4.1", "X-Postfix; connect to mx.example: Connection timed out", "soft"),
        ("4.4.7", "", "soft"),
        ("5.3.0", "X-Postfix; mail for mx.example loops back to myself", "soft"),
        ("", "it did not work", "soft"),
        ("5.0.0", "smtp; 550 no such user here", "hard"),
        ("5.7.1", "smtp; 554 5.7.1 Message rejected as spam by content scanner", "refused"),
        ("5.3.4", "smtp; 552 5.3.4 Message size exceeds fixed limit", "refused"),
        ("5.6.1", "", "refused"),
        ("5.7.26", "smtp; 550-5.7.26 This mail is unauthenticated", "sender"),
        ("4.7.26", "smtp; 421-4.7.26 This mail is unauthenticated", "sender"),
        ("5.7.1", "smtp; 550 5.7.1 SPF check failed", "sender"),
        ("5.7.1", "smtp; 554 5.7.1 Relay access denied", "sender"),
        ("5.7.1", "smtp; 554 5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org", "sender"),
        ("5.1.8", "smtp; 553 5.1.8 Sender address rejected: Domain not found", "sender"),
        ("5.7.1", "smtp; 550 5.7.1 <spf@example.com>: rejected", "refused"),
    ],
)
def test_the_policy_says_whom_a_refusal_blames(status: str, said: str, what: str) -> None:
    assert judge(status, said) == what


@pytest.mark.parametrize("kind", ["abuse", "fraud", "other", "virus"])
def test_a_complaint_says_its_kind_and_whom_it_is_about(kind: str) -> None:
    found = read(complaint(kind, to="C0@Example.com", back=original(key="7.abcdef12")))
    assert (found.kind, found.feedback) == ("complaint", kind)
    assert "c0@example.com" in found.concerns
    assert found.marks.keys == ("7.abcdef12",)


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure", "dmarc"])
def test_other_feedback_is_no_complaint(kind: str) -> None:
    assert read(complaint(kind)).kind == "automatic"


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated; x=y"},
        {"X_Autoreply": "yes"},
        {"X_Autorespond": "vacation"},
        {"Precedence": "auto_reply"},
        {"Precedence": "bulk"},
        {"X_Auto_Response_Suppress": "All"},
        {"Return_Path": "<>"},
        {"List_Id": "<staff.example.com>"},
    ],
    ids=str,
)
def test_what_a_program_wrote_is_told_by_its_headers(headers: dict[str, str]) -> None:
    assert read(letter(answers="7.abcdef12", **headers)).kind == "automatic"


@pytest.mark.parametrize(
    "subject",
    [
        "Out of office: Re: Hi",
        "Automatic reply: Hi",
        "Re: Auto: out of the office until Monday",
        "Abwesenheitsnotiz: Hi",
        "Automatische Antwort: Hi",
        "Réponse automatique : Hi",
        "Respuesta automática: Hi",
        "Odpowiedź automatyczna: Hi",
        "Automatyczna odpowiedź: Hi",
        "Nieobecność",
        "Risposta automatica: Hi",
        "Automatisch antwoord: Hi",
        "Автоответ: Hi",
        "自動応答: Hi",
    ],
)
def test_an_out_of_office_notice_is_told_by_its_subject(subject: str) -> None:
    assert read(letter(subject=subject)).kind == "automatic"


@pytest.mark.parametrize("subject", ["Re: Hi", "Holiday bookings", "Automobile", "AW: Angebot", ""])
def test_what_a_person_wrote_is_a_letter(subject: str) -> None:
    found = read(letter(subject=subject, answers="7.abcdef12", Auto_Submitted="no"))
    assert (found.kind, found.sender, found.answers) == ("letter", "c0@example.com", ("7.abcdef12",))


def test_an_answer_is_known_by_its_references_too() -> None:
    found = read(letter(References="<1@other.example> <7.abcdef12@shop.example> <x@example.com>"))
    assert found.answers == ("7.abcdef12",)


@pytest.mark.parametrize(
    "subject", ["unsubscribe 7.abcdef12", "Unsubscribe", "Wypisz mnie", "abmelden", "STOP"[:0] + "Re: unsubscribe"]
)
def test_a_wish_to_leave_is_told_by_the_subject(subject: str) -> None:
    assert read(letter(subject=subject, Auto_Submitted="auto-generated" if "7." in subject else "no")).kind == (
        "unsubscribe"
    )


def test_a_wish_to_leave_is_told_by_the_first_line() -> None:
    assert read(letter("\nPlease unsubscribe me.\n\nOn Monday you wrote:\n> Hi\n")).kind == "unsubscribe"
    assert read(letter("How do I unsubscribe my boss?\n\nunsubscribe\n")).kind == "letter"


def test_a_message_is_the_same_however_it_came() -> None:
    plain = notice()
    piped = b"Delivered-To: bounces@shop.example\r\nReceived: from a by b\r\n" + plain
    assert read(plain).id == read(piped).id
    assert read(notice(message_id="")).id != read(notice("5.2.2", message_id="")).id


def test_marks_are_read_from_all_places_a_server_puts_them() -> None:
    token = "3f-0123456789abcdef"
    for octets in (
        notice(to=f"bounces+{token}@shop.example"),
        notice(to="undisclosed", back=original(return_path=f"bounces+{token.upper()}@shop.example")),
        b"X-Original-To: <bounces+" + token.encode() + b"@shop.example>\r\n" + notice(),
    ):
        assert read(octets).marks.bounce == (token,)
    assert read(notice(), recipients=(f"b+{token}@shop.example",)).marks.bounce == (token,)
    act = "3f.ABCDEFGHabcdefgh"
    assert read(complaint(back=original(unsubscribe=act))).marks.act == (act,)


def test_what_a_person_quotes_names_nothing() -> None:
    quoted = "> X-Macli-Message-Id: 7.abcdef12\n> https://news.example/u/3f.ABCDEFGHabcdefgh\n> b+3f-0123456789abcdef@x"
    assert read(letter(f"Hello\n{quoted}\n")).marks.bounce == ()
    assert read(letter(f"Hello\n{quoted}\n")).marks.act == ()
    assert read(letter(f"Hello\n{quoted}\n")).marks.keys == ()


_BROKEN = [
    b"",
    b"\x00" * 100,
    b"Subject: Undelivered mail\r\n\r\nwithout a sender",
    b"\xff\xfe" * 50,
    b"From: =?utf-8?b?!!!!?= <a@b>\r\n\r\n",
    b"Subject: =?nosuch?q?x?=\r\nFrom: =?utf-8?q?=FF?= <a@b.example>\r\n\r\nx",
    (
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n--x\r\n"
        b"Content-Type: message/delivery-status\r\n\r\n\r\n\r\nAction\r\n--x"
    ),
    b'Content-Type: text/plain; charset="\\x00"\r\nContent-Transfer-Encoding: base64\r\n\r\n====',
    b"Date: Fri, 99 Foo 99999 99:99:99 +9999\r\n\r\n",
    b"Content-Type: message/rfc822\r\n\r\n" * 3000,
    b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(2000)),
    b"From: MAILER-DAEMON\r\nSubject: failure notice\r\n\r\n<" + b"a" * 100_000 + b"@example.com>:",
]


def test_a_message_made_to_be_slow_is_read_as_quickly_as_others() -> None:
    for octets in (
        b"From: a@b.example\r\nSubject: " + b" " * 500_000 + b"x\r\nTo: " + b"x" * 500_000 + b"\r\n\r\n",
        b"From: " + b"a@" * 500_000 + b"\r\nSubject: " + b"re: " * 200_000 + b"\r\n\r\n",
        notice("5.0.0", "x" * 500_000),
        b"From: MAILER-DAEMON@x\r\nSubject: failure notice\r\n\r\n" + b"some words of a text\r\n" * 50_000,
    ):
        started = time.monotonic()
        read(octets)
        assert time.monotonic() - started < 2


@pytest.mark.parametrize("octets", _BROKEN, ids=range(len(_BROKEN)))
def test_broken_mail_is_read_as_far_as_it_goes(octets: bytes, caplog: pytest.LogCaptureFixture) -> None:
    assert isinstance(read(octets), Letter)
    assert caplog.records == [], "nobody who reads what cron mails wants to know where a detector stumbled"


_LINES = st.sampled_from(
    [
        b"From: MAILER-DAEMON@mx.example",
        b"Subject: failure notice",
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=x",
        b"Content-Type: message/delivery-status",
        b"Content-Type: message/feedback-report",
        b"Content-Type: message/rfc822",
        b"Content-Type: text/rfc822-headers",
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: x-uuencode",
        b"--x",
        b"--x--",
        b"",
        b"Final-Recipient: rfc822; a@example.com",
        b"Action: failed",
        b"Status: 5.1.1",
        b"Feedback-Type: abuse",
        b"Date: Tue, 01 Dec 2026 09:30:00 +0000",
        b"To: bounces+3f-0123456789abcdef@shop.example",
        b"<a@example.com>: 550 user unknown",
    ]
)


@given(st.lists(st.one_of(_LINES, st.binary(max_size=60)), max_size=40))
def test_no_lines_whatever_stop_the_reader(lines: list[bytes]) -> None:
    found = read(b"\r\n".join(lines))
    assert found.kind in ("bounce", "complaint", "automatic", "unsubscribe", "letter")
    assert found.id


@given(st.binary(max_size=2000), st.integers(0, 1500))
def test_no_octets_in_a_notice_stop_the_reader(octets: bytes, at: int) -> None:
    whole = notice()
    assert read(whole[:at] + octets + whole[at:]).id
