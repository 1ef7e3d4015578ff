"""What a batch of an import changes besides the contacts' own rows, and the events that tell of it."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from macli import events
from macli.address import fold_json
from macli.importer.plan import Plan
from macli.store import Store, consents

SOURCE = "import"


def tell_added(store: Store, now: datetime, known: Mapping[str, Any]) -> None:
    """Record who is new."""
    _record(store, now, "contact.added", _ADDED, known)


_ADDED = """
SELECT contact_id, :now AS at, NULL AS source_id, '{}' AS properties, NULL AS send_id, NULL AS campaign_id
FROM incoming
WHERE wave = :wave
  AND is_new = 1
"""


def tell_attributes(store: Store, now: datetime, known: Mapping[str, Any], plan: Plan) -> None:
    """Record who comes back and which attributes are about to be set or changed. Before they are."""
    _record(store, now, "contact.readded", _READDED, known)
    fills = plan.options.on_conflict == "fill"
    for column in plan.attributes:
        name, present = column.name, store.dialect.json_present
        new, old = (f"CAST({table}.attributes -> '{name}' AS TEXT)" for table in ("incoming", "contacts"))
        said = {**known, "start": f'{{"name":"{name}","value":', "old": ',"old":', "end": "}"}
        here, there = present("incoming.attributes", name), present("contacts.attributes", name)
        _record(
            store,
            now,
            "attribute.set",
            _CHANGES.format(properties=f":start || {new} || :end", which=f"{here} AND NOT ({there})"),
            {name: value for name, value in said.items() if name != "old"},
        )
        if not fills:
            _record(
                store,
                now,
                "attribute.changed",
                _CHANGES.format(
                    properties=f":start || {new} || :old || {old} || :end",
                    which=f"{here} AND {there} AND {new} <> {old}",
                ),
                said,
            )


_READDED = """
SELECT incoming.contact_id, :now AS at, NULL AS source_id, '{}' AS properties, NULL AS send_id,
  NULL AS campaign_id
FROM incoming
JOIN contacts ON contacts.id = incoming.contact_id
WHERE incoming.wave = :wave
  AND incoming.changed = 1
  AND incoming.refused IS NULL
  AND contacts.removed_at IS NOT NULL
"""

_CHANGES = """
SELECT incoming.contact_id, :now AS at, NULL AS source_id, {properties} AS properties, NULL AS send_id,
  NULL AS campaign_id
FROM incoming
JOIN contacts ON contacts.id = incoming.contact_id
WHERE incoming.wave = :wave
  AND incoming.changed = 1
  AND incoming.refused IS NULL
  AND {which}
"""


def tell_tags(store: Store, now: datetime, known: Mapping[str, Any], *, fire: bool) -> None:
    """Give the rows' tags to those who have them not."""
    store.execute(_MARK_TAGGED, known)
    if fire:
        for row in store.rows("SELECT id, name FROM tags WHERE id IN (SELECT tag_id FROM incoming_tags)"):
            said = {"tag": row["name"]}
            _record(store, now, "tag.added", _TAGGED, {**known, "tag_id": row["id"]}, said)
    store.execute(_TAG, known)


_NEWLY_TAGGED = """
  FROM incoming
  JOIN incoming_tags ON incoming_tags.n = incoming.n
  WHERE incoming.wave = :wave
    AND incoming.contact_id IS NOT NULL
    AND incoming.refused IS NULL
    AND incoming.changed >= 0
    AND NOT EXISTS (
      SELECT 1
      FROM contact_tags
      WHERE contact_tags.contact_id = incoming.contact_id
        AND contact_tags.tag_id = incoming_tags.tag_id
    )
"""

_MARK_TAGGED = f"""
UPDATE incoming
SET changed = 1
WHERE n IN (
  SELECT incoming.n
  {_NEWLY_TAGGED}
)
"""

_TAGGED = f"""
SELECT incoming.contact_id, :now AS at, NULL AS source_id, :properties AS properties, NULL AS send_id,
  NULL AS campaign_id
{_NEWLY_TAGGED}
  AND incoming_tags.tag_id = :tag_id
"""

_TAG = f"""
INSERT INTO contact_tags (contact_id, tag_id, tagged_at)
SELECT incoming.contact_id, incoming_tags.tag_id, :now
{_NEWLY_TAGGED}
"""


