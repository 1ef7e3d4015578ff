"""Templates, pages and forms, and every version of each."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from macli.clock import to_ms
from macli.errors import OperationFailed, UnknownName, UsageError
from macli.store import categories
from macli.store.connection import Row, Store

KINDS = ("email", "sms", "push", "webhook")

COMPONENTS = ("page", "form")
"""Kinds that are served, not sent. Each has names of its own, and an address (its slug) made of the name."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """What one version says: ``source`` as it was written, the parts as they are rendered.

    ``text_derived``: the text part was made from the HTML, so new HTML makes it anew.
    ``attachments`` are ids of assets.
    """

    subject: str | None
    html: str | None
    text: str
    source: str
    source_format: str
    text_derived: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    attachments: tuple[int, ...] = ()


def create(store: Store, now: datetime, name: str, kind: str, content: Content, *, category: str | None = None) -> int:
    """Make a template with its first version; its id. Raises UsageError where the name is taken."""
    name, word = " ".join(name.split()), word_for(kind)
    if not name or not name.isprintable():
        raise UsageError(f"a {word} needs a name")
    if kind in COMPONENTS and not slug_of(name):
        raise UsageError(f"no address can be made of {name!r}", hint="use letters or digits")
    with store.write():
        facts = {
            "name": name,
            "key": _key(name, kind),
            "kind": kind,
            "category": categories.id_of(store, category),
            "now": to_ms(now),
        }
        made: int | None = store.value(_CREATE, facts)
        if made is None:
            raise UsageError(f"there is a {word} {name!r} already", hint=f"macli {word} edit {name!r} changes it")
        _add_version(store, now, made, 1, content)
    return made


_CREATE = """
INSERT INTO templates (name, name_key, kind, category_id, current_version, created_at, updated_at)
VALUES (:name, :key, :kind, :category, 1, :now, :now)
ON CONFLICT (name_key) DO NOTHING
RETURNING id
"""


def edit(store: Store, now: datetime, name: str, content: Content, *, kind: str | None = None) -> int:
    """Add a version and make it current; its number. The versions before stay as they are."""
    with store.write():
        template = find(store, name, kind)
        number = 1 + int(store.value(_LAST, {"id": template["id"]}))
        _add_version(store, now, template["id"], number, content)
        store.execute(_CURRENT, {"id": template["id"], "number": number, "now": to_ms(now)})
    return number


_LAST = """
SELECT max(number)
FROM template_versions
WHERE template_id = :id
"""

_CURRENT = """
UPDATE templates
SET current_version = :number, updated_at = :now
WHERE id = :id
"""


def _add_version(store: Store, now: datetime, template_id: int, number: int, content: Content) -> None:
    facts = {
        "template": template_id,
        "number": number,
        "subject": content.subject,
        "html": content.html,
        "text": content.text,
        "source": content.source,
        "format": content.source_format,
        "derived": int(content.text_derived),
        "defaults": json.dumps(dict(content.defaults), ensure_ascii=False),
        "attachments": json.dumps(content.attachments),
        "now": to_ms(now),
    }
    store.execute(_ADD_VERSION, facts)


_ADD_VERSION = """
INSERT INTO template_versions (
  template_id, number, subject, html, text, source, source_format, text_derived, defaults, attachments,
  created_at
)
VALUES (
  :template, :number, :subject, :html, :text, :source, :format, :derived, :defaults, :attachments, :now
)
"""


def rollback(store: Store, now: datetime, name: str, number: int | None = None, *, kind: str | None = None) -> int:
    """Make an earlier version current again – the one before, where none is named; its number."""
    with store.write():
        template = find(store, name, kind)
        if number is None:
            number = template["current_version"] - 1
        if store.value(_HAS, {"id": template["id"], "number": number}) is None:
            raise _no_version(template["name"], number, kind)
        store.execute(_CURRENT, {"id": template["id"], "number": number, "now": to_ms(now)})
    return number


_HAS = """
SELECT 1
FROM template_versions
WHERE template_id = :id
  AND number = :number
