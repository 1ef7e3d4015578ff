"""The template language: what it refuses, what it needs, what it says when a value is missing."""

import json
from datetime import UTC, date, datetime

import pytest

from macli.content import Renderer, TemplateError, TemplateFault, values_of
from macli.content.formats import format_date, format_money
from macli.content.lint import lint
from macli.content.missing import missing_values, required_values
from macli.content.prepare import decode, prepare, uses
from macli.content.sms import segments_of
from macli.errors import UnknownName, UsageError
from macli.store import Store
from tests.conftest import NOW


def version(text: str, *, html: str | None = None, subject: str | None = "s", **defaults: object) -> dict:
    return {"subject": subject, "html": html, "text": text, "defaults": json.dumps(defaults)}


def render(text: str, /, defaults: dict | None = None, **values: object) -> str:
    return Renderer(version(text, **(defaults or {})), name="t", now=NOW).render(values).text


def save(text: str) -> None:
    prepare("t", "sms", source=text, source_format="sms")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Hi {{ first_name", "unexpected end of template"),
        ("{% if x %}", "unexpected end of template"),
        ("{{ x | titel }}", "no filter named 'titel'; did you mean 'title'?"),
        ("{{ x | center(9) }}", "no filter named 'center'"),
        ("{% include 'x' %}", "'include' is not available"),
        ("{% extends 'x' %}", "'extends' is not available"),
        ("{% import 'x' as y %}", "'import' is not available"),
        ("{{ ''.__class__ }}", "'__class__' is not available"),
        ("{{ '{0}'.format(x) }}", "'format' is not available"),
        ("{% for a in b recursive %}{% endfor %}", "a recursive loop"),
        ("{% for a in b %}" * 4 + "{% endfor %}" * 4, "more than 3 loops"),
    ],
)
def test_what_cannot_be_a_template_is_refused_when_saved(text, message):
    with pytest.raises(TemplateError) as caught:
        save(text)
    assert message in caught.value.message


def test_an_error_points_at_its_line_and_tag():
    with pytest.raises(TemplateError) as caught:
        save("Hello\nthere {{ a }} and {{ b c }}!\nbye")
    assert caught.value.message.splitlines() == [
        "t (text):2: expected token 'end of print statement', got 'c'",
        "  there {{ a }} and {{ b c }}!",
        "                    ^",
    ]


def test_a_field_macli_does_not_give_is_refused_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'name'"):
        save("{{ campaign.nmae }}")


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'x' * 1000000000 }}",
        "{{ [1] * 1000000000 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 9 ** 999 }}",
        "{% for i in range(1000000000) %}{% endfor %}",
        "{{ 'x'.ljust(1000000000) }}",
        "{{ now.strftime('%1000000000d') }}",
        "{{ now | date('%1000000000d') }}",
        "{{ x.__class__ }}",
        "{{ x['__class__'] }}",
        "{{ [].append(1) }}",
        "{% set y = [] %}{{ y.append(1) }}",
        "{{ contact.update({'a': 1}) }}",
        "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{{ 1 / 0 }}",
        "{{ x.split }}{{ x.encode() }}",
        "{{ contact.nothing }}",
        "{{ 1 | money('€', 50) }}",
    ],
)
def test_what_costs_or_reaches_too_much_ends_that_message_and_no_other(text):
    renderer = Renderer(version("{% if x %}" + text + "{% endif %}"), name="t", now=NOW)
    with pytest.raises(TemplateFault) as caught:
        renderer.render({"x": "a"})
    assert caught.value.message.startswith("t (text)")
    assert renderer.render({}).text == ""


def test_a_fault_names_template_part_line_and_value():
    with pytest.raises(TemplateFault, match=r"^t \(text\):3: a value is missing: 'first_name' is undefined$"):
        render("one\n{% if 1 %}\n{{ first_name }}\n{% endif %}")


def test_missing_values_may_be_asked_about_defaulted_and_never_used():
    assert render("{{ a | default('x') }}{% if a %}y{% else %}z{% endif %}{{ a or 'q' }}") == "xzq"
    assert render("{{ a }}-{{ contact.a }}", defaults={"a": "friend"}) == "friend-friend"
    assert render("{{ a }}", defaults={"a": "friend"}, a="Ann") == "Ann"
    for text in ("{{ a }}", "{{ a == 1 }}", "{{ a ~ 'x' }}", "{% for b in a %}{% endfor %}", "{{ a | upper }}"):
        with pytest.raises(TemplateFault):
            render(text)


def test_what_macli_gives_wins_and_the_contact_is_still_reachable():
    renderer = Renderer(
        version("{{ campaign.name }} {{ contact.campaign }} {{ contact.items }} {{ sender.email }} {{ now.year }}"),
        name="t",
        now=NOW,
        campaign={"name": "Spring"},
        sender={"email": "a@b.example"},
    )
    rendered = renderer.render({"campaign": "own", "items": "3"})
    assert rendered.text == "Spring own 3 a@b.example 2026"


