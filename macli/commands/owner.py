"""``macli owner``: who of the staff answers for a contact, and who helps."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from macli.commands import options, owner_rules
from macli.commands.contact_changes import Contact, chosen, people, selected
from macli.context import Macli
from macli.errors import UsageError

if TYPE_CHECKING:
    from macli.people.owning import Kind

app = typer.Typer(
    no_args_is_help=True, help="Owners: who of the staff answers for a contact (main), and who helps (co)."
)
app.add_typer(owner_rules.app, name="rule")

Words: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="[CONTACT] STAFF",
        help="A contact and one of the staff; with --where, only the latter.",
        autocompletion=options.names_of("staff"),
    ),
]
FireEvents: TypeAlias = Annotated[
    bool, typer.Option("--fire-events", help="With --where: record owner.changed, which campaigns may wait for.")
]


@app.command("set")
def set_(
    ctx: typer.Context,
    words: Words,
    where: options.Where = None,
    fire_events: FireEvents = False,
    yes: options.Yes = False,
) -> None:
    """Make one of the staff the main owner of a contact, or of all that a rule selects.

    Who was the main owner before no longer owns them. For one contact the event owner.changed is recorded;
    for many only with --fire-events.

    Example: macli owner set ann@example.com marek
    """
    _own(ctx, words, where, "main", fire_events=fire_events, yes=yes)


@app.command("add")
def add(
    ctx: typer.Context,
    words: Words,
    where: options.Where = None,
    fire_events: FireEvents = False,
    yes: options.Yes = False,
) -> None:
    """Make one of the staff a co-owner of a contact, or of all that a rule selects.

    Example: macli owner add ann@example.com anna
    """
    _own(ctx, words, where, "co", fire_events=fire_events, yes=yes)


@app.command("remove")
def remove(ctx: typer.Context, words: Words, where: options.Where = None, yes: options.Yes = False) -> None:
    """Take one of the staff away as owner or co-owner of a contact, or of all that a rule selects.

    Example: macli owner remove ann@example.com anna
    """
    from macli.people.owning import remove_owner_where
    from macli.store import staff

    macli = Macli.of(ctx)
    contact, name = _meant(words, where)
    member = staff.get(macli.store, name)
    with chosen(macli, contact, where, f"take {member['name']} away as owner of", yes=yes) as (ids, params):
        count = remove_owner_where(macli.store, macli.now(), ids, params, member["id"])
    macli.out.say(f"{member['name']} no longer owns {count:,} {people(count)}")


@app.command("list")
def list_(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="STAFF", help="Whose.", autocompletion=options.names_of("staff"))],
    kind: Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Only main, or only co.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many.")] = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List the contacts one of the staff owns.

    Example: macli owner list anna --kind main
    """
    from macli.store import owners, staff

    macli = Macli.of(ctx)
    rows = owners.owned(macli.store, staff.get(macli.store, name)["id"], kind=_kind(kind), limit=limit)
    columns = ("id", "email", "phone", "state", "kind", "since_at")
    macli.out.rows(rows, columns=columns, shape=options.shape(format, json))


@app.command("show")
def show(ctx: typer.Context, contact: Contact, format: options.Format = None, json: options.Json = False) -> None:
    """Show who owns a contact, the main owner first.

    Example: macli owner show ann@example.com
    """
    from macli.store import contacts, owners

    macli, shape = Macli.of(ctx), options.shape(format, json)
    found = contacts.find(macli.store, contact, region=macli.setting("country"))
    rows = owners.of(macli.store, found["id"])
    if not rows and shape is None:
        macli.out.say(f"nobody owns {contact}")
        return
    macli.out.rows(rows, columns=("owner", "kind", "since_at", "full_name", "email", "phone"), shape=shape)


@app.command("assign")
def assign(
    ctx: typer.Context,
    where: options.Where = None,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Ask the owner rules about contacts that are there already and have no main owner.

    New contacts are asked about by macli tick. No event is recorded.

    Example: macli owner assign --where 'country = "Canada"' --dry-run
    """
    from dataclasses import asdict

    from macli.people import assigning

    macli, shape = Macli.of(ctx), options.shape(format, json)
    planned = assigning.plan(macli.store, macli.now(), selected(macli, where), macli.zone)
    if planned and not dry_run:
        count = sum(one.contacts for one in planned)
        macli.out.confirm(f"give {count:,} {people(count)} an owner?", yes=yes)
        planned = assigning.assign(macli.store, macli.now(), selected(macli, where), macli.zone)
    if not planned and shape is None:
        macli.out.say("no contact without an owner fits a rule")
        return
    macli.out.rows((asdict(one) for one in planned), columns=("rule", "owner", "contacts"), shape=shape)


# What the commands share


def _own(
    ctx: typer.Context, words: list[str], where: str | None, kind: "Kind", *, fire_events: bool, yes: bool
) -> None:
    from macli.people.owning import set_owner_where
    from macli.store import staff

    macli = Macli.of(ctx)
    contact, name = _meant(words, where)
    member = staff.get_active(macli.store, name)
    role = {"main": "main owner", "co": "co-owner"}[kind]
    with chosen(macli, contact, where, f"make {member['name']} the {role} of", yes=yes) as (ids, params):
        told = contact is not None or fire_events
        count = set_owner_where(macli.store, macli.now(), ids, params, member["id"], kind, "cli", told=told)
    macli.out.say(f"{member['name']} is now {role} of {count:,} more {people(count)}")


def _meant(words: list[str], where: str | None) -> tuple[str | None, str]:
    if len(words) != (1 if where is not None else 2):
        raise UsageError(
            "say which contact and which of the staff",
            hint="macli owner set ann@example.com marek, or macli owner set --where RULE marek",
        )
    return (None, words[0]) if where is not None else (words[0], words[1])


def _kind(kind: str | None) -> str | None:
    from macli.errors import UnknownName
    from macli.people.owning import KINDS

    if kind is not None and kind not in KINDS:
        raise UnknownName("kind of owner", kind, KINDS, hint="main or co")
    return kind
