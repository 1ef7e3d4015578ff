"""Links that tell when they are followed: what becomes of each kind, what stays as it is, who is not followed."""

import json
import re
import subprocess
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from macli.content import Renderer
from macli.content.prepare import prepare
from macli.content.tracking import addresses, followed, tagged, with_pixel
from macli.errors import MacliError
from macli.store import campaigns, settings, templates
from macli.tick.compose import StepComposer
from macli.tick.tick import run_tick
from macli.tick.trial import send_test
from tests.site import keys, serving
from tests.world import NOW, World, add_campaign, add_contacts, add_template, new_world, opt_in

UTM = "utm_source=shop.example&utm_medium=email&utm_campaign=spring"
ONE = re.compile(r"\{\{ macli_click \}\}(\d+)|\{%\+ filter macli_signed %\}(.*?)\{% endfilter %\}", re.DOTALL)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Three contacts; the site is https://news.example, as tests/site.py has it."""
    made = new_world(tmp_path / "shop")
    settings.put(made.store, NOW, "public_url", "https://news.example")
    add_contacts(made.store, 3)
    return made


def sent(world: World, html: str = "<p>Hello</p>", *, text: str | None = None, **campaign: Any) -> list[EmailMessage]:
    """The mails of a campaign with that template, in the order of the contacts."""
    add_template(world.store, html=html, text=text)
    add_campaign(world.store, **campaign)
    run_tick(world.engine())
    return outbox(world)


def composed(world: World, html: str) -> StepComposer:
    """What composes the mails of a campaign that sends ``html``."""
    add_template(world.store, html=html)
    campaign_id = add_campaign(world.store)
    return StepComposer(world.engine(), campaign_id, 1, world.store.value("SELECT key FROM steps"))


def outbox(world: World) -> list[EmailMessage]:
    files = sorted((world.path / "out").rglob("*.eml"))
    return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]  # type: ignore[misc]


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())


class Hrefs(HTMLParser):
    """What a reader of the HTML can click, as the standard library reads it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("a", "area"):
            self.found += (value or "" for name, value in attrs if name == "href")


def leads(world: World, url: str) -> str:
    """Where the site sends whoever follows a link of a mail."""
    with serving(world) as client:
        answer = client.get(url)
    assert answer.status_code == 302, url
    return answer.headers["location"]


def put(world: World, key: str, value: str) -> None:
    settings.put(world.store, NOW, key, value)


def rewritten(html: str) -> str:
    """An HTML part with each address's number behind its link; no UTM tags."""
    known = {url: number for number, url in enumerate(addresses({"html": html, "text": None}, query=""), 1)}
    return followed({"html": html, "text": None}, known.__getitem__, query="")["html"] or ""


# What a link becomes


