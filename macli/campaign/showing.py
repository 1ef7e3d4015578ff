"""A campaign as ``campaign show`` tells it: what it is, where it stands, what is worth a word."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from macli.campaign import describe, schedule, score_events
from macli.campaign.definition import Campaign
from macli.campaign.loading import load
from macli.campaign.readiness import findings
from macli.campaign.starts import starts_of
from macli.store import Store, campaigns
from macli.store.connection import Row

_TO_COME = ("draft", "scheduled")


def shown(store: Store, row: Row, *, setting: Callable[[str], Any], now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """Everything about a campaign, ready to be written."""
    campaign = load(store, row["id"], row["current_version"]).campaign
    facts: dict[str, Any] = {
        "name": row["name"],
        "state": row["state"],
        "why": row["pause_reason"],
        "description": campaign.description or None,
        "category": row["category"],
        "channel": campaign.default_channel,
        "purpose": campaign.purpose,
        "sender": _sender(campaign),
        "segments": campaigns.segments_of(store, row["id"]),
        "entry": describe.entry_in_words(campaign.entry),
        "watches": score_events.in_words(campaign),
        "exit": campaign.exit,
        "goal": campaign.goal,
        "conversion": describe.conversion_in_words(campaign.conversion),
        "reentry": campaign.reentry.when,
        "version": row["current_version"],
        "steps": list(describe.tree(campaign)),
        "counts": campaigns.counts_of(store, row["id"]),
        "activated_at": row["activated_at"],
        "finished_at": row["finished_at"],
    }
    if row["state"] in _TO_COME:
        found = findings(store, row, campaign, setting=setting, now=now, zone=zone)
        facts["starts"] = _starts(store, campaign, now, zone)
        facts["start_at"] = row["start_at"]
        facts["notes"] = [f"{one.level}: {one.text}" for one in found]
    return {name: value for name, value in facts.items() if value not in (None, [], {})}


def _sender(campaign: Campaign) -> Mapping[str, str] | None:
    if campaign.sender is None:
        return None
    said = {key: getattr(campaign.sender, key) for key in ("name", "email", "reply_to")}
    return {key: value for key, value in said.items() if value}


def _starts(store: Store, campaign: Campaign, now: datetime, zone: ZoneInfo) -> str | None:
    starts = starts_of(store, campaign, zone)
    if starts is None or campaign.entry.at is None:
        return None
    own = schedule.read(campaign.entry.at).zone
    named = own if own is not None and own != "Z" and own[0] not in "+-" else None
    return describe.starts_in_words(starts, zone=zone, own=named, now=now)
