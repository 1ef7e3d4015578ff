"""What may leave now, and what waits or is skipped, with its reason."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from macli.errors import OperationFailed
from macli.store import campaign_states, campaigns, ledger, settings, workers
from macli.tick.tick import run_tick
from tests.world import NOW, World, add_campaign, add_contacts, add_template, new_world, opt_in, opt_out, remove


@pytest.fixture
def world(tmp_path: Path) -> World:
    return new_world(tmp_path / "shop")


def put(world: World, key: str, value: str) -> None:
    settings.put(world.store, NOW, key, value)


def limit(world: World, *texts: str) -> None:
    import json

    world.store.execute("UPDATE providers SET limits = ?", (json.dumps(texts),))


def outbox(world: World) -> Counter[str]:
    """How many files the outbox holds for each address."""
    found: Counter[str] = Counter()
    for file in (world.path / "out").rglob("*.*"):
        head = file.read_text("utf-8", "replace").split("\n\n", 1)[0]
        found[next(line[4:].strip(" <>") for line in head.splitlines() if line.startswith("To: ")).split("<")[-1]] += 1
    return found


def test_each_skip_has_its_reason(world: World) -> None:
    add_contacts(world.store, 8)
    world.store.execute("UPDATE contacts SET email = NULL WHERE id = 1")
    opt_out(world, 2, "email")
    remove(world, 3)
    world.store.execute(
        "INSERT INTO suppressions (channel, address, reason, source, suppressed_at)"
        " VALUES ('email', 'c3@example.com', 'bounced', 'test', 0)"
    )
    add_campaign(world.store, entry={"rule": "number >= 0"})
    report = run_tick(world.engine())
    assert world.reasons() == {"no_address": 1, "opted_out": 1, "suppressed": 1}
    assert report.messages["accepted"] == 4
    assert "c2@example.com" not in outbox(world)


def test_a_transactional_message_reaches_who_opted_out_but_never_a_suppressed_address(world: World) -> None:
    add_contacts(world.store, 3)
    opt_out(world, 1, "email")
    world.store.execute(
        "INSERT INTO suppressions (channel, address, reason, source, suppressed_at)"
        " VALUES ('email', 'c1@example.com', 'complained', 'test', 0)"
    )
    add_campaign(world.store, purpose="transactional")
    run_tick(world.engine())
    assert set(outbox(world)) == {"c0@example.com", "c2@example.com"}


def test_text_messages_need_an_opt_in_and_a_no_of_one_holds_for_all_who_share_the_number(world: World) -> None:
    add_contacts(world.store, 4)
    world.store.execute("UPDATE contacts SET phone = '+14165550001' WHERE id IN (1, 2)")
    for contact_id in (1, 2, 3):
        opt_in(world, contact_id, "sms")
    opt_out(world, 2, "sms")
    add_template(world.store, "text", kind="sms", text="Hi {{ first_name }}")
    add_campaign(world.store, channel="sms", entry={"rule": "has phone"}, steps=[{"send": "text"}])
    run_tick(world.engine(NOW + timedelta(hours=4)), chosen_time=True)
    assert world.reasons() == {"opted_out": 2, "no_consent": 1}
    assert list(outbox(world)) == ["+14165550002"]


def test_two_contacts_with_one_number_get_one_text_message(world: World) -> None:
    add_contacts(world.store, 3)
    world.store.execute("UPDATE contacts SET phone = '+14165550001'")
    for contact_id in (1, 2, 3):
        opt_in(world, contact_id, "sms")
    add_template(world.store, "text", kind="sms", text="Hi {{ first_name }}")
    add_campaign(world.store, channel="sms", entry={"rule": "has phone"}, steps=[{"send": "text"}])
    run_tick(world.engine(NOW + timedelta(hours=4)), chosen_time=True)
    assert outbox(world) == {"+14165550001": 1}
    assert world.reasons() == {"duplicate": 2}


def test_quiet_hours_are_the_contacts_own_and_the_message_leaves_when_they_end(world: World) -> None:
    add_contacts(world.store, 3)
    put(world, "quiet_hours.email", "21:00-08:00")
    for contact_id, zone in ((1, "America/Vancouver"), (2, "Europe/Warsaw"), (3, "Pacific/Auckland")):
        world.store.execute("UPDATE contacts SET timezone = ? WHERE id = ?", (zone, contact_id))
    add_campaign(world.store)
    run_tick(world.engine(NOW))  # 09:00 UTC: 01:00 in Vancouver, 10:00 in Warsaw, 22:00 in Auckland
    assert set(outbox(world)) == {"c1@example.com"}
    due = {row["contact_id"]: row["due_at"] for row in world.store.rows("SELECT * FROM sends WHERE state = 'planned'")}
    assert due[1] == datetime(2026, 12, 1, 16, 0, tzinfo=UTC).timestamp() * 1000
    assert due[3] == datetime(2026, 12, 1, 19, 0, tzinfo=UTC).timestamp() * 1000
    run_tick(world.engine(NOW + timedelta(hours=7)), chosen_time=True)
    assert set(outbox(world)) == {"c0@example.com", "c1@example.com"}
    run_tick(world.engine(NOW + timedelta(hours=10)), chosen_time=True)
    assert outbox(world) == {f"c{n}@example.com": 1 for n in range(3)}


def test_a_cap_skips_who_had_enough_and_counts_every_campaign(world: World) -> None:
    add_contacts(world.store, 2)
    put(world, "caps.email", "2 per 7 days")
    for number in range(3):
        add_campaign(world.store, f"number {number}")
        run_tick(world.engine(NOW + timedelta(hours=number)))
    assert outbox(world) == {"c0@example.com": 2, "c1@example.com": 2}
    assert world.reasons() == {"capped": 2}
    add_campaign(world.store, "exempt", caps=False)
    run_tick(world.engine(NOW + timedelta(hours=5)), chosen_time=True)
    add_campaign(world.store, "a week later")
    run_tick(world.engine(NOW + timedelta(days=8)), chosen_time=True)
    assert outbox(world) == {"c0@example.com": 4, "c1@example.com": 4}


def test_a_daily_limit_holds_across_ticks_and_the_rest_leaves_the_next_day(world: World) -> None:
    add_contacts(world.store, 50)
    limit(world, "20 per day")
    add_campaign(world.store)
    for minutes in range(3):
        report = run_tick(world.engine(NOW + timedelta(minutes=minutes)), max_seconds=2)
    assert report.more
    assert sum(outbox(world).values()) == 20
    run_tick(world.engine(NOW + timedelta(days=1)), max_seconds=2, chosen_time=True)
    assert sum(outbox(world).values()) == 40
    run_tick(world.engine(NOW + timedelta(days=2)), max_seconds=2, chosen_time=True)
    assert outbox(world) == {f"c{n}@example.com": 1 for n in range(50)}


def test_a_warm_up_grows_day_by_day(world: World) -> None:
    add_contacts(world.store, 100)
    limit(world, "warm-up 10 x2 until 1000")
    add_campaign(world.store)
    sent = []
    for day in range(4):
        run_tick(world.engine(NOW + timedelta(days=day, minutes=day)), max_seconds=1, chosen_time=True)
        sent.append(sum(outbox(world).values()))
    assert sent == [10, 30, 70, 100]


def test_a_rate_per_domain_holds_back_that_domain_only(world: World) -> None:
    add_contacts(world.store, 30)
    world.store.execute("UPDATE contacts SET email = replace(email, 'example.com', 'gmail.com') WHERE id <= 20")
    limit(world, "gmail.com=5 per hour")
    add_campaign(world.store)
    run_tick(world.engine(NOW))
    assert sum(1 for address in outbox(world) if address.endswith("example.com")) == 10
    assert sum(1 for address in outbox(world) if address.endswith("gmail.com")) == 5
    run_tick(world.engine(NOW + timedelta(hours=1, minutes=1)))
    assert sum(1 for address in outbox(world) if address.endswith("gmail.com")) == 10
    for hours in (2, 3, 4):
        run_tick(world.engine(NOW + timedelta(hours=hours, minutes=2 * hours)))
    assert outbox(world).total() == 30


def test_a_rate_per_second_paces_a_send(world: World) -> None:
    import time

    add_contacts(world.store, 25)
    limit(world, "10 per second")
    add_campaign(world.store)
    started = time.monotonic()
    run_tick(world.engine())
    assert outbox(world).total() == 25
    assert time.monotonic() - started >= 2


def test_a_contact_whose_values_do_not_do_fails_alone(world: World) -> None:
    add_contacts(world.store, 3)
    add_template(world.store, subject="Hi", html="<p>{{ 10 / number }}</p>")
    add_campaign(world.store)
    run_tick(world.engine())
    assert world.states() == {"accepted": 2, "failed": 1}
    said = world.store.value("SELECT code FROM sends WHERE state = 'failed'")
    assert said.startswith("template")
    assert "hello" in said


def test_a_campaign_due_while_nothing_ran_pauses_and_asks(world: World) -> None:
    add_contacts(world.store, 5)
    add_campaign(world.store, entry={"rule": "has email", "at": "2026-12-01 12:00 UTC"})
    run_tick(world.engine(NOW))
    report = run_tick(world.engine(NOW + timedelta(hours=9)))
    assert report.paused == {"spring": "late"}
    assert world.states() == {}
    assert "nothing ran" in world.store.value("SELECT pause_reason FROM campaigns")
    campaign_states.resume(world.store, NOW, campaigns.get(world.store, "spring"))
    run_tick(world.engine(NOW + timedelta(hours=9, minutes=1)))
    assert outbox(world).total() == 5


def test_a_restored_copy_of_the_store_sends_nothing_until_it_is_adopted(world: World) -> None:
    import shutil

    add_contacts(world.store, 5)
    add_campaign(world.store)
    world.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = world.path / "copy.db"
    shutil.copy(world.path / "macli.db", copy)
    run_tick(world.engine())
    assert outbox(world).total() == 5
    world.store.close()
    for leftover in world.path.glob("macli.db-*"):
        leftover.unlink()
    shutil.copy(copy, world.path / "macli.db")
    restored = world.reopen()
    with pytest.raises(OperationFailed, match="older than what this machine has done"):
        run_tick(restored.engine(NOW + timedelta(minutes=1)))
    assert restored.states().keys() == {"planned"}
    assert outbox(world).total() == 5


def test_a_dead_workers_claims_go_back_and_what_it_had_marked_is_unknown(world: World) -> None:
    dead_worker(world, boot=workers.boot_id())
    found = workers.recover(world.store, NOW)
    assert (found.workers, found.planned, found.unknown) == (1, 2, 1)
    assert world.states() == {"planned": 2, "unknown": 1}


def test_after_a_crash_of_the_machine_every_claim_is_unknown(world: World) -> None:
    dead_worker(world, boot="another boot")
    workers.recover(world.store, NOW)
    assert world.states() == {"unknown": 3}


def dead_worker(world: World, *, boot: str) -> None:
    """A worker without a process, with two claims and one message marked."""
    add_contacts(world.store, 3)
    campaign_id = add_campaign(world.store)
    step_id = world.store.value("SELECT id FROM steps WHERE campaign_id = ?", (campaign_id,))
    worker = world.store.value(
        "INSERT INTO workers (token, pid, host, boot, started_at) VALUES ('dead', 1, 'here', ?, 0) RETURNING id",
        (boot,),
    )
    for contact_id, state in ((1, "claimed"), (2, "claimed"), (3, "sending")):
        world.store.execute(
            "INSERT INTO sends (campaign_id, step_id, contact_id, version, channel, state, due_at, worker_id)"
            " VALUES (?, ?, ?, 1, 'email', ?, 0, ?)",
            (campaign_id, step_id, contact_id, state, worker),
        )


def test_a_living_workers_claims_are_left_alone(world: World) -> None:
    other = world.reopen()
    with workers.registered(other.store, NOW):
        assert workers.recover(world.store, NOW).workers == 0
    assert world.store.value("SELECT count(*) FROM workers WHERE ended_at IS NULL") == 0


def test_looking_for_what_is_due_does_not_read_the_ledger(world: World) -> None:
    add_contacts(world.store, 1)
    add_campaign(world.store)
    plan = world.store.rows(
        "EXPLAIN QUERY PLAN SELECT version FROM sends WHERE campaign_id = 1 AND step_id = 1"
        " AND state = 'planned' AND due_at <= 5 ORDER BY due_at LIMIT 1"
    )
    assert "sends_planned" in plan[0]["detail"]
    assert ledger.sources(world.store, 0) == []


def test_a_dry_run_changes_nothing(world: World) -> None:
    add_contacts(world.store, 4)
    add_campaign(world.store)
    report = run_tick(world.engine(), dry=True)
    assert report.messages == {"email due": 4}
    assert report.enrolled == 4
    assert world.states() == {}
    assert world.store.value("SELECT count(*) FROM enrollments") == 0


def test_a_second_tick_beside_a_running_one_does_nothing(world: World) -> None:
    from macli.store import locks

    add_contacts(world.store, 1)
    add_campaign(world.store)
    with locks.holding(world.store.path, "tick"):
        report = run_tick(world.engine())
    assert report.busy
    assert "another tick is running" in report.line()
    assert world.states() == {}
