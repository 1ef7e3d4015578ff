"""What a rule may ask of a task, a deal, a call, a mail or a note itself; all else is asked of its contact."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal as OneOf
from typing import assert_never

from macli.model import AttributeType
from macli.rules.sql import Build
from macli.rules.subjects import Column, Moment, Reference, Subject
from macli.rules.values import Literal

Kind = OneOf["task", "deal", "call", "mail", "note"]
Holds = AttributeType | OneOf["folded", "staff", "funnel", "stage"] | tuple[str, ...]
"""What a field holds: a plain value, text kept without case, one of what has names, or one of few words."""


@dataclass(frozen=True, kw_only=True)
class Entity:
    """A table whose rows may be about a contact, and its fields: what each holds, and its SQL.

    ``{now}`` in the SQL stands for the time the rule is asked at, in UTC milliseconds.
    """

    kind: Kind
    table: str
    fields: Mapping[str, tuple[Holds, str]]

    def subject(self, name: str, build: Build) -> Subject:
        """The field of that name, ready to be compared."""
        holds, sql = self.fields[name]
        if "{now}" in sql:
            build.timely = True
            sql = sql.format(now=build.bind(build.now_ms))
        if isinstance(holds, tuple):
            return Reference(name=name, sql=sql, holds=f"one of {', '.join(holds)}", found=_word(name, holds, build))
        match holds:
            case "date":
                return Moment(name=name, sql=sql)
            case "text" | "number" | "bool":
                return Column(name=name, sql=sql, type=holds, dialect=build.dialect)
            case "folded":
                return Column(name=name, sql=sql, type="text", folded=True, dialect=build.dialect)
            case "staff":
                return Reference(name=name, sql=sql, holds="a member of staff", found=build.member)
            case "funnel":
                return Reference(name=name, sql=sql, holds="a funnel", found=build.funnel_ids)
            case "stage":
                return Reference(name=name, sql=sql, holds="a stage of a funnel", found=build.funnel_stage_ids)
        assert_never(holds)


def _word(name: str, words: tuple[str, ...], build: Build) -> Callable[[Literal], list[str]]:
    def found(literal: Literal) -> list[str]:
        return [build.word(f"{name} is", literal, words)]

    return found


TASK = Entity(
    kind="task",
    table="tasks",
    fields={
        "title": ("text", "tasks.title"),
        "description": ("text", "tasks.description"),
        "state": (("open", "done", "cancelled"), "tasks.state"),
        "done": ("bool", "CASE tasks.state WHEN 'done' THEN 1 ELSE 0 END"),
        "overdue": ("bool", "CASE WHEN tasks.state = 'open' AND tasks.due_at < {now} THEN 1 ELSE 0 END"),
        "assignee": ("staff", "tasks.assignee_id"),
        "author": ("staff", "tasks.author_id"),
        "due": ("date", "tasks.due_at"),
        "created": ("date", "tasks.created_at"),
        "closed": ("date", "tasks.closed_at"),
        "source": ("text", "tasks.source"),
    },
)
DEAL = Entity(
    kind="deal",
    table="deals",
    fields={
        "title": ("text", "deals.title"),
        "state": (("open", "won", "lost"), "deals.state"),
        "value": ("number", "deals.value"),
        "currency": ("text", "deals.currency"),
        "owner": ("staff", "deals.owner_id"),
        "funnel": ("funnel", "deals.funnel_id"),
        "stage": ("stage", "deals.stage_id"),
        "created": ("date", "deals.created_at"),
        "moved": ("date", "deals.moved_at"),
        "closed": ("date", "deals.closed_at"),
        "source": ("text", "deals.source"),
    },
)
CALL = Entity(
    kind="call",
    table="calls",
    fields={
        "direction": (("in", "out"), "calls.direction"),
        "outcome": ("text", "calls.outcome"),
        "seconds": ("number", "calls.seconds"),
        "text": ("text", "calls.text"),
        "staff": ("staff", "calls.staff_id"),
        "at": ("date", "calls.at"),
        "source": ("text", "calls.source"),
    },
)
MAIL = Entity(
    kind="mail",
    table="mails",
    fields={
        "subject": ("text", "mails.subject"),
        "body": ("text", "mails.body"),
        "sender": ("text", "mails.sender"),
        "recipient": ("text", "mails.recipient"),
        "mailbox": ("text", "mails.mailbox"),
        "at": ("date", "mails.at"),
    },
)
NOTE = Entity(
    kind="note",
    table="notes",
    fields={
        "text": ("folded", "notes.folded"),
        "author": ("staff", "notes.author_id"),
        "private": ("bool", "notes.private"),
        "created": ("date", "notes.created_at"),
        "source": ("text", "notes.source"),
    },
)
ENTITIES: Mapping[str, Entity] = {entity.kind: entity for entity in (TASK, DEAL, CALL, MAIL, NOTE)}
