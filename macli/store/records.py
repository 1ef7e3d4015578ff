"""What people write down, read back: rows of one table as people see them, those that conditions select."""

from collections.abc import Iterator
from dataclasses import dataclass

from macli.errors import UsageError
from macli.model import Where
from macli.store.connection import Row, Store

_ALL = 2**62


@dataclass(frozen=True, kw_only=True)
class Records:
    """``select`` reads ``table`` where {tests} hold, with {source} for what a row came of, up to :limit.

    ``noun`` is what one is called, ``command`` what lists them with their numbers.
    """

    table: str
    noun: str
    command: str
    select: str

    def listed(self, store: Store, *wheres: Where, limit: int | None = None) -> Iterator[Row]:
        """Those all of ``wheres`` select, in their order."""
        params = {name: value for where in wheres for name, value in where.params.items()}
        tests = " AND ".join(("TRUE", *(where.sql for where in wheres)))
        select = self.select.format(tests=tests, source=store.source(f"{self.table}.source"))
        return store.stream(select, {**params, "limit": _ALL if limit is None else limit})

    def get(self, store: Store, number: int, *wheres: Where) -> Row:
        """The one of that number, where all of ``wheres`` select it. Raises UsageError."""
        one = Where(sql=f"{self.table}.id = :record_number", params={"record_number": number})
        found = next(self.listed(store, one, *wheres, limit=1), None)
        if found is None:
            raise UsageError(f"there is no {self.noun} {number}", hint=f"{self.command} shows their numbers")
        return found
