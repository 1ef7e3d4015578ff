"""How often a contact wants to hear from us, from when on, and whether it may be watched."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from macli.clock import from_ms, to_ms
from macli.store.connection import Store


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """What a contact asked for: at most ``most`` campaign messages within ``span``, none before ``paused_until``,
    and with ``untracked`` none of its opens and clicks kept."""

    most: int | None = None
    span: timedelta | None = None
    paused_until: datetime | None = None
    untracked: bool = False


def of(store: Store, contact_id: int) -> Preferences:
    """A contact's preferences; the empty ones where it has none."""
    row = store.row("SELECT * FROM preferences WHERE contact_id = :id", {"id": contact_id})
    if row is None:
        return Preferences()
    return Preferences(
        most=row["most"],
        span=None if row["most_span"] is None else timedelta(milliseconds=row["most_span"]),
        paused_until=None if row["paused_until_at"] is None else from_ms(row["paused_until_at"]),
        untracked=bool(row["untracked"]),
    )


def put(store: Store, now: datetime, contact_id: int, wanted: Preferences) -> None:
    """Keep a contact's preferences. Runs inside ``write``."""
    store.execute(
        _PUT,
        {
            "id": contact_id,
            "most": wanted.most,
            "span": None if wanted.span is None else wanted.span // timedelta(milliseconds=1),
            "until": None if wanted.paused_until is None else to_ms(wanted.paused_until),
            "untracked": int(wanted.untracked),
            "now": to_ms(now),
        },
    )


_PUT = """
INSERT INTO preferences (contact_id, paused_until_at, most, most_span, untracked, changed_at)
VALUES (:id, :until, :most, :span, :untracked, :now)
ON CONFLICT (contact_id) DO UPDATE
SET paused_until_at = excluded.paused_until_at, most = excluded.most, most_span = excluded.most_span,
  untracked = excluded.untracked, changed_at = excluded.changed_at
"""
