"""A visitor turns out to be a contact: what it did becomes the contact's, once and one way."""

from datetime import datetime

from macli import events
from macli.clock import to_ms
from macli.contacts import ONE
from macli.effects import visiting
from macli.lifecycle import rfm
from macli.scoring import rescoring
from macli.store import Store, url_rules, visitors
from macli.visitors.url_rules import hand_out


def join(store: Store, now: datetime, visitor_token: str, contact_id: int, *, proven: bool = False) -> bool:
    """Make the visitor the contact's, with its whole history; whether it is the contact's now.

    A visitor that is another contact already is never moved: on a computer that people share the
    browser needs a new token then. False too for what is no token.

    ``proven``: it was more than a stranger's word. Only then are the visitor's devices the contact's, since
    what is sent to them is for nobody else to read.
    """
    if not visitors.is_token(visitor_token):
        return False
    with store.write():
        visitor = visitors.seen(store, to_ms(now), visitor_token)
        if visitor["contact_id"] not in (None, contact_id):
            return False
        if visitor["contact_id"] is None:
            rescoring.remember(store, _NOBODYS, {"visitor": visitor["id"]})
        new = visitors.give(store, to_ms(now), visitor["id"], contact_id)
        if proven:
            visitors.prove(store, visitor["id"], contact_id)
        rules = url_rules.active(store) if new else []
        if rules:
            visiting.gather(store, rules, _HISTORY, {"visitor": visitor["id"]})
            hand_out(store, now, rules)
        if new:
            rfm.look_again(store, now, ONE, {"one_contact": contact_id})
            events.record_caused(store, now, rescoring.catch_up(store, to_ms(now)))
    return True


_NOBODYS = "events.visitor_id = :visitor AND events.contact_id IS NULL"

_HISTORY = "events.visitor_id = :visitor AND events.name || '' = 'page.visited'"
