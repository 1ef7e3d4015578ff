"""Events other systems tell of: JSON signed with a secret both know, each answered for.

``X-Macli-Signature: t=SECONDS,v1=HEX`` where HEX is HMAC-SHA256 over ``SECONDS.BODY``.
"""

import hashlib
import hmac
import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from macli.responses import told
from macli.responses.hooks import EVENTS
from macli.web import bodies
from macli.web.bodies import Refused
from macli.web.hooks_sources import Sources
from macli.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_LIMIT = 1024 * 1024
_TOLERANCE = 300.0
"""Seconds a signature holds, before and after its time."""


class Hooks:
    """Answers for /hooks/events."""

    def __init__(self, site: Site, sources: Sources) -> None:
        self._site = site
        self._sources = sources

    async def told(self, request: "Request") -> "Response":
        """Record the events and say of each what became of it, in order."""
        from starlette.responses import JSONResponse

        secret = await self._sources.hook_secret(EVENTS)
        body = await bodies.read(request, _LIMIT)
        signature = request.headers.get("x-macli-signature", "")
        if not is_signed(secret, body, signature, now=self._site.now().timestamp()):
            raise Refused(403, f"X-Macli-Signature is missing, wrong, or not of the last {_TOLERANCE / 60:.0f} minutes")
        documents = _documents(body)
        region, zone = self._site.setting("country"), self._site.zone
        answers = await self._site.write(
            lambda store, now: told.take_in(store, now, documents, zone=zone, region=region)
        )
        return JSONResponse(
            {
                "events": [
                    {"id": answer.id, "status": answer.status, **({"reason": answer.reason} if answer.reason else {})}
                    for answer in answers
                ]
            }
        )


def is_signed(secret: str, body: bytes, signature: str, *, now: float) -> bool:
    """Whether ``signature`` is that of the body, made within the tolerance; one of several v1 is enough."""
    parts = [part.strip().partition("=") for part in signature[:1000].split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1 or not re.fullmatch(r"\d{1,12}", times[0], re.ASCII) or abs(now - int(times[0])) > _TOLERANCE:
        return False
    expected = hmac.new(secret.encode(), times[0].encode() + b"." + body, hashlib.sha256).hexdigest()
    return any(
        hmac.compare_digest(expected.encode(), value.encode("utf-8", "replace"))
        for name, _, value in parts
        if name == "v1"
    )


def _documents(body: bytes) -> list[Any]:
    try:
        document = json.loads(body, parse_constant=_no_number)
        # JSON can spell halves of characters, which nothing can store.
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Refused(400, "the body is no JSON in UTF-8") from None
    found = document.get("events") if isinstance(document, dict) else None
    if not isinstance(found, list) or len(found) > told.MOST:
        raise Refused(400, f'the body is {{"events": […]}} with at most {told.MOST} of them')
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")
