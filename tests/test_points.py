"""Points: rules over new events, their scopes and caps, what is given by hand, and the sums of it all."""

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from macli import contacts, events, selection
from macli.clock import to_ms
from macli.errors import OperationFailed, UnknownName, UsageError
from macli.lifecycle import configuring, funnels, points
from macli.model import NewEvent
from macli.scoring import checking
from macli.store import funnels as kept_funnels
from macli.store import point_rules, scopes, segments, settings
from macli.store.point_rules import PointRule
from macli.store.scopes import GLOBAL, Scope
from tests.world import NOW, World, add_contacts, new_world

DAY = timedelta(days=1)
DAY_MS = 86_400_000
EVERYWHERE = Scope(kind="global", name="global")
VIP = Scope(kind="tag", name="VIP")


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = new_world(tmp_path / "w")
    for rule in point_rules.listed(made.store):
        point_rules.remove(made.store, rule.id)
    with made.store.write():
        made.store.execute("DELETE FROM stages")
    add_contacts(made.store, 3)
    return made


def rule(world: World, event: str, worth: int, *feeds: Scope, **more: Any) -> PointRule:
    name = more.pop("name", f"{event} {worth} {len(point_rules.listed(world.store))}")
    made = PointRule(name=name, event=event, points=worth, scopes=feeds or (EVERYWHERE,), **more)
    return replace(made, id=point_rules.add(world.store, to_ms(NOW), made))


def happen(
    world: World,
    name: str = "email.clicked",
    *,
    contact: int | None = 1,
    at: datetime = NOW,
    key: str | None = None,
    **properties: Any,
) -> int:
    said: Mapping[str, Any] = properties
    one = NewEvent(contact_id=contact, name=name, at=to_ms(at), source="test", source_id=key, properties=said)
    return events.record(world.store, at, [one])


def score(world: World, contact: int = 1, scope: Scope = EVERYWHERE) -> int:
    found = scopes.find(world.store, scope)
    sql = "SELECT points FROM scores WHERE contact_id = :contact AND scope_id = :scope"
    value = world.store.value(sql, {"contact": contact, "scope": found})
    assert checking.check(world.store).wrong == 0
    return int(value or 0)


def ledger(world: World) -> list[tuple[Any, ...]]:
    sql = "SELECT contact_id, scope_id, rule, event, part, points FROM point_ledger ORDER BY 1, 2, 3, 4, 5"
    return [tuple(row) for row in world.store.rows(sql)]


# Rules


def test_p38_a_rule_gives_points_in_the_transaction_that_records_the_event(world: World) -> None:
    click = rule(world, "email.clicked", 10)

    def interrupted() -> None:
        with world.store.write():
            happen(world)
            assert score(world) == 10
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert score(world) == 0
    assert ledger(world) == []
    happen(world)
    assert ledger(world) == [(1, GLOBAL, click.id, 1, 0, 10)]


def test_p40_the_same_click_told_twice_counts_once(world: World) -> None:
    rule(world, "email.clicked", 10)
    assert happen(world, key="hook-7") == 1
    assert happen(world, key="hook-7") == 0
    assert score(world) == 10


def test_t8_every_kind_of_event_can_be_scored_and_only_of_somebody_known(world: World) -> None:
    for name in ("page.visited", "asset.downloaded", "form.submitted", "note.added", "tag.added", "order.paid"):
        rule(world, name, 1)
        happen(world, name)
        happen(world, name, contact=None)
    assert score(world) == 6


def test_t8_what_points_bring_about_is_not_scored(world: World) -> None:
    for name in ("score.reached", "score.exceeded", "score.crossed", "tag.scored", "points.given"):
        with pytest.raises(UsageError, match="feed itself"):
            rule(world, name, 1)


def test_points_for_a_stage_and_scores_that_lead_back_exclude_each_other(world: World) -> None:
    looping = rule(world, "stage.entered", 60)
    with pytest.raises(OperationFailed, match="would feed itself"):
        configuring.put(world.store, NOW, "stages.demote", "true")
    assert settings.get(world.store, "stages.demote") is False
    switched_off = replace(looping, active=False)
    point_rules.edit(world.store, to_ms(NOW), switched_off)
    configuring.put(world.store, NOW, "stages.demote", "true")
    with pytest.raises(UsageError, match="would feed itself"):
        point_rules.edit(world.store, to_ms(NOW), replace(switched_off, active=True))


