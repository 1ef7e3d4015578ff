"""What marketing mail must carry or it does not leave: a way out with one click, a postal address; its return path."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from macli.campaign import readiness
from macli.campaign.definition import Campaign, parse
from macli.campaign.preview import previews
from macli.content.footer import with_footer
from macli.content.prepare import prepare
from macli.errors import MacliError
from macli.store import Row, campaigns, settings, templates
from macli.tick.tick import run_tick
from macli.tick.trial import send_test
from tests.mail_server import free_ports
from tests.site import keys
from tests.test_tracking import outbox, part, put, sent
from tests.world import NOW, World, add_campaign, add_contacts, add_template, new_world, use_smtp

ADDRESS = "1 Main St, Ottawa"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two contacts, and one-click unsubscribing required."""
    made = new_world(tmp_path / "shop")
    settings.unset(made.store, "unsubscribe.require_https")
    add_contacts(made.store, 2)
    return made


class Arrived:
    """What a mail server took: envelope senders with contents, in the order of the recipients."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, str, bytes]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append((envelope.rcpt_tos[0], envelope.mail_from, envelope.content))
        return "250 ok"

    def senders(self) -> list[str]:
        return [sender for _, sender, _ in sorted(self.mails)]

    def messages(self) -> list[EmailMessage]:
        return [message_from_bytes(data, policy=policy.default) for _, _, data in sorted(self.mails)]  # type: ignore[misc]


@contextmanager
def smtp(world: World) -> Iterator[Arrived]:
    """A real server on this machine, which the channel email is put on."""
    from aiosmtpd.controller import Controller

    arrived = Arrived()
    (port,) = free_ports(1)
    controller = Controller(arrived, hostname="127.0.0.1", port=port)
    controller.start()
    use_smtp(world.store, port, connections=1)
    try:
        yield arrived
    finally:
        controller.stop()


def definition(world: World, row: Row) -> Campaign:
    return parse(campaigns.document(world.store, row)).campaign


def found(world: World, level: str) -> list[str]:
    """What ``campaign check`` would say of the campaign spring."""
    row = campaigns.get(world.store, "spring")
    campaign = definition(world, row)
    engine = world.engine()
    findings = readiness.findings(world.store, row, campaign, setting=engine.setting, now=NOW, zone=engine.zone)
    return [one.text for one in findings if one.level == level]


# R1: List-Unsubscribe


def test_r1_marketing_mail_has_one_click_headers(world: World) -> None:
    put(world, "public_url", "https://news.example")
    with smtp(world) as arrived:
        add_campaign(world.store)
        run_tick(world.engine())
    for number, mail in enumerate(arrived.messages(), 1):
        assert mail["List-Unsubscribe"] == f"<https://news.example/u/{keys(world).message(number).act}>"
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert len(arrived.mails) == 2


def test_r1_the_mailbox_stands_behind_the_page_where_one_is_set(world: World) -> None:
    put(world, "public_url", "https://news.example")
    put(world, "unsubscribe.mailto", "leave@shop.example")
    first, second = (mail["List-Unsubscribe"].split(", ") for mail in sent(world))
    assert re.fullmatch(r"<https://news\.example/u/1\.[\w-]{16}>", first[0])
    assert re.fullmatch(r"<mailto:leave@shop\.example\?subject=unsubscribe%202\.[\w-]{16}>", second[1])


def test_r1_transactional_mail_has_no_such_headers(world: World) -> None:
    put(world, "public_url", "https://news.example")
    mail = sent(world, purpose="transactional")[0]
    for name in ("List-Unsubscribe", "List-Unsubscribe-Post", "List-ID", "Feedback-ID"):
        assert mail[name] is None
    assert "Unsubscribe" not in part(mail, "html")
    assert ADDRESS not in part(mail, "html")


@pytest.mark.parametrize(
    ("public_url", "said"),
    [
        (None, "recipients cannot unsubscribe with one click: public_url is not set"),
        ("http://news.example", "recipients cannot unsubscribe with one click: http://news.example is not https"),
    ],
)
def test_r1_a_real_provider_gets_no_marketing_mail_without_them(
    world: World, public_url: str | None, said: str
) -> None:
    put(world, "public_url", "https://news.example")
    with smtp(world) as arrived:
        add_campaign(world.store)
        if public_url is None:
            settings.unset(world.store, "public_url")
        else:
            put(world, "public_url", public_url)
        report = run_tick(world.engine())
        assert list(report.paused.values()) == [f"spring: {said}"]
        assert arrived.mails == []
        assert world.states() == {"planned": 2}
        with pytest.raises(MacliError, match="one click"):
            add_campaign(world.store, "other")
    assert said in found(world, "error")


@pytest.mark.parametrize("set_", [{"unsubscribe.require_https": "no"}, {"public_url": "http://127.0.0.1:8000"}])
def test_r1_by_mail_is_enough_where_the_settings_say_so_and_this_machine_may_be_tried(
    world: World, set_: dict[str, str]
) -> None:
    for key, value in set_.items():
        put(world, key, value)
    with smtp(world) as arrived:
        add_campaign(world.store)
        run_tick(world.engine())
    one_click = "public_url" in set_
    for mail in arrived.messages():
        assert mail["List-Unsubscribe"].startswith("<http://127.0.0.1:8000/u/" if one_click else "<mailto:news@shop.")
        assert (mail["List-Unsubscribe-Post"] is not None) == one_click
    assert len(arrived.mails) == 2


def test_r1_transactional_mail_leaves_without_any_of_it(world: World) -> None:
    settings.unset(world.store, "postal_address")
    with smtp(world) as arrived:
        add_campaign(world.store, purpose="transactional")
        run_tick(world.engine())
    assert len(arrived.mails) == 2


def test_r1_a_test_may_be_sent_before_it_is_all_set(world: World) -> None:
    settings.unset(world.store, "postal_address")
    add_campaign(world.store)
    with smtp(world) as arrived:
        send_test(world.engine(), campaigns.get(world.store, "spring"), "me@shop.example")
    assert len(arrived.mails) == 1


# R12: the postal address


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hi</p>", None),
        ("<html><body><p>Hi</p></body></html>", "Hi\n"),
        ("<p>Hi {% if number > 5 %}{{ postal_address }} {{ unsubscribe_url }}{% endif %}</p>", None),
        ("<p>{% for x in range(0) %}{{ postal_address }} {{ unsubscribe_url }}{% endfor %}Hi</p>", None),
        ("<p>{# {{ postal_address }} {{ unsubscribe_url }} #}Hi</p>", None),
    ],
)
def test_r12_a_template_without_address_or_way_out_gets_a_footer(world: World, html: str, text: str | None) -> None:
    put(world, "public_url", "https://news.example")
    mail = sent(world, html, text=text)[0]
    way_out = f"https://news.example/u/{keys(world).message(1).act}"
    for kind in ("html", "plain"):
        said = part(mail, kind)
        assert (said.count(ADDRESS), said.count(way_out)) == (1, 1)
        assert said.index("Hi") < said.index(ADDRESS)
    assert "</body>" not in part(mail, "html").split(ADDRESS)[0]


def test_r12_a_letter_of_text_alone_gets_its_footer_too(world: World) -> None:
    made = prepare("hello", "email", source="Hi {{ first_name }}", source_format="text", subject="Hi")
    templates.create(world.store, NOW, "hello", "email", made)
    add_campaign(world.store)
    run_tick(world.engine())
    mail = outbox(world)[0]
    assert mail.get_content_type() == "text/plain"
    assert (
        mail.get_content()
        .replace("\r", "")
        .startswith(f"Hi Contact 0\n\n{ADDRESS}\nUnsubscribe: mailto:news@shop.example?")
    )


@pytest.mark.parametrize(
    "html",
    [
        '<p>{{ postal_address }}</p><a href="{{ unsubscribe_url }}">Leave</a>',
        "<p>1 Main&nbsp;St,<br>\nOTTAWA</p><a href='{{ unsubscribe_url }}'>Leave</a>",
        "{% if postal_address or unsubscribe_url %}{{ postal_address }}{{ unsubscribe_url }}{% endif %}",
        "{{ unsubscribe_url }}{% if postal_address %}{{ postal_address }}{% endif %}",
        "{% filter upper %}{{ postal_address }}{% endfilter %}{% with %}{{ unsubscribe_url }}{% endwith %}",
    ],
)
def test_r12_a_template_that_has_both_is_left_as_it_is(html: str) -> None:
    parts = {"html": html, "text": None}
    assert with_footer(parts, ADDRESS) == parts


def test_r12_without_a_postal_address_no_real_provider_gets_marketing_mail(world: World) -> None:
    put(world, "public_url", "https://news.example")
    with smtp(world) as arrived:
        add_campaign(world.store)
        settings.unset(world.store, "postal_address")
        report = run_tick(world.engine())
        assert list(report.paused.values()) == ["spring: no postal address, which marketing mail has to show"]
        assert arrived.mails == []
    assert found(world, "error") == ["no postal address, which marketing mail has to show"]


def test_r12_the_outbox_takes_it_with_a_warning(world: World) -> None:
    settings.unset(world.store, "postal_address")
    mails = sent(world)
    assert len(mails) == 2
    assert found(world, "error") == []
    assert any("no postal address" in text for text in found(world, "warning"))


def test_r12_a_preview_shows_the_footer_and_plain_links(world: World) -> None:
    put(world, "public_url", "https://news.example")
    add_template(world.store, html='<a href="https://shop.example/x">x</a>')
    add_campaign(world.store)
    row = campaigns.get(world.store, "spring")
    contact = world.store.row("SELECT * FROM contacts WHERE id = 1")
    assert contact is not None
    engine = world.engine()
    (shown,) = previews(world.store, definition(world, row), contact, setting=engine.setting, now=NOW, zone=engine.zone)
    assert shown.text == f"x <https://shop.example/x>\n\n{ADDRESS}\nUnsubscribe: https://news.example/u/preview"
    assert shown.html is not None
    assert ADDRESS in shown.html
    assert "https://news.example/o/" not in shown.html


def test_a_confirmation_needs_a_page_to_confirm_on(world: World) -> None:
    add_template(world.store, html='<a href="{{ confirm_url }}">Yes</a>')
    with pytest.raises(MacliError, match="confirm_url }} needs public_url"):
        add_campaign(world.store, purpose="transactional")
    put(world, "public_url", "https://news.example")
    add_campaign(world.store, "again", purpose="transactional")
    run_tick(world.engine())
    assert part(outbox(world)[1], "html").strip() == (
        f'<a href="https://news.example/confirm/{keys(world).message(2).act}">Yes</a>'
    )


# The return path and other headers


@pytest.mark.parametrize(
    ("address", "pattern"),
    [
        ("bounces@shop.example", "bounces+{}@shop.example"),
        ("b-*@bounce.shop.example", "b-{}@bounce.shop.example"),
        ("bounces+*@shop.example", "bounces+{}@shop.example"),
    ],
)
def test_each_mail_has_a_return_path_of_its_own(world: World, address: str, pattern: str) -> None:
    put(world, "public_url", "https://news.example")
    put(world, "bounces.address", address)
    with smtp(world) as arrived:
        add_campaign(world.store)
        run_tick(world.engine())
    assert arrived.senders() == [pattern.format(keys(world).message(number).bounce) for number in (1, 2)]
    for mail in arrived.messages():
        assert mail["Return-Path"] is None
        assert mail["From"] == "news@shop.example"


def test_without_a_setting_the_return_path_is_the_sender(world: World) -> None:
    put(world, "public_url", "https://news.example")
    with smtp(world) as arrived:
        add_campaign(world.store)
        run_tick(world.engine())
    assert arrived.senders() == ["news@shop.example"] * 2


def test_marketing_mail_says_whose_campaign_it_is(world: World) -> None:
    put(world, "public_url", "https://news.example")
    mail = sent(world)[0]
    campaign, step, store, domain = mail["Feedback-ID"].split(":")
    assert (campaign, step, domain) == ("1", "send-hello", "shop.example")
    assert mail["Message-ID"] == f"<1.{store}@shop.example>"


def test_no_line_of_a_followed_mail_is_too_long_and_no_value_becomes_a_header(world: World) -> None:
    put(world, "public_url", "https://news.example")
    world.store.execute("UPDATE contacts SET attributes = json_set(attributes, '$.first_name', ?)", (NASTY,))
    add_template(
        world.store, html='<a href="https://shop.example/{{ first_name }}">x</a>' * 3, subject="{{ first_name }}"
    )
    add_campaign(world.store)
    run_tick(world.engine())
    octets = next((world.path / "out").rglob("*.eml")).read_bytes()
    assert max(len(line) for line in octets.split(b"\r\n")) <= 998
    mail = message_from_bytes(octets, policy=policy.default)
    assert mail["Bcc"] is None
    assert "https://news.example/r/" in part(mail, "html")  # type: ignore[arg-type]


NASTY = "x\r\nBcc: all@other.example\r\n\r\n" + "long" * 400
