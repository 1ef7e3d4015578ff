"""Segments: rules with a name, lists made by hand, and who comes and goes."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from macli import segments, selection
from macli.clock import to_ms
from macli.errors import OperationFailed, UnknownName, UsageError
from macli.rules import RuleError
from macli.store import Store, attributes, categories, open_store
from macli.store import segments as kept

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Five contacts: three in Canada, with 1 to 5 orders."""
    with open_store(tmp_path / "macli.db", create=True) as opened:
        attributes.declare(opened, 0, "country", "text")
        attributes.declare(opened, 0, "orders", "number")
        with opened.write():
            for number in range(1, 6):
                given = {"country": "Canada" if number <= 3 else "Poland", "orders": number}
                opened.execute(
                    "INSERT INTO contacts (id, email, attributes, added_at, updated_at) VALUES (?, ?, ?, ?, ?)",
                    (number, f"p{number}@example.com", json.dumps(given), to_ms(NOW), to_ms(NOW)),
                )
        yield opened


def create(store: Store, name: str, rule: str | None = None, **more: object) -> None:
    segments.create(store, NOW, UTC_ZONE, name, rule=rule, **more)


def members(store: Store, name: str, now: datetime = NOW) -> list[int]:
    return sorted(selection.member_ids(store, selection.segment_where(store, name, now, UTC_ZONE)))


def move(store: Store, contact: int, country: str, now: datetime) -> None:
    with store.write():
        store.execute(
            "UPDATE contacts SET attributes = json_set(attributes, '$.country', ?), updated_at = ? WHERE id = ?",
            (country, to_ms(now), contact),
        )


def told(store: Store) -> list[tuple[str, int, str]]:
    return [
        (row["name"], row["contact_id"], json.loads(row["properties"])["segment"])
        for row in store.rows("SELECT name, contact_id, properties FROM events ORDER BY id")
    ]


def test_a_dynamic_segment_is_who_fits_its_rule_now_and_a_static_one_who_fitted_then(store: Store) -> None:
    create(store, "canada", "country = Canada")
    create(store, "then", "country = Canada", static=True)
    move(store, 1, "Poland", NOW)
    assert members(store, "canada") == [2, 3]
    assert members(store, "then") == [1, 2, 3]


def test_names_are_found_whatever_their_case_and_taken_only_once(store: Store) -> None:
    create(store, "VIP  Clients", "orders > 3")
    assert kept.get(store, "vip clients")["name"] == "VIP Clients"
    with pytest.raises(UsageError, match="already"):
        create(store, "Vip clients", "orders > 4")
    with pytest.raises(UnknownName, match="did you mean 'VIP Clients'"):
        kept.get(store, "vip client")


def test_a_rule_that_cannot_be_read_makes_no_segment(store: Store) -> None:
    with pytest.raises(RuleError):
        create(store, "x", "contry = Canada")
    assert kept.list_all(store) == []


def test_segments_may_ask_for_segments_but_not_in_a_circle(store: Store) -> None:
    create(store, "canada", "country = Canada")
    create(store, "listed", static=True, people=["p5@example.com"])
    create(store, "both", "in segment canada and orders > 1 or in segment listed")
    assert members(store, "both") == [2, 3, 5]
    with pytest.raises(RuleError, match="canada → both → canada"):
        segments.edit(store, NOW, UTC_ZONE, "canada", rule="in segment both")
    assert kept.get(store, "canada")["rule"] == "country = Canada"


def test_people_are_put_into_a_static_segment_and_taken_out_by_their_addresses(store: Store) -> None:
    with store.write():
        store.execute("UPDATE contacts SET phone = '+14165550123', external_id = 'crm-2' WHERE id = 2")
    create(store, "guests", static=True)
    lines = ["P1@Example.com\n", "+1 416 555-0123", "# a comment", "", "crm-2", "nobody@example.com", "huh@"]
    assert segments.add_people(store, NOW, "guests", lines) == (2, ["huh@", "nobody@example.com"])
    assert segments.add_people(store, NOW, "guests", lines)[0] == 0
    assert members(store, "guests") == [1, 2]
    assert segments.remove_people(store, NOW, "guests", ["p1@example.com"]) == (1, [])
    assert members(store, "guests") == [2]
    assert told(store) == [
        ("segment.entered", 1, "guests"),
        ("segment.entered", 2, "guests"),
        ("segment.left", 1, "guests"),
    ]


