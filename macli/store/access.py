"""What the acting person may see and change, held at the one place every command reads and writes through.

Where somebody is restricted, their connection has a view over each table of what is sorted by category, by
the table's own name: whatever a command asks, it finds what they may see. What they write goes to the tables
themselves, where triggers refuse what is not theirs to change. So no command can forget to ask.
"""

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from macli.errors import NotPermitted
from macli.store import staff
from macli.store.connection import Params, Store

ADMIN = "admin"
"""The role that may do everything."""

LEVELS = ("none", "view", "edit")

SORTED = {"campaigns": "campaign", "segments": "segment", "templates": "template", "banners": "banner"}
"""The tables of what is sorted by category, and the word for one of each."""

STAFF = ("staff", "staff_roles", "staff_groups", "category_access")
"""What an admin or the operator alone may change."""


@dataclass(frozen=True, kw_only=True)
class Acting:
    """Who of the staff types the commands."""

    staff_id: int
    name: str
    roles: tuple[str, ...]

    @property
    def is_admin(self) -> bool:
        return ADMIN in self.roles

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.roles) or 'no role'})"


def acting(store: Store, name: str) -> Acting:
    """The member of staff of that name, to act. Raises UnknownName; NotPermitted for who has left."""
    row = staff.get(store, name)
    if not row["active"]:
        raise NotPermitted(f"{row['name']} has left the staff", hint="--as somebody else")
    return Acting(staff_id=row["id"], name=row["name"], roles=tuple(staff.roles(store, row["id"])))


def limited(store: Store, who: Acting) -> Store:
    """The store as that person may see and change it, on the same connection."""
    return store if who.is_admin else Limited(store, who)


def limit(connection: sqlite3.Connection, path: Path, name: str) -> None:
    """Hide on a connection what that person may not see. Raises UnknownName, NotPermitted."""
    connection.row_factory = sqlite3.Row
    store = Store(connection, path)
    limited(store, acting(store, name))


