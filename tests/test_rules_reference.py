"""The page on rules says what the predicates say, and every example on it works."""

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from macli import rules
from macli.rules import KnownCampaign, KnownFunnel, KnownName, KnownSegment, KnownStage, Vocabulary, pages
from macli.rules.parser import parse
from macli.rules.readers import READERS

HERE = Path(__file__).parent.parent
VOCABULARY = Vocabulary(
    attributes={
        **dict.fromkeys(("country", "plan", "company", "postcode", "first_name", "last_name"), "text"),
        **dict.fromkeys(("orders", "total"), "number"),
        **dict.fromkeys(("birthday", "member_since"), "date"),
        "vip": "bool",
    },
    segments={name: KnownSegment(id=1, name=name) for name in ("vip", "churned")},
    campaigns={name: KnownCampaign(id=1, name=name) for name in ("spring", "welcome")},
    stages={name.casefold(): KnownStage(id=1, name=name, position=1) for name in ("First talk", "Purchase")},
    funnels={
        "sales": KnownFunnel(
            id=1,
            name="Sales",
            stages={name.casefold(): KnownStage(id=1, name=name, position=1) for name in ("First talk", "Offer")},
        )
    },
    staff={"anna": KnownName(id=1, name="anna")},
    staff_groups={"sales": "sales"},
    reports={"spring": KnownName(id=1, name="Spring")},
    scopes={("tag", "vip"): "tag:VIP", ("group", "fit"): "group:fit", ("stage", "sales/offer"): "stage:Sales/Offer"},
)


def test_the_page_is_what_the_predicates_say() -> None:
    page = HERE / "docs" / "reference" / "rules.md"
    assert page.read_text("utf-8") == rules.reference(), "write it anew: make docs"


@pytest.mark.parametrize("example", pages.examples())
def test_every_example_on_the_page_is_a_rule(example: str) -> None:
    now = datetime(2026, 3, 4, 12, tzinfo=UTC)
    where = rules.compile(example, VOCABULARY, now=now, zone=ZoneInfo("UTC"))
    assert where.sql
    assert rules.parse(str(rules.parse(example))) == rules.parse(example)


def test_every_reader_reads_something_in_the_grammar_and_nothing_goes_unread() -> None:
    parse("everyone")
    grammar = (HERE / "macli" / "rules" / "rule.lark").read_text("utf-8")
    lines = [line for line in grammar.splitlines() if not line.startswith("//")]
    named = set(re.findall(r"-> (\w+)", "\n".join(lines)))
    plain = {found[1] for line in lines if (found := re.match(r"!?([a-z]+): ", line))}
    terminals = {found[1] for line in lines if (found := re.match(r"([A-Z]+)[.:]", line))}
    read = set(READERS)
    assert named <= read
    assert read <= named | plain | terminals
