"""Records out of a file, one after another in flat memory, each with the line it begins on."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from macli.errors import UsageError
from macli.importer.sniffing import Shape
from macli.importer.source import Source
from macli.model import AttributeType
from macli.store.attributes import infer

Cells = list[str]
_LONGEST_FIELD = 16 << 20
_LONGEST_RECORD = 16 << 20
_CHUNK = 1 << 16
_MOST_COLUMNS = 2000
_HEADS = 1000
_SAMPLE = 10_000
_HEAVIEST_SAMPLE = 16 << 20
_CELL = 57
"""What a text costs in memory beside its letters."""


class Unreadable(str):
    """Why a record could not be read; it stands where its cells would."""


Record = tuple[int, Cells | Unreadable]


@dataclass(frozen=True, kw_only=True)
class Content:
    """The header of a file, a sample of its rows, and the types the file itself declares (JSON)."""

    header: tuple[str, ...]
    sample: list[Cells] = field(repr=False)
    types: dict[str, AttributeType] = field(default_factory=dict)
    headless: bool = False


def records(source: Source, shape: Shape, content: Content) -> Iterator[Record]:
    """Every record behind the header. A blank line is none."""
    if shape.kind == "csv":
        rows = _csv_records(source, shape)
        if not content.headless:
            next(rows)
        return rows
    return _json_records(source, shape, content.header)


def look(source: Source, shape: Shape) -> Content:
    """The header and a sample. Raises UsageError where there is no header to be found."""
    return _look_at_csv(source, shape) if shape.kind == "csv" else _look_at_json(source, shape)


# CSV


def _csv_records(source: Source, shape: Shape) -> Iterator[Record]:
    csv.field_size_limit(_LONGEST_FIELD)
    with io.TextIOWrapper(source.open(), shape.encoding, "surrogateescape", newline="") as text:
        for _ in range(shape.skip_lines):
            text.readline()
        reader = csv.reader(text, delimiter=shape.delimiter)
        skipped = shape.skip_lines
        line = skipped + 1
        while True:
            try:
                for row in reader:
                    if row:
                        yield line, row
                    line = reader.line_num + skipped + 1
                return
            except UnicodeDecodeError as error:
                raise _undecodable(source, shape, error) from None
            except csv.Error as error:
                yield line, Unreadable(f"it is no CSV: {error}")
                line = reader.line_num + skipped + 1


def _look_at_csv(source: Source, shape: Shape) -> Content:
    rows = _csv_records(source, shape)
    _, header = next(rows, (0, Unreadable("it is empty")))
    if isinstance(header, Unreadable):
        raise UsageError(f"{source.name}: the first line cannot be read: {header}")
    names = tuple(cell.strip() for cell in header)
    if len(names) > _MOST_COLUMNS:
        raise UsageError(f"{source.name} has {len(names)} columns, more than {_MOST_COLUMNS}")
    headless = any(_is_address(name) for name in names)
    if headless and len(names) > 1:
        raise UsageError(
            f"{source.name} has no header: its first line holds an e-mail address",
            hint="add a first line that names the columns, for example: email,first_name,country",
        )
    sample, held = [] if not headless else [header], 0
    for _, cells in rows:
        if not isinstance(cells, Unreadable) and len(cells) == len(names):
            sample.append(cells)
            held += sum(map(len, cells)) + _CELL * len(cells)
            if len(sample) >= _SAMPLE or held > _HEAVIEST_SAMPLE:
                break
    return Content(header=("email",) if headless else names, sample=sample, headless=headless)


def _is_address(text: str) -> bool:
    from macli.address import BadAddress, normalise_email

    try:
        return bool(normalise_email(text)) if "@" in text else False
    except BadAddress:
        return False


# JSON


def _json_records(source: Source, shape: Shape, header: tuple[str, ...]) -> Iterator[Record]:
    places = {name: place for place, name in enumerate(header)}
    for line, member in _json_values(source, shape):
        if isinstance(member, Unreadable):
            yield line, member
            continue
        cells = [""] * len(header)
        for name, value in member.items():
            text = _cell(value)
            if text is None:
                yield line, Unreadable(f"its {name} is a JSON {_name_of(value)}, no single value")
                break
            cells[places[name]] = text
        else:
            yield line, cells


def _look_at_json(source: Source, shape: Shape) -> Content:
    """Every record is looked at: each may have members the others have not."""
    kinds: dict[str, set[AttributeType]] = {}
    heads: list[dict[str, Any]] = []
    for _, member in _json_values(source, shape):
        if isinstance(member, Unreadable):
            continue
        if len(heads) < _HEADS:
            heads.append(member)
        for name, value in member.items():
            if name not in kinds:
                if len(kinds) >= _MOST_COLUMNS:
                    raise UsageError(f"{source.name} has more than {_MOST_COLUMNS} different members")
                kinds[name] = set()
            if value is not None and value != "" and "text" not in kinds[name]:
                kinds[name].add(_json_type(value))
    if not kinds:
        raise UsageError(
            f"{source.name} holds no JSON objects", hint="one object a contact, in an array or a line each"
        )
    header = tuple(kinds)
    sample = [[_cell(member.get(name)) or "" for name in header] for member in heads]
    types: dict[str, AttributeType] = {
        name: next(iter(found)) if len(found) == 1 else "text" for name, found in kinds.items()
    }
    return Content(header=header, sample=sample, types=types)


def _json_type(value: object) -> AttributeType:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return "date" if isinstance(value, str) and infer((value,)) == "date" else "text"


def _cell(value: object) -> str | None:
    """A JSON value as a cell; None where it is an object, or a list of anything but texts."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join(value) if all(isinstance(part, str) for part in value) else None
    return None if isinstance(value, dict) else json.dumps(value)


