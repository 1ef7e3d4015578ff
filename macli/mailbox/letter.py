"""What one message that came in says, as values: nothing here knows the store."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "bounce",  # a mail server says what became of a message
    "complaint",  # a mailbox provider passes on that somebody called it spam
    "automatic",  # a program answered: out of office, a receipt, a list
    "unsubscribe",  # somebody asks to be written to no more
    "letter",  # a person wrote
    "unreadable",  # no parser makes anything of it
]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What a mail server says of one recipient.

    ``action`` is RFC 3464's word (failed, delayed, delivered, relayed, expanded); ``status`` an
    enhanced code such as ``5.1.1`` or empty; ``said`` the words. ``address`` is where the message
    could not go, ``original`` where it was sent to at first; either may be empty.
    """

    address: str = ""
    original: str = ""
    action: str = "failed"
    status: str = ""
    said: str = ""


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What in a message may name one of ours. ``bounce`` and ``act`` are signed tokens, not yet verified;
    ``keys`` are X-Macli-Message-Ids, which anybody can make up."""

    bounce: tuple[str, ...] = ()
    act: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One message that came in.

    ``id`` is the same however often and wherever it is read. ``at`` is its Date in UTC milliseconds,
    None where that is none. ``sender`` and ``recipients`` are lower-case addresses, ``answers`` the
    keys of those of our messages it answers, ``concerns`` the addresses a complaint is about. ``body`` is
    the text of what a person wrote.
    """

    id: str
    kind: Kind
    at: int | None = None
    sender: str = ""
    subject: str = ""
    body: str = ""
    recipients: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    feedback: str = ""
    concerns: tuple[str, ...] = ()
    marks: Marks = Marks()
