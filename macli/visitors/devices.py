"""A browser agrees to take push messages, or no longer does."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from macli import contacts
from macli.clock import to_ms
from macli.model import Device
from macli.store import Store, devices, visitors
from macli.visitors.joining import join

SOURCE = "push"


def subscribe(
    store: Store,
    now: datetime,
    device: Device,
    *,
    visitor_token: str,
    contact_id: int | None,
    agent: str | None,
    evidence: Mapping[str, Any],
) -> bool:
    """Keep the device of a visitor, who is that contact where one is named; whether it is new.

    A new device is a yes to the channel; one that is known says nothing new, so that a page which asks
    at every visit does not undo a no.
    """
    with store.write():
        if contact_id is not None:
            join(store, now, visitor_token, contact_id)
        visitor = visitors.seen(store, to_ms(now), visitor_token)
        whose = visitor["contact_id"]
        new = devices.put(store, to_ms(now), device, contact_id=whose, visitor_id=visitor["id"], agent=agent)
        if new and whose is not None:
            contacts.grant_where(store, now, contacts.ONE, {"one_contact": whose}, "push", SOURCE, evidence=evidence)
    return new


def unsubscribe(store: Store, now: datetime, endpoint: str, *, evidence: Mapping[str, Any]) -> bool:
    """Remove a device on its browser's word; whether there was one. With the last one goes the contact's yes."""
    with store.write():
        gone = devices.remove(store, to_ms(now), endpoint)
        if gone is None:
            return False
        whose = gone["contact_id"]
        if whose is not None and not devices.count_of(store, whose):
            contacts.withdraw_where(store, now, contacts.ONE, {"one_contact": whose}, "push", SOURCE, evidence=evidence)
    return True
