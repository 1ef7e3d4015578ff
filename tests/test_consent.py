"""Consent: every yes and no is written down with its proof, and decides who is written to."""

import csv
import io
import json
import re
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from macli import audience, contacts, events
from macli.campaign.problems import BadDefinition
from macli.clock import to_ms
from macli.importer import Options, prepare
from macli.importer import run as import_all
from macli.importer.source import opened
from macli.model import NewEvent
from macli.selection import where_of
from macli.store import consents, open_store, settings, suppressions, topics
from macli.tick.tick import run_tick
from tests.conftest import Run
from tests.site import keys, serving
from tests.world import NOW, World, add_campaign, add_contacts, add_template, new_world, opt_in, opt_out

LIBRARY = Path(__file__).parent.parent / "campaigns"
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ONE = contacts.ONE


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = new_world(tmp_path / "shop")
    add_contacts(made.store, 1)
    topics.create(made.store, NOW, "News", title="Our news")
    return made


def grant(world: World, now: datetime = NOW, channel: str = "email", **said: Any) -> int:
    return contacts.grant_where(world.store, now, ONE, {"one_contact": 1}, channel, "test", **said)


def withdraw(world: World, now: datetime = NOW, channel: str = "email", **said: Any) -> int:
    return contacts.withdraw_where(world.store, now, ONE, {"one_contact": 1}, channel, "test", **said)


def ask(world: World, now: datetime = NOW, **said: Any) -> int:
    return contacts.ask(world.store, now, ONE, {"one_contact": 1}, "email", "form", **said)


def confirm(world: World, now: datetime = NOW) -> int:
    return contacts.confirm(world.store, now, 1, "email", "web", evidence={"ip": "192.0.2.1"})


def state(world: World, topic: str = "") -> dict[str, Any]:
    row = world.store.row("SELECT * FROM consents WHERE channel = 'email' AND topic = :topic", {"topic": topic})
    return {} if row is None else dict(row)


def logged(world: World) -> list[tuple[Any, ...]]:
    rows = world.store.rows("SELECT channel, topic, status FROM consent_log ORDER BY id")
    return [tuple(row) for row in rows]


def told(world: World) -> list[str]:
    return [row["name"] for row in world.store.rows("SELECT name FROM events ORDER BY id")]


def reason(world: World, topic: str | None = None, now: datetime = NOW, channel: Any = "email") -> str | None:
    policy = audience.policy(
        lambda key: settings.get(world.store, key), channel=channel, purpose="campaign", topic=topic, quiet_hours=False
    )
    return audience.reason_for(world.store, 1, policy, now)


def selected(world: World, rule: str, now: datetime = NOW) -> bool:
    from zoneinfo import ZoneInfo

    where = where_of(world.store, rule, now, ZoneInfo("UTC"))
    return world.store.value(f"SELECT count(*) FROM contacts WHERE {where.sql}", where.params) == 1


# The log


def test_r14_every_change_is_in_the_log_with_its_evidence(world: World) -> None:
    proof = {"wording": "Write to me.", "ip": "192.0.2.1", "form": "/signup", "agent": "Firefox"}
    assert grant(world, evidence=proof, basis="soft_opt_in", lasts=30 * DAY) == 1
    assert withdraw(world, NOW + DAY) == 1
    [yes, no] = world.store.rows("SELECT * FROM consent_log ORDER BY id")
    assert json.loads(yes["evidence"]) == proof
    assert (yes["said_at"], yes["source"], yes["basis"]) == (to_ms(NOW), "test", "soft_opt_in")
    assert (yes["expires_at"], yes["confirmed_at"]) == (to_ms(NOW + 30 * DAY), None)
    assert (no["status"], no["said_at"], no["basis"]) == ("withdrawn", to_ms(NOW + DAY), "soft_opt_in")
    assert told(world) == ["consent.granted", "consent.withdrawn"]


def test_e17_a_yes_said_again_fires_nothing(world: World) -> None:
    assert grant(world) == 1
    assert grant(world, NOW + DAY) == 0
    assert told(world) == ["consent.granted"]
    assert len(logged(world)) == 1