@pytest.mark.parametrize(
    ("html", "to"),
    [
        ('<a href="https://shop.example/a">x</a>', f"https://shop.example/a?{UTM}"),
        ('<a href="https://shop.example/a?b=1&amp;c=2">x</a>', f"https://shop.example/a?b=1&c=2&{UTM}"),
        ('<a href="https://shop.example/a?b=1&copy=2">x</a>', f"https://shop.example/a?b=1&copy=2&{UTM}"),
        ("<A HREF='http://shop.example'>x</A>", f"http://shop.example?{UTM}"),
        ("<a class=x href=https://shop.example/a/ id=y>x</a>", f"https://shop.example/a/?{UTM}"),
        ('<a href=" https://shop.example/\n  a ">x</a>', f"https://shop.example/%20%20a?{UTM}"),
        ('<a href="https://shop.example/a#part">x</a>', f"https://shop.example/a?{UTM}#part"),
        ('<a href="https://shop.example/a?utm_source=me">x</a>', "https://shop.example/a?utm_source=me"),
        ('<a href="https://shop.example:8443/ż?q=ł">x</a>', f"https://shop.example:8443/%C5%BC?q=%C5%82&{UTM}"),
        ('<a href="https://żółw.example/">x</a>', f"https://xn--w-uga1v8h.example/?{UTM}"),
        ('<map><area shape="rect" href="https://shop.example/area"></map>', f"https://shop.example/area?{UTM}"),
        ('{% if number >= 0 %}<a href="https://shop.example/if">x</a>{% endif %}', f"https://shop.example/if?{UTM}"),
        ('<a {% if number >= 0 %}href="https://shop.example/q"{% endif %}>x</a>', f"https://shop.example/q?{UTM}"),
        (
            '<a href="{% if number < 0 %}https://shop.example/n{% else %}https://shop.example/y{% endif %}">x</a>',
            f"https://shop.example/y?{UTM}",
        ),
        (
            '<a href="https://shop.example/p?c={{ number }}&amp;n={{ first_name | urlencode }}#z">x</a>',
            f"https://shop.example/p?c=0&n=Contact%200&{UTM}#z",
        ),
        ("<a href='https://shop.example/{{ \"it's\" }}?a=1&amp;b'>x</a>", f"https://shop.example/it's?a=1&b&{UTM}"),
        (
            '{% macro go(n) %}<a href="https://shop.example/{{ n }}">x</a>{% endmacro %}{{ go(number + 7) }}',
            f"https://shop.example/7?{UTM}",
        ),
        (
            '{% for n in range(2) %}<a href="https://shop.example/{{ n }}/{{ loop.index }}">x</a>{% endfor %}',
            f"https://shop.example/0/1?{UTM}",
        ),
        (
            '<a href="https://shop.example/{% if number %}x{% else %}{{ first_name | lower }}{% endif %}">x</a>',
            f"https://shop.example/contact%200?{UTM}",
        ),
    ],
)
def test_a_link_leads_where_it_led_with_tags_of_its_campaign(world: World, html: str, to: str) -> None:
    mail = sent(world, f"<p>Hi</p>{html}")[0]
    (link, *_) = Hrefs(part(mail, "html")).found
    assert re.fullmatch(r"https://news\.example/[cr]/1\.[\w-]{16}/\S+", link)
    assert leads(world, link) == to


@pytest.mark.parametrize(
    "html",
    [
        '<a href="mailto:ask@shop.example">x</a>',
        '<a href="tel:+15551234567">x</a>',
        '<a href="#top">x</a>',
        '<a href="/relative">x</a>',
        '<a href="//shop.example/x">x</a>',
        '<a href="https:/shop.example">x</a>',
        "<a href=\"{{ 'https://' ~ email }}\">x</a>",
        '<a href="https://{{ email }}/x">x</a>',
        '<a href="https://shop.example{{ email }}/x">x</a>',
        '<a href="https://shop.example:{{ number }}/x">x</a>',
        '<a href="https://me:secret@shop.example/x">x</a>',
        r'<a href="https://shop.example\@other.example/">x</a>',
        '<a data-macli-track="off" href="https://shop.example/x">x</a>',
        "<a href=\"https://shop.example/x\" DATA-MACLI-TRACK='Off'>x</a>",
        '<!-- <a href="https://shop.example/x">x</a> -->',
        '<!--[if mso]><a href="https://shop.example/x">x</a><![endif]-->',
        '<style>a[href="https://shop.example/x"] { color: red }</style>',
        "<img alt=\"<a href='https://shop.example/x'>\" src='https://shop.example/i.png'>",
        "<p title='<a href=\"https://shop.example/x\">'>x</p>",
        '<link rel="stylesheet" href="https://shop.example/x.css">',
        '<a href="https://shop.example/{% set x = 1 %}{{ x }}">x</a>',
        '<a href="https://shop.example/{% if a %}x">x</a><a href="y{% endif %}">x</a>',
        "<a href=https://shop.example/{{ id }}>x</a>",
        "<a href=https://shop.example/\"x'>x</a>",
        '<a href="https://shop.example/x',
        '<!-- <a href="https://shop.example/x">x</a>',
        '<style><a href="https://shop.example/x">x</a>',
        '<a title="x href="https://shop.example/x>',
        "<a href=>https://shop.example/x</a>",
        "<",
        "",
    ],
)
def test_what_is_no_link_of_ours_to_follow_stays_to_the_letter(html: str) -> None:
    assert rewritten(html) == html


