"""Dropped baskets: what was put into a basket and not bought in time becomes an event of its own."""

from collections.abc import Callable
from datetime import timedelta

from macli import events
from macli.clock import to_ms
from macli.store import Store
from macli.tick.engine import Engine

_MS = timedelta(milliseconds=1)
_FORGOTTEN = timedelta(days=7)
"""A basket reported so late is history, which nobody is reminded of."""


def drop(engine: Engine, trouble: Callable[[str, str], None]) -> int:
    """Record cart.abandoned for the baskets that count as dropped by now; how many.

    Looked at are the basket events that came of age since the last look, and those reported late; so a look
    costs what happened since. The first look leaves the past alone.
    """
    store = engine.store
    now = to_ms(engine.now)
    after = engine.setting("baskets.after") // _MS
    with store.write():
        last = int(store.value("SELECT coalesce(max(id), 0) FROM events"))
        looked_at, upto = _cursor(store, "baskets_cursor"), _cursor(store, "baskets_upto")
        if looked_at is None or upto is None:
            looked_at, upto = last, now - after
        dropped = events.record_select(
            store,
            engine.now,
            name="cart.abandoned",
            source="baskets",
            select=_DROPPED,
            params={
                "basket": engine.setting("baskets.event"),
                "purchase": engine.setting("purchases.event"),
                "after": after,
                "aged": now - after,
                "upto": max(min(upto, now - after), now - after - _FORGOTTEN // _MS),
                "forgotten": now - after - _FORGOTTEN // _MS,
                "looked_at": looked_at,
                "last": last,
            },
        )
        _note(store, "baskets_cursor", int(store.value("SELECT coalesce(max(id), 0) FROM events")))
        _note(store, "baskets_upto", max(upto, now - after))
    return dropped


# Of age since the last look: by the index on name and time. Reported late: by their ids, a walk over
# what is new in the log. Of a contact's events only the last basket counts: a later one begins anew.
_DROPPED = """
SELECT carts.contact_id, carts.at + :after AS at, 'cart:' || carts.id AS source_id, carts.properties, carts.send_id,
  carts.campaign_id
FROM (
  SELECT id, contact_id, at, properties, send_id, campaign_id
  FROM events
  WHERE name = :basket
    AND at > :upto
    AND at <= :aged
    AND contact_id IS NOT NULL
  UNION
  SELECT id, contact_id, at, properties, send_id, campaign_id
  FROM events
  WHERE id > :looked_at
    AND id <= :last
    AND name || '' = :basket
    AND at > :forgotten
    AND at <= :aged
    AND contact_id IS NOT NULL
) AS carts
WHERE coalesce(carts.properties ->> 'total' || '', '') NOT IN ('0', '0.0')
  AND NOT EXISTS (
    SELECT 1
    FROM events AS later
    WHERE later.contact_id = carts.contact_id
      AND later.name = :basket
      AND (later.at > carts.at OR later.at = carts.at AND later.id > carts.id)
  )
  AND NOT EXISTS (
    SELECT 1
    FROM events AS bought
    WHERE bought.contact_id = carts.contact_id
      AND bought.name = :purchase
      AND bought.at >= carts.at
  )
"""


def _cursor(store: Store, key: str) -> int | None:
    value: int | None = store.value("SELECT CAST(value AS INTEGER) FROM meta WHERE key = :key", {"key": key})
    return value


def _note(store: Store, key: str, value: int) -> None:
    store.execute(
        """
        INSERT INTO meta (key, value)
        VALUES (:key, :value)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value
        """,
        {"key": key, "value": str(value)},
    )
