"""Stages, funnels and RFM."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from macli.clock import to_ms
from macli.rules.asked import ONCE, Asked, Name
from macli.rules.comparisons import Equals, IsSet
from macli.rules.errors import Misread
from macli.rules.moments import Duration
from macli.rules.predicates.attributes import Attribute, declared
from macli.rules.predicates.events import counted
from macli.rules.readers import called, reads, said
from macli.rules.sql import Build, Condition
from macli.rules.tree import Leaf, Mention, Not, Rule
from macli.rules.values import Literal
from macli.rules.vocabulary import KnownStage

BANDS = {
    "recency": ("short", "medium", "long"),
    "frequency": ("common", "regular", "casual"),
    "monetary": ("spender", "medium", "saver"),
}
"""The bands of each dimension of an RFM report."""

TITLE = "Stages, funnels and RFM"


@dataclass(frozen=True, kw_only=True)
class Stage(Leaf):
    """Where the contact stands in the lifecycle, which its score leads through. Who never had the points
    of the first stage is in none. `at least` is that stage or a later one.

    Where an attribute is called `stage`, `stage is set` means that.

    - `stage is Purchase`
    - `stage is at least "First talk"`
    - `stage is Purchase for at least 3 days`
    - `stage is set`
    - `in no stage`
    """

    stage: Literal | None = None
    later: bool = False
    stay: Duration | None = None
    at: int = field(default=0, compare=False)
    looks_elsewhere: ClassVar[bool] = True
    share: ClassVar[float] = 0.2

    def __str__(self) -> str:
        if self.stage is None:
            return "stage is set"
        return f"stage is {'at least ' if self.later else ''}{self.stage}{_staying(self.stay)}"

    def opposite(self) -> str:
        return "in no stage" if self.stage is None else f"not {self}"

    def meant(self, build: Build) -> Leaf:
        of_row = build.entity is not None and "stage" in build.entity.fields
        if self.stage is None:
            return Attribute(name="stage", test=IsSet(), at=self.at) if declared("stage", build) else self
        if of_row and (self.later or self.stay is not None):
            raise build.error("the stage of a deal is asked for with =", self.at, hint=f"stage = {self.stage}")
        return Attribute(name="stage", test=Equals(value=self.stage), at=self.at) if of_row else self

    def names(self) -> Iterator[Mention]:
        if self.stage is not None:
            yield Mention(kind="stage", name=self.stage)

    def condition(self, build: Build, reach: float) -> Condition:
        asked = ["stage_stays.left_at IS NULL"]
        if self.stage is not None:
            stage = build.stage(build.vocabulary.stages, self.stage, "stage", "macli stage list")
            asked.append(f"stage_stays.stage_id IN {build.bind_all(self._ids(stage, build))}")
        asked += _entered("stage_stays", self.stay, build)
        return Condition(sql=counted("stage_stays", asked, ONCE, build, reach))

    def _ids(self, stage: KnownStage, build: Build) -> list[int]:
        if not self.later:
            return [stage.id]
        return [each.id for each in build.vocabulary.stages.values() if each.position >= stage.position]


@dataclass(frozen=True, kw_only=True)
class InFunnel(Leaf):
    """The contact is in the funnel now, at whatever stage or at one of those named; who moved on or was
    taken out is not. `for at least` is how long it has stood there.

    - `in funnel "Sales"`
    - `in funnel Sales at Offer`
    - `in funnel Sales at ("First talk", Offer)`
    - `in funnel Sales at Offer for at least 3 days`
    """

    funnel: Literal
    stages: tuple[Literal, ...] = ()
    stay: Duration | None = None
    looks_elsewhere: ClassVar[bool] = True
    share: ClassVar[float] = 0.2

    def __str__(self) -> str:
        return f"in funnel {self.funnel}{at_stages(self.stages)}{_staying(self.stay)}"

    def names(self) -> Iterator[Mention]:
        return names_of(self.funnel, self.stages)

    def condition(self, build: Build, reach: float) -> Condition:
        ids = stage_ids(self.funnel, self.stages, build)
        if not ids:
            return Condition(sql="FALSE")
        asked = ["funnel_stays.left_at IS NULL", f"funnel_stays.stage_id IN {build.bind_all(ids)}"]
        asked += _entered("funnel_stays", self.stay, build)
        return Condition(sql=counted("funnel_stays", asked, ONCE, build, reach))


def at_stages(stages: tuple[Literal, ...]) -> str:
    """`` at STAGE``, as a rule writes it."""
    if not stages:
        return ""
    return f" at {stages[0]}" if len(stages) == 1 else f" at ({', '.join(map(str, stages))})"


def names_of(funnel: Literal, stages: tuple[Literal, ...]) -> Iterator[Mention]:
    """The names of a funnel and of stages of it."""
    yield Mention(kind="funnel", name=funnel)
    for stage in stages:
        yield Mention(
            kind="funnel stage", name=Literal(text=f"{funnel.text.strip()}/{stage.text.strip()}", at=stage.at)
        )


def stage_ids(funnel: Literal, stages: tuple[Literal, ...], build: Build) -> list[int]:
    """The ids of the stages named, of all there ever were where none is. Raises RuleError."""
    known = build.named("funnel", build.vocabulary.funnels, funnel, "macli funnel list")
    if not stages:
        return [stage.id for stage in known.stages.values()]
    hint = f"macli funnel show {known.name!r}"
    return [build.stage(known.stages, stage, f"stage of the funnel {known.name!r}", hint).id for stage in stages]


def _staying(stay: Duration | None) -> str:
    return "" if stay is None else f" for at least {stay}"


def _entered(table: str, stay: Duration | None, build: Build) -> list[str]:
    if stay is None:
        return []
    build.timely = True
    try:
        latest = to_ms(build.now - stay.span)
    except OverflowError:
        raise build.error("that is further away than a calendar reaches", stay.at) from None
    return [f"{table}.entered_at <= {build.bind(latest)}"]


@dataclass(frozen=True, kw_only=True)
class Rfm(Leaf):
    """The bands an RFM report puts the contact in: by how recently it bought (`short`, `medium`, `long`
    ago), how often (`common`, `regular`, `casual`) and for how much (`spender`, `medium`, `saver`). Who
    bought nothing is in none.

    - `rfm Spring recency short`
    - `rfm Spring frequency (common, regular)`
    - `rfm "Spring" recency short frequency common monetary (spender, medium)`
    """

    report: Literal
    bands: tuple[tuple[str, tuple[Literal, ...]], ...]
    looks_elsewhere: ClassVar[bool] = True
    share: ClassVar[float] = 0.2

    def __str__(self) -> str:
        bands = (
            f" {dimension} {names[0] if len(names) == 1 else '(' + ', '.join(map(str, names)) + ')'}"
            for dimension, names in self.bands
        )
        return f"rfm {self.report}{''.join(bands)}"

    def names(self) -> Iterator[Mention]:
        yield Mention(kind="RFM report", name=self.report)

    def condition(self, build: Build, reach: float) -> Condition:
        report = build.named("RFM report", build.vocabulary.reports, self.report, "macli rfm list")
        asked = [f"rfm_bands.report_id = {build.bind(report.id)}"]
        for dimension, names in self.bands:
            words = [build.word(f"{dimension} is", name, BANDS[dimension]) for name in names]
            asked.append(f"rfm_bands.{dimension} IN {build.bind_all(words)}")
        return Condition(sql=counted("rfm_bands", asked, ONCE, build, reach))


@called("stage")
def any_stage(name: Name, asked: Asked) -> Rule | None:
    if not isinstance(asked.test, IsSet):
        return None
    return Not(Stage(at=name.at)) if asked.negated else Stage(at=name.at)


@said("stage")
def stage_is(name: Name, stage: Literal, stay: Duration | None) -> Rule:
    return Stage(stage=stage, stay=stay, at=name.at)


@reads("is_at_least")
def is_at_least(name: Name, stage: Literal) -> Rule:
    if name.quoted or name.text.casefold() != "stage":
        raise Misread("only a stage is at least another", name.at, hint="write >=")
    return Stage(stage=stage, later=True, at=name.at)


@reads("in_no_stage")
def in_no_stage() -> Rule:
    return Not(Stage())


@reads("funnel")
def funnel(name: Literal) -> Literal:
    return name


@reads("places")
def places(stages: Literal | tuple[Literal, ...]) -> tuple[Literal, ...]:
    return stages if isinstance(stages, tuple) else (stages,)


@reads("in_funnel")
def in_funnel(funnel: Literal, stages: tuple[Literal, ...] = (), stay: Duration | None = None) -> Rule:
    return InFunnel(funnel=funnel, stages=stages, stay=stay)


@reads("dimension")
def dimension(word: str) -> str:
    return str(word).casefold()


@reads("band")
def band(dimension: str, names: tuple[Literal, ...]) -> tuple[str, tuple[Literal, ...]]:
    return dimension, names


@reads("rfm")
def rfm(report: Literal, *bands: tuple[str, tuple[Literal, ...]]) -> Rule:
    return Rfm(report=report, bands=bands)
