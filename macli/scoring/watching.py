"""Watched values of scores: which changes of a batch come to one, past one, or are above one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from macli.address import fold_json
from macli.effects.base import Caused
from macli.store import Store
from macli.store.scopes import Scope
from macli.store.score_marks import Kind

SOURCE = "macli:points"


@dataclass(frozen=True, kw_only=True)
class Watch:
    """The event that tells of a mark, and when: ``comes`` is a condition on ``changes`` and ``marks``."""

    event: str
    comes: str
    meaning: str


WATCHES: Mapping[Kind, Watch] = {
    "reached": Watch(
        event="score.reached",
        comes="changes.score = marks.points AND changes.old <> marks.points",
        meaning="the score is now exactly the value, from below or above",
    ),
    "crossed": Watch(
        event="score.crossed",
        comes="changes.old < marks.points AND changes.score >= marks.points",
        meaning="the score rose to the value or past it",
    ),
    "exceeded": Watch(
        event="score.exceeded",
        comes="changes.score > marks.points",
        meaning="every change that leaves the score above the value; first = true: only the one that passes it",
    ),
    "at_least": Watch(
        event="tag.scored",
        comes="changes.score >= marks.points",
        meaning="every change that leaves the points for the tag at the value or above",
    ),
}


def watched(store: Store, source_id: str | None = None) -> Iterator[Caused]:
    """The events that the changes in ``score_changes`` bring about, by the marks there are.

    ``source_id`` is an SQL expression over ``changes`` and ``marks``; what an event brought happens once.
    """
    met = " OR ".join(f"(marks.kind = '{kind}' AND {watch.comes})" for kind, watch in WATCHES.items())
    for row in store.rows(_MET.format(met=met)):
        kind: Kind = row["kind"]
        scope = Scope(kind=row["scope_kind"], name=row["name"])
        told = {"tag": scope.name} if kind == "at_least" else {"scope": str(scope)}
        facts = {"value": "marks.points", "old": "changes.old", "score": "changes.score"}
        properties = store.dialect.json_of(**{key: f":{key}" for key in told}, **facts)
        if kind == "exceeded":
            properties = store.dialect.json_merge(properties, _FIRST)
        yield Caused(
            name=WATCHES[kind].event,
            source=SOURCE,
            select=_TOLD.format(
                properties=properties,
                source_id=source_id or _SOURCE_ID,
                comes=WATCHES[kind].comes,
            ),
            params={**told, "watched_kind": kind, "watched_scope": row["scope_id"]},
            folded=fold_json(told),
        )


_FIRST = """CASE WHEN changes.old <= marks.points THEN '{"first": true}' ELSE '{"first": false}' END"""

_SOURCE_ID = "marks.kind || ':' || changes.event || ':' || changes.scope_id || ':' || marks.points"

# Most changes come to no mark: one question tells.
_MET = """
SELECT DISTINCT marks.kind, marks.scope_id, scopes.kind AS scope_kind, scopes.name
FROM score_changes AS changes
JOIN score_marks AS marks ON marks.scope_id = changes.scope_id
JOIN scopes ON scopes.id = marks.scope_id
WHERE {met}
ORDER BY marks.scope_id, marks.kind
"""

_TOLD = """
SELECT changes.contact_id, changes.at, {source_id} AS source_id, {properties} AS properties, NULL AS send_id,
  NULL AS campaign_id
FROM score_changes AS changes
JOIN score_marks AS marks ON marks.scope_id = changes.scope_id
WHERE marks.scope_id = :watched_scope
  AND marks.kind = :watched_kind
  AND {comes}
ORDER BY changes.contact_id, changes.at, changes.event
"""
