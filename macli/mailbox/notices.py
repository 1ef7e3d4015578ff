"""What mail servers say of messages: standard notices (RFC 3464) and those that keep to no standard."""

import re
from collections.abc import Iterator
from email.message import Message

from macli.mailbox import mime
from macli.mailbox.letter import Failure
from macli.mailbox.policy import exact, reply_code

_DAEMONS = re.compile(
    r"mailer-?daemon|postmaster|mail(er)? ?delivery|maildelivery|delivery ?(status|system|subsystem|failure)"
    r"|mail (delivery )?(system|service|administrator)|mta|smtp|<>|^$",
    re.IGNORECASE,
)
_SUBJECTS = re.compile(
    r"undeliver|not be delivered|returned mail|return(ed|ing) (to sender|message)|delivery (status )?notif|"
    r"delivery (has )?(fail|problem|error|report)|deliver(y|ing).{0,20}(fail|problem|error)|failure notice|"
    r"mail (delivery )?(fail|error|problem|status)|message (status|undeliver)|nondeliver|non-deliver|bounce|"
    r"user unknown|failed mail|unknown recipient|unbekannt|unzustellbar|non remis|niedostarcz",
    re.IGNORECASE,
)
_AROUND = 400
_BEFORE = 80
_OTHER_ACTIONS = frozenset({"delayed", "delivered", "relayed", "expanded"})
_MOST_FAILURES = 200
_LONGEST_SAID = 1000
_LOOKED_THROUGH = 64 << 10
"""Octets in which odd notices are looked for, line by line with hundreds of patterns."""


def standard(message: Message) -> tuple[Failure, ...]:
    """What the delivery-status parts say, a failure for each recipient; none where there is no such part."""
    return tuple(failure for _, failure in zip(range(_MOST_FAILURES), _standard(message), strict=False))


def _standard(message: Message) -> Iterator[Failure]:
    for part in mime.parts(message):
        if part.get_content_type() in ("message/delivery-status", "message/global-delivery-status"):
            for block in _blocks(part):
                action = mime.header(block, "Action").lower().split(" ")[0]
                address = _typed(mime.header(block, "Final-Recipient"))
                if not (action or address):
                    continue  # the fields on the whole message
                said = mime.header(block, "Diagnostic-Code")[:_LONGEST_SAID]
                yield Failure(
                    address=address,
                    original=_typed(mime.header(block, "Original-Recipient")),
                    action=action if action in _OTHER_ACTIONS else "failed",
                    status=exact(mime.header(block, "Status").split(" ")[0], said),
                    said=said,
                )


def _blocks(part: Message) -> list[Message]:
    payload = part.get_payload()
    if isinstance(payload, list):
        return [block for block in payload if isinstance(block, Message)]
    from email import message_from_string

    return [message_from_string(block) for block in re.split(r"\r?\n\s*\r?\n", mime.text_of(part))]


def _typed(value: str) -> str:
    """The address of a field such as ``rfc822; ann@example.com``."""
    return next(iter(mime.addresses(value.rpartition(";")[2])), "")


def is_likely(message: Message, sender: str) -> bool:
    """Whether a message without a delivery-status part looks like a mail server's own all the same."""
    said_by = mime.header(message, "From")
    return bool(
        mime.header(message, "X-Failed-Recipients")
        or _DAEMONS.search(said_by.replace(sender, sender.partition("@")[0]) if sender else said_by)
        or _SUBJECTS.search(mime.header(message, "Subject"))
    )


def odd(octets: bytes, text: str) -> tuple[Failure, ...]:
    """What a notice that keeps to no standard says; ``text`` is all of its text."""
    import logging

    from flufl.bounce import all_failures

    # Its detectors stumble over messages that are broken, and it would print each time where: nothing was said then.
    logging.getLogger("flufl.bounce").disabled = True
    try:
        temporary, permanent = all_failures(mime.parsed(octets[:_LOOKED_THROUGH]))
    except Exception:
        return ()
    later, never = sorted(map(_decoded, temporary)), sorted(map(_decoded, permanent))
    failed = [(address, "failed") for address in never]
    delayed = [(address, "delayed") for address in later if address not in never]
    every = [address.lower() for address in (*never, *later)]
    return tuple(_odd(address.lower(), action, text, every) for address, action in (*failed, *delayed))


def _odd(address: str, action: str, text: str, every: list[str]) -> Failure:
    said = " ".join(_about(address, text, every).split())
    status = exact("", said)
    return Failure(
        address=address,
        action=action,
        status=status or (f"{code[0]}.0.0" if (code := reply_code(said)) else ""),
        said=said,
    )


def _about(address: str, text: str, every: list[str]) -> str:
    """What stands around the first mention of an address in the body, up to the next one's: there the
    reason is said."""
    head = re.search(r"\r?\n\r?\n", text)
    folded = text.lower()
    at = folded.find(address, head.end() if head else 0)
    if at < 0:
        return text[head.end() if head else 0 :][:_AROUND]
    behind = at + len(address)
    ends = [found for other in every if other != address and (found := folded.find(other, behind)) > 0]
    return text[max(0, at - _BEFORE) : min((behind + _AROUND, *ends))]


def _decoded(address: object) -> str:
    return address.decode("utf-8", "replace") if isinstance(address, bytes) else str(address)