def test_the_way_out_is_never_followed(world: World) -> None:
    pages = "".join(f'<a href="{{{{ {name}_url }}}}">x</a>' for name in ("unsubscribe", "preferences", "confirm"))
    mail = sent(world, pages)[0]
    act = keys(world).message(1).act
    assert Hrefs(part(mail, "html")).found == [
        f"https://news.example/{page}/{act}" for page in ("u", "prefs", "confirm")
    ]


def test_a_conditional_comment_for_everybody_hides_nothing() -> None:
    html = '<!--[if !mso]><!--><a href="https://a.example/">x</a><!--<![endif]-->'
    assert rewritten(html) == html.replace("https://a.example/", "{{ macli_click }}1")


words = st.sampled_from(
    [
        '<a href="https://a.example/1">', "<a href='https://a.example/2?x=1&amp;y'>", "<a href=https://a.example/3>",
        '<a href="https://a.example/{{ a }}">', '<a href="{{ u }}">', "</a>", "<p>", "</p>", "<!--", "-->", "<style>",
        "</style>", '"', "'", "<", ">", "=", "href", "word", " ", "\n", "{% if a %}", "{% endif %}", "{{ b }}",
        '<b title="', "<td ", "/>", "&amp;", "https://a.example/4", "<script>", "</script>", "<textarea>", "{#", "#}",
    ]
)  # fmt: skip


@given(pieces=st.lists(words, max_size=25))
def test_whatever_the_html_only_addresses_change(pieces: list[str]) -> None:
    html = "".join(pieces)
    urls = addresses({"html": html, "text": None}, query="")
    text = rewritten(html)
    kept = ONE.split(text)
    # Between the links everything is as it was, and in their places stood these addresses.
    pattern = re.escape(kept[0])
    for number, signed, after in zip(kept[1::3], kept[2::3], kept[3::3], strict=True):
        old = re.escape(signed) if signed is not None else _written(urls[int(number) - 1])
        pattern += rf"\s*{old}\s*{re.escape(after)}"
    assert re.fullmatch(pattern, html)


def _written(url: str) -> str:
    """How a stored address may stand in HTML."""
    return re.escape(url).replace("&", "&(?:amp;)?")


document = st.recursive(
    st.sampled_from(
        ["text", '<a href="https://a.example/1?b&amp;c">x</a>', "<a id=i href=https://a.example/2>x</a>", "<br/>",
         "<a href='http://b.example'><img src='https://a.example/i.png' alt=\"a > b\"></a>", '<a href="#x">x</a>',
         "<!-- <a href='https://a.example/no'> -->", '<A\nHREF = "https://a.example/3" >x</A>', "5 &lt; 6"]
    ),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        inner.map('<div title="<a href=\'https://a.example/no\'>">{}</div>'.format),
        inner.map("<table><tr><td style='x'>{}</td></tr></table>".format),
    ),
    max_leaves=8,
)  # fmt: skip


@given(html=document)
def test_every_address_a_reader_can_click_is_found_and_no_other(html: str) -> None:
    clicked = [url for url in Hrefs(html).found if url.startswith("http")]
    assert addresses({"html": html, "text": None}, query="") == list(dict.fromkeys(clicked))


block = st.recursive(
    st.sampled_from(
        ["word", "\n", "  ", "{{ a }}", '<a href="https://a.example/1">x</a>', "https://a.example/2.",
         '<a href="https://a.example/{{ a }}/3">x</a>', "\nhttps://a.example/{{ a }}\n", "{{ u }}",
         '<a {% if a %}href="https://a.example/4"{% endif %}>', '<a href="\n https://a.example/{{ a }}\n">x</a>',
         '<a href="{% if n %}https://a.example/5{% else %}https://a.example/{{ a }}{% endif %}">x</a>']
    ),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: "{{% if n %}}{}{{% else %}}{}{{% endif %}}".format(*two)),
        inner.map("\n  {{% if a %}}\n{}\n  {{% endif %}}\n".format),
        inner.map("{{% for a in range(2) -%}} {} {{%- endfor %}}".format),
        inner.map("{{% filter lower %}}{}{{% endfilter %}}".format),
    ),
    max_leaves=8,
)  # fmt: skip


