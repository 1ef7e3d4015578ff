"""Templates as they lie beside a campaign file: their texts, and the files these are in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path as File
from typing import Any

from macli.errors import UsageError
from macli.store import Store, assets, templates

FORMATS = {"html": "html", "mjml": "mjml", "markdown": "md", "text": "txt", "push": "yaml", "webhook": "json"}
"""What an author writes in, and how the file's name ends."""


@dataclass(frozen=True, kw_only=True)
class Template:
    """A template of a campaign folder.

    An e-mail has a `subject` and its body in one of `html`, `mjml` and `markdown`, each the name of a
    file beside the campaign file; its text part is `text`, a file too, or made from the body. A text
    message is `sms`, written here. `push` is a file with the title, body, url and icon of a push message.
    `webhook` is a file with the JSON that is posted. `attach` names files
    that go with every mail. `defaults` stand in for values a contact lacks.
    """

    subject: str | None = None
    html: str | None = None
    mjml: str | None = None
    markdown: str | None = None
    text: str | None = None
    sms: str | None = None
    push: str | None = None
    webhook: str | None = None
    attach: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bodies = [name for name in ("html", "mjml", "markdown", "sms", "push", "webhook") if getattr(self, name)]
        if len(bodies) > 1:
            raise UsageError(f"a template has one body; this one has {' and '.join(bodies)}")
        if not bodies and self.text is None:
            raise UsageError("a template has a body: html, mjml, markdown, text, sms, push or webhook")
        if self.kind == "email" and self.subject is None:
            raise UsageError("an e-mail has a 'subject'")
        if self.kind != "email":
            for name in ("subject", "text", "attach"):
                if getattr(self, name):
                    raise UsageError(f"{name!r} belongs to an e-mail")

    @property
    def kind(self) -> str:
        return next((name for name in ("sms", "push", "webhook") if getattr(self, name)), "email")

    @property
    def source_format(self) -> str:
        written = ("html", "mjml", "markdown", "sms", "push", "webhook", "text")
        return next(name for name in written if getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A template with the contents of its files. ``text`` is None where it is made from the body."""

    kind: str
    subject: str | None
    source: str
    source_format: str
    text: str | None
    defaults: Mapping[str, Any]
    attach: tuple[tuple[str, bytes], ...]

    def document(self, name: str) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The template as a campaign file holds it, and the files beside it."""
        stem = "".join(letter if letter.isalnum() else "-" for letter in name.casefold()).strip("-") or "template"
        plain: dict[str, Any] = {}
        files: dict[str, bytes] = {}
        if self.subject is not None:
            plain["subject"] = self.subject
        if self.source_format == "sms":
            plain["sms"] = self.source
        else:
            plain[self.source_format] = f"{stem}.{FORMATS[self.source_format]}"
            files[plain[self.source_format]] = self.source.encode()
        if self.text is not None:
            plain["text"] = f"{stem}.txt"
            files[plain["text"]] = self.text.encode()
        if self.attach:
            plain["attach"] = [file for file, _ in self.attach]
            files.update(self.attach)
        if self.defaults:
            plain["defaults"] = dict(self.defaults)
        return plain, files


def from_files(described: Template, folder: File) -> Draft:
    """The template with the contents of its files. Raises UsageError where one cannot be read."""
    from macli.content.prepare import decode

    def text_in(name: str) -> str:
        return decode(octets_in(folder, name), where=str(folder / name))

    written = described.source_format
    source = getattr(described, written)
    return Draft(
        kind=described.kind,
        subject=described.subject,
        source=source if written == "sms" else text_in(source),
        source_format=written,
        text=text_in(described.text) if described.text and written != "text" else None,
        defaults=described.defaults,
        attach=tuple((File(name).name, octets_in(folder, name)) for name in described.attach),
    )


def octets_in(folder: File, name: str) -> bytes:
    """The content of a file that lies in a campaign's folder. Raises UsageError."""
    home = folder.resolve()
    file = (home / name).resolve()
    if not file.is_relative_to(home):
        raise UsageError(f"{name!r} is outside the campaign's folder", hint="put the file beside campaign.yaml")
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{name!r} cannot be read: {error.strerror}") from None


def from_store(store: Store, name: str) -> Draft:
    """A template's current version. Raises UnknownName."""
    version = templates.version(store, name)
    return Draft(
        kind=version["kind"],
        subject=version["subject"] if version["kind"] == "email" else None,
        source=version["source"],
        source_format=version["source_format"],
        text=version["text"] if version["html"] is not None and not version["text_derived"] else None,
        defaults=json.loads(version["defaults"]),
        attach=tuple(
            (row["name"], bytes(row["data"])) for row in assets.by_ids(store, json.loads(version["attachments"]))
        ),
    )


def put(store: Store, now: datetime, name: str, draft: Draft) -> str | None:
    """Make the template say what the draft says: ``created``, ``changed``, or None where it does already.

    Raises UsageError where it is no template, or one of another kind has the name.
    """
    from macli.content.prepare import prepare

    content = prepare(
        name,
        draft.kind,
        source=draft.source,
        source_format=draft.source_format,
        subject=draft.subject,
        text=draft.text,
        defaults=draft.defaults,
        attachments=tuple(assets.add(store, now, file, octets) for file, octets in draft.attach),
    )
    if not any(row["name"].casefold() == name.casefold() for row in templates.list_all(store)):
        templates.create(store, now, name, draft.kind, content)
        return "created"
    version = templates.version(store, name)
    if version["kind"] != draft.kind:
        raise UsageError(f"there is a template {version['name']!r} for {version['kind']} already")
    if templates.content_of(version) == content:
        return None
    templates.edit(store, now, name, content)
    return "changed"
