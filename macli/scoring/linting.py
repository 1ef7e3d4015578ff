"""What is odd about the point rules there are: each oddity in words, with what to type."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any
from zoneinfo import ZoneInfo

from macli import selection
from macli.clock import to_ms
from macli.scoring import wording
from macli.scoring.compiling import compiled
from macli.store import Store, point_rules, settings, stages
from macli.store.point_rules import PointRule
from macli.store.scopes import Scope

COLUMNS = ("rule", "warning", "type")
QUIET = timedelta(days=90)
"""A rule that no event met for so long is told of."""

_OVERALL = Scope(kind="global", name="global")
_MINUTE = 60_000

LEVELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("a no", ("email.unsubscribed", "sms.opted_out", "consent.withdrawn", "email.complained", "email.bounced")),
    ("an open", ("email.opened", "email.delivered", "sms.delivered")),
    ("a visit", ("page.visited", "page.left")),
    ("a click", ("email.clicked", "sms.clicked", "push.clicked", "banner.clicked")),
    (
        "an answer",
        ("asset.downloaded", "form.submitted", "email.replied", "sms.received", "mail.received", "call.logged"),
    ),
    ("a basket", ("cart.updated", "cart.abandoned", "deal.added", "deal.moved")),
    ("a purchase", ("order.paid", "deal.won")),
)
"""Events by how near to a purchase they are, the farthest first."""

_INTENT = 3
"""From a click on, somebody wants something."""


@dataclass(frozen=True, kw_only=True)
class Oddity:
    """``rule`` is the rule's name, empty where it is about all of them."""

    rule: str
    warning: str
    type: str


def lint(store: Store, now: datetime, zone: ZoneInfo) -> list[Oddity]:
    """Every oddity of the rules in force."""
    rules = point_rules.active(store)
    return [
        *_unread(store, now, rules),
        *_outscoring(store, rules),
        *_twins(rules),
        *_machines(rules),
        *_caps(rules),
        *_silent(store, now, zone, rules),
        *_unreachable(store, rules),
        *_one_way(rules),
        *_lasting(store, rules),
    ]


def _unread(store: Store, now: datetime, rules: Sequence[PointRule]) -> Iterator[Oddity]:
    """Rules that ask for what is there no more: they give nothing."""
    for name, fault in compiled(store, to_ms(now), tuple(rules)).faults.items() if rules else ():
        yield Oddity(rule=name, warning=f"gives nothing: {fault}", type=f'macli points rule edit "{name}" --for …')


def _outscoring(store: Store, rules: Sequence[PointRule]) -> Iterator[Oddity]:
    """Rules for all events of a name that give more than one for an event nearer to a purchase."""
    known = levels(store)
    plain = [rule for rule in rules if rule.condition is None and rule.who is None and rule.event in known]
    for low in plain:
        above = [
            rule
            for rule in plain
            if known[rule.event] > known[low.event]
            and known[rule.event] >= _INTENT
            and 0 < rule.points < low.points
            and set(rule.scopes) & set(low.scopes)
        ]
        if above:
            high = max(above, key=lambda rule: (known[rule.event], -rule.points))
            says = f"{LEVELS[known[low.event]][0]} brings {low.points:+d}, {LEVELS[known[high.event]][0]}"
            yield Oddity(
                rule=low.name,
                warning=f"{says}, which is nearer to a purchase, only {high.points:+d} ({high.name})",
                type=f'macli points rule edit "{high.name}" --points {low.points + 1}',
            )


def levels(store: Store) -> dict[str, int]:
    """The place of each event in ``LEVELS``, the store's own names of baskets and purchases among them."""
    known = {name: level for level, (_, names) in enumerate(LEVELS) for name in names}
    known[settings.get(store, "baskets.event")] = len(LEVELS) - 2
    known[settings.get(store, "purchases.event")] = len(LEVELS) - 1
    return known


def _twins(rules: Sequence[PointRule]) -> Iterator[Oddity]:
    for one, other in combinations(rules, 2):
        same = (one.event, one.condition, one.who) == (other.event, other.condition, other.who)
        if same and set(one.scopes) & set(other.scopes):
            yield Oddity(
                rule=other.name,
                warning=f"asks for the same events as {one.name!r}: both count",
                type=f'macli points rule rm "{other.name}"',
            )


