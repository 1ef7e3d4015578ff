"""A no that was answered holds, by whatever door it came and whatever is killed beside it; each door writes it down."""

import os
import random
import re
import shutil
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from macli import contacts, events
from macli.clock import to_ms
from macli.errors import OperationFailed
from macli.forms import authoring
from macli.importer import Options, prepare
from macli.importer import run as import_all
from macli.importer.source import opened
from macli.mailbox import polling
from macli.mailbox.ingesting import take_in, understand
from macli.mailbox.reading import read
from macli.model import NewEvent
from macli.privacy import erase
from macli.providers import twilio_callbacks
from macli.responses import texts, told
from macli.store import open_store, settings, suppressions, topics, upkeep
from macli.store.preferences import Preferences
from macli.tick.tick import run_tick
from tests import sink as sinks
from tests.letters import complaint, letter, notice, original
from tests.site import keys, serving
from tests.test_at_most_once import broadcast, tick_in_a_child, wait_for
from tests.test_serve import server
from tests.world import NOW, World, add_campaign, add_contacts, new_world

PEOPLE = 1200
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


class Browser:
    """Posts to a server that may be dead at any time; says whether it was answered."""

    def __init__(self, world: World, port: int) -> None:
        self.world, self.port = world, port

    def __call__(self, page: str, fields: dict[str, str], send_id: int) -> bool:
        token = keys(self.world).message(send_id).act
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            connection.request("POST", f"/{page}/{token}", urlencode(fields), headers)
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def by_mail(make: Callable[[str, str, str], bytes]) -> Callable[[World, int, int], bool]:
    def tell(world: World, contact_id: int, send_id: int) -> bool:
        token = keys(world).message(send_id)
        octets = make(token.act, f"bounces+{token.bounce}@shop.example", f"<{send_id}@mx.example>")
        finder = polling.finder_of(world.store, NOW, world.path)
        return take_in(world.store, NOW, [understand(finder, read(octets))]) > 0

    return tell


def suppress(world: World, contact_id: int, send_id: int) -> bool:
    address = f"c{contact_id - 1}@example.com"
    return suppressions.add(world.store, to_ms(NOW), "email", address, reason="by_hand", source="cli")


def forget(world: World, contact_id: int, send_id: int) -> bool:
    try:
        erase.erase(world.store, NOW, erase.find(world.store, f"c{contact_id - 1}@example.com", None))
    except OperationFailed:  # a message to them is on its way
        return False
    return True


def pause(world: World, contact_id: int, send_id: int) -> bool:
    wanted = Preferences(paused_until=NOW.replace(year=2030))
    return contacts.prefer(world.store, NOW, contact_id, wanted, "web")


def test_an_answered_no_holds_though_sender_and_server_are_killed_again_and_again(tmp_path: Path) -> None:
    chance = random.Random(11)
    ways: list[Callable[[World, int, int], bool]] = [
        suppress,
        forget,
        pause,
        by_mail(lambda act, verp, name: letter(subject=f"unsubscribe {act}", message_id=name)),
        by_mail(lambda act, verp, name: complaint(back=original(to="redacted", unsubscribe=act), message_id=name)),
        by_mail(lambda act, verp, name: notice(to=verp, final="", message_id=name)),
    ]
    with sinks.running(tmp_path / "log", delay=0.02) as sink:
        world = broadcast(tmp_path, sink.port, PEOPLE)
        settings.put(world.store, NOW, "public_url", "https://news.example")
        settings.put(world.store, NOW, "bounces.address", "bounces@shop.example")
        settings.put(world.store, NOW, "complaints.stop", "99 %")
        forbidden: dict[str, int] = {}
        turn = unanswered = 0
        while turn < 120:
            with server(world) as (process, port):
                browser = Browser(world, port)
                sender = tick_in_a_child(world)
                while not sink.taken():
                    time.sleep(0.01)
                doomed = turn + chance.randint(15, 30)
                while turn < doomed:
                    turn += 1
                    contact_id = chance.randint(1, PEOPLE)
                    row = world.store.row("SELECT id, address FROM sends WHERE contact_id = ?", (contact_id,))
                    assert row is not None
                    if turn == doomed:
                        os.kill(process.pid, signal.SIGKILL)
                    if turn % 3 == 0:
                        said = chance.choice(ways)(world, contact_id, row["id"])
                    elif turn % 3 == 1:
                        said = browser("u", ONE_CLICK, row["id"])
                    else:
                        said = browser("prefs", {"off": "all"}, row["id"])
                    unanswered += not said
                    state = world.store.value("SELECT state FROM sends WHERE id = ?", (row["id"],))
                    if said and state in ("planned", "claimed", "skipped"):
                        forbidden[f"c{contact_id - 1}@example.com"] = turn
                    if turn % 10 == 0 or turn == doomed:
                        os.kill(sender, signal.SIGKILL)
                        wait_for(sender)
                        sender = tick_in_a_child(world) if turn < doomed else 0
        assert len(forbidden) > 20, "everything had left before anybody said no"
        assert wait_for(tick_in_a_child(world, later=timedelta(minutes=10))) == 0
        taken = sink.taken()
    # A notice about a message that is not sent yet says that it was: it never leaves, and is counted so.
    assert forbidden.keys() & taken.keys() == set()
    assert [address for address, times in taken.items() if times > 1] == []
    assert world.store.value("PRAGMA integrity_check") == "ok"
    assert world.store.rows("PRAGMA foreign_key_check") == []
    assert not world.states().keys() & {"planned", "claimed", "sending"}