"""


def _no_version(template: str | int, number: int | None, kind: str | None) -> UsageError:
    word = word_for(kind)
    return UsageError(
        f"the {word} {template!r} has no version {number}",
        hint=f"macli {word} versions {template!r} lists them",
    )


def word_for(kind: str | None) -> str:
    """What people call a template of that kind: a page, a form, else a template."""
    return kind if kind in COMPONENTS else "template"


def slug_of(name: str) -> str:
    """The part of an address a name makes: ``Spring Sale – 2026`` becomes ``spring-sale-2026``."""
    from macli.address import plain_letters

    return re.sub(r"[^a-z0-9]+", "-", plain_letters(name.upper()).lower()).strip("-")[:80]


def _key(name: str, kind: str | None) -> str:
    return f"{kind}:{slug_of(name)}" if kind in COMPONENTS else " ".join(name.split()).casefold()


def find(store: Store, name: str, kind: str | None = None) -> Row:
    """The template of that name, or the page or form where ``kind`` says so, with its category's.

    Raises UnknownName.
    """
    found = store.row(_FIND, {"key": _key(name, kind), "component": kind if kind in COMPONENTS else ""})
    if found is None:
        store.refuse_hidden("templates", _key(name, kind))
        word = word_for(kind)
        known = (row["name"] for row in list_all(store, kind=kind))
        raise UnknownName(word, name, known, hint=f"macli {word} list shows them")
    return found


_FIND = """
SELECT t.id, t.name, t.kind, c.name AS category, t.current_version, t.created_at, t.updated_at
FROM templates AS t
LEFT JOIN categories AS c ON c.id = t.category_id
WHERE t.name_key = :key
  AND CASE WHEN t.kind IN ('page', 'form') THEN t.kind ELSE '' END = :component
"""


def version(store: Store, template: str | int, number: int | None = None, *, kind: str | None = None) -> Row:
    """A version of a template, by its name or id: the current one, where no number is given.

    Raises UnknownName, or UsageError where it has no such version.
    """
    key = {"id": template} if isinstance(template, int) else {"id": find(store, template, kind)["id"]}
    found = store.row(_VERSION, {**key, "number": number})
    if found is None:
        raise _no_version(template, number, kind)
    return found


_VERSION = """
SELECT v.id, v.template_id, t.name, t.kind, v.number, v.subject, v.html, v.text, v.source,
  v.source_format, v.text_derived, v.defaults, v.attachments, v.created_at
FROM template_versions AS v
JOIN templates AS t ON t.id = v.template_id
WHERE v.template_id = :id
  AND v.number = coalesce(:number, t.current_version)
"""


def versions(store: Store, name: str, *, kind: str | None = None) -> list[Row]:
    """Every version of a template, newest first; ``current`` marks the one in use."""
    template = find(store, name, kind)
    return store.rows(_VERSIONS, {"id": template["id"], "current": template["current_version"]})


_VERSIONS = """
SELECT number, CASE WHEN number = :current THEN 1 ELSE 0 END AS current, subject, source_format,
  length(source) AS characters, created_at
FROM template_versions
WHERE template_id = :id
ORDER BY number DESC
"""


def list_all(store: Store, *, category: str | None = None, kind: str | None = None) -> list[Row]:
    """The templates, all or those of a category or kind, with what their current version is.

    Pages and forms are listed where ``kind`` asks for them.
    """
    return store.rows(_LIST, {"category": categories.id_of(store, category), "kind": kind})


_LIST = """
SELECT t.name, t.kind, c.name AS category, v.subject, v.source_format AS written_in,
  t.current_version AS version, t.updated_at
FROM templates AS t
JOIN template_versions AS v ON v.template_id = t.id AND v.number = t.current_version
LEFT JOIN categories AS c ON c.id = t.category_id
WHERE (:category IS NULL OR t.category_id = :category)
  AND (t.kind = :kind OR (:kind IS NULL AND t.kind NOT IN ('page', 'form')))
ORDER BY t.name_key
"""


def set_category(store: Store, now: datetime, name: str, category: str | None, *, kind: str | None = None) -> None:
    with store.write():
        template = find(store, name, kind)
        facts = {"id": template["id"], "category": categories.id_of(store, category), "now": to_ms(now)}
        store.execute(_SET_CATEGORY, facts)


_SET_CATEGORY = """
UPDATE templates
SET category_id = :category, updated_at = :now
WHERE id = :id
"""


def remove(store: Store, name: str, *, used_by: Sequence[str] = (), kind: str | None = None) -> None:
    """Remove a template and all its versions. ``used_by`` names the campaigns that still need it.

    Raises OperationFailed where there are some.
    """
    with store.write():
        template = find(store, name, kind)
        if used_by:
            raise OperationFailed(
                f"the {word_for(kind)} {template['name']!r} is used by {', '.join(map(repr, used_by))}",
                hint="give those another, or remove them, first",
            )
        if store.value(_SENT, {"id": template["id"]}) is not None:
            raise OperationFailed(
                f"messages in the ledger were made from the template {template['name']!r}, which is kept for them"
            )
        store.execute("DELETE FROM templates WHERE id = :id", {"id": template["id"]})


_SENT = """
SELECT 1
FROM sends
WHERE template_version_id IN (SELECT id FROM template_versions WHERE template_id = :id)
LIMIT 1
"""


def content_of(row: Row) -> Content:
    """The content of a stored version, to be changed and stored as the next."""
    return Content(
        subject=row["subject"],
        html=row["html"],
        text=row["text"],
        source=row["source"],
        source_format=row["source_format"],
        text_derived=bool(row["text_derived"]),
        defaults=json.loads(row["defaults"]),
        attachments=tuple(json.loads(row["attachments"])),
    )
