"""Headers and texts of a message, read so that no message however broken stops the reader."""

import re
from collections.abc import Iterator
from email.message import Message

LONGEST = 1 << 20
"""So many octets of a message are looked at; reports stand at its beginning."""

_LONGEST_HEADER = 16 << 10
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"'@]{1,200}@[^\s<>()\[\],;:\"'@]{1,255}")


def parsed(octets: bytes) -> Message:
    """The message, whatever it is."""
    from email import message_from_bytes

    return message_from_bytes(octets[:LONGEST])


def headers(message: Message, name: str) -> list[str]:
    """The values of a header, decoded, each on one line."""
    return [_one_line(value) for key, value in message.raw_items() if key.lower() == name.lower()]


def header(message: Message, name: str) -> str:
    """The first value of a header; empty where there is none."""
    return next(iter(headers(message, name)), "")


def addresses(text: str) -> tuple[str, ...]:
    """The addresses in a text, lower-case."""
    return tuple(found.strip(".").lower() for found in _ADDRESS.findall(text))


def parts(message: Message) -> Iterator[Message]:
    """The message and all in it, those of messages within it too."""
    yield from message.walk()


def text_of(part: Message) -> str:
    """The text of a part that has no parts; empty where it has."""
    if part.is_multipart():
        return ""
    octets = part.get_payload(decode=True)
    if not isinstance(octets, bytes):
        return ""
    charset = str(part.get_content_charset() or "utf-8")
    try:
        return octets.decode(charset, "replace")
    except (LookupError, ValueError):
        return octets.decode("utf-8", "replace")


def _one_line(value: object) -> str:
    from email.header import decode_header

    text = str(value)[:_LONGEST_HEADER]
    if "=?" in text:
        try:
            pieces = decode_header(text)
            text = "".join(
                piece.decode(charset or "ascii", "replace") if isinstance(piece, bytes) else piece
                for piece, charset in pieces
            )
        except Exception:
            text = str(value)  # encoded words that are none stand as they came
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return " ".join(text.split())
