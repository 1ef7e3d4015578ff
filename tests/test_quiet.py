"""Quiet hours: 8 to 21 where the recipient is, or may be, and what single states ask beyond that."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import geocoder
from phonenumbers.timezone import time_zones_for_number

from macli import quiet
from macli.clock import from_ms, to_ms
from macli.config import REGISTRY
from macli.errors import UsageError
from macli.quiet.states import States, states
from macli.store import Store, settings
from macli.tick.tick import run_tick
from tests.world import NOW, World, add_campaign, add_template, new_world, opt_in

QUIET = REGISTRY["quiet_hours.sms"].read(str(REGISTRY["quiet_hours.sms"].default))
UTC_ZONE = ZoneInfo("UTC")
NO_RULES = States(by_code={})
TORONTO, WARSAW, FLORIDA, TEXAS, ALABAMA = (
    "+14165550100",
    "+48501000111",
    "+13055550100",
    "+12145550100",
    "+12055550100",
)
TOLL_FREE, RUSSIA, NOWHERE = "+18005550100", "+79161234567", "+80012345678"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = new_world(tmp_path)
    yield world
    world.store.close()


def add_contact(world: World, phone: str, zone: str | None = None) -> int:
    with world.store.write():
        contact_id = int(
            world.store.value(
                "INSERT INTO contacts (phone, timezone, added_at, updated_at) VALUES (?, ?, 0, 0) RETURNING id",
                (phone, zone),
            )
        )
    opt_in(world, contact_id, "sms")
    return contact_id


def add_text(world: World, name: str = "spring", now: datetime = NOW, **more: object) -> int:
    if world.store.value("SELECT count(*) FROM templates") == 0:
        add_template(world.store, "text", kind="sms", text="Hello")
    return add_campaign(
        world.store, name, now=now, channel="sms", entry={"rule": "has phone"}, steps=[{"send": "text"}], **more
    )


def left(world: World) -> dict[str, datetime]:
    """When each number's message left."""
    rows = world.store.rows("SELECT address, left_at FROM sends WHERE state = 'accepted'")
    return {row["address"]: from_ms(row["left_at"]).replace(microsecond=0) for row in rows}


def opens(
    phone: str | None, at: str, *, zone: str = "", rules: States | None = None, quiet_hours: str | None = None
) -> str:
    """When a message due at that time in UTC may come, as ``day hour:minute`` in UTC."""
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    rules = states(Path("/nowhere")) if rules is None else rules
    hours = QUIET if quiet_hours is None else REGISTRY["quiet_hours.sms"].read(quiet_hours)
    found = quiet.opening_times(hours, [(zone, phone)], moment, UTC_ZONE, rules)
    return (from_ms(found[zone]) if found else moment).strftime("%d %H:%M")


# The recipient's own zone


@pytest.mark.parametrize(
    ("zone", "at", "expected"),
    [
        ("Europe/Warsaw", "2026-12-01 06:59", "01 07:00"),
        ("Europe/Warsaw", "2026-12-01 07:00", "01 07:00"),
        ("Europe/Warsaw", "2026-12-01 19:59", "01 19:59"),
        ("Europe/Warsaw", "2026-12-01 20:00", "02 07:00"),
        ("Asia/Kathmandu", "2026-12-01 02:00", "01 02:15"),
        ("America/New_York", "2026-03-08 03:00", "08 12:00"),
        ("America/New_York", "2026-11-01 03:00", "01 13:00"),
        ("Nowhere/Land", "2026-12-01 07:00", "01 08:00"),
    ],
)
def test_r18_texts_come_between_8_and_21_where_the_recipient_is(zone: str, at: str, expected: str) -> None:
    assert opens(WARSAW, at, zone=zone) == expected


