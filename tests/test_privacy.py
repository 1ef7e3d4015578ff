"""A person's record and its end: exported whole, erased without a trace, and never written to again."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from macli import contacts, events, signing
from macli.clock import to_ms
from macli.errors import OperationFailed, UnknownName
from macli.hits import rules as hit_rules
from macli.hits.digest import digest_some
from macli.model import NewEvent
from macli.privacy import erase, export, reading, sweeping
from macli.reports import campaign as report
from macli.reports.conversions import conversions
from macli.store import address_hash, campaigns, messages, suppressions
from macli.tick import resolve
from macli.tick.tick import run_tick
from tests.conftest import Run
from tests.people import add_work
from tests.site import keys, serving
from tests.test_forms import add_form, asked
from tests.world import NOW, World, add_campaign, add_contacts, new_world, opt_out, remove

EMAIL, PHONE, NAME, CITY = "ann.lee@example.com", "+14165550199", "Annabella", "Gananoque"
FORMER = "ann.old@example.org"
PERSONAL = (EMAIL, PHONE, PHONE[1:], NAME, CITY, FORMER, "203.0.113.77", "ANN-77", "tok-of-ann", "push.example/ann")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return new_world(tmp_path / "shop")


def add_ann(world: World) -> int:
    """A contact every table knows, who was sent one mail, opened it and clicked."""
    store = world.store
    own = {"email": FORMER, "phone": PHONE, "external_id": "ANN-77", "locale": "en-ca"}
    ann = contacts.add(store, NOW, own, {"first_name": NAME, "city": CITY}, source="cli").contact_id
    contacts.edit(store, NOW, ann, {"email": EMAIL}, {"city": f"{CITY} West"}, source="cli")
    one = {"one_contact": ann}
    contacts.tag_where(store, NOW, contacts.ONE, one, "VIP", "cli")
    contacts.grant_where(store, NOW, contacts.ONE, one, "email", f"card of {NAME}", evidence={"ip": "203.0.113.77"})
    with store.write():
        for sql in (
            "INSERT INTO visitors (token, contact_id, first_at, last_at) VALUES ('tok-of-ann', :ann, :now, :now)",
            """INSERT INTO devices (contact_id, endpoint, p256dh, auth, created_at, seen_at)
            VALUES (:ann, 'https://push.example/ann', 'p', 'a', :now, :now)""",
            "INSERT INTO preferences (contact_id, changed_at) VALUES (:ann, :now)",
        ):
            store.execute(sql, {"ann": ann, "now": to_ms(NOW)})
    events.record(
        store,
        NOW,
        [
            NewEvent(
                contact_id=ann,
                name="order.paid",
                at=to_ms(NOW),
                source="shop",
                source_id=f"order of {EMAIL}",
                properties={"name": NAME, "ship_to": CITY, "total": 12},
            ),
            NewEvent(
                contact_id=None,
                visitor_id=1,
                name="page.visited",
                at=to_ms(NOW),
                source="tracker",
                properties={"url": f"https://shop.example/?q={NAME}"},
            ),
        ],
    )
    add_work(store, ann, NAME, EMAIL)
    return ann


def mail_everybody(world: World) -> int:
    """A campaign that was sent, opened and clicked by everybody it went to; its id."""
    if world.store.value("SELECT count(*) FROM campaigns") == 0:
        add_campaign(world.store)
    run_tick(world.engine())
    with world.store.write():
        campaign, step = world.store.row("SELECT campaign_id, step_id FROM sends LIMIT 1")
        world.store.execute(
            "INSERT INTO links (campaign_id, step_id, url, created_at) VALUES (?, ?, 'https://shop.example/a', 0)",
            (campaign, step),
        )
        world.store.execute("INSERT INTO agents (agent) VALUES ('Firefox')")
        for kind, link in (("open", None), ("click", 1)):
            world.store.execute(
                """
                INSERT INTO hits (kind, at, send, link, method, ip, agent)
                SELECT :kind, :at, id, :link, 'GET', '203.0.113.77', 1
                FROM sends
                """,
                {"kind": kind, "at": to_ms(NOW) + 3_600_000, "link": link},
            )
        world.store.execute("UPDATE sends SET code = '250 2.1.5 <' || address || '> ok'")
    later = NOW.replace(hour=12)
    digest_some(world.store, later, hit_rules.read(world.path))
    return int(campaign)


def figures(world: World, campaign_id: int) -> list[list[tuple]]:
    """What a report counts, whatever it makes of it."""
    queries = (report._STEPS, report._EVENTS)
    return [[tuple(row) for row in world.store.rows(sql, {"campaign": campaign_id})] for sql in queries]


def traces(world: World, words: tuple[str, ...] = PERSONAL) -> list[tuple[str, str]]:
    """The words that a plain look into the store's files finds."""
    found = []
    for file in sorted(world.path.glob("macli.db*")):
        if file.is_file():
            octets = file.read_bytes().lower()
            found += [(file.name, word) for word in words if word.lower().encode() in octets]
    return found