def _name_of(value: object) -> str:
    return "object" if isinstance(value, dict) else "list"


def _json_values(source: Source, shape: Shape) -> Iterator[tuple[int, dict[str, Any] | Unreadable]]:
    with io.TextIOWrapper(source.open(), shape.encoding, "surrogateescape") as text:
        try:
            yield from _by_line(text) if shape.kind == "ndjson" else _in_stream(text, source.name)
        except UnicodeDecodeError as error:
            raise _undecodable(source, shape, error) from None


def _undecodable(source: Source, shape: Shape, error: UnicodeDecodeError) -> UsageError:
    return UsageError(
        f"{source.name} is no {shape.encoding} text: {error.reason}", hint="say what it is: --encoding NAME"
    )


def _by_line(text: io.TextIOWrapper) -> Iterator[tuple[int, dict[str, Any] | Unreadable]]:
    for line, written in enumerate(text, start=1):
        if written.isspace():
            continue
        try:
            yield line, _object(json.loads(written))
        except (ValueError, RecursionError) as error:
            yield line, Unreadable(f"it is no JSON: {error}")


def _in_stream(text: io.TextIOWrapper, name: str) -> Iterator[tuple[int, dict[str, Any] | Unreadable]]:
    """The objects of an array, or one behind the other, however long the file is."""
    decode = json.JSONDecoder().raw_decode
    held, place, line, started, ended, array = "", 0, 1, False, False, False
    wanted = _CHUNK
    while True:
        start = place
        while place < len(held) and held[place] in " \t\r\n,":
            place += 1
        if not started and place < len(held):
            started, array = True, held[place] == "["
            place += array
            continue
        line += held.count("\n", start, place)
        if place < len(held) and held[place] == "]":
            return
        if place < len(held):
            try:
                value, behind = decode(held, place)
                # A number or a word at the very end may go on in what is not read yet.
                if behind < len(held) or ended:
                    yield line, _object(value)
                    line += held.count("\n", place, behind)
                    place, wanted = behind, _CHUNK
                    continue
            except (ValueError, RecursionError) as error:
                if ended or len(held) - place > _LONGEST_RECORD:
                    raise UsageError(f"{name}, line {line}: it is no JSON: {error}") from None
        if ended and array:
            raise UsageError(f"{name}, line {line}: the array has no end: the file was cut off")
        if ended:
            return
        more = text.read(wanted)
        wanted *= 2  # an object longer than what is held is not parsed again for every little piece
        ended = not more
        held, place = held[place:] + more, 0


def _object(value: Any) -> dict[str, Any] | Unreadable:
    return value if isinstance(value, dict) else Unreadable("it is no JSON object")
