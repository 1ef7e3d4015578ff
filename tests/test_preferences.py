"""The preference page: what is ticked is what comes, and only what the contact ticked itself is a yes."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from macli.store import settings, topics
from macli.tick.tick import run_tick
from tests.site import keys, serving
from tests.world import NOW, World, add_campaign, add_contacts, new_world, opt_in, opt_out

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


class Clock:
    """A clock that goes on by a minute whenever it is asked to."""

    def __init__(self) -> None:
        self.at = NOW + MINUTE

    def __call__(self) -> datetime:
        return self.at

    def on(self, span: timedelta = MINUTE) -> None:
        self.at += span


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A contact with a mail it got, and two topics."""
    made = new_world(tmp_path / "shop")
    topics.create(made.store, NOW, "News", title="Our news", description="Once a month.")
    topics.create(made.store, NOW, "Offers")
    topics.create(made.store, NOW, "Alerts", channel="sms")
    add_contacts(made.store, 1)
    add_campaign(made.store)
    run_tick(made.engine())
    return made


def path(world: World, send_id: int = 1) -> str:
    return f"/prefs/{keys(world).message(send_id).act}"


def boxes(page: httpx2.Response) -> dict[str, bool]:
    """The boxes of the page, by what they stand for: ticked or not."""
    found = re.findall(r'<input type="checkbox" name="get" value="([^"]+)"( checked)?>', page.text)
    return {value: bool(checked) for value, checked in found}


def save(client: TestClient, where: str, changes: dict[str, bool] | None = None, **more: str) -> httpx2.Response:
    """What a browser posts after a person changed some boxes of the page it shows."""
    page = client.get(where)
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)">', page.text)
    fields: dict[str, Any] = {}
    for name, value in hidden:
        fields.setdefault(name, []).append(value)
    shown = boxes(page)
    assert set(changes or {}) <= set(shown), shown
    fields["get"] = [value for value, ticked in (shown | (changes or {})).items() if ticked]
    for name, value in re.findall(r'<select name="(\w+)">.*?<option value="(\w+)" selected>', page.text, re.DOTALL):
        fields[name] = value
    if 'name="untracked" value="1" checked' in page.text:
        fields["untracked"] = "1"
    return client.post(where, data={**fields, **{name: value for name, value in more.items() if value}})


def said(world: World) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in world.store.rows("SELECT channel, topic, status FROM consents")}


def told(world: World) -> list[tuple[str, Any]]:
    rows = world.store.rows("SELECT name, properties FROM events ORDER BY id")
    return [(row["name"], json.loads(row["properties"])) for row in rows]


def test_the_page_shows_what_the_contact_gets(world: World, clock: Clock) -> None:
    with serving(world, clock) as client:
        page = client.get(path(world))
        assert boxes(page) == {
            "email": True,
            "email:news": True,
            "email:offers": True,
            "sms": False,
            "sms:alerts": False,
        }
        assert "Our news" in page.text
        assert "Once a month." in page.text
        assert "<script" not in page.text
        opt_out(world, 1, "email")
        assert not any(boxes(client.get(path(world))).values())


def test_saving_without_a_change_says_nothing(world: World, clock: Clock) -> None:
    """Boxes that stood ticked are no yes."""
    with serving(world, clock) as client:
        for _ in range(2):
            assert "Saved" in save(client, path(world)).text
    assert said(world) == set()
    assert told(world) == []


def test_a_topic_unticked_is_a_no_to_it_alone(world: World, clock: Clock) -> None:
    with serving(world, clock) as client:
        assert boxes(save(client, path(world), {"email:offers": False}))["email:offers"] is False
        save(client, path(world))
    assert said(world) == {("email", "offers", "withdrawn")}
    assert told(world) == [("consent.withdrawn", {"channel": "email", "topic": "offers"})]
    add_campaign(world.store, "offers", topic="Offers")
    add_campaign(world.store, "news", topic="news")
    run_tick(world.engine(NOW + DAY))
    assert world.reasons() == {"opted_out": 1}
    assert world.states() == {"accepted": 2, "skipped": 1}


