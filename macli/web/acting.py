"""Who an ``act`` token speaks for: the message it came in, its contact, and the language of the page it opens."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from macli.store import Store, ledger
from macli.web import look
from macli.web.bodies import Refused, read
from macli.web.site import Site
from macli.web.words import WORDS, language

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_LARGEST = 64 * 1024
_MOST_FIELDS = 500
_LONGEST_AGENT = 400


@dataclass(frozen=True, kw_only=True)
class Acting:
    """A message's recipient: ``contact_id`` is None where they were deleted, and in a test message."""

    token: str
    send_id: int
    channel: str
    is_test: bool
    contact_id: int | None
    campaign_id: int | None
    address: str | None
    locale: str | None

    @property
    def masked(self) -> str:
        """The address as much as its owner needs to know it again, and nobody else can use."""
        if not self.address or self.address.startswith("contact:"):
            return "•••"
        name, at, domain = self.address.partition("@")
        return f"{name[0]}•••@{domain}" if at else f"{self.address[:3]}•••{self.address[-2:]}"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request of somebody known: the language it is answered in, and what proves it."""

    acting: Acting
    locale: str
    body: bytes
    ip: str
    agent: str

    @property
    def words(self) -> Mapping[str, str]:
        return WORDS[self.locale]

    def proof(self, **more: Any) -> dict[str, Any]:
        """What the consent log keeps of it; the message's number, never its token."""
        return {**more, "ip": self.ip, "agent": self.agent, "message": self.acting.send_id, "language": self.locale}

    @cached_property
    def fields(self) -> Mapping[str, frozenset[str]]:
        """What a form posted, by name."""
        pairs = parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return {name: frozenset(value for key, value in pairs if key == name) for name, _ in pairs}

    def all(self, name: str) -> frozenset[str]:
        return self.fields.get(name, frozenset())


Answer = Callable[[Asked], Awaitable["Response"]]


def door(site: Site, answer: Answer) -> "Callable[[Request], Awaitable[Response]]":
    """A handler that answers whom a token names, and shows a page to everybody else."""

    async def handle(request: "Request") -> "Response":
        token = request.path_params["token"]
        accepted = request.headers.get("accept-language", "")
        send_id = site.keys.act(token)
        acting = None if send_id is None else await site.read(lambda store: find(store, token, send_id))
        locale = language(acting.locale if acting else None, site.setting("locale"), accepted=accepted)
        if acting is None:
            return await look.framed(site, "note.html", locale=locale, status=404, about="unknown")
        try:
            body = b"" if request.method in ("GET", "HEAD") else await read(request, _LARGEST)
            if body.count(b"&") > _MOST_FIELDS:
                raise Refused(400, "too many fields")
        except Refused as refused:
            return await look.framed(site, "note.html", locale=locale, status=refused.status, about="refused")
        asked = Asked(
            acting=acting,
            locale=locale,
            body=body,
            ip=site.caller(request),
            agent=request.headers.get("user-agent", "")[:_LONGEST_AGENT],
        )
        return await answer(asked)

    return handle


def find(store: Store, token: str, send_id: int) -> Acting | None:
    """The recipient of a message that people can say no to."""
    row = store.row(_FIND, {"id": send_id})
    if row is None:
        return None
    return Acting(
        token=token,
        send_id=send_id,
        channel=row["channel"],
        is_test=row["purpose"] == "test",
        contact_id=row["contact_id"],
        campaign_id=row["campaign_id"],
        address=row["address"],
        locale=row["locale"],
    )


_FIND = f"""
SELECT sends.channel, sends.purpose, {ledger.RECIPIENT} AS contact_id, sends.campaign_id, contacts.locale,
  coalesce(
    sends.address,
    CASE sends.channel WHEN 'email' THEN contacts.email WHEN 'sms' THEN contacts.phone END
  ) AS address
FROM sends
LEFT JOIN contacts ON contacts.id = sends.contact_id
WHERE sends.id = :id
  AND sends.channel IN ('email', 'sms', 'push')
"""
