"""The reference of campaign files, made of the types and docstrings of what they hold."""

import inspect
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from datetime import timedelta
from types import NoneType, UnionType
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

from macli.actions import ACTIONS
from macli.actions.sending import Sender
from macli.campaign.conversion import Conversion
from macli.campaign.definition import Campaign, Entry, OnEvent, Reentry
from macli.campaign.drafts import Template

_WORDS = {
    "Rule": "rule",
    "EventRule": "condition on the event's properties",
    "TemplateName": "template",
    "ChannelName": "channel",
    "SegmentName": "segment",
    "CategoryName": "category",
    "TopicName": "topic",
    "AttributeName": "attribute",
    "TagName": "tag",
    "FunnelName": "funnel",
    "StaffName": "member of staff",
    "StageName": "stage",
    "ScopeName": "scope of points",
    "EventName": "event",
    "EmailAddress": "e-mail address",
    "Start": "time",
    "Every": "interval",
    "Hours": "hours",
}


_INTRODUCTION = """\
# Campaign files

A campaign is a folder with a `campaign.yaml` and, beside it, the files its templates are made of:

```text
campaigns/welcome/
  campaign.yaml
  welcome.md
  book.pdf
```

```yaml
name: welcome

attributes:                # made where they are not there
  score: number
segments:
  good customers: score >= 50
templates:
  welcome:
    subject: Welcome, {{ first_name }}!
    markdown: welcome.md
    attach: book.pdf
    defaults: {first_name: friend}

entry:
  event: contact.added
  delay: 3 hours
exit: tagged churned

steps:
  - send: welcome
  - wait: 3 days
  - if: opened email within 3 days
    then:
      - tag: reader
    else: []
  - send: {template: offer, channel: sms}
```

`macli apply campaigns/` makes the store say what the files say: all of a folder or nothing of it, and nothing
twice. `macli diff campaigns/` shows what it would change, `macli export campaign NAME` writes a folder that
applies back to the same. A new campaign is a draft: nothing leaves before `macli campaign activate` or
`send`. A category that is not there is made. Every mistake in a file is told at once, each with its line.

A file is YAML in UTF-8 and reads as people mean it: `yes`, `on`, `09:00`, `0800` and `2026-12-01` are text unless
a key asks for something else. Durations are written `3 days` or `2 hours 30 minutes`, rules as everywhere in macli.

## What is inside a step

Steps follow one another. Those inside `then`, `else`, a branch or a split lead back to the step behind it.

- A way that is not written: `then` goes on behind the step; `else` and `otherwise` end the contact's way, as
  `not_met`. So `- if: RULE` alone lets only those pass who meet it, and `else: []` lets the others go on.
- A step is known by its `id`; without one, by what it does (`send-welcome`). That is what contacts stand at
  and messages are counted by, so give an id to a step you may want to edit. A step keeps its action for ever.

## When a file changes

Applying it makes a new version. New contacts come into that one. Those inside keep theirs to its end, or, with
`on_edit: move`, move to the new one: to the step of the same id; else, where a new step with the same action
stands in the same place, there; else to the step that followed. Where nothing that followed is left, they end
as `edited`. Whose message is on its way goes on in the old version first. The state of a campaign stays what it
was, and one that is sent once looks at its audience once.
"""


def written() -> str:
    """The reference of campaign files, as Markdown."""
    lines = [_INTRODUCTION]
    for heading, kind in (
        ("The campaign", Campaign),
        ("`entry`", Entry),
        ("`entry`: an event", OnEvent),
        ("`reentry`", Reentry),
        ("`conversion`", Conversion),
        ("`sender`", Sender),
        ("`templates`: a template", Template),
    ):
        lines += [f"## {heading}", "", *_described(kind)]
    lines += ["## Steps", "", "Each step is an item of a list: an action and what it acts on.", ""]
    for word, action in ACTIONS.items():
        lines += [f"### {word}", "", *_described(action)]
        if action.nested:
            lines += [f"Beside it: {', '.join(f'`{name}:`' for name in action.nested)}, each a list of steps.", ""]
        for part in _parts(action):
            lines += [f"#### {word}: {part.__name__.lower()}", "", *_described(part)]
    return "\n".join(lines).rstrip() + "\n"


def _parts(kind: Any) -> Iterator[Any]:
    """The dataclasses a field of an action holds."""
    for hint in get_type_hints(kind).values():
        for inner in (hint, *get_args(hint)):
            if is_dataclass(inner) and inner is not Sender:
                yield inner


def _described(kind: Any) -> Iterator[str]:
    yield from (inspect.getdoc(kind) or "").splitlines()
    yield ""
    yield "| key | holds | |"
    yield "|---|---|---|"
    hints = get_type_hints(kind)
    for field in fields(kind):
        if field.name == "steps":
            yield "| `steps` | steps | required |"
            continue
        required = field.default is MISSING and field.default_factory is MISSING
        mark = " (what a bare value sets)" if getattr(kind, "scalar", None) == field.name else ""
        yield f"| `{field.name}` | {_type(hints[field.name])}{mark} | {'required' if required else ''} |"
    for name in getattr(kind, "nested", ()) if not hasattr(kind, "word") else ():
        yield f"| `{name}` | steps | required |"
    yield ""


def _type(hint: Any) -> str:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_type(part) for part in get_args(hint) if part is not NoneType))
    if origin is Literal:
        return ", ".join(f"`{word}`" for word in get_args(hint))
    if origin is tuple:
        return f"{_type(get_args(hint)[0])}, or a list of them"
    if isinstance(hint, NewType):
        return _WORDS[hint.__name__]
    if is_dataclass(hint):
        assert isinstance(hint, type)
        names = [*(field.name for field in fields(hint)), *getattr(hint, "nested", ())]
        return "{" + ", ".join(names) + "}"
    plain = {str: "text", int: "whole number", float: "number", bool: "yes or no", timedelta: "duration"}
    return plain.get(hint, "names and values")
