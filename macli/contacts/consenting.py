"""Yes and no on a channel."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from macli.clock import to_ms
from macli.contacts.chosen import changed, choose
from macli.store import Store, consents


def withdraw_where(
    store: Store,
    now: datetime,
    ids: str,
    params: Mapping[str, Any],
    channel: str,
    source: str,
    *,
    topic: str = "",
    evidence: Mapping[str, Any] | None = None,
) -> int:
    """The contacts ``ids`` selects said no on the channel; how many had not said so before."""
    return _say(store, now, ids, params, "withdrawn", channel, topic, source, evidence)


def grant_where(
    store: Store,
    now: datetime,
    ids: str,
    params: Mapping[str, Any],
    channel: str,
    source: str,
    *,
    topic: str = "",
    evidence: Mapping[str, Any] | None = None,
) -> int:
    """The contacts ``ids`` selects said yes on the channel; how many had not said so before.

    An address suppressed only because its owner had said no is free again, unless the yes is to a topic only.
    """
    with store.write():
        chosen = _say(store, now, ids, params, "granted", channel, topic, source, evidence)
        if not topic:
            store.execute(_FREE.format(column=_column(channel), ids=ids), {**params, "door_channel": channel})
    return chosen


_FREE = """
DELETE FROM suppressions
WHERE channel = :door_channel
  AND reason = 'opted_out'
  AND address IN (SELECT {column} FROM contacts WHERE id IN ({ids}))
"""


def keep_noes(store: Store, now: datetime, ids: str, params: Mapping[str, Any], channel: str, source: str) -> None:
    """Where the contacts ``ids`` selects said no to the channel, their addresses say it from here on by themselves."""
    store.execute(
        _OUTLIVE.format(column=_column(channel), ids=ids),
        {**params, "door_channel": channel, "door_now": to_ms(now), "door_source": source},
    )


_OUTLIVE = """
INSERT INTO suppressions (channel, address, reason, source, suppressed_at)
SELECT :door_channel, contacts.{column}, 'opted_out', :door_source, :door_now
FROM consents
JOIN contacts ON contacts.id = consents.contact_id
WHERE consents.channel = :door_channel
  AND consents.topic = ''
  AND consents.status = 'withdrawn'
  AND contacts.{column} IS NOT NULL
  AND contacts.id IN ({ids})
ON CONFLICT (channel, address) DO NOTHING
"""


def _column(channel: str) -> str:
    return "email" if channel == "email" else "phone"


def _say(
    store: Store,
    now: datetime,
    ids: str,
    params: Mapping[str, Any],
    status: str,
    channel: str,
    topic: str,
    source: str,
    evidence: Mapping[str, Any] | None,
) -> int:
    consents.check_channel(channel)
    said = {"channel": channel, "topic": topic, "status": status}
    with store.write():
        chosen = choose(
            store,
            _UNSAID.format(ids=ids),
            {**params, **{f"door_{name}": value for name, value in said.items()}},
        )
        if chosen:
            proof = json.dumps(dict(evidence or {}), ensure_ascii=False)
            store.execute(_SAY, {**said, "source": source, "evidence": proof, "now": to_ms(now)})
            changed(store, now, f"consent.{status}", {"channel": channel, "topic": topic}, source)
    return chosen


_UNSAID = """
SELECT id, NULL
FROM contacts
WHERE id IN ({ids})
  AND NOT EXISTS (
    SELECT 1
    FROM consents
    WHERE consents.contact_id = contacts.id
      AND consents.channel = :door_channel
      AND consents.topic = :door_topic
      AND consents.status = :door_status
  )
"""

_SAY = """
INSERT INTO consents (contact_id, channel, topic, status, source, evidence, changed_at)
SELECT contact_id, :channel, :topic, :status, :source, :evidence, :now
FROM chosen
WHERE true
ON CONFLICT (contact_id, channel, topic) DO UPDATE
SET status = excluded.status, source = excluded.source, evidence = excluded.evidence,
  changed_at = excluded.changed_at
"""
