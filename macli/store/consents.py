"""Consents: what a contact said about a channel and a topic, when, and how we know.

The log has every yes and no as it was said and is never changed; ``consents`` is what holds now.
Whatever is said is written to the log first and taken over from there.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

from macli.errors import UnknownName, UsageError
from macli.store.connection import Row, Store

CHANNELS = ("email", "sms", "push")
STATUSES = ("granted", "withdrawn", "pending")

Basis = Literal["consent", "soft_opt_in", "legitimate_interest", "contract", "legal_obligation"]
BASES: Mapping[Basis, str] = {
    "consent": "the contact said yes",
    "soft_opt_in": "a customer who was told and could say no when buying",
    "legitimate_interest": "an interest of ours that outweighs theirs, written down elsewhere",
    "contract": "a contract with the contact asks for it",
    "legal_obligation": "a law asks for it",
}
"""On what ground a contact may be written to."""

_ALL = 2**62


def check_channel(channel: str) -> str:
    """The channel, where one can say yes or no on it. Raises UnknownName."""
    if channel not in CHANNELS:
        raise UnknownName("channel", channel, CHANNELS, hint=f"one of {', '.join(CHANNELS)}")
    return channel


def check_basis(basis: str) -> Basis:
    """The lawful basis of that name. Raises UnknownName."""
    if basis not in BASES:
        raise UnknownName("basis", basis, BASES, hint=f"one of {', '.join(BASES)}")
    return cast(Basis, basis)


def check_topic(store: Store, topic: str) -> str:
    """The key of a topic that is there, or of which contacts have spoken; '' for all. Raises UnknownName."""
    key = topic_key(topic)
    if key and store.value(_SPOKEN_OF, {"key": key}) is None:
        known = (row["name"] for row in store.rows("SELECT name FROM topics"))
        raise UnknownName("topic", topic, known, hint=f"macli topic create {topic!r} makes it")
    return key


_SPOKEN_OF = """
SELECT 1
WHERE EXISTS (SELECT 1 FROM topics WHERE name_key = :key)
   OR EXISTS (SELECT 1 FROM consents WHERE topic = :key)
"""


def topic_key(topic: str) -> str:
    """A topic as consents name it; '' is everything on the channel."""
    return " ".join(topic.split()).casefold()


def of(store: Store, contact_id: int) -> list[Row]:
    """Everything one contact said."""
    return store.rows(_OF.format(source=store.source("source")), {"contact_id": contact_id})


_OF = """
SELECT channel, topic, status, basis, {source} AS source, evidence, changed_at, confirmed_at, expires_at
FROM consents
WHERE contact_id = :contact_id
ORDER BY channel, topic
"""


def readable(row: Row) -> dict[str, Any]:
    """A consent or an entry of the log with its evidence read."""
    return {**dict(row), "evidence": json.loads(row["evidence"])}


def last(store: Store) -> int:
    """The number of the log's last entry; what is written next stands behind it."""
    return int(store.value("SELECT coalesce(max(id), 0) FROM consent_log"))


def say_no(store: Store, now_ms: int, said: str, params: Mapping[str, Any]) -> None:
    """Write down a no of each who had not said it, or who said yes to a topic since.

    ``said`` is a query of contact_id, channel, topic, source, evidence, at, each contact, channel and
    topic once. Runs inside ``write``.
    """
    after = last(store)
    store.execute(_LOG_NO.format(said=said), {**params, "no_now": now_ms})
    take_over(store, after)


# A clock that was set back must not make a no older than the yes before it: it is as late as what was said
# in what is the future now.
_LOG_NO = """
INSERT INTO consent_log (contact_id, channel, topic, status, basis, source, evidence, said_at)
SELECT said.contact_id, said.channel, said.topic, 'withdrawn', coalesce(held.basis, 'consent'), said.source,
  said.evidence, coalesce(
    (
      SELECT max(ahead.changed_at)
      FROM consents AS ahead
      WHERE ahead.contact_id = said.contact_id
        AND ahead.channel = said.channel
        AND ahead.changed_at > :no_now
    ),
    said.at
  )
FROM ({said}) AS said
LEFT JOIN consents AS held ON held.contact_id = said.contact_id
  AND held.channel = said.channel
  AND held.topic = said.topic
WHERE held.status IS DISTINCT FROM 'withdrawn'
   OR EXISTS (
     SELECT 1
     FROM consents AS since
     WHERE said.topic = ''
       AND since.contact_id = said.contact_id
       AND since.channel = said.channel
       AND since.status = 'granted'
       AND since.changed_at > held.changed_at
       AND (since.changed_at <= said.at OR since.changed_at > :no_now)
   )
"""


