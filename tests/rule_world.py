"""Random rules and random contacts: what the property tests of the rule language draw from."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from macli.address import fold_json
from macli.clock import to_ms
from macli.config import likelihoods
from macli.rules import KnownCampaign, KnownFunnel, KnownName, KnownSegment, KnownStage, Vocabulary
from macli.rules.asked import Count
from macli.rules.comparisons import Among, During, Equals, IsSet, Ordered, Texted
from macli.rules.moments import Duration, When
from macli.rules.predicates import visits
from macli.rules.predicates.attributes import Attribute, Everyone
from macli.rules.predicates.consents import Has, HasDevice, Opted, Suppressed
from macli.rules.predicates.dates import Anniversary
from macli.rules.predicates.events import Happened, Property
from macli.rules.predicates.lifecycle import BANDS, InFunnel, Rfm, Stage
from macli.rules.predicates.membership import FinishedCampaign, InCampaign, InSegment
from macli.rules.predicates.messages import Received
from macli.rules.predicates.owners import Owner
from macli.rules.predicates.predictions import ALSO, Predicted
from macli.rules.predicates.scores import Readiness, Score
from macli.rules.predicates.tags import Tagged
from macli.rules.predicates.work import HasCall, HasDeal, HasMail, HasNote, HasTask
from macli.rules.tree import And, Or, Rule, negate
from macli.rules.values import Literal
from macli.store import Store, attributes
from macli.urls import normal

NOW = datetime(2027, 2, 27, 23, 30, tzinfo=UTC)
ZONES = ("UTC", "Europe/Warsaw", "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati")

# Each type twice: rules read an attribute that has an index in other words than one that has none.
TYPES = {
    "plan": "text",
    "имя": "text",
    "event": "text",
    "grade": "number",
    "orders": "number",
    "vip": "bool",
    "paid": "bool",
    "birthday": "date",
    "expires": "date",
}
INDEXED = frozenset({"plan", "orders", "paid", "expires"})
VOCABULARY = Vocabulary(
    attributes=TYPES,
    indexed=INDEXED,
    segments={
        "vip": KnownSegment(id=1, name="VIP", rule='plan = gold or (имя is set and not tagged "old")'),
        "nested ж": KnownSegment(id=2, name="Nested Ж", rule="in segment VIP and score > 1 # a comment"),
        "listed": KnownSegment(id=3, name="listed"),
    },
    campaigns={"spring": KnownCampaign(id=1, name="Spring"), "új": KnownCampaign(id=2, name="Új")},
    stages={
        "first talk": KnownStage(id=1, name="First talk", position=1),
        "purchase": KnownStage(id=2, name="Purchase", position=2),
        "ж": KnownStage(id=3, name="Ж", position=3),
    },
    funnels={
        "sales": KnownFunnel(
            id=1,
            name="Sales",
            stages={
                "offer": KnownStage(id=1, name="Offer", position=1),
                "won it": KnownStage(id=2, name="Won it", position=2),
            },
        ),
        "új": KnownFunnel(id=2, name="Új", stages={"offer": KnownStage(id=3, name="Offer", position=1)}),
        "empty": KnownFunnel(id=3, name="Empty"),
    },
    staff={name.casefold(): KnownName(id=number, name=name) for number, name in enumerate(("Anna", "Żaneta"), start=1)},
    staff_groups={"sales": "Sales", "nobody": "Nobody"},
    reports={"spring": KnownName(id=1, name="Spring"), "új": KnownName(id=2, name="Új")},
    scopes={
        ("tag", "old"): "tag:OLD",
        ("group", "fit"): "group:fit",
        ("group", "rare"): "group:rare",
        ("stage", "sales/offer"): "stage:Sales/Offer",
    },
)
SCOPES = {"global": 1, "tag:OLD": 2, "group:fit": 3, "stage:Sales/Offer": 4}
"""The scopes of points by what a rule calls them; nothing was ever counted for group:rare."""

PIECES = (
    *"aAbzZ019 ßẞſsSkKİiIıĞЖжΣσς日😀éeﬁ%_\\'\"*?#()[]{}.,;:/-+&|<>=!@$^`~",
    "ss",
    "fi",
    "i̇",
    "K",
    "gold",
    "true",
    "null",
    "2026-01-01",
    "-- ",
    "/*",
    "');",
    "\n",
    "\t",
)
texts = st.lists(st.sampled_from(PIECES), max_size=4).map("".join)
near = st.builds(
    lambda days, seconds: NOW + timedelta(days=days, seconds=seconds),
    st.integers(-3, 3),
    st.sampled_from([0, 0, 0, -1, 1, 3600]),
)
moments = st.one_of(
    near,
    near,
    near,
    st.integers(-800, 800).map(lambda hours: NOW + timedelta(hours=hours)),
    st.datetimes(datetime(1950, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),
).map(lambda moment: moment.replace(microsecond=0))
days = st.one_of(
    near.map(datetime.date),
    near.map(datetime.date),
    moments.map(datetime.date),
    st.sampled_from([date(2024, 2, 29), date(2000, 2, 28), date(1999, 3, 1), date(2026, 12, 31), date(2030, 2, 28)]),
)
date_texts = st.one_of(days.map(date.isoformat), moments.map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ")))
numbers = st.one_of(
    st.integers(-3, 5),
    st.integers(-(2**62), 2**62),
    st.integers(-1000, 1000).map(lambda hundredths: hundredths / 100),
)

# Contacts

anything = st.one_of(
    st.none(), st.booleans(), numbers, texts, date_texts, st.just([1, "a"]), st.just({"plan": "gold"}), st.just("1")
)
values = {
    "text": st.one_of(texts, texts, anything),
    "number": st.one_of(numbers, numbers, anything),
    "bool": st.one_of(st.booleans(), st.booleans(), anything),
    "date": st.one_of(date_texts, date_texts, anything),
}
TAGS = ("OLD", "ZOLTY", "NEW_ONE", "ЖЁЛТЫЙ")
TOPICS = ("", "news", "ž'x")
STATES = (
    "delivered",
    "accepted",
    "planned",
    "claimed",
    "sending",
    "accepted",
    "delivered",
    "bounced",
    "rejected",
    "failed",
    "unknown",
    "skipped",
)
emails = st.sampled_from(["ann@example.com", "bob_%@example.com", "żółw@exämple.com", "ſ@example.com"])
phones = st.sampled_from(["+14165550123", "+48501234567", ""])
milliseconds = st.builds(lambda moment, extra: to_ms(moment) + extra, moments, st.sampled_from([0, 0, 1, 999]))
properties = st.dictionaries(st.sampled_from(["total", "currency", "url", "Größe", "when"]), anything, max_size=3)


urls = st.sampled_from(
    [
        "https://shop.example/prices?a=1",
        "shop.example/red-shoes/1",
        "https://shop.example/?q=red%20shoes",
        "http://b.example/Prices/#1",
    ]
)
visits_of_pages = st.builds(
    lambda name, at, url, seconds: {
        "name": name,
        "at": at,
        "campaign_id": None,
        "properties": {"url": url, "page": normal(url), "seconds": seconds},
    },
    st.sampled_from(["page.visited", "page.left"]),
    milliseconds,
    urls,
    st.sampled_from([0, 30, 90]),
)


staff = st.none() | st.sampled_from([1, 2])
written = st.sampled_from(["Budget ŻÓŁW", "a_b", "straße", ""])
lives = st.fixed_dictionaries(
    {
        "scores": st.dictionaries(st.sampled_from(list(SCOPES.values())), st.sampled_from([-3, 0, 1, 2, 5, 20, 60])),
        "stage": st.none() | st.tuples(st.integers(1, 3), milliseconds),
        "left_stages": st.sets(st.integers(1, 3)),
        # By the stage; two of one funnel at once there cannot be.
        "funnels": st.dictionaries(st.sampled_from([1, 2, 3]), milliseconds).filter(
            lambda found: not {1, 2} <= set(found)
        ),
        "left_funnels": st.sets(st.sampled_from([1, 2, 3])),
        "rfm": st.dictionaries(
            st.sampled_from([1, 2]), st.tuples(*(st.sampled_from(words) for words in BANDS.values()))
        ),
        "predictions": st.dictionaries(
            st.sampled_from(["churn", "purchase"]),
            st.tuples(st.sampled_from([0.0, 0.25, 0.26, 0.5, 0.6, 0.75, 0.751, 1.0]), milliseconds),
        ),
        "owners": st.dictionaries(st.sampled_from([1, 2]), st.sampled_from(["main", "co"])).filter(
            lambda owners: list(owners.values()).count("main") < 2
        ),
    }
)
works = st.fixed_dictionaries(
    {
        "notes": st.lists(
            st.fixed_dictionaries(
                {
                    "text": written.filter(bool),
                    "private": st.booleans(),
                    "author_id": staff,
                    "created_at": milliseconds,
                }
            ),
            max_size=2,
        ),
        "tasks": st.lists(
            st.fixed_dictionaries(
                {
                    "title": written,
                    "state": st.sampled_from(["open", "done", "cancelled"]),
                    "assignee_id": staff,
                    "due_at": st.none() | milliseconds,
                    "created_at": milliseconds,
                }
            ),
            max_size=2,
        ),
        "deals": st.lists(
            st.fixed_dictionaries(
                {
                    "title": written,
                    "state": st.sampled_from(["open", "won", "lost"]),
                    "value": st.none() | st.sampled_from([0.0, 99.5, 1000.0]),
                    "currency": st.sampled_from([None, "EUR", "PLN"]),
                    "stage_id": st.sampled_from([None, 1, 2, 3]),
                    "created_at": milliseconds,
                    "closed_at": st.none() | milliseconds,
                }
            ),
            max_size=2,
        ),
        "calls": st.lists(
            st.fixed_dictionaries({"direction": st.sampled_from(["in", "out"]), "staff_id": staff, "at": milliseconds}),
            max_size=2,
        ),
        "mails": st.lists(st.fixed_dictionaries({"subject": written, "body": written, "at": milliseconds}), max_size=2),
    }
)
NO_LIFE: dict[str, Any] = {
    "scores": {},
    "stage": None,
    "left_stages": set(),
    "funnels": {},
    "left_funnels": set(),
    "rfm": {},
    "predictions": {},
    "owners": {},
}
NO_WORK: dict[str, Any] = {"notes": [], "tasks": [], "deals": [], "calls": [], "mails": []}


def contacts() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "phone": st.none() | phones,
            "external_id": st.none() | texts,
            "timezone": st.none() | st.sampled_from(["Europe/Warsaw", "UTC"]),
            "locale": st.none() | st.sampled_from(["pl", "en-CA"]),
            "state": st.sampled_from(["lead", "customer"]),
            "source": st.none() | st.sampled_from(["import", "żółty formularz"]),
            "added_at": milliseconds,
            "updated_at": milliseconds,
            "attributes": st.fixed_dictionaries({}, optional={name: values[kind] for name, kind in TYPES.items()}),
            "tags": st.sets(st.sampled_from(TAGS)),
            "consents": st.dictionaries(
                st.tuples(st.sampled_from(["email", "sms"]), st.sampled_from(TOPICS)),
                st.sampled_from(["granted", "withdrawn", "pending"]),
                max_size=4,
            ),
            "devices": st.integers(0, 2),
            "segments": st.sets(st.just(3)),
            "enrollments": st.lists(st.tuples(st.sampled_from([1, 2]), st.booleans()), max_size=3),
            "events": st.lists(
                st.fixed_dictionaries(
                    {
                        "name": st.sampled_from(["email.opened", "email.opened", "email.clicked", "order.paid"]),
                        "at": milliseconds,
                        "campaign_id": st.none() | st.sampled_from([1, 2]),
                        "properties": properties,
                    }
                )
                | visits_of_pages,
                min_size=1,
                max_size=4,
            ),
            "sends": st.lists(
                st.fixed_dictionaries(
                    {
                        "channel": st.sampled_from(["email", "sms", "push", "webhook"]),
                        "purpose": st.sampled_from(["campaign", "campaign", "test"]),
                        "state": st.sampled_from(STATES),
                        "campaign_id": st.none() | st.sampled_from([1, 2]),
                        "left_at": st.none() | milliseconds | milliseconds,
                    }
                ),
                min_size=1,
                max_size=4,
            ),
        }
    )


@st.composite
def people(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A few contacts; e-mail addresses and external ids are unique among them."""
    found = draw(st.lists(contacts(), min_size=1, max_size=5))
    for contact in found:
        contact.update(draw(lives) if draw(st.booleans()) else NO_LIFE)
        contact.update(draw(works) if draw(st.booleans()) else NO_WORK)
    addresses = draw(st.lists(st.none() | emails, min_size=len(found), max_size=len(found)))
    seen: set[tuple[str, str]] = set()
    for number, (contact, email) in enumerate(zip(found, addresses, strict=True), start=1):
        contact["id"] = number
        contact["email"] = email
        for name in ("email", "external_id"):
            if contact[name] is not None and (name, contact[name]) in seen:
                contact[name] = None
            seen.add((name, contact[name]))
    return found


