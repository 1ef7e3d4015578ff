"""The stages of the lifecycle: points lead up through them, a person or new thresholds elsewhere."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from macli import contacts, events
from macli.clock import to_ms
from macli.errors import OperationFailed, UnknownName, UsageError
from macli.lifecycle import decaying, ladder, stages
from macli.lifecycle.points import give_where
from macli.model import NewEvent
from macli.reports import funnels
from macli.scoring import changes, promoting
from macli.store import Store, open_store, point_rules, settings
from macli.store import stages as kept
from macli.store.scopes import GLOBAL, Scope
from tests.conftest import Run
from tests.world import NOW, World, add_campaign, add_contacts, new_world

DAY = timedelta(days=1)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 5)
    return world


def give(world: World, contact_id: int, points: int, now: datetime = NOW) -> None:
    one = {"one_contact": contact_id}
    give_where(world.store, now, contacts.ONE, one, points, GLOBAL, "test")


def stage_of(store: Store, contact_id: int) -> str | None:
    found: str | None = store.value(
        """
        SELECT stages.name
        FROM stage_stays
        JOIN stages ON stages.id = stage_stays.stage_id
        WHERE contact_id = :contact AND left_at IS NULL
        """,
        {"contact": contact_id},
    )
    return found


def stays(store: Store, contact_id: int) -> list[tuple[Any, ...]]:
    """Oldest first: stage, passed, score, cause."""
    rows = reversed(kept.history(store, contact_id))
    return [(row["stage"], row["passed"], row["score"], row["cause"]) for row in rows]


def told(store: Store, contact_id: int | None = None) -> list[dict[str, Any]]:
    rows = store.rows("SELECT contact_id, properties FROM events WHERE name = 'stage.entered' ORDER BY id")
    return [json.loads(row["properties"]) for row in rows if contact_id in (None, row["contact_id"])]


def thresholds(store: Store) -> list[tuple[str, int]]:
    return [(row["name"], row["threshold"]) for row in kept.all_(store)]


# Which stages there are


def test_p41_a_new_store_has_the_four_stages_in_their_order(world: World) -> None:
    rows = [(row["position"], row["name"], row["threshold"]) for row in kept.listed(world.store)]
    assert rows == [(1, "Awareness", 0), (2, "Consideration", 20), (3, "Purchase", 50), (4, "Loyalty", 100)]


def test_p41_a_stage_moves_to_another_place_and_keeps_who_stands_on_it(world: World) -> None:
    give(world, 1, 25)
    stages.make(world.store, NOW, ladder.Move(name="Consideration", after="Purchase", threshold=75))
    assert [name for name, _ in thresholds(world.store)] == ["Awareness", "Purchase", "Consideration", "Loyalty"]
    assert stage_of(world.store, 1) == "Consideration"
    give(world, 1, 50)
    assert stage_of(world.store, 1) == "Consideration"
    give(world, 1, 30)
    assert stage_of(world.store, 1) == "Loyalty"


@pytest.mark.parametrize(
    ("change", "said", "hint"),
    [
        (ladder.Add(name="Fan", threshold=100), "cannot stand after 'Loyalty' with 100", "101 or more would do"),
        (ladder.Add(name="Fan", threshold=60), "cannot stand after 'Loyalty'", "60 would do after 'Purchase'"),
        (ladder.Add(name="Try", threshold=20, after="Awareness"), "before 'Consideration'", "from 1 to 19 would do"),
        (ladder.SetThreshold(name="purchase", threshold=20), "after 'Consideration' with 20", "from 21 to 99"),
        (ladder.SetThreshold(name="Purchase", threshold=100), "before 'Loyalty' with 100", "from 21 to 99"),
        (ladder.SetThreshold(name="Awareness", threshold=20), "before 'Consideration'", "from 0 to 19"),
        (ladder.Move(name="Loyalty", before="Purchase"), "before 'Purchase' with 50", "from 21 to 49"),
    ],
)
def test_p42_a_threshold_not_above_the_stage_before_is_refused(
    world: World, change: ladder.Change, said: str, hint: str
) -> None:
    before = thresholds(world.store)
    with pytest.raises(UsageError) as refused:
        stages.make(world.store, NOW, change)
    assert said in refused.value.message
    assert hint in (refused.value.hint or "")
    assert thresholds(world.store) == before


def test_p42_a_stage_is_added_between_two_and_takes_those_whose_score_is_above_it(world: World) -> None:
    give(world, 1, 35)
    give(world, 2, 36)
    give(world, 3, 60)
    change = ladder.Add(name="Evaluation", threshold=35, after="Consideration")
    assert stages.moves(world.store, NOW, change) == [{"from": "Consideration", "to": "Evaluation", "contacts": 1}]
    assert thresholds(world.store) == list(kept.FIRST)
    assert stages.make(world.store, NOW, change) == 1
    assert [stage_of(world.store, contact) for contact in (1, 2, 3)] == ["Consideration", "Evaluation", "Purchase"]
    assert stays(world.store, 2)[-1] == ("Evaluation", 0, 36, "thresholds")


def test_p42_a_stage_is_added_in_front_of_the_first_where_there_is_room(world: World) -> None:
    stages.make(world.store, NOW, ladder.SetThreshold(name="Awareness", threshold=5))
    stages.make(world.store, NOW, ladder.Add(name="Stranger", threshold=0, before="Awareness"))
    give(world, 1, 3)
    assert stage_of(world.store, 1) == "Stranger"
    with pytest.raises(UsageError, match="either --after STAGE or --before STAGE"):
        stages.make(world.store, NOW, ladder.Add(name="X", threshold=30, before="Purchase", after="Awareness"))
    with pytest.raises(UsageError, match="from 0 to"):
        stages.make(world.store, NOW, ladder.Add(name="X", threshold=-1, before="Stranger"))


def test_a_lower_threshold_brings_contacts_up_and_a_higher_one_brings_nobody_down(world: World) -> None:
    give(world, 1, 45)
    lower = ladder.SetThreshold(name="Purchase", threshold=40)
    assert stages.moves(world.store, NOW, lower) == [{"from": "Consideration", "to": "Purchase", "contacts": 1}]
    assert stages.make(world.store, NOW, lower) == 1
    assert stages.make(world.store, NOW, ladder.SetThreshold(name="Purchase", threshold=60)) == 0
    assert stage_of(world.store, 1) == "Purchase"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (ladder.SetThreshold(name="Purchase", threshold=40), [("Purchase", "Consideration", 45)]),
        (ladder.Add(name="Trial", threshold=30, after="Consideration"), [("Trial", "Consideration", 45)]),
        (ladder.Move(name="Loyalty", before="Purchase", threshold=40), [("Loyalty", "Consideration", 45)]),
        (ladder.Remove(name="Consideration"), [("Awareness", "Consideration", 45)]),
    ],
)
def test_campaigns_do_not_hear_of_contacts_moved_by_a_change_of_the_stages_unless_asked(
    world: World, tmp_path: Path, change: ladder.Change, said: list[tuple[str, str, int]]
) -> None:
    other = new_world(tmp_path / "other")
    add_contacts(other.store, 1)
    for one in (world, other):
        give(one, 1, 45)
        with one.store.write():
            one.store.execute("DELETE FROM events")
            one.store.execute("UPDATE contacts SET updated_at = 0")
    assert stages.make(world.store, NOW, change) == 1
    assert told(world.store) == []
    assert world.store.value("SELECT updated_at FROM contacts WHERE id = 1") == to_ms(NOW)
    assert stages.make(other.store, NOW, change, silently=False) == 1
    assert [(row["stage"], row["from"], row["score"]) for row in told(other.store)] == said
    assert stays(world.store, 1) == stays(other.store, 1)


def test_whose_stage_is_removed_stands_on_the_one_before_it_and_keeps_the_history(world: World) -> None:
    give(world, 1, 60)
    give(world, 1, -55)
    give(world, 2, 10)
    assert stages.make(world.store, NOW, ladder.Remove(name="Purchase")) == 1
    assert stage_of(world.store, 1) == "Consideration"
    assert stays(world.store, 1)[-2:] == [("Purchase", 0, 60, "points"), ("Consideration", 0, 5, "thresholds")]
    assert stages.make(world.store, NOW, ladder.Remove(name="Awareness")) == 1
    assert stage_of(world.store, 2) is None
    assert [row["position"] for row in kept.all_(world.store)] == [1, 2]


def test_a_stage_added_again_has_its_history_again(world: World) -> None:
    give(world, 1, 60)
    stages.make(world.store, NOW, ladder.Remove(name="Purchase"))
    with pytest.raises(UnknownName):
        kept.get(world.store, "Purchase")
    stages.make(world.store, NOW, ladder.Add(name="PURCHASE", threshold=50, after="Consideration"))
    assert stage_of(world.store, 1) == "PURCHASE"
    assert [stage for stage, *_ in stays(world.store, 1)].count("PURCHASE") == 2


# Points lead up


def test_p43_a_score_equal_to_the_threshold_moves_nobody_one_more_does_and_less_never_back(world: World) -> None:
    give(world, 1, 20)
    assert stage_of(world.store, 1) == "Awareness"
    give(world, 1, 1)
    assert stage_of(world.store, 1) == "Consideration"
    give(world, 1, -50)
    assert stage_of(world.store, 1) == "Consideration"


def test_p43_unsubscribing_costs_points_and_no_stage(world: World) -> None:
    give(world, 1, 21)
    left = NewEvent(contact_id=1, name="email.unsubscribed", at=to_ms(NOW), source="test")
    events.record(world.store, NOW, [left])
    assert world.store.value("SELECT points FROM scores WHERE contact_id = 1 AND scope_id = 1") == 11
    assert stage_of(world.store, 1) == "Consideration"


def test_p43_several_thresholds_at_once_lead_to_the_highest_and_the_passed_stages_are_written_down(
    world: World,
) -> None:
    give(world, 1, 101)
    assert stays(world.store, 1) == [
        ("Awareness", 1, 101, "points"),
        ("Consideration", 1, 101, "points"),
        ("Purchase", 1, 101, "points"),
        ("Loyalty", 0, 101, "points"),
    ]
    passed = ["Awareness", "Consideration", "Purchase"]
    assert told(world.store) == [{"stage": "Loyalty", "from": None, "passed": passed, "score": 101}]
    for row in kept.history(world.store, 1)[1:]:
        assert row["entered_at"] == row["left_at"] == to_ms(NOW)


def test_a_contact_with_no_more_than_the_lowest_threshold_is_in_no_stage(world: World) -> None:
    give(world, 1, -5)
    give(world, 1, 5)
    assert stage_of(world.store, 1) is None
    assert told(world.store) == []
    assert stays(world.store, 1) == []


def test_a_stay_knows_the_event_that_began_it(world: World) -> None:
    give(world, 1, 30)
    (row,) = [row for row in kept.history(world.store, 1) if not row["passed"]]
    assert (row["event"], row["cause"]) == ("points.given", "points")


def test_with_the_setting_inclusive_a_score_equal_to_the_threshold_is_enough(world: World) -> None:
    settings.put(world.store, NOW, "stages.inclusive", "true")
    give(world, 1, 20)
    give(world, 2, 19)
    give(world, 3, -3)
    assert [stage_of(world.store, contact) for contact in (1, 2, 3)] == ["Consideration", "Awareness", None]


def test_with_the_setting_demote_a_falling_score_leads_back_and_out_of_the_lowest(world: World) -> None:
    settings.put(world.store, NOW, "stages.demote", "true")
    give(world, 1, 60)
    give(world, 1, -10)
    assert stage_of(world.store, 1) == "Consideration"
    with world.store.write():
        world.store.execute("UPDATE contacts SET updated_at = 0")
    give(world, 1, -50, NOW + DAY)
    assert stage_of(world.store, 1) is None
    assert world.store.value("SELECT updated_at FROM contacts WHERE id = 1") == to_ms(NOW + DAY)
    assert [one["stage"] for one in told(world.store)] == ["Purchase", "Consideration"]


@pytest.mark.parametrize(("demote", "stage"), [("true", "Consideration"), ("false", "Purchase")])
def test_time_that_takes_points_back_leads_back_only_with_the_setting_demote(
    world: World, demote: str, stage: str
) -> None:
    settings.put(world.store, NOW, "stages.demote", demote)
    rule = point_rules.PointRule(
        name="bought",
        event="order.paid",
        points=60,
        scopes=(Scope(kind="global", name="global"),),
        decay_share=50,
        decay_span=30 * DAY // timedelta(milliseconds=1),
    )
    point_rules.add(world.store, to_ms(NOW), rule)
    bought = NewEvent(contact_id=1, name="order.paid", at=to_ms(NOW), source="test")
    events.record(world.store, NOW, [bought])
    assert stage_of(world.store, 1) == "Purchase"
    assert decaying.sweep(world.store, NOW + 31 * DAY) == 1
    assert stage_of(world.store, 1) == stage
    if demote == "true":
        (last,) = [row for row in kept.history(world.store, 1) if row["left_at"] is None]
        assert (last["cause"], last["score"]) == ("decay", 30)


def test_a_late_report_does_not_begin_a_stay_before_the_one_it_ends(world: World) -> None:
    give(world, 1, 10, NOW + DAY)
    promoted(world.store, [(1, 99, to_ms(NOW), 10, 30)])
    first, second = reversed(kept.history(world.store, 1))
    assert first["left_at"] == second["entered_at"] == to_ms(NOW + DAY)


def test_a_clock_set_back_does_not_end_a_stay_before_it_began(world: World) -> None:
    give(world, 1, 10, NOW + DAY)
    stages.set_where(world.store, NOW, contacts.ONE, {"one_contact": 1}, "Purchase")
    first, second = reversed(kept.history(world.store, 1))
    assert first["left_at"] == second["entered_at"] == to_ms(NOW + DAY)


def test_points_for_coming_to_a_stage_lead_further_within_the_same_transaction(world: World) -> None:
    rule = point_rules.PointRule(
        name="stage", event="stage.entered", points=40, scopes=(Scope(kind="global", name="global"),)
    )
    point_rules.add(world.store, to_ms(NOW), rule)
    give(world, 1, 25)
    assert stage_of(world.store, 1) == "Loyalty"
    assert [one["stage"] for one in told(world.store)] == ["Consideration", "Purchase", "Loyalty"]


# However events come together


def promoted(store: Store, rows: Sequence[tuple[int, int, int, int, int]]) -> None:
    """What the points effect does for a batch: (contact, event, at, old, score), and the events of it."""
    with store.write():
        changes.clear(store)
        store.executemany("INSERT INTO score_changes VALUES (?, 1, ?, ?, ?, ?)", rows)
        for one in promoting.promote(store, to_ms(NOW), "points"):
            events.record_select(
                store, NOW, name=one.name, source=one.source, select=one.select, params=one.params, folded=one.folded
            )


def expected(scores: Sequence[int], *, demote: bool) -> list[tuple[str, int, int]]:
    """One contact's stays by the plain rule, score after score: stage, passed, score."""
    names = [name for name, _ in kept.FIRST]
    found, now = [], 0
    for old, score in zip((0, *scores), scores, strict=False):
        was, due = (sum(each > threshold for _, threshold in kept.FIRST) for each in (old, score))
        if due > was and due > now:
            found += [(names[place], int(place < due - 1), score) for place in range(now, due)]
            now = due
        elif demote and due < was and due < now:
            found += [(names[due - 1], 0, score)] if due else []
            now = due
    return found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = new_world(tmp_path_factory.mktemp("stages") / "shop")
    add_contacts(made.store, 1)
    return made.store


