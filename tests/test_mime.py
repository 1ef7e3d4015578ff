"""The assembled message, held against the standard library's reading of it."""

import re
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr, parsedate_to_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from macli.content.bodies import encode_text
from macli.content.headers import header_url, needs_smtputf8, one_line, wire_address
from macli.content.mail import Attachment, MailBuilder, mailto_of
from macli.errors import UsageError

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
ANY = st.text(st.characters(exclude_categories=()), max_size=200)
SCRIPTS = st.sampled_from(["Grüße aus Köln", "Привет", "春节快乐", "שלום", "مرحبا", "Zażółć gęślą jaźń", "😀🎉"])
NASTY = st.sampled_from(
    ["From me", ".", "..", "=_macli_", "--=_macli_alternative", "=?utf-8?q?x?=", "a" * 1200, "\t", " ", "=", "x  "]
)
LINES = st.lists(ANY | SCRIPTS | NASTY, max_size=12).map("\n".join)
WORDS = st.lists(ANY | SCRIPTS | NASTY, max_size=6).map(" ".join)


def build(**changed: object) -> bytes:
    fixed = {
        "sender": "news@shop.example",
        "sender_name": "The Shop",
        "list_id": "shop",
        "unsubscribe_mailto": "out@shop.example",
    }
    parts = {
        "key": "k1",
        "to": "ann@example.com",
        "subject": "Hello",
        "text": "text\n",
        "html": "<p>html</p>\n",
        "date": NOW,
    }
    for name, value in changed.items():
        (parts if name in MailBuilder.build.__annotations__ else fixed)[name] = value
    return MailBuilder(**fixed).build(**parts)


def read(octets: bytes) -> EmailMessage:
    message = message_from_bytes(octets, policy=policy.default)
    for part in message.walk():
        assert not part.defects
        for value in part.values():
            assert not value.defects
    return message


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return part.get_payload(decode=True).decode("utf-8").replace("\r\n", "\n")


