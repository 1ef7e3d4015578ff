"""The stage of the demo: words for the reader, and macli's own commands run as a person would type them."""

import json
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime
from io import StringIO
from typing import Any, NoReturn, TextIO

from macli.context import Macli
from macli.errors import OperationFailed

Line = Callable[..., int]
"""What runs a command line: ``line(args, macli=run)`` is its exit code."""

WIDTH = 96


class Stage:
    """Where the demo is told. ``now`` is what every command takes the time to be."""

    def __init__(self, line: Line, *, now: datetime, color: bool = True) -> None:
        from rich.console import Console

        self.now = now
        self._line = line
        self._color = color
        self._acts = 0
        self._title = ""
        self._silent = False
        self._console = Console(no_color=not color or None, highlight=False, soft_wrap=True)

    def act(self, title: str, why: str) -> None:
        """Begin an act: its number, its name and why it matters."""
        self._acts += 1
        self._title = title
        self.write(f"\n━━ {self._acts} · {title}", style="bold magenta")
        self.tell(why)

    def end(self, title: str, lines: Sequence[tuple[str, str]]) -> None:
        """What the reader may type next, and what for."""
        self.write(f"\n━━ {title}", style="bold magenta")
        from rich.text import Text

        for command, meaning in lines:
            self._console.print(Text.assemble((command.ljust(40), "bold cyan"), f"  # {meaning}"))

    @property
    def watched(self) -> bool:
        """Whether a person sits before it and can end it."""
        return sys.stdin.isatty() and sys.stdout.isatty()

    def yaml(self, text: str) -> None:
        """A piece of YAML, in colours where there are any."""
        if not self._console.is_terminal or self._console.no_color:
            self.write(text)
            return
        from rich.syntax import Syntax

        self._console.print(Syntax(text, "yaml", theme="ansi_dark", background_color="default"))

    def day(self, title: str) -> None:
        self.write(f"\n── {title} ──", style="yellow")

    def tell(self, words: str) -> None:
        """A paragraph for the reader."""
        from textwrap import fill

        width = min(WIDTH, self._console.width) if self._console.is_terminal else WIDTH
        self.write(fill(words, width, break_on_hyphens=False))

    def write(self, text: str = "", *, style: str = "") -> None:
        from rich.text import Text

        self._silent = False
        self._console.print(Text(text, style=style))

    def typed(self, *words: str) -> None:
        """A line as it stands after the prompt."""
        self.write(f"{'' if self._silent else chr(10)}$ {' '.join(map(quoted, words))}", style="bold cyan")

    def macli(self, *args: str, code: int = 0, first: int | None = None, last: int = 0) -> str:
        """Run a command and show it; of a long output the first and the last lines. What it wrote.

        ``first=0`` without ``last`` shows the command alone. Raises OperationFailed where it ends
        otherwise than by ``code``.
        """
        self.typed("macli", *args)
        ended, wrote = self._run(args)
        self._expect(args, ended, code, wrote)
        self._silent = first == 0 and last == 0
        if not self._silent:
            sys.stdout.write(shortened(wrote, first, last))
            sys.stdout.flush()
        return wrote

    def ask(self, *args: str) -> Any:
        """What a command answers a program: its JSON. Nothing is shown."""
        ended, wrote = self._run((*args, "--json"))
        self._expect(args, ended, 0, wrote)
        return json.loads(wrote)

    def quietly(self, *args: str) -> None:
        """Run a command and show nothing of it."""
        ended, wrote = self._run((*args, "--quiet"))
        self._expect(args, ended, 0, wrote)

    def rows(self, rows: Sequence[Mapping[str, Any]], title: str | None = None) -> None:
        """A table, as macli's commands write theirs."""
        macli = Macli(clock=lambda: self.now)
        macli.no_color = not self._color
        macli.out.rows(rows, title=title)

    def _run(self, args: Sequence[str]) -> tuple[int, str]:
        screen = _Screen(sys.stdout)
        macli = Macli(clock=lambda: self.now).as_operator()
        macli.no_color = not self._color
        with redirect_stdout(screen), redirect_stderr(_Beside(screen)):
            ended = self._line(args, macli=macli)
        if ended == 130:
            raise KeyboardInterrupt
        return ended, screen.getvalue()

    def _expect(self, args: Sequence[str], ended: int, code: int, wrote: str) -> None:
        if ended != code:
            words = " ".join(map(quoted, args))
            self.fail(f"macli {words} ended with {ended}, not {code}", hint=wrote.strip() or None)

    def fail(self, why: str, hint: str | None = None) -> NoReturn:
        """End the demo: something is not as it was told. Raises OperationFailed."""
        raise OperationFailed(f"the act {self._title!r} failed: {why}", hint=hint)


class _Screen(StringIO):
    """Keeps what is written, and is a terminal where the real one is."""

    def __init__(self, real: TextIO) -> None:
        super().__init__()
        self._real = real

    def isatty(self) -> bool:
        return self._real.isatty()


class _Beside(StringIO):
    """Standard error beside a screen, in the order of writing; no terminal, so that nobody is asked."""

    def __init__(self, screen: _Screen) -> None:
        super().__init__()
        self._screen = screen

    def write(self, text: str) -> int:
        return self._screen.write(text)


def quoted(word: str) -> str:
    """A word as people quote it: in double quotes where that is enough."""
    if re.fullmatch(r"[\w@%+=:,./-]+", word):
        return word
    return shlex.quote(word) if re.search(r'["$`!\\]', word) else f'"{word}"'


def shortened(text: str, first: int | None, last: int = 0) -> str:
    """The first and the last lines of a text, and how many are left out between them."""
    lines = text.splitlines(keepends=True)
    left_out = 0 if first is None else len(lines) - first - last
    if first is None or left_out < 2:
        return text
    return "".join((*lines[:first], f"… {left_out} lines more …\n", *lines[len(lines) - last :]))