@given(source=block, kind=st.sampled_from(["html", "text"]))
def test_but_for_its_links_a_followed_part_reads_as_the_plain_one(source: str, kind: str) -> None:
    parts = {"html": None, "text": None, kind: source}
    urls = addresses(parts, query="")
    numbers = {url: number for number, url in enumerate(urls)}
    rest = {"subject": None, "defaults": "{}"}
    values = {"a": "b", "n": 0, "u": "https://a.example/6"}
    plain = Renderer({**parts, **rest}, name="t", now=NOW).render(values)
    told = Renderer({**followed(parts, numbers.__getitem__, query=""), **rest}, name="t", now=NOW, tracked=True)
    shown = told.render(values, macli_click="https://m.example/", macli_sign="https://m.example/s{}".format)
    back = re.sub(
        r"https://m\.example/(?:s(https://\S+?(?=[\s\"<.]|$)|\S+?(?=[\s\"<]|$))|(\d+))",
        lambda one: one[1] or urls[int(one[2])],
        getattr(shown, kind),
    )
    assert back == getattr(plain, kind)


# Text parts and text messages


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("See https://a.example/x.", "See L1."),
        ("(https://a.example/x) https://a.example/y_(z), <https://a.example/?q=1>!", "(L1) L2, <L3>!"),
        ("[https://a.example/x]: 'https://a.example/y'", "[L1]: 'L2'"),
        ("HTTPS://A.example/x\nhttp://b.example", "L1\nL2"),
        ("https://a.example/?next=https://b.example/", "L1"),
        ("x@https://a.example ahttps://a.example/x", "x@https://a.example ahttps://a.example/x"),
        ("https://{{ host }}/x ftp://a.example", "https://{{ host }}/x ftp://a.example"),
        ("{% if a %}https://a.example/{% else %}http://a.example{% endif %}.", "{% if a %}L1{% else %}L2{% endif %}."),
        ("{% if a %}https://a.example/1{% endif %}?c=2", "{% if a %}https://a.example/1{% endif %}?c=2"),
        ("https://a.example/1{% if a %}/more{% endif %}", "https://a.example/1{% if a %}/more{% endif %}"),
        ("https://a.example/{{ a }}?b={{ b }}, or", "S<https://a.example/{{ a }}?b={{ b }}>, or"),
        ("https://a.example/{{ a -}} more", "https://a.example/{{ a -}} more"),
    ],
)  # fmt: skip
def test_addresses_in_text_end_where_a_reader_ends_them(text: str, kept: str) -> None:
    known = {url: number for number, url in enumerate(addresses({"html": None, "text": text}, query=""), 1)}
    told = followed({"html": None, "text": text}, known.__getitem__, query="")["text"] or ""
    assert ONE.sub(lambda one: f"L{one[1]}" if one[1] else f"S<{one[2]}>", told) == kept


def test_both_parts_of_a_mail_have_the_same_links(world: World) -> None:
    personal = "".join(f'<a href="https://shop.example/{n}?c={{{{ number }}}}">{n}</a> ' for n in range(5))
    mail = sent(world, f'<p><a href="https://shop.example/all">all</a> {personal}</p>')[2]
    links = [link for link in Hrefs(part(mail, "html")).found if "/u/" not in link]
    assert re.findall(r"<(https://news\.example/[cr]/\S+)>", part(mail, "plain")) == links
    assert [leads(world, link) for link in links] == [
        f"https://shop.example/all?{UTM}",
        *(f"https://shop.example/{n}?c=2&{UTM}" for n in range(5)),
    ]


