"""Who comes to a page: a contact, by the token of a message to it, or a visitor the tracker knows."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from macli.clock import to_ms
from macli.content import values_of
from macli.errors import MacliError
from macli.forms.definition import Form
from macli.hits.rules import read
from macli.signing import Keyring
from macli.store import Row, Store, contacts, ledger, visitors, web_rates
from macli.store.attributes import text_of
from macli.urls import FOLLOW
from macli.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request

_MOST, _HOUR = 300, 3_600_000
"""Clicks on one banner, or downloads of one file, that count from one address in an hour."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """Whose request it is, as far as anybody can say."""

    contact_id: int | None = None
    send_id: int | None = None
    campaign_id: int | None = None
    visitor_id: int | None = None


def who(store: Store, keys: Keyring, mail: str, visitor: str) -> Known:
    """Who holds a message's token or is the visitor of a tracker's token; nobody where neither holds."""
    send = mailed(store, keys, mail)
    known = visitors.by_token(store, visitor) if visitor else None
    visitor_id = None if known is None else int(known["id"])
    if send is not None and send["contact_id"] is not None:
        return Known(
            contact_id=send["contact_id"],
            send_id=send["id"],
            campaign_id=send["campaign_id"],
            visitor_id=visitor_id,
        )
    return Known(contact_id=None if known is None else known["contact_id"], visitor_id=visitor_id)


def mailed(store: Store, keys: Keyring, token: str) -> Row | None:
    """The send whose token came along, of either kind that links carry."""
    if not token:
        return None
    send_id = keys.follow(token)
    if send_id is None:
        send_id = keys.act(token)
    return None if send_id is None else store.row(_SEND, {"id": send_id})


_SEND = f"""
SELECT id, {ledger.RECIPIENT} AS contact_id, campaign_id
FROM sends
WHERE id = :id
"""


def values(store: Store, contact_id: int | None) -> dict[str, Any]:
    """What a page may say of a contact; nothing where it is nobody, or was removed."""
    if contact_id is None:
        return {}
    row = contacts.by_id(store, contact_id)
    return {} if row["removed_at"] is not None else values_of(row)


def prefilled(store: Store, keys: Keyring, token: str, form: Form) -> tuple[dict[str, str], str]:
    """What the form's fields hold already, and the contact's locale, for who proves the mailbox by an act token."""
    send_id = keys.act(token) if token else None
    send = None if send_id is None else store.row(_SEND, {"id": send_id})
    if send is None or send["contact_id"] is None:
        return {}, ""
    row = contacts.by_id(store, send["contact_id"])
    if row["removed_at"] is not None:
        return {}, ""
    attributes = json.loads(row["attributes"])
    typed = {}
    for one in form.asked():
        value = row[one.name] if one.name in row.keys() else attributes.get(one.name)  # noqa: SIM118
        if value not in (None, "", False):
            typed[one.name] = "yes" if value is True else text_of(value)
    return typed, row["locale"] or ""


def is_program(workspace: Path, *, method: str, agent: str, address: str) -> bool:
    """Whether a request is a program's by the rules for hits, as far as it shows by itself."""
    try:
        rules = read(workspace).rules
    except MacliError:
        return False  # `macli doctor` says what is wrong with the rules; a reader is not to suffer from it
    return method == "HEAD" or any(
        rule.of_class == "machine"
        and "click" in rule.kinds
        and rule.within is rule.links is rule.all_links is None
        and (not rule.methods or method in rule.methods)
        and (not rule.agents or rule.names_agent(agent))
        and (not rule.networks or rule.holds_address(address))
        and (rule.methods or rule.agents or rule.networks)
        for rule in rules
    )


def asked(request: "Request") -> tuple[str, str]:
    """The tokens a link may carry: a message's, and a tracker's visitor."""
    query = request.query_params
    return (query.get("_m") or query.get(FOLLOW) or "")[:200], query.get("_visitor", "")[:64]


def counts(store: Store, now: datetime, what: str, address: str) -> bool:
    """Whether what an address does is kept: so often in an hour, and no more. Inside a write."""
    return web_rates.count(store, to_ms(now), what, address, _HOUR) <= _MOST


async def came(site: Site, request: "Request") -> Known:
    """Who follows a link to something that is counted; a program is nobody."""
    mail, visitor = asked(request)
    facts = {
        "method": "PREFETCH" if "prefetch" in request.headers.get("sec-purpose", "") else request.method,
        "agent": request.headers.get("user-agent", "")[:400],
        "address": site.caller(request),
    }

    def look(store: Store) -> Known:
        return Known() if is_program(site.workspace, **facts) else who(store, site.keys, mail, visitor)

    return await site.read(look)