def test_a_rule_cannot_take_the_name_of_another(world: World) -> None:
    one, other = rule(world, "email.opened", 1), rule(world, "email.clicked", 1)
    with pytest.raises(UsageError, match="already"):
        point_rules.edit(world.store, to_ms(NOW), replace(other, name=one.name.upper()))


def test_t12_t13_a_general_rule_and_one_for_an_important_page_both_count(world: World) -> None:
    rule(world, "page.visited", 2)
    rule(world, "page.visited", 20, condition='url contains "/pricing"')
    happen(world, "page.visited", url="https://shop.example/pricing/2026")
    assert score(world) == 22
    happen(world, "page.visited", url="https://shop.example/about")
    assert score(world) == 24


def test_a_condition_takes_letters_of_any_language_and_numbers(world: World) -> None:
    rule(world, "order.paid", 5, condition="currency = pln and total >= 100")
    rule(world, "asset.downloaded", 7, condition='asset = "ŻÓŁTY KATALOG"')
    happen(world, "order.paid", currency="PLN", total=100)
    happen(world, "order.paid", currency="PLN", total="100")
    happen(world, "order.paid", currency="EUR", total=500)
    happen(world, "asset.downloaded", asset="żółty katalog")
    assert score(world) == 12


def test_t15_the_ledger_says_which_rule_gave_points_also_when_it_is_gone(world: World) -> None:
    first, second = rule(world, "email.opened", 1), rule(world, "email.opened", 2)
    happen(world, "email.opened")
    point_rules.remove(world.store, second.id)
    third = rule(world, "email.opened", 4)
    happen(world, "email.opened")
    assert third.id > second.id
    assert [row[2:] for row in ledger(world)] == [
        (first.id, 1, 0, 1),
        (first.id, 2, 0, 1),
        (second.id, 1, 0, 2),
        (third.id, 2, 0, 4),
    ]


def test_a_rule_can_ask_who_the_contact_is(world: World) -> None:
    rule(world, "email.clicked", 10, who="tagged vip and not opened email")
    happen(world)
    assert score(world) == 0
    contacts.tag_where(world.store, NOW, contacts.ONE, {"one_contact": 1}, "VIP", "test")
    happen(world)
    assert score(world) == 10
    happen(world, "email.opened")
    happen(world)
    assert score(world) == 10


def test_a_rule_that_asks_for_days_gone_by_is_asked_anew_each_time(world: World) -> None:
    rule(world, "email.clicked", 10, who="opened email within 2 days")
    happen(world, "email.opened")
    happen(world, at=NOW + DAY)
    assert score(world) == 10
    happen(world, at=NOW + 3 * DAY)
    assert score(world) == 10


def test_a_rule_sees_a_segment_that_changed(world: World) -> None:
    segments.create(world.store, to_ms(NOW), "known", kind="dynamic", rule="number = 0")
    rule(world, "email.clicked", 10, who='in segment "known"')
    happen(world)
    happen(world, contact=2)
    assert (score(world, 1), score(world, 2)) == (10, 0)
    with world.store.write():
        segments.set_rule(world.store, to_ms(NOW), segments.get(world.store, "known")["id"], "number = 1")
    happen(world)
    happen(world, contact=2)
    assert (score(world, 1), score(world, 2)) == (10, 10)


def test_a_rule_edited_by_another_process_holds_from_the_next_event(world: World) -> None:
    click = rule(world, "email.clicked", 10)
    happen(world)
    other = world.reopen()
    point_rules.edit(other.store, to_ms(NOW), replace(click, points=3, condition="link = 1"))
    happen(world, link=1)
    happen(world, link=2)
    assert score(world) == 13
    point_rules.edit(other.store, to_ms(NOW), replace(click, active=False))
    happen(world, link=1)
    assert score(world) == 13


def test_a_rule_that_no_longer_reads_gives_nothing_and_holds_up_nobody(world: World) -> None:
    rule(world, "email.clicked", 10)
    rule(world, "email.clicked", 5, name="broken", who='in funnel "Sales"')
    happen(world)
    assert score(world) == 10
    in_funnel(world)
    move(world, "Lead")
    happen(world)
    assert score(world) == 25


# Scopes


def in_funnel(world: World) -> None:
    with world.store.write():
        kept_funnels.create(world.store, to_ms(NOW), "Sales", ["Lead", "Offer", "Won"])


