"""How long things are kept: what is old goes, a little at a time, and what reports count stays."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from macli import contacts, events
from macli.clock import to_ms
from macli.errors import UnknownName
from macli.model import NewEvent, Report
from macli.privacy import erase, mentions, retention
from macli.responses import hear
from macli.store import contacts as kept
from macli.store import settings, suppressions
from macli.tick.tick import run_tick
from tests.conftest import Run
from tests.test_privacy import figures, mail_everybody
from tests.world import NOW, World, add_contacts, new_world, opt_in, opt_out, remove

DAY = timedelta(days=1)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = new_world(tmp_path / "shop")
    # What points bring about is an event too; here only those count that are told.
    with world.store.write():
        world.store.execute("UPDATE point_rules SET active = 0")
    return world


def happens(world: World, name: str, at: datetime, *, contact: int | None = 1, visitor: int | None = None) -> None:
    said = NewEvent(contact_id=contact, name=name, at=to_ms(at), source="test", visitor_id=visitor)
    events.record(world.store, at, [said])


def purge(world: World, now: datetime) -> dict[str, int]:
    return retention.purge(world.store, world.engine(now).setting, now)


def count(world: World, table: str) -> int:
    return int(world.store.value(f"SELECT count(*) FROM {table}"))


def test_p49_old_hits_go_and_reports_count_as_they_did(world: World) -> None:
    add_contacts(world.store, 3)
    campaign = mail_everybody(world)
    before = figures(world, campaign)
    assert count(world, "hits") == 6
    assert purge(world, NOW + 399 * DAY)["opens and clicks as they came"] == 0
    assert purge(world, NOW + 401 * DAY)["opens and clicks as they came"] == 6
    assert count(world, "hits") == 0
    assert figures(world, campaign) == before
    assert count(world, "sends") == 3
    assert count(world, "links") == 1


def test_p49_a_hit_nobody_made_an_event_of_stays(world: World) -> None:
    add_contacts(world.store, 1)
    mail_everybody(world)
    world.store.connection.execute("UPDATE hits SET class = NULL WHERE kind = 'open'")
    purge(world, NOW + 1000 * DAY)
    assert [row["kind"] for row in world.store.rows("SELECT kind FROM hits")] == ["open"]


def test_p49_old_visits_and_visitors_nobody_knows_go(world: World) -> None:
    add_contacts(world.store, 1)
    with world.store.write():
        for token, contact, last in (("known", 1, NOW), ("old", None, NOW), ("new", None, NOW + 300 * DAY)):
            world.store.execute(
                "INSERT INTO visitors (token, contact_id, first_at, last_at) VALUES (?, ?, ?, ?)",
                (token, contact, to_ms(NOW), to_ms(last)),
            )
    happens(world, "page.visited", NOW, visitor=1)
    happens(world, "page.left", NOW, visitor=1)
    happens(world, "page.visited", NOW, contact=None, visitor=2)
    happens(world, "cart.updated", NOW, contact=None, visitor=2)
    happens(world, "page.visited", NOW + 300 * DAY, contact=None, visitor=3)
    happens(world, "order.paid", NOW)
    purge(world, NOW + 401 * DAY)
    assert [row["token"] for row in world.store.rows("SELECT token FROM visitors")] == ["known", "new"]
    left = [
        (row["name"], row["visitor_id"]) for row in world.store.rows("SELECT name, visitor_id FROM events ORDER BY id")
    ]
    assert left == [("page.visited", 3), ("order.paid", None)]


def test_p49_other_events_are_kept_for_good_until_a_setting_says_else(world: World) -> None:
    add_contacts(world.store, 2)
    campaign = mail_everybody(world)
    before = figures(world, campaign)
    opt_in(world, 1, "email")
    happens(world, "order.paid", NOW)
    happens(world, "order.paid", NOW + 90 * DAY)
    names = "SELECT name, count(*) FROM events GROUP BY name ORDER BY name"
    all_there = [tuple(row) for row in world.store.rows(names)]
    purge(world, NOW + 9999 * DAY)
    assert [tuple(row) for row in world.store.rows(names)] == all_there
    settings.put(world.store, NOW, "retention.events", "30 days")
    assert purge(world, NOW + 100 * DAY)["other events"] == 2
    left = dict(tuple(row) for row in world.store.rows(names))
    assert left == {**{name: times for name, times in all_there if name.startswith("email.")}, "order.paid": 1}
    assert count(world, "consent_log") == 1, "the proof stays"
    assert figures(world, campaign) == before


def test_p49_the_newest_event_stays_so_that_its_number_is_not_given_again(world: World) -> None:
    add_contacts(world.store, 1)
    settings.put(world.store, NOW, "retention.events", "1 day")
    happens(world, "order.paid", NOW)
    happens(world, "order.paid", NOW)
    newest = world.store.value("SELECT max(id) FROM events")
    purge(world, NOW + 50 * DAY)
    assert [row["id"] for row in world.store.rows("SELECT id FROM events")] == [newest]


def test_p49_removed_contacts_become_nobody_and_their_no_stays(world: World) -> None:
    add_contacts(world.store, 4)
    campaign = mail_everybody(world)
    opt_out(world, 1, "email")
    suppressions.add(world.store, to_ms(NOW), "sms", "+14165550001", reason="invalid", source="test")
    for contact in (1, 2, 3):
        remove(world, contact, NOW + (20 if contact == 3 else 0) * DAY)
    before = figures(world, campaign)
    settings.put(world.store, NOW, "retention.removed", "30 days")
    assert purge(world, NOW + 31 * DAY)["removed contacts"] == 2
    assert purge(world, NOW + 31 * DAY)["removed contacts"] == 0
    assert figures(world, campaign) == before
    for gone in ("c0@example.com", "c1@example.com"):
        with pytest.raises(UnknownName):
            kept.find(world.store, gone)
    assert kept.find(world.store, "c2@example.com")["id"] == 3
    assert suppressions.on(world.store, "email", "c0@example.com")["reason"] == "opted_out"
    assert suppressions.on(world.store, "sms", "+14165550001")["reason"] == "invalid"
    assert suppressions.on(world.store, "email", "c1@example.com") is None, "it never said no"
    assert contacts.add(world.store, NOW, {"email": "c1@example.com"}, source="cli").outcome == "added"


def test_p49_what_says_once_and_who_said_no_is_never_purged(world: World) -> None:
    add_contacts(world.store, 2)
    mail_everybody(world)
    opt_out(world, 1, "email")
    suppressions.add(world.store, to_ms(NOW), "email", "x@example.com", reason="by_hand", source="test")
    for key in ("events", "removed"):
        settings.put(world.store, NOW, f"retention.{key}", "1 day")
    remove(world, 2)
    before = {table: count(world, table) for table in ("sends", "suppressions", "consent_log", "enrollments", "links")}
    purge(world, NOW + 5000 * DAY)
    assert {table: count(world, table) for table in before} == before
    world.store.connection.execute("UPDATE campaigns SET state = 'active'")
    sent = len(list((world.path / "out").rglob("*.eml")))
    run_tick(world.engine(NOW + 5000 * DAY))
    assert len(list((world.path / "out").rglob("*.eml"))) == sent


def test_p49_the_tick_purges_once_a_day_a_bounded_part(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(retention, "_BATCHES", 2)
    add_contacts(world.store, 1)
    settings.put(world.store, NOW, "retention.events", "30 days")
    for _ in range(9):
        happens(world, "order.paid", NOW)
    happens(world, "order.paid", NOW + 90 * DAY)

    def left() -> int:
        return int(world.store.value("SELECT count(*) FROM events WHERE name = 'order.paid'"))

    def tick(at: datetime) -> int:
        run_tick(world.engine(at), chosen_time=True)
        return left()

    later = NOW + 100 * DAY
    assert [tick(later), tick(later), tick(later)] == [6, 2, 1]
    happens(world, "order.paid", NOW)
    happens(world, "order.paid", NOW + 99 * DAY)
    assert tick(later + timedelta(hours=1)) == 3, "it was done today"
    assert tick(later + timedelta(hours=25)) == 2


def test_p49_what_comes_in_after_an_erasure_is_forgotten_with_the_next_day(world: World) -> None:
    add_contacts(world.store, 2)
    mail_everybody(world)
    erase.erase(world.store, NOW, erase.find(world.store, "c0@example.com", None))
    with world.store.write():
        world.store.execute(
            """
            INSERT INTO hits (kind, at, send, method, ip, class)
            SELECT 'open', ?, id, 'GET', '203.0.113.9', 'human'
            FROM sends
            """,
            (to_ms(NOW),),
        )
    send = world.store.value("SELECT id FROM sends ORDER BY contact_id LIMIT 1")
    words = "550 <c0@example.com>: no such user"
    told = Report(source="bounces", source_id="1", at=to_ms(NOW), event="email.bounced", send_id=send, words=words)
    assert hear(world.store, NOW, [told]) == 1
    run_tick(world.engine(NOW + DAY))
    assert world.store.value("SELECT count(*) FROM events WHERE name = 'email.bounced'") == 1
    assert not any(mentions.everywhere(world.store, ["c0@example.com"]))
    erased = (
        "SELECT sends.id FROM sends JOIN contacts ON contacts.id = sends.contact_id WHERE contacts.state = 'erased'"
    )
    assert world.store.value(f"SELECT count(*) FROM hits WHERE send IN ({erased})") == 0
    assert count(world, "hits") == 3


def test_p49_the_command_says_what_would_go_and_then_lets_it_go(workspace: Path, macli: Run) -> None:
    macli("contact", "add", "ann@example.com", at=NOW)
    macli("event", "add", "ann@example.com", "order.paid", at=NOW)
    macli("contact", "add", "bob@example.com", at=NOW)
    assert macli("settings", "set", "retention.events", "30 days").code == 0
    assert macli("settings", "set", "retention.removed", "soon").code == 2
    later = NOW + 31 * DAY
    rows = {row["kind"]: row for row in json.loads(macli("privacy", "retention", "--dry-run", "--json", at=later).out)}
    assert rows["other events"] == {"kind": "other events", "setting": "retention.events", "kept": "30 days", "old": 2}
    assert rows["removed contacts"]["kept"] == "for good"
    rows = {row["kind"]: row for row in json.loads(macli("privacy", "retention", "--json", at=later).out)}
    assert rows["other events"]["gone"] == 2
    rows = {row["kind"]: row for row in json.loads(macli("privacy", "retention", "--dry-run", "--json", at=later).out)}
    assert rows["other events"]["old"] == 0
