"""Consents: what a contact said about a channel and a topic, when, and how we know."""

from macli.errors import UnknownName
from macli.store.connection import Row, Store

CHANNELS = ("email", "sms")
STATUSES = ("granted", "withdrawn", "pending")


def check_channel(channel: str) -> str:
    """The channel, where one can say yes or no on it. Raises UnknownName."""
    if channel not in CHANNELS:
        raise UnknownName("channel", channel, CHANNELS, hint=f"one of {', '.join(CHANNELS)}")
    return channel


def of(store: Store, contact_id: int) -> list[Row]:
    """Everything one contact said."""
    return store.rows(_OF, {"contact_id": contact_id})


_OF = """
SELECT channel, topic, status, source, evidence, changed_at
FROM consents
WHERE contact_id = :contact_id
ORDER BY channel, topic
"""


def suppressions_of(store: Store, email: str | None, phone: str | None) -> list[Row]:
    """Why a contact's addresses are never written to, where they are not."""
    return store.rows(_SUPPRESSED, {"email": email, "phone": phone})


_SUPPRESSED = """
SELECT channel, address, reason, source, suppressed_at
FROM suppressions
WHERE (channel = 'email' AND address = :email)
   OR (channel = 'sms' AND address = :phone)
ORDER BY channel
"""