def test_a_link_of_one_contact_is_good_in_that_message_only(world: World) -> None:
    first, second, _ = sent(world, '<a href="https://shop.example/{{ number }}">x</a>')
    mine, yours = (Hrefs(part(mail, "html")).found[0] for mail in (first, second))
    mixed = "/".join((*mine.split("/")[:5], yours.split("/")[5]))
    with serving(world) as client:
        assert client.get(mine).status_code == 302
        assert client.get(mixed).status_code == 404


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a&b=c<d>\"'", "a&b=c%3Cd%3E%22'"),
        ("&amp;", "&amp;"),
        ("../..//other.example", "../..//other.example"),
        ("\r\nSet-Cookie: a=b", "%0D%0ASet-Cookie:%20a=b"),
        ("ż\ud800", "%C5%BC?"),
        ("@other.example", "@other.example"),
    ],
)
def test_whatever_a_value_holds_the_link_leads_to_the_host_that_is_written_out(
    world: World, value: str, shown: str
) -> None:
    world.store.execute("UPDATE contacts SET attributes = ?", (json.dumps({"first_name": value}),))
    mail = sent(world, '<a href="https://shop.example/x?v={{ first_name }}">x</a>')[0]
    assert leads(world, Hrefs(part(mail, "html")).found[0]) == f"https://shop.example/x?v={shown}&{UTM}"


def test_a_text_message_has_short_links_for_what_is_the_same_for_all(world: World) -> None:
    opt_in(world, 1, "sms")
    text = "Sale! https://shop.example/sale. Yours: https://shop.example/{{ number }}"
    add_template(world.store, "note", kind="sms", text=text)
    add_campaign(world.store, entry={"rule": "number = 0"}, channel="sms", steps=[{"send": "note"}])
    put(world, "quiet_hours.sms", "none")
    run_tick(world.engine())
    (file,) = (world.path / "out").rglob("*.sms")
    said = file.read_text().split("\n\n", 1)[1].strip()
    follow = keys(world).message(1).follow
    assert said == f"Sale! https://news.example/c/{follow}/1. Yours: https://shop.example/0"
    assert leads(world, f"https://news.example/c/{follow}/1") == (
        "https://shop.example/sale?utm_source=shop.example&utm_medium=sms&utm_campaign=spring"
    )


# From every source

