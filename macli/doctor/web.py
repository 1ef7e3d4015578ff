"""What macli serve stands on: an address the world reaches, its keys, and hits that become events."""

import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from errno import EHOSTUNREACH, ENETUNREACH
from urllib.parse import urlsplit

from macli.clock import format_duration, from_ms
from macli.context import Macli
from macli.doctor.finding import Finding, fail, ok, warn
from macli.secrets import FOLDER, Secret
from macli.signing import KEY_FILE

PATIENCE = 3.0
"""Seconds for the whole question: the name's look-up, the connection and the answer."""

LATE = timedelta(hours=1)
"""Hits settle within minutes, and each tick and macli serve digest them."""


def public(macli: Macli) -> Iterator[Finding]:
    """Whether the world has an address of ours, and macli serve answers there."""
    known = {key: macli.setting(key) for key in ("public_url", "tracking.domain")}
    if not known["public_url"] and macli.store.value(_REAL_MAIL):
        yield warn(
            "public_url",
            "not set: marketing mail has no one-click unsubscribe, and opens and clicks are not seen",
            "macli settings set public_url https://news.example.com",
        )
    for key, url in known.items():
        if url:
            yield from _answering(key, url)


_REAL_MAIL = """
SELECT 1
FROM channels AS c
JOIN providers AS p ON p.id = c.provider_id
WHERE c.kind = 'email'
  AND p.kind <> 'outbox'
"""


def _answering(key: str, url: str) -> Iterator[Finding]:
    """Nothing is said where this machine has no network: it cannot know."""
    said = asked(f"{url}/health")
    if said == "":
        yield ok(key, f"macli serve answers at {url}")
    elif said is not None:
        yield warn(key, f"macli serve does not answer at {url}: {said}", "macli serve, and a proxy with TLS before it")


def asked(url: str, patience: float = PATIENCE) -> str | None:
    """What is wrong with the answer of ``/health`` at ``url``: nothing (``""``), or words.

    None where this machine is off line. Takes ``patience`` seconds at most, whatever happens.
    """
    from threading import Thread

    answers: list[str | None] = []
    # A look-up of a name heeds no time-out, and a slow answer may drip for ever.
    asking = Thread(target=lambda: answers.append(_ask(url, patience)), daemon=True)
    asking.start()
    asking.join(patience)
    return answers[0] if answers else f"nothing within {patience:g} seconds"


def _ask(url: str, patience: float) -> str | None:
    from http.client import HTTPException

    from macli.providers.posting import Forbidden, connect

    parts = urlsplit(url)
    try:
        connection = connect(parts, timeout=patience, allow_private=True)
        try:
            connection.request("GET", parts.path, headers={"Connection": "close"})
            answer = connection.getresponse()
            body = answer.read(16)
        finally:
            connection.close()
    except socket.gaierror as error:
        return None if error.errno == socket.EAI_AGAIN else "its host has no address"
    except TimeoutError:
        return f"nothing within {patience:g} seconds"
    except (OSError, HTTPException, Forbidden, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno in (ENETUNREACH, EHOSTUNREACH):
            return None
        return getattr(error, "verify_message", None) or getattr(error, "strerror", None) or str(error)
    if answer.status != 200:
        return f"the answer is {answer.status}"
    return "" if body.strip() == b"ok" else "something else answers"


def keys(macli: Macli) -> Iterator[Finding]:
    """The keys macli made: those that others can read, and the one without which sent links lead nowhere."""
    folder = macli.workspace.path
    there = (folder / KEY_FILE).exists()
    if not there and macli.store.value("SELECT EXISTS (SELECT 1 FROM links)"):
        yield fail("keys", f"{KEY_FILE} is gone: links in sent mail lead nowhere", "restore it from a backup")
    exposed = [said for file in _made(macli) if (said := Secret(f"file:{file}", folder).exposed())]
    for said in exposed:
        yield warn("keys", *said.split(": ", 1))
    if there and not exposed:
        yield ok("keys", f"{FOLDER}/ is yours alone to read; back it up with the store")


def _made(macli: Macli) -> Iterator[str]:
    """The keys' files; those a provider's settings name are the providers' own question."""
    for file in sorted((macli.workspace.path / FOLDER).glob("*.key")):
        yield f"{FOLDER}/{file.name}"


def hits(macli: Macli) -> Iterator[Finding]:
    """Opens and clicks that wait too long to become events."""
    count, oldest = macli.store.rows("SELECT count(*), min(at) FROM hits WHERE class IS NULL")[0]
    if count and (age := macli.now() - from_ms(oldest)) > LATE:
        words = f"{count:,} opens and clicks are in no report yet, the first from {format_duration(age)} ago"
        yield warn("hits", words, "macli tick")


QUESTIONS: tuple[Callable[[Macli], Iterator[Finding]], ...] = (public, keys, hits)
