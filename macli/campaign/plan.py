"""What sending a campaign now would do: to how many, through whom, how long it takes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from macli import audience
from macli.campaign.definition import Campaign
from macli.campaign.entry_rule import audience_rule, condition_rule
from macli.campaign.readiness import SendingStep, Setting, sender_of, sending_steps
from macli.clock import format_duration
from macli.store import Store, templates

TOLD = ("step", "channel", "provider", "from", "template", "subject", "messages", "quiet_now", "at_least")
"""What a person is told of a plan in its row; who is left out stands below."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One sending step as it would go. ``counts`` has ``ok`` and the reasons; None where nobody knows yet."""

    step: str
    channel: str
    provider: str | None
    sender: str | None
    template: str
    subject: str | None
    counts: Mapping[str, int] | None
    quiet: int | None
    """How many of the messages wait for the end of the contact's quiet hours."""
    lasts: timedelta | None
    """At least so long, by the provider's limits."""

    @property
    def messages(self) -> int | None:
        return None if self.counts is None else self.counts.get("ok", 0)

    def record(self) -> dict[str, Any]:
        """The plan as a row to be shown."""
        counts = dict(self.counts) if self.counts is not None else None
        return {
            "step": self.step,
            "channel": self.channel,
            "provider": self.provider,
            "from": self.sender,
            "template": self.template,
            "subject": self.subject,
            "messages": self.messages,
            "quiet_now": self.quiet or None,
            "skipped": {reason: count for reason, count in counts.items() if reason != "ok"} if counts else None,
            "at_least": format_duration(self.lasts) if self.lasts else None,
        }

    def left_out(self) -> list[dict[str, Any]]:
        """Who would get nothing: how many by reason."""
        return [
            {"reason": reason, "contacts": count, "means": audience.REASONS[reason]}
            for reason, count in (self.counts or {}).items()
            if reason != "ok"
        ]


def plans(store: Store, campaign: Campaign, *, setting: Setting, now: datetime, zone: ZoneInfo) -> list[Plan]:
    """The sending steps in the order of the file, with who would get the first of them today."""
    found = []
    for number, step in enumerate(sending_steps(store, campaign)):
        counts, quiet = None, None
        # Who stands at a later step, or behind a condition, is not known before they come there.
        if number == 0 and step.sure and campaign.entry.kind != "event":
            counts, quiet = counts_of(store, campaign, step, setting=setting, now=now, zone=zone)
        found.append(_plan(store, campaign, step, counts, quiet, setting))
    return found


def counts_of(
    store: Store, campaign: Campaign, step: SendingStep, *, setting: Setting, now: datetime, zone: ZoneInfo
) -> tuple[Mapping[str, int], int]:
    """How many of those who come in would be written to and how many not, by reason; how many have quiet hours now."""
    from macli.quiet import quiet_now
    from macli.selection import where_of

    rule = condition_rule(campaign.entry) or audience_rule(campaign.entry) or "everyone"
    policy = audience.policy(
        setting,
        channel=step.kind,
        purpose=step.purpose,
        topic=campaign.topic,
        caps=campaign.caps,
        quiet_hours=campaign.quiet_hours,
    )
    where = where_of(store, rule, now, zone)
    return audience.counts(store, where, policy, now), quiet_now(store, where, policy, now, zone)


def _plan(
    store: Store,
    campaign: Campaign,
    step: SendingStep,
    counts: Mapping[str, int] | None,
    quiet: int | None,
    setting: Setting,
) -> Plan:
    sender = sender_of(campaign, step, setting)
    name = f"{sender['name']} <{sender['email']}>" if sender["name"] else sender["email"]
    version = templates.version(store, step.action.template)
    return Plan(
        step=step.node.key,
        channel=step.channel,
        provider=step.provider["name"] if step.provider is not None else None,
        sender=name if step.kind == "email" else None,
        template=version["name"],
        subject=version["subject"] if step.kind == "email" else None,
        counts=counts,
        quiet=quiet,
        lasts=_lasts(step, counts["ok"]) if counts else None,
    )


def _lasts(step: SendingStep, messages: int) -> timedelta | None:
    """How long so many messages take by the provider's own limits; None where it has none."""
    from macli.providers.limits import parse_limits

    if step.provider is None or messages < 2:
        return None
    spans = [
        timedelta(milliseconds=rate.span_ms) * ((messages - 1) // rate.count)
        for rate in parse_limits(json.loads(step.provider["limits"]) or ()).rates
        if not rate.domain
    ]
    return max(spans, default=None) or None
