"""``macli contact``: people, found, shown, added, edited and written to a file."""

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from macli.commands import contact_changes, contact_erase, contact_export, contact_import, options
from macli.commands.contact_changes import Contact, Removed, selected, tags_of
from macli.context import Macli
from macli.errors import UsageError

if TYPE_CHECKING:
    from macli.store import Row

app = typer.Typer(no_args_is_help=True, help="Contacts: the people we may write to, and what is known of them.")
app.command("import")(contact_import.command)
app.command("erase")(contact_erase.command)

Set: TypeAlias = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="An attribute; may be given again.")
]
Email: TypeAlias = Annotated[str | None, typer.Option("--email", help="The e-mail address.")]
Phone: TypeAlias = Annotated[
    str | None, typer.Option("--phone", help="The phone number: +14165550123, or as written in your country.")
]
ExternalId: TypeAlias = Annotated[
    str | None, typer.Option("--external-id", metavar="ID", help="What another system calls the contact.")
]
Timezone: TypeAlias = Annotated[
    str | None, typer.Option("--timezone", metavar="ZONE", help="An IANA time zone, for example Europe/Warsaw.")
]
Locale: TypeAlias = Annotated[str | None, typer.Option("--locale", help="A locale, for example pl or pt-BR.")]
State: TypeAlias = Annotated[str | None, typer.Option("--state", help="lead or customer.")]
Limit: TypeAlias = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many.")]


@app.command()
def add(
    ctx: typer.Context,
    email: Annotated[str | None, typer.Argument(metavar="[EMAIL]", help="The e-mail address.")] = None,
    assign: Set = None,
    phone: Phone = None,
    external_id: ExternalId = None,
    timezone: Timezone = None,
    locale: Locale = None,
    state: State = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="A tag; may be given again.")] = None,
) -> None:
    """Add a contact, or bring a known one up to date; one that was removed comes back.

    Example: macli contact add ann@example.com --set country=Canada --phone +14165550123
    """
    from macli import contacts
    from macli.store import suppressions

    macli = Macli.of(ctx)
    own = _own(macli, email, phone, external_id, timezone, locale, state)
    with macli.store.write():
        added = contacts.add(macli.store, macli.now(), own, _assignments(assign), source="cli", zone=macli.zone)
        for one in tags_of(macli, tag or ()):
            contacts.tag_where(macli.store, macli.now(), contacts.ONE, {"one_contact": added.contact_id}, one, "cli")
    who = own.get("email") or own.get("phone") or own.get("external_id")
    macli.out.say(
        {"readded": f"{who} is back", "unchanged": f"{who} was so already"}.get(added.outcome, f"{added.outcome} {who}")
    )
    for row in suppressions.of(macli.store, own.get("email"), own.get("phone")):
        macli.out.warn(f"{row['address']} is suppressed ({row['reason']}): nothing is sent to it")


