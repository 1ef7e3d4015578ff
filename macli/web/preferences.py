"""Preferences: ``/prefs/TOKEN`` shows what a contact gets and how often; a POST to it saves what they chose."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from macli import contacts
from macli.contacts.choosing import Choice, Offer, leave_all, offers, take
from macli.store import Store, preferences, settings
from macli.store.preferences import Preferences
from macli.web import look, unsubscribe
from macli.web.acting import Asked, door
from macli.web.site import Site

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

_OFTEN: Mapping[str, timedelta | None] = {
    "any": None,
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}
_PAUSES: Mapping[str, int] = {"30": 30, "90": 90}


def routes(site: Site) -> "list[Route]":
    from starlette.routing import Route

    async def show(asked: Asked) -> "Response":
        return await _page(site, asked, said="")

    async def save(asked: Asked) -> "Response":
        off = "all" in asked.all("off")
        if asked.acting.contact_id is None:
            # Nobody is left whose choices could be kept, but the address can still say no.
            gone = asked.proof(how="preferences", wording=asked.words["off"])
            return await (unsubscribe.left(site, asked, gone) if off else _page(site, asked, said=""))
        await site.write(lambda store, now: _leave(store, now, asked) if off else _save(store, now, asked))
        return await _page(site, asked, said="all_off" if off else "saved")

    return [
        Route("/prefs/{token}", door(site, show), methods=["GET"]),
        Route("/prefs/{token}", door(site, save), methods=["POST"]),
    ]


def _leave(store: Store, now: datetime, asked: Asked) -> None:
    assert asked.acting.contact_id is not None
    leave_all(store, now, asked.acting.contact_id, asked.proof(how="preferences", wording=asked.words["off"]))


def _save(store: Store, now: datetime, asked: Asked) -> None:
    contact_id = asked.acting.contact_id
    assert contact_id is not None

    def proof(offer: Offer) -> Mapping[str, Any]:
        return asked.proof(how="preferences", wording=_wording(offer, asked))

    choice = Choice(was_on=asked.all("was_on"), was_off=asked.all("was_off"), ticked=asked.all("get"))
    take(
        store,
        lambda key: settings.get(store, key),
        now,
        contact_id,
        choice,
        proof,
        proven=asked.acting.channel,
    )
    if asked.all("form"):
        contacts.prefer(store, now, contact_id, _wanted(asked, preferences.of(store, contact_id), now), "web")


def _wording(offer: Offer, asked: Asked) -> str:
    """What stands beside the box."""
    if offer.topic:
        return f"{offer.title}. {offer.description}" if offer.description else offer.title
    every = asked.words[f"all.{offer.channel}"]
    return f"{every}. {asked.words['none']}" if offer.on else every


def _wanted(asked: Asked, had: Preferences, now: datetime) -> Preferences:
    """What the fields say; what they do not say stays."""
    wanted = replace(had, untracked=bool(asked.all("untracked")))
    for often in asked.all("often") & _OFTEN.keys():
        span = _OFTEN[often]
        wanted = replace(wanted, most=None if span is None else 1, span=span)
    for pause in asked.all("pause"):
        if pause in _PAUSES:
            wanted = replace(wanted, paused_until=now + timedelta(days=_PAUSES[pause]))
        elif pause == "no":
            wanted = replace(wanted, paused_until=None)
    return wanted


async def _page(site: Site, asked: Asked, *, said: str) -> "Response":
    acting, now = asked.acting, site.now()
    if acting.contact_id is None:
        return await unsubscribe.page(site, asked, done=False)
    contact_id = acting.contact_id
    found, has = await site.read(
        lambda store: (offers(store, site.setting, contact_id, now), preferences.of(store, contact_id))
    )
    often = next((name for name, span in _OFTEN.items() if span == has.span), "")
    until = has.paused_until if has.paused_until is not None and has.paused_until > now else None
    return await look.framed(
        site,
        "preferences.html",
        locale=asked.locale,
        acting=acting,
        offers=found,
        often=often,
        choices=tuple(_OFTEN),
        until=None if until is None else until.astimezone(site.zone).date().isoformat(),
        untracked=has.untracked,
        said=said,
    )
