"""The values that travel between modules: frozen, named by the glossary, free of I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ChannelKind = Literal["email", "sms", "push", "webhook"]
CHANNEL_KINDS: tuple[ChannelKind, ...] = ("email", "sms", "push", "webhook")

AttributeType = Literal["text", "number", "bool", "date"]
ATTRIBUTE_TYPES: tuple[AttributeType, ...] = ("text", "number", "bool", "date")

Purpose = Literal["campaign", "transactional", "test"]

CampaignState = Literal["draft", "scheduled", "active", "paused", "finished", "cancelled"]

SendState = Literal[
    "planned",  # decided, waiting for its time and a claim
    "claimed",  # a named worker has it; nothing has left the machine
    "sending",  # marked before the wire; from here on it may have left
    "accepted",  # the provider took it
    "delivered",
    "bounced",  # the recipient's side refused it for good
    "rejected",  # the provider refused this message
    "failed",  # given up after retries
    "unknown",  # it may have left and nobody said; never sent again by itself
    "skipped",  # never left, and ``reason`` says why
]
FINAL_STATES: tuple[SendState, ...] = (
    "accepted",
    "delivered",
    "bounced",
    "rejected",
    "failed",
    "unknown",
    "skipped",
)
REACHED_WIRE: tuple[SendState, ...] = ("sending", "accepted", "delivered", "unknown")
"""States that count against caps and ``received`` predicates: it left, or it may have."""

Verdict = Literal[
    "accepted",  # the provider has it now
    "delivered",  # the recipient has it (status polling, webhooks)
    "retry",  # transient: try again later, with back-off
    "bounced",  # the recipient's address is at fault, for good
    "rejected",  # this message is refused, for good; the address is not at fault
    "failed",  # anything else that is over
    "unknown",  # it left and no answer came
    "sender_fault",  # our account, credentials or domain: nothing else may go out, pause
]


@dataclass(frozen=True, kw_only=True)
class Where:
    """A condition on ``contacts`` ready to stand after WHERE.

    ``sql`` is two-valued and refers to the columns of a table or alias named ``contacts``;
    ``params`` are its named parameters. ``timely`` is true when the answer for an unchanged
    contact can change as time passes. ``reads`` names the tables besides contacts, its tags and its
    consents whose changes can change the answer without the contact being touched. ``direct`` says
    that an index leads straight to the contacts, so that asking twice costs little.
    """

    sql: str
    params: Mapping[str, Any] = field(default_factory=dict)
    timely: bool = False
    reads: frozenset[str] = frozenset()
    direct: bool = False


@dataclass(frozen=True, kw_only=True)
class NewEvent:
    """An event to be recorded: ``at`` in UTC milliseconds, ``(source, source_id)`` makes it once.

    ``visitor_id`` is whose it is while nobody knows the contact.
    """

    contact_id: int | None
    name: str
    at: int
    source: str
    source_id: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    send_id: int | None = None
    campaign_id: int | None = None
    visitor_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a provider, a mailbox or a handset said of one message, in the one vocabulary.

    The message is known by ``send_id``, else by ``key`` (X-Macli-Message-Id), else by ``reference``
    (the provider's own id). ``state`` is what it makes of the send and ``event`` what it amounts to;
    either may be None. ``(source, source_id)`` makes it once; ``at`` is in UTC milliseconds;
    ``words`` are the provider's own.
    """

    source: str
    source_id: str
    at: int
    event: str | None = None
    state: SendState | None = None
    send_id: int | None = None
    key: str | None = None
    reference: str | None = None
    address: str | None = None
    words: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Email:
    """A rendered mail. ``data`` is the complete RFC 5322 message with CRLF line ends, not dot-stuffed."""

    send_id: int
    key: str
    sender: str
    to: str
    data: bytes
    channel: Literal["email"] = "email"


@dataclass(frozen=True, kw_only=True)
class Sms:
    """A rendered text message; ``to`` is E.164. The provider chooses the sender by its routes."""

    send_id: int
    key: str
    to: str
    text: str
    channel: Literal["sms"] = "sms"


@dataclass(frozen=True, kw_only=True)
class Device:
    """A browser that agreed to take push messages: where to post them, and the keys to encrypt them for it.

    ``p256dh`` and ``auth`` are the browser's, in URL-safe base64 (RFC 8291).
    """

    endpoint: str
    p256dh: str
    auth: str


@dataclass(frozen=True, kw_only=True)
class Push:
    """A push message to all of a contact's devices; ``to`` names the contact."""

    send_id: int
    key: str
    to: str
    payload: Mapping[str, Any]
    devices: tuple[Device, ...]
    channel: Literal["push"] = "push"


@dataclass(frozen=True, kw_only=True)
class Post:
    """A JSON document to be posted to the provider's endpoint, or to ``url`` where the step names one."""

    send_id: int
    key: str
    to: str
    payload: Mapping[str, Any]
    url: str | None = None
    channel: Literal["webhook"] = "webhook"


Message = Email | Sms | Push | Post


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a provider answered for one message.

    ``code`` and ``text`` are the provider's own words; ``reference`` its id for the message;
    ``event`` the event this answer amounts to (``email.bounced``, ``sms.opted_out``, …), whose
    effects the event log applies; ``retry_after`` seconds, where the provider asked for a pause;
    ``reached`` is false where no connection came about at all, which is no fault of the message;
    ``gone`` the endpoints of devices that take no push messages any more, whatever became of the rest.
    """

    verdict: Verdict
    code: str = ""
    text: str = ""
    reference: str | None = None
    event: str | None = None
    retry_after: float | None = None
    reached: bool = True
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Check:
    """One step of a provider's connection test: ``connect``, ``TLS``, ``AUTH``, …"""

    step: str
    ok: bool
    detail: str = ""