# Rules

bare = st.sampled_from(
    ["gold", "Gold", "straße", "STRASSE", "K", "ſ", "İ", "ж", "a.b", "true", "12", "and", "2026-01-01"]
)
words = st.one_of(
    texts.filter(lambda text: "\0" not in text).map(lambda text: Literal(text=text)),
    bare.map(lambda text: Literal(text=text, quoted=False)),
)
number_literals = numbers.map(lambda number: Literal(text=f"{number}", quoted=False))
truths = st.sampled_from(["true", "false", "TRUE", "yes", "No"]).map(lambda text: Literal(text=text, quoted=False))
date_literals = st.one_of(
    days.map(lambda day: Literal(text=day.isoformat(), quoted=False)),
    days.map(lambda day: Literal(text=day.isoformat())),
    moments.map(lambda moment: Literal(text=moment.strftime("%Y-%m-%dT%H:%MZ"), quoted=False)),
    moments.map(lambda moment: Literal(text=moment.strftime("%Y-%m-%d %H:%M"), quoted=False)),
    moments.map(lambda moment: Literal(text=moment.strftime("%Y-%m-%d %H:%M Europe/Warsaw"))),
    st.sampled_from(["today", "Yesterday", "tomorrow"]).map(lambda text: Literal(text=text, quoted=False)),
)
durations = st.one_of(
    st.integers(0, 3).map(lambda days: timedelta(days=days)),
    st.integers(0, 3).map(lambda days: timedelta(days=days)),
    st.integers(0, 40).map(lambda days: timedelta(days=days)),
    st.integers(0, 200_000).map(lambda seconds: timedelta(seconds=seconds)),
).map(lambda span: Duration(span=span))
relative = st.builds(
    lambda word, duration: When(word=word, duration=duration),
    st.sampled_from(["within", "within next", "more ago", "less ago", "in more", "in less"]),
    durations,
)
absolute = st.one_of(
    st.builds(
        lambda word, literal: When(word=word, points=(literal,)),
        st.sampled_from(["before", "after", "on"]),
        date_literals,
    ),
    st.lists(days, min_size=2, max_size=2).map(
        lambda pair: When(
            word="between", points=tuple(Literal(text=day.isoformat(), quoted=False) for day in sorted(pair))
        )
    ),
)
whens = st.one_of(relative, absolute)


