"""What comes of mail that came in: states, suppressions, consents, campaigns; once, and of nothing made up."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from macli.clock import to_ms
from macli.mailbox import polling
from macli.mailbox.ingesting import take_in, understand
from macli.mailbox.reading import read
from macli.store import settings
from macli.tick.tick import run_tick
from tests.letters import complaint, letter, notice, original
from tests.site import keys
from tests.world import NOW, World, add_campaign, add_contacts, new_world

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Three contacts to whom one mail has gone."""
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 3)
    add_campaign(world.store)
    run_tick(world.engine())
    assert world.states() == {"accepted": 3}
    yield world
    world.store.close()


def send(world: World, number: int = 0) -> int:
    return int(world.store.value("SELECT id FROM sends WHERE address = ?", (f"c{number}@example.com",)))


def key(world: World, number: int = 0) -> str:
    token = str(world.store.value("SELECT value FROM meta WHERE key = 'store'"))[:8]
    return f"{send(world, number)}.{token}"


def verp(world: World, number: int = 0) -> str:
    return f"bounces+{keys(world).message(send(world, number)).bounce}@shop.example"


def take(world: World, *messages: bytes, now=LATER) -> int:
    finder = polling.finder_of(world.store, now, world.path)
    return take_in(world.store, now, [understand(finder, read(message)) for message in messages])


def state(world: World, number: int = 0) -> str:
    return str(world.store.value("SELECT state FROM sends WHERE id = ?", (send(world, number),)))


def suppressed(world: World) -> dict[str, str]:
    return {row["address"]: row["reason"] for row in world.store.rows("SELECT address, reason FROM suppressions")}


def happened(world: World) -> list[str]:
    return [row["name"] for row in world.store.rows("SELECT name FROM events WHERE source <> 'macli' ORDER BY id")]


def mail(world: World, number: int = 0) -> list[str]:
    rows = world.store.rows("SELECT name FROM events WHERE send_id = ? ORDER BY id", (send(world, number),))
    return [row["name"] for row in rows if row["name"].startswith("email.")]


def test_a_hard_bounce_suppresses_the_address_once_however_often_it_is_read(world: World) -> None:
    octets = notice(to=verp(world))
    assert take(world, octets) == 1
    assert take(world, octets, octets) == 0
    assert take(world, notice(to=verp(world), message_id="<another@mx.example>")) == 0
    assert (state(world), mail(world)) == ("bounced", ["email.bounced"])
    assert suppressed(world) == {"c0@example.com": "bounced"}


def test_a_bounce_is_found_by_its_mark_its_key_or_its_address(world: World) -> None:
    assert take(world, notice(back=original(return_path=verp(world)))) == 1
    second = notice(final="c1@example.com", back=original(key=key(world, 1)), message_id="<2@mx>")
    assert take(world, second) == 1
    assert take(world, notice(final="C2@example.com", message_id="<3@mx>")) == 1
    assert world.states() == {"bounced": 3}


def test_a_soft_bounce_fails_the_message_and_leaves_the_address_alone(world: World) -> None:
    assert take(world, notice("5.2.2", "smtp; 552 5.2.2 Mailbox full", to=verp(world))) == 1
    assert (state(world), mail(world), suppressed(world)) == ("failed", ["email.soft_bounced"], {})


def test_a_mail_that_is_only_late_is_nothing(world: World) -> None:
    assert take(world, notice("4.4.1", "timed out", action="delayed", to=verp(world))) == 0
    assert take(world, notice("2.0.0", "ok", action="relayed", to=verp(world))) == 0
    assert (state(world), happened(world)) == ("accepted", [])


def test_a_refused_message_blames_nobody(world: World) -> None:
    assert take(world, notice("5.7.1", "smtp; 554 5.7.1 Message rejected as spam", to=verp(world))) == 1
    assert (state(world), mail(world), suppressed(world)) == ("rejected", [], {})
    assert world.store.value("SELECT state FROM campaigns") in ("active", "finished")


def test_r10_refusals_of_the_sender_stop_the_campaign_and_never_the_contacts(tmp_path: Path) -> None:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 4)
    add_campaign(world.store, steps=[{"send": "hello"}, {"wait": "1 day"}, {"send": "hello", "id": "again"}])
    run_tick(world.engine())
    unauthenticated = "smtp; 550-5.7.26 This mail is unauthenticated"
    for number in range(3):
        assert world.store.value("SELECT state FROM campaigns") == "active"
        take(world, notice("5.7.26", unauthenticated, to=verp(world, number), message_id=f"<{number}@mx>"))
    row = world.store.row("SELECT state, pause_reason FROM campaigns")
    assert row is not None
    assert row["state"] == "paused"
    assert "5.7.26" in row["pause_reason"]
    assert suppressed(world) == {}
    assert world.states() == {"rejected": 3, "accepted": 1}


