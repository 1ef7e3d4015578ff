"""Forms and pages made and changed: checked against the store first, so that what is saved can be served."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from macli.campaign import yaml_source
from macli.content.authoring import read_text
from macli.content.pages import parts_of, prepare_page
from macli.content.prepare import decode
from macli.errors import MacliError, OperationFailed, UsageError
from macli.forms import definition
from macli.forms.definition import OWN, Form
from macli.forms.submission import declare, type_of
from macli.store import Store, attributes, banners, consents, downloads, templates, topics
from macli.store.templates import Content

SUFFIXES = {"html": ".html", "markdown": ".md", "yaml": ".yaml"}


@dataclass(frozen=True, kw_only=True)
class Saved:
    """A form that was saved: its slug, its version, and the topics that were made for it."""

    slug: str
    version: int
    topics: tuple[str, ...]


def create_form(store: Store, now: datetime, name: str, text: str, *, where: str, category: str | None) -> Saved:
    """Make a form of a YAML definition. Raises BadDefinition, UsageError."""
    form, content = _form(store, text, where)
    with store.write():
        templates.create(store, now, name, "form", content, category=category)
        declare(store, now, form)
        return Saved(slug=templates.slug_of(name), version=1, topics=_new_topics(store, now, form))


def edit_form(store: Store, now: datetime, name: str, text: str, *, where: str) -> Saved:
    """Give a form another definition, which is its new version. Raises BadDefinition, UsageError."""
    form, content = _form(store, text, where)
    with store.write():
        number = templates.edit(store, now, name, content, kind="form")
        declare(store, now, form)
        return Saved(slug=templates.slug_of(name), version=number, topics=_new_topics(store, now, form))


def _new_topics(store: Store, now: datetime, form: Form) -> tuple[str, ...]:
    """Make the form's topics, so that who says yes to one finds it among the preferences; the names of the new ones."""
    there = {row["name_key"] for row in store.rows("SELECT name_key FROM topics")}
    asked = {consents.topic_key(box.topic): box for box in form.consents if box.topic}
    made = [box for key, box in asked.items() if key not in there]
    for box in made:
        topics.create(store, now, box.topic, channel=box.channel)
    return tuple(box.topic for box in made)


def _form(store: Store, text: str, where: str) -> tuple[Form, Content]:
    form = definition.read(text, where)
    known = attributes.types(store)
    for one in form.fields:
        held = known.get(one.name)
        if one.name not in OWN and held is not None and held != type_of(one) and held != "text":
            raise UsageError(
                f"{where}: the attribute {one.name!r} holds {held}, and the field is of the type {one.kind}",
                hint="give the field the type number, date or checkbox, as the attribute is, or another name",
            )
    if form.thanks_page is not None:
        templates.find(store, form.thanks_page, "page")
    return form, Content(subject=None, html=None, text="", source=text, source_format="yaml")


def short_form(
    store: Store, fields: Sequence[str], *, about: Sequence[str] = (), consent: str | None = None, **given: Any
) -> str:
    """The YAML of a form given by options: ``email!`` has to be filled; ``about`` are the consents' topics."""
    if not fields:
        raise UsageError("a form needs fields", hint="give --file form.yaml, or --field email! --field first_name")
    asked = [
        {"name": one.removesuffix("!"), "required": True} if one.endswith("!") else {"name": one} for one in fields
    ]
    channel = "email" if any(one["name"] == "email" for one in asked) else "sms"
    kind = "e-mails" if channel == "email" else "text messages"
    titles = {row["name_key"]: row["title"] for row in store.rows("SELECT name_key, title FROM topics")}
    boxes = [
        {
            "channel": channel,
            "topic": topic,
            "text": consent or f"Yes, send me {kind} about: {titles.get(consents.topic_key(topic), topic)}.",
        }
        for topic in about
    ]
    if consent and not about:
        boxes = [{"channel": channel, "text": consent}]
    written = {"fields": asked, "consents": boxes, **given}
    return yaml_source.write({key: value for key, value in written.items() if value not in (None, [], (), False)})


def create_page(
    store: Store, now: datetime, name: str, written: Mapping[str, str | None], *, category: str | None
) -> str:
    """Make a page of a file given as ``html`` or ``markdown``; its slug. Raises TemplateError, UsageError."""
    source, source_format = _given(written)
    content = _page(store, now, name, source, source_format)
    templates.create(store, now, name, "page", content, category=category)
    return templates.slug_of(name)


def edit_page(store: Store, now: datetime, name: str, source: str, source_format: str) -> int:
    """Give a page another source; the number of its new version. Raises TemplateError, UsageError."""
    content = _page(store, now, templates.find(store, name, "page")["name"], source, source_format)
    return templates.edit(store, now, name, content, kind="page")


