"""A template as one contact would get it, made by what sends it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from macli.content.mail import mailto_of
from macli.content.push import fields_of, in_lines
from macli.content.render import Rendered, Renderer
from macli.content.sms import segments_of
from macli.content.values import Record, values_of
from macli.errors import OperationFailed, UsageError
from macli.store import Store, assets, contacts, templates


def preview(
    version: Record,
    contact: Record | None,
    *,
    setting: Callable[[str], Any],
    now: datetime,
) -> Rendered:
    """The rendered parts. Without a contact, each value stands as its own name: ``[first_name]``.

    Raises TemplateFault where the contact's values do not do.
    """
    renderer = Renderer(
        version,
        name=version["name"],
        kind=version["kind"],
        now=now,
        campaign={"name": "Preview"},
        sender={
            "name": setting("sender.name") or "",
            "email": setting("sender.email") or "",
            "reply_to": setting("sender.reply_to") or "",
        },
        postal_address=setting("postal_address"),
    )
    leave = setting("sender.reply_to") or setting("sender.email") or "unsubscribe@example.com"
    return renderer.render(
        _placeholders(version) if contact is None else values_of(contact), **own_addresses(setting, leave)
    )


def own_addresses(setting: Callable[[str], Any], mailbox: str) -> dict[str, str]:
    """What stands in a preview for the addresses that are each message's own; they lead nowhere."""
    public_url = setting("public_url")
    if public_url is None:
        return {"unsubscribe_url": mailto_of(setting("unsubscribe.mailto") or mailbox, "preview")}
    pages = {"unsubscribe_url": "u", "preferences_url": "prefs", "confirm_url": "confirm"}
    return {name: f"{public_url}/{page}/preview" for name, page in pages.items()}


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A preview and what goes with it."""

    name: str
    kind: str
    rendered: Rendered
    files: tuple[str, ...]


def of_template(
    store: Store,
    name: str,
    who: str | None,
    *,
    number: int | None,
    setting: Callable[[str], Any],
    now: datetime,
) -> Shown:
    """The preview of a stored template for a contact named as everywhere. Raises UnknownName."""
    version = templates.version(store, name, number)
    contact = None if who is None else contacts.find(store, who, region=setting("country"))
    files = assets.by_ids(store, json.loads(version["attachments"]))
    return Shown(
        name=version["name"],
        kind=version["kind"],
        rendered=preview(version, contact, setting=setting, now=now),
        files=tuple(f"{row['name']} ({row['octets']:,} bytes)" for row in files),
    )


def text_of(shown: Shown) -> str:
    """A preview as people read it in a terminal: the subject, the text part, the files."""
    rendered = shown.rendered
    if shown.kind == "sms":
        counted = segments_of(rendered.text)
        some = "1 segment" if counted.segments == 1 else f"{counted.segments} segments"
        return f"{rendered.text}\n\n({counted.encoding}, {counted.units} units, {some})"
    if shown.kind == "webhook":
        return rendered.text
    if shown.kind == "push":
        return in_lines(rendered)
    files = "".join(f"\nAttached: {file}" for file in shown.files)
    return f"Subject: {rendered.subject}{files}\n\n{rendered.text}"


def record_of(shown: Shown) -> dict[str, Any]:
    """A preview as programs read it."""
    record: dict[str, Any] = {"template": shown.name, "kind": shown.kind}
    if shown.kind == "email":
        record |= {"subject": shown.rendered.subject, "html": shown.rendered.html}
    if shown.kind == "push":
        return {**record, **fields_of(shown.rendered)}
    record["text"] = shown.rendered.text
    if shown.kind == "sms":
        counted = segments_of(shown.rendered.text)
        record |= {"encoding": counted.encoding, "units": counted.units, "segments": counted.segments}
    return {**record, "attachments": list(shown.files)} if shown.files else record


def write_html(shown: Shown, path: Path) -> None:
    """Write the HTML part to a file. Raises UsageError where there is none."""
    if shown.rendered.html is None:
        raise UsageError(f"the template {shown.name!r} has no HTML part")
    try:
        path.write_text(shown.rendered.html, encoding="utf-8")
    except OSError as error:
        raise OperationFailed(f"{path}: {error.strerror}") from None


def described(store: Store, name: str, number: int | None) -> dict[str, Any]:
    """A stored version: its parts, and what it asks of a contact."""
    from macli.content.missing import required_values
    from macli.content.prepare import uses

    template, version = templates.find(store, name), templates.version(store, name, number)
    required = required_values(version)
    files = assets.by_ids(store, json.loads(version["attachments"]))
    record: dict[str, Any] = {
        "name": template["name"],
        "kind": template["kind"],
        "category": template["category"],
        "version": version["number"],
        "written_in": version["source_format"],
        "created_at": version["created_at"],
        "needs": ", ".join(required),
        "may_use": ", ".join(sorted(uses(version).contact - set(required))),
        "defaults": ", ".join(f"{key}={value}" for key, value in json.loads(version["defaults"]).items()),
        "attachments": ", ".join(row["name"] for row in files),
    }
    if template["kind"] == "email":
        record |= {"subject": version["subject"], "html": version["html"]}
    if template["kind"] == "push":
        return {**record, "source": version["source"]}
    record["text"] = version["text"]
    if version["source_format"] in ("mjml", "markdown"):
        record["source"] = version["source"]
    return record


def _placeholders(version: Record) -> dict[str, Any]:
    from macli.content.missing import required_values

    return {name: f"[{name}]" for name in required_values(version)}
