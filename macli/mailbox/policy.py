"""What a refusal says of the address, of the message and of us: a table, read from the top.

| class | means | the contact | the message |
|---|---|---|---|
| hard | the address does not work, for good | suppressed | bounced |
| soft | it did not arrive this time | suppressed after several (``bounces.soft_limit``) | failed |
| refused | this message is not wanted there | not blamed | rejected |
| sender | our name, domain or server is refused | not blamed | rejected; several pause the campaign |
"""

import re
from dataclasses import dataclass
from typing import Literal

Class = Literal["hard", "soft", "refused", "sender"]


@dataclass(frozen=True)
class Row:
    """One line of the table: it fits where each pattern it has does.

    ``status`` is the whole enhanced code (RFC 3463), ``code`` the three digits before it, ``words``
    anything in what was said.
    """

    what: Class
    status: str = ""
    code: str = ""
    words: str = ""


_WHO = r"(user|recipient|account|mailbox|address|addressee)"
_RELAY = r"relay(ing)? (access )?(is )?(denied|prohibited|not (permitted|allowed))|(unable|not permitted) to relay"
_LISTED = r"block(ed)? ?(list|using)|blacklist|spamhaus|\b(rbl|dnsbl)\b"
_FULL = (
    r"(box|folder|quota|account|user|storage|disk).{0,30}\b(is )?(full|exceeded)|over ?-?quota|over the.{0,20} quota|"
    r"exceed.{0,30}(quota|storage|mailbox)|quota.{0,20}(exceed|violation)|insufficient (disk|system) (space|storage)"
)
_GONE = (
    rf"{_WHO}.{{0,30}}(unknown|not (be )?(found|known|exist|listed)|does ?n[o']t (exist|have an?)|disabled|"
    r"deactivated|invalid|unavailable|inactive|no longer)"
)
_NONE_SUCH = (
    r"(unknown|no such|invalid|bad|illegal|undeliverable|inactive|disabled|non-?existent) (\w+ )?"
    r"(user|recipient|account|mailbox|address|local part|host|domain|addressee|destination)"
)
_NOT_HERE = (
    r"(user|mailbox|recipient|account|name) (is )?not (a )?(local|on this|here|listed|valid|registered)|"
    r"no mailbox (here )?by that name|not our customer|(domain|host) (name )?(not found|unknown)|no longer valid"
)
_UNWANTED = r"\bspam|\bpolicy|content (filter|rejected)|virus|too (large|big|long)|message size"
_NOT_FOR_NOW = r"(5\..+)?"
"""Words count for good only where the code does not say that it may pass."""

TABLE = (
    # Our own making: authentication, alignment, a sender nobody believes, a server on a list.
    Row("sender", status=r"[45]\.7\.(2[0-7]|29|30|32|40)"),
    Row("sender", status=r"5\.7\.([389]|1[134]|28|57|60|64|70[58]|750)"),
    Row("refused", status=r"5\.7\.50[45]"),
    Row("sender", status=r"5\.7\.(50\d|51\d|6[0-4]\d)"),
    Row("sender", status=r"5\.1\.[78]"),
    Row("sender", words=_RELAY),
    Row("sender", words=r"unauthenticated|\b(spf|dkim|dmarc)\b"),
    Row("sender", words=r"sender (address )?(rejected|verify failed|not (yet )?verified)"),
    Row("sender", words=_LISTED),
    # The address, for good, unless the mailbox is only full.
    Row("soft", words=_FULL),
    Row("soft", status=r"5\.2\.2"),
    Row("hard", status=r"5\.1\.(?!0)\d+|5\.2\.1|5\.4\.[14]"),
    Row("refused", status=r"5\.(2\.3|3\.4|5\.\d+|6\.\d+)"),
    Row("hard", status=_NOT_FOR_NOW, code="(5..)?", words=_GONE),
    Row("hard", status=_NOT_FOR_NOW, code="(5..)?", words=_NONE_SUCH),
    Row("hard", status=_NOT_FOR_NOW, code="(5..)?", words=_NOT_HERE),
    Row("refused", status=_NOT_FOR_NOW, words=_UNWANTED),
    Row("refused", status=r"5\.7\.\d+"),
    # This time.
    Row("soft", status=r"4\.\d+\.\d+|5\.[2-4]\.\d+"),
    Row("soft", code="4.."),
    Row("hard", status=r"5\.1\.0"),
    Row("hard", code="550|551|553|521|556"),
    # Whoever says no more than that it failed has not said that the address is bad.
    Row("soft"),
)

_ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_REPLY = re.compile(r"(?<![\d.])([45]\d\d)(?=[\s\-]|$)")
_ADDRESSES = re.compile(r"<[^>]*>|\S+@\S+")


def judge(status: str, said: str) -> Class:
    """The class of a refusal, by its enhanced status and its words; either may be empty."""
    status = exact(status, said)
    words = _ADDRESSES.sub("", said)  # a recipient may be called spf@ or full@
    code = reply_code(words)
    return next(row.what for row in TABLE if _fits(row, status, code, words))


def exact(status: str, said: str) -> str:
    """The enhanced status; where it says no more than its first digit, the one among the words."""
    status = status.strip()
    if not _ENHANCED.fullmatch(status):
        status = ""
    if not status or status.endswith(".0.0"):
        found = _ENHANCED.search(_ADDRESSES.sub("", said))
        return found.group(1) if found and not found.group(1).startswith("2") else status
    return status


def reply_code(said: str) -> str:
    """The three digits of a mail server's reply among the words; empty where there are none."""
    found = _REPLY.search(said)
    return found.group(1) if found else ""


def _fits(row: Row, status: str, code: str, words: str) -> bool:
    return bool(
        (not row.status or re.fullmatch(row.status, status))
        and (not row.code or re.fullmatch(row.code, code))
        and (not row.words or re.search(row.words, words, re.IGNORECASE))
    )
