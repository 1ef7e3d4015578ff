"""The settings, key by key: what each means and what holds where nobody set it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from macli.config import bands, decays, readers


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One key: what it means, how its text is read, and what holds where nobody set it.

    ``read`` turns text into the typed value; ``clean`` stands in for it when a person sets the
    value, where checking costs more than reading does. ``default`` is text too; None means unset.
    """

    key: str
    kind: str
    read: Callable[[str], Any]
    default: str | None
    doc: str
    clean: Callable[[str], Any] | None = None


SETTINGS = (
    Setting(
        key="timezone",
        kind="time zone",
        read=readers.zone,
        default=None,
        doc=(
            "The zone in which times are read and shown to people; the machine's where unset. "
            "Also the zone of contacts that have none."
        ),
    ),
    Setting(
        key="locale",
        kind="locale",
        read=readers.locale,
        default=None,
        doc="The locale of contacts that have none.",
    ),
    Setting(
        key="country",
        kind="country",
        read=readers.country,
        default=None,
        doc="The country of phone numbers written without one, as two letters.",
    ),
    Setting(
        key="sender.email",
        kind="e-mail",
        read=str,
        clean=readers.email,
        default=None,
        doc="The From address of campaigns that name none.",
    ),
    Setting(
        key="sender.name",
        kind="text",
        read=readers.text,
        default=None,
        doc="The name shown beside the From address.",
    ),
    Setting(
        key="sender.reply_to",
        kind="e-mail",
        read=str,
        clean=readers.email,
        default=None,
        doc="Where answers go; the From address where unset.",
    ),
    Setting(
        key="postal_address",
        kind="text",
        read=readers.text,
        default=None,
        doc="The sender's postal address, which marketing mail has to show in many countries.",
    ),
    Setting(
        key="unsubscribe.mailto",
        kind="e-mail",
        read=str,
        clean=readers.email,
        default=None,
        doc=("The mailbox of List-Unsubscribe while no public_url is set; the From address where unset."),
    ),
    Setting(
        key="public_url",
        kind="URL",
        read=readers.url,
        default=None,
        doc="Where this workspace can be reached from outside, for links in messages; no trailing slash.",
    ),
    Setting(
        key="tags.normalise",
        kind="bool",
        read=readers.flag,
        default="true",
        doc="Write tags in upper case, without diacritics and with _ for ! # $ & * \" '.",
    ),
    Setting(
        key="caps.email",
        kind="cap",
        read=readers.cap,
        default=None,
        doc="At most so many campaign e-mails to one contact within a time.",
    ),
    Setting(
        key="caps.sms",
        kind="cap",
        read=readers.cap,
        default=None,
        doc="At most so many campaign text messages to one contact within a time.",
    ),
    Setting(
        key="caps.push",
        kind="cap",
        read=readers.cap,
        default=None,
        doc="At most so many campaign push messages to one contact within a time.",
    ),
    Setting(
        key="quiet_hours.email",
        kind="hours",
        read=readers.hours,
        default=None,
        doc=("The contact's local hours in which no campaign e-mail leaves; it waits for their end."),
    ),
    Setting(
        key="quiet_hours.sms",
        kind="hours",
        read=readers.hours,
        default="21:00-08:00",
        doc=("The contact's local hours in which no campaign text message leaves; it waits for their end."),
    ),
    Setting(
        key="quiet_hours.push",
        kind="hours",
        read=readers.hours,
        default="21:00-08:00",
        doc="The contact's local hours in which no campaign push message leaves; it waits for their end.",
    ),
    Setting(
        key="consent.email.require_opt_in",
        kind="bool",
        read=readers.flag,
        default="false",
        doc="Write only to contacts who said yes to e-mail, not to all who never said no.",
    ),
    Setting(
        key="consent.sms.require_opt_in",
        kind="bool",
        read=readers.flag,
        default="true",
        doc="Write only to contacts who said yes to text messages.",
    ),
    Setting(
        key="consent.push.require_opt_in",
        kind="bool",
        read=readers.flag,
        default="false",
        doc="Write only to contacts who said yes to push messages beside letting their browser take them.",
    ),
    Setting(
        key="max_lateness",
        kind="duration",
        read=readers.duration,
        default=None,
        doc=(
            "Where nothing ran for this long and a campaign's messages are overdue by as much, the campaign"
            " pauses and asks. Unset: 2 hours for a campaign sent once, 24 hours for any other."
        ),
    ),
    Setting(
        key="retry.attempts",
        kind="number",
        read=readers.count,
        default="8",
        doc="How often a send is tried before it has failed.",
    ),
    Setting(
        key="retry.first",
        kind="duration",
        read=readers.duration,
        default="1 minute",
        doc="The pause after the first transient failure; it doubles with each further one.",
    ),
    Setting(
        key="retry.longest",
        kind="duration",
        read=readers.duration,
        default="6 hours",
        doc="The longest pause between two tries.",
    ),
    Setting(
        key="check_every",
        kind="duration",
        read=readers.duration,
        default="15 minutes",
        doc="How often a campaign's automatic entry and a tracked segment are looked at again.",
    ),
    Setting(
        key="tracking.domain",
        kind="URL",
        read=readers.url,
        default=None,
        doc="Where links and pixels in messages point, where that is another host than public_url's.",
    ),
    Setting(
        key="tracking.opens",
        kind="bool",
        read=readers.flag,
        default="true",
        doc="Put a pixel into marketing mail, which tells that it was opened. Needs public_url.",
    ),
    Setting(
        key="tracking.clicks",
        kind="bool",
        read=readers.flag,
        default="true",
        doc="Lead the links of marketing mail through macli serve, which tells what was clicked. Needs public_url.",
    ),
    Setting(
        key="tracking.utm",
        kind="bool",
        read=readers.flag,
        default="true",
        doc="Add utm_source, utm_medium and utm_campaign to tracked links that have none.",
    ),
    Setting(
        key="web.proxies",
        kind="networks",
        read=readers.networks,
        default="127.0.0.1, ::1",
        doc="The proxies in front of macli serve, whose word for a visitor's address is taken; or 'none'.",
    ),
    Setting(
        key="unsubscribe.require_https",
        kind="bool",
        read=readers.flag,
        default="true",
        doc=(
            "Let marketing mail leave by a real provider only where recipients can unsubscribe with one click,"
            " which needs public_url; false: by mail (mailto:) is enough."
        ),
    ),
    Setting(
        key="unsubscribe.page",
        kind="text",
        read=readers.text,
        default=None,
        doc="The page (macli page) that frames the unsubscribe and preference pages; macli's own where unset.",
    ),
    Setting(
        key="bounces.address",
        kind="e-mail",
        read=readers.return_path,
        default=None,
        doc=(
            "The return path of mail, to which bounces come: bounces@example.com, or bounces+*@example.com where"
            " the * becomes each message's own mark (+ and the mark are added where there is none)."
        ),
    ),
    Setting(
        key="bounces.soft_limit",
        kind="cap",
        read=readers.cap,
        default="5 per 30 days",
        doc="So many soft bounces of an address within a time, and no delivery between, suppress it.",
    ),
    Setting(
        key="complaints.warn",
        kind="share",
        read=readers.share,
        default="0.1 %",
        doc="The share of a campaign's mails called spam at which macli warns.",
    ),
    Setting(
        key="complaints.stop",
        kind="share",
        read=readers.share,
        default="0.3 %",
        doc="The share of a campaign's mails called spam at which the campaign pauses.",
    ),
    Setting(
        key="consent.lasts",
        kind="duration",
        read=readers.duration,
        default=None,
        doc="How long a yes holds from when it was said, for those recorded from then on; for good where unset.",
    ),
    Setting(
        key="tracker.domains",
        kind="hosts",
        read=readers.hosts,
        default=None,
        doc="The hosts whose pages carry the tracker: shop.example, *.shop.example. Others are not listened to.",
    ),
    Setting(
        key="baskets.event",
        kind="text",
        read=readers.text,
        default="cart.updated",
        doc="The event that says what is in a basket.",
    ),
    Setting(
        key="purchases.event",
        kind="event",
        read=str,
        clean=readers.event,
        default="order.paid",
        doc="The event that says something was bought: for dropped baskets, RFM and predictions.",
    ),
    Setting(
        key="purchases.value",
        kind="text",
        read=readers.member,
        default="total",
        doc="The property of a purchase, and of what takes one back, that says its value.",
    ),
    Setting(
        key="purchases.refunds",
        kind="events",
        read=readers.events,
        default="order.refunded, order.cancelled",
        doc="The events that take a purchase back, commas between them, or 'none'.",
    ),
    Setting(
        key="baskets.after",
        kind="duration",
        read=readers.duration,
        default="1 hour",
        doc="A basket so long without a purchase counts as dropped (the event cart.abandoned).",
    ),
    Setting(
        key="retention.hits",
        kind="duration",
        read=readers.duration,
        default="400 days",
        doc="How long the raw reports of opens and clicks, with addresses and programs, are kept.",
    ),
    Setting(
        key="retention.visits",
        kind="duration",
        read=readers.duration,
        default="400 days",
        doc="How long visits to pages, and visitors nobody knows, are kept.",
    ),
    Setting(
        key="retention.events",
        kind="duration",
        read=readers.duration,
        default=None,
        doc="How long other events are kept; for good where unset.",
    ),
    Setting(
        key="retention.removed",
        kind="duration",
        read=readers.duration,
        default=None,
        doc="How long removed contacts are kept before they are deleted for good; for good where unset.",
    ),
    Setting(
        key="mails.keep",
        kind="bool",
        read=readers.flag,
        default="true",
        doc="Keep the letters people write to the mailboxes that are read; bounces and the like are never kept.",
    ),
    Setting(
        key="retention.mails",
        kind="duration",
        read=readers.duration,
        default="400 days",
        doc="How long letters people wrote are kept.",
    ),
    Setting(
        key="points.bands",
        kind="bands",
        read=bands.read,
        default="cold 0, warm 20, hot 50",
        doc=(
            "Readiness: names and the lowest score of each, the lowest first; the first is all below the second."
            " Of the global score."
        ),
    ),
    Setting(
        key="points.decay",
        kind="decay",
        read=decays.read,
        default="none",
        doc=(
            "How points lose their worth where their rule does not say, and those given by hand:"
            " '50 % every 30 days'. For points from now on; macli points recompute dates those there are anew."
        ),
    ),
    Setting(
        key="points.floor",
        kind="points",
        read=readers.points,
        default=None,
        doc=(
            "A score is shown, and asked for in rules, as at least this; what was given and taken is kept as it is."
            " Scores may be below zero where unset."
        ),
    ),
    Setting(
        key="predictions.max_age",
        kind="duration",
        read=readers.duration,
        default="30 days",
        doc="How long a prediction counts; an older one is no data, as if there were none.",
    ),
    Setting(
        key="predictions.refit",
        kind="duration",
        read=readers.duration,
        default=None,
        doc="macli tick fits the predictions anew when they are so old; where unset, only macli prediction fit does.",
    ),
    Setting(
        key="stages.inclusive",
        kind="bool",
        read=readers.flag,
        default="false",
        doc="A score equal to a stage's threshold leads to the stage; where false, only a higher one does.",
    ),
    Setting(
        key="stages.demote",
        kind="bool",
        read=readers.flag,
        default="false",
        doc="A score that falls to a threshold or below it leads back to the stage before; where false, never.",
    ),
)
