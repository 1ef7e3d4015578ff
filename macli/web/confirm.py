"""Double opt-in: ``/confirm/TOKEN`` shows a button, which no scanner presses; a POST confirms what was asked."""

from datetime import datetime
from typing import TYPE_CHECKING

from macli import contacts
from macli.store import Row, Store, consents
from macli.web import look
from macli.web.acting import Asked, door
from macli.web.site import Site

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route


def routes(site: Site) -> "list[Route]":
    from starlette.routing import Route

    async def show(asked: Asked) -> "Response":
        return await _page(site, asked, await site.read(lambda store: _asked(store, asked)))

    async def confirm(asked: Asked) -> "Response":
        acting = asked.acting

        def write(store: Store, now: datetime) -> None:
            found = _asked(store, asked)
            if found and acting.contact_id is not None:
                about = ", ".join(row["title"] or asked.words[f"all.{acting.channel}"] for row in found)
                wording = f"{asked.words['confirm.yes']}: {about}"
                proof = asked.proof(wording=wording)
                contacts.confirm(store, now, acting.contact_id, acting.channel, "web", evidence=proof)

        await site.write(write)
        return await _page(site, asked, [])

    return [
        Route("/confirm/{token}", door(site, show), methods=["GET"]),
        Route("/confirm/{token}", door(site, confirm), methods=["POST"]),
    ]


def _asked(store: Store, asked: Asked) -> list[Row]:
    acting = asked.acting
    return [] if acting.contact_id is None else consents.asked(store, acting.contact_id, acting.channel)


async def _page(site: Site, asked: Asked, found: list[Row]) -> "Response":
    """What is to be confirmed; where nothing is, whether that is because it was."""
    acting, state = asked.acting, "asked"
    titles = [row["title"] or asked.words[f"all.{acting.channel}"] for row in found]
    if acting.is_test:
        titles = [asked.words[f"all.{acting.channel}"]]
    elif not titles:
        params = {"id": acting.contact_id, "channel": acting.channel}
        confirmed = await site.read(lambda store: store.value(_CONFIRMED, params))
        state = "done" if confirmed else "unknown"
    return await look.framed(
        site,
        "confirm.html",
        locale=asked.locale,
        status=404 if state == "unknown" else 200,
        acting=acting,
        titles=titles,
        state=state,
    )


_CONFIRMED = """
SELECT 1
FROM consents
WHERE contact_id = :id
  AND channel = :channel
  AND status = 'granted'
  AND confirmed_at IS NOT NULL
LIMIT 1
"""
