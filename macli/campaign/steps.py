"""The steps of a definition: each an action word and what it acts on, some with steps inside."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, get_args, get_type_hints

from macli.actions import ACTIONS, Action
from macli.campaign.problems import Path
from macli.campaign.reader import UNREAD, Reader, title
from macli.errors import did_you_mean

NO_WAYS = ("else", "otherwise")
"""Ways for contacts that do not meet a condition; where one is not written, they end there."""
BESIDE = ("id",)
_ID = re.compile(r"[\w.-]{1,60}")


@dataclass(frozen=True, kw_only=True)
class Node:
    """One step as written. ``ways`` are the lists of steps inside it, None where one is not written."""

    key: str
    action: Action
    path: Path
    ways: Mapping[str, "tuple[Node, ...] | None"]


Steps = tuple[Node, ...]


def walk(steps: Steps) -> Iterator[Node]:
    for node in steps:
        yield node
        for inside in node.ways.values():
            yield from walk(inside or ())


class StepReader:
    """The steps of one definition being read."""

    def __init__(self, reader: Reader, value: Any) -> None:
        self._reader = reader
        self._value = value
        self._taken: dict[str, Path] = {}
        self._explicit = set(_ids(value))

    def all(self) -> Any:
        return self._list(self._value, ("steps",))

    def _list(self, value: Any, path: Path) -> Any:
        if value is None:
            return ()
        if not isinstance(value, list):
            return self._reader.wrong(path, "steps are a list: each begins with '- '")
        read = [self._step(item, (*path, index)) for index, item in enumerate(value)]
        return UNREAD if any(node is UNREAD for node in read) else tuple(read)

    def _step(self, value: Any, path: Path) -> Any:
        if isinstance(value, str) and value in ACTIONS:
            value = {value: True}
        if not isinstance(value, Mapping) or not value:
            near = did_you_mean(value, ACTIONS) if isinstance(value, str) else ""
            return self._reader.wrong(path, f"a step is an action and what it acts on: 'send: hello'{near}")
        found = [name for name in value if name in ACTIONS]
        if not found:
            name = next((name for name in value if name not in (*BESIDE, *NO_WAYS, "then")), next(iter(value)))
            near = did_you_mean(name, ACTIONS) or f"; the actions: {', '.join(ACTIONS)}"
            return self._reader.wrong((*path, name), f"{name!r} is no action{near}")
        if len(found) > 1:
            return self._reader.wrong(
                (*path, found[1]), f"{found[0]!r} and {found[1]!r} in one step; begin another with '- '"
            )
        word = found[0]
        kind = ACTIONS[word]
        allowed = (word, *BESIDE, *kind.nested)
        for name in value:
            if name not in allowed:
                near = did_you_mean(name, [*allowed, *(field.name for field in fields(kind))])  # type: ignore[arg-type]
                self._reader.wrong((*path, name), f"{name!r} does not go beside {word!r}{near}")
        action = self._reader.build(kind, value[word], (*path, word))
        key = self._key(word, kind, value, path)
        ways: dict[str, Any] = {}
        for name in kind.nested:
            ways[name] = self._list(value[name], (*path, name)) if name in value else None
        ways |= self._parts(kind, value[word], (*path, word))
        if action is UNREAD or any(steps is UNREAD for steps in ways.values()):
            return UNREAD
        return Node(key=key, action=action, path=path, ways=ways)

    def _parts(self, kind: type[Action], value: Any, path: Path) -> dict[str, Any]:
        """The steps inside the parts of a split or of branches."""
        part = (get_args(get_type_hints(kind).get(kind.scalar)) or (None,))[0]
        if not getattr(part, "nested", ()):
            return {}
        if isinstance(value, Mapping) and kind.scalar in value:
            value, path = value[kind.scalar], (*path, kind.scalar)
        ways: dict[str, Any] = {}
        for index, item in enumerate(value if isinstance(value, list) else [value]):
            at = (*path, index) if isinstance(value, list) else path
            if isinstance(item, Mapping) and "steps" in item:
                ways[str(index + 1)] = self._list(item["steps"], (*at, "steps"))
            else:
                ways[str(index + 1)] = self._reader.wrong(at, f"a part of {title(kind)} has no 'steps'")
        return ways

    def _key(self, word: str, kind: type[Action], value: Mapping[str, Any], path: Path) -> str:
        """The step's ``id``; else a name made of what it does, so that it stays the same in edits elsewhere."""
        if "id" in value:
            key = str(value["id"])
            if not _ID.fullmatch(key):
                self._reader.wrong((*path, "id"), f"{key!r} is no id: letters, digits, '-', '_' and '.', at most 60")
            elif key in self._taken:
                self._reader.wrong((*path, "id"), f"the id {key!r} is here twice: a step is known by its id")
            self._taken[key] = path
            return key
        base = _slug(f"{word} {_gist(kind, value[word])}")
        key, number = base, 1
        while key in self._taken or key in self._explicit:
            number += 1
            key = f"{base}-{number}"
        self._taken[key] = path
        return key


def _ids(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if "id" in value:
            yield str(value["id"])
        for member in value.values():
            yield from _ids(member)
    elif isinstance(value, list):
        for member in value:
            yield from _ids(member)


def _gist(kind: type[Action], value: Any) -> str:
    """What an action is about, in a few words."""
    if isinstance(value, Mapping):
        name = kind.scalar if kind.scalar in value else next(iter(value), "")
        rest = value.get(name)
        return _gist(kind, rest) if name == kind.scalar else f"{name} {_gist(kind, rest)}"
    if isinstance(value, list):
        return " ".join(_gist(kind, item) for item in value[:3] if not isinstance(item, Mapping))
    return "" if isinstance(value, bool) or value is None else str(value)


def _slug(text: str) -> str:
    return re.sub(r"[^\w.]+", "-", text.casefold()).strip("-")[:50].strip("-")


def check_reachable(reader: Reader, steps: Steps) -> bool:
    """Whether anybody goes on behind ``steps``; steps that nobody reaches are mistakes."""
    open_ = True
    for node in steps:
        if not open_:
            reader.wrong(
                node.path,
                "nobody reaches this step: every way before it ends",
                "a condition without 'else' ends for those who do not meet it; 'else: []' lets them go on",
            )
            return False
        open_ = _goes_on(reader, node)
    return open_


def _goes_on(reader: Reader, node: Node) -> bool:
    if not node.ways:
        return bool(node.action.ways())
    going = []
    for way, inside in node.ways.items():
        going.append(way not in NO_WAYS if inside is None else check_reachable(reader, inside))
    return any(going)
