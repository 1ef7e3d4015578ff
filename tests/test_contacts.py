"""Changing contacts: what really changes becomes an event, and an opt-out is never lost."""

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from macli import contacts
from macli.clock import to_ms
from macli.contacts import ONE
from macli.errors import OperationFailed, UnknownName, UsageError
from macli.store import Store, attributes
from macli.store import contacts as kept
from macli.store.attributes import BadValue, infer, json_text, read_value
from tests.conftest import Run

UTC = ZoneInfo("UTC")


def add(store: Store, now: datetime, email: str, **values) -> int:
    return contacts.add(store, now, {"email": email}, values, source="test").contact_id


def told(store: Store, contact_id: int | None = None) -> list[tuple[str, dict]]:
    rows = store.rows("SELECT contact_id, name, properties FROM events ORDER BY id")
    return [(row[1], json.loads(row[2])) for row in rows if contact_id in (None, row[0])]


def names(store: Store) -> list[str]:
    return [name for name, _ in told(store)]


def values_of(store: Store, contact_id: int) -> dict:
    return json.loads(kept.by_id(store, contact_id)["attributes"])


# Adding


def test_only_the_first_adding_of_a_contact_is_contact_added(store: Store, now: datetime) -> None:
    first = contacts.add(store, now, {"email": "ann@example.com"}, {"country": "Canada"}, source="test")
    again = contacts.add(store, now, {"email": "ann@example.com"}, {"country": "Canada"}, source="test")
    assert (first.outcome, again.outcome) == ("added", "unchanged")
    assert first.contact_id == again.contact_id
    assert told(store) == [("contact.added", {})]


def test_adding_a_known_contact_with_something_new_brings_it_up_to_date(store: Store, now: datetime) -> None:
    ann = add(store, now, "ann@example.com", country="Canada")
    added = contacts.add(store, now, {"email": "ann@example.com"}, {"country": "Poland"}, source="test")
    assert added.outcome == "updated"
    assert told(store, ann)[1:] == [("attribute.changed", {"name": "country", "old": "Canada", "value": "Poland"})]


def test_adding_a_removed_contact_brings_it_back_with_its_opt_out(store: Store, now: datetime) -> None:
    ann = add(store, now, "ann@example.com")
    contacts.withdraw_where(store, now, ONE, {"one_contact": ann}, "email", "test")
    contacts.remove_where(store, now, ONE, {"one_contact": ann}, "test")
    back = contacts.add(store, now, {"email": "ann@example.com"}, source="test")
    assert (back.contact_id, back.outcome) == (ann, "readded")
    assert store.value("SELECT status FROM consents") == "withdrawn"
    assert names(store) == ["contact.added", "consent.withdrawn", "contact.removed", "contact.readded"]


def test_adding_a_purged_contact_is_contact_added_and_it_is_still_not_written_to(store: Store, now: datetime) -> None:
    ann = add(store, now, "ann@example.com")
    contacts.withdraw_where(store, now, ONE, {"one_contact": ann}, "email", "test")
    contacts.purge_where(store, now, ONE, {"one_contact": ann})
    assert told(store) == [("contact.purged", {})]
    assert contacts.add(store, now, {"email": "ann@example.com"}, source="test").outcome == "added"
    assert names(store) == ["contact.purged", "contact.added"]
    kept_no = store.row("SELECT channel, address, reason FROM suppressions")
    assert kept_no is not None
    assert tuple(kept_no) == ("email", "ann@example.com", "opted_out")


def test_saying_yes_again_frees_an_address_that_was_kept_only_for_its_no(store: Store, now: datetime) -> None:
    ann = add(store, now, "ann@example.com")
    contacts.withdraw_where(store, now, ONE, {"one_contact": ann}, "email", "test")
    contacts.purge_where(store, now, ONE, {"one_contact": ann})
    ann = add(store, now, "ann@example.com")
    contacts.grant_where(store, now, ONE, {"one_contact": ann}, "email", "test")
    assert store.value("SELECT count(*) FROM suppressions") == 0


