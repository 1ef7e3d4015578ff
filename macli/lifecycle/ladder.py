"""The stages as they are to be: one added, removed, moved, or with another threshold; thresholds rise."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from macli.errors import UnknownName, UsageError
from macli.store import stages
from macli.store.stages import HIGHEST


@dataclass(frozen=True, kw_only=True)
class Step:
    """A stage and what leads to it; ``id`` 0 is a stage that is not there yet."""

    name: str
    threshold: int
    id: int = 0
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Add:
    """A new stage, behind ``after``, in front of ``before``, or at the end."""

    name: str
    threshold: int
    after: str | None = None
    before: str | None = None
    description: str = ""

    def of(self, steps: Sequence[Step]) -> list[Step]:
        name = stages.clean_name(self.name)
        if any(step.name.casefold() == name.casefold() for step in steps):
            raise UsageError(f"there is a stage {name!r} already", hint=f"macli stage edit {name!r} changes it")
        if len(steps) >= stages.MOST:
            raise UsageError(f"a lifecycle has at most {stages.MOST} stages")
        new = Step(name=name, threshold=self.threshold, description=self.description)
        place = len(steps)
        if self.after is not None or self.before is not None:
            place = _between(steps, self.after, self.before)
        return _checked([*steps[:place], new, *steps[place:]], new)


@dataclass(frozen=True, kw_only=True)
class SetThreshold:
    """Another threshold for a stage where it stands."""

    name: str
    threshold: int

    def of(self, steps: Sequence[Step]) -> list[Step]:
        place = place_of(steps, self.name)
        changed = replace(steps[place], threshold=self.threshold)
        return _checked([*steps[:place], changed, *steps[place + 1 :]], changed)


@dataclass(frozen=True, kw_only=True)
class Move:
    """Another place for a stage, behind ``after`` or in front of ``before``, with a threshold that fits there."""

    name: str
    after: str | None = None
    before: str | None = None
    threshold: int | None = None

    def of(self, steps: Sequence[Step]) -> list[Step]:
        stage = steps[place_of(steps, self.name)]
        others = [step for step in steps if step is not stage]
        place = _between(others, self.after, self.before)
        moved = stage if self.threshold is None else replace(stage, threshold=self.threshold)
        return _checked([*others[:place], moved, *others[place:]], moved)


@dataclass(frozen=True, kw_only=True)
class Remove:
    """A stage less."""

    name: str

    def of(self, steps: Sequence[Step]) -> list[Step]:
        place = place_of(steps, self.name)
        return [*steps[:place], *steps[place + 1 :]]


Change = Add | SetThreshold | Move | Remove


def place_of(steps: Sequence[Step], name: str) -> int:
    """Where the stage of that name is among the steps. Raises UnknownName."""
    key = " ".join(name.split()).casefold()
    for place, step in enumerate(steps):
        if step.name.casefold() == key:
            return place
    raise UnknownName("stage", name, (step.name for step in steps), hint="macli stage list shows them")


def _between(steps: Sequence[Step], after: str | None, before: str | None) -> int:
    if before is not None and after is None:
        return place_of(steps, before)
    if after is not None and before is None:
        return 1 + place_of(steps, after)
    raise UsageError("say where to: either --after STAGE or --before STAGE")


def _checked(steps: list[Step], changed: Step) -> list[Step]:
    """The steps, where the changed one's threshold lies between its neighbours'. Raises UsageError."""
    if not 0 <= changed.threshold <= HIGHEST:
        raise UsageError(f"a threshold is a whole number from 0 to {HIGHEST:,}")
    place = steps.index(changed)
    below, above = steps[:place][-1:], steps[place + 1 :][:1]
    wrong = [step for step in below if step.threshold >= changed.threshold]
    wrong += [step for step in above if step.threshold <= changed.threshold]
    if wrong:
        side = "after" if wrong[0] in below else "before"
        needed = "more" if side == "after" else "less"
        raise UsageError(
            f"{changed.name!r} with {changed.threshold} cannot stand {side} {wrong[0].name!r} with"
            f" {wrong[0].threshold}: its threshold has to be {needed} than that",
            hint=_would_do(below, above, steps, changed),
        )
    return steps


def _would_do(below: list[Step], above: list[Step], steps: list[Step], changed: Step) -> str:
    """Which thresholds fit in the place, and in which place the threshold would."""
    lowest, highest = below[0].threshold + 1 if below else 0, above[0].threshold - 1 if above else HIGHEST
    if lowest > highest:
        fitting = "nothing"
    else:
        fitting = f"from {lowest} to {highest}" if above else f"{lowest} or more"
    others = [step for step in steps if step is not changed]
    lower = [step for step in others if step.threshold < changed.threshold]
    if any(step.threshold == changed.threshold for step in others):
        return f"there, {fitting} would do"
    elsewhere = f"after {lower[-1].name!r}" if lower else f"before {others[0].name!r}"
    return f"there, {fitting} would do; {changed.threshold} would do {elsewhere}"
