"""What visits and purchases bring about: segments, campaigns by page and by event, and the shipped folders."""

import email
import email.policy
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from macli import events, segments, selection
from macli.clock import to_ms
from macli.model import NewEvent
from macli.visitors.url_rules import add
from tests.conftest import Run
from tests.world import NOW, World, add_campaign, add_contacts, add_template, new_world

LIBRARY = Path(__file__).parent.parent / "campaigns"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PRICES = "https://shop.example/prices"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 3)
    return world


def happened(world: World, name: str, contact_id: int, **properties: object) -> None:
    said = NewEvent(contact_id=contact_id, name=name, at=to_ms(NOW), source="tracker", properties=properties)
    events.record(world.store, NOW, [said])


def selected(world: World, rule: str) -> list[int]:
    where = selection.where_of(world.store, rule, NOW + MINUTE, ZoneInfo("UTC"))
    rows = world.store.rows(f"SELECT id FROM contacts WHERE {where.sql} ORDER BY id", where.params)
    return [row["id"] for row in rows]


def enrolled(world: World) -> list[int]:
    return [row["contact_id"] for row in world.store.rows("SELECT contact_id FROM enrollments ORDER BY contact_id")]


def tick(world: World, after: timedelta = MINUTE) -> None:
    from macli.tick.tick import run_tick

    run_tick(world.engine(NOW + after))


def ok(macli: Run, *args: str, **more) -> str:
    ran = macli(*args, **more)
    assert ran.code == 0, ran.err
    return ran.out


def mails(folder: Path) -> list[EmailMessage]:
    files = sorted((folder / "out").rglob("*.eml"))
    return [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]  # type: ignore[misc]


def test_t22_t23_t24_rules_ask_for_pages_in_every_way(world: World) -> None:
    happened(world, "page.visited", 1, url=f"{PRICES}/?a=1#x", page=f"{PRICES}?a=1")
    happened(world, "page.visited", 2, url="https://shop.example/red-shoes/1", page="https://shop.example/red-shoes/1")
    happened(world, "page.visited", 2, url="https://shop.example/red-shoes/1", page="https://shop.example/red-shoes/1")
    assert selected(world, "visited") == [1, 2]
    assert selected(world, 'visited url "HTTP://SHOP.example/prices/?a=1"') == [1]
    assert selected(world, "visited url shop.example/prices") == []
    assert selected(world, "visited url words (shoes)") == [2]
    assert selected(world, "visited url words (shoe)") == []
    assert selected(world, "visited url words any of (prices, boots)") == [1]
    assert selected(world, 'visited url containing "?A=1"') == [1]
    assert selected(world, 'visited url matching "*/red-*/?"') == [2]
    assert selected(world, "visited url containing shoes at least 2 times within 1 day") == [2]
    assert selected(world, "never visited url containing prices") == [2, 3]


def test_e08_a_rule_asks_how_long_a_page_was_looked_at(world: World) -> None:
    happened(world, "page.left", 1, url=PRICES, page=PRICES, seconds=29)
    happened(world, "page.left", 2, url=PRICES, page=PRICES, seconds=30)
    assert selected(world, f"visited url {PRICES} for at least 30 seconds") == [2]
    assert selected(world, "visited for at least 20 seconds at least once within 1 day") == [1, 2]


def test_e08_t30_a_visit_lets_into_a_campaign(world: World) -> None:
    add_template(world.store)
    add_campaign(world.store, entry={"event": {"name": "page.visited", "where": 'url contains "/prices"'}})
    happened(world, "page.visited", 1, url="https://shop.example/jobs")
    happened(world, "page.visited", 2, url=PRICES)
    tick(world)
    assert enrolled(world) == [2]


def test_t25_a_segment_entered_by_a_visit_brings_its_message(world: World) -> None:
    add_template(world.store)
    segments.create(world.store, NOW, ZoneInfo("UTC"), "prospects", static=True)
    add(world.store, NOW, "prices", "path", "/prices/**", segment="prospects")
    add_campaign(world.store, entry={"event": {"name": "segment.entered", "where": 'segment = "prospects"'}})
    happened(world, "page.visited", 3, url=f"{PRICES}/2")
    tick(world)
    assert enrolled(world) == [3]


