"""The file of refused rows: the import's own header, with the line and the reason before it.

It can be mended and imported again. Its size is noted with each batch, so that an import that was
killed between writing here and committing there does not write a row twice.
"""

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from macli.errors import OperationFailed
from macli.shapes import csv_cell
from macli.store.attributes import LONGEST_TEXT

FIRST_COLUMNS = ("refused_line", "refused_because")
_SHOWN = 1000


@dataclass(frozen=True, kw_only=True)
class Refusal:
    line: int
    reason: str
    cells: Sequence[str]


def shortened(cells: Sequence[str]) -> tuple[str, ...]:
    """The cells of a refused row, without what nobody would mend by hand."""
    return tuple(cell if len(cell) <= LONGEST_TEXT else f"{cell[:_SHOWN]}…" for cell in cells)


def path_for(source: Path, name: str, *, spooled: bool) -> Path:
    """Where refusals go: beside the source where one can write there, else here; never over a file."""
    folder = Path.cwd() if spooled or not os.access(source.parent, os.W_OK) else source.parent
    path = folder / f"{name}.refused.csv"
    number = 2
    while path.exists():
        path, number = folder / f"{name}.refused-{number}.csv", number + 1
    return path


class Refusals:
    """``size`` is how much of the file counts; what is behind it is of a batch that never was."""

    def __init__(self, path: Path, header: Sequence[str], size: int) -> None:
        self.path = path
        self.size = size
        self._header = header

    def append(self, refused: Sequence[Refusal]) -> None:
        """Write a batch's refusals to the disk. Raises OperationFailed."""
        if not refused:
            return
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        if self.size == 0:
            writer.writerow((*FIRST_COLUMNS, *self._header))
        for one in refused:
            writer.writerow((one.line, one.reason, *(csv_cell(cell) for cell in one.cells)))
        written = text.getvalue().encode("utf-8", "backslashreplace")
        try:
            with self.path.open("r+b" if self.size else "wb") as handle:
                handle.truncate(self.size)
                handle.seek(self.size)
                handle.write(written)
                handle.flush()
                os.fsync(handle.fileno())
        except OSError as error:
            raise OperationFailed(f"the refused rows cannot be written to {self.path}: {error.strerror}") from None
        self.size += len(written)
