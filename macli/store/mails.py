"""Letters people wrote to us, as mailboxes took them in."""

from macli.store.records import Records

COLUMNS = ("id", "at", "sender", "contact", "subject", "mailbox", "answers")


_SELECT = """
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

_RECORDS = Records(table="mails", noun="letter", command="macli inbox list", select=_SELECT)
listed, get = _RECORDS.listed, _RECORDS.get
"""Letters, the latest first; one by its number."""