def test_e18_a_no_said_again_fires_nothing(world: World) -> None:
    assert withdraw(world) == 1
    assert withdraw(world, NOW + DAY) == 0
    assert told(world) == ["consent.withdrawn"]
    assert len(logged(world)) == 1


def test_a_complaint_of_whoever_said_no_already_fires_no_second_withdrawal(world: World) -> None:
    from macli import events

    complaints = [
        NewEvent(contact_id=1, name="email.complained", at=to_ms(NOW) + place, source="fbl", source_id=str(place))
        for place in range(3)
    ]
    events.record(world.store, NOW, complaints[:2])
    events.record(world.store, NOW, complaints[2:])
    assert told(world).count("consent.withdrawn") == 1
    assert logged(world) == [("email", "", "withdrawn")]
    assert state(world)["source"] == "fbl"


def test_an_imports_consents_are_in_the_log(world: World, tmp_path: Path) -> None:
    opt_in(world, 1, "email")
    settings.put(world.store, NOW, "consent.lasts", "365 days")
    file = tmp_path / "people.csv"
    file.write_text(
        "email,email_consent,sms_consent,email_consent:News\n"
        "c0@example.com,no,,\nann@example.com,yes,no,yes\nbob@example.com,,pending,\n"
    )
    with opened(str(file)) as source:
        plan = prepare(world.store, source, Options(consent_source="fair, May"))
        import_all(world.store, plan, lambda: NOW)
    rows = world.store.rows(
        "SELECT contacts.email, channel, topic, status, basis, consent_log.source, evidence, said_at, expires_at"
        " FROM consent_log JOIN contacts ON contacts.id = contact_id"
        " WHERE consent_log.source <> 'test' ORDER BY contacts.email, channel, topic"
    )
    assert [tuple(row)[:4] for row in rows] == [
        ("ann@example.com", "email", "", "granted"),
        ("ann@example.com", "email", "news", "granted"),
        ("ann@example.com", "sms", "", "withdrawn"),
        ("bob@example.com", "sms", "", "pending"),
        ("c0@example.com", "email", "", "withdrawn"),
    ]
    assert {row["source"] for row in rows} == {"fair, May"}
    assert {json.loads(row["evidence"])["import"] for row in rows} == {"people.csv"}
    assert {row["expires_at"] for row in rows} == {None, to_ms(NOW + 365 * DAY)}
    held = world.store.rows("SELECT channel, topic, status, expires_at FROM consents")
    assert len(held) == 5
    assert {row["expires_at"] for row in held if row["status"] == "granted"} == {to_ms(NOW + 365 * DAY)}


def test_re_subscribing_never_lowers_confirmed(world: World) -> None:
    grant(world, confirmed=True)
    grant(world, NOW + DAY)
    ask(world, NOW + DAY)
    assert state(world)["confirmed_at"] == to_ms(NOW)
    assert state(world)["status"] == "granted"


def test_a_yes_said_again_can_confirm_prolong_and_better_the_one_before(world: World) -> None:
    grant(world, basis="soft_opt_in", lasts=30 * DAY)
    assert grant(world, NOW + DAY, confirmed=True, lasts=10 * DAY) == 0
    assert state(world)["basis"] == "consent"
    assert state(world)["confirmed_at"] == to_ms(NOW + DAY)
    assert state(world)["expires_at"] == to_ms(NOW + 30 * DAY)
    grant(world, NOW + 2 * DAY, basis="legitimate_interest", lasts=900 * DAY)
    assert state(world)["basis"] == "consent"
    assert state(world)["expires_at"] == to_ms(NOW + 30 * DAY)
    grant(world, NOW + 3 * DAY)
    assert state(world)["expires_at"] is None
    assert told(world) == ["consent.granted"]
    assert len(logged(world)) == 3


def test_after_a_no_a_yes_is_to_be_confirmed_anew(world: World) -> None:
    grant(world, confirmed=True)
    withdraw(world, NOW + DAY)
    grant(world, NOW + 2 * DAY)
    assert state(world)["confirmed_at"] is None