def test_r18_a_message_waits_for_the_recipients_morning_and_then_leaves(world: World) -> None:
    add_contact(world, TORONTO, "America/Toronto")
    add_contact(world, WARSAW, "Europe/Warsaw")
    add_contact(world, "+81312345678", "Asia/Tokyo")
    add_text(world)
    for hour in range(26):
        run_tick(world.engine(NOW + timedelta(hours=hour)), chosen_time=True)
    sent = left(world)
    assert sent[WARSAW] == NOW  # 10 o'clock
    assert sent[TORONTO] == NOW.replace(hour=13)  # 8 o'clock
    assert sent["+81312345678"] == NOW  # 18 o'clock
    assert len(sent) == 3


def test_r18_mail_and_transactional_texts_have_no_quiet_hours_unless_asked(world: World) -> None:
    add_contact(world, TORONTO)
    add_text(world, purpose="transactional")
    run_tick(world.engine())
    assert len(left(world)) == 1


# A zone nobody knows


@pytest.mark.parametrize(
    ("phone", "at", "expected"),
    [
        (TORONTO, "2026-12-01 12:59", "01 13:00"),
        (WARSAW, "2026-12-01 06:00", "01 07:00"),
        # From Guam (8 o'clock is 22:00 in UTC) to Newfoundland (21 o'clock is 00:30).
        (TOLL_FREE, "2026-12-01 12:00", "01 22:00"),
        (TOLL_FREE, "2026-12-02 00:29", "02 00:29"),
        (TOLL_FREE, "2026-12-02 00:30", "02 22:00"),
        # A Russian mobile number may be in Kamchatka (20 o'clock UTC+12) or anywhere west of it.
        (RUSSIA, "2026-12-01 03:00", "01 06:00"),
        (RUSSIA, "2026-12-01 09:00", "02 06:00"),
        # In area code 270 it is one time in Owensboro and another in Elizabethtown: 8 o'clock in both, 21 in neither.
        ("+12705550100", "2026-12-01 13:30", "01 14:00"),
        ("+12705550100", "2026-12-02 02:00", "02 14:00"),
        # Guernsey and the Isle of Man have London's time, the Canary Islands not Madrid's.
        ("+447911123456", "2026-12-01 07:59", "01 08:00"),
        ("+34612345678", "2026-12-01 07:30", "01 08:00"),
        # What no country has is where the workspace is.
        (NOWHERE, "2026-12-01 07:00", "01 08:00"),
        (None, "2026-12-01 07:00", "01 08:00"),
    ],
)
def test_r19_without_a_zone_a_text_waits_until_it_may_come_in_all_the_number_may_be_in(
    phone: str | None, at: str, expected: str
) -> None:
    assert opens(phone, at) == expected


def test_r19_where_no_hour_suits_all_zones_the_workspaces_own_counts() -> None:
    assert opens(RUSSIA, "2026-12-01 05:00", quiet_hours="12:00-10:00") == "01 10:00"


@given(
    phone=st.sampled_from([TORONTO, TOLL_FREE, RUSSIA, FLORIDA, TEXAS, ALABAMA]),
    minutes=st.integers(0, 60 * 24 * 400),
)
def test_r19_whenever_it_leaves_it_is_neither_before_8_nor_behind_21_anywhere(phone: str, minutes: int) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    found = quiet.opening_times(QUIET, [("", phone)], moment, UTC_ZONE, NO_RULES)
    at = from_ms(found[""]) if found else moment
    for zone in time_zones_for_number(phonenumbers.parse(phone)):
        assert time(8) <= at.astimezone(ZoneInfo(zone)).time() < time(21)
    assert moment <= at < moment + timedelta(days=2)


def test_r19_the_engine_groups_by_zone_and_digits_not_by_contact(world: World) -> None:
    for number in range(50):
        add_contact(world, f"+1416555{number:04}")
        add_contact(world, f"+4850100{number:04}", "Europe/London")
    found = world.store.rows(f"SELECT DISTINCT {quiet.place('sms')} AS place FROM contacts ORDER BY place")
    assert [row["place"] for row in found] == [" +1416", "Europe/London"]
    add_text(world)
    run_tick(world.engine(NOW.replace(hour=12)))
    assert world.states() == {"accepted": 50, "planned": 50}
    assert world.store.value("SELECT DISTINCT due_at FROM sends WHERE state = 'planned'") == to_ms(NOW.replace(hour=13))


