"""Twilio: text messages, from a number or a Messaging Service, by sub-accounts where routes say so."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from macli.errors import MacliError, UsageError
from macli.model import ChannelKind, Check, Message, Outcome, Sms, Verdict
from macli.providers.base import Enquiry
from macli.providers.codes import expect_verdict, twilio_outcome
from macli.providers.http import PerThread, lost, retry_after, why_not
from macli.providers.settings import E164, expect, expect_url, option, shown
from macli.secrets import Secret

if TYPE_CHECKING:
    from requests import Response

ACCOUNT = re.compile(r"AC[0-9a-f]{32}")
SERVICE = re.compile(r"MG[0-9a-f]{32}")
SHORT_CODE = re.compile(r"\d{3,8}|[A-Za-z0-9 ]{1,11}")
PREFIX = re.compile(r"\+[1-9]\d{0,14}")

RANK = {
    "accepted": 1,
    "scheduled": 2,
    "queued": 3,
    "sending": 4,
    "sent": 5,
    "delivered": 6,
    "undelivered": 6,
    "failed": 6,
    "canceled": 6,
    "read": 7,
}
"""Twilio's statuses in their order: reports may come out of turn, and a message never goes back."""

DELIVERED = ("delivered", "read")
OVER = ("undelivered", "failed", "canceled")


@dataclass(frozen=True, kw_only=True)
class Route:
    """The sub-account that serves the numbers beginning with ``prefix``."""

    prefix: str
    account_sid: str
    auth_token: Secret
    sender: str | None = None
    messaging_service_sid: str | None = None


def read_routes(given: Any, folder: Path) -> tuple[Route, ...]:
    """Routes as the store keeps them: a list of objects. Raises UsageError naming the route's field."""
    routes = []
    for entry in given:
        prefix, account = str(entry.get("prefix", "")), str(entry.get("account_sid", ""))
        expect(bool(PREFIX.fullmatch(prefix)), "--prefix", prefix, "prefix of numbers", hint="--prefix +48")
        if not entry.get("auth_token"):
            raise UsageError(f"the route {prefix} needs --auth-token", hint="--auth-token env:NAME")
        sender, service = entry.get("from"), entry.get("messaging_service_sid")
        _expect_account(f" of the route {prefix}", account, sender, service)
        token = Secret(str(entry["auth_token"]), folder)
        routes.append(
            Route(
                prefix=prefix,
                account_sid=account,
                auth_token=token,
                sender=sender,
                messaging_service_sid=service,
            )
        )
    if len({route.prefix for route in routes}) < len(routes):
        raise UsageError("two routes have the same prefix")
    return tuple(routes)


def _expect_account(whose: str, account: str, sender: str | None, service: str | None) -> None:
    expect(bool(ACCOUNT.fullmatch(account)), f"--account-sid{whose}", account, "account: AC and 32 hex digits")
    if bool(sender) == bool(service):
        raise UsageError(f"twilio needs either --from or --messaging-service-sid{whose}")
    if sender:
        holds = bool(E164.fullmatch(sender) or SHORT_CODE.fullmatch(sender))
        expect(holds, f"--from{whose}", sender, "number in E.164", hint="--from +15005550006")
    if service:
        holds = bool(SERVICE.fullmatch(service))
        expect(holds, f"--messaging-service-sid{whose}", service, "service: MG and 32 hex digits")


