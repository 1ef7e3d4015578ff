"""What a DKIM signature covers: one-click unsubscribing counts only where its headers are signed (RFC 8058)."""

from email import message_from_bytes, policy
from email.message import Message

ONE_CLICK = ("List-Unsubscribe", "List-Unsubscribe-Post")


def unsigned(octets: bytes) -> tuple[str, ...]:
    """Which of the one-click headers of a received message no DKIM signature covers; all where there is none."""
    signed = _signed(message_from_bytes(octets, policy=policy.compat32))
    return tuple(name for name in ONE_CLICK if name.lower() not in signed)


def _signed(message: Message) -> frozenset[str]:
    names: set[str] = set()
    for signature in message.get_all("DKIM-Signature", []):
        tags = dict(tag.strip().partition("=")[::2] for tag in str(signature).split(";"))
        words = {name.strip(): value for name, value in tags.items()}
        names.update(name.strip().lower() for name in words.get("h", "").split(":"))
    return frozenset(names)
