"""The bytes of an import: a file, or standard input put into one, with what one pass over them tells."""

import codecs
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from macli.errors import UsageError

_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Source:
    """``name`` is how people call it; ``lines`` how many line ends it has; ``digest`` what is in it."""

    path: Path
    name: str
    size: int
    lines: int
    digest: str
    is_utf8: bool
    spooled: bool

    def open(self) -> BinaryIO:
        return self.path.open("rb")


@contextmanager
def opened(given: str) -> Iterator[Source]:
    """The source a person named; ``-`` is standard input, which is read to its end first."""
    if given != "-" and Path(given).is_file():
        yield _measure(Path(given), Path(given).name, spooled=False)
        return
    if given != "-" and not Path(given).exists():
        raise UsageError(f"no file {given}")
    if given != "-" and Path(given).is_dir():
        raise UsageError(f"{given} is a directory")
    with tempfile.NamedTemporaryFile(prefix="macli-", suffix=".import") as spool:
        if given == "-":
            shutil.copyfileobj(sys.stdin.buffer, spool, _CHUNK)
        else:
            with Path(given).open("rb") as pipe:
                shutil.copyfileobj(pipe, spool, _CHUNK)
        spool.flush()
        yield _measure(Path(spool.name), "stdin" if given == "-" else Path(given).name, spooled=True)


def _measure(path: Path, name: str, *, spooled: bool) -> Source:
    digest, lines, size = hashlib.blake2b(digest_size=16), 0, 0
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8 = True
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            lines += chunk.count(b"\n")
            if is_utf8:
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    is_utf8 = False
    if is_utf8:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            is_utf8 = False
    return Source(
        path=path,
        name=name,
        size=size,
        lines=lines,
        digest=digest.hexdigest(),
        is_utf8=is_utf8,
        spooled=spooled,
    )