def test_saying_yes_does_not_free_an_address_that_bounced(store: Store, now: datetime) -> None:
    ann = add(store, now, "ann@example.com")
    with store.write():
        store.execute(
            "INSERT INTO suppressions (channel, address, reason, source, suppressed_at)"
            " VALUES ('email', 'ann@example.com', 'bounced', 'test', 1)"
        )
    contacts.grant_where(store, now, ONE, {"one_contact": ann}, "email", "test")
    assert store.value("SELECT reason FROM suppressions") == "bounced"


def test_a_contact_without_anything_to_know_it_by_is_refused(store: Store, now: datetime) -> None:
    with pytest.raises(UsageError, match="needs an e-mail address"):
        contacts.add(store, now, {}, {"country": "Canada"}, source="test")


def test_a_contact_with_another_contacts_external_id_is_refused(store: Store, now: datetime) -> None:
    contacts.add(store, now, {"email": "ann@example.com", "external_id": "7"}, source="test")
    with pytest.raises(UsageError, match="7 is another contact"):
        contacts.add(store, now, {"email": "bob@example.com", "external_id": "7"}, source="test")
    assert store.value("SELECT count(*) FROM contacts") == 1


# Attributes


def test_an_attribute_is_set_once_and_changed_only_when_it_really_changes(store: Store, now: datetime) -> None:
    ann = add(store, now, "ann@example.com")
    for value in ("Canada", "Canada", "Poland"):
        contacts.set_attribute_where(store, now, ONE, {"one_contact": ann}, "Country", value, "test")
    assert told(store, ann)[1:] == [
        ("attribute.set", {"name": "country", "value": "Canada"}),
        ("attribute.changed", {"name": "country", "old": "Canada", "value": "Poland"}),
    ]


def test_attributes_of_a_new_contact_are_not_events(store: Store, now: datetime) -> None:
    add(store, now, "ann@example.com", country="Canada", orders=3)
    assert names(store) == ["contact.added"]


def test_an_attribute_that_is_taken_away_changed_to_nothing(store: Store, now: datetime) -> None:
    ann = add(store, now, "ann@example.com", city="Köln")
    contacts.set_attribute_where(store, now, ONE, {"one_contact": ann}, "city", None, "test")
    assert values_of(store, ann) == {}
    assert told(store, ann)[1:] == [("attribute.changed", {"name": "city", "old": "Köln", "value": None})]


def test_the_folded_form_follows_the_text(store: Store, now: datetime) -> None:
    ann = add(store, now, "ann@example.com", city="ŁÓDŹ", street="Straße")
    one = {"one_contact": ann}
    assert json.loads(kept.by_id(store, ann)["folded"]) == {"city": "łódź", "street": "strasse"}
    contacts.set_attribute_where(store, now, ONE, one, "city", "Ottawa", "test")
    assert json.loads(kept.by_id(store, ann)["folded"]) == {"street": "strasse"}
    contacts.set_attribute_where(store, now, ONE, one, "city", "KÖLN", "test")
    assert json.loads(kept.by_id(store, ann)["folded"]) == {"city": "köln", "street": "strasse"}


def test_a_value_that_does_not_fit_the_type_is_refused_by_name(store: Store, now: datetime) -> None:
    ann = add(store, now, "ann@example.com", orders=3)
    with pytest.raises(BadValue, match="orders: 'many' is no number"):
        contacts.set_attribute_where(store, now, ONE, {"one_contact": ann}, "orders", "many", "test")
    assert values_of(store, ann) == {"orders": 3}


def test_a_set_based_change_touches_and_tells_only_those_who_change(store: Store, now: datetime) -> None:
    people = [add(store, now, f"p{n}@example.com", vip=n % 2 == 0) for n in range(6)]
    later = now + timedelta(hours=1)
    changed = contacts.set_attribute_where(store, later, "SELECT id FROM contacts", {}, "vip", True, "test")
    assert changed == 3
    moved = store.rows("SELECT id FROM contacts WHERE updated_at = :at", {"at": to_ms(later)})
    assert [row["id"] for row in moved] == people[1::2]
    assert names(store).count("attribute.changed") == 3


