"""Presets: sets of point rules to begin with, one of which is in force at a time."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from macli.clock import to_ms
from macli.errors import UnknownName, UsageError
from macli.scoring import wording
from macli.store import Store, point_rules
from macli.store.point_rules import PointRule

OWN = "macli"
"""What stands for a preset at the rules of macli's own beside one."""

FILE = Path(__file__).parent / "presets.toml"
COLUMNS = ("change", "name", "event", "points", "with", "at_most", "active", "was")


@dataclass(frozen=True, kw_only=True)
class Change:
    """What putting a preset in force does to one rule."""

    what: Literal["new", "changed", "same", "goes"]
    rule: PointRule
    before: PointRule | None = None

    def record(self) -> dict[str, Any]:
        """For people; see ``COLUMNS``."""
        now = wording.record(self.rule)
        was = None
        if self.what == "changed" and self.before is not None:
            old = wording.record(self.before)
            was = ", ".join(f"{key} {old[key]}" for key in now if old[key] != now[key] and key != "preset")
        return {"change": self.what, **now, "was": was}


def titles() -> Mapping[str, str]:
    """Every preset's name and what it is about."""
    return {name: preset["title"] for name, preset in _written().items() if name != OWN}


def rules(name: str) -> list[PointRule]:
    """The rules of a preset, and those of macli's own beside it. Raises UnknownName."""
    name, known = name.strip().casefold(), titles()
    if name not in known:
        raise UnknownName("preset", name, known, hint=f"one of {', '.join(known)}")
    written = _written()
    beside = [_rule(OWN, one) for one in written[OWN]["rule"] if one["beside"] == name]
    return [_rule(name, one) for one in written[name]["rule"]] + beside


@cache
def _written() -> Mapping[str, Any]:
    import tomllib

    return tomllib.loads(FILE.read_text("utf-8"))


def _rule(preset: str, one: Mapping[str, Any]) -> PointRule:
    most, span = wording.read_cap(one.get("most", "none"))
    return PointRule(
        name=one["name"],
        event=one["event"],
        condition=one.get("with"),
        points=one["points"],
        most=most,
        most_span=span,
        scopes=wording.EVERYWHERE,
        preset=preset,
        active=one.get("on", True),
    )


def in_force(store: Store) -> str | None:
    """The preset whose rules are there, by the first of them; None where there is none of any."""
    return next((rule.preset for rule in point_rules.listed(store) if rule.preset in titles()), None)


def outlook(store: Store, name: str) -> list[Change]:
    """What putting a preset in force does: to the rules of the one before; a company's own stay.

    Raises UnknownName; UsageError where a rule of the company's own has the name of one of the preset's.
    """
    there = {rule.name.casefold(): rule for rule in point_rules.listed(store)}
    wanted = {rule.name.casefold(): rule for rule in rules(name)}
    own = [there[key].name for key in wanted if key in there and there[key].preset is None]
    if own:
        raise UsageError(
            f"there is a rule {own[0]!r} of your own, and the preset {name} has one of that name",
            hint=f'macli points rule edit "{own[0]}" --name "our {own[0]}"',
        )
    found = [_change(there.get(key), rule) for key, rule in wanted.items()]
    goes = [rule for key, rule in there.items() if rule.preset is not None and key not in wanted]
    return found + [Change(what="goes", rule=rule) for rule in goes]


def _change(before: PointRule | None, rule: PointRule) -> Change:
    if before is None:
        return Change(what="new", rule=rule)
    rule = replace(rule, id=before.id)
    return Change(what="same" if rule == before else "changed", rule=rule, before=before)


def listed(store: Store) -> list[dict[str, Any]]:
    """Every preset: name, rules (how many), in_force, about."""
    there = in_force(store)
    return [
        {"name": name, "rules": len(rules(name)), "in_force": name == there, "about": title}
        for name, title in titles().items()
    ]


def told(changes: Sequence[Change]) -> str:
    """What changes, counted: ``4 rules new, 3 go``."""
    counted: Counter[str] = Counter(change.what for change in changes)
    words = (("new", "new"), ("changed", "changed"), ("goes", "gone"))
    return f"rules: {', '.join(f'{counted[what]} {word}' for what, word in words if counted[what])}"


def apply(store: Store, now: datetime, changes: list[Change]) -> None:
    """Do what ``outlook`` said, for events from now on."""
    with store.write():
        for change in changes:
            if change.what == "goes":
                point_rules.remove(store, change.rule.id)
        for change in changes:
            if change.what == "new":
                point_rules.add(store, to_ms(now), change.rule)
            elif change.what == "changed":
                point_rules.edit(store, to_ms(now), change.rule)
