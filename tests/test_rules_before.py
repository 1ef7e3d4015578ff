"""Rules stored before scores, stages and owners had words of their own mean what they meant."""

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from macli import rules
from macli.model import AttributeType, Where
from macli.rules import KnownSegment, Vocabulary

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
WRITTEN = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "rules_before_lifecycle.jsonl").read_text("utf-8").splitlines()
]

WORDS = (
    *("score", "stage", "owner", "owned", "coowner", "co_owner", "rfm", "churn", "purchase", "readiness", "funnel"),
    *("reached", "exceeded", "recency", "note", "task", "deal", "call", "mail", "open", "won", "worth", "due", "very"),
    *("group", "at", "by", "containing", "set", "least"),
)
FORMS: tuple[tuple[AttributeType, str], ...] = (
    ("number", "{} = 5"),
    ("number", "{} != 5 and not {} in (1, 2)"),
    ("number", "{} not in (1, 2) or {} between 3 and 5"),
    ("number", "not ({}>=5 and({}<9))"),
    ("text", "{} is set and {} is not set"),
    ("text", '{} contains x or {} starts with "y" or {} ends with z or {} matches "a*"'),
    ("date", "{} within 3 days or {} more than 3 days ago or {} in less than 3 days or {} on 2026-01-01"),
    ("date", "anniversary of {} today or anniversary of {} in 7 days or anniversary of {} within next 7 days"),
    ("number", "event order.paid with total > 5 and {} = 5"),
    ("number", "event order.paid with total > 5 and {} is set and tagged {}"),
    ("number", "event order.paid with total > 5 and {} is # really\n not # so\n set"),
    ("number", "event order.paid with total > 5 and {} in # these\n (1, 2) within 3 days"),
    ("number", "event order.paid with total > 5 and {} not # those\n in (1, 2)"),
    ("number", "event order.paid with ({} = 5 and {} is not set) at least 2 times"),
    ("text", "tagged {} or tagged any of ({}, x) or in segment {} or event {} or plan = {}"),
)


def compiled(text: str, word: str, kind: AttributeType) -> Where:
    known = Vocabulary(
        attributes={word: kind, "plan": "text"}, segments={word: KnownSegment(id=1, name=word)}, normalise_tags=False
    )
    return rules.compile(text.replace("{}", word), known, now=NOW, zone=ZoneInfo("UTC"), stored=True)


@pytest.mark.parametrize(("kind", "form"), FORMS, ids=[form for _, form in FORMS])
def test_an_attribute_a_property_or_a_tag_named_like_a_new_word_is_one_like_any_other(
    kind: AttributeType, form: str
) -> None:
    other = compiled(form, "zzz", kind)
    for word in WORDS:
        found = compiled(form, word, kind)
        assert found.sql == other.sql.replace("zzz", word), word
        assert found.params == {
            key: value.replace("zzz", word) if isinstance(value, str) else value for key, value in other.params.items()
        }, word
        assert (found.timely, found.reads) == (other.timely, other.reads)


@pytest.mark.parametrize(("text", "meaning"), WRITTEN, ids=[text for text, _ in WRITTEN])
def test_a_rule_is_read_as_it_was_before_the_lifecycle_had_words(text: str, meaning: str) -> None:
    assert str(rules.parse(text)) == meaning
