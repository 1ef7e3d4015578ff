"""What follows when mail does not arrive this time: after several times without a delivery, the address goes."""

from datetime import timedelta

from macli.effects.base import NEW, OUTWEIGHS, Caused, touch
from macli.store import Store, settings

ARRIVED_AFTER = timedelta(days=5)
"""A mail a server took, of which nobody said more for so long, has arrived: servers give up sooner."""


def suppress_after_several(store: Store, now_ms: int, first: int, last: int) -> list[Caused]:
    """Suppress the addresses of new soft bounces that reach the limit (setting ``bounces.soft_limit``)."""
    limit = settings.get(store, "bounces.soft_limit")
    if limit is None:
        return []
    changed = store.execute(
        _SUPPRESS,
        {
            "event": "email.soft_bounced",
            "first": first,
            "last": last,
            "limit": limit.count,
            "span": limit.span // timedelta(milliseconds=1),
            "arrived": now_ms - ARRIVED_AFTER // timedelta(milliseconds=1),
        },
    )
    if changed:
        touch(store, now_ms, "email.soft_bounced", first, last)
    return []


# Counted are the mails to the same address that bounced softly, of those that left after the last one
# that arrived: said to be delivered, opened, clicked, answered, or taken long ago without another word.
_SUPPRESS = f"""
INSERT INTO suppressions (channel, address, reason, source, suppressed_at)
SELECT 'email', sends.address, 'soft_bounced', events.source, events.at
FROM events
JOIN sends ON sends.id = events.send_id
WHERE {NEW}
  AND sends.address IS NOT NULL
  AND (
    SELECT count(DISTINCT bounced.send_id)
    FROM events AS bounced
    JOIN sends AS lost ON lost.id = bounced.send_id
    WHERE bounced.contact_id = events.contact_id
      AND bounced.name = 'email.soft_bounced'
      AND bounced.at > events.at - :span
      AND lost.address = sends.address
      AND lost.left_at > coalesce(
        (
          SELECT max(arrived.left_at)
          FROM sends AS arrived
          WHERE arrived.contact_id = events.contact_id
            AND arrived.address = sends.address
            AND arrived.channel = 'email'
            AND (
              arrived.state = 'delivered'
              OR (
                arrived.state = 'accepted'
                AND (
                  arrived.left_at < :arrived
                  OR EXISTS (
                    SELECT 1
                    FROM events AS answer
                    WHERE answer.send_id = arrived.id
                      AND answer.name IN ('email.opened', 'email.clicked', 'email.replied')
                  )
                )
              )
            )
        ),
        0
      )
  ) >= :limit
{OUTWEIGHS}
"""
