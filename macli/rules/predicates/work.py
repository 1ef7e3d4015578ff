"""Notes, tasks, deals, calls and mails."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar
from typing import Literal as OneOf

from macli.errors import did_you_mean
from macli.rules.asked import ONCE, Name
from macli.rules.comparisons import Texted, condition
from macli.rules.errors import Misread
from macli.rules.moments import When, instants, span_of
from macli.rules.predicates.events import counted
from macli.rules.predicates.lifecycle import at_stages, names_of, stage_ids
from macli.rules.readers import reads
from macli.rules.sql import Build, Condition
from macli.rules.subjects import Column
from macli.rules.tree import Leaf, Mention, Not, Rule
from macli.rules.values import Literal

TITLE = "Notes, tasks, deals, calls and mails"


@dataclass(frozen=True, kw_only=True)
class Possession(Leaf):
    """Something there is about the contact, in a table that has a contact_id."""

    looks_elsewhere: ClassVar[bool] = True
    share: ClassVar[float] = 0.2
    table: ClassVar[str]

    def __str__(self) -> str:
        return f"has {self.words()}"

    def opposite(self) -> str:
        return f"has no {self.words()}"

    @abstractmethod
    def words(self) -> str:
        """What is had, as a rule writes it."""

    @abstractmethod
    def asked(self, build: Build) -> list[str]:
        """What is asked of each row, in SQL."""

    def condition(self, build: Build, reach: float) -> Condition:
        return Condition(sql=counted(self.table, self.asked(build) or ["TRUE"], ONCE, build, reach))


@dataclass(frozen=True, kw_only=True)
class HasNote(Possession):
    """Somebody wrote a note about the contact: with these words in it, by that member of staff, at that
    time. Private notes count in no rule, whoever asks.

    - `has note`
    - `has note containing "budget" by anna within 7 days`
    - `has no note within 90 days`
    """

    part: Literal | None = None
    author: Literal | None = None
    when: When | None = None
    table: ClassVar[str] = "notes"

    def words(self) -> str:
        return f"note{_containing(self.part)}{_by(self.author)}{_time(self.when)}"

    def names(self) -> Iterator[Mention]:
        return _staff(self.author)

    def asked(self, build: Build) -> list[str]:
        text = Column(name="a note", sql="notes.folded", type="text", folded=True, dialect=build.dialect)
        return [
            "notes.private = 0",
            *_parts(self.part, [text], build),
            *_of(self.author, "notes.author_id", build),
            *_at(self.when, "notes.created_at", build),
        ]


@dataclass(frozen=True, kw_only=True)
class HasTask(Possession):
    """There is a task about the contact: `open`, `done` or `cancelled`, or `overdue`, which is open and past
    its time; for that member of staff. A time is when it was made, behind `due` when it has to be done.

    - `has open task`
    - `has overdue task for anna`
    - `has open task for anna due within next 3 days`
    - `has no task within 30 days`
    """

    state: OneOf["open", "done", "cancelled", "overdue"] | None = None
    assignee: Literal | None = None
    due: bool = False
    when: When | None = None
    table: ClassVar[str] = "tasks"

    def words(self) -> str:
        assignee = "" if self.assignee is None else f" for {self.assignee}"
        due = " due" if self.due else ""
        return f"{self.state + ' ' if self.state else ''}task{assignee}{due}{_time(self.when)}"

    def names(self) -> Iterator[Mention]:
        return _staff(self.assignee)

    def asked(self, build: Build) -> list[str]:
        asked = []
        if self.state is not None:
            asked.append(f"tasks.state = '{'open' if self.state == 'overdue' else self.state}'")
        if self.state == "overdue":
            build.timely = True
            asked.append(f"tasks.due_at < {build.bind(build.now_ms)}")
        asked += _of(self.assignee, "tasks.assignee_id", build)
        return asked + _at(self.when, "tasks.due_at" if self.due else "tasks.created_at", build)


@dataclass(frozen=True, kw_only=True)
class HasDeal(Possession):
    """There is a deal with the contact: `open`, `won` or `lost`; worth so much, in a currency if one is
    named; in that funnel, at that stage of it. A time is when it was won or lost, and for others when it
    was made.

    - `has deal`
    - `has open deal worth more than 1000`
    - `has open deal worth at least 1000 EUR in funnel "Sales" at ("First talk", Offer)`
    - `has won deal within 90 days`
    - `has no open deal`
    """

    state: OneOf["open", "won", "lost"] | None = None
    sign: OneOf["<", "<=", ">", ">="] | None = None
    worth: Literal | None = None
    currency: str | None = None
    funnel: Literal | None = None
    stages: tuple[Literal, ...] = ()
    when: When | None = None
    table: ClassVar[str] = "deals"

    def words(self) -> str:
        worth = funnel = ""
        if self.sign is not None:
            sign = {"<": "less than", "<=": "at most", ">": "more than", ">=": "at least"}[self.sign]
            worth = f" worth {sign} {self.worth}{' ' + self.currency if self.currency else ''}"
        if self.funnel is not None:
            funnel = f" in funnel {self.funnel}{at_stages(self.stages)}"
        return f"{self.state + ' ' if self.state else ''}deal{worth}{funnel}{_time(self.when)}"

    def names(self) -> Iterator[Mention]:
        return iter(()) if self.funnel is None else names_of(self.funnel, self.stages)

    def asked(self, build: Build) -> list[str]:
        asked = [] if self.state is None else [f"deals.state = '{self.state}'"]
        if self.worth is not None:
            asked.append(f"deals.value {self.sign} {build.bind(self.worth.number())}")
        if self.currency is not None:
            asked.append(f"upper(deals.currency) = {build.bind(self.currency)}")
        if self.funnel is not None:
            asked += self._placed(self.funnel, build)
        closed = self.state in ("won", "lost")
        return asked + _at(self.when, "deals.closed_at" if closed else "deals.created_at", build)

    def _placed(self, funnel: Literal, build: Build) -> list[str]:
        if self.stages:
            return [f"deals.stage_id IN {build.bind_all(stage_ids(funnel, self.stages, build))}"]
        return [f"deals.funnel_id = {build.bind(build.funnel_ids(funnel)[0])}"]


@dataclass(frozen=True, kw_only=True)
class HasCall(Possession):
    """Somebody talked to the contact on the phone, or tried to: an `incoming` or an `outgoing` call, by
    that member of staff, at that time.

    - `has call within 14 days`
    - `has outgoing call by anna`
    - `has no incoming call`
    """

    direction: OneOf["incoming", "outgoing"] | None = None
    by: Literal | None = None
    when: When | None = None
    table: ClassVar[str] = "calls"

    def words(self) -> str:
        return f"{self.direction + ' ' if self.direction else ''}call{_by(self.by)}{_time(self.when)}"

    def names(self) -> Iterator[Mention]:
        return _staff(self.by)

    def asked(self, build: Build) -> list[str]:
        asked = (
            []
            if self.direction is None
            else [f"calls.direction = '{self.direction.removesuffix('coming').removesuffix('going')}'"]
        )
        return [*asked, *_of(self.by, "calls.staff_id", build), *_at(self.when, "calls.at", build)]


@dataclass(frozen=True, kw_only=True)
class HasMail(Possession):
    """A mail of the contact's came in: with these words in its subject or text, at that time.

    - `has mail within 7 days`
    - `has mail containing "invoice"`
    - `has no mail`
    """

    part: Literal | None = None
    when: When | None = None
    table: ClassVar[str] = "mails"

    def words(self) -> str:
        return f"mail{_containing(self.part)}{_time(self.when)}"

    def asked(self, build: Build) -> list[str]:
        texts = [
            Column(name="a mail", sql=f"mails.{name}", type="text", dialect=build.dialect)
            for name in ("subject", "body")
        ]
        return [*_parts(self.part, texts, build), *_at(self.when, "mails.at", build)]


def _containing(part: Literal | None) -> str:
    return "" if part is None else f" containing {part}"


def _by(who: Literal | None) -> str:
    return "" if who is None else f" by {who}"


def _time(when: When | None) -> str:
    return "" if when is None else f" {when}"


def _staff(who: Literal | None) -> Iterator[Mention]:
    if who is not None:
        yield Mention(kind="staff", name=who)


def _parts(part: Literal | None, texts: list[Column], build: Build) -> list[str]:
    if part is None:
        return []
    found = [condition(text, Texted(how="contains", value=part), part.at, build).sql for text in texts]
    return [found[0] if len(found) == 1 else f"({' OR '.join(found)})"]


def _of(who: Literal | None, column: str, build: Build) -> list[str]:
    return [] if who is None else [f"{column} = {build.bind(build.member(who)[0])}"]


def _at(when: When | None, column: str, build: Build) -> list[str]:
    return [] if when is None else [instants(column, span_of(when, build), build)]


@reads("has_some")
def has_some(leaf: Leaf) -> Rule:
    return leaf


@reads("has_none")
def has_none(leaf: Leaf) -> Rule:
    return Not(leaf)


@reads("containing", "by", "for")
def behind_a_word(value: Literal) -> Literal:
    return value


@reads("adjective")
def adjective(word: str) -> Name:
    return Name(text=str(word).casefold(), at=word.start_pos)  # type: ignore[attr-defined]


def _one_of(word: Name | None, noun: str, words: tuple[str, ...]) -> str | None:
    if word is not None and word.text not in words:
        near = did_you_mean(word.text, words)
        raise Misread(f"a {noun} is {', '.join(words[:-1])} or {words[-1]}, not {word.text}{near}", word.at)
    return None if word is None else word.text


@reads("note")
def note(part: Literal | None, author: Literal | None, when: When | None) -> Leaf:
    return HasNote(part=part, author=author, when=when)


@reads("due")
def due(when: When) -> tuple[When]:
    return (when,)


@reads("task")
def task(state: Name | None, assignee: Literal | None, moment: When | tuple[When] | None) -> Leaf:
    word = _one_of(state, "task", ("open", "done", "cancelled", "overdue"))
    is_due = isinstance(moment, tuple)
    when = moment[0] if isinstance(moment, tuple) else moment
    return HasTask(state=word, assignee=assignee, due=is_due, when=when)  # type: ignore[arg-type]


@reads("deal")
def deal(state: Name | None, worth: "Worth | None", placed: "Placed | None", when: When | None) -> Leaf:
    word = _one_of(state, "deal", ("open", "won", "lost"))
    sign, amount, currency = worth or (None, None, None)
    funnel, stages = placed or (None, ())
    return HasDeal(
        state=word,  # type: ignore[arg-type]
        sign=sign,
        worth=amount,
        currency=currency,
        funnel=funnel,
        stages=stages,
        when=when,
    )


Worth = tuple[OneOf["<", "<=", ">", ">="], Literal, str | None]
Placed = tuple[Literal, tuple[Literal, ...]]


@reads("placed")
def placed(funnel: Literal, stages: tuple[Literal, ...] | None) -> Placed:
    return funnel, stages or ()


def _worth(sign: OneOf["<", "<=", ">", ">="]) -> Callable[[Name, Name | None], Worth]:
    def worth(amount: Name, currency: Name | None) -> Worth:
        if currency is not None and not (
            len(currency.text) == 3 and currency.text.isascii() and currency.text.isalpha()
        ):
            raise Misread(f"{currency.text!r} is no currency", currency.at, hint="three letters: EUR")
        code = None if currency is None else currency.text.upper()
        return sign, Literal(text=amount.text, quoted=False, at=amount.at), code

    return worth


reads("worth_at_least")(_worth(">="))
reads("worth_at_most")(_worth("<="))
reads("worth_more")(_worth(">"))
reads("worth_less")(_worth("<"))


@reads("call")
def call(direction: Name | None, by: Literal | None, when: When | None) -> Leaf:
    word = _one_of(direction, "call", ("incoming", "outgoing"))
    return HasCall(direction=word, by=by, when=when)  # type: ignore[arg-type]


@reads("mail")
def mail(part: Literal | None, when: When | None) -> Leaf:
    return HasMail(part=part, when=when)
