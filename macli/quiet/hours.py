"""When a recipient's quiet hours end, in its own zone, or in all the zones its number may be in.

A place is what tells recipients' hours apart, as text: the zone, and of the number as much as counts.
The engine groups by it, so the hours are worked out once for all who are at one place.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from macli.audience import Policy, refusal
from macli.clock import next_time_of_day, to_ms, zone
from macli.config import QuietHours
from macli.errors import UsageError
from macli.model import ChannelKind, Where
from macli.quiet.numbers import zones_of_number
from macli.quiet.states import State, States, states
from macli.store import Row, Store, claiming

_AHEAD = timedelta(days=9)


def place(channel: ChannelKind) -> str:
    """SQL over ``contacts``: where a message on the channel reaches the contact.

    A zone; for a text also the area code, by which states have rules, and without a zone the digits by which
    numbers are given to regions.
    """
    if channel != "sms":
        return "coalesce(contacts.timezone, '')"
    return """CASE
      WHEN contacts.phone LIKE '+1%' THEN coalesce(contacts.timezone, '') || ' ' || substr(contacts.phone, 1, 5)
      WHEN contacts.timezone IS NULL THEN ' ' || substr(contacts.phone, 1, 9)
      ELSE contacts.timezone
    END"""


def opening_times(
    quiet: QuietHours, places: Iterable[tuple[str, str | None]], moment: datetime, default: ZoneInfo, rules: States
) -> dict[str, int]:
    """For each place where it is quiet at ``moment``, when it opens, in UTC milliseconds.

    Beside each place stands a number of somebody there, where texts are meant. Where only the number says
    anything of the zone, a message waits until it may come in every zone the number may be in.
    """
    opening: dict[str, int] = {}
    known: dict[tuple[tuple[ZoneInfo, ...], State | None], datetime] = {}
    for name, phone in places:
        zones, state = zones_of(name.partition(" ")[0], phone, default), rules.of(phone)
        if (zones, state) not in known:
            known[zones, state] = _opens_everywhere(quiet, state, moment, zones, default)
        if known[zones, state] > moment:
            opening[name] = to_ms(known[zones, state])
    return opening


def zones_of(name: str, phone: str | None, default: ZoneInfo) -> tuple[ZoneInfo, ...]:
    """The zones a recipient may be in: its own, else those of its number, else the workspace's."""
    if name:
        try:
            return (zone(name),)
        except UsageError:
            return (default,)
    return (zones_of_number(phone) if phone else ()) or (default,)


def _opens_everywhere(
    quiet: QuietHours, state: State | None, moment: datetime, zones: tuple[ZoneInfo, ...], default: ZoneInfo
) -> datetime:
    """The first instant at or after ``moment`` that is allowed in all zones; in ``default`` where there is none."""
    at, before = moment, None
    while at != before:
        before = at
        for where in zones:
            at = _opens(quiet, at, where)
            at = state.opens(at, where) if state is not None else at
        if at > moment + _AHEAD:
            return _opens(quiet, moment, default)
    return at


def _opens(quiet: QuietHours, moment: datetime, where: ZoneInfo) -> datetime:
    """The first instant at or after ``moment`` outside the quiet hours in ``where``."""
    here = moment.astimezone(where)
    local = here.time()
    if quiet.start < quiet.end:
        inside = quiet.start <= local < quiet.end
    else:
        inside = local >= quiet.start or local < quiet.end
    if inside and here.fold and local < quiet.end:
        return moment  # in an hour the clocks repeat the quiet ended already, the first time
    return next_time_of_day(moment, quiet.end, where) if inside else moment


def hold(store: Store, policy: Policy, moment: datetime, default: ZoneInfo) -> int:
    """Hold those gathered for a claim whose hours are quiet, or who had as many texts as their state allows."""
    if policy.quiet is None:
        return 0
    rules = states(store.path.parent)
    places = [(name, _number(policy, address)) for name, address in claiming.places(store)]
    opening = opening_times(policy.quiet, places, moment, default, rules)
    held = sum(claiming.hold(store, name, opens) for name, opens in opening.items())
    if policy.channel == "sms":
        for state in rules.with_most():
            assert state.most is not None
            held += claiming.hold_frequent(
                store, state.codes, state.most.count, state.most.span // timedelta(milliseconds=1), to_ms(moment)
            )
    return held


def quiet_now(store: Store, where: Where, policy: Policy, now: datetime, default: ZoneInfo) -> int:
    """How many of those who would be written to have quiet hours now: their messages wait for the end of these."""
    if policy.quiet is None:
        return 0
    reason, params = refusal(policy, now)
    found = store.rows(
        f"""
        SELECT {place(policy.channel)} AS place, min(contacts.phone) AS phone,
               count(DISTINCT {policy.address}) AS addresses
        FROM contacts
        WHERE {where.sql}
          AND ({reason}) IS NULL
        GROUP BY place
        """,
        {**where.params, **params},
    )
    addresses = {row["place"]: row["addresses"] for row in found}
    places = ((row["place"], _number(policy, row["phone"])) for row in found)
    opening = opening_times(policy.quiet, places, now, default, states(store.path.parent))
    return sum(addresses[name] for name in opening)


def waits_until(store: Store, policy: Policy, contact: Row, now: datetime, default: ZoneInfo) -> int | None:
    """When a contact's quiet hours end, in UTC milliseconds; None where it has none now."""
    if policy.quiet is None:
        return None
    name = contact["timezone"] or ""
    here = [(name, _number(policy, contact["phone"]))]
    return opening_times(policy.quiet, here, now, default, states(store.path.parent)).get(name)


def _number(policy: Policy, phone: str | None) -> str | None:
    """The number, where it is what the message goes to: mail goes to a person without one as well."""
    return phone if policy.channel == "sms" else None
