"""The history of the tables: one module a migration, applied in order, each exactly once."""

import sqlite3
from importlib import import_module

NAMES = ("m001_spine", "m002_responses", "m003_lifecycle")
"""Every migration, oldest first. A store's user_version is how many of them it has had."""


def migrate(connection: sqlite3.Connection, *, upto: int = len(NAMES)) -> None:
    """Apply the migrations the store behind ``connection`` has not had, in their order.

    sqlite-utils records each in its own table, in the transaction that makes the change.
    """
    from sqlite_utils import Database, Migrations

    database = Database(connection, execute_plugins=False)
    history = Migrations("macli")
    for number, name in enumerate(NAMES[:upto], start=1):
        history(name=name)(_step(name, number))
    history.apply(database)


def _step(name: str, number: int):  # type: ignore[no-untyped-def]
    def apply(database) -> None:  # type: ignore[no-untyped-def]
        for statement in import_module(f"{__name__}.{name}").statements():
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {number}")

    return apply
