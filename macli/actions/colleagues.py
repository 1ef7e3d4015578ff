"""Bring in the people at our company: owners, notes, tasks."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

from macli import texts
from macli.actions.batch import Batch
from macli.campaign.words import StaffName
from macli.clock import to_ms

_IDS = "SELECT contact_id FROM batch"


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Make somebody the contact's owner, or a co-owner beside it.

    Example: `owner: anna` · `owner: {staff: ben, kind: co}`
    """

    word: ClassVar[str] = "owner"
    scalar: ClassVar[str] = "staff"
    nested: ClassVar[tuple[str, ...]] = ()

    staff: StaffName
    kind: Literal["main", "co"] = "main"

    def ways(self) -> tuple[str, ...]:
        return ("next",)

    def events(self) -> tuple[str, ...]:
        return ()

    def apply(self, batch: Batch) -> None:
        from macli.store import staff

        chosen = staff.get(batch.store, self.staff)["id"]
        batch.owners.set_owner_where(batch.store, batch.now, _IDS, {}, chosen, self.kind, batch.source)
        batch.set("way = 'next'")


@dataclass(frozen=True, kw_only=True)
class Note:
    """Write a note about the contact.

    Example: `note: asked for the price list twice` · `note: {text: careful, private: yes}`
    """

    word: ClassVar[str] = "note"
    scalar: ClassVar[str] = "text"
    nested: ClassVar[tuple[str, ...]] = ()

    text: str
    private: bool = False

    def __post_init__(self) -> None:
        texts.body(self.text, "note")

    def ways(self) -> tuple[str, ...]:
        return ("next",)

    def events(self) -> tuple[str, ...]:
        return ()

    def apply(self, batch: Batch) -> None:
        batch.notes.note_where(batch.store, batch.now, _IDS, {}, self.text, batch.source, private=self.private)
        batch.set("way = 'next'")


@dataclass(frozen=True, kw_only=True)
class Task:
    """Give somebody something to do about the contact: its owner, unless a name is given.

    Example: `task: {title: call and offer a sample, due: 2 days}` · `task: {title: send samples, staff: anna}`

    Where who is named has left the staff the owner gets it, and where there is no owner nobody in particular.
    """

    word: ClassVar[str] = "task"
    scalar: ClassVar[str] = "title"
    nested: ClassVar[tuple[str, ...]] = ()

    title: str
    staff: StaffName | None = None
    due: timedelta | None = None
    description: str = ""

    def __post_init__(self) -> None:
        texts.line(self.title, "title")
        texts.body(self.description, "description", empty=True)

    def ways(self) -> tuple[str, ...]:
        return ("next",)

    def events(self) -> tuple[str, ...]:
        return ()

    def apply(self, batch: Batch) -> None:
        from macli.store import staff

        named = None if self.staff is None else staff.get(batch.store, self.staff)
        assignee = named["id"] if named is not None and named["active"] else None
        batch.tasks.create_where(
            batch.store,
            batch.now,
            _IDS,
            {},
            self.title,
            batch.source,
            assignee_id=assignee,
            owner=assignee is None,
            due_at=None if self.due is None else to_ms(batch.now + self.due),
            description=self.description,
        )
        batch.set("way = 'next'")
