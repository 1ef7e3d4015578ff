"""Steps that change where a contact stands and that bring in the people at our company."""

import json
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from running import DAY, NOW, Running, Stores

from macli.campaign import yaml_source
from macli.campaign.checks import check
from macli.campaign.definition import parse
from macli.campaign.problems import BadDefinition
from macli.clock import to_ms
from macli.lifecycle import funnels as moves
from macli.people import leaving, owning
from macli.scoring import presets
from macli.store import funnels, open_store, point_rules, scopes, staff
from tests.conftest import Run

LIBRARY = Path(__file__).parent.parent / "campaigns"
FILE = "campaigns/sales/campaign.yaml"


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Stores(tmp_path).new()


def score(running: Running, contact: int, scope: str = "global") -> int:
    found = scopes.find(running.store, scopes.read(running.store, scope))
    points = running.store.value("SELECT points FROM scores WHERE contact_id = ? AND scope_id = ?", (contact, found))
    return points or 0


def events_of(running: Running, name: str) -> list[tuple[int, dict[str, object]]]:
    rows = running.store.rows("SELECT contact_id, properties FROM events WHERE name = ? ORDER BY id", (name,))
    return [(row["contact_id"], json.loads(row["properties"])) for row in rows]


def test_t15_a_step_gives_points_once_for_each_time_a_contact_passes_it(running: Running) -> None:
    ann, bob = running.contact(), running.contact()
    campaign = running.campaign(
        name="a", steps=[{"points": 10}, {"points": {"add": -3, "scope": "tag:VIP"}}, {"wait": "1 day"}]
    )
    running.tick(NOW)
    running.tick(NOW + DAY)
    running.tick(NOW + 2 * DAY)
    assert [score(running, one) for one in (ann, bob)] == [10, 10]
    assert [score(running, one, "tag:VIP") for one in (ann, bob)] == [-3, -3]
    sources = {row["source"] for row in running.store.rows("SELECT source FROM events WHERE name = 'points.given'")}
    assert len(sources) == 2
    assert all(source.startswith(f"campaign:{campaign}:points") for source in sources)


def test_a_step_sets_a_score_whatever_it_was(running: Running) -> None:
    high, none = running.contact(), running.contact()
    running.campaign(name="a", entry={"rule": 'email = "c0@example.com"'}, steps=[{"points": 100}])
    running.tick(NOW)
    running.campaign(name="b", steps=[{"points": {"set": 10}}])
    running.tick(NOW)
    assert [score(running, one) for one in (high, none)] == [10, 10]
    assert running.store.value("SELECT count(*) FROM events WHERE name = 'points.given'") == 3


def test_e05_a_step_moves_contacts_to_a_stage_and_takes_them_out_of_a_funnel(running: Running) -> None:
    ann = running.contact()
    funnels.create(running.store, to_ms(NOW), "Sales", ["Lead", "Offer", "Won"])
    steps = [
        {"funnel": {"name": "Sales", "stage": "Offer"}, "id": "in"},
        {"funnel": {"name": "sales", "stage": "offer"}, "id": "again"},
        {"wait": "1 day"},
        {"funnel": "Sales", "id": "out"},
    ]
    running.campaign(steps=steps)
    running.tick(NOW)
    (entered,) = events_of(running, "funnel.entered")
    assert entered[0] == ann
    assert (entered[1]["funnel"], entered[1]["stage"]) == ("Sales", "Offer")
    running.tick(NOW + DAY)
    assert running.store.value("SELECT count(*) FROM funnel_stays WHERE left_at IS NULL") == 0
    assert len(events_of(running, "funnel.left")) == 1


def test_e16_a_step_names_an_owner_and_a_co_owner(running: Running) -> None:
    ann = running.contact()
    for name in ("anna", "ben"):
        staff.add(running.store, NOW, name)
    running.campaign(steps=[{"owner": "anna"}, {"owner": {"staff": "ben", "kind": "co"}}])
    running.tick(NOW)
    assert [(one, said["kind"], said["staff"]) for one, said in events_of(running, "owner.changed")] == [
        (ann, "main", "anna"),
        (ann, "co", "ben"),
    ]


def test_e15_a_step_writes_a_note(running: Running) -> None:
    ann = running.contact()
    running.campaign(steps=[{"note": "asked twice"}, {"note": {"text": "careful", "private": True}}])
    running.tick(NOW)
    rows = running.store.rows("SELECT contact_id, text, private FROM notes ORDER BY id")
    assert [tuple(row) for row in rows] == [(ann, "asked twice", 0), (ann, "careful", 1)]
    assert [said["text"] for _, said in events_of(running, "note.added") if said.get("text")] == ["asked twice"]


