"""What follows when a contact says no: the consent, the plan and the way through campaigns."""

import json

from macli.effects.base import NEW, Caused, Effect, touch
from macli.store import Store


def withdraw(channel: str, event: str) -> Effect:
    """The contact said no on the channel: its consent is withdrawn, which is an event of its own."""

    def effect(store: Store, now_ms: int, first: int, last: int) -> list[Caused]:
        params = {"channel": channel, "event": event, "first": first, "last": last}
        store.execute(
            f"""
            INSERT INTO consents (contact_id, channel, topic, status, source, evidence, changed_at)
            SELECT contact_id, :channel, '', 'withdrawn', source, properties, at
            FROM events
            WHERE {NEW}
              AND contact_id IS NOT NULL
            ON CONFLICT (contact_id, channel, topic) DO UPDATE
              SET status = 'withdrawn', source = excluded.source, evidence = excluded.evidence,
                  changed_at = excluded.changed_at
              WHERE consents.status <> 'withdrawn'
            """,
            params,
        )
        touch(store, now_ms, event, first, last)
        # Of a contact deleted since, only the address is known: the no is kept by it.
        store.execute(
            f"""
            INSERT INTO suppressions (channel, address, reason, source, suppressed_at)
            SELECT :channel, sends.address, 'opted_out', events.source, events.at
            FROM events
            JOIN sends ON sends.id = events.send_id
            WHERE {NEW}
              AND events.contact_id IS NULL
              AND sends.address IS NOT NULL
            ON CONFLICT (channel, address) DO NOTHING
            """,
            params,
        )
        # The cause's own id makes the consequence happen once, however often it is looked at.
        return [
            Caused(
                name="consent.withdrawn",
                source="macli:effect",
                select=f"""
                SELECT contact_id, at, 'withdrawn:' || id AS source_id, :properties AS properties, send_id,
                       campaign_id
                FROM events
                WHERE {NEW}
                  AND contact_id IS NOT NULL
                """,
                params={**params, "properties": json.dumps({"channel": channel, "topic": ""})},
            )
        ]

    return effect


def cancel_sends(store: Store, now_ms: int, first: int, last: int) -> list[Caused]:
    """Who said no gets nothing that was only planned; what a worker holds is looked at again at the wire."""
    store.execute(
        f"""
        UPDATE sends
        SET state = 'skipped', reason = 'opted_out', settled_at = :now, address = NULL
        WHERE state = 'planned'
          AND purpose = 'campaign'
          AND contact_id IN (SELECT events.contact_id FROM events WHERE {NEW})
          AND EXISTS (
            SELECT 1
            FROM events
            WHERE {NEW}
              AND events.contact_id = sends.contact_id
              AND events.properties ->> 'channel' = sends.channel
              AND coalesce(events.properties ->> 'topic', '') = ''
          )
        """,
        {"now": now_ms, "event": "consent.withdrawn", "first": first, "last": last},
    )
    # The contacts' ways through their campaigns go on: tags and the like still work for who said no.
    store.execute(
        f"""
        UPDATE enrollments
        SET due_at = :now
        WHERE ended_at IS NULL
          AND due_at IS NULL
          AND contact_id IN (SELECT events.contact_id FROM events WHERE {NEW})
        """,
        {"now": now_ms, "event": "consent.withdrawn", "first": first, "last": last},
    )
    return []
