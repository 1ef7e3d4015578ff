"""A message as a mail server takes it: the envelope's commands and the dot-stuffed content."""

import re
from collections.abc import Mapping

from macli.model import Email, Outcome

_UNSAFE = re.compile(r"[\x00-\x20<>\x7f]")
_DOTTED_LINE = re.compile(rb"\n\.")
_NEW_LINE = re.compile(rb"\r\n|\r|\n")


class Unsendable(Exception):
    """This message cannot be offered to this server; its neighbours can."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


def commands(message: Email, extensions: Mapping[str, str]) -> bytes:
    """The lines MAIL, RCPT and DATA. Raises Unsendable."""
    sender, to = message.sender, message.to
    parameters = ""
    if not (sender.isascii() and to.isascii()):
        sender, to = in_ascii(sender), in_ascii(to)
        if not (sender.isascii() and to.isascii()):
            if "SMTPUTF8" not in extensions:
                raise Unsendable(
                    _rejected("553 5.6.7", f"{message.to}: the server takes no address like this (SMTPUTF8)")
                )
            parameters = " SMTPUTF8"
    if _UNSAFE.search(sender) or _UNSAFE.search(to) or not to:
        raise Unsendable(_rejected("553 5.1.3", f"{message.to!r} cannot stand in an SMTP command"))
    if "8BITMIME" in extensions and not message.data.isascii():
        parameters += " BODY=8BITMIME"
    if "SIZE" in extensions:
        parameters += f" SIZE={len(message.data)}"
    return f"MAIL FROM:<{sender}>{parameters}\r\nRCPT TO:<{to}>\r\nDATA\r\n".encode()


def in_ascii(address: str) -> str:
    """The address with its domain as DNS has it; unchanged where that cannot be."""
    local, at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    import idna

    try:
        return f"{local}{at}{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        return address


def stuffed(content: bytes) -> bytes:
    """``content`` for the DATA phase, without the final dot.

    Nearly every message has no line that starts with a dot, and the search is quicker than a
    replacement that finds nothing (2.8 against 3.7 us for 4 KB; two-byte ``in`` takes 5.3). Where
    there is such a line, stray CR and LF become line ends first, so that no server takes part of a
    message for its end.
    """
    if content[:1] == b"." or _DOTTED_LINE.search(content):
        content = _NEW_LINE.sub(b"\r\n", content).replace(b"\r\n.", b"\r\n..")
        if content[:1] == b".":
            content = b"." + content
    return content if content[-2:] == b"\r\n" else content + b"\r\n"


def _rejected(code: str, text: str) -> Outcome:
    return Outcome(verdict="rejected", code=code, text=text)