def _given(written: Mapping[str, str | None]) -> tuple[str, str]:
    """The source and the format of the one file that was given. Raises UsageError."""
    files = {kind: path for kind, path in written.items() if path is not None}
    if len(files) != 1:
        raise UsageError("give the page as --html FILE or as --markdown FILE")
    ((source_format, path),) = files.items()
    return read_text(path), source_format


def given_page(written: Mapping[str, str | None]) -> tuple[str, str] | None:
    """What was given of a page, None where nothing was."""
    return _given(written) if any(path is not None for path in written.values()) else None


def _page(store: Store, now: datetime, name: str, source: str, source_format: str) -> Content:
    content = prepare_page(name, source=source, source_format=source_format, now=now)
    for part in parts_of(content.html or "", where=name):
        match part.kind:
            case "form":
                templates.find(store, part.name, "form")
            case "banner":
                banners.find(store, part.name)
            case _:
                downloads.find(store, part.name)
    return content


def edit_in_editor(
    store: Store, kind: str, name: str, ask: Callable[[Path], None], save: Callable[[str, str, str], int]
) -> int | None:
    """Let ``ask`` open the source in an editor and ``save`` (text, format, file) what came of it.

    The new version's number, None where nothing changed. What was typed is never lost: where it
    cannot be saved, the error names the file that has it.
    """
    version = templates.version(store, name, kind=kind)
    source_format = version["source_format"]
    suffix = SUFFIXES[source_format]
    with tempfile.NamedTemporaryFile("w", suffix=suffix, delete=False, encoding="utf-8", newline="\n") as file:
        file.write(version["source"])
    path = Path(file.name)
    ask(path)
    text = decode(path.read_bytes(), where=str(path))
    if text == version["source"]:
        path.unlink()
        return None
    try:
        number = save(text, source_format, str(path))
    except MacliError as error:
        option = "file" if kind == "form" else source_format
        again = f"macli {kind} edit {version['name']!r} --{option} {path}"
        raise UsageError(error.message, hint=f"what you wrote is in {path}; mend it and type: {again}") from None
    path.unlink()
    return number


def remove(store: Store, kind: str, name: str) -> str:
    """Remove a page or form with all its versions; its name. Raises OperationFailed where one is in use."""
    with store.write():
        found = templates.find(store, name, kind)
        slug = templates.slug_of(found["name"])
        with store.whole():
            users = _users(store, kind, slug)
        if users := store.told("templates", users):
            raise OperationFailed(
                f"the {kind} {found['name']!r} is used by {', '.join(map(repr, users))}",
                hint="change or remove what uses it first",
            )
        templates.remove(store, found["name"], kind=kind)
    return str(found["name"])


def _users(store: Store, kind: str, slug: str) -> list[str]:
    """The pages that show a form, or the forms that lead to a page."""
    users = []
    for row in templates.list_all(store, kind="page" if kind == "form" else "form"):
        version = templates.version(store, row["name"], kind=row["kind"])
        if kind == "form":
            shown = [one.name for one in parts_of(version["html"], where=row["name"]) if one.kind == "form"]
        else:
            shown = [definition.stored(version["source"]).thanks_page or ""]
        if slug in map(templates.slug_of, shown):
            users.append(row["name"])
    return users


def listed(store: Store, kind: str, *, category: str | None = None) -> list[dict[str, Any]]:
    """The pages or forms with their addresses; forms with how often each was sent, by how many contacts."""
    counts = {row["form"]: row for row in store.rows(_COUNTS)} if kind == "form" else {}
    rows = []
    for row in templates.list_all(store, category=category, kind=kind):
        record = {**dict(row), "slug": templates.slug_of(row["name"])}
        if kind == "form":
            sent = counts.get(row["name"])
            record |= {"sent": sent["sent"] if sent else 0, "contacts": sent["contacts"] if sent else 0}
        rows.append(record)
    return rows


_COUNTS = """
SELECT properties ->> 'form' AS form, count(*) AS sent, count(DISTINCT contact_id) AS contacts
FROM events
WHERE name = 'form.submitted'
GROUP BY properties ->> 'form'
"""


def described(store: Store, kind: str, name: str, number: int | None, *, base: str) -> dict[str, Any]:
    """A stored version: where it is served, and its source."""
    found = templates.find(store, name, kind)
    version = templates.version(store, int(found["id"]), number, kind=kind)
    slug = templates.slug_of(found["name"])
    return {
        "name": found["name"],
        "address": f"{base}/{'f' if kind == 'form' else 'p'}/{slug}",
        "category": found["category"],
        "version": version["number"],
        "written_in": version["source_format"],
        "created_at": version["created_at"],
        "source": version["source"],
    }
