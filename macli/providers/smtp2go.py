"""SMTP2GO: by SMTP with a user's password, or by its API v3 with a key."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from macli.errors import MacliError, UsageError
from macli.model import ChannelKind, Check, Email, Message, Outcome
from macli.providers.base import Enquiry
from macli.providers.codes import http_verdict
from macli.providers.http import PerThread, lost, new_session, retry_after
from macli.providers.settings import ADDRESS, expect, expect_url, option, shown
from macli.providers.smtp import Settings as SmtpSettings
from macli.providers.smtp import Smtp
from macli.secrets import Secret

if TYPE_CHECKING:
    from requests import Response

STARTTLS_PORTS = (2525, 8025, 587, 80, 25)
TLS_PORTS = (465, 8465, 443)

PERMISSION = "E_ApiResponseCodes.ENDPOINT_PERMISSION_DENIED"
"""Comes with HTTP 400, though it is the key that may not, not the request that is wrong."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """SMTP2GO; with --api-key by its API, else by SMTP."""

    username: str | None = option(None, help="The SMTP user (not the account's name).")
    password: Secret | None = option(
        None, asked_with="username", help="The SMTP user's password, by reference: env:NAME."
    )
    api_key: Secret | None = option(None, help="An API key, by reference: env:NAME; mail goes by the API then.")
    sender: str | None = option(None, key="from", help="The address mail comes from by default.")
    host: str = option("mail.smtp2go.com", help="The server; mail-eu, mail-us and mail-au are regional.")
    port: int = option(2525, help="2525 or 587 (STARTTLS; also 8025, 80, 25), or 465, 8465, 443 (TLS).")
    ca_file: Path | None = option(None, help="Certificates to trust instead of the machine's.")
    api_base: str = option("https://api.smtp2go.com/v3", help="The API's address; regional ones exist.")
    insecure: bool = option(False, help="Let the password travel unencrypted.")
    track: str = option(
        "own", choices=("own", "provider"), help="Whose word counts for opens and clicks: own (macli's) or provider."
    )
    connections: int = option(4, help="How many connections at once.")
    timeout: float = option(60.0, help="Seconds to wait for an answer.")

    def __post_init__(self) -> None:
        if bool(self.api_key) == bool(self.username):
            raise UsageError(
                "smtp2go needs either --username and --password, or --api-key",
                hint="--username USER --password env:SMTP2GO_PASSWORD",
            )
        expect(self.sender is None or bool(ADDRESS.fullmatch(self.sender)), "--from", self.sender, "e-mail address")
        expect(
            self.port in STARTTLS_PORTS + TLS_PORTS,
            "--port",
            self.port,
            "port of SMTP2GO",
            hint="2525 or 587; others: 8025, 80, 25, and with TLS from the start 465, 8465, 443",
        )
        expect_url("--api-base", self.api_base)
        expect(0 < self.connections <= 200, "--connections", self.connections, "number from 1 to 200")
        expect(0 < self.timeout <= 3600, "--timeout", self.timeout, "number of seconds")


def build(settings: Settings, *, name: str) -> "Smtp | Api":
    if settings.api_key:
        return Api(settings, name=name)
    by_smtp = SmtpSettings(
        host=settings.host,
        port=settings.port,
        username=settings.username,
        password=settings.password,
        sender=settings.sender,
        ca_file=settings.ca_file,
        insecure=settings.insecure,
        connections=settings.connections,
        timeout=settings.timeout,
    )
    return Smtp(by_smtp, name=name, kind="smtp2go", given=settings)


class Api:
    """SMTP2GO's API v3. It has no key against repetition, so an unanswered call stays unknown."""

    kind = "smtp2go"
    channels: frozenset[ChannelKind] = frozenset({"email"})
    looks_up = False

    def __init__(self, settings: Settings, *, name: str) -> None:
        self.name = name
        self.settings = settings
        self.connections = settings.connections
        self._sessions = PerThread()

    @property
    def sender(self) -> str | None:
        return self.settings.sender

    def describe(self) -> Mapping[str, Any]:
        return shown(self.settings)

    def lookup(self, enquiry: Enquiry) -> Outcome | None:
        raise NotImplementedError("SMTP2GO is not asked about single messages")

    def send(self, message: Message) -> Outcome:
        assert isinstance(message, Email)
        document = {"mime_email": b64encode(message.data).decode("ascii"), "fastaccept": False}
        answer = self._post("email/mime", document)
        return answer if isinstance(answer, Outcome) else _outcome(answer)

    def check(self) -> list[Check]:
        """Ask what the key may do: every key may ask that."""
        answer = self._post("api_keys/permissions", {})
        if not isinstance(answer, Outcome) and answer.ok:
            return [Check(step="AUTH", ok=True, detail=self.settings.api_base)]
        outcome = answer if isinstance(answer, Outcome) else _outcome(answer)
        step = "AUTH" if outcome.code else "connect"
        return [Check(step=step, ok=False, detail=f"{outcome.code} {outcome.text}".strip())]

    def _post(self, path: str, document: Mapping[str, Any]) -> "Response | Outcome":
        import requests

        assert self.settings.api_key is not None
        try:
            key = self.settings.api_key.reveal()
        except MacliError as error:
            return Outcome(verdict="sender_fault", text=error.message)
        try:
            return self._sessions.get("api", new_session).post(
                f"{self.settings.api_base.rstrip('/')}/{path}",
                json=document,
                headers={"X-Smtp2go-Api-Key": key, "Accept": "application/json"},
                timeout=(min(30.0, self.settings.timeout), self.settings.timeout),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            return lost(error)


def _outcome(response: "Response") -> Outcome:
    """What an answer amounts to; HTTP 200 may hold a failure."""
    import time

    try:
        body = response.json()
    except ValueError:
        body = {}
    inner = body.get("data") if isinstance(body, dict) else None
    answer = inner if isinstance(inner, dict) else body if isinstance(body, dict) else {}
    error_code = str(answer.get("error_code") or "")
    words = str(answer.get("error") or "")
    if response.status_code != 200 or error_code:
        verdict = http_verdict(response.status_code) if response.status_code != 200 else "rejected"
        if error_code == PERMISSION:
            verdict = "sender_fault"
        elif response.status_code in (400, 402):
            verdict = "rejected" if response.status_code == 400 else "sender_fault"
        pause = retry_after(response.headers.get("Retry-After"), now=time.time())
        return Outcome(verdict=verdict, code=error_code or str(response.status_code), text=words, retry_after=pause)
    if answer.get("failed") or not answer.get("succeeded"):
        return Outcome(verdict="rejected", code="200", text=_failures(answer))
    return Outcome(verdict="accepted", code="200", reference=answer.get("email_id"))


def _failures(answer: Mapping[str, Any]) -> str:
    failures = answer.get("failures")
    if isinstance(failures, list) and failures:
        return "; ".join(map(str, failures))
    return "SMTP2GO took it for no recipient"
