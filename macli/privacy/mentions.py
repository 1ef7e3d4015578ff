"""Where an address is mentioned in the store beside the tables that are about its owner, and taking it out there."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from macli.store import Store

WORDS = {
    "events": ("properties", "folded", "source_id"),
    "sends": ("code", "reference", "address"),
    "consent_log": ("evidence", "source"),
    "consents": ("evidence", "source"),
    "notes": ("text", "folded"),
    "tasks": ("title", "description"),
    "deals": ("title",),
    "calls": ("outcome", "text", "phone"),
    "mails": ("subject", "body", "recipient"),
}
"""What was said at some time by somebody: an address in it can be struck out."""
STRUCK = "(erased)"
_PASSED_OVER = frozenset({"sqlite_sequence", "sqlite_stat1", "sqlite_stat4"})


@dataclass(frozen=True, kw_only=True)
class Mention:
    """So many rows of a table mention one of the addresses in a column."""

    table: str
    column: str
    rows: int


def pattern(address: str) -> str:
    """A regular expression of the address and not of a longer one it is a part of."""
    if "@" in address:
        return rf"(?<![\w.+-]){re.escape(address)}(?![\w-]|\.\w)"
    return rf"(?<!\d)\+?{re.escape(address.lstrip('+'))}(?!\d)"


def words(store: Store, addresses: Iterable[str]) -> list[tuple[str, int]]:
    """(table, id) of what was said that mentions the addresses, whoever it is about; every row is looked at."""
    return sorted(
        {
            (table, row["id"])
            for address in addresses
            for table, columns in WORDS.items()
            for row in store.rows(_mentioning(table, ("id",), columns), _like(address))
        }
    )


def strike(store: Store, found: Iterable[tuple[str, int]], addresses: Sequence[str]) -> int:
    """Strike the addresses out of what ``words`` found; in how many rows."""
    patterns = [re.compile(pattern(address), re.IGNORECASE) for address in addresses]
    struck = 0
    for table, number in found:
        columns = WORDS[table]
        row = store.row(f"SELECT {', '.join(columns)} FROM {table} WHERE id = :id", {"id": number})
        told = {} if row is None else {name: _without(patterns, row[name], name) for name in columns}
        if row is not None and told != dict(row):
            assignments = ", ".join(f"{name} = :{name}" for name in columns)
            struck += store.execute(f"UPDATE {table} SET {assignments} WHERE id = :id", {**told, "id": number})
    return struck


def _without(patterns: Iterable[re.Pattern[str]], text: str | None, column: str) -> str | None:
    for found in patterns:
        if text is not None and found.search(text):
            # What names a message elsewhere would name another one with a part struck out.
            text = None if column in ("source_id", "reference", "address", "phone") else found.sub(STRUCK, text)
    return text


def everywhere(store: Store, addresses: Iterable[str]) -> Iterator[Mention]:
    """Where the store mentions the addresses, in any text of any table."""
    tables = [row["name"] for row in store.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    for table in tables:
        if table in _PASSED_OVER:
            continue
        columns = [row["name"] for row in store.rows(f"PRAGMA table_info({table})") if row["type"] == "TEXT"]
        for column in columns:
            rows = sum(
                store.value(f"SELECT count(*) FROM ({_mentioning(table, ('1',), (column,))}) AS found", _like(address))
                for address in addresses
            )
            if rows:
                yield Mention(table=table, column=column, rows=rows)


def _mentioning(table: str, wanted: tuple[str, ...], columns: tuple[str, ...]) -> str:
    # LIKE is quick and finds nearly nothing; what it finds is looked at closely.
    tests = " OR ".join(f"({name} LIKE :like ESCAPE '!' AND regexp(:pattern, {name}))" for name in columns)
    return f"SELECT {', '.join(wanted)} FROM {table} WHERE {tests}"


def _like(address: str) -> dict[str, str]:
    text = address.lstrip("+").replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return {"like": f"%{text}%", "pattern": pattern(address)}
