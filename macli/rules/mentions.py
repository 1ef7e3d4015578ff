"""The segments and events that a rule speaks of, and segments' names within its text."""

import re

from macli.rules.errors import RuleError
from macli.rules.parser import parse
from macli.rules.predicates.events import Happened
from macli.rules.predicates.membership import InSegment
from macli.rules.tree import Leaf, leaves
from macli.rules.values import Literal, quote

_TOKEN = re.compile(r"\"(\\.|[^\"\\])*\"|'(\\.|[^'\\])*'|[^\s()#,]+", re.DOTALL)


def _leaves(text: str) -> list[Leaf]:
    try:
        return list(leaves(parse(text)))
    except RuleError:
        return []


def _mentions(text: str) -> list[Literal]:
    return [leaf.segment for leaf in _leaves(text) if isinstance(leaf, InSegment)]


def events_in(text: str) -> frozenset[str]:
    """The events a rule asks for; none where the text is no rule."""
    return frozenset(leaf.event for leaf in _leaves(text) if isinstance(leaf, Happened))


def segments_in(text: str) -> frozenset[str]:
    """The casefolded names of the segments a rule asks for; none where the text is no rule."""
    return frozenset(name.text.strip().casefold() for name in _mentions(text))


def with_segment_renamed(text: str, old: str, new: str) -> str:
    """The rule with another name for a segment it asks for, and nothing else changed."""
    for name in sorted(_mentions(text), key=lambda each: -each.at):
        if name.text.strip().casefold() == old.strip().casefold():
            token = _TOKEN.match(text, name.at)
            assert token is not None
            text = f"{text[: name.at]}{quote(new)}{text[token.end() :]}"
    return text
