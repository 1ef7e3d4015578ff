"""A recipient who unsubscribes by a message: the whole channel, at once, however often they say it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from macli import events
from macli.clock import to_ms
from macli.contacts.chosen import ONE
from macli.contacts.consenting import withdraw_where
from macli.model import NewEvent
from macli.store import Store

_EVENTS = {"email": "email.unsubscribed", "sms": "sms.opted_out"}


def leave(
    store: Store,
    now: datetime,
    *,
    send_id: int,
    contact_id: int | None,
    campaign_id: int | None,
    channel: str,
    evidence: Mapping[str, Any],
) -> None:
    """The recipient of a message said no to its channel; of one deleted since, the address says so.

    The event is told once for a message. A no that is said again after a yes holds all the same.
    """
    with store.write():
        if name := _EVENTS.get(channel):
            said = NewEvent(
                contact_id=contact_id,
                name=name,
                at=to_ms(now),
                source="web",
                source_id=f"{name}:{send_id}",
                properties=evidence,
                send_id=send_id,
                campaign_id=campaign_id,
            )
            events.record(store, now, [said])
        if contact_id is not None:
            withdraw_where(store, now, ONE, {"one_contact": contact_id}, channel, "web", evidence=evidence)
