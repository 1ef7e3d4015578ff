"""A campaign in words: who comes in and when, and its steps as a tree."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from macli.campaign.conversion import Conversion
from macli.campaign.definition import Campaign, Entry, OnEvent
from macli.campaign.schedule import Starts
from macli.campaign.steps import NO_WAYS, Node, Steps
from macli.clock import format_duration


def entry_in_words(entry: Entry) -> str:
    """Who comes in, and when."""
    who = _who(entry)
    if entry.kind == "once":
        when = f"at {entry.at}" if entry.at else "when it is sent by hand"
        again = f"every {entry.every} from" if entry.every else "once,"
        return f"{who or 'nobody yet'}, {again} {when}"
    after = f"{format_duration(entry.delay)} after " if entry.delay else ""
    narrowed = f", of {who}" if who else ""
    if entry.kind == "whenever":
        existing = "" if entry.includes_existing else ", but not those for whom it is true already"
        return f"{after or 'when '}it is first true that {entry.whenever}{narrowed}{existing}"
    events = " or ".join(_event(event) for event in entry.event)
    existing = ", also before the activation" if entry.includes_existing else ""
    return f"{after or 'at '}{events}{narrowed}{existing}"


def _who(entry: Entry) -> str:
    segments = " or ".join(f"segment {name!r}" for name in entry.segments)
    return " and ".join(part for part in (segments, entry.rule) if part)


def conversion_in_words(conversion: Conversion | None) -> str | None:
    """What is counted as brought about, and how long after a message."""
    if conversion is None:
        return None
    if conversion.event is not None:
        what = f"{conversion.event} with {conversion.where}" if conversion.where else conversion.event
        what += f", {conversion.value} summed up" if conversion.value else ""
    elif conversion.stage is not None:
        what = f"the stage {conversion.stage!r}"
    else:
        what = f"the form {conversion.form!r}" if conversion.form else f"a visit to {conversion.url}"
    after = f"{format_duration(conversion.after_click)} after a click"
    return f"{what}, within {after} or {format_duration(conversion.after_open)} after an open"


def _event(event: OnEvent) -> str:
    return f"{event.name} with {event.where}" if event.where else event.name


def starts_in_words(starts: Starts, *, zone: ZoneInfo, own: str | None, now: datetime) -> str:
    """A start in the zone it is written in and in the zone of whoever reads it."""
    here = starts.earliest.astimezone(zone)
    words = f"{here:%Y-%m-%d %H:%M} {zone.key}"
    if own is not None and own != zone.key:
        there = starts.earliest.astimezone(ZoneInfo(own))
        words = f"{there:%Y-%m-%d %H:%M} {own} = {words}"
    if starts.by_zone:
        latest = max(starts.by_zone.values())
        words = f"from {words}, to {latest.astimezone(zone):%Y-%m-%d %H:%M} {zone.key} in the last zone"
    if starts.earliest > now:
        words += f" (in {_roughly(starts.earliest - now)})"
    return words


def _roughly(span: timedelta) -> str:
    parts = format_duration(span).split(" ")
    return " ".join(parts[:4])


def tree(campaign: Campaign) -> Iterator[str]:
    """The steps as lines, those inside others indented."""
    yield from _list(campaign.steps, "")


def _list(steps: Steps, indent: str) -> Iterator[str]:
    if not steps:
        yield f"{indent}(goes on)"
    for node in steps:
        yield f"{indent}{_step(node)}"
        for way, inside in sorted(node.ways.items(), key=lambda item: item[0] in NO_WAYS):
            if inside is not None:
                yield f"{indent}  {_way(node, way)}:"
                yield from _list(inside, f"{indent}    ")
            elif way in NO_WAYS:
                yield f"{indent}  {way}: ends as not_met"


def _way(node: Node, way: str) -> str:
    if not way.isdigit():
        return way
    part = _parts(node)[int(way) - 1]
    facts = {field.name: getattr(part, field.name) for field in fields(part)}
    return f"{way} ({', '.join(f'{name} {_shown(value)}' for name, value in facts.items())})"


def _parts(node: Node) -> tuple[Any, ...]:
    parts: tuple[Any, ...] = getattr(node.action, node.action.scalar)
    return parts


def _step(node: Node) -> str:
    """One step in a line: its word, what it acts on, and the key it is known by."""
    action: Any = node.action
    parted = any(way.isdigit() for way in node.ways)
    said = []
    for field in fields(action):
        value = getattr(action, field.name)
        bare = field.name == action.scalar
        if not (parted and bare) and value != field.default:
            said.append(_shown(value) if bare else f"{field.name} {_shown(value)}")
    return f"{' '.join([action.word, *([' · '.join(said)] if said else [])])}  [{node.key}]"


def _shown(value: Any) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} = {_shown(member)}" for name, member in value.items())
    if isinstance(value, tuple):
        return ", ".join(_shown(member) for member in value)
    if is_dataclass(value) and not isinstance(value, type):
        facts = ((field.name, getattr(value, field.name)) for field in fields(value))
        return " ".join(f"{name} {_shown(member)}" for name, member in facts if member not in (None, False))
    return "yes" if value is True else "no" if value is False else str(value)
