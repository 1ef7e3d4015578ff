"""Replay: history under unchanged rules is what it was, under other rules what these would have made of it."""

import json
import shutil
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from conftest import Run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world import NOW, World, add_contacts, new_world

from macli import contacts, events
from macli.clock import to_ms
from macli.errors import OperationFailed
from macli.lifecycle import arranging, decaying, funnels, points, replaying, stages
from macli.model import NewEvent
from macli.privacy import erase
from macli.reports import replay as report
from macli.scoring import checking, presets
from macli.scoring.rule_sets import Change
from macli.store import Store, open_store, point_rules, score_marks
from macli.store import funnels as kept_funnels
from macli.store import settings as kept_settings
from macli.store import stages as kept_stages
from macli.store.point_rules import PointRule
from macli.store.scopes import Scope

HOUR = 3_600_000
DAY = 24 * HOUR
GLOBAL, VIP = Scope(kind="global", name="global"), Scope(kind="tag", name="VIP")
ANY_STAGE, OFFER = Scope(kind="stage", name=""), Scope(kind="stage", name="Sales/Offer")

RULES: tuple[dict[str, Any], ...] = (
    {"event": "email.clicked", "points": 10, "scopes": (GLOBAL, VIP, ANY_STAGE)},
    {"event": "email.clicked", "points": -7, "scopes": (GLOBAL,), "condition": 'url contains "a"'},
    {"event": "email.clicked", "points": 9, "scopes": (OFFER,), "most": 2, "most_span": DAY},
    {"event": "email.opened", "points": 5, "scopes": (GLOBAL,), "most": 2, "most_span": DAY},
    {"event": "email.opened", "points": 1, "scopes": (VIP,), "most": 3},
    {"event": "page.visited", "points": 13, "scopes": (GLOBAL,), "decay_share": 30, "decay_span": DAY},
    {"event": "order.paid", "points": 40, "scopes": (GLOBAL,), "decay_share": 100, "decay_span": 2 * DAY, "most": 2},
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = new_world(tmp_path / "w")
    add_contacts(made.store, 4)
    return made


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of three contacts, the rules above and a funnel, to be copied."""
    made = new_world(tmp_path_factory.mktemp("lived") / "w")
    for rule in point_rules.listed(made.store):
        point_rules.remove(made.store, rule.id)
    add_contacts(made.store, 3)
    with made.store.write():
        kept_funnels.create(made.store, to_ms(NOW), "Sales", ["New", "Offer"])
    for number, rule in enumerate(RULES):
        point_rules.add(made.store, to_ms(NOW), PointRule(name=f"rule {number}", **rule))
    made.store.close()
    return made.path


def scored(lived: Path, folder: Path) -> World:
    shutil.copytree(lived, folder)
    return World(path=folder, store=open_store(folder / "macli.db"))


def happened(store: Store, contact: int, name: str, at: int | None = None, **properties: Any) -> None:
    when = to_ms(NOW) if at is None else at
    events.record(store, NOW, [NewEvent(contact_id=contact, name=name, at=when, source="test", properties=properties)])


def ledger(store: Store) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in store.rows("SELECT * FROM point_ledger ORDER BY 1, 2, 3, 4, 5")]


def scores(store: Store) -> dict[tuple[int, int], int]:
    assert checking.check(store).wrong == 0
    rows = store.rows("SELECT contact_id, scope_id, points FROM scores WHERE points <> 0")
    return {(row["contact_id"], row["scope_id"]): row["points"] for row in rows}


def overall(store: Store) -> dict[int, int]:
    return {contact: points for (contact, scope), points in scores(store).items() if scope == 1}


TOLD = st.tuples(
    st.integers(1, 3),
    st.sampled_from(("email.clicked", "email.opened", "page.visited", "order.paid")),
    st.integers(0, 90),
    st.sampled_from("abc"),
)
STEP = st.one_of(
    st.lists(TOLD, min_size=1, max_size=8),
    st.tuples(st.integers(1, 3), st.sampled_from(("New", "Offer", None))),
    st.just("sweep"),
    st.tuples(st.just("give"), st.integers(-20, 20)),
)


def live(world: World, steps: Sequence[Any]) -> Any:
    """Do the steps three hours apart, and sweep at the end; the time then. Events come up to 90 hours late."""
    now = NOW
    for number, step in enumerate(steps):
        now += timedelta(hours=3)
        if step == "sweep":
            decaying.sweep(world.store, now)
        elif isinstance(step, list):
            told = [
                NewEvent(
                    contact_id=contact,
                    name=name,
                    at=to_ms(now) - late * HOUR,
                    source="test",
                    source_id=f"{number} {place}",
                    properties={"url": url},
                )
                for place, (contact, name, late, url) in enumerate(step)
            ]
            events.record(world.store, now, told)
        elif step[0] == "give":
            points.give_where(world.store, now, contacts.ONE, {"one_contact": 1}, step[1], 1, "test")
        else:
            contact, stage = step
            funnels.move_where(world.store, now, contacts.ONE, {"one_contact": contact}, "Sales", stage, "test")
    now += timedelta(hours=30)
    decaying.sweep(world.store, now)
    return now


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEP, max_size=14))
def test_a_replay_under_unchanged_rules_changes_nothing(lived: Path, steps: list[Any]) -> None:
    with TemporaryDirectory() as folder:
        world = scored(lived, Path(folder) / "w")
        now = live(world, steps)
        before = ledger(world.store), scores(world.store), list(map(tuple, world.store.rows("SELECT * FROM contacts")))
        prepared = replaying.prepare(world.store, now)
        assert report.outlook(world.store, now, prepared.staged)["contacts"] == 0
        assert replaying.apply(world.store, now, prepared) == 0
        after = ledger(world.store), scores(world.store), list(map(tuple, world.store.rows("SELECT * FROM contacts")))
        assert after == before


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEP, max_size=12))
def test_a_replay_makes_of_history_what_the_rules_would_have_made_of_it(lived: Path, steps: list[Any]) -> None:
    """One store lives under the rules, another with them switched off, which are then switched on and replayed."""
    with TemporaryDirectory() as folder:
        world, late = scored(lived, Path(folder) / "w"), scored(lived, Path(folder) / "o")
        with late.store.write():
            late.store.execute("UPDATE point_rules SET active = 0")
        now = live(world, steps)
        live(late, steps)
        with late.store.write():
            late.store.execute("UPDATE point_rules SET active = 1")
        replaying.apply(late.store, now, replaying.prepare(late.store, now))
        assert by_rule(late.store) == by_rule(world.store)
        assert checking.check(late.store).wrong == 0


def by_rule(store: Store) -> dict[tuple[int, int, str], int]:
    """Points by contact, scope and rule, but of what is capped and decays: which of too many late events count,
    and so how old they are, is another matter where they were told of one after another."""
    asked = """
    SELECT contact_id, scope_id, coalesce(point_rules.name, 'given') AS rule, sum(point_ledger.points) AS points
    FROM point_ledger
    LEFT JOIN point_rules ON point_rules.id = point_ledger.rule
    WHERE coalesce(point_rules.most IS NULL OR point_rules.decay_span IS NULL, TRUE)
    GROUP BY 1, 2, 3
    HAVING sum(point_ledger.points) <> 0
    """
    return {(row["contact_id"], row["scope_id"], row["rule"]): row["points"] for row in store.rows(asked)}


def test_points_given_by_hand_stay_and_what_the_rules_say_is_counted_anew(world: World) -> None:
    happened(world.store, 1, "email.clicked")
    points.give_where(world.store, NOW, contacts.ONE, {"one_contact": 1}, 100, 1, "test")
    point_rules.edit(world.store, to_ms(NOW), rule_with(world.store, "mail clicked", points=3))
    replaying.apply(world.store, NOW, replaying.prepare(world.store, NOW))
    assert overall(world.store) == {1: 103}


def rule_with(store: Store, name: str, **said: Any) -> PointRule:
    return replace(point_rules.get(store, name), **said)


def test_what_changes_is_shown_before_anything_is_changed(world: World) -> None:
    for _ in range(6):
        happened(world.store, 1, "email.clicked")
    for _ in range(10):
        happened(world.store, 2, "email.opened")
    happened(world.store, 3, "page.visited")
    point_rules.edit(world.store, to_ms(NOW), rule_with(world.store, "mail clicked", points=1))
    prepared = replaying.prepare(world.store, NOW)
    told = report.outlook(world.store, NOW, prepared.staged)
    assert (told["contacts"], told["up"], told["down"], told["kept"]) == (1, 0, 1, 0)
    assert told["readiness"] == [
        {"readiness": "hot", "before": 2, "after": 1},
        {"readiness": "warm", "before": 0, "after": 0},
        {"readiness": "cold", "before": 2, "after": 3},
    ]
    assert [(row["contact"], row["place_before"], row["place"], row["move"]) for row in told["ranking"]] == [
        ("c1@example.com", 2, 1, "+1"),
        ("c0@example.com", 1, 2, "-1"),
        ("c2@example.com", 3, 3, ""),
    ]
    assert overall(world.store) == {1: 60, 2: 50, 3: 2}


def test_who_rises_past_a_threshold_comes_to_the_stage_and_no_watched_value_is_told_of(world: World) -> None:
    with world.store.write():
        score_marks.watch(world.store, to_ms(NOW), 1, "crossed", 30)
    for _ in range(4):
        happened(world.store, 1, "page.visited")
    point_rules.edit(world.store, to_ms(NOW), rule_with(world.store, "page visited", points=10))
    prepared = replaying.prepare(world.store, NOW)
    assert report.outlook(world.store, NOW, prepared.staged)["stages"] == [
        {"from": "Awareness", "to": "Consideration", "contacts": 1}
    ]
    assert replaying.apply(world.store, NOW, prepared) == 1
    assert told(world.store) == ["stage.entered"]
    assert stays(world.store, 1) == [("Awareness", "points"), ("Consideration", "replay")]


def told(store: Store) -> list[str]:
    """What happened beside visits, opens and clicks."""
    found = "SELECT name FROM events WHERE name NOT IN ('page.visited', 'email.opened', 'email.clicked') ORDER BY id"
    return [row["name"] for row in store.rows(found)]


def stays(store: Store, contact: int) -> list[tuple[str, str]]:
    """Stage and cause, oldest first."""
    return [(row["stage"], row["cause"]) for row in reversed(kept_stages.history(store, contact))]


def test_a_replay_starts_no_campaign_for_those_it_promotes_unless_asked(world: World) -> None:
    for contact in (1, 2):
        happened(world.store, contact, "page.visited")
    for points_, silently in ((30, True), (60, False)):
        point_rules.edit(world.store, to_ms(NOW), rule_with(world.store, "page visited", points=points_))
        before = told(world.store)
        with world.store.write():
            world.store.execute("UPDATE contacts SET updated_at = 0")
        assert replaying.apply(world.store, NOW, replaying.prepare(world.store, NOW), silently=silently) == 2
        assert told(world.store)[len(before) :] == ([] if silently else ["stage.entered"] * 2)
        assert world.store.value("SELECT min(updated_at) FROM contacts WHERE id < 3") == to_ms(NOW)
    assert stays(world.store, 1)[-2:] == [("Consideration", "replay"), ("Purchase", "replay")]


def test_who_falls_by_a_replay_goes_back_where_scores_may_lead_back(world: World) -> None:
    for contact in (1, 2):
        for _ in range(3):
            happened(world.store, contact, "email.clicked")
    stages.set_where(world.store, NOW, contacts.ONE, {"one_contact": 2}, "Loyalty")
    point_rules.edit(world.store, to_ms(NOW), rule_with(world.store, "mail clicked", points=3))
    prepared = replaying.prepare(world.store, NOW)
    assert report.outlook(world.store, NOW, prepared.staged)["stages"] == []
    kept_settings.put(world.store, NOW, "stages.demote", "true")
    assert report.outlook(world.store, NOW, prepared.staged)["stages"] == [
        {"from": "Consideration", "to": "Awareness", "contacts": 1},
        {"from": "Loyalty", "to": "Awareness", "contacts": 1},
    ]
    assert replaying.apply(world.store, NOW, prepared) == 2
    assert (stays(world.store, 1)[-1], stays(world.store, 2)[-1]) == (("Awareness", "replay"), ("Awareness", "replay"))
    assert stages.unsettled(world.store, NOW) == []


def test_only_contacts_whose_score_changed_count_as_changed(world: World) -> None:
    happened(world.store, 1, "email.clicked")
    happened(world.store, 2, "email.opened")
    point_rules.edit(world.store, to_ms(NOW), rule_with(world.store, "mail clicked", points=1))
    later = NOW + timedelta(days=2)
    replaying.apply(world.store, later, replaying.prepare(world.store, later))
    touched = world.store.rows("SELECT id FROM contacts WHERE updated_at = ?", (to_ms(later),))
    assert [row["id"] for row in touched] == [1]


def test_points_of_events_that_were_deleted_stay_and_count_to_the_cap(world: World) -> None:
    point_rules.edit(world.store, to_ms(NOW), rule_with(world.store, "mail opened", most=2))
    for _ in range(2):
        happened(world.store, 1, "email.opened")
    with world.store.write():
        world.store.execute("DELETE FROM events WHERE id = (SELECT min(id) FROM events)")
    happened(world.store, 1, "email.opened")
    assert overall(world.store) == {1: 10}
    point_rules.edit(world.store, to_ms(NOW), rule_with(world.store, "mail opened", points=7))
    prepared = replaying.prepare(world.store, NOW)
    assert report.outlook(world.store, NOW, prepared.staged)["kept"] == 1
    replaying.apply(world.store, NOW, prepared)
    assert overall(world.store) == {1: 12}


def test_what_was_counted_before_a_time_is_left_alone(world: World) -> None:
    happened(world.store, 1, "email.clicked", to_ms(NOW) - 10 * DAY)
    happened(world.store, 1, "email.clicked", to_ms(NOW) - DAY)
    point_rules.edit(world.store, to_ms(NOW), rule_with(world.store, "mail clicked", points=1))
    prepared = replaying.prepare(world.store, NOW, since=NOW - timedelta(days=5))
    replaying.apply(world.store, NOW, prepared)
    assert overall(world.store) == {1: 11}


def test_what_happens_between_the_look_and_the_yes_is_counted_once_and_under_the_new_rules(world: World) -> None:
    happened(world.store, 1, "email.clicked")
    happened(world.store, 3, "email.clicked")
    prepared = replaying.prepare(world.store, NOW, presets.outlook(world.store, "salesmanago"))
    with open_store(world.path / "macli.db") as beside:
        happened(beside, 1, "email.clicked")
        happened(beside, 2, "page.visited")
        contacts.purge_where(beside, NOW, contacts.ONE, {"one_contact": 3})
    replaying.apply(world.store, NOW, prepared)
    assert overall(world.store) == {1: 6, 2: 2}


def test_what_is_told_in_between_counts_though_no_rule_of_before_was_for_it(world: World) -> None:
    number = 1 + max(rule.id for rule in point_rules.listed(world.store))
    new = PointRule(name="asked", event="shop.asked", points=7, scopes=(GLOBAL,), id=number)
    later = NOW + timedelta(days=3)
    prepared = replaying.prepare(world.store, later, [Change(what="new", rule=new)])
    with open_store(world.path / "macli.db") as beside:
        happened(beside, 1, "shop.asked")
    replaying.apply(world.store, later, prepared)
    assert overall(world.store) == {1: 7}


def test_rules_or_funnels_that_change_between_the_look_and_the_yes_stop_a_replay(world: World) -> None:
    with world.store.write():
        kept_funnels.create(world.store, to_ms(NOW), "Sales", ["New", "Offer"])
    point_rules.add(
        world.store, to_ms(NOW), PointRule(name="there", event="email.clicked", points=4, scopes=(ANY_STAGE,))
    )
    funnels.move_where(world.store, NOW, contacts.ONE, {"one_contact": 1}, "Sales", "New", "test")
    happened(world.store, 1, "email.clicked")
    point_rules.edit(world.store, to_ms(NOW), rule_with(world.store, "mail clicked", points=3))
    changes = [
        lambda store: point_rules.edit(store, to_ms(NOW), rule_with(store, "mail clicked", points=1)),
        lambda store: arranging.remove(store, kept_funnels.get(store, "Sales")),
        lambda store: kept_settings.put(store, NOW, "points.decay", "50 % every 30 days"),
    ]
    for change in changes:
        prepared = replaying.prepare(world.store, NOW)
        with open_store(world.path / "macli.db") as beside:
            change(beside)
        before = ledger(world.store)
        with pytest.raises(OperationFailed, match="changed meanwhile"):
            replaying.apply(world.store, NOW, prepared)
        assert ledger(world.store) == before
    replaying.apply(world.store, NOW, replaying.prepare(world.store, NOW))
    assert overall(world.store) == {1: 1}


def test_what_is_told_while_a_replay_begins_is_not_lost(world: World) -> None:
    """Of what it is up to date with, the replay asks twice; something happens in between."""
    asked: list[str] = []

    def tell(statement: str) -> None:
        if "data_version" in statement or statement == "SELECT coalesce(max(id), 0) FROM events":
            asked.append(statement)
            if len(asked) == 2:
                with open_store(world.path / "macli.db") as beside:
                    happened(beside, 1, "email.clicked")

    world.store.connection.set_trace_callback(tell)
    prepared = replaying.prepare(world.store, NOW)
    world.store.connection.set_trace_callback(None)
    replaying.apply(world.store, NOW, prepared)
    assert (len(asked), overall(world.store)) == (2, {1: 10})


def test_a_replay_that_breaks_off_leaves_rules_ledger_and_scores_as_they_were(world: World) -> None:
    happened(world.store, 1, "email.clicked")
    before = ledger(world.store), point_rules.listed(world.store)
    prepared = replaying.prepare(world.store, NOW, presets.outlook(world.store, "salesmanago"))
    world.store.execute(
        "CREATE TRIGGER broken BEFORE UPDATE ON contacts BEGIN SELECT raise(ABORT, 'the disk is full'); END"
    )
    with pytest.raises(sqlite3.IntegrityError, match="disk"):
        replaying.apply(world.store, NOW, prepared)
    assert (ledger(world.store), point_rules.listed(world.store)) == before
    assert overall(world.store) == {1: 10}


def test_a_rule_that_no_longer_reads_stops_a_replay_and_says_so(world: World) -> None:
    change = Change(what="new", rule=PointRule(name="odd", event="x.y", points=1, scopes=(GLOBAL,), who="colour = red"))
    with pytest.raises(OperationFailed, match="'odd' does not read") as refused:
        replaying.prepare(world.store, NOW, [change])
    assert 'macli points rule off "odd"' in (refused.value.hint or "")


def test_whom_a_rule_is_for_is_asked_of_contacts_as_they_are_now_and_said(world: World) -> None:
    point_rules.edit(world.store, to_ms(NOW), rule_with(world.store, "mail clicked", who="state = customer"))
    happened(world.store, 1, "email.clicked")
    assert overall(world.store) == {}
    with world.store.write():
        world.store.execute("UPDATE contacts SET state = 'customer' WHERE id = 1")
    prepared = replaying.prepare(world.store, NOW)
    assert report.outlook(world.store, NOW, prepared.staged)["as_now"] == ["mail clicked"]
    replaying.apply(world.store, NOW, prepared)
    assert overall(world.store) == {1: 10}


def test_nothing_of_who_was_erased_comes_back(world: World) -> None:
    for contact in (1, 2):
        happened(world.store, contact, "email.clicked")
    erase.erase(world.store, NOW, erase.find(world.store, "c0@example.com", None))
    replaying.apply(world.store, NOW, replaying.prepare(world.store, NOW))
    assert overall(world.store) == {2: 10}


def test_decay_is_counted_to_now_under_the_new_rules(world: World) -> None:
    happened(world.store, 1, "page.visited", to_ms(NOW) - 3 * DAY)
    changed = rule_with(world.store, "page visited", points=100, decay_share=50, decay_span=DAY)
    point_rules.edit(world.store, to_ms(NOW), changed)
    replaying.apply(world.store, NOW, replaying.prepare(world.store, NOW))
    assert overall(world.store) == {1: 12}
    assert decaying.sweep(world.store, NOW) == 0
    assert decaying.sweep(world.store, NOW + timedelta(days=1)) == 1
    assert overall(world.store) == {1: 6}


def people(macli: Run) -> None:
    macli("contact", "add", "ann@example.com")
    for number in range(3):
        macli("event", "add", "ann@example.com", "email.clicked", "--id", str(number))


@pytest.mark.usefixtures("workspace")
def test_replay_shows_and_asks_before_it_changes_anything(macli: Run) -> None:
    people(macli)
    shown = macli("points", "replay", "--preset", "salesmanago")
    assert shown.code == 0
    assert "the scores of 1 contact change: 0 up, 1 down" in shown.out
    assert "nothing was changed; --apply makes it so" in shown.out
    refused = macli("points", "replay", "--preset", "salesmanago", "--apply")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert json.loads(macli("points", "list", "--json").out)[0]["score"] == 30
    done = macli("points", "replay", "--preset", "salesmanago", "--apply", "--yes")
    assert "changed the scores of 1 contact" in done.out
    assert json.loads(macli("points", "list", "--json").out)[0]["score"] == 9
    assert {row["preset"] for row in json.loads(macli("points", "rule", "list", "--json").out)} == {"salesmanago"}
    assert "nothing changes" in macli("points", "replay", "--apply", "--yes").out


def test_replay_takes_the_rules_of_a_file(workspace: Path, macli: Run) -> None:
    people(macli)
    rules = json.loads(macli("points", "rule", "list", "--json").out)
    for rule in rules:
        rule["points"] = 4
    (workspace / "rules.json").write_text(json.dumps(rules))
    told = json.loads(macli("points", "replay", "--rules", "rules.json", "--json").out)
    assert (told["contacts"], told["ranking"][0]["after"]) == (1, 12)
    assert macli("points", "replay", "--rules", "rules.json", "--apply", "--yes").code == 0
    assert json.loads(macli("points", "show", "ann@example.com", "--json").out)["scores"][0]["score"] == 12


@pytest.mark.usefixtures("macli")
@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("{", "rules.json"),
        ('{"name": "a"}', "no list of rules"),
        ('[{"name": "a", "event": "x.y"}]', "rule 1: a point rule needs a name, an event and points"),
        ('[{"name": "a", "event": "x.y", "points": 1, "atmost": "1 per day"}]', "did you mean 'at_most'"),
        ('[{"name": "a", "event": "x.y", "points": 1, "with": 3}]', "with of a point rule is no text"),
        ('[{"name": "a", "event": "x.y", "points": 1, "scopes": "global"}]', "scopes of a point rule is no"),
    ],
)
def test_a_file_that_holds_no_rules_is_refused(workspace: Path, macli: Run, written: str, says: str) -> None:
    (workspace / "rules.json").write_text(written)
    refused = macli("points", "replay", "--rules", "rules.json")
    assert refused.code == 2
    assert says in refused.err
