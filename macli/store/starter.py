"""What a new store holds: its identity, the outbox, and a channel of each kind."""

from datetime import datetime

from macli.clock import to_ms
from macli.model import CHANNEL_KINDS
from macli.store import identity
from macli.store.connection import Store


def furnish(store: Store, now: datetime) -> None:
    """Make a new store ready: messages go to files in ``out/``, so nothing leaves the machine."""
    identity.record(store)
    with store.write():
        outbox = store.value(_PROVIDER, {"now": to_ms(now)})
        for kind in CHANNEL_KINDS:
            provider = None if kind == "webhook" else outbox
            store.execute(_CHANNEL, {"name": kind, "provider": provider, "now": to_ms(now)})


_PROVIDER = """
INSERT INTO providers (name, name_key, kind, settings, created_at, updated_at)
VALUES ('outbox', 'outbox', 'outbox', '{"path": "out"}', :now, :now)
RETURNING id
"""

_CHANNEL = """
INSERT INTO channels (name, name_key, kind, provider_id, created_at)
VALUES (:name, :name, :name, :provider, :now)
"""
