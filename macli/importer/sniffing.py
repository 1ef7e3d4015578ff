"""What kind of file it is: its encoding, whether CSV or JSON, and what stands between its cells."""

import codecs
import csv
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from macli.errors import UsageError
from macli.importer import encodings
from macli.importer.source import Source

Kind = Literal["csv", "json", "ndjson"]

DELIMITERS = (",", ";", "\t", "|")
_HEAD = 256 * 1024
_ROWS = 200

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """``guessed`` is true where nothing in the file proves the encoding."""

    kind: Kind
    encoding: str
    guessed: bool = False
    delimiter: str = ","
    skip_lines: int = 0

    @property
    def description(self) -> str:
        """The shape in a person's words."""
        kinds = {"json": "JSON", "ndjson": "JSON, one object a line"}
        marks = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
        kind = kinds.get(self.kind) or f"CSV with {marks[self.delimiter]}"
        sure = ", by guess: --encoding NAME says otherwise" if self.guessed else ""
        return f"{kind}, {self.encoding}{sure}"


def sniff(source: Source, encoding: str | None = None) -> Shape:
    """The shape of the source. Raises UsageError where it is empty or no text."""
    with source.open() as handle:
        head = handle.read(_HEAD)
    if not head.strip(b" \t\r\n\0\xef\xbb\xbf\xff\xfe"):
        raise UsageError(f"{source.name} is empty")
    named, guessed = _encoding(source, head, encoding)
    text = codecs.getincrementaldecoder(named)(errors="replace").decode(head)
    kind = _kind(source.name, text.lstrip())
    if kind != "csv":
        return Shape(kind=kind, encoding=named, guessed=guessed)
    first, _, rest = text.partition("\n")
    if first.strip().lower() in ("sep=,", "sep=;", "sep=\t", "sep=|") and rest:
        # Excel's own word for the delimiter, on a line before the header.
        return Shape(kind=kind, encoding=named, guessed=guessed, delimiter=first.strip("\r\n")[-1], skip_lines=1)
    return Shape(kind=kind, encoding=named, guessed=guessed, delimiter=_delimiter(source.name, text))


def _encoding(source: Source, head: bytes, given: str | None) -> tuple[str, bool]:
    if given is not None:
        try:
            return codecs.lookup(given).name, False
        except LookupError:
            raise UsageError(f"no encoding named {given!r}", hint="for example utf-8, cp1252, cp1250") from None
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name, False
    if b"\0" in head[:1000]:
        # Text has a letter in one half of each UTF-16 unit; a stray NUL in UTF-8 leaves both halves full.
        even, odd = head[0:1000:2].count(0), head[1:1000:2].count(0)
        half = len(head[:1000]) // 2
        if odd > half * 0.4 > even:
            return "utf-16-le", False
        if even > half * 0.4 > odd:
            return "utf-16-be", False
    if source.is_utf8:
        return "utf-8", False
    return _guess(source), True


def _guess(source: Source) -> str:
    """An eight-bit encoding, judged by the lines that hold more than ASCII."""
    telling: list[bytes] = []
    with source.open() as handle:
        for line in handle:
            if not line.isascii():
                telling.append(line[:2000])
                if len(telling) >= _ROWS:
                    break
    return encodings.guess(b"".join(telling))


def _kind(name: str, text: str) -> Kind:
    suffix = name.lower().rpartition(".")[2]
    if suffix in ("ndjson", "jsonl"):
        return "ndjson"
    if suffix == "json":
        return "json"
    if suffix in ("csv", "tsv", "tab", "txt"):
        return "csv"
    if text.startswith("{"):
        return "ndjson"
    return "json" if text.startswith("[") else "csv"


def _delimiter(name: str, text: str) -> str:
    """The delimiter that gives most of the first rows the header's number of cells, the more the better."""
    if name.lower().endswith((".tsv", ".tab")) and "\t" in text.partition("\n")[0]:
        return "\t"
    lines = text.splitlines(keepends=True)
    if len(text) >= _HEAD // 4:
        lines = lines[:-1] or lines
    best, best_score = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        widths = _widths(lines, delimiter)
        if not widths or widths[0] < 2:
            continue
        same = Counter(widths)[widths[0]] / len(widths)
        score = (round(same, 2), widths[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _widths(lines: list[str], delimiter: str) -> list[int]:
    widths: list[int] = []
    try:
        for row in csv.reader(lines, delimiter=delimiter):
            if row:
                widths.append(len(row))
                if len(widths) >= _ROWS:
                    break
    except csv.Error:
        pass
    return widths