def listed(literals: st.SearchStrategy[Literal]) -> st.SearchStrategy[Among]:
    return st.lists(literals, min_size=1, max_size=3).map(lambda found: Among(values=tuple(found)))


def ordered(literals: st.SearchStrategy[Literal]) -> st.SearchStrategy[Ordered]:
    signs = st.sampled_from(["<", "<=", ">", ">="])
    return st.builds(lambda sign, value: Ordered(sign=sign, value=value), signs, literals)


text_parts = st.builds(
    lambda how, value: Texted(how=how, value=value),
    st.sampled_from(["contains", "starts with", "ends with", "matches"]),
    words,
)
number_spans = st.lists(numbers, min_size=2, max_size=2).map(
    lambda pair: During(
        when=When(word="between", points=tuple(Literal(text=f"{number}", quoted=False) for number in sorted(pair)))
    )
)
TESTS = {
    "text": st.one_of(
        words.map(lambda value: Equals(value=value)), listed(words), text_parts, text_parts, st.just(IsSet())
    ),
    "number": st.one_of(
        number_literals.map(lambda value: Equals(value=value)),
        listed(number_literals),
        ordered(number_literals),
        number_spans,
        st.just(IsSet()),
    ),
    "bool": st.one_of(truths.map(lambda value: Equals(value=value)), listed(truths), st.just(IsSet())),
    "date": st.one_of(
        date_literals.map(lambda value: Equals(value=value)),
        listed(date_literals),
        ordered(date_literals),
        whens.map(lambda when: During(when=when)),
        whens.map(lambda when: During(when=when)),
        st.just(IsSet()),
    ),
}
attribute_leaves = st.sampled_from(sorted(TYPES)).flatmap(
    lambda name: TESTS[TYPES[name]].map(lambda test: Attribute(name=name, test=test))
)
addresses = st.sampled_from(
    ["Ann@Example.com", "BOB_%", "@example.com", "ſ", "+1 416", "żÓłw@EXÄMPLE.com", "+14165550123"]
)
core_words = st.one_of(
    addresses.map(lambda text: Literal(text=text)),
    words,
    st.sampled_from(["lead", "CUSTOMER", "europe/warsaw", "PL", "Żółty formularz"]).map(
        lambda text: Literal(text=text)
    ),
)
core_tests = st.one_of(
    core_words.map(lambda value: Equals(value=value)),
    listed(core_words),
    st.builds(
        lambda how, value: Texted(how=how, value=value),
        st.sampled_from(["contains", "starts with", "ends with", "matches"]),
        core_words,
    ),
    st.just(IsSet()),
)
core_leaves = st.one_of(
    st.builds(
        lambda name, test: Attribute(name=name, test=test),
        st.sampled_from(["email", "phone", "external_id", "timezone", "locale", "state", "source"]),
        core_tests,
    ),
    st.builds(lambda name, test: Attribute(name=name, test=test), st.sampled_from(["added", "updated"]), TESTS["date"]),
)
anniversaries = st.builds(
    lambda name, start, length: Anniversary(
        name=name, **({"days": length + 1} if length else {"start": timedelta(days=start)})
    ),
    st.sampled_from(["birthday", "expires", "added"]),
    st.integers(0, 366),
    st.one_of(st.just(0), st.integers(0, 366)),
)
tag_words = st.sampled_from(["old", "żółty", "Zolty", "new!one", "Жёлтый", "unknown"]).map(
    lambda text: Literal(text=text)
)
tagged = st.one_of(
    tag_words.map(lambda tag: Tagged(tags=(tag,))),
    st.builds(
        lambda found, how: Tagged(tags=tuple(found), how=how),
        st.lists(tag_words, min_size=2, max_size=3),
        st.sampled_from(["all", "any"]),
    ),
)
channels = st.sampled_from(["email", "sms", "Email"]).map(lambda text: Literal(text=text, quoted=False))
consents = st.one_of(
    st.builds(
        lambda way, channel, topic: Opted(way=way, channel=channel, topic=topic),
        st.sampled_from(["in", "out"]),
        channels,
        st.none() | st.sampled_from(["news", "Ž'x", "other"]).map(lambda text: Literal(text=text)),
    ),
    channels.map(lambda channel: Suppressed(channel=channel)),
    st.sampled_from(["email", "phone"]).map(lambda what: Has(what=Literal(text=what, quoted=False))),
    st.just(HasDevice()),
)
campaigns = st.sampled_from(["spring", "ÚJ"]).map(lambda text: Literal(text=text))
counts = st.one_of(
    st.just(Count()),
    st.builds(
        lambda sign, times: Count(sign=sign, times=times), st.sampled_from(["at least", "exactly"]), st.integers(1, 2)
    ),
)
property_tests = st.one_of(
    TESTS["text"],
    number_literals.map(lambda value: Equals(value=value)),
    ordered(number_literals),
    number_spans,
    st.sampled_from(["true", "false"]).map(lambda text: Equals(value=Literal(text=text, quoted=False))),
    absolute.map(lambda when: During(when=when)),
).filter(lambda test: not isinstance(test, Among) or len({_kind(value) for value in test.values}) == 1)
event_properties = st.builds(
    lambda name, test, negated: Property(
        name=name, test=test, negated=negated and isinstance(test, Equals | Among | IsSet)
    ),
    st.sampled_from(["total", "currency", "url", "Größe", "when"]),
    property_tests,
    st.booleans(),
)
happened = st.builds(
    lambda event, campaign, asked, count, when: Happened(
        event=event, campaign=campaign, properties=tuple(asked), count=count, when=when
    ),
    st.sampled_from(["email.opened", "email.opened", "email.clicked", "order.paid"]),
    st.none() | st.none() | campaigns,
    st.just([]) | st.lists(event_properties, max_size=2),
    st.just(Count()) | counts,
    st.none() | st.none() | whens,
)
pages = st.one_of(
    urls.map(lambda url: visits.page(Literal(text=url))),
    st.builds(
        lambda how, part: Property(name="url", test=Texted(how=how, value=Literal(text=part))),
        st.sampled_from(["contains", "starts with", "ends with", "matches"]),
        st.sampled_from(["https://shop.example/", "red", "SHOES", "*a?1", "/"]),
    ),
    st.builds(
        lambda how, words: visits.Words(how=how, words=tuple(Literal(text=word) for word in words)),
        st.sampled_from(["all", "any"]),
        st.lists(st.sampled_from(["red", "Shoes", "prices", "shoe", "1"]), min_size=1, max_size=2),
    ),
)
visited = st.builds(
    lambda page, seconds, count, when: replace(
        visits.visited(page, None if seconds is None else Duration(span=timedelta(seconds=seconds))),
        count=count,
        when=when,
    ),
    st.none() | pages,
    st.sampled_from([None, None, 1, 90]),
    st.just(Count()) | counts,
    st.none() | st.none() | whens,
)
received = st.builds(
    lambda channel, campaign, count, when: Received(channel=channel, campaign=campaign, count=count, when=when),
    st.sampled_from([None, None, "email", "sms", "push", "webhook"]),
    st.none() | st.none() | campaigns,
    st.just(Count()) | counts,
    st.none() | st.none() | whens,
)
membership = st.one_of(
    st.sampled_from(["vip", "NESTED Ж", "listed"]).map(lambda text: InSegment(segment=Literal(text=text))),
    campaigns.map(lambda campaign: InCampaign(campaign=campaign)),
    campaigns.map(lambda campaign: FinishedCampaign(campaign=campaign)),
)
named = {
    kind: st.sampled_from(names).map(lambda text: Literal(text=text))
    for kind, names in {
        "scope": [*SCOPES, "old", "group:rare"],
        "stage": ["First Talk", "Purchase", "ж"],
        "staff": ["anna", "ŻANETA"],
        "group": ["sales", "Nobody"],
        "report": ["spring", "Új"],
        "level": [*likelihoods.BANDS, *ALSO],
        "band": ["cold", "Warm", "hot"],
        "written": ["budget", "żółw", "_", "SS", "%"],
    }.items()
}
score_tests = st.one_of(
    st.sampled_from([-4, -3, -1, 0, 1, 2, 3, 5, 20]).flatmap(
        lambda number: st.sampled_from(["<", "<=", ">", ">="]).map(
            lambda sign: Ordered(sign=sign, value=Literal(text=f"{number}", quoted=False))
        )
    ),
    TESTS["number"].filter(lambda test: not isinstance(test, IsSet)),
    listed(st.sampled_from(["-3", "0", "1", "2", "1.5", "60"]).map(lambda text: Literal(text=text, quoted=False))),
)
scores = st.one_of(
    st.builds(lambda scope, test: Score(scope=scope, test=test), st.none() | named["scope"], score_tests),
    st.builds(lambda scope, test: Score(scope=scope, test=test), st.none() | named["scope"], score_tests),
    named["band"].map(lambda band: Readiness(band=band)),
)
stages = st.one_of(
    st.just(Stage()),
    named["stage"].map(lambda stage: Stage(stage=stage, later=True)),
    st.builds(lambda stage, stay: Stage(stage=stage, stay=stay), named["stage"], st.none() | durations),
)
places = st.sampled_from([("sales", "offer"), ("Sales", "Won it"), ("ÚJ", "Offer")]).map(
    lambda pair: (Literal(text=pair[0]), (Literal(text=pair[1]),))
) | st.sampled_from([("sales", ()), ("új", ()), ("Empty", ()), ("sales", ("Offer", "won it"))]).map(
    lambda pair: (Literal(text=pair[0]), tuple(Literal(text=stage) for stage in pair[1]))
)
funnels = st.builds(
    lambda place, stay: InFunnel(funnel=place[0], stages=place[1], stay=stay if place[1] else None),
    places,
    st.none() | durations,
)
rfm = st.builds(
    lambda report, bands: Rfm(
        report=report,
        bands=tuple((name, tuple(Literal(text=word) for word in words)) for name, words in bands),
    ),
    named["report"],
    st.lists(
        st.sampled_from(sorted(BANDS)).flatmap(
            lambda name: st.lists(st.sampled_from(BANDS[name]), min_size=1, max_size=2).map(lambda found: (name, found))
        ),
        min_size=1,
        max_size=3,
    ),
)
percents = st.sampled_from(["0%", "25%", "26%", "60%", "75.1%", "100%"]).map(
    lambda text: Literal(text=text, quoted=False)
)
predicted = st.builds(
    lambda kind, asked: Predicted(kind=kind, **asked),
    st.sampled_from(["churn", "purchase"]),
    st.one_of(
        named["level"].map(lambda level: {"level": level}),
        ordered(percents).map(lambda test: {"test": test}),
        st.just({"test": IsSet()}),
        st.lists(percents, min_size=2, max_size=2).map(
            lambda pair: {"test": During(when=When(word="between", points=tuple(pair)))}
        ),
    ),
)
owners = st.one_of(
    st.builds(lambda kind, who: Owner(kind=kind, who=who), st.sampled_from(["main", "co"]), st.none() | named["staff"]),
    named["staff"].map(lambda who: Owner(kind="any", who=who)),
    named["group"].map(lambda group: Owner(group=group)),
)
sometimes = st.none() | st.none() | whens
somebody = st.none() | named["staff"]
work = st.one_of(
    st.builds(
        lambda part, author, when: HasNote(part=part, author=author, when=when),
        st.none() | named["written"],
        somebody,
        sometimes,
    ),
    st.builds(
        lambda state, assignee, due, when: HasTask(
            state=state, assignee=assignee, due=due and when is not None, when=when
        ),
        st.sampled_from([None, "open", "done", "cancelled", "overdue"]),
        somebody,
        st.booleans(),
        sometimes,
    ),
    st.builds(
        lambda state, worth, place, when: HasDeal(
            state=state,
            **((worth and dict(zip(("sign", "worth", "currency"), worth, strict=True))) or {}),
            **((place and {"funnel": place[0], "stages": place[1]}) or {}),
            when=when,
        ),
        st.sampled_from([None, "open", "won", "lost"]),
        st.none()
        | st.tuples(
            st.sampled_from(["<", "<=", ">", ">="]),
            st.sampled_from(["0", "99.5", "1000"]).map(lambda text: Literal(text=text, quoted=False)),
            st.sampled_from([None, "EUR"]),
        ),
        st.none() | places,
        sometimes,
    ),
    st.builds(
        lambda direction, by, when: HasCall(direction=direction, by=by, when=when),
        st.sampled_from([None, "incoming", "outgoing"]),
        somebody,
        sometimes,
    ),
    st.builds(lambda part, when: HasMail(part=part, when=when), st.none() | named["written"], sometimes),
)
KINDS = {
    "attributes": attribute_leaves,
    "fields": core_leaves,
    "anniversaries": anniversaries,
    "tags": tagged,
    "consents": consents,
    "events": happened,
    "visits": visited,
    "messages": received,
    "membership": membership,
    "scores": scores,
    "stages": stages,
    "funnels": funnels,
    "rfm": rfm,
    "predictions": predicted,
    "owners": owners,
    "work": work,
}
leaves = st.one_of(*KINDS.values(), st.just(Everyone()))


