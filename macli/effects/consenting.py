"""What follows when a contact says no: the consent, the plan and the way through campaigns."""

import json

from macli.effects.base import NEW, Caused, Effect, touch
from macli.store import Store, consents


def withdraw(channel: str, event: str) -> Effect:
    """The contact said no on the channel: its consent is withdrawn, which is an event of its own."""

    column = "contacts.phone" if channel == "sms" else "contacts.email"

    def effect(store: Store, now_ms: int, first: int, last: int) -> list[Caused]:
        params = {"channel": channel, "event": event, "first": first, "last": last}
        after = consents.last(store)
        consents.say_no(store, now_ms, _SAID, params)
        said = {**params, "after": after, "until": consents.last(store)}
        touch(store, now_ms, event, first, last)
        # An address that is no contact's any more says no by itself: the contact was deleted, or has another.
        store.execute(
            f"""
            INSERT INTO suppressions (channel, address, reason, source, suppressed_at)
            SELECT :channel, sends.address, 'opted_out', events.source, events.at
            FROM events
            JOIN sends ON sends.id = events.send_id
            WHERE {NEW}
              AND sends.channel = :channel
              AND sends.address IS NOT NULL
              AND NOT EXISTS (
                SELECT 1
                FROM contacts
                WHERE contacts.id = events.contact_id
                  AND {column} = sends.address
              )
            ON CONFLICT (channel, address) DO NOTHING
            """,
            params,
        )
        # The cause's own id makes the consequence happen once, and the log says for whom anything changed.
        return [
            Caused(
                name="consent.withdrawn",
                source="macli:effect",
                select=_WITHDRAWN,
                params={**said, "properties": json.dumps({"channel": channel, "topic": ""})},
            )
        ]

    return effect


# What one contact said several times in a batch is said once.
_ONCE = f"""
  SELECT min(events.id)
  FROM events
  WHERE {NEW}
    AND events.contact_id IS NOT NULL
  GROUP BY events.contact_id
"""

_SAID = f"""
SELECT events.contact_id, :channel AS channel, '' AS topic, events.source, events.properties AS evidence, events.at
FROM events
WHERE events.id IN ({_ONCE})
"""

_WITHDRAWN = f"""
SELECT events.contact_id, events.at, 'withdrawn:' || events.id AS source_id, :properties AS properties,
  events.send_id, events.campaign_id
FROM events
JOIN consent_log ON consent_log.contact_id = events.contact_id
WHERE events.id IN ({_ONCE})
  AND consent_log.id > :after
  AND consent_log.id <= :until
"""


def hold_no(store: Store, now_ms: int, first: int, last: int) -> list[Caused]:
    """A no that another system tells of holds like any other; where it names no channel, on all of them.

    What macli's own doors tell is written down before: of that nothing is new here.
    """
    consents.say_no(store, now_ms, _TOLD, {"event": "consent.withdrawn", "first": first, "last": last})
    touch(store, now_ms, "consent.withdrawn", first, last)
    return []


_CHANNELS = " UNION ALL ".join(f"SELECT '{channel}' AS channel" for channel in consents.CHANNELS)

_TOLD = f"""
SELECT told.contact_id, told.channel, told.topic, events.source, events.properties AS evidence, events.at
FROM (
  SELECT min(events.id) AS id, events.contact_id, ways.channel,
    lower(coalesce(events.properties ->> 'topic', '')) AS topic
  FROM events
  JOIN ({_CHANNELS}) AS ways ON ways.channel = coalesce(events.properties ->> 'channel', ways.channel)
  WHERE {NEW}
    AND events.contact_id IS NOT NULL
  GROUP BY events.contact_id, ways.channel, lower(coalesce(events.properties ->> 'topic', ''))
) AS told
JOIN events ON events.id = told.id
"""


def cancel_sends(store: Store, now_ms: int, first: int, last: int) -> list[Caused]:
    """Who said no gets nothing that was only planned; what a worker holds is looked at again at the wire."""
    params = {"now": now_ms, "event": "consent.withdrawn", "first": first, "last": last}
    store.execute(_CANCEL.format(topic="= ''", about=""), params)
    if any(row["topic"] for row in store.rows(_TOPICS, params)):
        about = [
            {"campaign": row["campaign_id"], "version": row["number"], "topic": consents.topic_key(row["topic"])}
            for row in store.rows(_ABOUT)
        ]
        store.execute(_CANCEL.format(topic="<> ''", about=_OF_TOPIC), {**params, "about": json.dumps(about)})
    # The contacts' ways through their campaigns go on: tags and the like still work for who said no.
    store.execute(
        f"""
        UPDATE enrollments
        SET due_at = :now
        WHERE ended_at IS NULL
          AND due_at IS NULL
          AND contact_id IN (SELECT events.contact_id FROM events WHERE {NEW})
        """,
        params,
    )
    return []


_TOPICS = f"SELECT DISTINCT events.properties ->> 'topic' AS topic FROM events WHERE {NEW}"

_ABOUT = """
SELECT campaign_id, number, definition ->> 'topic' AS topic
FROM campaign_versions
WHERE definition ->> 'topic' IS NOT NULL
  AND campaign_id IN (SELECT id FROM campaigns WHERE state NOT IN ('finished', 'cancelled'))
"""

_CANCEL = f"""
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
      AND coalesce(events.properties ->> 'topic', '') {{topic}}
      {{about}}
  )
"""

# What a send is about its campaign says, in the version it was planned in or in the current one.
_OF_TOPIC = """
      AND EXISTS (
        SELECT 1
        FROM json_each(:about) AS about
        JOIN campaigns ON campaigns.id = about.value ->> 'campaign'
        WHERE campaigns.id = sends.campaign_id
          AND about.value ->> 'version' IN (sends.version, campaigns.current_version)
          AND about.value ->> 'topic' = events.properties ->> 'topic'
      )
"""