class Limited(Store):
    """A store in the hands of somebody who may not do everything."""

    restricted = True

    def __init__(self, store: Store, who: Acting) -> None:
        super().__init__(store.connection, store.path, store.dialect)
        self.who = who
        self._whole = 0
        self._refused: NotPermitted | None = None
        self._levels = _levels(store, who)
        for name, arguments, function in (
            ("hides", 1, self.hides),
            ("may_see", 1, self._may_see),
            ("may_edit", 1, self._may_edit),
            ("may_change_staff", 0, self._may_change_staff),
            ("tells_hidden", 2, self._tells_hidden),
            ("source_told", 1, self._source_told),
        ):
            self.connection.create_function(name, arguments, function)
        for statement in _statements():
            self.connection.execute(statement)

    # What SQL asks

    def _may_see(self, category_id: int | None) -> bool:
        return bool(self._whole) or not self.hides(category_id)

    def _may_edit(self, category_id: int | None) -> bool:
        level, category = self._level(category_id)
        if self._whole or level == "edit":
            return True
        place = repr(category) if level == "view" else "CATEGORY"
        where = f"what is in the category {category!r}" if level == "view" else "what they may not see"
        self._refused = NotPermitted(f"{self.who} may not change {where}", hint=self._hint(place, "edit"))
        return False

    def _may_change_staff(self) -> bool:
        if not self._whole:
            self._refused = NotPermitted(
                f"{self.who} may not change staff, roles or grants", hint=f"somebody with the role {ADMIN} may"
            )
        return bool(self._whole)

    def _tells_hidden(self, event: str, properties: str) -> bool:
        """Whether an event names something the person may not see, or a segment that is no more or renamed."""
        said = json.loads(properties)
        if event in ("segment.entered", "segment.left"):
            return str(said.get("segment")).casefold() not in self._seen_segments
        return any((word, str(said.get(word)).casefold()) in self._hidden_names for word in _WORDS.values())

    def _source_told(self, source: str | None) -> str | None:
        """Where something came from, without the words of a campaign or form the person may not see."""
        named = ":".join((source or "").split(":", 2)[:2])
        return "(hidden)" if named in self._hidden_sources else source

    @cached_property
    def _hidden_sources(self) -> frozenset[str]:
        return frozenset(row["source"] for row in self.rows(_HIDDEN_SOURCES))

    @cached_property
    def _seen_segments(self) -> frozenset[str]:
        sql = "SELECT name FROM main.segments WHERE NOT hides(category_id)"
        return frozenset(row["name"].casefold() for row in self.rows(sql))

    @cached_property
    def _hidden_names(self) -> frozenset[tuple[str, str]]:
        return frozenset(
            (_WORDS.get(row["kind"], row["kind"]), row["name"].casefold())
            for table in SORTED
            for row in self.rows(_HIDDEN.format(table=table, kind="kind" if table == "templates" else f"'{table}'"))
        )

    def _level(self, category_id: int | None) -> tuple[str, str]:
        return self._levels.get(category_id, ("edit", "")) if category_id is not None else ("edit", "")

    def _hint(self, category: str, level: str) -> str:
        role = self.who.roles[0] if self.who.roles else "ROLE"
        return f"an {ADMIN} may allow it: macli category grant {category} {role} {level}"

    # What the store does otherwise

    def _run(self, sql: str, params: Params) -> sqlite3.Cursor:
        with self._refusing():
            return super()._run(_aimed(sql), params)

    def executemany(self, sql: str, params: Iterable[Params]) -> int:
        with self._refusing():
            return super().executemany(_aimed(sql), params)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Say what a trigger refused."""
        try:
            yield
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorname != "SQLITE_CONSTRAINT_TRIGGER" or self._refused is None:
                raise
            raise self._refused from None

    @contextmanager
    def whole(self) -> Iterator[None]:
        self._whole += 1
        try:
            yield
        finally:
            self._whole -= 1

    def hides(self, category_id: int | None) -> bool:
        return self._level(category_id)[0] == "none"

    def refuse_hidden(self, table: str, key: str | int) -> None:
        category = "id" if table == "categories" else "category_id"
        column = "id" if isinstance(key, int) else "slug" if table == "banners" else "name_key"
        sql = f"SELECT name FROM main.{table} WHERE {column} = :key AND NOT may_see({category})"
        if (name := self.value(sql, {"key": key})) is not None:
            kind = str(key).partition(":")[0] if table == "templates" else ""
            word = kind if kind in ("form", "page") else SORTED.get(table, "category")
            what = f"that {word}" if isinstance(key, int) else f"the {word} {name!r}"
            raise NotPermitted(f"{self.who} may not see {what}", hint=self._hint("CATEGORY", "view"))

    def refuse_partly(self, doing: str) -> None:
        if any(level == "none" for level, _ in self._levels.values()):
            raise NotPermitted(
                f"{doing} needs all there is, of which {self.who} may not see a part",
                hint=f"somebody with the role {ADMIN} may",
            )

    def told(self, table: str, names: list[str]) -> list[str]:
        seen = {row["name"] for row in self.rows(f"SELECT name FROM {table}")}
        return [name if name in seen else "(hidden)" for name in names]

    def source(self, column: str) -> str:
        return f"source_told({column})"

    def shown(self, table: str) -> str:
        seen = f"({table}.campaign_id IS NULL OR {table}.campaign_id IN (SELECT id FROM campaigns))"
        if table == "events" and self._hidden_names:
            return f"({seen} AND NOT tells_hidden(events.name, events.properties))"
        return seen


_WORDS = {"segments": "segment", "campaigns": "campaign", "banners": "banner", "form": "form", "page": "page"}
"""How an event names what it is about, by table or by kind of template."""

_HIDDEN_SOURCES = """
SELECT 'campaign:' || id AS source
FROM main.campaigns
WHERE hides(category_id)
UNION ALL
SELECT name_key
FROM main.templates
WHERE kind = 'form'
  AND hides(category_id)
