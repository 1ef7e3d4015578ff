"""Presets: sets of point rules to begin with, one of which is in force at a time."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from macli.errors import UnknownName, UsageError
from macli.scoring import rule_sets, wording
from macli.scoring.rule_sets import Change
from macli.store import Store, point_rules
from macli.store.point_rules import PointRule

OWN = "macli"
"""What stands for a preset at the rules of macli's own beside one."""

FILE = Path(__file__).parent / "presets.toml"


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
    most, span = wording.read_cap(one.get("at_most", "none"))
    return PointRule(
        name=one["name"],
        event=one["event"],
        condition=one.get("with"),
        points=one["points"],
        most=most,
        most_span=span,
        scopes=wording.EVERYWHERE,
        preset=preset,
        active=one.get("active", True),
    )


def listed(store: Store) -> list[dict[str, Any]]:
    """Every preset: name, rules (how many), in_force, about."""
    there = {rule.preset for rule in point_rules.listed(store)}
    return [
        {"name": name, "rules": len(rules(name)), "in_force": name in there, "about": title}
        for name, title in titles().items()
    ]


def outlook(store: Store, name: str) -> list[Change]:
    """What putting a preset in force changes: the rules of the one before go, a company's own stay.

    Raises UnknownName; UsageError where a rule of the company's own has the name of one of the preset's.
    """
    own = {rule.name.casefold(): rule for rule in point_rules.listed(store) if rule.preset is None}
    wanted = rules(name)
    for rule in wanted:
        if rule.name.casefold() in own:
            raise UsageError(
                f"there is a rule {rule.name!r} of your own, and the preset {name} has one of that name",
                hint=f'macli points rule edit "{rule.name}" --rename "our {rule.name}"',
            )
    changes = rule_sets.outlook(store, [*wanted, *own.values()])
    return [change for change in changes if change.rule.preset is not None]