def test_a_server_whose_store_was_replaced_by_a_backup_answers_no_no_it_cannot_keep(tmp_path: Path) -> None:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 2)
    add_campaign(world.store)
    run_tick(world.engine())
    settings.put(world.store, NOW, "public_url", "https://news.example")
    upkeep.backup(world.store, tmp_path / "backup.db")
    tokens = [keys(world).message(send_id).act for send_id in (1, 2)]
    world.store.close()

    def withdrawn() -> int:
        with open_store(world.path / "macli.db") as store:
            return int(store.value("SELECT count(*) FROM consents WHERE status = 'withdrawn'"))

    with serving(world) as client:
        assert client.post(f"/u/{tokens[0]}", data=ONE_CLICK).status_code == 200
        assert withdrawn() == 1
        for name in ("macli.db", "macli.db-wal", "macli.db-shm"):
            (world.path / name).unlink()
        shutil.copy(tmp_path / "backup.db", world.path / "macli.db")
        assert client.post(f"/u/{tokens[1]}", data=ONE_CLICK).status_code == 503
        assert client.get(f"/u/{tokens[1]}").status_code == 503
        assert withdrawn() == 0
    with serving(world) as client:
        assert client.post(f"/u/{tokens[1]}", data=ONE_CLICK).status_code == 200
    assert withdrawn() == 1


# Every door


class House:
    """A world with one contact who has a mail and a text message, and who can be asked by every door."""

    def __init__(self, path: Path) -> None:
        self.world = new_world(path)
        settings.put(self.world.store, NOW, "public_url", "https://news.example")
        add_contacts(self.world.store, 1)
        topics.create(self.world.store, NOW, "News", title="Our news")
        authoring.create_form(self.world.store, NOW, "letters", FORM, where="form.yaml", category=None)
        self.now = NOW
        with self.world.store.write():
            for number, (channel, address) in enumerate((("email", "c0@example.com"), ("sms", NUMBER)), 1):
                self.world.store.execute(
                    "INSERT INTO sends (id, contact_id, channel, state, address, due_at, left_at)"
                    " VALUES (?, 1, ?, 'delivered', ?, 0, ?)",
                    # Behind the date the letters bear, which is then not believed: they are of the moment they come.
                    (number, channel, address, to_ms(NOW + timedelta(hours=1))),
                )

    def page(self, path: str, **fields: str | list[str]) -> None:
        with serving(self.world, lambda: self.now) as client:
            token = keys(self.world).message(1).act
            assert client.post(f"/{path}/{token}", data=fields).status_code == 200

    def fill_form(self) -> None:
        with serving(self.world, lambda: self.now) as client:
            shown = client.get("/f/letters").text
            self.now += timedelta(seconds=30)
            hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', shown))
            box = re.findall(r'type="checkbox"[^>]* name="([^"]+)"|name="([^"]+)"[^>]* type="checkbox"', shown)
            fields = {**hidden, "email": "c0@example.com", "".join(box[0]): "yes"}
            assert client.post("/f/letters", data=fields).status_code < 400

    def take_file(self, text: str) -> None:
        file = self.world.path / "people.csv"
        file.write_text(text)
        with opened(str(file)) as source:
            import_all(self.world.store, prepare(self.world.store, source, Options(fire_events=True)), lambda: self.now)

    def happens(self, name: str, channel: str = "email", **said: str) -> None:
        happened = NewEvent(
            contact_id=1,
            name=name,
            at=to_ms(self.now),
            source="provider",
            source_id=str(self.now),
            properties=said,
            send_id=1 if channel == "email" else 2,
        )
        events.record(self.world.store, self.now, [happened])

    def hears(self, text: str) -> None:
        params = {"MessageSid": f"SM{self.now:%H%M%S}", "From": NUMBER, "To": "+15005550006", "Body": text}
        message = twilio_callbacks.inbound(params)
        assert message is not None
        texts.take_in(self.world.store, self.now, message)

    def mail(self, octets: bytes) -> None:
        finder = polling.finder_of(self.world.store, self.now, self.world.path)
        take_in(self.world.store, self.now, [understand(finder, read(octets))])

    def tell(self, name: str, **said: str) -> None:
        document = {"id": str(self.now), "event": name, "contact": {"email": "c0@example.com"}, "properties": said}
        (answer,) = told.take_in(self.world.store, self.now, [document], zone=ZoneInfo("UTC"), region=None)
        assert answer.status == "recorded"