def test_a_step_gives_a_task_to_the_contacts_owner_or_to_somebody_named(running: Running) -> None:
    ann, bob = running.contact(), running.contact()
    for name in ("anna", "ben"):
        staff.add(running.store, NOW, name)
    anna = staff.get(running.store, "anna")["id"]
    with running.store.write():
        owning.set_owner_where(running.store, NOW, f"SELECT {ann}", {}, anna, "main", "test")
    running.campaign(
        steps=[{"task": {"title": "call", "due": "2 days"}}, {"task": {"title": "send samples", "staff": "ben"}}]
    )
    running.tick(NOW)
    rows = running.store.rows(
        """
        SELECT tasks.title, tasks.contact_id, staff.name, tasks.due_at
        FROM tasks
        LEFT JOIN staff ON staff.id = tasks.assignee_id
        ORDER BY tasks.id
        """
    )
    due = to_ms(NOW + 2 * DAY)
    assert [tuple(row) for row in rows] == [
        ("call", ann, "anna", due),
        ("call", bob, None, due),
        ("send samples", ann, "ben", None),
        ("send samples", bob, "ben", None),
    ]


def test_who_has_left_while_contacts_wait_gets_none_of_them_and_nothing_to_do(running: Running) -> None:
    ann, bob = running.contact(), running.contact()
    for name in ("anna", "ben"):
        staff.add(running.store, NOW, name)
    with running.store.write():
        ben = staff.get(running.store, "ben")["id"]
        owning.set_owner_where(running.store, NOW, f"SELECT {bob}", {}, ben, "main", "test")
    running.campaign(steps=[{"wait": "1 day"}, {"owner": "anna"}, {"task": {"title": "call", "staff": "anna"}}])
    running.tick(NOW)
    left = leaving.leave(running.store, NOW, "anna")
    assert left.named_by == ("the campaign 'spring'",)
    running.tick(NOW + DAY)
    assert [tuple(row) for row in running.store.rows("SELECT contact_id, staff_id FROM owners")] == [(bob, ben)]
    given = running.store.rows("SELECT contact_id, assignee_id FROM tasks ORDER BY contact_id")
    assert [tuple(row) for row in given] == [(ann, None), (bob, ben)]


def test_t3_a_contact_is_handed_over_when_its_score_passes_the_threshold_and_not_before(running: Running) -> None:
    ann, bob = running.contact(), running.contact()
    for rule in presets.rules("persisca"):
        point_rules.add(running.store, to_ms(NOW), rule)
    staff.add(running.store, NOW, "anna")
    funnels.create(running.store, to_ms(NOW), "Sales", ["Lead", "Offer"])
    running.campaign(
        name="hand over",
        entry={"event": {"name": "stage.entered", "where": "stage = Purchase"}},
        steps=[{"owner": "anna"}, {"funnel": {"name": "Sales", "stage": "Lead"}}, {"task": "call"}],
    )
    for minute in range(5):
        running.happens(ann, "email.clicked", NOW + timedelta(minutes=minute), url="https://shop.example/")
    running.tick(NOW + timedelta(hours=1))
    assert running.store.value("SELECT count(*) FROM owners") == 0
    running.happens(ann, "email.opened", NOW + timedelta(hours=2))
    running.tick(NOW + timedelta(hours=3))
    assert running.store.rows("SELECT contact_id FROM owners")[0][0] == ann
    assert running.store.value("SELECT count(*) FROM tasks") == 1
    assert score(running, bob) == 0


def test_t3_the_shipped_hand_over_brings_a_task_for_the_owner_once_in_ninety_days(workspace: Path, macli: Run) -> None:
    def ok(*args: str, day: int) -> str:
        ran = macli(*args, at=NOW + day * DAY)
        assert ran.code == 0, ran.err
        return ran.out

    ok("apply", str(LIBRARY / "hand-over"), day=0)
    ok("campaign", "activate", "hand-over", day=0)
    ok("staff", "add", "anna", day=0)
    for name in ("ann", "bob"):
        ok("contact", "add", f"{name}@example.com", day=0)
        ok("owner", "set", f"{name}@example.com", "anna", day=0)
    for day, points in ((1, "50"), (2, "1"), (3, "20"), (4, "-60"), (5, "60"), (100, "-60"), (101, "60")):
        ok("points", "give", "--why", "test", "--", "ann@example.com", points, day=day)
        ok("tick", day=day)
        handed_over = json.loads(ok("task", "list", "--json", day=day))
        assert len(handed_over) == (0 if day < 2 else 1 if day < 101 else 2), day
    assert {(task["contact"], task["assignee"], task["title"]) for task in handed_over} == {
        ("ann@example.com", "anna", "Call while it is hot")
    }