def erase_now(world: World, who: str = EMAIL) -> erase.Person:
    person = erase.find(world.store, who, None)
    erase.erase(world.store, NOW, person)
    assert sweeping.finish(world.store) is None
    return person


# The record


def test_p49_export_holds_every_table_that_knows_the_person(world: World) -> None:
    ann = add_ann(world)
    mail_everybody(world)
    found = export.record(world.store, NOW, contacts_row(world, ann))
    empty = [name for name in export.LISTS if not found[name]]
    assert empty == ["segments"], "only segments say nothing of ann here"
    text = reading.json(found)
    assert [word for word in PERSONAL if word.lower() not in text.lower()] == []
    assert found["consent_log"][0]["evidence"] == {"ip": "203.0.113.77"}
    assert json.loads(text) == found


def test_p49_every_table_with_a_contact_is_in_the_record(world: World) -> None:
    tables = {
        row["name"]
        for row in world.store.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
        if any(column["name"] == "contact_id" for column in world.store.rows(f"PRAGMA table_info({row['name']})"))
    }
    told = " ".join(export.LISTS.values())
    assert {table for table in tables if f"FROM {table}" not in told} == set()


def contacts_row(world: World, contact_id: int):
    return world.store.row("SELECT * FROM contacts WHERE id = ?", (contact_id,))


@pytest.mark.parametrize("render", [reading.markdown, reading.html])
def test_p49_the_readable_record_shows_markup_as_text(world: World, render) -> None:
    name = "<script>alert(1)</script> | `x`"
    ann = contacts.add(world.store, NOW, {"email": EMAIL}, {"first_name": name}, source="cli").contact_id
    text = render(export.record(world.store, NOW, contacts_row(world, ann)))
    assert "<script>" not in text.replace("\\<", "&lt;")
    assert "What we know of" in text
    assert "2026-12-01 09:00:00" in text


def test_p49_export_of_one_and_of_many_are_told_apart(workspace: Path, macli: Run) -> None:
    macli("contact", "add", EMAIL, "--set", f"first_name={NAME}")
    assert macli("contact", "export").out.startswith("email,phone")
    assert json.loads(macli("contact", "export", EMAIL).out)["contact"]["email"] == EMAIL
    assert json.loads(macli("contact", "export", EMAIL, "--json").out)["record"] == 1
    assert macli("contact", "export", EMAIL, "--format", "markdown").out.startswith("# What we know of")
    assert macli("contact", "export", EMAIL, "-o", ".").code == 0
    assert NAME in Path("record.html").read_text()
    assert json.loads(Path("record.json").read_text())["contact"]["attributes"] == {"first_name": NAME}
    assert macli("contact", "export", EMAIL, "--format", "csv").code == 2
    assert macli("contact", "export", EMAIL, "--where", "has email").code == 2
    assert macli("contact", "export", "nobody@example.com").code == 2


# The erasure


def test_p49_after_erase_the_files_hold_nothing_personal(world: World) -> None:
    add_contacts(world.store, 3)
    ann = add_ann(world)
    campaign = mail_everybody(world)
    events.record(
        world.store,
        NOW,
        [
            NewEvent(
                contact_id=1,
                name="friend.invited",
                at=to_ms(NOW),
                source="shop",
                properties={"friend": EMAIL.upper(), "by": f"x{EMAIL}"},
            )
        ],
    )
    before = figures(world, campaign)
    assert len({word for _, word in traces(world)}) == len(PERSONAL)
    erase_now(world)
    assert [found for found in traces(world) if found[1] != EMAIL and found[1] != "203.0.113.77"] == []
    said = world.store.value("SELECT properties FROM events WHERE name = 'friend.invited'")
    assert json.loads(said) == {"friend": "(erased)", "by": f"x{EMAIL}"}, "a longer address is another one"
    assert figures(world, campaign) == before
    assert (
        world.store.value("SELECT count(*) FROM hits WHERE send IN (SELECT id FROM sends WHERE contact_id = ?)", (ann,))
        == 0
    )
    assert world.store.value("SELECT count(*) FROM hits") == 6, "the others' hits stay"