def test_t21_potential_and_actual_clients_are_told_apart(world: World) -> None:
    with world.store.write():
        world.store.execute("UPDATE contacts SET state = 'customer' WHERE id = 2")
    for contact_id in (1, 2):
        happened(world, "page.visited", contact_id, url=PRICES, page=PRICES)
    assert selected(world, f"state = lead and visited url {PRICES}") == [1]
    assert selected(world, f"state = customer and visited url {PRICES}") == [2]


def test_g21_an_event_of_the_company_s_own_sends_a_mail(world: World) -> None:
    add_template(world.store)
    add_campaign(world.store, entry={"event": "trial.ended"})
    happened(world, "trial.ended", 1)
    tick(world)
    assert enrolled(world) == [1]


def test_e19_an_event_s_values_decide_who_comes_in(world: World) -> None:
    add_template(world.store)
    where = 'total > 100 and currency = "EUR"'
    add_campaign(world.store, entry={"event": {"name": "order.paid", "where": where}})
    for contact_id, total, currency in ((1, 100, "EUR"), (2, 100.5, "EUR"), (3, 500, "USD")):
        happened(world, "order.paid", contact_id, total=total, currency=currency)
    tick(world)
    assert enrolled(world) == [2]


def test_e10_e12_a_first_value_and_a_changed_one_let_in(world: World) -> None:
    from macli import contacts

    add_template(world.store)
    for name, event in (("first", "attribute.set"), ("changed", "attribute.changed")):
        add_campaign(world.store, name, entry={"event": {"name": event, "where": "name = plan"}})
    one = {"one_contact": 1}
    for value in ("trial", "trial", "pro"):
        contacts.set_attribute_where(world.store, NOW, contacts.ONE, one, "plan", value, "tracker")
        tick(world)
    assert world.store.value("SELECT count(*) FROM events WHERE name = 'attribute.set'") == 1
    assert world.store.value("SELECT count(*) FROM events WHERE name = 'attribute.changed'") == 1
    assert enrolled(world) == [1, 1]


def test_t36_every_purchase_is_thanked_for_whatever_was_said_of_marketing(workspace: Path, macli: Run) -> None:
    ok(macli, "settings", "set", "sender.email", "news@shop.example", at=NOW)
    ok(macli, "contact", "add", "ann@example.com", at=NOW)
    ok(macli, "apply", str(LIBRARY / "thank-you"), at=NOW)
    ok(macli, "campaign", "activate", "thank-you", at=NOW)
    ok(macli, "contact", "opt-out", "ann@example.com", "--channel", "email", at=NOW)
    for minute, order in enumerate(("o1", "o1", "o2"), start=1):
        ok(macli, "event", "add", "ann@example.com", "order.paid", "--id", order, at=NOW + minute * MINUTE)
        ok(macli, "tick", at=NOW + minute * MINUTE)
    sent = mails(workspace)
    assert [mail["Subject"] for mail in sent] == ["Thank you for your order"] * 2
    assert all(mail["List-Unsubscribe"] is None for mail in sent)


def test_t31_a_dropped_basket_brings_its_mail_and_a_bought_one_none(workspace: Path, macli: Run) -> None:
    ok(macli, "settings", "set", "sender.email", "news@shop.example", at=NOW)
    for name in ("ann", "bob"):
        ok(macli, "contact", "add", f"{name}@example.com", at=NOW)
    ok(macli, "apply", str(LIBRARY / "basket-dropped"), at=NOW)
    ok(macli, "campaign", "activate", "basket-dropped", at=NOW)
    ok(macli, "tick", at=NOW)
    for name in ("ann", "bob"):
        ok(macli, "event", "add", f"{name}@example.com", "cart.updated", "--set", "total=10", at=NOW + MINUTE)
    ok(macli, "event", "add", "bob@example.com", "order.paid", at=NOW + 30 * MINUTE)
    for minutes in (59, 61, 62, 200):
        ok(macli, "tick", at=NOW + minutes * MINUTE)
    assert [mail["To"] for mail in mails(workspace)] == ["ann@example.com"]
