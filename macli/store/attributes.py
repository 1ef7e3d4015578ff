"""Attributes: the declared names, their types, and the values a type takes."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from unicodedata import normalize
from zoneinfo import ZoneInfo

from macli.address import attribute_name, shorten
from macli.errors import OperationFailed, UnknownName, UsageError
from macli.model import ATTRIBUTE_TYPES, AttributeType
from macli.store import bare_words
from macli.store.bare_words import BARE
from macli.store.connection import Row, Store

Value = str | int | float | bool

COLUMNS = ("id", "email", "phone", "external_id", "timezone", "locale", "state", "source")
RESERVED = frozenset((*COLUMNS, "attributes", "folded", "added_at", "updated_at", "removed_at", "tags"))
"""Names that mean something of the contact itself, so no attribute can have them."""

LONGEST_TEXT = 65_536


class BadValue(UsageError):
    """A value that does not fit the type of its attribute."""


# The names


def types(store: Store) -> dict[str, AttributeType]:
    """Every declared attribute and its type."""
    return {row["name"]: row["type"] for row in store.rows("SELECT name, type FROM attributes ORDER BY name")}


def declare(store: Store, now_ms: int, name: str, kind: AttributeType) -> bool:
    """Declare an attribute; False where it is declared already.

    Raises UsageError where it has another type, a name that is taken, or one that rules use in another meaning.
    """
    name = attribute_name(name)
    if name in RESERVED:
        raise UsageError(f"{name!r} is a part of every contact, not an attribute", hint=f"name it my_{name}")
    _check_type(kind)
    with store.write():
        made = store.execute(_DECLARE, {"name": name, "type": kind, "now": now_ms}) > 0
        if made and name in BARE and (used := bare_words.uses(store, name)):
            raise UsageError(
                f"{name!r} has a meaning of its own in {used[0]}, which an attribute of that name would change",
                hint=f"name it my_{name}; an import takes --map {name}=my_{name}",
            )
        known = store.value("SELECT type FROM attributes WHERE name = :name", {"name": name})
    if known != kind:
        raise UsageError(
            f"the attribute {name!r} holds {known}, not {kind}",
            hint=f"macli attribute edit {name} --type {kind} converts it",
        )
    return made


_DECLARE = """
INSERT INTO attributes (name, type, created_at)
VALUES (:name, :type, :now)
ON CONFLICT (name) DO NOTHING
"""


def fit(store: Store, now_ms: int, name: str, value: Value, zone: ZoneInfo) -> Value:
    """The value as the attribute's type takes it; a name not declared yet is, by what the value is.

    Raises BadValue naming the attribute. Inside a write.
    """
    name = attribute_name(name)
    text = text_of(value)
    kind: AttributeType | None = store.value("SELECT type FROM attributes WHERE name = :name", {"name": name})
    if kind is None:
        kind = "text" if text == "" else infer((text,))
        declare(store, now_ms, name, kind)
    try:
        return read_value(kind, text, zone)
    except BadValue as error:
        raise BadValue(f"{name}: {error.message}", hint=error.hint) from None


def get(store: Store, name: str) -> Row:
    """The declared attribute. Raises UnknownName."""
    found = store.row(
        "SELECT name, type, created_at FROM attributes WHERE name = :name", {"name": attribute_name(name)}
    )
    if found is None:
        raise UnknownName("attribute", name, types(store), hint=f"macli attribute create {name} --type text")
    return found


def count_of(store: Store, name: str) -> int:
    """How many contacts have the attribute."""
    present = store.dialect.json_present("attributes", name)
    return int(store.value(f"SELECT count(*) FROM contacts WHERE {present}"))


def commonest(store: Store, name: str, limit: int = 5) -> list[Row]:
    """The values most contacts have."""
    return store.rows(
        f"""
        SELECT attributes ->> '{name}' AS value, count(*) AS contacts
        FROM contacts
        WHERE {store.dialect.json_present("attributes", name)}
        GROUP BY attributes ->> '{name}'
        ORDER BY count(*) DESC, attributes ->> '{name}'
        LIMIT :limit
        """,
        {"limit": limit},
    )


def retype(store: Store, now_ms: int, name: str, kind: AttributeType, zone: ZoneInfo) -> int:
    """Give the attribute another type and convert its values; how many contacts changed.

    Raises OperationFailed where a value does not fit, and changes nothing then.
    """
    _check_type(kind)
    name = get(store, name)["name"]
    changed = 0
    with store.write():
        # By distinct value: one statement each, and the number of values is small beside the contacts'.
        distinct = store.rows(
            f"""
            SELECT DISTINCT CAST(attributes -> '{name}' AS TEXT) AS value
            FROM contacts
            WHERE {store.dialect.json_present("attributes", name)}
            """
        )
        for (old,) in distinct:
            try:
                new = json_text(read_value(kind, text_of(json.loads(old)), zone))
            except BadValue as error:
                raise OperationFailed(f"{name}: {error}", hint="mend those contacts first") from None
            if new != old:
                member = f'{{"{name}":{new}}}'
                changed += store.execute(
                    f"""
                    UPDATE contacts
                    SET attributes = {store.dialect.json_merge("attributes", ":member")}, updated_at = :now
                    WHERE CAST(attributes -> '{name}' AS TEXT) = :old
                    """,
                    {"member": member, "old": old, "now": now_ms},
                )
        store.execute("UPDATE attributes SET type = :type WHERE name = :name", {"type": kind, "name": name})
        if store.value("SELECT indexed FROM attributes WHERE name = :name", {"name": name}):
            unindex(store, name)
            index(store, name)
    return changed


def _check_type(kind: str) -> None:
    if kind not in ATTRIBUTE_TYPES:
        raise UnknownName("type", kind, ATTRIBUTE_TYPES, hint=f"one of {', '.join(ATTRIBUTE_TYPES)}")


def remove(store: Store, now_ms: int, name: str) -> int:
    """Forget the attribute and its value on every contact; how many contacts had it.

    Raises UnknownName, and OperationFailed where rules that ask for it would then mean something else.
    """
    name = get(store, name)["name"]
    with store.write():
        if name in BARE and (used := bare_words.uses(store, name)):
            raise OperationFailed(
                f"{used[0]} asks for {name!r}, which has a meaning of its own where no attribute is called so",
                hint="change that first",
            )
        unindex(store, name)
        store.execute("DELETE FROM attributes WHERE name = :name", {"name": name})
        return store.execute(
            f"""
            UPDATE contacts
            SET attributes = {store.dialect.json_without("attributes", name)},
                folded = {store.dialect.json_without("folded", name)},
                updated_at = :now
            WHERE {store.dialect.json_present("attributes", name)}
            """,
            {"now": now_ms},
        )


# The values

_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,12})?").fullmatch
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?").fullmatch
_COMMA_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14}),[0-9]{1,2}").fullmatch
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.[0-9]+)?"
    r" ?(Z|[+-][0-9]{2}:?[0-9]{2})?"
).fullmatch
_OTHER_DATE = re.compile(
    r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})|"
    r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})"
).fullmatch
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

_YES = ("true", "yes", "y", "t", "1", "on", "tak", "ja", "oui", "sí", "si", "sim", "да")
_NO = ("false", "no", "n", "f", "0", "off", "nie", "nein", "non", "não", "нет")
BOOLEANS: dict[str, bool] = {**dict.fromkeys(_YES, True), **dict.fromkeys(_NO, False)}


def read_value(kind: AttributeType, text: str, zone: ZoneInfo) -> Value:
    """The value ``text`` means for an attribute of this type. Raises BadValue.

    A time without a zone is one in ``zone``. A comma is taken for a decimal point where it cannot be
    anything else; a date may also be written 31.12.1990 or 1990/12/31.
    """
    text = text.strip()
    if kind == "text":
        return plain_text(text)
    if kind == "number":
        return _number(text)
    if kind == "bool":
        answer = BOOLEANS.get(text.casefold())
        if answer is None:
            raise BadValue(f"{shorten(text)!r} is neither yes nor no")
        return answer
    return _date(text, zone)


def plain_text(text: str) -> str:
    """The text in its composed form, if it holds no control characters and is not too long. Raises BadValue."""
    if len(text) > LONGEST_TEXT:
        raise BadValue(f"{len(text):,} characters are too many for one value (at most {LONGEST_TEXT:,})")
    if not text.isprintable() and (found := _CONTROL.search(text)):
        raise BadValue(f"it holds {_name_of(found[0])}, which no value may hold")
    return text if text.isascii() else normalize("NFC", text)


def _name_of(character: str) -> str:
    names = {"\n": "a line break", "\r": "a line break", "\t": "a tab", "\0": "a NUL"}
    return names.get(character, f"the control character U+{ord(character):04X}")


def _number(text: str) -> int | float:
    if _COMMA_NUMBER(text):
        text = text.replace(",", ".")
    if not _NUMBER(text) or len(text) > 300:
        raise BadValue(f"{shorten(text)!r} is no number")
    if text.lstrip("+-").isdigit() and len(text) <= 18:
        return int(text)
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise BadValue(f"{shorten(text)!r} is too large a number")
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _date(text: str, zone: ZoneInfo) -> str:
    try:
        if _DATE(text):
            return date.fromisoformat(text).isoformat()
        if found := _MOMENT(text):
            day, clock, offset = found.groups()
            moment = datetime.fromisoformat(f"{day}T{clock}{offset or ''}")
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=zone)
            return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
        if found := _OTHER_DATE(text):
            year, month, day = found.group(1, 2, 3) if found[1] else found.group(6, 5, 4)
            return date(int(year), int(month), int(day)).isoformat()
    except (ValueError, OverflowError):
        pass
    raise BadValue(f"{shorten(text)!r} is no date", hint="write dates as 1990-12-31")


def json_text(value: Value) -> str:
    """The value as it stands in the store's JSON: the same value is always the same text."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return json.dumps(value, ensure_ascii=False)


