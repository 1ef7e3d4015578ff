"""Whatever happens, no contact gets a message twice, and every contact is accounted for."""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from macli.tick.tick import run_tick
from tests import sink as sinks
from tests.world import NOW, World, add_campaign, add_contacts, new_world, opt_out, remove, use_smtp

CONNECTIONS = 10


def tick_in_a_child(world: World, *, later: timedelta = timedelta()) -> int:
    """A tick in a process of its own, forked so that it is on the wire within milliseconds; its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        child = world.reopen()
        run_tick(child.engine(NOW + later))
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)


def wait_for(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def broadcast(tmp_path: Path, port: int, contacts: int, **smtp: object) -> World:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, contacts)
    use_smtp(world.store, port, connections=CONNECTIONS, **smtp)  # type: ignore[arg-type]
    add_campaign(world.store)
    return world


def account(world: World, contacts: int) -> dict[str, int]:
    """The states of all sends; every contact has exactly one."""
    states = world.states()
    assert sum(states.values()) == contacts
    assert world.store.value("SELECT count(DISTINCT contact_id) FROM sends") == contacts
    return states


def assert_the_ledger_agrees(world: World, sink: sinks.Sink) -> None:
    """Nobody twice; what the ledger calls accepted arrived; what arrived is accepted or in doubt."""
    taken = sink.taken()
    assert [address for address, times in taken.items() if times > 1] == []
    rows = world.store.rows("SELECT address, state FROM sends")
    accepted = {row["address"] for row in rows if row["state"] == "accepted"}
    doubted = {row["address"] for row in rows if row["state"] == "unknown"}
    assert accepted <= taken.keys()
    assert taken.keys() <= accepted | doubted


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_hundred_kills_in_a_send_of_five_thousand_neither_repeat_nor_lose_a_message(tmp_path: Path) -> None:
    contacts, kills = 5_000, 0
    chance = random.Random(7)
    with sinks.running(tmp_path / "log", delay=0.02) as sink:
        world = broadcast(tmp_path, sink.port, contacts)
        planned = tick_in_a_child(world)
        time.sleep(0.2)
        while kills < 200:
            os.kill(planned, signal.SIGKILL)
            assert wait_for(planned) == -signal.SIGKILL
            kills += 1
            before = world.states().get("unknown", 0)
            planned = tick_in_a_child(world)
            time.sleep(chance.uniform(0.005, 0.045))
            after = world.states().get("unknown", 0)
            assert after - before <= CONNECTIONS
        assert world.states().keys() & {"planned", "claimed"}, "the kills came too late to prove anything"
        assert wait_for(planned) == 0
        assert wait_for(tick_in_a_child(world)) == 0
        states = account(world, contacts)
        assert states.keys() <= {"accepted", "unknown"}
        assert states.get("unknown", 0) <= kills * CONNECTIONS
        assert_the_ledger_agrees(world, sink)


def test_ten_ticks_at_once_send_every_message_once(tmp_path: Path) -> None:
    with sinks.running(tmp_path / "log", delay=0.002) as sink:
        world = broadcast(tmp_path, sink.port, 1_000)
        children = [tick_in_a_child(world) for _ in range(10)]
        assert [wait_for(pid) for pid in children] == [0] * 10
        assert account(world, 1_000) == {"accepted": 1_000}
        assert_the_ledger_agrees(world, sink)


def test_ten_senders_of_one_campaign_beside_each_other_send_every_message_once(tmp_path: Path) -> None:
    """``campaign send`` does not wait for a tick: here ten of them share the campaign by their claims."""
    from macli.tick.tick import run_campaign

    with sinks.running(tmp_path / "log", delay=0.002) as sink:
        world = broadcast(tmp_path, sink.port, 2_000)
        campaign_id = world.store.value("SELECT id FROM campaigns")
        children = []
        for _ in range(10):
            pid = os.fork()
            if not pid:
                try:
                    run_campaign(world.reopen().engine(), campaign_id)
                    os._exit(0)
                except BaseException:
                    import traceback

                    traceback.print_exc()
                    os._exit(1)
            children.append(pid)
        assert [wait_for(pid) for pid in children] == [0] * 10
        assert account(world, 2_000) == {"accepted": 2_000}
        assert_the_ledger_agrees(world, sink)


def test_two_workers_share_a_campaign(tmp_path: Path) -> None:
    with sinks.running(tmp_path / "log") as sink:
        world = broadcast(tmp_path, sink.port, 3_000)
        report = run_tick(world.engine(), workers_wanted=2)
        assert report.messages == {"accepted": 3_000}
        assert_the_ledger_agrees(world, sink)


@pytest.mark.parametrize("mode", ["drop-after", "hang"])
def test_no_answer_behind_the_message_is_unknown_and_never_sent_again(tmp_path: Path, mode: str) -> None:
    with sinks.running(tmp_path / "log", mode, share=0.02) as sink:
        world = broadcast(tmp_path, sink.port, 500, timeout=1.0)
        for minutes in range(0, 60, 5):
            assert wait_for(tick_in_a_child(world, later=timedelta(minutes=minutes))) == 0
            if world.states().get("planned", 0) == 0:
                break
        states = account(world, 500)
        assert states["unknown"] > 0
        assert states["accepted"] + states["unknown"] == 500
        assert_the_ledger_agrees(world, sink)


def test_a_connection_lost_within_the_message_never_sends_it_twice(tmp_path: Path) -> None:
    """Its end may be in the kernel's hands already, so it is in doubt; its neighbours arrive."""
    with sinks.running(tmp_path / "log", "drop-before", share=0.05) as sink:
        world = broadcast(tmp_path, sink.port, 300)
        for minutes in range(0, 60, 10):
            assert wait_for(tick_in_a_child(world, later=timedelta(minutes=minutes))) == 0
        states = account(world, 300)
        assert states["unknown"] > 0
        assert states["accepted"] + states["unknown"] == 300
        assert_the_ledger_agrees(world, sink)


