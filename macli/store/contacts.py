"""Contacts: found by what people call them, read with their tags and consents, changed by column."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from macli import clock
from macli.address import BadAddress, normalise_email, normalise_phone, shorten
from macli.errors import UnknownName, UsageError
from macli.model import Where
from macli.store.attributes import BadValue, plain_text
from macli.store.connection import Row, Store

EVERYBODY = Where(sql="contacts.removed_at IS NULL")

REMOVED = Where(sql="(contacts.removed_at IS NOT NULL AND contacts.state <> 'erased')")

OWN = ("email", "phone", "external_id", "timezone", "locale", "state", "source")
"""The columns that say something of the contact, beside the attributes."""

STATES = ("lead", "customer")
_ALL = 2**62
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*").fullmatch
_LONGEST_KEY = 255


def read_own(column: str, text: str, region: str | None) -> str:
    """The value ``text`` means for one of the contact's own columns. Raises UsageError."""
    text = text.strip()
    if not text:
        raise BadValue(f"the {column} is empty")
    if column == "email":
        return normalise_email(text)
    if column == "phone":
        return normalise_phone(text, region)
    if column == "timezone":
        return _timezone(text)
    if column == "locale":
        if not _LOCALE(text):
            raise BadValue(f"{shorten(text)!r} is no locale", hint="write for example en, pl or pt-BR")
        return text.replace("_", "-").casefold()
    if column == "state" and text.casefold() not in STATES:
        raise UnknownName("state", shorten(text), STATES, hint=f"one of {', '.join(STATES)}")
    if len(text) > _LONGEST_KEY:
        raise BadValue(f"{len(text):,} characters are too many for {column} (at most {_LONGEST_KEY})")
    return plain_text(text) if column == "external_id" else plain_text(text).casefold()


def _timezone(text: str) -> str:
    found = _timezones().get(text.replace(" ", "_").casefold())
    return found if found is not None else clock.zone(text).key


@lru_cache(maxsize=1)
def _timezones() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}


# Finding one


def find(store: Store, reference: str, *, region: str | None = None) -> Row:
    """The contact meant by an e-mail address, ``#id``, an external id or a phone number.

    Raises UnknownName where there is none, UsageError where a phone number is that of several.
    """
    reference = reference.strip()
    found = _found(store, reference, region)
    if len(found) > 1:
        raise UsageError(
            f"{reference} is the phone number of {len(found)} contacts",
            hint="name one by its e-mail address or number: "
            + ", ".join(row["email"] or f"#{row['id']}" for row in found[:5]),
        )
    if not found:
        near = store.rows(_NEAR, {"start": reference[:3].lower(), "end": reference[:3].lower() + "\uffff"})
        raise UnknownName("contact", reference, (row["email"] for row in near))
    return found[0]


def _found(store: Store, reference: str, region: str | None) -> list[Row]:
    if reference.startswith("#") and reference[1:].isdecimal():
        return store.rows(_BY.format(column="id"), {"value": int(reference[1:])})
    if "@" in reference:
        return store.rows(_BY.format(column="email"), {"value": normalise_email(reference)})
    found = store.rows(_BY.format(column="external_id"), {"value": reference})
    if found:
        return found
    try:
        phone = normalise_phone(reference, region)
    except BadAddress:
        return []
    return store.rows(_BY.format(column="phone"), {"value": phone})


_BY = """
SELECT *
FROM contacts
WHERE {column} = :value
  AND state <> 'erased'
ORDER BY id
"""

_NEAR = """
SELECT email
FROM contacts
WHERE email >= :start
  AND email < :end
ORDER BY email
LIMIT 200
"""


def by_id(store: Store, contact_id: int) -> Row:
    """The contact with that id."""
    found = store.row(_BY.format(column="id"), {"value": contact_id})
    if found is None:
        raise UnknownName("contact", f"#{contact_id}")
    return found


def same(store: Store, *, email: str | None, external_id: str | None, phone: str | None) -> Row | None:
    """The contact these make: by e-mail, else by external id, else by phone. Values are normalised."""
    for column, value in (("email", email), ("external_id", external_id), ("phone", phone)):
        if value is not None:
            found = store.row(_BY.format(column=column), {"value": value})
            if found is not None or column == "email":
                return found
    return None


# Writing one