def move(world: World, stage: str | None, at: datetime = NOW, contact: int = 1) -> None:
    ids = "SELECT CAST(:contact AS INTEGER) AS id"
    funnels.move_where(world.store, at, ids, {"contact": contact}, "Sales", stage, "test")


def test_t14_t16_t18_t19_one_click_counts_globally_on_a_stage_and_for_a_tag(world: World) -> None:
    in_funnel(world)
    stage = Scope(kind="stage", name="Sales/Offer")
    rule(world, "email.clicked", 3, EVERYWHERE, Scope(kind="stage", name=""), VIP, Scope(kind="group", name="fit"))
    move(world, "Offer")
    happen(world, at=NOW + DAY)
    assert score(world) == 3
    assert score(world, scope=stage) == 3
    assert score(world, scope=VIP) == 3
    assert score(world, scope=Scope(kind="group", name="fit")) == 3


def test_t17_on_the_next_stage_the_counter_begins_at_0_and_the_old_one_is_kept(world: World) -> None:
    in_funnel(world)
    lead, offer = Scope(kind="stage", name="Sales/Lead"), Scope(kind="stage", name="Sales/Offer")
    rule(world, "email.clicked", 3, Scope(kind="stage", name="Sales"))
    move(world, "Lead")
    happen(world, at=NOW + DAY)
    happen(world, at=NOW + 2 * DAY)
    move(world, "Offer", NOW + 3 * DAY)
    assert (score(world, scope=lead), score(world, scope=offer)) == (6, 0)
    happen(world, at=NOW + 4 * DAY)
    assert (score(world, scope=lead), score(world, scope=offer)) == (6, 3)


def test_t17_a_late_report_counts_where_the_contact_stood_when_it_happened(world: World) -> None:
    in_funnel(world)
    lead, offer = Scope(kind="stage", name="Sales/Lead"), Scope(kind="stage", name="Sales/Offer")
    rule(world, "email.clicked", 3, Scope(kind="stage"), Scope(kind="stage", name="Sales/Lead"))
    move(world, "Lead", NOW)
    move(world, "Offer", NOW + 2 * DAY)
    happen(world, at=NOW + DAY)
    happen(world, at=NOW + 3 * DAY)
    happen(world, at=NOW - DAY)
    happen(world, contact=2)
    assert (score(world, scope=lead), score(world, scope=offer)) == (3, 3)
    assert score(world) == 0


def test_e4_points_of_a_stage_are_apart_from_the_global_score(world: World) -> None:
    in_funnel(world)
    rule(world, "email.clicked", 3, Scope(kind="stage"))
    rule(world, "email.clicked", 1)
    move(world, "Won")
    happen(world, at=NOW + DAY)
    assert score(world) == 1
    assert score(world, scope=Scope(kind="stage", name="Sales/Won")) == 3


def test_e5_points_for_a_tag_are_apart_unless_a_rule_names_both(world: World) -> None:
    rule(world, "page.visited", 5, VIP)
    rule(world, "email.opened", 1, VIP, EVERYWHERE)
    happen(world, "page.visited")
    assert (score(world), score(world, scope=VIP)) == (0, 5)
    happen(world, "email.opened")
    assert (score(world), score(world, scope=VIP)) == (1, 6)


def test_a_rule_for_a_stage_or_funnel_that_is_not_there_is_refused(world: World) -> None:
    in_funnel(world)
    with pytest.raises(UnknownName, match="Sales/Ofer"):
        rule(world, "email.clicked", 3, Scope(kind="stage", name="Sales/Ofer"))
    with pytest.raises(UnknownName, match="Saless"):
        rule(world, "email.clicked", 3, Scope(kind="stage", name="Saless"))
    assert point_rules.listed(world.store) == []


# Caps


def test_a_cap_counts_so_many_events_of_a_contact_in_a_period(world: World) -> None:
    rule(world, "page.visited", 1, most=3, most_span=DAY_MS)
    for hour in range(5):
        happen(world, "page.visited", at=NOW + hour * timedelta(hours=1))
    happen(world, "page.visited", contact=2)
    assert (score(world, 1), score(world, 2)) == (3, 1)
    happen(world, "page.visited", at=NOW + DAY)
    assert score(world) == 4


