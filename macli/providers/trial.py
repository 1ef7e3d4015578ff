"""A message of macli's own to try a provider with, and what a failed trial is to the command line."""

from collections.abc import Iterable
from datetime import datetime

from macli.errors import OperationFailed, Unreachable, UsageError
from macli.model import ChannelKind, Check, Email, Message, Outcome, Post, Sms
from macli.providers.base import Provider, send_one
from macli.providers.settings import ADDRESS, E164

AT_THE_DOOR = ("resolve", "connect", "connection", "greeting")
"""Steps that fail where a provider cannot be reached at all."""

WORDS = "This is a test message from macli. Nothing needs to be done."


def run(provider: Provider, to: str | None, *, sender: str | None, now: datetime) -> list[Check]:
    """Each step of the connection and, to an address, a real message where the connection holds."""
    message = message_for(provider, to, sender=sender, now=now) if to else None
    checks = provider.check()
    if message is not None and all(check.ok for check in checks):
        checks.append(sent(send_one(provider, message)))
    return checks


def message_for(provider: Provider, to: str, *, sender: str | None, now: datetime) -> Message:
    """A test message to ``to``. Raises UsageError where the provider cannot carry it or nobody sends it."""
    shape: ChannelKind = "email" if ADDRESS.fullmatch(to) else "sms" if E164.fullmatch(to) else "webhook"
    kind = "webhook" if provider.channels == {"webhook"} else shape
    if kind not in provider.channels:
        carried = " and ".join(sorted(provider.channels))
        raise UsageError(f"{provider.name!r} carries {carried}, and {to!r} is no address for that")
    key = f"test-{int(now.timestamp() * 1000)}"
    if kind == "sms":
        return Sms(send_id=0, key=key, to=to, text=WORDS)
    if kind == "webhook":
        return Post(send_id=0, key=key, to=to, payload={"test": True, "text": WORDS})
    sender = provider.sender or sender
    if not sender:
        raise UsageError("nobody to send from", hint="macli settings set sender.email news@example.com")
    return Email(send_id=0, key=key, sender=sender, to=to, data=_mail(sender, to, key, now))


def _mail(sender: str, to: str, key: str, now: datetime) -> bytes:
    from email.message import EmailMessage
    from email.policy import SMTP
    from email.utils import format_datetime

    mail = EmailMessage(policy=SMTP.clone(utf8=not (sender + to).isascii()))
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = "A test message from macli"
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{key}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(WORDS)
    return mail.as_bytes()


def sent(outcome: Outcome) -> Check:
    """The outcome of a test message as the last step of a check."""
    words = [outcome.verdict, outcome.code, outcome.text, outcome.reference and f"({outcome.reference})"]
    ok = outcome.verdict in ("accepted", "delivered")
    return Check(step="send", ok=ok, detail=" ".join(word for word in words if word))


def raise_failure(provider: Provider, checks: Iterable[Check]) -> None:
    """Raise Unreachable or OperationFailed for the first step that failed."""
    failed = next((check for check in checks if not check.ok), None)
    if failed is None:
        return
    words = failed.detail if failed.detail.startswith(failed.step) else f"{failed.step}: {failed.detail}"
    raise (Unreachable if failed.step in AT_THE_DOOR else OperationFailed)(f"{provider.name}: {words}")