def test_an_address_that_fails_where_mail_is_forwarded_to_is_not_ours(world: World) -> None:
    forwarded = notice(final="ann@elsewhere.example", to=verp(world))
    assert take(world, forwarded) == 1
    assert (mail(world), suppressed(world)) == (["email.soft_bounced"], {})
    alias = notice(final="ann.lee@example.com", first="c1@example.com", to=verp(world, 1), message_id="<2@mx>")
    assert take(world, alias) == 1
    assert suppressed(world) == {"c1@example.com": "bounced"}


@pytest.mark.parametrize(
    "forged",
    [
        notice(final="nobody@example.com"),
        notice(to="bounces+1-0123456789abcdef@shop.example", final="nobody@example.com"),
        notice(final="c0@example.org", back=original(key="1.abcdef12")),
        complaint(to="nobody@example.com"),
        complaint(back=original(to="nobody@example.com", unsubscribe="1.AAAAAAAAAAAAAAAA")),
        letter(sender="nobody@example.com"),
        letter(sender="nobody@example.com", subject="unsubscribe 1.abcdef12"),
        b"",
    ],
    ids=range(8),
)
def test_what_is_about_none_of_our_messages_changes_nothing(world: World, forged: bytes) -> None:
    assert take(world, forged) == 0
    assert (world.states(), happened(world), suppressed(world)) == ({"accepted": 3}, [], {})


def test_a_key_anybody_can_make_up_counts_only_with_the_address_it_is_of(world: World) -> None:
    guessed = key(world, 1)
    assert take(world, notice(final="c0@example.org", back=original(key=guessed))) == 0
    assert take(world, complaint(to="me@evil.example", back=original(to="me@evil.example", key=guessed))) == 0
    assert take(world, letter(sender="me@evil.example", subject=f"unsubscribe {guessed}")) == 0
    assert take(world, letter(sender="me@evil.example", answers=guessed)) == 0
    assert happened(world) == []


def test_with_a_return_path_a_notice_that_lacks_its_mark_is_not_believed(world: World) -> None:
    settings.put(world.store, NOW, "bounces.address", "bounces@shop.example")
    assert take(world, notice()) == 0
    assert take(world, complaint(to="c0@example.com", back=original())) == 0
    assert take(world, notice(to=verp(world))) == 1


def test_e18_a_complaint_suppresses_and_withdraws_consent(world: World) -> None:
    act = keys(world).message(send(world)).act
    assert take(world, complaint(back=original(to="redacted", unsubscribe=act))) == 1
    assert suppressed(world) == {"c0@example.com": "complained"}
    assert (state(world), mail(world)) == ("delivered", ["email.complained"])
    assert world.store.value("SELECT status FROM consents WHERE channel = 'email'") == "withdrawn"
    assert take(world, complaint(back=original(unsubscribe=act), message_id="<again@isp>")) == 0


def test_e18_a_mail_that_asks_to_be_left_alone_unsubscribes(world: World) -> None:
    act = keys(world).message(send(world, 1)).act
    assert take(world, letter(subject=f"unsubscribe {key(world)}")) == 1
    assert take(world, letter(subject=f"unsubscribe {act}", sender="ann@private.example", message_id="<2@x>")) == 1
    assert take(world, letter(subject="Unsubscribe", sender="c2@example.com", message_id="<3@x>")) == 1
    withdrawn = world.store.value("SELECT count(*) FROM consents WHERE status = 'withdrawn' AND channel = 'email'")
    assert withdrawn == 3
    assert happened(world).count("email.unsubscribed") == 3


@pytest.mark.parametrize("sender", ["c0@example.com", "ann@private.example"])
@pytest.mark.parametrize("planned", [True, False])
def test_e18_a_no_to_a_message_that_is_to_be_sent_again_is_heard(world: World, sender: str, planned: bool) -> None:
    """Its first copy was in doubt, arrived, and was answered."""
    act = keys(world).message(send(world)).act
    with world.store.write():
        state_, address = ("planned", "c0@example.com") if planned else ("skipped", None)
        world.store.execute(
            "UPDATE sends SET state = ?, left_at = NULL, address = ? WHERE id = ?", (state_, address, send(world))
        )
    assert take(world, letter(subject=f"unsubscribe {act}", sender=sender)) == 1
    assert world.store.value("SELECT status FROM consents WHERE contact_id = 1 AND channel = 'email'") == "withdrawn"
    assert not world.states().get("planned")


