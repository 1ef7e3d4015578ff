"""The settings of an SMTP server."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from macli.errors import UsageError
from macli.providers.settings import ADDRESS, HOST, expect, option
from macli.secrets import Secret

Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Any mail server that takes mail by SMTP."""

    host: str = option(help="The server's name or address.")
    port: int = option(587, help="Its port; 465 means TLS from the first byte.")
    username: str | None = option(None, help="The user, where the server wants one.")
    password: Secret | None = option(
        None, asked_with="username", help="The user's password, by reference: env:NAME or file:PATH."
    )
    sender: str | None = option(None, key="from", help="The address mail comes from by default.")
    security: str | None = option(
        None, choices=("starttls", "tls", "none"), help="starttls (required), tls, or none; by the port."
    )
    verify: bool = option(True, help="Verify the server's certificate.")
    ca_file: Path | None = option(None, help="Certificates to trust instead of the machine's.")
    insecure: bool = option(False, help="Let the password travel unencrypted.")
    hello: str | None = option(None, help="The name this machine says in EHLO.")
    connections: int = option(4, help="How many connections at once.")
    per_connection: int = option(0, help="Messages a connection carries before a new one; 0 is no limit.")
    timeout: float = option(60.0, help="Seconds to wait for an answer; five times that after a message.")

    def __post_init__(self) -> None:
        expect(bool(HOST.fullmatch(self.host)), "--host", self.host, "host name or address")
        expect(0 < self.port < 65536, "--port", self.port, "port")
        expect(
            self.sender is None or bool(ADDRESS.fullmatch(self.sender)),
            "--from",
            self.sender,
            "e-mail address",
        )
        expect(0 < self.connections <= 200, "--connections", self.connections, "number from 1 to 200")
        expect(self.per_connection >= 0, "--per-connection", self.per_connection, "number of messages")
        expect(0 < self.timeout <= 3600, "--timeout", self.timeout, "number of seconds")
        expect(self.hello is None or bool(HOST.fullmatch(self.hello)), "--hello", self.hello, "host name")
        if bool(self.username) != bool(self.password):
            missing = "--password" if self.username else "--username"
            raise UsageError(f"{missing} is missing: a user needs a password, and a password a user")
        if self.username and self.encryption == "none" and not self.insecure:
            raise UsageError(
                "--security none would send the password unencrypted",
                hint="--security starttls or tls; --insecure sends it all the same",
            )

    @property
    def encryption(self) -> Security:
        if self.security == "tls" or (self.security is None and self.port in (465, 8465, 443)):
            return "tls"
        return "none" if self.security == "none" else "starttls"

    @property
    def on_loopback(self) -> bool:
        return self.host in ("localhost", "::1", "[::1]") or self.host.startswith("127.")
