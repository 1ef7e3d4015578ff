"""Double opt-in: a yes that counts once the owner of the address has confirmed it."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from macli.clock import iso, to_ms
from macli.contacts.chosen import ONE, changed, choose
from macli.contacts.consenting import grant_where
from macli.store import Store, consents

_AGAIN = timedelta(minutes=10)
"""Nobody is asked twice within this time, however often a form is sent."""


def ask(
    store: Store,
    now: datetime,
    ids: str,
    params: Mapping[str, Any],
    channel: str,
    source: str,
    *,
    topic: str = "",
    evidence: Mapping[str, Any] | None = None,
    lowers: bool = True,
) -> int:
    """Ask the contacts ``ids`` selects to confirm their yes; how many are asked.

    Whoever confirmed it before is not asked. Until they confirm, a no stays a no and a yes that holds
    stays as it is: others can type their address too. Who never said anything gets nothing until then,
    but with ``lowers`` false, for contacts there were before a stranger asked in their name: these stay
    as they are. Told as consent.requested (channel, topic).
    """
    consents.check_channel(channel)
    about = {"channel": channel, "topic": consents.topic_key(topic)}
    facts = {
        **about,
        "source": source,
        "evidence": json.dumps(dict(evidence or {}), ensure_ascii=False),
        "now": to_ms(now),
    }
    with store.write():
        asking = {"door_" + name: value for name, value in about.items()} | {
            "door_now": to_ms(now),
            "door_again": to_ms(now - _AGAIN),
        }
        asked = choose(store, _UNCONFIRMED.format(ids=ids), {**params, **asking})
        if asked:
            after = consents.last(store)
            store.execute(_ASK, facts)
            if lowers:
                store.execute(_PENDING, {"after": after, "now": to_ms(now)})
            changed(store, now, "consent.requested", about, source)
    return asked


_UNCONFIRMED = """
SELECT contacts.id, NULL
FROM contacts
WHERE contacts.id IN ({ids})
  AND NOT EXISTS (
    SELECT 1
    FROM consents
    WHERE consents.contact_id = contacts.id
      AND consents.channel = :door_channel
      AND consents.topic = :door_topic
      AND consents.status = 'granted'
      AND consents.confirmed_at IS NOT NULL
      AND (consents.expires_at IS NULL OR consents.expires_at > :door_now)
      AND NOT EXISTS (
        SELECT 1
        FROM consents AS of_all
        WHERE of_all.contact_id = contacts.id
          AND of_all.channel = :door_channel
          AND of_all.topic = ''
          AND of_all.status = 'withdrawn'
          AND of_all.changed_at >= consents.changed_at
      )
  )
  AND NOT EXISTS (
    SELECT 1
    FROM events
    WHERE events.contact_id = contacts.id
      AND events.name = 'consent.requested'
      AND events.at > :door_again
      AND events.properties ->> 'channel' = :door_channel
      AND events.properties ->> 'topic' = :door_topic
  )
"""

_ASK = """
INSERT INTO consent_log (contact_id, channel, topic, status, basis, source, evidence, said_at)
SELECT contact_id, :channel, :topic, 'pending', 'consent', :source, :evidence, :now
FROM chosen
"""

# What stands is left standing. A topic nobody spoke of stands as the whole channel does.
_PENDING = """
INSERT INTO consents (contact_id, channel, topic, status, basis, source, evidence, changed_at)
SELECT asked.contact_id, asked.channel, asked.topic, asked.status, asked.basis, asked.source, asked.evidence,
  asked.said_at
FROM consent_log AS asked
WHERE asked.id > :after
  AND NOT EXISTS (
    SELECT 1
    FROM consents AS of_all
    WHERE of_all.contact_id = asked.contact_id
      AND of_all.channel = asked.channel
      AND of_all.topic = ''
      AND of_all.status = 'granted'
      AND (of_all.expires_at IS NULL OR of_all.expires_at > :now)
  )
