"""The scopes scores are counted in: the whole contact, a named group, a tag, a stage of a funnel."""

from dataclasses import dataclass
from typing import Literal

from macli.address import normalise_tag
from macli.errors import UnknownName, UsageError
from macli.store import settings
from macli.store.connection import Row, Store

GLOBAL = 1
"""The id of the scope ``global``."""

MOST = 1_000_000_000
"""Points that can be given at once: sums of them stay whole numbers anywhere."""

Kind = Literal["global", "group", "tag", "stage"]
KINDS: tuple[Kind, ...] = ("global", "group", "tag", "stage")


@dataclass(frozen=True, kw_only=True)
class Scope:
    """``kind`` and name as written: ``global``, ``group:fit``, ``tag:VIP``, ``stage:Sales/Offer``."""

    kind: Kind
    name: str = ""

    @property
    def key(self) -> str:
        return self.name.casefold()

    def __str__(self) -> str:
        return self.kind if not self.name or self.kind == "global" else f"{self.kind}:{self.name}"


def checked(points: int) -> int:
    """The points, as many as can be given at once. Raises UsageError."""
    if abs(points) > MOST:
        raise UsageError(f"more than {MOST:,} points at once")
    return points


def read(store: Store, text: str) -> Scope:
    """A scope as people write it; one word is a tag. Raises UsageError.

    ``stage`` alone, ``stage:FUNNEL`` and ``stage:FUNNEL/STAGE`` are all read; which of them will do is for
    the caller to say.
    """
    written = " ".join(text.split())
    kind, colon, name = written.partition(":")
    kind, name = (kind.strip().casefold(), name.strip()) if colon else (written.casefold(), "")
    if kind == "global" and not name:
        return Scope(kind="global", name="global")
    if kind == "stage":
        return Scope(kind="stage", name="/".join(part.strip() for part in name.split("/")))
    if kind == "group" and name:
        return Scope(kind="group", name=name)
    if not colon and written:
        kind, name = "tag", written
    if kind == "tag" and name:
        return Scope(kind="tag", name=normalise_tag(name, faithful=settings.get(store, "tags.normalise")))
    raise UsageError(f"{text!r} is no scope of points", hint="global, group:NAME, tag:TAG, stage:FUNNEL/STAGE")


def id_of(store: Store, scope: Scope) -> int:
    """The id of a scope; a group's or tag's is made where it is new. Inside a write. Raises UnknownName, UsageError."""
    found = find(store, scope)
    if found is not None:
        return found
    if scope.kind == "stage" and not scope.name:
        raise UsageError("the stage of which funnel?", hint="stage:FUNNEL/STAGE; macli funnel list shows them")
    if scope.kind == "stage":
        raise UnknownName("stage of a funnel", scope.name, _stages(store), hint="macli funnel list")
    return int(store.value(_MAKE, {"kind": scope.kind, "name": scope.name, "key": scope.key}))


_MAKE = """
INSERT INTO scopes (kind, name, name_key)
VALUES (:kind, :name, :key)
RETURNING id
"""


def find(store: Store, scope: Scope) -> int | None:
    """The id of a scope; None where nothing was ever counted in it."""
    found: int | None = store.value(
        "SELECT id FROM scopes WHERE kind = :kind AND name_key = :key", {"kind": scope.kind, "key": scope.key}
    )
    return found


def _stages(store: Store) -> list[str]:
    return [row["name"] for row in store.rows("SELECT name FROM scopes WHERE kind = 'stage'")]


def all_(store: Store) -> list[Row]:
    """Every scope: id, kind, name, name_key, stage_id."""
    return store.rows("SELECT id, kind, name, name_key, stage_id FROM scopes ORDER BY id")


def text_of(store: Store, scope_id: int) -> str:
    """A scope as people write it, by its id."""
    row = store.row("SELECT kind, name FROM scopes WHERE id = :id", {"id": scope_id})
    assert row is not None
    return str(Scope(kind=row["kind"], name=row["name"]))