MJML = """
<mjml><mj-body><mj-section><mj-column>
<mj-button href="https://shop.example/all?a=1&amp;b=2">x</mj-button>
<mj-text><a href="https://shop.example/{{ number }}">x</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""


@pytest.mark.parametrize(
    ("source", "source_format"),
    [
        ("# Hi\n\n[all](https://shop.example/all?a=1&b=2) and [mine](https://shop.example/{{ number }})", "markdown"),
        (
            MJML,
            "mjml",
        ),
    ],
)
def test_links_are_followed_whatever_a_template_is_written_in(world: World, source: str, source_format: str) -> None:
    made = prepare("hello", "email", source=source, source_format=source_format, subject="Hi")
    templates.create(world.store, NOW, "hello", "email", made)
    add_campaign(world.store)
    run_tick(world.engine())
    links = Hrefs(part(outbox(world)[1], "html")).found
    assert [leads(world, link) for link in links[:2]] == [
        f"https://shop.example/all?a=1&b=2&{UTM}",
        f"https://shop.example/1?{UTM}",
    ]


def test_no_author_can_have_an_address_signed() -> None:
    with pytest.raises(MacliError, match="no filter named 'macli_signed'"):
        prepare("x", "email", source="{{ url | macli_signed }}", source_format="text", subject="Hi")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example", "https://a.example?utm_x=1"),
        ("https://a.example/?", "https://a.example/?utm_x=1"),
        ("https://a.example/?a&", "https://a.example/?a&utm_x=1"),
        ("https://a.example/?a=?", "https://a.example/?a=?&utm_x=1"),
        ("https://a.example/?a=%20+b#c?d", "https://a.example/?a=%20+b&utm_x=1#c?d"),
        ("https://a.example/?UTM_Source=b", "https://a.example/?UTM_Source=b"),
        ("https://a.example/utm_source=b", "https://a.example/utm_source=b?utm_x=1"),
    ],
)
def test_tags_are_added_where_there_are_none_and_the_rest_stays(url: str, expected: str) -> None:
    assert tagged(url, "utm_x=1") == expected


# The pixel


@pytest.mark.parametrize(
    ("html", "before"),
    [
        ("<p>Hello</p>", "<p>Hello</p>"),
        ("<html><BODY><p>Hello</p></BODY></html>", "<html><BODY><p>Hello</p>"),
        ("<body>x<!-- </body> --></body>", "<body>x<!-- </body> -->"),
        ("<body><p><IMG src='https://shop.example/i.png'></p></body>\n", "<body><p><IMG src='https://shop.example/i.png'></p>"),
    ],
)  # fmt: skip
def test_the_pixel_stands_at_the_end_of_the_body(html: str, before: str) -> None:
    shown = with_pixel(html)
    after = html.removeprefix(before)
    assert shown.startswith(before)
    assert shown.endswith(after)
    pixel = shown.removeprefix(before).removesuffix(after)
    # Alone in a mail it is no <img> but for Outlook: filters would count it as spam.
    only_outlook = re.sub(r"<!--\[if mso\]>.*<!\[endif\]-->", "", pixel)
    assert ("<img " in only_outlook) == ("<IMG" in html)
    assert only_outlook.count("{{ macli_pixel }}") == 1


def test_a_mail_has_a_pixel_which_is_a_picture(world: World) -> None:
    mail = sent(world)[0]
    (pixel,) = set(re.findall(r"https://news\.example/o/[^\"')]+", part(mail, "html")))
    assert pixel == f"https://news.example/o/{keys(world).message(1).follow}.gif"
    with serving(world) as client:
        assert client.get(pixel).headers["content-type"] == "image/gif"


@pytest.mark.system("spamassassin")
@pytest.mark.slow
def test_a_followed_letter_is_no_spam_to_spamassassin(world: World) -> None:
    source = "# Hi {{ first_name }}\n\nThe spring collection is in our shop.\n\n[See it](https://shop.example/spring)\n"
    made = prepare("hello", "email", source=source, source_format="markdown", subject="Spring, {{ first_name }}")
    templates.create(world.store, NOW, "hello", "email", made)
    put(world, "public_url", "https://news.shop.example")
    add_campaign(world.store)
    run_tick(world.engine())
    received = b"Received: from mail.shop.example (mail.shop.example [8.8.8.8])\r\n"
    received += b"\tby mx.example.net with ESMTPS id 1; Tue, 01 Dec 2026 09:00:01 +0000\r\n"
    octets = received + sorted((world.path / "out").rglob("*.eml"))[0].read_bytes()
    done = subprocess.run(["spamassassin", "-L", "-t"], input=octets, capture_output=True, timeout=120, check=True)
    status = re.search(rb"X-Spam-Status:.*?score=(-?[\d.]+).*?tests=(.*?)\n\S", done.stdout, re.DOTALL)
    assert status is not None
    assert float(status[1]) < 1, status[2]


# Who is not followed

LINK = '<a href="https://shop.example/x">x</a>'


def is_followed(mail: EmailMessage) -> tuple[bool, bool]:
    """Whether clicks tell, and whether opening does."""
    html = part(mail, "html")
    return "/c/" in html, "/o/" in html


@pytest.mark.parametrize(
    ("set_", "expected"),
    [
        ({}, (True, True)),
        ({"tracking.opens": "no"}, (True, False)),
        ({"tracking.clicks": "no"}, (False, True)),
        ({"tracking.opens": "no", "tracking.clicks": "no"}, (False, False)),
    ],
)
def test_r32_each_kind_of_tracking_can_be_off_and_the_mail_still_goes_out(
    world: World, set_: dict[str, str], expected: tuple[bool, bool]
) -> None:
    for key, value in set_.items():
        put(world, key, value)
    mails = sent(world, LINK)
    assert [is_followed(mail) for mail in mails] == [expected] * 3
    assert mails[0]["List-Unsubscribe"].startswith("<https://news.example/u/")


@pytest.mark.parametrize(
    ("campaign", "expected"),
    [
        ({"tracking": False}, False),
        ({"purpose": "transactional"}, False),
        ({"purpose": "transactional", "tracking": True}, True),
        ({"tracking": True}, True),
    ],
)
def test_r32_a_campaign_says_whether_it_is_followed(world: World, campaign: dict[str, Any], expected: bool) -> None:
    assert {is_followed(mail) for mail in sent(world, LINK, **campaign)} == {(expected, expected)}


def test_r32_who_asked_not_to_be_followed_is_not_and_the_others_are(world: World) -> None:
    world.store.execute("INSERT INTO preferences (contact_id, untracked, changed_at) VALUES (2, 1, 0), (3, 0, 0)")
    mails = sent(world, LINK)
    assert [is_followed(mail) for mail in mails] == [(True, True), (False, False), (True, True)]
    assert "https://shop.example/x" in part(mails[1], "html")
    assert part(mails[1], "html").count("https://news.example/u/") == 1


@pytest.mark.parametrize(("track", "expected"), [("own", (True, True)), ("provider", (False, False))])
def test_where_the_provider_follows_macli_does_not_so_that_each_open_counts_once(
    world: World, track: str, expected: tuple[bool, bool]
) -> None:
    with world.store.write():
        world.store.execute(
            "UPDATE providers SET settings = json_set(settings, '$.track', ?) WHERE kind = 'outbox'", (track,)
        )
    composer = composed(world, LINK)
    row = world.store.row("SELECT 1 AS send_id, 0 AS variant, 0 AS untracked, email AS address, * FROM contacts")
    assert row is not None
    mail = message_from_bytes(composer.compose(row, NOW).data, policy=policy.default)
    assert is_followed(mail) == expected


def test_without_an_address_in_the_world_nobody_is_followed(world: World) -> None:
    settings.unset(world.store, "public_url")
    mails = sent(world, LINK)
    assert [is_followed(mail) for mail in mails] == [(False, False)] * 3
    assert "https://shop.example/x" in part(mails[0], "html")
    assert world.store.value("SELECT count(*) FROM links") == 0


def test_p48_links_and_pixel_stand_on_the_tracking_domain(world: World) -> None:
    put(world, "tracking.domain", "https://click.shop.example")
    mail = sent(world, LINK)[0]
    html = part(mail, "html")
    assert set(re.findall(r"https://([^/\"]+)/[cor]/", html)) == {"click.shop.example"}
    assert mail["List-Unsubscribe"] == f"<https://news.example/u/{keys(world).message(1).act}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    (link, *_) = Hrefs(html).found
    assert leads(world, link.replace("click.shop.example", "news.example")) == f"https://shop.example/x?{UTM}"


def test_utm_tags_can_be_off(world: World) -> None:
    put(world, "tracking.utm", "no")
    mail = sent(world, LINK + '<a href="https://shop.example/{{ number }}">x</a>')[0]
    assert [leads(world, link) for link in Hrefs(part(mail, "html")).found[:2]] == [
        "https://shop.example/x",
        "https://shop.example/0",
    ]


def test_a_test_message_follows_nobody(world: World) -> None:
    add_template(world.store, html=LINK)
    add_campaign(world.store)
    (trial,) = send_test(world.engine(), campaigns.get(world.store, "spring"), "me@shop.example")
    assert trial.outcome.verdict == "accepted"
    assert is_followed(outbox(world)[0]) == (False, False)
    assert world.store.value("SELECT count(*) FROM links") == 0


# Links outlive


def test_a_link_has_one_number_however_often_its_step_is_prepared(world: World) -> None:
    sent(world, LINK * 2)
    add_contacts(world.store, 2, start=3)
    add_campaign(world.store, "again")
    run_tick(world.engine())
    rows = world.store.rows("SELECT campaign_id, url FROM links ORDER BY id")
    assert [(row["campaign_id"], row["url"].split("utm_campaign=")[1]) for row in rows] == [(1, "spring"), (2, "again")]


def test_r13_a_link_leads_on_when_its_campaign_and_template_are_gone(world: World) -> None:
    mail = sent(world, LINK)[0]
    (link, *_) = Hrefs(part(mail, "html")).found
    world.store.execute("DELETE FROM sends")
    campaigns.remove(world.store, campaigns.get(world.store, "spring"), sure=True)
    templates.remove(world.store, "hello")
    assert world.store.value("SELECT count(*) FROM campaigns") == 0
    assert leads(world, link) == f"https://shop.example/x?{UTM}"