@app.command("list")
def list_(
    ctx: typer.Context,
    where: options.Where = None,
    removed: Removed = False,
    limit: Limit = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List contacts. As CSV or JSON all there is to know of each, as an import reads it.

    Example: macli contact list --where 'country = "Canada"' --limit 20
    """
    from macli.store import contacts

    macli, shape = Macli.of(ctx), options.shape(format, json)
    found = selected(macli, where, removed=removed)
    if shape in ("csv", "json", "ndjson"):
        columns = contacts.export_columns(macli.store)
        macli.out.rows(contacts.exported(macli.store, found, limit=limit), columns=columns, shape=shape)
        return
    rows = contacts.listed(macli.store, found, limit=limit)
    macli.out.rows(rows, columns=("id", "email", "phone", "state", "tags", "added_at"), shape=shape)


@app.command()
def show(ctx: typer.Context, contact: Contact, format: options.Format = None, json: options.Json = False) -> None:
    """Show everything known about a contact: scores and why, stage and what would move it, owner, what happened last.

    Example: macli contact show ann@example.com
    """
    from macli.reports import card
    from macli.store import contacts

    macli, shape = Macli.of(ctx), options.shape(format, json)
    found = contacts.find(macli.store, contact, region=macli.setting("country"))
    known, told = _everything(macli, found), card.card(macli.store, found["id"], macli.now(), macli.acting)
    if shape in ("csv", "json", "ndjson"):
        macli.out.record({**known, **told}, shape=shape)
        return
    lists = {name: known.pop(name) for name in ("consents", "suppressions", "events", "messages")}
    for name, value in known.pop("attributes").items():
        known.setdefault(name, value)
    known["tags"] = ", ".join(known["tags"])
    macli.out.record({name: value for name, value in known.items() if value not in (None, "")}, shape=shape)
    macli.out.record(card.lines(told, macli.out.when), shape=shape)
    for name, columns in card.LISTS.items():
        if told[name]:
            macli.out.rows(told[name], columns=columns, shape=shape, title=name.replace("_", " "))
    for name, rows in lists.items():
        if rows:
            macli.out.rows(rows, shape=shape, title=name)


@app.command()
def edit(
    ctx: typer.Context,
    contact: Contact,
    assign: Set = None,
    unset: Annotated[
        list[str] | None, typer.Option("--unset", metavar="NAME", help="Take an attribute or phone away.")
    ] = None,
    email: Email = None,
    phone: Phone = None,
    external_id: ExternalId = None,
    timezone: Timezone = None,
    locale: Locale = None,
    state: State = None,
) -> None:
    """Change a contact. A new e-mail address keeps what was said about being written to.

    Example: macli contact edit ann@example.com --set country=Poland --unset fax
    """
    from macli import contacts
    from macli.store import attributes
    from macli.store import contacts as kept

    macli = Macli.of(ctx)
    found = kept.find(macli.store, contact, region=macli.setting("country"))
    own: dict[str, str | None] = {**_own(macli, email, phone, external_id, timezone, locale, state)}
    values: dict[str, Any] = {**_assignments(assign)}
    for name in unset or ():
        if name in kept.OWN and name not in ("state", "source"):
            own[name] = None
        else:
            values[attributes.get(macli.store, name)["name"]] = None
    if not own and not values:
        raise UsageError("nothing to change", hint="for example --set country=Poland")
    changed = contacts.edit(macli.store, macli.now(), found["id"], own, values, source="cli", zone=macli.zone)
    macli.out.say(f"changed {contact}" if changed else f"{contact} was so already")


contact_changes.register(app)


app.command("export")(contact_export.command)


# What the commands share


def _own(
    macli: Macli,
    email: str | None,
    phone: str | None,
    external_id: str | None,
    timezone: str | None,
    locale: str | None,
    state: str | None,
) -> dict[str, str]:
    from macli.store import contacts

    given = {
        "email": email,
        "phone": phone,
        "external_id": external_id,
        "timezone": timezone,
        "locale": locale,
        "state": state,
    }
    region = macli.setting("country")
    return {name: contacts.read_own(name, text, region) for name, text in given.items() if text is not None}


def _assignments(texts: list[str] | None) -> dict[str, str]:
    given: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--set {text!r} sets nothing", hint="write --set country=Canada")
        given[name.strip()] = value
    return given


def _everything(macli: Macli, found: "Row") -> dict[str, Any]:
    import json

    from macli.store import consents, contacts, event_log, suppressions, tags

    store = macli.store
    known: dict[str, Any] = {name: found[name] for name in ("id", *contacts.OWN)}
    known["attributes"] = json.loads(found["attributes"])
    known["tags"] = [row["name"] for row in tags.of(store, found["id"])]
    known |= {name: found[name] for name in ("added_at", "updated_at", "removed_at")}
    known["consents"] = [
        {**dict(row), "evidence": json.loads(row["evidence"])} for row in consents.of(store, found["id"])
    ]
    known["suppressions"] = [dict(row) for row in suppressions.of(store, found["email"], found["phone"])]
    last = event_log.listed(store, contact_id=found["id"], limit=10)
    known["events"] = [
        {"at": row["at"], "name": row["name"], "properties": json.loads(row["properties"]), "source": row["source"]}
        for row in last
    ]
    known["messages"] = [dict(row) for row in event_log.messages_of(store, found["id"], 10)]
    return known
