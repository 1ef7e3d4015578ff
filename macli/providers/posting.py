"""A post to an address somebody named: only out on the Internet, and each answer read as what it amounts to."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote

from macli.model import Outcome, Verdict
from macli.providers.codes import http_verdict
from macli.providers.http import retry_after

if TYPE_CHECKING:
    from http.client import HTTPConnection

LONGEST_ANSWER = 4_096


class Forbidden(Exception):
    """The address is not one to post to."""


def connect(parts: SplitResult, *, timeout: float, allow_private: bool) -> "HTTPConnection":
    """A connection to an address that was checked, so that a second look-up cannot swap it.

    Raises Forbidden for a private address, OSError or UnicodeError where no connection comes about.
    """
    import socket
    import ssl
    from http.client import HTTPConnection, HTTPSConnection, InvalidURL

    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    connection: HTTPConnection
    try:
        if secure:
            context = ssl.create_default_context()
            connection = HTTPSConnection(host, port, timeout=timeout, context=context)
        else:
            connection = HTTPConnection(host, port, timeout=timeout)
    except InvalidURL:
        raise Forbidden(f"{host!r} is no host") from None
    raw = _dial(host, port, timeout=timeout, allow_private=allow_private)
    try:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sock = context.wrap_socket(raw, server_hostname=host) if secure else raw
    except OSError:
        raw.close()
        raise
    return connection


def _dial(host: str, port: int, *, timeout: float, allow_private: bool) -> Any:
    import socket

    failure = OSError(f"{host} has no address")
    until = time.monotonic() + timeout
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if not allow_private and not is_public(str(address[0])):
            raise Forbidden(f"{host} is {address[0]}, a private address; --allow-private posts there")
        raw = socket.socket(family, kind, protocol)
        raw.settimeout(max(until - time.monotonic(), 0.01))
        try:
            raw.connect(address)
            raw.settimeout(timeout)
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


def post(
    connection: "HTTPConnection",
    parts: SplitResult,
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout: float,
    table: tuple[tuple[str, Verdict], ...],
    reference: str | None = None,
) -> Outcome:
    """What became of one post; ``reference`` is the header that has the receiver's own name for it.

    ``timeout`` is for all of it: a receiver that dribbles its answer must not hold the connection for hours.
    """
    from http.client import HTTPException
    from threading import Timer

    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    if parts.query:
        target += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?")
    end = Timer(timeout, _cut, (connection.sock,))
    end.daemon = True
    end.start()
    try:
        connection.request("POST", target, body=body, headers=dict(headers))
        response = connection.getresponse()
        status, words = response.status, response.read1(LONGEST_ANSWER).decode("utf-8", "replace")
    except ValueError as error:  # before anything left: a secret that cannot stand in a header
        return Outcome(verdict="sender_fault", text=f"the post cannot be written: {error}")
    except (OSError, HTTPException) as error:
        return Outcome(verdict="unknown", text=f"no answer after the post: {type(error).__name__}: {error}")
    finally:
        end.cancel()
    return Outcome(
        verdict=http_verdict(status, table),
        code=str(status),
        text=" ".join(words.split())[:500],
        reference=response.headers.get(reference) if reference else None,
        retry_after=retry_after(response.headers.get("Retry-After"), now=time.time()),
    )


def _cut(connected: Any) -> None:
    """End a connection under whoever reads from it, below TLS, whose own goodbye would wait too."""
    import socket
    from contextlib import suppress

    with suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
