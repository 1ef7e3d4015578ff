"""Whether a campaign may start: everything a message needs is looked at before the first one leaves."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from macli.actions.sending import Send
from macli.campaign.definition import Campaign, Parsed
from macli.campaign.entry_rule import audience_rule, condition_rule
from macli.campaign.steps import Node
from macli.errors import did_you_mean
from macli.model import ChannelKind, Purpose, Where
from macli.store import Store, staff
from macli.store.connection import Row

Setting = Callable[[str], Any]
NAMED = 5
"""How many contacts are named of those that lack a value."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An error keeps the campaign from starting; a warning does not."""

    level: Literal["error", "warning"]
    text: str
    hint: str | None = None


@dataclass(frozen=True, kw_only=True)
class SendingStep:
    """One step that sends, with what carries it. ``sure``: everybody who stays in comes by here."""

    node: Node
    action: Send
    channel: str
    kind: ChannelKind
    provider: Row | None
    purpose: Purpose
    sure: bool


def errors_in(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level == "error"]


def findings(
    store: Store,
    row: Row,
    campaign: Campaign,
    *,
    setting: Setting,
    now: datetime,
    zone: ZoneInfo,
    allow_missing: bool = False,
) -> list[Finding]:
    """Everything that keeps the campaign from starting, and what is worth a word."""
    from macli.campaign import checks
    from macli.campaign.loading import load

    found: list[Finding] = []
    parsed = load(store, row["id"], row["current_version"]).parsed
    for problem in checks.problems_of(checks.known(store, now, zone), parsed.mentions, campaign):
        found.append(_error(f"{parsed.places.name(problem.path)}: {problem.message}", problem.hint))
    if found:
        return found
    steps = list(sending_steps(store, campaign))
    found += _conversion(store, campaign)
    found += _left(store, parsed)
    found += _shape(row["name"], campaign, steps)
    for step in steps:
        found += _carrier(step)
        found += _sender(campaign, step, setting)
        found += _content(store, step, setting)
    if not errors_in(found):
        found += _missing(store, campaign, steps, setting=setting, now=now, zone=zone, allow=allow_missing)
    return list(dict.fromkeys(found))


def sending_steps(store: Store, campaign: Campaign) -> Iterator[SendingStep]:
    """The steps that send, in the order of the file."""
    top = {node.key for node in campaign.steps}
    for node in campaign.each_step():
        if not isinstance(node.action, Send):
            continue
        name = node.action.channel or campaign.default_channel
        carrier = store.row(_CARRIER, {"key": name.casefold()})
        assert carrier is not None
        provider = None
        if carrier["provider_id"] is not None:
            provider = store.row("SELECT * FROM providers WHERE id = :id", {"id": carrier["provider_id"]})
        yield SendingStep(
            node=node,
            action=node.action,
            channel=carrier["name"],
            kind=carrier["kind"],
            provider=provider,
            purpose=node.action.purpose or campaign.purpose,
            sure=node.key in top,
        )


_CARRIER = """
SELECT name, kind, provider_id
FROM channels
WHERE name_key = :key
"""


def sender_of(campaign: Campaign, step: SendingStep, setting: Setting) -> Mapping[str, str | None]:
    """Who a step's messages are from: the step's sender, the campaign's, the settings', the provider's."""
    import json

    said = [one for one in (step.action.sender, campaign.sender) if one is not None]

    def first(field: str, *others: str | None) -> str | None:
        return next((text for text in (*(getattr(one, field) for one in said), *others) if text), None)

    own = json.loads(step.provider["settings"]).get("from") if step.provider is not None else None
    return {
        "email": first("email", setting("sender.email"), own),
        "name": first("name", setting("sender.name")),
        "reply_to": first("reply_to", setting("sender.reply_to")),
    }


def _error(text: str, hint: str | None = None) -> Finding:
    return Finding(level="error", text=text, hint=hint)


def _warning(text: str, hint: str | None = None) -> Finding:
    return Finding(level="warning", text=text, hint=hint)


def _shape(name: str, campaign: Campaign, steps: list[SendingStep]) -> Iterator[Finding]:
    entry = campaign.entry
    if entry.kind == "once" and audience_rule(entry) is None:
        yield _error("nobody is selected", f"macli campaign edit {name!r} --segment NAME, or --rule RULE")
    if not campaign.steps:
        yield _error("it has no steps", f"macli campaign edit {name!r} --template NAME")
    elif not steps:
        yield _warning("no step sends a message")
    if any(one.name.startswith("email.opened") for one in entry.event):
        yield _warning(
            "it starts from an open, which is a weak sign: who blocks pictures never opens, and a program may"
        )


def _left(store: Store, parsed: Parsed) -> Iterator[Finding]:
    for mention in parsed.mentions:
        if mention.kind == "StaffName" and not (member := staff.get(store, mention.text))["active"]:
            yield _warning(
                f"{parsed.places.name(mention.path)}: {member['name']} has left the staff, and is given nothing"
            )


def _carrier(step: SendingStep) -> Iterator[Finding]:
    if step.provider is None:
        yield _error(
            f"the channel {step.channel!r} has no provider", f"macli channel set {step.channel} --provider NAME"
        )


