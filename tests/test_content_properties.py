"""What holds for every template: nothing required is missed, no Jinja tag is lost on its way to HTML or text."""

import json
import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from macli.content import Renderer, TemplateFault
from macli.content.missing import required_values
from macli.content.plain import text_of
from macli.content.shield import TAG
from macli.content.sources import inlined
from tests.conftest import NOW

NAMES = ("a", "b", "c")
name = st.sampled_from(NAMES)
atom = st.one_of(name, name.map("contact.{}".format), st.sampled_from(["'x'", "1", "v", "campaign.name"]))
expression = st.deferred(lambda: expressions)
expressions = st.recursive(
    atom,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["default('d')", "d('d')", "string | upper", "default(b)"])).map(
            lambda pair: f"({pair[0]}) | {pair[1]}"
        ),
        st.tuples(inner, st.sampled_from(["or", "and", "~", "=="]), inner).map(
            lambda three: "({} {} {})".format(*three)
        ),
        st.tuples(inner, inner, inner).map(lambda three: "({} if {} else {})".format(*three)),
        inner.map("(not {})".format),
        name.map("({} is defined)".format),
        name.map("(contact.{} is not defined)".format),
    ),
    max_leaves=5,
)
block = st.recursive(
    expression.map("{{{{ {} }}}}".format) | st.just("word"),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(expression, inner).map(lambda pair: "{{% if {} %}}{}{{% endif %}}".format(*pair)),
        st.tuples(expression, inner, expression, inner, inner).map(
            lambda five: "{{% if {} %}}{}{{% elif {} %}}{}{{% else %}}{}{{% endif %}}".format(*five)
        ),
        st.tuples(expression, inner).map(lambda pair: "{{% set v = {} %}}{}".format(*pair)),
        inner.map("{{% set v %}}{}{{% endset %}}".format),
        inner.map("{{% for b in range(2) %}}{}{{% endfor %}}".format),
        st.tuples(expression, inner).map(lambda pair: "{{% with c = {} %}}{}{{% endwith %}}".format(*pair)),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(text=block.map("{{% set v = 1 %}}{}".format), present=st.sets(name))
def test_with_every_required_value_nothing_is_missing(text, present):
    version = {"subject": None, "html": None, "text": text, "defaults": json.dumps({})}
    values = dict.fromkeys(present | set(required_values(version)), "x")
    fault = None
    try:
        Renderer(version, name="t", now=NOW).render(values)
    except TemplateFault as raised:
        fault = raised.reason
    assert fault is None or "a value is missing" not in fault


words = st.sampled_from(["word", "{{ a }}", "{{ b | default('<x>') }}", "{# note #}", "&amp;", " ", "\n"])
attributes = st.sampled_from(
    ["", ' class="x"', ' class="{{ a }}"', ' {% if a %}id="q"{% endif %}', ' style="color:{{ b }}"', " {{ c }}",
     ' style="{% if a %}margin:0{% else %}margin:1px{% endif %}; top:0"', ' href="{{ a }}?x={{ b }}"']
)  # fmt: skip


def element(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    tag = st.sampled_from(["div", "span", "b", "ul", "blockquote"])
    return st.one_of(
        st.tuples(tag, attributes, inner).map(lambda parts: "<{0}{1}>{2}</{0}>".format(*parts)),
        inner.map("{{% if a %}}{}{{% else %}}<i>no</i>{{% endif %}}".format),
        st.tuples(attributes, inner).map(
            lambda parts: "<table>{{% for i in l %}}<tr{}><td>{}</td></tr>{{% endfor %}}</table>".format(*parts)
        ),
        st.tuples(inner, inner).map("".join),
        inner.map("<div>{}</div><!-- {{{{ c }}}} -->".format),
    )


document = st.recursive(words, element, max_leaves=8)
SHEET = "<style>.x { color: red } td { padding: {{ pad }} } a:hover { top: 0 }</style>"


@settings(max_examples=300, deadline=None)
@given(body=document)
def test_inlining_loses_doubles_and_moves_no_tag(body):
    html = inlined(f"<html><head>{SHEET}</head><body>{body}</body></html>")
    assert [tag for tag in TAG.findall(html) if tag != "{{ pad }}"] == TAG.findall(body)


@settings(max_examples=300, deadline=None)
@given(body=document)
def test_the_text_part_branches_and_loops_as_the_html_does(body):
    control = [tag for tag in TAG.findall(text_of(body)) if tag.startswith("{%")]
    depth = 0
    for tag in control:
        depth += tag.startswith(("{% if", "{% for"))
        depth -= tag.startswith("{% end")
        assert depth >= 0
    assert depth == 0


def test_whoever_imports_content_does_not_load_what_only_some_need():
    heavy = "jinja2 css_inline mjml markdown_it email idna lark rich sqlite_utils"
    code = f"import sys, macli.content; print([name for name in '{heavy}'.split() if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
