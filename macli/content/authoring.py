"""What an author hands in – files, standard input, an editor – and how it changes a template."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from macli.content.prepare import decode, prepare
from macli.errors import MacliError, OperationFailed, UnknownName, UsageError
from macli.store import Store, assets, templates
from macli.store.templates import Content

FORMATS = ("html", "mjml", "markdown", "text", "sms", "push", "webhook")
SUFFIXES = {
    "html": ".html",
    "mjml": ".mjml",
    "markdown": ".md",
    "text": ".txt",
    "sms": ".txt",
    "push": ".yaml",
    "webhook": ".json",
}
LARGEST_FILE = 25 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was given of a template; None is what was not. Files are paths, or ``-`` for standard input."""

    subject: str | None = None
    html: str | None = None
    mjml: str | None = None
    markdown: str | None = None
    text: str | None = None
    sms: str | None = None
    push: str | None = None
    webhook: str | None = None
    defaults: Sequence[str] = ()
    attach: Sequence[str] = ()

    @property
    def empty(self) -> bool:
        return self == Written()

    def source(self) -> tuple[str, str] | None:
        """The source and its format: HTML, MJML or Markdown before a text that goes with it.

        Raises UsageError where two were given.
        """
        given = [name for name in FORMATS if getattr(self, name) is not None]
        if len(given) > 1 and given[1:] != ["text"]:
            raise UsageError(f"--{given[0]} and --{given[1]} ask for two templates in one")
        if not given:
            return None
        written = getattr(self, given[0])
        return (written if given[0] == "sms" else read_text(written)), given[0]

    def plain(self) -> str | None:
        """The text part given beside a source of another format."""
        beside = any(getattr(self, name) is not None for name in ("html", "mjml", "markdown"))
        return read_text(self.text) if self.text is not None and beside else None


def create(store: Store, now: datetime, name: str, written: Written, *, category: str | None = None) -> Content:
    """Make a template of what was written. Raises UsageError."""
    given = written.source()
    if given is None:
        raise UsageError(
            "nothing to make a template of",
            hint="give --html FILE, --markdown FILE, --mjml FILE, --text FILE, --push FILE or --sms 'text'",
        )
    source, source_format = given
    kind = kind_of(source_format)
    with store.write():
        content = prepare(
            name,
            kind,
            source=source,
            source_format=source_format,
            subject=written.subject,
            text=written.plain(),
            defaults=read_defaults(written.defaults),
            attachments=_kept(store, now, kind, written.attach),
        )
        templates.create(store, now, name, kind, content, category=category)
    return content


def edit(store: Store, now: datetime, name: str, written: Written) -> int:
    """Change what was given and keep the rest; the number of the new version. Raises UsageError."""
    before = templates.version(store, name)
    old = templates.content_of(before)
    given = written.source()
    source, source_format = given or (old.source, old.source_format)
    text: str | None
    if source_format == "text" and old.html is not None:
        # A text file for a template that has HTML is its text part.
        source, source_format, text = old.source, old.source_format, source
    else:
        text = written.plain()
    if kind_of(source_format) != before["kind"]:
        raise UsageError(f"the template {before['name']!r} is for {before['kind']}, not {kind_of(source_format)}")
    if text is None and not old.text_derived and old.html is not None:
        text = old.text
    content = prepare(
        before["name"],
        before["kind"],
        source=source,
        source_format=source_format,
        subject=written.subject if written.subject is not None else old.subject,
        text=text,
        defaults=_changed_defaults(old.defaults, written.defaults),
        attachments=(*old.attachments, *_kept(store, now, before["kind"], written.attach)),
    )
    return templates.edit(store, now, name, content)


def edit_in_editor(store: Store, now: datetime, name: str, ask: Callable[[Path], None]) -> int | None:
    """Let ``ask`` open the source in an editor; the new version's number, None where nothing changed.

    What was typed is never lost: where it cannot be saved, the error names the file that has it.
    """
    version = templates.version(store, name)
    suffix = SUFFIXES[version["source_format"]]
    with tempfile.NamedTemporaryFile("w", suffix=suffix, delete=False, encoding="utf-8", newline="\n") as file:
        file.write(version["source"])
    path = Path(file.name)
    ask(path)
    if decode(path.read_bytes(), where=str(path)) == version["source"]:
        path.unlink()
        return None
    option = version["source_format"]
    value = path.read_text("utf-8") if option == "sms" else str(path)
    try:
        number = edit(store, now, name, Written(**{option: value}))
    except MacliError as error:
        again = f"macli template edit {version['name']!r} --{option} {path}"
        raise UsageError(error.message, hint=f"what you wrote is in {path}; mend it and type: {again}") from None
    path.unlink()
    return number


def open_editor(path: Path) -> None:
    """Open a file in the editor of $VISUAL or $EDITOR and wait. Raises OperationFailed."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        done = subprocess.run([*shlex.split(editor), str(path)], check=False)  # noqa: S603 - the user's own words
    except OSError as error:
        raise OperationFailed(f"cannot start {editor!r}: {error.strerror}", hint="set EDITOR") from None
    if done.returncode:
        raise OperationFailed(f"{editor!r} ended with {done.returncode}; nothing was changed")


def detach(store: Store, now: datetime, name: str, file: str) -> int:
    """Take a file off a template; the number of the new version. Raises UnknownName."""
    old = templates.content_of(templates.version(store, name))
    attached = {row["name"]: row["id"] for row in assets.by_ids(store, old.attachments)}
    if file not in attached:
        raise UnknownName("attached file", file, attached)
    left = tuple(asset for asset in old.attachments if asset != attached[file])
    return templates.edit(store, now, name, Content(**{**vars(old), "attachments": left}))


def kind_of(source_format: str) -> str:
    return source_format if source_format in ("sms", "push", "webhook") else "email"


def read_text(path: str) -> str:
    """The text of a template file, or of standard input for ``-``. Raises UsageError."""
    if path == "-":
        return decode(sys.stdin.buffer.read(), where="standard input")
    return decode(read_octets(path), where=path)


def read_octets(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def read_defaults(pairs: Sequence[str]) -> dict[str, Any]:
    """``name=value`` options as values: numbers, true and false as such, everything else text."""
    defaults: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"{pair!r} is no default", hint="write for example --default first_name=friend")
        defaults[name.strip()] = _value(value)
    return defaults


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, (bool, int, float)) else text


def _changed_defaults(old: Any, pairs: Sequence[str]) -> dict[str, Any]:
    """The defaults with the changes; one set to nothing (``name=``) is taken away."""
    return {name: value for name, value in {**old, **read_defaults(pairs)}.items() if value != ""}


def _kept(store: Store, now: datetime, kind: str, paths: Sequence[str]) -> tuple[int, ...]:
    """The ids of the files to attach, kept in the store."""
    if paths and kind != "email":
        raise UsageError("only an e-mail template can have attachments")
    kept = []
    for path in paths:
        octets = read_octets(path)
        if len(octets) > LARGEST_FILE:
            raise OperationFailed(f"{path} has {len(octets) // 2**20} MB; mail servers take about 25")
        kept.append(assets.add(store, now, Path(path).name, octets))
    return tuple(kept)