# Expiry


def test_r17_a_yes_that_has_expired_is_none(world: World) -> None:
    settings.put(world.store, NOW, "consent.lasts", "30 days")
    grant(world)
    assert reason(world, now=NOW + 29 * DAY) is None
    assert reason(world, now=NOW + 30 * DAY) == "no_consent"
    assert selected(world, "opted in to email", NOW + 29 * DAY)
    assert not selected(world, "opted in to email", NOW + 30 * DAY)
    settings.put(world.store, NOW, "consent.email.require_opt_in", "true")
    assert reason(world, now=NOW + 29 * DAY) is None
    assert reason(world, now=NOW + 30 * DAY) == "no_consent"
    assert grant(world, NOW + 31 * DAY) == 1
    assert reason(world, now=NOW + 31 * DAY) is None
    assert told(world) == ["consent.granted", "consent.granted"]


def test_r17_a_campaign_leaves_out_whose_yes_has_expired(world: World) -> None:
    add_contacts(world.store, 1, start=1)
    grant(world, lasts=30 * DAY)
    add_campaign(world.store, now=NOW + 31 * DAY)
    run_tick(world.engine(NOW + 31 * DAY))
    assert world.reasons() == {"no_consent": 1}
    assert world.states() == {"accepted": 1, "skipped": 1}


# Topics


@pytest.mark.parametrize("require", [False, True])
@pytest.mark.parametrize(
    ("of_all", "of_news", "about_news", "about_nothing"),
    [
        (None, "granted", None, "asked"),
        (None, "withdrawn", "opted_out", "asked"),
        (None, "pending", "no_consent", "asked"),
        ("granted", None, None, None),
        ("granted", "withdrawn", "opted_out", None),
        ("granted", "pending", "no_consent", None),
        ("withdrawn", "granted", None, "opted_out"),
        ("withdrawn", None, "opted_out", "opted_out"),
        ("pending", None, "no_consent", "no_consent"),
        ("pending", "granted", None, "no_consent"),
    ],
)
def test_what_was_said_of_a_topic_goes_before_what_was_said_of_the_channel(
    world: World,
    require: bool,
    of_all: str | None,
    of_news: str | None,
    about_news: str | None,
    about_nothing: str | None,
) -> None:
    settings.put(world.store, NOW, "consent.email.require_opt_in", "true" if require else "false")
    for place, (topic, status) in enumerate((("", of_all), ("news", of_news))):
        if status is not None:
            world.store.execute(
                "INSERT INTO consents (contact_id, channel, topic, status, source, changed_at)"
                " VALUES (1, 'email', :topic, :status, 'test', :at)",
                {"topic": topic, "status": status, "at": place},
            )
    unasked = "no_consent" if require else None
    assert reason(world, "News") == about_news
    assert reason(world) == (unasked if about_nothing == "asked" else about_nothing)
    assert selected(world, 'opted in to email topic "News"') == (about_news is None)
    assert selected(world, 'opted out of email topic "news"') == (about_news == "opted_out")


def test_a_no_to_everything_ends_the_yeses_to_topics_before_it(world: World) -> None:
    grant(world, topic="news")
    withdraw(world, NOW + MINUTE)
    assert reason(world, "news") == "opted_out"
    assert not selected(world, "opted in to email topic news")
    assert grant(world, NOW + MINUTE, topic="offers") == 1
    assert reason(world, "news") == "opted_out"
    assert grant(world, NOW + 2 * MINUTE, topic="news") == 1
    assert reason(world, "news") is None
    assert reason(world) == "opted_out"
    assert selected(world, "opted in to email topic news")


@pytest.mark.parametrize("way", ["door", "event"])
@pytest.mark.parametrize("again", [False, True])
def test_a_no_is_never_older_than_the_yes_before_it_though_the_clock_was_set_back(
    world: World, way: str, again: bool
) -> None:
    if again:
        withdraw(world)
    grant(world, NOW + DAY, topic="news")
    if way == "door":
        assert withdraw(world, NOW + MINUTE) == 1
    else:
        at = to_ms(NOW + MINUTE)
        no = NewEvent(contact_id=1, name="email.unsubscribed", at=at, source="web", source_id="no")
        events.record(world.store, NOW + MINUTE, [no])
    assert reason(world, "news", NOW + MINUTE) == "opted_out"
    assert reason(world, "news", NOW + 2 * DAY) == "opted_out"


