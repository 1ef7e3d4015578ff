"""From a claimed send to the message that leaves: the step's templates, sender and headers, made once a step."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from macli import content
from macli.actions.sending import Send
from macli.campaign import loading
from macli.errors import OperationFailed, UsageError
from macli.model import ChannelKind, Email, Message, Post, Sms
from macli.providers.base import Provider
from macli.store import Row, Store, assets, channels, templates
from macli.tick.engine import Engine
from macli.tick.pushing import PushComposer


@dataclass(frozen=True, kw_only=True)
class From:
    """Who a message is from."""

    email: str | None
    name: str | None
    reply_to: str | None


class StepComposer:
    """Composes the messages of one sending step of one version of a campaign.

    Raises OperationFailed where the step cannot be sent at all: no template, no sender, no provider.
    """

    def __init__(self, engine: Engine, campaign_id: int, version: int, step_key: str) -> None:
        self._engine = engine
        self.loaded = loading.load(engine.store, campaign_id, version)
        self.campaign = self.loaded.campaign
        self.campaign_id = campaign_id
        self.step = self.loaded.program.steps[step_key]
        if not isinstance(self.step.action, Send):
            raise OperationFailed(f"{self.campaign.name}: the step {step_key!r} sends nothing")
        self.action = self.step.action
        self.last = self.step.ways["next"] is None
        self.purpose = self.action.purpose or self.campaign.purpose
        self.provider_sender: str | None = None
        self._variants: dict[int, _Variant] = {}

    @cached_property
    def sender(self) -> From:
        """The step's sender, the campaign's, the settings', the provider's: the first that is said."""
        said = [source for source in (self.action.sender, self.campaign.sender) if source is not None]

        def first(field: str, *others: Any) -> str | None:
            return next((value for value in (*(getattr(source, field) for source in said), *others) if value), None)

        setting = self._engine.setting
        return From(
            email=first("email", setting("sender.email"), self.provider_sender),
            name=first("name", setting("sender.name")),
            reply_to=first("reply_to", setting("sender.reply_to")),
        )

    def template_version(self) -> str:
        """SQL over ``sends.variant``: the id of the template version that is rendered for it."""
        whens = " ".join(
            f"WHEN {index} THEN {self.variant(index).version_id}" for index in range(1, len(self.action.templates()))
        )
        first = self.variant(0).version_id
        return f"CASE coalesce(sends.variant, 0) {whens} ELSE {first} END" if whens else str(first)

    def variant(self, index: int) -> "_Variant":
        """The content with this number, compiled when it is first asked for."""
        if index not in self._variants:
            self._variants[index] = _Variant(self, self._engine, self.action.templates()[index])
        return self._variants[index]

    def compose(self, row: Row | Mapping[str, Any], date: datetime) -> Message:
        """The message for a claimed row (store/claiming.claim). Raises content.TemplateFault for this contact only."""
        return self.variant(row["variant"] or 0).compose(row, date)


class _Variant:
    """One template of a step, with everything that is the same for all its messages."""

    def __init__(self, composer: StepComposer, engine: Engine, template_name: str) -> None:
        store = engine.store
        self._composer = composer
        template = templates.find(store, template_name)
        version = templates.version(store, template["id"])
        self.version_id = int(version["id"])
        self._kind: ChannelKind = template["kind"]
        self._token = message_token(store)
        sender = composer.sender
        self._renderer = content.Renderer(
            version,
            name=template["name"],
            kind=template["kind"],
            now=engine.now.astimezone(engine.zone),
            campaign={"name": composer.campaign.name, "category": composer.campaign.category or ""},
            sender={
                "name": sender.name or "",
                "email": sender.email or "",
                "reply_to": sender.reply_to or "",
            },
            postal_address=engine.setting("postal_address"),
        )
        self._push: PushComposer | None = None
        if self._kind == "push":
            self._push = PushComposer(engine, template["name"], tracked=composer.purpose == "campaign")
        self._mailto = ""
        if self._kind == "email":
            if not sender.email:
                raise OperationFailed(
                    f"{composer.campaign.name}: no sender address",
                    hint="macli settings set sender.email news@example.com",
                )
            marketing = composer.purpose == "campaign"
            if marketing:
                self._mailto = engine.setting("unsubscribe.mailto") or sender.reply_to or sender.email
            self._builder = content.MailBuilder(
                sender=sender.email,
                sender_name=sender.name,
                reply_to=sender.reply_to,
                list_id=composer.campaign.name if marketing else None,
                unsubscribe_mailto=self._mailto or None,
                attachments=content.attachments_of(
                    assets.named(store, json.loads(version["attachments"]), composer.action.attach)
                ),
            )

    def compose(self, row: Row | Mapping[str, Any], date: datetime) -> Message:
        values = content.values_of(row)
        key = f"{row['send_id']}.{self._token}"
        if self._kind == "email":
            unsubscribe = content.mailto_of(self._mailto, key) if self._mailto else ""
            rendered = self._renderer.render(values, unsubscribe_url=unsubscribe)
            try:
                data = self._builder.build(
                    key=key,
                    to=row["address"],
                    to_name=full_name(values),
                    subject=rendered.subject,
                    text=rendered.text,
                    html=rendered.html,
                    date=date,
                )
            except UsageError as error:
                raise content.TemplateFault(error.message, where="To") from None
            return Email(
                send_id=row["send_id"],
                key=key,
                sender=self._builder.return_path,
                to=content.wire_address(row["address"]),
                data=data,
            )
        rendered = self._renderer.render(values)
        if self._kind == "sms":
            return Sms(send_id=row["send_id"], key=key, to=row["address"], text=rendered.text)
        if self._push is not None:
            return self._push.compose(row, key, rendered)
        return Post(
            send_id=row["send_id"],
            key=key,
            to=row["address"],
            payload=self._payload(row, key, date, rendered.text),
        )

    def _payload(self, row: Row | Mapping[str, Any], key: str, date: datetime, text: str) -> dict[str, Any]:
        """What is posted: the keys other marketing systems post, and the template's text or JSON."""
        campaign = self._composer.campaign
        values = content.values_of(row)
        try:
            said = json.loads(text)
        except ValueError:
            said = text
        return {
            "id": self._composer.campaign_id,
            "name": campaign.name,
            "description": campaign.description,
            "contactId": row["id"],
            "email": row["email"],
            "phone": row["phone"],
            "company": values.get("company"),
            "event": self._composer.step.key,
            "occurredAt": date.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "runId": key,
            "content": said,
        }


