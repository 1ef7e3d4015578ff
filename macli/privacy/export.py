"""One person's whole record: what every table knows of them, for a program and for the person."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from macli.clock import iso, to_ms
from macli.privacy.lists import LIFECYCLE, PEOPLE
from macli.shapes import is_time
from macli.store import Row, Store, contacts, notes, suppressions

if TYPE_CHECKING:
    from macli.store.access import Acting

VERSION = 1

# Sub-lists in the order in which a person reads them: name → the rows of one contact.
LISTS: Mapping[str, str] = {
    "tags": """
        SELECT tags.name, contact_tags.tagged_at
        FROM contact_tags
        JOIN tags ON tags.id = contact_tags.tag_id
        WHERE contact_tags.contact_id = :id
        ORDER BY tags.name
    """,
    "consents": """
        SELECT channel, topic, status, basis, source, evidence, changed_at, confirmed_at, expires_at
        FROM consents
        WHERE contact_id = :id
        ORDER BY channel, topic
    """,
    "consent_log": """
        SELECT channel, topic, status, basis, source, evidence, said_at, confirmed_at, expires_at
        FROM consent_log
        WHERE contact_id = :id
        ORDER BY said_at, id
    """,
    "preferences": """
        SELECT paused_until_at, most, most_span, untracked, changed_at
        FROM preferences
        WHERE contact_id = :id
    """,
    "segments": """
        SELECT segments.name, segment_members.entered_at
        FROM segment_members
        JOIN segments ON segments.id = segment_members.segment_id
        WHERE segment_members.contact_id = :id
        ORDER BY segments.name
    """,
    "campaigns": """
        SELECT campaigns.name, enrollments.round, steps.key AS step, enrollments.entered_at, enrollments.due_at,
               enrollments.ended_at, enrollments.ended_as
        FROM enrollments
        JOIN campaigns ON campaigns.id = enrollments.campaign_id
        LEFT JOIN steps ON steps.id = enrollments.step_id
        WHERE enrollments.contact_id = :id
        ORDER BY enrollments.entered_at, enrollments.id
    """,
    "messages": """
        SELECT sends.id, sends.channel, sends.purpose, campaigns.name AS campaign, steps.key AS step,
               template_versions.subject AS subject_template, sends.address, sends.state, sends.reason,
               sends.due_at, sends.left_at, sends.settled_at, providers.name AS provider, sends.reference,
               sends.code AS provider_said
        FROM sends
        LEFT JOIN campaigns ON campaigns.id = sends.campaign_id
        LEFT JOIN steps ON steps.id = sends.step_id
        LEFT JOIN providers ON providers.id = sends.provider_id
        LEFT JOIN template_versions ON template_versions.id = sends.template_version_id
        WHERE sends.contact_id = :id
        ORDER BY sends.id
    """,
    "opens_and_clicks": """
        SELECT hits.at, hits.kind, hits.send AS message, coalesce(hits.url, links.url) AS url, hits.method, hits.ip,
               agents.agent, hits.class, hits.rule
        FROM sends
        JOIN hits ON hits.send = sends.id
        LEFT JOIN links ON links.id = hits.link
        LEFT JOIN agents ON agents.id = hits.agent
        WHERE sends.contact_id = :id
        ORDER BY hits.id
    """,
    "events": """
        SELECT at, name, source, source_id, send_id AS message, properties
        FROM events
        WHERE contact_id = :id
           OR visitor_id IN (SELECT id FROM visitors WHERE contact_id = :id)
        ORDER BY at, id
    """,
    "browsers": """
        SELECT token, first_at, last_at, joined_at
        FROM visitors
        WHERE contact_id = :id
        ORDER BY id
    """,
    "devices": """
        SELECT endpoint, agent, created_at, seen_at
        FROM devices
        WHERE contact_id = :id
           OR visitor_id IN (SELECT id FROM visitors WHERE contact_id = :id)
        ORDER BY id
    """,
    **LIFECYCLE,
    **PEOPLE,
}

_JSON = frozenset({"evidence", "properties"})
_FLAGS = frozenset({"passed", "private"})


def record(store: Store, now: datetime, contact: Row, *, who: "Acting | None" = None) -> dict[str, Any]:
    """Everything the store knows of a contact. Times are ISO 8601 in UTC; names end in ``_at`` or are ``at``.

    Raises NotPermitted where ``who`` acts may not see all of it.
    """
    store.refuse_partly("a person's record")
    notes.refuse_unread(store, who, contact["id"])
    about = {name: contact[name] for name in ("id", *contacts.OWN)}
    about["attributes"] = json.loads(contact["attributes"])
    for name in ("added_at", "updated_at", "removed_at"):
        about[name] = iso(contact[name])
    found: dict[str, Any] = {"record": VERSION, "made_at": iso(to_ms(now)), "contact": about}
    for name, sql in LISTS.items():
        found[name] = [_told(row) for row in store.rows(sql, {"id": contact["id"]})]
    found["suppressions"] = [_told(row) for row in suppressions.of(store, contact["email"], contact["phone"])]
    return found


def _told(row: Row) -> dict[str, Any]:
    return {name: _value(name, row[name]) for name in row.keys()}  # noqa: SIM118 - a Row iterates over values


def _value(name: str, value: Any) -> Any:
    if name in _JSON:
        return json.loads(value)
    if name in _FLAGS:
        return bool(value)
    return iso(value) if is_time(name) else value
