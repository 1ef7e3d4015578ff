"""Plain values read as frozen dataclasses, driven by the types of their fields alone.

A key is the field's name. A dataclass with ``scalar`` may be written as that field's bare value. Text
that names something (a template, a rule, an attribute) is noted as a mention, to be looked up in the
store once the whole definition is read. Every mistake is noted and reading goes on, so that all of
them are told at once.
"""

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

from macli import clock
from macli.campaign.problems import Path, Problem
from macli.errors import MacliError, did_you_mean


class _Unread:
    """In the place of a value that could not be read."""


UNREAD = _Unread()
_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True, kw_only=True)
class Mention:
    """A word that stands for something else: a template's name, a rule, an attribute."""

    kind: str
    text: str
    path: Path


class Reader:
    """One definition being read: the mistakes so far and the words to look up."""

    def __init__(self, checks: Mapping[str, Callable[[str], object]]) -> None:
        self.problems: list[Problem] = []
        self.mentions: list[Mention] = []
        self._checks = checks

    def wrong(self, path: Path, message: str, hint: str | None = None) -> _Unread:
        self.problems.append(Problem(path=path, message=message, hint=hint))
        return UNREAD

    def build(self, kind: Any, value: Any, path: Path, members: Mapping[str, Any] = MappingProxyType({})) -> Any:
        """``value`` as the dataclass ``kind``, whose ``members`` are read already; UNREAD where it is none."""
        scalar = getattr(kind, "scalar", None)
        hints = _hints(kind)
        if scalar is not None and (not isinstance(value, Mapping) or _is_mapping(hints[scalar])):
            value, at = {scalar: value}, {scalar: path}
        elif isinstance(value, Mapping):
            at = {name: (*path, name) for name in value}
        else:
            return self.wrong(path, f"{_shown(value)} stands where these keys are expected: {_keys(kind)}")
        known = {field.name: field for field in fields(kind)}
        inside = set(getattr(kind, "nested", ())) if not hasattr(kind, "word") else set()
        for name in value:
            if name not in known and name not in inside:
                near = did_you_mean(str(name), known)
                self.wrong(at[name], f"{name!r} is no key of {title(kind)}{near or f'; its keys: {_keys(kind)}'}")
        read = dict(members) | {
            name: self.value(hints[name], value[name], at[name], field.metadata)
            for name, field in known.items()
            if name in value
        }
        for name, field in known.items():
            if name not in read and _required(field):
                read[name] = self.wrong(path, f"{title(kind) if path else 'the campaign'} has no {name!r}")
        if any(member is UNREAD for member in read.values()):
            return UNREAD
        try:
            return kind(**read)
        except MacliError as error:
            return self.wrong(path, error.message, error.hint)

    def value(self, kind: Any, value: Any, path: Path, metadata: Mapping[str, Any] | None = None) -> Any:
        """``value`` as the type ``kind``; UNREAD, and a mistake noted, where it is not one."""
        origin = get_origin(kind)
        if origin in (Union, types.UnionType):
            return self._one_of(get_args(kind), value, path, metadata)
        if origin is Literal:
            return self._choice(get_args(kind), value, path)
        if origin is tuple:
            items = value if isinstance(value, list) else [value]
            paths = [(*path, index) for index in range(len(items))] if isinstance(value, list) else [path]
            read = [self.value(get_args(kind)[0], item, at) for item, at in zip(items, paths, strict=True)]
            return UNREAD if any(item is UNREAD for item in read) else tuple(read)
        if _is_mapping(kind):
            return self._mapping(kind, value, path)
        if is_dataclass(kind):
            assert isinstance(kind, type)
            return self.build(kind, value, path)
        if kind is bool:
            return self._truth(value, path)
        if kind in (int, float):
            return self._number(kind, value, path)
        if kind is timedelta:
            return self._span(value, path)
        text = self._text(value, path)
        choices = (metadata or {}).get("choices")
        if isinstance(text, str) and choices:
            return self._choice(tuple(choices), text, path)
        if isinstance(kind, NewType) and isinstance(text, str):
            return self._word(kind.__name__, text, path)
        return text

    def _one_of(self, kinds: tuple[Any, ...], value: Any, path: Path, metadata: Any) -> Any:
        if value is None and types.NoneType in kinds:
            return None
        kinds = tuple(kind for kind in kinds if kind is not types.NoneType)
        for kind in kinds:
            if _takes(kind, value):
                return self.value(kind, value, path, metadata)
        return self.value(kinds[0], value, path, metadata)

    def _choice(self, choices: tuple[Any, ...], value: Any, path: Path) -> Any:
        for choice in choices:
            if value == choice and type(value) is type(choice):
                return value
        words = [str(choice) for choice in choices]
        if isinstance(value, str) and (near := did_you_mean(value, words)):
            return self.wrong(path, f"{_shown(value)} is not one of {', '.join(words)}{near}")
        return self.wrong(path, f"{_shown(value)} is not one of {', '.join(words)}")

    def _mapping(self, kind: Any, value: Any, path: Path) -> Any:
        if not isinstance(value, Mapping) or not value:
            return self.wrong(path, f"{_shown(value)} stands where names and values are expected")
        name_kind, value_kind = get_args(kind) or (str, Any)
        read = {}
        for name, member in value.items():
            if isinstance(name_kind, NewType):
                self._word(name_kind.__name__, name, (*path, name))
            at = (*path, name)
            if value_kind is not Any:
                read[name] = self.value(value_kind, member, at)
            elif isinstance(member, (Mapping, list)):
                read[name] = self.wrong(at, f"{_shown(member)} stands where one value is expected")
            else:
                read[name] = member
        return UNREAD if any(member is UNREAD for member in read.values()) else read

    def _truth(self, value: Any, path: Path) -> Any:
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in _TRUTHS:
            return _TRUTHS[value.lower()]
        return self.wrong(path, f"{_shown(value)} is neither yes nor no")

    def _number(self, kind: type[int] | type[float], value: Any, path: Path) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return self.wrong(path, f"{_shown(value)} is no number")
        if kind is int and not isinstance(value, int):
            return self.wrong(path, f"{_shown(value)} is no whole number")
        return value

    def _span(self, value: Any, path: Path) -> Any:
        text = self._text(value, path)
        if not isinstance(text, str):
            return text
        try:
            # Only what is told from a date can lie before it.
            if path[-1:] == ("offset",) and text[:1] in "+-":
                return clock.parse_lasting(text[1:]) * (-1 if text[0] == "-" else 1)
            return clock.parse_lasting(text)
        except MacliError as error:
            return self.wrong(path, error.message, error.hint)

    def _text(self, value: Any, path: Path) -> Any:
        if isinstance(value, str):
            return value.strip() if value.strip() else self.wrong(path, "the value is empty")
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, (bool, float)):
            return self.wrong(path, f"{_shown(value)} is no text; write it in quotes if it is meant as text")
        return self.wrong(path, f"{_shown(value)} stands where text is expected")

    def _word(self, kind: str, text: str, path: Path) -> Any:
        check = self._checks.get(kind)
        if check is not None:
            try:
                check(text)
            except MacliError as error:
                return self.wrong(path, error.message, error.hint)
        self.mentions.append(Mention(kind=kind, text=text, path=path))
        return text


def title(kind: type[Any]) -> str:
    """What a dataclass is called in messages: its word in files, else its name."""
    return f"'{kind.word}'" if hasattr(kind, "word") else f"'{kind.__name__.lower()}'"


@lru_cache(maxsize=128)
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _required(field: "Field[Any]") -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _is_mapping(kind: Any) -> bool:
    return get_origin(kind) is Mapping or kind is Mapping


def _takes(kind: Any, value: Any) -> bool:
    """Whether ``value`` has the shape of ``kind``, whatever it says."""
    if is_dataclass(kind) or _is_mapping(kind):
        return isinstance(value, Mapping)
    if get_origin(kind) is tuple:
        return isinstance(value, list)
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if kind is bool:
        return isinstance(value, bool) or (isinstance(value, str) and value.lower() in _TRUTHS)
    if kind in (int, float):
        return isinstance(value, kind) and not isinstance(value, bool)
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))


def _keys(kind: type[Any]) -> str:
    names = [field.name for field in fields(kind)]
    return ", ".join([*names, *(getattr(kind, "nested", ()) if not hasattr(kind, "word") else ())])


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = str(value)
    return repr(text if len(text) <= 60 else f"{text[:59]}…") if isinstance(value, str) else text
