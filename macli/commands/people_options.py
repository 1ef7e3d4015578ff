"""What the commands about people and their work share: whom a word means, and what a list is narrowed to."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from macli.commands import options
from macli.context import Macli
from macli.errors import UsageError

if TYPE_CHECKING:
    from macli.model import Where
    from macli.store import Row

_contacts = options.names_of("contacts")
_staff = options.names_of("staff")

Contact: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="CONTACT", help="An e-mail address, a phone number, an external id, or #id.", autocompletion=_contacts
    ),
]
About: TypeAlias = Annotated[
    str | None, typer.Option("--contact", metavar="CONTACT", help="Whom it is about.", autocompletion=_contacts)
]
Only: TypeAlias = Annotated[
    str | None, typer.Option("--contact", metavar="CONTACT", help="Only this contact's.", autocompletion=_contacts)
]
By: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--by", metavar="STAFF", help="Whose it is; yours, where --as says who you are.", autocompletion=_staff
    ),
]
Staff: TypeAlias = Annotated[
    str | None, typer.Option("--staff", metavar="STAFF", help="Only this person's.", autocompletion=_staff)
]
Limit: TypeAlias = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many.")]


def number(what: str) -> Any:
    """The argument ID of commands about one of something that ``list`` numbers."""
    return typer.Argument(metavar="ID", min=1, help=f"The {what}'s number in macli {what} list.")


def contact_id(macli: Macli, reference: str) -> int:
    """The contact a word means. Raises UnknownName, UsageError."""
    from macli.store import contacts

    return int(contacts.find(macli.store, reference, region=macli.setting("country"))["id"])


def contact_or_none(macli: Macli, reference: str | None) -> int | None:
    """The contact a word means; None where there is no word."""
    return None if reference is None else contact_id(macli, reference)


def staff_id(macli: Macli, name: str | None) -> int | None:
    """The member of staff of that name; None where there is no name. Raises UnknownName, OperationFailed."""
    from macli.store import staff

    return None if name is None else int(staff.get_active(macli.store, name)["id"])


def by(macli: Macli, name: str | None) -> int | None:
    """Who did it: the one named, else who acts."""
    return macli.acting_staff_id() if name is None else staff_id(macli, name)


def narrowed(macli: Macli, kind: str, table: str, where: str | None, contact: str | None) -> "list[Where]":
    """What --where and --contact narrow a list of that kind (task, deal, call, mail, note) to."""
    from macli.model import Where
    from macli.selection import entity_where

    found = [] if where is None else [entity_where(macli.store, kind, where, macli.now(), macli.zone)]
    if contact is not None:
        only = {"only_contact": contact_id(macli, contact)}
        found.append(Where(sql=f"{table}.contact_id = :only_contact", params=only))
    return found


def show(macli: Macli, row: "Row", shape: str | None, flags: tuple[str, ...] = ()) -> None:
    """Print one of something whole; for people without what it does not have. ``flags`` are yes or no."""
    found = {name: row[name] for name in row.keys() if not name.endswith("_id")}  # noqa: SIM118
    found |= {name: bool(row[name]) for name in flags}
    if shape is None:
        found = {name: value for name, value in found.items() if value not in (None, "")}
    macli.out.record(found, shape=shape)


def changes(given: Mapping[str, str | None], read: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    """What was given of an entry's columns, as they are kept: None for '' of those that have a way to ``read`` them."""
    return {
        name: text if name not in read else read[name](text) if text else None
        for name, text in given.items()
        if text is not None
    }


def typed(text: str) -> str:
    """The text; what comes on standard input where it is ``-``."""
    import sys

    return sys.stdin.buffer.read(_MOST_OCTETS).decode("utf-8", "replace") if text == "-" else text


_MOST_OCTETS = 1 << 20


def due(macli: Macli, text: str | None) -> int | None:
    """By when, in UTC milliseconds; None where nothing is said. Raises UsageError."""
    from macli.clock import parse_when, to_ms

    return None if text is None else to_ms(parse_when(text, now=macli.now(), default=macli.zone))


def whose(macli: Macli, mine: bool, name: str | None) -> int | None:
    """The member of staff a list is narrowed to: who acts, or the one named; None where neither is asked.

    Raises UsageError where it is not known who acts, or both are asked.
    """
    from macli.store import staff

    if mine and name is not None:
        raise UsageError("whose: yours, or somebody's?", hint="either --mine or --for STAFF")
    if not mine:
        return None if name is None else int(staff.get(macli.store, name)["id"])
    me = macli.acting_staff_id()
    if me is None:
        raise UsageError("it is not known who you are", hint="macli --as NAME …, or set MACLI_USER")
    return me


def seconds(duration: str | None) -> int | None:
    """How long something was; None where nothing is said. Raises UsageError."""
    from macli.clock import parse_duration

    return None if duration is None else int(parse_duration(duration).total_seconds())