ON CONFLICT (contact_id, channel, topic) DO UPDATE
SET status = excluded.status, basis = excluded.basis, source = excluded.source, evidence = excluded.evidence,
  changed_at = excluded.changed_at, confirmed_at = NULL, expires_at = NULL
WHERE consents.status = 'pending'
   OR (consents.status = 'granted' AND consents.expires_at <= :now)
"""


def hold(store: Store, now: datetime, contact_id: int, source: str) -> None:
    """A stranger brought a removed contact back: it gets nothing on an old yes until its owner says one anew."""
    with store.write():
        consents.hold(store, contact_id, to_ms(now), json.dumps({"by": source}, ensure_ascii=False))


def confirm(
    store: Store,
    now: datetime,
    contact_id: int,
    channel: str,
    source: str,
    *,
    evidence: Mapping[str, Any] | None = None,
) -> int:
    """The contact confirmed what it was asked on the channel; how many consents that were.

    Each keeps both steps as its evidence. An address that was never to be written to only because its owner
    had said no is free for what was confirmed.
    """
    one = {"one_contact": contact_id}
    with store.write():
        asked = consents.asked(store, contact_id, channel)
        if asked:
            _know_again(store, contact_id, channel)
        if asked and all(row["topic"] for row in asked):
            _take_no_back(store, contact_id, channel)
        for row in asked:
            step = {"at": iso(row["said_at"]), "source": row["source"], **json.loads(row["evidence"])}
            both = {"asked": step, "confirmed": {"at": iso(to_ms(now)), **dict(evidence or {})}}
            grant_where(store, now, ONE, one, channel, source, topic=row["topic"], evidence=both, confirmed=True)
    return len(asked)


def _know_again(store: Store, contact_id: int, channel: str) -> None:
    """An address known by its hash alone is in plain words again, now that its owner came back."""
    params = {"contact_id": contact_id, "channel": channel}
    store.execute(_KNOWN, params)
    store.execute(_HASH_GONE, params)


_HASHED = """
  FROM suppression_hashes
  WHERE channel = :channel
    AND reason = 'opted_out'
    AND hash = (
      SELECT address_hash(:channel, CASE :channel WHEN 'sms' THEN contacts.phone ELSE contacts.email END)
      FROM contacts
      WHERE contacts.id = :contact_id
    )
"""

_KNOWN = f"""
INSERT INTO suppressions (channel, address, reason, source, suppressed_at)
SELECT channel, (
    SELECT CASE :channel WHEN 'sms' THEN contacts.phone ELSE contacts.email END
    FROM contacts
    WHERE contacts.id = :contact_id
  ), reason, source, suppressed_at
{_HASHED}
ON CONFLICT (channel, address) DO NOTHING
"""

_HASH_GONE = f"DELETE {_HASHED}"


def _take_no_back(store: Store, contact_id: int, channel: str) -> None:
    """What the address alone says, since its contact was deleted, this contact says from here on: then a yes to
    a topic is one, and a no to the rest."""
    params = {"contact_id": contact_id, "channel": channel}
    after = consents.last(store)
    store.execute(_INHERIT, params)
    consents.take_over(store, after)
    store.execute(_FORGET, params)


_ADDRESSED = """
  FROM suppressions
  JOIN contacts ON contacts.id = :contact_id
  WHERE suppressions.channel = :channel
    AND suppressions.reason = 'opted_out'
    AND suppressions.address = CASE :channel WHEN 'sms' THEN contacts.phone ELSE contacts.email END
"""

_INHERIT = f"""
INSERT INTO consent_log (contact_id, channel, topic, status, basis, source, said_at)
SELECT contacts.id, :channel, '', 'withdrawn', 'consent', suppressions.source, suppressions.suppressed_at
{_ADDRESSED}
  AND NOT EXISTS (
    SELECT 1
    FROM consents
    WHERE consents.contact_id = contacts.id
      AND consents.channel = :channel
      AND consents.topic = ''
  )
"""

_FORGET = f"""
DELETE FROM suppressions
WHERE id IN (
  SELECT suppressions.id
  {_ADDRESSED}
)
"""
