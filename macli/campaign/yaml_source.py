"""Campaign files: YAML read as plain values, with the line on which each of them stands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

from macli.campaign.problems import BadDefinition, Path, Places, Problem

LARGEST = 1_000_000
"""Bytes; a definition is written by people."""
MOST_VALUES = 50_000
"""Values after aliases are followed: a few nested aliases could ask for billions."""

_TAG = "tag:yaml.org,2002:"
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_FRACTION = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+([eE][-+]?[0-9]+)?\Z")
_RESOLVERS = (
    # Numbers as people mean them: 0800, +48 and 09:00 are text, and so are dates, yes, no and on.
    ("int", _NUMBER, "-0123456789"),
    ("float", _FRACTION, "-0123456789"),
    ("bool", re.compile(r"(true|True|TRUE|false|False|FALSE)\Z"), "tTfF"),
    ("null", re.compile(r"(~|null|Null|NULL|)\Z"), "~nN\0"),
)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file's values and where they stand."""

    value: Any
    places: Places


def read(file: File, shown: str | None = None) -> Source:
    """The values of ``file``, named ``shown`` in messages. Raises BadDefinition."""
    name = shown or str(file)
    try:
        size = file.stat().st_size
        content = file.read_bytes() if size <= LARGEST else b""
    except OSError as error:
        raise BadDefinition(Places(file=name), [Problem(path=(), message=str(error.strerror))]) from None
    if size > LARGEST:
        message = f"the file has {size} bytes; a definition has at most {LARGEST}"
        raise BadDefinition(Places(file=name), [Problem(path=(), message=message)])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        places = Places(file=name, lines={(): line})
        raise BadDefinition(places, [Problem(path=(), message="this is not UTF-8 text")]) from None
    return parse(text, name)


def parse(text: str, name: str) -> Source:
    """The values of a YAML text, named ``name`` in messages. Raises BadDefinition."""
    import yaml

    try:
        loader = _loader_class()(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        lines: dict[Path, int] = {(): mark.line + 1} if mark is not None else {}
        message = " ".join(part for part in (error.context, error.problem) if part)
        raise BadDefinition(
            Places(file=name, lines=lines), [Problem(path=(), message=message or "this is no YAML")]
        ) from None
    except yaml.YAMLError as error:
        message = str(error).splitlines()[0]
        raise BadDefinition(Places(file=name), [Problem(path=(), message=message)]) from None
    reading = _Reading()
    value = reading.value(node, ()) if node is not None else None
    places = Places(file=name, lines=reading.lines)
    if reading.problems:
        raise BadDefinition(places, reading.problems)
    return Source(value=value, places=places)


def _loader_class() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML with the four implicit types of JSON, and none of YAML 1.1's surprises."""

        yaml_implicit_resolvers: dict[str, list[tuple[str, Any]]] = {}  # noqa: RUF012

    for kind, pattern, first in _RESOLVERS:
        Loader.add_implicit_resolver(f"{_TAG}{kind}", pattern, [*first.replace("\0", ""), *("\0" in first) * [""]])
    return Loader


class _Reading:
    """One file's nodes turned into values, the lines remembered."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        self._open: set[int] = set()
        self._values = 0

    def value(self, node: Any, path: Path) -> Any:
        import yaml

        self.lines.setdefault(path, node.start_mark.line + 1)
        self._values += 1
        if self._values == MOST_VALUES:
            self._wrong(path, f"the file has more than {MOST_VALUES} values, its aliases counted")
        if self._values >= MOST_VALUES:
            return None
        if id(node) in self._open:
            return self._wrong(path, "this refers to itself")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
                return dict(self._entries(node, path))
            if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
                return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
            if isinstance(node, yaml.ScalarNode):
                return self._scalar(node, path)
        finally:
            self._open.discard(id(node))
        return self._wrong(path, f"the tag {_short(node.tag)} has no place here")

    def _entries(self, node: Any, path: Path) -> Iterator[tuple[str, Any]]:
        import yaml

        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._wrong((*path, "?"), "a key is a word", key)
                continue
            name = str(key.value)
            entry = (*path, name)
            if name in seen:
                self._wrong((*entry, "again"), f"the key {name!r} is here twice", key)
                continue
            seen.add(name)
            self.lines[entry] = key.start_mark.line + 1
            yield name, self.value(value, entry)

    def _scalar(self, node: Any, path: Path) -> Any:
        tag, text = node.tag, node.value
        if tag == f"{_TAG}str":
            return text
        if tag == f"{_TAG}int" and _NUMBER.match(text) and len(text) < 20:
            return int(text)
        if tag == f"{_TAG}float" and (_FRACTION.match(text) or _NUMBER.match(text)):
            return float(text)
        if tag == f"{_TAG}bool" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if tag == f"{_TAG}null":
            return None
        return self._wrong(path, f"{text!r} has no place here as {_short(tag)}")

    def _wrong(self, path: Path, message: str, node: Any = None) -> None:
        if node is not None:
            self.lines[path] = node.start_mark.line + 1
        self.problems.append(Problem(path=path, message=message))


def _short(tag: str) -> str:
    return f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag


def write(value: Any) -> str:
    """Plain values as YAML text that ``parse`` reads back as the same values, in the same order."""
    import yaml

    class Dumper(yaml.SafeDumper):
        yaml_implicit_resolvers: dict[str, list[tuple[str, Any]]] = {}  # noqa: RUF012

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
            return super().increase_indent(flow, False)

        def ignore_aliases(self, data: Any) -> bool:
            return True

    # What other YAML readers take for a time or a truth value is put in quotes, here it needs none.
    Dumper.yaml_implicit_resolvers = {
        first: list(found) for first, found in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }
    for kind, pattern, first in _RESOLVERS:
        Dumper.add_implicit_resolver(f"{_TAG}{kind}", pattern, [*first.replace("\0", "")])
    Dumper.add_representer(str, _represent_text)
    return yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)


def _represent_text(dumper: Any, text: str) -> Any:
    style = "|" if "\n" in text and not text.endswith("\n\n") and " \n" not in text else None
    return dumper.represent_scalar(f"{_TAG}str", text, style=style)
