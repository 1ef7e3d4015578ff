"""``macli contact tag``, ``opt-out``, ``rm`` and the like: one contact, or all that a rule selects."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from macli.commands import options
from macli.context import Macli
from macli.errors import UsageError

if TYPE_CHECKING:
    from macli.model import Where

_names = options.names_of("contacts")

Contact: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="CONTACT", help="An e-mail address, a phone number, an external id, or #id.", autocompletion=_names
    ),
]
OneOrNone: TypeAlias = Annotated[
    str | None,
    typer.Argument(metavar="[CONTACT]", help="One contact; or --where for many.", autocompletion=_names),
]
Words: TypeAlias = Annotated[
    list[str],
    typer.Argument(metavar="[CONTACT] TAG...", help="A contact and its tags; with --where, only tags."),
]
TopicOption: TypeAlias = Annotated[
    str, typer.Option("--topic", help="What it is about; without it, everything on the channel.")
]
Removed: TypeAlias = Annotated[bool, typer.Option("--removed", help="Those that were removed, instead.")]


def register(app: typer.Typer) -> None:
    """Give the commands of this module to ``macli contact``."""
    for command in (tag, untag, convert, rm, restore, purge):
        app.command()(command)
    app.command("opt-out")(opt_out)
    app.command("opt-in")(opt_in)


def tag(ctx: typer.Context, words: Words, where: options.Where = None) -> None:
    """Give tags to a contact, or to all that a rule selects.

    Example: macli contact tag ann@example.com VIP
    """
    from macli import contacts

    macli, ids, params, tags = _tagging(ctx, words, where)
    for one in tags:
        count = contacts.tag_where(macli.store, macli.now(), ids, params, one, "cli")
        macli.out.say(f"tagged {count:,} {people(count)} {one}")


def untag(ctx: typer.Context, words: Words, where: options.Where = None) -> None:
    """Take tags off a contact, or off all that a rule selects.

    Example: macli contact untag ann@example.com NEW
    """
    from macli import contacts
    from macli.store import tags as kept

    macli, ids, params, tags = _tagging(ctx, words, where)
    for one in tags:
        kept.known(macli.store, one)
        count = contacts.untag_where(macli.store, macli.now(), ids, params, one, "cli")
        macli.out.say(f"took {one} off {count:,} {people(count)}")


def convert(
    ctx: typer.Context, contact: OneOrNone = None, where: options.Where = None, yes: options.Yes = False
) -> None:
    """Write down that a lead became a customer. Campaigns and conversions can wait for it (contact.converted).

    Example: macli contact convert ann@example.com
    """
    from macli.lifecycle.converting import convert_where

    macli = Macli.of(ctx)
    with chosen(macli, contact, where, "make customers of", yes=yes) as (ids, params):
        count = convert_where(macli.store, macli.now(), ids, params, "cli")
    if contact is not None and not count:
        macli.out.say(f"{contact} was a customer already")
    else:
        macli.out.say(f"{count:,} {people(count)} became customers" if count != 1 else "1 contact became a customer")


def opt_out(
    ctx: typer.Context,
    contact: OneOrNone = None,
    channel: Annotated[str | None, typer.Option("--channel", help="email, sms or push; without it, all.")] = None,
    topic: TopicOption = "",
    where: options.Where = None,
    yes: options.Yes = False,
) -> None:
    """Write down that a contact said no. Nothing planned for it on that channel is sent.

    Example: macli contact opt-out ann@example.com --channel email
    """
    from macli import contacts
    from macli.store import consents

    macli = Macli.of(ctx)
    with chosen(macli, contact, where, "opt out", yes=yes) as (ids, params):
        for one in (channel,) if channel else consents.CHANNELS:
            count = contacts.withdraw_where(
                macli.store, macli.now(), ids, params, one, "cli", topic=consents.check_topic(macli.store, topic)
            )
            macli.out.say(f"{count:,} {people(count)} opted out of {one}")


def opt_in(
    ctx: typer.Context,
    contact: Contact,
    channel: Annotated[str, typer.Option("--channel", help="email, sms or push.")] = "email",
    topic: TopicOption = "",
    source: Annotated[str, typer.Option("--source", metavar="TEXT", help="How they agreed, for the record.")] = "cli",
) -> None:
    """Write down that a contact said yes, and how we know.

    Example: macli contact opt-in ann@example.com --channel sms --source 'by phone, 3 May'
    """
    from macli import contacts

    macli = Macli.of(ctx)
    with chosen(macli, contact, None, "opt in", yes=True) as (ids, params):
        count = contacts.grant_where(
            macli.store, macli.now(), ids, params, channel, source, topic=topic.strip().casefold()
        )
    macli.out.say(f"{contact} opted in to {channel}" if count else f"{contact} had opted in to {channel} already")


def rm(ctx: typer.Context, contact: OneOrNone = None, where: options.Where = None, yes: options.Yes = False) -> None:
    """Remove a contact: it is kept, but nothing is sent to it any more. restore brings it back.

    Example: macli contact rm ann@example.com
    """
    from macli import contacts

    macli = Macli.of(ctx)
    with chosen(macli, contact, where, "remove", yes=yes) as (ids, params):
        count = contacts.remove_where(macli.store, macli.now(), ids, params, "cli")
    macli.out.say(f"removed {count:,} {people(count)}")


def restore(ctx: typer.Context, contact: Contact) -> None:
    """Bring a removed contact back, with what it said about being written to.

    Example: macli contact restore ann@example.com
    """
    from macli import contacts

    macli = Macli.of(ctx)
    with chosen(macli, contact, None, "restore", yes=True) as (ids, params):
        count = contacts.restore_where(macli.store, macli.now(), ids, params, "cli")
    macli.out.say(f"{contact} is back" if count else f"{contact} was not removed")


def purge(
    ctx: typer.Context,
    contact: OneOrNone = None,
    where: options.Where = None,
    removed: Removed = False,
    yes: options.Yes = False,
) -> None:
    """Delete a contact and its history for good. An opt-out outlives it.

    Example: macli contact purge ann@example.com --yes
    """
    from macli import contacts

    macli = Macli.of(ctx)
    with chosen(macli, contact, where, "delete for good", yes=yes, removed=removed, always=True) as (ids, params):
        count = contacts.purge_where(macli.store, macli.now(), ids, params)
    macli.out.say(f"deleted {count:,} {people(count)} for good")


# What the commands share


def tags_of(macli: Macli, texts: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    from macli.address import split_tags

    faithful = bool(macli.setting("tags.normalise"))
    return tuple(one for text in texts for one in split_tags(text, faithful))


def _tagging(
    ctx: typer.Context, words: list[str], where: str | None
) -> tuple[Macli, str, dict[str, Any], tuple[str, ...]]:
    macli = Macli.of(ctx)
    contact = None if where is not None else words[0]
    tags = tags_of(macli, words if where is not None else words[1:])
    if not tags:
        raise UsageError("no tag named", hint="macli contact tag ann@example.com VIP")
    ids, params = _ids(macli, contact, where)
    return macli, ids, params, tags


def selected(macli: Macli, where: str | None, *, removed: bool = False) -> "Where":
    """The contacts a rule selects, or all of them; of those removed, instead, where that is asked."""
    from macli.model import Where
    from macli.store.contacts import EVERYBODY, REMOVED

    if where is None:
        return REMOVED if removed else EVERYBODY
    from macli.selection import where_of

    found = where_of(macli.store, where, macli.now(), macli.zone, removed=removed)
    return Where(sql=f"({REMOVED.sql} AND {found.sql})", params=found.params) if removed else found


def _ids(macli: Macli, contact: str | None, where: str | None, *, removed: bool = False) -> tuple[str, dict[str, Any]]:
    """A query of the ids meant, by one contact's name or by a rule."""
    from macli.contacts import ONE, ids_of
    from macli.store import contacts

    if contact is not None and where is not None:
        raise UsageError("a contact and --where: say one of them")
    if contact is not None:
        found = contacts.find(macli.store, contact, region=macli.setting("country"))
        return ONE, {"one_contact": found["id"]}
    if where is None and not removed:
        raise UsageError("say which contact", hint="name one, or select with --where RULE")
    return ids_of(selected(macli, where, removed=removed))


@contextmanager
def chosen(
    macli: Macli,
    contact: str | None,
    where: str | None,
    verb: str,
    *,
    yes: bool,
    removed: bool = False,
    always: bool = False,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Those meant, after asking where they are many; all that is done to them is one transaction."""
    from macli.contacts import how_many

    ids, params = _ids(macli, contact, where, removed=removed)
    if contact is None or always:
        count = how_many(macli.store, ids, params)
        macli.out.confirm(f"{verb} {count:,} {people(count)}?", yes=yes)
    with macli.store.write():
        yield ids, params


def people(count: int) -> str:
    return "contact" if count == 1 else "contacts"
