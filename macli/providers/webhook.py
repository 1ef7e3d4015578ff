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
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, urlsplit

from macli.errors import MacliError, UsageError
from macli.model import ChannelKind, Check, Message, Outcome, Post
from macli.providers.base import Enquiry
from macli.providers.codes import WEBHOOK, http_verdict
from macli.providers.http import retry_after
from macli.providers.settings import expect, expect_url, option, shown
from macli.secrets import Secret

if TYPE_CHECKING:
    from http.client import HTTPConnection

LONGEST_ANSWER = 4_096


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


class Forbidden(Exception):
    """The address is not one to post to."""


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
            connection = self._connect(parts)
        except MacliError as error:
            return Outcome(verdict="sender_fault", text=error.message)
        except Forbidden as error:
            return Outcome(verdict="failed", text=str(error))
        except (OSError, UnicodeError) as error:  # also TLS: nothing has left yet
            return Outcome(verdict="retry", text=f"{url}: {error}", reached=bool(message.url))
        try:
            return _post(connection, parts, body, headers)
        finally:
            connection.close()

    def check(self) -> list[Check]:
        """Resolve, refuse private addresses, connect; nothing is posted."""
        try:
            parts = _parts(self.settings.url)
            for secret in (self.settings.secret, self.settings.password, self.settings.token):
                if secret:
                    secret.reveal()
            connection = self._connect(parts)
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

    def _connect(self, parts: SplitResult) -> "HTTPConnection":
        """A connection to an address that was checked, so that a second look-up cannot swap it."""
        import socket
        import ssl
        from http.client import HTTPConnection, HTTPSConnection

        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        connection: HTTPConnection
        if secure:
            context = ssl.create_default_context()
            connection = HTTPSConnection(host, port, timeout=self.settings.timeout, context=context)
        else:
            connection = HTTPConnection(host, port, timeout=self.settings.timeout)
        raw = self._dial(host, port)
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sock = context.wrap_socket(raw, server_hostname=host) if secure else raw
        except OSError:
            raw.close()
            raise
        return connection

    def _dial(self, host: str, port: int) -> Any:
        import socket

        failure = OSError(f"{host} has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            if not self.settings.allow_private and not is_public(str(address[0])):
                raise Forbidden(f"{host} is {address[0]}, a private address; --allow-private posts there")
            raw = socket.socket(family, kind, protocol)
            raw.settimeout(self.settings.timeout)
            try:
                raw.connect(address)
                return raw
            except OSError as error:
                raw.close()
                failure = error
        raise failure


def is_public(address: str) -> bool:
    """Whether an IP address is out on the Internet, whatever form hides it."""
    from ipaddress import IPv4Address, IPv6Address, ip_address

    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        nat64 = ip.packed[:12] == bytes.fromhex("0064ff9b") + bytes(8)
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
        if inner or nat64:
            return is_public(str(inner or IPv4Address(ip.packed[12:])))
    return ip.is_global and not ip.is_multicast


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What ``X-Macli-Signature`` holds."""
    signed = timestamp.encode() + b"." + body
    return f"sha256={hmac.new(secret.encode(), signed, 'sha256').hexdigest()}"


def _parts(url: str) -> SplitResult:
    expect_url("the address", url)
    return urlsplit(url)


def _header_safe(words: str) -> str:
    return "".join(letter if " " < letter < "\x7f" else "_" for letter in words)


def _post(connection: "HTTPConnection", parts: SplitResult, body: bytes, headers: Mapping[str, str]) -> Outcome:
    from http.client import HTTPException

    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    if parts.query:
        target += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?")
    try:
        connection.request("POST", target, body=body, headers=dict(headers))
        response = connection.getresponse()
        # One read: a receiver that dribbles its answer must not hold the connection for hours.
        status, words = response.status, response.read1(LONGEST_ANSWER).decode("utf-8", "replace")
    except ValueError as error:  # before anything left: a secret that cannot stand in a header
        return Outcome(verdict="sender_fault", text=f"the post cannot be written: {error}")
    except (OSError, HTTPException) as error:
        return Outcome(verdict="unknown", text=f"no answer after the post: {type(error).__name__}: {error}")
    return Outcome(
        verdict=http_verdict(status, WEBHOOK),
        code=str(status),
        text=" ".join(words.split())[:500],
        retry_after=retry_after(response.headers.get("Retry-After"), now=time.time()),
    )


def build(settings: Settings, *, name: str) -> Webhook:
    return Webhook(settings, name=name)
