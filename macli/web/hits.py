"""Pixels and links of messages: the request is stored, then answered. Plain ASGI, since these are nearly all.

An answer never says whether a token was good in any way that could be used to find one out: a pixel
is a pixel, and a link nobody signed leads nowhere.
"""

from base64 import b64decode
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from macli.clock import to_ms
from macli.store import Store, web_rates
from macli.urls import FOLLOW
from macli.web.site import Site, real_address

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIXES = ("/o/", "/c/", "/r/")

PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_LONGEST_AGENT = 400
_MOST_HITS, _HOUR = 1000, 3_600_000
"""Hits of one message that are kept in an hour; whoever has a link could fill the disk with it."""
_MOST_SENDS = 200_000
_MOST_AGENTS = 50_000
_MOST_NEW_AGENTS, _DAY = 200, 24 * 3_600_000
"""Names of programs nobody had before that one address can bring in a day."""

_UNSTORED = [(b"cache-control", b"no-store, private, max-age=0"), (b"referrer-policy", b"no-referrer")]
_PIXEL_HEADERS = [
    (b"content-type", b"image/gif"),
    (b"content-length", str(len(PIXEL)).encode("ascii")),
    *_UNSTORED,
]
_GONE = b"This link is not known here. It may be too old, or it was not copied whole.\n"
_GONE_HEADERS = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"content-length", str(len(_GONE)).encode("ascii")),
    *_UNSTORED,
]
_REFUSED_HEADERS = [(b"allow", b"GET, HEAD"), (b"content-length", b"0")]

_LOOKING_AHEAD = (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz")

_LINKS = "SELECT id, url FROM links WHERE id = :id"
_AGENT = "SELECT id FROM agents WHERE agent = :agent"
_ADD_AGENT = "INSERT INTO agents (agent) VALUES (:agent) ON CONFLICT (agent) DO NOTHING"


class Hits:
    """Answers for ``/o/TOKEN.gif``, ``/c/TOKEN/LINK`` and ``/r/TOKEN/ADDRESS``."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._links: dict[int, str] = {}
        self._agents: dict[str, int] = {}
        self._hour = 0
        self._times: dict[int, int] = {}

    async def answer(self, scope: Scope, send: Send) -> None:
        method = scope["method"]
        if method not in ("GET", "HEAD"):
            await respond(send, 405, _REFUSED_HEADERS, b"")
            return
        path: str = scope["path"]
        kind, rest = path[1], path[3:]
        if kind == "o":
            await self._open(scope, send, method, rest)
        else:
            follow, _, target = rest.partition("/")
            await self._click(scope, send, method, follow, target, personal=kind == "r")

    async def _open(self, scope: Scope, send: Send, method: str, rest: str) -> None:
        send_id = self._site.keys.follow(rest.removesuffix(".gif"))
        if send_id is not None:
            await self._store(scope, "open", method, send_id, None, None)
        await respond(send, 200, _PIXEL_HEADERS, b"" if method == "HEAD" else PIXEL)

    async def _click(self, scope: Scope, send: Send, method: str, follow: str, target: str, *, personal: bool) -> None:
        keys = self._site.keys
        send_id = keys.follow(follow)
        url = link_id = None
        if send_id is not None:
            if personal:
                url = keys.open_personal(follow, target)
            elif target.isascii() and target.isdigit() and len(target) < 16:
                link_id = int(target)
                url = await self._link(link_id)
        if send_id is None or url is None:
            await respond(send, 404, _GONE_HEADERS, b"" if method == "HEAD" else _GONE)
            return
        await self._store(scope, "click", method, send_id, link_id, url if personal else None)
        before, after = place(url, self._hosts())
        target_url = before if after is None else before + follow.encode("ascii") + after
        await respond(send, 302, [(b"location", target_url), (b"content-length", b"0"), *_UNSTORED], b"")

    def _hosts(self) -> tuple[str, ...]:
        """Whose pages are told who came: those with the tracker, and our own."""
        own = self._site.setting("public_url")
        hosts: tuple[str, ...] = self._site.setting("tracker.domains") or ()
        return (*hosts, own.partition("://")[2].partition("/")[0].lower()) if own else hosts

    async def _link(self, link_id: int) -> str | None:
        """Where a link leads; what was found is kept, since a link never changes."""
        url = self._links.get(link_id)
        if url is None:
            row = await self._site.read(lambda store: store.row(_LINKS, {"id": link_id}))
            if row is None:
                return None
            url = self._links[link_id] = row["url"]
        return url

    async def _store(
        self, scope: Scope, kind: str, method: str, send_id: int, link_id: int | None, url: str | None
    ) -> None:
        at = self._site.now_ms()
        if self._is_too_often(send_id, at):
            return
        agent, forwarded = "", b""
        ahead = False
        for name, value in scope["headers"]:
            if name == b"user-agent":
                agent = value.decode("latin-1")[:_LONGEST_AGENT]
            elif name == b"x-forwarded-for":
                forwarded += b"," + value  # a proxy may add a header of its own behind what it was sent
            elif name in _LOOKING_AHEAD and b"prefetch" in value.lower():
                ahead = True
        client = scope.get("client")
        peer = client[0] if client else ""
        trusted = self._site.setting("web.proxies")
        ip = real_address(peer, forwarded.decode("latin-1"), trusted) if forwarded else peer
        agent_id = self._agents.get(agent) or await self._agent(agent, ip)
        said = "PREFETCH" if ahead else method
        await self._site.writer.hit((kind, at, send_id, link_id, url, said, ip, agent_id))

    def _is_too_often(self, send_id: int, at: int) -> bool:
        hour = at // _HOUR
        if hour != self._hour or len(self._times) >= _MOST_SENDS:
            self._hour = hour
            self._times.clear()
        times = self._times[send_id] = self._times.get(send_id, 0) + 1
        return times > _MOST_HITS

    async def _agent(self, agent: str, ip: str) -> int | None:
        """The number of a program's name, given when it is first seen; None where an address invents too many."""

        def known(store: Store, now: datetime) -> int | None:
            found: int | None = store.value(_AGENT, {"agent": agent})
            if found is None and web_rates.count(store, to_ms(now), "agent", ip, _DAY) <= _MOST_NEW_AGENTS:
                store.execute(_ADD_AGENT, {"agent": agent})
                found = store.value(_AGENT, {"agent": agent})
            return found

        number = await self._site.write(known)
        if number is None:
            return None
        if len(self._agents) >= _MOST_AGENTS:
            self._agents.clear()
        self._agents[agent] = number
        return number


@lru_cache(maxsize=4096)
def place(url: str, hosts: tuple[str, ...]) -> tuple[bytes, bytes | None]:
    """Where a link leads, as a header's value: whole, or around the message's token, which is told to pages of
    ``hosts``."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if not any(_is_host(parts.netloc.lower(), host) for host in hosts):
        return location(url), None
    query = f"{parts.query}&{FOLLOW}=" if parts.query else f"{FOLLOW}="
    whole = parts._replace(query=query, fragment="").geturl()
    return location(whole), location(f"#{parts.fragment}") if parts.fragment else b""


def _is_host(netloc: str, host: str) -> bool:
    return netloc == host or (host.startswith("*.") and netloc.endswith(host[1:]))


def location(url: str) -> bytes:
    """A stored address as a header's value: ASCII, without anything that could end the line."""
    from urllib.parse import quote

    return quote(url, safe="!#$%&'()*+,-./:;=?@[]_~", errors="replace").encode("ascii")


async def respond(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Send a whole answer."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
