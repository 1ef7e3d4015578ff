"""Forms: what they ask, what a stranger's answer may change, and what programs and attackers get."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from macli import audience, contacts
from macli.campaign.problems import BadDefinition
from macli.contacts import ONE
from macli.errors import MacliError, UsageError
from macli.forms import authoring, definition
from macli.forms.popups import active
from macli.store import settings as kept_settings
from macli.store import templates, visitors, web_rates
from macli.tick.tick import run_tick
from tests.site import keys, serving
from tests.world import NOW, World, add_campaign, add_contacts, add_template, new_world, opt_in, opt_out, remove

SIGN_UP = """
title: Letters
fields:
  - {name: email, required: yes}
  - first_name
  - phone
consents:
  - {text: Yes to the letters, topic: letters}
tags: [letters]
source: spring fair
"""


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = new_world(tmp_path / "shop")
    yield made
    made.store.close()


def add_form(world: World, text: str = SIGN_UP, name: str = "letters") -> None:
    authoring.create_form(world.store, NOW, name, text, where="form.yaml", category=None)


def hidden(html: str) -> dict[str, str]:
    """What a shown form would send along by itself."""
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', html))


@contextmanager
def asked(world: World, slug: str = "letters", query: str = "", clock: Clock | None = None) -> Iterator[Any]:
    """A client, and a function that fills the form as a person does: shown, five seconds, sent."""
    clock = clock or Clock()
    with serving(world, clock) as client:

        def send(wait: float = 5, headers: dict[str, str] | None = None, **typed: str) -> Any:
            shown = client.get(f"/f/{slug}{query}", headers=headers)
            assert shown.status_code == 200
            clock.passes(wait)
            return client.post(f"/f/{slug}", data={**hidden(shown.text), **typed}, headers=headers)

        send.client = client  # type: ignore[attr-defined]
        send.clock = clock  # type: ignore[attr-defined]
        yield send


def contact(world: World, email: str) -> dict[str, Any]:
    row = world.store.row("SELECT * FROM contacts WHERE email = :email", {"email": email})
    assert row is not None
    return {**dict(row), **json.loads(row["attributes"])}


def happened(world: World, name: str) -> list[dict[str, Any]]:
    rows = world.store.rows("SELECT * FROM events WHERE name = :name ORDER BY id", {"name": name})
    return [{**dict(row), "said": json.loads(row["properties"])} for row in rows]


def consent(world: World, email: str, topic: str = "letters", channel: str = "email") -> dict[str, Any] | None:
    row = world.store.row(
        """
        SELECT consents.* FROM consents JOIN contacts ON contacts.id = consents.contact_id
        WHERE email = :email AND topic = :topic AND channel = :channel
        """,
        {"email": email, "topic": topic, "channel": channel},
    )
    return None if row is None else {**dict(row), "said": json.loads(row["evidence"])}


def stored(world: World) -> tuple[int, ...]:
    tables = ("contacts", "events", "consents", "consent_log", "contact_tags", "visitors")
    return tuple(world.store.value(f"SELECT count(*) FROM {table}") for table in tables)


# The definition


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("fields: [first_name]", 1, "neither email nor phone"),
        ("fields:\n  - email", 1, "has to be required"),
        ("fields:\n  - {name: email, required: yes}\n  - {name: email}", 3, "twice"),
        ("fields:\n  - {name: email, required: yes}\n  - external_id", 3, "cannot ask for 'external_id'"),
        ("fields:\n  - {name: email, required: yes}\n  - state", 3, "cannot ask for 'state'"),
        ("fields:\n  - {name: email, required: yes}\n  - {name: age, type: nubmer}", 3, "did you mean 'number'"),
        ("fields:\n  - {name: email, required: yes}\n  - {name: size, type: choice}", 3, "nothing to choose"),
        ("fields:\n  - {name: email, required: yes}\n  - {name: a, pattern: '(a+)+b'}", 3, "repetition"),
        (
            "fields:\n  - {name: email, required: yes}\n  - {name: a, pattern: '(a|a)*b'}",
            3,
            "choice inside a repetition",
        ),
        (
            "fields:\n  - {name: email, required: yes}\n  - {name: a, pattern: '(a?){30}a{30}'}",
            3,
            "inside a repetition",
        ),
        ("fields:\n  - {name: email, required: yes}\n  - {name: a, pattern: 'a*a*a*b'}", 3, "at most two"),
        ("fields:\n  - {name: email, required: yes}\n  - {name: a, pattern: '['}", 3, "no regular expression"),
        ("fields:\n  - {name: email, required: yes, type: text}", 2, "email is of the type email"),
        ("fields:\n  - {name: email, required: yes}\nredirect: javascript:alert(1)", 3, "no web address"),
        ("fields:\n  - {name: email, required: yes}\nredirect: //evil.example", 3, "no web address"),
        ("fields:\n  - {name: email, required: yes}\nredierct: https://a.example", 3, "did you mean 'redirect'"),
        ("fields:\n  - {name: email, required: yes}\nconsents:\n  - {channel: sms, text: Yes}", 4, "'phone'"),
        ("fields:\n  - {name: email, required: yes}\nconsents:\n  - {channel: fax, text: Yes}", 4, "email, sms"),
        ("fields:\n  - {name: email, required: yes}\ndouble_opt_in: yes", 3, "no consent"),
        ("fields:\n  - {name: email, required: yes}\nlocales:\n  pl:\n    labels: {nmae: Imię}", 5, "no field 'nmae'"),
        ("- email", 1, "keys and values"),
    ],
)
def test_every_mistake_in_a_definition_is_told_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(BadDefinition) as raised:
        definition.read(text, "form.yaml")
    assert f"form.yaml:{line}: " in raised.value.message
    assert words in raised.value.message


def test_all_mistakes_of_a_definition_are_told_at_once() -> None:
    with pytest.raises(BadDefinition) as raised:
        definition.read("fields: [first_name, state]\nredirect: ftp://x\n", "form.yaml")
    assert len(raised.value.problems) == 3


def test_p17_a_broken_definition_is_refused_and_the_old_one_stays(world: World) -> None:
    add_form(world)
    with pytest.raises(BadDefinition):
        authoring.edit_form(world.store, NOW, "letters", "fields: [", where="form.yaml")
    assert templates.version(world.store, "letters", kind="form")["source"] == SIGN_UP


def test_a_field_is_typed_by_the_form_and_not_by_who_answers_first(world: World) -> None:
    add_form(world, "fields:\n  - {name: email, required: yes}\n  - {name: code}\n")
    with asked(world) as send:
        send(email="ann@example.com", code="007")
    assert contact(world, "ann@example.com")["code"] == "007"


def test_a_field_of_another_type_than_its_attribute_is_refused(world: World) -> None:
    add_contacts(world.store, 1)
    with pytest.raises(UsageError, match="'number' holds number"):
        add_form(world, "fields:\n  - {name: email, required: yes}\n  - number\n")


# New and known


def test_p16_a_new_address_becomes_a_contact_and_the_event_says_which_form(world: World) -> None:
    add_form(world)
    with asked(world) as send:
        answer = send(email="Ann@Example.com", first_name="Ann")
    assert answer.status_code == 200
    ann = contact(world, "ann@example.com")
    assert (ann["first_name"], ann["source"]) == ("Ann", "spring fair")
    [added] = happened(world, "contact.added")
    assert added["source"] == "form:letters"
    [submitted] = happened(world, "form.submitted")
    assert submitted["contact_id"] == ann["id"]
    assert submitted["said"] == {"form": "letters", "version": 1, "fields": ["email", "first_name"]}
    assert happened(world, "tag.added")[0]["said"] == {"tag": "LETTERS"}


def test_a_stranger_overwrites_nothing_that_is_known(world: World) -> None:
    add_form(world)
    add_contacts(world.store, 1)
    before = contact(world, "c0@example.com")
    with asked(world) as send:
        send(email="c0@example.com", first_name="Mallory", phone="+1 416 555 0199")
    after = contact(world, "c0@example.com")
    assert {name: after[name] for name in ("first_name", "phone", "source", "external_id")} == {
        name: before[name] for name in ("first_name", "phone", "source", "external_id")
    }
    assert happened(world, "attribute.changed") == []


def test_a_stranger_fills_what_is_empty_and_adds_tags(world: World) -> None:
    add_form(world)
    contacts.add(world.store, NOW, {"email": "ann@example.com"}, source="test")
    with asked(world) as send:
        send(email="ann@example.com", first_name="Ann")
    assert contact(world, "ann@example.com")["first_name"] == "Ann"
    assert len(happened(world, "contact.added")) == 1
    assert len(happened(world, "tag.added")) == 1


def test_a_stranger_gives_nobody_known_a_number_for_texts(world: World) -> None:
    add_form(world, "fields: [{name: email, required: yes}, phone]")
    contacts.add(world.store, NOW, {"email": "ann@example.com"}, source="test")
    with asked(world) as send:
        send(email="ann@example.com", phone="+1 416 555 0199")
        send(email="new@example.com", phone="+1 416 555 0198")
    assert contact(world, "ann@example.com")["phone"] is None
    assert contact(world, "new@example.com")["phone"] == "+14165550198"


def test_a_stranger_who_asks_in_a_customers_name_keeps_no_mail_from_the_customer(world: World) -> None:
    add_form(world, SIGN_UP + "double_opt_in: yes\n")
    add_contacts(world.store, 1)
    with asked(world) as send:
        send(email="c0@example.com", consent_1="yes")
        send(email="new@example.com", consent_1="yes")
    assert consent(world, "c0@example.com") is None
    new = consent(world, "new@example.com")
    assert new is not None
    assert new["status"] == "pending"
    assert len(happened(world, "consent.requested")) == 2


def test_e06_a_removed_contact_is_readded_and_its_no_stays(world: World) -> None:
    add_form(world, SIGN_UP.replace(", topic: letters", ""))
    add_contacts(world.store, 1)
    opt_out(world, 1, "email")
    remove(world, 1)
    with asked(world) as send:
        send(email="c0@example.com")
    assert contact(world, "c0@example.com")["removed_at"] is None
    assert len(happened(world, "contact.readded")) == 1
    assert happened(world, "contact.added") == []
    said = consent(world, "c0@example.com", "")
    assert said is not None
    assert said["status"] == "withdrawn"


def test_e06_a_removed_contact_a_stranger_brings_back_gets_nothing_on_its_old_yes(world: World) -> None:
    add_form(world, SIGN_UP + "double_opt_in: yes\n")
    add_contacts(world.store, 2)
    opt_in(world, 1, "email")
    remove(world, 1)
    remove(world, 2)
    with asked(world) as send:
        send(email="c0@example.com", consent_1="yes")
        send(email="c1@example.com")
    campaign = audience.policy(world.engine().setting, channel="email", purpose="campaign")
    assert [audience.reason_for(world.store, who, campaign, NOW) for who in (1, 2)] == ["no_consent"] * 2
    letters = audience.policy(world.engine().setting, channel="email", purpose="campaign", topic="letters")
    assert contacts.confirm(world.store, NOW, 1, "email", "web") == 1
    assert audience.reason_for(world.store, 1, letters, NOW) is None
    assert audience.reason_for(world.store, 1, campaign, NOW) == "no_consent"
    assert contacts.confirm(world.store, NOW, 2, "email", "web") == 0


def test_e06_a_purged_contact_is_a_new_one(world: World) -> None:
    add_form(world)
    add_contacts(world.store, 1)
    contacts.purge_where(world.store, NOW, ONE, {"one_contact": 1})
    with asked(world) as send:
        send(email="c0@example.com")
    assert happened(world, "contact.readded") == []
    assert len(happened(world, "contact.added")) == 1


def test_nobody_learns_by_a_form_whether_an_address_is_known(world: World) -> None:
    add_form(world, SIGN_UP + "double_opt_in: yes\n")
    add_contacts(world.store, 1)
    opt_out(world, 1, "email")
    with asked(world) as send:
        new = send(email="new@example.com", consent_1="yes")
        known = send(email="c0@example.com", consent_1="yes")
        as_json = [
            send(email=email, headers={"Accept": "application/json"}).json()
            for email in ("n2@example.com", "c0@example.com")
        ]
    assert (new.status_code, new.text) == (known.status_code, known.text)
    assert as_json[0] == as_json[1]


def test_an_open_form_shows_nobody_s_values(world: World) -> None:
    add_form(world)
    add_contacts(world.store, 1)
    with serving(world) as client:
        assert "c0@example.com" not in client.get("/f/letters?email=c0@example.com").text


# Consents


def test_e17_a_ticked_box_is_a_yes_with_its_evidence(world: World) -> None:
    add_form(world)
    with asked(world) as send:
        send(email="ann@example.com", consent_1="yes", headers={"User-Agent": "Firefox"})
    said = consent(world, "ann@example.com")
    assert said is not None
    assert (said["status"], said["source"]) == ("granted", "form:letters")
    assert said["said"] == {
        "ip": "127.0.0.1",
        "agent": "Firefox",
        "page": "/f/letters",
        "form": "letters",
        "version": 1,
        "text": "Yes to the letters",
        "locale": "en",
    }
    assert happened(world, "consent.granted")[0]["said"] == {"channel": "email", "topic": "letters"}


def test_e17_a_yes_said_again_is_no_event(world: World) -> None:
    add_form(world)
    with asked(world) as send:
        send(email="ann@example.com", consent_1="yes")
        send(email="ann@example.com", consent_1="yes")
    assert len(happened(world, "consent.granted")) == 1


def test_a_box_left_alone_says_nothing_and_is_never_ticked_beforehand(world: World) -> None:
    add_form(world)
    with asked(world) as send:
        assert " checked" not in send.client.get("/f/letters").text
        send(email="ann@example.com")
    assert consent(world, "ann@example.com") is None


def test_a_yes_waits_for_its_confirmation_with_double_opt_in(world: World) -> None:
    add_form(world, SIGN_UP + "double_opt_in: yes\n")
    with asked(world) as send:
        send(email="ann@example.com", consent_1="yes")
    said = consent(world, "ann@example.com")
    assert said is not None
    assert said["status"] == "pending"
    assert len(happened(world, "consent.requested")) == 1
    assert happened(world, "consent.granted") == []


@pytest.mark.parametrize("topic", ["", "letters"])
def test_a_no_is_not_lifted_by_a_stranger_but_asked_about(world: World, topic: str) -> None:
    add_form(world, SIGN_UP.replace(", topic: letters", f", topic: {topic}" if topic else ""))
    add_contacts(world.store, 1)
    contacts.withdraw_where(world.store, NOW, ONE, {"one_contact": 1}, "email", "test", topic=topic)
    with asked(world) as send:
        send(email="c0@example.com", consent_1="yes")
    said = consent(world, "c0@example.com", topic)
    assert said is not None
    assert said["status"] == "withdrawn"
    assert happened(world, "consent.granted") == []
    assert len(happened(world, "consent.requested")) == 1


def test_a_no_that_outlived_its_contact_is_not_lifted_by_a_stranger(world: World) -> None:
    add_form(world, SIGN_UP.replace(", topic: letters", ""))
    add_contacts(world.store, 1)
    opt_out(world, 1, "email")
    contacts.purge_where(world.store, NOW, ONE, {"one_contact": 1})
    with asked(world) as send:
        send(email="c0@example.com", consent_1="yes")
    assert happened(world, "consent.granted") == []
    assert world.store.value("SELECT count(*) FROM suppressions WHERE address = 'c0@example.com'") == 1


def test_a_form_that_says_resubscribe_lifts_a_no(world: World) -> None:
    add_form(world, SIGN_UP.replace(", topic: letters", "") + "resubscribe: yes\n")
    add_contacts(world.store, 1)
    opt_out(world, 1, "email")
    with asked(world) as send:
        send(email="c0@example.com", consent_1="yes")
    said = consent(world, "c0@example.com", "")
    assert said is not None
    assert said["status"] == "granted"


def test_the_words_that_were_shown_are_the_ones_that_are_kept(world: World) -> None:
    add_form(world)
    clock = Clock()
    with serving(world, clock) as client:
        shown = client.get("/f/letters")
        authoring.edit_form(
            world.store, NOW, "letters", SIGN_UP.replace("Yes to the letters", "Sell my soul"), where="form.yaml"
        )
        clock.passes(60)
        client.post("/f/letters", data={**hidden(shown.text), "email": "ann@example.com", "consent_1": "yes"})
    said = consent(world, "ann@example.com")
    assert said is not None
    assert (said["said"]["text"], said["said"]["version"]) == ("Yes to the letters", 1)


# Proof


def sent_to_c0(world: World) -> int:
    """A campaign's mail to c0@example.com; its send's id."""
    add_contacts(world.store, 1)
    add_template(world.store)
    add_campaign(world.store)

    run_tick(world.engine())
    return int(world.store.value("SELECT id FROM sends"))


def test_a_mail_s_own_link_proves_the_mailbox_and_may_change_values(world: World) -> None:
    add_form(world)
    token = keys(world).message(sent_to_c0(world)).act
    with asked(world, query=f"?_m={token}") as send:
        shown = send.client.get(f"/f/letters?_m={token}").text
        assert 'value="c0@example.com"' in shown
        assert 'value="Contact 0"' in shown
        send(email="c0@example.com", first_name="Carol", consent_1="yes")
    assert contact(world, "c0@example.com")["first_name"] == "Carol"
    [submitted] = happened(world, "form.submitted")
    assert (submitted["send_id"], submitted["campaign_id"]) == (1, 1)
    said = consent(world, "c0@example.com")
    assert said is not None
    assert said["confirmed_at"] is not None


def test_a_link_that_only_follows_proves_nothing_but_is_counted(world: World) -> None:
    add_form(world)
    token = keys(world).message(sent_to_c0(world)).follow
    with asked(world, query=f"?_m={token}") as send:
        assert "c0@example.com" not in send.client.get(f"/f/letters?_m={token}").text
        send(email="c0@example.com", first_name="Carol")
    assert contact(world, "c0@example.com")["first_name"] == "Contact 0"
    [submitted] = happened(world, "form.submitted")
    assert submitted["campaign_id"] == 1


def test_one_s_own_link_proves_nothing_of_somebody_else(world: World) -> None:
    add_form(world)
    token = keys(world).message(sent_to_c0(world)).act
    add_contacts(world.store, 1, start=1)
    with asked(world, query=f"?_m={token}") as send:
        send(email="c1@example.com", first_name="Carol")
    assert contact(world, "c1@example.com")["first_name"] == "Contact 1"
    [submitted] = happened(world, "form.submitted")
    assert (submitted["send_id"], submitted["campaign_id"]) == (None, None)


# Visitors


def test_a_visitor_s_history_joins_who_fills_the_form(world: World) -> None:
    add_form(world)
    with world.store.write():
        visitors.seen(world.store, 1, "visitor-token-0123456789")
    with asked(world) as send:
        send(email="ann@example.com", _visitor="visitor-token-0123456789")
    row = visitors.by_token(world.store, "visitor-token-0123456789")
    assert row is not None
    assert row["contact_id"] == contact(world, "ann@example.com")["id"]


# Mistakes, programs, attacks


def test_a_mistake_is_said_beside_its_field_and_what_was_typed_stays(world: World) -> None:
    add_form(world)
    with asked(world) as send:
        answer = send(email="ann at example", first_name='<script>alert("x")</script>')
    assert answer.status_code == 422
    assert "This is not an e-mail address." in answer.text
    assert 'value="ann at example"' in answer.text
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert" in answer.text
    assert stored(world) == (0, 0, 0, 0, 0, 0)


def test_a_mistake_is_said_in_the_language_the_form_was_shown_in(world: World) -> None:
    add_form(world, SIGN_UP + "locales:\n  pl: {title: Listy, consents: [Tak]}\n")
    with asked(world, query="?lang=pl") as send:
        answer = send(email="", consent_1="yes")
        assert "Prosimy wypełnić to pole." in answer.text
        assert "<h1>Listy</h1>" in answer.text
        send(email="ann@example.com", consent_1="yes")
    said = consent(world, "ann@example.com")
    assert said is not None
    assert (said["said"]["text"], said["said"]["locale"]) == ("Tak", "pl")


def test_a_required_consent_has_to_be_ticked(world: World) -> None:
    add_form(world, SIGN_UP.replace("topic: letters", "topic: letters, required: yes"))
    with asked(world) as send:
        assert send(email="ann@example.com").status_code == 422
    assert stored(world)[0] == 0


@pytest.mark.parametrize(
    ("field", "typed", "kept"),
    [
        ("{name: age, type: number}", "42", 42),
        ("{name: age, type: number}", "old", None),
        ("{name: born, type: date}", "1990-12-31", "1990-12-31"),
        ("{name: born, type: date}", "31 of May", None),
        ("{name: size, choices: [S, M]}", "M", "M"),
        ("{name: size, choices: [S, M]}", "XXL", None),
        ("{name: vip, type: checkbox}", "yes", True),
        ("{name: zip, pattern: '[0-9]{5}'}", "12345", "12345"),
        ("{name: zip, pattern: '[0-9]{5}'}", "123456", None),
        ("{name: nick, max_length: 4}", "abcd", "abcd"),
        ("{name: nick, max_length: 4}", "abcde", None),
        ("{name: about, type: textarea}", "one\r\ntwo\x00", "one two"),
        ("{name: origin, type: hidden, value: fair}", "forged", "fair"),
    ],
)
def test_an_answer_is_kept_as_its_field_says_or_refused(world: World, field: str, typed: str, kept: Any) -> None:
    name = re.findall(r"name: (\w+)", field)[0]
    add_form(world, f"fields:\n  - {{name: email, required: yes}}\n  - {field}\n")
    with asked(world) as send:
        answer = send(email="ann@example.com", **{name: typed})
    if kept is None:
        assert answer.status_code == 422
        assert stored(world)[0] == 0
    else:
        assert answer.status_code == 200
        assert contact(world, "ann@example.com")[name] == kept


def test_a_field_the_form_does_not_have_is_not_kept(world: World) -> None:
    add_form(world)
    with asked(world) as send:
        send(email="ann@example.com", vip="true", external_id="boss", state="customer", source="x", id="7")
    ann = contact(world, "ann@example.com")
    assert (ann["external_id"], ann["state"], ann["source"], ann["attributes"]) == (None, "lead", "spring fair", "{}")


def test_who_fills_the_field_nobody_sees_is_thanked_and_forgotten(world: World) -> None:
    add_form(world)
    with asked(world) as send:
        person = send(email="ann@example.com")
        robot = send(email="bot@example.com", homepage_url="http://spam.example")
    assert (robot.status_code, robot.text) == (person.status_code, person.text)
    assert world.store.value("SELECT count(*) FROM contacts") == 1


def test_who_is_faster_than_a_person_is_thanked_and_forgotten(world: World) -> None:
    add_form(world)
    with asked(world) as send:
        assert send(wait=1, email="bot@example.com").status_code == 200
    assert stored(world) == (0, 0, 0, 0, 0, 0)


def test_a_mended_slip_is_not_taken_for_a_program(world: World) -> None:
    add_form(world)
    with asked(world) as send:
        again = send(email="ann@example")
        answer = send.client.post("/f/letters", data={**hidden(again.text), "email": "ann@example.com"})
    assert answer.status_code == 200
    assert stored(world)[0] == 1


def test_a_page_left_open_for_a_day_is_asked_again_with_its_answers(world: World) -> None:
    add_form(world)
    with asked(world) as send:
        again = send(wait=25 * 3600, email="ann@example.com")
        assert again.status_code == 422
        assert 'value="ann@example.com"' in again.text
        assert stored(world)[0] == 0
        send.clock.passes(5)
        send.client.post("/f/letters", data={**hidden(again.text), "email": "ann@example.com"})
    assert stored(world)[0] == 1


def test_a_made_up_mark_stores_nothing(world: World) -> None:
    add_form(world)
    add_form(world, name="other")
    clock = Clock()
    with serving(world, clock) as client:
        foreign = hidden(client.get("/f/other").text)["_t"]
        clock.passes(5)
        for mark in ("", "x", foreign, foreign[:-1]):
            answer = client.post("/f/letters", data={"_t": mark, "email": "ann@example.com"})
            assert answer.status_code == 422
    assert stored(world) == (0, 0, 0, 0, 0, 0)


def test_a_double_click_is_one_answer(world: World) -> None:
    add_form(world)
    clock = Clock()
    with serving(world, clock) as client:
        typed = {**hidden(client.get("/f/letters").text), "email": "ann@example.com"}
        clock.passes(5)
        assert client.post("/f/letters", data=typed).text == client.post("/f/letters", data=typed).text
    assert len(happened(world, "form.submitted")) == 1


def test_two_people_may_fill_one_shown_page_after_each_other(world: World) -> None:
    add_form(world)
    clock = Clock()
    with serving(world, clock) as client:
        shown = hidden(client.get("/f/letters").text)
        clock.passes(5)
        for address in ("ann@example.com", "bob@example.com"):
            client.post("/f/letters", data={**shown, "email": address})
    assert world.store.value("SELECT count(*) FROM contacts") == 2
    assert len(happened(world, "form.submitted")) == 2


def test_too_many_answers_from_one_address_are_put_off(world: World) -> None:
    add_form(world)
    with asked(world) as send:
        codes = [send(wait=3, email=f"a{number}@example.com").status_code for number in range(22)]
        assert codes == [200] * 20 + [429] * 2
        other = {"X-Forwarded-For": "203.0.113.9"}
        assert send(wait=3, email="b@example.com", headers=other).status_code == 200
        send.clock.passes(600)
        assert send(email="late@example.com").status_code == 200


def test_a_whole_ipv6_network_is_one_address() -> None:
    assert web_rates.network("2001:db8:1:2::1") == web_rates.network("2001:db8:1:2:ffff::9")
    assert web_rates.network("2001:db8:1:2::1") != web_rates.network("2001:db8:1:3::1")
    assert web_rates.network("192.0.2.7") == "192.0.2.7"


@pytest.mark.parametrize("length", [64 * 1024 + 1, 1_000_000])
def test_a_large_body_is_refused(world: World, length: int) -> None:
    add_form(world)
    with serving(world) as client:
        answer = client.post(
            "/f/letters",
            content=b"email=" + b"a" * length,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
    assert answer.status_code == 413
    assert stored(world) == (0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"email=a", 415),
        ("application/json", b"{", 400),
        ("application/json", b"[]", 400),
        ("application/json", b"[" * 60_000, 400),
        ("application/json", b'{"email": {"a": 1}}', 400),
        ("application/json", b'{"email": "\\ud800", "_t": "\\ud800"}', 422),
        ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % number for number in range(300)), 400),
        ("application/x-www-form-urlencoded", b"\xff\xfe", 400),
    ],
)
def test_a_body_that_is_no_form_is_refused(world: World, kind: str, body: bytes, status: int) -> None:
    add_form(world)
    with serving(world) as client:
        assert client.post("/f/letters", content=body, headers={"Content-Type": kind}).status_code == status
    assert stored(world) == (0, 0, 0, 0, 0, 0)


FUZZED = st.dictionaries(
    st.sampled_from(["email", "first_name", "phone", "consent_1", "_t", "_m", "_visitor", "_page", "x"]),
    st.one_of(st.text(max_size=60), st.sampled_from(["a@b.example\r\nBcc: x@y", "{{ 7*7 }}", "' OR 1=1 --", "\x00"])),
)


@pytest.fixture
def fuzzed(world: World) -> Iterator[tuple[World, Clock, Any]]:
    """One site for all examples of a test."""
    add_form(world)
    clock = Clock()
    with serving(world, clock) as client:
        yield world, clock, client


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed=FUZZED, as_json=st.booleans(), path=st.sampled_from(["/f/letters", "/f/lett%00ers", "/f/..%2f", "/f/ł"]))
def test_whatever_is_posted_without_a_shown_form_stores_nothing_and_breaks_nothing(
    fuzzed: tuple[World, Clock, Any], typed: dict[str, str], as_json: bool, path: str
) -> None:
    world, _, client = fuzzed
    answer = client.post(path, **({"json": typed} if as_json else {"data": typed}))
    assert answer.status_code in (307, 400, 404, 415, 422, 429)
    assert "Traceback" not in answer.text
    assert stored(world) == (0, 0, 0, 0, 0, 0)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed=FUZZED)
def test_whatever_is_typed_into_a_shown_form_is_answered_and_breaks_nothing(
    fuzzed: tuple[World, Clock, Any], typed: dict[str, str]
) -> None:
    world, clock, client = fuzzed
    shown = hidden(client.get("/f/letters").text)
    clock.passes(601)
    answer = client.post("/f/letters", data={**typed, "_t": shown["_t"]})
    assert answer.status_code in (200, 422)
    for row in world.store.rows("SELECT email FROM contacts"):
        assert "\n" not in row["email"]


# What follows, and where it leads


def test_an_answer_leads_only_where_the_definition_says(world: World) -> None:
    add_form(world, SIGN_UP + "redirect: https://shop.example/thanks?from=letters\n")
    with asked(world) as send:
        shown = send.client.get("/f/letters?redirect=https://evil.example&next=//evil.example")
        assert "form-action 'self' https://shop.example;" in shown.headers["content-security-policy"]
        answer = send(email="ann@example.com", redirect="https://evil.example", next="//evil.example")
    assert answer.status_code == 303
    assert answer.headers["location"] == "https://shop.example/thanks?from=letters"


@pytest.mark.parametrize(
    "url", ["https://a.example/\r\nSet-Cookie: x=1", "https://a.example/ b", "http://u@evil.example"]
)
def test_a_redirect_cannot_carry_another_header(url: str) -> None:
    assert not definition.is_web_address(url)


def test_a_form_can_lead_to_a_page_that_is_there(world: World, tmp_path: Path) -> None:
    with pytest.raises(MacliError, match="Thank you"):
        add_form(world, SIGN_UP + "thanks_page: Thank you\n")
    (tmp_path / "thanks.md").write_text("# Thank you")
    authoring.create_page(world.store, NOW, "Thank you", {"markdown": str(tmp_path / "thanks.md")}, category=None)
    add_form(world, SIGN_UP + "thanks_page: Thank you\n")
    with asked(world) as send:
        assert send(email="ann@example.com").headers["location"] == "/p/thank-you"
    with pytest.raises(MacliError, match="is used by 'letters'"):
        authoring.remove(world.store, "page", "Thank you")


def test_programs_send_and_are_answered_json(world: World) -> None:
    add_form(world)
    clock = Clock()
    with serving(world, clock) as client:
        mark = hidden(client.get("/f/letters").text)["_t"]
        clock.passes(5)
        wrong = client.post("/f/letters", json={"_t": mark, "email": "no"})
        right = client.post("/f/letters", json={"_t": mark, "email": "ann@example.com", "consent_1": True})
    assert (wrong.status_code, wrong.json()["errors"]) == (422, {"email": "This is not an e-mail address."})
    assert right.json() == {"ok": True, "thanks": ["Thank you."], "redirect": None}
    assert stored(world)[0] == 1


# On other people's pages


def test_only_pages_of_the_tracker_s_domains_may_show_a_form(world: World) -> None:
    add_form(world)
    kept_settings.put(world.store, NOW, "tracker.domains", "shop.example, *.shop.example")
    with serving(world) as client:
        good = client.get("/f/letters/embed.json", headers={"Origin": "https://www.shop.example"})
        bad = client.get("/f/letters/embed.json", headers={"Origin": "https://shop.example.evil.example"})
        script = client.get("/f/letters/embed.js")
    assert good.headers["access-control-allow-origin"] == "https://www.shop.example"
    assert 'name="email"' in good.json()["html"]
    assert bad.status_code == 403
    assert "access-control-allow-origin" not in bad.headers
    assert script.headers["content-type"].startswith("text/javascript")


POPUP = SIGN_UP + "popup: {after_visits: 2, after: 5 seconds, on_exit: yes}\n"


def test_t38_a_form_pops_up_for_visitors_nobody_knows(world: World) -> None:
    add_form(world, POPUP)
    kept_settings.put(world.store, NOW, "tracker.domains", "shop.example")
    add_contacts(world.store, 1)
    with world.store.write():
        visitors.seen(world.store, 1, "stranger-0123456789")
        known = visitors.seen(world.store, 1, "somebody-0123456789")
        visitors.give(world.store, 1, known["id"], 1)
    origin = {"Origin": "https://shop.example"}
    with serving(world) as client:
        stranger = client.get("/f/letters/popup.json?_visitor=stranger-0123456789", headers=origin)
        somebody = client.get("/f/letters/popup.json?_visitor=somebody-0123456789", headers=origin)
    assert stranger.json()["popup"] == {"after_visits": 2, "after": 5, "on_exit": True, "every": 7 * 86_400}
    assert 'name="_visitor" value="stranger-0123456789"' in stranger.json()["html"]
    assert somebody.status_code == 204
    assert [row["form"] for row in active(world.store)] == ["letters"]


def test_t38_a_form_without_a_popup_does_not_pop_up(world: World) -> None:
    add_form(world)
    kept_settings.put(world.store, NOW, "tracker.domains", "shop.example")
    with serving(world) as client:
        answer = client.get("/f/letters/popup.json", headers={"Origin": "https://shop.example"})
    assert answer.status_code == 204
    assert active(world.store) == []


# The commands


def test_p16_a_form_is_made_shown_changed_rolled_back_and_removed_by_command(workspace: Path, macli: Any) -> None:
    made = macli("form", "create", "News", "--field", "email!", "--topic", "news", "--double-opt-in")
    assert (made.code, made.err) == (0, "")
    assert json.loads(macli("form", "list", "--json").out)[0]["slug"] == "news"
    (workspace / "f.yaml").write_text(SIGN_UP)
    assert macli("form", "edit", "News", "--file", "f.yaml").out.endswith("'News' is at version 2\n")
    assert macli("form", "rollback", "News").out.strip() == "'News' is at version 1"
    assert "double_opt_in: true" in json.loads(macli("form", "show", "news", "--json").out)["source"]
    assert macli("form", "preview", "News", "--out", "f.html").code == 0
    assert 'name="email"' in (workspace / "f.html").read_text()
    assert [row["number"] for row in json.loads(macli("form", "versions", "News", "--json").out)] == [2, 1]
    assert json.loads(macli("template", "list", "--json").out) == []
    assert macli("form", "rm", "News", "--yes").code == 0
    assert macli("form", "show", "News").code == 2


def test_p17_the_editor_s_broken_form_is_kept_in_a_file(workspace: Path, macli: Any, monkeypatch: Any) -> None:
    macli("form", "create", "News", "--field", "email!")
    script = workspace / "edit.sh"
    script.write_text("#!/bin/sh\necho 'fields: [first_name]' > \"$1\"\n")
    script.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(script))
    ran = macli("form", "edit", "News")
    assert ran.code == 2
    file = re.findall(r"what you wrote is in (\S+);", ran.err)[0]
    assert Path(file).read_text() == "fields: [first_name]\n"
    assert "first_name" not in macli("form", "show", "News").out


def test_p18_a_form_has_a_category(workspace: Path, macli: Any) -> None:
    macli("category", "create", "Leads")
    macli("form", "create", "News", "--field", "email!", "--category", "Leads")
    assert json.loads(macli("form", "list", "--category", "Leads", "--json").out)[0]["name"] == "News"
    assert macli("form", "create", "More", "--field", "email!", "--category", "Nope").code == 2


def test_a_campaign_cannot_send_a_form(workspace: Path, macli: Any) -> None:
    macli("form", "create", "News", "--field", "email!")
    ran = macli("campaign", "create", "c", "--template", "News", "--all")
    assert ran.code == 2


def test_a_topic_a_form_asks_about_is_made_so_that_one_can_say_no_to_it(workspace: Path, macli: Any) -> None:
    assert macli("topic", "create", "news", "--title", "Our news").code == 0
    made = macli("form", "create", "News", "--field", "email!", "--topic", "news", "--topic", "offers")
    assert "made the topic 'offers'" in made.out + made.err
    assert "topic 'news'" not in made.out + made.err
    assert {row["name"] for row in json.loads(macli("topic", "list", "--json").out)} == {"news", "offers"}
    assert "about: Our news." in macli("form", "show", "News").out