def test_a_server_that_closes_now_and_then_gets_everything_once(tmp_path: Path) -> None:
    with sinks.running(tmp_path / "log", "closing", share=0.05) as sink:
        world = broadcast(tmp_path, sink.port, 500)
        for minutes in range(0, 60, 5):
            assert wait_for(tick_in_a_child(world, later=timedelta(minutes=minutes))) == 0
        assert account(world, 500) == {"accepted": 500}
        assert_the_ledger_agrees(world, sink)


def test_a_greylisting_server_is_tried_again_later_not_at_once(tmp_path: Path) -> None:
    with sinks.running(tmp_path / "log", "busy") as sink:
        world = broadcast(tmp_path, sink.port, 20)
        report = run_tick(world.engine())
        assert report.messages == {"retry": 20}
        assert run_tick(world.engine()).messages == {}
        due = world.store.value("SELECT min(due_at) FROM sends")
        assert due > NOW.timestamp() * 1000 + 30_000
    with sinks.running(tmp_path / "log2") as sink:
        world.store.execute(
            "UPDATE providers SET settings = json_set(settings, '$.port', ?) WHERE name = 'sink'", (sink.port,)
        )
        run_tick(world.engine(NOW + timedelta(minutes=10)))
        assert account(world, 20) == {"accepted": 20}


def test_an_endlessly_busy_server_ends_as_failed_after_the_last_try(tmp_path: Path) -> None:
    with sinks.running(tmp_path / "log", "busy") as sink:
        world = broadcast(tmp_path, sink.port, 5)
        for hours in range(0, 24 * 5, 7):
            run_tick(world.engine(NOW + timedelta(hours=hours)), chosen_time=True)
        assert account(world, 5) == {"failed": 5}
        assert sink.taken() == {}


def test_one_refused_recipient_never_touches_its_neighbours(tmp_path: Path) -> None:
    with sinks.running(tmp_path / "log", "refuse-rcpt", share=0.2) as sink:
        world = broadcast(tmp_path, sink.port, 400)
        run_tick(world.engine())
        states = account(world, 400)
        assert states.keys() == {"accepted", "bounced"}
        assert len(sink.taken()) == states["accepted"]
        suppressed = world.store.value("SELECT count(*) FROM suppressions WHERE reason = 'bounced'")
        assert suppressed == states["bounced"]


def test_a_server_that_refuses_everything_stops_the_campaign(tmp_path: Path) -> None:
    with sinks.running(tmp_path / "log", "refuse-all") as sink:
        world = broadcast(tmp_path, sink.port, 1_000)
        report = run_tick(world.engine())
        assert "spring" in report.paused
        states = account(world, 1_000)
        assert states["planned"] >= 900
        assert world.store.value("SELECT state FROM campaigns") == "paused"
        assert world.store.value("SELECT count(*) FROM suppressions") == 0
        assert sink.taken() == {}


def test_an_unreachable_server_leaves_everything_planned(tmp_path: Path) -> None:
    world = broadcast(tmp_path, 1, 50)
    report = run_tick(world.engine())
    assert "sink" in report.unreachable
    assert account(world, 50) == {"planned": 50}
    assert "resting" in run_tick(world.engine(NOW + timedelta(seconds=10))).unreachable["sink"]


