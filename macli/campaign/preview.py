"""What one contact would get from a campaign: each message as it would read, or why there is none."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from macli import audience, quiet
from macli.campaign.definition import Campaign
from macli.campaign.entry_rule import audience_rule, condition_rule
from macli.campaign.readiness import SendingStep, Setting, sender_of, sending_steps
from macli.clock import from_ms, to_ms
from macli.store import Store, templates
from macli.store.connection import Row


@dataclass(frozen=True, kw_only=True)
class Preview:
    """One message as a contact would get it. ``reason`` says why it would not be sent now."""

    step: str
    channel: str
    template: str
    address: str | None
    sender: str | None
    reason: str | None
    waits_until: datetime | None
    subject: str | None
    text: str | None
    html: str | None

    def record(self) -> dict[str, Any]:
        """The preview as a record to be shown."""
        return {
            "step": self.step,
            "channel": self.channel,
            "template": self.template,
            "to": self.address,
            "from": self.sender,
            "sent": "no" if self.reason else "yes",
            "reason": self.reason,
            "waits_until_at": None if self.waits_until is None else to_ms(self.waits_until),
            "subject": self.subject,
            "text": self.text,
            "html": self.html,
        }


def previews(
    store: Store, campaign: Campaign, contact: Row, *, setting: Setting, now: datetime, zone: ZoneInfo
) -> Iterator[Preview]:
    """The messages of every sending step for ``contact``, in the order of the file."""
    outside = not _selected(store, campaign, contact, now, zone)
    for step in sending_steps(store, campaign):
        yield _preview(store, campaign, step, contact, outside, setting=setting, now=now, zone=zone)


def _selected(store: Store, campaign: Campaign, contact: Row, now: datetime, zone: ZoneInfo) -> bool:
    rule = condition_rule(campaign.entry) or audience_rule(campaign.entry)
    if rule is None:
        return campaign.entry.kind == "event"
    return _holds(store, rule, contact, now, zone)


def _holds(store: Store, rule: str, contact: Row, now: datetime, zone: ZoneInfo) -> bool:
    from macli.selection import where_of

    where = where_of(store, rule, now, zone, stored=True)
    found = store.value(
        f"SELECT 1 FROM contacts WHERE contacts.id = :preview_id AND ({where.sql})",
        {**where.params, "preview_id": contact["id"]},
    )
    return found is not None


def _preview(
    store: Store,
    campaign: Campaign,
    step: SendingStep,
    contact: Row,
    outside: bool,
    *,
    setting: Setting,
    now: datetime,
    zone: ZoneInfo,
) -> Preview:
    from macli.content.errors import TemplateFault
    from macli.content.footer import with_footer
    from macli.content.preview import own_addresses
    from macli.content.push import in_lines
    from macli.content.render import Renderer
    from macli.content.values import values_of

    name = next(
        (one.template for one in step.action.choose if _holds(store, one.when, contact, now, zone)),
        step.action.template,
    )
    version = templates.version(store, name)
    policy = audience.policy(
        setting,
        channel=step.kind,
        purpose=step.purpose,
        topic=campaign.topic,
        caps=campaign.caps,
        quiet_hours=campaign.quiet_hours,
    )
    refused = audience.reason_for(store, contact["id"], policy, now)
    reason = "not among those the campaign selects" if outside else refused and audience.REASONS[refused]
    sender = sender_of(campaign, step, setting)
    marketing = step.kind == "email" and step.purpose == "campaign"
    parts = with_footer(dict(version), setting("postal_address")) if marketing else {}
    renderer = Renderer(
        {**version, **parts},
        name=name,
        kind=version["kind"],
        now=now,
        campaign={"name": campaign.name, "category": campaign.category or ""},
        sender={key: value or "" for key, value in sender.items()},
        postal_address=setting("postal_address"),
    )
    subject = text = html = None
    try:
        rendered = renderer.render(
            values_of(contact), **own_addresses(setting, sender["reply_to"] or sender["email"] or "")
        )
        subject, text, html = rendered.subject or None, rendered.text, rendered.html
        if version["kind"] == "push":
            text = in_lines(rendered)
    except TemplateFault as fault:
        reason = reason or fault.message
    opens = quiet.waits_until(store, policy, contact, now, zone)
    return Preview(
        step=step.node.key,
        channel=step.channel,
        template=name,
        address=contact["email"] if step.kind == "email" else contact["phone"] if step.kind == "sms" else None,
        sender=sender["email"] if step.kind == "email" else None,
        reason=reason,
        waits_until=None if opens is None or reason else from_ms(opens),
        subject=subject,
        text=text,
        html=html,
    )
