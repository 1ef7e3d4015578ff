"""What a start may cost: commands import what they need, when they need it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Run

HEAVY = {
    "asyncio",
    "charset_normalizer",
    "css_inline",
    "email_validator",
    "html",
    "inscriptis",
    "jinja2",
    "lark",
    "logging",
    "markdown_it",
    "mjml",
    "numpy",
    "phonenumbers",
    "pydantic",
    "requests",
    "rich",
    "scipy",
    "smtplib",
    "sqlite_utils",
    "tabulate",
    "twilio",
    "urllib3",
    "uvloop",
    "yaml",
}

PROGRAM = """
import json, sys
from macli.cli import run
code = run(json.loads(sys.argv[1]))
print(json.dumps({"code": code, "modules": sorted(sys.modules)}), file=sys.stderr)
"""


def loaded(*args: str) -> set[str]:
    """The modules one command line loads, whole names and their first parts."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, json.dumps(args)], capture_output=True, text=True, check=True)
    said = json.loads(done.stderr.splitlines()[-1])
    assert said["code"] == 0, done.stderr
    return {name for module in said["modules"] for name in (module, module.split(".")[0])}


def test_help_knows_names_only() -> None:
    modules = loaded("--help")
    assert not modules & (HEAVY | {"sqlite3", "tomllib"})
    assert not {name for name in modules if name.startswith(("macli.commands.", "macli.store", "macli.rules"))}


def test_the_help_of_a_command_imports_that_command_alone() -> None:
    commands = {name for name in loaded("category", "--help") if name.startswith("macli.commands.")}
    assert commands == {"macli.commands.category", "macli.commands.options"}


@pytest.mark.parametrize(
    "args",
    [
        ("tick",),
        ("settings", "get", "timezone"),
        ("settings", "get", "sender.email"),
        ("category", "list", "--json"),
        ("contact", "list", "--json"),
        ("segment", "list", "--format", "csv"),
        ("campaign", "list", "--json"),
    ],
    ids=" ".join,
)
def test_a_plain_command_loads_nothing_heavy(macli: Run, workspace: Path, args: tuple[str, ...]) -> None:
    macli("settings", "set", "sender.email", "news@example.com")
    assert not loaded(*args) & HEAVY


def test_a_plain_table_loads_tabulate_and_no_rich(workspace: Path) -> None:
    assert not loaded("category", "list") & (HEAVY - {"tabulate", "html"})
