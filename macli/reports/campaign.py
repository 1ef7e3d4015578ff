"""What a campaign reached, from the ledger and the event log, as SQL only."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from macli.reports.conversions import conversions
from macli.reports.reactions import APART, DID, reactions
from macli.store import Row, Store

_STEPS = """
SELECT steps.key AS step, sends.channel,
       count(*) AS planned,
       sum(CASE WHEN sends.state IN ('planned', 'claimed', 'sending') THEN 1 ELSE 0 END) AS waiting,
       sum(CASE WHEN sends.state IN ('accepted', 'delivered') THEN 1 ELSE 0 END) AS sent,
       sum(CASE WHEN sends.state = 'delivered' THEN 1 ELSE 0 END) AS delivered,
       sum(CASE WHEN sends.state = 'bounced' THEN 1 ELSE 0 END) AS bounced,
       sum(CASE WHEN sends.state IN ('rejected', 'failed') THEN 1 ELSE 0 END) AS failed,
       sum(CASE WHEN sends.state = 'unknown' THEN 1 ELSE 0 END) AS unknown,
       sum(CASE WHEN sends.state = 'skipped' THEN 1 ELSE 0 END) AS skipped,
       min(sends.left_at) AS first_left_at,
       max(sends.left_at) AS last_left_at
FROM sends
JOIN steps ON steps.id = sends.step_id
WHERE sends.campaign_id = :campaign
GROUP BY steps.id, steps.key, sends.channel
ORDER BY steps.id
"""

_REASONS = """
SELECT steps.key AS step, sends.state, coalesce(sends.reason, sends.code, '') AS reason, count(*) AS messages
FROM sends
JOIN steps ON steps.id = sends.step_id
WHERE sends.campaign_id = :campaign
  AND sends.state IN ('skipped', 'failed', 'rejected', 'bounced', 'unknown')
GROUP BY steps.id, steps.key, sends.state, coalesce(sends.reason, sends.code, '')
ORDER BY steps.id, messages DESC, reason
LIMIT 50
"""

_EVENTS = """
SELECT events.name AS event, count(*) AS times, count(DISTINCT events.contact_id) AS contacts
FROM events
JOIN sends ON sends.id = events.send_id
WHERE sends.campaign_id = :campaign
GROUP BY events.name
ORDER BY events.name
"""

_INSIDE = """
SELECT steps.key AS step, count(*) AS contacts, min(enrollments.due_at) AS next_due_at
FROM enrollments
JOIN steps ON steps.id = enrollments.step_id
WHERE enrollments.campaign_id = :campaign
  AND enrollments.ended_at IS NULL
GROUP BY steps.id, steps.key
ORDER BY steps.id
"""

_ENDED = """
SELECT ended_as, count(*) AS contacts
FROM enrollments
WHERE campaign_id = :campaign
  AND ended_at IS NOT NULL
  AND round > 0
GROUP BY ended_as
ORDER BY contacts DESC
"""

STEP_COLUMNS = (
    "step",
    "channel",
    "planned",
    "waiting",
    "sent",
    "delivered",
    "bounced",
    "failed",
    "unknown",
    "skipped",
)

LEFT = ("first_left_at", "last_left_at")
COLUMNS = (*STEP_COLUMNS, *LEFT, *DID[2:], *APART)


def report(store: Store, campaign: Row, *, now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """Everything about one campaign: by step, why messages did not arrive, what came back, who is where."""
    params = {"campaign": campaign["id"]}

    def records(sql: str) -> list[dict[str, Any]]:
        return [dict(zip(row.keys(), row, strict=True)) for row in store.rows(sql, params)]

    ended = {row["ended_as"]: row["contacts"] for row in store.rows(_ENDED, params)}
    inside = records(_INSIDE)
    return {
        "campaign": campaign["name"],
        "state": campaign["state"],
        "pause_reason": campaign["pause_reason"],
        "entered": sum(ended.values()) + sum(row["contacts"] for row in inside),
        "ended": ended,
        "steps": _with_reactions(store, campaign["id"], records(_STEPS)),
        "not_sent": records(_REASONS),
        "conversions": conversions(store, campaign, now=now, zone=zone),
        "came_back": records(_EVENTS),
        "inside": inside,
    }


def _with_reactions(store: Store, campaign_id: int, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The steps with what recipients did, which is None of a step from which nothing left."""
    did = {(row["step"], row["channel"]): row for row in reactions(store, campaign_id)}
    nothing = dict.fromkeys((*DID[2:], *APART))
    return [{**row, **nothing, **did.get((row["step"], row["channel"]), {})} for row in steps]