def test_a_contact_put_into_a_list_is_looked_at_again_by_the_tick(store: Store) -> None:
    create(store, "guests", static=True)
    later = NOW + timedelta(hours=1)
    segments.add_people(store, later, "guests", ["p1@example.com"])
    assert store.value("SELECT updated_at FROM contacts WHERE id = 1") == to_ms(later)


def test_people_are_not_put_into_a_dynamic_segment(store: Store) -> None:
    create(store, "canada", "country = Canada")
    with pytest.raises(OperationFailed, match="its rule says who is in it"):
        segments.add_people(store, NOW, "canada", ["p5@example.com"])


def test_refreshing_a_snapshot_tells_who_came_and_who_left(store: Store) -> None:
    create(store, "then", "country = Canada", static=True)
    assert told(store) == []
    move(store, 1, "Poland", NOW)
    move(store, 5, "Canada", NOW)
    assert segments.refresh(store, "then", NOW, UTC_ZONE) == segments.Moved(entered=1, left=1)
    assert members(store, "then") == [2, 3, 5]
    assert told(store) == [("segment.left", 1, "then"), ("segment.entered", 5, "then")]
    assert segments.refresh(store, "then", NOW, UTC_ZONE) == segments.Moved()


def test_there_is_nothing_to_refresh_where_no_members_are_kept(store: Store) -> None:
    create(store, "canada", "country = Canada")
    create(store, "guests", static=True)
    with pytest.raises(OperationFailed, match="found whenever it is asked"):
        segments.refresh(store, "canada", NOW, UTC_ZONE)
    with pytest.raises(OperationFailed, match="by hand"):
        segments.refresh(store, "guests", NOW, UTC_ZONE)


def test_a_tracked_segment_tells_who_comes_and_goes_but_not_who_was_there(store: Store) -> None:
    create(store, "canada", "country = Canada", tracked=True)
    assert told(store) == []
    later = NOW + timedelta(minutes=5)
    move(store, 1, "Poland", later)
    move(store, 5, "Canada", later)
    moved = segments.refresh_tracked(store, later, UTC_ZONE, every=timedelta(hours=1))
    assert moved == segments.Moved(entered=1, left=1)
    assert set(told(store)) == {("segment.left", 1, "canada"), ("segment.entered", 5, "canada")}
    again = segments.refresh_tracked(store, later, UTC_ZONE, every=timedelta(hours=1))
    assert again == segments.Moved()


def test_a_tracked_segment_sees_what_happened_at_once_and_what_time_did_now_and_then(store: Store) -> None:
    create(store, "active", "opened email within 1 day", tracked=True)
    hour = timedelta(hours=1)
    first = NOW + timedelta(minutes=10)
    with store.write():
        store.execute(
            "INSERT INTO events (contact_id, name, at, source) VALUES (4, 'email.opened', ?, 'test')", (to_ms(first),)
        )
    assert segments.refresh_tracked(store, first, UTC_ZONE, every=hour).entered == 1
    day_on = first + timedelta(days=1, minutes=1)
    assert segments.refresh_tracked(store, day_on, UTC_ZONE, every=timedelta(days=9)).left == 0
    assert segments.refresh_tracked(store, day_on, UTC_ZONE, every=hour).left == 1


def test_a_removed_contact_leaves_its_tracked_segments(store: Store) -> None:
    create(store, "canada", "country = Canada", tracked=True)
    with store.write():
        store.execute("UPDATE contacts SET removed_at = :now, updated_at = :now WHERE id = 2", {"now": to_ms(NOW)})
    assert segments.refresh_tracked(store, NOW, UTC_ZONE, every=timedelta(hours=1)).left == 1


def test_a_changed_rule_of_a_tracked_segment_is_looked_at_for_everyone(store: Store) -> None:
    create(store, "some", "country = Canada", tracked=True)
    later = NOW + timedelta(hours=2)
    segments.edit(store, later, UTC_ZONE, "some", rule="country = Poland")
    moved = segments.refresh_tracked(store, later, UTC_ZONE, every=timedelta(days=1))
    assert moved == segments.Moved(entered=2, left=3)


