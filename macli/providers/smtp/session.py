"""The opening of a session: connect, greeting, EHLO, TLS, AUTH; each a step that can be named."""

import asyncio
import os
import socket
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from macli.errors import MacliError
from macli.model import Check, Outcome
from macli.providers.codes import Stage, smtp_outcome
from macli.providers.smtp import replies
from macli.providers.smtp.settings import Settings
from macli.providers.smtp.wire import Lost, Wire


class Refused(Exception):
    """The session did not open: at which step and what was said."""

    def __init__(self, step: str, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.step = step
        self.outcome = outcome


class Session:
    """An open session: the wire, what the server offers, and the steps that led here."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.steps: list[Check] = []
        self.extensions: Mapping[str, str] = {}
        self.secure = False
        self.wire: Wire

    async def open(self) -> None:
        """Every step up to the first message. Raises Refused; the wire is closed then."""
        try:
            password = self._password()
            await self._connect()
        except MacliError as error:
            raise Refused("settings", _fault(error.message)) from None
        try:
            await self._greet()
            if self.settings.encryption == "starttls":
                await self._start_tls()
            if password is not None:
                await self._authenticate(password)
        except Lost as error:
            self.wire.abort()
            raise Refused("connection", Outcome(verdict="retry", text=str(error))) from None
        except BaseException:
            self.wire.abort()
            raise

    async def ask(self, step: str, line: str, *, stage: Stage = "connect", wanted: str = "2") -> bytes:
        """Say one line, and the reply if it begins with ``wanted``. Raises Refused, Lost."""
        self.wire.write(line.encode() + b"\r\n")
        return self._wanted(step, await self.wire.reply(), stage, wanted)

    def _wanted(self, step: str, reply: bytes, stage: Stage, wanted: str) -> bytes:
        if reply.startswith(wanted.encode()):
            return reply
        outcome = smtp_outcome(stage, replies.code(reply), replies.text(reply))
        text = f"{step} failed ({replies.code(reply)}): {replies.text(reply)}"
        raise Refused(step, replace(outcome, text=text))

    def _password(self) -> str | None:
        return self.settings.password.reveal() if self.settings.password else None

    def _context(self) -> ssl.SSLContext:
        try:
            return _tls(self.settings.ca_file, self.settings.verify)
        except (OSError, ssl.SSLError) as error:
            raise Refused("TLS", _fault(f"--ca-file {self.settings.ca_file}: {error}")) from None

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        host, port, timeout = self.settings.host, self.settings.port, self.settings.timeout
        direct = self._context() if self.settings.encryption == "tls" else None
        step = "resolve"
        try:
            async with asyncio.timeout(timeout):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                self.steps.append(Check(step=step, ok=True, detail=f"{host} is {found[0][4][0]}"))
                step = "connect"
                _, self.wire = await loop.create_connection(
                    lambda: Wire(loop, timeout),
                    host,
                    port,
                    ssl=direct,
                    server_hostname=host if direct else None,
                )
        except ssl.SSLError as error:
            raise self._no_tls(error) from None
        except TimeoutError:
            raise Refused(step, Outcome(verdict="retry", text=f"{host}:{port}: no answer in {timeout:g} s")) from None
        except (OSError, UnicodeError) as error:
            raise Refused(step, Outcome(verdict="retry", text=f"{host}:{port}: {_reason(error)}")) from None
        self.steps.append(Check(step=step, ok=True, detail=f"{host}:{port}"))
        if direct:
            self._tls_is_up()

    async def _greet(self) -> None:
        self._wanted("greeting", await self.wire.reply(), "connect", "220")
        await self._hello()

    async def _hello(self) -> None:
        self.wire.write(f"EHLO {self._local_name()}\r\n".encode())
        reply = await self.wire.reply()
        if reply.startswith((b"500", b"502")):
            await self.ask("HELO", f"HELO {self._local_name()}")
            self.extensions = {}
            return
        self._wanted("EHLO", reply, "connect", "250")
        words = (line[4:].decode("ascii", "replace").split(None, 1) for line in reply.split(b"\n")[1:])
        self.extensions = {word[0].upper(): word[1] if len(word) > 1 else "" for word in words if word}

    def _local_name(self) -> str:
        if self.settings.hello:
            return self.settings.hello
        name = socket.gethostname()
        if "." in name and name.isascii():
            return name
        address = self.wire.transport.get_extra_info("sockname")[0]
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    async def _start_tls(self) -> None:
        if "STARTTLS" not in self.extensions:
            if self.settings.on_loopback and not self.settings.username:
                return
            raise Refused("STARTTLS", _fault("the server offers no STARTTLS, so nothing can be sent in secret"))
        await self.ask("STARTTLS", "STARTTLS", wanted="220")
        try:
            await self.wire.start_tls(self._context(), self.settings.host)
        except ssl.SSLError as error:
            raise self._no_tls(error) from None
        except (TimeoutError, OSError) as error:
            raise Refused("TLS", Outcome(verdict="retry", text=f"the TLS handshake failed: {error}")) from None
        self._tls_is_up()
        await self._hello()  # what was offered in clear counts no more

    def _tls_is_up(self) -> None:
        self.secure = True
        connection = self.wire.transport.get_extra_info("ssl_object")
        words = f"{connection.version()} {connection.cipher()[0]}" if connection else ""
        verified = "verified" if self.settings.verify else "not verified"
        self.steps.append(Check(step="TLS", ok=True, detail=f"{words}, certificate {verified}".lstrip(", ")))

    def _no_tls(self, error: ssl.SSLError) -> Refused:
        if isinstance(error, ssl.SSLCertVerificationError):
            text = f"the server's certificate does not hold: {error.verify_message}"
        else:
            text = f"the TLS handshake failed: {error.reason or error}"
        return Refused("TLS", _fault(text))

    async def _authenticate(self, password: str) -> None:
        offered = self.extensions.get("AUTH", "").upper().split()
        user = self.settings.username or ""
        if not self.secure and not self.settings.insecure:
            raise Refused("AUTH", _fault("the connection is not encrypted, so no password was sent"))
        if "PLAIN" in offered:
            plain = _base64(f"\0{user}\0{password}")
            await self.ask("AUTH", f"AUTH PLAIN {plain}", stage="AUTH", wanted="235")
        elif "LOGIN" in offered:
            await self.ask("AUTH", "AUTH LOGIN", stage="AUTH", wanted="334")
            await self.ask("AUTH", _base64(user), stage="AUTH", wanted="334")
            await self.ask("AUTH", _base64(password), stage="AUTH", wanted="235")
        else:
            raise Refused(
                "AUTH", _fault(f"the server offers neither PLAIN nor LOGIN: {' '.join(offered) or 'no AUTH'}")
            )
        self.steps.append(Check(step="AUTH", ok=True, detail=user))


@lru_cache(maxsize=4)
def _tls(ca_file: Path | None, verify: bool) -> ssl.SSLContext:
    """A context for many connections: reading the machine's certificates takes 15 ms."""
    context = ssl.create_default_context(cafile=ca_file)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _reason(error: Exception) -> str:
    """What the system says of a failed connection, without the loop's decorations."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) and number > 0 else str(error)


def _base64(words: str) -> str:
    return b64encode(words.encode()).decode()


def _fault(text: str) -> Outcome:
    return Outcome(verdict="sender_fault", text=text)