def test_a_no_that_comes_late_does_not_end_the_yes_to_a_topic_after_it(world: World) -> None:
    grant(world, NOW + MINUTE, topic="news")
    no = NewEvent(contact_id=1, name="email.unsubscribed", at=to_ms(NOW), source="mailbox", source_id="no")
    events.record(world.store, NOW + DAY, [no])
    assert reason(world, "news", NOW + DAY) is None
    assert reason(world, now=NOW + DAY) == "opted_out"


def test_a_no_to_a_message_to_an_old_address_is_that_addresses_too(world: World) -> None:
    add_template(world.store)
    add_campaign(world.store)
    run_tick(world.engine())
    contacts.edit(world.store, NOW, 1, {"email": "new@example.com"}, source="test")
    with serving(world) as client:
        assert client.post(f"/u/{keys(world).message(1).act}").status_code == 200
    assert reason(world) == "opted_out"
    listed = {row["address"]: row["reason"] for row in suppressions.listed(world.store)}
    assert listed == {"c0@example.com": "opted_out"}


@pytest.mark.parametrize("event", ["email.bounced", "email.complained"])
def test_an_address_that_is_dead_or_complained_is_not_freed_by_a_yes_to_what_it_said_no_to(
    world: World, event: str
) -> None:
    suppressions.add(world.store, to_ms(NOW), "email", "c0@example.com", reason="opted_out", source="purge")
    no = NewEvent(contact_id=1, name=event, at=to_ms(NOW), source="mailbox", source_id="gone")
    events.record(world.store, NOW, [no])
    owed = audience.policy(lambda key: settings.get(world.store, key), channel="email", purpose="transactional")
    assert audience.reason_for(world.store, 1, owed, NOW) == "suppressed"
    grant(world, NOW + MINUTE)
    assert reason(world, now=NOW + MINUTE) == "suppressed"


def test_c19_subscribed_to_the_newsletter(world: World) -> None:
    rule = 'opted in to email topic "newsletter"'
    topics.create(world.store, NOW, "newsletter")
    assert not selected(world, rule)
    grant(world, topic="Newsletter")
    assert selected(world, rule)
    add_template(world.store)
    add_campaign(world.store, entry={"whenever": rule}, topic="newsletter")
    run_tick(world.engine())
    assert world.states() == {"accepted": 1}


def test_numbers_shared_by_several_share_their_no_to_a_topic(world: World) -> None:
    contacts.add(world.store, NOW, {"email": "x@example.com", "phone": "+14165550000"}, source="test")
    grant(world, channel="sms")
    contacts.withdraw_where(world.store, NOW, ONE, {"one_contact": 2}, "sms", "test", topic="news")
    assert reason(world, "news", channel="sms") == "opted_out"
    assert reason(world, channel="sms") is None


def test_a_no_to_a_topic_cancels_what_is_planned_about_it(world: World) -> None:
    settings.put(world.store, NOW, "quiet_hours.email", "00:00-23:59")
    topics.create(world.store, NOW, "Ünique")
    for name, topic in (("one", "NEWS"), ("two", "ünique"), ("three", None)):
        add_campaign(world.store, name, topic=topic)
    run_tick(world.engine())
    assert world.states() == {"planned": 3}
    withdraw(world, topic="news")
    assert world.states() == {"planned": 2, "skipped": 1}
    withdraw(world, topic="ÜNIQUE")
    assert world.states() == {"planned": 1, "skipped": 2}
    assert world.store.value("SELECT count(*) FROM sends WHERE reason = 'opted_out'") == 2


def test_a_campaign_about_an_unknown_topic_is_refused_with_the_nearest(world: World) -> None:
    with pytest.raises(BadDefinition, match="no topic named 'nwes'; did you mean 'News'"):
        add_campaign(world.store, topic="nwes")


