"""What the tests share: a store, a workspace, a way to run commands, and system packages."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest

from macli.store import Store, open_store

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)

PACKAGES = {
    "postfix": ("postfix", "/usr/sbin/smtp-sink"),
    "dovecot-imapd": ("doveconf", "/usr/sbin/dovecot"),
    "spamassassin": ("spamassassin",),
    "openssl": ("openssl",),
    "php-cli": ("php",),
    "ruby": ("ruby",),
    "chromium": ("/usr/bin/chromium",),
    "bash-completion": ("/usr/share/bash-completion/bash_completion",),
}
"""Debian packages tests need, and one file or command each brings."""

# What CI says of a change must not hang on its luck: there, the same examples every time. Anywhere
# else each run looks at new ones.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What one command line did."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    with open_store(tmp_path / "macli.db", create=True) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MACLI_WORKSPACE", "MACLI_NOW", "MACLI_USER", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, macli: Run) -> Path:
    """A fresh workspace, which is also the current directory."""
    ran = macli("init", str(tmp_path / "shop"))
    assert ran.code == 0, ran.err
    monkeypatch.chdir(tmp_path / "shop")
    return tmp_path / "shop"


@pytest.fixture
def macli(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line in this process: ``macli("segment", "list", stdin="…", at=NOW)``."""

    def call(*args: str, stdin: str | bytes | None = None, at: datetime | None = None) -> Ran:
        from macli.cli import run
        from macli.context import Macli

        capfd.readouterr()
        with monkeypatch.context() as patch:
            if stdin is not None:
                patch.setattr(sys, "stdin", _stdin(stdin))
            code = run(args, macli=Macli(clock=lambda: at) if at is not None else None)
        sys.stdout.flush()
        captured = capfd.readouterr()
        return Ran(code=code, out=captured.out, err=captured.err)

    return call


def _stdin(text: str | bytes):
    import io

    raw = text.encode() if isinstance(text, str) else text
    return io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8")


@pytest.fixture
def macli_process() -> Run:
    """Run a command line in a process of its own; ``cwd``, ``env`` and ``timeout`` as subprocess has them."""

    def call(*args: str, stdin: str | None = None, env: dict[str, str] | None = None, **more) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "macli", *args],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=more.pop("timeout", 60),
            **more,
        )
        return Ran(code=done.returncode, out=done.stdout, err=done.stderr)

    return call


def present(package: str) -> bool:
    """Whether a Debian package, or what it brings, is on this machine."""
    return any(
        Path(name).exists() if name.startswith("/") else shutil.which(name)
        for name in PACKAGES.get(package, (package,))
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    wanted = [package for marker in item.iter_markers("system") for package in marker.args]
    lacking = sorted(package for package in wanted if not present(package))
    if lacking and os.environ.get("CI") == "true":
        pytest.fail(f"to run this test: {apt_line(lacking)}", pytrace=False)
    if lacking:
        pytest.skip(f"{NEEDS}{' '.join(lacking)}")


NEEDS = "needs Debian's "


def apt_line(packages: list[str]) -> str:
    return f"sudo apt-get install -y --no-install-recommends {' '.join(packages)}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = [str(report.longrepr[-1]) for report in terminalreporter.stats.get("skipped", [])]
    lacking = {word for reason in reasons if NEEDS in reason for word in reason.split(NEEDS)[1].split()}
    if lacking:
        terminalreporter.write_line("")
        terminalreporter.write_line("Tests were skipped for want of Debian packages. To run them all:")
        terminalreporter.write_line(f"  {apt_line(sorted(lacking))}")
