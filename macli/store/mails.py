"""Letters people wrote to us, as mailboxes took them in."""

from collections.abc import Iterator

from macli.errors import UsageError
from macli.model import Where
from macli.store.connection import Row, Store

COLUMNS = ("id", "at", "sender", "contact", "subject", "mailbox", "answers")
_ALL = 2**62


def listed(store: Store, *wheres: Where, limit: int | None = None) -> Iterator[Row]:
    """The letters all of ``wheres`` select, the latest first."""
    params = {name: value for where in wheres for name, value in where.params.items()}
    tests = " AND ".join(("TRUE", *(where.sql for where in wheres)))
    return store.stream(_LIST.format(tests=tests), {**params, "limit": _ALL if limit is None else limit})


_LIST = """
SELECT mails.id, mails.at, mails.sender, mails.recipient,
  coalesce(contacts.email, contacts.phone, contacts.external_id) AS contact, mails.subject, mails.mailbox,
  campaigns.name AS answers, mails.send_id AS message, mails.body, mails.created_at, mails.contact_id
FROM mails
LEFT JOIN contacts ON contacts.id = mails.contact_id
LEFT JOIN sends ON sends.id = mails.send_id
LEFT JOIN campaigns ON campaigns.id = sends.campaign_id
WHERE {tests}
ORDER BY mails.at DESC, mails.id DESC
LIMIT :limit
"""


def get(store: Store, number: int) -> Row:
    """One letter. Raises UsageError."""
    one = Where(sql="mails.id = :mail_number", params={"mail_number": number})
    found = next(listed(store, one, limit=1), None)
    if found is None:
        raise UsageError(f"there is no letter {number}", hint="macli inbox list shows their numbers")
    return found
