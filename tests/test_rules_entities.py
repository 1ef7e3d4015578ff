"""Rules over tasks, deals, calls, mails and notes: their own fields first, all else of the contact."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from rule_oracle import World, fits_row
from rule_world import FIELDS, NO_WORK, VOCABULARY, entity_rules, furnish, keep, keep_work, people, someone, works
from rule_world import NOW as LATE

from macli import rules, selection
from macli.clock import to_ms
from macli.rules import RuleError
from macli.rules.entities import ENTITIES
from macli.store import Store, open_store

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Warsaw")
ANNA, ZANETA = 1, 2
OFFER, WON_IT, OTHER_OFFER = 1, 2, 3


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path: Path = tmp_path_factory.mktemp("entities") / "macli.db"
    with open_store(path, create=True) as store:
        furnish(store)
        yield store


@pytest.fixture
def store(furnished: Store) -> Iterator[Store]:
    furnished.connection.execute("BEGIN")
    yield furnished
    furnished.connection.execute("ROLLBACK")


def ago(days: float) -> int:
    return to_ms(NOW - timedelta(days=days))


TASK = {"title": "x", "state": "open", "assignee_id": None, "due_at": None, "created_at": ago(1)}
DEAL = {"title": "x", "state": "open", "value": None, "currency": None, "stage_id": None, "created_at": ago(1)}
CALL = {"direction": "in", "staff_id": None, "at": ago(1)}
MAIL = {"subject": "x", "body": "x", "at": ago(1)}
NOTE = {"text": "x", "author_id": None, "created_at": ago(1)}
PLAIN = {"task": TASK, "deal": DEAL, "call": CALL, "mail": MAIL, "note": NOTE}

# Kind, rule, a row it fits, a row it does not; the plain row of that kind is the third.
FIELDS_ASKED: list[tuple[str, str, dict[str, Any], dict[str, Any], bool]] = [
    ("task", "due < today and assignee = anna", {"due_at": ago(2), "assignee_id": ANNA}, {"due_at": ago(2)}, False),
    ("task", "due within next 3 days", {"due_at": ago(-2)}, {"due_at": ago(-4)}, False),
    ("task", "due is not set", {}, {"due_at": ago(1)}, True),
    ("task", "assignee is set", {"assignee_id": ANNA}, {}, False),
    ("task", "assignee in (anna, żaneta)", {"assignee_id": ZANETA}, {}, False),
    ("task", "assignee != anna", {"assignee_id": ZANETA}, {"assignee_id": ANNA}, True),
    ("task", "author = Żaneta", {"author_id": ZANETA}, {"author_id": ANNA}, False),
    ("task", "title contains ŻÓŁW", {"title": "mój żółw"}, {"title": "zolw"}, False),
    ("task", 'title = "Call Ann"', {"title": "call ann"}, {"title": "call anna"}, False),
    ("task", 'title matches "call*"', {"title": "Call ann"}, {"title": "recall"}, False),
    ("task", "description is set", {"description": "long"}, {"description": ""}, False),
    ("task", "state = done", {"state": "done"}, {"state": "cancelled"}, False),
    ("task", "done = true", {"state": "done"}, {"state": "cancelled"}, False),
    ("task", "overdue = true", {"due_at": ago(1)}, {"due_at": ago(1), "state": "done"}, False),
    ("task", "closed within 2 days", {"closed_at": ago(1)}, {"closed_at": ago(3)}, False),
    ("task", "source = import", {"source": "import"}, {"source": "form"}, False),
    ("deal", "value > 1000", {"value": 1000.5}, {"value": 1000}, False),
    ("deal", "value between 5 and 10", {"value": 10}, {"value": 10.01}, False),
    ("deal", "currency = eur", {"currency": "EUR"}, {"currency": "PLN"}, False),
    ("deal", "state in (won, lost)", {"state": "won"}, {"state": "open"}, False),
    ("deal", "stage = Offer", {"stage_id": OTHER_OFFER}, {"stage_id": WON_IT}, False),
    ("deal", "stage = Sales/Offer", {"stage_id": OFFER}, {"stage_id": OTHER_OFFER}, False),
    ("deal", 'stage is "won it"', {"stage_id": WON_IT}, {"stage_id": OFFER}, False),
    ("deal", "funnel = sales", {"stage_id": OFFER}, {"stage_id": OTHER_OFFER}, False),
    ("deal", "owner is anna", {"owner_id": ANNA}, {"owner_id": ZANETA}, False),
    ("deal", "owner is not set", {}, {"owner_id": ANNA}, True),
    ("deal", "moved more than 7 days ago", {"moved_at": ago(8)}, {"moved_at": ago(6)}, False),
    ("deal", "closed on today", {"closed_at": ago(0.1)}, {"closed_at": ago(2)}, False),
    ("call", "direction = out", {"direction": "out"}, {"direction": "in"}, False),
    ("call", "seconds >= 60", {"seconds": 60}, {"seconds": 59}, False),
    ("call", 'outcome = "no answer"', {"outcome": "No answer"}, {"outcome": "answered"}, False),
    ("call", "staff = anna and at within 2 days", {"staff_id": ANNA}, {"staff_id": ANNA, "at": ago(3)}, False),
    ("call", "text contains price", {"text": "asked for a PRICE"}, {"text": "pry"}, False),
    ("mail", "subject starts with re", {"subject": "RE: hello"}, {"subject": "are"}, False),
    ("mail", 'body contains "50%"', {"body": "50% off"}, {"body": "500 off"}, False),
    ("mail", 'sender ends with "@shop.example"', {"sender": "Bo@Shop.example"}, {"sender": "bo@shop.com"}, False),
    ("mail", "recipient = sales@example.com", {"recipient": "sales@example.com"}, {}, False),
    ("mail", "mailbox = support", {"mailbox": "support"}, {"mailbox": "sales"}, False),
    ("note", "text contains STRASSE", {"text": "Straße"}, {"text": "street"}, False),
    ("note", "author = anna and private = false", {"author_id": ANNA}, {"author_id": ANNA, "private": 1}, False),
    ("note", "created before today", {"created_at": ago(1)}, {"created_at": ago(0)}, True),
]


def add(store: Store, kind: str, row: dict[str, Any], contact: int | None = None) -> int:
    """A row of that kind, like the plain one but for what is given; its id."""
    table = f"{kind}s"
    keep_work(store, contact, {**NO_WORK, table: [{**PLAIN[kind], **row}]})
    return int(store.value(f"SELECT max(id) FROM {table}"))


def found(store: Store, kind: str, rule: str) -> list[int]:
    where = selection.entity_where(store, kind, rule, NOW, ZONE)
    table = f"{kind}s"
    assert store.value(f"SELECT count(*) FROM {table} WHERE ({where.sql}) IS NULL", where.params) == 0
    return [row["id"] for row in store.rows(f"SELECT id FROM {table} WHERE {where.sql} ORDER BY id", where.params)]


@pytest.mark.parametrize(("kind", "rule", "meets", "misses", "plain"), FIELDS_ASKED, ids=[f[1] for f in FIELDS_ASKED])
def test_g12_fields_are_asked_in_the_grammar_of_rules(
    store: Store, kind: str, rule: str, meets: dict[str, Any], misses: dict[str, Any], plain: bool
) -> None:
    about = None
    if kind == "note":
        about = 1
        keep(store, [someone(1)], set())
    one, other, third = (add(store, kind, row, about) for row in (meets, misses, {}))
    assert found(store, kind, rule) == ([one, third] if plain else [one])
    assert found(store, kind, f"not ({rule})") == ([other] if plain else [other, third])


@pytest.mark.parametrize("kind", ENTITIES)
def test_g11_every_list_is_asked_about_its_contacts_and_rows_without_one_are_missing_data(
    store: Store, kind: str
) -> None:
    vip = {"tags": {"OLD"}, "attributes": {"plan": "gold"}, "scores": {1: 60}, "state": "customer"}
    gone = {**vip, "email": "gone@example.com"}
    keep(store, [someone(1, **vip), someone(2), someone(3, **gone)], set())
    store.execute("UPDATE contacts SET removed_at = 1 WHERE id = 3")
    of_vip, *others = (add(store, kind, {}, contact) for contact in (1, 2, 3))
    if kind != "note":  # a note is always about a contact
        others.append(add(store, kind, {}))
    for rule in ("tagged old", "plan = gold", "score >= 50", "in segment VIP", 'plan is set and "state" = customer'):
        assert found(store, kind, rule) == [of_vip], rule
        assert found(store, kind, f"not ({rule})") == others, rule
    assert found(store, kind, "everyone") == [of_vip, *others]
    assert found(store, kind, "score = 0") == others[:1]


def test_the_name_of_a_field_means_the_field_and_in_quotes_the_contact_s_own(store: Store) -> None:
    keep(store, [someone(1, state="customer", source="import"), someone(2)], set())
    one, two = add(store, "task", {"state": "done", "source": "form"}, 1), add(store, "task", {"source": "import"}, 2)
    assert found(store, "task", "state = done") == [one]
    assert found(store, "task", '"state" = customer') == [one]
    assert found(store, "task", "source = import") == [two]
    assert found(store, "task", '"source" = import') == [one]
    assert str(rules.parse('"state" = customer and state = open')) == '"state" = customer and state = open'


def test_a_segment_s_rule_speaks_of_contacts_even_where_words_are_fields(store: Store) -> None:
    store.execute("UPDATE segments SET rule = 'state = customer' WHERE id = 1")
    keep(store, [someone(1, state="customer"), someone(2)], set())
    one, _ = add(store, "task", {}, 1), add(store, "task", {}, 2)
    assert found(store, "task", "in segment VIP and state = open") == [one]


@pytest.mark.parametrize(
    ("kind", "rule", "says", "under"),
    [
        ("task", "assignee = ana", "no member of staff named 'ana'; did you mean 'Anna'?", "ana"),
        ("task", "state = opn", "state is open, done, cancelled, not 'opn'; did you mean 'open'?", "opn"),
        ("task", "asignee = anna", "no field or attribute named 'asignee'; did you mean 'assignee'?", "asignee"),
        ("task", "due contains x", "due holds dates, and 'contains' is for text", "due"),
        ("task", "assignee > anna", "assignee is a member of staff", "assignee"),
        ("task", "overdue = maybe", "overdue is true or false", "maybe"),
        ("deal", "stage = Ofer", "no stage of a funnel named 'Ofer'; did you mean 'Offer'?", "Ofer"),
        ("deal", "stage is at least Offer", "the stage of a deal is asked for with =", "stage"),
        ("deal", "value contains 5", "value holds numbers", "value"),
        ("deal", "funnel = Salse", "no funnel named 'Salse'; did you mean 'Sales'?", "Salse"),
        ("call", "direction = up", "direction is in, out, not 'up'", "up"),
        ("task", "value > 3", "no field or attribute named 'value'", "value"),
    ],
)
def test_a_wrong_word_is_found_before_anything_is_selected(
    store: Store, kind: str, rule: str, says: str, under: str
) -> None:
    with pytest.raises(RuleError) as caught:
        selection.entity_where(store, kind, rule, NOW, ZONE)
    assert says in caught.value.message
    assert rule[caught.value.at :].startswith(under)


def test_a_wrong_name_is_answered_with_the_fields_there_are(store: Store) -> None:
    with pytest.raises(RuleError) as caught:
        selection.entity_where(store, "mail", "body_text = x", NOW, ZONE)
    assert caught.value.hint == (
        "a mail has subject, body, sender, recipient, mailbox, at; all else is asked of its contact"
    )


def test_what_is_overdue_or_due_today_changes_with_time(store: Store) -> None:
    for rule, timely in (("overdue = true", True), ("due < today", True), ("state = open", False)):
        assert selection.entity_where(store, "task", rule, NOW, ZONE).timely is timely


def test_rules_with_their_own_prefixes_stand_in_one_statement(store: Store) -> None:
    one = add(store, "task", {"assignee_id": ANNA, "title": "a"})
    add(store, "task", {"assignee_id": ANNA, "title": "b"})
    first = selection.entity_where(store, "task", "assignee = anna", NOW, ZONE, prefix="one")
    second = selection.entity_where(store, "task", "title = a", NOW, ZONE, prefix="two")
    sql = f"SELECT id FROM tasks WHERE {first.sql} AND {second.sql}"
    assert [row["id"] for row in store.rows(sql, {**first.params, **second.params})] == [one]


def test_open_tasks_of_somebody_are_found_by_an_index(store: Store) -> None:
    where = selection.entity_where(store, "task", "state = open and assignee = anna and due < today", NOW, ZONE)
    sql = f"EXPLAIN QUERY PLAN SELECT id FROM tasks WHERE tasks.state = 'open' AND {where.sql}"
    plan = " ".join(row["detail"] for row in store.rows(sql, where.params))
    assert "tasks_open (assignee_id=? AND due_at" in plan


@pytest.mark.parametrize("kind", sorted(ENTITIES))
def test_sql_and_the_oracle_select_the_same_rows(furnished: Store, kind: str) -> None:
    @hypothesis_settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(rule=entity_rules(kind), contacts=people(), nobody_s=works)
    def agree(rule: Any, contacts: list[dict[str, Any]], nobody_s: dict[str, Any]) -> None:
        text = str(rule)
        assert rules.parse(text) == rule
        table = f"{kind}s"
        world = World(vocabulary=VOCABULARY, now=LATE, zone=ZONE)
        furnished.connection.execute("BEGIN")
        try:
            keep(furnished, contacts, set())
            keep_work(furnished, None, nobody_s)
            rows = [(row, contact) for contact in contacts for row in contact[table]]
            rows += [(row, None) for row in nobody_s[table] if kind != "note"]
            wanted = {
                number
                for number, (row, contact) in enumerate(rows, start=1)
                if fits_row(rule, kind, row, contact, world)
            }
            first = (furnished.value(f"SELECT min(id) FROM {table}") or 1) - 1
            for asked, expected in ((text, wanted), (f"not ({text}\n)", set(range(1, len(rows) + 1)) - wanted)):
                where = rules.compile_entity(kind, asked, VOCABULARY, now=LATE, zone=ZONE)
                sql = f"SELECT id FROM {table} WHERE {where.sql}"
                assert {row["id"] - first for row in furnished.rows(sql, where.params)} == expected, asked
        finally:
            furnished.connection.execute("ROLLBACK")

    agree()


def test_the_oracle_and_the_tests_know_every_field() -> None:
    assert {kind: set(fields) for kind, fields in FIELDS.items()} == {
        kind: set(entity.fields) for kind, entity in ENTITIES.items()
    }
