"""Rules: text that selects contacts, and the SQL it comes to."""

import re
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from macli.dialect import SQLITE, Dialect
from macli.model import Where
from macli.rules.errors import RuleError
from macli.rules.values import quote
from macli.rules.vocabulary import KnownCampaign, KnownFunnel, KnownName, KnownSegment, KnownStage, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from macli.rules.tree import Rule

__all__ = [
    "KnownCampaign",
    "KnownFunnel",
    "KnownName",
    "KnownSegment",
    "KnownStage",
    "RuleError",
    "Vocabulary",
    "compile",
    "compile_conditions",
    "compile_entity",
    "names_in",
    "outline",
    "parse",
    "quote",
    "reference",
    "segments_in",
    "with_segment_renamed",
]


def parse(text: str) -> "Rule":
    """The tree of a rule; names in it are not looked up. Raises RuleError."""
    from macli.rules import parser

    return parser.parse(text)


def outline(rule: "Rule") -> "Iterator[str]":
    """The rule as an indented tree, a line each."""
    from macli.rules import tree

    return tree.outline(rule)


def compile(  # noqa: A001  (what it does; re has one, too)
    text: str,
    vocabulary: Vocabulary,
    *,
    now: datetime,
    zone: ZoneInfo,
    dialect: Dialect = SQLITE,
    prefix: str = "r",
    narrow: bool = False,
    stored: bool = False,
    within: KnownSegment | None = None,
) -> Where:
    """A rule as a condition on ``contacts``. Raises RuleError.

    ``prefix`` begins the names of its parameters, so that several can stand in one statement.
    ``narrow`` says that it will be asked about few contacts, chosen by other means: the SQL then
    looks at each of them instead of selecting sets. ``stored`` says that the rule was accepted
    before: what it said then it still says, even where an attribute declared since makes it look
    ambiguous. ``within`` is the segment whose rule this is, which it must not ask for again.
    """
    from macli.rules.sql import NARROW, Build

    rule = parse(text)
    build = Build(text, vocabulary, now=now, zone=zone, dialect=dialect, prefix=prefix, stored=stored, within=within)
    sql = build.render(rule, NARROW if narrow else 1.0)
    return Where(
        sql=sql,
        params=build.params,
        timely=build.timely,
        reads=frozenset(build.reads),
        direct=build.is_direct(rule),
    )


def compile_entity(
    kind: str,
    text: str,
    vocabulary: Vocabulary,
    *,
    now: datetime,
    zone: ZoneInfo,
    dialect: Dialect = SQLITE,
    prefix: str = "r",
    stored: bool = False,
) -> Where:
    """A rule over tasks, deals, calls, mails or notes as a condition on their table. Raises RuleError.

    A name that is a field of theirs means that; everything else is asked of the contact the row is about,
    and false where there is none.
    """
    from macli.rules.entities import ENTITIES
    from macli.rules.sql import NARROW, Build

    entity = ENTITIES[kind]
    build = Build(text, vocabulary, now=now, zone=zone, dialect=dialect, prefix=prefix, stored=stored, entity=entity)
    sql = build.render(parse(text), NARROW)
    return Where(sql=sql, params=build.params, timely=build.timely, reads=frozenset(build.reads))


def compile_conditions(
    text: str,
    vocabulary: Vocabulary,
    *,
    now: datetime,
    zone: ZoneInfo,
    dialect: Dialect = SQLITE,
    prefix: str = "e",
) -> Where:
    """Tests of an event's properties, joined by and, as a condition on ``events``. Raises RuleError."""
    from macli.rules.parser import parse_conditions
    from macli.rules.sql import Build

    build = Build(text, vocabulary, now=now, zone=zone, dialect=dialect, prefix=prefix)
    parts = [f"coalesce({each.sql(build)}, FALSE)" for each in parse_conditions(text)]
    return Where(sql=f"({' AND '.join(parts)})", params=build.params, timely=build.timely)


_NAMING = re.compile(r"\b(segment|stage|readiness|funnel|owner|owned|rfm|by|for)\b", re.IGNORECASE).search
"""Whether there is a word that a name may follow; most texts are told apart by this, without reading them."""


def names_in(text: str) -> frozenset[tuple[str, str]]:
    """What a rule names that could be renamed or removed, as (kind, casefolded name); none where it is no rule.

    The kinds are segment, stage, readiness, funnel, funnel stage (``funnel/stage``), staff, staff group and RFM report.
    """
    if not _NAMING(text):
        return frozenset()
    from macli.rules.mentions import names_in

    return names_in(text)


def segments_in(text: str) -> frozenset[str]:
    """The casefolded names of the segments a rule asks for; none where the text is no rule."""
    if "segment" not in text.casefold():
        return frozenset()
    from macli.rules.mentions import segments_in

    return segments_in(text)


def with_segment_renamed(text: str, old: str, new: str) -> str:
    """The rule with another name for a segment it asks for, and nothing else changed."""
    from macli.rules.mentions import with_segment_renamed

    return with_segment_renamed(text, old, new)


def reference() -> str:
    """The page on the rule language, made of what the predicates say of themselves."""
    from macli.rules import pages

    return pages.reference()
