"""Whom a command means: contacts by name, those a rule selects, or those of a segment."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import typer

from macli.commands import options
from macli.commands.contact_changes import selected
from macli.context import Macli
from macli.errors import UsageError
from macli.texts import count_of

Contacts: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CONTACT...]",
        help="E-mail addresses, phone numbers, external ids, or #ids.",
        autocompletion=options.names_of("contacts"),
    ),
]
Segment: TypeAlias = Annotated[
    str | None,
    typer.Option("--segment", metavar="NAME", help="Those of a segment.", autocompletion=options.names_of("segments")),
]
FireEvents: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--fire-events/--no-fire-events",
        help="Whether campaigns hear of it; they do where contacts are named, not where a rule or segment is.",
        show_default=False,
    ),
]
BulkEvents: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--fire-events/--no-fire-events",
        help="Whether campaigns hear of the contacts this moves; without it they do not.",
        show_default=False,
    ),
]

SILENT = "; no events were recorded (--fire-events does)"
"""The end of what is said of a change that nobody hears of."""


@dataclass(frozen=True, kw_only=True)
class Meant:
    """A query of contact ids with its parameters, and whether the contacts were named one by one."""

    ids: str
    params: dict[str, Any]
    named: bool

    def silently(self, fire_events: bool | None) -> bool:
        """Whether nothing is told of the change: bulk changes are silent unless asked."""
        return not (self.named if fire_events is None else fire_events)


def meant(macli: Macli, contacts: Sequence[str] | None, where: str | None, segment: str | None = None) -> Meant:
    """Exactly one of names, a rule and a segment. Raises UsageError, UnknownName, RuleError."""
    from macli.contacts import ids_of
    from macli.selection import segment_where
    from macli.store import contacts as kept

    if sum(bool(one) for one in (contacts, where is not None, segment is not None)) != 1:
        raise UsageError("name contacts, or give --where RULE, or --segment NAME: one of them")
    if contacts:
        region = macli.setting("country")
        named = ",".join(str(kept.find(macli.store, contact, region=region)["id"]) for contact in contacts)
        ids = macli.store.dialect.numbers(":named_contacts")
        return Meant(ids=ids, params={"named_contacts": named}, named=True)
    if segment is not None:
        found = segment_where(macli.store, segment, macli.now(), macli.zone)
        ids, params = ids_of(found)
        return Meant(ids=f"{ids} AND contacts.removed_at IS NULL", params=params, named=False)
    ids, params = ids_of(selected(macli, where))
    return Meant(ids=ids, params=params, named=False)


def ask(macli: Macli, chosen: Meant, verb: str, where: str, *, yes: bool, fire_events: bool | None) -> None:
    """Ask before many are changed (``put`` them ``on 'Offer'``), and say whether campaigns will hear of it."""
    from macli.contacts import how_many

    if chosen.named:
        return
    count = how_many(macli.store, chosen.ids, chosen.params)
    told = heard(fire_events=not chosen.silently(fire_events))
    macli.out.confirm(f"{verb} {count_of(count, 'contact')} {where}, {told}?", yes=yes)


def heard(*, fire_events: bool) -> str:
    """Whether campaigns will hear of a change, as is said before it is made."""
    return "with events, which campaigns may wait for" if fire_events else "without events"


def unheard(chosen: Meant, fire_events: bool | None) -> str:
    """``SILENT`` where nobody hears of the change."""
    return SILENT if not chosen.named and chosen.silently(fire_events) else ""