def test_an_attribute_cannot_have_the_name_of_a_column(store: Store, now: datetime) -> None:
    with pytest.raises(UsageError, match="part of every contact"):
        add(store, now, "ann@example.com", Email="x")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2.5", "-3", "", "12,5"], "number"),
        (["01234", "31000"], "text"),
        (["12345678901234567890"], "text"),
        (["+48600123456"], "text"),
        (["1e5"], "text"),
        (["1990-05-01", "2026-11-21 10:00"], "date"),
        (["1990-05-01", "1990-13-01"], "text"),
        (["31.12.1990"], "text"),
        (["yes", "no"], "bool"),
        (["true"], "bool"),
        (["no", "no"], "text"),
        (["0", "1"], "number"),
        (["", " "], "text"),
        (["x", "1"], "text"),
    ],
)
def test_a_columns_type_is_what_all_its_values_are(values: list[str], kind: str) -> None:
    assert infer(values) == kind


@pytest.mark.parametrize(
    ("kind", "text", "stored"),
    [
        ("number", "12.50", "12.5"),
        ("number", "+3", "3"),
        ("number", "007", "7"),
        ("number", "-0", "0"),
        ("number", "-0.0", "0"),
        ("number", "5.", "5"),
        ("number", ".5", "0.5"),
        ("number", "1e3", "1000"),
        ("number", "12,50", "12.5"),
        ("bool", "TAK", "true"),
        ("bool", "0", "false"),
        ("date", "31.12.1990", '"1990-12-31"'),
        ("date", "2026-03-04T05:06:07+02:00", '"2026-03-04T03:06:07Z"'),
        ("date", "2026-07-01 09:00", '"2026-07-01T07:00:00Z"'),
        ("text", " Zoë ", '"Zoë"'),
    ],
)
def test_the_same_value_is_always_stored_as_the_same_text(kind, text: str, stored: str) -> None:
    assert json_text(read_value(kind, text, ZoneInfo("Europe/Warsaw"))) == stored


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("number", "1,234"),
        ("number", "nan"),
        ("number", "1e999"),
        ("bool", "maybe"),
        ("date", "1990-02-30"),
        ("date", "12/31/1990"),
        ("text", "a\nb"),
        ("text", "a\0b"),
        ("text", "x" * 70_000),
    ],
)
def test_a_value_that_does_not_fit_is_refused(kind, text: str) -> None:
    with pytest.raises(BadValue):
        read_value(kind, text, UTC)


def test_an_attribute_is_given_another_type_only_where_every_value_fits(store: Store, now: datetime) -> None:
    for number, text in enumerate(("1", "2", "x")):
        attributes.declare(store, 1, "code", "text")
        contacts.add(store, now, {"email": f"p{number}@example.com"}, {"code": text}, source="test")
    with pytest.raises(OperationFailed, match="'x' is no number"):
        attributes.retype(store, 2, "code", "number", UTC)
    assert attributes.types(store)["code"] == "text"
    with store.write():
        store.execute("DELETE FROM contacts WHERE email = 'p2@example.com'")
    assert attributes.retype(store, 2, "code", "number", UTC) == 2
    assert values_of(store, 1) == {"code": 1}


# Tags and consents


def test_a_tag_is_told_only_when_it_is_new(store: Store, now: datetime) -> None:
    ann, bob = add(store, now, "ann@example.com"), add(store, now, "bob@example.com")
    assert contacts.tag_where(store, now, ONE, {"one_contact": ann}, "VIP", "test") == 1
    assert contacts.tag_where(store, now, "SELECT id FROM contacts", {}, "VIP", "test") == 1
    assert [name for name, _ in told(store, ann)] == ["contact.added", "tag.added"]
    assert told(store, bob)[1:] == [("tag.added", {"tag": "VIP"})]
    assert contacts.untag_where(store, now, "SELECT id FROM contacts", {}, "VIP", "test") == 2
    assert contacts.untag_where(store, now, "SELECT id FROM contacts", {}, "VIP", "test") == 0
    assert names(store).count("tag.removed") == 2


