"""``macli campaign``, ``apply``, ``diff`` and ``export`` as people type them."""

import email
import email.policy
import json
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from macli import segments
from macli.store import open_store
from tests.conftest import NOW, Run

LIBRARY = Path(__file__).parent.parent / "campaigns"


@pytest.fixture
def shop(workspace: Path, macli: Run) -> Path:
    """A workspace with three contacts, two segments they share, a template and a sender."""
    for number, country in enumerate(("Canada", "Canada", "Poland")):
        name = ("Ann", "Bob", "Ewa")[number]
        ran = macli(
            *("contact", "add", f"{name.lower()}@example.com", "--set", f"country={country}"),
            *("--set", f"first_name={name}", "--set", f"orders={number * 2}"),
            at=NOW,
        )
        assert ran.code == 0, ran.err
    with open_store(workspace / "macli.db") as store:
        segments.create(store, NOW, ZoneInfo("UTC"), "vip", rule="country = Canada")
        segments.create(store, NOW, ZoneInfo("UTC"), "buyers", rule="orders > 0")
    (workspace / "hello.html").write_text("<p>Hi {{ first_name }}</p>", "utf-8")
    ok(macli, "template", "create", "hello", "--subject", "Hi {{ first_name }}", "--html", "hello.html")
    ok(macli, "settings", "set", "sender.email", "news@example.com")
    return workspace


def ok(macli: Run, *args: str, at: datetime = NOW) -> str:
    ran = macli(*args, at=at)
    assert ran.code == 0, ran.err
    return ran.out


def made(macli: Run, *more: str, name: str = "spring") -> str:
    return ok(macli, "campaign", "create", name, "--channel", "email", "--template", "hello", *more)


def shown(macli: Run, name: str = "spring", at: datetime = NOW) -> dict:
    return json.loads(ok(macli, "campaign", "show", name, "--json", at=at))


def mails(workspace: Path) -> list[EmailMessage]:
    files = sorted((workspace / "out").rglob("*.eml"))
    return [
        email.message_from_bytes(file.read_bytes(), policy=email.policy.default)  # type: ignore[misc]
        for file in files
    ]


def test_a_campaign_is_made_shown_listed_and_removed(shop: Path, macli: Run) -> None:
    ok(macli, "category", "create", "Email Promotions")
    assert made(macli, "--segment", "vip", "--category", "Email Promotions") == (
        "made the campaign 'spring', a draft\n"
    )
    facts = shown(macli)
    assert (facts["state"], facts["segments"], facts["category"]) == ("draft", ["vip"], "Email Promotions")
    assert facts["steps"] == ["send hello  [send-hello]"]
    assert any("mailto:" in note for note in facts["notes"])
    assert "spring" in ok(macli, "campaign", "list", "--category", "Email Promotions", "--state", "draft")
    ok(macli, "campaign", "rm", "spring")
    assert json.loads(ok(macli, "campaign", "list", "--json")) == []


def test_unknown_names_are_told_with_the_nearest_ones(shop: Path, macli: Run) -> None:
    ran = macli("campaign", "create", "spring", "--segment", "vipp", "--template", "helo", at=NOW)
    assert ran.code == 2
    assert "no segment named 'vipp'; did you mean 'vip'?" in ran.err
    assert "no template named 'helo'; did you mean 'hello'?" in ran.err
    ran = macli("campaign", "show", "sprng", at=NOW)
    assert (ran.code, "no campaign named 'sprng'" in ran.err) == (2, True)


def test_an_sms_campaign_needs_a_text(shop: Path, macli: Run) -> None:
    ran = macli("campaign", "create", "ring", "--channel", "sms", "--segment", "vip", "--template", "hello", at=NOW)
    assert ran.code == 2
    assert "the template 'hello' is for email, and the channel 'sms' carries sms" in ran.err
    ok(macli, "campaign", "create", "ring", "--segment", "vip", "--sms", "Hi {{ first_name }}")
    assert shown(macli, "ring")["channel"] == "sms"
    ok(macli, "campaign", "create", "empty", "--channel", "sms", "--segment", "vip")
    ran = macli("campaign", "activate", "empty", at=NOW)
    assert (ran.code, "it has no steps" in ran.err) == (1, True)


