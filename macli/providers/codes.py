"""What the answers of mail servers, Twilio and web servers amount to: tables, read from the top."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from macli.errors import UsageError, did_you_mean
from macli.model import Outcome, Verdict

Stage = Literal["connect", "AUTH", "MAIL", "RCPT", "DATA", "content"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

BOUNCED = "email.bounced"
OPTED_OUT = "sms.opted_out"
INVALID = "address.invalid"


@dataclass(frozen=True)
class Row:
    """One line of the table: it fits where every pattern it has matches. The first that fits decides.

    ``code`` is the three-digit reply code, ``status`` the enhanced one (RFC 3463), ``words`` the text.
    """

    verdict: Verdict
    code: str = ""
    status: str = ""
    stages: str = ""
    words: str = ""
    event: str | None = None


SMTP = (
    # The sender's own making, whatever the stage: nothing else may go out until a person has looked.
    Row("sender_fault", code="5(23|30|34|35|38)"),
    Row("sender_fault", stages="connect|AUTH", code="5.."),
    Row("retry", stages="connect|AUTH"),
    Row("sender_fault", status=r"5\.7\.([389]|1[134])"),  # credentials, account disabled
    # Authentication and alignment of the domain: RFC 7372, RFC 8601 and what Gmail and Microsoft add.
    # Both answer 4.7.x at first and 5.7.x later for the same fault; 4.7.28 is a rate, not a fault.
    Row("sender_fault", status=r"[45]\.7\.(2[0-7]|29|30|32|40)"),
    Row("sender_fault", status=r"5\.7\.(28|57|60|64|70[58]|750)"),
    Row("rejected", status=r"5\.7\.50[45]"),  # Microsoft: this recipient is closed to us
    Row("sender_fault", status=r"5\.7\.(50\d|51\d|6[0-4]\d)"),  # Microsoft: banned sender or address
    Row("sender_fault", status=r"5\.1\.[78]"),  # the sender's address
    Row("sender_fault", status=r"5\.1\.\d+", stages="MAIL"),
    # The recipient's address, for good.
    Row("bounced", status=r"5\.1\.\d+|5\.2\.1|5\.4\.[14]", event=BOUNCED),
    # The sender's again, where only the words tell.
    Row("sender_fault", words=r"relay(ing)? (access )?(is )?(denied|prohibited|not (permitted|allowed))"),
    Row("sender_fault", words=r"(not permitted|unable|cannot|refus\w+|denied) to relay|not relay"),
    Row("sender_fault", words=r"authentication (is )?required|must (issue a )?starttls"),
    Row("sender_fault", words=r"sender (address )?(rejected: )?(not owned|not (yet )?verified|unverified)"),
    Row("sender_fault", words=r"not (authori[sz]ed|allowed|permitted) to send|permissions? to send as"),
    Row("sender_fault", words=r"account (has been |is )?(suspended|disabled|locked)", stages="MAIL|content"),
    Row("sender_fault", code="5..", words=r"unauthenticated|\b(spf|dkim|dmarc)\b"),
    Row("sender_fault", code="5..", words=r"block(ed)? (list|using)|blacklist|blocklist|spamhaus|\brbl\b"),
    # Transient.
    Row("retry", code="4.."),
    # This message, or this mailbox just now (5.2.2 is a full one): the address is not at fault.
    Row("rejected", status=r"5\.[2-7]\.\d+"),
    Row("rejected", stages="RCPT", code="55.", words="spam|policy|content|reputation"),
    Row("bounced", stages="RCPT", code="55[0136]|521", event=BOUNCED),
    Row("sender_fault", stages="MAIL", code="550|551|553|501"),
    Row("rejected", code="55."),
    Row("failed"),
)

TWILIO: dict[str, tuple[Verdict, str | None]] = {
    "21610": ("rejected", OPTED_OUT),
    "21211": ("bounced", INVALID),
    "21614": ("bounced", INVALID),
    "21635": ("bounced", INVALID),
    "21265": ("bounced", INVALID),
    "30005": ("bounced", INVALID),
    "30006": ("bounced", INVALID),
    "30004": ("rejected", None),
    "30007": ("rejected", None),
    "21602": ("rejected", None),  # no body
    "21617": ("rejected", None),  # body over 1600 characters
    "30001": ("retry", None),
    "30003": ("retry", None),
    "30008": ("retry", None),
    "20429": ("retry", None),
    "20003": ("sender_fault", None),
    "20404": ("sender_fault", None),  # the account's own address: no such account
    "21606": ("sender_fault", None),
    "21659": ("sender_fault", None),
    "21660": ("sender_fault", None),
    "21212": ("sender_fault", None),  # From is no number
    "21603": ("sender_fault", None),  # From is missing
    "21608": ("sender_fault", None),
    "21408": ("sender_fault", None),
    "21612": ("sender_fault", None),
    "21703": ("sender_fault", None),  # the Messaging Service has no numbers
    "30002": ("sender_fault", None),
    "10001": ("sender_fault", None),
    "30034": ("sender_fault", None),
}

HTTP: tuple[tuple[str, Verdict], ...] = (
    ("2..", "accepted"),
    ("401|403|407", "sender_fault"),
    ("408|425|429", "retry"),
    ("502|504", "unknown"),  # a gateway that passed the request on and heard nothing
    ("5..", "retry"),
    ("...", "failed"),
)
WEBHOOK: tuple[tuple[str, Verdict], ...] = (
    ("2..", "accepted"),
    ("408|425|429|5..", "retry"),  # a repetition has the same Idempotency-Key
    ("...", "failed"),
)
PUSH: tuple[tuple[str, Verdict], ...] = (
    ("2..", "accepted"),
    ("404|410", "bounced"),  # this device is gone (RFC 8030, 7.3)
    ("408|425|429|5..", "retry"),  # a repetition has the same Topic and replaces the one before
    # Also 401 and 403: a device that subscribed under another key says so, for itself alone. A key that
    # is wrong for all of them is many refusals in a row, which stop the campaign.
    ("...", "rejected"),
)

_STATUS = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?=\s|$)")


_ADDRESSES = re.compile(r"<[^>]*>|\S+@\S+")


def smtp_outcome(stage: Stage, code: int, text: str) -> Outcome:
    """What a refusing reply of a mail server amounts to. ``text`` is the reply without its code."""
    found = _STATUS.match(text)
    status = found.group(1) if found else ""
    words = _ADDRESSES.sub("", text)  # a recipient may be called spf@ or dmarc@
    row = next(row for row in SMTP if _fits(row, stage, str(code), status, words))
    named = f"{code} {status}".strip()
    return Outcome(verdict=row.verdict, code=named, text=f"{stage}: {code} {text}".strip(), event=row.event)


def _fits(row: Row, stage: Stage, code: str, status: str, words: str) -> bool:
    return bool(
        (not row.code or re.fullmatch(row.code, code))
        and (not row.status or re.fullmatch(row.status, status))
        and (not row.stages or re.fullmatch(row.stages, stage))
        and (not row.words or re.search(row.words, words, re.IGNORECASE))
    )


def twilio_outcome(code: str, status: int, text: str, overrides: Mapping[str, Verdict]) -> Outcome:
    """What a Twilio error code amounts to; without a known one, what the HTTP ``status`` says."""
    verdict, event = TWILIO.get(code, (http_verdict(status) if status >= 400 else "failed", None))
    if code in overrides:
        verdict, event = overrides[code], event if overrides[code] == verdict else None
    return Outcome(verdict=verdict, code=code or str(status), text=text, event=event)


def http_verdict(status: int, table: tuple[tuple[str, Verdict], ...] = HTTP) -> Verdict:
    return next(verdict for pattern, verdict in table if re.fullmatch(pattern, str(status)))


def expect_verdict(word: object) -> None:
    """Raises UsageError unless ``word`` is a verdict."""
    if word not in VERDICTS:
        raise UsageError(
            f"{word!r} is no verdict{did_you_mean(str(word), VERDICTS)}", hint=f"one of {', '.join(VERDICTS)}"
        )
