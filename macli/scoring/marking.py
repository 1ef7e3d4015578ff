"""Watching values of scores: what people and campaigns write, as marks in the store."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from macli.clock import to_ms
from macli.errors import OperationFailed, UsageError
from macli.scoring.watching import WATCHES
from macli.store import Store, scopes, score_marks
from macli.store.scopes import Scope
from macli.store.score_marks import Kind

COLUMNS = ("scope", "value", "event", "when")


def kind_of(*, crossed: bool, exceeded: bool, at_least: bool) -> Kind:
    """The kind that options say. Raises UsageError for more than one."""
    said: tuple[tuple[Kind, bool], ...] = (("crossed", crossed), ("exceeded", exceeded), ("at_least", at_least))
    kinds = [kind for kind, is_said in said if is_said]
    if len(kinds) > 1:
        raise UsageError("--crossed, --exceeded and --at-least: say one of them")
    return kinds[0] if kinds else "reached"


def watch(store: Store, now: datetime, text: str, kind: Kind, value: int) -> str:
    """Watch a value in the scope a text names; what happens when. Raises UsageError, UnknownName."""
    scope = _scope(store, text, kind)
    with store.write():
        score_marks.watch(store, to_ms(now), scopes.id_of(store, scope), kind, value)
    return f"{WATCHES[kind].event} of {value:,} in {scope}: {WATCHES[kind].meaning}"


def unwatch(store: Store, text: str, kind: Kind, value: int) -> None:
    """Watch it no longer. Raises OperationFailed where nobody did."""
    scope = _scope(store, text, kind)
    with store.write():
        scope_id = scopes.find(store, scope)
        if scope_id is None or not score_marks.unwatch(store, scope_id, kind, value):
            raise OperationFailed(
                f"nobody watches {WATCHES[kind].event} of {value:,} in {scope}", hint="macli points watch list"
            )


def _scope(store: Store, text: str, kind: Kind) -> Scope:
    scope = scopes.read(store, text)
    if kind == "at_least" and scope.kind != "tag":
        raise UsageError(f"tag.scored is about a tag, not {scope}", hint="--scope tag:TAG; or --crossed, --exceeded")
    return scope


def listed(store: Store) -> Iterator[dict[str, Any]]:
    """Every watched value; see ``COLUMNS``."""
    for row in score_marks.listed(store):
        watch = WATCHES[row["kind"]]
        yield {
            "scope": str(Scope(kind=row["scope_kind"], name=row["scope"])),
            "value": row["points"],
            "event": watch.event,
            "when": watch.meaning,
        }
