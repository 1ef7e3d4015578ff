"""Records as JSON and CSV: what programs read, and what a spreadsheet must not run."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from macli.clock import iso

Value = Any


class Record(Protocol):
    """A mapping or an sqlite3.Row."""

    def keys(self) -> Iterable[str]: ...

    def __getitem__(self, key: str, /) -> Any: ...


def is_time(column: str) -> bool:
    """Whether integers of that name are stored times."""
    return column == "at" or column.endswith("_at")


def member(record: Record, name: str) -> Value:
    """A member by name, None where the record has none (an sqlite3.Row raises IndexError)."""
    try:
        return record[name]
    except (KeyError, IndexError):
        return None


def members(record: Record, names: Sequence[str]) -> dict[str, Value]:
    """The named members as a program reads them: times as ISO 8601 in UTC."""
    return {name: _machine(member(record, name), name) for name in names}


def _machine(value: Value, name: str) -> Value:
    if value is None or isinstance(value, (str, bool, float)):
        return value
    if isinstance(value, int):
        return iso(value) if is_time(name) else value
    if isinstance(value, Mapping):
        return {key: _machine(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_machine(inner, name) for inner in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value


def json_text(value: Value, *, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=str)


def csv_rows(rows: Iterable[Record], columns: Sequence[str]) -> Iterator[str]:
    """RFC 4180 lines, the heading first."""
    import csv
    from io import StringIO

    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([csv_cell(column) for column in columns])
    for row in rows:
        values = members(row, columns)
        writer.writerow([csv_cell(value) for value in values.values()])
        if buffer.tell() > 65_536:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def csv_cell(value: Value) -> str:
    """A value as text that no spreadsheet takes for a formula; numbers and phone numbers stay.

    An import takes the apostrophe off again, so one that was there gets another.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value if isinstance(value, str) else json_text(value)
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def printable(text: str) -> str:
    """Text that moves no cursor, sets no colour and turns no line around on a terminal."""
    return text if text.isprintable() else _UNSAFE.sub(_picture, text)


_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"