def test_a_segment_in_use_is_not_removed_and_says_by_whom(store: Store) -> None:
    create(store, "canada", "country = Canada")
    create(store, "good", "orders > 2 and IN SEGMENT 'Canada'")
    with store.write():
        store.execute(
            "INSERT INTO campaigns (id, name, name_key, created_at, updated_at) VALUES (1, 'Spring', 'spring', 0, 0)"
        )
        definition = {"entry": {"rule": "everyone"}, "steps": [{"if": "not in segment canada", "then": []}]}
        store.execute(
            "INSERT INTO campaign_versions (campaign_id, number, definition, created_at) VALUES (1, 1, ?, 0)",
            (json.dumps(definition),),
        )
    with pytest.raises(OperationFailed, match="by the campaign 'Spring' and the segment 'good'"):
        segments.remove(store, "canada")
    with pytest.raises(OperationFailed, match="the campaign 'Spring'"):
        segments.rename(store, NOW, "canada", "maple")
    segments.remove(store, "good")
    assert [row["name"] for row in kept.list_all(store)] == ["canada"]


def test_a_segment_a_campaign_is_sent_to_is_not_removed(store: Store) -> None:
    create(store, "canada", "country = Canada")
    with store.write():
        store.execute(
            "INSERT INTO campaigns (id, name, name_key, created_at, updated_at) VALUES (1, 'Spring', 'spring', 0, 0)"
        )
        store.execute("INSERT INTO campaign_segments VALUES (1, 1)")
    with pytest.raises(OperationFailed, match="the campaign 'Spring'"):
        segments.remove(store, "canada")


def test_a_renamed_segment_is_renamed_in_the_rules_that_ask_for_it_and_nothing_else_is(store: Store) -> None:
    create(store, "canada", "country = Canada")
    rule = "orders > 2 and in segment canada # canada\n or not in segment 'CANADA' and country = canada"
    create(store, "good", rule)
    before = members(store, "good")
    segments.rename(store, NOW, "canada", 'Maple "Leaf"')
    assert kept.get(store, "good")["rule"] == (
        'orders > 2 and in segment "Maple \\"Leaf\\"" # canada\n'
        ' or not in segment "Maple \\"Leaf\\"" and country = canada'
    )
    assert members(store, "good") == before


def test_putting_a_segment_says_whether_anything_changed(store: Store) -> None:
    assert segments.put(store, NOW, UTC_ZONE, "canada", "country = Canada") == "created"
    assert segments.put(store, NOW, UTC_ZONE, "canada", "country = Canada") is None
    assert segments.put(store, NOW, UTC_ZONE, "Canada", "country = canada") == "changed"
    create(store, "guests", static=True)
    with pytest.raises(OperationFailed, match="static"):
        segments.put(store, NOW, UTC_ZONE, "guests", "everyone")


def test_a_segment_has_a_category_and_is_listed_by_it(store: Store) -> None:
    categories.create(store, NOW, "VIP")
    create(store, "canada", "country = Canada", category="vip")
    create(store, "other", "country = Poland")
    assert [row["name"] for row in kept.list_all(store, categories.id_of(store, "VIP"))] == ["canada"]
    segments.edit(store, NOW, UTC_ZONE, "canada", category="")
    assert [row["category"] for row in kept.list_all(store)] == [None, None]


def test_a_preview_counts_once_and_takes_its_sample_from_all_over(store: Store) -> None:
    where = selection.where_of(store, "everyone", NOW, UTC_ZONE)
    assert selection.preview(store, where).sample == [1, 2, 3, 4, 5]
    assert selection.preview(store, where, sample=2).sample == [1, 3]
    assert selection.preview(store, where, sample=0).sample == []
    nobody = selection.where_of(store, "not everyone", NOW, UTC_ZONE)
    assert selection.preview(store, nobody) == selection.Preview(count=0, sample=[], ids="")
    assert selection.reach(store, nobody, selection.preview(store, nobody)) == selection.Reach(email=0, sms=0)
    with store.write():
        store.execute(
            """
            WITH RECURSIVE n(i) AS (SELECT 6 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
            INSERT INTO contacts (id, phone, added_at, updated_at) SELECT i, '+1', 0, 0 FROM n
            """
        )
    found = selection.preview(store, where)
    assert found.count == 5000
    assert len(set(found.sample)) == 10
    assert all(low < high for low, high in zip(found.sample, found.sample[1:], strict=False))
    assert found.sample[-1] > 4000
    assert selection.reach(store, where, found) == selection.Reach(email=5, sms=4995)
    assert [row["id"] for row in selection.rows_of(store, found.sample)] == found.sample


