"""Mailboxes as commands handle them: added with their secret kept apart, tried, read, told in words."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from macli import secrets
from macli.errors import OperationFailed, Unreachable
from macli.mailbox import polling
from macli.mailbox.settings import load
from macli.model import Check
from macli.secrets import Secret
from macli.store import Store, mailboxes


def add(
    store: Store,
    now: datetime,
    name: str,
    kind: str,
    given: Mapping[str, Any],
    *,
    workspace: Path,
    typed_password: str | None = None,
) -> str | None:
    """Keep a mailbox if its settings hold, and a password that was typed in a file of its own.

    A warning where others on this machine can read the password. Raises UsageError.
    """
    settings = {key: value for key, value in given.items() if value is not None}
    if typed_password:
        settings["password"] = secrets.keep(workspace, f"mail.{name}.password", typed_password)
    load(kind, settings, workspace=workspace)
    mailboxes.add(store, now, name, kind, settings)
    reference = settings.get("password")
    return None if reference is None else Secret(reference, workspace).exposed()


def read_now(store: Store, now: datetime, name: str, workspace: Path) -> dict[str, int]:
    """Read all that is new in one mailbox: how many messages said what. Raises MacliError."""
    row = mailboxes.get(store, name)
    counted: Counter[str] = Counter(new=0)
    for found, said in polling.read_new(store, now, row, workspace, most=1 << 62):
        counted["new"] += found
        counted.update(one.said for one in said)
    mailboxes.note_read(store, now, row["id"], None)
    return dict(counted)


def in_words(counts: Mapping[str, int]) -> str:
    """``3 read: 2 hard bounce, 1 reply; 3 new``."""
    said = {word: number for word, number in counts.items() if word != "new"}
    if not said:
        return "nothing new"
    return (
        f"{sum(said.values())} read: "
        + ", ".join(f"{number} {word}" for word, number in sorted(said.items()))
        + f"; {counts['new']} new"
    )


def ingest_all(
    store: Store, clock: Callable[[], datetime], paths: Sequence[str], workspace: Path, *, recipients: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """Take in the messages at each path: a record of each, as it is taken in."""
    for path in paths:
        for new, one in polling.ingest(store, clock(), path, workspace, recipients=recipients):
            failure = next(iter(one.letter.failures), None)
            sent = next(iter(one.about), None)
            yield {
                "file": path,
                "said": one.said,
                "message": sent and sent.id,
                "address": sent and sent.address,
                "status": failure and failure.status,
                "new": new,
            }


def raise_failure(name: str, checks: Iterable[Check]) -> None:
    """Raise Unreachable or OperationFailed for the step that failed."""
    failed = next((check for check in checks if not check.ok), None)
    if failed is not None:
        kind = Unreachable if failed.step == "connect" else OperationFailed
        raise kind(f"{name}: {failed.step}: {failed.detail}")
