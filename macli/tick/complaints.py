"""Complaints: a campaign of whose mails too many are called spam is warned of, and then pauses."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from macli.clock import to_ms
from macli.effects.complaining import UNSEEN
from macli.store import Store, campaign_states
from macli.tick.engine import Engine

LEAST = 3
"""Fewer complaints than this say nothing of a campaign, whatever their share."""

WITHIN = timedelta(days=30)
"""Counted are the mails that left within so long: an old campaign's past does not hide what it does now."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """How many of a campaign's mails that arrived were called spam."""

    campaign_id: int
    campaign: str
    complaints: int
    mails: int

    @property
    def share(self) -> float:
        return self.complaints / self.mails if self.mails else 1.0

    def reaches(self, share: float) -> bool:
        return self.complaints >= LEAST and self.share >= share

    def __str__(self) -> str:
        percent = f"{100 * self.share:.2f}".rstrip("0").rstrip(".")
        return f"{self.complaints} of {self.mails} mails called spam ({percent} %)"


def judge(engine: Engine, warning: Callable[[str, str], None]) -> int:
    """Look at the campaigns of new complaints: warn at ``complaints.warn``, pause at ``complaints.stop``.

    How many campaigns were paused. The cost is that of the new complaints and of their campaigns.
    """
    store, paused = engine.store, 0
    with store.write():
        params = {"first": int(store.value(_FIRST, {"key": UNSEEN}))}
        for row in store.rows(_CAMPAIGNS, params):
            found = share_of(store, engine.now, row["campaign_id"])
            if found.reaches(engine.setting("complaints.stop")):
                reason = f"complaints: {found}"
                if campaign_states.pause_for_fault(store, engine.moment(), found.campaign_id, reason):
                    paused += 1
                    warning(found.campaign, f"paused: {found}")
            elif found.reaches(engine.setting("complaints.warn")):
                warning(found.campaign, str(found))
        store.execute("DELETE FROM meta WHERE key = :key", {"key": UNSEEN})
    return paused


def share_of(store: Store, now: datetime, campaign_id: int) -> Share:
    """The share of one campaign's mails."""
    row = store.row(_SHARE, {"campaign": campaign_id, "since": to_ms(now - WITHIN)})
    assert row is not None
    return _read(row)


def too_many(store: Store, now: datetime, share: float) -> list[Share]:
    """The live or paused campaigns whose share reaches ``share``, the worst first."""
    rows = store.rows(_COMPLAINED_ABOUT, {"since": to_ms(now - WITHIN)})
    found = [share_of(store, now, row["campaign_id"]) for row in rows]
    return sorted((one for one in found if one.reaches(share)), key=lambda one: -one.share)


def _read(row: Any) -> Share:
    return Share(
        campaign_id=row["id"], campaign=row["name"], complaints=row["complaints"] or 0, mails=row["mails"] or 0
    )


_FIRST = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = :key"

# Walked by their ids: the new events only, not all complaints there ever were.
_CAMPAIGNS = """
SELECT DISTINCT campaign_id
FROM events
WHERE id >= :first
  AND name || '' = 'email.complained'
  AND campaign_id IS NOT NULL
ORDER BY campaign_id
"""

_SHARE = """
SELECT campaigns.id, campaigns.name, counted.mails,
       (
         SELECT count(DISTINCT events.send_id)
         FROM events
         JOIN sends ON sends.id = events.send_id
         WHERE events.name = 'email.complained'
           AND events.at >= :since
           AND events.campaign_id = campaigns.id
           AND sends.left_at >= :since
       ) AS complaints
FROM campaigns
JOIN (
  SELECT count(*) AS mails
  FROM sends
  WHERE campaign_id = :campaign
    AND channel = 'email'
    AND state IN ('accepted', 'delivered')
    AND left_at >= :since
) AS counted
WHERE campaigns.id = :campaign
"""

_COMPLAINED_ABOUT = """
SELECT DISTINCT events.campaign_id
FROM events
JOIN campaigns ON campaigns.id = events.campaign_id
WHERE events.name = 'email.complained'
  AND events.at >= :since
  AND campaigns.state IN ('scheduled', 'active', 'paused')
"""
