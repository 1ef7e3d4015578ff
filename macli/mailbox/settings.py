"""The settings of a mailbox macli reads, by kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from macli.errors import UsageError, did_you_mean
from macli.providers.settings import HOST, expect, option, read
from macli.secrets import Secret

Security = Literal["tls", "starttls", "none"]


@dataclass(frozen=True, kw_only=True)
class Imap:
    """A folder on an IMAP server, read by its messages' numbers; nothing in it is marked."""

    host: str = option(help="The server's name or address.")
    port: int = option(993, help="Its port; 993 means TLS from the first byte.")
    username: str = option(help="The user.")
    password: Secret = option(help="The user's password, by reference: env:NAME or file:PATH.")
    folder: str = option("INBOX", help="The folder that is read.")
    security: str | None = option(
        None, choices=("tls", "starttls", "none"), help="tls, starttls (required), or none; by the port."
    )
    verify: bool = option(True, help="Verify the server's certificate.")
    ca_file: Path | None = option(None, help="Certificates to trust instead of the machine's.")
    insecure: bool = option(False, help="Let the password travel unencrypted.")
    delete: bool = option(False, help="Delete what has been read.")
    move_to: str | None = option(None, help="Move what has been read to this folder.")
    timeout: float = option(10.0, help="Seconds to wait for an answer.")

    def __post_init__(self) -> None:
        expect(bool(HOST.fullmatch(self.host)), "--host", self.host, "host name or address")
        expect(0 < self.port < 65536, "--port", self.port, "port")
        expect(0 < self.timeout <= 600, "--timeout", self.timeout, "number of seconds")
        for flag, value in (("--username", self.username), ("--folder", self.folder), ("--move-to", self.move_to)):
            expect(value is None or (bool(value) and value.isprintable()), flag, value, "name")
        if self.delete and self.move_to:
            raise UsageError("--delete and --move-to are both given", hint="what is read is deleted or moved")
        if self.move_to == self.folder:
            raise UsageError(f"--move-to {self.move_to!r} is the folder that is read")
        if self.encryption == "none" and not self.insecure:
            raise UsageError(
                "--security none would send the password unencrypted",
                hint="--security starttls or tls; --insecure sends it all the same",
            )

    @property
    def encryption(self) -> Security:
        if self.security == "none":
            return "none"
        return "tls" if self.security == "tls" or (self.security is None and self.port == 993) else "starttls"


@dataclass(frozen=True, kw_only=True)
class Maildir:
    """A Maildir on this machine, to which a mail server delivers."""

    path: Path = option(help="The directory that holds new and cur; relative to the workspace.")
    delete: bool = option(False, help="Delete what has been read.")


Settings = Imap | Maildir

KINDS: Mapping[str, type[Imap] | type[Maildir]] = {"imap": Imap, "maildir": Maildir}


def load(kind: str, given: Mapping[str, Any], *, workspace: Path) -> Settings:
    """The settings of a mailbox, checked. Raises UsageError naming what is wrong."""
    if kind not in KINDS:
        raise UsageError(
            f"{kind!r} is no kind of mailbox{did_you_mean(kind, KINDS)}", hint=f"one of {', '.join(KINDS)}"
        )
    return read(KINDS[kind], given, kind=kind, folder=workspace)
