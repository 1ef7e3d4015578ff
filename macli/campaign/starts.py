"""When a campaign starts for the contacts the store has."""

from datetime import datetime
from zoneinfo import ZoneInfo

from macli.campaign import schedule
from macli.campaign.definition import Campaign
from macli.store import Store


def starts_of(store: Store, campaign: Campaign, zone: ZoneInfo) -> schedule.Starts | None:
    """When the campaign starts in every zone its contacts live in; None where no time is written."""
    if campaign.entry.at is None:
        return None
    at = schedule.read(campaign.entry.at)
    zones = (row["timezone"] for row in store.rows(_ZONES)) if at.local else ()
    return schedule.starts(at, zones, zone)


_ZONES = """
SELECT DISTINCT timezone
FROM contacts
WHERE timezone IS NOT NULL
  AND removed_at IS NULL
"""


def start_of(store: Store, campaign: Campaign, zone: ZoneInfo) -> datetime | None:
    """When the first contact comes in; None where no time is written."""
    found = starts_of(store, campaign, zone)
    return None if found is None else found.earliest
