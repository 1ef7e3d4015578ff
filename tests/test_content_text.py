"""The text part made from an HTML template, and the shield that keeps Jinja through the tools."""

import pytest

from macli.content.plain import text_of
from macli.content.prepare import prepare
from macli.content.render import Renderer
from macli.content.shield import own_lines_vanish, shield
from macli.content.sources import html_of, inlined
from macli.errors import UsageError
from tests.conftest import NOW


def rendered(html: str, **values: object) -> str:
    version = {"subject": "s", "html": None, "text": text_of(html), "defaults": "{}"}
    return Renderer(version, name="t", now=NOW).render(values).text


def test_paragraphs_lists_and_links_stay_readable():
    html = """<html><head><title>no</title><style>p{}</style></head><body>
    <h1>Hello</h1><p>See our <a href="https://x.example/a?b=1&amp;c=2">shop</a>,
    or <a href="mailto:ask@x.example">ask@x.example</a>.</p>
    <ul><li>one</li><li>two</li></ul><ol><li>a<li>b</ol>
    <p>First<br>second</p><img src="x.png" alt="Logo"><hr><pre>  kept
      as is</pre></body></html>"""
    assert text_of(html) == (
        "Hello\n\nSee our shop <https://x.example/a?b=1&c=2>, or ask@x.example.\n\n- one\n- two\n\n1. a\n2. b\n\n"
        "First\nsecond\n\nLogo\n\n----------------------------------------\n\n  kept\n      as is\n"
    )


def test_what_is_hidden_or_a_comment_is_left_out():
    html = "<div style='display:none'>pre<div>header</div></div><!-- {{ a }} --><!--[if mso]>x<![endif]--><p>Hi</p>"
    assert text_of(html) == "Hi\n"


def test_a_loop_over_table_rows_is_a_loop_over_lines():
    html = """<table>{% for n in range(3) %}<tr {% if loop.first %}class="a"{% endif %}>
      <td>{{ n }}</td><td>EUR</td></tr>{% endfor %}</table><p>Bye</p>"""
    assert rendered(html) == "0  EUR\n1  EUR\n2  EUR\n\nBye"


def test_a_branch_takes_its_blank_lines_with_it():
    html = "<p>A</p>{% if promo %}<p>{{ promo }}</p>{% else %}<p>none</p>{% endif %}"
    html += "<p>Dear {% if x %}{{ x }}{% endif %}</p><p>C</p>"
    assert rendered(html, promo="B", x="Ann") == "A\n\nB\n\nDear Ann\n\nC"
    assert rendered(html) == "A\n\nnone\n\nDear \n\nC"


def test_values_are_not_escaped_in_text_and_are_in_html():
    content = prepare("t", "email", source="<p>{{ name }}</p>", source_format="html", subject="{{ name }}")
    version = {**vars(content), "defaults": "{}"}
    message = Renderer(version, name="t", now=NOW).render({"name": "<b>R&D</b>"})
    assert message.html == "<p>&lt;b&gt;R&amp;D&lt;/b&gt;</p>"
    assert message.text == "<b>R&D</b>"
    assert message.subject == "<b>R&D</b>"


def test_what_was_markup_in_html_is_words_in_text():
    assert rendered("<p>{{ story | safe }}</p>", story="<b>Bold</b> move") == "Bold move"


def test_a_line_of_tags_alone_leaves_no_line_and_no_number_changes():
    source = "a\n  {% if x %}{# c #}\nb {% if y %}\n{% endif -%}\n{% endif %}\nc"
    assert own_lines_vanish(source) == ("a\n  {% if x %}{# c \n#}b {% if y %}\n{% endif \n-%}{% endif \n%}c")
    assert own_lines_vanish(source).count("\n") == source.count("\n")


def test_a_line_with_words_between_its_tags_keeps_its_end():
    source = "{% if x %}Thank you.{% endif %}\n{# a #}b{# c #}\nBye"
    assert own_lines_vanish(source) == source


STYLE = "<style>td{padding:3px} .x{color:{{ brand }}} a:hover{color:red} @media (max-width:9px){.x{width:1px}}</style>"


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("<p>{{ a }}</p>", "<p>{{ a }}</p>"),
        ('<p>{{ a | default("x>y") }}</p>', '{{ a | default("x>y") }}'),
        (
            "<table>{% for i in l %}<tr><td>{{ i }}</td></tr>{% endfor %}</table>",
            '<table>{% for i in l %}<tr><td style="padding: 3px;">{{ i }}</td></tr>{% endfor %}</table>',
        ),
        ("<table><tr>{{ cells }}</tr></table>", "<table><tr>{{ cells }}</tr></table>"),
        (
            '<td {% if a %}class="a"{% else %}class="b"{% endif %}>x</td>',
            None,
        ),
        (
            '<p {% if a %}class="a"{% else %}class="b"{% endif %} id="q">x</p>',
            '<p {% if a %}class="a"{% else %}class="b"{% endif %} id="q">',
        ),
        ('<p class="a {% if b %}c{% endif %}">x</p>', 'class="a {% if b %}c{% endif %}"'),
        ('<a href="{{ u }}?a=1">x</a>', 'href="{{ u }}?a=1"'),
        ("<a href={{ u }}>x</a>", 'href="{{ u }}"'),
        ('<p style="{% if a %}color:red{% endif %};margin:0">x</p>', 'style="{% if a %}color:red{% endif %};margin:0"'),
        ('<p class="x" style="width:{{ w }}px">x</p>', "{{ w }}px"),
        ('<p title="{{ a }}: 0">x</p>', 'title="{{ a }}: 0"'),
        ("<p>{% raw %}{{ literal }}{% endraw %}</p>", "{% raw %}{{ literal }}{% endraw %}"),
        ("<p>{# a <note> #}</p>", "{# a <note> #}"),
        ("<!--[if mso]><b>{{ a }}</b><![endif]-->", "<!--[if mso]><b>{{ a }}</b><![endif]-->"),
        ("<textarea>{% if a %}x{% endif %}</textarea>", "{% if a %}x{% endif %}"),
    ],
)
def test_jinja_survives_the_inlining_of_style_sheets(body, kept):
    html = inlined(f"<html><head>{STYLE}</head><body>{body}</body></html>")
    if kept is not None:
        assert kept in html
    assert "jj" not in html
    for word in ("{{ brand }}", "a:hover") if 'class="x"' in body else ("a:hover",):
        assert word in html