def take_over(store: Store, after: int) -> None:
    """Make what the log says behind ``after`` what holds now. Runs inside ``write``."""
    store.execute(_TAKE_OVER, {"after": after})


_TAKE_OVER = """
INSERT INTO consents (
  contact_id, channel, topic, status, basis, source, evidence, changed_at, confirmed_at, expires_at
)
SELECT contact_id, channel, topic, status, basis, source, evidence, said_at, confirmed_at, expires_at
FROM consent_log
WHERE id > :after
  AND contact_id IS NOT NULL
ORDER BY id
ON CONFLICT (contact_id, channel, topic) DO UPDATE
SET status = excluded.status, basis = excluded.basis, source = excluded.source, evidence = excluded.evidence,
  changed_at = excluded.changed_at, confirmed_at = excluded.confirmed_at, expires_at = excluded.expires_at
"""


HELD = "readded"
"""The source of what waits for its owner's word: a stranger's brought the contact back, and nobody was asked."""


def hold(store: Store, contact_id: int, now_ms: int, evidence: str) -> None:
    """Nothing but a no holds any longer for a contact, until it says so anew. Runs inside ``write``."""
    facts = {"contact_id": contact_id, "now": now_ms, "source": HELD, "evidence": evidence}
    after = last(store)
    store.execute(_HOLD, facts)
    take_over(store, after)


_HOLD = """
INSERT INTO consent_log (contact_id, channel, topic, status, basis, source, evidence, said_at)
SELECT :contact_id, held.channel, held.topic, 'pending', 'consent', :source, :evidence, :now
FROM (
  SELECT channel, topic
  FROM consents
  WHERE contact_id = :contact_id
  UNION
  SELECT 'email', ''
  UNION
  SELECT 'sms', ''
) AS held
WHERE NOT EXISTS (
  SELECT 1
  FROM consents AS said
  WHERE said.contact_id = :contact_id
    AND said.channel = held.channel
    AND said.topic = held.topic
    AND said.status = 'withdrawn'
)
"""


def asked(store: Store, contact_id: int, channel: str) -> list[Row]:
    """What the contact was asked to confirm and neither confirmed nor refused since."""
    return store.rows(_ASKED, {"contact_id": contact_id, "channel": channel, "held": HELD})


_ASKED = """
SELECT asked.topic, asked.source, asked.evidence, asked.said_at, coalesce(topics.title, asked.topic) AS title
FROM consent_log AS asked
LEFT JOIN topics ON topics.name_key = asked.topic
WHERE asked.contact_id = :contact_id
  AND asked.channel = :channel
  AND asked.status = 'pending'
  AND asked.source <> :held
  AND NOT EXISTS (
    SELECT 1
    FROM consent_log AS later
    WHERE later.contact_id = asked.contact_id
      AND later.channel = asked.channel
      AND later.topic = asked.topic
      AND later.id > asked.id
  )
ORDER BY asked.topic
"""

LOG_COLUMNS = (
    "id",
    "said_at",
    "contact",
    "channel",
    "topic",
    "status",
    "basis",
    "source",
    "confirmed_at",
    "expires_at",
    "evidence",
)


def log(
    store: Store, *, contact_id: int | None = None, since: int | None = None, limit: int | None = None
) -> Iterator[dict[str, Any]]:
    """The log, the latest first. Whoever was deleted since is known by a hash at most."""
    conditions = ["contact_id = :contact_id"] if contact_id is not None else []
    if since is not None:
        conditions.append("said_at >= :since")
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    params = {"contact_id": contact_id, "since": since, "limit": _ALL if limit is None else limit}
    statement = _LOG.format(where=where, source=store.source("entry.source"))
    return (readable(row) for row in store.stream(statement, params))


_LOG = """
SELECT entry.id, entry.said_at,
  coalesce(contacts.email, contacts.phone, contacts.external_id, entry.hash) AS contact,
  entry.channel, entry.topic, entry.status, entry.basis, {source} AS source, entry.confirmed_at, entry.expires_at,
  entry.evidence
FROM (
  SELECT *
  FROM consent_log
  {where}
  ORDER BY id DESC
  LIMIT :limit
) AS entry
LEFT JOIN contacts ON contacts.id = entry.contact_id
ORDER BY entry.id DESC
"""


def read_evidence(texts: list[str] | None, wording: str | None = None) -> dict[str, str]:
    """Evidence as options give it, ``name=value`` each. Raises UsageError."""
    found: dict[str, str] = {} if wording is None else {"wording": wording}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--evidence {text!r} says nothing", hint="for example --evidence form='shop, 3 May'")
        found[name.strip()] = value.strip()
    return found
