"""URL rules made, changed, tried and applied to the visits there were before them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from macli import events
from macli.address import normalise_tag
from macli.clock import to_ms
from macli.effects import visiting
from macli.errors import UsageError
from macli.store import Row, Store, segments, settings, url_rules
from macli.urls import KINDS, Kind, matcher

_VISITS = "events.name = 'page.visited'"


@dataclass(frozen=True, kw_only=True)
class Backfilled:
    """What one rule came to over history: contacts with a fitting visit, and those who got something by it."""

    name: str
    contacts: int
    new: int


def one_pattern(**given: str | None) -> tuple[Kind, str]:
    """The one pattern given, by its kind. Raises UsageError where none or several are."""
    found = [(kind, given[kind]) for kind in KINDS if given.get(kind) is not None]
    if len(found) != 1:
        raise UsageError("a URL rule has one pattern", hint="one of " + ", ".join(f"--{kind}" for kind in KINDS))
    kind, pattern = found[0]
    assert pattern is not None
    return kind, pattern


def listed(store: Store) -> list[dict[str, Any]]:
    """Every rule, by name."""
    return [{**dict(row), "active": bool(row["active"])} for row in url_rules.listed(store)]


def add(
    store: Store,
    now: datetime,
    name: str,
    kind: Kind,
    pattern: str,
    *,
    tag: str | None = None,
    segment: str | None = None,
) -> None:
    """Make a rule. Raises UsageError for a pattern that is none, and unless exactly one of tag and segment is given."""
    if (tag is None) == (segment is None):
        raise UsageError("a URL rule gives either a tag or a segment", hint="--tag TAG or --segment SEGMENT")
    matcher(kind, pattern)
    with store.write():
        rule = {"name": url_rules.clean_name(name), "kind": kind, "pattern": pattern}
        url_rules.create(store, to_ms(now), {**rule, **_gift(store, tag, segment)})


def edit(
    store: Store,
    now: datetime,
    name: str,
    *,
    pattern: tuple[Kind, str] | None = None,
    tag: str | None = None,
    segment: str | None = None,
    active: bool | None = None,
) -> None:
    """Change what is given; from the next visit on. Raises UsageError as ``add`` does."""
    if tag is not None and segment is not None:
        raise UsageError("a URL rule gives either a tag or a segment", hint="--tag TAG or --segment SEGMENT")
    with store.write():
        found = url_rules.get(store, name)
        if pattern is None and tag is None and segment is None and active is None:
            raise UsageError("nothing to change", hint="for example --off, or --tag 'price list'")
        rule = {column: found[column] for column in ("id", "kind", "pattern", "tag", "segment_id", "active")}
        if pattern is not None:
            matcher(*pattern)
            rule |= {"kind": pattern[0], "pattern": pattern[1]}
        if tag is not None or segment is not None:
            rule |= _gift(store, tag, segment)
        if active is not None:
            rule["active"] = int(active)
        url_rules.change(store, to_ms(now), rule)


def remove(store: Store, name: str) -> None:
    """Forget a rule; what it gave stays."""
    with store.write():
        url_rules.remove(store, url_rules.get(store, name)["id"])


def _gift(store: Store, tag: str | None, segment: str | None) -> dict[str, Any]:
    if tag is not None:
        normalised = normalise_tag(tag, faithful=bool(settings.get(store, "tags.normalise")))
        if not normalised:
            raise UsageError(f"{tag!r} is no tag")
        return {"tag": normalised, "segment_id": None}
    assert segment is not None
    found = segments.get(store, segment)
    segments.require_static(found)
    return {"tag": None, "segment_id": found["id"]}


def try_out(store: Store, url: str) -> list[Row]:
    """The active rules that an address fits."""
    return [row for row in url_rules.active(store) if matcher(row["kind"], row["pattern"])(url)]


def backfill(store: Store, now: datetime, name: str | None = None, *, dry_run: bool = False) -> list[Backfilled]:
    """Apply the active rules, or the named one, to all visits on record; what each came to, or would come to."""
    rules = url_rules.active(store) if name is None else [url_rules.get(store, name)]
    if not rules:
        return []
    visiting.gather(store, rules, _VISITS, {})
    told = [_count(store, rule) for rule in rules]
    if not dry_run:
        hand_out(store, now, rules)
    return told


def hand_out(store: Store, now: datetime, rules: Sequence[Row]) -> None:
    """Give the visitors gathered what the rules give, and record the events of it."""
    with store.write():
        for caused in visiting.give(store, to_ms(now), rules):
            events.record_select(
                store,
                now,
                name=caused.name,
                source=caused.source,
                select=caused.select,
                params=caused.params,
                folded=caused.folded,
            )


def _count(store: Store, rule: Row) -> Backfilled:
    row = store.row(
        _WITH_TAG if rule["tag"] is not None else _IN_SEGMENT,
        {"rule": rule["id"], "tag": rule["tag"], "segment": rule["segment_id"]},
    )
    assert row is not None
    return Backfilled(name=rule["name"], contacts=row["contacts"], new=row["contacts"] - row["had"])


_WITH_TAG = """
SELECT count(*) AS contacts, count(contact_tags.contact_id) AS had
FROM visits_found
LEFT JOIN contact_tags ON contact_tags.contact_id = visits_found.contact_id
  AND contact_tags.tag_id = (SELECT id FROM tags WHERE name = :tag)
WHERE visits_found.rule_id = :rule
"""

_IN_SEGMENT = """
SELECT count(*) AS contacts, count(segment_members.contact_id) AS had
FROM visits_found
LEFT JOIN segment_members ON segment_members.contact_id = visits_found.contact_id
  AND segment_members.segment_id = :segment
WHERE visits_found.rule_id = :rule
"""
