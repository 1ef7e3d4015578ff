"""Pages contacts looked at, from the event log."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal as OneOf

from macli.errors import UsageError
from macli.rules.comparisons import Equals, IsSet, Ordered, Test, Texted
from macli.rules.errors import Misread
from macli.rules.moments import Duration
from macli.rules.predicates.events import Happened, Property
from macli.rules.readers import reads
from macli.rules.sql import Build
from macli.rules.values import Literal
from macli.urls import normal, word_pattern

TITLE = "Pages visited"

_HOW = {"contains": "containing", "starts with": "starting with", "ends with": "ending with", "matches": "matching"}


@dataclass(frozen=True, kw_only=True)
class Visited(Happened):
    """The contact looked at a page that carries the tracker. At least once, unless a number is said, and
    whenever, unless a time is. `url` alone is that page, however its scheme, host, last slash and
    fragment are written; the query counts. `words` are whole, between signs of the address: all of them,
    or `any of` them. In a pattern (`matching`) `*` is any text and `?` one character. `for at least` is the
    time the page was in sight, which is known once it was left.

    - `visited`
    - `visited url "shop.example/prices"`
    - `visited url containing "/prices" at least 3 times within 14 days`
    - `visited url words (red, shoes)`
    - `visited url words any of (shoes, boots) within 30 days`
    - `visited url starting with "https://shop.example/blog/"`
    - `visited url matching "*/item/*/reviews" for at least 30 seconds`
    - `never visited url containing "/prices"`
    """

    event: str = "page.visited"

    def _occurrence(self) -> str:
        return " ".join(("visited", *(_words_of(one) for one in self.properties)))


@dataclass(frozen=True, kw_only=True)
class Words(Property):
    """Whole words in a page's address."""

    how: OneOf["all", "any"] = "all"
    words: tuple[Literal, ...]
    name: str = "url"
    test: Test = field(default_factory=IsSet)

    def __str__(self) -> str:
        return f"words {self.how} of ({', '.join(map(str, self.words))})"

    def sql(self, build: Build) -> str:
        address = build.dialect.json_text("events.properties", "url")
        found = [build.dialect.fits(address, build.bind(word_pattern(word.text))) for word in self.words]
        return f"({(' AND ' if self.how == 'all' else ' OR ').join(found)})"


def _words_of(asked: Property) -> str:
    test = asked.test
    if isinstance(test, Texted):
        return f"url {_HOW[test.how]} {test.value}"
    if isinstance(test, Equals):
        return f"url {test.value}"
    if isinstance(test, Ordered):
        return f"for at least {Duration(span=timedelta(seconds=int(test.value.text)))}"
    return f"url {asked}"


@reads("visited")
def visited(page: Property | None, stay: Duration | None) -> Visited:
    pages = () if page is None else (page,)
    if stay is None:
        return Visited(properties=pages)
    seconds = Literal(text=str(int(stay.span.total_seconds())), quoted=False, at=stay.at)
    stayed = Property(name="seconds", test=Ordered(sign=">=", value=seconds), at=stay.at)
    return Visited(event="page.left", properties=(*pages, stayed))


@reads("stay")
def stay(duration: Duration) -> Duration:
    return duration


@reads("page")
def page(value: Literal) -> Property:
    try:
        address = normal(value.text)
    except UsageError as error:
        raise Misread(error.message, value.at, hint=error.hint) from None
    return Property(name="page", test=Equals(value=Literal(text=address, at=value.at)), at=value.at)


@reads("page_containing")
def page_containing(value: Literal) -> Property:
    return _part("contains", value)


@reads("page_starting")
def page_starting(value: Literal) -> Property:
    return _part("starts with", value)


@reads("page_ending")
def page_ending(value: Literal) -> Property:
    return _part("ends with", value)


@reads("page_matching")
def page_matching(value: Literal) -> Property:
    return _part("matches", value)


def _part(how: OneOf["contains", "starts with", "ends with", "matches"], value: Literal) -> Property:
    return Property(name="url", test=Texted(how=how, value=value), at=value.at)


@reads("page_words_all")
def page_words_all(words: tuple[Literal, ...]) -> Words:
    return _words("all", words)


@reads("page_words_any")
def page_words_any(words: tuple[Literal, ...]) -> Words:
    return _words("any", words)


def _words(how: OneOf["all", "any"], words: Sequence[Literal]) -> Words:
    for word in words:
        try:
            word_pattern(word.text)
        except UsageError as error:
            raise Misread(error.message, word.at) from None
    quoted = tuple(Literal(text=word.text, at=word.at) for word in words)
    return Words(how=how, words=quoted, at=words[0].at)
