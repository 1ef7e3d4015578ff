"""A round over everybody in an RFM report: others record purchases, tick and begin rounds of their own meanwhile."""

from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from macli.clock import to_ms
from macli.errors import OperationFailed
from macli.lifecycle import rfm as lifecycle
from macli.privacy import erase
from macli.reports.rfm import summary
from macli.scoring import rfm as banding
from macli.segments import create as create_segment
from macli.store import open_store, rfm
from tests.conftest import Run
from tests.test_rfm import DAY, THRESHOLDS, bands, bought, changes, happened, report, tick
from tests.world import NOW, World, add_campaign, add_contacts, new_world

CHANGED = {"monetary": "spender 50, medium 5"}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Five contacts with a purchase each and one without; a round writes one contact at a time."""
    monkeypatch.setattr(banding, "STEP", 1)
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 6)
    for contact_id in range(1, 6):
        bought(world, NOW - contact_id * 20 * DAY, 10, contact_id=contact_id)
    return world


def meanwhile(world: World, work: Callable[[World], object], *, contacts: int = 0) -> Callable[[int], None]:
    """Tells a round's ``advance`` to do the work, in another process, once so many contacts are written.

    0 is between reading them all and writing the first.
    """
    left = [contacts]

    def do() -> None:
        with world.reopen().store as store:
            work(World(path=world.path, store=store))

    def at(statement: str) -> None:
        if "INTO rfm_moved" in statement and left == [0]:
            left.clear()
            do()

    def advance(written: int) -> None:
        if left:
            left[0] -= written
            if left == [0]:
                left.clear()
                do()

    if not contacts:
        world.store.connection.set_trace_callback(at)
    return advance


def everybody(world: World) -> list[tuple[object, ...]]:
    return [tuple(row) for row in world.store.rows("SELECT * FROM rfm_bands ORDER BY contact_id")]


def true(world: World) -> bool:
    """Whether the bands are those that a round with nobody beside it finds."""
    before = everybody(world)
    lifecycle.recompute(world.store, NOW, "customers")
    return everybody(world) == before


@pytest.mark.parametrize("contacts", [0, 1, 4])
@pytest.mark.parametrize("contact_id", [1, 3, 5, 6])
def test_a_purchase_recorded_beside_a_round_counts(world: World, contacts: int, contact_id: int) -> None:
    report(
        world, advance=meanwhile(world, lambda other: bought(other, NOW, 600, contact_id=contact_id), contacts=contacts)
    )
    assert (bands(world, contact_id) or ())[2] == "spender"
    assert true(world)


def test_a_purchase_taken_back_beside_a_round_is_none_again(world: World) -> None:
    bought(world, NOW, contact_id=6, order="A")
    advance = meanwhile(world, lambda other: happened(other, "order.cancelled", NOW, 6, order="A"))
    report(world, advance=advance)
    assert bands(world, 6) is None
    assert true(world)


def test_e07_what_moves_beside_a_recomputation_is_told_once(world: World) -> None:
    report(world)
    for moment in (0, 1):
        world.store.execute("UPDATE rfm_bands SET recency = 'long', purchases = 0")
        advance = meanwhile(world, lambda other: bought(other, NOW, contact_id=3), contacts=moment)
        lifecycle.recompute(world.store, NOW, "customers", advance)
        assert true(world)
    told = [move for move in changes(world.store, 3) if move[0] == "recency"]
    assert told == [("recency", "long", "short"), ("recency", "long", "short")]


@pytest.mark.parametrize("given", [{}, CHANGED], ids=["recomputed", "edited"])
def test_e07_what_time_moved_before_a_round_is_told_and_not_swallowed_by_it(
    world: World, given: dict[str, str]
) -> None:
    report(world)
    later = NOW + 11 * DAY
    if given:
        lifecycle.edit(world.store, later, "customers", **given)
    else:
        lifecycle.recompute(world.store, later, "customers")
    tick(world, later)
    assert changes(world.store, 1) == [("recency", "short", "medium")]
    assert changes(world.store, 2) == []


def test_who_comes_into_a_report_while_it_is_made_is_told_of_the_move_after(world: World) -> None:
    def buys(other: World) -> None:
        bought(other, NOW, 10, contact_id=4)
        assert changes(other.store, 4) == []
        bought(other, NOW, 600, contact_id=4)

    report(world, advance=meanwhile(world, buys))
    assert changes(world.store, 4) == [("frequency", "casual", "regular"), ("monetary", "saver", "spender")]


def test_who_is_sorted_by_a_changed_report_already_is_told_of_moves(world: World) -> None:
    report(world)

    def buys(other: World) -> None:
        for contact_id in (2, 4):
            bought(other, NOW, 40, contact_id=contact_id)

    lifecycle.edit(world.store, NOW, "customers", **CHANGED, advance=meanwhile(world, buys, contacts=2))
    assert changes(world.store, 2) == [("recency", "medium", "short"), ("monetary", "medium", "spender")]
    assert changes(world.store, 4) == []
    assert bands(world, 4) == ("short", "casual", "spender")
    assert true(world)


def test_a_tick_beside_a_round_of_an_earlier_time_is_not_set_back(world: World) -> None:
    bought(world, NOW, contact_id=6)
    report(world)
    world.store.execute("UPDATE rfm_bands SET purchases = 7")
    later = NOW + 31 * DAY
    advance = meanwhile(world, lambda other: tick(other, later))
    lifecycle.recompute(world.store, NOW, "customers", advance)
    assert (bands(world, 6) or ())[0] == "medium"
    tick(world, later)
    assert changes(world.store, 6) == [("recency", "short", "medium")]


def test_who_is_erased_beside_a_round_stays_so(world: World) -> None:
    def erases(other: World) -> None:
        erase.erase(other.store, NOW, erase.find(other.store, "c2@example.com", None))

    report(world, advance=meanwhile(world, erases))
    assert bands(world, 3) is None
    assert true(world)


@pytest.mark.parametrize("contacts", [0, 3])
def test_a_round_that_was_stopped_says_so_and_is_finished_by_the_next(world: World, contacts: int) -> None:
    def stop(other: World) -> None:
        raise KeyboardInterrupt

    advance = meanwhile(world, stop, contacts=contacts) if contacts else stop
    with pytest.raises(OperationFailed, match="not everybody is sorted") as stopped:
        report(world, advance=advance)
    assert stopped.value.hint == "macli rfm recompute 'customers' sorts them"
    assert not summary(world.store, "customers", to_ms(NOW))["complete"]
    bought(world, NOW, 600, contact_id=5)
    assert bands(world, 5) == ("short", "casual", "spender")
    assert changes(world.store, 5) == []
    bought(world, NOW, 1, contact_id=5)
    lifecycle.recompute(world.store, NOW, "customers")
    assert changes(world.store, 5) == [("frequency", "casual", "regular")]
    assert summary(world.store, "customers", to_ms(NOW))["complete"]
    assert len(everybody(world)) == 5
    assert world.store.value("SELECT count(*) FROM rfm_looked_at") == 0
    assert true(world)


@pytest.mark.parametrize("contacts", [0, 2])
def test_a_round_gives_way_to_one_that_begins_later(world: World, contacts: int) -> None:
    report(world)
    advance = meanwhile(
        world, lambda other: lifecycle.edit(other.store, NOW, "customers", **CHANGED), contacts=contacts
    )
    world.store.execute("UPDATE rfm_bands SET purchases = 7")
    with pytest.raises(OperationFailed, match="was changed, removed or computed anew meanwhile"):
        lifecycle.recompute(world.store, NOW, "customers", advance)
    assert {row["monetary"] for row in world.store.rows("SELECT monetary FROM rfm_bands")} == {"medium"}
    assert true(world)


def test_a_report_removed_while_it_is_computed_stays_away(world: World) -> None:
    with pytest.raises(OperationFailed, match="removed"):
        report(world, advance=meanwhile(world, lambda other: lifecycle.remove(other.store, "customers")))
    assert rfm.all_(world.store) == []
    assert everybody(world) == []


def test_a_removal_that_was_stopped_leaves_a_report_to_be_computed_or_removed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(world)
    monkeypatch.setattr(lifecycle, "_CHUNK", 2)
    with world.store.write():
        rfm.begin_round(world.store, 1, afresh=True)
        assert rfm.forget_some(world.store, 1, 2) == 2
    assert len(everybody(world)) == 3
    assert not summary(world.store, "customers", to_ms(NOW))["complete"]
    bought(world, NOW, contact_id=1)
    assert changes(world.store) == []
    lifecycle.remove(world.store, "customers")
    assert rfm.all_(world.store) == []
    assert everybody(world) == []


def test_doctor_names_a_report_in_which_not_everybody_is_sorted(workspace: Path, macli: Run) -> None:
    thresholds = [word for name, text in THRESHOLDS.items() for word in (f"--{name}", text)]
    assert macli("rfm", "create", "customers", *thresholds).code == 0
    assert "RFM report" not in macli("doctor").out
    with open_store(workspace / "macli.db") as store, store.write():
        rfm.begin_round(store, 1, afresh=True)
    assert "not everybody is sorted yet" in macli("rfm", "show", "customers").out
    told = macli("doctor").out
    assert "'customers': not everybody is sorted yet" in told
    assert "macli rfm recompute 'customers'" in told


# What asks for a report.


def test_a_report_that_is_asked_for_is_kept(world: World) -> None:
    report(world, "Big spenders")
    create_segment(world.store, NOW, ZoneInfo("UTC"), "again", rule="rfm 'big  SPENDERS' recency long")
    moved = {"name": "rfm.changed", "where": "report = 'Big spenders' and to = short"}
    add_campaign(world.store, "back", entry={"event": moved}, steps=[{"send": "hello"}])
    used = "'Big spenders' is in use by the campaign 'back', the segment 'again'"
    with pytest.raises(OperationFailed, match=used):
        lifecycle.remove(world.store, "big spenders")
    report(world, "spenders")
    lifecycle.remove(world.store, "spenders")
    assert [row["name"] for row in rfm.all_(world.store)] == ["Big spenders"]