"""
"""How a source begins that is a step of a campaign, or a form."""

_HIDDEN = """
SELECT name, {kind} AS kind
FROM main.{table}
WHERE hides(category_id)
"""


def _levels(store: Store, who: Acting) -> Mapping[int, tuple[str, str]]:
    """Of each category that has grants: the best that one of the person's roles is given, and its name."""
    found: dict[int, tuple[str, str]] = {}
    for row in store.rows(_GRANTED):
        given = row["access"] if row["role"] in who.roles else "none"
        best = max(given, found.get(row["id"], ("none", ""))[0], key=LEVELS.index)
        found[row["id"]] = best, row["name"]
    return found


_GRANTED = """
SELECT categories.id, categories.name, category_access.role, category_access.access
FROM category_access
JOIN categories ON categories.id = category_access.category_id
"""

_WRITES = re.compile(rf"\b(INTO|UPDATE|DELETE FROM)(\s+)({'|'.join((*SORTED, 'categories'))})\b")


@lru_cache(maxsize=1024)
def _aimed(sql: str) -> str:
    """The statement, writing to the table itself and not to the view of that name."""
    return _WRITES.sub(r"\1\2main.\3", sql)


def _statements() -> Iterator[str]:
    """The views and triggers of a connection whose person may not do everything."""
    for table in SORTED:
        key = "slug" if table == "banners" else "name_key"
        taken = f"EXISTS (SELECT 1 FROM main.{table} WHERE {key} = NEW.{key} AND NOT may_edit(category_id))"
        yield _view(table, "category_id")
        yield _trigger(table, "INSERT", f"NOT may_edit(NEW.category_id) OR {taken}")
        yield _trigger(table, "UPDATE", f"NOT (may_edit(OLD.category_id) AND may_edit(NEW.category_id)) OR {taken}")
        yield _trigger(table, "DELETE", "NOT may_edit(OLD.category_id)")
    yield _view("categories", "id")
    taken = "EXISTS (SELECT 1 FROM main.categories WHERE name_key = NEW.name_key AND NOT may_edit(id))"
    yield _trigger("categories", "INSERT", taken)
    yield _trigger("categories", "UPDATE", f"NOT may_edit(OLD.id) OR {taken}")
    yield _trigger("categories", "DELETE", "NOT may_edit(OLD.id)")
    for table, verbs, owner in _INSIDE:
        for verb in verbs:
            asked = (
                f"NOT may_edit((SELECT category_id FROM main.{owner} WHERE id = {row}.{SORTED[owner]}_id))"
                for row in _ROWS[verb]
            )
            yield _trigger(table, verb, " OR ".join(asked))
    for table in STAFF:
        for verb in ("INSERT", "UPDATE", "DELETE"):
            yield _trigger(table, verb, "NOT may_change_staff()")


_INSIDE = (
    ("segment_members", ("INSERT", "DELETE"), "segments"),
    ("url_rules", ("INSERT", "UPDATE", "DELETE"), "segments"),
    ("enrollments", ("INSERT", "UPDATE"), "campaigns"),
    ("sends", ("INSERT", "UPDATE"), "campaigns"),
)
"""What changes with no change of the segment or campaign it belongs to, or puts contacts into it."""

_ROWS = {"INSERT": ("NEW",), "UPDATE": ("OLD", "NEW"), "DELETE": ("OLD",)}


def _view(table: str, category: str) -> str:
    return f"CREATE TEMP VIEW {table} AS SELECT * FROM main.{table} WHERE may_see({category})"


def _trigger(table: str, verb: str, refused: str) -> str:
    return f"""
    CREATE TEMP TRIGGER may_{verb.lower()}_{table} BEFORE {verb} ON main.{table}
    WHEN {refused}
    BEGIN
      SELECT RAISE(ABORT, 'not permitted');
    END
    """
