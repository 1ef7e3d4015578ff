"""A whole newsletter, from Markdown to octets: whole, small, welcome."""

import re
import subprocess
from email import message_from_bytes, policy

import pytest

from macli.content import Attachment, MailBuilder, Renderer, mailto_of
from macli.content.prepare import prepare
from tests.conftest import NOW

LETTER = """# Winter is here, {{ first_name }}

Warm coats, wool hats and good boots have arrived in our shop in Ottawa. Everything is made of wool from
farms we know by name, and everything can be mended here for as long as you wear it.

{% for name in ("Coats", "Hats", "Boots") %}
- [{{ name }}](https://shop.example.org/winter/{{ name | lower }}?c={{ external_id }})
{% endfor %}

See you soon,
{{ sender.name }}
"""


def letter(subject: str = "{{ first_name }}, the winter collection has arrived", extra: str = "") -> bytes:
    content = prepare("letter", "email", source=LETTER + extra, source_format="markdown", subject=subject)
    renderer = Renderer(
        {**vars(content), "defaults": "{}"},
        name="letter",
        now=NOW,
        sender={"name": "Ann at the Wool Shop"},
        postal_address="The Wool Shop, 1 Main St, Ottawa K1A 0A1, Canada",
    )
    builder = MailBuilder(
        sender="news@shop.example.org",
        sender_name="The Wool Shop",
        reply_to="ask@shop.example.org",
        list_id="Winter news",
        unsubscribe_mailto="leave@shop.example.org",
    )
    key = "4711.a1b2c3d4"
    rendered = renderer.render(
        {"first_name": "Zoë", "external_id": "c-42"}, unsubscribe_url=mailto_of("leave@shop.example.org", key)
    )
    return builder.build(
        key=key,
        to="zoe@example.net",
        to_name="Zoë Müller",
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        date=NOW,
    )


def test_a_newsletter_says_the_same_in_both_parts():
    message = message_from_bytes(letter(), policy=policy.default)
    text = message.get_body(("plain",)).get_content()
    html = message.get_body(("html",)).get_content()
    assert message["Subject"] == "Zoë, the winter collection has arrived"
    assert str(message["To"]) == "Zoë Müller <zoe@example.net>"
    for words in ("Winter is here, Zo", "Ann at the Wool Shop", "1 Main St", "c=c-42", "leave@shop.example.org"):
        assert words in text
        assert words in html
    assert "https://shop.example.org/winter/hats?c=c-42" in text


def test_an_attached_file_does_not_change_the_parts():
    builder = MailBuilder(
        sender="a@b.example",
        attachments=(
            Attachment(name="książka 📘.pdf", content_type="application/pdf", content=bytes(range(256)) * 999),
        ),
    )
    octets = builder.build(key="k", to="c@d.example", subject="s", text="t", html="<p>h</p>", date=NOW)
    message = message_from_bytes(octets, policy=policy.default)
    (file,) = message.iter_attachments()
    assert file.get_filename() == "książka 📘.pdf"
    assert file.get_content() == bytes(range(256)) * 999
    assert message.get_body(("html",)).get_content().strip() == "<p>h</p>"


@pytest.mark.system("spamassassin")
@pytest.mark.slow
@pytest.mark.parametrize("subject", ["{{ first_name }}, the winter collection has arrived", "Zażółć gęślą jaźń ❄"])
def test_a_newsletter_scores_low_with_spamassassin(subject):
    received = b"Received: from mail.shop.example.org (mail.shop.example.org [192.0.2.25])\r\n"
    received += b"\tby mx.example.net with ESMTPS id 1; Wed, 04 Mar 2026 12:00:01 +0000\r\n"
    done = subprocess.run(
        ["spamassassin", "-L", "-t"], input=received + letter(subject), capture_output=True, timeout=120, check=True
    )
    status = re.search(rb"X-Spam-Status:.*?score=(-?[\d.]+).*?tests=(.*?)\n\S", done.stdout, re.DOTALL)
    assert status is not None
    assert float(status[1]) < 2, status[2]
