"""Campaigns in the store: versions, states, and the contacts inside when a definition is edited."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from macli import contacts, segments
from macli.campaign import edit, loading, starting, uses
from macli.campaign.problems import BadDefinition
from macli.clock import to_ms
from macli.content.prepare import prepare
from macli.errors import OperationFailed, UnknownName, UsageError
from macli.store import Store, attributes, campaign_states, campaigns, settings, starter, templates
from macli.store.connection import Row

UTC_ZONE = ZoneInfo("UTC")


@pytest.fixture
def shop(store: Store, now: datetime) -> Store:
    """A store with two templates, an attribute, a segment and three contacts."""
    starter.furnish(store, now)
    settings.put(store, now, "sender.email", "news@example.com")
    with store.write():
        attributes.declare(store, to_ms(now), "score", "number")
        attributes.declare(store, to_ms(now), "birthday", "date")
    for name in ("hello", "bye"):
        text = prepare(name, "email", source=f"<p>{name}</p>", source_format="html", subject=name)
        templates.create(store, now, name, "email", text)
    templates.create(store, now, "note", "sms", prepare("note", "sms", source="Hi", source_format="sms"))
    segments.create(store, now, UTC_ZONE, "vip", rule="score > 3")
    for number in range(3):
        contacts.add(store, now, {"email": f"c{number}@example.com"}, {"score": number * 3}, source="test")
    return store


def definition(*steps: Any, name: str = "spring", entry: Any = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "entry": entry or {"segments": ["vip"]}, "steps": list(steps), **more}


def save(store: Store, now: datetime, plain: dict[str, Any], **more: Any) -> edit.Saved:
    return edit.save(store, now, plain, zone=UTC_ZONE, campaign=campaigns.find(store, plain["name"]), **more)


def start(store: Store, now: datetime, name: str = "spring", **more: Any) -> Row:
    starting.activate(
        store,
        now,
        campaigns.get(store, name),
        setting=lambda key: settings.get(store, key),
        zone=UTC_ZONE,
        **more,
    )
    return campaigns.get(store, name)


def test_a_definition_becomes_a_draft_with_its_segments_and_steps(shop: Store, now: datetime) -> None:
    wait = {"wait_for": {"event": ["email.clicked", "email.opened"], "timeout": "2 days"}, "else": []}
    save(shop, now, definition({"send": "hello"}, wait))
    row = campaigns.get(shop, "SPRING")
    assert row["state"] == "draft"
    assert campaigns.segments_of(shop, row["id"]) == ["vip"]
    steps = shop.rows("SELECT key, action FROM steps WHERE campaign_id = ?", (row["id"],))
    assert [tuple(step) for step in steps] == [
        ("send-hello", "send"),
        ("wait_for-email.clicked-email.opened", "wait_for"),
    ]
    assert [row["name"] for row in shop.rows("SELECT name FROM step_events ORDER BY name")] == [
        "email.clicked",
        "email.opened",
    ]
    loaded = loading.load(shop, row["id"], 1)
    assert loaded.campaign.name == "spring"
    assert loaded.program.first == "send-hello"


def test_saving_the_same_again_changes_nothing_and_another_makes_a_version(shop: Store, now: datetime) -> None:
    assert save(shop, now, definition({"send": "hello"})).change == "created"
    assert save(shop, now, definition({"send": "hello"})).change == "unchanged"
    changed = save(shop, now, definition({"send": "bye"}))
    assert (changed.change, changed.version) == ("changed", 2)
    row = campaigns.get(shop, "spring")
    assert [one["number"] for one in campaigns.versions(shop, row["id"])] == [1, 2]
    assert loading.load(shop, row["id"], 1).program.first == "send-hello"
    assert loading.load(shop, row["id"], 2).program.first == "send-bye"


def test_a_name_is_taken_whatever_its_case(shop: Store, now: datetime) -> None:
    save(shop, now, definition({"send": "hello"}))
    with pytest.raises(UsageError, match="there is a campaign 'SPRING' already"):
        edit.save(shop, now, definition({"send": "hello"}, name="SPRING"), zone=UTC_ZONE)
    save(shop, now, definition({"send": "hello"}, name="autumn"))
    with pytest.raises(UsageError, match="already"):
        edit.save(shop, now, definition(name="spring"), zone=UTC_ZONE, campaign=campaigns.get(shop, "autumn"))


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        (definition({"send": "helo"}), "steps[1].send: no template named 'helo'; did you mean 'hello'?"),
        (definition(entry={"segments": "vipp"}), "entry.segments: no segment named 'vipp'; did you mean 'vip'?"),
        (definition(channel="emial"), "channel: no channel named 'emial'; did you mean 'email'?"),
        (definition(category="News"), "category: no category named 'News'"),
        (
            definition({"wait": {"until": {"attribute": "brithday"}}}),
            "no attribute named 'brithday'; did you mean 'birthday'?",
        ),
        (
            definition({"wait": {"until": {"attribute": "score"}}}),
            "the attribute 'score' holds a number, and this needs a date",
        ),
        (definition({"set": {"scor": 3}}), "steps[1].set.scor: no attribute named 'scor'"),
        (definition({"set": {"score": "three"}}), "steps[1].set.score: score: 'three'"),
        (definition({"if": "scre > 3"}), "steps[1].if: "),
        (definition(exit="score >"), "exit: "),
        (definition(entry={"event": {"name": "order.paid", "where": "total >"}}), "entry.event.where: "),
        (
            definition({"send": {"template": "hello", "channel": "sms"}}),
            "the template 'hello' is for email, and the channel 'sms' carries sms",
        ),
        (definition({"send": {"template": "hello", "attach": ["a.pdf"]}}), "no attachment named 'a.pdf'"),
    ],
)
def test_what_a_definition_speaks_of_has_to_be_there(
    shop: Store, now: datetime, plain: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadDefinition) as caught:
        save(shop, now, plain)
    assert said in caught.value.message
    assert campaigns.find(shop, "spring") is None


def test_a_rule_is_refused_with_its_own_caret(shop: Store, now: datetime) -> None:
    with pytest.raises(BadDefinition) as caught:
        save(shop, now, definition({"if": "score > 3 and scre < 9"}))
    lines = caught.value.message.splitlines()
    assert lines[1].strip() == "score > 3 and scre < 9"
    assert lines[2].index("^") == lines[1].index("scre")


# States


def test_a_campaign_starts_pauses_goes_on_and_ends(shop: Store, now: datetime) -> None:
    save(shop, now, definition({"send": "hello"}))
    row = start(shop, now)
    assert (row["state"], row["activated_at"]) == ("active", to_ms(now))
    campaign_states.pause(shop, now, row, "wrong price")
    row = campaigns.get(shop, "spring")
    assert (row["state"], row["paused_from"], row["pause_reason"]) == ("paused", "active", "wrong price")
    assert campaign_states.resume(shop, now, row) == "active"
    assert campaign_states.cancel(shop, now, row) == {"messages": 0, "contacts": 0}
    assert campaigns.get(shop, "spring")["state"] == "cancelled"


def test_impossible_moves_are_refused_and_say_where_it_stands(shop: Store, now: datetime) -> None:
    save(shop, now, definition({"send": "hello"}))
    draft = campaigns.get(shop, "spring")
    for move in (
        lambda: campaign_states.pause(shop, now, draft, "x"),
        lambda: campaign_states.resume(shop, now, draft),
        lambda: campaign_states.plan_again(shop, now, draft),
    ):
        with pytest.raises(OperationFailed, match="the campaign 'spring' is draft: it cannot be"):
            move()
    start(shop, now)
    with pytest.raises(OperationFailed, match="is active: it cannot be activated"):
        start(shop, now)
    campaign_states.cancel(shop, now, draft)
    with pytest.raises(OperationFailed, match="is cancelled: it cannot be cancelled"):
        campaign_states.cancel(shop, now, draft)


def test_a_start_to_come_makes_it_wait_and_one_that_passed_is_refused(shop: Store, now: datetime) -> None:
    later = {"segments": ["vip"], "at": "2026-07-01 10:00 Europe/Warsaw"}
    save(shop, now, definition({"send": "hello"}, entry=later))
    row = start(shop, now)
    assert (row["state"], row["start_at"]) == ("scheduled", 1782892800000)
    moved = {"segments": ["vip"], "at": "2026-07-02 10:00 Europe/Warsaw"}
    save(shop, now, definition({"send": "hello"}, entry=moved))
    assert campaigns.get(shop, "spring")["start_at"] == 1782892800000 + 86_400_000
    past = {"segments": ["vip"], "at": "2026-01-01 10:00"}
    with pytest.raises(UsageError, match="would have passed"):
        save(shop, now, definition({"send": "hello"}, entry=past))
    save(shop, now, definition({"send": "hello"}))
    assert campaigns.get(shop, "spring")["state"] == "draft"
    save(shop, now, definition({"send": "hello"}, name="winter", entry=past))
    with pytest.raises(UsageError, match="the start of 'winter' has passed"):
        start(shop, now, "winter")
    assert campaigns.get(shop, "winter")["state"] == "draft"


def test_events_before_the_activation_count_only_where_they_are_to(shop: Store, now: datetime) -> None:
    for name, entry in (("new", {"event": "contact.added"}), ("all", {"event": "contact.added", "existing": True})):
        save(shop, now, definition({"send": "hello"}, name=name, entry=entry))
        start(shop, now, name)
    assert campaigns.get(shop, "all")["event_cursor"] == 0
    assert campaigns.get(shop, "new")["event_cursor"] == shop.value("SELECT max(id) FROM events") > 0


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        (definition({"send": "hello"}, entry={"at": "2026-12-01"}), "nobody is selected"),
        (definition(), "it has no steps"),
    ],
)
def test_an_unfinished_draft_does_not_start(shop: Store, now: datetime, plain: dict[str, Any], said: str) -> None:
    save(shop, now, plain)
    with pytest.raises(OperationFailed, match=said):
        start(shop, now)


def test_without_a_sender_or_a_provider_nothing_starts_and_both_are_told(shop: Store, now: datetime) -> None:
    settings.unset(shop, "sender.email")
    save(shop, now, definition({"send": "hello"}, {"send": {"template": "note", "channel": "sms"}}))
    with shop.write():
        shop.execute("UPDATE channels SET provider_id = NULL WHERE name = 'sms'")
    with pytest.raises(OperationFailed) as caught:
        start(shop, now)
    assert "no sender address" in caught.value.message
    assert "the channel 'sms' has no provider" in caught.value.message


def test_a_long_text_message_does_not_start(shop: Store, now: datetime) -> None:
    long = prepare("note", "sms", source="x" * 1601, source_format="sms")
    templates.edit(shop, now, "note", long)
    save(shop, now, definition({"send": {"template": "note", "channel": "sms"}}))
    with pytest.raises(OperationFailed, match="1601 characters; a text message has at most 1600"):
        start(shop, now)


def test_a_missing_value_is_found_before_anything_is_sent_and_named_with_the_contacts(
    shop: Store, now: datetime
) -> None:
    needs = prepare("hello", "email", source="<p>{{ first_name }}</p>", source_format="html", subject="x")
    templates.edit(shop, now, "hello", needs)
    save(shop, now, definition({"send": "hello"}))
    with pytest.raises(OperationFailed, match=r"1 contact lacks 'first_name', .* c2@example.com"):
        start(shop, now)
    assert start(shop, now, allow_missing=True)["state"] == "active"


def test_only_those_who_get_a_choice_need_its_values(shop: Store, now: datetime) -> None:
    needs = prepare("bye", "email", source="<p>{{ first_name }}</p>", source_format="html", subject="x")
    templates.edit(shop, now, "bye", needs)
    choose = {"template": "hello", "choose": [{"when": "score > 100", "template": "bye"}]}
    save(shop, now, definition({"send": choose}))
    assert start(shop, now)["state"] == "active"


# Contacts inside


def enroll(store: Store, now: datetime, step: str, contact: int, *, waits: bool = False) -> None:
    """Let a contact stand at a step; ``waits`` for its message to be settled."""
    row = campaigns.get(store, "spring")
    with store.write():
        store.execute(
            """
            INSERT INTO enrollments (campaign_id, contact_id, version, step_id, due_at, entered_at, arrived_at)
            SELECT :campaign, :contact, :version, id, :due, 0, 0 FROM steps
            WHERE campaign_id = :campaign AND key = :key
            """,
            {
                "campaign": row["id"],
                "contact": contact,
                "version": row["current_version"],
                "due": None if waits else to_ms(now + timedelta(days=3)),
                "key": step,
            },
        )


def standing(store: Store) -> list[tuple[int, int, str | None, str | None]]:
    """Contact, version, step and how it ended, of everyone inside."""
    rows = store.rows(
        """
        SELECT contact_id, version, steps.key, ended_as
        FROM enrollments JOIN steps ON steps.id = step_id ORDER BY contact_id
        """
    )
    return [tuple(row) for row in rows]


BEFORE = ({"send": "hello"}, {"wait": "3 days"}, {"send": "bye"})


def test_who_is_inside_keeps_the_version_they_came_in_with(shop: Store, now: datetime) -> None:
    save(shop, now, definition(*BEFORE))
    enroll(shop, now, "wait-3-days", 1)
    assert save(shop, now, definition({"send": "bye"})).moved == {}
    assert standing(shop) == [(1, 1, "wait-3-days", None)]


def test_who_is_inside_moves_where_the_edit_says_so(shop: Store, now: datetime) -> None:
    save(shop, now, definition(*BEFORE))
    enroll(shop, now, "send-hello", 1, waits=True)
    enroll(shop, now, "wait-3-days", 2)
    enroll(shop, now, "send-bye", 3)
    after = ({"send": "hello"}, {"wait": "5 days"}, {"tag": "LATE"})
    saved = save(shop, now, definition(*after, on_edit="move"))
    # The wait is the same step, edited; behind the second message nothing follows.
    assert saved.moved == {"same": 1, "other": 1, "ended": 1}
    assert standing(shop) == [
        (1, 2, "send-hello", None),
        (2, 2, "wait-5-days", None),
        (3, 2, "send-bye", "edited"),
    ]


def test_whose_message_is_on_its_way_stays_on_the_old_version_till_then(shop: Store, now: datetime) -> None:
    save(shop, now, definition(*BEFORE))
    enroll(shop, now, "send-hello", 1, waits=True)
    saved = save(shop, now, definition({"tag": "X"}, {"wait": "3 days"}, on_edit="move"))
    assert saved.moved == {"same": 0, "other": 0, "ended": 0}
    assert standing(shop) == [(1, 1, "send-hello", None)]


def test_from_a_step_inside_a_way_nobody_moves_to_the_other_way(shop: Store, now: datetime) -> None:
    ask = {
        "if": "score > 3",
        "id": "ask",
        "then": [{"wait": "1 day", "id": "in-then"}],
        "else": [{"tag": "OTHER"}],
    }
    save(shop, now, definition(ask, {"send": "bye"}))
    enroll(shop, now, "in-then", 1)
    edited = {**ask, "then": []}
    save(shop, now, definition(edited, {"send": "bye"}, on_edit="move"))
    assert standing(shop) == [(1, 2, "send-bye", None)]


def test_a_running_campaign_does_not_become_one_of_another_kind(shop: Store, now: datetime) -> None:
    save(shop, now, definition({"send": "hello"}))
    start(shop, now)
    with pytest.raises(UsageError, match="its entry cannot become another kind"):
        save(shop, now, definition({"send": "hello"}, entry={"whenever": "score > 3"}))


def test_an_edited_condition_is_looked_at_for_everyone_again(shop: Store, now: datetime) -> None:
    save(shop, now, definition({"send": "hello"}, entry={"whenever": "score > 3"}))
    with shop.write():
        shop.execute("UPDATE campaigns SET swept_all_at = 5")
    save(shop, now, definition({"send": "bye"}, entry={"whenever": "score > 3"}))
    assert campaigns.get(shop, "spring")["swept_all_at"] == 5
    save(shop, now, definition({"send": "bye"}, entry={"whenever": "score > 2"}))
    assert campaigns.get(shop, "spring")["swept_all_at"] is None


def test_a_step_keeps_its_action_for_ever(shop: Store, now: datetime) -> None:
    save(shop, now, definition({"send": "hello", "id": "first"}))
    with pytest.raises(BadDefinition, match="the step 'first' was a 'send' before and cannot become a 'wait'"):
        save(shop, now, definition({"wait": "3 days", "id": "first"}))


@pytest.mark.parametrize("name", ["x" * 101, "two\nlines", "bell\a"])
def test_a_name_is_one_short_line(shop: Store, now: datetime, name: str) -> None:
    with pytest.raises(BadDefinition, match="one line of at most 100 characters"):
        edit.save(shop, now, definition(name=name), zone=UTC_ZONE)


# Ends


def add_send(store: Store, contact: int, state: str) -> None:
    row = campaigns.get(store, "spring")
    with store.write():
        store.execute(
            """
            INSERT INTO sends (campaign_id, step_id, contact_id, version, channel, state, due_at, attempts)
            SELECT :id, id, :contact, 1, 'email', :state, 0, 8 FROM steps
            WHERE campaign_id = :id AND key = 'send-hello'
            """,
            {"id": row["id"], "contact": contact, "state": state},
        )


def test_only_what_surely_reached_nobody_is_planned_again(shop: Store, now: datetime) -> None:
    save(shop, now, definition(*BEFORE))
    row = start(shop, now)
    for contact, state in ((1, "failed"), (2, "unknown"), (3, "rejected")):
        add_send(shop, contact, state)
        enroll(shop, now, "send-hello", contact, waits=True)
    with shop.write():
        shop.execute("UPDATE enrollments SET ended_as = 'failed', ended_at = 1 WHERE contact_id <> 2")
        shop.execute("UPDATE campaigns SET state = 'finished'")
    assert campaigns.count_retryable(shop, row["id"]) == 2
    assert campaign_states.plan_again(shop, now, row) == 2
    found = shop.rows("SELECT contact_id, state, attempts FROM sends ORDER BY contact_id")
    assert [tuple(one) for one in found] == [(1, "planned", 0), (2, "unknown", 8), (3, "planned", 0)]
    assert shop.value("SELECT count(*) FROM enrollments WHERE ended_at IS NULL") == 3
    assert campaigns.get(shop, "spring")["state"] == "active"


def test_a_cancelled_campaign_sends_nothing_more(shop: Store, now: datetime) -> None:
    save(shop, now, definition(*BEFORE))
    row = start(shop, now)
    add_send(shop, 1, "planned")
    add_send(shop, 2, "accepted")
    enroll(shop, now, "wait-3-days", 2)
    assert campaign_states.cancel(shop, now, row) == {"messages": 1, "contacts": 1}
    assert [row["state"] for row in shop.rows("SELECT state FROM sends ORDER BY contact_id")] == [
        "skipped",
        "accepted",
    ]


def test_a_draft_can_be_removed_and_what_was_sent_cannot(shop: Store, now: datetime) -> None:
    save(shop, now, definition({"send": "hello"}))
    campaigns.remove(shop, campaigns.get(shop, "spring"), sure=False)
    with pytest.raises(UnknownName):
        campaigns.get(shop, "spring")
    save(shop, now, definition({"send": "hello"}))
    row = start(shop, now)
    with pytest.raises(UsageError, match="not a draft"):
        campaigns.remove(shop, row, sure=False)
    add_send(shop, 1, "accepted")
    with pytest.raises(OperationFailed, match="the ledger keeps the messages of 'spring'"):
        campaigns.remove(shop, row, sure=True)


def test_a_template_that_a_campaign_needs_is_known(shop: Store, now: datetime) -> None:
    save(shop, now, definition({"send": {"template": "hello", "choose": [{"when": "everyone", "template": "bye"}]}}))
    assert uses.using_template(shop, "BYE") == ["spring"]
    campaign_states.cancel(shop, now, campaigns.get(shop, "spring"))
    assert uses.using_template(shop, "bye") == []
