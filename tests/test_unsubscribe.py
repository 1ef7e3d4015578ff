"""Unsubscribing and confirming by a message's link: a look changes nothing, a press holds at once."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import hypothesis
import pytest
from hypothesis import strategies as st

from macli import contacts
from macli.forms.authoring import create_page
from macli.model import Message, Outcome
from macli.store import settings
from macli.tick import dispatch
from macli.tick.tick import run_tick
from macli.web.words import WORDS, language
from tests.site import keys, serving
from tests.test_sending_adversary import Carrier, elsewhere
from tests.world import NOW, World, add_campaign, add_contacts, new_world, opt_in, remove

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two contacts who each got a mail: sends 1 and 2."""
    made = new_world(tmp_path / "shop")
    add_contacts(made.store, 2)
    add_campaign(made.store)
    run_tick(made.engine())
    assert made.states() == {"accepted": 2}
    return made


def address(world: World, send_id: int = 1, room: str = "u") -> str:
    return f"/{room}/{keys(world).message(send_id).act}"


def said(world: World) -> list[tuple[Any, ...]]:
    rows = world.store.rows("SELECT contact_id, channel, topic, status FROM consents ORDER BY id")
    return [tuple(row) for row in rows]


def told(world: World) -> list[str]:
    return [
        row["name"] for row in world.store.rows("SELECT name FROM events WHERE name NOT LIKE 'contact.%' ORDER BY id")
    ]


def logged(world: World) -> list[dict[str, Any]]:
    return [
        {**dict(row), "evidence": json.loads(row["evidence"])}
        for row in world.store.rows("SELECT * FROM consent_log ORDER BY id")
    ]


