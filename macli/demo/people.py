"""The people of the demo: invented, believable, and the same every time."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any, Literal

FILES = Path(__file__).parent / "files"
SEED = 1845
"""The year the first tea merchant of Reykjavík might have opened; any number would do."""

Kind = Literal["regular", "buyer", "reader", "newcomer"]
_MIX: tuple[tuple[Kind, int], ...] = (("regular", 12), ("buyer", 38), ("reader", 50))
_DOMAINS = ("example.com", "example.org", "example.net", "mail.example", "post.example", "inbox.example")
_PRODUCTS = ("Assam", "Sencha", "Rooibos", "birch tea", "wool socks", "mittens", "lopapeysa", "teapot")


@dataclass(frozen=True, kw_only=True)
class Order:
    at: datetime
    total: float
    product: str


@dataclass(frozen=True, kw_only=True)
class Person:
    """One customer. ``email_consent`` and ``sms_consent`` are empty where nothing was ever said."""

    kind: Kind
    email: str
    first_name: str
    last_name: str
    phone: str
    city: str
    country: str
    zone: str
    language: str
    birthday: date
    email_consent: str = ""
    sms_consent: str = ""
    orders: tuple[Order, ...] = ()
    opened: tuple[datetime, ...] = ()
    clicked: tuple[datetime, ...] = ()
    bounced: datetime | None = None

    @property
    def revenue(self) -> float:
        return round(sum(order.total for order in self.orders), 2)


def population(number: int, newcomers: int, now: datetime) -> tuple[list[Person], list[Person]]:
    """So many customers with a past, and so many people nobody knew yesterday."""
    chance = random.Random(SEED)  # noqa: S311
    faces = _faces(chance)
    kinds: list[Kind] = [kind for kind, share in _MIX for _ in range(round(number * share / 100))]
    kinds = (kinds + ["reader"] * number)[:number]
    chance.shuffle(kinds)
    customers = [_with_past(next(faces), kind, chance, now) for kind in kinds]
    return (
        _with_troubles(customers, now),
        [
            replace(
                next(faces),
                kind="newcomer",
                email_consent="granted",
                sms_consent="granted" if place % 2 else "",
            )
            for place in range(newcomers)
        ],
    )


@cache
def _read(name: str) -> Any:
    import yaml

    return yaml.safe_load((FILES / name).read_text("utf-8"))


def _faces(chance: random.Random) -> Iterator[Person]:
    """People without a past, for ever; no two have the same address."""
    places: Sequence[Mapping[str, Any]] = _read("places.yaml")
    shares = [place["share"] for place in places]
    names: Mapping[str, Mapping[str, str]] = _read("names.yaml")
    words = {
        (language, part): [_name(word) for word in text.split()]
        for language, parts in names.items()
        for part, text in parts.items()
    }
    taken: dict[str, int] = {}
    while True:
        place = chance.choices(places, shares)[0]
        language = chance.choice(place["languages"])
        given, given_plain = chance.choice(words[language, "given"])
        family, family_plain = chance.choice(words[language, "family"])
        local = chance.choice(("{0}.{1}", "{0}{1}", "{2}.{1}")).format(given_plain, family_plain, given_plain[0])
        taken[local] = taken.get(local, 0) + 1
        if taken[local] > 1:
            local = f"{local}{taken[local]}"
        yield Person(
            kind="reader",
            email=f"{local}@{chance.choice(_DOMAINS)}",
            first_name=given,
            last_name=family,
            phone=_digits(chance.choice(place["phones"]), chance) if chance.random() < 0.8 else "",
            city=place["city"],
            country=place["country"],
            zone=place["zone"],
            language=language,
            birthday=date(1945, 1, 1) + timedelta(days=chance.randrange(60 * 365)),
        )


def _name(word: str) -> tuple[str, str]:
    """A name as it is written, and in the letters of an address."""
    written, _, plain = word.partition("/")
    return written, plain or "".join(letter for letter in written.lower() if letter.isalpha())


def _digits(pattern: str, chance: random.Random) -> str:
    return "".join(str(chance.randrange(10)) if sign == "x" else sign for sign in pattern)


def _with_past(face: Person, kind: Kind, chance: random.Random, now: datetime) -> Person:
    """The person with orders, mails opened and links followed, as one of its kind would have."""

    def days_ago(most: float) -> datetime:
        return now - timedelta(minutes=round(chance.uniform(0.2, most) * 1440))

    number = {"regular": chance.randint(4, 12), "buyer": chance.randint(1, 3)}.get(kind, 0)
    orders = tuple(
        Order(
            at=days_ago(330),
            total=round(min(18 + chance.expovariate(1 / 48), 290), 2),
            product=chance.choice(_PRODUCTS),
        )
        for _ in range(number)
    )
    reads = {"regular": 4, "buyer": 2}.get(kind, 1)
    opened = tuple(days_ago(90) for _ in range(chance.randint(0, reads)))
    return replace(
        face,
        kind=kind,
        orders=tuple(sorted(orders, key=lambda order: order.at)),
        opened=tuple(sorted(opened)),
        clicked=tuple(sorted(moment + timedelta(minutes=2) for moment in opened if chance.random() < 0.3)),
        email_consent=chance.choices(("granted", "", "withdrawn"), (60, 37, 3))[0],
        sms_consent=chance.choices(("granted", "", "withdrawn"), (62, 30, 8))[0] if face.phone else "",
    )


def _with_troubles(customers: list[Person], now: datetime) -> list[Person]:
    """Some regulars said no, some never confirmed, some addresses died, some couples share a phone."""
    turns = cycle(range(18))
    told: list[Person] = []
    shared = ""
    for person in customers:
        turn = next(turns) if person.kind == "regular" else None
        if turn == 3:
            person = replace(person, email_consent="withdrawn")
        elif turn == 6:
            person = replace(person, email_consent="pending")
        elif turn == 9:
            person = replace(person, bounced=now - timedelta(days=20))
        elif turn == 12:
            shared = person.phone
            person = replace(person, sms_consent="granted" if shared else "")
        elif turn == 13 and shared:
            person = replace(person, phone=shared, sms_consent="granted")
        told.append(person)
    return told
