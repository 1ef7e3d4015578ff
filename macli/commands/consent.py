"""``macli consent``: who said yes or no, to what, when, and how we know."""

from typing import Annotated, Any, TypeAlias

import typer

from macli.commands import options
from macli.commands.contact_changes import Contact, OneOrNone, chosen, people
from macli.context import Macli

app = typer.Typer(no_args_is_help=True, help="Consent: who said yes or no, to what, when, and how we know.")

Channel: TypeAlias = Annotated[str, typer.Option("--channel", help="email, sms or push.")]
Topic: TypeAlias = Annotated[
    str,
    typer.Option(
        "--topic",
        metavar="NAME",
        help="What it is about; without it, everything on the channel.",
        autocompletion=options.names_of("topics"),
    ),
]
Source: TypeAlias = Annotated[str, typer.Option("--source", metavar="TEXT", help="How they said it, for the record.")]
Wording: TypeAlias = Annotated[
    str | None, typer.Option("--wording", metavar="TEXT", help="The exact text they agreed to.")
]
Evidence: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--evidence", metavar="NAME=VALUE", help="What else proves it; may be given again."),
]


@app.command()
def show(ctx: typer.Context, contact: Contact, format: options.Format = None, json: options.Json = False) -> None:
    """Show what a contact said, and what holds of it.

    Example: macli consent show ann@example.com
    """
    macli, shape = Macli.of(ctx), options.shape(format, json)
    found = _everything(macli, contact)
    if shape in ("csv", "json", "ndjson"):
        macli.out.record(found, shape=shape)
        return
    columns = ("channel", "topic", "status", "basis", "source", "changed_at", "confirmed_at", "expires_at", "evidence")
    macli.out.rows(found["consents"], columns=columns, shape=shape)
    wanted = {name: value for name, value in found["preferences"].items() if value}
    if wanted:
        macli.out.record(wanted, shape=shape, title="preferences")


@app.command()
def grant(
    ctx: typer.Context,
    contact: OneOrNone = None,
    channel: Channel = "email",
    topic: Topic = "",
    basis: Annotated[
        str,
        typer.Option(
            "--basis", help="consent, soft_opt_in, legitimate_interest, contract or legal_obligation: why we may."
        ),
    ] = "consent",
    confirmed: Annotated[bool, typer.Option("--confirmed", help="They confirmed it from their own address.")] = False,
    source: Source = "cli",
    wording: Wording = None,
    evidence: Evidence = None,
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="TIME", help="When it ends: 2028-12-31, 'in 2 years'."),
    ] = None,
    where: options.Where = None,
    yes: options.Yes = False,
) -> None:
    """Write down that a contact said yes, with the proof of it.

    Example: macli consent grant ann@example.com --topic newsletter --source 'fair in May' --wording 'Write to me.'
    """
    from macli import contacts
    from macli.store import consents

    macli = Macli.of(ctx)
    proof = consents.read_evidence(evidence, wording)
    with chosen(macli, contact, where, "opt in", yes=yes) as (ids, params):
        count = contacts.grant_where(
            macli.store,
            macli.now(),
            ids,
            params,
            channel,
            source,
            topic=consents.check_topic(macli.store, topic),
            evidence=proof,
            basis=consents.check_basis(basis),
            confirmed=confirmed,
            lasts=None if expires is None else options.moment(macli, expires) - macli.now(),
        )
    macli.out.say(f"{count:,} {people(count)} opted in to {_what(channel, topic)}")


@app.command()
def withdraw(
    ctx: typer.Context,
    contact: OneOrNone = None,
    channel: Channel = "email",
    topic: Topic = "",
    source: Source = "cli",
    wording: Wording = None,
    evidence: Evidence = None,
    where: options.Where = None,
    yes: options.Yes = False,
) -> None:
    """Write down that a contact said no. Nothing planned for it on that channel or topic is sent.

    Example: macli consent withdraw ann@example.com --topic newsletter --source 'by phone'
    """
    from macli import contacts
    from macli.store import consents

    macli = Macli.of(ctx)
    proof = consents.read_evidence(evidence, wording)
    with chosen(macli, contact, where, "opt out", yes=yes) as (ids, params):
        about = consents.check_topic(macli.store, topic)
        count = contacts.withdraw_where(
            macli.store, macli.now(), ids, params, channel, source, topic=about, evidence=proof
        )
    macli.out.say(f"{count:,} {people(count)} opted out of {_what(channel, topic)}")


@app.command()
def ask(
    ctx: typer.Context,
    contact: OneOrNone = None,
    channel: Channel = "email",
    topic: Topic = "",
    source: Source = "cli",
    wording: Wording = None,
    evidence: Evidence = None,
    where: options.Where = None,
    yes: options.Yes = False,
) -> None:
    """Ask a contact to confirm its yes: the event consent.requested, at which a campaign sends the question.

    Example: macli consent ask ann@example.com --topic newsletter --source 'card at the counter'
    """
    from macli import contacts
    from macli.store import consents

    macli = Macli.of(ctx)
    proof = consents.read_evidence(evidence, wording)
    with chosen(macli, contact, where, "ask", yes=yes) as (ids, params):
        about = consents.check_topic(macli.store, topic)
        count = contacts.ask(macli.store, macli.now(), ids, params, channel, source, topic=about, evidence=proof)
    macli.out.say(f"asked {count:,} {people(count)} to confirm {_what(channel, topic)}")


@app.command()
def log(
    ctx: typer.Context,
    contact: Annotated[str | None, typer.Option("--contact", metavar="CONTACT", help="Only this contact's.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only from then on: 2026-05-01, today.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many.")] = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Write the consent log, the latest first: every yes and no with its evidence.

    Example: macli consent log --since 2026-05-01 --format csv
    """
    from macli.clock import to_ms
    from macli.store import consents

    macli = Macli.of(ctx)
    rows = consents.log(
        macli.store,
        contact_id=None if contact is None else _find(macli, contact)["id"],
        since=None if since is None else to_ms(options.moment(macli, since)),
        limit=limit,
    )
    macli.out.rows(rows, columns=consents.LOG_COLUMNS, shape=options.shape(format, json))


def _find(macli: Macli, contact: str) -> Any:
    from macli.store import contacts

    return contacts.find(macli.store, contact, region=macli.setting("country"))


def _everything(macli: Macli, contact: str) -> dict[str, Any]:
    from macli.contacts.preferring import told
    from macli.store import consents, preferences

    found = _find(macli, contact)
    return {
        "contact": found["email"] or found["phone"] or found["external_id"],
        "consents": [consents.readable(row) for row in consents.of(macli.store, found["id"])],
        "preferences": dict(told(preferences.of(macli.store, found["id"]))),
    }


def _what(channel: str, topic: str) -> str:
    return f"{channel} topic {topic!r}" if topic else channel