@given(
    scores=st.lists(st.integers(-10, 130), min_size=1, max_size=12),
    cuts=st.sets(st.integers(1, 11)),
    demote=st.booleans(),
)
def test_batches_of_any_size_bring_the_same_stages(
    shared: Store, scores: list[int], cuts: set[int], demote: bool
) -> None:
    store = shared
    with store.write():
        for table in ("stage_stays", "events"):
            store.execute(f"DELETE FROM {table}")
    settings.put(store, NOW, "stages.demote", str(demote).lower())
    rows = [
        (1, number, to_ms(NOW) + number, old, score)
        for number, (old, score) in enumerate(zip((0, *scores), scores, strict=False), 1)
        if old != score
    ]
    start = 0
    for end in (*sorted(cuts), len(rows)):
        promoted(store, rows[start:end])
        start = max(start, end)
    found = [(stage, passed, score) for stage, passed, score, _ in stays(store, 1)]
    assert found == expected(scores, demote=demote)
    assert [(one["stage"], one["score"]) for one in told(store)] == [
        (stage, score) for stage, passed, score in found if not passed
    ]
    open_stays = store.value("SELECT count(*) FROM stage_stays WHERE left_at IS NULL")
    assert open_stays <= 1


WORTH = {"up.five": 5, "up.ten": 10, "up.forty": 40, "down.ten": -10, "down.forty": -40}