def test_a_subject_is_one_line_whatever_the_values():
    renderer = Renderer(version("", subject="Hi {{ name }}\n"), name="t", now=NOW)
    assert renderer.render({"name": "Ann\r\nBcc: x@y.example\x00\u2028!"}).subject == "Hi Ann Bcc: x@y.example !"


def test_few_characters_beyond_ascii_become_references_in_html_and_many_do_not():
    few = Renderer(version("", html="<p>Grüße an alle Freunde, {{ name }}</p>"), name="t", now=NOW)
    assert few.render({"name": "Zoë"}).html == "<p>Gr&#252;&#223;e an alle Freunde, Zo&#235;</p>"
    many = Renderer(version("", html="<p>春节快乐 {{ name }}</p>"), name="t", now=NOW)
    assert many.render({"name": "王"}).html == "<p>春节快乐 王</p>"
    style = "<style>a::after{content:'→'}</style>" + "<p>plain text in English</p>" * 5
    assert Renderer(version("", html=style), name="t", now=NOW).render({}).html == style


@pytest.mark.parametrize(
    ("text", "required"),
    [
        ("{{ a }}", "a"),
        ("{{ a | default('x') }}", ""),
        ("{{ a | d('x') | title }}", ""),
        ("{{ a | title | default('x') }}", "a"),
        ("{{ contact.a }} {{ contact['b'] }}", "a b"),
        ("{{ contact.a | default('x') }}", ""),
        ("{{ a | default(b) }}", "b"),
        ("{% if a %}{{ a }}{% endif %}", ""),
        ("{% if a is defined %}{{ a }}{% else %}{{ a }}{% endif %}", "a"),
        ("{% if a is not defined %}x{% else %}{{ a }}{% endif %}", ""),
        ("{% if not a %}x{% elif b %}{{ a }}{{ b }}{% else %}{{ b }}{% endif %}", "b"),
        ("{% if a and b %}{{ a }}{{ b }}{% endif %}", ""),
        ("{% if a or b %}{{ a }}{% endif %}", "a"),
        ("{% if a == 1 %}x{% endif %}", "a"),
        ("{% if a and a > 3 %}x{% endif %}", ""),
        ("{{ a if a else b }}", "b"),
        ("{{ a or b }}", "b"),
        ("{{ a and a.x }}", "a"),
        ("{% for a in b %}{{ a }}{{ loop.index }}{% endfor %}{{ a }}", "a b"),
        ("{% set a = b %}{{ a }}", "b"),
        ("{% if c %}{% set a = 1 %}{% endif %}{{ a }}", "a"),
        ("{% if c %}{% set a = 1 %}{% else %}{% set a = 2 %}{% endif %}{{ a }}", ""),
        ("{% set a %}{{ b }}{% endset %}{{ a }}", "b"),
        ("{% macro m(a, c=d) %}{{ a }}{{ c }}{{ e }}{% endmacro %}{{ m(b) }}", "b d e"),
        ("{% with a = b %}{{ a }}{% endwith %}{{ a }}", "a b"),
        ("{% filter upper %}{{ a }}{% endfilter %}", "a"),
        ("{{ campaign.name }}{{ sender.email }}{{ now }}{{ postal_address }}{{ unsubscribe_url }}", ""),
        ("{% for i in range(3) %}{{ i }}{% endfor %}", ""),
        ("{{ a[b] }} {{ a.b.c }} {{ (a, [b]) }} {{ {'x': c}['x'] }} {{ d(e) }}", "a b c d e"),
        ("{% raw %}{{ a }}{% endraw %}{# {{ b }} #}", ""),
    ],
)
def test_the_values_a_template_cannot_do_without(text, required):
    assert required_values(version(text)) == required.split()


@pytest.mark.parametrize("text", ["{{ a }}", "{{ a|default('x') }}{{ b }}", "{% if a %}{{ a }}{{ c or b }}{% endif %}"])
def test_with_all_required_values_and_no_others_rendering_succeeds(text):
    needed = required_values(version(text))
    render(text, **dict.fromkeys(needed, "x"))
    for name in needed:
        if "if" not in text:
            with pytest.raises(TemplateFault):
                render(text, **{other: "x" for other in needed if other != name})


def test_a_version_needs_what_any_part_needs_and_has_no_default_for():
    parts = version("{{ a }}", html="<p>{{ b }}</p>", subject="{{ c }}", b="x")
    assert required_values(parts) == ["a", "c"]
    assert uses(parts).contact == {"a", "b", "c"}


