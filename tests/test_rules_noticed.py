"""What rules ask for changes, and tracked segments and campaigns that ask for it follow with the next tick."""

import shlex
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import NOW, Run
from running import HOUR, Stores
from running import NOW as START

from macli.store import Store, open_store, settings

ANN = "ann@example.com"
MINUTE = timedelta(minutes=1)
REPORT = (
    "rfm create all --recency 'short 9d, medium 9w' --frequency 'common 9, regular 2' --monetary 'spender 9, medium 1'"
)

BEFORE = (
    f"contact add {ANN}",
    "contact add ben@example.com",
    "staff add anna --group sales",
    "staff add marek --group south",
    "funnel create Sales --stages Talk,Offer",
    "points rule add paid --event order.paid --points 1 --scope group:fit",
    "points give ben@example.com 60",
    "points give ben@example.com 1 --scope tag:VIP",
    REPORT,
)
CHANGES = (
    ("score >= 25", f"points give {ANN} 25"),
    ("score >= 100", f"points set {ANN} 100"),
    ("score(VIP) > 3", f"points give {ANN} 5 --scope tag:VIP"),
    ('score("group:fit") >= 1', f"event add {ANN} order.paid"),
    ("rfm all monetary medium", f"event add {ANN} order.paid --set total=5"),
    ("stage is Awareness", f"stage set {ANN} Awareness"),
    ("stage is Loyalty", f"stage set {ANN} Loyalty"),
    ("stage is Consideration", "stage set ben@example.com Consideration"),
    (
        "stage is Consideration and stage is at least Purchase",
        "stage move Consideration --after Purchase --threshold 75 --yes",
    ),
    ("in funnel Sales at Talk", f"funnel move Sales Talk {ANN}"),
    ("in funnel Sales at Offer", f"funnel move Sales Offer {ANN}"),
    ("owner is anna", f"owner set {ANN} anna"),
    ("owner in group south", "staff edit anna --group south"),
    ("co-owner is marek", f"owner add {ANN} marek"),
    ("has note containing seats", f"note add {ANN} '20 seats'"),
    ("has note and has no note containing seats", "note edit 1 nothing"),
    ("has open task", f"task add Call --contact {ANN} --due 'in 3 days'"),
    ("has done task", "task done 1"),
    ("has open deal worth more than 100", f"deal add seats --contact {ANN} --value 1200"),
    ("has deal in funnel Sales at Offer", "deal move 1 Offer --funnel Sales"),
    ("has won deal", "deal win 1"),
    ("has call", f"call log {ANN}"),
    ("churn is high", "prediction import scores.csv --model ours"),
    ("not has note and has call", "note rm 1"),
    ("owner is not set and score > 70", f"owner remove {ANN} anna"),
    ("not in funnel Sales and score > 70", f"funnel remove Sales {ANN}"),
    ("readiness is warm and has call", "settings set points.bands 'cold 0, warm 20, hot 1000'"),
    ("readiness is hot and has call", "settings unset points.bands"),
    ("score(VIP) >= 30 and has call", "settings set points.floor 30"),
)


def members(store: Store, number: int) -> int:
    return int(
        store.value(
            """
            SELECT count(*)
            FROM segment_members
            JOIN segments ON segments.id = segment_members.segment_id
            WHERE segments.name = ?
            """,
            (f"s{number}",),
        )
    )


def test_a_tracked_segment_follows_whatever_its_rule_asks_for(workspace: Path, macli: Run) -> None:
    (workspace / "scores.csv").write_text(f"email,churn\n{ANN},70%\n", "utf-8")

    def type_in(line: str, minutes: int) -> None:
        ran = macli(*shlex.split(line), at=NOW + minutes * MINUTE)
        assert ran.code == 0, (line, ran.err)

    for line in BEFORE:
        type_in(line, 0)
    for number, (rule, _) in enumerate(CHANGES):
        type_in(f"segment create s{number} --track --rule {shlex.quote(rule)}", 0)
    type_in("settings set check_every '9 hours'", 0)
    type_in("tick", 0)
    with open_store(workspace / "macli.db") as store:
        for number, (rule, change) in enumerate(CHANGES):
            before = members(store, number)
            type_in(change, 2 * number + 1)
            type_in("tick", 2 * number + 2)
            assert members(store, number) == before + 1, (rule, change)


def test_a_tracked_segment_of_what_time_or_a_group_changes_follows_when_all_are_looked_at(
    workspace: Path, macli: Run
) -> None:
    lines = (
        *BEFORE,
        f"owner set {ANN} anna",
        f"task add Call --contact {ANN} --due 'in 1 hour'",
        "segment create late --track --rule 'has overdue task'",
        "segment create south --track --rule 'owner in group south'",
        "tick",
    )
    for line in lines:
        assert macli(*shlex.split(line), at=NOW).code == 0, line
    assert macli("staff", "edit", "anna", "--group", "south", at=NOW + 50 * MINUTE).code == 0
    assert macli("tick", at=NOW + 61 * MINUTE).code == 0
    with open_store(workspace / "macli.db") as store:
        assert store.value("SELECT count(*) FROM segment_members") == 2


@pytest.mark.parametrize("existing", [False, True])
def test_a_campaign_lets_in_whom_another_setting_makes_ready(tmp_path: Path, existing: bool) -> None:
    running = Stores(tmp_path).new()
    contact, hot = running.contact(at=START - HOUR), running.contact(at=START - HOUR)
    with running.store.write():
        for who, points in ((contact, 30), (hot, 60)):
            running.store.execute("INSERT INTO scores VALUES (?, 1, ?, 0)", (who, points))
    running.campaign(entry={"whenever": "readiness is hot", "existing": existing}, steps=[{"send": "hello"}])
    running.tick(START + MINUTE)
    before = [hot] if existing else []
    assert [who for who, _ in running.sent()] == before
    settings.put(running.store, START + MINUTE, "points.bands", "cold 0, hot 25")
    running.tick(START + 2 * MINUTE)
    assert [who for who, _ in running.sent()] == [*before, contact]


@pytest.mark.parametrize(
    ("rule", "before", "change"),
    [
        ("score >= 7", "points rule add big --event order.paid --points 7", "points replay --apply --yes"),
        (
            "rfm all monetary spender",
            REPORT,
            "rfm edit all --monetary 'spender 4, medium 1'",
        ),
    ],
)
def test_a_long_run_is_followed_though_ticks_passed_since_it_read_the_clock(
    workspace: Path, macli: Run, rule: str, before: str, change: str
) -> None:
    def type_in(line: str, minutes: int) -> None:
        ran = macli(*shlex.split(line), at=NOW + minutes * MINUTE)
        assert ran.code == 0, (line, ran.err)

    type_in(f"contact add {ANN}", 0)
    type_in(f"event add {ANN} order.paid --set total=5", 0)
    type_in(before, 0)
    type_in(f"segment create s0 --track --rule {shlex.quote(rule)}", 0)
    type_in("settings set check_every '9 hours'", 0)
    type_in("tick", 10)
    type_in(change, 1)
    type_in("tick", 11)
    with open_store(workspace / "macli.db") as store:
        assert members(store, 0) == 1