def test_consent_is_separate_for_each_channel_and_told_once(store: Store, now: datetime) -> None:
    ann = add(store, now, "ann@example.com")
    one = {"one_contact": ann}
    assert contacts.withdraw_where(store, now, ONE, one, "sms", "test") == 1
    assert contacts.withdraw_where(store, now, ONE, one, "sms", "test") == 0
    assert contacts.grant_where(store, now, ONE, one, "email", "test") == 1
    assert contacts.grant_where(store, now, ONE, one, "sms", "test", topic="news") == 1
    rows = store.rows("SELECT channel, topic, status FROM consents ORDER BY channel, topic")
    assert [tuple(row) for row in rows] == [
        ("email", "", "granted"),
        ("sms", "", "withdrawn"),
        ("sms", "news", "granted"),
    ]
    assert names(store)[1:] == ["consent.withdrawn", "consent.granted", "consent.granted"]


def test_every_change_is_seen_by_the_tick(store: Store, now: datetime) -> None:
    ann = add(store, now, "ann@example.com")
    one, at = {"one_contact": ann}, now
    for change in (
        lambda at: contacts.tag_where(store, at, ONE, one, "VIP", "test"),
        lambda at: contacts.untag_where(store, at, ONE, one, "VIP", "test"),
        lambda at: contacts.set_attribute_where(store, at, ONE, one, "city", "Ottawa", "test"),
        lambda at: contacts.withdraw_where(store, at, ONE, one, "email", "test"),
        lambda at: contacts.remove_where(store, at, ONE, one, "test"),
        lambda at: contacts.restore_where(store, at, ONE, one, "test"),
        lambda at: contacts.edit(store, at, ann, {"phone": "+14165550123"}, source="test"),
    ):
        at += timedelta(minutes=1)
        change(at)
        assert kept.by_id(store, ann)["updated_at"] == to_ms(at)


def test_a_new_email_address_keeps_the_consents(store: Store, now: datetime) -> None:
    ann = add(store, now, "ann@example.com")
    contacts.withdraw_where(store, now, ONE, {"one_contact": ann}, "email", "test")
    contacts.edit(store, now, ann, {"email": "ann@example.org"}, source="test")
    found = kept.find(store, "ann@example.org")
    assert found["id"] == ann
    assert store.value("SELECT status FROM consents WHERE contact_id = :id", {"id": ann}) == "withdrawn"


def test_an_email_address_of_another_contact_is_refused(store: Store, now: datetime) -> None:
    add(store, now, "ann@example.com")
    bob = add(store, now, "bob@example.com")
    with pytest.raises(UsageError, match="is another contact"):
        contacts.edit(store, now, bob, {"email": "ann@example.com"}, {"city": "X"}, source="test")
    assert values_of(store, bob) == {}


def test_the_last_thing_a_contact_is_known_by_stays(store: Store, now: datetime) -> None:
    ann = add(store, now, "ann@example.com")
    with pytest.raises(UsageError, match="nothing would be left"):
        contacts.edit(store, now, ann, {"email": None}, source="test")


# Finding


def test_a_contact_is_found_by_any_of_its_names(store: Store, now: datetime) -> None:
    own = {"email": "ann@example.com", "phone": "+14165550123", "external_id": "K-7"}
    ann = contacts.add(store, now, own, source="test").contact_id
    for reference in ("ANN@example.com", "+1 416 555 0123", "K-7", f"#{ann}"):
        assert kept.find(store, reference)["id"] == ann
    assert kept.find(store, "(416) 555-0123", region="CA")["id"] == ann


def test_an_unknown_contact_is_named_with_the_nearest_one(store: Store, now: datetime) -> None:
    add(store, now, "ann@example.com")
    with pytest.raises(UnknownName, match=r"did you mean 'ann@example\.com'"):
        kept.find(store, "anne@example.com")


def test_a_shared_phone_number_is_no_name(store: Store, now: datetime) -> None:
    for email in ("ann@example.com", "bob@example.com"):
        contacts.add(store, now, {"email": email, "phone": "+14165550123"}, source="test")
    with pytest.raises(UsageError, match="phone number of 2 contacts"):
        kept.find(store, "+14165550123")


# The commands