def test_r19_the_plan_and_the_preview_say_who_waits(world: World) -> None:
    from macli import audience
    from macli.selection import where_of

    contact = add_contact(world, TORONTO)
    add_contact(world, WARSAW)
    policy = audience.policy(world.engine().setting, channel="sms", purpose="campaign")
    where = where_of(world.store, "everyone", NOW, UTC_ZONE)
    assert quiet.quiet_now(world.store, where, policy, NOW, UTC_ZONE) == 1
    row = world.store.row("SELECT * FROM contacts WHERE id = ?", (contact,))
    assert row is not None
    assert quiet.waits_until(world.store, policy, row, NOW, UTC_ZONE) == to_ms(NOW.replace(hour=13))
    assert quiet.waits_until(world.store, policy, row, NOW.replace(hour=15), UTC_ZONE) is None


# States


@pytest.mark.parametrize(
    ("phone", "zone", "at", "expected"),
    [
        (FLORIDA, "America/New_York", "2026-12-02 00:59", "02 00:59"),  # 19:59
        (FLORIDA, "America/New_York", "2026-12-02 01:00", "02 13:00"),  # 20:00, until 8:00
        (TEXAS, "America/Chicago", "2026-12-01 14:30", "01 15:00"),  # 8:30, until 9:00
        (TEXAS, "America/Chicago", "2026-12-06 16:00", "06 18:00"),  # Sunday, until noon
        (ALABAMA, "America/Chicago", "2026-12-06 18:00", "07 14:00"),  # Sunday, until Monday
        (ALABAMA, "America/Chicago", "2026-12-25 18:00", "26 14:00"),  # Christmas
        (ALABAMA, "America/Chicago", "2026-11-26 18:00", "27 14:00"),  # Thanksgiving
        (ALABAMA, "America/Chicago", "2026-05-25 18:00", "26 13:00"),  # Memorial Day
        (ALABAMA, "America/Chicago", "2026-05-18 18:00", "18 18:00"),  # the Monday before it
        ("+12065550100", "America/Los_Angeles", "2026-12-02 04:00", "02 16:00"),  # Washington, 20:00
        ("+12035550100", "America/New_York", "2026-12-01 13:30", "01 14:00"),  # Connecticut, 8:30
        ("+12405550100", "America/New_York", "2026-12-02 01:00", "02 13:00"),  # Maryland, 20:00
        (TORONTO, "America/Toronto", "2026-12-02 01:00", "02 01:00"),
        (WARSAW, "America/New_York", "2026-12-02 01:00", "02 01:00"),  # 305 is no area code there
    ],
)
def test_r20_a_state_may_ask_for_more_by_the_numbers_area_code(phone: str, zone: str, at: str, expected: str) -> None:
    assert opens(phone, at, zone=zone) == expected


def test_r20_every_rule_names_its_law_and_its_codes_are_that_states() -> None:
    shipped = states(Path("/nowhere"))
    for code, state in shipped.by_code.items():
        assert state.law
        where = geocoder.description_for_number(phonenumbers.parse(f"+1{code}5550100"), "en")
        known = where.removesuffix(" State")
        assert not known or known.casefold() == state.name or known.endswith((", TX", ", FL")), (code, where)


def test_r20_a_file_beside_the_store_stands_in_for_the_rules(world: World) -> None:
    own = world.path / "text-hours.toml"
    own.write_text('[states.ontario]\ncodes = [416]\nhours = "10:00-12:00"\nlaw = "ours"\n')
    add_contact(world, TORONTO)
    add_contact(world, FLORIDA)
    add_text(world)
    run_tick(world.engine(NOW.replace(hour=13)))  # 8 o'clock for both
    assert list(left(world)) == [FLORIDA]
    run_tick(world.engine(NOW.replace(hour=15)))
    assert sorted(left(world)) == [FLORIDA, TORONTO]


