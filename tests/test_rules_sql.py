"""What SQL a rule comes to: bound values, usable indexes, shapes by cost, nothing that can break out."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from macli import rules, selection
from macli.address import fold_json
from macli.clock import to_ms
from macli.model import Where
from macli.rules import RuleError, Vocabulary
from macli.rules.sql import DEEPEST
from macli.rules.values import quote
from macli.store import Store, attributes, open_store

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Warsaw")
HOSTILE = (
    "'; DROP TABLE contacts; --",
    '" OR 1=1 --',
    "') OR ('1'='1",
    "%",
    "_",
    "\\",
    "\\' OR TRUE --",
    ":r1",
    "?1",
    "$.a.b[0]",
    "' || (SELECT group_concat(email) FROM contacts) || '",
    "*" * 12,
    "\u2028",
    "🙂" * 50,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "macli.db", create=True) as opened:
        for name, kind in (
            ("country", "text"),
            ("score", "number"),
            ("vip", "bool"),
            ("birthday", "date"),
            ("expires", "date"),
        ):
            attributes.declare(opened, 0, name, kind)  # type: ignore[arg-type]
        yield opened


def add(store: Store, email: str, **given: object) -> None:
    with store.write():
        store.execute(
            "INSERT INTO contacts (email, attributes, folded, added_at, updated_at) VALUES (?, ?, ?, 0, 0)",
            (email, json.dumps(given, ensure_ascii=False), fold_json(given)),
        )


def where(store: Store, rule: str, **more: bool) -> Where:
    return selection.where_of(store, rule, NOW, ZONE, **more)


def who(store: Store, rule: str) -> list[str]:
    found = where(store, rule)
    return [
        row["email"] for row in store.rows(f"SELECT email FROM contacts WHERE {found.sql} ORDER BY email", found.params)
    ]


def plan(store: Store, rule: str, **more: bool) -> str:
    return "\n".join(selection.plan(store, where(store, rule, **more)))


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_is_only_ever_a_value(store: Store, value: str) -> None:
    add(store, "exact@example.com", country=value)
    add(store, "other@example.com", country="Canada")
    rule = f"country = {quote(value)}"
    assert value.casefold() in where(store, rule).params.values()
    assert who(store, rule) == ["exact@example.com"]
    assert who(store, f"country contains {quote(value)}") == ["exact@example.com"]
    for asked in (
        f"tagged {quote(value)}",
        f"event order.paid with note = {quote(value)}",
        f"clicked link containing {quote(value)}",
        f"opted in to email topic {quote(value)}",
        f"email ends with {quote(value)}",
    ):
        try:
            assert who(store, asked) == []
        except RuleError:
            assert asked.startswith("tagged")  # some of these are no tag
    assert store.value("SELECT count(*) FROM contacts") == 2


@pytest.mark.parametrize("name", [value for value in HOSTILE if not value.isidentifier()])
def test_a_hostile_name_is_refused(store: Store, name: str) -> None:
    for asked in (f"{quote(name)} = 1", f"in segment {quote(name)}", f"in campaign {quote(name)}"):
        with pytest.raises(RuleError):
            where(store, asked)
    with pytest.raises(RuleError):
        where(store, f"event x with {quote(name)} = 1")
    with pytest.raises(RuleError):
        where(store, f"event {quote(name)}")


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=40))
def test_no_text_breaks_the_compiler_or_ends_up_in_the_sql(text: str) -> None:
    vocabulary = Vocabulary(attributes={"country": "text"})
    try:
        found = rules.compile(f"country = {quote(text)}", vocabulary, now=NOW, zone=ZONE)
    except RuleError:
        assert re.search(r"[\x00-\x1f\x7f]", text)
        return
    assert found.params == {"r1": text.casefold()}
    plain = rules.compile("country = x", vocabulary, now=NOW, zone=ZONE)
    assert found.sql == plain.sql


WORDS = (*"()\"'#\\,=<>!%* 2", " and ", " or ", " not ", " in ", "country", "tagged ", "event ", "within ", " days")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=12).map("".join))
def test_any_text_is_a_rule_or_a_rule_error(text: str) -> None:
    message = "^"
    try:
        rules.parse(text)
    except RuleError as error:
        message = error.message
    assert message.endswith("^")


def test_rules_with_their_own_prefixes_stand_in_one_statement(store: Store) -> None:
    add(store, "a@example.com", country="Canada", score=5)
    add(store, "b@example.com", country="Canada", score=1)
    one = selection.where_of(store, "country = Canada", NOW, ZONE, prefix="one")
    two = selection.where_of(store, "score > 3", NOW, ZONE, prefix="two")
    count = store.value(
        f"SELECT count(*) FROM contacts WHERE {one.sql} AND NOT {two.sql}", {**one.params, **two.params}
    )
    assert count == 1


@pytest.mark.parametrize(
    ("rule", "timely", "reads"),
    [
        ("country = Canada and not tagged x", False, set()),
        ("opened email", False, {"events"}),
        ("opened email within 3 days", True, {"events"}),
        ("added before 2026-01-01", False, set()),
        ("added before today", True, set()),
        ('expires before "now"', True, set()),
        ("birthday is today", True, set()),
        ("received campaign spring", False, {"sends"}),
        ("in campaign spring", False, {"enrollments"}),
        ("suppressed on email", False, {"suppressions"}),
        ("in segment fresh", True, {"events"}),
        ("in segment listed", False, {"segment_members"}),
    ],
)
def test_a_rule_says_what_can_change_its_answer(rule: str, timely: bool, reads: set[str]) -> None:
    vocabulary = Vocabulary(
        attributes={"country": "text", "expires": "date", "birthday": "date"},
        segments={
            "fresh": rules.KnownSegment(id=1, name="fresh", rule="clicked within 1 day"),
            "listed": rules.KnownSegment(id=2, name="listed"),
        },
        campaigns={"spring": rules.KnownCampaign(id=1, name="spring")},
    )
    found = rules.compile(rule, vocabulary, now=NOW, zone=ZONE)
    assert (found.timely, found.reads) == (timely, reads)


@pytest.mark.parametrize(
    ("kind", "rules_"),
    [
        ("country", ("country = Canada", "country in (Canada, Poland)")),
        ("score", ("score = 5", "score >= 50", "score between 3 and 5")),
        ("vip", ("vip = true",)),
        ("expires", ("expires within next 7 days", "expires on 2026-01-01", "expires before 2020-01-01")),
    ],
)
def test_an_indexed_attribute_is_found_by_its_index(store: Store, kind: str, rules_: tuple[str, ...]) -> None:
    for rule in rules_:
        assert "SCAN contacts" in plan(store, rule)
    attributes.index(store, kind)
    for rule in rules_:
        found = plan(store, rule)
        assert f"contacts_attribute_{kind}" in found
        assert "SCAN contacts" not in found
    attributes.unindex(store, kind)
    assert "SCAN contacts" in plan(store, rules_[0])


def test_an_index_follows_its_attribute_s_type_and_goes_with_it(store: Store) -> None:
    attributes.declare(store, 0, "points", "text")
    attributes.index(store, "points")
    attributes.retype(store, 0, "points", "number", ZONE)
    assert "contacts_attribute_points" in plan(store, "points > 3")
    attributes.remove(store, 0, "points")
    assert not store.rows("SELECT 1 FROM sqlite_master WHERE name = 'contacts_attribute_points'")


def test_contacts_are_found_by_their_address_and_by_their_tag(store: Store) -> None:
    assert "SEARCH contacts USING INDEX sqlite_autoindex_contacts_1 (email=?)" in plan(store, "email = A@Example.com")
    assert "SCAN contacts" not in plan(store, "tagged vip")


def test_behaviour_alone_selects_its_set_and_beside_something_selective_looks_at_each(store: Store) -> None:
    alone = plan(store, "opened email within 30 days")
    assert "SCAN contacts" not in alone
    assert "events_name" in alone
    attributes.index(store, "country")
    beside = plan(store, "country = Canada and opened email within 30 days")
    assert "contacts_attribute_country" in beside
    assert "CORRELATED" in beside
    assert "events_contact" in beside


def test_without_an_index_the_set_leads_and_attributes_are_read_of_its_members_only(store: Store) -> None:
    found = plan(store, "country = Canada and opened email within 30 days and score >= 50")
    assert "SCAN contacts" not in found
    assert "events_name" in found


def test_a_count_over_everyone_is_grouped(store: Store) -> None:
    found = where(store, "event x at least 3 times")
    assert "GROUP BY" in found.sql
    assert "SCAN events" not in plan(store, "event x at least 3 times")


def test_asked_of_few_contacts_a_rule_looks_at_each_of_them(store: Store) -> None:
    rule = "opened email at least 2 times or tagged vip or in segment x and no event y"
    with store.write():
        store.execute(
            "INSERT INTO segments (id, name, name_key, kind, created_at, updated_at)"
            " VALUES (1, 'x', 'x', 'static', 0, 0)"
        )
    found = where(store, rule, narrow=True)
    assert "contacts.id IN" not in found.sql


def test_the_deepest_rule_that_is_allowed_is_one_the_store_can_run(store: Store) -> None:
    for leaf in (
        "country != Canada",
        'event x with (a = "b" and c != 1 and "Größe" between 1 and 2) exactly 3 times within 3 days',
        "anniversary of birthday within next 300 days",
        'not opted in to email topic "x"',
        "expires in (2026-01-01, today)",
        "score(global) not in (1, 3)",
        'has no mail containing "x" within 3 days',
        "not has deal worth more than 3 EUR within 3 days",
        "not churn is high",
    ):
        rule = leaf
        for level in range(DEEPEST - 1):
            rule = f"not ({rule} {'and' if level % 2 else 'or'} {leaf})"
        for narrow in (False, True):
            found = where(store, rule, narrow=narrow)
            store.rows(f"SELECT 1 FROM contacts WHERE NOT ({found.sql})", found.params)
        found = selection.entity_where(store, "task", rule, NOW, ZONE)
        store.rows(f"SELECT 1 FROM tasks WHERE NOT ({found.sql})", found.params)


def test_the_longest_rules_that_are_allowed_are_ones_the_store_can_run(store: Store) -> None:
    for word in ("and", "or"):
        rule = f" {word} ".join(["country != Canada"] * 399)
        assert selection.count(store, where(store, rule)) == 0
    many = ", ".join(f"person{number}@example.com" for number in range(3000))
    assert who(store, f"email in ({many})") == []


def test_removed_contacts_are_left_out_unless_they_are_asked_for(store: Store) -> None:
    add(store, "gone@example.com", country="Canada")
    with store.write():
        store.execute("UPDATE contacts SET removed_at = 1")
    assert who(store, "everyone") == []
    assert selection.count(store, where(store, "everyone", removed=True)) == 1


def test_opened_email_within_30_days_is_over_on_the_31st_day(store: Store) -> None:
    add(store, "a@example.com")
    with store.write():
        store.execute(
            "INSERT INTO events (contact_id, name, at, source) VALUES (1, 'email.opened', ?, 'test')", (to_ms(NOW),)
        )
    rule = "opened email within 30 days"
    for days, expected in ((0, 1), (30, 1), (31, 0)):
        found = selection.where_of(store, rule, NOW + timedelta(days=days), ZONE)
        assert selection.count(store, found) == expected


def test_the_29th_of_february_is_kept_on_the_28th_in_years_without_one(store: Store) -> None:
    add(store, "leap@example.com", birthday="2000-02-29")
    add(store, "usual@example.com", birthday="2000-02-28")
    for day, expected in (
        (datetime(2027, 2, 28, 12, tzinfo=UTC), ["leap@example.com", "usual@example.com"]),
        (datetime(2027, 3, 1, 12, tzinfo=UTC), []),
        (datetime(2028, 2, 28, 12, tzinfo=UTC), ["usual@example.com"]),
        (datetime(2028, 2, 29, 12, tzinfo=UTC), ["leap@example.com"]),
    ):
        found = selection.where_of(store, "birthday is today", day, ZONE)
        emails = [
            row["email"]
            for row in store.rows(f"SELECT email FROM contacts WHERE {found.sql} ORDER BY email", found.params)
        ]
        assert emails == expected, day


def test_today_is_the_day_in_the_zone(store: Store) -> None:
    add(store, "a@example.com", birthday="1990-03-05")
    late = datetime(2026, 3, 4, 23, 30, tzinfo=UTC)
    for zone, expected in (("UTC", 0), ("Europe/Warsaw", 1), ("America/New_York", 0)):
        found = selection.where_of(store, "birthday is today", late, ZoneInfo(zone))
        assert selection.count(store, found) == expected


def test_text_is_compared_without_case_in_any_script(store: Store) -> None:
    for number, country in enumerate(("Łódź", "ŻÓŁW", "Straße", "ΟΔΟΣ", "İzmir", "Kelvin")):
        add(store, f"{number}@example.com", country=country)
    for asked, number in (("łÓDŹ", 0), ("żółw", 1), ("STRASSE", 2), ("οδος", 3), ("i̇zmir", 4), ("kelvin", 5)):
        assert who(store, f'country = "{asked}"') == [f"{number}@example.com"]
        assert who(store, f'country contains "{asked[1:]}"') == [f"{number}@example.com"]


def test_a_printed_rule_keeps_what_belongs_to_the_event_apart() -> None:
    rule = rules.parse("(event order.paid with total > 100) and country = Canada")
    assert str(rule) == 'event "order.paid" with (total > 100) and country = Canada'
    assert rules.parse(str(rule)) == rule


def test_event_conditions_stand_alone_for_campaigns(store: Store) -> None:
    with store.write():
        for number, properties in enumerate(({"total": 150, "currency": "EUR"}, {"total": 5}, {"total": "150"})):
            store.execute(
                "INSERT INTO events (id, name, at, source, properties) VALUES (?, 'order.paid', 0, 'x', ?)",
                (number, json.dumps(properties)),
            )
    found = selection.event_where_of(store, 'total > 100 and currency != "usd"', NOW, ZONE)
    ids = [row["id"] for row in store.rows(f"SELECT id FROM events WHERE {found.sql}", found.params)]
    assert ids == [0]
    assert not store.rows(f"SELECT 1 FROM events WHERE ({found.sql}) IS NULL", found.params)