def test_a_preview_by_an_index_says_the_same(store: Store) -> None:
    rule = "country = Canada and orders < 3"
    scanned = selection.where_of(store, rule, NOW, UTC_ZONE)
    attributes.index(store, "country")
    attributes.index(store, "orders")
    direct = selection.where_of(store, rule, NOW, UTC_ZONE)
    assert (scanned.direct, direct.direct) == (False, True)
    for where in (scanned, direct):
        found = selection.preview(store, where)
        assert (found.count, sorted(found.sample)) == (2, [1, 2])
        assert selection.reach(store, where, found) == selection.Reach(email=2, sms=0)


# The commands


def test_the_commands_make_preview_and_explain_segments(workspace: Path, macli) -> None:
    for number in range(1, 4):
        assert macli("contact", "add", f"p{number}@example.com", "--set", f"orders={number}").code == 0
    assert macli("segment", "create", "vip", "--rule", "orders >= 2").code == 0
    ran = macli("segment", "preview", "vip")
    assert "2 of 3 contacts (66.7 %)" in ran.out
    assert "p3@example.com" in ran.out
    found = json.loads(macli("segment", "preview", "--rule", "orders > 2", "--json").out)
    assert (found["contacts"], found["of"], found["reachable_by_email"]) == (1, 3, 1)
    assert found["sample"][0]["email"] == "p3@example.com"
    told = macli("segment", "explain", "not tagged x or orders > 2").out
    for part in ("any of", "not tagged x", "contacts.removed_at IS NULL", ":r1 = ", "SCAN contacts"):
        assert part in told
    assert json.loads(macli("segment", "explain", "vip", "--json").out)["rule"] == "orders >= 2"
    csv = macli("segment", "members", "vip", "--format", "csv").out.splitlines()
    assert [line.split(",")[1] for line in csv] == ["email", "p2@example.com", "p3@example.com"]
    assert json.loads(macli("segment", "show", "vip", "--json").out)["contacts"] == 2
    assert "vip" in macli("segment", "list").out


def test_the_preview_looks_from_another_time(workspace: Path, macli) -> None:
    macli("contact", "add", "a@example.com", at=NOW)
    for moment, count in (("2026-03-05", 1), ("2026-04-05", 0)):
        ran = macli("segment", "preview", "--rule", "added within 30 days", "--at", moment, "--json", at=NOW)
        assert json.loads(ran.out)["contacts"] == count


def test_a_wrong_rule_is_shown_with_a_caret_and_ends_with_2(workspace: Path, macli) -> None:
    ran = macli("segment", "create", "x", "--rule", "emial = a")
    assert ran.code == 2
    assert "did you mean 'email'?" in ran.err
    assert ran.err.splitlines()[2].strip() == "^"
    assert macli("segment", "preview").code == 2
    assert macli("segment", "preview", "x").code == 2


def test_a_list_comes_from_a_file_or_a_pipe(workspace: Path, macli, tmp_path: Path) -> None:
    for number in range(1, 4):
        macli("contact", "add", f"p{number}@example.com")
    file = tmp_path / "guests.txt"
    file.write_bytes("\ufeffp1@example.com\r\nnobody@example.com\r\n".encode())
    ran = macli("segment", "create", "guests", "--from", str(file))
    assert ran.code == 0
    assert "nobody@example.com" in ran.err
    assert macli("segment", "add", "guests", "--from", "-", stdin="p2@example.com\n").code == 0
    assert macli("segment", "remove", "guests", "p1@example.com").code == 0
    rows = json.loads(macli("segment", "members", "guests", "--json").out)
    assert [row["email"] for row in rows] == ["p2@example.com"]
    assert macli("segment", "rename", "guests", "invited").code == 0
    assert macli("segment", "edit", "invited", "--rule", "everyone").code == 0
    assert "2 came into 'invited', 0 left it" in macli("segment", "refresh", "invited").out
    assert macli("segment", "rm", "invited").code == 0


def test_a_tracked_segment_whose_rule_no_longer_reads_stops_no_tick(tmp_path: Path) -> None:
    from macli.tick.tick import run_tick
    from tests.world import add_campaign, add_contacts, new_world

    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 2)
    for name in ("broken", "whole"):
        segments.create(world.store, NOW, world.engine().zone, name, rule="number >= 0", tracked=True)
    world.store.execute("UPDATE segments SET rule = 'nmuber >= 0', swept_all_at = NULL WHERE name = 'broken'")
    add_campaign(world.store)
    report = run_tick(world.engine())
    assert report.faults.keys() == {"broken"}
    assert report.messages == {"accepted": 2}
    assert world.store.value("SELECT count(*) FROM segment_members") >= 2