def test_an_edit_changes_what_it_names_and_nothing_else(shop: Path, macli: Run) -> None:
    made(macli, "--segment", "vip", "--from-name", "Shop")
    ok(macli, "campaign", "set", "spring", "--segment", "vip", "--segment", "buyers", "--reply-to", "a@example.com")
    ok(macli, "campaign", "edit", "spring", "--from-name", "", "--description", "For spring")
    facts = shown(macli)
    assert facts["segments"] == ["buyers", "vip"]
    assert facts["sender"] == {"reply_to": "a@example.com"}
    assert (facts["description"], facts["version"]) == ("For spring", 3)
    ok(macli, "campaign", "edit", "spring", "--rename", "summer")
    assert shown(macli, "summer")["version"] == 4


def test_without_a_yes_a_send_shows_the_plan_and_stops(shop: Path, macli: Run) -> None:
    made(macli, "--segment", "vip")
    ok(macli, "contact", "opt-out", "bob@example.com", "--channel", "email")
    ran = macli("campaign", "send", "spring", "--json", at=NOW)
    assert ran.code == 2
    (plan,) = json.loads(ran.out)
    assert (plan["messages"], plan["skipped"], plan["provider"]) == (1, {"opted_out": 1}, "outbox")
    assert (plan["from"], plan["subject"]) == ("news@example.com", "Hi {{ first_name }}")
    assert shown(macli)["state"] == "draft"
    assert mails(shop) == []


def test_a_contact_in_two_segments_gets_one_message(shop: Path, macli: Run) -> None:
    made(macli, "--segment", "vip", "--segment", "buyers")
    ok(macli, "campaign", "send", "spring", "--yes")
    assert sorted(mail["To"] for mail in mails(shop)) == [
        "Ann <ann@example.com>",
        "Bob <bob@example.com>",
        "Ewa <ewa@example.com>",
    ]
    rows = json.loads(ok(macli, "campaign", "recipients", "spring", "--json"))
    assert [row["state"] for row in rows] == ["accepted"] * 3
    ran = macli("campaign", "send", "spring", "--yes", at=NOW)
    assert (ran.code, "is finished" in ran.err) == (2, True)
    assert len(mails(shop)) == 3


def test_a_missing_value_stops_a_send_and_names_who_lacks_it(shop: Path, macli: Run) -> None:
    ok(macli, "contact", "add", "zoe@example.com", "--set", "country=Canada")
    made(macli, "--segment", "vip")
    ran = macli("campaign", "send", "spring", "--yes", at=NOW)
    assert ran.code == 1
    assert "1 contact lacks 'first_name', which the template 'hello' needs: zoe@example.com" in ran.err
    assert mails(shop) == []
    ok(macli, "campaign", "send", "spring", "--yes", "--allow-missing")
    assert len(mails(shop)) == 2


def test_a_draft_whose_time_has_passed_is_never_sent(shop: Path, macli: Run) -> None:
    made(macli, "--segment", "vip", "--at", "2026-03-04 13:00 UTC")
    ok(macli, "tick", at=NOW + timedelta(hours=2))
    assert mails(shop) == []
    assert shown(macli)["state"] == "draft"


def test_a_scheduled_campaign_waits_for_its_time_in_its_zone(shop: Path, macli: Run) -> None:
    made(macli, "--segment", "vip")
    said = ok(macli, "campaign", "schedule", "spring", "--at", "2026-07-01 10:00 Europe/Warsaw")
    assert "'spring' is scheduled" in said
    facts = shown(macli)
    assert facts["start_at"] == "2026-07-01T08:00:00Z"
    assert facts["starts"].startswith("2026-07-01 10:00 Europe/Warsaw = 2026-07-01 08:00 UTC")
    ran = macli("campaign", "send", "spring", "--yes", at=NOW)
    assert (ran.code, "add --now" in ran.err) == (2, True)
    ok(macli, "tick", "--at", "2026-07-01 07:59 UTC")
    assert mails(shop) == []
    ok(macli, "tick", "--at", "2026-07-01 08:00 UTC")
    assert len(mails(shop)) == 2


def test_a_scheduled_campaign_can_be_sent_now(shop: Path, macli: Run) -> None:
    made(macli, "--segment", "vip", "--at", "2026-07-01 10:00 local")
    ok(macli, "campaign", "activate", "spring")
    ok(macli, "campaign", "send", "spring", "--now", "--yes")
    assert len(mails(shop)) == 2


def test_a_campaign_is_paused_resumed_and_cancelled(shop: Path, macli: Run) -> None:
    made(macli, "--when", "orders > 100")
    assert macli("campaign", "pause", "spring", at=NOW).code == 1
    ok(macli, "campaign", "activate", "spring")
    ok(macli, "campaign", "pause", "spring", "--reason", "wrong price")
    assert shown(macli)["why"] == "wrong price"
    ran = macli("campaign", "send", "spring", "--yes", at=NOW)
    assert (ran.code, "is paused: wrong price" in ran.err) == (1, True)
    ok(macli, "campaign", "resume", "spring")
    assert macli("campaign", "cancel", "spring", at=NOW).code == 2
    ok(macli, "campaign", "cancel", "spring", "--yes")
    assert shown(macli)["state"] == "cancelled"