def full_name(values: Mapping[str, Any]) -> str | None:
    """The contact's name as a mail's To shows it, from first_name and last_name, or name."""
    parts = [str(values[part]) for part in ("first_name", "last_name") if values.get(part)]
    name = " ".join(parts) or values.get("name")
    return str(name) if name else None


def message_token(store: Store) -> str:
    """What tells this store's messages from another's in a message's key."""
    return str(store.value("SELECT value FROM meta WHERE key = 'store'") or "local")[:8]


def provider_of(store: Store, channel_name: str) -> Row:
    """The provider a channel is on: a row of ``providers``. Raises OperationFailed where there is none."""
    channel = channels.get(store, channel_name)
    if channel["provider_id"] is None:
        raise OperationFailed(
            f"the channel {channel_name!r} has no provider",
            hint=f"macli channel set {channel_name} --provider NAME",
        )
    row = store.row("SELECT * FROM providers WHERE id = :id", {"id": channel["provider_id"]})
    assert row is not None
    return row


def load_provider(engine: Engine, row: Row) -> Provider:
    """The provider of a row of ``providers``, ready to carry. Raises MacliError where its settings do not do."""
    from macli import providers

    return providers.load(row["kind"], json.loads(row["settings"]), name=row["name"], workspace=engine.workspace)
