"""The states of campaigns: every move is one guarded statement that says no to an impossible one."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from macli.clock import to_ms
from macli.errors import OperationFailed
from macli.model import CampaignState
from macli.store.connection import Row, Store

_WHAT_HELPS: Mapping[CampaignState, str] = {
    "draft": "macli campaign activate {name!r} starts it",
    "scheduled": "macli campaign cancel {name!r} takes it back, pause {name!r} holds it",
    "active": "macli campaign pause {name!r} holds it, cancel {name!r} ends it",
    "paused": "macli campaign resume {name!r} goes on with it",
    "finished": "a campaign finishes once; macli export campaign {name!r} gives you a copy to start again",
    "cancelled": "macli export campaign {name!r} gives you a copy to start again",
}


def _move(
    store: Store, now: datetime, campaign: Row, verb: str, allowed: Sequence[CampaignState], change: str, **params: Any
) -> None:
    """One move, in the transaction of the caller."""
    placed = ", ".join(f"'{state}'" for state in allowed)
    moved = store.execute(
        f"""
        UPDATE campaigns
        SET {change}, updated_at = :now
        WHERE id = :id
          AND state IN ({placed})
        """,
        {"id": campaign["id"], "now": to_ms(now), **params},
    )
    if not moved:
        state = store.value("SELECT state FROM campaigns WHERE id = :id", {"id": campaign["id"]})
        raise OperationFailed(
            f"the campaign {campaign['name']!r} is {state}: it cannot be {verb}",
            hint=_WHAT_HELPS[state].format(name=campaign["name"]),
        )


def start(store: Store, now: datetime, campaign: Row, *, start_at: datetime | None, from_event: int) -> CampaignState:
    """Activate a draft, or let it wait for ``start_at``; events after ``from_event`` count."""
    waits = start_at is not None and start_at > now
    state: CampaignState = "scheduled" if waits else "active"
    with store.write():
        _move(
            store,
            now,
            campaign,
            "activated",
            ("draft", "scheduled"),
            """state = :state, start_at = :start, activated_at = CASE WHEN :state = 'active' THEN :now END,
               event_cursor = :cursor, swept_at = NULL, swept_all_at = NULL""",
            state=state,
            start=None if start_at is None else to_ms(start_at),
            cursor=from_event,
        )
    return state


def withdraw(store: Store, now: datetime, campaign: Row) -> None:
    """Make a campaign that waits for its start a draft again."""
    with store.write():
        _move(store, now, campaign, "withdrawn", ("scheduled",), "state = 'draft', start_at = NULL")


def pause(store: Store, now: datetime, campaign: Row, reason: str) -> None:
    """Hold a campaign: nobody comes in, nobody moves, nothing is sent."""
    with store.write():
        _move(
            store,
            now,
            campaign,
            "paused",
            ("scheduled", "active"),
            "paused_from = state, state = 'paused', pause_reason = :reason",
            reason=reason,
        )


def pause_for_fault(store: Store, now: datetime, campaign_id: int, reason: str) -> bool:
    """Hold a live campaign because something on our side is at fault; False where it is not live."""
    with store.write():
        return store.execute(_PAUSE_FOR_FAULT, {"id": campaign_id, "reason": reason, "now": to_ms(now)}) > 0


_PAUSE_FOR_FAULT = """
UPDATE campaigns
SET paused_from = state, state = 'paused', pause_reason = :reason, updated_at = :now
WHERE id = :id
  AND state IN ('scheduled', 'active')
"""


def resume(store: Store, now: datetime, campaign: Row) -> CampaignState:
    """Go on where the campaign was held; the state it is in now."""
    with store.write():
        _move(
            store,
            now,
            campaign,
            "resumed",
            ("paused",),
            "state = coalesce(paused_from, 'active'), paused_from = NULL, pause_reason = NULL",
        )
        state: CampaignState = store.value("SELECT state FROM campaigns WHERE id = :id", {"id": campaign["id"]})
    return state


def cancel(store: Store, now: datetime, campaign: Row) -> dict[str, int]:
    """End a campaign for good: what was planned is skipped, who is inside leaves; how many of each."""
    with store.write():
        _move(
            store,
            now,
            campaign,
            "cancelled",
            ("draft", "scheduled", "active", "paused"),
            "state = 'cancelled', finished_at = :now, paused_from = NULL, pause_reason = NULL",
        )
        params = {"id": campaign["id"], "now": to_ms(now)}
        return {"messages": store.execute(_SKIP_PLANNED, params), "contacts": store.execute(_END_ALL, params)}


_SKIP_PLANNED = """
UPDATE sends
SET state = 'skipped', reason = 'cancelled', settled_at = :now
WHERE campaign_id = :id
  AND state = 'planned'