# Double opt-in


def test_r16_whoever_was_asked_gets_nothing_but_the_question_until_they_confirm(world: World) -> None:
    assert ask(world, evidence={"wording": "Write to me.", "ip": "192.0.2.9"}) == 1
    assert told(world) == ["consent.requested"]
    assert state(world)["status"] == "pending"
    assert reason(world) == "no_consent"
    assert reason(world, "news") == "no_consent"
    assert confirm(world, NOW + MINUTE) == 1
    assert confirm(world, NOW + 2 * MINUTE) == 0
    assert reason(world, now=NOW + MINUTE) is None
    assert told(world) == ["consent.requested", "consent.granted"]
    now = state(world)
    assert (now["status"], now["confirmed_at"], now["basis"]) == ("granted", to_ms(NOW + MINUTE), "consent")
    assert json.loads(now["evidence"]) == {
        "asked": {"at": "2026-12-01T09:00:00Z", "source": "form", "wording": "Write to me.", "ip": "192.0.2.9"},
        "confirmed": {"at": "2026-12-01T09:01:00Z", "ip": "192.0.2.1"},
    }
    assert logged(world) == [("email", "", "pending"), ("email", "", "granted")]


def test_r16_asking_takes_back_neither_a_no_nor_a_yes(world: World) -> None:
    """Anybody can type anybody's address."""
    withdraw(world, NOW - DAY)
    assert ask(world) == 1
    assert state(world)["status"] == "withdrawn"
    assert reason(world) == "opted_out"
    assert confirm(world, NOW + MINUTE) == 1
    assert state(world)["status"] == "granted"
    grant(world, NOW + MINUTE, topic="news")
    assert ask(world, NOW + DAY, topic="news") == 1
    assert state(world, "news")["status"] == "granted"
    assert reason(world, "news") is None
    assert confirm(world, NOW + DAY) == 1
    assert state(world, "news")["confirmed_at"] == to_ms(NOW + DAY)
    assert ask(world, NOW + 2 * DAY, topic="news") == 0
    assert told(world).count("consent.granted") == 2


def test_a_topic_asked_for_by_whoever_gets_everything_stays_on(world: World) -> None:
    grant(world)
    assert ask(world, topic="news") == 1
    assert reason(world, "news") is None
    assert confirm(world) == 1
    assert state(world, "news")["confirmed_at"] == to_ms(NOW)


def test_nobody_is_asked_again_and_again(world: World) -> None:
    assert [ask(world, NOW + minutes * MINUTE) for minutes in (0, 1, 9, 11)] == [1, 0, 0, 1]
    assert ask(world, NOW + MINUTE, topic="news") == 1


def test_confirming_a_topic_after_a_no_to_everything_brings_the_topic_alone(world: World) -> None:
    withdraw(world, NOW - DAY)
    ask(world, topic="news")
    confirm(world, NOW + MINUTE)
    assert reason(world, "news", NOW + MINUTE) is None
    assert reason(world, None, NOW + MINUTE) == "opted_out"


@pytest.mark.parametrize("hashed", [False, True])
def test_confirming_frees_an_address_kept_for_a_no_alone_for_what_was_confirmed(world: World, hashed: bool) -> None:
    withdraw(world, NOW - DAY)
    contacts.purge_where(world.store, NOW, ONE, {"one_contact": 1})
    if hashed:
        with world.store.write():
            suppressions.keep_as_hashes(world.store, to_ms(NOW), [("email", "c0@example.com")], source="erase")
    again = contacts.add(world.store, NOW, {"email": "c0@example.com"}, source="form").contact_id
    contacts.ask(world.store, NOW, ONE, {"one_contact": again}, "email", "form", topic="news")
    assert contacts.confirm(world.store, NOW + MINUTE, again, "email", "web") == 1
    assert list(suppressions.listed(world.store)) == []
    setting = lambda key: settings.get(world.store, key)  # noqa: E731
    for topic, expected in (("news", None), (None, "opted_out")):
        policy = audience.policy(setting, channel="email", purpose="campaign", topic=topic)
        assert audience.reason_for(world.store, again, policy, NOW + MINUTE) == expected