def _kind(literal: Literal) -> str:
    from macli.rules.comparisons import _kind_of_literal

    return _kind_of_literal(literal)


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> Rule:
    """Predicates joined by and, or and not."""
    how = draw(st.sampled_from(["leaf", "and", "or", "not"])) if depth else "leaf"
    if how == "leaf":
        return draw(leaves)
    if how == "not":
        return negate(draw(trees(depth - 1)))
    several = tuple(draw(trees(depth - 1)) for _ in range(draw(st.integers(2, 3))))
    return And(several) if how == "and" else Or(several)


every_rule = trees()

# Rules over tasks, deals, calls, mails and notes

FIELDS = {
    "task": {
        "title": "text",
        "description": "text",
        "state": ("open", "done", "cancelled"),
        "done": "bool",
        "overdue": "bool",
        "assignee": "staff",
        "author": "staff",
        "due": "date",
        "created": "date",
        "closed": "date",
        "source": "text",
    },
    "deal": {
        "title": "text",
        "state": ("open", "won", "lost"),
        "value": "number",
        "currency": "text",
        "owner": "staff",
        "funnel": ("Sales", "Új", "Empty"),
        "stage": ("Offer", "Won it", "Sales/Offer", "Új/offer"),
        "created": "date",
        "moved": "date",
        "closed": "date",
        "source": "text",
    },
    "call": {
        "direction": ("in", "out"),
        "outcome": "text",
        "seconds": "number",
        "text": "text",
        "staff": "staff",
        "at": "date",
        "source": "text",
    },
    "mail": {
        "subject": "text",
        "body": "text",
        "sender": "text",
        "recipient": "text",
        "mailbox": "text",
        "at": "date",
    },
    "note": {"text": "text", "author": "staff", "private": "bool", "created": "date", "source": "text"},
}
"""The fields a rule may ask for, by kind: what each holds, or the names that are asked for."""


