"""What recipients did with a campaign's messages: people apart from programs, each rate with what it is of."""

from typing import Any

from macli.reports.conversions import CLICKS, OPENS, percent
from macli.store import Store

DID = ("step", "channel", "of", "messages", "opened", "opens", "open_percent", "clicked", "clicks", "click_percent")
"""``opened`` and ``clicked`` are messages, however often each was; ``opens`` and ``clicks`` are times."""

APART = ("hard_bounced", "soft_bounced", "unsubscribed", "complained", "machine_opens", "machine_clicks")
"""What went wrong, and what programs did."""

_NOES = ("email.unsubscribed", "sms.opted_out")


def _in(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _times(names: tuple[str, ...]) -> str:
    return f"sum(CASE WHEN events.name IN ({_in(names)}) THEN 1 ELSE 0 END)"


def _programs(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{name}.{judged}" for name in names for judged in ("machine", "suspected"))


# First one row a message, then one a step and provider, since only some providers say what was
# delivered: for the others a message counts when it was sent and did not bounce.
_REACTIONS = f"""
WITH said AS (
  SELECT events.send_id,
         {_times(OPENS)} AS opens,
         {_times(CLICKS)} AS clicks,
         {_times(_programs(OPENS))} AS machine_opens,
         {_times(_programs(CLICKS))} AS machine_clicks,
         {_times(("email.soft_bounced",))} AS soft_bounces,
         {_times(_NOES)} AS noes,
         {_times(("email.complained",))} AS complaints
  FROM events
  WHERE events.send_id IN (SELECT sends.id FROM sends WHERE sends.campaign_id = :campaign)
  GROUP BY events.send_id
), carried AS (
  SELECT sends.step_id, sends.channel, sends.provider_id,
         sum(CASE WHEN sends.state IN ('accepted', 'delivered') THEN 1 ELSE 0 END) AS sent,
         sum(CASE WHEN sends.state = 'delivered' THEN 1 ELSE 0 END) AS delivered,
         sum(CASE WHEN sends.state = 'bounced' THEN 1 ELSE 0 END) AS hard_bounced,
         sum(CASE WHEN said.soft_bounces > 0 THEN 1 ELSE 0 END) AS soft_bounced,
         sum(CASE WHEN said.opens > 0 THEN 1 ELSE 0 END) AS opened,
         sum(coalesce(said.opens, 0)) AS opens,
         sum(CASE WHEN said.clicks > 0 THEN 1 ELSE 0 END) AS clicked,
         sum(coalesce(said.clicks, 0)) AS clicks,
         sum(CASE WHEN said.noes > 0 THEN 1 ELSE 0 END) AS unsubscribed,
         sum(CASE WHEN said.complaints > 0 THEN 1 ELSE 0 END) AS complained,
         sum(coalesce(said.machine_opens, 0)) AS machine_opens,
         sum(coalesce(said.machine_clicks, 0)) AS machine_clicks
  FROM sends
  LEFT JOIN said ON said.send_id = sends.id
  WHERE sends.campaign_id = :campaign
    AND sends.left_at IS NOT NULL
  GROUP BY sends.step_id, sends.channel, sends.provider_id
)
SELECT steps.key AS step, carried.channel,
       CASE
         WHEN min(carried.delivered) > 0 THEN 'delivered'
         WHEN max(carried.delivered) = 0 THEN 'sent'
         ELSE 'delivered or sent'
       END AS of,
       sum(CASE WHEN carried.delivered > 0 THEN carried.delivered ELSE carried.sent END) AS messages,
       sum(carried.opened) AS opened, sum(carried.opens) AS opens,
       sum(carried.clicked) AS clicked, sum(carried.clicks) AS clicks,
       sum(carried.hard_bounced) AS hard_bounced, sum(carried.soft_bounced) AS soft_bounced,
       sum(carried.unsubscribed) AS unsubscribed, sum(carried.complained) AS complained,
       sum(carried.machine_opens) AS machine_opens, sum(carried.machine_clicks) AS machine_clicks
FROM carried
JOIN steps ON steps.id = carried.step_id
GROUP BY steps.id, steps.key, carried.channel
ORDER BY steps.id
"""


def reactions(store: Store, campaign_id: int) -> list[dict[str, Any]]:
    """One record a step, with DID and APART."""
    found = []
    for row in store.rows(_REACTIONS, {"campaign": campaign_id}):
        record = dict(zip(row.keys(), row, strict=True))
        record["open_percent"] = percent(record["opened"], record["messages"])
        record["click_percent"] = percent(record["clicked"], record["messages"])
        found.append({column: record[column] for column in (*DID, *APART)})
    return found
