"""The engine agrees with the slow interpreter on random campaigns, contacts, events and tick times."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from campaign_oracle import Happening, Oracle, Person
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from running import DAY, HOUR, Running, Stores

from macli import contacts
from macli.campaign.loading import load
from macli.campaign.problems import BadDefinition
from macli.clock import from_ms, to_ms

ZONES = [None, "Europe/Warsaw", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]
BEGINNINGS = [
    datetime(2026, 3, 28, 20, 10, tzinfo=UTC),
    datetime(2026, 10, 24, 20, 10, tzinfo=UTC),
    datetime(2026, 12, 1, 9, 0, tzinfo=UTC),
    datetime(2028, 2, 27, 12, 0, tzinfo=UTC),
]
EVENTS = ["order.paid", "email.clicked", "tag.added"]


def _has(name: str) -> Any:
    return lambda person, happened: any(one.name == name for one in happened)


RULES = {
    "everyone": lambda person, happened: True,
    'country = "PL"': lambda person, happened: person.attributes.get("country") == "PL",
    'country != "PL"': lambda person, happened: person.attributes.get("country") != "PL",
    "number >= 5": lambda person, happened: person.attributes.get("number", 0) >= 5,
    "number is set": lambda person, happened: "number" in person.attributes,
    'tagged "VIP"': lambda person, happened: "VIP" in person.tags,
    'not tagged "VIP"': lambda person, happened: "VIP" not in person.tags,
    "event order.paid": _has("order.paid"),
    "no event email.clicked": lambda person, happened: not _has("email.clicked")(person, happened),
}
EVENT_RULES = {
    "total > 100": lambda one: one.properties.get("total", 0) > 100,
    "total <= 100": lambda one: one.properties.get("total", 101) <= 100,
}

rules = st.sampled_from(sorted(RULES))
durations = st.sampled_from(["30 minutes", "2 hours", "1 day", "3 days"])
times = st.sampled_from(["00:00", "02:30", "09:00", "17:45"])
weekdays = st.sampled_from(["monday", "saturday", "sunday"])
if_past = st.sampled_from([None, "skip", "continue", "end"])


def _drop_none(**mapping: Any) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if value is not None}


dates = st.builds(
    lambda day, clock: f"{day:%Y-%m-%d} {clock}",
    st.sampled_from([one + timedelta(days=n) for one in BEGINNINGS for n in (-1, 1, 3)]),
    times,
)
attribute_dates = st.builds(
    lambda offset, yearly, clock: _drop_none(attribute="day", offset=offset, yearly=yearly, time=clock),
    st.sampled_from([None, "-3 days", "1 day", "-2 hours", "-1 days"]),
    st.booleans(),
    st.none() | times,
)
untils = st.builds(
    lambda until, past: {"wait": _drop_none(until=until, if_past=past)},
    times | st.builds(lambda day, clock: f"{day} {clock}", weekdays, times) | weekdays | dates | attribute_dates,
    if_past,
)
sends = st.builds(
    lambda choose, on_error: {"send": _drop_none(template="t", choose=choose, on_error=on_error)},
    st.none() | st.lists(st.builds(lambda when: {"when": when, "template": "u"}, rules), min_size=1, max_size=2),
    st.sampled_from([None, "continue"]),
)
changes = st.sampled_from(
    [
        {"tag": "VIP"},
        {"untag": "VIP"},
        {"tag": ["VIP", "OLD"]},
        {"set": {"number": 7}},
        {"set": {"country": "PL"}},
        {"set": {"day": "2026-12-04"}},
        {"opt_out": "email"},
    ]
)
simple = sends | sends | st.builds(lambda span: {"wait": span}, durations) | untils | changes


def _nested(steps: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(steps, max_size=2)
    ending = lists | lists | lists.map(lambda inside: [*inside, {"end": True}])
    conditions = st.builds(
        lambda rule, then, otherwise: _drop_none(**{"if": rule, "then": then, "else": otherwise}),
        rules,
        ending,
        st.none() | ending,
    )
    waits_for = st.builds(
        lambda event, timeout, where, then, otherwise: {
            "wait_for": _drop_none(event=event, timeout=timeout, where=where),
            "then": [{"send": "yes"}, *then],
            "else": [{"send": "no"}, *otherwise],
        },
        st.sampled_from([*EVENTS, ["order.paid", "email.clicked"]]),
        durations,
        st.none() | st.none() | st.sampled_from(sorted(EVENT_RULES)),
        ending,
        ending,
    )
    branches = st.builds(
        lambda parts, otherwise: _drop_none(branches=parts, otherwise=otherwise),
        st.lists(
            st.builds(lambda when, inside: {"when": when, "steps": inside}, rules, ending), min_size=1, max_size=3
        ),
        st.none() | ending,
    )
    split = st.builds(
        lambda parts: {"split": parts},
        st.lists(
            st.builds(lambda weight, inside: {"weight": weight, "steps": inside}, st.integers(1, 3), ending),
            min_size=2,
            max_size=3,
        ),
    )
    return conditions | waits_for | waits_for | branches | split


steps = st.lists(st.recursive(simple, _nested, max_leaves=6), min_size=1, max_size=5)

entries = (
    st.builds(lambda rule: {"rule": rule}, rules)
    | st.builds(lambda rule, delay: _drop_none(whenever=rule, delay=delay), rules, st.none() | durations)
    | st.builds(
        lambda event, delay, rule, existing: _drop_none(event=event, delay=delay, rule=rule, existing=existing),
        st.sampled_from(
            [
                "order.paid",
                ["order.paid", "email.clicked"],
                {"name": "order.paid", "where": "total > 100"},
                [{"name": "order.paid", "where": "total <= 100"}, "email.clicked"],
            ]
        ),
        st.none() | durations,
        st.none() | rules,
        st.sampled_from([None, True, True, False]),
    )
)
reentries = st.sampled_from(
    [
        "never",
        "after_finish",
        "always",
        {"when": "always", "max_rounds": 2},
        {"when": "after_finish", "min_interval": "1 day"},
    ]
)
definitions = st.builds(
    lambda entry, body, reentry, exit_, goal: _drop_none(
        entry=entry, steps=body, reentry=reentry, exit=exit_, goal=goal
    ),
    entries,
    steps,
    reentries,
    st.none() | st.none() | rules,
    st.none() | st.none() | rules,
)

people = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "zone": st.sampled_from(ZONES),
            "country": st.sampled_from(["PL", "CA"]),
            "number": st.integers(0, 9),
            "day": st.sampled_from(["2026-12-05", "2024-02-29", "2026-03-30T21:00:00Z", "1990-10-26"]),
        },
    ),
    min_size=1,
    max_size=4,
)
who = st.integers(0, 3)
an_event = st.tuples(
    st.just("event"), who, st.sampled_from(EVENTS[:2]), st.integers(0, 200), st.sampled_from([0, 1, 5, 30, 59, 120])
)
happenings = (
    an_event
    | an_event
    | st.tuples(st.just("country"), who, st.sampled_from(["PL", "CA"]))
    | st.tuples(st.just("number"), who, st.integers(0, 9))
    | st.tuples(st.just("tag"), who, st.sampled_from(["VIP", "NEW"]))
    | st.tuples(st.just("untag"), who, st.sampled_from(["VIP"]))
    | st.tuples(st.just("remove"), who)
)
spans = st.sampled_from([1, 20, 60, 61, 119, 180, 720, 1440, 1441, 2880, 4320, 10_000])
ticks = st.lists(st.tuples(spans, st.lists(happenings, max_size=3)), min_size=2, max_size=8)
fates = st.lists(st.sampled_from(["accepted", "accepted", "bounced", "skipped", "unknown"]), min_size=3, max_size=3)


class Pair:
    """The engine and the oracle, told the same."""

    def __init__(self, running: Running, definition: dict[str, Any], persons: list[dict[str, Any]], begin: datetime):
        self.running, self.now = running, begin
        for name, kind in (("country", "text"), ("number", "number"), ("day", "date")):
            with running.store.write():
                running.store.execute("INSERT INTO attributes (name, type, created_at) VALUES (?, ?, 0)", (name, kind))
                running.store.execute("INSERT INTO tags (name) VALUES (?) ON CONFLICT DO NOTHING", ("VIP",))
        self.ids = [running.contact(at=begin - HOUR, **person) for person in persons]
        self.campaign_id = running.campaign(at=begin, start=False, **definition)
        loaded = load(running.store, self.campaign_id, 1)
        self.oracle = Oracle(
            campaign=loaded.campaign,
            program=loaded.program,
            campaign_id=self.campaign_id,
            people={
                id_: Person(
                    id=id_,
                    zone=person.get("zone"),
                    attributes={name: value for name, value in person.items() if name != "zone"},
                )
                for id_, person in zip(self.ids, persons, strict=True)
            },
            rules=RULES,
            event_rules=EVENT_RULES,
            zone=running.zone,
        )

    def start(self) -> None:
        self.running.start(self.campaign_id, self.now)
        self.oracle.activate(self.now)

    def happens(self, what: tuple[Any, ...]) -> None:
        kind, place, *said = what
        id_ = self.ids[place % len(self.ids)]
        person, store, now = self.oracle.people[id_], self.running.store, self.now
        one = (store, now, contacts.ONE, {"one_contact": id_})
        if kind == "event":
            name, total, minutes = said
            at = now - timedelta(minutes=minutes)
            self.running.happens(id_, name, at, now=now, total=total)
            self.oracle.happened.append(Happening(person=id_, name=name, at=at, properties={"total": total}))
        elif kind in ("country", "number"):
            contacts.set_attribute_where(*one, kind, said[0], "test")
            if person.attributes.get(kind) != said[0]:
                what = "attribute.changed" if kind in person.attributes else "attribute.set"
                person.attributes[kind] = said[0]
                self.oracle.happens(person, what, now)
        elif kind == "tag":
            if contacts.tag_where(*one, said[0], "test"):
                person.tags.add(said[0])
                self.oracle.happens(person, "tag.added", now)
        elif kind == "untag":
            if contacts.untag_where(*one, said[0], "test"):
                person.tags.discard(said[0])
                self.oracle.happens(person, "tag.removed", now)
        elif contacts.remove_where(*one, "test"):
            person.removed = True
            for inside in self.oracle.rounds:
                if inside.person == id_ and inside.ended_as is None:
                    self.oracle.end(inside, "removed")
            for (_, sent_to, _), sending in self.oracle.sends.items():
                if sent_to == id_ and sending.state == "planned":
                    sending.state = "skipped"

    def tick(self, now: datetime) -> None:
        self.now = now
        self.running.tick(now)
        self.oracle.tick(now)

    def engine_says(self) -> dict[str, Any]:
        store = self.running.store
        inside = {
            (row["contact_id"], row["round"]): (
                row["ended_as"]
                or (row["key"], from_ms(row["arrived_at"]), None if row["due_at"] is None else from_ms(row["due_at"]))
            )
            for row in store.rows(
                "SELECT enrollments.*, steps.key FROM enrollments JOIN steps ON steps.id = enrollments.step_id"
            )
        }
        messages = {
            (row["key"], row["contact_id"], row["round"]): (from_ms(row["due_at"]), row["variant"], row["state"])
            for row in store.rows("SELECT sends.*, steps.key FROM sends JOIN steps ON steps.id = sends.step_id")
        }
        names = [
            (row["contact_id"], row["name"], row["at"])
            for row in store.rows("SELECT * FROM events WHERE name <> 'contact.removed'")
        ]
        return {"inside": inside, "messages": messages, "events": sorted(names)}

    def oracle_says(self) -> dict[str, Any]:
        inside = {
            (one.person, one.round): one.ended_as or (one.step, one.arrived, one.due) for one in self.oracle.rounds
        }
        messages = {key: (one.due, one.variant, one.state) for key, one in self.oracle.sends.items()}
        names = [(one.person, one.name, to_ms(one.at)) for one in self.oracle.happened]
        return {"inside": inside, "messages": messages, "events": sorted(names)}


@pytest.fixture(scope="module")
def stores() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        yield Stores(Path(folder))


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    definition=definitions,
    persons=people,
    begin=st.sampled_from(BEGINNINGS),
    zone=st.sampled_from(["UTC", "Europe/Warsaw", "America/New_York"]),
    before=st.lists(happenings, min_size=1, max_size=5),
    course=ticks,
    fate=fates,
)
def test_the_engine_agrees_with_the_interpreter(
    stores: Stores,
    definition: dict[str, Any],
    persons: list[dict[str, Any]],
    begin: datetime,
    zone: str,
    before: list[tuple[Any, ...]],
    course: list[tuple[int, list[tuple[Any, ...]]]],
    fate: list[str],
) -> None:
    running = stores.new()
    running.zone = zone
    try:
        pair = Pair(running, definition, persons, begin)
    except BadDefinition:
        assume(False)
    running.fate = pair.oracle.fate = lambda step, person: fate[(len(step) + person) % 3]
    pair.now = begin - timedelta(minutes=1)
    for what in before:
        pair.happens(what)
    pair.now = begin
    pair.start()
    now = pair.now
    for minutes, happened in course:
        now += timedelta(minutes=minutes)
        pair.now = now - timedelta(seconds=30)
        for what in happened:
            pair.happens(what)
        pair.tick(now)
        state = running.row(pair.campaign_id)
        assert state["state"] == "active", state["pause_reason"]
        assert pair.engine_says() == pair.oracle_says()
    running.store.close()


def test_the_oracle_and_the_engine_begin_at_the_same_place(stores: Stores) -> None:
    pair = Pair(stores.new(), {"steps": [{"wait": "1 day"}, {"send": "t"}]}, [{}, {"zone": ZONES[1]}], BEGINNINGS[2])
    pair.start()
    pair.tick(BEGINNINGS[2] + HOUR)
    pair.tick(BEGINNINGS[2] + DAY)
    assert pair.engine_says() == pair.oracle_says()
    assert len(pair.oracle.sends) == 2