def _field_tests(holds: Any) -> st.SearchStrategy[Any]:
    if isinstance(holds, str) and holds in TESTS:
        return TESTS[holds]
    words = ("anna", "ŻANETA") if holds == "staff" else holds
    literals = st.sampled_from(words).map(lambda text: Literal(text=text))
    return st.one_of(literals.map(lambda value: Equals(value=value)), listed(literals), st.just(IsSet()))


def _asked(name: str, test: Any) -> Rule:
    words = {"owner": Owner(), "stage": Stage()}
    return words[name] if name in words and isinstance(test, IsSet) else Attribute(name=name, test=test)


def entity_rules(kind: str) -> st.SearchStrategy[Rule]:
    """Fields of its own and predicates on the contact, joined by and, or and not."""
    fields = st.sampled_from(sorted(FIELDS[kind])).flatmap(
        lambda name: _field_tests(FIELDS[kind][name]).map(lambda test: _asked(name, test))
    )
    others = leaves.filter(lambda leaf: not isinstance(leaf, Attribute | Stage | Owner))
    mine = st.one_of(fields, fields, fields, others)
    pairs = st.lists(mine | mine.map(negate), min_size=2, max_size=3).map(tuple)
    return st.one_of(mine, pairs.map(And), pairs.map(Or), pairs.map(Or).map(negate))