def read_verdicts(given: Any, folder: Path) -> Mapping[str, Verdict]:
    """Verdicts by error code. Raises UsageError naming the word that is none."""
    verdicts = dict(given) if isinstance(given, Mapping) else {}
    expect(bool(verdicts) or given == {}, "verdicts", given, "object of verdicts by error code")
    for verdict in verdicts.values():
        expect_verdict(verdict)
    return verdicts


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A Twilio account."""

    account_sid: str = option(help="The account, AC and 32 hex digits.")
    auth_token: Secret = option(help="Its token, by reference: env:NAME or file:PATH.")
    sender: str | None = option(None, key="from", help="The number messages come from, in E.164: +15005550006.")
    messaging_service_sid: str | None = option(None, help="A Messaging Service instead of a number: MG….")
    no_route: str = option(
        "default", choices=("default", "refuse"), help="Numbers no route serves: default (this account) or refuse."
    )
    routes: tuple[Route, ...] = option((), help="Sub-accounts by prefix.", reader=read_routes)
    verdicts: Mapping[str, Verdict] | None = option(
        None, help="What error codes amount to, where macli's table is not yours.", reader=read_verdicts
    )
    api_base: str | None = option(None, help="Another address than Twilio's own, for tests.")
    connections: int = option(4, help="How many requests at once.")
    timeout: float = option(30.0, help="Seconds to wait for an answer.")

    def __post_init__(self) -> None:
        _expect_account("", self.account_sid, self.sender, self.messaging_service_sid)
        if self.api_base:
            expect_url("--api-base", self.api_base)
        expect(0 < self.connections <= 200, "--connections", self.connections, "number from 1 to 200")
        expect(0 < self.timeout <= 3600, "--timeout", self.timeout, "number of seconds")

    def route_of(self, number: str) -> Route | None:
        """The route with the longest prefix of ``number``, else this account; None where it is refused."""
        fitting = [route for route in self.routes if number.startswith(route.prefix)]
        if fitting:
            return max(fitting, key=lambda route: len(route.prefix))
        if self.no_route == "refuse":
            return None
        return Route(
            prefix="",
            account_sid=self.account_sid,
            auth_token=self.auth_token,
            sender=self.sender,
            messaging_service_sid=self.messaging_service_sid,
        )


class Twilio:
    """Twilio's Messages."""

    kind = "twilio"
    channels: frozenset[ChannelKind] = frozenset({"sms"})
    looks_up = True

    def __init__(self, settings: Settings, *, name: str, callback: str | None = None) -> None:
        self.name = name
        self.settings = settings
        self.connections = settings.connections
        self._callback = callback
        self._lines = PerThread()

    @property
    def sender(self) -> str | None:
        return self.settings.sender

    def describe(self) -> Mapping[str, Any]:
        routes = [shown_route(route) for route in self.settings.routes]
        return {**shown(self.settings), "routes": routes}

    def send(self, message: Message) -> Outcome:
        from requests import RequestException
        from twilio.base.exceptions import TwilioException

        assert isinstance(message, Sms)
        route = self.settings.route_of(message.to)
        if route is None:
            return Outcome(verdict="rejected", code="no route", text=f"no route serves {message.to}")
        given = (
            {"messaging_service_sid": route.messaging_service_sid}
            if route.messaging_service_sid
            else {"from_": route.sender}
        )
        if self._callback:
            # Its report may be here before its answer is: the key tells which message it is about.
            given["status_callback"] = f"{self._callback}?key={message.key}"
        try:
            created = self._client(route).messages.create(to=message.to, body=message.text, **given)
        except MacliError as error:
            return Outcome(verdict="sender_fault", text=error.message)
        except TwilioException as error:
            pause = retry_after(self._line(route).asked, now=time.time())
            return replace(self._said(error), retry_after=pause)
        except RequestException as error:
            return lost(error)
        except ValueError as error:  # 201 and something that is not Twilio's JSON
            return Outcome(verdict="unknown", text=f"the answer could not be read: {error}")
        return self._status(created)

    def lookup(self, enquiry: Enquiry) -> Outcome | None:
        """By Twilio's sid, else the one message to this number since then (with this text, if given)."""
        from requests import RequestException
        from twilio.base.exceptions import TwilioException

        route = self.settings.route_of(enquiry.to)
        if route is None:
            return None
        try:
            client = self._client(route)
            if enquiry.reference:
                return self._status(client.messages(enquiry.reference).fetch())
            found = _since(client, enquiry)
        except MacliError as error:
            return Outcome(verdict="sender_fault", text=error.message)
        except TwilioException as error:
            if getattr(error, "status", 0) == 404:
                return None
            return self._said(error)
        except (RequestException, ValueError) as error:
            return Outcome(verdict="unknown", text=f"Twilio did not say: {error}")
        if len(found) > 1:
            return Outcome(verdict="unknown", text=f"{len(found)} messages went to {enquiry.to} since then")
        return self._status(found[0]) if found else None

    def check(self) -> list[Check]:
        """Ask for the account, and each route's: does the token open it, and is it active?"""
        checks = []
        default = self.settings.route_of("")
        for route in (*((default,) if default else ()), *self.settings.routes):
            checks.append(self._check(route))
        return checks

    def _check(self, route: Route) -> Check:
        from requests import RequestException
        from twilio.base.exceptions import TwilioException

        step = f"AUTH {route.prefix}".strip()
        try:
            account = self._client(route).api.accounts(route.account_sid).fetch()
        except MacliError as error:
            return Check(step=step, ok=False, detail=error.message)
        except TwilioException as error:
            outcome = self._said(error)
            return Check(step=step, ok=False, detail=f"{outcome.text} ({outcome.code})")
        except RequestException as error:
            return Check(step="connect", ok=False, detail=why_not(error))
        return Check(step=step, ok=account.status == "active", detail=f"{route.account_sid}: {account.status}")

    def _client(self, route: Route) -> Any:
        return self._line(route).client

    def _line(self, route: Route) -> "_Line":
        return self._lines.get(route.prefix, lambda: self._new_line(route))

    def _new_line(self, route: Route) -> "_Line":
        from twilio.http.http_client import TwilioHttpClient
        from twilio.rest import Client

        line = _Line()
        line.client = Client(
            route.account_sid,
            route.auth_token.reveal(),
            http_client=TwilioHttpClient(timeout=self.settings.timeout, request_hooks={"response": line.note}),
        )
        if self.settings.api_base:
            line.client.api.base_url = self.settings.api_base.rstrip("/")
        return line

    def _said(self, error: Exception) -> Outcome:
        status, code = getattr(error, "status", 0), getattr(error, "code", None)
        text = str(getattr(error, "msg", "") or getattr(error, "detail", "") or error)
        return twilio_outcome(str(code or ""), status, text, self.settings.verdicts or {})

    def _status(self, message: Any) -> Outcome:
        """What a message's status amounts to."""
        return status_outcome(
            str(message.status),
            str(message.error_code or ""),
            str(message.error_message or ""),
            reference=message.sid,
            verdicts=self.settings.verdicts or {},
        )