def test_an_answer_is_an_event_with_its_subject_and_nothing_else(world: World) -> None:
    assert take(world, letter(answers=key(world), subject="Re: Hi Contact 0")) == 1
    row = world.store.row("SELECT contact_id, properties, at FROM events WHERE name = 'email.replied'")
    assert row is not None
    assert (row["contact_id"], row["properties"]) == (1, '{"subject": "Re: Hi Contact 0"}')
    assert row["at"] == to_ms(NOW + timedelta(minutes=30))
    assert take(world, letter(answers=key(world), subject="Re: Hi Contact 0")) == 0
    assert take(world, letter(sender="boss@example.com", answers=key(world, 1), message_id="<2@x>")) == 1
    assert take(world, letter(sender="c2@example.com", subject="A question", message_id="<3@x>")) == 1


def test_an_automatic_answer_does_nothing(world: World) -> None:
    assert take(world, letter(answers=key(world), Auto_Submitted="auto-replied")) == 0
    assert take(world, letter(answers=key(world), subject="Out of office", to=verp(world))) == 0
    assert happened(world) == []


def test_an_answer_ends_a_sequence_that_says_so(tmp_path: Path) -> None:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 2)
    add_campaign(
        world.store,
        exit="replied",
        steps=[{"send": "hello"}, {"wait": "3 days"}, {"send": "hello", "id": "again"}],
    )
    run_tick(world.engine())
    take(world, letter(answers=key(world)))
    run_tick(world.engine(LATER))
    ended = world.store.rows("SELECT contact_id, ended_as FROM enrollments WHERE ended_at IS NOT NULL")
    assert [(row["contact_id"], row["ended_as"]) for row in ended] == [(1, "exit")]
    run_tick(world.engine(NOW + timedelta(days=4)))
    sent = world.store.rows("SELECT contact_id, count(*) AS sends FROM sends GROUP BY contact_id ORDER BY 1")
    assert [tuple(row) for row in sent] == [(1, 1), (2, 2)]


def bounce_softly(world: World, times: int, *, start: int = 0, days: int = 1) -> None:
    """So many campaigns whose mail to c0 bounces, one each few days."""
    for number in range(start, start + times):
        now = NOW + timedelta(days=number * days)
        add_campaign(world.store, f"soft {number}", now=now, entry={"rule": "number = 0"})
        run_tick(world.engine(now))
        send_id = world.store.value("SELECT max(id) FROM sends WHERE contact_id = 1 AND left_at IS NOT NULL")
        to = f"bounces+{keys(world).message(send_id).bounce}@shop.example"
        full = notice("5.2.2", "smtp; 552 5.2.2 full", to=to, message_id=f"<{number}@mx>", date="")
        assert take(world, full, now=now + timedelta(hours=1)) == 1


def test_several_soft_bounces_without_a_delivery_suppress(tmp_path: Path) -> None:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 1)
    bounce_softly(world, 4)
    assert suppressed(world) == {}
    bounce_softly(world, 1, start=4)
    assert suppressed(world) == {"c0@example.com": "soft_bounced"}


def test_a_delivery_between_soft_bounces_begins_the_count_anew(tmp_path: Path) -> None:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 1)
    settings.put(world.store, NOW, "bounces.soft_limit", "3 per 30 days")
    bounce_softly(world, 2)
    add_campaign(world.store, "arrives", now=NOW + timedelta(days=2), entry={"rule": "number = 0"})
    run_tick(world.engine(NOW + timedelta(days=2)))
    send_id = world.store.value("SELECT max(id) FROM sends")
    to = f"bounces+{keys(world).message(send_id).bounce}@shop.example"
    assert take(world, letter(to=to, sender="c0@example.com"), now=NOW + timedelta(days=2, hours=1)) == 1
    bounce_softly(world, 2, start=3)
    assert suppressed(world) == {}
    bounce_softly(world, 1, start=5)
    assert suppressed(world) == {"c0@example.com": "soft_bounced"}


def test_soft_bounces_too_far_apart_do_not_add_up(tmp_path: Path) -> None:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 1)
    settings.put(world.store, NOW, "bounces.soft_limit", "3 per 30 days")
    bounce_softly(world, 4, days=20)
    assert suppressed(world) == {}


def test_the_limit_of_soft_bounces_can_be_off(tmp_path: Path) -> None:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 1)
    settings.put(world.store, NOW, "bounces.soft_limit", "none")
    bounce_softly(world, 6)
    assert suppressed(world) == {}
