"""Why a score is what it is: the points of contacts, rule by rule."""

from collections.abc import Iterable, Sequence
from typing import Any

from macli.scoring.bands import readiness
from macli.store import Store
from macli.store.scopes import GLOBAL, Scope

GIVEN = "given"
"""What stands in a rule's place where points were given by hand or by a campaign."""


def of(store: Store, ids: Iterable[int], scope_id: int | None = None) -> dict[int, list[dict[str, Any]]]:
    """For each contact, the rules that made its scores, in one scope or all: rule, scope, points, times, last_at.

    The weightiest first. ``times`` is how many events brought points; what decay took back is off ``points``
    already. A rule that is gone stands under its number.
    """
    found: dict[int, list[dict[str, Any]]] = {}
    numbers = ",".join(map(str, ids))
    for row in store.rows(_BY_RULE.format(ids=store.dialect.numbers(":ids")), {"ids": numbers, "scope": scope_id}):
        found.setdefault(row["contact_id"], []).append(
            {
                "rule": rule_name(row["rule"], row["name"]),
                "scope": str(Scope(kind=row["kind"], name=row["scope"])),
                **{name: row[name] for name in ("points", "times", "last_at")},
            }
        )
    return found


_BY_RULE = """
SELECT point_ledger.contact_id, point_ledger.rule, point_rules.name, scopes.kind, scopes.name AS scope,
  sum(point_ledger.points) AS points,
  sum(CASE WHEN point_ledger.part = 0 THEN 1 ELSE 0 END) AS times,
  max(CASE WHEN point_ledger.part = 0 THEN point_ledger.at END) AS last_at
FROM point_ledger
JOIN scopes ON scopes.id = point_ledger.scope_id
LEFT JOIN point_rules ON point_rules.id = point_ledger.rule
WHERE point_ledger.contact_id IN ({ids})
  AND point_ledger.scope_id = coalesce(:scope, point_ledger.scope_id)
GROUP BY point_ledger.contact_id, point_ledger.scope_id, point_ledger.rule, point_rules.name, scopes.kind, scopes.name
ORDER BY point_ledger.contact_id, abs(sum(point_ledger.points)) DESC, point_ledger.scope_id, point_ledger.rule
"""


def everything(store: Store, contact_id: int, most: int) -> dict[str, Any]:
    """A contact's readiness, scores, the rules that made the global one, and the last ``most`` rows of its ledger."""
    made = scores(store, contact_id)
    overall = next((row["score"] for row in made if row["scope"] == "global"), None)
    return {
        "readiness": readiness(store).of(overall),
        "scores": made,
        "why": of(store, (contact_id,)).get(contact_id, []),
        "ledger": last(store, contact_id, most),
    }


def scores(store: Store, contact_id: int) -> list[dict[str, Any]]:
    """A contact's score in every scope it has points in, the global first: scope, score, changed_at."""
    known = readiness(store)
    return [
        {
            "scope": str(Scope(kind=row["kind"], name=row["name"])),
            "score": known.shown(row["points"]),
            "changed_at": row["changed_at"],
        }
        for row in store.rows(_SCORES, {"contact": contact_id})
    ]


_SCORES = """
SELECT scopes.kind, scopes.name, scores.points, scores.changed_at
FROM scores
JOIN scopes ON scopes.id = scores.scope_id
WHERE scores.contact_id = :contact
ORDER BY scopes.kind <> 'global', scopes.kind, scopes.name_key
"""


def last(store: Store, contact_id: int, most: int, *, decay: bool = True) -> list[dict[str, Any]]:
    """The last rows of a contact's ledger, the latest first: at, points, scope, rule, event, why.

    ``event`` is the event's name, None where it was deleted; what time took back is the event ``decay``, and is
    left out where ``decay`` is False.
    """
    return [
        {
            "at": row["at"],
            "points": row["points"],
            "scope": str(Scope(kind=row["kind"], name=row["name"])),
            "rule": rule_name(row["rule"], row["rule_name"]),
            "event": row["event_name"] if row["part"] == 0 else "decay",
            "why": row["why"],
        }
        for row in store.rows(
            _LAST.format(why=store.dialect.json_text("events.properties", "why")),
            {"contact": contact_id, "most": most, "parts": _ALL_PARTS if decay else 0},
        )
    ]


_ALL_PARTS = 2**31 - 1

_LAST = """
SELECT point_ledger.at, point_ledger.points, point_ledger.rule, point_ledger.part, scopes.kind, scopes.name,
  point_rules.name AS rule_name, events.name AS event_name,
  CASE WHEN point_ledger.rule = 0 THEN {why} END AS why
FROM point_ledger
JOIN scopes ON scopes.id = point_ledger.scope_id
LEFT JOIN point_rules ON point_rules.id = point_ledger.rule
LEFT JOIN events ON events.id = point_ledger.event
WHERE point_ledger.contact_id = :contact
  AND point_ledger.part <= :parts
ORDER BY point_ledger.at DESC, point_ledger.event DESC, point_ledger.part DESC, point_ledger.scope_id,
  point_ledger.rule DESC
LIMIT :most
"""


def decayed(store: Store, contact_id: int) -> int:
    """What time took back of a contact's global points, and gave back of what was taken away."""
    return int(store.value(_DECAYED, {"contact": contact_id, "scope": GLOBAL}))


_DECAYED = """
SELECT coalesce(sum(points), 0)
FROM point_ledger
WHERE contact_id = :contact
  AND scope_id = :scope
  AND part > 0
"""


def of_rule(store: Store, rule_id: int) -> dict[str, Any]:
    """What came of a rule: times it gave points, contacts that got some, gave and decayed in all, last_at."""
    found = store.row(_OF_RULE, {"rule": rule_id})
    assert found is not None
    return {name: found[name] for name in ("times", "contacts", "gave", "decayed", "last_at")}


_OF_RULE = """
SELECT count(DISTINCT event) AS times, count(DISTINCT contact_id) AS contacts,
  coalesce(sum(CASE WHEN part = 0 THEN points ELSE 0 END), 0) AS gave,
  coalesce(sum(CASE WHEN part > 0 THEN points ELSE 0 END), 0) AS decayed,
  max(CASE WHEN part = 0 THEN at END) AS last_at
FROM point_ledger
WHERE rule = :rule
"""


def rule_name(number: int, name: str | None) -> str:
    """What a rule of the ledger is called."""
    return name or (GIVEN if number == 0 else f"rule {number}, removed")


def told(reasons: Sequence[dict[str, Any]], most: int = 3) -> str:
    """The weightiest reasons in a line: ``mail clicked +30 (3), page visited +4 (2)``."""
    return ", ".join(f"{one['rule']} {one['points']:+d} ({one['times']})" for one in reasons[:most])