# The store


def furnish(store: Store) -> None:
    """The names of the vocabulary, in a store."""
    with store.write():
        _furnish_lifecycle(store)
        for name, kind in TYPES.items():
            attributes.declare(store, 0, name, kind)  # type: ignore[arg-type]
        for segment in VOCABULARY.segments.values():
            store.execute(
                "INSERT INTO segments (id, name, name_key, kind, rule, created_at, updated_at)"
                " VALUES (?, ?, ?, ?, ?, 0, 0)",
                (
                    segment.id,
                    segment.name,
                    segment.name.casefold(),
                    "dynamic" if segment.rule else "static",
                    segment.rule,
                ),
            )
        for campaign in VOCABULARY.campaigns.values():
            store.execute(
                "INSERT INTO campaigns (id, name, name_key, created_at, updated_at) VALUES (?, ?, ?, 0, 0)",
                (campaign.id, campaign.name, campaign.name.casefold()),
            )
        for number, tag in enumerate(TAGS):
            store.execute("INSERT INTO tags (id, name) VALUES (?, ?)", (number, tag))
        for name in INDEXED:
            attributes.index(store, name)


def _furnish_lifecycle(store: Store) -> None:
    for stage in VOCABULARY.stages.values():
        store.execute(
            "INSERT INTO stages (id, name, name_key, position, threshold, created_at, updated_at)"
            " VALUES (?, ?, ?, ?, ?, 0, 0)",
            (stage.id, stage.name, stage.name.casefold(), stage.position, stage.position * 10),
        )
    for funnel in VOCABULARY.funnels.values():
        store.execute(
            "INSERT INTO funnels (id, name, name_key, created_at, updated_at) VALUES (?, ?, ?, 0, 0)",
            (funnel.id, funnel.name, funnel.name.casefold()),
        )
        for stage in funnel.stages.values():
            store.execute(
                "INSERT INTO funnel_stages (id, funnel_id, name, name_key, position) VALUES (?, ?, ?, ?, ?)",
                (stage.id, funnel.id, stage.name, stage.name.casefold(), stage.position),
            )
    for written, number in list(SCOPES.items())[1:]:
        kind, _, name = written.partition(":")
        store.execute(
            "INSERT INTO scopes (id, kind, name, name_key) VALUES (?, ?, ?, ?)", (number, kind, name, name.casefold())
        )
    store.execute(
        "INSERT INTO point_rules (id, name, name_key, event, points, created_at, updated_at)"
        " VALUES (999, 'rare', 'rare', 'x', 1, 0, 0)"
    )
    store.execute("INSERT INTO point_rule_scopes VALUES (999, 'group', 'rare', 'rare')")
    for known in VOCABULARY.staff.values():
        store.execute(
            "INSERT INTO staff (id, name, name_key, created_at, updated_at) VALUES (?, ?, ?, 0, 0)",
            (known.id, known.name, known.name.casefold()),
        )
    store.execute("INSERT INTO staff_groups VALUES (1, 'Sales', 'sales')")
    for known in VOCABULARY.reports.values():
        store.execute(
            "INSERT INTO rfm_reports (id, name, name_key, definition, created_at, updated_at)"
            " VALUES (?, ?, ?, '{}', 0, 0)",
            (known.id, known.name, known.name.casefold()),
        )
    store.execute("INSERT INTO prediction_models (id, name, source, fitted_at) VALUES (1, 'x', 'x', 0)")