@pytest.mark.parametrize(
    "text",
    [
        "states = 1",
        "[states.x]\ncodes = [4161]\nhours = '08:00-20:00'",
        "[states.x]\nhours = '08:00-20:00'",
        "[states.x]\ncodes = [416]\nhours = '20:00-08:00'",
        "[states.x]\ncodes = [416]\nhours = 'always'",
        "[states.x]\ncodes = [416]\nhours = '08:00-20:00'\nsundays = 'none'",
        "[calendar]\nholidays = ['fifth monday of 01']",
        "[states",
    ],
)
def test_r20_a_file_that_says_something_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "text-hours.toml").write_text(text)
    with pytest.raises(UsageError, match=r"text-hours\.toml|hours"):
        states(tmp_path)


def test_r21_a_state_may_limit_how_many_texts_come_within_a_day(world: World) -> None:
    add_contact(world, FLORIDA)
    add_contact(world, TORONTO)
    noon = NOW.replace(hour=17)
    for number in range(5):
        at = noon + timedelta(minutes=number)
        add_text(world, f"text {number}", now=at)
        run_tick(world.engine(at), chosen_time=True)
    sent = world.store.rows("SELECT address, count(*) AS texts FROM sends WHERE state = 'accepted' GROUP BY address")
    assert {row["address"]: row["texts"] for row in sent} == {FLORIDA: 3, TORONTO: 5}
    due = [row["due_at"] for row in world.store.rows("SELECT due_at FROM sends WHERE state = 'planned' ORDER BY id")]
    assert [from_ms(at).replace(microsecond=0) for at in due] == [noon + timedelta(hours=24)] * 2
    run_tick(world.engine(noon + timedelta(hours=24, seconds=1)), chosen_time=True)
    run_tick(world.engine(noon + timedelta(hours=24, minutes=3)), chosen_time=True)
    assert world.states() == {"accepted": 10}


def test_quiet_hours_turned_off_turn_off_the_states_too(world: World) -> None:
    add_contact(world, FLORIDA)
    add_text(world, quiet_hours=False)
    run_tick(world.engine(NOW))  # 4 o'clock
    assert len(left(world)) == 1


def test_mail_goes_by_the_contacts_zone_and_never_by_its_number(store: Store) -> None:
    with store.write():
        store.execute(
            "INSERT INTO contacts (email, phone, added_at, updated_at) VALUES ('a@example.com', ?, 0, 0)", (FLORIDA,)
        )
    assert store.value(f"SELECT {quiet.place('email')} FROM contacts") == ""


def test_a_mails_quiet_hours_are_not_read_out_of_its_address(world: World) -> None:
    with world.store.write():
        world.store.execute("INSERT INTO contacts (email, added_at, updated_at) VALUES ('c1@example.com', 0, 0)")
    settings.put(world.store, NOW, "quiet_hours.email", "21:00-08:00")
    add_template(world.store, subject="Hi", html="<p>Hello</p>")
    add_campaign(world.store)
    run_tick(world.engine())  # 9 o'clock here, the middle of the night where numbers begin with +1
    assert list(left(world)) == ["c1@example.com"]


def test_holidays_that_move_are_found_in_any_year() -> None:
    from macli.quiet.states import _falls_on

    thanksgivings = [date(2025, 11, 27), date(2026, 11, 26), date(2027, 11, 25), date(2028, 11, 23)]
    for day in thanksgivings:
        assert [offset for offset in range(-14, 15) if _falls_on("fourth thursday of 11", day + timedelta(offset))] == [
            0
        ]
    assert _falls_on("last monday of 05", date(2027, 5, 31))
    assert not _falls_on("last monday of 05", date(2027, 5, 24))
