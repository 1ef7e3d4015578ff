"""What actions may change, all contacts a query selects at once: the doors of other rooms, as actions use them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

from macli.store import Store


class Contacts(Protocol):
    """Changes to all contacts a query selects: what actions use of the module macli.contacts."""

    def tag_where(
        self, store: Store, now: datetime, ids: str, params: Mapping[str, Any], tag: str, source: str
    ) -> int: ...

    def untag_where(
        self, store: Store, now: datetime, ids: str, params: Mapping[str, Any], tag: str, source: str
    ) -> int: ...

    def set_attribute_where(
        self,
        store: Store,
        now: datetime,
        ids: str,
        params: Mapping[str, Any],
        name: str,
        value: Any,
        source: str,
        *,
        zone: ZoneInfo | None = None,
    ) -> int: ...

    def withdraw_where(
        self, store: Store, now: datetime, ids: str, params: Mapping[str, Any], channel: str, source: str
    ) -> int: ...


class Points(Protocol):
    """What actions use of the module macli.lifecycle.points."""

    def give_where(
        self,
        store: Store,
        now: datetime,
        ids: str,
        params: Mapping[str, Any],
        points: int,
        scope_id: int,
        source: str,
    ) -> int: ...

    def set_where(
        self,
        store: Store,
        now: datetime,
        ids: str,
        params: Mapping[str, Any],
        points: int,
        scope_id: int,
        source: str,
    ) -> int: ...


class Funnels(Protocol):
    """What actions use of the module macli.lifecycle.funnels."""

    def move_where(
        self,
        store: Store,
        now: datetime,
        ids: str,
        params: Mapping[str, Any],
        funnel: str,
        stage: str | None,
        source: str,
    ) -> int: ...


class Owners(Protocol):
    """What actions use of the module macli.people.owning."""

    def set_owner_where(
        self,
        store: Store,
        now: datetime,
        ids: str,
        params: Mapping[str, Any],
        staff_id: int,
        kind: Literal["main", "co"],
        source: str,
    ) -> int: ...


class Notes(Protocol):
    """What actions use of the module macli.people.noting."""

    def note_where(
        self,
        store: Store,
        now: datetime,
        ids: str,
        params: Mapping[str, Any],
        text: str,
        source: str,
        *,
        private: bool = False,
    ) -> int: ...


class Tasks(Protocol):
    """What actions use of the module macli.people.tasks."""

    def create_where(
        self,
        store: Store,
        now: datetime,
        ids: str,
        params: Mapping[str, Any],
        title: str,
        source: str,
        *,
        assignee_id: int | None = None,
        owner: bool = False,
        due_at: int | None = None,
        description: str = "",
    ) -> int: ...
