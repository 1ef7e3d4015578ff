"""Point rules as people write them and read them: texts to a rule, a rule to texts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from macli import selection
from macli.clock import format_duration
from macli.config import decays, readers
from macli.errors import UsageError, did_you_mean
from macli.event_names import NAMES, check_name, is_misspelt
from macli.store import Store, scopes
from macli.store.point_rules import PointRule, clean_name
from macli.store.scopes import Scope

MOST_POINTS = 1_000_000
COLUMNS = ("name", "event", "points", "with", "for", "scopes", "at_most", "decay", "preset", "active")

_MS = timedelta(milliseconds=1)
_ONCE = ("once", "once ever", "1", "1 ever")
_NONE = ("none", "off", "no", "")
_KEYS = (*COLUMNS[:8], "active")


EVERYWHERE = (Scope(kind="global", name="global"),)
"""The scopes of a rule that names none."""


def new(name: str, event: str, points: int) -> PointRule:
    """A rule for all events of a name. Raises UsageError."""
    return PointRule(name=clean_name(name), event=check_name(event.strip()), points=_points(points), scopes=EVERYWHERE)


def changed(
    store: Store,
    now: datetime,
    zone: ZoneInfo,
    rule: PointRule,
    *,
    name: str | None = None,
    event: str | None = None,
    points: int | None = None,
    condition: str | None = None,
    who: str | None = None,
    at_most: str | None = None,
    feeds: Sequence[str] | None = None,
    decay: str | None = None,
    active: bool | None = None,
) -> PointRule:
    """The rule with what texts say of it; ``none`` takes a test, a cap or the decay away. Raises UsageError."""
    given: dict[str, Any] = {}
    if name is not None:
        given["name"] = _free(store, rule, clean_name(name))
    if event is not None:
        given["event"] = check_name(event.strip())
    if points is not None:
        given["points"] = _points(points)
    if condition is not None:
        given["condition"] = _condition(store, now, zone, condition)
    if who is not None:
        given["who"] = _who(store, now, zone, who)
    if at_most is not None:
        given["most"], given["most_span"] = read_cap(at_most)
    if feeds:
        given["scopes"] = tuple(dict.fromkeys(scopes.read(store, text) for text in feeds))
    if decay is not None:
        lasts = decays.read(decay)
        given["decay_share"], given["decay_span"] = (lasts.share, lasts.span) if lasts else (None, None)
    if active is not None:
        given["active"] = active
    return replace(rule, **given)


def _free(store: Store, rule: PointRule, name: str) -> str:
    taken = store.value(
        "SELECT name FROM point_rules WHERE name_key = :key AND id <> :id", {"key": name.casefold(), "id": rule.id}
    )
    if taken is not None:
        raise UsageError(f"there is another point rule {taken!r}", hint=f"macli points rule show {taken!r}")
    return name


def from_record(store: Store, now: datetime, zone: ZoneInfo, written: Mapping[str, Any]) -> PointRule:
    """A rule by the members that ``record`` writes; name, event and points have to be there. Raises UsageError."""
    for key in written:
        if key not in (*_KEYS, "preset"):
            raise UsageError(f"no key named {key!r} in a point rule{did_you_mean(key, _KEYS)}")
    points, feeds = written.get("points"), written.get("scopes") or ()
    texts = {key: written.get(key) for key in ("name", "event", "with", "for", "at_most", "decay")}
    odd = [key for key, text in texts.items() if not isinstance(text, str | None)]
    if odd or not isinstance(feeds, list | tuple) or not all(isinstance(one, str) for one in feeds):
        raise UsageError(f"{odd[0] if odd else 'scopes'} of a point rule is no text, or no list of texts")
    if not isinstance(points, int) or not texts["name"] or not texts["event"]:
        raise UsageError("a point rule needs a name, an event and points", hint='{"name": "click", "event": …}')
    return changed(
        store,
        now,
        zone,
        new(texts["name"], texts["event"], points),
        condition=texts["with"],
        who=texts["for"],
        at_most=texts["at_most"],
        feeds=feeds,
        decay=texts["decay"],
        active=written.get("active") is not False,
    )


def _points(points: int) -> int:
    if not 0 < abs(points) <= MOST_POINTS:
        raise UsageError(
            f"a rule gives or takes 1 to {MOST_POINTS:,} points, not {points:,}", hint="for example --points 10"
        )
    return points


def _condition(store: Store, now: datetime, zone: ZoneInfo, text: str) -> str | None:
    if text.strip().casefold() in _NONE:
        return None
    if selection.event_where_of(store, text, now, zone).timely:
        raise UsageError(
            f"{text!r} asks how long ago something is, which is another answer every day",
            hint="compare with a date, for example: due after 2026-12-01",
        )
    return text.strip()


def _who(store: Store, now: datetime, zone: ZoneInfo, text: str) -> str | None:
    if text.strip().casefold() in _NONE:
        return None
    selection.check(store, text, now, zone)
    return text.strip()


def read_cap(text: str) -> tuple[int | None, int | None]:
    """``3 per day``, ``3 ever``, ``once`` or ``none``, as a count and a span in ms. Raises UsageError."""
    words = " ".join(text.split()).casefold()
    if words in _NONE:
        return None, None
    if words in _ONCE:
        return 1, None
    ever = re.fullmatch(r"([0-9]{1,6})(?: times)?(?: ever)?", words, re.ASCII)
    cap = None if ever else _cap(text)
    count, span = (int(ever.group(1)), None) if ever else (cap.count, cap.span // _MS) if cap else (None, None)
    if count == 0:
        raise UsageError(f"{text!r}: a rule that never counts", hint="macli points rule off NAME switches one off")
    return count, span


def _cap(text: str) -> readers.Cap | None:
    try:
        return readers.cap(text)
    except UsageError as error:
        raise UsageError(
            f"{text!r} is no cap: {error.message}", hint="write for example '3 per day', '10 ever', 'once' or 'none'"
        ) from None


def told_cap(rule: PointRule) -> str | None:
    """The rule's cap as read_cap reads it."""
    if rule.most is None:
        return None
    if rule.most_span is None:
        return "once" if rule.most == 1 else f"{rule.most} ever"
    return f"{rule.most} per {_span(rule.most_span)}"