@pytest.fixture(scope="module")
def scoring(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = new_world(tmp_path_factory.mktemp("scoring") / "shop")
    add_contacts(made.store, 1)
    for name, worth in WORTH.items():
        rule = point_rules.PointRule(name=name, event=name, points=worth, scopes=(Scope(kind="global", name="global"),))
        point_rules.add(made.store, to_ms(NOW), rule)
    return made.store


@given(
    names=st.lists(st.sampled_from(sorted(WORTH)), min_size=1, max_size=14),
    cuts=st.sets(st.integers(1, 13)),
    demote=st.booleans(),
)
def test_events_recorded_together_or_apart_bring_the_same_stages(
    scoring: Store, names: list[str], cuts: set[int], demote: bool
) -> None:
    with scoring.write():
        for table in ("stage_stays", "events", "point_ledger", "scores"):
            scoring.execute(f"DELETE FROM {table}")
    settings.put(scoring, NOW, "stages.demote", str(demote).lower())
    start = 0
    for end in (*sorted(cuts), len(names)):
        batch = [
            NewEvent(contact_id=1, name=name, at=to_ms(NOW) + place, source="test")
            for place, name in enumerate(names[start:end], start)
        ]
        events.record(scoring, NOW, batch)
        start = max(start, end)
    found = [(stage, passed, score) for stage, passed, score, _ in stays(scoring, 1)]
    assert found == expected(list(accumulate(WORTH[name] for name in names)), demote=demote)


def test_a_batch_without_a_threshold_writes_nothing(world: World) -> None:
    give(world, 1, 30)
    before = world.store.connection.total_changes
    with world.store.write():
        changes.clear(world.store)
        rows = [(1, 99, to_ms(NOW), 30, 40), (2, 98, to_ms(NOW), 0, -4)]
        world.store.executemany("INSERT INTO score_changes VALUES (?, 1, ?, ?, ?, ?)", rows)
        written = world.store.connection.total_changes
        assert promoting.promote(world.store, to_ms(NOW), "points") == []
        assert world.store.connection.total_changes == written
    assert before < written


# By hand


def test_a_stage_set_by_hand_holds_until_the_score_passes_a_threshold_anew(world: World) -> None:
    give(world, 1, 60)
    one = {"one_contact": 1}
    assert stages.set_where(world.store, NOW, contacts.ONE, one, "awareness") == 1
    assert stages.set_where(world.store, NOW, contacts.ONE, one, "Awareness") == 0
    assert stays(world.store, 1)[-1] == ("Awareness", 0, 60, "hand")
    give(world, 1, 5)
    assert stages.settle(world.store, NOW, "replay") == 0
    assert stage_of(world.store, 1) == "Awareness"
    give(world, 1, 40)
    assert stage_of(world.store, 1) == "Loyalty"


def test_a_stage_set_by_hand_holds_while_a_batch_passes_lower_thresholds(world: World) -> None:
    stages.set_where(world.store, NOW, contacts.ONE, {"one_contact": 1}, "Loyalty")
    clicks = [NewEvent(contact_id=1, name="email.clicked", at=to_ms(NOW) + late, source="test") for late in range(3)]
    events.record(world.store, NOW, clicks)
    assert [stage for stage, *_ in stays(world.store, 1)] == ["Loyalty"]


def test_a_stage_set_by_hand_is_an_event_unless_it_is_to_be_silent(world: World) -> None:
    everyone: dict[str, Any] = {}
    with world.store.write():
        world.store.execute("UPDATE contacts SET updated_at = 0")
    assert stages.set_where(world.store, NOW, "SELECT id FROM contacts", everyone, "Purchase", silently=True) == 5
    assert told(world.store) == []
    assert world.store.value("SELECT min(updated_at) FROM contacts") == to_ms(NOW)
    assert stages.set_where(world.store, NOW, "SELECT 2", everyone, "Loyalty") == 1
    assert told(world.store, 2) == [{"stage": "Loyalty", "from": "Purchase", "passed": [], "score": 0}]


def test_settling_brings_contacts_up_by_their_present_score_alone(world: World) -> None:
    give(world, 1, 60)
    give(world, 2, 60)
    with world.store.write():
        world.store.execute("DELETE FROM stage_stays")
    assert stages.unsettled(world.store, NOW) == [{"from": None, "to": "Purchase", "contacts": 2}]
    assert stages.settle(world.store, NOW, "replay", among="SELECT 2") == 1
    heard = len(told(world.store))
    assert (stage_of(world.store, 1), stage_of(world.store, 2)) == (None, "Purchase")
    assert stages.settle(world.store, NOW, "replay", silently=False) == 1
    assert stages.settle(world.store, NOW, "replay", silently=False) == 0
    assert len(told(world.store)) == heard + 1


def test_settling_brings_contacts_down_only_where_scores_may_lead_back(world: World) -> None:
    give(world, 1, 60)
    give(world, 1, -50)
    give(world, 2, 60)
    stages.set_where(world.store, NOW, contacts.ONE, {"one_contact": 2}, "Loyalty")
    assert stages.settle(world.store, NOW, "settled") == 0
    settings.put(world.store, NOW, "stages.demote", "true")
    assert stages.settle(world.store, NOW, "settled") == 1
    assert (stage_of(world.store, 1), stage_of(world.store, 2)) == ("Awareness", "Loyalty")


# The commands


def scored(workspace: Path, points: int) -> None:
    """The workspace's only contact gets points."""
    with open_store(workspace / "macli.db") as store:
        give_where(store, NOW - 3650 * DAY, "SELECT id FROM contacts", {}, points, GLOBAL, "test")


def test_p41_the_commands_make_show_and_change_stages(macli: Run, workspace: Path) -> None:
    assert macli("stage", "add", "Evaluation", "--threshold", "35", "--after", "consideration").code == 0
    assert macli("stage", "edit", "Evaluation", "--rename", "Trial", "--description", "Tries it out.").code == 0
    rows = json.loads(macli("stage", "list", "--json").out)
    assert [row["name"] for row in rows] == ["Awareness", "Consideration", "Trial", "Purchase", "Loyalty"]
    assert (rows[2]["description"], rows[2]["contacts"]) == ("Tries it out.", 0)
    assert macli("stage", "move", "Trial", "--before", "Loyalty", "--threshold", "80").code == 0
    shown = json.loads(macli("stage", "show", "trial", "--json").out)
    assert (shown["position"], shown["threshold"], shown["now"]) == (4, 80, 0)
    assert macli("stage", "rm", "Trial").code == 0
    assert len(json.loads(macli("stage", "list", "--json").out)) == 4


def test_p42_a_refused_threshold_says_what_would_do(macli: Run, workspace: Path) -> None:
    refused = macli("stage", "add", "Evaluation", "--threshold", "35")
    assert refused.code == 2
    assert "'Evaluation' with 35 cannot stand after 'Loyalty' with 100" in refused.err
    assert "35 would do after 'Consideration'" in refused.err


def test_moving_contacts_by_a_threshold_asks_first_and_says_how_many_go_where(macli: Run, workspace: Path) -> None:
    macli("contact", "add", "ann@example.com")
    scored(workspace, 45)
    line = ("stage", "edit", "Purchase", "--threshold", "40")
    tried = macli(*line, "--dry-run")
    assert tried.out.splitlines() == [
        "Consideration → Purchase: 1 contact",
        "1 contact would move, without events; nothing was changed",
    ]
    heard = macli(*line, "--dry-run", "--fire-events").out
    assert "1 contact would move, with events, which campaigns may wait for" in heard
    refused = macli(*line)
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert json.loads(macli("stage", "show", "Purchase", "--json").out)["threshold"] == 50
    done = macli(*line, "--yes").out
    assert "1 contact moved; no events were recorded (--fire-events does)" in done
    history = json.loads(macli("stage", "history", "ann@example.com", "--json").out)
    assert [(row["stage"], row["cause"]) for row in history[:2]] == [
        ("Purchase", "thresholds"),
        ("Consideration", "points"),
    ]
    assert (history[1]["event"], history[2]["passed"]) == ("points.given", True)


def test_a_stage_is_set_by_hand_for_contacts_named_selected_or_in_a_segment(macli: Run, workspace: Path) -> None:
    for name in ("ann", "bob", "cat"):
        macli("contact", "add", f"{name}@example.com")
    macli("segment", "create", "cats", "--rule", 'email contains "cat"')
    assert "2 contacts put on 'Purchase'" in macli("stage", "set", "ann@example.com", "bob@example.com", "Purchase").out
    assert macli("stage", "set", "--where", "has email", "Loyalty").code == 2
    told = macli("stage", "set", "--segment", "cats", "Loyalty", "--yes").out
    assert "no events were recorded" in told
    entered = json.loads(macli("event", "list", "--name", "stage.entered", "--json").out)
    assert {row["contact"] for row in entered} == {"ann@example.com", "bob@example.com"}
    assert macli("stage", "set", "--where", "has email", "Loyalty", "--yes", "--fire-events").code == 0
    assert len(json.loads(macli("event", "list", "--name", "stage.entered", "--json").out)) == 4
    both = macli("stage", "set", "ann@example.com", "Loyalty", "--where", "has email")
    assert (both.code, "one of them" in both.err) == (2, True)


def test_settings_of_stages_take_hold_of_present_scores_when_asked(macli: Run, workspace: Path) -> None:
    macli("contact", "add", "ann@example.com")
    scored(workspace, 50)
    macli("settings", "set", "stages.inclusive", "true")
    assert "Purchase" in macli("stage", "settle", "--dry-run").out
    before = macli("event", "list", "--name", "stage.entered", "--json").out
    assert macli("stage", "settle", "--yes", "--fire-events").out.splitlines()[-1] == "settled; 1 contact moved"
    after = macli("event", "list", "--name", "stage.entered", "--json").out
    assert len(json.loads(after)) == len(json.loads(before)) + 1


def test_the_report_on_stages_counts_who_came_and_went_on(world: World) -> None:
    give(world, 1, 30)
    give(world, 1, 30, NOW + 2 * DAY)
    give(world, 2, 30)
    told = {row["stage"]: row for row in funnels.lifecycle(world.store, None, None)}
    assert [told[name]["entered"] for name in ("Awareness", "Consideration", "Purchase", "Loyalty")] == [2, 2, 1, 0]
    assert [told[name]["conversion"] for name in ("Awareness", "Consideration", "Purchase")] == [100.0, 50.0, 0.0]
    assert (told["Consideration"]["median_seconds"], told["Awareness"]["median_seconds"]) == (2 * 86_400, None)
    assert (told["Consideration"]["now"], told["Consideration"]["mean_score"]) == (1, 30.0)


def test_a_stage_that_a_campaign_waits_for_keeps_its_name_and_its_place(world: World) -> None:
    add_campaign(
        world.store,
        "hunt",
        entry={"event": {"name": "stage.entered", "where": 'stage = "Purchase"'}},
        steps=[{"tag": "hot"}],
    )
    with pytest.raises(OperationFailed, match="the stage 'Purchase' is in use by the campaign 'hunt'"):
        stages.describe(world.store, NOW, "Purchase", rename="Buying", description=None)
    with pytest.raises(OperationFailed):
        stages.make(world.store, NOW, ladder.Remove(name="purchase"))
    stages.describe(world.store, NOW, "Purchase", rename="PURCHASE", description="Bought something.")
    stages.describe(world.store, NOW, "Loyalty", rename="Fans", description=None)
    assert [name for name, _ in thresholds(world.store)][-2:] == ["PURCHASE", "Fans"]
