"""Campaigns, their versions and steps, and the states they go through."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from macli.clock import to_ms
from macli.errors import OperationFailed, UnknownName, UsageError
from macli.model import CampaignState
from macli.store.connection import Row, Store


@dataclass(frozen=True, kw_only=True)
class StepRow:
    """A step as the store knows it; ``events`` are those it waits for."""

    key: str
    action: str
    events: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Written:
    """A definition and what the store keeps beside it."""

    name: str
    definition: Mapping[str, Any]
    category_id: int | None
    segment_ids: Sequence[int]
    steps: Sequence[StepRow]
    origin: str | None


def create(store: Store, now: datetime, written: Written) -> int:
    """Make a campaign in the state draft; its id. Raises UsageError for a taken name."""
    with store.write():
        made: int | None = store.value(
            _CREATE,
            {
                "name": written.name,
                "key": written.name.casefold(),
                "category": written.category_id,
                "now": to_ms(now),
            },
        )
        if made is None:
            raise UsageError(
                f"there is a campaign {written.name!r} already",
                hint=f"macli campaign edit {written.name!r} changes it",
            )
        _write(store, now, made, 1, written)
    return made


_CREATE = """
INSERT INTO campaigns (name, name_key, category_id, created_at, updated_at)
VALUES (:name, :key, :category, :now, :now)
ON CONFLICT (name_key) DO NOTHING
RETURNING id
"""


def add_version(store: Store, now: datetime, campaign_id: int, written: Written) -> int:
    """Make ``written`` the campaign's current version; its number. Raises UsageError for a taken name."""
    params = {
        "id": campaign_id,
        "name": written.name,
        "key": written.name.casefold(),
        "category": written.category_id,
        "now": to_ms(now),
    }
    with store.write():
        if store.value(_OTHER, params) is not None:
            raise UsageError(f"there is a campaign {written.name!r} already")
        number: int = store.value(_NEXT_VERSION, params)
        _write(store, now, campaign_id, number, written)
    return number


_NEXT_VERSION = """
UPDATE campaigns
SET current_version = current_version + 1, name = :name, name_key = :key, category_id = :category,
    updated_at = :now
WHERE id = :id
RETURNING current_version
"""

_OTHER = """
SELECT id
FROM campaigns
WHERE name_key = :key
  AND id <> :id
"""


def _write(store: Store, now: datetime, campaign_id: int, number: int, written: Written) -> None:
    store.execute(
        _VERSION,
        {
            "campaign": campaign_id,
            "number": number,
            "definition": json.dumps(dict(written.definition), ensure_ascii=False, separators=(",", ":")),
            "origin": written.origin,
            "now": to_ms(now),
        },
    )
    store.execute("DELETE FROM campaign_segments WHERE campaign_id = :id", {"id": campaign_id})
    store.executemany(
        "INSERT INTO campaign_segments (campaign_id, segment_id) VALUES (?, ?)",
        ((campaign_id, segment_id) for segment_id in dict.fromkeys(written.segment_ids)),
    )
    store.executemany(
        _STEP, ({"campaign": campaign_id, "key": step.key, "action": step.action} for step in written.steps)
    )
    store.executemany(
        _STEP_EVENT,
        ({"campaign": campaign_id, "key": step.key, "name": name} for step in written.steps for name in step.events),
    )


_VERSION = """
INSERT INTO campaign_versions (campaign_id, number, definition, origin, created_at)
VALUES (:campaign, :number, :definition, :origin, :now)
"""

# A key keeps its row for ever: contacts of earlier versions stand there and its sends name it.
_STEP = """
INSERT INTO steps (campaign_id, key, action)
VALUES (:campaign, :key, :action)
ON CONFLICT (campaign_id, key) DO NOTHING
"""

_STEP_EVENT = """
INSERT INTO step_events (step_id, name)
SELECT id, :name
FROM steps
WHERE campaign_id = :campaign
  AND key = :key
ON CONFLICT (step_id, name) DO NOTHING
"""


def get(store: Store, name: str) -> Row:
    """The campaign of that name. Raises UnknownName."""
    found = find(store, name)
    if found is None:
        known = (row["name"] for row in store.rows("SELECT name FROM campaigns"))
        raise UnknownName("campaign", name, known, hint="macli campaign list shows them all")
    return found


_GET = """
SELECT campaigns.*, categories.name AS category
FROM campaigns
LEFT JOIN categories ON categories.id = campaigns.category_id
WHERE campaigns.name_key = :key
"""


def find(store: Store, name: str) -> Row | None:
    """The campaign of that name, None where there is none. Raises NotPermitted."""
    key = " ".join(name.split()).casefold()
    found = store.row(_GET, {"key": key})
    if found is None:
        store.refuse_hidden("campaigns", key)
    return found


def list_all(store: Store, *, category_id: int | None = None, state: CampaignState | None = None) -> list[Row]:
    """The campaigns, with what became of their messages so far."""
    return store.rows(_LIST, {"category": category_id, "state": state})


_LIST = """
SELECT campaigns.name, campaigns.state, categories.name AS category, campaigns.current_version AS version,
       campaigns.start_at,
  (SELECT count(*) FROM enrollments WHERE campaign_id = campaigns.id AND round > 0) AS contacts,
  (SELECT count(*) FROM sends WHERE campaign_id = campaigns.id AND left_at IS NOT NULL) AS sent,
       campaigns.pause_reason
FROM campaigns
LEFT JOIN categories ON categories.id = campaigns.category_id
WHERE (:category IS NULL OR campaigns.category_id = :category)
  AND (:state IS NULL OR campaigns.state = :state)
ORDER BY campaigns.name_key
"""