def told_decay(rule: PointRule) -> str | None:
    """The rule's decay as people write it."""
    if rule.decay_share is None or rule.decay_span is None:
        return None
    return f"{rule.decay_share} % every {_span(rule.decay_span)}"


def _span(ms: int) -> str:
    """``day``, ``30 days``, ``2 hours 30 minutes``: behind ``per`` and ``every``."""
    days, rest = divmod(ms, 24 * 3600 * 1000)
    text = f"{days} days" if days and not rest else format_duration(ms * _MS)
    return text.removesuffix("s").removeprefix("1 ") if re.fullmatch("1 [a-z]+", text) else text


def record(rule: PointRule) -> dict[str, Any]:
    """The rule in the words of the command line; see ``COLUMNS``."""
    return {
        "name": rule.name,
        "event": rule.event,
        "points": rule.points,
        "with": rule.condition,
        "for": rule.who,
        "scopes": [str(scope) for scope in rule.scopes],
        "at_most": told_cap(rule),
        "decay": told_decay(rule),
        "preset": rule.preset,
        "active": rule.active,
    }


def told(rule: PointRule) -> str:
    """What the rule does, in a line: ``+20 for page.visited with url contains "/pricing", at most 3 per day``."""
    words = record(rule)
    parts = [f"{rule.points:+d} for {rule.event}"]
    parts += [f"{word} {words[key]}" for key, word in (("with", "with"), ("for", "of")) if words[key]]
    tail = [told_cap(rule) and f"at most {told_cap(rule)}", told_decay(rule) and f"less {told_decay(rule)}"]
    if rule.scopes != EVERYWHERE:
        tail.append(f"counted to {', '.join(words['scopes'])}")
    return ", ".join([" ".join(parts), *(part for part in tail if part)]).replace("at most once", "once")


def doubt(store: Store, event: str) -> str | None:
    """What is odd about the name of an event nobody recorded yet; None where it is macli's own or known here."""
    if event in NAMES or store.value("SELECT 1 FROM events WHERE name = :name LIMIT 1", {"name": event}) is not None:
        return None
    near = did_you_mean(event, NAMES)
    if near or is_misspelt(event):
        return f"macli records no event {event!r}{near}"
    return f"no event {event!r} was recorded yet; the rule waits for the first one"
