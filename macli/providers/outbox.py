"""The outbox: messages as real .eml, .sms, .push and .json files in a folder, one file each for ever."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from macli.model import ChannelKind, Check, Email, Message, Outcome, Push, Sms
from macli.providers.base import Enquiry
from macli.providers.settings import option, shown

A_FOLDER = 1000
"""Messages a sub-folder holds."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A folder that takes everything and sends nothing."""

    path: Path = option(help="The folder, relative to the workspace.")
    sender: str | None = option(None, key="from", help="The address mail comes from by default.")
    fsync: bool = option(False, help="Have every file on the disk before it counts as sent.")
    connections: int = option(1, help="How many files at once.")


class Outbox:
    """A folder of messages.

    A file's name comes from the message alone, so writing a message again writes the same file.
    """

    kind = "outbox"
    channels: frozenset[ChannelKind] = frozenset({"email", "sms", "push", "webhook"})
    looks_up = True

    def __init__(self, settings: Settings, *, name: str) -> None:
        self.name = name
        self.settings = settings
        self.connections = settings.connections
        self._made: set[Path] = set()

    @property
    def sender(self) -> str | None:
        return self.settings.sender

    def describe(self) -> Mapping[str, Any]:
        return shown(self.settings)

    def send(self, message: Message) -> Outcome:
        path = self._place(message.send_id) / (
            f"{_stem(message.send_id, message.key)}-{_safe(message.to)}{_suffix(message)}"
        )
        try:
            if path.parent not in self._made:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._made.add(path.parent)
            self._write(path, _content(message))
        except OSError as error:
            self._made.clear()
            return Outcome(verdict="sender_fault", text=f"the outbox cannot be written: {error}")
        return Outcome(verdict="accepted", reference=str(path.relative_to(self.settings.path)))

    def check(self) -> list[Check]:
        """Whether the folder can be written."""
        folder = self.settings.path
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".probe-{os.getpid()}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            return [Check(step="write", ok=False, detail=f"{folder}: {error.strerror}")]
        return [Check(step="write", ok=True, detail=str(folder))]

    def lookup(self, enquiry: Enquiry) -> Outcome | None:
        """The file, if it is there: a crash leaves no half of one."""
        found = next(self._place(enquiry.send_id).glob(f"{_stem(enquiry.send_id, enquiry.key)}-*"), None)
        if found is None:
            return None
        return Outcome(verdict="accepted", reference=str(found.relative_to(self.settings.path)))

    def _place(self, send_id: int) -> Path:
        return self.settings.path / f"{send_id // A_FOLDER:05d}"

    def _write(self, path: Path, content: bytes) -> None:
        partial = path.with_name(f".{path.name}.part")
        with partial.open("wb") as file:
            file.write(content)
            if self.settings.fsync:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)


def _stem(send_id: int, key: str) -> str:
    return f"{send_id:08d}-{hashlib.blake2b(key.encode(), digest_size=4).hexdigest()}"


def _safe(words: str) -> str:
    """Part of a file name, whatever ``words`` holds: no separators, no control, short enough."""
    return re.sub(r"[^\w.@+-]", "_", words)[:80].encode()[:160].decode(errors="ignore")


def _suffix(message: Message) -> str:
    return {"email": ".eml", "sms": ".sms", "push": ".push", "webhook": ".json"}[message.channel]


def _content(message: Message) -> bytes:
    if isinstance(message, Email):
        return message.data
    if isinstance(message, Sms):
        return f"To: {message.to}\nKey: {message.key}\n\n{message.text}\n".encode()
    document: dict[str, Any]
    if isinstance(message, Push):
        # Not where the devices are: who has an endpoint and its keys can write to the browser.
        document = {"key": message.key, "to": message.to, "devices": len(message.devices), "payload": message.payload}
    else:
        document = {"key": message.key, "to": message.to, "url": message.url, "payload": message.payload}
    return (json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n").encode()


def build(settings: Settings, *, name: str) -> Outbox:
    return Outbox(settings, name=name)
