"""Points given by hand or by a campaign: so many more, or until there are so many."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from macli import events
from macli.address import fold_json
from macli.clock import to_ms
from macli.contacts.chosen import choose
from macli.errors import UsageError
from macli.scoring import checking
from macli.scoring.promoting import promote
from macli.store import Store, scopes


def read(text: str) -> int:
    """A number of points as people write it. Raises UsageError."""
    if not re.fullmatch(r"[-+]?[0-9]{1,10}", text.strip(), re.ASCII):
        raise UsageError(f"{text!r} is no whole number of points", hint="for example 25 or -10")
    return scopes.checked(int(text))


def scope_id(store: Store, text: str) -> int:
    """The scope a text names; a group's or tag's is made where it is new. Inside a write.

    Raises UsageError, UnknownName.
    """
    return scopes.id_of(store, scopes.read(store, text))


def give_where(
    store: Store,
    now: datetime,
    ids: str,
    params: Mapping[str, Any],
    points: int,
    scope_id: int,
    source: str,
    *,
    why: str = "",
) -> int:
    """Give points (or take them, below 0) to the contacts ``ids`` selects; how many got any."""
    return _give(store, now, _GIVEN.format(ids=ids), {**params, "door_points": points}, scope_id, source, why)


_GIVEN = """
SELECT id, :door_points
FROM contacts
WHERE id IN ({ids})
  AND :door_points <> 0
"""


def set_where(
    store: Store,
    now: datetime,
    ids: str,
    params: Mapping[str, Any],
    points: int,
    scope_id: int,
    source: str,
    *,
    why: str = "",
) -> int:
    """Give the contacts ``ids`` selects what is missing to so many points; how many had others."""
    said = {**params, "door_points": points, "door_scope": scope_id}
    return _give(store, now, _MISSING.format(ids=ids), said, scope_id, source, why)


_MISSING = """
SELECT contacts.id, :door_points - coalesce(scores.points, 0)
FROM contacts
LEFT JOIN scores ON scores.contact_id = contacts.id AND scores.scope_id = :door_scope
WHERE contacts.id IN ({ids})
  AND coalesce(scores.points, 0) <> :door_points
"""


def _give(
    store: Store, now: datetime, select: str, params: Mapping[str, Any], scope_id: int, source: str, why: str
) -> int:
    scopes.checked(int(params["door_points"]))
    with store.write():
        chosen = choose(store, select, params)
        if chosen:
            said = {"scope": scopes.text_of(store, scope_id), "why": why}
            events.record_select(
                store,
                now,
                name="points.given",
                source=source,
                select=_HAPPENED.format(
                    properties=store.dialect.json_of(
                        points="CAST(old AS INTEGER)", scope=":said_scope", why=":said_why"
                    )
                ),
                params={"now": to_ms(now), "said_scope": said["scope"], "said_why": why},
                folded=fold_json(said),
            )
    return chosen


_HAPPENED = """
SELECT contact_id, :now AS at, NULL AS source_id, {properties} AS properties, NULL AS send_id,
  NULL AS campaign_id
FROM chosen
"""


def recompute(store: Store, now: datetime) -> checking.Recomputed:
    """Sum every score anew from its ledger, date the decay by the rules of now, and let what follows happen."""
    with store.write():
        done = checking.recompute(store, to_ms(now))
        events.record_caused(store, now, promote(store, to_ms(now), "points"))
    return done
