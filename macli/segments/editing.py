"""Making, changing and removing segments: rules checked, uses respected."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from macli import rules, selection
from macli.clock import to_ms
from macli.errors import OperationFailed, UsageError
from macli.segments import listed
from macli.segments.refreshing import refresh
from macli.store import Row, Store, categories, owners, point_rules
from macli.store import segments as kept


@dataclass(frozen=True, kw_only=True)
class Made:
    """A new segment, and the addresses it was to begin with that nobody has."""

    id: int
    unknown: list[str]


def create(
    store: Store,
    now: datetime,
    zone: ZoneInfo,
    name: str,
    *,
    rule: str | None = None,
    static: bool = False,
    tracked: bool = False,
    category: str | None = None,
    people: Iterable[str] = (),
) -> Made:
    """Make a segment. A static one begins with those its rule selects now, and with ``people``.

    Raises RuleError for a rule that cannot be read, UsageError for a name that is taken.
    """
    if not static and rule is None:
        raise UsageError("a dynamic segment needs a rule", hint="--rule 'country = Canada', or --static for a list")
    if static and tracked:
        raise UsageError("a static segment changes only by hand, so there is nothing to track")
    if rule is not None:
        selection.check(store, rule, now, zone)
    with store.write():
        made = kept.create(
            store,
            to_ms(now),
            name,
            kind="static" if static else "dynamic",
            rule=rule,
            category_id=categories.id_of(store, category),
            tracked=tracked,
        )
        if rule is not None and (static or tracked):
            refresh(store, name, now, zone, silently=True)
        unknown = listed.add_people(store, now, name, people, silently=True)[1] if static else []
    return Made(id=made, unknown=unknown)


def put(store: Store, now: datetime, zone: ZoneInfo, name: str, rule: str) -> str | None:
    """Make the dynamic segment, or give it this rule: ``created``, ``changed``, None where it is so already."""
    found = store.row("SELECT kind, rule FROM segments WHERE name_key = :key", {"key": name.strip().casefold()})
    if found is None:
        create(store, now, zone, name, rule=rule)
        return "created"
    if found["kind"] == "static":
        raise OperationFailed(f"there is a static segment {name!r}, which has no rule")
    if found["rule"] == rule:
        return None
    edit(store, now, zone, name, rule=rule)
    return "changed"


def edit(
    store: Store,
    now: datetime,
    zone: ZoneInfo,
    name: str,
    *,
    rule: str | None = None,
    category: str | None = None,
    tracked: bool | None = None,
) -> None:
    """Change what is given; ``category=""`` takes it out of its category."""
    with store.write():
        segment = kept.get(store, name)
        if rule is not None:
            own = selection.find_segment(selection.vocabulary(store), segment["id"])
            selection.check(store, rule, now, zone, segment=own)
            kept.set_rule(store, to_ms(now), segment["id"], rule)
        if category is not None:
            where = categories.id_of(store, category) if category else None
            kept.set_category(store, to_ms(now), segment["id"], where)
        if tracked is not None and tracked != bool(segment["tracked"]):
            if segment["kind"] == "static":
                raise UsageError("a static segment changes only by hand, so there is nothing to track")
            kept.set_tracked(store, to_ms(now), segment["id"], tracked)
            if tracked:
                refresh(store, name, now, zone, silently=True)


def rename(store: Store, now: datetime, name: str, new: str) -> None:
    """Rename a segment, and in the rules of the segments that ask for it.

    Raises OperationFailed where something else asks for it: a published campaign is not rewritten, nor a rule that
    gives points or owners.
    """
    with store.write():
        segment = kept.get(store, name)
        old, new = segment["name"], kept.clean_name(new)
        used = [use for use in uses(store, segment) if not use.startswith("the segment")]
        if used and old.casefold() != new.casefold():
            raise OperationFailed(f"the segment {old!r} is in use by {_and(used)}, under this name")
        with store.whole():
            others = kept.rules(store)
        for other in others:
            if old.casefold() in rules.segments_in(other["rule"]):
                text = rules.with_segment_renamed(other["rule"], old, new)
                kept.set_rule(store, to_ms(now), other["id"], text)
        kept.rename(store, to_ms(now), segment["id"], new)


def remove(store: Store, name: str) -> None:
    """Remove a segment. Raises OperationFailed where something asks for it."""
    with store.write():
        segment = kept.get(store, name)
        used = uses(store, segment)
        if used:
            raise OperationFailed(f"the segment {segment['name']!r} is in use by {_and(used)}")
        kept.remove(store, segment["id"])


def uses(store: Store, segment: Row) -> list[str]:
    """What asks for the segment, in words."""
    key = segment["name"].casefold()
    with store.whole():
        campaigns = {*kept.campaigns_of(store, segment["id"]), *_campaigns_that_mention(store, key)}
        others = [row["name"] for row in kept.rules(store) if key in rules.segments_in(row["rule"])]
    return [
        *(f"the campaign {name!r}" for name in store.told("campaigns", sorted(campaigns))),
        *(f"the segment {name!r}" for name in store.told("segments", sorted(others))),
        *(what for what, rule in _rules(store) if key in rules.segments_in(rule)),
    ]


def _rules(store: Store) -> Iterator[tuple[str, str]]:
    """What else has a rule on contacts, in words, and the rule."""
    for one in point_rules.listed(store):
        if one.who is not None:
            yield f"the point rule {one.name!r}", one.who
    for row in owners.rules(store):
        if row["rule"] is not None:
            yield f"the owner rule {row['name']!r}", row["rule"]


def show(store: Store, name: str, now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """One segment, how many contacts are in it now, and what asks for it."""
    segment = kept.get(store, name)
    where = selection.segment_where(store, segment["id"], now, zone)
    return {
        "name": segment["name"],
        "kind": segment["kind"],
        "rule": segment["rule"],
        "category": segment["category"],
        "tracked": bool(segment["tracked"]),
        "contacts": selection.count(store, where),
        "used_by": uses(store, segment),
        "created_at": segment["created_at"],
        "updated_at": segment["updated_at"],
        "refreshed_at": segment["swept_at"],
    }


def _campaigns_that_mention(store: Store, key: str) -> Iterator[str]:
    """The campaigns in whose definition a rule asks for the segment."""
    for row in kept.definitions(store):
        if any(key in rules.segments_in(text) for text in _strings(json.loads(row["definition"]))):
            yield row["name"]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from _strings(member)
    elif isinstance(value, list):
        for member in value:
            yield from _strings(member)


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