def test_a_preview_is_what_the_contact_would_get_or_why_not(shop: Path, macli: Run) -> None:
    made(macli, "--segment", "vip")
    out = ok(macli, "campaign", "preview", "spring", "--contact", "ann@example.com")
    assert "Hi Ann" in out
    (one,) = json.loads(ok(macli, "campaign", "preview", "spring", "--contact", "ewa@example.com", "--json"))
    assert (one["sent"], one["reason"]) == ("no", "not among those the campaign selects")
    ok(macli, "contact", "opt-out", "ann@example.com", "--channel", "email")
    (one,) = json.loads(ok(macli, "campaign", "preview", "spring", "--contact", "ann@example.com", "--json"))
    assert (one["sent"], one["reason"]) == ("no", "opted out of the channel or the topic")
    assert "<p>Hi Ann</p>" in one["html"]


def test_a_test_goes_to_oneself_and_counts_for_nobody(shop: Path, macli: Run) -> None:
    made(macli, "--segment", "vip")
    out = ok(macli, "campaign", "test", "spring", "--to", "me@example.org", "--contact", "bob@example.com", "--json")
    assert json.loads(out)[0]["answer"] == "accepted"
    (mail,) = mails(shop)
    assert "me@example.org" in mail["To"]
    assert mail["Subject"] == "Hi Bob"
    assert shown(macli)["state"] == "draft"


def test_a_campaign_is_made_from_a_file(shop: Path, macli: Run) -> None:
    ok(macli, "campaign", "create", "greeting", "--file", str(LIBRARY / "welcome" / "campaign.yaml"))
    assert len(shown(macli, "greeting")["steps"]) == 3
    ran = macli("campaign", "edit", "greeting", "--template", "hello", at=NOW)
    assert (ran.code, "has several steps" in ran.err) == (2, True)


def test_folders_are_applied_compared_and_written(shop: Path, macli: Run) -> None:
    assert macli("diff", str(LIBRARY), at=NOW).code == 1
    done = json.loads(ok(macli, "apply", str(LIBRARY), "--json"))
    assert {one["change"] for one in done} == {"created"}
    assert "the store says what the files say" in ok(macli, "diff", str(LIBRARY))
    assert "wrote" in ok(macli, "export", "campaign", "welcome", "-o", str(shop / "campaigns" / "welcome"))
    (done,) = json.loads(ok(macli, "apply", "campaigns", "--json"))
    assert done["change"] == "unchanged"
    (shop / "campaigns" / "welcome" / "campaign.yaml").write_text("name: x\nentry: {}\nsteps:\n - sned: x\n", "utf-8")
    ran = macli("apply", "campaigns", at=NOW)
    assert ran.code == 2
    assert "campaigns/welcome/campaign.yaml:4: 'sned' is no action; did you mean 'send'?" in ran.err


def test_three_hours_after_somebody_is_added_one_mail_leaves_with_the_file(shop: Path, macli: Run) -> None:
    ok(macli, "apply", str(LIBRARY / "ebook-after-3-hours"))
    ok(macli, "campaign", "activate", "ebook-after-3-hours")
    ok(macli, "contact", "add", "new@example.com")
    ok(macli, "tick", at=NOW + timedelta(hours=2, minutes=59))
    assert mails(shop) == []
    ok(macli, "tick", at=NOW + timedelta(hours=3))
    ok(macli, "tick", at=NOW + timedelta(hours=4))
    (mail,) = mails(shop)
    assert mail["To"] == "new@example.com"
    (file,) = mail.iter_attachments()
    assert file.get_filename() == "ebook.pdf"
    assert file.get_content() == (LIBRARY / "ebook-after-3-hours" / "ebook.pdf").read_bytes()


def test_a_condition_that_comes_and_goes_brings_one_message(shop: Path, macli: Run) -> None:
    made(macli, "--when", "orders >= 10", "--no-existing")
    ok(macli, "campaign", "activate", "spring")
    for hour, orders in enumerate((10, 1, 20, 2, 30), start=1):
        ok(macli, "contact", "edit", "ann@example.com", "--set", f"orders={orders}", at=NOW + timedelta(hours=hour))
        ok(macli, "tick", at=NOW + timedelta(hours=hour, minutes=1))
    assert [mail["Subject"] for mail in mails(shop)] == ["Hi Ann"]


