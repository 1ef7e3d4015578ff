"""What a new store holds: its identity, the outbox, a channel of each kind, first point rules, the stages."""

from datetime import datetime

from macli.clock import to_ms
from macli.model import CHANNEL_KINDS
from macli.store import identity, stages
from macli.store.connection import Store


def furnish(store: Store, now: datetime) -> None:
    """Make a new store ready: messages go to files in ``out/``, so nothing leaves the machine."""
    identity.record(store)
    with store.write():
        outbox = store.value(_PROVIDER, {"now": to_ms(now)})
        for kind in CHANNEL_KINDS:
            provider = None if kind == "webhook" else outbox
            store.execute(_CHANNEL, {"name": kind, "provider": provider, "now": to_ms(now)})
        store.execute(_POINT_RULES, {"now": to_ms(now)})
        store.execute(_SCOPES)
        stages.furnish(store, to_ms(now))


_PROVIDER = """
INSERT INTO providers (name, name_key, kind, settings, created_at, updated_at)
VALUES ('outbox', 'outbox', 'outbox', '{"path": "out"}', :now, :now)
RETURNING id
"""

_CHANNEL = """
INSERT INTO channels (name, name_key, kind, provider_id, created_at)
VALUES (:name, :name, :name, :provider, :now)
"""

# The preset persisca of scoring/presets.toml and what stands beside it, as a test holds, without reading the file.
_POINT_RULES = """
INSERT INTO point_rules (name, name_key, event, points, preset, created_at, updated_at)
VALUES
  ('mail opened', 'mail opened', 'email.opened', 5, 'persisca', :now, :now),
  ('mail clicked', 'mail clicked', 'email.clicked', 10, 'persisca', :now, :now),
  ('unsubscribed', 'unsubscribed', 'email.unsubscribed', -10, 'persisca', :now, :now),
  ('page visited', 'page visited', 'page.visited', 2, 'macli', :now, :now)
"""

_SCOPES = """
INSERT INTO point_rule_scopes (rule_id, kind, name, name_key)
SELECT id, 'global', 'global', 'global'
FROM point_rules
"""
