"""What contacts did, from the event log."""

import re
from dataclasses import dataclass, field, replace
from typing import ClassVar

from macli.rules.asked import ONCE, Asked, Count, Counted, Name
from macli.rules.comparisons import Equals, Test, Texted, condition
from macli.rules.moments import When, instants, span_of
from macli.rules.predicates.attributes import opposite_of
from macli.rules.readers import CALLED, reads
from macli.rules.sql import WIDE, Build, Condition
from macli.rules.subjects import Member
from macli.rules.tree import Leaf, Not, Rule
from macli.rules.values import Literal, name_text, quote
from macli.rules.vocabulary import CORE

_EVENT_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*").fullmatch
_LINKS = {"contains": "containing", "starts with": "starting with", "ends with": "ending with"}

TITLE = "What contacts did"


@dataclass(frozen=True, kw_only=True)
class Property:
    """A test of one property of an event."""

    name: str
    test: Test
    negated: bool = False
    loose: bool = field(default=False, compare=False)
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return opposite_of(name_text(self.name), self.test) if self.negated else f"{name_text(self.name)} {self.test}"

    def sql(self, build: Build) -> str:
        if not self.name.isidentifier():
            raise build.error(f"{self.name!r} cannot be the name of a property", self.at)
        if self.loose and not build.stored and self.name.casefold() in {*build.vocabulary.attributes, *CORE, *CALLED}:
            raise build.error(
                f"is {self.name!r} a property of the event, or the contact's attribute?",
                self.at,
                hint="write: event … with (… and …) for properties, (event … with …) and … for attributes",
            )
        subject = Member(
            name=self.name,
            type=None,
            json="events.properties",
            folded_json="events.folded",
            dialect=build.dialect,
        )
        found = condition(subject, self.test, self.at, build).sql
        return f"NOT coalesce({found}, FALSE)" if self.negated else found


@dataclass(frozen=True, kw_only=True)
class Happened(Leaf):
    """Something happened to the contact or was done by it: an e-mail opened, a link clicked, any event
    by its name. At least once, unless a number is said, and whenever, unless a time is. What stands
    behind `with` is asked of each event: text without regard to case, numbers, dates, true or false.
    An `and` behind `with` goes on with the event's properties; brackets make that plain.

    - `opened email within 30 days`
    - `opened campaign "spring"`
    - `never opened email`
    - `clicked`
    - `clicked link containing "/pricing" at least 3 times within 14 days`
    - `clicked campaign "spring" link "https://example.com/sale"`
    - `replied within 7 days`
    - `never replied to campaign "spring"`
    - `event order.paid with total > 100 at least 3 times within 14 days`
    - `event "order.paid" with (total > 100 and currency = "EUR")`
    - `event order.paid between 2026-01-01 and 2026-01-31`
    - `event order.paid exactly once more than 30 days ago`
    - `no event order.paid within 90 days`
    """

    event: str
    campaign: Literal | None = None
    properties: tuple[Property, ...] = ()
    count: Count = ONCE
    when: When | None = None
    at: int = field(default=0, compare=False)
    looks_elsewhere: ClassVar[bool] = True

    @property
    def share(self) -> float:  # type: ignore[override]
        return 0.3 if self.count == ONCE and not self.properties else 0.1

    def __str__(self) -> str:
        count = "" if self.count == ONCE else f" {self.count} {_times(self.count.times)}"
        return f"{self._occurrence()}{count}{self._time()}"

    def opposite(self) -> str:
        if self.count.sign == "exactly":
            return f"not {self}"
        if self.count == ONCE:
            never = "no" if self._occurrence().startswith("event") else "never"
            return f"{never} {self._occurrence()}{self._time()}"
        most = self.count.times - 1
        return f"{self._occurrence()} at most {most} {_times(most)}{self._time()}"

    def _time(self) -> str:
        return "" if self.when is None else f" {self.when}"

    def _occurrence(self) -> str:
        campaign = "" if self.campaign is None else f" campaign {self.campaign}"
        if self.event == "email.opened" and not self.properties:
            return f"opened{campaign or ' email'}"
        if self.event == "email.clicked" and not self.properties:
            return f"clicked{campaign}"
        if self.event == "email.clicked" and (link := self._link()):
            return f"clicked{campaign} {link}"
        if self.event == "email.replied" and not self.properties:
            return f"replied{campaign and ' to' + campaign}"
        # In brackets, so that an `and` behind it does not go on with the event.
        with_ = f" with ({' and '.join(map(str, self.properties))})" if self.properties else ""
        return f"event {quote(self.event)}{campaign and ' from' + campaign}{with_}"

    def _link(self) -> str | None:
        asked = self.properties[0]
        if len(self.properties) > 1 or asked.name != "url" or asked.negated:
            return None
        if isinstance(asked.test, Texted):
            return f"link {_LINKS.get(asked.test.how, 'matching')} {asked.test.value}"
        if isinstance(asked.test, Equals) and asked.test.value.quoted:
            return f"link {asked.test.value}"
        return None

    def condition(self, build: Build, reach: float) -> Condition:
        build.reads.add("events")
        if not _EVENT_NAME(self.event):
            raise build.error(
                f"{self.event!r} is no name of an event",
                self.at,
                hint="event names are small letters, digits, underscores and dots: order.paid",
            )
        asked = [f"events.name = {build.bind(self.event)}"]
        if self.when is not None:
            asked.append(instants("events.at", span_of(self.when, build), build))
        if self.campaign is not None:
            campaign = build.campaign(self.campaign)
            asked.append(f"events.campaign_id = {build.bind(campaign.id)}")
        asked.extend(property_.sql(build) for property_ in self.properties)
        return Condition(sql=counted("events", asked, self.count, build, reach))