def test_a_contact_is_added_shown_edited_and_listed(workspace, macli: Run) -> None:
    ran = macli("contact", "add", "Ann@example.com", "--set", "country=Canada", "--phone", "+14165550123")
    assert (ran.code, ran.out) == (0, "added ann@example.com\n")
    macli("contact", "add", "bob@example.com", "--set", "country=Poland", "--set", "orders=3", "--tag", "new, vip")
    shown = json.loads(macli("contact", "show", "ann@example.com", "--json").out)
    assert (shown["phone"], shown["attributes"]) == ("+14165550123", {"country": "Canada"})
    assert [event["name"] for event in shown["events"]] == ["contact.added"]
    listed = json.loads(macli("contact", "list", "--where", 'country = "canada"', "--json").out)
    assert [row["email"] for row in listed] == ["ann@example.com"]
    assert macli("contact", "edit", "ann@example.com", "--set", "orders=many").code == 2
    assert macli("contact", "edit", "ann@example.com", "--set", "orders=4", "--unset", "phone").code == 0
    shown = json.loads(macli("contact", "show", "ann@example.com", "--json").out)
    assert (shown["phone"], shown["attributes"]["orders"]) == (None, 4)
    assert json.loads(macli("contact", "show", "bob@example.com", "--json").out)["tags"] == ["NEW", "VIP"]
    assert "bob@example.com" in macli("contact", "list", "--limit", "5").out


def test_many_are_tagged_by_a_rule_and_removed_only_after_a_yes(workspace, macli: Run) -> None:
    for name in ("ann", "bob", "cleo"):
        macli("contact", "add", f"{name}@example.com", "--set", f"vip={'yes' if name != 'bob' else 'no'}")
    assert "tagged 2 contacts GOLD" in macli("contact", "tag", "--where", 'vip = "yes"', "gold").out
    refused = macli("contact", "rm", "--where", 'tagged "GOLD"')
    assert refused.code == 2
    assert "--yes" in refused.err
    assert "removed 2 contacts" in macli("contact", "rm", "--where", 'tagged "GOLD"', "--yes").out
    assert len(json.loads(macli("contact", "list", "--json").out)) == 1
    assert len(json.loads(macli("contact", "list", "--removed", "--json").out)) == 2
    assert macli("contact", "restore", "ann@example.com").out == "ann@example.com is back\n"
    assert macli("contact", "purge", "--removed", "--yes").out == "deleted 1 contact for good\n"
    assert macli("contact", "untag", "ann@example.com", "golden").code == 2


def test_opting_out_and_in_by_command(workspace, macli: Run) -> None:
    macli("contact", "add", "ann@example.com")
    macli("contact", "opt-out", "ann@example.com")
    shown = json.loads(macli("contact", "show", "ann@example.com", "--json").out)
    assert {(row["channel"], row["status"]) for row in shown["consents"]} == {
        ("email", "withdrawn"),
        ("sms", "withdrawn"),
        ("push", "withdrawn"),
    }
    macli("contact", "opt-in", "ann@example.com", "--channel", "sms", "--source", "by phone")
    shown = json.loads(macli("contact", "show", "ann@example.com", "--json").out)
    assert {(row["channel"], row["status"], row["source"]) for row in shown["consents"]} == {
        ("email", "withdrawn", "cli"),
        ("sms", "granted", "by phone"),
        ("push", "withdrawn", "cli"),
    }


def test_attributes_are_declared_listed_converted_and_forgotten(workspace, macli: Run) -> None:
    assert macli("attribute", "create", "birthday", "--type", "date").code == 0
    assert macli("attribute", "create", "birthday", "--type", "text").code == 2
    macli("contact", "add", "ann@example.com", "--set", "birthday=31.12.1990", "--set", "orders=3")
    rows = json.loads(macli("attribute", "list", "--json").out)
    assert {(row["name"], row["type"]) for row in rows} == {("birthday", "date"), ("orders", "number")}
    assert json.loads(macli("attribute", "show", "orders", "--json").out)["commonest"] == {"3": 1}
    assert macli("attribute", "edit", "orders", "--type", "text").code == 0
    assert macli("attribute", "rm", "birthday", "--yes").code == 0
    shown = json.loads(macli("contact", "show", "ann@example.com", "--json").out)
    assert shown["attributes"] == {"orders": "3"}
