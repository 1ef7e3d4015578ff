"""SMTP2GO's posts, which nobody signs: known by a secret in the address or in Authorization."""

import json
import secrets
from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from macli.providers import smtp2go_callbacks as callbacks
from macli.responses import provider_list
from macli.web import bodies
from macli.web.bodies import Refused
from macli.web.hooks_reports import Reports
from macli.web.hooks_sources import Sources
from macli.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_LIMIT = 512 * 1024
_MOST_PARAMS = 400
_MOST_EVENTS = 1000


class Hooks:
    """Answers for /hooks/smtp2go/PROVIDER/SECRET, and without the secret where Authorization has it."""

    def __init__(self, site: Site, sources: Sources, reports: Reports) -> None:
        self._site = site
        self._sources = sources
        self._reports = reports

    async def report(self, request: "Request") -> "Response":
        """What became of mails, one event or a list of them."""
        from starlette.responses import Response

        source = await self._sources.provider("smtp2go", request.path_params["provider"])
        secret = await self._sources.hook_secret(source.name, "smtp2go")
        if not any([_same(secret, given) for given in _given(request)]):  # noqa: C419 (all of them, always)
            raise Refused(403, "the secret is not that of this hook")
        said = _events(await bodies.read(request, _LIMIT), request.headers.get("content-type", ""))
        now = self._site.now()
        reports = [callbacks.report(event, track=source.settings.track, now=now) for event in said]
        wanted = [report for report in reports if report is not None]
        if wanted:
            await self._reports.take(wanted)
        again = [found for event in said if (found := callbacks.resubscribed(event, now)) is not None]
        if again:
            await self._site.write(lambda store, now: provider_list.take_back(store, callbacks.SOURCE, again))
        return Response(status_code=200)


def _given(request: "Request") -> list[str]:
    """The secrets a request offers: in its address, as a bearer's token, as a password."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    offered = [request.path_params.get("secret", "")]
    if scheme.lower() == "bearer":
        offered.append(value.strip())
    elif scheme.lower() == "basic":
        with suppress(ValueError):  # no credentials in there
            offered.append(b64decode(value, validate=True).decode().partition(":")[2])
    return offered


def _same(secret: str, given: str) -> bool:
    return bool(given) and secrets.compare_digest(secret.encode(), given.encode("utf-8", "replace"))


def _events(body: bytes, kind: str) -> list[Mapping[str, Any]]:
    """The events of a body, whichever of its two formats the webhook was given. Raises Refused."""
    try:
        if "json" in kind.lower():
            document = json.loads(body)
            events = document if isinstance(document, list) else [document]
        else:
            events = [dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_PARAMS))]
    except (ValueError, RecursionError):
        raise Refused(400, "this could not be read") from None
    if len(events) > _MOST_EVENTS or not all(isinstance(event, Mapping) for event in events):
        raise Refused(400, f"an event is an object, and a list has at most {_MOST_EVENTS} of them")
    return events
