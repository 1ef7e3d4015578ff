"""Points for events that change in place: visits of somebody who turns out to be a contact, hits judged anew."""

from datetime import timedelta
from pathlib import Path

import pytest

from macli import events
from macli.clock import to_ms
from macli.hits import digest, reclassifying, rules
from macli.model import NewEvent
from macli.scoring import checking
from macli.store import point_rules, score_marks, settings, visitors
from macli.store.point_rules import PointRule
from macli.store.scopes import GLOBAL, Scope
from macli.tick.tick import run_tick
from macli.visitors.joining import join
from tests.site import keys, serving
from tests.world import NOW, World, add_campaign, add_contacts, new_world

ANN = "a" * 22
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"
NEWER = 'version = 7\nsettle_seconds = 10\n[[rule]]\nname = "new"\nclass = "machine"\nagent = ["^newscan"]\n'


@pytest.fixture
def world(tmp_path: Path) -> World:
    """One contact with a sent mail; an open is worth 30, a visit 5, a machine's open -1."""
    made = new_world(tmp_path / "shop")
    settings.put(made.store, NOW, "public_url", "https://news.example")
    for rule in point_rules.listed(made.store):
        point_rules.remove(made.store, rule.id)
    for name, worth in (("email.opened", 30), ("page.visited", 5), ("email.opened.machine", -1)):
        rule = PointRule(name=name, event=name, points=worth, scopes=(Scope(kind="global", name="global"),))
        point_rules.add(made.store, to_ms(NOW), rule)
    add_contacts(made.store, 1)
    add_campaign(made.store)
    run_tick(made.engine())
    return made


def score(world: World) -> int:
    assert checking.check(world.store).wrong == 0
    return int(world.store.value("SELECT points FROM scores WHERE contact_id = 1 AND scope_id = 1") or 0)


def visit(world: World, contact: int | None = None) -> None:
    visitor = visitors.by_token(world.store, ANN) or visitors.seen(world.store, to_ms(NOW), ANN)
    one = NewEvent(contact_id=contact, visitor_id=visitor["id"], name="page.visited", at=to_ms(NOW), source="tracker")
    events.record(world.store, NOW, [one])


def stages(world: World) -> list[str]:
    sql = """
    SELECT stages.name
    FROM stage_stays
    JOIN stages ON stages.id = stage_stays.stage_id
    ORDER BY stage_stays.id
    """
    return [row["name"] for row in world.store.rows(sql)]


def test_visits_count_when_the_visitor_turns_out_to_be_a_contact(world: World) -> None:
    with world.store.write():
        score_marks.watch(world.store, to_ms(NOW), GLOBAL, "reached", 10)
        visitors.seen(world.store, to_ms(NOW), ANN)
    for _ in range(3):
        visit(world)
    visit(world, contact=1)
    assert score(world) == 5
    assert join(world.store, NOW, ANN, 1)
    assert score(world) == 20
    assert join(world.store, NOW, ANN, 1)
    assert score(world) == 20
    reached = "SELECT count(*) FROM events WHERE name = 'score.reached' AND contact_id = 1"
    assert world.store.value(reached) == 1
    assert stages(world) == ["Awareness"]


def opened(world: World, agent: str, after: int) -> None:
    follow = keys(world).message(1).follow
    moment = NOW + timedelta(minutes=after)
    with serving(world, lambda: moment) as client:
        client.get(f"/o/{follow}.gif", headers={"User-Agent": agent})
    digest.chore(world.engine(NOW + timedelta(hours=1)), lambda name, why: None)


def test_hits_judged_anew_take_back_what_they_brought_and_bring_what_they_are_worth(world: World) -> None:
    opened(world, "NewScan/1", 5)
    opened(world, BROWSER, 20)
    assert score(world) == 60
    (world.path / rules.OWN).write_text(NEWER)
    reclassifying.apply(world.store, NOW, world.path)
    assert score(world) == 29
    (world.path / rules.OWN).unlink()
    reclassifying.apply(world.store, NOW, world.path)
    assert score(world) == 60


def test_hits_judged_anew_lead_to_a_stage_and_tell_of_no_watched_value(world: World) -> None:
    (world.path / rules.OWN).write_text(NEWER)
    opened(world, "NewScan/1", 5)
    assert score(world) == -1
    assert stages(world) == []
    with world.store.write():
        score_marks.watch(world.store, to_ms(NOW), GLOBAL, "reached", 30)
    (world.path / rules.OWN).unlink()
    reclassifying.apply(world.store, NOW, world.path)
    assert score(world) == 30
    assert stages(world)[-1] == "Consideration"
    assert world.store.value("SELECT count(*) FROM events WHERE name = 'score.reached'") == 0


def test_a_hit_that_only_repeats_another_after_all_loses_its_points_with_its_event(world: World) -> None:
    (world.path / rules.OWN).write_text(NEWER)
    opened(world, "NewScan/1", 5)
    opened(world, BROWSER, 5)
    assert score(world) == 29
    (world.path / rules.OWN).unlink()
    reclassifying.apply(world.store, NOW, world.path)
    assert world.store.value("SELECT count(*) FROM events WHERE name LIKE 'email.opened%'") == 1
    assert score(world) == 30