def test_r14_a_box_ticked_is_a_yes_with_its_words_as_evidence(world: World, clock: Clock) -> None:
    opt_out(world, 1, "email")
    with serving(world, clock) as client:
        page = save(client, path(world), {"email:news": True})
    assert {name for name, ticked in boxes(page).items() if ticked} == {"email:news"}
    assert said(world) == {("email", "", "withdrawn"), ("email", "news", "granted")}
    row = world.store.row("SELECT evidence, confirmed_at, source FROM consents WHERE topic = 'news'")
    assert row is not None
    assert json.loads(row["evidence"])["wording"] == "Our news. Once a month."
    assert row["confirmed_at"] is not None
    assert row["source"] == "web"
    add_campaign(world.store, "news", topic="news")
    add_campaign(world.store, "offers", topic="offers")
    add_campaign(world.store, "other")
    run_tick(world.engine(NOW + DAY))
    assert world.reasons() == {"opted_out": 2}
    assert world.states() == {"accepted": 2, "skipped": 2}


def test_turning_a_channel_on_brings_no_topic_that_stayed_without_a_tick(world: World, clock: Clock) -> None:
    opt_out(world, 1, "email")
    with serving(world, clock) as client:
        page = save(client, path(world), {"email": True, "email:news": True})
    assert {name for name, ticked in boxes(page).items() if ticked} == {"email", "email:news"}
    assert said(world) == {("email", "", "granted"), ("email", "news", "granted"), ("email", "offers", "withdrawn")}


def test_turning_a_channel_off_ends_its_topics_too(world: World, clock: Clock) -> None:
    opt_in(world, 1, "email")
    with serving(world, clock) as client:
        save(client, path(world), {"email:news": False})
        clock.on()
        save(client, path(world), {"email:news": True})
        clock.on()
        page = save(client, path(world), {"email": False})
        assert not any(ticked for name, ticked in boxes(page).items() if name.startswith("email"))
        clock.on()
        save(client, path(world), {"email:offers": True})
        clock.on()
        save(client, path(world), {"email:offers": False})
    assert said(world) == {("email", "", "withdrawn"), ("email", "news", "granted"), ("email", "offers", "withdrawn")}


def test_a_yes_to_text_messages_by_a_mails_page_is_not_confirmed(world: World, clock: Clock) -> None:
    """The mail proves whose the address is, not whose the number."""
    with serving(world, clock) as client:
        save(client, path(world), {"sms": True, "sms:alerts": True})
    assert said(world) == {("sms", "", "granted"), ("sms", "alerts", "granted")}
    assert world.store.value("SELECT count(confirmed_at) FROM consents") == 0


def test_a_page_that_stood_open_undoes_nothing_said_meanwhile(world: World, clock: Clock) -> None:
    """It only says what was changed on it."""
    with serving(world, clock) as client:
        topics.create(world.store, NOW, "Late")
        opt_out(world, 1, "email")
        stale = {"form": "1", "was_on": ["email", "email:news", "email:offers"], "get": ["email", "email:news"]}
        client.post(path(world), data=stale)
    assert said(world) == {("email", "", "withdrawn")}


@pytest.mark.parametrize("fields", [{}, {"get": "email"}, {"get": ["sms", "email:news"], "was_on": "sms"}])
def test_a_post_that_says_nothing_changes_nothing(world: World, clock: Clock, fields: dict[str, Any]) -> None:
    with serving(world, clock) as client:
        assert client.post(path(world), data=fields).status_code == 200
    assert said(world) == set()
    assert world.store.value("SELECT count(*) FROM preferences") == 0


def test_everything_off_is_a_no_on_every_channel(world: World, clock: Clock) -> None:
    with serving(world, clock) as client:
        page = save(client, path(world), off="all")
        assert "We send you nothing more." in page.text
        assert not any(boxes(page).values())
        save(client, path(world), off="all")
    assert said(world) == {("email", "", "withdrawn"), ("sms", "", "withdrawn"), ("push", "", "withdrawn")}
    assert [name for name, _ in told(world)] == ["consent.withdrawn"] * 3