def test_p49_after_erase_grep_finds_no_word_of_the_person(world: World) -> None:
    add_ann(world)
    mail_everybody(world)
    assert len({word for _, word in traces(world)}) == len(PERSONAL)
    erase_now(world)
    assert traces(world) == []
    for word in PERSONAL[:4]:
        done = subprocess.run(["grep", "-a", "-i", "-l", word, *world.path.glob("macli.db*")], capture_output=True)
        assert done.stdout == b""


def test_p49_conversions_count_as_they_did(world: World) -> None:
    ann = add_ann(world)
    add_campaign(world.store, conversion={"event": "order.paid", "value": "total"})
    campaign = campaigns.get(world.store, "spring")
    mail_everybody(world)
    paid = NewEvent(
        contact_id=ann,
        name="order.paid",
        at=to_ms(NOW.replace(hour=20)),
        source="shop",
        source_id="8",
        properties={"total": 12.5, "ship_to": CITY, "number": 777123},
    )
    events.record(world.store, NOW, [paid])
    now = NOW.replace(day=9)

    def reached():
        return conversions(world.store, campaign, now=now, zone=ZoneInfo("UTC"))

    before = reached()
    assert before is not None
    assert (before["conversions"], before["value"]) == (1, 12.5)
    erase_now(world)
    assert reached() == before
    assert traces(world, ("777123",)) == [], "only what is summed up stays"


def test_p49_nobody_finds_who_was_erased(world: World) -> None:
    ann = add_ann(world)
    erase_now(world)
    for name in (EMAIL, PHONE, "ANN-77", f"#{ann}"):
        with pytest.raises(UnknownName):
            erase.contacts.find(world.store, name)
    assert world.store.value("SELECT count(*) FROM contacts WHERE removed_at IS NULL") == 0
    assert list(erase.contacts.listed(world.store, erase.contacts.REMOVED)) == []


def test_r15_a_no_outlives_the_person_as_a_hash(world: World) -> None:
    ann = add_ann(world)
    opt_out(world, ann, "email")
    erase_now(world)
    rows = world.store.rows("SELECT channel, reason FROM suppression_hashes ORDER BY channel, hash")
    assert [tuple(row) for row in rows] == [("email", "erased"), ("email", "erased"), ("sms", "erased")]
    log = world.store.rows("SELECT contact_id, status, source, evidence, hash FROM consent_log ORDER BY id")
    assert {(row["contact_id"], row["evidence"]) for row in log} == {(None, "{}")}
    assert {row["source"] for row in log} == {"erased"}
    assert all(len(row["hash"]) == 64 for row in log)


@pytest.mark.parametrize("door", ["import", "add", "edit"])
def test_r15_whoever_comes_back_by_any_door_is_not_written_to(workspace: Path, macli: Run, door: str) -> None:
    ran = macli("contact", "add", EMAIL, "--set", f"first_name={NAME}")
    assert macli("contact", "erase", EMAIL, "--yes").code == 0
    if door == "import":
        Path("back.csv").write_text(f"email,first_name\n{EMAIL.upper()},{NAME}\n")
        ran = macli("contact", "import", "back.csv")
    elif door == "add":
        ran = macli("contact", "add", EMAIL)
        assert "suppressed" in ran.err
    else:
        macli("contact", "add", "other@example.com")
        ran = macli("contact", "edit", "other@example.com", "--email", EMAIL)
    assert ran.code == 0, ran.err
    macli("settings", "set", "sender.email", "news@shop.example")
    macli("template", "create", "hello", "--subject", "Hi", "--text", "Hello.")
    ran = macli("campaign", "send", "--template", "hello", "--where", "has email", "--yes", "spring")
    world = World(path=workspace, store=open_here(workspace))
    with world.store:
        if not world.store.value("SELECT count(*) FROM sends"):
            add_campaign(world.store, "again")
            run_tick(world.engine())
        assert world.reasons() == {"suppressed": 1}
        assert world.store.value("SELECT address FROM sends") is None
    assert list((workspace / "out").rglob("*.eml")) == []