def test_a_day_begins_at_midnight_utc_and_a_week_on_monday(world: World) -> None:
    rule(world, "page.visited", 1, most=1, most_span=DAY_MS)
    rule(world, "email.opened", 1, most=1, most_span=7 * DAY_MS)
    monday = datetime.fromisoformat("2026-11-30T00:00:00+00:00")
    minute = timedelta(minutes=1)
    for at in (monday - minute, monday, monday + DAY - minute, monday + DAY):
        happen(world, "page.visited", at=at)
    assert score(world) == 3
    for at in (monday - minute, monday, monday + 7 * DAY - minute, monday + 7 * DAY):
        happen(world, "email.opened", at=at, contact=2)
    assert score(world, 2) == 3


def test_an_event_at_the_moment_a_stage_is_left_counts_where_the_contact_came_to(world: World) -> None:
    in_funnel(world)
    rule(world, "email.clicked", 3, Scope(kind="stage", name=""))
    move(world, "Lead", NOW - DAY)
    move(world, "Offer", NOW)
    happen(world, at=NOW)
    found = [score(world, scope=Scope(kind="stage", name=f"Sales/{stage}")) for stage in ("Lead", "Offer")]
    assert found == [0, 3]


def test_events_of_which_the_ledger_refuses_one_are_not_recorded_at_all(world: World) -> None:
    rule(world, "email.clicked", 3)
    happen(world)
    store = world.store
    with store.write():
        taken = (
            "INSERT INTO point_ledger SELECT contact_id, scope_id, rule, event + 3, part, 0, at, NULL FROM point_ledger"
        )
        store.execute(taken)
    before = ledger(world), store.value("SELECT count(*) FROM events")
    told = [NewEvent(contact_id=1, name="email.clicked", at=to_ms(NOW), source="test") for _ in range(5)]
    with pytest.raises(sqlite3.IntegrityError):
        events.record(store, NOW, told)
    assert (ledger(world), store.value("SELECT count(*) FROM events")) == before
    assert score(world) == 3


def test_an_event_told_of_late_counts_to_the_day_it_happened_on(world: World) -> None:
    rule(world, "page.visited", 1, most=1, most_span=DAY_MS)
    midnight = datetime.fromisoformat("2026-11-30T00:00:00+00:00")
    for at in (midnight + DAY, midnight + DAY - timedelta(minutes=1), midnight, midnight - timedelta(minutes=1)):
        happen(world, "page.visited", at=at)
    assert score(world) == 3


@pytest.mark.parametrize("together", [True, False])
def test_days_before_1970_are_days_too(world: World, together: bool) -> None:
    rule(world, "page.visited", 1, most=1, most_span=DAY_MS)
    noon = datetime.fromisoformat("1970-01-06T12:00:00+00:00")
    told = [
        NewEvent(contact_id=1, name="page.visited", at=to_ms(noon - number * DAY) + later, source="test")
        for later in (0, 11 * 3_600_000, -11 * 3_600_000)
        for number in range(6)
    ]
    for batch in [told] if together else [[one] for one in told]:
        events.record(world.store, NOW, batch)
    assert score(world) == 6


def test_of_events_told_together_those_that_happened_first_count(world: World) -> None:
    rule(world, "page.visited", 1, most=2, most_span=DAY_MS)
    told = [
        NewEvent(contact_id=1, name="page.visited", at=to_ms(NOW) + late, source="test") for late in (40, 20, 30, 10)
    ]
    events.record(world.store, NOW, told)
    counted = [row["at"] - to_ms(NOW) for row in world.store.rows("SELECT at FROM point_ledger ORDER BY at")]
    assert counted == [10, 20]


def test_once_is_once_however_the_events_come(world: World) -> None:
    rule(world, "form.submitted", 15, most=1)
    batch = [
        NewEvent(contact_id=contact, name="form.submitted", at=to_ms(NOW) + number, source="test")
        for number in range(5)
        for contact in (1, 2)
    ]
    events.record(world.store, NOW, batch)
    happen(world, "form.submitted", at=NOW + 400 * DAY)
    assert (score(world, 1), score(world, 2)) == (15, 15)


