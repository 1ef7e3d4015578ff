"""Text messages from recipients: a no, a yes again, a call for help, or words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from macli.clock import to_ms
from macli.contacts import grant_where
from macli.events import record
from macli.model import NewEvent
from macli.providers.twilio_callbacks import SOURCE, Inbound
from macli.store import Store, suppressions

_LONGEST_TEXT = 1600


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What became of a text message: whether it was ``new``, and whether a no in it is owed a ``confirmation``."""

    new: bool
    confirmation: bool = False


def take_in(store: Store, now: datetime, message: Inbound) -> Taken:
    """Record what a recipient wrote for every contact with that number, once, and let it take effect.

    A no that no contact stands for is kept by the number alone.
    """
    with store.write():
        listed = suppressions.on(store, "sms", message.number)
        said_before = listed is not None or bool(store.value(_SAID_NO, {"number": message.number}))
        restored = [row["id"] for row in store.rows(_STOPPED, {"number": message.number})]
        contacts = store.rows(_CONTACTS, {"number": message.number})
        new = record(
            store,
            now,
            [
                NewEvent(
                    contact_id=row["id"],
                    name=_name(message, row["id"] in restored),
                    at=to_ms(now),
                    source=SOURCE,
                    source_id=f"{message.sid}:{row['id'] or 0}",
                    properties=_properties(message) if row["id"] is not None else {},
                    send_id=row["send_id"],
                    campaign_id=row["campaign_id"],
                )
                for row in contacts or _NOBODY
            ],
        )
        if not new:
            return Taken(new=False)
        if message.meaning == "stop" and not contacts:
            suppressions.add(store, to_ms(now), "sms", message.number, reason="opted_out", source=SOURCE)
        if message.meaning == "start":
            _let_in_again(store, now, message)
        return Taken(new=True, confirmation=message.by == "words" and not said_before)


def _let_in_again(store: Store, now: datetime, message: Inbound) -> None:
    """A yes where only a STOP stood against it: a no said elsewhere stays."""
    grant_where(store, now, _STOPPED, {"number": message.number}, "sms", SOURCE, evidence=_properties(message))
    store.execute(_FREE, {"number": message.number})


def _name(message: Inbound, restored: bool) -> str:
    if message.meaning == "stop":
        return "sms.opted_out"
    return "sms.opted_in" if message.meaning == "start" and restored else "sms.received"


def _properties(message: Inbound) -> Mapping[str, Any]:
    said = {"text": message.text[:_LONGEST_TEXT], "to": message.to[:32], "meaning": message.meaning}
    if message.by:
        said["known_by"] = message.by
    if message.language:
        said["language"] = message.language
    return said


_NOBODY: tuple[Mapping[str, Any], ...] = ({"id": None, "send_id": None, "campaign_id": None},)

# What is answered is the last message that went to the number.
_CONTACTS = """
SELECT contacts.id, last.id AS send_id, last.campaign_id
FROM contacts
LEFT JOIN sends AS last ON last.id = (
  SELECT max(sends.id)
  FROM sends
  WHERE sends.contact_id = contacts.id
    AND sends.channel = 'sms'
    AND sends.address = :number
    AND sends.left_at IS NOT NULL
)
WHERE contacts.phone = :number
ORDER BY contacts.id
"""

# By this source a recipient said STOP, by 'provider' the provider says that one did.
_STOPPED = f"""
SELECT contacts.id
FROM contacts
JOIN consents ON consents.contact_id = contacts.id
WHERE contacts.phone = :number
  AND consents.channel = 'sms'
  AND consents.topic = ''
  AND consents.status = 'withdrawn'
  AND consents.source IN ('{SOURCE}', 'provider')
"""

_SAID_NO = """
SELECT EXISTS (
  SELECT 1
  FROM contacts
  JOIN consents ON consents.contact_id = contacts.id
  WHERE contacts.phone = :number
    AND consents.channel = 'sms'
    AND consents.topic = ''
    AND consents.status = 'withdrawn'
)
"""

_FREE = f"""
DELETE FROM suppressions
WHERE channel = 'sms'
  AND address = :number
  AND reason = 'opted_out'
  AND source IN ('{SOURCE}', 'provider')
"""
