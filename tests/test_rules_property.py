"""Any rule's SQL selects whom the slow, obvious evaluator selects, on whatever the store holds."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rule_oracle import World, fits
from rule_world import KINDS, NOW, VOCABULARY, every_rule, furnish, keep, people, zones

from macli import rules
from macli.model import Where
from macli.rules.tree import Rule
from macli.rules.vocabulary import by_default
from macli.store import Store, open_store

floors = st.sampled_from([None, None, -1, 0, 3])
suppressed = st.sets(
    st.sampled_from([("email", "ann@example.com"), ("sms", "+14165550123"), ("sms", "ann@example.com")])
)


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path: Path = tmp_path_factory.mktemp("rules") / "macli.db"
    with open_store(path, create=True) as store:
        furnish(store)
        yield store


def selected(store: Store, condition: str, where: Where) -> set[int]:
    return {row[0] for row in store.rows(f"SELECT contacts.id FROM contacts WHERE {condition}", where.params)}


QUICK = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}


@settings(max_examples=250, **QUICK)
@given(rule=every_rule, found=people(), zone=zones, out=suppressed, ahead=st.integers(0, 3), floor=floors)
def test_sql_and_the_oracle_select_the_same_contacts(
    furnished: Store,
    rule: Rule,
    found: list[dict[str, Any]],
    zone: ZoneInfo,
    out: set[tuple[str, str]],
    ahead: int,
    floor: int | None,
) -> None:
    compare(furnished, rule, found, zone, out, ahead, floor)


@pytest.mark.parametrize("kind", KINDS)
def test_each_predicate_means_what_the_oracle_says(furnished: Store, kind: str) -> None:
    @settings(max_examples=60, **QUICK)
    @given(rule=KINDS[kind], found=people(), zone=zones, out=suppressed, ahead=st.integers(0, 3), floor=floors)
    def agree(rule: Rule, **drawn: Any) -> None:
        compare(furnished, rule, **drawn)

    agree()


def compare(
    store: Store,
    rule: Rule,
    found: list[dict[str, Any]],
    zone: ZoneInfo,
    out: set[tuple[str, str]],
    ahead: int,
    floor: int | None,
) -> None:
    settings_ = {"points.floor": floor}
    vocabulary = replace(VOCABULARY, setting=lambda key: settings_[key] if key in settings_ else by_default(key))
    text = str(rule)
    assert rules.parse(text) == rule
    now = NOW + timedelta(days=ahead)
    world = World(vocabulary=vocabulary, now=now, zone=zone, suppressed=out)
    everyone = {contact["id"] for contact in found}
    wanted = {contact["id"] for contact in found if fits(rule, contact, world)}
    store.connection.execute("BEGIN")
    try:
        keep(store, found, out)
        for narrow in (False, True):
            where = rules.compile(text, vocabulary, now=now, zone=zone, narrow=narrow)
            opposite = rules.compile(f"not ({text}\n)", vocabulary, now=now, zone=zone, narrow=narrow)
            assert selected(store, where.sql, where) == wanted, text
            assert selected(store, f"contacts.removed_at IS NULL AND {where.sql}", where) == wanted, text
            assert selected(store, opposite.sql, opposite) == everyone - wanted, text
            assert selected(store, f"NOT {where.sql}", where) == everyone - wanted, text
    finally:
        store.connection.execute("ROLLBACK")