def text_of(store: Store, campaign_id: int, version: int) -> str:
    """The definition of a version, as JSON text. Raises UnknownName."""
    found: str | None = store.value(_TEXT, {"campaign": campaign_id, "number": version})
    if found is None:
        raise UnknownName("campaign version", str(version))
    return found


_TEXT = """
SELECT definition
FROM campaign_versions
WHERE campaign_id = :campaign
  AND number = :number
"""


def document(store: Store, campaign: Row) -> dict[str, Any]:
    """The current version's definition in plain values."""
    plain: dict[str, Any] = json.loads(text_of(store, campaign["id"], campaign["current_version"]))
    return plain


def versions(store: Store, campaign_id: int) -> list[Row]:
    return store.rows(_VERSIONS, {"campaign": campaign_id})


_VERSIONS = """
SELECT campaign_versions.number, campaign_versions.origin, campaign_versions.created_at,
  (SELECT count(*)
   FROM enrollments
   WHERE enrollments.campaign_id = campaign_versions.campaign_id
     AND enrollments.version = campaign_versions.number
     AND enrollments.ended_at IS NULL) AS inside
FROM campaign_versions
WHERE campaign_id = :campaign
ORDER BY number
"""


def living(store: Store) -> list[Row]:
    """The versions of campaigns that are not over which contacts are in or come into: id, name, number, definition."""
    return store.rows(_LIVING)


_LIVING = """
SELECT campaigns.id, campaigns.name, campaign_versions.number, campaign_versions.definition
FROM campaigns
JOIN campaign_versions ON campaign_versions.campaign_id = campaigns.id
WHERE campaigns.state NOT IN ('finished', 'cancelled')
  AND (
    campaign_versions.number = campaigns.current_version
    OR EXISTS (
      SELECT 1
      FROM enrollments
      WHERE enrollments.campaign_id = campaigns.id
        AND enrollments.version = campaign_versions.number
        AND enrollments.ended_at IS NULL
    )
  )
ORDER BY campaigns.name_key
"""


def actions_of(store: Store, campaign_id: int) -> dict[str, str]:
    """The action of every step the campaign ever had, by key."""
    rows = store.rows("SELECT key, action FROM steps WHERE campaign_id = :campaign", {"campaign": campaign_id})
    return {row["key"]: row["action"] for row in rows}


def segments_of(store: Store, campaign_id: int) -> list[str]:
    """The names of the segments the campaign is assigned to."""
    return [row["name"] for row in store.rows(_SEGMENTS, {"campaign": campaign_id})]


_SEGMENTS = """
SELECT segments.name
FROM campaign_segments
JOIN segments ON segments.id = campaign_segments.segment_id
WHERE campaign_segments.campaign_id = :campaign
ORDER BY segments.name_key
"""


def remove(store: Store, campaign: Row, *, sure: bool) -> None:
    """Remove a draft, or with ``sure`` any campaign that has sent nothing. Raises OperationFailed."""
    with store.write():
        sends = store.value("SELECT count(*) FROM sends WHERE campaign_id = :id", {"id": campaign["id"]})
        if sends:
            raise OperationFailed(
                f"the ledger keeps the messages of {campaign['name']!r}, {sends} of them: it stays",
                hint=f"macli campaign cancel {campaign['name']!r} ends it",
            )
        if campaign["state"] != "draft" and not sure:
            raise UsageError(
                f"the campaign {campaign['name']!r} is {campaign['state']}, not a draft",
                hint="add --yes to remove it all the same",
            )
        store.execute("DELETE FROM campaigns WHERE id = :id", {"id": campaign["id"]})


def counts_of(store: Store, campaign_id: int) -> dict[str, int]:
    """Contacts inside and ended, and messages by state."""
    found = store.rows(_COUNTS, {"campaign": campaign_id})
    return {row["what"]: row["count"] for row in found}


_COUNTS = """
SELECT coalesce(ended_as, 'inside') AS what, count(*) AS count
FROM enrollments
WHERE campaign_id = :campaign
  AND round > 0
GROUP BY 1
UNION ALL
SELECT 'message ' || state || coalesce(' ' || reason, ''), count(*)
FROM sends
WHERE campaign_id = :campaign
GROUP BY 1
"""


def count_retryable(store: Store, campaign_id: int) -> int:
    """How many messages surely reached nobody and could be planned again."""
    return int(store.value(_RETRYABLE, {"campaign": campaign_id}))


_RETRYABLE = """
SELECT count(*)
FROM sends
WHERE campaign_id = :campaign
  AND state IN ('failed', 'rejected')
"""

RECIPIENT_COLUMNS = (
    "email", "phone", "address", "step", "channel", "state", "reason", "due_at", "left_at", "settled_at",
    "code", "round", "message",
)  # fmt: skip


def recipients(store: Store, campaign_id: int, *, skipped: bool = False, state: str | None = None) -> Iterable[Row]:
    """The messages of a campaign, one after another."""
    return store.stream(_RECIPIENTS, {"campaign": campaign_id, "state": "skipped" if skipped else state})


_RECIPIENTS = """
SELECT contacts.email, contacts.phone, sends.address, steps.key AS step, sends.channel, sends.state, sends.reason,
       sends.due_at, sends.left_at, sends.settled_at, sends.code, sends.round, sends.id AS message
FROM sends
LEFT JOIN contacts ON contacts.id = sends.contact_id
LEFT JOIN steps ON steps.id = sends.step_id
WHERE sends.campaign_id = :campaign
  AND (:state IS NULL OR sends.state = :state)
ORDER BY sends.id
"""
