"""What was due while nothing ran: a campaign that is too late pauses and asks, it does not catch up blindly.

A machine that was off, or a backup brought back, finds this morning's campaign due. Nobody but a
person knows whether it was sent from elsewhere, or whether anybody wants it now.
"""

from datetime import timedelta

from macli.clock import format_duration, from_ms, iso, to_ms
from macli.store import Row, campaign_states
from macli.tick.engine import Engine

ONCE = timedelta(hours=2)
OTHERWISE = timedelta(hours=24)
_LEAST_GAP = timedelta(minutes=10)
_MINUTE = timedelta(minutes=1)

_LAST_TICK = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'last_tick_at'"

_OVERDUE = """
SELECT campaigns.id, campaigns.name, campaigns.current_version, campaigns.state, campaigns.enrolled_at, (
         SELECT min(due)
         FROM (
           SELECT min(due_at) AS due
           FROM enrollments
           WHERE enrollments.campaign_id = campaigns.id
             AND ended_at IS NULL
             AND due_at < :before
           UNION ALL
           SELECT min(due_at)
           FROM sends
           WHERE sends.campaign_id = campaigns.id
             AND sends.state = 'planned'
             AND due_at < :before
           UNION ALL
           SELECT CASE
                    WHEN campaigns.enrolled_at IS NULL AND campaigns.start_at < :before THEN campaigns.start_at
                  END
         ) AS oldest
       ) AS oldest_at
FROM campaigns
WHERE campaigns.state IN ('scheduled', 'active')
"""


def pause_the_late(engine: Engine) -> list[str]:
    """Pause the live campaigns that are overdue because nothing ran; their names.

    While ticks run, nothing is late: a message that waits for a rate, a quiet hour or a retry waits
    on purpose. So only what became due in a gap between two ticks is looked at.
    """
    last = engine.store.value(_LAST_TICK)
    if last is None or engine.now - from_ms(last) < _LEAST_GAP:
        return []
    paused = []
    before = to_ms(engine.now - _LEAST_GAP)
    for row in engine.store.rows(_OVERDUE, {"before": before}):
        if row["oldest_at"] is None:
            continue
        allowed = _allowed(engine, row)
        if max(last, row["oldest_at"]) < to_ms(engine.now - allowed):
            late = format_duration(timedelta(minutes=(engine.now - from_ms(row["oldest_at"])) // _MINUTE))
            reason = f"late by {late}: nothing ran between {iso(last)} and now"
            campaign_states.pause_for_fault(engine.store, engine.now, row["id"], reason)
            paused.append(row["name"])
    return paused


def note_tick(engine: Engine) -> None:
    """Remember that a tick ran at this time."""
    with engine.store.write():
        engine.store.execute(
            """
            INSERT INTO meta (key, value)
            VALUES ('last_tick_at', :now)
            ON CONFLICT (key) DO UPDATE SET value = excluded.value
            """,
            {"now": str(to_ms(engine.now))},
        )


def _allowed(engine: Engine, row: Row) -> timedelta:
    from macli.campaign import loading

    campaign = loading.load(engine.store, row["id"], row["current_version"]).campaign
    if campaign.max_lateness:
        return campaign.max_lateness
    general: timedelta | None = engine.setting("max_lateness")
    # The news of the morning ages in hours; who is on the way through several steps can wait a day.
    entry = campaign.entry
    at_once = row["enrolled_at"] is None or len(campaign.steps) == 1
    broadcast = entry.kind == "once" and entry.every is None and at_once
    return general or (ONCE if broadcast else OTHERWISE)