class _Line:
    """A client of one account, and the pause its last answer asked for, which Twilio's own errors leave out."""

    client: Any = None
    asked: str | None = None

    def note(self, response: "Response", **_: object) -> None:
        self.asked = response.headers.get("Retry-After")


def status_outcome(
    status: str, code: str, words: str, *, reference: str | None, verdicts: Mapping[str, Verdict]
) -> Outcome:
    """What one of Twilio's statuses amounts to, with the error code and the words beside it."""
    if status in OVER:
        text = f"{status}: {words or code or 'no reason given'}"
        outcome = twilio_outcome(code, 0, text, verdicts)
        # It left and failed on the way: what would have been tried again before is over now.
        verdict: Verdict = "failed" if outcome.verdict == "retry" else outcome.verdict
        event = outcome.event or "sms.failed"
        return Outcome(verdict=verdict, code=code or status, text=text, reference=reference, event=event)
    if status in DELIVERED:
        return Outcome(verdict="delivered", code=status, reference=reference, event="sms.delivered")
    return Outcome(verdict="accepted", code=status, reference=reference)


def _since(client: Any, enquiry: Enquiry) -> list[Any]:
    # Twilio's filter knows days only, and its clock need not be ours.
    earliest = enquiry.since.astimezone(UTC) - timedelta(minutes=1)
    day = datetime(earliest.year, earliest.month, earliest.day, tzinfo=UTC)
    return [
        message
        for message in client.messages.stream(to=enquiry.to, date_sent_after=day, limit=200)
        if str(message.direction).startswith("outbound")
        and (message.date_created or earliest) >= earliest
        and (enquiry.text is None or message.body == enquiry.text)
    ]


def later(before: str, after: str) -> str:
    """Of two statuses of a message, the one that holds."""
    return after if RANK.get(after, 0) >= RANK.get(before, 0) else before


def shown_route(route: Route) -> dict[str, str]:
    """A route by its keys, the token by its reference."""
    shown = {
        "prefix": route.prefix,
        "account_sid": route.account_sid,
        "auth_token": str(route.auth_token),
        "from": route.sender,
        "messaging_service_sid": route.messaging_service_sid,
    }
    return {key: value for key, value in shown.items() if value}


def build(settings: Settings, *, name: str, callback: str | None = None) -> Twilio:
    return Twilio(settings, name=name, callback=callback)