def test_r15_whoever_comes_back_by_a_form_even_from_an_old_mail_is_not_written_to(world: World) -> None:
    ann = add_ann(world)
    mail_everybody(world)
    tokens = keys(world).message(world.store.value("SELECT id FROM sends"))
    add_form(world)
    erase_now(world)
    for query in ("", f"?_m={tokens.act}", f"?_m={tokens.follow}"):
        with asked(world, query=query) as send:
            shown = send.client.get(f"/f/letters{query}").text
            assert NAME not in shown
            assert send(email=EMAIL, first_name=NAME, consent_1="yes").status_code == 200
    assert world.store.value("SELECT attributes FROM contacts WHERE id = ?", (ann,)) == "{}"
    assert world.store.value("SELECT count(*) FROM contacts WHERE email = ?", (EMAIL,)) == 1
    add_campaign(world.store, "again")
    run_tick(world.engine())
    assert world.reasons() == {"suppressed": 1}


def open_here(workspace: Path):
    from macli.store import open_store

    return open_store(workspace / "macli.db")


def test_r15_an_erasure_while_a_claim_waits_stops_the_message(world: World) -> None:
    """A worker that claimed and has not marked yet is told, and the eraser waits for it."""
    ann = add_ann(world)
    add_campaign(world.store)
    run_tick(world.engine(), dry=False)
    with world.store.write():
        world.store.execute("UPDATE sends SET state = 'claimed' WHERE contact_id = ?", (ann,))
    with pytest.raises(OperationFailed, match="on its way"):
        erase.erase(world.store, NOW, erase.find(world.store, EMAIL, None))
    assert world.store.value("SELECT email FROM contacts WHERE id = ?", (ann,)) == EMAIL


def test_r15_the_key_is_a_file_only_its_owner_reads_and_never_in_the_store(world: World) -> None:
    add_ann(world)
    file = address_hash.file_of(world.store.path)
    assert not file.exists()
    erase_now(world)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert traces(world, (file.read_text().strip(),)) == []
    key = bytes.fromhex(file.read_text())
    made = world.store.value("SELECT hash FROM suppression_hashes WHERE channel = 'sms'")
    assert made == address_hash.hashed(key, "sms", PHONE)


@pytest.mark.parametrize("lost", ["missing", "another", "empty"])
def test_r15_without_the_key_nothing_is_sent(world: World, lost: str) -> None:
    add_ann(world)
    erase_now(world)
    file = address_hash.file_of(world.store.path)
    file.unlink()
    if lost != "missing":
        file.write_text("" if lost == "empty" else "00" * 32)
    world = world.reopen()
    add_contacts(world.store, 2)
    add_campaign(world.store)
    with pytest.raises(OperationFailed, match=r"erasure\.key") as caught:
        run_tick(world.engine())
    assert "forget-erased" in (caught.value.hint or "")
    assert world.states() == {"planned": 2}, "they wait for the key"
    assert not list(world.path.rglob("*.eml"))
    with pytest.raises(OperationFailed, match=r"erasure\.key"):
        erase.erase(world.store, NOW, erase.find(world.store, "c0@example.com", None))


def test_r15_a_key_that_vanishes_behind_the_first_look_lets_nobody_through(world: World) -> None:
    add_ann(world)
    erase_now(world)
    address_hash.file_of(world.store.path).unlink()
    world = world.reopen()
    add_contacts(world.store, 1)
    from macli import audience

    policy = audience.policy(world.engine().setting, channel="email", purpose="campaign")
    assert (
        audience.reason_for(world.store, world.store.value("SELECT max(id) FROM contacts"), policy, NOW) == "suppressed"
    )


def test_r15_doctor_says_that_the_key_is_lost_and_how_to_go_on(workspace: Path, macli: Run) -> None:
    macli("contact", "add", EMAIL)
    assert macli("contact", "erase", EMAIL, "--yes").code == 0
    assert "1 addresses" not in macli("doctor", "--json").err
    (workspace / "secrets" / "erasure.key").unlink()
    found = {row["check"]: row for row in json.loads(macli("doctor", "--json").out)}
    assert found["erased"]["verdict"] == "fail"
    assert macli("privacy", "forget-erased").code == 2
    assert macli("privacy", "forget-erased", "--yes").code == 0
    found = {row["check"]: row for row in json.loads(macli("doctor", "--json").out)}
    assert "erased" not in found
    assert macli("contact", "add", EMAIL).err == ""