def test_a_campaign_that_names_who_has_left_says_so_when_it_starts(workspace: Path, macli: Run) -> None:
    macli("staff", "add", "anna")
    macli("staff", "edit", "anna", "--off")
    folder = workspace / "call"
    folder.mkdir()
    (folder / "campaign.yaml").write_text(
        "name: call\nentry: {rule: everyone}\nsteps:\n  - task: {title: x, staff: Anna}\n"
    )
    assert macli("apply", str(folder)).code == 0
    ran = macli("campaign", "activate", "call")
    assert ran.code == 0
    assert "anna has left the staff, and is given nothing\n" in ran.err


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("{points: ten}", "'ten' is no number"),
        ("{points: {add: 1, set: 2}}", "points are added or set"),
        ("{points: 1000000001}", "more than 1,000,000,000 points at once"),
        ("{points: {set: -1000000001}}", "more than 1,000,000,000 points at once"),
        ("{points: {add: 1, scope: 'stage:Sales/Ofer'}}", "no stage of a funnel named 'Sales/Ofer'"),
        ("{points: {add: 1, scope: 'grup:fit'}}", "is no scope of points"),
        ("{funnel: Sails}", "no funnel named 'Sails'; did you mean 'Sales'?"),
        ("{funnel: {name: Sales, stage: Ofer}}", "no stage named 'Ofer'; did you mean 'Offer'?"),
        ("{owner: ana}", "no member of staff named 'ana'; did you mean 'anna'?"),
        ("{task: {title: call, staff: ana}}", "no member of staff named 'ana'; did you mean 'anna'?"),
        ("{task: ' '}", "the value is empty"),
        ("{note: ' '}", "the value is empty"),
        (f"{{task: {'x' * 201}}}", "201 characters are too many for the title"),
        (f"{{note: {'x' * 20_001}}}", "20,001 characters are too many for the note"),
    ],
)
def test_a_step_that_names_what_is_not_there_is_refused_with_its_line(running: Running, step: str, said: str) -> None:
    staff.add(running.store, NOW, "anna")
    funnels.create(running.store, to_ms(NOW), "Sales", ["Lead", "Offer", "Won"])
    text = f"name: sales\nentry: {{rule: everyone}}\nsteps:\n  - {step}\n"

    def read() -> None:
        source = yaml_source.parse(text, FILE)
        check(running.store, parse(source.value, source.places), now=NOW, zone=ZoneInfo("UTC"))

    with pytest.raises(BadDefinition) as caught:
        read()
    assert said in caught.value.message
    assert f"{FILE}:4" in caught.value.message


def test_what_campaigns_do_to_funnels_is_what_the_door_does(running: Running) -> None:
    ann = running.contact()
    funnels.create(running.store, to_ms(NOW), "Sales", ["Lead", "Offer"])
    moves.move_where(running.store, NOW, f"SELECT {ann}", {}, "Sales", "Lead", "test")
    running.campaign(steps=[{"funnel": {"name": "Sales", "stage": "Lead"}}])
    running.tick(NOW + DAY)
    assert len(events_of(running, "funnel.entered")) == 1


def test_a_tick_says_which_campaigns_their_own_steps_stopped(workspace: Path, macli: Run) -> None:
    for name in ("anna", "ben"):
        macli("staff", "add", name)
        folder = workspace / name
        folder.mkdir()
        (folder / "campaign.yaml").write_text(f"name: {name}\nentry: {{rule: everyone}}\nsteps:\n  - owner: {name}\n")
        macli("apply", str(folder))
        macli("campaign", "activate", name)
    macli("contact", "add", "ann@example.com")
    with open_store(workspace / "macli.db") as store, store.write():
        store.execute("DELETE FROM staff WHERE name = 'ben'")
    ran = macli("tick", "--quiet")
    assert ran.code == 1
    assert "PAUSED ben: no member of staff named 'ben'" in ran.err
    assert "anna:" not in ran.err
    assert "anna" in macli("owner", "show", "ann@example.com").out
    assert (macli("tick", "--quiet").err, macli("tick").code) == ("", 0), "it is told once"
