"""What people and programs read: lines, rows in every shape, progress; the only module that prints."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from macli.clock import from_ms
from macli.errors import OperationFailed, UnknownName, UsageError
from macli.shapes import Record, csv_rows, is_time, json_text, member, members, printable

if TYPE_CHECKING:
    from rich.console import Console

    from macli.log import Log

SHAPES = ("table", "plain", "markdown", "csv", "json", "ndjson")
MACHINE_SHAPES = ("csv", "json", "ndjson")
VERDICTS = {"ok": "green", "warn": "yellow", "fail": "bold red"}
TABLE_ROWS = 10_000
"""A table is laid out in memory, so it ends here and says so; CSV and JSON stream without end."""
LONGEST_WORD = 30


class Share(float):
    """A part of a whole, 0 to 1: people read 8.5 %, programs the number."""


class Output:
    """Where a run writes. ``zone``, ``colors`` and ``log`` are asked only when something needs them."""

    def __init__(
        self,
        *,
        quiet: bool = False,
        color: bool = True,
        zone: Callable[[], ZoneInfo],
        colors: Callable[[], Mapping[str, str]] = dict,
        log: Callable[[], "Log | None"] = lambda: None,
        said: list[str] | None = None,
    ) -> None:
        self.quiet = quiet
        self.color = color
        self._zone = zone
        self._colors = colors
        self._log = log
        self._said = said

    def say(self, text: str, *, shape: str | None = None) -> None:
        """A line for people; nothing where a program reads or --quiet was asked."""
        if log := self._log():
            log.write("info", text)
        if self._said is not None:
            self._said.append(text)
        elif not self.quiet and shape not in MACHINE_SHAPES:
            # Who runs for long, into a file or a journal, is heard at once.
            print(printable(text), flush=True)

    def warn(self, text: str) -> None:
        """A line on standard error, whatever was asked."""
        if log := self._log():
            log.write("warning", text)
        print(f"macli: {printable(text)}", file=sys.stderr)

    def text(self, text: str) -> None:
        """What the command is for, whatever --quiet says: a value, a document, a rendered message."""
        print(text, end="" if text.endswith("\n") else "\n")

    def rows(
        self,
        rows: Iterable[Record],
        *,
        columns: Sequence[str] | None = None,
        shape: str | None = None,
        title: str | None = None,
    ) -> None:
        """Many records in the shape asked for. Without ``columns``, those of the first row."""
        shape = self._shape(shape)
        stream = iter(rows)
        if columns is None:
            first = next(stream, None)
            columns = () if first is None else tuple(first.keys())
            stream = stream if first is None else chain((first,), stream)
        if shape == "json":
            _write_array(stream, columns)
        elif shape == "ndjson":
            for row in stream:
                sys.stdout.write(json_text(members(row, columns)) + "\n")
        elif shape == "csv":
            for line in csv_rows(stream, columns):
                sys.stdout.write(line)
        else:
            self._table(stream, columns, shape, title)

    def record(self, record: Record, *, shape: str | None = None, title: str | None = None) -> None:
        """One record: for people its members below one another."""
        shape = self._shape(shape)
        names = tuple(record.keys())
        if shape in ("json", "ndjson"):
            sys.stdout.write(json_text(members(record, names), indent=2 if shape == "json" else None) + "\n")
            sys.stdout.flush()
        elif shape == "csv":
            self.rows((record,), columns=names, shape="csv")
        else:
            cells = [[name, self._cell(member(record, name), name)] for name in names]
            self._lay_out(cells, ("", "value"), ("left", "left"), shape, title, heads=False)

    def _shape(self, shape: str | None) -> str:
        if shape is None:
            return "table" if sys.stdout.isatty() else "plain"
        if shape not in SHAPES:
            raise UnknownName("format", shape, SHAPES, hint=f"one of {', '.join(SHAPES)}")
        if shape in MACHINE_SHAPES and hasattr(sys.stdout, "reconfigure"):
            # Programs read UTF-8 whatever the locale says, and \r\n only where the shape has it.
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", newline="")
        return shape

    def _table(self, rows: Iterator[Record], columns: Sequence[str], shape: str, title: str | None) -> None:
        values = [[member(row, column) for column in columns] for row in islice(rows, TABLE_ROWS)]
        sides = [
            "right" if any(_counts(row[place], name) for row in values) else "left"
            for place, name in enumerate(columns)
        ]
        cells = [[self._cell(value, name) for value, name in zip(row, columns, strict=True)] for row in values]
        if shape == "table" and cells:
            # A terminal is narrow: what no row has a value for is left out there.
            told = [place for place in range(len(columns)) if place == 0 or any(row[place] for row in cells)]
            columns, sides = [columns[place] for place in told], [sides[place] for place in told]
            cells = [[row[place] for place in told] for row in cells]
        self._lay_out(cells, columns, sides, shape, title)
        if next(rows, None) is not None:
            self.warn(f"the first {TABLE_ROWS} rows are shown; --format csv or ndjson writes them all")

    def _lay_out(
        self,
        cells: list[list[str]],
        columns: Sequence[str],
        sides: Sequence[str],
        shape: str,
        title: str | None,
        *,
        heads: bool = True,
    ) -> None:
        if shape == "table":
            self._rich(cells, columns, sides, title, heads=heads)
            return
        from tabulate import tabulate

        markdown = shape == "markdown"
        if markdown:
            cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in cells]
        if title and not self.quiet:
            print(f"### {title}\n" if markdown else title)
        table = tabulate(
            cells,
            headers=list(columns) if heads or markdown else (),
            tablefmt="github" if markdown else "plain",
            disable_numparse=True,
            colalign=sides if cells else None,
        )
        # Trailing blanks are padding for the eye and noise for `cut` and `diff`.
        print("\n".join(line.rstrip() for line in table.splitlines()))

    def _rich(
        self,
        cells: list[list[str]],
        columns: Sequence[str],
        sides: Sequence[str],
        title: str | None,
        *,
        heads: bool,
    ) -> None:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        console = Console(no_color=not self.color or None, highlight=False)
        if heads and _too_narrow(console.width, cells, columns):
            self._one_below_another(console, cells, columns, title)
            return
        table = Table(box=box.SIMPLE_HEAD if heads else None, show_header=heads, pad_edge=False)
        for place, (name, side) in enumerate(zip(columns, sides, strict=True)):
            head = name.removesuffix("_at").replace("_", " ")
            whole = place == 0 or _is_word([row[place] for row in cells])
            table.add_column(head, justify=side, overflow="fold", no_wrap=whole)  # type: ignore[arg-type]
        colored = [place for place, name in enumerate(columns) if name in ("category", "color", "verdict")]
        for row in cells:
            texts = [Text(cell) for cell in row]
            for place in colored:
                texts[place].stylize(self._style(row[place]))
            table.add_row(*texts)
        if title and not self.quiet:
            console.print(Text(title, style="bold"))
        console.print(table)

    def _one_below_another(
        self, console: "Console", cells: list[list[str]], columns: Sequence[str], title: str | None
    ) -> None:
        """Rows too wide for the terminal as records: each value on a line of its own."""
        from rich.text import Text

        heads = [name.removesuffix("_at").replace("_", " ") for name in columns]
        width = max(map(len, heads))
        if title and not self.quiet:
            console.print(Text(title, style="bold"))
        for row in cells:
            console.print(Text("─" * min(console.width, 40), style="dim"))
            for head, cell in zip(heads, row, strict=True):
                if cell:
                    console.print(Text(head.ljust(width + 2), style="dim") + Text(cell))

    def _style(self, word: str) -> str:
        """How a category's name, a colour's or a verdict looks."""
        from macli.colors import hexadecimal

        if word in VERDICTS:
            return VERDICTS[word]
        found = self._colors().get(word.casefold()) or hexadecimal(word)
        return found if found.startswith("#") else ""

    def _cell(self, value: Any, column: str) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, int) and is_time(column):
            return self.when(value)
        if isinstance(value, Share):
            return percent(value)
        if isinstance(value, float):
            # Twelve digits hide what floats are like; from a milliard on they would hide an amount's cents.
            return f"{value:.12g}" if abs(value) < 1e9 else f"{value:.15g}"
        if isinstance(value, (list, tuple)) and all(isinstance(word, (str, int)) for word in value):
            return printable(", ".join(map(str, value)))
        if isinstance(value, (Mapping, list, tuple)):
            return printable(json_text(value))
        return printable(str(value))

    def when(self, ms: int) -> str:
        """A stored time as a person here reads it."""
        return from_ms(ms).astimezone(self._zone()).strftime("%Y-%m-%d %H:%M:%S")

    @contextmanager
    def progress(self, label: str, total: int | None = None) -> Iterator["Progress"]:
        """How far a long command is: a bar on a terminal, silence elsewhere."""
        if self.quiet or not sys.stderr.isatty():
            yield Progress()
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        console = Console(stderr=True, no_color=not self.color or None)
        shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bar(*shown, console=console, transient=True) as bar:
            task = bar.add_task(label, total=total)
            yield Progress(lambda count: bar.advance(task, count))

    def confirm(self, question: str, *, yes: bool) -> None:
        """Go on where --yes was given or a person agrees.

        Raises UsageError where nobody can be asked, OperationFailed where the answer is no.
        """
        if yes:
            return
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError(f"nothing was done: this needs a yes: {question}", hint="add --yes to the same command")
        print(f"{printable(question)} [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise OperationFailed("nothing was done")

    def ask(self, question: str) -> str | None:
        """What a person answers; None where nobody can be asked, or nothing was answered."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return None
        print(f"{question} ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip() or None


def percent(share: float) -> str:
    """A share as people read it: ``8.5 %``."""
    return f"{round(100 * share, 1):g} %"


class Progress:
    """The hand on a progress bar."""

    def __init__(self, move: Callable[[int], None] = lambda count: None) -> None:
        self._move = move

    def advance(self, n: int = 1) -> None:
        self._move(n)


def _too_narrow(width: int, cells: list[list[str]], columns: Sequence[str]) -> bool:
    """Whether a table would fold its cells to shreds: a column needs its head, and its words or 12 characters."""
    wanted = []
    for place, name in enumerate(columns):
        column = [row[place] for row in cells]
        longest = max((len(word) for cell in column for word in cell.split(" ")), default=0)
        wanted.append(max(len(name.removesuffix("_at")), longest if _is_word(column) else min(12, longest)))
    return sum(wanted) + 3 * len(columns) - 1 > width


def _is_word(cells: list[str]) -> bool:
    """Whether a column has words, such as names and addresses, that are not folded: they are copied from there."""
    return all(len(cell) <= LONGEST_WORD and " " not in cell for cell in cells)


def _counts(value: Any, column: str) -> bool:
    """Whether a value is a quantity, which stands at the right of its column."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not is_time(column)


def _write_array(rows: Iterator[Record], columns: Sequence[str]) -> None:
    before = "["
    for row in rows:
        sys.stdout.write(f"{before}\n  {json_text(members(row, columns))}")
        before = ","
    sys.stdout.write("\n]\n" if before == "," else "[]\n")


@contextmanager
def into(file: Path | None) -> Iterator[None]:
    """What is printed in a block goes to a file, which has all of it or stays as it was; None is stdout."""
    if file is None:
        yield
        return
    aside = file.with_name(f".{file.name}.{os.getpid()}") if file.is_file() or not file.exists() else file
    try:
        with aside.open("w", encoding="utf-8", newline="") as opened, redirect_stdout(opened):
            yield
        if aside != file:
            aside.replace(file)
    finally:
        if aside != file:
            aside.unlink(missing_ok=True)
