"""A browser agrees to take push messages, or no longer does."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from macli import contacts
from macli.clock import to_ms
from macli.errors import UsageError
from macli.model import Device
from macli.providers.webpush import may_post
from macli.store import Store, devices, visitors
from macli.visitors.joining import join

SOURCE = "push"
LONGEST = 1_024
"""Characters an endpoint may have."""


def read(subscription: Any, *, private: bool) -> Device:
    """The device a browser describes (PushSubscription.toJSON()). Raises UsageError for what is none.

    ``private``: its push service may be on this machine, and without TLS.
    """
    keys = subscription.get("keys") if isinstance(subscription, dict) else None
    if not isinstance(keys, dict):
        raise UsageError("subscription is none")
    endpoint = subscription.get("endpoint")
    if not isinstance(endpoint, str) or len(endpoint) > LONGEST or not may_post(endpoint, private=private):
        raise UsageError("endpoint is no https address")
    return Device(
        endpoint=endpoint, p256dh=_key(keys, "p256dh", check=_on_the_curve), auth=_key(keys, "auth", check=_sixteen)
    )


def _key(keys: Mapping[str, Any], name: str, *, check: Callable[[bytes], bool]) -> str:
    text = keys.get(name)
    try:
        octets = urlsafe_b64decode(text + "=" * (-len(text) % 4)) if isinstance(text, str) else b""
        holds = check(octets)
    except ValueError:
        holds = False
    if not holds:
        raise UsageError(f"{name} is no key")
    return urlsafe_b64encode(octets).decode("ascii").rstrip("=")


def _on_the_curve(octets: bytes) -> bool:
    from cryptography.hazmat.primitives.asymmetric import ec

    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), octets)
    return len(octets) == 65


def _sixteen(octets: bytes) -> bool:
    return len(octets) == 16


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
    """Keep the device of a visitor, who is proven to be that contact where one is named; whether it is new.

    It is a contact's only where the visitor is proven to be that contact; until then nothing is sent to it.

    A new device is a yes to the channel; one that is known says nothing new, so that a page which asks
    at every visit does not undo a no.
    """
    with store.write():
        if contact_id is not None:
            join(store, now, visitor_token, contact_id, proven=True)
        visitor = visitors.seen(store, to_ms(now), visitor_token)
        whose = visitor["contact_id"] if visitor["proven"] else None
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