"""

_END_ALL = """
UPDATE enrollments
SET ended_at = :now, ended_as = 'cancelled', due_at = NULL
WHERE campaign_id = :id
  AND ended_at IS NULL
"""


def look_at_all_again(store: Store, campaign_id: int) -> None:
    """Let the next tick look at every contact, not only at those that changed: the entry is another one."""
    with store.write():
        store.execute("UPDATE campaigns SET swept_all_at = NULL WHERE id = :id", {"id": campaign_id})


def move_inside(
    store: Store,
    now: datetime,
    campaign_id: int,
    *,
    old: int,
    new: int,
    keys: Mapping[str, str | None],
    sooner: Collection[str] = (),
    other_message: Collection[str] = (),
) -> dict[str, int]:
    """Move the contacts inside version ``old`` to ``new``: from each step to the step ``keys`` names.

    None ends their way. Whose message is on its way from a step that is there no more stays on the old
    version till then, and so does a planned one where the step of the same name, in ``other_message``, now
    sends something else. Steps in ``sooner`` may let go sooner than they did: who waits there is looked at again.
    How many stayed at their step (``same``), went to another one (``other``), ended.
    """
    found = {"same": 0, "other": 0, "ended": 0}
    with store.write():
        for key, target in keys.items():
            params = {
                "campaign": campaign_id,
                "old": old,
                "new": new,
                "key": key,
                "target": target,
                "now": to_ms(now),
                "sooner": int(key in sooner),
            }
            if key == target:
                found["same"] += store.execute(_MOVE_SAME, params)
                if key not in other_message:
                    store.execute(_MOVE_PLANNED, params)
            elif target is not None:
                found["other"] += store.execute(_MOVE_OTHER, params)
            else:
                found["ended"] += store.execute(_MOVE_OUT, params)
    return found


_AT_STEP = """
WHERE campaign_id = :campaign
  AND version = :old
  AND ended_at IS NULL
  AND step_id = (SELECT id FROM steps WHERE campaign_id = :campaign AND key = :key)
"""

_MOVE_SAME = f"""
UPDATE enrollments
SET version = :new, due_at = CASE WHEN :sooner = 1 AND due_at > :now THEN :now ELSE due_at END
{_AT_STEP}
"""

_MOVE_PLANNED = """
UPDATE sends
SET version = :new
WHERE campaign_id = :campaign
  AND step_id = (SELECT id FROM steps WHERE campaign_id = :campaign AND key = :key)
  AND version = :old
  AND state = 'planned'
"""

_MOVE_OTHER = f"""
UPDATE enrollments
SET version = :new, due_at = :now,
    step_id = (SELECT id FROM steps WHERE campaign_id = :campaign AND key = :target)
{_AT_STEP}
  AND due_at IS NOT NULL
"""

_MOVE_OUT = f"""
UPDATE enrollments
SET version = :new, due_at = NULL, ended_at = :now, ended_as = 'edited'
{_AT_STEP}
  AND due_at IS NOT NULL
"""


def plan_again(store: Store, now: datetime, campaign: Row) -> int:
    """Plan the messages again that surely reached nobody; how many. A finished campaign is active again."""
    params = {"campaign": campaign["id"], "now": to_ms(now)}
    with store.write():
        _move(
            store,
            now,
            campaign,
            "retried",
            ("active", "paused", "finished"),
            "state = CASE WHEN state = 'finished' THEN 'active' ELSE state END, finished_at = NULL",
        )
        store.execute(_REOPEN, params)
        return store.execute(_PLAN_AGAIN, params)


# Whose way ended because the message failed waits at that step for it again.
_REOPEN = """
UPDATE enrollments
SET ended_at = NULL, ended_as = NULL, due_at = NULL
WHERE campaign_id = :campaign
  AND ended_as = 'failed'
  AND EXISTS (
    SELECT 1
    FROM sends
    WHERE sends.campaign_id = enrollments.campaign_id
      AND sends.step_id = enrollments.step_id
      AND sends.contact_id = enrollments.contact_id
      AND sends.round = enrollments.round
      AND sends.state IN ('failed', 'rejected')
  )
"""

# Never unknown ones: they may have arrived. Never accepted or delivered ones: they did.
_PLAN_AGAIN = """
UPDATE sends
SET state = 'planned', reason = NULL, due_at = :now, attempts = 0, worker_id = NULL, provider_id = NULL,
    left_at = NULL, settled_at = NULL, address = NULL, template_version_id = NULL, code = NULL, reference = NULL
WHERE campaign_id = :campaign
  AND state IN ('failed', 'rejected')
"""
