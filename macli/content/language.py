"""The template language: Jinja2 in a sandbox, strict about missing values, with what letters need.

The one content module that imports jinja2 at its top; the others import this one when they need it.
"""

from functools import cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from macli.content.errors import TemplateError
from macli.content.formats import format_date, format_money
from macli.content.markup import unescaped
from macli.content.shield import own_lines_vanish
from macli.content.tracking import SIGN, SIGNED
from macli.errors import did_you_mean

RANGE_LIMIT = 200
LOOP_DEPTH = 3
TEXT_LIMIT = 1_000_000
EXPONENT_LIMIT = 64

FILTERS = frozenset(
    """
    abs capitalize count d default e escape first float int join last length list lower max min replace
    reverse round safe sort string striptags sum title tojson trim truncate unique upper urlencode wordcount
    """.split()  # noqa: SIM905 - a list of words reads as words
)
TEXT_METHODS = frozenset(
    """
    capitalize casefold count endswith find isalpha isdigit isupper islower isnumeric lower lstrip partition
    removeprefix removesuffix replace rpartition rsplit rstrip split splitlines startswith strip swapcase
    title upper
    """.split()  # noqa: SIM905
)


class Missing(StrictUndefined):
    """A value that is not there: an error wherever it is used, except that it may be asked about.

    Beyond ``is defined`` and ``default``, ``{% if first_name %}`` is such a question.
    """

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override]
        return False


class Language(ImmutableSandboxedEnvironment):
    """The sandbox: no loader, no writing, no private names, nothing that costs without bound."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        # A contact's attribute may be called ``items``: what a mapping holds comes before its methods.
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str):
            return attr in TEXT_METHODS
        return attr != "strftime" and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
        if operator == "+" and not numbers:
            if _length(left) + _length(right) > TEXT_LIMIT:
                raise SecurityError("the text grows too long")
        elif not numbers:
            raise SecurityError(f"{operator!r} is for numbers")
        elif operator == "**" and abs(right) > EXPONENT_LIMIT:
            raise SecurityError("the exponent is too large")
        return super().call_binop(context, operator, left, right)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, (str, list, tuple)) else 0


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > RANGE_LIMIT:
        raise SecurityError(f"range() gives at most {RANGE_LIMIT} numbers")
    return numbers


@pass_context
def _signed(context: Context, link: str) -> str:
    """A link made of a contact's values, as one that tells when it is followed."""
    return str(context.parent[SIGN](link))


@pass_context
def _signed_in_html(context: Context, link: str) -> str:
    # What comes out has nothing to escape (tracking.Trail), and escaping costs 1 µs a link.
    return str(context.parent[SIGN](unescaped(str(link))))


@cache
def language(*, html: bool, tracked: bool = False) -> Language:
    """The language of HTML parts (values are escaped) or of text parts (they are not).

    ``tracked`` adds what tracking writes into templates and no author may: it signs where a link leads.
    """
    environment = Language(autoescape=html, undefined=Missing, lstrip_blocks=True, cache_size=0)
    environment.filters = {name: environment.filters[name] for name in sorted(FILTERS)}
    environment.filters.update(date=format_date, money=format_money)
    if tracked:
        environment.filters[SIGNED] = _signed_in_html if html else _signed
    environment.globals = {"range": _range}
    return environment


def parse(source: str, *, html: bool, where: str) -> nodes.Template:
    """The template's syntax tree. Raises TemplateError with line and caret."""
    environment = language(html=html)
    written, source = source, own_lines_vanish(source)
    try:
        environment.compile(environment.parse(source))
    except TemplateSyntaxError as error:
        raise _located(error, written, html, where) from None
    except RecursionError:
        raise TemplateError("the template is nested too deeply", where=where) from None
    # A second tree: compiling has folded constants into the first.
    tree = environment.parse(source)
    _refuse_costly(tree, source, where)
    return tree


def compile_part(source: str, *, html: bool, where: str, tracked: bool = False) -> Template:
    """The template compiled, to be kept and used for every message. Raises TemplateError."""
    environment = language(html=html, tracked=tracked)
    try:
        return environment.from_string(own_lines_vanish(source))
    except TemplateSyntaxError as error:
        raise _located(error, source, html, where) from None


def open_context(template: Template, scope: dict[str, Any]) -> Context:
    """A context over ``scope`` itself: no copy, so three parts of a message share one mapping."""
    environment = template.environment
    # As template.new_context(scope, shared=True) does, but for listing the globals, which the scope holds.
    return environment.context_class(environment, scope, template.name, template.blocks)


def _refuse_costly(tree: nodes.Template, source: str, where: str) -> None:
    for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        raise TemplateError(
            f"{type(node).__name__.lower()!r} is not available: a template stands alone",
            where=where,
            line=node.lineno,
            source=source,
        )
    for access in tree.find_all(nodes.Getattr):
        if access.attr.startswith("_") or access.attr in ("format", "format_map"):
            raise TemplateError(
                f"{access.attr!r} is not available in templates", where=where, line=access.lineno, source=source
            )
    _refuse_deep_loops(tree, 0, source, where)


def _refuse_deep_loops(node: nodes.Node, depth: int, source: str, where: str) -> None:
    if isinstance(node, nodes.For):
        depth += 1
        if node.recursive or depth > LOOP_DEPTH:
            raise TemplateError(
                "a recursive loop" if node.recursive else f"more than {LOOP_DEPTH} loops inside each other",
                where=where,
                line=node.lineno,
                source=source,
            )
    for child in node.iter_child_nodes():
        _refuse_deep_loops(child, depth, source, where)


def _located(error: TemplateSyntaxError, source: str, html: bool, where: str) -> TemplateError:
    environment = language(html=html)
    message = (error.message or "syntax error").rstrip(".")
    if message.startswith("No filter named"):
        unknown = message.split("'")[1]
        message = f"no filter named {unknown!r}{did_you_mean(unknown, environment.filters)}"
    return TemplateError(
        message[:1].lower() + message[1:],
        where=where,
        line=error.lineno,
        source=source,
        parses=lambda tag: _parses(environment, tag),
    )


def _parses(environment: Language, tag: str) -> bool:
    try:
        environment.compile(environment.parse(tag))
    except TemplateSyntaxError as error:
        # An opening or closing tag alone is incomplete, not wrong.
        message = error.message or ""
        return "Unexpected end of template" in message or "unknown tag 'end" in message
    return True
