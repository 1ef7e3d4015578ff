"""What a browser or a program posts: read up to a limit, as names and texts."""

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from starlette.requests import Request

_MOST_FIELDS = 200
_SECONDS = 30.0


class Refused(Exception):
    """A body that is not taken: the status to answer, and why."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


async def read_fields(request: "Request", limit: int) -> dict[str, str]:
    """The fields of a form-encoded body or a JSON object; of fields named twice the last. Raises Refused."""
    body = await read(request, limit)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "application/x-www-form-urlencoded":
            pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
            return dict(pairs)
        if kind == "application/json":
            return _texts(json.loads(body))
    except (ValueError, RecursionError):
        raise Refused(400, "this could not be read") from None
    raise Refused(415, "send application/x-www-form-urlencoded or application/json")


async def read(request: "Request", limit: int) -> bytes:
    """The body, of at most ``limit`` bytes that come within ``_SECONDS``. Raises Refused."""
    from starlette.requests import ClientDisconnect

    body = bytearray()
    try:
        async with asyncio.timeout(_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise Refused(413, f"more than {limit // 1024} KB are too much")
    except TimeoutError:
        raise Refused(408, "this took too long to come") from None
    except ClientDisconnect:
        raise Refused(400, "this did not come to its end") from None
    return bytes(body)


def _texts(document: Any) -> dict[str, str]:
    if not isinstance(document, dict) or len(document) > _MOST_FIELDS:
        raise ValueError
    return {name: _text(value) for name, value in document.items()}


def _text(value: Any) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    if isinstance(value, (str, int, float)):
        return str(value).encode("utf-8", "replace").decode()  # JSON can spell halves of characters
    raise ValueError
