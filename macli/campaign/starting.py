"""Starting a campaign: when, from which event on, and what has to be in order first."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from macli.campaign import edit, score_events
from macli.campaign.definition import Campaign
from macli.campaign.entry_rule import existing_rule
from macli.campaign.loading import load
from macli.campaign.readiness import Finding, errors_in, findings
from macli.campaign.starts import start_of
from macli.clock import to_ms
from macli.errors import OperationFailed, UsageError
from macli.model import CampaignState
from macli.store import Store, campaign_states, campaigns
from macli.store.connection import Row


@dataclass(frozen=True, kw_only=True)
class Begun:
    """What activating a campaign came to; ``start_at`` where it waits for its time."""

    state: CampaignState
    start_at: int | None
    notes: tuple[Finding, ...]


def activate(
    store: Store,
    now: datetime,
    campaign: Row,
    *,
    setting: Callable[[str], Any],
    zone: ZoneInfo,
    allow_missing: bool = False,
    dry_run: bool = False,
) -> Begun:
    """Start a campaign, or let it wait for its start; ``dry_run`` only says what would be.

    Raises OperationFailed naming everything that is not in order, UsageError where its start has passed.
    """
    defined = load(store, campaign["id"], campaign["current_version"]).campaign
    found = findings(store, campaign, defined, setting=setting, now=now, zone=zone, allow_missing=allow_missing)
    if wrong := errors_in(found):
        raise OperationFailed(
            "\n".join([f"the campaign {campaign['name']!r} is not ready:", *(f"  {one.text}" for one in wrong)]),
            hint="\n  ".join(dict.fromkeys(one.hint for one in wrong if one.hint)) or None,
        )
    start = start_of(store, defined, zone)
    if start is not None and start < now and campaign["state"] == "draft":
        raise UsageError(
            f"the start of {campaign['name']!r} has passed: {defined.entry.at}",
            hint=f"macli campaign schedule {campaign['name']!r} --at TIME, or: send {campaign['name']!r} --now",
        )
    notes = tuple(one for one in found if one not in wrong)
    waits = start if start is not None and start > now else None
    if dry_run:
        state: CampaignState = "active" if waits is None else "scheduled"
    else:
        last = _last_event_before(store, defined)
        with store.write():
            score_events.watch(store, now, defined)
            state = campaign_states.start(store, now, campaign, start_at=start, from_event=last)
    return Begun(state=state, start_at=None if waits is None else to_ms(waits), notes=notes)


def existing(store: Store, campaign: Campaign, *, now: datetime, zone: ZoneInfo) -> int | None:
    """How many contacts an automatic campaign lets in as it starts; None where what was before does not count."""
    from macli import selection

    rule = existing_rule(campaign.entry)
    return None if rule is None else selection.count(store, selection.where_of(store, rule, now, zone))


def check_may_send(store: Store, campaign: Row, *, now: datetime, zone: ZoneInfo, at_once: bool) -> None:
    """Raises where the campaign cannot be sent now: its state, or a start that is still to come."""
    name = campaign["name"]
    if campaign["state"] == "paused":
        raise OperationFailed(
            f"the campaign {name!r} is paused: {campaign['pause_reason']}", hint=f"macli campaign resume {name!r}"
        )
    if campaign["state"] in ("finished", "cancelled"):
        raise UsageError(
            f"the campaign {name!r} is {campaign['state']}",
            hint=f"macli campaign recipients {name!r} shows what was sent",
        )
    start = start_of(store, load(store, campaign["id"], campaign["current_version"]).campaign, zone)
    if campaign["state"] != "active" and start is not None and start > now and not at_once:
        raise UsageError(
            f"the campaign {name!r} starts at {start.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}",
            hint=f"macli campaign activate {name!r} lets it wait for that; add --now to send it now",
        )


def begin_now(
    store: Store,
    now: datetime,
    campaign: Row,
    *,
    setting: Callable[[str], Any],
    zone: ZoneInfo,
    allow_missing: bool = False,
) -> None:
    """Activate a campaign for now, whatever start is written; one that is active goes on."""
    if campaign["state"] == "active":
        return
    with store.write():
        definition = campaigns.document(store, campaign)
        if "at" in definition["entry"]:
            entry = {name: value for name, value in definition["entry"].items() if name != "at"}
            edit.save(store, now, {**definition, "entry": entry}, zone=zone, origin="send", campaign=campaign)
            campaign = campaigns.get(store, campaign["name"])
        activate(store, now, campaign, setting=setting, zone=zone, allow_missing=allow_missing)


def _last_event_before(store: Store, campaign: Campaign) -> int:
    """The last event that does not count any more: those before the activation, unless told otherwise."""
    if campaign.entry.kind == "event" and campaign.entry.includes_existing:
        return 0
    return int(store.value("SELECT coalesce(max(id), 0) FROM events"))
