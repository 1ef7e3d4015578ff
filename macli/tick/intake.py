"""Intake: providers are asked what became of the text messages they took and said no more about."""

import time
from collections.abc import Callable
from datetime import timedelta

from macli.clock import from_ms, to_ms
from macli.errors import MacliError
from macli.providers.base import Enquiry, Provider
from macli.store import Row, Store
from macli.tick.engine import Engine

AGES = (timedelta(minutes=3), timedelta(minutes=15), timedelta(hours=2), timedelta(hours=24))
"""How old an accepted message is when its provider is asked; at none of them more than once."""

MOST = 100
_LONGEST_SECONDS = 10.0
_FORGOTTEN_MS = 24 * 3600 * 1000

_OPEN = """
SELECT id, campaign_id, contact_id, provider_id, address, reference, left_at
FROM sends
WHERE state = 'accepted'
  AND channel = 'sms'
  AND address IS NOT NULL
  AND left_at > :after
  AND left_at <= :upto
ORDER BY left_at
LIMIT :limit
"""

_ASKED = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = :key"

_NOTE_ASKED = """
INSERT INTO meta (key, value)
VALUES (:key, :upto)
ON CONFLICT (key) DO UPDATE SET value = excluded.value
"""


def intake(engine: Engine, trouble: Callable[[str, str], None] = lambda name, why: None) -> int:
    """Ask after accepted text messages of each age, a bounded number a tick; how many are settled now.

    ``trouble`` is told of a provider that failed at being asked.
    """
    settled = 0
    asking = _Asking(engine, trouble)
    for age in AGES:
        key = f"asked_after_{age // timedelta(minutes=1)}_minutes"
        upto = to_ms(engine.moment() - age)
        asked = engine.store.value(_ASKED, {"key": key}) or 0
        # What was noted ahead of now, by a clock that was set back, says nothing.
        after = max(asked if asked <= upto else 0, upto - _FORGOTTEN_MS)
        rows = engine.store.rows(_OPEN, {"after": after, "upto": upto, "limit": MOST})
        if not rows:
            continue
        for row in rows:
            settled += asking.about(row)
        _note(engine.store, key, rows[-1]["left_at"] if len(rows) == MOST else upto)
    return settled


def _note(store: Store, key: str, upto: int) -> None:
    with store.write():
        store.execute(_NOTE_ASKED, {"key": key, "upto": str(upto)})


class _Asking:
    """The providers asked in one tick; one that does not answer is not asked again."""

    def __init__(self, engine: Engine, trouble: Callable[[str, str], None]) -> None:
        self._engine = engine
        self._trouble = trouble
        self._until = time.monotonic() + _LONGEST_SECONDS
        self._providers: dict[int | None, Provider | None] = {}
        self._token: str | None = None

    def about(self, row: Row) -> bool:
        """Ask about one message; whether it is settled now."""
        provider = self._provider(row["provider_id"])
        if provider is None or time.monotonic() > self._until:
            return False
        enquiry = Enquiry(
            send_id=row["id"],
            key=self._key(row["id"]),
            to=row["address"],
            since=from_ms(row["left_at"]),
            reference=row["reference"],
        )
        try:
            outcome = provider.lookup(enquiry)
        except Exception as error:
            # Asking is a courtesy: nothing that goes wrong with it may keep a tick from its work.
            self._providers[row["provider_id"]] = None
            self._trouble(provider.name, f"cannot be asked: {type(error).__name__}: {error}")
            return False
        if outcome is not None and outcome.verdict in ("unknown", "retry", "sender_fault"):
            self._providers[row["provider_id"]] = None
        if outcome is None or outcome.verdict not in ("delivered", "bounced", "rejected", "failed"):
            return False
        from macli.tick.resolve import settle

        settle(self._engine, row, outcome)
        return True

    def _provider(self, provider_id: int | None) -> Provider | None:
        if provider_id not in self._providers:
            loaded = self._load(provider_id)
            self._providers[provider_id] = loaded if loaded is not None and loaded.looks_up else None
        return self._providers[provider_id]

    def _load(self, provider_id: int | None) -> Provider | None:
        from macli.tick.compose import load_provider

        row = self._engine.store.row("SELECT * FROM providers WHERE id = :id", {"id": provider_id})
        try:
            return None if row is None else load_provider(self._engine, row)
        except MacliError:
            # Its settings do not do any more: whoever sends by it is told so; there is nobody to ask.
            return None

    def _key(self, send_id: int) -> str:
        if self._token is None:
            from macli.tick.compose import message_token

            self._token = message_token(self._engine.store)
        return f"{send_id}.{self._token}"