def assert_arrived(arrived: str, text: str) -> None:
    """Line ends are made one kind; the last one may be the part's own."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode()
    assert arrived in (text, text.removesuffix("\n"))


def display_name(octets: bytes, header: str) -> str:
    """A name as RFC 2047 says: policy.default keeps the space between two encoded words of a phrase."""
    value = message_from_bytes(octets, policy=policy.compat32)[header]
    return str(make_header(decode_header(parseaddr(value.replace("\r\n", ""))[0])))


def one_name(text: str) -> str:
    return " ".join(one_line(text).split())


def assert_lines(octets: bytes) -> None:
    assert b"\r" not in octets.replace(b"\r\n", b"")
    assert b"\n" not in octets.replace(b"\r\n", b"")
    assert octets.isascii()
    assert b"\0" not in octets
    assert max(map(len, octets.split(b"\r\n"))) <= 998


@settings(max_examples=300, deadline=None)
@given(subject=WORDS, name=WORDS, text=LINES, html=LINES, sender_name=WORDS)
def test_the_standard_library_reads_back_what_went_in(subject, name, text, html, sender_name):
    octets = build(subject=subject, to_name=name, text=text, html=html, sender_name=sender_name)
    assert_lines(octets)
    message = read(octets)
    assert message["Subject"] == one_line(subject)
    assert message["To"].addresses[0].addr_spec == "ann@example.com"
    assert display_name(octets, "To") == one_name(name)
    assert display_name(octets, "From") == one_name(sender_name)
    assert_arrived(body(message, "plain"), text)
    assert_arrived(body(message, "html"), html)
    assert len(list(message.walk())) == 3


@settings(max_examples=150, deadline=None)
@given(
    name=st.text(min_size=1, max_size=120),
    content=st.binary(max_size=400),
    kind=st.sampled_from(["application/pdf", "text/plain", "message/rfc822", "image/png"]),
    text=LINES,
)
def test_attachments_arrive_octet_for_octet_under_their_names(name, content, kind, text):
    octets = build(attachments=(Attachment(name=name, content_type=kind, content=content),), text=text)
    assert_lines(octets)
    message = read(octets)
    (attached,) = message.iter_attachments()
    assert attached.get_payload(decode=True) == content
    assert attached.get_filename() == (one_line(name).replace("/", "_") or "attachment")
    assert_arrived(body(message, "plain"), text)


@settings(max_examples=300, deadline=None)
@given(subject=ANY, name=ANY, text=ANY)
def test_nothing_in_a_value_begins_a_header(subject, name, text):
    hostile = f"{subject}\r\nBcc: victim@example.com\r\n\r\n{text}"
    message = read(build(subject=hostile, to_name=f"{name}\nBcc: a@b.example\r\rX: y", sender_name=hostile))
    assert "Bcc" not in message
    assert "X" not in message
    assert len(message.keys()) == 10


@pytest.mark.parametrize(
    "address",
    [
        "ann@example.com\r\nBcc: x@y.example",
        "ann@example.com>, <bob@example.com",
        "ann@example.com, bob@example.com",
        "ann smith@example.com",
        "ann@exam ple.com",
        "ann",
        "",
        "@example.com",
        "ann@",
        "ann\u2028@example.com",
        "ånn\r@example.com",
    ],
)
def test_what_is_no_address_reaches_no_header(address):
    with pytest.raises(UsageError):
        build(to=address)
    with pytest.raises(UsageError):
        build(sender=address)
    with pytest.raises(UsageError):
        build(reply_to=address or "x")


def test_a_key_that_could_break_a_header_is_refused():
    with pytest.raises(UsageError):
        build(key="a\r\nb")


@settings(max_examples=300, deadline=None)
@given(text=LINES)
def test_quoted_printable_keeps_to_76_octets_and_protects_what_mailers_change(text):
    encoding, octets = encode_text(text, b"=_macli_")
    if encoding != b"7bit":
        assert max(map(len, octets.split(b"\r\n"))) <= 76
    for line in octets.split(b"\r\n"):
        assert line != b"."
        assert not line.startswith(b"From ")
        if encoding == b"quoted-printable":
            assert not line.endswith((b" ", b"\t"))
    assert b"=_macli_" not in octets


def test_the_encoding_follows_the_text():
    encodings = {
        "plain": b"7bit",
        "Grüße aus Köln, wo es heute regnet und die Läden offen sind": b"quoted-printable",
        "春节快乐，今天打折": b"base64",
        "x" * 999: b"quoted-printable",
        "a\n.\nb": b"quoted-printable",
        "From here on": b"quoted-printable",
    }
    for text, encoding in encodings.items():
        assert encode_text(text, b"=_macli_")[0] == encoding


def test_a_newsletter_has_every_header_it_needs_and_says_how_to_leave():
    message = read(build(key="c7-s1-42", unsubscribe_url="https://shop.example/u/abc", reply_to="ask@shop.example"))
    assert message["From"] == "The Shop <news@shop.example>"
    assert message["Reply-To"] == "ask@shop.example"
    assert message["Message-ID"] == "<c7-s1-42@shop.example>"
    assert message["X-Macli-Message-Id"] == "c7-s1-42"
    assert message["Date"].datetime == NOW
    assert message["MIME-Version"] == "1.0"
    assert message["List-ID"] == "shop <shop.shop.example>"
    assert message["List-Unsubscribe"] == (
        "<https://shop.example/u/abc>, <mailto:out@shop.example?subject=unsubscribe%20c7-s1-42>"
    )
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_without_a_public_address_the_way_to_leave_is_a_mail():
    message = read(build())
    assert message["List-Unsubscribe"] == f"<{mailto_of('out@shop.example', 'k1')}>"
    assert "List-Unsubscribe-Post" not in message


def test_a_transactional_mail_offers_no_unsubscribing():
    message = read(build(unsubscribe_mailto=None, list_id=None))
    assert "List-Unsubscribe" not in message
    assert "List-ID" not in message


def test_text_alone_is_no_multipart():
    message = read(build(html=None))
    assert message.get_content_type() == "text/plain"
    assert message.get_content() == "text\r\n"


def test_an_international_domain_travels_in_a_labels():
    message = read(build(to="ann@bücher.example", sender="news@пример.example"))
    assert message["To"] == "ann@xn--bcher-kva.example"
    assert message["From"].addresses[0].domain == "xn--e1afmkfd.example"
    assert message["Message-ID"] == "<k1@xn--e1afmkfd.example>"


def test_a_local_part_beyond_ascii_is_said_to_need_smtputf8():
    assert needs_smtputf8(wire_address("żółw@example.com"))
    assert not needs_smtputf8(wire_address("ann@bücher.example"))
    assert "żółw@example.com".encode() in build(to="żółw@example.com")


@pytest.mark.parametrize("offset", [0, 60, -210, 345])
def test_the_date_is_the_moment_given_in_any_zone(offset):
    moment = NOW.astimezone(timezone(timedelta(minutes=offset)))
    assert parsedate_to_datetime(read(build(date=moment))["Date"]) == NOW


@given(url=ANY)
def test_a_url_in_a_header_is_one_word_without_brackets(url):
    assert re.fullmatch(r"[!-~]*", header_url(url))
    assert not set('<>"') & set(header_url(url))


@given(subject=ANY)
@settings(max_examples=150, deadline=None)
def test_feedback_id_and_list_name_are_one_line_too(subject):
    message = read(build(list_id=subject or "l", feedback_id=f"c1:{subject}"))
    assert message["Feedback-ID"] == one_line(f"c1:{subject}")
    assert len(message.keys()) == 11
