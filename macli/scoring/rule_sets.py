"""Sets of point rules: what putting one in the place of those there are changes, and doing so."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from macli.clock import to_ms
from macli.errors import OperationFailed, UsageError
from macli.scoring import wording
from macli.store import Store, point_rules
from macli.store.point_rules import PointRule

COLUMNS = ("change", "name", "event", "points", "with", "at_most", "active", "was")


@dataclass(frozen=True, kw_only=True)
class Change:
    """What becomes of one rule. A new one has the id it will get."""

    what: Literal["new", "changed", "same", "gone"]
    rule: PointRule
    before: PointRule | None = None

    def record(self) -> dict[str, Any]:
        """For people; see ``COLUMNS``."""
        now = wording.record(self.rule)
        was = None
        if self.what == "changed" and self.before is not None:
            old = wording.record(self.before)
            was = ", ".join(f"{key} {old[key]}" for key in now if old[key] != now[key])
        return {"change": self.what, **now, "was": was}


def outlook(store: Store, wanted: Iterable[PointRule]) -> list[Change]:
    """What changes where these are all the rules there are to be; a rule of the same name is the same rule."""
    there = {rule.name.casefold(): rule for rule in point_rules.listed(store)}
    by_name = {rule.name.casefold(): rule for rule in wanted}
    number = int(store.value(_LAST))
    found: list[Change] = []
    for key, rule in by_name.items():
        before = there.get(key)
        if before is None:
            number += 1
            found.append(Change(what="new", rule=replace(rule, id=number)))
        else:
            rule = replace(rule, id=before.id)
            found.append(Change(what="same" if rule == before else "changed", rule=rule, before=before))
    return found + [Change(what="gone", rule=rule) for key, rule in there.items() if key not in by_name]


# As point_rules.add counts.
_LAST = """
SELECT coalesce(max(number), 0)
FROM (
  SELECT max(id) AS number FROM point_rules
  UNION ALL
  SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'point_rules_last'
) AS given
"""


def told(changes: Sequence[Change]) -> str:
    """What changes, counted: ``rules: 4 new, 3 gone``."""
    counted: Counter[str] = Counter(change.what for change in changes)
    return f"rules: {', '.join(f'{counted[word]} {word}' for word in ('new', 'changed', 'gone') if counted[word])}"


def put(store: Store, now: datetime, changes: Sequence[Change]) -> None:
    """Do what ``outlook`` said, for events from now on.

    Raises OperationFailed where somebody else made a rule meanwhile.
    """
    with store.write():
        for change in changes:
            if change.what == "new" and point_rules.add(store, to_ms(now), change.rule) != change.rule.id:
                raise OperationFailed("the point rules changed meanwhile", hint="run the same command again")
            if change.what == "changed":
                point_rules.edit(store, to_ms(now), change.rule)
        for change in changes:
            if change.what == "gone":
                point_rules.remove(store, change.rule.id)


def read(store: Store, now: datetime, zone: ZoneInfo, file: Path) -> list[PointRule]:
    """The rules in a file that ``macli points rule list --json`` wrote. Raises UsageError."""
    import json

    try:
        written = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise UsageError(f"{file}: {error}", hint="macli points rule list --json writes such a file") from None
    if not isinstance(written, list) or not all(isinstance(one, dict) for one in written):
        raise UsageError(f"{file} is no list of rules", hint="macli points rule list --json writes such a file")
    found: dict[str, PointRule] = {}
    for place, one in enumerate(written, 1):
        try:
            rule = wording.from_record(store, now, zone, one)
        except UsageError as error:
            raise UsageError(f"{file}, rule {place}: {error.message}", hint=error.hint) from None
        if rule.name.casefold() in found:
            raise UsageError(f"{file}, rule {place}: there is another {rule.name!r}")
        found[rule.name.casefold()] = replace(rule, preset=one.get("preset"))
    return list(found.values())
