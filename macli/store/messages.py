"""Reading the ledger: what became of each message."""

from collections.abc import Iterator
from typing import Any

from macli.errors import UnknownName
from macli.store.connection import Row, Store

_LIST = """
SELECT sends.id, campaigns.name AS campaign, steps.key AS step, sends.channel, sends.purpose,
       coalesce(sends.address, CASE sends.channel WHEN 'sms' THEN contacts.phone ELSE contacts.email END) AS address,
       sends.state, sends.reason, sends.due_at, sends.left_at, sends.settled_at, sends.attempts AS retries,
       providers.name AS provider, sends.reference, sends.code AS provider_said
FROM sends
LEFT JOIN campaigns ON campaigns.id = sends.campaign_id
LEFT JOIN steps ON steps.id = sends.step_id
LEFT JOIN contacts ON contacts.id = sends.contact_id
LEFT JOIN providers ON providers.id = sends.provider_id
"""

COLUMNS = ("id", "campaign", "step", "channel", "address", "state", "reason", "left_at", "provider_said")


def browse(
    store: Store,
    *,
    campaign_id: int | None = None,
    contact_id: int | None = None,
    state: str | None = None,
    channel: str | None = None,
    limit: int | None = None,
) -> Iterator[Row]:
    """The messages that fit, newest first, one after another."""
    return store.stream(
        f"""
        {_LIST}
        WHERE {store.shown("sends")}
          AND (:campaign IS NULL OR sends.campaign_id = :campaign)
          AND (:contact IS NULL OR sends.contact_id = :contact)
          AND (:state IS NULL OR sends.state = :state)
          AND (:channel IS NULL OR sends.channel = :channel)
        ORDER BY sends.id DESC
        LIMIT :limit
        """,
        {
            "campaign": campaign_id,
            "contact": contact_id,
            "state": state,
            "channel": channel,
            "limit": (1 << 62) if limit is None else limit,
        },
    )


def get(store: Store, send_id: int) -> Row:
    """One message. Raises UnknownName, NotPermitted."""
    found = store.row(f"{_LIST} WHERE sends.id = :id", {"id": send_id})
    if found is None:
        raise UnknownName("message", str(send_id), hint="macli message list shows their numbers")
    if found["campaign"] is None:
        campaign_id = store.value("SELECT campaign_id FROM sends WHERE id = :id", {"id": send_id})
        if campaign_id is not None:
            store.refuse_hidden("campaigns", campaign_id)
    return found


def history(store: Store, send_id: int) -> list[Row]:
    """What was said about a message since, oldest first."""
    return store.rows(
        "SELECT at, name, source, properties FROM events WHERE send_id = :id ORDER BY at, id", {"id": send_id}
    )


def unknown(store: Store, *, campaign_id: int | None = None, send_id: int | None = None) -> list[Row]:
    """The messages that may have left and nobody said, with what a provider needs to look for them."""
    return store.rows(
        f"""
        SELECT sends.id, sends.campaign_id, sends.step_id, sends.contact_id, sends.channel, sends.address,
               sends.reference, sends.provider_id, coalesce(sends.left_at, sends.due_at) AS since_at
        FROM sends
        WHERE sends.state = 'unknown'
          AND {store.shown("sends")}
          AND (:campaign IS NULL OR sends.campaign_id = :campaign)
          AND (:send IS NULL OR sends.id = :send)
        ORDER BY sends.id
        """,
        {"campaign": campaign_id, "send": send_id},
    )


def as_record(row: Row) -> dict[str, Any]:
    return {key: row[key] for key in row.keys()}  # noqa: SIM118 - a Row iterates over values
