"""Reading a folder on an IMAP server: by UID from where the last time ended, marking nothing."""

import re
import ssl
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from macli.errors import Unreachable
from macli.mailbox.batch import Batch
from macli.mailbox.mime import LONGEST
from macli.mailbox.settings import Imap
from macli.model import Check

if TYPE_CHECKING:
    from imap_tools import BaseMailBox

CHUNK = 20

_UID = re.compile(rb"\bUID (\d+)")


def batches(settings: Imap, cursor: Mapping[str, Any], *, most: int) -> Generator[Batch, None, None]:
    """The messages behind the cursor, oldest first, at most so many.

    Where the server has numbered its messages anew (UIDVALIDITY), all are read again, which does no
    harm. Raises Unreachable.
    """
    with _open(settings) as box:
        validity = box.folder.status(settings.folder, ["UIDVALIDITY"]).get("UIDVALIDITY", 0)
        last = int(cursor.get("uid", 0)) if cursor.get("uidvalidity") == validity else 0
        # ``N:*`` always finds the newest message, also where its number is below N.
        uids = sorted(uid for uid in map(int, box.uids(f"UID {last + 1}:*")) if uid > last)[:most]
        for start in range(0, len(uids), CHUNK):
            chunk = uids[start : start + CHUNK]
            yield Batch(
                messages=_fetch(box, chunk),
                cursor={"uidvalidity": validity, "uid": chunk[-1]},
                tidy=lambda chunk=chunk: _tidy(box, settings, chunk),  # type: ignore[misc]
            )


def check(settings: Imap) -> list[Check]:
    """Connect, log in and open the folder, up to the step that fails."""
    steps: list[Check] = []
    try:
        with _open(settings, steps) as box:
            count = box.folder.status(settings.folder, ["MESSAGES"]).get("MESSAGES", 0)
            steps.append(Check(step="folder", ok=True, detail=f"{settings.folder}: {count} messages"))
    except Unreachable as error:
        names = ("connect", "login", "folder")
        steps.append(Check(step=names[min(len(steps), 2)], ok=False, detail=error.message))
    return steps


@contextmanager
def _open(settings: Imap, steps: list[Check] | None = None) -> Iterator["BaseMailBox"]:
    """The folder, open for a block. Raises Unreachable, whatever goes wrong with the server."""
    from imaplib import IMAP4

    from imap_tools import ImapToolsError

    where = f"{settings.host}:{settings.port} ({settings.encryption})"
    password = settings.password.reveal()
    try:
        box = _connected(settings)
        try:
            if steps is not None:
                steps.append(Check(step="connect", ok=True, detail=where))
            login = box.login if f"{settings.username}{password}".isascii() else box.login_utf8
            login(settings.username, password, initial_folder=None)
            if steps is not None:
                steps.append(Check(step="login", ok=True, detail=settings.username))
            box.folder.set(settings.folder, readonly=not (settings.delete or settings.move_to))
            yield box
        finally:
            _leave(box)
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or error.reason or str(error)
        raise Unreachable(f"{where}: TLS failed: {reason}") from None
    except (ImapToolsError, IMAP4.error, OSError) as error:
        said = " ".join(str(error).split())[:300]
        raise Unreachable(f"{where}: {said or type(error).__name__}") from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Unreachable(f"{where} says what no IMAP server says: {error}") from None


def _connected(settings: Imap) -> "BaseMailBox":
    from imap_tools import MailBox, MailBoxStartTls, MailBoxUnencrypted

    if settings.encryption == "none":
        return MailBoxUnencrypted(settings.host, settings.port, timeout=settings.timeout)
    context = ssl.create_default_context(cafile=None if settings.ca_file is None else str(settings.ca_file))
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    kind = MailBox if settings.encryption == "tls" else MailBoxStartTls
    return kind(settings.host, settings.port, timeout=settings.timeout, ssl_context=context)


def _leave(box: "BaseMailBox") -> None:
    """Close the connection; a server that says no good-bye has still been read."""
    from imaplib import IMAP4

    try:
        box.client.logout()
    except (IMAP4.error, OSError):
        box.client.shutdown()


def _fetch(box: "BaseMailBox", uids: Sequence[int]) -> list[bytes]:
    """The beginnings of messages, in the order of their numbers; those deleted meanwhile are left out."""
    wanted = ",".join(map(str, uids))
    _, answers = box.client.uid("FETCH", wanted, f"(UID BODY.PEEK[]<0.{LONGEST}>)")
    found: dict[int, bytes] = {}
    octets: bytes | None = None
    for answer in answers:
        if isinstance(answer, tuple):
            line, octets = answer[0], answer[1]
        else:
            line = answer or b""
        # The number stands before the message or behind it, as the server likes.
        number = _UID.search(line)
        if number and octets is not None:
            found[int(number.group(1))] = octets
            octets = None
    return [found[uid] for uid in sorted(found)]


def _tidy(box: "BaseMailBox", settings: Imap, uids: Sequence[int]) -> None:
    names = [str(uid) for uid in uids]
    if settings.delete:
        box.delete(names)
    elif settings.move_to:
        box.move(names, settings.move_to)
