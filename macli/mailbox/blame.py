"""Refusals that blame us: so many of a campaign's mails, and it pauses; the contacts are left alone."""

from datetime import datetime, timedelta

from macli.clock import to_ms
from macli.mailbox.policy import judge
from macli.store import Store, campaign_states

WITHIN = timedelta(days=1)
MOST_SENDER = 3
"""So many refusals of our name, domain or server within a day pause the campaign: one may be a forwarder's."""

MOST_REFUSED = 10
SHARE_REFUSED = 0.05
"""So many refusals of the message itself, and such a share of the mails that left within the day, do too."""

_LOOKED_AT = 1000


def pause_if_refused(store: Store, now: datetime, campaign_id: int) -> bool:
    """Pause a live campaign whose mails are refused for what we are or what they are. Whether it was."""
    params = {"campaign": campaign_id, "since": to_ms(now - WITHIN), "limit": _LOOKED_AT}
    said = [str(row["code"] or "") for row in store.rows(_REFUSED, params)]
    sender = [words for words in said if judge("", words) == "sender"]
    if len(sender) >= MOST_SENDER:
        return campaign_states.pause_for_fault(
            store, now, campaign_id, f"mail servers refuse the sender ({len(sender)} within a day): {sender[0]}"
        )
    if len(said) < MOST_REFUSED or len(said) < SHARE_REFUSED * store.value(_LEFT, params):
        return False
    return campaign_states.pause_for_fault(
        store, now, campaign_id, f"mail servers refuse the mail ({len(said)} within a day): {said[0]}"
    )


_REFUSED = """
SELECT code
FROM sends
WHERE campaign_id = :campaign
  AND channel = 'email'
  AND state = 'rejected'
  AND settled_at >= :since
ORDER BY settled_at DESC, id
LIMIT :limit
"""

_LEFT = """
SELECT count(*)
FROM sends
WHERE campaign_id = :campaign
  AND channel = 'email'
  AND left_at >= :since
"""