def json_object(values: Mapping[str, Value]) -> str:
    """The attributes of one contact as they stand in the store."""
    members = (f'"{name}":{json_text(value)}' for name, value in values.items())
    return "{" + ",".join(members) + "}"


def text_of(value: object) -> str:
    """A stored value as a person writes it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def infer(values: Iterable[str]) -> AttributeType:
    """The type all of these texts fit: text unless each is a number, each yes or no, or each an ISO date.

    Leading zeros and long rows of digits are codes, not numbers; a column of nothing but ``no`` is
    as likely Norway.
    """
    sample = {text for text in (value.strip() for value in values) if text}
    if not sample:
        return "text"
    if all(_is_number(text) for text in sample):
        return "number"
    if all(_is_date(text) for text in sample):
        return "date"
    words = {text.casefold() for text in sample}
    meanings = {BOOLEANS.get(word) for word in words}
    if None not in meanings and (len(meanings) == 2 or words & {"true", "false"}):
        return "bool"
    return "text"


def _is_number(text: str) -> bool:
    return bool(_PLAIN_NUMBER(text) or _COMMA_NUMBER(text))


def _is_date(text: str) -> bool:
    if not (_DATE(text) or _MOMENT(text)):
        return False
    try:
        _date(text, ZoneInfo("UTC"))
    except BadValue:
        return False
    return True


# Indexes


def index(store: Store, name: str) -> None:
    """Index the attribute, so that rules that compare it find their contacts without reading all.

    The index is on the expression a rule compares, for contacts that are not removed: what a rule
    with ``=`` or ``in``, or on numbers and dates any comparison, asks for.
    """
    found = get(store, name)
    name, dialect = found["name"], store.dialect
    expression = {
        "text": dialect.folded("attributes", "folded", name),
        "number": dialect.json_number("attributes", name),
        "bool": dialect.json_bool("attributes", name),
        "date": dialect.json_text("attributes", name),
    }[found["type"]]
    with store.write():
        store.execute(
            f'CREATE INDEX IF NOT EXISTS "{_index_name(name)}" ON contacts (({expression})) WHERE removed_at IS NULL'
        )
        store.execute("UPDATE attributes SET indexed = 1 WHERE name = :name", {"name": name})


def unindex(store: Store, name: str) -> None:
    """Take the attribute's index away."""
    name = get(store, name)["name"]
    with store.write():
        store.execute(f'DROP INDEX IF EXISTS "{_index_name(name)}"')
        store.execute("UPDATE attributes SET indexed = 0 WHERE name = :name", {"name": name})


def _index_name(name: str) -> str:
    return f"contacts_attribute_{name}"