def _conversion(store: Store, campaign: Campaign) -> Iterator[Finding]:
    """A form that is not there is never sent; its name counts as it is written."""
    form = campaign.conversion and campaign.conversion.form
    names = [row["name"] for row in store.rows("SELECT name FROM templates WHERE kind = 'form'")] if form else []
    if form and form not in names:
        yield _warning(f"the conversion counts no form: none is named {form!r}{did_you_mean(form, names)}")


def _sender(campaign: Campaign, step: SendingStep, setting: Setting) -> Iterator[Finding]:
    if step.kind != "email" or step.provider is None:
        return
    if sender_of(campaign, step, setting)["email"] is None:
        yield _error("no sender address", "macli settings set sender.email news@example.com")
    # By a real provider it is an error where require_https is not turned off, and told with its template.
    if step.purpose == "campaign" and step.provider["kind"] == "outbox" and not setting("postal_address"):
        yield _warning(
            "no postal address, without which marketing mail leaves by no real provider",
            "macli settings set postal_address '1 Main St, Ottawa'",
        )
    if step.purpose == "campaign" and not setting("public_url"):
        yield _warning("recipients unsubscribe by mail (mailto:) until public_url is set")


def _content(store: Store, step: SendingStep, setting: Setting) -> Iterator[Finding]:
    from macli.content import duties
    from macli.content.render import SMS_LIMIT
    from macli.store import templates

    for name in dict.fromkeys(step.action.templates()):
        version = templates.version(store, name)
        if step.provider is not None:
            for duty in duties.unmet(
                kind=step.kind,
                purpose=step.purpose,
                provider=step.provider["kind"],
                written=f"{version['html']}{version['text']}",
                setting=setting,
            ):
                yield _error(duty.text, duty.hint)
        if step.kind == "email":
            if not (version["subject"] or "").strip():
                yield _error(f"the template {name!r} has no subject", f"macli template edit {name!r} --subject TEXT")
            if not (version["html"] or "").strip() and not (version["text"] or "").strip():
                yield _error(f"the template {name!r} has no body", f"macli template edit {name!r} --html FILE")
            elif step.purpose == "campaign" and "unsubscribe_url" not in f"{version['html']}{version['text']}":
                yield _warning(f"the template {name!r} has no {{{{ unsubscribe_url }}}}: a footer says how to stop")
        elif not (version["text"] or "").strip():
            yield _error(f"the template {name!r} has no text", f"macli template edit {name!r} --sms TEXT")
        elif step.kind == "sms" and "{" not in version["text"] and len(version["text"]) > SMS_LIMIT:
            length = len(version["text"])
            yield _error(f"the template {name!r} has {length} characters; a text message has at most {SMS_LIMIT}")


def audience_of(
    store: Store,
    campaign: Campaign,
    step: SendingStep,
    narrowing: str,
    *,
    setting: Setting,
    now: datetime,
    zone: ZoneInfo,
) -> Where:
    """The contacts of today who come in, whom ``narrowing`` selects and this step may write to."""
    from macli import audience
    from macli.selection import where_of

    rule = condition_rule(campaign.entry) or audience_rule(campaign.entry) or "everyone"
    where = where_of(store, f"({rule}\n) and {narrowing}" if narrowing else rule, now, zone)
    policy = audience.policy(
        setting,
        channel=step.kind,
        purpose=step.purpose,
        topic=campaign.topic,
        caps=campaign.caps,
        quiet_hours=campaign.quiet_hours,
    )
    refusal, params = audience.refusal(policy, now)
    return Where(sql=f"({where.sql}) AND ({refusal}) IS NULL", params={**where.params, **params})


def _missing(
    store: Store,
    campaign: Campaign,
    steps: list[SendingStep],
    *,
    setting: Setting,
    now: datetime,
    zone: ZoneInfo,
    allow: bool,
) -> Iterator[Finding]:
    """Values the templates cannot do without and contacts of the audience lack, with their names."""
    from macli.content.missing import missing_values, required_values
    from macli.store import templates

    for step in steps:
        earlier: list[str] = []
        # Who gets which template: the first choice whose rule holds, else the step's own.
        for index, name in [*list(enumerate(step.action.templates()))[1:], (0, step.action.template)]:
            own = [f"({step.action.choose[index - 1].when}\n)"] if index else []
            narrowing = " and ".join([*own, *(f"not {other}" for other in earlier)])
            earlier += own
            required = required_values(dict(templates.version(store, name)))
            if not required:
                continue
            where = audience_of(store, campaign, step, narrowing, setting=setting, now=now, zone=zone)
            for value, count, some in missing_values(store, required, where.sql, where.params, limit=NAMED):
                yield _lacking(campaign, step, name, value, count, some, allow=allow)


def _lacking(
    campaign: Campaign, step: SendingStep, template: str, value: str, count: int, some: list[str], *, allow: bool
) -> Finding:
    named = ", ".join(some) + (f" and {count - len(some)} more" if count > len(some) else "")
    who = f"{count} contacts lack" if count != 1 else "1 contact lacks"
    text = f"{who} {value!r}, which the template {template!r} needs: {named}"
    # By an event, or behind a condition, only some of these may ever come by.
    if allow or not step.sure or campaign.entry.kind == "event":
        return _warning(text)
    return _error(
        text,
        f"write {{{{ {value} | default('…') }}}}, or macli template edit {template!r} --default {value}=…, "
        "or --allow-missing to send to the others",
    )