def _machines(rules: Sequence[PointRule]) -> Iterator[Oddity]:
    for rule in rules:
        person, _, judged = rule.event.rpartition(".")
        if judged in ("machine", "suspected") and rule.points > 0:
            yield Oddity(
                rule=rule.name,
                warning=f"gives points for what {'a program did' if judged == 'machine' else 'hardly was a person'}",
                type=f'macli points rule edit "{rule.name}" --event {person}',
            )


def _caps(rules: Sequence[PointRule]) -> Iterator[Oddity]:
    for rule in rules:
        if rule.most_span is not None and rule.most_span < _MINUTE:
            yield Oddity(
                rule=rule.name,
                warning=f"a cap of {wording.told_cap(rule)} holds nobody back",
                type=f"macli points rule edit \"{rule.name}\" --at-most '3 per day'",
            )
        if rule.most is not None and rule.most_span is None and rule.decay_share == 100:
            yield Oddity(
                rule=rule.name,
                warning="its points go as time passes and never come again: the cap has no end",
                type=f"macli points rule edit \"{rule.name}\" --at-most '{rule.most} per year'",
            )


def _silent(store: Store, now: datetime, zone: ZoneInfo, rules: Sequence[PointRule]) -> Iterator[Oddity]:
    """Rules that no event met, of those whose events come, or that have been there for so long."""
    since = to_ms(now - QUIET)
    for rule in rules:
        made = int(store.value("SELECT created_at FROM point_rules WHERE id = :id", {"id": rule.id}))
        asked: dict[str, Any] = {"name": rule.event, "since": since}
        test = "TRUE"
        if rule.condition is not None:
            where = selection.event_where_of(store, rule.condition, now, zone)
            test, asked = where.sql, {**asked, **where.params}
        if store.value(_MET.format(test=test), asked) is not None:
            continue
        comes = store.value(_MET.format(test="TRUE"), {"name": rule.event, "since": since}) is not None
        if comes or made < since:
            what = f"no {rule.event}" + (f" with {rule.condition}" if rule.condition else "")
            yield Oddity(
                rule=rule.name,
                warning=f"{what} for {QUIET.days} days",
                type=f"macli event list --name {rule.event} --limit 5",
            )


_MET = """
SELECT 1
FROM events
WHERE events.name = :name
  AND events.at >= :since
  AND events.contact_id IS NOT NULL
  AND {test}
LIMIT 1
"""


def _unreachable(store: Store, rules: Sequence[PointRule]) -> Iterator[Oddity]:
    """Stages above all that the rules can ever give; a rule without a cap for good gives without end."""
    giving = [rule for rule in rules if rule.points > 0 and _OVERALL in rule.scopes]
    if any(rule.most is None or rule.most_span is not None for rule in giving):
        return
    highest = sum(rule.points * (rule.most or 0) for rule in giving)
    for rung in stages.ladder(store):
        if rung.bar >= max(highest, 0):
            yield Oddity(
                rule="",
                warning=f"no rule leads to the stage {rung.name!r}: {highest} points are the most there can be",
                type=f'macli stage edit "{rung.name}" --threshold {max(highest - 1, 0)}',
            )


def _one_way(rules: Sequence[PointRule]) -> Iterator[Oddity]:
    if rules and not any(rule.points < 0 for rule in rules):
        yield Oddity(
            rule="",
            warning="no rule takes points away: a no does not cool anybody down",
            type="macli points rule add unsubscribed --event email.unsubscribed --points -10",
        )


def _lasting(store: Store, rules: Sequence[PointRule]) -> Iterator[Oddity]:
    giving = [rule for rule in rules if rule.points > 0 and rule.decay_share is None]
    if giving and settings.get(store, "points.decay") is None:
        names = ", ".join(rule.name for rule in giving[:3]) + (", …" if len(giving) > 3 else "")
        yield Oddity(
            rule="",
            warning=f"old points never go ({names}): who was hot two years ago still is",
            type=f"macli points rule edit \"{giving[0].name}\" --decay '50 % every 90 days'",
        )
