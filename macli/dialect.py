"""The few words SQLite and PostgreSQL say differently; everything else is their common subset."""

from typing import Protocol

from macli.model import AttributeType


class Dialect(Protocol):
    """How one engine says what the common subset cannot. Every method returns an SQL expression.

    ``column`` is a trusted column expression holding JSON text; ``name`` an attribute or property
    name, which is an identifier (letters, digits, underscore) and so safe inside quotes.
    """

    name: str

    def json_text(self, column: str, name: str) -> str:
        """The member's text, NULL unless it is a JSON string."""

    def json_number(self, column: str, name: str) -> str:
        """The member's number, NULL unless it is a JSON number."""

    def json_bool(self, column: str, name: str) -> str:
        """The member's boolean as 1 or 0, NULL unless it is a JSON boolean."""

    def json_present(self, column: str, name: str) -> str:
        """True where the member is there and not null."""

    def folded(self, column: str, folded_column: str, name: str) -> str:
        """The member's text folded for comparison without case, NULL unless it is a JSON string."""

    def json_raw(self, column: str, name: str, kind: AttributeType) -> str:
        """The member, to be compared as its kind; only beside json_is, for it may be of another."""

    def json_is(self, column: str, name: str, kind: AttributeType) -> str:
        """True where the member is of that kind; NULL where it is not there."""

    def folded_raw(self, column: str, folded_column: str, name: str) -> str:
        """The member's text folded, to be compared only beside json_is."""

    def searched_raw(self, column: str, folded_column: str, name: str) -> str:
        """The member's text for LIKE with a folded pattern; only beside json_is."""

    def joined(self, expression: str) -> str:
        """The whole numbers of a group in one text, commas between them."""

    def gathered(self, expression: str) -> str:
        """The texts of a group as a JSON array, without those that are NULL."""

    def casefold(self, text: str) -> str:
        """The text folded for comparison without case, in any script."""

    def fits(self, text: str, pattern: str) -> str:
        """True where a regular expression is found in the text, without regard to case; false where there is none."""

    def numbers(self, text: str) -> str:
        """A query of the whole numbers in a text that has commas between them."""

    def plan(self, statement: str) -> str:
        """The statement that says how the engine would run this one."""

    def json_merge(self, older: str, newer: str) -> str:
        """Both objects in one; where both have a member, the newer's value."""

    def json_without(self, column: str, name: str) -> str:
        """The object without the member."""

    def json_of(self, **members: str) -> str:
        """A JSON object of expressions by name; a NULL is a null."""

    def domain(self, column: str) -> str:
        """The part after the @ of an address."""

    def iso(self, column: str) -> str:
        """A millisecond time as ISO 8601 text in UTC."""


class Sqlite:
    """SQLite 3.40 and later."""

    name = "sqlite"

    def json_text(self, column: str, name: str) -> str:
        return f"CASE json_type({column}, '$.{name}') WHEN 'text' THEN {column} ->> '{name}' END"

    def json_number(self, column: str, name: str) -> str:
        return f"CASE WHEN json_type({column}, '$.{name}') IN ('integer', 'real') THEN {column} ->> '{name}' END"

    def json_bool(self, column: str, name: str) -> str:
        return f"CASE json_type({column}, '$.{name}') WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"

    def json_present(self, column: str, name: str) -> str:
        return f"({column} ->> '{name}') IS NOT NULL"

    def folded(self, column: str, folded_column: str, name: str) -> str:
        # SQL's lower() folds ASCII only. Text it cannot fold stands, folded, in the second column,
        # which is NULL for nearly every row, so the common case costs one more NULL test.
        return f"coalesce({folded_column} ->> '{name}', lower({self.json_text(column, name)}))"

    def json_raw(self, column: str, name: str, kind: AttributeType) -> str:
        return f"({column} ->> '{name}')"

    def json_is(self, column: str, name: str, kind: AttributeType) -> str:
        types = {"text": "'text'", "date": "'text'", "number": "'integer', 'real'", "bool": "'true', 'false'"}
        return f"json_type({column}, '$.{name}') IN ({types[kind]})"

    def folded_raw(self, column: str, folded_column: str, name: str) -> str:
        return f"coalesce({folded_column} ->> '{name}', lower({column} ->> '{name}'))"

    def searched_raw(self, column: str, folded_column: str, name: str) -> str:
        # LIKE pays no regard to the case of ASCII letters here.
        return f"coalesce({folded_column} ->> '{name}', {column} ->> '{name}')"

    def joined(self, expression: str) -> str:
        return f"group_concat({expression})"

    def gathered(self, expression: str) -> str:
        return f"json_group_array({expression}) FILTER (WHERE {expression} IS NOT NULL)"

    def casefold(self, text: str) -> str:
        return f"casefold({text})"

    def fits(self, text: str, pattern: str) -> str:
        return f"(({text}) REGEXP {pattern})"

    def numbers(self, text: str) -> str:
        return f"SELECT value FROM json_each('[' || {text} || ']')"

    def plan(self, statement: str) -> str:
        return f"EXPLAIN QUERY PLAN {statement}"

    def json_merge(self, older: str, newer: str) -> str:
        return f"json_patch({older}, {newer})"

    def json_without(self, column: str, name: str) -> str:
        return f"json_remove({column}, '$.{name}')"

    def json_of(self, **members: str) -> str:
        pairs = ", ".join(f"'{name}', {expression}" for name, expression in members.items())
        return f"json_object({pairs})"

    def domain(self, column: str) -> str:
        return f"substr({column}, instr({column}, '@') + 1)"

    def iso(self, column: str) -> str:
        return f"strftime('%Y-%m-%dT%H:%M:%fZ', {column} / 1000.0, 'unixepoch')"


SQLITE = Sqlite()