def insert(store: Store, now_ms: int, values: Mapping[str, Any], attributes: str, folded: str | None) -> int:
    """A new contact with these of its own columns; its id."""
    columns = {name: value for name, value in values.items() if value is not None}
    names = "".join(f", {name}" for name in columns)
    places = "".join(f", :{name}" for name in columns)
    made: int = store.value(
        f"""
        INSERT INTO contacts (attributes, folded, added_at, updated_at{names})
        VALUES (:attributes, :folded, :now, :now{places})
        RETURNING id
        """,
        {**columns, "attributes": attributes, "folded": folded, "now": now_ms},
    )
    return made


def update(store: Store, now_ms: int, contact_id: int, values: Mapping[str, Any]) -> None:
    """Set columns of one contact."""
    assignments = "".join(f", {name} = :{name}" for name in values)
    store.execute(
        f"UPDATE contacts SET updated_at = :now{assignments} WHERE id = :contact_id",
        {**values, "now": now_ms, "contact_id": contact_id},
    )


# Reading many


def count(store: Store, where: Where = EVERYBODY) -> int:
    return int(store.value(f"SELECT count(*) FROM contacts WHERE {where.sql}", where.params))


def listed(store: Store, where: Where = EVERYBODY, *, limit: int | None = None) -> Iterator[dict[str, Any]]:
    """The contacts with their tags, oldest first, in flat memory."""
    for row, tags, _ in _with_tags_and_consents(store, where, limit):
        yield {**{name: row[name] for name in row.keys()}, "tags": tags, **json.loads(row["attributes"])}  # noqa: SIM118


def exported(store: Store, where: Where = EVERYBODY, *, limit: int | None = None) -> Iterator[dict[str, Any]]:
    """The contacts as flat records that an import reads back: own columns, tags, consents, attributes."""
    for row, tags, consents in _with_tags_and_consents(store, where, limit):
        record: dict[str, Any] = {name: row[name] for name in OWN}
        record["tags"] = ", ".join(tags) or None
        record.update(consents)
        for name, value in json.loads(row["attributes"]).items():
            # A whole number under such a name would be written as a time.
            record[name] = str(value) if name.endswith("_at") and type(value) is int else value
        yield record


def export_columns(store: Store) -> tuple[str, ...]:
    """The columns of an export: what contacts of this store can have."""
    consents = (
        consent_column(row["channel"], row["topic"])
        for row in store.rows("SELECT DISTINCT channel, topic FROM consents ORDER BY channel, topic")
    )
    names = (row["name"] for row in store.rows("SELECT name FROM attributes ORDER BY created_at, name"))
    return (*OWN, "tags", *consents, *names)


def consent_column(channel: str, topic: str) -> str:
    """The name of a consent in an export: ``email_consent``, ``email_consent:news``."""
    return f"{channel}_consent:{topic}" if topic else f"{channel}_consent"


def _with_tags_and_consents(
    store: Store, where: Where, limit: int | None
) -> Iterator[tuple[Row, tuple[str, ...], dict[str, str]]]:
    # Three ordered streams read side by side: no engine's own word for joining texts, and no
    # look-up for each contact.
    bounded = f"SELECT id FROM contacts WHERE {where.sql} ORDER BY id LIMIT :most"
    params = {**where.params, "most": _ALL if limit is None else limit}
    tags = _Groups(store.stream(_TAGS.format(ids=bounded), params))
    consents = _Groups(store.stream(_CONSENTS.format(ids=bounded), params))
    rows = store.stream(f"SELECT * FROM contacts WHERE {where.sql} ORDER BY id LIMIT :most", params)
    for row in rows:
        yield (
            row,
            tuple(tag["name"] for tag in tags.of(row["id"])),
            {consent_column(said["channel"], said["topic"]): said["status"] for said in consents.of(row["id"])},
        )


_TAGS = """
SELECT contact_tags.contact_id, tags.name
FROM contact_tags
JOIN tags ON tags.id = contact_tags.tag_id
WHERE contact_tags.contact_id IN ({ids})
ORDER BY contact_tags.contact_id, tags.name
"""

_CONSENTS = """
SELECT contact_id, channel, topic, status
FROM consents
WHERE contact_id IN ({ids})
ORDER BY contact_id, channel, topic
"""


class _Groups:
    """The rows of an ordered stream, taken contact by contact."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def of(self, contact_id: int) -> Iterable[Row]:
        while self._next is not None and self._next["contact_id"] < contact_id:
            self._next = next(self._rows, None)
        while self._next is not None and self._next["contact_id"] == contact_id:
            yield self._next
            self._next = next(self._rows, None)
