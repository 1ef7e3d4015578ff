"""Where providers report and other systems tell: each post is checked, taken in, then answered.

| address | who posts | how it is known |
|---|---|---|
| /hooks/twilio/PROVIDER | Twilio, what became of a text message | X-Twilio-Signature by the account's token |
| /hooks/twilio/PROVIDER/inbound | Twilio, what a recipient wrote | the same |
| /hooks/smtp2go/PROVIDER/SECRET | SMTP2GO | the secret, there or as Authorization |
| /hooks/events | any system of one's own | X-Macli-Signature |
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from macli.web import bodies, hooks_events, hooks_smtp2go, hooks_twilio
from macli.web.hooks_reports import Reports
from macli.web.hooks_sources import Sources
from macli.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    Answer = Callable[[Request], Awaitable[Response]]


def routes(site: Site) -> "list[Route]":
    from starlette.routing import Route

    sources, reports = Sources(site), Reports(site)
    twilio = hooks_twilio.Hooks(site, sources, reports)
    smtp2go = hooks_smtp2go.Hooks(site, sources, reports)
    events = hooks_events.Hooks(site, sources)
    answers: dict[str, Answer] = {
        "/hooks/twilio/{provider}": twilio.status,
        "/hooks/twilio/{provider}/inbound": twilio.inbound,
        "/hooks/smtp2go/{provider}": smtp2go.report,
        "/hooks/smtp2go/{provider}/{secret}": smtp2go.report,
        "/hooks/events": events.told,
    }
    return [Route(path, _answering(answer), methods=["POST"]) for path, answer in answers.items()]


def _answering(answer: "Answer") -> "Answer":
    """The answer, or the plain words of why there is none."""

    async def answered(request: "Request") -> "Response":
        from starlette.responses import PlainTextResponse

        try:
            return await answer(request)
        except bodies.Refused as refused:
            return PlainTextResponse(f"{refused}\n", refused.status)

    return answered