def tell_consents(store: Store, now: datetime, said: Mapping[str, Any], *, fire: bool) -> None:
    """Write down what the rows say of consent: a no always, a yes only where nothing was said before.

    The noes go first, and a yes never stands beside a no to the whole channel: an import cannot
    turn one into the other.
    """
    wave = {name: said[name] for name in ("wave", "now")}
    for mark, event, write in (
        (_MARK_WITHDRAWN, "consent.withdrawn", _withdraw),
        (_MARK_UNSAID, "consent.granted", _say),
    ):
        store.execute(mark, wave)
        written = {"now": said["now"], "after": consents.last(store), "status": event.partition(".")[2]}
        write(store, said)
        if fire:
            written["until"] = consents.last(store)
            for row in store.rows("SELECT DISTINCT channel, topic FROM incoming_consents"):
                about = {"channel": row["channel"], "topic": row["topic"]}
                _record(store, now, event, _CONSENTED, {**written, **about}, about)


_NEWLY_WITHDRAWN = """
  FROM incoming
  JOIN incoming_consents ON incoming_consents.n = incoming.n
  WHERE incoming.wave = :wave
    AND incoming.contact_id IS NOT NULL
    AND incoming.refused IS NULL
    AND incoming.changed >= 0
    AND incoming_consents.status = 'withdrawn'
    AND NOT EXISTS (
      SELECT 1
      FROM consents
      WHERE consents.contact_id = incoming.contact_id
        AND consents.channel = incoming_consents.channel
        AND consents.topic = incoming_consents.topic
        AND consents.status = 'withdrawn'
    )
"""

_NEWLY_SAID = """
  FROM incoming
  JOIN incoming_consents ON incoming_consents.n = incoming.n
  WHERE incoming.wave = :wave
    AND incoming.contact_id IS NOT NULL
    AND incoming.refused IS NULL
    AND incoming.changed >= 0
    AND incoming_consents.status <> 'withdrawn'
    AND NOT EXISTS (
      SELECT 1
      FROM consents
      WHERE consents.contact_id = incoming.contact_id
        AND consents.channel = incoming_consents.channel
        AND (
          consents.topic = incoming_consents.topic
          OR (consents.topic = '' AND consents.status = 'withdrawn')
        )
    )
"""

_MARK_WITHDRAWN = f"""
UPDATE incoming
SET changed = 1
WHERE n IN (
  SELECT incoming.n
  {_NEWLY_WITHDRAWN}
)
"""

_MARK_UNSAID = f"""
UPDATE incoming
SET changed = 1
WHERE n IN (
  SELECT incoming.n
  {_NEWLY_SAID}
)
"""


def _withdraw(store: Store, said: Mapping[str, Any]) -> None:
    consents.say_no(store, said["now"], _WITHDRAWN, said)


_WITHDRAWN = f"""
SELECT incoming.contact_id, incoming_consents.channel, incoming_consents.topic, :source AS source,
  :evidence AS evidence, :now AS at
{_NEWLY_WITHDRAWN}
"""


def _say(store: Store, said: Mapping[str, Any]) -> None:
    after = consents.last(store)
    store.execute(_SAY, said)
    consents.take_over(store, after)


_SAY = f"""
INSERT INTO consent_log (contact_id, channel, topic, status, basis, source, evidence, said_at, expires_at)
SELECT incoming.contact_id, incoming_consents.channel, incoming_consents.topic, incoming_consents.status,
  'consent', :source, :evidence, :now, CASE incoming_consents.status WHEN 'granted' THEN :expires END
{_NEWLY_SAID}
"""

_CONSENTED = """
SELECT contact_id, :now AS at, NULL AS source_id, :properties AS properties, NULL AS send_id, NULL AS campaign_id
FROM consent_log
WHERE id > :after
  AND id <= :until
  AND channel = :channel
  AND topic = :topic
  AND status = :status
"""


def _record(
    store: Store,
    now: datetime,
    name: str,
    select: str,
    params: Mapping[str, Any],
    said: Mapping[str, str] | None = None,
) -> None:
    """Record the events of a select; ``said`` are properties all of them have."""
    if said is not None:
        params = {**params, "properties": json.dumps(said, ensure_ascii=False)}
    folded = fold_json(said) if said is not None else None
    events.record_select(store, now, name=name, source=SOURCE, select=select, params=params, folded=folded)
