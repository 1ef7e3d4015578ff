"""What Twilio posts: is it Twilio's, what became of a message, what a recipient wrote."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from macli.model import Report, SendState
from macli.providers.keywords import Meaning, keyword, refusing
from macli.providers.settings import E164
from macli.providers.twilio import RANK, Settings, status_outcome
from macli.secrets import Secret

SOURCE = "twilio"
_OPT_OUT_TYPES: Mapping[str, Meaning] = {"STOP": "stop", "START": "start", "HELP": "help"}
_STATES: Mapping[str, SendState] = {
    "accepted": "accepted",
    "delivered": "delivered",
    "bounced": "bounced",
    "rejected": "rejected",
}
_LONGEST_SID = 64


@dataclass(frozen=True, kw_only=True)
class Inbound:
    """A text message from a recipient.

    ``by`` says how its meaning was found: ``twilio`` (which then answers itself), ``keyword``
    (the same), ``words`` (in ``language``), or nothing.
    """

    sid: str
    number: str
    to: str
    text: str
    meaning: Meaning
    by: str = ""
    language: str | None = None


def token_of(settings: Settings, account_sid: str) -> Secret | None:
    """The token of the account, or the route's sub-account, a request names; None for one nobody knows."""
    if secrets.compare_digest(account_sid.encode(), settings.account_sid.encode()):
        return settings.auth_token
    return next((route.auth_token for route in settings.routes if route.account_sid == account_sid), None)


def is_signed(token: str, url: str, params: Mapping[str, list[str]], signature: str) -> bool:
    """Whether ``signature`` is Twilio's for this public URL, with or without its port, and these parameters."""
    from urllib.parse import urlparse

    from twilio.request_validator import RequestValidator, add_port, remove_port

    validator = RequestValidator(token)
    given = signature.encode("utf-8", "replace")
    parts = urlparse(url)
    signed = [validator.compute_signature(form, _Values(params)) for form in (add_port(parts), remove_port(parts))]
    return any(secrets.compare_digest(one.encode("ascii"), given) for one in signed)


class _Values(dict[str, list[str]]):
    """Parameters as Twilio's validator wants those that come several times."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


def report(settings: Settings, params: Mapping[str, str], *, key: str | None, at: int) -> Report | None:
    """What a status callback says of a message; None where it says nothing macli knows."""
    sid = params.get("MessageSid") or params.get("SmsSid") or ""
    status = (params.get("MessageStatus") or params.get("SmsStatus") or "").lower()
    if status not in RANK or not sid or len(sid) > _LONGEST_SID:
        return None
    code = params.get("ErrorCode", "")
    outcome = status_outcome(
        status, code, params.get("ErrorMessage", ""), reference=sid, verdicts=settings.verdicts or {}
    )
    return Report(
        source=SOURCE,
        source_id=f"{sid}:{status}",
        at=at,
        event=outcome.event,
        state=_STATES.get(outcome.verdict, "failed"),
        key=key,
        reference=sid,
        words=f"{outcome.code} {outcome.text}".strip(),
        properties={"code": outcome.code, "status": status},
    )


def inbound(params: Mapping[str, str]) -> Inbound | None:
    """What a recipient wrote; None where it is no message from a number."""
    sid = params.get("MessageSid") or params.get("SmsSid") or ""
    number = params.get("From", "")
    if not sid or len(sid) > _LONGEST_SID or not E164.fullmatch(number):
        return None
    text = params.get("Body", "")
    meaning, by, language = _meaning(params.get("OptOutType", ""), text)
    return Inbound(
        sid=sid, number=number, to=params.get("To", ""), text=text, meaning=meaning, by=by, language=language
    )


def _meaning(opt_out_type: str, text: str) -> tuple[Meaning, str, str | None]:
    """Twilio's own word first, then its keywords, then what a person may write."""
    said = _OPT_OUT_TYPES.get(opt_out_type.strip().upper())
    if said is not None:
        return said, "twilio", None
    known = keyword(text)
    if known != "other":
        return known, "keyword", None
    language = refusing(text)
    return ("stop", "words", language) if language else ("other", "", None)