def test_r16_the_confirmation_page_is_used_up_by_no_look_and_by_one_press(world: World) -> None:
    ask(world, topic="news")
    add_campaign(world.store, "confirm", purpose="transactional")
    run_tick(world.engine())
    assert world.states() == {"accepted": 1}
    where = f"/confirm/{keys(world).message(1).act}"
    with serving(world, lambda: NOW + MINUTE) as client:
        for _ in range(5):
            page = client.get(where)
            assert "Our news" in page.text
        assert state(world, "news")["status"] == "pending"
        for _ in range(2):
            done = client.post(where, headers={"user-agent": "Firefox"})
            assert done.status_code == 200
            assert "It is confirmed" in done.text
        assert "It is confirmed" in client.get(where).text
    assert told(world) == ["consent.requested", "consent.granted"]
    both = json.loads(state(world, "news")["evidence"])
    assert both["confirmed"]["agent"] == "Firefox"
    assert both["confirmed"]["wording"] == "Yes, send it to me: Our news"
    assert both["confirmed"]["at"] == "2026-12-01T09:01:00Z"


def test_r16_the_shipped_campaign_asks_and_its_link_confirms(workspace: Path, macli: Run) -> None:
    """By mail, as a person gets it; a scanner that follows every link first changes nothing."""

    def ok(*words: str, at: datetime = NOW) -> None:
        ran = macli(*words, at=at)
        assert ran.code == 0, ran.err

    ok("settings", "set", "sender.email", "news@shop.example")
    ok("settings", "set", "public_url", "https://news.example")
    ok("topic", "create", "news", "--title", "Our news")
    ok("apply", str(LIBRARY / "confirm-subscription"))
    ok("campaign", "activate", "confirm-subscription")
    ok("contact", "add", "ann@example.com", "--locale", "pl")
    ok("consent", "ask", "ann@example.com", "--topic", "news", "--wording", "Send me news.", at=NOW + MINUTE)
    ok("tick", at=NOW + 2 * MINUTE)
    [mail] = (workspace / "out").rglob("*.eml")
    said = message_from_bytes(mail.read_bytes(), policy=default)
    assert said["List-Unsubscribe"] is None
    body = said.get_body(("html",))
    assert body is not None
    links = re.findall(r'href="https://news\.example(/[^"]+)"', body.get_content())
    assert [link.split("/")[1] for link in links] == ["confirm"]
    with open_store(workspace / "macli.db") as store:
        world = World(path=workspace, store=store)
        with serving(world, lambda: NOW + 3 * MINUTE) as client:
            for link in links:
                assert "Our news" in client.get(link).text
            assert state(world, "news")["status"] == "pending"
            assert "Potwierdzono" in client.post(links[0], data={"confirm": "yes"}).text
        assert state(world, "news")["status"] == "granted"
        assert state(world, "news")["confirmed_at"] == to_ms(NOW + 3 * MINUTE)
    ok("consent", "ask", "ann@example.com", "--topic", "news", at=NOW + DAY)
    ok("tick", at=NOW + DAY)
    assert len(list((workspace / "out").rglob("*.eml"))) == 1


def test_a_confirmation_nobody_was_asked_for_says_so(world: World) -> None:
    add_campaign(world.store, "receipt", purpose="transactional")
    run_tick(world.engine())
    with serving(world) as client:
        answer = client.post(f"/confirm/{keys(world).message(1).act}")
    assert answer.status_code == 404
    assert state(world) == {}


# By command


