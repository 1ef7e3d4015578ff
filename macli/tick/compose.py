"""From a claimed send to the message that leaves: the step's templates, sender and headers, made once a step."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Any
from urllib.parse import urlsplit

from macli import content
from macli.actions.sending import Send
from macli.campaign import loading
from macli.clock import to_ms
from macli.content import duties
from macli.errors import OperationFailed, UsageError
from macli.model import ChannelKind, Email, Message, Post, Sms
from macli.providers.base import Provider
from macli.signing import Keyring, keyring
from macli.store import Row, Store, assets, channels, links, templates
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

    A ``test`` goes to one's own address: it follows nobody and may lack what only others must get.
    Raises OperationFailed where the step cannot be sent at all: no template, no sender, no provider,
    no postal address, no way to unsubscribe.
    """

    def __init__(self, engine: Engine, campaign_id: int, version: int, step_key: str, *, test: bool = False) -> None:
        self._engine = engine
        self._test = test
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

    @cached_property
    def step_id(self) -> int:
        sql = "SELECT id FROM steps WHERE campaign_id = :campaign AND key = :key"
        return int(self._engine.store.value(sql, {"campaign": self.campaign_id, "key": self.step.key}))

    def check(self, kind: ChannelKind, written: str) -> None:
        """Raise OperationFailed where the law or the mailbox providers would not have such a message leave."""
        if self._test:
            return
        for duty in duties.unmet(
            kind=kind,
            purpose=self.purpose,
            provider=self._provider["kind"],
            written=written,
            setting=self._engine.setting,
        ):
            raise OperationFailed(f"{self.campaign.name}: {duty.text}", hint=duty.hint)

    @cached_property
    def _provider(self) -> Row:
        return provider_of(self._engine.store, self.action.channel or self.campaign.default_channel)

    @property
    def followed(self) -> bool:
        """Whether the campaign wants to know who opens and clicks."""
        wanted = self.purpose == "campaign" if self.campaign.tracking is None else self.campaign.tracking
        return wanted and not self._test

    def trail_base(self, kind: ChannelKind) -> str | None:
        """Where links and pixels of the step's messages lead; None where nobody is followed."""
        setting = self._engine.setting
        if not self.followed or kind not in ("email", "sms"):
            return None
        if json.loads(self._provider["settings"]).get("track") == "provider":
            return None  # its reports of opens and clicks count, and each is to count once
        if not setting("tracking.clicks") and not (kind == "email" and setting("tracking.opens")):
            return None
        return setting("tracking.domain") or setting("public_url") or None

    def utm(self, kind: ChannelKind, base: str) -> str:
        """The tags of the step's links, as a query string."""
        source = content.wire_address(self.sender.email).rpartition("@")[2] if self.sender.email else None
        return content.utm(
            source=source or urlsplit(base).hostname or "",
            medium=kind,
            campaign=templates.slug_of(self.campaign.name),
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
        self._engine = engine
        template = templates.find(store, template_name)
        version = templates.version(store, template["id"])
        self.version_id = int(version["id"])
        self._name: str = template["name"]
        self._kind: ChannelKind = template["kind"]
        self._token = message_token(store)
        self._marketing = composer.purpose == "campaign"
        self._public: str = engine.setting("public_url") or ""
        self._mailto = ""
        composer.check(self._kind, f"{version['html']}{version['text']}")
        self._version: dict[str, Any] = dict(version)
        if self._kind == "email":
            self._prepare_mail()
        self._bounces = _return_path(engine.setting("bounces.address")) if self._kind == "email" else None
        base = composer.trail_base(self._kind)
        self._keys = keyring(engine.workspace) if self._public or self._bounces or base or self._marketing else None
        self._trail: content.Trail | None = None
        self._push: PushComposer | None = None
        if self._kind == "push":
            utm = partial(composer.utm, self._kind)
            self._push = PushComposer(engine, self._name, followed=composer.followed, utm=utm)
        if base is not None and self._keys is not None:
            self._trail, self._tracked = self._follow(self._keys, base)
        else:
            self._plain = self._renderer(self._version)

    def _prepare_mail(self) -> None:
        composer, engine = self._composer, self._engine
        sender = composer.sender
        if not sender.email:
            raise OperationFailed(
                f"{composer.campaign.name}: no sender address",
                hint="macli settings set sender.email news@example.com",
            )
        mailto = feedback_id = None
        if self._marketing:
            self._version |= content.with_footer(self._version, engine.setting("postal_address"))
            mailto = engine.setting("unsubscribe.mailto")
            if not self._public:
                mailto = self._mailto = mailto or sender.reply_to or sender.email
            domain = content.wire_address(sender.email).rpartition("@")[2]
            step = templates.slug_of(composer.step.key) or composer.step_id
            feedback_id = f"{composer.campaign_id}:{step}:{self._token}:{domain}"
        attached = json.loads(self._version["attachments"])
        self._builder = content.MailBuilder(
            sender=sender.email,
            sender_name=sender.name,
            reply_to=sender.reply_to,
            list_id=composer.campaign.name if self._marketing else None,
            unsubscribe_mailto=mailto,
            feedback_id=feedback_id,
            attachments=content.attachments_of(assets.named(engine.store, attached, composer.action.attach)),
        )

    def _renderer(self, version: Mapping[str, Any], *, tracked: bool = False) -> content.Renderer:
        campaign, sender = self._composer.campaign, self._composer.sender
        return content.Renderer(
            version,
            name=self._name,
            kind=self._kind,
            now=self._engine.now.astimezone(self._engine.zone),
            campaign={"name": campaign.name, "category": campaign.category or ""},
            sender={
                "name": sender.name or "",
                "email": sender.email or "",
                "reply_to": sender.reply_to or "",
            },
            postal_address=self._engine.setting("postal_address"),
            tracked=tracked,
        )

    @cached_property
    def _plain(self) -> content.Renderer:
        """What renders for a contact who is not followed."""
        return self._renderer(self._version)

    def _follow(self, keys: Keyring, base: str) -> tuple[content.Trail, content.Renderer]:
        """The template with links and pixel that lead to ``base``; its links are kept for good."""
        composer, engine = self._composer, self._engine
        parts: dict[str, str | None] = {"html": self._version["html"], "text": self._version["text"]}
        query = composer.utm(self._kind, base) if engine.setting("tracking.utm") else ""
        if engine.setting("tracking.clicks"):
            numbers = links.numbers(
                engine.store,
                content.addresses(parts, query=query),
                campaign_id=composer.campaign_id,
                step_id=composer.step_id,
                now_ms=to_ms(engine.moment()),
            )
            parts = content.followed(parts, numbers.__getitem__, query=query, signed=self._kind == "email")
        if engine.setting("tracking.opens") and parts["html"] is not None:
            parts["html"] = content.with_pixel(parts["html"])
        return content.Trail(keys, base, query), self._renderer({**self._version, **parts}, tracked=True)

    def compose(self, row: Row | Mapping[str, Any], date: datetime) -> Message:
        values = content.values_of(row)
        send_id = row["send_id"]
        key = f"{send_id}.{self._token}"
        tokens = self._keys.message(send_id) if self._keys is not None else None
        own: dict[str, Any] = {}
        one_click = None
        if tokens is not None and self._public:
            own["preferences_url"] = f"{self._public}/prefs/{tokens.act}"
            own["confirm_url"] = f"{self._public}/confirm/{tokens.act}"
            if self._marketing:
                own["unsubscribe_url"] = one_click = f"{self._public}/u/{tokens.act}"
        elif self._mailto:
            own["unsubscribe_url"] = content.mailto_of(self._mailto, tokens.act if tokens is not None else key)
        if tokens is not None and self._trail is not None and not row["untracked"]:
            rendered = self._tracked.render(values, **own, **self._trail.values(tokens.follow))
        else:
            rendered = self._plain.render(values, **own)
        if self._kind == "email":
            try:
                data = self._builder.build(
                    key=key,
                    to=row["address"],
                    to_name=full_name(values),
                    subject=rendered.subject,
                    text=rendered.text,
                    html=rendered.html,
                    date=date,
                    unsubscribe_url=one_click,
                    unsubscribe_word=tokens.act if tokens is not None else key,
                )
            except UsageError as error:
                raise content.TemplateFault(error.message, where="To") from None
            sender = self._builder.return_path
            if tokens is not None and self._bounces is not None:
                sender = tokens.bounce.join(self._bounces)
            return Email(
                send_id=send_id,
                key=key,
                sender=sender,
                to=content.wire_address(row["address"]),
                data=data,
            )
        if self._push is not None:
            return self._push.compose(row, key, rendered)
        if self._kind == "sms":
            return Sms(send_id=send_id, key=key, to=row["address"], text=rendered.text)
        return Post(
            send_id=send_id,
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


def _return_path(address: str | None) -> tuple[str, str] | None:
    """What stands before and behind a message's own mark in the return path of that setting."""
    if address is None:
        return None
    if "*" not in address:
        address = "+*@".join(address.rsplit("@", 1))
    before, _, after = content.wire_address(address).partition("*")
    return before, after


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

    return providers.load(
        row["kind"],
        json.loads(row["settings"]),
        name=row["name"],
        workspace=engine.workspace,
        callback=callback_url(engine.setting("public_url"), row["kind"], row["name"]),
    )


def callback_url(public_url: str | None, kind: str, name: str) -> str | None:
    """Where a provider reports; None where nobody outside could reach it."""
    from urllib.parse import quote

    if not public_url or urlsplit(public_url).hostname in ("localhost", "127.0.0.1", "::1"):
        return None
    return f"{public_url}/hooks/{kind}/{quote(name, safe='')}"
