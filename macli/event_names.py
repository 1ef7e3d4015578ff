"""The names of events: those macli itself records, and what may be the name of a company's own."""

import re
from collections.abc import Mapping

from macli.errors import UsageError, did_you_mean

NAMES: Mapping[str, str] = {
    "contact.added": "a contact was created: by command, form or API, or by an import with --fire-events",
    "contact.readded": "a removed contact came back",
    "contact.removed": "a contact was removed; nothing is sent to it from here on",
    "contact.purged": "contacts were deleted for good; the event does not say who they were",
    "contact.erased": "a person was erased; the event does not say who it was",
    "attribute.set": "an existing contact got an attribute it did not have (name, value)",
    "attribute.changed": "an attribute's value really changed (name, old, value)",
    "tag.added": "a tag was newly assigned (tag)",
    "tag.removed": "a tag was taken off (tag)",
    "consent.granted": "the contact said yes (channel, topic)",
    "consent.withdrawn": "the contact said no (channel, topic)",
    "segment.entered": "the contact came into a tracked segment (segment)",
    "segment.left": "the contact left a tracked segment (segment)",
    "email.delivered": "the recipient's server took the mail",
    "email.opened": "the mail was opened by a person",
    "email.opened.machine": "a program fetched the mail's pixel: a proxy, a scanner, a prefetcher",
    "email.opened.suspected": "the pixel was fetched in a way a person hardly does",
    "email.clicked": "a link in the mail was followed by a person (url, link)",
    "email.clicked.machine": "a program followed a link of the mail (url, link)",
    "email.clicked.suspected": "a link was followed in a way a person hardly does (url, link)",
    "email.soft_bounced": "the mail did not arrive this time: a full mailbox, a server that is away (code)",
    "email.replied": "the recipient answered the mail (subject)",
    "email.bounced": "the address does not work, for good",
    "email.complained": "the recipient called it spam",
    "email.unsubscribed": "the recipient unsubscribed by a mail's link or header",
    "sms.clicked": "a link in the text message was followed by a person (url, link)",
    "sms.clicked.machine": "a program followed a link of the message (url, link)",
    "sms.clicked.suspected": "a link was followed in a way a person hardly does (url, link)",
    "sms.received": "the contact sent a text message (text)",
    "sms.opted_in": "the contact answered START after a STOP",
    "hits.reclassified": "opens and clicks were judged anew by other rules (rules_version, changed)",
    "sms.delivered": "the handset got the text message",
    "sms.failed": "the text message did not arrive",
    "sms.opted_out": "the recipient answered STOP, or the provider says so",
    "consent.requested": "the contact was asked to confirm its yes (channel, topic)",
    "preferences.changed": "the contact changed how often it wants to hear from us",
    "form.submitted": "a form was sent (form)",
    "page.visited": "the contact looked at a page (url, page, title)",
    "page.left": "the contact left a page it had looked at (url, page, title, seconds)",
    "banner.clicked": "a banner was followed (banner, url)",
    "asset.downloaded": "a file was downloaded (asset)",
    "cart.abandoned": "a basket was filled and not bought in time",
    "push.clicked": "a push message was clicked (url)",
    "push.clicked.machine": "a program followed a link of the message (url, link)",
    "push.clicked.suspected": "a link was followed in a way a person hardly does (url, link)",
    "push.expired": "a device no longer takes push messages",
    "address.invalid": "the phone number cannot take text messages",
    "points.given": "points were given or taken by hand or by a campaign (points, scope, why)",
    "score.reached": "a score became exactly a watched value (scope, value, old, score)",
    "score.crossed": "a score rose to a watched value or past it (scope, value, old, score)",
    "score.exceeded": "a score changed and is above a watched value (scope, value, old, score, first)",
    "tag.scored": "the points for a tag changed and are a watched value or more (tag, value, old, score)",
    "stage.entered": "the contact came into a stage of the lifecycle (stage, from, passed, score)",
    "funnel.entered": "the contact came to another stage of a funnel (funnel, stage, from)",
    "funnel.left": "the contact was taken out of a funnel (funnel, from)",
    "rfm.changed": "the contact moved to another band of an RFM report (report, dimension, from, to)",
    "owner.changed": "the contact has a new owner or co-owner (kind, staff, old)",
    "contact.converted": "a lead became a customer",
    "note.added": "a note was written about the contact (note, text unless private, private, author)",
    "task.added": "somebody got something to do about the contact (task, title, assignee, due)",
    "task.closed": "a task was done or called off (task, title, assignee, state)",
    "deal.added": "a deal with the contact began (deal, title, funnel, stage, value, currency)",
    "deal.moved": "a deal came to another stage (deal, title, funnel, stage, from, value, currency)",
    "deal.won": "a deal was won (deal, title, value, currency)",
    "deal.lost": "a deal was lost (deal, title, value, currency)",
    "call.logged": "somebody telephoned with the contact, or tried to (call, direction, outcome, seconds, staff)",
    "mail.received": "the contact wrote a mail that a mailbox took in (mail, subject, to)",
}
"""Events macli itself records; any other dotted lower-case name is a company's own event."""

_OWN_FAMILIES = frozenset(
    (
        *("contact", "attribute", "tag", "segment", "hits", "preferences"),
        *("points", "score", "stage", "funnel", "rfm", "owner", "note", "task"),
    )
)

OWN_DOING = frozenset(
    name
    for name in NAMES
    if name.split(".")[0] in _OWN_FAMILIES or name in ("consent.granted", "consent.requested", "mail.received")
)
"""Events that say what macli itself did; told by another system they would say what was never done."""

_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
# Baskets, deals and the like are filled by other systems' events too, whatever those call them.
_FAMILIES = frozenset(name.split(".")[0] for name in NAMES) - {"cart", "deal", "call", "task", "note", "mail"}


def check_name(name: str) -> str:
    """The event name, when it is one. Raises UsageError."""
    if not _NAME.fullmatch(name):
        near = did_you_mean(name.lower(), NAMES)
        raise UsageError(f"{name!r} is no event name{near}", hint="lower-case words with dots, for example order.paid")
    return name


def is_misspelt(name: str) -> bool:
    """Whether ``name`` stands in one of macli's own families (``contact.…``) and macli never records it."""
    return name not in NAMES and name.split(".")[0] in _FAMILIES
