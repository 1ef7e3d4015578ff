"""Devices: the browsers that take push messages, each a visitor's until the visitor is a contact."""

from typing import Any

from macli.errors import UsageError
from macli.model import Device
from macli.store.connection import Row, Store

MOST = 10
"""Devices of one contact or visitor; with one more, the one not seen for longest goes."""


def put(
    store: Store,
    now_ms: int,
    device: Device,
    *,
    contact_id: int | None,
    visitor_id: int | None,
    agent: str | None,
) -> bool:
    """Keep a device, or what is new of one that is known; whether it is new.

    A browser that somebody else uses now is that person's: its messages are shown to who sits there.
    """
    params = {
        "now": now_ms,
        "endpoint": device.endpoint,
        "p256dh": device.p256dh,
        "auth": device.auth,
        "contact_id": contact_id,
        "visitor_id": visitor_id,
        "agent": agent,
    }
    with store.write():
        known = store.value("SELECT 1 FROM devices WHERE endpoint = :endpoint", params)
        store.execute(_PUT, params)
        if known is None:
            store.execute(_DROP_OLDEST, {**params, "most": MOST})
        _touch(store, now_ms, contact_id)
    return known is None


_PUT = """
INSERT INTO devices (contact_id, visitor_id, endpoint, p256dh, auth, agent, created_at, seen_at)
VALUES (:contact_id, :visitor_id, :endpoint, :p256dh, :auth, :agent, :now, :now)
ON CONFLICT (endpoint) DO UPDATE
SET contact_id = coalesce(excluded.contact_id, devices.contact_id),
  visitor_id = coalesce(excluded.visitor_id, devices.visitor_id),
  p256dh = excluded.p256dh, auth = excluded.auth, agent = coalesce(excluded.agent, devices.agent),
  seen_at = excluded.seen_at
"""

_DROP_OLDEST = """
DELETE FROM devices
WHERE (contact_id = :contact_id OR :contact_id IS NULL AND visitor_id = :visitor_id)
  AND id NOT IN (
    SELECT id
    FROM devices
    WHERE contact_id = :contact_id
       OR :contact_id IS NULL AND visitor_id = :visitor_id
    ORDER BY seen_at DESC, id DESC
    LIMIT :most
  )
"""


def renew(store: Store, now_ms: int, old: str, device: Device) -> bool:
    """A browser got another endpoint: the device stays what it is; whether ``old`` was known."""
    params = {"old": old, "now": now_ms, **vars(device)}
    with store.write():
        if store.value("SELECT 1 FROM devices WHERE endpoint = :old", params) is None:
            return False
        store.execute("DELETE FROM devices WHERE endpoint = :endpoint AND endpoint <> :old", params)
        store.execute(_RENEW, params)
    return True


_RENEW = """
UPDATE devices
SET endpoint = :endpoint, p256dh = :p256dh, auth = :auth, seen_at = :now
WHERE endpoint = :old
"""


def remove(store: Store, now_ms: int, endpoint: str) -> Row | None:
    """Remove a device; its id and contact_id, None where there is no such device."""
    with store.write():
        gone = store.row("SELECT id, contact_id FROM devices WHERE endpoint = :endpoint", {"endpoint": endpoint})
        if gone is not None:
            store.execute("DELETE FROM devices WHERE id = :id", {"id": gone["id"]})
            _touch(store, now_ms, gone["contact_id"])
    return gone


def remove_by_id(store: Store, now_ms: int, device_id: int) -> None:
    """Remove a device. Raises UsageError where there is no such device."""
    endpoint = store.value("SELECT endpoint FROM devices WHERE id = :id", {"id": device_id})
    if endpoint is None:
        raise UsageError(f"there is no device {device_id}", hint="macli device list")
    remove(store, now_ms, endpoint)


def _touch(store: Store, now_ms: int, contact_id: int | None) -> None:
    """Rules look at whether a contact has a device: it changed."""
    params = {"now": now_ms, "id": contact_id}
    store.execute("UPDATE contacts SET updated_at = :now WHERE id = :id AND updated_at < :now", params)


def of_contact(store: Store, contact_id: int) -> tuple[Device, ...]:
    """Where a contact's push messages go; the devices seen last first."""
    rows = store.rows(_OF_CONTACT, {"contact_id": contact_id})
    return tuple(Device(endpoint=row["endpoint"], p256dh=row["p256dh"], auth=row["auth"]) for row in rows)


_OF_CONTACT = """
SELECT endpoint, p256dh, auth
FROM devices
WHERE contact_id = :contact_id
ORDER BY seen_at DESC, id DESC
"""


def count_of(store: Store, contact_id: int) -> int:
    return int(store.value("SELECT count(*) FROM devices WHERE contact_id = :id", {"id": contact_id}))


def list_all(store: Store, *, contact_id: int | None = None) -> list[dict[str, Any]]:
    """The devices, all or a contact's; of an endpoint only the push service's host, since it is a secret."""
    from urllib.parse import urlsplit

    return [
        {**dict(row), "service": urlsplit(row["endpoint"]).hostname}
        for row in store.rows(_LIST, {"contact_id": contact_id})
    ]


_LIST = """
SELECT d.id, coalesce(c.email, c.phone, c.external_id, 'contact ' || c.id) AS contact, d.contact_id,
  d.visitor_id, d.endpoint, d.agent, d.created_at, d.seen_at
FROM devices AS d
LEFT JOIN contacts AS c ON c.id = d.contact_id
WHERE :contact_id IS NULL
   OR d.contact_id = :contact_id
ORDER BY d.id
"""
