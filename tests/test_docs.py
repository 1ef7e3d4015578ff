"""The documents are true: their commands run, their links lead somewhere, their generated pages are current.

In a ``console`` block a line that starts with ``$ `` is a command, run by bash, and has to end with exit
code 0; what follows it is what it prints, where ``…`` stands for anything. A comment
``<!-- file: NAME -->`` before a block writes the block to that file; ``<!-- not run -->`` leaves it out.
A page begins in an empty directory, to which the names of files are relative, and keeps it to its end.
"""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
RUN = [page for page in PAGES if "```console" in page.read_text("utf-8")]

_BLOCK = re.compile(r"(?:<!-- (?P<note>[^>]*?) -->\n+)?^```(?P<kind>\w*)[^\n]*\n(?P<body>.*?)^```$", re.S | re.M)


@dataclass(frozen=True, kw_only=True)
class Step:
    """A file to write, or a command with what it prints."""

    file: str | None = None
    text: str = ""
    command: str = ""
    prints: str = ""


def steps(page: Path) -> Iterator[Step]:
    for block in _BLOCK.finditer(page.read_text("utf-8")):
        note = block["note"] or ""
        if note.startswith("file: "):
            yield Step(file=note.removeprefix("file: "), text=block["body"])
        elif block["kind"] == "console" and note != "not run":
            for part in re.split(r"^\$ ", block["body"], flags=re.M)[1:]:
                lines = part.split("\n")
                count = 1
                while lines[count - 1].endswith("\\"):
                    count += 1
                yield Step(command="\n".join(lines[:count]), prints="\n".join(lines[count:]).strip())


def run(command: str, folder: Path, note: Path) -> tuple[int, str, Path]:
    """What a command printed, and the directory it left the shell in, which goes through ``note``."""
    done = subprocess.run(
        ["bash", "-c", f'{command}\ncode=$?; pwd >"$LEFT_IN"; exit $code'],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LEFT_IN": str(note),
            "TZ": "UTC",
            "COLUMNS": "120",
            "MACLI_NOW": "2026-03-04T12:00:00Z",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout.strip(), Path(note.read_text().strip())


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_of_a_page_run_and_print_what_it_says(page: Path, tmp_path: Path) -> None:
    folder = start = tmp_path / "page"
    folder.mkdir()
    for step in steps(page):
        if step.file is not None:
            (start / step.file).parent.mkdir(parents=True, exist_ok=True)
            (start / step.file).write_text(step.text, "utf-8")
            continue
        code, printed, folder = run(step.command, folder, tmp_path / "left-in")
        assert code == 0, f"{page.name}: $ {step.command}\nexit code {code}\n{printed}"
        if step.prints:
            pattern = ".*".join(re.escape(part) for part in step.prints.split("…"))
            assert re.fullmatch(pattern, printed, re.S), (
                f"{page.name}: $ {step.command}\nprints:\n{printed}\nand not:\n{step.prints}"
            )


def generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", generator().PAGES)
def test_a_generated_page_is_current(page: str) -> None:
    written = (ROOT / "docs" / page).read_text("utf-8")
    assert written == generator().PAGES[page](), "make docs writes the generated pages again"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http://", "https://", "mailto:", "#")):
            assert (page.parent / target.split("#")[0]).exists(), f"{page.name} links to {target}"


def test_every_page_is_reached_from_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        place = page.relative_to(ROOT / "docs").as_posix()
        assert place == "README.md" or f"({place})" in index, f"docs/README.md does not name {place}"


def test_no_page_promises_what_is_not_there() -> None:
    """A command named in running text exists."""
    from macli.cli import COMMANDS

    names = {name for section in COMMANDS.values() for name in section}
    for page in PAGES:
        for name in re.findall(r"`macli ([a-z]+)[ `]", page.read_text("utf-8")):
            assert name in names, f"{page.name} names macli {name}"
