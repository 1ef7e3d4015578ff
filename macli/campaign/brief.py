"""A campaign as options of a command say it: written into a definition, new or there already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path as File
from typing import Any
from zoneinfo import ZoneInfo

from macli.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Brief:
    """What the options say; None says nothing, an empty text takes away what was said."""

    name: str | None = None
    description: str | None = None
    category: str | None = None
    channel: str | None = None
    purpose: str | None = None
    topic: str | None = None
    segments: Sequence[str] = ()
    rule: str | None = None
    whenever: str | None = None
    events: Sequence[str] = ()
    delay: str | None = None
    every: str | None = None
    existing: bool | None = None
    at: str | None = None
    exit: str | None = None
    goal: str | None = None
    conversion: str | None = None
    conversion_value: str | None = None
    reentry: str | None = None
    on_edit: str | None = None
    from_email: str | None = None
    from_name: str | None = None
    reply_to: str | None = None
    template: str | None = None
    sms: str | None = None
    attach: Sequence[File] = ()


def blank(name: str) -> dict[str, Any]:
    """A definition that says nothing yet."""
    return {"name": name, "entry": {}, "steps": []}


def written(definition: Mapping[str, Any], brief: Brief, *, now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """The definition with what the brief says. Raises UsageError where the two do not go together."""
    plain = dict(definition)
    for key in ("name", "description", "category", "channel", "purpose", "topic", "exit", "goal", "reentry", "on_edit"):
        _put(plain, key, getattr(brief, key))
    if brief.sms is not None and brief.channel is None:
        plain.setdefault("channel", "sms")
    sender = dict(plain.get("sender") or {})
    for key, value in (("email", brief.from_email), ("name", brief.from_name), ("reply_to", brief.reply_to)):
        _put(sender, key, value)
    _put(plain, "sender", sender or ("" if "sender" in plain else None))
    _put(plain, "conversion", _conversion(plain.get("conversion"), brief))
    plain["entry"] = _entry(dict(plain.get("entry") or {}), brief, now=now, zone=zone)
    template = brief.template if brief.template is not None else brief.sms and template_for(plain["name"])
    if template or brief.attach:
        plain["steps"] = _steps(plain["steps"], template or None, [file.name for file in brief.attach])
    order = ("name", "description", "category", "channel", "purpose", "topic", "sender", "entry")
    return {key: plain[key] for key in [*order, *plain] if key in plain}


def template_for(campaign: str) -> str:
    """The name of the template a text given with --sms is kept as."""
    return f"{campaign} text"


def _put(plain: dict[str, Any], key: str, value: Any) -> None:
    if value == "":
        plain.pop(key, None)
    elif value is not None:
        plain[key] = value


def _conversion(before: Any, brief: Brief) -> Any:
    """The conversion with another event or value; an empty event takes it away, stage:NAME is a stage's."""
    if brief.conversion is not None and brief.conversion.partition(":")[0].strip() == "stage":
        stage = brief.conversion.partition(":")[2].strip()
        return {"stage": stage, **({"value": brief.conversion_value} if brief.conversion_value else {})}
    said = {"event": brief.conversion, "value": brief.conversion_value}
    if brief.conversion == "" or said == {"event": None, "value": None}:
        return brief.conversion
    if brief.conversion is not None:
        before = None
    conversion = dict(before) if isinstance(before, Mapping) else {} if before is None else {"event": before}
    for key, value in said.items():
        _put(conversion, key, value)
    return conversion["event"] if conversion.keys() == {"event"} else conversion


def _entry(entry: dict[str, Any], brief: Brief, *, now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    from macli.campaign import schedule

    if brief.segments:
        _put(entry, "segments", [name for name in brief.segments if name] or "")
    for key in ("rule", "whenever", "delay", "every", "existing"):
        _put(entry, key, getattr(brief, key))
    if brief.events:
        _put(entry, "event", _few([name for name in brief.events if name]) or "")
    _put(entry, "at", schedule.canonical(brief.at, now=now, zone=zone) if brief.at else brief.at)
    return entry


def _few(names: list[str]) -> Any:
    return names[0] if len(names) == 1 else names


def _steps(steps: Sequence[Any], template: str | None, files: Sequence[str]) -> list[Any]:
    """The steps with another template or more files in the one that sends."""
    sending = [index for index, step in enumerate(steps) if isinstance(step, Mapping) and "send" in step]
    if len(sending) > 1 or (steps and not sending) or any(_nests(step) for step in steps):
        raise UsageError(
            "this campaign has several steps", hint="macli export campaign NAME writes them to a file to edit"
        )
    if not sending:
        if template is None:
            raise UsageError("--attach needs a template to go with", hint="add --template NAME")
        return [{"send": {"template": template, "attach": list(files)} if files else template}]
    result = [dict(step) for step in steps]
    old = result[sending[0]]["send"]
    send = dict(old) if isinstance(old, Mapping) else {"template": old}
    if template is not None:
        send["template"] = template
    if files:
        send["attach"] = list(dict.fromkeys([*send.get("attach", ()), *files]))
    result[sending[0]]["send"] = send["template"] if send.keys() == {"template"} else send
    return result


def _nests(step: Any) -> bool:
    return not isinstance(step, Mapping) or any(
        key in step for key in ("then", "else", "otherwise", "branches", "split")
    )