def test_the_three_steps_of_the_welcome_run_to_their_end(shop: Path, macli: Run) -> None:
    ok(macli, "apply", str(LIBRARY / "welcome"))
    ok(macli, "campaign", "activate", "welcome")
    ok(macli, "contact", "add", "new@example.com", "--set", "first_name=Nia")
    for hours in (0, 1, 71, 72, 73):
        ok(macli, "tick", at=NOW + timedelta(hours=hours, minutes=1))
    assert [mail["Subject"] for mail in mails(shop)] == ["Welcome, Nia!", "Three things to try first"]
    assert shown(macli, "welcome", at=NOW + timedelta(days=4))["counts"]["end"] == 1


def test_a_birthday_is_greeted_at_nine_where_the_contact_lives(shop: Path, macli: Run) -> None:
    ok(macli, "apply", str(LIBRARY / "birthday"))
    ok(macli, "contact", "add", "b@example.com", "--set", "birthday=1990-03-06", "--timezone", "America/Toronto")
    ok(macli, "campaign", "activate", "birthday")
    start = datetime(2026, 3, 5, 0, 30, tzinfo=UTC)
    arrived = []
    for hour in range(48):
        ok(macli, "tick", at=start + timedelta(hours=hour))
        if mails(shop) and not arrived:
            arrived.append(start + timedelta(hours=hour))
    assert len(mails(shop)) == 1
    assert arrived == [datetime(2026, 3, 6, 14, 30, tzinfo=UTC)]


def test_an_activation_says_how_many_come_in_at_once(shop: Path, macli: Run) -> None:
    made(macli, "--when", "country = Canada")
    told = json.loads(ok(macli, "campaign", "activate", "spring", "--dry-run", "--json"))
    assert (told["state"], told["contacts_at_once"]) == ("active", 2)
    assert shown(macli)["state"] == "draft"
    ok(macli, "campaign", "edit", "spring", "--no-existing")
    assert json.loads(ok(macli, "campaign", "activate", "spring", "--json"))["contacts_at_once"] is None
    ok(macli, "tick", at=NOW + timedelta(minutes=1))
    assert mails(shop) == []


def test_events_before_the_activation_are_counted_where_they_are_to_count(shop: Path, macli: Run) -> None:
    made(macli, "--on", "contact.added", "--existing")
    told = json.loads(ok(macli, "campaign", "activate", "spring", "--json"))
    assert told["contacts_at_once"] == 3
    ok(macli, "tick", at=NOW + timedelta(minutes=1))
    assert len(mails(shop)) == 3


def test_the_content_is_chosen_by_rule_the_first_that_holds(shop: Path, macli: Run) -> None:
    (shop / "vip.html").write_text("<p>Dear {{ first_name }}</p>", "utf-8")
    ok(macli, "template", "create", "for vips", "--subject", "Dear {{ first_name }}", "--html", "vip.html")
    (shop / "choice.yaml").write_text(
        """
name: choice
entry: {rule: everyone}
steps:
  - send:
      template: hello
      choose:
        - {when: orders > 3, template: for vips}
        - {when: country = Poland, template: hello}
""",
        "utf-8",
    )
    ok(macli, "apply", "choice.yaml")
    ok(macli, "campaign", "send", "choice", "--yes")
    assert sorted(mail["Subject"] for mail in mails(shop)) == ["Dear Ewa", "Hi Ann", "Hi Bob"]


def test_contacts_inside_move_to_the_new_version_where_the_edit_says_so(shop: Path, macli: Run) -> None:
    ok(macli, "apply", str(LIBRARY / "welcome"))
    ok(macli, "campaign", "activate", "welcome")
    ok(macli, "contact", "add", "new@example.com")
    ok(macli, "tick", at=NOW + timedelta(minutes=1))
    ok(macli, "tick", at=NOW + timedelta(minutes=2))
    ok(macli, "export", "campaign", "welcome", "-o", "longer")
    file = shop / "longer" / "campaign.yaml"
    file.write_text(file.read_text("utf-8").replace("wait: 3 days", "wait: 5 days") + "on_edit: move\n", "utf-8")
    (done,) = json.loads(ok(macli, "apply", "longer", "--json"))
    assert done["moved"] == "1 same"
    ok(macli, "tick", at=NOW + timedelta(days=4))
    assert len(mails(shop)) == 1
    ok(macli, "tick", at=NOW + timedelta(days=6))
    assert len(mails(shop)) == 2
    rows = json.loads(ok(macli, "campaign", "versions", "welcome", "--json"))
    assert [row["inside"] for row in rows] == [0, 0]
