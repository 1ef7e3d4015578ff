"""What is wrong in a campaign's definition: where, and in words; all of it is told at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from macli.errors import UsageError

Path = tuple[str | int, ...]
"""The keys and indexes that lead to a value: ``("steps", 2, "send")``."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the values of a definition stand: lines of a file, or the paths alone."""

    file: str | None = None
    lines: Mapping[Path, int] = field(default_factory=dict)

    def name(self, path: Path) -> str:
        """``campaigns/welcome/campaign.yaml:14``, or ``steps[2].send`` where there is no file."""
        if self.file is None:
            return words(path)
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return f"{self.file}:{self.lines[path[:length]]}"
        return self.file

    def line(self, path: Path) -> int:
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 0


def words(path: Path) -> str:
    """A path as people write it; steps count from 1."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            text += f".{part}" if text else part
    return text or "the definition"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One mistake; ``path`` leads to it."""

    path: Path
    message: str
    hint: str | None = None


class BadDefinition(UsageError):
    """A definition with mistakes; the message holds a line for each of them."""

    def __init__(self, places: Places, problems: Sequence[Problem]) -> None:
        self.places = places
        self.problems = sorted(problems, key=lambda problem: places.line(problem.path))
        lines = [f"{places.name(problem.path)}: {problem.message}" for problem in self.problems]
        hints = dict.fromkeys(problem.hint for problem in self.problems if problem.hint)
        super().__init__("\n".join(lines), hint="\n  ".join(hints) or None)
