"""Campaigns interpreted contact by contact in plain Python: slow, obvious, and what the engine must agree with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from macli.actions.branching import Branches, End, If, Split
from macli.actions.contact_changes import OptOut, Set, Tag, Untag
from macli.actions.sending import Send
from macli.actions.waiting import AttributeDate, Wait, WaitFor
from macli.campaign.definition import Campaign
from macli.campaign.program import Program

MINUTE = timedelta(minutes=1)
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


@dataclass(kw_only=True)
class Person:
    """A contact."""

    id: int
    zone: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    opted_out: set[str] = field(default_factory=set)
    removed: bool = False


@dataclass(kw_only=True)
class Happening:
    """An event."""

    person: int
    name: str
    at: datetime
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class Inside:
    """One round of one contact."""

    person: int
    round: int
    step: str | None
    due: datetime | None
    arrived: datetime
    entered: datetime
    ended_as: str | None = None
    lapsed: bool = False


@dataclass(kw_only=True)
class Sending:
    """A message."""

    due: datetime
    variant: int
    state: str = "planned"


@dataclass(kw_only=True)
class Oracle:
    """One campaign and everything that happens to it."""

    campaign: Campaign
    program: Program
    campaign_id: int
    people: dict[int, Person]
    rules: Mapping[str, Callable[[Person, list[Happening]], bool]]
    event_rules: Mapping[str, Callable[[Happening], bool]]
    zone: str = "UTC"
    happened: list[Happening] = field(default_factory=list)
    rounds: list[Inside] = field(default_factory=list)
    sends: dict[tuple[str, int, int], Sending] = field(default_factory=dict)
    passed: dict[tuple[str, str], int] = field(default_factory=dict)
    fate: Callable[[str, int], str] = lambda step, person: "accepted"
    read_by_entry: int = 0
    read_by_react: int = 0
    last_read: datetime | None = None
    activated: datetime | None = None
    all_in: bool = False

    def holds(self, rule: str, person: Person) -> bool:
        return self.rules[rule](person, [one for one in self.happened if one.person == person.id])

    def activate(self, now: datetime) -> None:
        self.activated = now
        if not (self.campaign.entry.kind == "event" and self.campaign.entry.includes_existing):
            self.read_by_entry = len(self.happened)

    def tick(self, now: datetime) -> None:
        self.react(now)
        self.enroll(now)
        self.advance(now)
        while self.dispatch(now):
            self.advance(now)

    # Reacting

    def react(self, now: datetime) -> None:
        new, self.read_by_react = self.happened[self.read_by_react :], len(self.happened)
        for one in new:
            for inside in self.rounds:
                if inside.person == one.person and one.name == "consent.withdrawn" and self.called_off(inside):
                    inside.due = now
                if inside.person != one.person or inside.ended_as or inside.due is None or inside.due <= now:
                    continue
                if inside.arrived > one.at:
                    continue  # what happens before a contact arrives does not count there
                if one.name in self.program.steps[inside.step].action.events():
                    inside.due = now

    def called_off(self, inside: Inside) -> bool:
        sending = self.sends.get((inside.step, inside.person, inside.round))
        waits = inside.ended_as is None and inside.due is None
        return waits and sending is not None and sending.state == "skipped"

    # Coming in

    def enroll(self, now: datetime) -> None:
        entry = self.campaign.entry
        if entry.kind == "once":
            if not self.all_in:
                for person in self.people.values():
                    if not person.removed and (entry.rule is None or self.holds(entry.rule, person)):
                        self.enter(person.id, now, self.activated)
                self.all_in = True
        elif entry.kind == "whenever":
            for person in self.people.values():
                true = self.holds(entry.whenever, person)
                if not true:
                    for inside in self.rounds:
                        if inside.person == person.id:
                            inside.lapsed = True
                elif not person.removed:
                    self.enter(person.id, now, now + (entry.delay or timedelta()), only_lapsed=True)
        else:
            self.enroll_by_event(now)

    def enroll_by_event(self, now: datetime) -> None:
        entry = self.campaign.entry
        new, self.read_by_entry = self.happened[self.read_by_entry :], len(self.happened)
        first: dict[int, datetime] = {}
        for one in new:
            for event in entry.event:
                if event.name == one.name and (event.where is None or self.event_rules[event.where](one)):
                    first[one.person] = min(one.at, first.get(one.person, one.at))
        for id_, at in first.items():
            person = self.people[id_]
            if not person.removed and (entry.rule is None or self.holds(entry.rule, person)):
                floor = max(self.activated, self.last_read or self.activated)
                self.enter(id_, now, max(at + (entry.delay or timedelta()), floor))
        if new:
            self.last_read = now

    def enter(self, person: int, now: datetime, arrives: datetime, *, only_lapsed: bool = False) -> None:
        before = [inside for inside in self.rounds if inside.person == person]
        reentry = self.campaign.reentry
        if before:
            last = max(before, key=lambda inside: inside.round)
            if reentry.when == "never":
                return
            if reentry.when == "after_finish" and last.ended_as is None:
                return
            if reentry.max_rounds is not None and last.round >= reentry.max_rounds:
                return
            if reentry.min_interval is not None and last.entered + reentry.min_interval > now:
                return
            if only_lapsed and not last.lapsed:
                return
        self.rounds.append(
            Inside(
                person=person,
                round=len(before) + 1,
                step=self.program.first,
                due=arrives,
                arrived=arrives,
                entered=now,
            )
        )

    # Moving

    def advance(self, now: datetime) -> None:
        for inside in self.rounds:
            while inside.ended_as is None and inside.due is not None and inside.due <= now:
                self.look_at(inside, now)

    def look_at(self, inside: Inside, now: datetime) -> None:
        person = self.people[inside.person]
        if person.removed:
            self.end(inside, "removed")
        elif self.campaign.goal is not None and self.holds(self.campaign.goal, person):
            self.end(inside, "goal")
        elif self.campaign.exit is not None and self.holds(self.campaign.exit, person):
            self.end(inside, "exit")
        else:
            self.act(inside, person, now)

    def end(self, inside: Inside, how: str) -> None:
        inside.ended_as, inside.due = how, None

    def go(self, inside: Inside, way: str, left: datetime) -> None:
        step = self.program.steps[inside.step]
        target = step.ways[way]
        if target is None:
            self.end(inside, step.ends.get(way, "end"))
        else:
            inside.step, inside.arrived, inside.due = target, left, left

    def act(self, inside: Inside, person: Person, now: datetime) -> None:
        action = self.program.steps[inside.step].action
        match action:
            case Send():
                self.send(action, inside, person)
            case Wait():
                self.wait(action, inside, person, now)
            case WaitFor():
                self.wait_for(action, inside, now)
            case If():
                self.go(inside, "then" if self.holds(action.rule, person) else "else", inside.due)
            case Branches():
                for number, branch in enumerate(action.branches, start=1):
                    if self.holds(branch.when, person):
                        self.go(inside, str(number), inside.due)
                        return
                self.go(inside, "otherwise", inside.due)
            case Split():
                self.go(inside, self.share(action, inside), inside.due)
            case Tag():
                for tag in action.tags:
                    if tag.upper() not in person.tags:
                        person.tags.add(tag.upper())
                        self.happens(person, "tag.added", now, tag=tag.upper())
                self.go(inside, "next", inside.due)
            case Untag():
                for tag in action.tags:
                    if tag.upper() in person.tags:
                        person.tags.discard(tag.upper())
                        self.happens(person, "tag.removed", now, tag=tag.upper())
                self.go(inside, "next", inside.due)
            case Set():
                self.set(action, person, now)
                self.go(inside, "next", inside.due)
            case OptOut():
                if action.channel not in person.opted_out:
                    person.opted_out.add(action.channel)
                    self.happens(person, "consent.withdrawn", now, channel=action.channel, topic="")
                    for (_, id_, _), sending in self.sends.items():
                        if id_ == person.id and sending.state == "planned" and action.channel == "email":
                            sending.state = "skipped"
                self.go(inside, "next", inside.due)
            case End():
                self.end(inside, "end")
            case _:
                raise AssertionError(action)

    def happens(self, person: Person, name: str, at: datetime, **properties: Any) -> None:
        self.happened.append(Happening(person=person.id, name=name, at=at, properties=properties))

    def set(self, action: Set, person: Person, now: datetime) -> None:
        for name, value in action.values.items():
            if person.attributes.get(name) != value:
                what = "attribute.changed" if name in person.attributes else "attribute.set"
                person.attributes[name] = value
                self.happens(person, what, now)

    def send(self, action: Send, inside: Inside, person: Person) -> None:
        key = (inside.step, person.id, inside.round)
        sending = self.sends.get(key)
        if sending is None:
            variant = 0
            for number, choice in reversed(list(enumerate(action.choose, start=1))):
                if self.holds(choice.when, person):
                    variant = number
            self.sends[key] = Sending(due=inside.due, variant=variant)
            if self.program.steps[inside.step].ways["next"] is None:
                self.end(inside, "end")
            else:
                inside.due = None
        elif sending.state in ("bounced", "failed", "rejected") and action.on_error == "fail":
            self.end(inside, "failed")
        else:
            self.go(inside, "next", inside.due)

    def wait(self, action: Wait, inside: Inside, person: Person, now: datetime) -> None:
        if action.duration is not None:
            over = inside.arrived + action.duration
            if over <= now:
                self.go(inside, "next", over)
            else:
                inside.due = over
            return
        zone = ZoneInfo(person.zone or self.zone)
        instant = self.instant(action.until, inside.arrived, person, zone)
        if_past = action.if_past or ("skip" if isinstance(action.until, AttributeDate) else "continue")
        late = self.campaign.max_lateness or timedelta(hours=24)
        missed = instant is not None and if_past != "continue" and instant < now - late
        if instant is None or instant < inside.arrived or missed:
            left = inside.arrived if instant is None else max(instant, inside.arrived)
            self.pass_by(if_past, inside, left)
        elif instant <= now:
            self.go(inside, "next", instant)
        else:
            inside.due = instant

    def pass_by(self, if_past: str, inside: Inside, left: datetime) -> None:
        if if_past == "end":
            self.end(inside, "end")
            return
        following = self.program.steps[inside.step].ways["next"]
        if if_past == "skip" and following is not None:
            step = self.program.steps[following]
            if isinstance(step.action, Send):
                inside.step = following
        self.go(inside, "next", left)

    def instant(self, until: Any, arrived: datetime, person: Person, zone: ZoneInfo) -> datetime | None:
        if isinstance(until, AttributeDate):
            return self.attribute_instant(until, arrived, person, zone)
        words = until.split()
        weekday = WEEKDAYS.index(words.pop(0)) if words[0] in WEEKDAYS else None
        if len(words) == 2:
            return first_instant(date.fromisoformat(words[0]), time.fromisoformat(words[1]), zone.key)
        clock = time.fromisoformat(words[0]) if words else time(0)
        day = arrived.astimezone(zone).date() - timedelta(days=1)
        while True:
            if weekday is None or day.weekday() == weekday:
                instant = first_instant(day, clock, zone.key)
                if instant >= arrived:
                    return instant
            day += timedelta(days=1)

    def attribute_instant(
        self, until: AttributeDate, arrived: datetime, person: Person, zone: ZoneInfo
    ) -> datetime | None:
        value = person.attributes.get(until.attribute)
        if value is None:
            return None
        if len(value) == 10:
            local = datetime.combine(date.fromisoformat(value), time(0))
        else:
            local = datetime.fromisoformat(value).astimezone(zone).replace(tzinfo=None)
        count, unit = (until.offset or "0 days").split()
        offset = timedelta(**{unit if unit.endswith("s") else f"{unit}s": int(count)})
        whole = timedelta(days=int(offset / timedelta(days=1)))
        clock = time.fromisoformat(until.time) if until.time else local.time()

        def moment(day: date) -> datetime:
            return first_instant(day + whole, clock, zone.key) + (offset - whole)

        if not until.yearly:
            return moment(local.date())
        for year in range(arrived.year - 3, arrived.year + 4):
            day = 28 if (local.month, local.day) == (2, 29) and year % 4 else local.day
            instant = moment(date(year, local.month, day))
            if instant >= arrived:
                return instant
        raise AssertionError("a year comes every year")

    def wait_for(self, action: WaitFor, inside: Inside, now: datetime) -> None:
        deadline = inside.arrived + action.timeout
        counted = [
            one.at
            for one in self.happened
            if one.person == inside.person
            and one.name in action.event
            and inside.arrived <= one.at <= deadline
            and (action.where is None or self.event_rules[action.where](one))
        ]
        if counted:
            self.go(inside, "then", min(min(counted), now))
        elif deadline <= now:
            self.go(inside, "else", deadline)
        else:
            inside.due = deadline

    def share(self, action: Split, inside: Inside) -> str:
        digest = sha256(f"{self.campaign_id}:{inside.step}".encode()).digest()
        prime = 2**31 - 1
        a = int.from_bytes(digest[:8], "big") % (prime - 1) + 1
        b = int.from_bytes(digest[8:16], "big") % prime
        place = pow(a * inside.person + b, 5, prime) % sum(share.weight for share in action.split)
        for number, share in enumerate(action.split, start=1):
            place -= share.weight
            if place < 0:
                return str(number)
        raise AssertionError("the weights end")

    # Sending

    def dispatch(self, now: datetime) -> bool:
        """Everything planned leaves, or does not; whether anything did."""
        any_ = False
        for (step, id_, round_), sending in self.sends.items():
            if sending.state == "planned" and sending.due <= now:
                sending.state = "skipped" if self.people[id_].removed else self.fate(step, id_)
                any_ = True
                for inside in self.rounds:
                    if (
                        (inside.step, inside.person, inside.round) == (step, id_, round_)
                        and inside.ended_as is None
                        and inside.due is None
                    ):
                        inside.due = now
        return any_


@lru_cache(maxsize=10_000)
def first_instant(day: date, clock: time, zone: str) -> datetime:
    """The first minute at which a clock in the zone shows the day, and the time or a later one."""
    moment = datetime.combine(day, time(0), tzinfo=UTC) - timedelta(hours=15)
    while True:
        local = moment.astimezone(ZoneInfo(zone))
        if local.date() > day or (local.date() == day and local.time() >= clock):
            return moment
        moment += MINUTE
