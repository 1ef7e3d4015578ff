"""Mail: the complete RFC 5322 message of one recipient, assembled from what a campaign step fixes once."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from macli.content.bodies import base64_lines, encode_text
from macli.content.headers import (
    header_url,
    mailbox,
    one_line,
    parameter,
    unstructured,
    wire_address,
)
from macli.errors import UsageError

_ALTERNATIVE = b"=_macli_alternative"
_MIXED = b"=_macli_mixed"
# Both hold this, so it is what a body must not hold; the encodings other than 7bit cannot.
_BOUNDARY = b"=_macli_"
_KEY = re.compile(r"[A-Za-z0-9._-]{1,100}")
_WAYS = ",\r\n "
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, kw_only=True)
class Attachment:
    name: str
    content_type: str
    content: bytes


class MailBuilder:
    """Builds the messages of one campaign step; everything that is the same for all is made once.

    ``unsubscribe_mailto`` is an address: given, each message names it in List-Unsubscribe (with the
    message's key), and ``build``'s ``unsubscribe_url`` adds the one-click form. Without it and without
    a URL there are no such headers, as for transactional mail.
    """

    def __init__(
        self,
        *,
        sender: str,
        sender_name: str | None = None,
        reply_to: str | None = None,
        return_path: str | None = None,
        list_id: str | None = None,
        unsubscribe_mailto: str | None = None,
        feedback_id: str | None = None,
        attachments: Sequence[Attachment] = (),
    ) -> None:
        address = wire_address(sender)
        self.sender = address
        self.return_path = wire_address(return_path) if return_path else address
        self.domain = address.rpartition("@")[2]
        self._mailto = wire_address(unsubscribe_mailto) if unsubscribe_mailto else None
        head = [b"From: " + mailbox(address, sender_name, name="From")]
        if reply_to:
            head.append(b"Reply-To: " + wire_address(reply_to).encode())
        if list_id:
            head.append(b"List-ID: " + list_id_value(list_id, self.domain))
        if feedback_id:
            head.append(b"Feedback-ID: " + unstructured(feedback_id, name="Feedback-ID"))
        head.append(b"MIME-Version: 1.0\r\n")
        self._head = b"\r\n".join(head)
        self._message_id_end = b"@" + self.domain.encode() + b">\r\nX-Macli-Message-Id: "
        self._attached = b"".join(_attached(attachment) for attachment in attachments)

    def build(
        self,
        *,
        key: str,
        to: str,
        to_name: str | None = None,
        subject: str,
        text: str | None = None,
        html: str | None = None,
        date: datetime,
        unsubscribe_url: str | None = None,
        unsubscribe_word: str | None = None,
    ) -> bytes:
        """The message with CRLF line ends, not dot-stuffed.

        ``unsubscribe_word`` is what a mail to ``unsubscribe_mailto`` says whose it is by; the key where it
        is not given. ``key`` names the send in Message-ID and X-Macli-Message-Id. Raises UsageError where ``to`` is
        no address; no subject, name or body whatever can break the message.
        """
        address = wire_address(to)
        if not _KEY.fullmatch(key):
            raise UsageError(f"{key!r} cannot name a message")
        identity = key.encode("ascii")
        parts = [
            self._head,
            b"Message-ID: <",
            identity,
            self._message_id_end,
            identity,
            b"\r\nDate: ",
            date_value(date),
            b"\r\nTo: ",
            mailbox(address, to_name, name="To") if to_name else address.encode(),
            b"\r\nSubject: ",
            unstructured(subject, name="Subject"),
            b"\r\n",
        ]
        if unsubscribe_url is not None or self._mailto is not None:
            parts.append(self._unsubscribe(unsubscribe_word or key, unsubscribe_url))
        if self._attached:
            parts += (b'Content-Type: multipart/mixed; boundary="', _MIXED, b'"\r\n\r\n--', _MIXED, b"\r\n")
        _body(parts, text, html)
        if self._attached:
            parts += (self._attached, b"--", _MIXED, b"--\r\n")
        return b"".join(parts)

    def _unsubscribe(self, word: str, url: str | None) -> bytes:
        ways = []
        if url is not None:
            ways.append(f"<{header_url(url)}>")
        if self._mailto is not None:
            ways.append(f"<{mailto_of(self._mailto, word)}>")
        post = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" if url is not None else ""
        return f"List-Unsubscribe: {_WAYS.join(ways)}\r\n{post}".encode("ascii")


def mailto_of(address: str, word: str) -> str:
    """The ``mailto:`` that unsubscribes whoever ``word`` stands for; also ``unsubscribe_url`` in templates."""
    return f"mailto:{header_url(address)}?subject=unsubscribe%20{word}"


def list_id_value(name: str, domain: str) -> bytes:
    """``Name <name.domain>``: the list's own words before, a host-like name between the brackets."""
    label = "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in name.lower()).split())[:60]
    return mailbox(f"{label or 'list'}.{domain}", one_line(name), name="List-ID")


def attachments_of(assets: Sequence[Any]) -> tuple[Attachment, ...]:
    """Attachments from rows of ``assets``."""
    return tuple(Attachment(name=row["name"], content_type=row["content_type"], content=row["data"]) for row in assets)


@lru_cache(maxsize=64)
def date_value(moment: datetime) -> bytes:
    """``Tue, 01 Dec 2026 09:00:00 +0000``, whatever the locale."""
    offset = moment.strftime("%z")[:5]
    return (
        f"{_DAYS[moment.weekday()]}, {moment.day:02} {_MONTHS[moment.month - 1]} {moment.year}"
        f" {moment:%H:%M:%S} {offset}"
    ).encode("ascii")


def _body(parts: list[bytes], text: str | None, html: str | None) -> None:
    if text is None or html is None:
        kind, only = (b"plain", text) if html is None else (b"html", html)
        _part(parts, kind, only or "")
        return
    parts += (b'Content-Type: multipart/alternative; boundary="', _ALTERNATIVE, b'"\r\n\r\n--', _ALTERNATIVE)
    parts.append(b"\r\n")
    _part(parts, b"plain", text)
    parts += (b"--", _ALTERNATIVE, b"\r\n")
    _part(parts, b"html", html)
    parts += (b"--", _ALTERNATIVE, b"--\r\n")


def _part(parts: list[bytes], kind: bytes, text: str) -> None:
    encoding, octets = encode_text(text, _BOUNDARY)
    parts += (
        b"Content-Type: text/",
        kind,
        b"; charset=utf-8\r\nContent-Transfer-Encoding: ",
        encoding,
        b"\r\n\r\n",
        octets,
    )


def _attached(attachment: Attachment) -> bytes:
    content_type = attachment.content_type.lower()
    # Composite types may not be base64 (RFC 2046), so such a file travels as what it is: octets.
    if not content_type.isascii() or content_type.startswith(("message/", "multipart/")):
        content_type = "application/octet-stream"
    name = one_line(attachment.name).replace("/", "_") or "attachment"
    return b"".join(
        (
            b"--",
            _MIXED,
            f"\r\nContent-Type: {one_line(content_type)}\r\n".encode("ascii"),
            b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment",
            parameter("filename", name).encode("ascii"),
            b"\r\n\r\n",
            base64_lines(attachment.content),
        )
    )
