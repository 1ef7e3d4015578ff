"""Twilio's posts: checked by its signature of the public address, taken in, answered with nothing to say."""

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from macli.clock import to_ms
from macli.providers import twilio_callbacks as callbacks
from macli.providers.keywords import confirmation
from macli.responses import texts
from macli.web import bodies
from macli.web.bodies import Refused
from macli.web.hooks_reports import Reports
from macli.web.hooks_sources import Source, Sources
from macli.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_LIMIT = 64 * 1024
_MOST_PARAMS = 200


class Hooks:
    """Answers for /hooks/twilio/PROVIDER and /hooks/twilio/PROVIDER/inbound."""

    def __init__(self, site: Site, sources: Sources, reports: Reports) -> None:
        self._site = site
        self._sources = sources
        self._reports = reports

    async def status(self, request: "Request") -> "Response":
        """What became of a message. A repetition, and one that comes too late, says nothing new."""
        from starlette.responses import Response

        source, params = await self._checked(request)
        key = request.query_params.get("key")
        report = callbacks.report(source.settings, params, key=key, at=to_ms(self._site.now()))
        if report is not None:
            await self._reports.take([report])
        return Response(status_code=204)

    async def inbound(self, request: "Request") -> "Response":
        """What a recipient wrote. Twilio answers its own keywords, so only a no in other words is confirmed."""
        _, params = await self._checked(request)
        message = callbacks.inbound(params)
        if message is None:
            return _twiml(None)
        taken = await self._site.write(lambda store, now: texts.take_in(store, now, message))
        if taken.confirmation and message.language is not None:
            return _twiml(confirmation(message.language, self._site.setting("sender.name")))
        return _twiml(None)

    async def _checked(self, request: "Request") -> tuple[Source, dict[str, str]]:
        """The provider and the parameters of a post that is Twilio's. Raises Refused."""
        body = await bodies.read(request, _LIMIT)
        try:
            every = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MOST_PARAMS)
        except ValueError:
            raise Refused(400, "this could not be read") from None
        source = await self._sources.provider("twilio", request.path_params["provider"])
        params = {name: values[-1] for name, values in every.items()}
        secret = callbacks.token_of(source.settings, params.get("AccountSid", ""))
        token = None if secret is None else await self._sources.reveal(secret)
        signature = request.headers.get("x-twilio-signature", "")
        url = self._public_url(request)
        if not token or not url or not callbacks.is_signed(token, url, every, signature):
            raise Refused(403, "this is not signed by an account known here for this address")
        return source, params

    def _public_url(self, request: "Request") -> str:
        """The address as Twilio knows and signed it, whatever stands between it and this process."""
        public = self._site.setting("public_url")
        raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
        query: bytes = request.scope["query_string"]
        path = raw.partition(b"?")[0].decode("latin-1")
        return f"{public}{path}{'?' + query.decode('latin-1') if query else ''}" if public else ""


def _twiml(text: str | None) -> "Response":
    """Nothing to say, or one message, as Twilio reads it."""
    from xml.sax.saxutils import escape

    from starlette.responses import Response

    said = f"<Message>{escape(text)}</Message>" if text else ""
    return Response(
        f'<?xml version="1.0" encoding="UTF-8"?><Response>{said}</Response>', media_type="text/xml; charset=utf-8"
    )
