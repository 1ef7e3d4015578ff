"""What a campaign brought about: each conversion once, for the campaign the contact touched last."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from macli.campaign import loading
from macli.campaign.conversion import AFTER_CLICK, AFTER_OPEN, Conversion
from macli.model import Where
from macli.selection import event_where_of
from macli.store import Row, Store

CLICKS = ("email.clicked", "sms.clicked", "push.clicked")
OPENS = ("email.opened",)
"""What a person did with a message; what programs did has names of its own."""

# The touch is looked up for each conversion by the index on contact, name and time.
_COUNT = """
WITH happened AS (
  {happened}
    AND contact_id IN (SELECT sends.contact_id FROM sends WHERE sends.campaign_id = :campaign)
), credited AS (
  SELECT happened.contact_id, happened.value, coalesce({click}, {open}) AS campaign_id
  FROM happened
)
SELECT count(*) AS conversions, count(DISTINCT contact_id) AS contacts, sum(value) AS value,
  (
    SELECT count(DISTINCT sends.contact_id)
    FROM sends
    WHERE sends.campaign_id = :campaign
      AND sends.state IN ('accepted', 'delivered')
  ) AS of_contacts
FROM credited
WHERE campaign_id = :campaign
"""

_EVENTS = """
  SELECT events.contact_id, events.at, {value} AS value
  FROM events
  WHERE {where}"""

# By their stays: names of stages change, and a stage of the lifecycle is reached by passing it too.
_STAYS = """
  SELECT contact_id, entered_at AS at, NULL AS value
  FROM {stays}
  WHERE stage_id = :stage"""

_TOUCH = """(
    SELECT touched.campaign_id
    FROM events AS touched
    WHERE touched.contact_id = happened.contact_id
      AND touched.name IN ({names})
      AND touched.campaign_id IS NOT NULL
      AND touched.at <= happened.at
      AND touched.at >= happened.at - {window}
    ORDER BY touched.at DESC, touched.id DESC
    LIMIT 1
  )"""

_GOALS = """
SELECT campaigns.id, campaigns.current_version
FROM campaigns
JOIN campaign_versions ON campaign_versions.campaign_id = campaigns.id
  AND campaign_versions.number = campaigns.current_version
WHERE campaign_versions.definition ->> 'conversion' IS NOT NULL
"""


def conversions(store: Store, campaign: Row, *, now: datetime, zone: ZoneInfo) -> dict[str, Any] | None:
    """How many conversions, of how many contacts, worth how much; None where the campaign counts none, or
    a stage that has another name by now.

    ``percent`` is the share of the contacts it was sent to (``of_contacts``).

    A message of any campaign takes the credit when it was touched last, within its own campaign's
    windows (7 days after a click and 1 day after an open, where that says nothing else).
    """
    wanted = loading.load(store, campaign["id"], campaign["current_version"]).campaign.conversion
    if wanted is None:
        return None
    happened = _happened(store, wanted, now, zone)
    if happened is None:
        return None
    said = _all(store)
    sql = _COUNT.format(
        happened=happened.sql,
        click=_touch(CLICKS, AFTER_CLICK, {key: one.after_click for key, one in said.items()}),
        open=_touch(OPENS, AFTER_OPEN, {key: one.after_open for key, one in said.items()}),
    )
    row = store.row(sql, {**happened.params, "campaign": campaign["id"]})
    assert row is not None
    return {**dict(row), "percent": percent(row["contacts"], row["of_contacts"])}


def percent(part: int, whole: int) -> float | None:
    """A share in percent with one digit; None of nothing."""
    return round(100 * part / whole, 1) if whole else None


def _happened(store: Store, wanted: Conversion, now: datetime, zone: ZoneInfo) -> Where | None:
    """A query of what is a conversion: contact_id, at, value; None where it cannot be told any more."""
    if wanted.stage is not None:
        return _reached(store, wanted.stage)
    where = _events(store, wanted, now, zone)
    value = "NULL" if wanted.value is None else store.dialect.json_number("events.properties", wanted.value)
    return Where(sql=_EVENTS.format(value=value, where=where.sql), params=where.params)


def _reached(store: Store, stage: str) -> Where | None:
    """The stays on a stage, also one that was removed; None where none has this name any more."""
    funnel, slash, name = (" ".join(part.split()).casefold() for part in stage.partition("/"))
    reached = store.value(_FUNNEL_STAGE, {"funnel": funnel, "stage": name}) if slash else None
    if not slash:
        reached = store.value(_STAGE, {"stage": funnel})
    if reached is None:
        return None
    return Where(sql=_STAYS.format(stays="funnel_stays" if slash else "stage_stays"), params={"stage": reached})


_STAGE = "SELECT id FROM stages WHERE name_key = :stage"

_FUNNEL_STAGE = """
SELECT funnel_stages.id
FROM funnel_stages
JOIN funnels ON funnels.id = funnel_stages.funnel_id
WHERE funnels.name_key = :funnel
  AND funnel_stages.name_key = :stage
"""


def _events(store: Store, wanted: Conversion, now: datetime, zone: ZoneInfo) -> Where:
    """The events that are a conversion, as a condition on ``events``."""
    if wanted.form is not None:
        sql = "events.name = :goal AND events.properties ->> 'form' = :form"
        return Where(sql=sql, params={"goal": "form.submitted", "form": wanted.form})
    if wanted.url is not None:
        sql = "events.name = :goal AND substr(events.properties ->> 'url', 1, length(:url)) = :url"
        return Where(sql=sql, params={"goal": "page.visited", "url": wanted.url})
    if wanted.where is None:
        return Where(sql="events.name = :goal", params={"goal": wanted.event})
    narrowed = event_where_of(store, wanted.where, now, zone)
    return Where(sql=f"events.name = :goal AND ({narrowed.sql})", params={**narrowed.params, "goal": wanted.event})


def _all(store: Store) -> dict[int, Conversion]:
    """What each campaign that counts conversions counts, by the campaign's id."""
    with store.whole():
        found = {row["id"]: loading.load(store, *row).campaign.conversion for row in store.rows(_GOALS)}
    return {key: conversion for key, conversion in found.items() if conversion is not None}


def _touch(names: tuple[str, ...], usual: timedelta, windows: Mapping[int, timedelta]) -> str:
    """The campaign touched last before a conversion, in any of these ways, as SQL."""
    whens = "".join(
        f" WHEN {campaign} THEN {_ms(window)}" for campaign, window in sorted(windows.items()) if window != usual
    )
    window = f"CASE touched.campaign_id{whens} ELSE {_ms(usual)} END" if whens else str(_ms(usual))
    return _TOUCH.format(names=", ".join(f"'{name}'" for name in names), window=window)


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
