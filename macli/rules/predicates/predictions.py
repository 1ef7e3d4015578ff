"""Predictions."""

from dataclasses import dataclass, field
from typing import ClassVar
from typing import Literal as OneOf

from macli.clock import to_ms
from macli.config import likelihoods
from macli.rules.asked import ONCE, Asked, Name
from macli.rules.comparisons import During, IsSet, Ordered
from macli.rules.errors import Misread
from macli.rules.moments import Duration
from macli.rules.predicates.attributes import Attribute, declared
from macli.rules.predicates.events import counted
from macli.rules.readers import called, said
from macli.rules.sql import Build, Condition
from macli.rules.tree import Leaf, Not, Rule
from macli.rules.values import Literal

ALSO = ("large", "very large")
"""Other words for high and very high."""

TITLE = "Predictions"


@dataclass(frozen=True, kw_only=True)
class Predicted(Leaf):
    """How likely the contact is to leave (`churn`) or to buy (`purchase`): `small` is up to 25%, `medium`
    up to 50%, `high` (or large) up to 75%, `very high` (or very large) more. Where nothing is predicted, or
    longer ago than the setting `predictions.max_age`, there is no data: this is false and its opposite true.

    Where an attribute is called `churn` or `purchase`, a comparison in signs means that.

    - `churn is high`
    - `churn is very high`
    - `churn >= 60%`
    - `purchase is "very high"`
    - `purchase between 20% and 60%`
    - `purchase is set`
    """

    kind: OneOf["churn", "purchase"]
    level: Literal | None = None
    test: Ordered | During | IsSet = field(default_factory=IsSet)
    at: int = field(default=0, compare=False)
    looks_elsewhere: ClassVar[bool] = True
    share: ClassVar[float] = 0.3

    def __str__(self) -> str:
        return f"{self.kind} {self.test if self.level is None else f'is {self.level}'}"

    def opposite(self) -> str:
        return f"{self.kind} is not set" if self.level is None and isinstance(self.test, IsSet) else f"not {self}"

    def meant(self, build: Build) -> Leaf:
        if self.level is None and declared(self.kind, build):
            return Attribute(name=self.kind, test=self.test, at=self.at)
        return self

    def condition(self, build: Build, reach: float) -> Condition:
        asked = [f"predictions.kind = {build.bind(self.kind)}", *self._likely(build)]
        longest = build.vocabulary.setting("predictions.max_age")
        if longest is not None:
            build.timely = True
            asked.append(f"predictions.predicted_at >= {build.bind(to_ms(build.now - longest))}")
        return Condition(sql=counted("predictions", asked, ONCE, build, reach))

    def _likely(self, build: Build) -> list[str]:
        if self.level is not None:
            word = build.word(f"{self.kind} is", self.level, (*likelihoods.BANDS, *ALSO))
            above, most = likelihoods.limits(likelihoods.read(word))
            ends = [(">", above), ("<=", most)]
        elif isinstance(self.test, Ordered):
            ends = [(self.test.sign, _share(self.test.value, build))]
        elif isinstance(self.test, During):
            low, high = self.test.when.points
            ends = [(">=", _share(low, build)), ("<=", _share(high, build))]
        else:
            return []
        return [f"predictions.probability {sign} {build.bind(end)}" for sign, end in ends]


def _share(literal: Literal, build: Build) -> float:
    number = Literal(text=literal.text.removesuffix("%").strip(), quoted=False).number()
    if number is None or not literal.text.endswith("%") or not 0 <= number <= 100:
        raise build.error(f"{literal.text!r} is no probability", literal.at, hint="write for example 60%")
    return number / 100


@called("churn", "purchase")
def likely(name: Name, asked: Asked) -> Rule | None:
    test = asked.test
    if not isinstance(test, Ordered | IsSet) and not (isinstance(test, During) and test.when.word == "between"):
        return None
    leaf = Predicted(kind=_kind(name), test=test, at=name.at)
    return Not(leaf) if asked.negated else leaf


@said("churn", "purchase")
def level(name: Name, word: Literal, stay: Duration | None) -> Rule:
    if stay is not None:
        raise Misread("how long a prediction has been so is not kept", stay.at)
    return Predicted(kind=_kind(name), level=word, at=name.at)


def _kind(name: Name) -> OneOf["churn", "purchase"]:
    return "churn" if name.text.casefold() == "churn" else "purchase"