def test_consent_by_command(workspace: Path, macli: Run) -> None:
    macli("topic", "create", "news", "--title", "Our news")
    macli("contact", "add", "ann@example.com")
    ran = macli(
        "consent", "grant", "ann@example.com", "--topic", "News", "--basis", "contract", "--source", "fair",
        "--wording", "Write to me.", "--evidence", "clerk=Bo", "--expires", "in 30 days", at=NOW,
    )  # fmt: skip
    assert (ran.code, ran.out) == (0, "1 contact opted in to email topic 'News'\n")
    shown = json.loads(macli("consent", "show", "ann@example.com", "--json").out)
    [held] = shown["consents"]
    assert held["evidence"] == {"wording": "Write to me.", "clerk": "Bo"}
    assert (held["basis"], held["expires_at"]) == ("contract", "2026-12-31T09:00:00Z")
    assert macli("consent", "withdraw", "ann@example.com", "--topic", "news", at=NOW + DAY).code == 0
    assert macli("consent", "ask", "ann@example.com", at=NOW + DAY).out == "asked 1 contact to confirm email\n"
    rows = list(csv.DictReader(io.StringIO(macli("consent", "log", "--format", "csv").out)))
    assert [(row["contact"], row["topic"], row["status"]) for row in rows] == [
        ("ann@example.com", "", "pending"),
        ("ann@example.com", "news", "withdrawn"),
        ("ann@example.com", "news", "granted"),
    ]
    since = json.loads(macli("consent", "log", "--since", "2026-12-02", "--contact", "ann@example.com", "--json").out)
    assert len(since) == 2
    topic_list = json.loads(macli("topic", "list", "--json").out)
    assert (topic_list[0]["yes"], topic_list[0]["no"]) == (0, 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["grant", "ann@example.com", "--topic", "nesw"], "no topic named 'nesw'; did you mean 'news'?"),
        (["withdraw", "ann@example.com", "--topic", "nesw"], "no topic named 'nesw'; did you mean 'news'?"),
        (["grant", "ann@example.com", "--basis", "becauze"], "no basis named 'becauze'"),
        (["grant", "ann@example.com", "--channel", "fax"], "no channel named 'fax'"),
        (["grant", "ann@example.com", "--evidence", "x"], "--evidence 'x' says nothing"),
        (["grant", "ann@example.com", "--expires", "2020-01-01"], "a yes cannot end before it is said"),
        (["grant", "nobody@example.com"], "no contact"),
        (["log", "--since", "yesterdy"], "'yesterdy' is no time"),
    ],
)
def test_a_wrong_word_is_named(workspace: Path, macli: Run, words: list[str], message: str) -> None:
    macli("topic", "create", "news")
    macli("contact", "add", "ann@example.com")
    ran = macli("consent", *words)
    assert ran.code == 2
    assert message in ran.err
    assert json.loads(macli("consent", "log", "--json").out) == []


def test_topics_by_command(workspace: Path, macli: Run) -> None:
    assert macli("topic", "create", "news").code == 0
    assert macli("topic", "create", "News").code == 2
    assert macli("topic", "create", "offers", "--channel", "sms", "--position", "1").code == 0
    assert macli("topic", "edit", "NEWS", "--title", "Our news", "--description", "Monthly.").code == 0
    assert macli("topic", "edit", "news").code == 2
    rows = json.loads(macli("topic", "list", "--json").out)
    assert [(row["name"], row["title"], row["channel"]) for row in rows] == [
        ("news", "Our news", "email"),
        ("offers", "offers", "sms"),
    ]
    macli("template", "create", "hello", "--subject", "Hi", "--html", "-", stdin="<p>Hi</p>")
    made = macli("campaign", "create", "spring", "--template", "hello", "--topic", "nesw")
    assert (made.code, "did you mean 'news'?" in made.err) == (2, True)
    assert macli("campaign", "create", "spring", "--template", "hello", "--topic", "News").code == 0
    removed = macli("topic", "rm", "news")
    assert (removed.code, "is that of 'spring'" in removed.err) == (1, True)
    assert macli("campaign", "edit", "spring", "--topic", "").code == 0
    assert macli("topic", "rm", "news").code == 0


def test_the_log_keeps_its_entries_when_the_contact_is_deleted(world: World) -> None:
    grant(world)
    opt_out(world, 1, "email", NOW + DAY)
    contacts.purge_where(world.store, NOW, ONE, {"one_contact": 1})
    rows = list(consents.log(world.store))
    assert [(row["contact"], row["status"]) for row in rows] == [(None, "withdrawn"), (None, "granted")]
