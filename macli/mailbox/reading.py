"""Reading one message: octets in, what it says out. Nothing that comes by mail can make it fail."""

import re
from collections.abc import Iterable
from email.message import Message
from hashlib import sha256

from macli.mailbox import body, mime
from macli.mailbox.automatic import is_absent, is_automatic
from macli.mailbox.feedback import COMPLAINTS, feedback
from macli.mailbox.letter import Failure, Kind, Letter, Marks
from macli.mailbox.notices import is_likely, odd, standard

_RECIPIENTS = ("X-Original-To", "Delivered-To", "Envelope-To", "X-Envelope-To", "X-Delivered-To", "To", "Cc")
_BOUNCE = re.compile(r"(?<![0-9a-z])([0-9a-f]{1,16}-[0-9a-f]{16})(?![0-9a-f])", re.IGNORECASE)
_ACT = re.compile(r"(?:/u/|unsubscribe(?:%20|\+|\s+))([0-9a-f]{1,16}\.[A-Za-z0-9_-]{16})(?![A-Za-z0-9_-])")
_KEYS = (
    re.compile(r"X-Macli-Message-Id:\s*([0-9]{1,18}\.[0-9A-Za-z]{1,16})", re.IGNORECASE),
    re.compile(r"Message-ID:\s*<\s*([0-9]{1,18}\.[0-9A-Za-z]{1,16})@", re.IGNORECASE),
)
_ANSWERED = re.compile(r"<\s*([0-9]{1,18}\.[0-9A-Za-z]{1,16})@")
_KEY = re.compile(r"unsubscribe[\s:]+([0-9]{1,18}\.[0-9A-Za-z]{1,16})(?![A-Za-z0-9_-])", re.IGNORECASE)
_LEAVING = re.compile(
    r"\W*(re:\s*)?(please )?(unsubscribe( me)?|remove me|opt[ -]?out|wypisz( mnie)?|wypisuj. si.|rezygnuj.|abmelden|"
    r"abbestellen|d.sabonnement|d.sabonner|se d.sinscrire|d.sinscription|darse de baja|baja|cancelar suscripci.n|"
    r"cancellami|disiscrivimi|annulla iscrizione|afmelden|uitschrijven|avregistrera|afmeld|avmeld|"
    r"cancelar (inscri..o|assinatura)|descadastrar|отписаться|відписатися|odhl.sit)\W*",
    re.IGNORECASE,
)
_MOST = 20
"""So many marks of one kind are looked at: a message is about one of ours."""


def read(octets: bytes, *, recipients: tuple[str, ...] = ()) -> Letter:
    """What a message says. ``recipients`` are envelope recipients known besides its headers."""
    try:
        return _read(octets, recipients)
    except Exception:
        # What the parser itself cannot bear (parts within parts without end) must not stop a mailbox.
        return Letter(id=sha256(octets).hexdigest()[:32], kind="unreadable")


def _read(octets: bytes, recipients: tuple[str, ...]) -> Letter:
    message = mime.parsed(octets)
    text = _all_text(message, octets)
    sender = next(iter(mime.addresses(mime.header(message, "From"))), "")
    to = _recipients(message, recipients)
    kind, failures, reported, concerns = _kind(message, octets, sender, text)
    return Letter(
        id=_identity(message, octets),
        kind=kind,
        at=_date(message),
        sender=sender,
        subject=mime.header(message, "Subject")[:300],
        body=body.text_of(message) if kind in ("letter", "unsubscribe") else "",
        recipients=to,
        answers=_answers(message),
        failures=failures,
        feedback=reported,
        concerns=concerns,
        marks=_marks(to, message, text, kind),
    )


def _kind(
    message: Message, octets: bytes, sender: str, text: str
) -> tuple[Kind, tuple[Failure, ...], str, tuple[str, ...]]:
    found = feedback(message)
    if found is not None:
        return "complaint" if found.kind in COMPLAINTS else "automatic", (), found.kind, found.concerns
    failures = standard(message)
    if failures:
        return "bounce", failures, "", ()
    subject = mime.header(message, "Subject")
    if _KEY.match(subject) or _ACT.match(subject):
        return "unsubscribe", (), "", ()  # sent by a program as often as by a person
    if is_absent(message):
        return "automatic", (), "", ()
    if is_likely(message, sender):
        failures = odd(octets, text)
        if failures:
            return "bounce", failures, "", ()
    if is_automatic(message, sender):
        return "automatic", (), "", ()
    return "unsubscribe" if _wants_to_leave(message) else "letter", (), "", ()


def _wants_to_leave(message: Message) -> bool:
    """Whether the subject or the first line says just that."""
    if _LEAVING.fullmatch(mime.header(message, "Subject")):
        return True
    for part in mime.parts(message):
        if part.get_content_type() == "text/plain":
            lines = (line for line in mime.text_of(part).splitlines() if line.strip())
            return bool(_LEAVING.fullmatch(next(lines, "")))
    return False


def _recipients(message: Message, known: tuple[str, ...]) -> tuple[str, ...]:
    values = (value for name in _RECIPIENTS for value in mime.headers(message, name))
    said = (address for value in values for address in mime.addresses(value))
    return tuple(dict.fromkeys((*(address.strip().lower() for address in known), *said)))[: 5 * _MOST]


def _marks(to: tuple[str, ...], message: Message, text: str, kind: Kind) -> Marks:
    """Recipients' marks first: they are where the message came to. A person's own text names nothing."""
    subject = mime.header(message, "Subject")
    where = [*(address.rpartition("@")[0] for address in to)]
    if kind in ("bounce", "complaint"):
        where.append(text)
    keys = [*_KEY.findall(subject)]
    if kind in ("bounce", "complaint"):
        keys += (key for pattern in _KEYS for key in pattern.findall(text))
    acts = _ACT.findall(subject if kind == "unsubscribe" else text if kind in ("bounce", "complaint") else "")
    return Marks(
        bounce=_few(token.lower() for place in where for token in _BOUNCE.findall(place)),
        act=_few(acts),
        keys=_few(keys),
    )


def _few(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))[:_MOST]


def _answers(message: Message) -> tuple[str, ...]:
    """The keys of what it answers: In-Reply-To first, then References from the newest."""
    direct = [key for value in mime.headers(message, "In-Reply-To") for key in _ANSWERED.findall(value)]
    others = [key for value in mime.headers(message, "References") for key in _ANSWERED.findall(value)]
    return _few((*direct, *reversed(others)))


def _identity(message: Message, octets: bytes) -> str:
    """The same for one message whatever way it came: by its Message-ID, else by what it is."""
    named = "".join(mime.header(message, "Message-ID").split())
    return sha256(f"{named} {mime.header(message, 'From')}".encode() if named else octets).hexdigest()[:32]


def _date(message: Message) -> int | None:
    from email.utils import parsedate_to_datetime

    from macli.clock import to_ms

    try:
        moment = parsedate_to_datetime(mime.header(message, "Date"))
        return to_ms(moment) if moment.tzinfo else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _all_text(message: Message, octets: bytes) -> str:
    """The message as it came, and behind it the parts that travelled encoded."""
    encoded = (
        mime.text_of(part)
        for part in mime.parts(message)
        if mime.header(part, "Content-Transfer-Encoding").lower() in ("base64", "quoted-printable")
        and part.get_content_maintype() in ("text", "message")
    )
    return "\n".join((octets[: mime.LONGEST].decode("utf-8", "replace"), *encoded))[: 2 * mime.LONGEST]