# How often, a pause, no tracking


def test_at_most_one_message_a_week(world: World, clock: Clock) -> None:
    with serving(world, clock) as client:
        assert '<option value="week" selected>' in save(client, path(world), often="week").text
        save(client, path(world))
    said_of = [entry for entry in told(world) if entry[0] == "preferences.changed"]
    assert said_of == [("preferences.changed", {"most": 1, "per": "1 week", "paused_until": None, "untracked": False})]
    add_campaign(world.store, "soon")
    run_tick(world.engine(NOW + 6 * DAY))
    assert world.reasons() == {"capped": 1}
    add_campaign(world.store, "later", now=NOW + 8 * DAY)
    run_tick(world.engine(NOW + 8 * DAY))
    assert world.states() == {"accepted": 2, "skipped": 1}
    with serving(world, clock) as client:
        save(client, path(world), often="any")
    add_campaign(world.store, "again", now=NOW + 8 * DAY)
    run_tick(world.engine(NOW + 8 * DAY))
    assert world.states() == {"accepted": 3, "skipped": 1}


def test_what_is_transactional_counts_neither_for_the_frequency_nor_under_a_pause(world: World, clock: Clock) -> None:
    with serving(world, clock) as client:
        save(client, path(world), often="month", pause="30")
    add_campaign(world.store, "receipt", purpose="transactional")
    run_tick(world.engine(NOW + DAY))
    assert world.states() == {"accepted": 2}


def test_a_pause_holds_to_its_end(world: World, clock: Clock) -> None:
    with serving(world, clock) as client:
        page = save(client, path(world), pause="30")
        assert "Paused until 2026-12-31" in page.text
        clock.on(DAY)
        save(client, path(world))
    assert world.store.value("SELECT paused_until_at FROM preferences") == int(
        (NOW + MINUTE + 30 * DAY).timestamp() * 1000
    )
    add_campaign(world.store, "soon")
    run_tick(world.engine(NOW + 29 * DAY))
    assert world.reasons() == {"paused": 1}
    add_campaign(world.store, "later", now=NOW + 31 * DAY)
    run_tick(world.engine(NOW + 31 * DAY))
    assert world.states() == {"accepted": 2, "skipped": 1}


def test_a_pause_can_be_ended(world: World, clock: Clock) -> None:
    with serving(world, clock) as client:
        save(client, path(world), pause="90")
        save(client, path(world), pause="no")
    add_campaign(world.store, "soon")
    run_tick(world.engine(NOW + DAY))
    assert world.states() == {"accepted": 2}


def test_r4_a_pause_between_claim_and_wire_keeps_the_mail_from_leaving(
    world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from macli.tick import dispatch
    from tests.test_sending_adversary import Carrier, elsewhere

    add_contacts(world.store, 1, start=1)
    add_campaign(world.store, "first")
    run_tick(world.engine(NOW + MINUTE))
    second = world.store.value("SELECT id FROM sends WHERE contact_id = 2")

    def pause(other: World) -> None:
        with serving(other, clock) as client:
            save(client, path(other, second), pause="30")

    carrier = Carrier("carrier", lambda number, _: elsewhere(world, pause) if number == 1 else None)
    monkeypatch.setattr(dispatch, "load_provider", lambda engine, row: carrier)
    add_campaign(world.store, "summer")
    run_tick(world.engine(NOW + MINUTE))
    assert carrier.sent == ["c0@example.com"]
    assert world.reasons() == {"paused": 1}


def test_r32_tracking_is_off_for_whoever_does_not_want_it(world: World, clock: Clock) -> None:
    with serving(world, clock) as client:
        page = save(client, path(world), untracked="1")
        assert 'name="untracked" value="1" checked' in page.text
    assert world.store.value("SELECT untracked FROM preferences") == 1
    assert told(world)[0][1]["untracked"] is True


def test_the_answer_is_in_the_workspaces_language(world: World, clock: Clock) -> None:
    settings.put(world.store, NOW, "locale", "de")
    with serving(world, clock) as client:
        assert "Gespeichert" in save(client, path(world)).text
