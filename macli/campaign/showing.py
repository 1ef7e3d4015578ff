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
from macli.errors import NotPermitted
from macli.store import Store, campaigns
from macli.store.connection import Row

_TO_COME = ("draft", "scheduled")


def shown(store: Store, row: Row, *, setting: Callable[[str], Any], now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """Everything about a campaign, ready to be written."""
    campaign = load(store, row["id"], row["current_version"]).campaign
    with store.whole():
        segments = campaigns.segments_of(store, row["id"])
    facts: dict[str, Any] = {
        "name": row["name"],
        "state": row["state"],
        "why": row["pause_reason"],
        "description": campaign.description or None,
        "category": row["category"],
        "channel": campaign.default_channel,
        "purpose": campaign.purpose,
        "sender": _sender(campaign),
        "segments": segments,
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
        facts["starts"] = _starts(store, campaign, now, zone)
        facts["start_at"] = row["start_at"]
        facts["notes"] = _notes(store, row, campaign, setting=setting, now=now, zone=zone)
    return {name: value for name, value in facts.items() if value not in (None, [], {})}


def _notes(store: Store, row: Row, campaign: Campaign, **context: Any) -> list[str]:
    """What keeps the campaign from starting and what is worth a word; for who may not look into all of it, that."""
    try:
        return [f"{one.level}: {one.text}" for one in findings(store, row, campaign, **context)]
    except NotPermitted as error:
        return [f"error: {error.message}"]


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
