"""Enroll: who meets a campaign's entry comes in, each as often as the campaign allows.

A broadcast takes everyone at its start. An automatic campaign looks at all contacts when it begins
and then at those that changed, and at all of them now and again where its condition depends on the
time. A campaign on events reads the events behind its cursor.
"""

from collections.abc import Callable
from functools import partial

from macli.store import Row
from macli.tick import entering
from macli.tick.engine import Engine
from macli.tick.lookup import Lookup, Paused, guarded

_LIVE = """
SELECT *
FROM campaigns
WHERE (state = 'active' OR (state = 'scheduled' AND start_at <= :now))
  AND (:campaign IS NULL OR id = :campaign)
ORDER BY id
"""

_START = """
UPDATE campaigns
SET state = 'active', activated_at = coalesce(start_at, :now), updated_at = :now
WHERE id = :id
  AND state = 'scheduled'
"""


def enroll(
    engine: Engine, *, campaign_id: int | None = None, over: Callable[[], bool], paused: Paused | None = None
) -> int:
    """Let in whoever is to come in now, until it is ``over``; how many came in."""
    lookup = Lookup(engine=engine, now=engine.moment(), paused=paused)
    entered = 0
    for row in engine.store.rows(_LIVE, {"now": lookup.now_ms, "campaign": campaign_id}):
        if over():
            break
        if row["state"] == "scheduled":
            with engine.store.write():
                started = engine.store.execute(_START, {"now": lookup.now_ms, "id": row["id"]})
            if not started:  # somebody held it or took it back at the last moment
                continue
        entered += guarded(lookup, row["id"], partial(_let_in, lookup, row, over))
    return entered


def _let_in(lookup: Lookup, row: Row, over: Callable[[], bool]) -> int:
    kind = lookup.campaign(row["id"], row["current_version"]).entry.kind
    if kind == "event":
        return entering.by_event(lookup, row, over)
    if kind == "whenever":
        return entering.whenever(lookup, row, over)
    return entering.once(lookup, row, over)
