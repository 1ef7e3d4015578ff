"""The log: one line for each thing said and each command run, as text or as JSON."""

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_SECRET = re.compile(r"token|password|secret|api[-_]?key", re.IGNORECASE)
_REFERENCE = re.compile(r"(env|file|keyring):")


def without_secrets(args: Sequence[str]) -> list[str]:
    """A command line as it may be kept: a secret somebody typed is refused, and must not be in the log either."""
    return list(_shown(args))


def _shown(args: Sequence[str]) -> Iterator[str]:
    follows = False
    for word in args:
        name, sign, value = ("", "", word) if follows else word.partition("=")
        secret = follows or (bool(sign) and _SECRET.search(name) is not None)
        follows = not sign and word.startswith("-") and _SECRET.search(word) is not None
        yield f"{name}{sign}…" if secret and not _REFERENCE.match(value) else word


class Log:
    """Lines appended to ``file``, or to standard error where there is none.

    The file is opened for each line, so that it can be rotated while macli runs.
    """

    def __init__(self, file: Path | None, *, as_json: bool, now: Callable[[], datetime]) -> None:
        self.file = file
        self._as_json = as_json
        self._now = now

    def write(self, level: str, text: str, **more: Any) -> None:
        at = self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if self._as_json:
            line = json.dumps({"at": at, "level": level, "text": text, **more}, ensure_ascii=False, default=str)
        else:
            rest = " ".join(f"{name}={value}" for name, value in more.items() if name != "traceback")
            line = " ".join(filter(None, (at, level, text.replace("\n", " "), rest)))
            line = "\n".join(filter(None, (line, more.get("traceback"))))
        if self.file is None:
            print(line, file=sys.stderr)
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(line.rstrip("\n") + "\n")
