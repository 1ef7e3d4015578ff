"""Yes and no on a channel: written to the consent log with its evidence, and told where it really changes."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from macli import events
from macli.address import fold_json
from macli.clock import to_ms
from macli.errors import UsageError
from macli.store import Store, consents, settings
from macli.store.consents import Basis

_NAMES = {"granted": "consent.granted", "withdrawn": "consent.withdrawn", "pending": "consent.requested"}


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
    """The contacts ``ids`` selects said no on the channel; how many had not said so before.

    A no to the whole channel is also a no to the topics the contact said yes to before.
    """
    consents.check_channel(channel)
    said = _said(now, channel, topic, source, evidence)
    with store.write():
        after = consents.last(store)
        consents.say_no(store, to_ms(now), _NO.format(ids=ids), {**params, **said})
        return tell(store, now, after)


_NO = """
SELECT contacts.id AS contact_id, :door_channel AS channel, :door_topic AS topic, :door_source AS source,
  :door_evidence AS evidence, :door_now AS at
FROM contacts
WHERE contacts.id IN ({ids})
"""


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
    basis: Basis = "consent",
    confirmed: bool = False,
    lasts: timedelta | None = None,
) -> int:
    """The contacts ``ids`` selects said yes on the channel; how many had not said so before.

    ``lasts`` is how long the yes holds, as the setting consent.lasts says where None. A yes said again is
    not told; it can confirm the one before, make it hold longer and give it a better basis, never less.
    An address suppressed only because its owner had said no is free again, unless the yes is to a topic only.
    """
    consents.check_channel(channel)
    if lasts is not None and lasts <= timedelta(0):
        raise UsageError("a yes cannot end before it is said", hint="for example --expires 'in 2 years'")
    with store.write():
        lasts = lasts or settings.get(store, "consent.lasts")
        said = {
            **_said(now, channel, topic, source, evidence),
            "door_basis": consents.check_basis(basis),
            "door_confirmed": to_ms(now) if confirmed else None,
            "door_expires": None if lasts is None else to_ms(now + lasts),
        }
        after = consents.last(store)
        store.execute(_RENEW.format(ids=ids), {**params, **said})
        renewed = consents.last(store)
        store.execute(_GRANT.format(ids=ids), {**params, **said})
        consents.take_over(store, after)
        if not topic:
            store.execute(_FREE.format(column=_column(channel), ids=ids), {**params, "door_channel": channel})
        return tell(store, now, renewed)


_YES = """
INSERT INTO consent_log (
  contact_id, channel, topic, status, basis, source, evidence, said_at, confirmed_at, expires_at
)
SELECT contacts.id, :door_channel, :door_topic, 'granted', :door_basis, :door_source, :door_evidence, :door_now,
"""

_OVERRULED = """
EXISTS (
  SELECT 1
  FROM consents AS of_all
  WHERE held.topic <> ''
    AND of_all.contact_id = held.contact_id
    AND of_all.channel = held.channel
    AND of_all.topic = ''
    AND of_all.status = 'withdrawn'
    AND of_all.changed_at >= held.changed_at
)
"""

_RENEW = f"""{_YES}
  coalesce(held.confirmed_at, :door_confirmed),
  CASE WHEN held.expires_at > :door_expires THEN held.expires_at
    WHEN held.expires_at IS NOT NULL THEN :door_expires
  END
FROM consents AS held
JOIN contacts ON contacts.id = held.contact_id
WHERE held.contact_id IN ({{ids}})
  AND held.channel = :door_channel
  AND held.topic = :door_topic
  AND held.status = 'granted'
  AND (held.expires_at IS NULL OR held.expires_at > :door_now)
  AND NOT {_OVERRULED}
  AND (held.basis = :door_basis OR :door_basis = 'consent')
  AND (
    held.basis <> :door_basis
    OR (held.confirmed_at IS NULL AND :door_confirmed IS NOT NULL)
    OR (held.expires_at IS NOT NULL AND (:door_expires IS NULL OR :door_expires > held.expires_at))
  )
"""

# A yes that has expired, or that a no to everything ended, is said anew. What expired was confirmed all the same.
_GRANT = f"""{_YES}
  coalesce(CASE WHEN held.status = 'granted' AND NOT {_OVERRULED} THEN held.confirmed_at END, :door_confirmed),
  :door_expires
FROM contacts
LEFT JOIN consents AS held ON held.contact_id = contacts.id
  AND held.channel = :door_channel
  AND held.topic = :door_topic
WHERE contacts.id IN ({{ids}})
  AND (held.status IS DISTINCT FROM 'granted' OR held.expires_at <= :door_now OR {_OVERRULED})
"""

_FREE = """
DELETE FROM suppressions
WHERE channel = :door_channel
  AND reason = 'opted_out'
  AND address IN (SELECT {column} FROM contacts WHERE id IN ({ids}))
"""


def tell(store: Store, now: datetime, after: int) -> int:
    """Tell the tick and the log of events what the consent log says behind ``after``; of how many contacts."""
    last = consents.last(store)
    behind = {"after": after, "last": last}
    store.execute(_TOUCH, {**behind, "now": to_ms(now)})
    for row in store.rows(_KINDS, behind):
        about = {"channel": row["channel"], "topic": row["topic"]}
        events.record_select(
            store,
            now,
            name=_NAMES[row["status"]],
            source=row["source"],
            select=_HAPPENED,
            params={**behind, **dict(row), "now": to_ms(now), "properties": json.dumps(about, ensure_ascii=False)},
            folded=fold_json(about),
        )
    return int(store.value(_HOW_MANY, behind))


_TOUCH = """
UPDATE contacts
SET updated_at = :now
WHERE id IN (SELECT contact_id FROM consent_log WHERE id > :after AND id <= :last)
"""

_KINDS = """
SELECT DISTINCT channel, topic, status, source
FROM consent_log
WHERE id > :after
  AND id <= :last
"""

_HAPPENED = """
SELECT contact_id, :now AS at, NULL AS source_id, :properties AS properties, NULL AS send_id,
  NULL AS campaign_id
FROM consent_log
WHERE id > :after
  AND id <= :last
  AND channel = :channel
  AND topic = :topic
  AND status = :status
  AND source = :source
"""

_HOW_MANY = """
SELECT count(DISTINCT contact_id)
FROM consent_log
WHERE id > :after
  AND id <= :last
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
    return "phone" if channel == "sms" else "email"


def _said(
    now: datetime, channel: str, topic: str, source: str, evidence: Mapping[str, Any] | None
) -> dict[str, str | int]:
    return {
        "door_channel": channel,
        "door_topic": consents.topic_key(topic),
        "door_source": source,
        "door_evidence": json.dumps(dict(evidence or {}), ensure_ascii=False),
        "door_now": to_ms(now),
    }
