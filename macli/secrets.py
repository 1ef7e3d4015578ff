"""Secrets by reference: the store keeps where a secret is, never what it is."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from macli.errors import OperationFailed, UsageError

SOURCES = ("env", "file", "keyring")
FOLDER = "secrets"


@dataclass(frozen=True)
class Secret:
    """A secret that is read when it is used, and shown as its reference.

    ``reference`` is ``env:NAME``, ``file:PATH`` (relative to the workspace) or
    ``keyring:SERVICE/NAME``. Raises UsageError for anything else, without repeating it: what is no
    reference may well be the secret itself.
    """

    reference: str
    folder: Path

    def __post_init__(self) -> None:
        source, colon, name = self.reference.partition(":")
        if not colon or source not in SOURCES or not name:
            raise UsageError(
                "a secret is given by reference, not itself: it would stay in the shell's history",
                hint="env:NAME, file:PATH or keyring:SERVICE/NAME; left out, it is asked for on a terminal",
            )
        if source == "env" and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise UsageError("the secret's env: names no environment variable", hint="env:SMTP_PASSWORD")
        if source == "keyring" and "/" not in name:
            raise UsageError("the secret's keyring: lacks a name", hint="keyring:SERVICE/NAME")

    def __str__(self) -> str:
        return self.reference

    def __repr__(self) -> str:
        return f"<secret {self.reference}>"

    def reveal(self) -> str:
        """The secret itself. Raises OperationFailed where its place is empty."""
        source, _, name = self.reference.partition(":")
        if source == "env":
            value = os.environ.get(name, "")
            if not value:
                raise OperationFailed(f"no secret: the variable {name} is not set", hint=f"export {name}=…")
            return value
        if source == "file":
            return self._from_file(self.path)
        return _from_keyring(*name.split("/", 1))

    @property
    def path(self) -> Path:
        return self.folder / Path(self.reference.partition(":")[2]).expanduser()

    @staticmethod
    def _from_file(path: Path) -> str:
        try:
            value = path.read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise OperationFailed(f"no secret in {path}: {error}") from None
        if not value:
            raise OperationFailed(f"no secret in {path}: it is empty")
        return value

    def exposed(self) -> str | None:
        """A warning where others on this machine can read the secret's file."""
        if not self.reference.startswith("file:"):
            return None
        try:
            mode = self.path.stat().st_mode
        except OSError:
            return None
        return f"anyone on this machine can read {self.path}: chmod 600 {self.path}" if mode & 0o004 else None


def _from_keyring(service: str, name: str) -> str:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise OperationFailed(
            "the secret is in a keyring and keyring is not installed", hint="pip install 'macli[keyring]'"
        ) from None
    try:
        value = keyring.get_password(service, name)
    except KeyringError as error:
        raise OperationFailed(f"the keyring did not open: {error}") from None
    if not value:
        raise OperationFailed(f"no secret in the keyring for {service}/{name}", hint=f"keyring set {service} {name}")
    return str(value)


def reference(name: str) -> str:
    """Where ``keep`` writes a secret of that name."""
    return f"file:{FOLDER}/{_file_name(name)}"


def keep(folder: Path, name: str, value: str) -> str:
    """Write a secret to a file only its owner can read; its reference."""
    place = folder / FOLDER
    place.mkdir(mode=0o700, exist_ok=True)
    ignore = place / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    path = place / _file_name(name)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(value)
    return reference(name)


def keep_once(folder: Path, name: str, make: Callable[[], str]) -> str:
    """The reference of a secret that is made when it is first asked for; a file that is there stays as it is."""
    if (folder / FOLDER / _file_name(name)).exists():
        return reference(name)
    return keep(folder, name, make())


def _file_name(name: str) -> str:
    """Of every name its own: ``a b`` is not to take the place of ``a_b``."""
    plain = re.sub(r"[^\w.@-]", "_", name).lstrip(".")
    return plain if plain == name else f"{plain}-{sha256(name.encode()).hexdigest()[:8]}"
