"""Who has most points: the contacts by score, with stage, readiness and the reasons."""

from typing import Any

from macli.errors import UnknownName
from macli.model import Where
from macli.reports import reasons
from macli.scoring.bands import readiness
from macli.store import Store, scopes
from macli.store.scopes import GLOBAL

COLUMNS = ("contact", "score", "readiness", "stage", "why")


def scope_id(store: Store, text: str) -> int:
    """The id of a scope in which something may have been counted. Raises UsageError, UnknownName."""
    scope = scopes.read(store, text)
    found = scopes.find(store, scope)
    if found is None:
        known = [str(scopes.Scope(kind=row["kind"], name=row["name"])) for row in scopes.all_(store)]
        raise UnknownName("scope of points", str(scope), known, hint="macli points scopes")
    return found


def top(store: Store, where: Where, scope_id: int, most: int) -> list[dict[str, Any]]:
    """The ``most`` contacts with the highest score in a scope: id, contact, score, readiness, stage, why.

    Readiness is of the global score, whichever scope is asked for. Who never had a point there is left out.
    """
    known = readiness(store)
    found = store.rows(
        _TOP.format(where=where.sql), {**where.params, "scope": scope_id, "global": GLOBAL, "most": most}
    )
    why = reasons.of(store, (row["id"] for row in found), scope_id)
    return [
        {
            "id": row["id"],
            "contact": row["contact"],
            "score": known.shown(row["points"]),
            "readiness": known.of(row["overall"]),
            "stage": row["stage"],
            "why": why.get(row["id"], []),
        }
        for row in found
    ]


# Where points are equal, by id backwards: so the index on scores has them in this order.
_TOP = """
SELECT contacts.id, coalesce(contacts.email, contacts.phone, contacts.external_id, '#' || contacts.id) AS contact,
  scores.points, overall.points AS overall, stages.name AS stage
FROM scores
JOIN contacts ON contacts.id = scores.contact_id
LEFT JOIN scores AS overall ON overall.contact_id = scores.contact_id AND overall.scope_id = :global
LEFT JOIN stage_stays ON stage_stays.contact_id = scores.contact_id AND stage_stays.left_at IS NULL
LEFT JOIN stages ON stages.id = stage_stays.stage_id
WHERE scores.scope_id = :scope
  AND {where}
ORDER BY scores.points DESC, scores.contact_id DESC
LIMIT :most
"""


def counted(store: Store) -> list[dict[str, Any]]:
    """What points are counted for: scope, contacts that have a score there, highest. The global one first."""
    return [
        {"scope": str(scopes.Scope(kind=row["kind"], name=row["name"])), **{key: row[key] for key in _SUMMED}}
        for row in store.rows(_SCOPES)
    ]


_SUMMED = ("contacts", "highest")

_SCOPES = """
SELECT scopes.kind, scopes.name, count(scores.contact_id) AS contacts, max(scores.points) AS highest
FROM scopes
LEFT JOIN scores ON scores.scope_id = scopes.id
GROUP BY scopes.id, scopes.kind, scopes.name, scopes.name_key
ORDER BY scopes.kind <> 'global', scopes.kind, scopes.name_key
"""
