"""``macli points give``, ``set``, ``watch``, ``check`` and ``recompute`` as people type them."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from macli.store import open_store
from tests.conftest import NOW, Ran, Run

ANN, BOB = "ann@example.com", "bob@example.com"


@pytest.fixture
def points(macli: Run, workspace: Path) -> Run:
    for contact in (ANN, BOB):
        assert macli("contact", "add", contact).code == 0
    return lambda *words, **more: macli("points", *words, **more)


def scores(points: Run, contact: str) -> dict[str, int]:
    told = json.loads(points("show", contact, "--json").out)
    return {row["scope"]: row["score"] for row in told["scores"]}


def said(ran: Ran) -> str:
    assert ran.code == 0, ran.err
    return ran.out.strip()


def test_points_are_given_taken_and_set(points: Run) -> None:
    assert said(points("give", ANN, "25", "--why", "met at the fair")) == "gave 25 points to 1 contact"
    assert said(points("give", ANN, "-5")) == "gave -5 points to 1 contact"
    assert said(points("set", ANN, "7", "--scope", "tag:vip")) == "1 contact had other points and has 7 now"
    assert said(points("set", ANN, "7", "--scope", "tag:vip")) == "0 contacts had other points and have 7 now"
    assert scores(points, ANN) == {"global": 20, "tag:VIP": 7}
    assert "met at the fair" in points("show", ANN).out


def test_points_for_many_are_given_after_asking(points: Run) -> None:
    refused = points("give", "--where", "everyone", "3")
    assert refused.code == 2
    assert scores(points, ANN) == {}
    assert said(points("give", "--where", "everyone", "3", "--yes")) == "gave 3 points to 2 contacts"
    assert scores(points, BOB) == {"global": 3}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("give", ANN), "macli points give --where RULE 25"),
        (("give", ANN, "many"), "'many' is no whole number of points"),
        (("give", ANN, "1.5"), "'1.5' is no whole number of points"),
        (("give", ANN, "9999999999"), "more than 1,000,000,000 points at once"),
        (("give", "nobody@example.com", "3"), "no contact named 'nobody@example.com'"),
        (("give", ANN, "3", "--scope", "stage:Sales/Offer"), "no stage of a funnel named 'Sales/Offer'"),
        (("give", ANN, "3", "--scope", "moon:full"), "'moon:full' is no scope of points"),
        (("watch", "add", "3", "--crossed", "--exceeded"), "say one of them"),
        (("watch", "add", "3", "--at-least"), "tag.scored is about a tag, not global"),
    ],
)
def test_what_is_no_gift_is_refused_and_nothing_is_given(points: Run, words: tuple[str, ...], told: str) -> None:
    refused = points(*words)
    assert refused.code == 2
    assert told in refused.err
    assert scores(points, ANN) == {}
    assert json.loads(points("watch", "list", "--json").out) == []


def test_values_are_watched_listed_and_forgotten(points: Run) -> None:
    assert said(points("watch", "add", "20")).startswith("score.reached of 20 in global: the score is now exactly")
    said(points("watch", "add", "20", "--crossed", "--scope", "group:fit"))
    listed = json.loads(points("watch", "list", "--json").out)
    assert [(row["scope"], row["value"], row["event"]) for row in listed] == [
        ("global", 20, "score.reached"),
        ("group:fit", 20, "score.crossed"),
    ]
    said(points("watch", "rm", "20"))
    gone = points("watch", "rm", "20")
    assert gone.code == 1
    assert "nobody watches score.reached of 20 in global" in gone.err


def test_the_sums_are_proved_and_mended_and_the_doctor_asks_too(points: Run, macli: Run) -> None:
    said(points("give", ANN, "5"))
    assert said(points("check")) == "every score is the sum of its ledger (scores: 1, rows: 1)"
    with open_store(Path("macli.db")) as store, store.write():
        store.execute("UPDATE scores SET points = 60")
    wrong = points("check")
    assert wrong.code == 1
    assert "scores that are not the sum of their ledger: 1 of 1" in wrong.err
    assert "macli points recompute" in macli("doctor").out
    assert "scores corrected: 1" in said(points("recompute"))
    assert json.loads(points("check", "--json").out) == {"rows": 1, "scores": 1, "wrong": 0}


def test_a_tick_says_how_many_points_decayed(points: Run, macli: Run) -> None:
    assert macli("settings", "set", "points.decay", "50 % every 30 days").code == 0
    said(points("give", ANN, "10", at=NOW))
    assert "decayed" in said(macli("tick", at=NOW + timedelta(days=31)))
    assert scores(points, ANN) == {"global": 5}
