"""Reading the event log and the ledger: what happened, and what was sent, contact by contact."""

from collections.abc import Iterator
from typing import Any

from macli.store.connection import Row, Store

COLUMNS = ("at", "contact", "name", "properties", "source")
_ALL = 2**62


def listed(
    store: Store,
    *,
    contact_id: int | None = None,
    name: str | None = None,
    since: int | None = None,
    until: int | None = None,
    limit: int | None = None,
) -> Iterator[Row]:
    """The events that fit, the latest first; ``name`` may end with ``*``. Times are UTC milliseconds."""
    conditions = []
    params: dict[str, Any] = {"limit": _ALL if limit is None else limit}
    if contact_id is not None:
        conditions.append("events.contact_id = :contact_id")
        params["contact_id"] = contact_id
    if name is not None and name.endswith("*"):
        conditions.append("events.name >= :start AND events.name < :end")
        params |= {"start": name[:-1], "end": name[:-1] + "\uffff"}
    elif name is not None:
        conditions.append("events.name = :name")
        params["name"] = name
    if since is not None:
        conditions.append("events.at >= :since")
        params["since"] = since
    if until is not None:
        conditions.append("events.at < :until")
        params["until"] = until
    where = f"WHERE {' AND '.join((store.shown('events'), *conditions))}"
    # By id where nothing narrows the log: sorting all of it by time would hold all of it.
    order = "events.at DESC, events.id DESC" if conditions else "events.id DESC"
    return store.stream(
        f"""
        SELECT events.id, events.at, coalesce(contacts.email, contacts.phone, contacts.external_id) AS contact,
          events.name, events.properties, {store.source("events.source")} AS source, events.source_id
        FROM events
        LEFT JOIN contacts ON contacts.id = events.contact_id
        {where}
        ORDER BY {order}
        LIMIT :limit
        """,
        params,
    )


def messages_of(store: Store, contact_id: int, limit: int) -> list[Row]:
    """The last messages to one contact, sent or still to be."""
    return store.rows(_MESSAGES.format(shown=store.shown("sends")), {"contact_id": contact_id, "limit": limit})


_MESSAGES = """
SELECT sends.id, campaigns.name AS campaign, steps.key AS step, sends.channel, sends.state, sends.reason,
  sends.due_at, sends.left_at
FROM sends
LEFT JOIN campaigns ON campaigns.id = sends.campaign_id
LEFT JOIN steps ON steps.id = sends.step_id
WHERE sends.contact_id = :contact_id
  AND {shown}
ORDER BY coalesce(sends.left_at, sends.due_at) DESC, sends.id DESC
LIMIT :limit
"""
