"""Mail in files: one message, an mbox, a Maildir that is read once or again and again."""

import sys
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

from macli.errors import OperationFailed, Unreachable, UsageError
from macli.mailbox.batch import Batch
from macli.mailbox.mime import LONGEST
from macli.mailbox.settings import Maildir
from macli.model import Check

CHUNK = 100

_OVERLAP_NS = 3600 * 10**9
"""A message may appear so long after the time its file bears: it was being written meanwhile."""


def messages(path: str) -> Iterator[bytes]:
    """The messages at a path: a file of one, an mbox, a Maildir; ``-`` is one on standard input."""
    if path == "-":
        yield _without_from_line(sys.stdin.buffer.read(LONGEST))
        return
    place = Path(path)
    if place.is_dir():
        if not (place / "new").is_dir() and not (place / "cur").is_dir():
            raise UsageError(f"{path} is no Maildir: it has neither new nor cur")
        for file in sorted(_files(place)):
            yield _head(file)
    elif not place.exists():
        raise UsageError(f"there is no {path}", hint="macli mail ingest FILE, or - for standard input")
    else:
        with place.open("rb") as opened:
            many = opened.read(5) == b"From "
        if many:
            yield from _mbox(place)
        else:
            yield _head(place)


def batches(settings: Maildir, cursor: Mapping[str, Any], *, most: int) -> Generator[Batch, None, None]:
    """The messages of a Maildir that came since the cursor, oldest first, at most so many. Raises Unreachable."""
    newest, seen = int(cursor.get("newest", 0)), set(cursor.get("seen", ()))
    try:
        dated = sorted((file.stat().st_mtime_ns, file.name, file) for file in _files(settings.path, expect=True))
    except OSError as error:
        raise Unreachable(f"{settings.path}: {error.strerror}") from None
    dated = [one for one in dated if one[0] > newest - _OVERLAP_NS]
    fresh = [one for one in dated if _unique(one[1]) not in seen][:most]
    for start in range(0, len(fresh), CHUNK):
        chunk = fresh[start : start + CHUNK]
        newest = max(newest, chunk[-1][0])
        seen |= {_unique(name) for _, name, _ in chunk}
        seen &= {_unique(name) for at, name, _ in dated if at > newest - _OVERLAP_NS}
        yield Batch(
            messages=[_head(file) for _, _, file in chunk if file.exists()],
            cursor={"newest": newest, "seen": sorted(seen)},
            tidy=lambda chunk=chunk: _tidy(settings, [file for _, _, file in chunk]),  # type: ignore[misc]
        )


def check(settings: Maildir) -> list[Check]:
    """Whether the Maildir is there and can be read."""
    try:
        count = sum(1 for _ in _files(settings.path, expect=True))
    except (OSError, Unreachable) as error:
        return [Check(step="folder", ok=False, detail=str(error))]
    return [Check(step="folder", ok=True, detail=f"{settings.path}: {count} messages")]


def _files(place: Path, *, expect: bool = False) -> Iterator[Path]:
    if expect and not (place / "new").is_dir():
        raise Unreachable(f"{place} is no Maildir: it has no new")
    for folder in (place / "new", place / "cur"):
        if folder.is_dir():
            yield from (file for file in folder.iterdir() if not file.name.startswith(".") and file.is_file())


def _unique(name: str) -> str:
    """A message's own part of its file's name: what stands behind the colon are its flags."""
    return name.partition(":")[0]


def _tidy(settings: Maildir, files: list[Path]) -> None:
    if settings.delete:
        for file in files:
            file.unlink(missing_ok=True)


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(LONGEST)


def _without_from_line(octets: bytes) -> bytes:
    """A message without the line a mail server puts before it when it hands it to a program."""
    if octets.startswith(b"From "):
        return octets.partition(b"\n")[2]
    if not octets.strip():
        raise OperationFailed("nothing came on standard input", hint="macli mail ingest - < message.eml")
    return octets


def _mbox(file: Path) -> Iterator[bytes]:
    """The messages of an mbox, in flat memory: each begins at a line ``From `` behind an empty one."""
    kept: list[bytes] = []
    size, empty_before = 0, True
    with file.open("rb") as opened:
        for line in opened:
            if empty_before and line.startswith(b"From "):
                if kept:
                    yield b"".join(kept)
                kept, size = [], 0
            elif size < LONGEST:
                kept.append(line[1:] if line.startswith(b">From ") else line)
                size += len(line)
            empty_before = not line.strip()
    if kept:
        yield b"".join(kept)
