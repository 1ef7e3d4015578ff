"""Every word for a time and for a number of times, at its edges and one step to either side of them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rule_oracle import World, fits
from rule_world import VOCABULARY, furnish, keep, mailed, opened, someone

from macli import rules
from macli.clock import parse_duration, to_ms
from macli.store import Store, open_store

# The night after which the clocks go forward in Warsaw, half an hour into the next day there.
NOW = datetime(2027, 3, 27, 23, 30, tzinfo=UTC)
LENGTHS = ("0 days", "1 hour", "1 day", "3 days", "2 days 12 hours")
RELATIVE = (
    "within {}",
    "within next {}",
    "more than {} ago",
    "less than {} ago",
    "in more than {}",
    "in less than {}",
)
POINTS = (
    "2027-03-27",
    "2027-03-28",
    "today",
    "yesterday",
    "tomorrow",
    "2027-03-28T00:30Z",
    '"2027-03-28 02:30"',
    '"2027-03-27 18:00 America/New_York"',
)
ABSOLUTE = ("before {}", "after {}", "on {}", "< {}", "<= {}", "> {}", ">= {}", "= {}", "!= {}", "in ({}, 2027-04-01)")
SPANS = (
    "between 2027-03-27 and 2027-03-28",
    "between yesterday and tomorrow",
    "between 2027-03-28T00:00Z and 2027-03-29",
)
STEPS = (timedelta(), timedelta(seconds=1), timedelta(seconds=-1))
ZONES = ("UTC", "Europe/Warsaw", "America/St_Johns")


def moments() -> Iterator[datetime]:
    """Instants at the ends of every span above, and a second to either side of each."""
    spans = [parse_duration(length) * sign for length in LENGTHS for sign in (1, -1)]
    midnights = [
        datetime(2027, 3, day, tzinfo=ZoneInfo(zone)).astimezone(UTC) for day in range(26, 31) for zone in ZONES
    ]
    points = [datetime(2027, 3, 28, 0, 30, tzinfo=UTC), datetime(2027, 3, 27, 22, tzinfo=UTC)]
    for moment in (*(NOW + span for span in spans), *midnights, *points):
        yield from (moment + step for step in STEPS)


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, list[dict[str, Any]]]]:
    """A contact for each moment, with that moment in every place a rule can ask for one."""
    path: Path = tmp_path_factory.mktemp("edges") / "macli.db"
    found = []
    for number, moment in enumerate(sorted(set(moments())), start=1):
        ms = to_ms(moment)
        text = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        known = {"added_at": ms, "events": [opened(ms)], "sends": [mailed(moment=ms)]}
        found.append(someone(number, attributes={"birthday": text, "expires": text}, **known))
    for day in range(20, 32):
        text = f"2027-03-{day}"
        found.append(someone(len(found) + 1, attributes={"birthday": text, "expires": text}))
    for ms in (-1, 1):
        found.append(someone(len(found) + 1, events=[opened(to_ms(NOW) + ms)], sends=[mailed(moment=to_ms(NOW) + ms)]))
    with open_store(path, create=True) as store:
        furnish(store)
        with store.write():
            keep(store, found, set())
        yield store, found


@pytest.mark.parametrize("zone", ZONES)
def test_every_word_for_a_time_at_its_edges(peopled: tuple[Store, list[dict[str, Any]]], zone: str) -> None:
    whens = [pattern.format(length) for pattern, length in product(RELATIVE, LENGTHS)]
    asked = [pattern.format(point) for pattern, point in product(ABSOLUTE, POINTS)]
    for subject in ("birthday", "expires", "added"):
        for when in (*whens, *asked, *SPANS):
            _agree(peopled, f"{subject} {when}", zone)
    for subject in ("opened email", "received email"):
        for when in (*whens, *(word for word in asked if word[0].isalpha() and word[:2] != "in"), *SPANS):
            _agree(peopled, f"{subject} {when}", zone)


def test_every_word_for_a_number_of_times(tmp_path: Path) -> None:
    found = [
        someone(number + 1, events=[opened(ms) for ms in range(number)], sends=[mailed() for _ in range(number)])
        for number in range(6)
    ]
    with open_store(tmp_path / "macli.db", create=True) as store:
        furnish(store)
        with store.write():
            keep(store, found, set())
        for words, times in product(("at least", "more than", "at most", "less than", "exactly"), range(5)):
            if (words, times) in (("at least", 0), ("less than", 0)):
                continue
            for rule in (f"opened email {words} {times} times", f"received {words} {times} emails"):
                _agree((store, found), rule, "UTC")
                fit = {
                    "at least": lambda n, t=times: n >= t,
                    "more than": lambda n, t=times: n > t,
                    "at most": lambda n, t=times: n <= t,
                    "less than": lambda n, t=times: n < t,
                    "exactly": lambda n, t=times: n == t,
                }[words]
                where = rules.compile(rule, VOCABULARY, now=NOW, zone=ZoneInfo("UTC"))
                selected = {
                    row[0] - 1 for row in store.rows(f"SELECT id FROM contacts WHERE {where.sql}", where.params)
                }
                assert selected == {number for number in range(6) if fit(number)}, rule


@pytest.mark.parametrize(
    ("state", "counts"),
    [
        ("planned", False),
        ("claimed", False),
        ("sending", True),
        ("accepted", True),
        ("delivered", True),
        ("bounced", False),
        ("rejected", False),
        ("failed", False),
        ("unknown", True),
        ("skipped", False),
    ],
)
def test_what_failed_or_was_skipped_was_not_received(tmp_path: Path, state: str, counts: bool) -> None:
    with open_store(tmp_path / "macli.db", create=True) as store:
        furnish(store)
        with store.write():
            keep(store, [someone(1, sends=[mailed(state)])], set())
        for rule, expected in (("received email", counts), ("received no emails", not counts)):
            where = rules.compile(rule, VOCABULARY, now=NOW, zone=ZoneInfo("UTC"))
            assert len(store.rows(f"SELECT id FROM contacts WHERE {where.sql}", where.params)) == expected


SAID = (None, "granted", "withdrawn", "pending")


def test_a_no_to_the_channel_has_the_last_word_and_a_yes_to_it_is_overruled_by_its_topic(tmp_path: Path) -> None:
    found = []
    for number, (of_all, of_news, of_sms) in enumerate(product(SAID, SAID, (None, "withdrawn")), start=1):
        said = {("email", ""): of_all, ("email", "news"): of_news, ("sms", ""): of_sms}
        found.append(someone(number, consents={key: status for key, status in said.items() if status}))
    with open_store(tmp_path / "macli.db", create=True) as store:
        furnish(store)
        with store.write():
            keep(store, found, set())
        for way, channel, topic in product(("in to", "out of"), ("email", "sms"), ("", " topic news", " topic other")):
            _agree((store, found), f"opted {way} {channel}{topic}", "UTC")
            _agree((store, found), f"not opted {way} {channel}{topic}", "UTC")


def test_anniversaries_on_every_day_of_four_years(tmp_path: Path) -> None:
    days = [date(1999, 1, 1) + timedelta(days=number) for number in range(4 * 365 + 1)]
    found = [
        someone(number, attributes={"birthday": day.isoformat(), "expires": day.isoformat()})
        for number, day in enumerate(days, start=1)
    ]
    with open_store(tmp_path / "macli.db", create=True) as store:
        furnish(store)
        with store.write():
            keep(store, found, set())
        for today in ("2027-02-27", "2027-02-28", "2027-03-01", "2028-02-28", "2028-02-29", "2001-12-30", "2002-01-01"):
            now = datetime.fromisoformat(f"{today}T12:00Z")
            for name in ("birthday", "expires"):
                for when in ("today", "in 1 day", "in 3 days", "within next 1 day", "within next 3 days"):
                    _agree((store, found), f"anniversary of {name} {when}", "UTC", now)
                    _agree((store, found), f"not anniversary of {name} {when}", "UTC", now)


def _agree(peopled: tuple[Store, list[dict[str, Any]]], text: str, zone: str, now: datetime = NOW) -> None:
    store, found = peopled
    world = World(vocabulary=VOCABULARY, now=now, zone=ZoneInfo(zone))
    rule = rules.parse(text)
    wanted = {contact["id"] for contact in found if fits(rule, contact, world)}
    for narrow in (False, True):
        where = rules.compile(text, VOCABULARY, now=now, zone=ZoneInfo(zone), narrow=narrow)
        selected = {row[0] for row in store.rows(f"SELECT id FROM contacts WHERE {where.sql}", where.params)}
        wrong = [contact for contact in found if contact["id"] in selected ^ wanted]
        assert not wrong, f"{text} in {zone}: {wrong[:2]}"
