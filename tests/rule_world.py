"""Random rules and random contacts: what the property tests of the rule language draw from."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from macli.address import fold_json
from macli.clock import to_ms
from macli.rules import KnownCampaign, KnownSegment, Vocabulary
from macli.rules.asked import Count
from macli.rules.comparisons import Among, During, Equals, IsSet, Ordered, Texted
from macli.rules.moments import Duration, When
from macli.rules.predicates import visits
from macli.rules.predicates.attributes import Attribute, Everyone
from macli.rules.predicates.consents import Has, HasDevice, Opted, Suppressed
from macli.rules.predicates.dates import Anniversary
from macli.rules.predicates.events import Happened, Property
from macli.rules.predicates.membership import FinishedCampaign, InCampaign, InSegment
from macli.rules.predicates.messages import Received
from macli.rules.predicates.tags import Tagged
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
    "score": "number",
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
)

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
TOPICS = ("", "news", "Ž'x")
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

# The store


def furnish(store: Store) -> None:
    """The attributes, segments and campaigns of the vocabulary, in a store."""
    with store.write():
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
    }
    return {**nothing, "id": number, **known}


def opened(moment: int) -> dict[str, Any]:
    return {"name": "email.opened", "at": moment, "campaign_id": None, "properties": {}}


def mailed(state: str = "delivered", moment: int | None = 0) -> dict[str, Any]:
    return {"channel": "email", "purpose": "campaign", "state": state, "campaign_id": None, "left_at": moment}


zones = st.sampled_from(ZONES).map(ZoneInfo)
