"""The log: one line for each thing said and each command run, as text or as JSON."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


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
