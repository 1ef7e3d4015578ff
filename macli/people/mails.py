"""Letters people wrote to us: thrown away."""

from datetime import datetime

from macli.people.telling import touch
from macli.store import Store, mails


def remove(store: Store, now: datetime, number: int) -> None:
    """Delete a letter; the event mail.received stays. Raises UsageError."""
    with store.write():
        letter = mails.get(store, number)
        store.execute("DELETE FROM mails WHERE id = :id", {"id": letter["id"]})
        touch(store, now, letter["contact_id"])