def _keep_life(store: Store, key: int, contact: dict[str, Any]) -> None:
    for scope, points in contact["scores"].items():
        store.execute("INSERT INTO scores VALUES (?, ?, ?, 0)", (key, scope, points))
    stays = [(stage, 0, 1) for stage in contact["left_stages"]]
    if contact["stage"] is not None:
        stays.append((*contact["stage"], None))
    for stay in stays:
        store.execute(
            "INSERT INTO stage_stays (contact_id, stage_id, entered_at, left_at, cause) VALUES (?, ?, ?, ?, 'x')",
            (key, *stay),
        )
    now = {FUNNEL_OF[stage]: (stage, entered, None) for stage, entered in contact["funnels"].items()}
    for stay in (*((stage, 0, 1) for stage in contact["left_funnels"]), *now.values()):
        store.execute(
            "INSERT INTO funnel_stays (contact_id, funnel_id, stage_id, entered_at, left_at, source)"
            " VALUES (?, ?, ?, ?, ?, 'x')",
            (key, FUNNEL_OF[stay[0]], *stay),
        )
    for report, bands in contact["rfm"].items():
        store.execute("INSERT INTO rfm_bands VALUES (?, ?, 0, 1, 1.0, ?, ?, ?, NULL)", (report, key, *bands))
    for kind, (probability, at) in contact["predictions"].items():
        store.execute(
            "INSERT INTO predictions (contact_id, kind, probability, model_id, predicted_at) VALUES (?, ?, ?, 1, ?)",
            (key, kind, probability, at),
        )
    for member, kind in contact["owners"].items():
        store.execute("INSERT INTO owners VALUES (?, ?, ?, 0)", (key, member, kind))


