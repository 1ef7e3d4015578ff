"""Keeping what people write: each letter once, with whose it is and what it answers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from macli import events, texts
from macli.clock import to_ms
from macli.mailbox.ingesting import SOURCE, Understood
from macli.model import NewEvent
from macli.store import Row, Store, settings

_LONGEST_ADDRESS = 320


def keep(store: Store, now: datetime, understood: Sequence[Understood], mailbox: str) -> int:
    """Keep the letters among what was read; how many of them were new and answer none of our messages.

    Those of contacts are recorded as mail.received. Nothing is kept of who was erased, nor where the setting
    mails.keep is off. Inside ``write`` it joins the transaction.
    """
    letters = [one for one in understood if _is_for_a_person(one)]
    if not letters or not settings.get(store, "mails.keep"):
        return 0
    with store.write():
        kept = [(one, row) for one in letters if (row := _keep(store, now, one, mailbox)) is not None]
        events.record(store, now, [_received(one, row) for one, row in kept if row["contact_id"] is not None])
    return sum(not one.reports for one, _ in kept)


def _is_for_a_person(one: Understood) -> bool:
    """A letter, or a wish not to be written to that is about no message of ours: a person may have to answer it."""
    return one.letter.kind == "letter" or (one.letter.kind == "unsubscribe" and not one.reports)


def _keep(store: Store, now: datetime, one: Understood, mailbox: str) -> Row | None:
    """The new letter's row; None where it was kept before, or is from somebody erased."""
    letter = one.letter
    sent = next(iter(one.about), None)
    facts: dict[str, Any] = {
        "mailbox": mailbox,
        "key": letter.id,
        "sender": texts.clean(letter.sender)[:_LONGEST_ADDRESS],
        "recipient": texts.clean(next(iter(letter.recipients), ""))[:_LONGEST_ADDRESS],
        "subject": texts.clean(letter.subject),
        "body": texts.clean(letter.body),
        "send_id": sent and sent.id,
        "at": _at(now, letter.at),
        "now": to_ms(now),
    }
    return store.row(_KEEP, facts)


def _at(now: datetime, written: int | None) -> int:
    """When it was written by its own word, where that is a time that has been."""
    return to_ms(now) if written is None or not 0 <= written <= to_ms(now) else written


_KEEP = """
INSERT INTO mails (contact_id, mailbox, message_key, sender, recipient, subject, body, send_id, at, created_at)
SELECT (SELECT id FROM contacts WHERE email = :sender AND state <> 'erased'), :mailbox, :key, :sender, :recipient,
  :subject, :body, :send_id, :at, :now
WHERE NOT EXISTS (
  SELECT 1
  FROM suppression_hashes
  WHERE channel = 'email'
    AND hash = address_hash('email', :sender)
    AND NOT EXISTS (SELECT 1 FROM contacts WHERE email = :sender)
)
ON CONFLICT (message_key) DO NOTHING
RETURNING id, contact_id, recipient, subject, send_id, at
"""


def _received(one: Understood, row: Row) -> NewEvent:
    return NewEvent(
        contact_id=row["contact_id"],
        name="mail.received",
        at=row["at"],
        source=SOURCE,
        source_id=f"{one.letter.id}:mail.received",
        properties={"mail": row["id"], "subject": row["subject"], "to": row["recipient"]},
        send_id=row["send_id"],
        campaign_id=next((sent.campaign_id for sent in one.about), None),
    )
