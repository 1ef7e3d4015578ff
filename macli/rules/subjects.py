"""What a comparison is made on, typed, in SQL: an attribute, a field, a property of an event."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from macli.dialect import Dialect
from macli.model import AttributeType
from macli.rules.sql import Condition
from macli.rules.values import Literal


@dataclass(frozen=True, kw_only=True)
class Member:
    """A member of a JSON column: an attribute of a contact, a property of an event.

    ``type`` is None where nobody declared one; the value it is compared with decides then. Where
    there is an index, its expression is compared. Where there is none, every row is read, and it is
    quicker to compare what is there and ask afterwards, of the few that fit, whether its type is
    right: one look into the JSON instead of two (a fifth of the time).
    """

    name: str
    type: AttributeType | None
    json: str
    folded_json: str
    dialect: Dialect
    indexed: bool = False

    def value(self, kind: AttributeType) -> str:
        """The expression that is compared; text is folded."""
        if kind == "text":
            fold = self.dialect.folded if self.indexed else self.dialect.folded_raw
            return fold(self.json, self.folded_json, self.name)
        if not self.indexed:
            return self.dialect.json_raw(self.json, self.name, kind)
        if kind == "number":
            return self.dialect.json_number(self.json, self.name)
        if kind == "bool":
            return self.dialect.json_bool(self.json, self.name)
        return self.dialect.json_text(self.json, self.name)

    def typed(self, sql: str, kind: AttributeType, *, raw: bool = False) -> Condition:
        """The comparison, true only where the member is of that kind; ``raw`` where it compares no value()."""
        if self.indexed and not raw:
            return Condition(sql=sql, value=self.value(kind))
        # A comparison is NULL only where the member is not there, and then the second half is false.
        return Condition(sql=f"({sql} AND coalesce({self.dialect.json_is(self.json, self.name, kind)}, FALSE))")

    def present(self) -> str:
        return self.dialect.json_present(self.json, self.name)

    def fold(self, text: str) -> str:
        return text.casefold()

    def searched(self, text: str) -> tuple[str, str]:
        """What is searched for a part, and the part in the same form."""
        return self.dialect.searched_raw(self.json, self.folded_json, self.name), self.fold(text)


@dataclass(frozen=True, kw_only=True)
class CoreText:
    """A text every contact has a column for, in its store's own form.

    E-mail addresses are kept in lower case; an external id is another system's and compared as it is.
    """

    name: str
    type: AttributeType = "text"

    def value(self, kind: AttributeType = "text") -> str:
        """The expression that is compared."""
        column = f"contacts.{self.name}"
        return column if self.name in ("email", "phone", "external_id") else f"lower({column})"

    def typed(self, sql: str, kind: AttributeType = "text", *, raw: bool = False) -> Condition:
        return Condition(sql=sql, value=self.value())

    def present(self) -> str:
        return f"contacts.{self.name} IS NOT NULL"

    def fold(self, text: str) -> str:
        if self.name == "email":
            return text.lower()
        if self.name == "phone":
            return "".join(character for character in text if character not in " .()-\u00a0")
        return text if self.name == "external_id" else text.casefold()

    def searched(self, text: str) -> tuple[str, str]:
        """What is searched for a part, and the part in the same form."""
        if self.name == "external_id":
            # LIKE knows case on one engine and not on the other.
            return f"lower(contacts.{self.name})", text.encode().lower().decode()
        return self.value(), self.fold(text)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A time that has a column, in UTC milliseconds."""

    name: str
    sql: str
    type: AttributeType = "date"

    def present(self) -> str:
        return f"{self.sql} IS NOT NULL"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A text, a number, or a yes or no that a task, a deal, a call, a mail or a note has a column for.

    A ``folded`` one is kept without case.
    """

    name: str
    sql: str
    type: AttributeType
    dialect: Dialect
    folded: bool = False

    def value(self, kind: AttributeType) -> str:
        """The expression that is compared; text is folded."""
        return self.dialect.casefold(self.sql) if kind == "text" and not self.folded else self.sql

    def typed(self, sql: str, kind: AttributeType, *, raw: bool = False) -> Condition:
        return Condition(sql=sql, value=self.sql)

    def present(self) -> str:
        return f"{self.sql} IS NOT NULL AND {self.sql} <> ''" if self.type == "text" else f"{self.sql} IS NOT NULL"

    def fold(self, text: str) -> str:
        return text.casefold()

    def searched(self, text: str) -> tuple[str, str]:
        """What is searched for a part, and the part in the same form."""
        return self.value("text"), self.fold(text)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One of few that have names: a member of staff, a stage, a state. ``found`` is what a name stands for."""

    name: str
    sql: str
    holds: str
    found: Callable[[Literal], Sequence[Any]]
    type: None = None

    def present(self) -> str:
        return f"{self.sql} IS NOT NULL"


Subject = Member | CoreText | Moment | Column | Reference