def test_a_style_is_inlined_where_a_value_gives_it():
    html = inlined(f'{STYLE}<p class="x">a</p><p class="x">b</p>')
    assert html.count('style="color: {{ brand }};"') == 2
    assert "@media" in html


def test_a_document_that_cannot_be_inlined_safely_is_left_as_it_is():
    source = "<style>p{margin:0}</style>{% if a %}<table><tr><td>{% endif %}<h{{ n }}>x</h{{ n }}>"
    source += "{% if a %}</td></tr></table>{% endif %}"
    assert inlined(source) == source


def test_a_sheet_with_a_branch_in_it_is_left_alone():
    html = inlined("<style>{% if dark %}p{color:red}{% endif %}</style><style>b{margin:0}</style><b>x</b>")
    assert "<style>{% if dark %}p{color:red}{% endif %}</style>" in html
    assert '<b style="margin: 0;">' in html


def test_no_tag_is_taken_for_another():
    source = "".join(f"<p>{{{{ v{n} }}}}</p>" for n in range(120)) + "jjq1x jjx"
    shielded = shield(source)
    assert shielded.restore(shielded.text) == source


MJML = """<mjml><mj-head><mj-title>{{ title }}</mj-title><mj-preview>{{ peek }}</mj-preview>
<mj-style inline="inline">.red { color: red }</mj-style></mj-head>
<mj-body>{% for i in range(2) %}<mj-section><mj-column>
<mj-text css-class="red">Hi {{ first_name | default('<you>') }}{% if a %}, {{ a }}{% endif %}</mj-text>
<mj-button href="{{ url }}?n={{ i }}">Buy {{ i }}</mj-button>
<mj-table>{% for j in range(2) %}<tr><td>{{ j }}</td></tr>{% endfor %}</mj-table>
</mj-column></mj-section>{% endfor %}</mj-body></mjml>"""


def test_mjml_loops_and_branches_work_in_the_html_it_becomes():
    content = prepare("m", "email", source=MJML, source_format="mjml", subject="s")
    version = {**vars(content), "defaults": "{}"}
    message = Renderer(version, name="m", now=NOW).render({"title": "T", "peek": "P", "url": "https://x", "a": "b"})
    assert message.html.count("Hi &lt;you&gt;, b") == 2
    assert 'href="https://x?n=1"' in message.html
    assert message.html.count("<td>1</td>") == 2
    assert message.html.count("color: red") == 2
    assert "Buy 1 <https://x?n=1>" in message.text
    assert "mjml" not in message.html.replace("mj-", "")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<mj-section><mj-column></mj-section>", "</mj-section> closes nothing; <mj-column> is open"),
        ("<mj-sect></mj-sect>", "no element named 'mj-sect'; did you mean 'mj-text'"),
        ("<mj-section>", "</mj-body> closes nothing; <mj-section> is open"),
    ],
)
def test_broken_mjml_names_its_line(body, message):
    with pytest.raises(UsageError) as caught:
        html_of("<mjml>\n<mj-body>{# a\n#}" + body + "</mj-body></mjml>", "mjml", where="m (mjml)")
    assert caught.value.message.startswith(f"m (mjml):3: MJML: {message}"[:40])


def test_mjml_reads_no_file():
    source = '<mjml><mj-body><mj-include path="/etc/hostname" type="html"/></mj-body></mjml>'
    with pytest.raises(UsageError, match="MJML"):
        html_of(source, "mjml", where="m")


def test_markdown_becomes_a_page_with_its_values_and_loops():
    source = """# Hi {{ first_name }}

{% if vip %}
You are **special**.
{% endif %}

- [Shop]({{ url }})
- {{ a_b_c }} and *more*
"""
    content = prepare("m", "email", source=source, source_format="markdown", subject="s")
    version = {**vars(content), "defaults": "{}"}
    values = {"first_name": "Ann", "vip": True, "url": "https://x?a=1&b=2", "a_b_c": "x_y_z"}
    message = Renderer(version, name="m", now=NOW, postal_address="1 Main St").render(
        values, unsubscribe_url="mailto:o"
    )
    assert ">Hi Ann</h1>" in message.html
    assert "special</strong>" in message.html
    assert '<a href="https://x?a=1&amp;b=2"' in message.html
    assert "x_y_z and <em>more</em>" in message.html
    assert "1 Main St" in message.html
    assert "<style>" in message.html
    assert message.text.startswith("Hi Ann\n\nYou are special.\n\n- Shop <https://x?a=1&b=2>\n- x_y_z and more\n")
    assert "Unsubscribe <mailto:o>" in message.text
