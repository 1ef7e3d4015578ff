"""A webhook: each message is a signed JSON document posted to an address of yours.

The receiver finds in the headers ``X-Macli-Timestamp`` (seconds since 1970), ``X-Macli-Signature``
(``sha256=`` and the hex HMAC-SHA256 of ``<timestamp>.<body>`` under the shared secret; it should
refuse old timestamps), and ``Idempotency-Key``, the same at every attempt of one message.
"""

import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from macli.errors import MacliError, UsageError
from macli.model import ChannelKind, Check, Message, Outcome, Post
from macli.providers.base import Enquiry
from macli.providers.codes import WEBHOOK
from macli.providers.posting import Forbidden, connect, post
from macli.providers.settings import expect, expect_url, option, shown
from macli.secrets import Secret


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Posts to a web server."""

    url: str = option(help="Where to post, where a step names no other address.")
    secret: Secret | None = option(None, help="The key that signs, by reference: env:NAME or file:PATH.")
    username: str | None = option(None, help="The user for HTTP Basic.")
    password: Secret | None = option(None, asked_with="username", help="The password for HTTP Basic, by reference.")
    token: Secret | None = option(None, help="A bearer token, by reference.")
    allow_private: bool = option(False, help="Post to private and loopback addresses too.")
    connections: int = option(4, help="How many posts at once.")
    timeout: float = option(30.0, help="Seconds to wait for an answer.")

    def __post_init__(self) -> None:
        expect_url("--url", self.url)
        if bool(self.username) != bool(self.password):
            raise UsageError("--username and --password belong together")
        if self.token and self.username:
            raise UsageError("--token and --username are two ways to log in: one is enough")
        expect(0 < self.connections <= 200, "--connections", self.connections, "number from 1 to 200")
        expect(0 < self.timeout <= 3600, "--timeout", self.timeout, "number of seconds")


class Webhook:
    """A web server that takes messages as JSON."""

    kind = "webhook"
    channels: frozenset[ChannelKind] = frozenset({"webhook"})
    looks_up = False
    sender = None

    def __init__(self, settings: Settings, *, name: str) -> None:
        self.name = name
        self.settings = settings
        self.connections = settings.connections

    def describe(self) -> Mapping[str, Any]:
        return shown(self.settings)

    def lookup(self, enquiry: Enquiry) -> Outcome | None:
        raise NotImplementedError("a webhook's receiver is not asked")

    def send(self, message: Message) -> Outcome:
        assert isinstance(message, Post)
        url = message.url or self.settings.url
        document = {"id": message.key, "to": message.to, **message.payload}
        body = json.dumps(document, ensure_ascii=False, default=str).encode()
        try:
            parts = _parts(url)
            headers = {**self._headers(body), "Idempotency-Key": _header_safe(message.key)}
            connection = connect(parts, timeout=self.settings.timeout, allow_private=self.settings.allow_private)
        except MacliError as error:
            return Outcome(verdict="sender_fault", text=error.message)
        except Forbidden as error:
            return Outcome(verdict="failed", text=str(error))
        except (OSError, UnicodeError) as error:  # also TLS: nothing has left yet
            return Outcome(verdict="retry", text=f"{url}: {error}", reached=bool(message.url))
        try:
            return post(connection, parts, body, headers, timeout=self.settings.timeout, table=WEBHOOK)
        finally:
            connection.close()

    def check(self) -> list[Check]:
        """Resolve, refuse private addresses, connect; nothing is posted."""
        try:
            parts = _parts(self.settings.url)
            for secret in (self.settings.secret, self.settings.password, self.settings.token):
                if secret:
                    secret.reveal()
            connection = connect(parts, timeout=self.settings.timeout, allow_private=self.settings.allow_private)
        except MacliError as error:
            return [Check(step="settings", ok=False, detail=error.message)]
        except Forbidden as error:
            return [Check(step="resolve", ok=False, detail=str(error))]
        except (OSError, UnicodeError) as error:
            return [Check(step="connect", ok=False, detail=str(error))]
        connection.close()
        steps = [Check(step="connect", ok=True, detail=f"{connection.host}:{connection.port}")]
        return [*steps, Check(step="TLS", ok=True, detail="verified")] if parts.scheme == "https" else steps

    def _headers(self, body: bytes) -> dict[str, str]:
        from base64 import b64encode

        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "macli",
            "X-Macli-Timestamp": timestamp,
        }
        if self.settings.secret:
            headers["X-Macli-Signature"] = signature(self.settings.secret.reveal(), timestamp, body)
        if self.settings.token:
            headers["Authorization"] = f"Bearer {self.settings.token.reveal()}"
        elif self.settings.username and self.settings.password:
            pair = f"{self.settings.username}:{self.settings.password.reveal()}".encode()
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        return headers


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What ``X-Macli-Signature`` holds."""
    signed = timestamp.encode() + b"." + body
    return f"sha256={hmac.new(secret.encode(), signed, 'sha256').hexdigest()}"


def _parts(url: str) -> SplitResult:
    expect_url("the address", url)
    return urlsplit(url)


def _header_safe(words: str) -> str:
    return "".join(letter if " " < letter < "\x7f" else "_" for letter in words)


def build(settings: Settings, *, name: str) -> Webhook:
    return Webhook(settings, name=name)
