"""Web push: a message is encrypted for each device of a contact and posted to the device's push service.

RFC 8030 (the post), RFC 8291 (the encryption) and RFC 8292 (VAPID: who we are). The devices of one
contact are one message: it is accepted as soon as one of them took it.
"""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from macli.errors import MacliError, OperationFailed
from macli.model import ChannelKind, Check, Device, Message, Outcome, Push, Verdict
from macli.providers.base import Enquiry
from macli.providers.codes import PUSH
from macli.providers.posting import Forbidden, connect, post
from macli.providers.settings import ADDRESS, expect, option, shown
from macli.secrets import Secret

if TYPE_CHECKING:
    from py_vapid import Vapid02

MOST_OCTETS = 3_993
"""What fits into the 4,096 octets every push service takes (RFC 8291, 4)."""

HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")

_VALID = 12 * 3600
"""Seconds a signed claim holds; a push service refuses more than a day."""

_RANK: tuple[Verdict, ...] = ("accepted", "unknown", "sender_fault", "retry", "rejected", "bounced")
"""Of the answers of a contact's devices, the first that one of them gave is the message's."""


def new_key() -> str:
    """A private key: 32 octets in URL-safe base64."""
    from cryptography.hazmat.primitives.asymmetric import ec

    return _text(ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Sends push messages to browsers. Without a key, one is made: browsers subscribe to it, so keep it."""

    subject: str = option(help="Whom a push service tells of trouble: mailto:web@example.com or an https URL.")
    private_key: Secret = option(made=new_key, help="The VAPID key, by reference: env:NAME or file:PATH.")
    ttl: int = option(86_400, help="Seconds a push service keeps a message for a device that is off.")
    urgency: str = option(
        "normal", choices=("very-low", "low", "normal", "high"), help="Whether a sleeping device is woken."
    )
    allow_private: bool = option(False, help="Post to private and loopback addresses, and by http, too: to try it.")
    connections: int = option(8, help="How many posts at once.")
    timeout: float = option(10.0, help="Seconds to wait for an answer.")

    def __post_init__(self) -> None:
        scheme, _, rest = self.subject.partition(":")
        holds = ADDRESS.fullmatch(rest) if scheme == "mailto" else scheme == "https" and urlsplit(self.subject).hostname
        hint = "--subject mailto:web@example.com"
        expect(bool(holds), "--subject", self.subject, "mailto: address or https URL", hint=hint)
        expect(0 <= self.ttl <= 2_419_200, "--ttl", self.ttl, "number of seconds up to 4 weeks")
        expect(0 < self.connections <= 200, "--connections", self.connections, "number from 1 to 200")
        expect(0 < self.timeout <= 3600, "--timeout", self.timeout, "number of seconds")


class WebPush:
    """The push services of the browsers' makers."""

    kind = "webpush"
    channels: frozenset[ChannelKind] = frozenset({"push"})
    looks_up = False
    sender = None

    def __init__(self, settings: Settings, *, name: str) -> None:
        self.name = name
        self.settings = settings
        self.connections = settings.connections

    def describe(self) -> Mapping[str, Any]:
        try:
            public = self.public_key
        except MacliError as error:
            public = f"unknown: {error.message}"
        return {**shown(self.settings), "public_key": public}

    @cached_property
    def public_key(self) -> str:
        """What a browser subscribes to: the applicationServerKey. Raises OperationFailed where there is no key."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        point = self._vapid.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return _text(point)

    def lookup(self, enquiry: Enquiry) -> Outcome | None:
        raise NotImplementedError("a push service does not say what became of a message")

    def check(self) -> list[Check]:
        """Whether the key can be read; nothing is posted, since every browser has its own push service."""
        try:
            return [Check(step="key", ok=True, detail=self.public_key)]
        except MacliError as error:
            return [Check(step="key", ok=False, detail=error.message)]

    def send(self, message: Message) -> Outcome:
        assert isinstance(message, Push)
        body = json.dumps(dict(message.payload), ensure_ascii=False).encode()
        if len(body) > MOST_OCTETS:
            words = f"{len(body)} octets; a push message has at most {MOST_OCTETS}"
            return Outcome(verdict="rejected", code="413", text=words)
        topic = _text(sha256(message.key.encode()).digest()[:24])
        try:
            answers = [(device, self._post(device, body, topic)) for device in message.devices]
        except MacliError as error:
            return Outcome(verdict="sender_fault", text=error.message)
        return _together(answers)

    def _post(self, device: Device, body: bytes, topic: str) -> Outcome:
        parts = urlsplit(device.endpoint)
        if not may_post(device.endpoint, private=self.settings.allow_private):
            return Outcome(verdict="rejected", text=f"{parts.scheme}://{parts.netloc} is no push service")
        try:
            encrypted = _encrypted(device, body)
            headers = self._headers(parts, topic)
        except ValueError as error:
            return Outcome(verdict="rejected", text=f"the device's keys do not hold: {error}")
        try:
            connection = connect(parts, timeout=self.settings.timeout, allow_private=self.settings.allow_private)
        except Forbidden as error:
            return Outcome(verdict="rejected", text=str(error))
        except (OSError, UnicodeError) as error:
            # Counted as a try of this message: the address is the device's, and others may well be reached.
            return Outcome(verdict="retry", text=f"{parts.netloc}: {error}")
        try:
            return post(
                connection,
                parts,
                encrypted,
                headers,
                timeout=self.settings.timeout,
                table=PUSH,
                reference="Location",
            )
        finally:
            connection.close()

    def _headers(self, parts: SplitResult, topic: str) -> dict[str, str]:
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": int(time.time()) + _VALID,
            "sub": self.settings.subject,
        }
        return {
            "Authorization": _signed(self._vapid, claims),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(self.settings.ttl),
            "Urgency": self.settings.urgency,
            "Topic": topic,
        }

    @cached_property
    def _vapid(self) -> "Vapid02":
        from py_vapid import Vapid02

        written = self.settings.private_key.reveal()
        try:
            if "-----BEGIN" in written:
                vapid = Vapid02.from_pem(written.encode())
            else:
                vapid = Vapid02.from_string(written)
        except Exception:
            # Whatever the library makes of it, without the words: they might hold the key.
            raise OperationFailed(
                f"{self.settings.private_key} holds no VAPID key",
                hint="32 octets in URL-safe base64, or an EC key (P-256) in PEM",
            ) from None
        vapid.conf["no-strict"] = True  # the subject was checked with the settings
        return vapid


def may_post(endpoint: str, *, private: bool) -> bool:
    """Whether an address a browser named may be a push service's: https, or http too where ``private``."""
    try:
        parts = urlsplit(endpoint)
        holds = bool(HOST.fullmatch(parts.netloc)) and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False
    return holds and endpoint.isascii() and endpoint.isprintable() and parts.scheme in ("https", "http")[: 1 + private]


def _encrypted(device: Device, body: bytes) -> bytes:
    from http_ece import ECEException
    from pywebpush import WebPusher, WebPushException

    try:
        pusher = WebPusher({"endpoint": device.endpoint, "keys": {"p256dh": device.p256dh, "auth": device.auth}})
        encrypted: bytes = pusher.encode(body, content_encoding="aes128gcm")["body"]
    except (WebPushException, ECEException) as error:
        raise ValueError(getattr(error, "message", str(error))) from None
    return encrypted


def _signed(vapid: "Vapid02", claims: Mapping[str, Any]) -> str:
    from py_vapid import VapidException

    try:
        return str(vapid.sign(dict(claims))["Authorization"])
    except VapidException as error:
        raise ValueError(str(error)) from None


def _together(answers: Sequence[tuple[Device, Outcome]]) -> Outcome:
    """One message's outcome from what its devices' push services answered."""
    first = min((answer for _, answer in answers), key=lambda answer: _RANK.index(answer.verdict))
    waits = [answer.retry_after for _, answer in answers if answer.retry_after is not None]
    return replace(
        first,
        retry_after=max(waits, default=None) if first.verdict == "retry" else None,
        gone=tuple(device.endpoint for device, answer in answers if answer.verdict == "bounced"),
    )


def _text(octets: bytes) -> str:
    from base64 import urlsafe_b64encode

    return urlsafe_b64encode(octets).decode("ascii").rstrip("=")


def build(settings: Settings, *, name: str) -> WebPush:
    return WebPush(settings, name=name)
