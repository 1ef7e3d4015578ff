"""Complaints: the reports mailbox providers send when somebody calls a mail spam (RFC 5965)."""

import re
from dataclasses import dataclass
from email.message import Message

from macli.mailbox import mime

COMPLAINTS = frozenset({"abuse", "fraud", "virus", "other", "opt-out", "opt-out-list", "complaint", "spam"})
"""The kinds of feedback that are a complaint; ``not-spam`` is none, nor is a failed authentication."""

_RECIPIENTS = ("Original-Rcpt-To", "Removal-Recipient", "X-HmXmrOriginalRecipient")


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """The kind of a report, lower-case, and the addresses it is about; none where they were blacked out."""

    kind: str
    concerns: tuple[str, ...]


def feedback(message: Message) -> Feedback | None:
    """What a feedback report says; None where the message is none."""
    for part in mime.parts(message):
        if part.get_content_type() == "message/feedback-report":
            fields = _fields(part)
            return Feedback(
                kind=mime.header(fields, "Feedback-Type").lower().split(" ")[0],
                concerns=tuple(dict.fromkeys((*_named(fields), *_addressed(message)))),
            )
    return None


def _fields(part: Message) -> Message:
    """The report's own fields, which a parser takes for a message within or for plain text."""
    payload = part.get_payload()
    if isinstance(payload, list) and payload and isinstance(payload[0], Message):
        return payload[0]
    from email import message_from_string

    return message_from_string(re.sub(r"\A\s+", "", mime.text_of(part)))


def _named(fields: Message) -> tuple[str, ...]:
    return tuple(
        address for name in _RECIPIENTS for value in mime.headers(fields, name) for address in mime.addresses(value)
    )


def _addressed(message: Message) -> tuple[str, ...]:
    """To whom the returned message was."""
    found: list[str] = []
    for part in mime.parts(message):
        within = part.get_payload()
        if part.get_content_type() == "message/rfc822" and isinstance(within, list):
            originals = [inner for inner in within if isinstance(inner, Message)]
        elif part.get_content_type() == "text/rfc822-headers":
            from email import message_from_string

            originals = [message_from_string(mime.text_of(part))]
        else:
            continue
        for original in originals:
            for name in ("To", *_RECIPIENTS):
                found += (address for value in mime.headers(original, name) for address in mime.addresses(value))
    return tuple(found)
