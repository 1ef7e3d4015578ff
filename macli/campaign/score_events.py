"""Scores a campaign waits for: the values its entry and steps name are watched as soon as it is kept."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from macli.actions.waiting import WaitFor
from macli.campaign.definition import Campaign
from macli.campaign.problems import Path, Problem
from macli.errors import MacliError
from macli.scoring import marking
from macli.scoring.watching import WATCHES
from macli.store import Store
from macli.store.score_marks import Kind

if TYPE_CHECKING:
    from macli.rules.predicates.events import Property

_KINDS: dict[str, Kind] = {watch.event: kind for kind, watch in WATCHES.items()}

_HINTS = {
    "tag.scored": 'write for example `where: tag = "VIP" and value = 100`',
    **dict.fromkeys(
        ("score.reached", "score.crossed", "score.exceeded"),
        'write for example `where: value = 200`, or `where: value = 200 and scope = "group:fit"`',
    ),
}


@dataclass(frozen=True, kw_only=True)
class Watched:
    """One value of the scores in a scope that an event is to tell of."""

    kind: Kind
    scope: str
    value: int


def watch(store: Store, now: datetime, campaign: Campaign) -> None:
    """Watch every value the campaign waits for. Inside a write; its problems were told before."""
    for one in _watched(campaign):
        marking.watch(store, now, one.scope, one.kind, one.value)


def in_words(campaign: Campaign) -> list[str]:
    """What is watched for the campaign, and what each event means."""
    return [
        f"{WATCHES[one.kind].event} of {one.value:,} in {one.scope}: {WATCHES[one.kind].meaning}"
        for one in _watched(campaign)
    ]


def problems(check_scope: Callable[[str], object], campaign: Campaign) -> Iterator[Problem]:
    """Events of scores of which nothing says which value is meant, or whose scope is not there."""
    for path, event, where in _asked(campaign):
        if event not in _KINDS:
            continue
        try:
            found = list(_values(event, where))
        except MacliError:
            continue  # that it does not read is told where conditions are checked
        if not found:
            yield Problem(path=path, message=f"{event} of which value?", hint=_HINTS[event])
        for one in found:
            try:
                check_scope(one.scope)
            except MacliError as error:
                yield Problem(path=path, message=error.message, hint=error.hint)


def _watched(campaign: Campaign) -> Iterator[Watched]:
    for _, event, where in _asked(campaign):
        if event in _KINDS:
            yield from _values(event, where)


def _asked(campaign: Campaign) -> Iterator[tuple[Path, str, str | None]]:
    """Where the campaign names an event, with the condition on its properties."""
    for event in campaign.entry.event:
        yield ("entry", "event"), event.name, event.where
    for node in campaign.each_step():
        if isinstance(node.action, WaitFor):
            for name in node.action.event:
                yield (*node.path, "wait_for"), name, node.action.where
    if campaign.conversion is not None and campaign.conversion.event is not None:
        yield ("conversion", "event"), campaign.conversion.event, campaign.conversion.where


def _values(event: str, where: str | None) -> Iterator[Watched]:
    """The values that a condition names plainly, each in each scope. Raises RuleError."""
    from macli.rules.parser import parse_conditions

    tests = {} if where is None else {one.name.casefold(): one for one in parse_conditions(where) if not one.negated}
    scopes = [f"tag:{tag}" for tag in _texts(tests.get("tag"))]
    if event != "tag.scored":
        scopes = _texts(tests.get("scope")) or ["global"]
    for text in _texts(tests.get("value")):
        if text.removeprefix("-").isdecimal():
            for scope in scopes:
                yield Watched(kind=_KINDS[event], scope=scope, value=int(text))


def _texts(asked: "Property | None") -> list[str]:
    from macli.rules.comparisons import Among, Equals

    if asked is None:
        return []
    if isinstance(asked.test, Equals):
        return [asked.test.value.text]
    return [value.text for value in asked.test.values] if isinstance(asked.test, Among) else []