def test_a_cap_holds_in_each_scope_by_itself(world: World) -> None:
    in_funnel(world)
    rule(world, "page.visited", 1, EVERYWHERE, Scope(kind="stage"), most=1, most_span=7 * DAY_MS)
    move(world, "Lead", NOW)
    happen(world, "page.visited", at=NOW + timedelta(hours=1))
    move(world, "Offer", NOW + timedelta(hours=2))
    happen(world, "page.visited", at=NOW + timedelta(hours=3))
    assert score(world) == 1
    assert score(world, scope=Scope(kind="stage", name="Sales/Offer")) == 1


# By hand


def give(world: World, worth: int, scope: int = GLOBAL, ids: str = "SELECT 1 AS id") -> int:
    return points.give_where(world.store, NOW, ids, {}, worth, scope, "test", why="called us")


def test_points_given_by_hand_stand_in_the_ledger_without_a_rule(world: World) -> None:
    assert give(world, 5) == 1
    assert give(world, -2) == 1
    assert give(world, 0) == 0
    assert ledger(world) == [(1, GLOBAL, 0, 1, 0, 5), (1, GLOBAL, 0, 2, 0, -2)]
    told = world.store.rows("SELECT properties ->> 'points' AS points, properties ->> 'why' AS why FROM events")
    assert [tuple(row) for row in told] == [(5, "called us"), (-2, "called us")]


def test_points_are_set_by_giving_what_is_missing(world: World) -> None:
    give(world, 5)
    done = points.set_where(world.store, NOW, "SELECT id FROM contacts", {}, 7, GLOBAL, "test")
    assert done == 3
    assert [score(world, contact) for contact in (1, 2, 3)] == [7, 7, 7]
    assert points.set_where(world.store, NOW, "SELECT id FROM contacts", {}, 7, GLOBAL, "test") == 0


def test_points_are_given_in_a_tag_a_group_or_a_stage_of_any_name(world: World) -> None:
    in_funnel(world)
    for scope in (VIP, Scope(kind="group", name="Größe"), Scope(kind="stage", name="Sales/Offer")):
        with world.store.write():
            scope_id = scopes.id_of(world.store, scope)
        give(world, 4, scope_id)
        assert score(world, scope=scope) == 4
    assert score(world) == 0


# What rules ask


def test_a_score_is_asked_for_in_rules_as_it_is(world: World) -> None:
    rule(world, "email.clicked", 10)
    happen(world)
    where = selection.where_of(world.store, "score >= 10", NOW, world.engine().zone)
    assert list(selection.member_ids(world.store, where)) == [1]


# The sums


def test_a_score_that_is_not_its_ledger_is_found_and_summed_anew(world: World) -> None:
    rule(world, "email.clicked", 10)
    happen(world)
    happen(world, contact=2)
    with world.store.write():
        world.store.execute("UPDATE scores SET points = 11 WHERE contact_id = 1")
        world.store.execute("DELETE FROM scores WHERE contact_id = 2")
        world.store.execute("INSERT INTO scores (contact_id, scope_id, points, changed_at) VALUES (3, 1, 4, 0)")
    assert checking.check(world.store).wrong == 3
    later = to_ms(NOW + DAY)
    assert checking.recompute(world.store, later).corrected == 3
    assert [score(world, contact) for contact in (1, 2, 3)] == [10, 10, 0]
    assert world.store.value("SELECT count(*) FROM contacts WHERE updated_at = :later", {"later": later}) == 3
    assert checking.recompute(world.store, later).corrected == 0


def test_no_points_are_left_of_a_contact_that_is_deleted(world: World) -> None:
    rule(world, "email.clicked", 10)
    happen(world)
    with world.store.write():
        world.store.execute("DELETE FROM contacts WHERE id = 1")
    assert ledger(world) == []
    assert checking.check(world.store).scores == 0


def test_a_rule_sees_what_other_words_of_it_mean_now(world: World) -> None:
    in_funnel(world)
    rule(world, "email.clicked", 10, who='in funnel "Sales" at "Offer" and score >= 0')
    move(world, "Offer")
    happen(world)
    assert score(world) == 10
    with world.store.write():
        kept_funnels.rename_stage(world.store, kept_funnels.get(world.store, "Sales"), 2, "Proposal")
    happen(world)
    assert score(world) == 10
    settings.put(world.store, NOW, "timezone", "Europe/Warsaw")
    point_rules.edit(
        world.store, to_ms(NOW), replace(point_rules.listed(world.store)[0], who='in funnel "Sales" at "Proposal"')
    )
    happen(world)
    assert score(world) == 20