FUNNEL_OF = {stage.id: funnel.id for funnel in VOCABULARY.funnels.values() for stage in funnel.stages.values()}


def keep_work(store: Store, key: int | None, contact: dict[str, Any]) -> None:
    """Put notes, tasks, deals, calls and mails into the store, about a contact or, but for notes, about nobody."""
    for note in contact["notes"] if key is not None else ():
        written = {"contact_id": key, "folded": note["text"].casefold(), "source": "test"}
        _add(store, "notes", **{**written, **note})
    for task in contact["tasks"]:
        _add(store, "tasks", **{"contact_id": key, "source": "test", "updated_at": 0, **task})
    for deal in contact["deals"]:
        funnel = FUNNEL_OF.get(deal["stage_id"])
        _add(store, "deals", **{"contact_id": key, "funnel_id": funnel, "source": "test", "updated_at": 0, **deal})
    for call in contact["calls"]:
        _add(store, "calls", **{"contact_id": key, "source": "test", "created_at": 0, **call})
    for mail in contact["mails"]:
        number = store.value("SELECT count(*) FROM mails")
        sender = {"mailbox": "office", "message_key": f"{number}", "sender": "ann@example.com"}
        _add(store, "mails", **{"contact_id": key, "created_at": 0, **sender, **mail})


def _add(store: Store, table: str, **row: Any) -> None:
    store.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' for _ in row)})", tuple(row.values()))


def keep(store: Store, found: list[dict[str, Any]], suppressed: set[tuple[str, str]]) -> None:
    """Put the contacts and everything about them into the store."""
    columns = ["id", "email", "phone", "external_id", "timezone", "locale", "state", "source", "added_at", "updated_at"]
    for contact in found:
        given = contact["attributes"]
        store.execute(
            f"INSERT INTO contacts ({', '.join(columns)}, attributes, folded)"
            f" VALUES ({', '.join('?' for _ in columns)}, ?, ?)",
            [*(contact[name] for name in columns), json.dumps(given, ensure_ascii=False), fold_json(given)],
        )
        key = contact["id"]
        for tag in contact["tags"]:
            store.execute("INSERT INTO contact_tags VALUES (?, ?, 0)", (key, TAGS.index(tag)))
        for (channel, topic), status in contact["consents"].items():
            store.execute(
                "INSERT INTO consents (contact_id, channel, topic, status, source, changed_at)"
                " VALUES (?, ?, ?, ?, 'test', 0)",
                (key, channel, topic, status),
            )
        for place in range(contact["devices"]):
            store.execute(
                "INSERT INTO devices (contact_id, endpoint, p256dh, auth, created_at, seen_at)"
                " VALUES (?, ?, 'x', 'x', 0, 0)",
                (key, f"https://push.example/{key}/{place}"),
            )
        _keep_life(store, key, contact)
        keep_work(store, key, contact)
        for segment in contact["segments"]:
            store.execute("INSERT INTO segment_members VALUES (?, ?, 0)", (segment, key))
        for turn, (campaign, ended) in enumerate(contact["enrollments"], start=1):
            store.execute(
                "INSERT INTO enrollments"
                " (campaign_id, contact_id, round, version, entered_at, arrived_at, ended_at)"
                " VALUES (?, ?, ?, 1, 0, 0, ?)",
                (campaign, key, turn, 1 if ended else None),
            )
        for event in contact["events"]:
            store.execute(
                "INSERT INTO events (contact_id, name, at, source, campaign_id, properties, folded)"
                " VALUES (?, ?, ?, 'test', ?, ?, ?)",
                (
                    key,
                    event["name"],
                    event["at"],
                    event["campaign_id"],
                    json.dumps(event["properties"], ensure_ascii=False),
                    fold_json(event["properties"]),
                ),
            )
        for send in contact["sends"]:
            store.execute(
                "INSERT INTO sends (campaign_id, contact_id, channel, purpose, state, due_at, left_at)"
                " VALUES (?, ?, ?, ?, ?, 0, ?)",
                (send["campaign_id"], key, send["channel"], send["purpose"], send["state"], send["left_at"]),
            )
    # An event of nobody in particular: NOT IN must not be undone by its NULL.
    store.execute("INSERT INTO events (contact_id, name, at, source) VALUES (NULL, 'email.opened', 0, 'test')")
    for channel, address in suppressed:
        store.execute(
            "INSERT INTO suppressions (channel, address, reason, source, suppressed_at) VALUES (?, ?, 'x', 'x', 0)",
            (channel, address),
        )


def someone(number: int, **known: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {
        **dict.fromkeys(("email", "phone", "external_id", "timezone", "locale", "source")),
        "state": "lead",
        "attributes": {},
        "tags": set(),
        "consents": {},
        "devices": 0,
        "segments": set(),
        "enrollments": [],
        "events": [],
        "sends": [],
        "added_at": 0,
        "updated_at": 0,
        **NO_LIFE,
        **NO_WORK,
    }
    return {**nothing, "id": number, **known}


def opened(moment: int) -> dict[str, Any]:
    return {"name": "email.opened", "at": moment, "campaign_id": None, "properties": {}}


def mailed(state: str = "delivered", moment: int | None = 0) -> dict[str, Any]:
    return {"channel": "email", "purpose": "campaign", "state": state, "campaign_id": None, "left_at": moment}


zones = st.sampled_from(ZONES).map(ZoneInfo)
