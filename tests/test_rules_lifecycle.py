"""Points, stages, funnels, RFM, predictions, owners and work in rules: each true, false, unknown, and negated."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rule_world import VOCABULARY, furnish, keep, mailed, someone

from macli import rules, selection
from macli.clock import to_ms
from macli.errors import OperationFailed, UsageError
from macli.rules import KnownStage, RuleError
from macli.rules.predicates.lifecycle import BANDS
from macli.rules.readers import CALLED
from macli.rules.vocabulary import by_default
from macli.scoring import rfm_definition
from macli.store import Store, attributes, bare_words, open_store, settings

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
ZONE = ZoneInfo("UTC")
ANNA, ZANETA = 1, 2  # ANNA alone is in the group Sales
FIRST_TALK, PURCHASE, LAST = 1, 2, 3
OFFER, WON_IT, OTHER_OFFER = 1, 2, 3

Known = dict[str, Any]


def ago(days: float) -> int:
    return to_ms(NOW - timedelta(days=days))


def points(number: int, scope: int = 1) -> Known:
    return {"scores": {scope: number}}


def stage(number: int, days: float = 1) -> Known:
    return {"stage": (number, ago(days))}


def funnel(stage: int, days: float = 1, left: int | None = None) -> Known:
    return {"funnels": {stage: ago(days)}, "left_funnels": set() if left is None else {left}}


def bands(recency: str, frequency: str, monetary: str, report: int = 1) -> Known:
    return {"rfm": {report: (recency, frequency, monetary)}}


def predicted(kind: str, probability: float, days: float = 1) -> Known:
    return {"predictions": {kind: (probability, ago(days))}}


def owners(**kinds: str) -> Known:
    ids = {"anna": ANNA, "zaneta": ZANETA}
    return {"owners": {ids[name]: kind for name, kind in kinds.items()}}


def note(text: str, days: float = 1, author: int | None = None) -> Known:
    return {"notes": [{"text": text, "author_id": author, "created_at": ago(days)}]}


def task(state: str, assignee: int | None = None, due: float | None = None, days: float = 1) -> Known:
    due_at = None if due is None else ago(-due)
    made = {"title": "call", "state": state, "assignee_id": assignee, "due_at": due_at, "created_at": ago(days)}
    return {"tasks": [made]}


def deal(
    state: str,
    value: float | None = None,
    currency: str | None = None,
    stage: int | None = None,
    days: float = 1,
    closed: float | None = None,
) -> Known:
    made = {"title": "roof", "state": state, "value": value, "currency": currency, "stage_id": stage}
    return {"deals": [{**made, "created_at": ago(days), "closed_at": None if closed is None else ago(closed)}]}


def call(direction: str, staff: int | None = None, days: float = 1) -> Known:
    return {"calls": [{"direction": direction, "staff_id": staff, "at": ago(days)}]}


def mail(subject: str, body: str = "", days: float = 1) -> Known:
    return {"mails": [{"subject": subject, "body": body, "at": ago(days)}]}


NOTHING: Known = {}
TAG, GROUP, STAGE_SCOPE = 2, 3, 4

# A rule; who fits it; who does not. Of whom nothing is known is among those who do not, unless among those who do.
TABLE: list[tuple[str, list[Known], list[Known]]] = [
    # C11, C12: a score reached is at least, exceeded is more
    ("score >= 50", [points(50), points(51)], [points(49), points(-50), points(60, TAG)]),
    ("score reached 50", [points(50), points(51)], [points(49)]),
    ("score reached exactly 50", [points(50)], [points(49), points(51)]),
    ("score exceeded 50", [points(51)], [points(50)]),
    ("score > 50", [points(51)], [points(50)]),
    ("score = 50", [points(50)], [points(49), points(51)]),
    ("score != 50", [points(49), NOTHING], [points(50)]),
    ("score between 20 and 49", [points(20), points(49)], [points(19), points(50)]),
    ("score in (1, 3)", [points(1), points(3)], [points(2)]),
    # who has no points has 0
    ("score = 0", [NOTHING, points(0), points(9, TAG)], [points(1), points(-1)]),
    ("score < 3", [NOTHING, points(2), points(-5)], [points(3)]),
    ("score <= 0", [NOTHING, points(0), points(-1)], [points(1)]),
    ("score > -1", [NOTHING, points(0), points(1)], [points(-1)]),
    ("score between -3 and 3", [NOTHING, points(-3), points(3)], [points(-4), points(4)]),
    ("score in (0, 5)", [NOTHING, points(5)], [points(4), points(-1)]),
    ("score > 0.5", [points(1)], [points(0)]),
    ("score < 0.5", [NOTHING, points(0)], [points(1)]),
    ("score = 1.5", [], [points(1), points(2)]),
    # C15: points of a tag, exactly equal is enough; of a group; of a stage
    ("score(old) >= 10", [points(10, TAG)], [points(9, TAG), points(10)]),
    ('score("group:fit") > 5', [points(6, GROUP)], [points(5, GROUP), points(6)]),
    ('score("stage:sales/offer") reached 3', [points(3, STAGE_SCOPE)], [points(2, STAGE_SCOPE)]),
    ('score("group:rare") = 0', [NOTHING, points(5)], []),
    ('score("group:rare") > 0', [], [points(5)]),
    ("score(global) >= 1", [points(1)], [points(1, TAG)]),
    # readiness: cold 0, warm 20, hot 50
    ("readiness is hot", [points(50)], [points(49)]),
    ("readiness is warm", [points(20), points(49)], [points(19), points(50)]),
    ("readiness is cold", [NOTHING, points(19), points(-9)], [points(20)]),
    # stages
    ("stage is Purchase", [stage(PURCHASE)], [stage(FIRST_TALK), {"left_stages": {PURCHASE}}]),
    ("stage is at least purchase", [stage(PURCHASE), stage(LAST)], [stage(FIRST_TALK)]),
    ("stage is Purchase for at least 3 days", [stage(PURCHASE, 3)], [stage(PURCHASE, 2.9), stage(LAST, 9)]),
    ("stage is set", [stage(FIRST_TALK)], [{"left_stages": {FIRST_TALK}}]),
    ("in no stage", [NOTHING, {"left_stages": {FIRST_TALK}}], [stage(LAST)]),
    # C01: at the stage of a funnel, not one moved away from
    ("in funnel Sales at Offer", [funnel(OFFER)], [funnel(WON_IT, left=OFFER), funnel(OTHER_OFFER)]),
    ('in funnel sales at (offer, "Won it")', [funnel(OFFER), funnel(WON_IT)], [funnel(OTHER_OFFER)]),
    ("in funnel Sales", [funnel(OFFER), funnel(WON_IT)], [funnel(OTHER_OFFER), {"left_funnels": {OFFER}}]),
    ("in funnel Sales at Offer for at least 3 days", [funnel(OFFER, 3)], [funnel(OFFER, 2), funnel(WON_IT, 9)]),
    ("in funnel Empty", [], [funnel(OFFER)]),
    # C09: in an RFM report's bands; who bought nothing is in none
    ("rfm Spring recency short", [bands("short", "casual", "saver")], [bands("long", "common", "saver")]),
    (
        "rfm Spring frequency (common, regular)",
        [bands("long", "common", "saver"), bands("short", "regular", "medium")],
        [bands("long", "casual", "saver"), bands("long", "common", "saver", report=2)],
    ),
    (
        "rfm Spring recency short frequency (common, regular) monetary spender",
        [bands("short", "regular", "spender")],
        [bands("short", "regular", "medium"), bands("medium", "regular", "spender")],
    ),
    # C16, C18: predictions; a stale one is none
    ("churn is high", [predicted("churn", 0.51), predicted("churn", 0.75)], [predicted("churn", 0.5)]),
    ("churn is large", [predicted("churn", 0.75)], [predicted("churn", 0.76), predicted("purchase", 0.7)]),
    ("churn is very high", [predicted("churn", 0.76), predicted("churn", 1)], [predicted("churn", 0.9, days=31)]),
    ("churn is small", [predicted("churn", 0), predicted("churn", 0.25)], [predicted("churn", 0.1, days=31)]),
    ("churn >= 60%", [predicted("churn", 0.6)], [predicted("churn", 0.59), predicted("churn", 0.9, days=31)]),
    ("churn < 60%", [predicted("churn", 0.59)], [predicted("churn", 0.6)]),
    ('purchase is "very high"', [predicted("purchase", 0.8)], [predicted("purchase", 0.75), predicted("churn", 0.8)]),
    ("purchase between 20% and 60%", [predicted("purchase", 0.2)], [predicted("purchase", 0.61)]),
    ("purchase is set", [predicted("purchase", 0.0)], [predicted("purchase", 0.9, days=31)]),
    # C07, C08: owners
    ("owner is anna", [owners(anna="main")], [owners(anna="co"), owners(zaneta="main")]),
    ("co-owner is Anna", [owners(anna="co", zaneta="main")], [owners(anna="main")]),
    ("owned by anna", [owners(anna="co"), owners(anna="main")], [owners(zaneta="main")]),
    ("owner in group sales", [owners(anna="main")], [owners(zaneta="main", anna="co"), owners(anna="co")]),
    ("owner is set", [owners(zaneta="main")], [owners(zaneta="co")]),
    ("co-owner is set", [owners(zaneta="co")], [owners(zaneta="main")]),
    ("co-owner is not set", [NOTHING, owners(anna="main")], [owners(anna="co")]),
    # C13: has a note: text, period, author
    ("has note", [note("x")], [task("open")]),
    ("has note containing żółw", [note("mój ŻÓŁW")], [note("mój zolw")]),
    ('has note containing "100%"', [note("100% sure")], [note("1000 sure")]),
    ("has note by anna within 7 days", [note("x", 6, ANNA)], [note("x", 8, ANNA), note("x", 6, ZANETA), note("x", 6)]),
    ("has no note", [NOTHING], [note("x")]),
    # tasks
    ("has open task", [task("open")], [task("done"), task("cancelled")]),
    ("has overdue task", [task("open", due=-1)], [task("open", due=1), task("done", due=-1), task("open")]),
    ("has open task for anna", [task("open", ANNA)], [task("open", ZANETA), task("open")]),
    ("has open task due within next 3 days", [task("open", due=2)], [task("open", due=4), task("open")]),
    ("has task within 7 days", [task("done", days=6)], [task("open", days=8)]),
    # deals
    ("has deal", [deal("lost")], [task("open")]),
    ("has open deal worth more than 1000", [deal("open", 1001)], [deal("open", 1000), deal("won", 1001), deal("open")]),
    ("has deal worth at most 9.5 eur", [deal("open", 9.5, "EUR")], [deal("open", 9.5, "PLN"), deal("open", 10, "EUR")]),
    ("has deal in funnel Sales at Offer", [deal("open", stage=OFFER)], [deal("open", stage=OTHER_OFFER)]),
    ("has deal in funnel Sales", [deal("open", stage=WON_IT)], [deal("open", stage=OTHER_OFFER), deal("open")]),
    (
        "has won deal within 90 days",
        [deal("won", days=200, closed=89)],
        [deal("won", closed=91), deal("lost", closed=1)],
    ),
    ("has open deal within 7 days", [deal("open", days=6)], [deal("open", days=8)]),
    # calls and mails
    ("has call within 14 days", [call("in", days=13)], [call("in", days=15)]),
    ("has outgoing call by anna", [call("out", ANNA)], [call("in", ANNA), call("out", ZANETA), call("out")]),
    ("has mail containing invoice", [mail("Invoice 7"), mail("hi", "the INVOICE")], [mail("hi")]),
    ("has mail within 7 days", [mail("x", days=6)], [mail("x", days=8)]),
    ("has no mail", [NOTHING], [mail("x")]),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "macli.db", create=True) as opened:
        furnish(opened)
        yield opened


def selected(store: Store, rule: str, *, narrow: bool = False) -> list[int]:
    where = selection.where_of(store, rule, NOW, ZONE, narrow=narrow)
    assert store.value(f"SELECT count(*) FROM contacts WHERE ({where.sql}) IS NULL", where.params) == 0
    return [row["id"] for row in store.rows(f"SELECT id FROM contacts WHERE {where.sql} ORDER BY id", where.params)]


def put(store: Store, *known: Known) -> None:
    with store.write():
        keep(store, [someone(number, **each) for number, each in enumerate(known, start=1)], set())


@pytest.mark.parametrize(("rule", "fit", "unfit"), TABLE, ids=[row[0] for row in TABLE])
def test_every_predicate_its_negation_and_missing_data(
    store: Store, rule: str, fit: list[Known], unfit: list[Known]
) -> None:
    if NOTHING not in fit:
        unfit = [*unfit, NOTHING]
    put(store, *fit, *unfit)
    fitting = list(range(1, len(fit) + 1))
    others = list(range(len(fit) + 1, len(fit) + len(unfit) + 1))
    for narrow in (False, True):
        assert selected(store, rule, narrow=narrow) == fitting
        assert selected(store, f"not ({rule})", narrow=narrow) == others
        assert selected(store, f"not (not ({rule}) and everyone)", narrow=narrow) == fitting
    printed = str(rules.parse(rule))
    assert rules.parse(printed) == rules.parse(rule)
    assert rules.parse(str(rules.parse(f"not ({printed})"))) == rules.parse(f"not ({rule})")


def test_c01_a_contact_that_moved_away_from_a_stage_is_not_on_it(store: Store) -> None:
    put(store, funnel(OFFER), funnel(WON_IT, left=OFFER), {"left_funnels": {OFFER}})
    assert selected(store, "in funnel Sales at Offer") == [1]
    assert selected(store, "not in funnel Sales at Offer") == [2, 3]


def test_c08_a_contact_has_a_main_owner_a_co_owner_or_either(store: Store) -> None:
    put(store, owners(anna="main", zaneta="co"), owners(zaneta="main"), owners(anna="co"), NOTHING)
    assert selected(store, "owner is anna") == [1]
    assert selected(store, "co-owner is anna") == [3]
    assert selected(store, "owned by anna") == [1, 3]
    assert selected(store, "owner is set") == [1, 2]
    assert selected(store, "co-owner is set") == [1, 3]


def test_c09_who_bought_nothing_is_in_no_rfm_segment(store: Store) -> None:
    put(store, bands("short", "common", "spender"), NOTHING)
    assert selected(store, "rfm Spring recency (short, medium, long)") == [1]
    assert selected(store, "not rfm Spring recency short") == [2]


def test_c10_who_never_said_anything_is_not_opted_out(store: Store) -> None:
    put(store, {"consents": {("email", ""): "withdrawn"}}, {"consents": {("email", ""): "granted"}}, NOTHING)
    assert selected(store, "opted out of email") == [1]
    assert selected(store, "not opted out of email") == [2, 3]


def test_c11_a_score_reached_is_at_least_that_and_exactly_only_where_it_is_said(store: Store) -> None:
    put(store, points(199), points(200), points(201))
    assert selected(store, "score reached 200") == [2, 3]
    assert selected(store, "score reached exactly 200") == [2]


def test_c12_a_score_equal_to_the_value_has_not_exceeded_it(store: Store) -> None:
    put(store, points(200), points(201))
    assert selected(store, "score exceeded 200") == [2]
    assert selected(store, "not score exceeded 200") == [1]


def test_c13_a_note_is_asked_for_by_its_words_its_time_and_its_author(store: Store) -> None:
    put(store, note("Wants a boat", 3, ANNA), note("Wants a boat", 30, ANNA), note("Wants a car", 3, ANNA), NOTHING)
    assert selected(store, "has note containing BOAT by anna within 7 days") == [1]
    assert selected(store, "has no note containing boat within 7 days") == [2, 3, 4]


def test_c15_points_of_a_tag_equal_to_the_value_are_enough(store: Store) -> None:
    put(store, points(10, TAG), points(9, TAG), points(99))
    assert selected(store, "score(old) >= 10") == [1]


def test_c16_and_c18_without_a_prediction_or_with_a_stale_one_there_is_no_data(store: Store) -> None:
    for kind in ("churn", "purchase"):
        with store.write():
            store.execute("DELETE FROM contacts")
        put(store, predicted(kind, 0.9), predicted(kind, 0.9, days=31), NOTHING)
        for rule in (f"{kind} is very high", f"{kind} >= 10%", f"{kind} <= 95%"):
            assert selected(store, rule) == [1], rule
            assert selected(store, f"not {rule}") == [2, 3], rule


def test_c07_a_co_owner_in_the_group_does_not_make_the_main_owner_one_of_it(store: Store) -> None:
    put(store, owners(zaneta="main", anna="co"), owners(anna="main", zaneta="co"))
    assert selected(store, "owner in group sales") == [2]
    assert selected(store, "not owner in group sales") == [1]


def test_c14_a_mobile_contact_is_one_with_a_device_in_the_segment(store: Store) -> None:
    gold = {"attributes": {"plan": "gold"}}
    put(store, {**gold, "devices": 1}, gold, {"devices": 1})
    assert selected(store, 'has device and in segment "VIP"') == [1]
    assert selected(store, 'not (has device and in segment "VIP")') == [2, 3]


def test_c17_what_failed_or_was_blocked_was_not_received(store: Store) -> None:
    week = [mailed("delivered", ago(day)) for day in (1, 2, 6)]
    blocked = [
        mailed("delivered", ago(1)),
        mailed("delivered", ago(2)),
        mailed("failed", ago(1)),
        mailed("skipped", None),
    ]
    put(store, {"sends": week}, {"sends": blocked})
    assert selected(store, "received at least 3 emails within 7 days") == [1]
    assert selected(store, "received less than 3 emails within 7 days") == [2]
    assert selected(store, "received exactly 2 emails") == [2]


def test_c20_an_empty_phone_number_is_none(store: Store) -> None:
    put(store, {"phone": "+14165550123"}, {"phone": ""}, NOTHING)
    assert selected(store, "has phone") == [1]
    assert selected(store, "has no phone") == [2, 3]


def test_c16_how_old_a_prediction_may_be_is_a_setting(store: Store) -> None:
    put(store, predicted("churn", 0.9, days=40))
    assert selected(store, "churn is very high") == []
    settings.put(store, NOW, "predictions.max_age", "60 days")
    assert selected(store, "churn is very high") == [1]


def test_scores_below_the_floor_are_asked_for_as_the_floor(store: Store) -> None:
    put(store, points(-40), points(-5), NOTHING, points(3))
    assert selected(store, "score < 0") == [1, 2]
    settings.put(store, NOW, "points.floor", "0")
    assert selected(store, "score < 0") == []
    assert selected(store, "score = 0") == [1, 2, 3]
    assert selected(store, "score != 0") == [4]
    settings.put(store, NOW, "points.floor", "-10")
    assert selected(store, "score = -10") == [1]
    assert selected(store, "score between -10 and -5") == [1, 2]


def test_bands_of_readiness_are_a_setting(store: Store) -> None:
    put(store, points(10), points(5), NOTHING)
    settings.put(store, NOW, "points.bands", "calm 0, keen 10")
    assert selected(store, "readiness is keen") == [1]
    assert selected(store, "readiness is calm") == [2, 3]
    with pytest.raises(RuleError, match="readiness is calm, keen, not 'hot'"):
        selected(store, "readiness is hot")


@pytest.mark.parametrize(
    ("rule", "says", "under"),
    [
        ("stage is Purchse", "no stage named 'Purchse'; did you mean 'Purchase'?", "Purchse"),
        ("stage is at least Purchse", "did you mean 'Purchase'?", "Purchse"),
        ("in funnel Salse", "no funnel named 'Salse'; did you mean 'Sales'?", "Salse"),
        ("in funnel Sales at Ofer", "no stage of the funnel 'Sales' named 'Ofer'; did you mean 'Offer'?", "Ofer"),
        ("owner is ana", "no member of staff named 'ana'; did you mean 'Anna'?", "ana"),
        ("owned by ana", "did you mean 'Anna'?", "ana"),
        ("owner in group seles", "no group of staff named 'seles'; did you mean 'Sales'?", "seles"),
        ("has note by ana", "did you mean 'Anna'?", "ana"),
        ("rfm Sprng recency short", "no RFM report named 'Sprng'; did you mean 'Spring'?", "Sprng"),
        ("rfm Spring recency shrt", "recency is short, medium, long, not 'shrt'; did you mean 'short'?", "shrt"),
        ("rfm Spring recency spender", "recency is short, medium, long, not 'spender'", "spender"),
        ("rfm Spring", "expected 'frequency', 'monetary' or 'recency'", ""),
        ("score(odl) > 1", "no points are counted for 'odl'; did you mean 'OLD'?", "odl"),
        ('score("group:fat") > 1', "no points are counted for 'group:fat'; did you mean 'group:fit'?", '"group:fat"'),
        ("score(fit) > 1", "no points are counted for 'fit'; did you mean 'group:fit'?", "fit"),
        ('score("groop:fit") > 1', "is nothing points are counted for", '"groop:fit"'),
        ("score contains 1", "a score is a number of points", "score"),
        ("score >= many", "'many' is no number of points", "many"),
        ("score within 3 days", "a score is a number of points", "score"),
        ("grade reached 5", "only a score is reached or exceeded", "grade"),
        ("owend by anna", "'owend' is no word of a rule; did you mean 'owned'?", "owend"),
        ("scor >= 50", "no attribute named 'scor'; did you mean 'score'?", "scor"),
        ("readiness is hott", "readiness is cold, warm, hot, not 'hott'; did you mean 'hot'?", "hott"),
        ("churn is hihg", "did you mean 'high'?", "hihg"),
        ("churn >= 0.6", "'0.6' is no probability", "0.6"),
        ("churn >= 160%", "'160%' is no probability", "160%"),
        ("churn >= 60 %", "not '%'", "%"),
        ("stage = Purchase", "no attribute named 'stage'", "stage"),
        ("plan is gold", "'plan' is compared with =", "plan"),
        ('"stage" is at least Purchase', "only a stage is at least another", '"stage"'),
        ('"owner" in group sales', "only an owner is in a group of staff", '"owner"'),
        ('"score" reached 5', "not 'reached'", "reached"),
        ("plan is at least gold", "only a stage is at least another", "plan"),
        ("plan in group sales", "only an owner is in a group of staff", "plan"),
        ("owner is anna for at least 3 days", "since when is not asked of owners", "3"),
        ("has won task", "a task is open, done, cancelled or overdue, not won", "won"),
        ("has overdue deal", "a deal is open, won or lost, not overdue", "overdue"),
        ("has open call", "a call is incoming or outgoing, not open", "open"),
        ("has deal worth more than 5 euro", "'euro' is no currency", "euro"),
        ("has nota", "did you mean 'note'?", "nota"),
        ("stage is Purchase for at least 9999999 days", "further away than a calendar reaches", "9999999"),
    ],
)
def test_a_wrong_word_is_found_when_the_rule_is_saved(store: Store, rule: str, says: str, under: str) -> None:
    with pytest.raises(RuleError) as caught:
        selection.check(store, rule, NOW, ZONE)
    assert says in caught.value.message
    assert rule[caught.value.at :].startswith(under)


def test_a_tag_in_any_script_may_be_asked_for_before_it_has_points(store: Store) -> None:
    put(store, points(9))
    assert selected(store, 'score("жёлтый") > 0') == []
    assert selected(store, 'score("tag:Жёлтый") = 0') == [1]


@pytest.mark.parametrize(
    ("rule", "hint"),
    [
        ("churn >= 60 %", "write the sign at the number: 60%"),
        ("stage is not Purchase", "write: not stage is …"),
        ('tagged vip and Co-owner is not "Anna"', "write: not Co-owner is …"),
        ("plan is not gold", "write: plan != …"),
        ("score at least 50", "write >= or <="),
        ("score(old) at most 5", "write >= or <="),
    ],
)
def test_what_is_said_in_other_words_is_told_in_those_of_the_language(store: Store, rule: str, hint: str) -> None:
    with pytest.raises(RuleError) as caught:
        selection.check(store, rule, NOW, ZONE)
    assert caught.value.hint == hint


def test_a_stage_that_was_removed_is_named_by_no_new_rule_and_an_old_one_goes_on() -> None:
    gone = replace(VOCABULARY, stages={"purchase": KnownStage(id=2, name="Purchase", position=2, removed=True)})
    with pytest.raises(RuleError, match="no stage named 'Purchase'"):
        rules.compile("stage is Purchase", gone, now=NOW, zone=ZONE)
    assert rules.compile("stage is Purchase", gone, now=NOW, zone=ZONE, stored=True).sql


def test_a_declared_attribute_has_the_bare_word_and_points_are_asked_for_by_their_scope(store: Store) -> None:
    with store.write():
        store.execute("DELETE FROM segments")
    attributes.declare(store, 0, "score", "number")
    put(store, {"attributes": {"score": 60}, **points(1)}, {"attributes": {"score": 1}, **points(60)}, NOTHING)
    assert selected(store, "score >= 50") == [1]
    assert selected(store, 'score("global") >= 50') == [2]
    assert selected(store, "score is not set") == [3]
    assert selected(store, '"score" < 50') == [2]


@pytest.mark.parametrize(
    ("name", "rule", "elsewhere"),
    [
        ("score", "score >= 50", 'score("global") >= 50'),
        ("score", "score reached 50", '"score" = 5 or score(old) > 1 or tagged "high score"'),
        ("score", "score # of all\n >= 50", "score(old) >= 50"),
        ("score", "score not # those\n in # these\n (1, 2)", 'score("global") in (1, 2)'),
        ("stage", "stage is set", "stage is Purchase"),
        ("stage", "stage is # or was\n not\nset", "stage is at least Purchase"),
        ("owner", "owner is not set", "owner is anna or owner in group sales"),
        ("churn", "churn between 1% and 5%", "churn is high"),
        ("purchase", "purchase < 5%", "purchase is high"),
    ],
)
def test_no_attribute_is_declared_that_would_change_what_a_stored_rule_means(
    store: Store, name: str, rule: str, elsewhere: str
) -> None:
    with store.write():
        store.execute("UPDATE segments SET rule = ?, name = 'Leads' WHERE id = 1", (rule,))
        store.execute("UPDATE segments SET rule = ? WHERE id = 2", (elsewhere,))
    with pytest.raises(Exception, match=f"'{name}' has a meaning of its own in the segment Leads") as caught:
        attributes.declare(store, 0, name, "text")
    assert f"--map {name}=my_{name}" in str(caught.value.hint)  # type: ignore[attr-defined]
    assert name not in attributes.types(store)
    with store.write():
        store.execute("UPDATE segments SET rule = 'everyone' WHERE id = 1")
    assert attributes.declare(store, 0, name, "text")


def test_a_campaign_s_rule_of_several_lines_keeps_its_meaning_too(store: Store) -> None:
    rule = "everyone and score # of all\n>= 50"
    with store.write():
        store.execute("DELETE FROM segments")
        store.execute(
            "INSERT INTO campaigns (id, name, name_key, created_at, updated_at) VALUES (9, 'Hot', 'hot', 0, 0)"
        )
        store.execute(
            "INSERT INTO campaign_versions (campaign_id, number, definition, created_at) VALUES (9, 1, ?, 0)",
            (json.dumps({"entry": {"whenever": rule}}),),
        )
    with pytest.raises(UsageError, match="in the campaign Hot"):
        attributes.declare(store, 0, "score", "number")


@pytest.mark.parametrize(("name", "rule"), [("score", "score >= 50"), ("stage", "not stage is set")])
def test_no_attribute_is_forgotten_whose_word_would_then_mean_something_else(
    store: Store, name: str, rule: str
) -> None:
    with store.write():
        store.execute("UPDATE segments SET rule = 'everyone'")
    attributes.declare(store, 0, name, "number")
    with store.write():
        store.execute("UPDATE segments SET rule = ?, name = 'Leads' WHERE id = 1", (rule,))
    with pytest.raises(OperationFailed, match=f"the segment Leads asks for '{name}'"):
        attributes.remove(store, 0, name)
    assert name in attributes.types(store)
    with store.write():
        store.execute("UPDATE segments SET rule = 'everyone' WHERE id = 1")
    assert attributes.remove(store, 0, name) == 0


def test_the_words_that_attributes_may_take_over_are_those_rules_read() -> None:
    rules.parse("everyone")
    assert set(CALLED) == bare_words.BARE


def test_the_bands_of_rfm_are_those_reports_have() -> None:
    assert dict(rfm_definition.BANDS) == BANDS


@pytest.mark.parametrize(
    ("rule", "timely", "reads"),
    [
        ("score >= 50", False, set()),
        ("stage is Purchase", False, set()),
        ("stage is Purchase for at least 3 days", True, set()),
        ("in funnel Sales", False, set()),
        ("rfm Spring recency short", False, set()),
        ("churn is high", True, set()),
        ("owner is anna", False, set()),
        ("owner in group sales", False, {"staff_groups"}),
        ("has open task", False, set()),
        ("has overdue task", True, set()),
        ("has note within 3 days", True, set()),
    ],
)
def test_a_rule_says_what_can_change_its_answer(rule: str, timely: bool, reads: set[str]) -> None:
    found = rules.compile(rule, VOCABULARY, now=NOW, zone=ZONE)
    assert (found.timely, found.reads) == (timely, reads)


@pytest.mark.parametrize(
    ("rule", "index"),
    [
        ("score >= 50", "scores USING PRIMARY KEY (scope_id=?)"),
        ("score < 50", "scores USING PRIMARY KEY (scope_id=?)"),
        ("score = 50", "scores USING PRIMARY KEY (scope_id=?)"),
        ("score(old) between 3 and 9", "scores USING PRIMARY KEY (scope_id=?)"),
        ("readiness is hot", "scores USING PRIMARY KEY (scope_id=?)"),
        ("stage is Purchase", "stage_stays_stage (stage_id=?)"),
        ("stage is at least Purchase", "stage_stays_stage (stage_id=?)"),
        ("in funnel Sales at Offer", "funnel_stays_stage (stage_id=?)"),
        ("in funnel Sales", "funnel_stays_stage (stage_id=?)"),
        ("rfm Spring recency short", "rfm_bands_recency (report_id=? AND recency=?)"),
        ("churn >= 60%", "predictions_kind (kind=? AND probability>?)"),
        ("owner is anna", "owners_staff (staff_id=? AND kind=?)"),
        ("owned by anna", "owners_staff (staff_id=?)"),
        ("has open deal in funnel Sales at Offer", "deals_state (state=? AND stage_id=?)"),
    ],
)
def test_everyone_s_are_found_by_an_index(store: Store, rule: str, index: str) -> None:
    plan = "\n".join(selection.plan(store, selection.where_of(store, rule, NOW, ZONE)))
    assert index in plan
    assert rule == "score < 50" or "SCAN" not in plan  # nearly everyone has less than 50


@pytest.mark.parametrize("rule", [row[0] for row in TABLE])
def test_asked_of_one_contact_no_table_is_read_whole(store: Store, rule: str) -> None:
    where = selection.where_of(store, rule, NOW, ZONE, narrow=True)
    sql = f"EXPLAIN QUERY PLAN SELECT 1 FROM contacts WHERE contacts.id = 1 AND {where.sql}"
    plan = [row["detail"] for row in store.rows(sql, where.params)]
    assert not [line for line in plan if line.startswith("SCAN") and "CONSTANT ROW" not in line], plan


def test_whose_score_is_0_is_asked_of_each_and_not_gathered_twice(store: Store) -> None:
    for rule in ("score = 0", "not score between 0 and 5", "score between -3 and 20"):
        plan = "\n".join(selection.plan(store, selection.where_of(store, rule, NOW, ZONE)))
        assert "PRIMARY KEY (scope_id=? AND contact_id=?)" in plan
        assert "MULTI-INDEX" not in plan


def test_rules_that_name_none_of_it_read_none_of_it(store: Store) -> None:
    seen: list[str] = []
    store.connection.set_trace_callback(seen.append)
    selection.where_of(store, "plan = gold and opened email within 3 days", NOW, ZONE)
    store.connection.set_trace_callback(None)
    read = " ".join(seen)
    assert "attributes" in read
    for table in ("stages", "funnels", "staff", "rfm_reports", "scopes", "points."):
        assert table not in read


def test_what_a_rule_names_can_be_told() -> None:
    rule = (
        'stage is "First talk" and in funnel Sales at (Offer, "Won it") and owner is Anna and not owner in group sales'
        ' and rfm Spring recency short and score("stage:Új/Offer") > 1 and in segment VIP and has note by Żaneta'
        " and readiness is Hot"
    )
    assert rules.names_in(rule) == {
        ("stage", "first talk"),
        ("readiness", "hot"),
        ("funnel", "sales"),
        ("funnel stage", "sales/offer"),
        ("funnel stage", "sales/won it"),
        ("staff", "anna"),
        ("staff", "żaneta"),
        ("staff group", "sales"),
        ("RFM report", "spring"),
        ("funnel", "új"),
        ("funnel stage", "új/offer"),
        ("segment", "vip"),
    }
    assert rules.names_in("readiness is warm") == {("readiness", "warm")}
    assert rules.names_in("no ( rule") == frozenset()


def test_an_and_behind_an_event_goes_on_with_the_contact_where_the_words_say_so(store: Store) -> None:
    for more in (
        "stage is Purchase",
        "owner in group sales",
        "score(old) > 1",
        "readiness is hot",
        "in no stage",
        "co-owner is anna",
        "has open task",
    ):
        rule = rules.parse(f"event order.paid with total > 1 and {more}")
        assert rule == rules.parse(f"(event order.paid with total > 1) and {more}"), more
    with pytest.raises(RuleError, match="a property of the event"):
        selection.check(store, "event order.paid with total > 1 and score >= 50", NOW, ZONE)


WORDS = (
    *(
        "score",
        "(old)",
        '("group:fit")',
        ">=",
        "50",
        "60%",
        "reached",
        "exactly",
        "exceeded",
        "between",
        "and",
        "or",
        "not",
    ),
    *("stage", "owner", "co-owner", "owned", "by", "churn", "purchase", "readiness", "is", "at least", "very", "set"),
    *("in", "no", "funnel", "at", "group", "rfm", "recency", "frequency", "(short, long)", "Sales", "Offer", "anna"),
    *(
        "has",
        "open",
        "overdue",
        "won",
        "task",
        "deal",
        "note",
        "call",
        "mail",
        "worth",
        "more than",
        "EUR",
        "for",
        "due",
    ),
    *("containing", "within", "3 days", "for at least", "(", ")", "plan", '"score"'),
)


@hypothesis_settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=10).map(" ".join))
def test_any_words_are_a_rule_that_is_written_back_or_an_error_with_a_place(text: str) -> None:
    message = "^"
    try:
        rule = rules.parse(text)
        assert rules.parse(str(rule)) == rule
        rules.compile(text, VOCABULARY, now=NOW, zone=ZONE)
    except RuleError as error:
        message = error.message
    assert message.endswith("^")


def test_settings_nobody_changed_are_those_a_rule_goes_by() -> None:
    assert [band.name for band in by_default("points.bands")] == ["cold", "warm", "hot"]
    assert by_default("points.floor") is None
