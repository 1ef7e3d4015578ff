"""Wishes to be written to no more that are about no message of ours: they hold for who wrote them."""

from collections.abc import Iterable
from datetime import datetime

from macli import events
from macli.address import BadAddress, normalise_email
from macli.clock import to_ms
from macli.mailbox.letter import Letter
from macli.model import NewEvent
from macli.store import Store

_CONTACT = "SELECT id FROM contacts WHERE email = :email AND state <> 'erased'"


def honour(store: Store, now: datetime, letters: Iterable[Letter], source: str) -> int:
    """Take down the no of each letter's sender who is a contact, as of now; how many were new. Inside ``write``.

    What a letter says of its own time is not asked: a wrong clock must not undo a no.
    """
    return sum(_honour(store, now, letter, source) for letter in letters)


def _honour(store: Store, now: datetime, letter: Letter, source: str) -> int:
    try:
        email = normalise_email(letter.sender)
    except BadAddress:
        return 0
    contact: int | None = store.value(_CONTACT, {"email": email})
    if contact is None:
        return 0
    said = NewEvent(
        contact_id=contact,
        name="email.unsubscribed",
        at=to_ms(now),
        source=source,
        source_id=f"{letter.id}:email.unsubscribed",
        properties={"subject": letter.subject},
    )
    return events.record(store, now, [said])