def test_a_clock_set_back_between_two_ticks_repeats_nothing(tmp_path: Path) -> None:
    with sinks.running(tmp_path / "log") as sink:
        world = broadcast(tmp_path, sink.port, 100)
        run_tick(world.engine(NOW))
        for hours in (-1, -48, 0, 1):
            run_tick(world.engine(NOW + timedelta(hours=hours)))
        assert account(world, 100) == {"accepted": 100}
        assert_the_ledger_agrees(world, sink)


def test_an_opt_out_during_the_send_is_honoured_from_the_next_message_on(tmp_path: Path) -> None:
    with sinks.running(tmp_path / "log", delay=0.05) as sink:
        world = broadcast(tmp_path, sink.port, 600)
        pid = tick_in_a_child(world)
        while not sink.taken():
            time.sleep(0.02)
        last = world.store.value("SELECT id FROM contacts WHERE email = 'c599@example.com'")
        assert world.store.value("SELECT state FROM sends WHERE contact_id = ?", (last,)) in ("planned", "claimed")
        opt_out(world, last, "email")
        assert wait_for(pid) == 0
        assert "c599@example.com" not in sink.taken()
        assert world.reasons() == {"opted_out": 1}
        assert len(sink.taken()) == 599


def test_a_pause_during_the_send_stops_it_and_resume_goes_on(tmp_path: Path) -> None:
    from macli.store import campaign_states, campaigns

    with sinks.running(tmp_path / "log", delay=0.03) as sink:
        world = broadcast(tmp_path, sink.port, 1_000)
        pid = tick_in_a_child(world)
        while not sink.taken():
            time.sleep(0.02)
        campaign_states.pause(world.store, NOW, campaigns.get(world.store, "spring"), "looking again")
        assert wait_for(pid) == 0
        sent = len(sink.taken())
        assert sent < 1_000
        run_tick(world.engine())
        assert len(sink.taken()) == sent
        campaign_states.resume(world.store, NOW, campaigns.get(world.store, "spring"))
        assert wait_for(tick_in_a_child(world)) == 0
        assert account(world, 1_000) == {"accepted": 1_000}
        assert_the_ledger_agrees(world, sink)


def test_sigterm_finishes_the_wire_and_leaves_nothing_in_doubt(tmp_path: Path) -> None:
    with sinks.running(tmp_path / "log", delay=0.02) as sink:
        world = broadcast(tmp_path, sink.port, 1_500)
        arguments = [sys.executable, "-m", "macli", "--workspace", str(world.path), "tick", "--at", "2026-12-01 09:00Z"]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        while not sink.taken():
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == 0
        states = account(world, 1_500)
        assert states.keys() == {"accepted", "planned"}
        assert_the_ledger_agrees(world, sink)


def test_a_full_disk_ends_the_send_without_a_duplicate(tmp_path: Path) -> None:
    import resource

    with sinks.running(tmp_path / "log") as sink:
        world = broadcast(tmp_path, sink.port, 4_000)
        pid = os.fork()
        if not pid:
            try:
                child = world.reopen()
                # No file of this process may grow past this: the store's log runs into it in the middle.
                size = (world.path / "macli.db-wal").stat().st_size + (world.path / "macli.db").stat().st_size
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (size + 2_000_000, size + 2_000_000))
                run_tick(child.engine())
                os._exit(0)
            except BaseException:
                os._exit(1)
        assert wait_for(pid) == 1
        taken = len(sink.taken())
        assert taken < 4_000, "the disk was never full"
        for _ in range(3):
            assert wait_for(tick_in_a_child(world)) == 0
        states = account(world, 4_000)
        assert states.get("unknown", 0) <= CONNECTIONS
        assert_the_ledger_agrees(world, sink)


def test_a_contact_removed_purged_and_added_again_does_not_get_the_message_twice(tmp_path: Path) -> None:
    from macli import contacts

    with sinks.running(tmp_path / "log") as sink:
        world = new_world(tmp_path / "shop")
        add_contacts(world.store, 3)
        use_smtp(world.store, sink.port)
        add_campaign(world.store, entry={"whenever": "has email"})
        run_tick(world.engine())
        remove(world, 2)
        contacts.purge_where(world.store, NOW, contacts.ONE, {"one_contact": 2})
        later = NOW + timedelta(hours=1)
        contacts.add(world.store, later, {"email": "c1@example.com"}, {"first_name": "Again"}, source="test")
        run_tick(world.engine(later + timedelta(hours=1)))
        assert sink.taken() == {f"c{place}@example.com": 1 for place in range(3)}
        assert world.reasons() == {"duplicate": 1}