def test_p49_what_remains_elsewhere_is_named(workspace: Path, macli: Run) -> None:
    (workspace / "macli.toml").write_text('store = "macli.db"\nlog = "macli.log"\n')
    macli("contact", "add", EMAIL, "--set", "first_name=Ann")
    macli("contact", "add", "other@example.com", "--phone", PHONE, "--set", "first_name=Bo")
    macli("contact", "edit", EMAIL, "--phone", PHONE)
    macli("segment", "create", "just-ann", "--rule", f'email = "{EMAIL}"')
    world = World(path=workspace, store=open_here(workspace))
    with world.store:
        mail_everybody_from(world)
    ran = macli("contact", "erase", EMAIL, "--yes", "--json")
    assert ran.code == 0, ran.err
    remains = "\n".join(json.loads(ran.out)["remains"])
    assert "outbox" in remains
    assert ".eml" in remains
    assert "segments.rule" in remains
    assert "macli.log mentions" in remains
    assert f"{PHONE} is another contact's too" in remains
    assert "backups" in remains


def mail_everybody_from(world: World) -> None:
    from macli.store import settings

    settings.put(world.store, NOW, "sender.email", "news@shop.example")
    add_campaign(world.store)
    run_tick(world.engine())


def test_p49_a_number_two_people_have_stays_the_others_unless_it_said_no(world: World) -> None:
    one = contacts.add(world.store, NOW, {"email": EMAIL, "phone": PHONE}, source="cli").contact_id
    contacts.add(world.store, NOW, {"email": "bob@example.com", "phone": PHONE}, source="cli")
    two = contacts.add(world.store, NOW, {"email": FORMER, "phone": PHONE}, source="cli").contact_id
    assert one != two
    erase_now(world)
    assert suppressions.on(world.store, "sms", PHONE) is None
    assert world.store.value("SELECT phone FROM contacts WHERE email = 'bob@example.com'") == PHONE
    opt_out(world, two, "sms")
    erase_now(world, FORMER)
    assert suppressions.on(world.store, "sms", PHONE) is not None


def test_p49_erasing_again_or_whom_nobody_knows_is_told_apart(workspace: Path, macli: Run) -> None:
    macli("contact", "add", EMAIL, "--phone", PHONE)
    asked = macli("contact", "erase", EMAIL)
    assert asked.code == 2
    assert "--yes" in asked.err
    assert macli("contact", "erase", PHONE, "--yes").code == 0
    again = macli("contact", "erase", EMAIL, "--yes")
    assert again.code == 0
    assert "erased already" in again.out
    unknown = macli("contact", "erase", "never@example.com", "--yes")
    assert unknown.code == 2
    assert "nothing in the store mentions it" in unknown.err


def test_p49_a_purged_or_removed_contact_is_erased_by_address(world: World) -> None:
    ann = add_ann(world)
    mail_everybody(world)
    opt_out(world, ann, "email")
    contacts.purge_where(world.store, NOW, contacts.ONE, {"one_contact": ann})
    assert world.store.value("SELECT count(*) FROM suppressions") == 1
    person = erase_now(world)
    assert person.contact is None
    assert traces(world, (EMAIL,)) == []
    assert suppressions.on(world.store, "email", EMAIL)["reason"] == "opted_out"
    bob = contacts.add(world.store, NOW, {"email": "bob@example.com"}, source="cli").contact_id
    remove(world, bob)
    erase_now(world, "bob@example.com")
    assert traces(world, ("bob@example.com",)) == []


def test_p49_an_old_mail_of_an_erased_person_changes_nothing_any_more(world: World) -> None:
    ann = add_ann(world)
    mail_everybody(world)
    send = world.store.value("SELECT id FROM sends")
    tokens = keys(world).message(send)
    erase_now(world)
    with serving(world) as client:
        for path in (f"/u/{tokens.act}", f"/prefs/{tokens.act}", f"/confirm/{tokens.act}"):
            assert client.get(path).status_code in (200, 404), path
            assert client.post(path, data={"List-Unsubscribe": "One-Click"}).status_code in (200, 404), path
    row = world.store.row("SELECT email, phone, attributes, state FROM contacts WHERE id = ?", (ann,))
    assert tuple(row) == (None, None, "{}", "erased")
    assert world.store.value("SELECT count(*) FROM consents") == 0
    run_tick(world.engine(NOW.replace(day=2)))
    assert world.store.value("SELECT count(*) FROM events WHERE properties LIKE '%testclient%'") == 0


def test_p49_no_provider_is_asked_about_who_was_erased(world: World) -> None:
    add_contacts(world.store, 1)
    add_ann(world)
    mail_everybody(world)
    erase_now(world)
    world.store.connection.execute("UPDATE sends SET state = 'unknown'")
    answers = resolve.ask_providers(world.engine(), messages.unknown(world.store))
    assert answers == {"accepted": 1, "unknown": 1}, "the outbox has both files, and is asked for one"