FORM = """
title: Letters
fields: [{name: email, required: yes}]
consents: [{text: Yes to the letters, topic: news}]
"""
NUMBER = "+14165550000"
ONE = {"one_contact": 1}

DOORS: tuple[tuple[str, str, str, Callable[[House], object]], ...] = (
    ("push", "", "granted", lambda h: h.take_file("email,push_consent\nc0@example.com,yes\n")),
    ("email", "", "granted", lambda h: contacts.grant_where(h.world.store, h.now, contacts.ONE, ONE, "email", "cli")),
    ("email", "", "withdrawn", lambda h: h.page("u", **ONE_CLICK)),
    ("email", "", "granted", lambda h: h.page("prefs", form="1", was_off=["email"], get=["email"])),
    ("email", "", "withdrawn", lambda h: h.page("prefs", off="all")),
    ("email", "news", "pending", lambda h: h.fill_form()),
    ("email", "news", "granted", lambda h: h.page("confirm")),
    ("email", "", "withdrawn", lambda h: h.mail(letter(subject=f"unsubscribe {keys(h.world).message(1).act}"))),
    ("email", "news", "granted", lambda h: h.page("prefs", form="1", was_off=["email:news"], get=["email:news"])),
    ("email", "news", "withdrawn", lambda h: h.page("prefs", form="1", was_on=["email:news"])),
    ("email", "", "granted", lambda h: contacts.grant_where(h.world.store, h.now, contacts.ONE, ONE, "email", "cli")),
    ("email", "", "withdrawn", lambda h: h.take_file("email,email_opt_out\nc0@example.com,yes\n")),
    ("sms", "", "granted", lambda h: contacts.grant_where(h.world.store, h.now, contacts.ONE, ONE, "sms", "cli")),
    ("sms", "", "withdrawn", lambda h: h.hears("STOP")),
    ("sms", "", "granted", lambda h: h.hears("START")),
    ("sms", "", "withdrawn", lambda h: h.hears("please never text me again, unsubscribe me")),
    ("sms", "", "granted", lambda h: contacts.grant_where(h.world.store, h.now, contacts.ONE, ONE, "sms", "cli")),
    ("sms", "", "withdrawn", lambda h: h.happens("sms.opted_out", "sms")),
    ("email", "", "granted", lambda h: contacts.grant_where(h.world.store, h.now, contacts.ONE, ONE, "email", "cli")),
    ("email", "news", "granted", lambda h: h.page("prefs", form="1", was_off=["email:news"], get=["email:news"])),
    ("email", "news", "withdrawn", lambda h: h.tell("consent.withdrawn", channel="email", topic="News")),
    ("email", "", "withdrawn", lambda h: h.tell("consent.withdrawn")),
    ("email", "", "granted", lambda h: contacts.grant_where(h.world.store, h.now, contacts.ONE, ONE, "email", "cli")),
    ("email", "", "withdrawn", lambda h: h.happens("email.complained")),
)
"""(channel, topic, what the last line of the log about it says then, the door), one after another."""


def test_r14_each_door_writes_what_it_hears_to_the_log_and_what_holds_is_what_the_log_says(tmp_path: Path) -> None:
    house = House(tmp_path / "shop")
    store = house.world.store
    for place, (channel, topic, status, door) in enumerate(DOORS):
        house.now += timedelta(minutes=20)
        before = int(store.value("SELECT coalesce(max(id), 0) FROM consent_log"))
        door(house)
        said = [
            (row["channel"], row["topic"], row["status"])
            for row in store.rows("SELECT * FROM consent_log WHERE id > ? AND contact_id = 1", (before,))
        ]
        assert (channel, topic, status) in said, f"door {place}"
        assert store.rows(_UNLIKE_THE_LOG) == [], f"door {place}"
    nobody = "SELECT count(*) FROM consent_log WHERE source = '' OR json_valid(evidence) = 0 OR said_at < 1"
    assert store.value(nobody) == 0
    assert store.value("SELECT count(*) FROM consents WHERE status = 'granted'") == 0


# A question that was asked leaves what stands as it is; everything else that is said holds.
_UNLIKE_THE_LOG = """
SELECT consents.*
FROM consents
WHERE NOT EXISTS (
  SELECT 1
  FROM consent_log AS said
  WHERE said.contact_id = consents.contact_id
    AND said.channel = consents.channel
    AND said.topic = consents.topic
    AND said.status = consents.status
    AND said.source = consents.source
    AND said.evidence = consents.evidence
    AND said.said_at = consents.changed_at
    AND NOT EXISTS (
      SELECT 1
      FROM consent_log AS later
      WHERE later.contact_id = said.contact_id
        AND later.channel = said.channel
        AND later.topic = said.topic
        AND later.status <> 'pending'
        AND later.id > said.id
    )
)
"""