def _times(count: int) -> str:
    return "time" if count == 1 else "times"


def counted(table: str, asked: list[str], count: Count, build: Build, reach: float) -> str:
    """The condition that so many rows of a table that has a contact_id are the contact's."""
    where = " AND ".join(asked)
    once = count.sign == "at least" and count.times == 1
    if reach > WIDE:
        selected = f"SELECT {table}.contact_id FROM {table} WHERE {where} AND {table}.contact_id IS NOT NULL"
        if not once:
            sign = ">=" if count.sign == "at least" else "="
            selected += f" GROUP BY {table}.contact_id HAVING count(*) {sign} {build.bind(count.times)}"
        return f"contacts.id IN ({selected})"
    own = f"FROM {table} WHERE {table}.contact_id = contacts.id AND {where}"
    if once:
        return f"EXISTS (SELECT 1 {own})"
    if count.sign == "at least":
        # Stops at the row that decides.
        return f"EXISTS (SELECT 1 {own} LIMIT 1 OFFSET {build.bind(count.times - 1)})"
    return f"(SELECT count(*) {own}) = {build.bind(count.times)}"


@reads("event")
def event(name: Literal, campaign: Literal | None, properties: tuple[Property, ...] | None) -> Happened:
    return Happened(event=name.text.strip().casefold(), campaign=campaign, properties=properties or (), at=name.at)


@reads("opened")
def opened(campaign: Literal | None) -> Happened:
    return Happened(event="email.opened", campaign=campaign)


@reads("opened_campaign")
def opened_campaign(campaign: Literal) -> Happened:
    return opened(campaign)


@reads("clicked")
def clicked(link: Property | None, campaign: Literal | None) -> Happened:
    return Happened(event="email.clicked", campaign=campaign, properties=() if link is None else (link,))


@reads("clicked_campaign")
def clicked_campaign(campaign: Literal, link: Property | None) -> Happened:
    return clicked(link, campaign)


@reads("replied")
def replied(campaign: Literal | None) -> Happened:
    return Happened(event="email.replied", campaign=campaign)


@reads("happened")
def happened(occurrence: Happened, counted: Counted | None, when: When | None) -> Rule:
    if counted is None:
        return replace(occurrence, when=when)
    leaf = replace(occurrence, count=counted.count, when=when)
    return Not(leaf) if counted.negated else leaf


@reads("happened_counted_last")
def happened_counted_last(occurrence: Happened, when: When, counted: Counted) -> Rule:
    return happened(occurrence, counted, when)


@reads("never_happened")
def never_happened(occurrence: Happened, when: When | None) -> Rule:
    return Not(replace(occurrence, when=when))


@reads("with_open")
def with_open(first: Property, *others: Property) -> tuple[Property, ...]:
    return (first, *(replace(other, loose=True) for other in others))


@reads("with_closed")
def with_closed(*properties: Property) -> tuple[Property, ...]:
    return properties


@reads("condition")
def property_asked(name: Name, asked: Asked | When) -> Property:
    if isinstance(asked, When):
        from macli.rules.asked import during

        asked = during(asked)
    return Property(name=name.text, test=asked.test, negated=asked.negated, at=name.at)


@reads("link")
def link(value: Literal) -> Property:
    return Property(name="url", test=Equals(value=replace(value, quoted=True)), at=value.at)


@reads("link_containing")
def link_containing(value: Literal) -> Property:
    return _link_part("contains", value)


@reads("link_starting")
def link_starting(value: Literal) -> Property:
    return _link_part("starts with", value)


@reads("link_ending")
def link_ending(value: Literal) -> Property:
    return _link_part("ends with", value)


@reads("link_matching")
def link_matching(value: Literal) -> Property:
    return _link_part("matches", value)


def _link_part(how: str, value: Literal) -> Property:
    return Property(name="url", test=Texted(how=how, value=value), at=value.at)  # type: ignore[arg-type]


@reads("from")
def from_campaign(campaign: Literal) -> Literal:
    return campaign
