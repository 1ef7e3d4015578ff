"""Addresses never to be written to again: bounced for good, complained about, no number for texts."""

from macli.effects.base import NEW, OUTWEIGHS, Caused, Effect, touch
from macli.store import Store


def suppress(channel: str, event: str, reason: str) -> Effect:
    """The address of each new event is suppressed on the channel, with the event's source."""

    def effect(store: Store, now_ms: int, first: int, last: int) -> list[Caused]:
        store.execute(
            f"""
            INSERT INTO suppressions (channel, address, reason, source, suppressed_at)
            SELECT :channel, address, :reason, source, at
            FROM (
              SELECT coalesce(sends.address, CASE :channel WHEN 'email' THEN contacts.email ELSE contacts.phone END)
                       AS address,
                     events.source AS source,
                     events.at AS at
              FROM events
              LEFT JOIN sends ON sends.id = events.send_id
              LEFT JOIN contacts ON contacts.id = events.contact_id
              WHERE {NEW}
            ) AS said
            WHERE address IS NOT NULL
            {OUTWEIGHS}
            """,
            {"channel": channel, "reason": reason, "event": event, "first": first, "last": last},
        )
        touch(store, now_ms, event, first, last)
        return []

    return effect