def test_p49_planned_messages_and_ways_through_campaigns_end(world: World) -> None:
    ann = add_ann(world)
    later = NOW.replace(day=20)
    add_campaign(world.store, steps=[{"wait": "2 days"}, {"send": "hello"}], entry={"rule": "has email"})
    run_tick(world.engine())
    assert world.store.value("SELECT count(*) FROM enrollments WHERE ended_at IS NULL") == 1
    erase_now(world)
    assert world.store.value("SELECT ended_as FROM enrollments WHERE contact_id = ?", (ann,)) == "removed"
    run_tick(world.engine(later))
    assert world.states() == {}


_KILLED = """
import sys, os, signal
from pathlib import Path
from macli.store import open_store, upkeep
from macli.privacy import erase, mentions, sweeping
from tests.world import NOW
store = open_store(Path(sys.argv[1]))
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "inside": mentions.strike = die
person = erase.find(store, sys.argv[3], None)
erase.erase(store, NOW, person)
die()
"""


@pytest.mark.parametrize("moment", ["inside", "before the sweep"])
def test_p49_killed_in_the_middle_it_is_before_or_after_and_the_tick_finishes(world: World, moment: str) -> None:
    add_ann(world)
    world.store.close()
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, world.path / "macli.db", moment, EMAIL],
        cwd=Path(__file__).parent.parent,
        env=os.environ,
    )
    assert done.returncode == -signal.SIGKILL
    world = world.reopen()
    if moment == "inside":
        assert world.store.value("SELECT email FROM contacts") == EMAIL
        assert suppressions.hashes(world.store) == 0
        erase_now(world)
    else:
        assert world.store.value("SELECT email FROM contacts") is None
        run_tick(world.engine())
    assert traces(world) == []


def test_p49_while_somebody_reads_the_sweep_waits_for_a_tick(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    add_ann(world)
    reader = world.reopen()
    person = erase.find(world.store, EMAIL, None)
    erase.erase(world.store, NOW, person)
    world.store.connection.execute("PRAGMA busy_timeout=100")
    reader.store.connection.execute("BEGIN")
    reader.store.value("SELECT count(*) FROM contacts")
    assert "reading" in (sweeping.finish(world.store) or "")
    reader.store.connection.execute("COMMIT")
    run_tick(world.engine())
    assert traces(world) == []


# The list


def test_a_suppressed_address_is_added_checked_listed_and_freed(workspace: Path, macli: Run) -> None:
    assert macli("suppression", "check", EMAIL).code == 1
    assert macli("suppression", "add", EMAIL.upper(), "--reason", "asked by phone").code == 0
    assert "already" in macli("suppression", "add", EMAIL).out
    assert macli("suppression", "add", "no address").code == 2
    assert json.loads(macli("suppression", "check", EMAIL, "--json").out)["reason"] == "asked by phone"
    macli("contact", "add", FORMER)
    macli("contact", "erase", FORMER, "--yes")
    rows = json.loads(macli("suppression", "list", "--json").out)
    assert {row["address"] for row in rows} == {EMAIL, None}
    for address in (EMAIL, FORMER):
        assert macli("suppression", "rm", address).code == 2
        assert macli("suppression", "rm", address, "--yes").code == 0
        assert macli("suppression", "check", address).code == 1
    assert macli("suppression", "rm", EMAIL, "--yes").code == 2


# Old links


def test_r13_an_old_link_leads_on_whatever_was_deleted_or_rotated(world: World) -> None:
    ann = add_ann(world)
    campaign = mail_everybody(world)
    send = world.store.value("SELECT id FROM sends")
    tokens = keys(world).message(send)
    personal = keys(world).personal(tokens.follow, "https://shop.example/basket/7")
    signing.rotate(world.path)
    signing.rotate(world.path)
    opt_out(world, ann, "email")
    erase_now(world)
    world.store.connection.execute("UPDATE campaigns SET state = 'cancelled' WHERE id = ?", (campaign,))
    assert campaigns.list_all(world.store)[0]["state"] == "cancelled"
    later = NOW.replace(month=12, day=31)
    from macli.privacy import retention

    retention.purge(world.store, world.engine().setting, later)
    with serving(world, clock=lambda: later) as client:
        for path, target in (
            (f"/c/{tokens.follow}/1", "https://shop.example/a"),
            (f"/r/{tokens.follow}/{personal}", "https://shop.example/basket/7"),
        ):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["location"]) == (302, target)
        assert client.get(f"/o/{tokens.follow}.gif").status_code == 200