def test_who_lacks_a_value_is_counted_and_named(store: Store):
    people = [
        ("ann@example.com", '{"first_name": "Ann"}'),
        ("bob@example.com", "{}"),
        ("cid@example.com", '{"first_name": null}'),
        (None, '{"first_name": "Dee"}'),
    ]
    with store.write():
        store.executemany(
            "INSERT INTO contacts (email, phone, attributes, added_at, updated_at) VALUES (?, '+14165550123', ?, 0, 0)",
            people,
        )
    found = missing_values(store, ["first_name", "email", "phone"], "contacts.id > :low", {"low": 0}, limit=1)
    assert found == [("email", 1, ["+14165550123"]), ("first_name", 2, ["bob@example.com"])]
    assert missing_values(store, [], "contacts.id > 0", {}) == []
    assert missing_values(store, ["first_name"], "contacts.id > 99", {}) == []


def test_a_row_becomes_values_without_what_is_null():
    row = dict.fromkeys(("phone", "external_id", "timezone", "locale", "source"))
    row |= {"email": "a@b.example", "state": "lead", "attributes": '{"n": 1, "gone": null, "name": "null"}'}
    assert values_of(row) == {"email": "a@b.example", "state": "lead", "n": 1, "name": "null"}


@pytest.mark.parametrize(
    ("value", "arguments", "text"),
    [
        ("2026-12-01", (), "1 December 2026"),
        ("2026-12-01T08:05:00Z", ("%d.%m.%y %H:%M",), "01.12.26 08:05"),
        (date(2026, 2, 3), ("%-d/%-m",), "3/2"),
        (datetime(2026, 2, 3, tzinfo=UTC), ("%a %e %b",), "Tue  3 Feb"),
    ],
)
def test_dates_are_written_as_asked(value, arguments, text):
    assert format_date(value, *arguments) == text


@pytest.mark.parametrize(
    ("value", "arguments", "text"),
    [
        (1234.5, ("$",), "$1,234.50"),
        ("-1234.5", ("$",), "-$1,234.50"),
        (1234567, ("zł", 2, ",", " "), "1 234 567,00\u00a0zł"),
        (0.005, (), "0.00"),
        (-0.001, ("€",), "€0.00"),
        (5, ("EUR", 0), "5\u00a0EUR"),
    ],
)
def test_amounts_are_written_as_asked(value, arguments, text):
    assert format_money(value, *arguments) == text


@pytest.mark.parametrize("value", ["soon", "", "2026-13-01", None])
def test_what_is_no_date_or_amount_is_an_error(value):
    with pytest.raises(ValueError, match="is no date"):
        format_date(value)
    with pytest.raises(ValueError, match="is no amount"):
        format_money(value)


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("", "GSM-7", 0, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("a" * 152 + "€" + "b" * 152, "GSM-7", 306, 3),
        ("ą" * 70, "UCS-2", 70, 1),
        ("ą" * 71, "UCS-2", 71, 2),
        ("😀" * 35, "UCS-2", 70, 1),
        ("😀" * 67, "UCS-2", 134, 3),
    ],
)
def test_text_messages_are_counted_as_they_are_billed(text, encoding, units, segments):
    counted = segments_of(text)
    assert (counted.encoding, counted.units, counted.segments) == (encoding, units, segments)


def test_a_text_message_that_is_too_long_for_one_contact_fails_for_that_contact():
    renderer = Renderer(version("{{ a }}", subject=None), name="t", kind="sms", now=NOW)
    assert renderer.render({"a": "x" * 1600}).text == "x" * 1600
    with pytest.raises(TemplateFault, match="1601 characters"):
        renderer.render({"a": "x" * 1601})


def test_a_file_is_read_as_utf_8_with_any_mark_and_any_line_ends():
    assert decode(b"\xef\xbb\xbfa\r\nb\rc", where="f") == "a\nb\nc"
    assert decode("ż\n".encode("utf-16"), where="f") == "ż\n"
    with pytest.raises(UsageError, match=r"f:2: not UTF-8 \(octet 0xe9\)"):
        decode(b"ok\ncaf\xe9", where="f")


def test_lint_says_what_will_harm_a_mail():
    said = " ".join(
        finding.message
        for finding in lint(
            version(
                "text",
                subject="BUY NOW!! " + "really " * 10,
                html="<img src='http://x/y.png'><script></script>" + "<p>word</p>" * 10_000,
            ),
            kind="email",
            attributes=frozenset({"first_name"}),
        )
    )
    for word in ("Gmail", "alt", "https://", "script", "characters", "!", "unsubscribe_url", "postal_address"):
        assert word in said
    clean = version("{{ unsubscribe_url }} {{ postal_address }}", subject="Hello {{ first_name }}", html="<p>Hi</p>")
    assert lint(clean, kind="email", attributes=frozenset({"first_name"})) == []
    assert (
        "did you mean 'first_name'"
        in lint(version("{{ frist_name }}"), kind="sms", attributes=frozenset({"first_name"}))[-1].message
    )
