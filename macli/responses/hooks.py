"""The addresses at which others report, and the secrets by which they prove who they are."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from macli.errors import OperationFailed, UsageError
from macli.secrets import Secret, keep
from macli.store import Row, Store, providers

EVENTS = "events"
PATHS = {
    "twilio": ("/hooks/twilio/{name}", "/hooks/twilio/{name}/inbound"),
    "smtp2go": ("/hooks/smtp2go/{name}/{secret}",),
}
"""Where each kind of provider posts."""

_FOR = {
    "/hooks/twilio/{name}": "what became of text messages; macli tells Twilio with each",
    "/hooks/twilio/{name}/inbound": "a number's or Messaging Service's incoming messages",
    "/hooks/smtp2go/{name}/{secret}": "a webhook for all events, with the header X-Macli-Message-Id",
}
_OCTETS = 24


def secret(workspace: Path, name: str, kind: str | None = None) -> Secret:
    """The secret of the events hook, or of a provider's of that kind; its file need not be there yet."""
    file = "hook-events.key" if kind is None else f"hook-{kind}-{name.casefold()}.key"
    return Secret(f"file:secrets/{_file_name(file)}", workspace)


def _file_name(name: str) -> str:
    import re

    return re.sub(r"[^\w.@-]", "_", name)


def make(store: Store, workspace: Path, name: str, *, anew: bool = False) -> tuple[Secret, bool]:
    """The secret of a hook, made where there is none yet or ``anew``, and whether it was made.

    ``name`` is ``events`` or an SMTP2GO provider's. Raises UsageError where that proves itself otherwise.
    """
    kind = None
    if name.casefold() != EVENTS:
        row = providers.get(store, name)
        name, kind = row["name"], row["kind"]
        if kind != "smtp2go":
            raise UsageError(
                f"{name!r} is a {kind} provider, which needs no secret here",
                hint="Twilio signs with the account's token" if kind == "twilio" else "macli hook list",
            )
    known = secret(workspace, name, kind)
    if known.path.exists() and not anew:
        return known, False
    keep(workspace, known.path.name, secrets.token_urlsafe(_OCTETS))
    return known, True


def listed(store: Store, workspace: Path, public_url: str | None) -> Iterator[dict[str, Any]]:
    """Every hook: its name, who posts there and what, the address, and its secret's reference."""
    for row in providers.list_all(store):
        for path in PATHS.get(row["kind"], ()):
            known = secret(workspace, row["name"], row["kind"]) if row["kind"] == "smtp2go" else None
            yield {
                "name": row["name"],
                "from": row["kind"],
                "for": _FOR[path],
                "url": _address(public_url, _path(path, row["name"], "SECRET")),
                "secret": _said(known, "the account's token"),
            }
    yield {
        "name": EVENTS,
        "from": "your own systems",
        "for": "events, as signed JSON",
        "url": _address(public_url, "/hooks/events"),
        "secret": _said(secret(workspace, EVENTS), ""),
    }


def addresses(store: Store, workspace: Path, public_url: str | None, name: str) -> list[str]:
    """The whole addresses of a hook, its secret in them. Raises OperationFailed where that is not made yet."""
    row: Row | None = None if name.casefold() == EVENTS else providers.get(store, name)
    if public_url is None:
        raise OperationFailed(
            "no public_url: nobody outside can reach this workspace",
            hint="macli settings set public_url https://news.example.com",
        )
    if row is None:
        return [_address(public_url, "/hooks/events")]
    if row["kind"] not in PATHS:
        raise UsageError(f"{row['name']!r} ({row['kind']}) reports nothing", hint="macli hook list")
    revealed = ""
    if row["kind"] == "smtp2go":
        known = secret(workspace, row["name"], row["kind"])
        if not known.path.exists():
            raise OperationFailed("the hook has no secret yet", hint=f"macli hook secret {row['name']}")
        revealed = known.reveal()
    return [_address(public_url, _path(path, row["name"], revealed)) for path in PATHS[row["kind"]]]


def _path(path: str, name: str, revealed: str) -> str:
    return path.format(name=quote(name, safe=""), secret=revealed)


def _address(public_url: str | None, path: str) -> str:
    return f"{public_url or 'https://YOUR-PUBLIC-URL'}{path}"


def _said(known: Secret | None, otherwise: str) -> str:
    if known is None:
        return otherwise
    return str(known) if known.path.exists() else "none yet"
