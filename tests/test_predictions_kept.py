"""Predictions are kept in steps: others write between them, stop on their way, and keep predictions of their own."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from macli.clock import to_ms
from macli.errors import OperationFailed
from macli.segments import create as create_segment
from macli.store import Store
from macli.store import predictions as kept
from macli.store.predictions import Kept, Model
from macli.tick.tick import run_tick
from tests.world import NOW, World, add_contacts, new_world

LATER = NOW + timedelta(days=1)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Five contacts; a step is of one."""
    monkeypatch.setattr(kept, "STEP", 1)
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 5)
    return world


def keep(
    store: Store,
    churn: float,
    now: datetime = NOW,
    *,
    people: range = range(1, 6),
    source: str = "fit",
    advance: Callable[[int], None] = lambda contacts: None,
) -> Kept:
    """Keep the same probability of churn for some contacts, by a model of that name."""
    kept.stage(store)
    kept.put(store, ((contact_id, churn, None, None, None) for contact_id in people))
    model = Model(name=str(churn), source=source, at=to_ms(now), params={}, quality={}, horizon_days=90)
    return kept.keep(store, now, model, as_of=to_ms(now), advance=advance)


def after(contacts: int, work: Callable[[], object]) -> Callable[[int], None]:
    left = [contacts]

    def advance(done: int) -> None:
        left[0] -= done
        if left[0] == 0:
            work()

    return advance


def stop() -> None:
    raise KeyboardInterrupt


def churn(world: World) -> list[float | None]:
    found = {row["contact_id"]: row["probability"] for row in world.store.rows("SELECT * FROM predictions")}
    return [found.get(contact_id) for contact_id in range(1, 6)]


def touched(world: World, at: datetime) -> list[int]:
    rows = world.store.rows("SELECT id FROM contacts WHERE updated_at = :at ORDER BY id", {"at": to_ms(at)})
    return [row["id"] for row in rows]


def test_in_steps_comes_the_same_as_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keep(world.store, 0.1) == Kept(churn=5, purchase=0, changed=5)
    assert keep(world.store, 0.2, people=range(2, 6)) == Kept(churn=4, purchase=0, changed=1)
    assert churn(world) == [None, 0.2, 0.2, 0.2, 0.2]
    assert keep(world.store, 0.6, LATER, people=range(3, 6)) == Kept(churn=3, purchase=0, changed=4)
    assert touched(world, LATER) == [2, 3, 4, 5]
    monkeypatch.setattr(kept, "STEP", 100)
    assert keep(world.store, 0.9, people=range(5, 6)) == Kept(churn=1, purchase=0, changed=3)


def test_others_write_between_the_steps(world: World) -> None:
    def beside() -> None:
        with world.reopen().store as store, store.write():
            store.execute("DELETE FROM contacts WHERE id = 5")
            store.execute("UPDATE contacts SET removed_at = 1 WHERE id = 4")

    keep(world.store, 0.1, advance=after(2, beside))
    assert churn(world) == [0.1, 0.1, 0.1, None, None]


def test_a_fit_that_was_stopped_is_no_last_fit_and_the_next_finishes_it(world: World) -> None:
    keep(world.store, 0.1)
    with pytest.raises(KeyboardInterrupt):
        keep(world.store, 0.6, LATER, advance=after(2, stop))
    assert churn(world) == [0.6, 0.6, 0.1, 0.1, 0.1]
    last = kept.last_fit(world.store)
    assert last is not None
    assert last["fitted_at"] == to_ms(NOW)
    keep(world.store, 0.7, LATER, people=range(2, 6))
    assert churn(world) == [None, 0.7, 0.7, 0.7, 0.7]
    assert [(row["name"], row["contacts"], row["contacts_now"]) for row in kept.models(world.store, LATER)] == [
        ("0.7", 4, 4),
        ("0.6", 0, 0),
        ("0.1", 5, 0),
    ]


@pytest.mark.parametrize("source", ["fit", "import"])
def test_of_two_at_once_the_one_that_began_later_counts(world: World, source: str) -> None:
    def beside() -> None:
        with world.reopen().store as store:
            keep(store, 0.6, source=source)

    keep(world.store, 0.1, advance=after(2, beside))
    assert churn(world) == [0.6] * 5


def test_what_is_taken_away_meanwhile_stays_away(world: World) -> None:
    def beside() -> None:
        with world.reopen().store as store:
            assert kept.clear(store, NOW) == 2

    with pytest.raises(OperationFailed, match="taken away meanwhile"):
        keep(world.store, 0.1, advance=after(2, beside))
    assert churn(world) == [None] * 5
    assert kept.models(world.store, NOW) == []


@pytest.mark.parametrize("left", [0, 2], ids=["to its end", "stopped"])
def test_rules_look_again_at_whom_a_long_fit_changed_though_ticks_passed_meanwhile(world: World, left: int) -> None:
    create_segment(world.store, NOW, ZoneInfo("UTC"), "leaving", rule='churn is "very high"', tracked=True)
    run_tick(world.engine(LATER))
    with suppress(KeyboardInterrupt):
        keep(world.store, 0.9, people=range(1, 4), advance=after(left, stop))
    run_tick(world.engine(LATER))
    members = [row[0] for row in world.store.rows("SELECT contact_id FROM segment_members ORDER BY contact_id")]
    assert members == list(range(1, (left or 3) + 1))
    kept.clear(world.store, NOW)
    run_tick(world.engine(LATER))
    assert world.store.value("SELECT count(*) FROM segment_members") == 0


def test_clearing_goes_in_steps_and_has_rules_look_again(world: World) -> None:
    keep(world.store, 0.1)
    keep(world.store, 0.4, people=range(2, 3), source="import")
    assert kept.clear(world.store, LATER) == 5
    assert touched(world, LATER) == [1, 2, 3, 4, 5]
    assert churn(world) == [None] * 5
    assert kept.models(world.store, NOW) == []
