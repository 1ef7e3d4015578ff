"""The names that a rule speaks of, and segments' names within its text."""

import re

from macli.rules.errors import RuleError
from macli.rules.parser import parse
from macli.rules.predicates.events import Happened
from macli.rules.tree import Leaf, Mention, leaves
from macli.rules.values import quote

_TOKEN = re.compile(r"\"(\\.|[^\"\\])*\"|'(\\.|[^'\\])*'|[^\s()#,]+", re.DOTALL)


def _leaves(text: str) -> list[Leaf]:
    try:
        return list(leaves(parse(text)))
    except RuleError:
        return []


def _mentions(text: str) -> list[Mention]:
    return [mention for leaf in _leaves(text) for mention in leaf.names()]


def events_in(text: str) -> frozenset[str]:
    """The events a rule asks for; none where the text is no rule."""
    return frozenset(leaf.event for leaf in _leaves(text) if isinstance(leaf, Happened))


def names_in(text: str) -> frozenset[tuple[str, str]]:
    """What a rule names that can be renamed or removed, as (kind, casefolded name); none where it is no rule."""
    return frozenset(mention.key for mention in _mentions(text))


def segments_in(text: str) -> frozenset[str]:
    """The casefolded names of the segments a rule asks for; none where the text is no rule."""
    return frozenset(name for kind, name in names_in(text) if kind == "segment")


def with_segment_renamed(text: str, old: str, new: str) -> str:
    """The rule with another name for a segment it asks for, and nothing else changed."""
    for mention in sorted(_mentions(text), key=lambda each: -each.name.at):
        if mention.key == ("segment", " ".join(old.split()).casefold()):
            token = _TOKEN.match(text, mention.name.at)
            assert token is not None
            text = f"{text[: mention.name.at]}{quote(new)}{text[token.end() :]}"
    return text
