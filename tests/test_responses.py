"""What is heard of messages afterwards: any order, any number of times, and never back."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from macli.clock import to_ms
from macli.model import Report
from macli.responses import Heard, hear, hear_all
from macli.tick.advance import advance
from macli.tick.enroll import enroll
from tests.world import NOW, World, add_campaign, add_contacts, new_world

AT = to_ms(NOW) - 60_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = new_world(tmp_path)
    add_contacts(world.store, 3)
    yield world
    world.store.close()


def add_send(world: World, send_id: int = 1, *, state: str = "accepted", channel: str = "email", **more: Any) -> None:
    values = {
        "contact_id": 1,
        "address": "c0@example.com" if channel == "email" else "+14165550000",
        "reason": None,
        "reference": None,
        **more,
    }
    with world.store.write():
        world.store.execute(
            """
            INSERT INTO sends (id, contact_id, channel, state, address, due_at, left_at, reason, reference)
            VALUES (:id, :contact_id, :channel, :state, :address, :now, :now, :reason, :reference)
            """,
            {"id": send_id, "channel": channel, "state": state, "now": AT, **values},
        )


def said(source_id: str = "r1", **more: Any) -> Report:
    return Report(**{"source": "test", "source_id": source_id, "at": AT, "send_id": 1, **more})


def state(world: World, send_id: int = 1) -> str:
    return str(world.store.value("SELECT state FROM sends WHERE id = ?", (send_id,)))


def events(world: World) -> list[tuple[str, int | None]]:
    return [
        (row["name"], row["contact_id"])
        for row in world.store.rows("SELECT name, contact_id FROM events WHERE source NOT LIKE 'macli:%' ORDER BY id")
    ]


def key(world: World, send_id: int = 1) -> str:
    token = world.store.value("SELECT value FROM meta WHERE key = 'store'")[:8]
    return f"{send_id}.{token}"


def test_a_report_moves_its_send_and_is_an_event_of_its_contact(world: World) -> None:
    add_send(world)
    assert hear(world.store, NOW, [said(state="delivered", event="email.delivered", words="250 ok")]) == 1
    row = world.store.row("SELECT state, code, settled_at FROM sends WHERE id = 1")
    assert row is not None
    assert tuple(row) == ("delivered", "250 ok", to_ms(NOW))
    event = world.store.row("SELECT * FROM events WHERE name = 'email.delivered'")
    assert event is not None
    assert (event["contact_id"], event["send_id"], event["at"]) == (1, 1, AT)


def test_a_repeated_report_is_nothing(world: World) -> None:
    add_send(world)
    reports = [said(state="delivered", event="email.delivered")]
    assert hear(world.store, NOW, reports) == 1
    assert hear(world.store, NOW, reports) == 0
    assert events(world) == [("email.delivered", 1)]


@pytest.mark.parametrize("known_by", ["send_id", "key", "reference"])
def test_a_send_is_found_by_its_number_its_key_or_the_providers_reference(world: World, known_by: str) -> None:
    add_send(world, reference="SM1")
    names = {"send_id": 1, "key": key(world), "reference": "SM1"}
    report = said(**{"send_id": None, known_by: names[known_by], "state": "delivered"})
    assert hear(world.store, NOW, [report]) == 1
    assert state(world) == "delivered"


def test_one_reference_for_several_recipients_is_told_apart_by_the_address(world: World) -> None:
    add_send(world, 1, reference="one")
    add_send(world, 2, reference="one", address="c1@example.com", contact_id=2)
    hear(world.store, NOW, [said(send_id=None, reference="one", address="C0@example.com", state="delivered")])
    assert (state(world, 1), state(world, 2)) == ("delivered", "accepted")


@pytest.mark.parametrize("name", ["1.deadbeef", "99.{token}", "x.{token}", "", "1", "1.{token}x", "٣.{token}"])
def test_a_key_of_another_store_or_of_nothing_is_counted_and_otherwise_nothing(world: World, name: str) -> None:
    add_send(world)
    report = said(send_id=None, key=name.format(token=key(world).split(".")[1]), state="bounced", event="email.bounced")
    assert hear_all(world.store, NOW, [report]) == Heard(new=0, known=0, unknown=1)
    assert state(world) == "accepted"
    assert events(world) == []


MAIL = {"accepted": 2, "delivered": 3, "bounced": 4, "rejected": 4, "failed": 4}


@pytest.mark.parametrize("order", list(itertools.permutations(["accepted", "delivered", "bounced"])))
@pytest.mark.parametrize("together", [True, False])
def test_in_whatever_order_reports_come_the_highest_rank_stands(
    world: World, order: tuple[str, ...], together: bool
) -> None:
    add_send(world, state="sending")
    reports = [said(name, state=name) for name in order]
    for batch in [reports] if together else [[report] for report in reports]:
        hear(world.store, NOW, batch)
    assert state(world) == "bounced"


@pytest.mark.parametrize("before", ["delivered", "bounced", "rejected", "failed"])
@pytest.mark.parametrize("after", ["accepted", "delivered", "bounced", "failed"])
def test_a_text_message_is_settled_by_the_first_final_report(world: World, before: str, after: str) -> None:
    add_send(world, state=before, channel="sms")
    hear(world.store, NOW, [said(state=after)])
    assert state(world) == before


@pytest.mark.parametrize("before", list(MAIL))
@pytest.mark.parametrize("after", list(MAIL))
def test_a_mail_never_goes_back(world: World, before: str, after: str) -> None:
    add_send(world, state=before)
    moved = hear(world.store, NOW, [said(state=after)])
    assert state(world) == (after if MAIL[after] > MAIL[before] else before)
    assert moved == (MAIL[after] > MAIL[before])


@pytest.mark.parametrize("after", list(MAIL))
def test_any_report_resolves_a_message_in_doubt(world: World, after: str) -> None:
    add_send(world, state="unknown")
    hear(world.store, NOW, [said(state=after)])
    assert state(world) == after


def test_the_provider_is_believed_over_a_person_who_had_to_guess(world: World) -> None:
    add_send(world, state="failed", reason="decided")
    hear(world.store, NOW, [said(state="delivered")])
    assert state(world) == "delivered"


def test_a_report_on_a_message_planned_again_keeps_it_from_going_out_twice(world: World) -> None:
    add_send(world, state="planned")
    hear(world.store, NOW, [said(state="accepted")])
    assert state(world) == "accepted"


@pytest.mark.parametrize("name", ["email.opened", "email.soft_bounced", "email.complained"])
@pytest.mark.parametrize("before", ["planned", "claimed", "sending", "unknown"])
def test_whatever_happened_to_a_message_says_that_it_left(world: World, name: str, before: str) -> None:
    add_send(world, state=before)
    assert hear(world.store, NOW, [said(event=name)]) == 1
    assert (state(world), events(world)) == ("accepted", [(name, 1)])


def test_what_never_left_stays_skipped(world: World) -> None:
    add_send(world, state="skipped", reason="opted_out", address=None)
    hear(world.store, NOW, [said(state="delivered")])
    assert state(world) == "skipped"


def test_a_bounce_told_by_a_webhook_and_by_a_dsn_is_one_event(world: World) -> None:
    add_send(world)
    bounced = {"state": "bounced", "event": "email.bounced"}
    hear(world.store, NOW, [said("a", source="smtp2go", **bounced), said("b", source="mailbox", **bounced)])
    hear(world.store, NOW, [said("c", source="mailbox", **bounced)])
    assert events(world) == [("email.bounced", 1)]
    assert world.store.value("SELECT reason FROM suppressions WHERE address = 'c0@example.com'") == "bounced"


def test_soft_bounces_are_as_many_as_there_were(world: World) -> None:
    add_send(world)
    assert hear(world.store, NOW, [said(name, event="email.soft_bounced") for name in ("a", "b", "a")]) == 2
    assert state(world) == "accepted"


def test_of_a_deleted_contact_the_address_is_still_suppressed(world: World) -> None:
    add_send(world, contact_id=None)
    hear(world.store, NOW, [said(state="bounced", event="email.bounced")])
    assert events(world) == [("email.bounced", None)]
    assert world.store.value("SELECT count(*) FROM suppressions WHERE address = 'c0@example.com'") == 1


def test_a_report_from_the_future_happened_now(world: World) -> None:
    add_send(world)
    hear(world.store, NOW, [said(at=to_ms(NOW) + 10**9, event="email.delivered")])
    assert world.store.value("SELECT at FROM events WHERE name = 'email.delivered'") == to_ms(NOW)


def test_an_enrollment_that_waited_for_the_message_goes_on(world: World) -> None:
    campaign = add_campaign(world.store, steps=[{"send": "hello"}, {"tag": "GREETED"}])
    engine = world.engine()
    enroll(engine, campaign_id=campaign, over=lambda: False)
    advance(engine, campaign_id=campaign, over=lambda: False)
    with world.store.write():
        world.store.execute("UPDATE sends SET state = 'unknown' WHERE contact_id = 1")
    send = world.store.value("SELECT id FROM sends WHERE contact_id = 1")
    waiting = "SELECT count(*) FROM enrollments WHERE due_at IS NULL"
    assert world.store.value(waiting) == 3
    hear(world.store, NOW, [said(send_id=send, state="delivered")])
    assert world.store.value(waiting) == 2