@pytest.mark.parametrize("room", ["u", "prefs", "confirm"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_r2_looking_at_a_page_changes_nothing(world: World, room: str, method: str) -> None:
    contacts.ask(world.store, NOW, contacts.ONE, {"one_contact": 1}, "email", "form")
    before = said(world), told(world), len(logged(world)), world.store.value("SELECT max(updated_at) FROM contacts")
    with serving(world, lambda: LATER) as client:
        for _ in range(3):
            answer = client.request(method, address(world, 1, room))
            assert answer.status_code == 200
            assert "set-cookie" not in answer.headers
    after = said(world), told(world), len(logged(world)), world.store.value("SELECT max(updated_at) FROM contacts")
    assert after == before


def test_r2_a_one_click_post_acts_with_no_login_cookie_or_redirect_and_repeats_are_200(world: World) -> None:
    with serving(world) as client:
        for _ in range(3):
            answer = client.post(address(world), data=ONE_CLICK, headers={"user-agent": "Mail 1.0"})
            assert answer.status_code == 200
            assert "set-cookie" not in answer.headers
    assert said(world) == [(1, "email", "", "withdrawn")]
    assert told(world) == ["email.unsubscribed", "consent.withdrawn"]
    [entry] = logged(world)
    assert entry["said_at"] == int(NOW.timestamp() * 1000)
    assert entry["evidence"] == {
        "how": "one-click",
        "ip": "127.0.0.1",
        "agent": "Mail 1.0",
        "message": 1,
        "language": "en",
    }


def test_r2_a_one_click_post_may_be_multipart(world: World) -> None:
    with serving(world) as client:
        assert client.post(address(world), files={"List-Unsubscribe": (None, "One-Click")}).status_code == 200
    assert logged(world)[0]["evidence"]["how"] == "one-click"


def test_the_pages_button_unsubscribes_and_its_words_are_kept(world: World) -> None:
    with serving(world) as client:
        page = client.get(address(world)).text
        assert "c•••@example.com" in page
        assert "c0@example.com" not in page
        assert 'method="post"' in page
        assert f"../prefs/{keys(world).message(1).act}" in page
        done = client.post(address(world), data={"leave": "yes"})
        assert "You are unsubscribed" in done.text
        assert "You are unsubscribed" in client.get(address(world)).text
    evidence = logged(world)[0]["evidence"]
    assert (evidence["how"], evidence["wording"]) == ("page", "Unsubscribe from all e-mails")


def test_whoever_said_yes_again_and_unsubscribes_by_the_old_mail_is_unsubscribed(world: World) -> None:
    with serving(world) as client:
        client.post(address(world), data=ONE_CLICK)
        opt_in(world, 1, "email", LATER)
        client.post(address(world), data=ONE_CLICK)
    assert said(world) == [(1, "email", "", "withdrawn")]
    assert told(world) == ["email.unsubscribed", "consent.withdrawn", "consent.granted", "consent.withdrawn"]


def test_unsubscribing_again_ends_a_topic_said_yes_to_since(world: World) -> None:
    clock = [NOW]
    with serving(world, lambda: clock[0]) as client:
        client.post(address(world), data=ONE_CLICK)
        one = {"one_contact": 1}
        contacts.grant_where(world.store, NOW + timedelta(minutes=1), contacts.ONE, one, "email", "x", topic="news")
        clock[0] = LATER
        client.post(address(world), data=ONE_CLICK)
    world.store.execute("INSERT INTO topics VALUES (1, 'news', 'news', 'News', '', 'email', 1, 0)")
    add_campaign(world.store, "news", topic="news", entry={"rule": 'email = "c0@example.com"'})
    run_tick(world.engine(LATER))
    assert world.reasons() == {"opted_out": 1}


@pytest.mark.parametrize("room", ["u", "prefs", "confirm"])
def test_a_token_of_another_kind_or_made_up_is_not_known(world: World, room: str) -> None:
    tokens = keys(world).message(1)
    beyond = keys(world).message(999).act
    with serving(world) as client:
        for token in (tokens.follow, tokens.bounce, tokens.act[:-1], tokens.act + "x", "1.x", "%00", beyond):
            for method in ("GET", "POST"):
                answer = client.request(method, f"/{room}/{token}")
                assert answer.status_code == 404, token
                assert "This link is not known" in answer.text
    assert said(world) == []
    assert told(world) == []


def test_of_a_contact_deleted_since_the_address_says_no(world: World) -> None:
    contacts.purge_where(world.store, NOW, contacts.ONE, {"one_contact": 1})
    with serving(world) as client:
        for _ in range(2):
            assert client.post(address(world), data=ONE_CLICK).status_code == 200
        assert "You are unsubscribed" in client.get(address(world)).text
    [row] = world.store.rows("SELECT channel, address, reason, source FROM suppressions")
    assert tuple(row) == ("email", "c0@example.com", "opted_out", "web")


def test_the_preference_page_of_a_contact_deleted_since_still_lets_the_address_say_no(world: World) -> None:
    contacts.purge_where(world.store, NOW, contacts.ONE, {"one_contact": 1})
    with serving(world) as client:
        page = client.get(address(world, 1, "prefs")).text
        assert f'action="../u/{keys(world).message(1).act}"' in page
        assert client.post(address(world, 1, "prefs"), data={"form": "1", "pause": "30"}).status_code == 200
        assert world.store.value("SELECT count(*) FROM suppressions") == 0
        assert "You are unsubscribed" in client.post(address(world, 1, "prefs"), data={"off": "all"}).text
    assert world.store.value("SELECT address FROM suppressions") == "c0@example.com"


def test_a_removed_contact_can_unsubscribe_too(world: World) -> None:
    remove(world, 1)
    with serving(world) as client:
        assert client.post(address(world), data=ONE_CLICK).status_code == 200
    assert said(world) == [(1, "email", "", "withdrawn")]


def test_a_test_message_answers_and_changes_nothing(world: World) -> None:
    world.store.execute(
        "INSERT INTO sends (id, channel, purpose, state, address, due_at)"
        " VALUES (9, 'email', 'test', 'accepted', 'me@shop.example', 0)"
    )
    with serving(world) as client:
        for room in ("u", "confirm"):
            assert "This is a test message" in client.get(address(world, 9, room)).text
            assert client.post(address(world, 9, room), data=ONE_CLICK).status_code == 200
    assert told(world) == []
    assert world.store.value("SELECT count(*) FROM suppressions") == 0


def test_e20_a_text_messages_link_ends_text_messages_alone(world: World) -> None:
    opt_in(world, 1, "sms")
    world.store.execute(
        "INSERT INTO sends (id, channel, contact_id, purpose, state, address, due_at)"
        " VALUES (9, 'sms', 1, 'campaign', 'accepted', '+14165550000', 0)"
    )
    with serving(world) as client:
        assert "+14•••00" in client.get(address(world, 9)).text
        client.post(address(world, 9), data={"leave": "yes"})
        client.post(address(world, 9), data={"leave": "yes"})
    assert said(world) == [(1, "sms", "", "withdrawn")]
    assert told(world)[1:] == ["sms.opted_out", "consent.withdrawn"]


@pytest.mark.parametrize("room", ["u", "prefs", "confirm"])
def test_what_is_posted_is_limited_and_never_breaks_a_page(world: World, room: str) -> None:
    with serving(world) as client:
        assert client.post(address(world, 1, room), content=b"x" * 70_000).status_code == 413
        assert client.post(address(world, 1, room), content=b"a=1&" * 600).status_code == 400
        assert said(world) == []
        for body in (b"\xff\xfe\x00", b"{", b"=&=&;%zz", b"pause=%F0&often=x&form=1&get=email:none&was_off=a"):
            assert client.post(address(world, 1, room), content=body).status_code in (200, 404)
        assert client.put(address(world, 1, room)).status_code == 405


@hypothesis.settings(max_examples=60, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(
    room=st.sampled_from(("u", "prefs", "confirm")),
    token=st.none() | st.text(max_size=40),
    body=st.binary(max_size=200)
    | st.dictionaries(
        st.sampled_from(("form", "was_on", "was_off", "get", "often", "pause", "untracked", "off", "x")),
        st.sampled_from(("", "1", "email", "email:news", "sms", "week", "30", "no", "all", "\x00", "ł" * 50)),
    ).map(lambda fields: urlencode(fields).encode()),
    language=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
)
def test_nothing_posted_breaks_a_page_or_says_yes(
    world: World, room: str, token: str | None, body: bytes, language: str
) -> None:
    where = address(world, 1, room) if token is None else f"/{room}/{quote(token, safe='')}"
    before = said(world)  # the world is the same for all examples, and an earlier one may have said yes
    with serving(world) as client:
        for method in ("GET", "POST"):
            answer = client.request(
                method, where, content=body if method == "POST" else None, headers={"accept-language": language}
            )
            assert answer.status_code in (200, 400, 404, 405)
            assert "Traceback" not in answer.text
    new = [one for one in said(world) if one not in before]
    assert not [one for one in new if one[3] != "withdrawn" and b"was_off" not in body]


# Pages: language, brand, sender


@pytest.mark.parametrize("name", sorted(WORDS))
def test_every_language_says_all_of_it_with_the_same_places_to_fill(name: str) -> None:
    english, other = WORDS["en"], WORDS[name]
    assert other.keys() == english.keys()
    for key, text in english.items():
        assert ("{address}" in text, "{date}" in text) == ("{address}" in other[key], "{date}" in other[key]), key


def test_a_page_is_in_the_contacts_language_then_the_workspaces_then_the_browsers() -> None:
    assert language("pl-PL", "de", accepted="fr") == "pl"
    assert language(None, "de_AT", accepted="fr") == "de"
    assert language("sv", None, accepted="xx, es-MX;q=0.8, en;q=0.5") == "es"
    assert language(None, None, accepted="") == "en"


def test_the_page_says_its_language(world: World) -> None:
    contacts.edit(world.store, NOW, 1, {"locale": "pl-PL"}, source="test")
    with serving(world) as client:
        page = client.get(address(world), headers={"accept-language": "fr"}).text
        assert '<html lang="pl">' in page
        assert "Wypisz się" in page
        assert '<html lang="fr">' in client.get(address(world, 2), headers={"accept-language": "fr"}).text
        assert '<html lang="de">' in client.get("/u/nobody", headers={"accept-language": "de"}).text
        client.post(address(world), data={"leave": "yes"})
    assert logged(world)[0]["evidence"]["wording"] == WORDS["pl"]["button.email"]


def test_the_page_says_who_the_sender_is(world: World) -> None:
    settings.put(world.store, NOW, "sender.name", "The <Shop>")
    settings.put(world.store, NOW, "postal_address", "12 Main Street, Ottawa")
    with serving(world) as client:
        page = client.get(address(world)).text
    assert "The &lt;Shop&gt;" in page
    assert "12 Main Street, Ottawa" in page


def brand(world: World, html: str) -> None:
    file = world.path / "brand.html"
    file.write_text(html)
    create_page(world.store, NOW, "Brand", {"html": str(file)}, category=None)


def test_p48_a_page_of_ones_own_frames_the_pages(world: World) -> None:
    html = "<html><head><title>{{ title | default('') }}</title></head><body><h1>Shop</h1>{{ content }}</body></html>"
    brand(world, html)
    settings.put(world.store, NOW, "unsubscribe.page", "brand")
    with serving(world) as client:
        page = client.get(address(world))
        assert "<title>Unsubscribe</title>" in page.text
        assert "<h1>Shop</h1>" in page.text
        assert "<button" in page.text
        assert 'lang="en"' in page.text
        assert "script-src" not in page.headers["content-security-policy"]
        assert client.get("/u/nobody").status_code == 404
        assert client.post(address(world), data=ONE_CLICK).status_code == 200
    assert said(world) == [(1, "email", "", "withdrawn")]


@pytest.mark.parametrize(
    "html", [None, "<html><body>{{ content[3].nothing.at.all }}</body></html>", "<html><body>No place</body></html>"]
)
def test_where_the_own_page_does_not_do_the_plain_frame_shows(world: World, html: str | None) -> None:
    if html is not None:
        brand(world, "<html><body>{{ content }}</body></html>")
        world.store.execute("UPDATE template_versions SET html = :html", {"html": html})
    settings.put(world.store, NOW, "unsubscribe.page", "brand")
    with serving(world) as client:
        page = client.get(address(world))
    assert page.status_code == 200
    assert '<html lang="en">' in page.text
    assert "<button" in page.text


# Before the next send


@pytest.fixture
def carried(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Carrier]:
    """Puts the mail channel on a provider that does something while a message is on its way."""

    def on(meanwhile: Callable[[int, Message], Outcome | None]) -> Carrier:
        carrier = Carrier("carrier", meanwhile)
        monkeypatch.setattr(dispatch, "load_provider", lambda engine, row: carrier)
        return carrier

    return on


def test_r4_an_unsubscribe_between_claim_and_wire_keeps_the_mail_from_leaving(
    world: World, carried: Callable[..., Carrier]
) -> None:
    def unsubscribe(other: World) -> None:
        with serving(other) as client:
            assert client.post(address(other, 2), data=ONE_CLICK).status_code == 200

    carrier = carried(lambda number, _: elsewhere(world, unsubscribe) if number == 1 else None)
    add_campaign(world.store, "summer")
    run_tick(world.engine(LATER))
    assert carrier.sent == ["c0@example.com"]
    assert world.reasons() == {"opted_out": 1}


def test_r4_a_no_to_a_topic_between_claim_and_wire_keeps_its_mail_from_leaving(
    world: World, carried: Callable[..., Carrier]
) -> None:
    world.store.execute("INSERT INTO topics VALUES (1, 'News', 'news', 'News', '', 'email', 1, 0)")

    def untick(other: World) -> None:
        with serving(other) as client:
            client.post(
                address(other, 2, "prefs"), data={"form": "1", "was_on": ["email", "email:news"], "get": "email"}
            )

    carrier = carried(lambda number, _: elsewhere(world, untick) if number == 1 else None)
    add_campaign(world.store, "summer", topic="News")
    run_tick(world.engine(LATER))
    assert carrier.sent == ["c0@example.com"]
    assert world.reasons() == {"opted_out": 1}
    assert said(world) == [(2, "email", "news", "withdrawn")]


def test_e18_unsubscribing_cancels_what_is_planned_and_fires_once(world: World) -> None:
    settings.put(world.store, NOW, "quiet_hours.email", "00:00-23:59")
    add_campaign(world.store, "later")
    run_tick(world.engine())
    assert world.states() == {"accepted": 2, "planned": 2}
    with serving(world) as client:
        for _ in range(2):
            client.post(address(world), data=ONE_CLICK)
    assert world.reasons() == {"opted_out": 1}
    assert world.states() == {"accepted": 2, "planned": 1, "skipped": 1}
    assert told(world).count("email.unsubscribed") == 1
    assert told(world).count("consent.withdrawn") == 1


def test_p36_who_opted_out_still_gets_what_is_transactional(world: World) -> None:
    with serving(world) as client:
        client.post(address(world), data=ONE_CLICK)
    add_campaign(world.store, "receipt", purpose="transactional", entry={"rule": 'email = "c0@example.com"'})
    add_campaign(world.store, "summer", entry={"rule": 'email = "c0@example.com"'})
    run_tick(world.engine(LATER))
    assert world.states() == {"accepted": 3, "skipped": 1}
    assert world.reasons() == {"opted_out": 1}


def test_p36_an_address_kept_for_a_no_alone_still_gets_what_is_transactional(world: World) -> None:
    with serving(world) as client:
        client.post(address(world), data=ONE_CLICK)
    contacts.purge_where(world.store, NOW, contacts.ONE, {"one_contact": 1})
    contacts.add(world.store, NOW, {"email": "c0@example.com"}, {"first_name": "Ann"}, source="test")
    add_campaign(world.store, "receipt", purpose="transactional", entry={"rule": 'email = "c0@example.com"'})
    run_tick(world.engine(LATER))
    assert world.states() == {"accepted": 3}
    world.store.execute("UPDATE suppressions SET reason = 'bounced'")
    add_campaign(world.store, "second", purpose="transactional", entry={"rule": 'email = "c0@example.com"'})
    run_tick(world.engine(LATER))
    assert world.reasons() == {"suppressed": 1}
