"""A rule that cannot be read says where, what was expected, and the nearest word that is."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from macli import rules
from macli.rules import KnownCampaign, KnownSegment, RuleError, Vocabulary

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
VOCABULARY = Vocabulary(
    attributes={"country": "text", "score": "number", "vip": "bool", "birthday": "date", "expires": "date"},
    segments={
        "vip clients": KnownSegment(id=1, name="VIP clients", rule="country = Canada"),
        "a": KnownSegment(id=2, name="A", rule="in segment b"),
        "b": KnownSegment(id=3, name="b", rule="score > 1 and in segment c"),
        "c": KnownSegment(id=4, name="c", rule="not in segment a"),
        "broken": KnownSegment(id=5, name="broken", rule="score > 1\nand contry = x"),
    },
    campaigns={"spring": KnownCampaign(id=1, name="Spring")},
)


def refused(text: str) -> RuleError:
    with pytest.raises(RuleError) as caught:
        rules.compile(text, VOCABULARY, now=NOW, zone=ZoneInfo("UTC"))
    return caught.value


@pytest.mark.parametrize(
    ("text", "what", "under"),
    [
        ("contry = Canada", "no attribute named 'contry'; did you mean 'country'?", "contry"),
        ("emial = x", "no attribute named 'emial'; did you mean 'email'?", "emial"),
        ('tagd "VIP"', "'tagd' is no word of a rule; did you mean 'tagged'?", "tagd"),
        ("country startz with x", "did you mean 'starts'?", "startz"),
        ("score > 1 adn vip = true", "did you mean 'and'?", "adn"),
        ("in segment VIP-clients", "no segment named 'VIP-clients'; did you mean 'VIP clients'?", "VIP-clients"),
        ("opened campaign sprng", "no campaign named 'sprng'; did you mean 'Spring'?", "sprng"),
        ("opted in to emial", "no channel named 'emial'; did you mean 'email'?", "emial"),
        ("has fone", "not 'fone'; did you mean 'phone'?", "fone"),
        ("received at least 3 emials", "not 'emials'; did you mean 'emails'?", "emials"),
        ("birthday within 30 dayz", "'30 dayz' is no duration; did you mean 'days'?", "30"),
        ("expires after tomorow", "'tomorow' is no date; did you mean 'tomorrow'?", "tomorow"),
        ("expires on 2026-02-30", "'2026-02-30' is no date", "2026-02-30"),
        ("score = abc", "score holds numbers, and 'abc' is none", "abc"),
        ('score = "12"', "score holds numbers, and '12' is none", '"12"'),
        ("score contains 1", "score holds numbers, and 'contains' is for text", "score"),
        ("country > 5", "country holds text, which is not compared with '>'", "country"),
        ("country within 3 days", "country holds text", "country"),
        ("vip = maybe", "vip is true or false, and 'maybe' is neither", "maybe"),
        ("vip > 1", "vip is true or false", "vip"),
        ("score within 3 days", "score holds numbers, not dates", "3"),
        ("expires = soon", "'soon' is no date", "soon"),
        ("anniversary of score today", "score holds number", "score"),
        ("anniversary of birthday in 2 hours", "whole days away", "2"),
        ("expires is today", "the day itself, or its anniversary?", "expires"),
        ("expires between 2026-02-01 and 2026-01-01", "a later and an earlier time", "2026-01-01"),
        ("event Order-Paid", "'order-paid' is no name of an event", "Order-Paid"),
        ('event x with "a b" = 1', "'a b' cannot be the name of a property", '"a b"'),
        ("opened email at least 0 times", "that is always so", "0"),
        ("opened email less than 0 times", "that is never so", "0"),
        ("opened email at least 1.5 times", "'1.5' is no number of times", "1.5"),
        ("country = New Zealand", "expected the end of the rule, 'and' or 'or', not 'Zealand'", "Zealand"),
        ("country == x", "expected a value, not '='", "= x"),
        ("country = x && vip = true", "not '&'", "&&"),
        ("country = “x”", "“ is not a quote here", "“"),
        ('country = "x', "this quote is never closed", '"x'),
        ("country = x)", "expected the end of the rule, not ')'", ")"),
        ("tagged", "the rule ends here", ""),
        ("(country = x", "expected ), 'and' or 'or'; the rule ends here", ""),
        ("country", "the rule ends here", ""),
        ("received 3 emails", "not '3'", "3"),
        ("", "an empty rule", ""),
        ("  # only a comment", "an empty rule", ""),
        ("country = \ud800", "cannot hold the character U+D800", "\ud800"),
        ("country = a\0b", "cannot hold the character U+0000", "\0b"),
    ],
)
def test_an_error_says_what_and_where(text: str, what: str, under: str) -> None:
    error = refused(text)
    assert what in error.message
    if under:
        assert text[error.at :].startswith(under)
    line, caret = error.message.splitlines()[-2:]
    assert caret.strip() == "^"
    if under.isascii() and under.isprintable():
        assert line[caret.index("^") :].startswith(under)


def test_a_name_of_an_event_is_written_back_as_it_was_quoted() -> None:
    rule = rules.parse('event "a\\"b" with (x = "\\"")')
    assert rules.parse(str(rule)) == rule


def test_what_is_asked_of_the_contact_among_properties_is_told_that_it_is_no_place_for_it() -> None:
    with pytest.raises(RuleError) as caught:
        rules.compile_conditions("total > 5 and stage is Purchase", Vocabulary(), now=NOW, zone=ZoneInfo("UTC"))
    assert "only properties of the event" in (caught.value.hint or "")


def test_the_line_of_a_long_rule_is_named_and_only_it_is_shown() -> None:
    error = refused("score > 1 # first\nand contry = x\nand vip = true")
    assert error.message.splitlines() == [
        "line 2: no attribute named 'contry'; did you mean 'country'?",
        "  and contry = x",
        "      ^",
    ]


def test_the_caret_stands_under_the_place_behind_wide_and_combining_letters() -> None:
    error = refused('country = "日本e\u0301" and contry = x')
    line, caret = error.message.splitlines()[-2:]
    wide, combining = 2, 1
    assert caret.index("^") == line.index("contry") + wide - combining


def test_an_overlong_line_is_shown_around_the_place() -> None:
    error = refused("country in (" + ", ".join(f"a{number}" for number in range(500)) + ") and contry = x")
    line, caret = error.message.splitlines()[-2:]
    assert len(line) < 110
    assert line[caret.index("^") :].startswith("contry")


def test_segments_in_a_circle_are_refused_with_the_way_round() -> None:
    assert "segments in a circle: A → b → c → A" in refused("in segment A").message


def test_a_segment_cannot_ask_for_itself_by_another() -> None:
    own = VOCABULARY.segments["a"]
    with pytest.raises(RuleError, match="A → b → c → A"):
        rules.compile("in segment b", VOCABULARY, now=NOW, zone=ZoneInfo("UTC"), within=own)


def test_a_mistake_in_a_segment_asked_for_is_shown_in_its_own_rule() -> None:
    message = refused("vip = true and in segment broken").message
    assert "in the segment 'broken': no attribute named 'contry'" in message
    assert "and contry = x" in message


def test_an_and_that_could_go_on_with_the_event_or_the_contact_is_asked_about() -> None:
    text = "event order.paid with total > 100 and country = Canada"
    error = refused(text)
    assert "a property of the event, or the contact's attribute?" in error.message
    assert text[error.at :].startswith("country")
    for clear in (
        "event order.paid with (total > 100 and country = Canada)",
        "(event order.paid with total > 100) and country = Canada",
        "event order.paid with total > 100 and currency = EUR",
    ):
        rules.compile(clear, VOCABULARY, now=NOW, zone=ZoneInfo("UTC"))


def test_a_stored_rule_keeps_its_meaning_when_an_attribute_comes_to_share_a_property_s_name() -> None:
    text = "event order.paid with total > 100 and country = Canada"
    where = rules.compile(text, VOCABULARY, now=NOW, zone=ZoneInfo("UTC"), stored=True)
    assert "events.properties ->> 'country'" in where.sql


@pytest.mark.parametrize(
    "text",
    [
        "not " * 10_000 + "vip = true",
        "(" * 10_000 + "vip = true" + ")" * 10_000,
    ],
)
def test_brackets_and_nots_that_say_nothing_are_no_nesting(text: str) -> None:
    rules.compile(text, VOCABULARY, now=NOW, zone=ZoneInfo("UTC"))


def test_absurd_nesting_is_refused_cleanly() -> None:
    text = "vip = true"
    for number in range(2000):
        text = f"({text} {'and' if number % 2 else 'or'} score > 1)"
    assert "deep" in refused(text).message


def test_a_rule_as_long_as_a_book_is_refused_cleanly() -> None:
    assert "100,000 characters" in refused("vip = true and " * 10_000 + "vip = true").message
    assert "more than 400 conditions" in refused("vip = true and " * 500 + "vip = true").message


def test_segments_that_multiply_are_refused_cleanly() -> None:
    chain = {
        f"s{number}": KnownSegment(
            id=number, name=f"s{number}", rule=f"in segment s{number + 1} or in segment s{number + 1}"
        )
        for number in range(12)
    }
    chain["s12"] = KnownSegment(id=12, name="s12", rule="score > 1")
    vocabulary = Vocabulary(attributes={"score": "number"}, segments=chain)
    with pytest.raises(RuleError, match=r"more than 400 conditions|deep"):
        rules.compile("in segment s0", vocabulary, now=NOW, zone=ZoneInfo("UTC"))


def test_a_time_beyond_the_calendar_is_refused_cleanly() -> None:
    for text in ("expires within 9999999 days", "expires after 9999-12-31", "expires before 0001-01-01"):
        assert "calendar" in refused(text).message
