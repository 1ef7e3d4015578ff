"""The workspace: a directory with ``macli.toml``, which says where its store and its log are."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from macli.errors import UsageError, did_you_mean

FILE = "macli.toml"
KEYS = {"store": str, "log": str, "log_json": bool}


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """One workspace. ``store`` is absolute; ``log`` None means no log is kept."""

    path: Path
    store: Path
    log: Path | None = None
    log_json: bool = False


def find(given: Path | None) -> Workspace:
    """The workspace meant: ``given`` (--workspace), MACLI_WORKSPACE, else the nearest above here.

    Raises UsageError where there is none.
    """
    named = given or (Path(os.environ["MACLI_WORKSPACE"]) if os.environ.get("MACLI_WORKSPACE") else None)
    if named is not None:
        if not (named / FILE).is_file():
            raise UsageError(f"no workspace at {named}: it has no {FILE}", hint=f"macli init {named}")
        return read(named.resolve())
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FILE).is_file():
            return read(folder)
    raise UsageError(
        f"no workspace here: neither {here} nor a directory above it has a {FILE}",
        hint="macli init shop makes one; or name one with --workspace DIR or MACLI_WORKSPACE",
    )


def read(folder: Path) -> Workspace:
    """The workspace in ``folder``. Raises UsageError naming the file where it does not read."""
    import tomllib

    file = folder / FILE
    try:
        entries: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: {error}") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    for key, value in entries.items():
        if key not in KEYS:
            raise UsageError(f"{file}: no key named {key!r}{did_you_mean(key, KEYS)}")
        if not isinstance(value, KEYS[key]):
            raise UsageError(f"{file}: {key} is not {'text' if KEYS[key] is str else 'true or false'}")
    return Workspace(
        path=folder,
        store=folder / entries.get("store", "macli.db"),
        log=folder / entries["log"] if entries.get("log") else None,
        log_json=entries.get("log_json", False),
    )


def create(folder: Path) -> Workspace:
    """Make the files of a new workspace. Raises UsageError where there is one, or a store."""
    for name in (FILE, "macli.db"):
        if (folder / name).exists():
            raise UsageError(f"{folder} is a workspace already: it has a {name}")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file")
    for name in ("campaigns", "out", "secrets"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "secrets").chmod(0o700)
    for name, text in FILES.items():
        if not (folder / name).exists():
            (folder / name).write_text(text, "utf-8")
    return read(folder.resolve())


FILES = {
    FILE: """\
# A macli workspace. Paths are relative to this file.
store = "macli.db"

# What happens can also be written to a log, for cron:
# log = "macli.log"
# log_json = true
""",
    ".gitignore": """\
macli.db*
macli.log
out/
secrets/
""",
    "campaigns/README.txt": """\
One folder a campaign: campaign.yaml beside the templates it names.

    campaigns/welcome/campaign.yaml
    campaigns/welcome/hello.html

macli diff campaigns/ shows what would change, macli apply campaigns/ makes it so,
macli export campaign NAME writes one that the store holds as such a folder.
""",
}
