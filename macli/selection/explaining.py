"""How a rule is read, what SQL it comes to, and how the store goes about that."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from macli import rules
from macli.model import Where
from macli.selection.conditions import segment_where, where_of
from macli.selection.knowing import vocabulary
from macli.store import Store


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A rule taken apart."""

    rule: str
    tree: tuple[str, ...]
    where: Where
    plan: tuple[str, ...]

    def text(self) -> str:
        """All of it, for people."""
        params = (f"  :{name} = {value!r}" for name, value in self.where.params.items())
        return "\n".join(
            (
                "Rule",
                *(f"  {line}" for line in self.tree),
                "",
                "SQL",
                *(f"  {line}" for line in _broken(self.where.sql)),
                *params,
                "",
                "Plan",
                *(f"  {line}" for line in self.plan),
            )
        )


def explain(store: Store, rule_or_name: str, now: datetime, zone: ZoneInfo) -> Explained:
    """Take a rule apart, or the rule of the segment of that name. Raises RuleError.

    NotPermitted where it is built on a segment the acting person may not see, whose rule the SQL would tell.
    """
    known = replace(vocabulary(store), within=None)
    segment = known.segments.get(rule_or_name.strip().casefold())
    if segment is None:
        text, where = rule_or_name, where_of(store, rule_or_name, now, zone, known=known)
    else:
        text = segment.rule or f"in segment {rules.quote(segment.name)}"
        where = segment_where(store, segment.id, now, zone, known=known)
    rule = rules.parse(text)
    return Explained(rule=str(rule), tree=tuple(rules.outline(rule)), where=where, plan=tuple(plan(store, where)))


def _broken(sql: str) -> Iterator[str]:
    """The SQL in lines, one for each part of an outer AND or OR."""
    line, depth = "", 0
    for piece in re.split(r"( AND | OR |[()])", sql):
        if piece in (" AND ", " OR ") and depth < 4:
            yield line
            line = "  " * depth + piece.lstrip()
        else:
            depth += (piece == "(") - (piece == ")")
            line += piece
    yield line


def plan(store: Store, where: Where) -> list[str]:
    """How the engine goes about selecting the contacts, a line a step."""
    rows = store.rows(store.dialect.plan(f"SELECT contacts.id FROM contacts WHERE {where.sql}"), where.params)
    depth: dict[int, int] = {}
    lines = []
    for row in rows:
        depth[row["id"]] = depth.get(row["parent"], -1) + 1
        lines.append(f"{'  ' * depth[row['id']]}{row['detail']}")
    return lines
