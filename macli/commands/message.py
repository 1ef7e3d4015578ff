"""``macli message``: what became of each message, and what to make of those in doubt."""

from typing import Annotated

import typer

from macli.commands import options
from macli.context import Macli
from macli.errors import UnknownName
from macli.model import CHANNEL_KINDS, FINAL_STATES

app = typer.Typer(no_args_is_help=True, help="What became of each message.")

_STATES = ("planned", "claimed", "sending", *FINAL_STATES)
Number = Annotated[int, typer.Argument(metavar="ID", help="The message's number in the ledger.")]
CampaignOption = Annotated[
    str | None,
    typer.Option(
        "--campaign",
        metavar="NAME",
        help="Only this campaign's.",
        autocompletion=options.names_of("campaigns"),
    ),
]


@app.command("list")
def list_(
    ctx: typer.Context,
    campaign: CampaignOption = None,
    contact: Annotated[str | None, typer.Option("--contact", metavar="CONTACT", help="Only to this contact.")] = None,
    state: Annotated[str | None, typer.Option("--state", metavar="STATE", help=f"One of {', '.join(_STATES)}.")] = None,
    channel: Annotated[str | None, typer.Option("--channel", metavar="KIND", help="email, sms or webhook.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many.")] = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List messages, newest first.

    Example: macli message list --campaign spring --state bounced --format csv
    """
    from macli.store import campaigns, contacts, messages

    macli = Macli.of(ctx)
    if state is not None and state not in _STATES:
        raise UnknownName("state", state, _STATES, hint=f"one of {', '.join(_STATES)}")
    if channel is not None and channel not in CHANNEL_KINDS:
        raise UnknownName("kind of channel", channel, CHANNEL_KINDS, hint=f"one of {', '.join(CHANNEL_KINDS)}")
    rows = messages.browse(
        macli.store,
        campaign_id=campaigns.get(macli.store, campaign)["id"] if campaign else None,
        contact_id=contacts.find(macli.store, contact, region=macli.setting("country"))["id"] if contact else None,
        state=state,
        channel=channel,
        limit=limit,
    )
    macli.out.rows(rows, columns=messages.COLUMNS, shape=options.shape(format, json))


@app.command("show")
def show(ctx: typer.Context, number: Number, format: options.Format = None, json: options.Json = False) -> None:
    """Show one message: its way through the ledger, and what was said about it since.

    Example: macli message show 17
    """
    from macli.store import messages

    macli = Macli.of(ctx)
    shape = options.shape(format, json)
    found = messages.as_record(messages.get(macli.store, number))
    events = [messages.as_record(row) for row in messages.history(macli.store, number)]
    if shape in ("json", "ndjson"):
        macli.out.record({**found, "events": events}, shape=shape)
        return
    macli.out.record(found, shape=shape)
    if events:
        macli.out.rows(events, columns=("at", "name", "source", "properties"), shape=shape, title="said since")


@app.command("resolve")
def resolve(
    ctx: typer.Context,
    number: Annotated[int | None, typer.Argument(metavar="[ID]", help="One message; else all in doubt.")] = None,
    campaign: CampaignOption = None,
    decision: Annotated[
        str | None,
        typer.Option("--as", metavar="WHAT", help="Decide it: accepted, failed, or resend."),
    ] = None,
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Find out, or decide, what became of messages that may have left and nobody said.

    Without --as the provider is asked, where it can tell. Such a message is never sent again by
    itself; --as resend does it on your word that it did not arrive.

    Example: macli message resolve 17 --as accepted
    """
    from macli.store import campaigns
    from macli.tick import resolve as resolving

    macli = Macli.of(ctx)
    engine = macli.engine()
    campaign_id = campaigns.get(macli.store, campaign)["id"] if campaign else None
    rows = resolving.in_doubt(engine, campaign_id=campaign_id, send_id=number)
    if decision is None:
        answers = dict(resolving.ask_providers(engine, rows))
        if json:
            macli.out.record({"in_doubt": len(rows), "answers": answers}, shape="json")
            return
        found = ", ".join(f"{count} {answer}" for answer, count in answers.items())
        macli.out.say(f"{len(rows)} in doubt{': ' + found if found else ''}")
        return
    if decision not in resolving.DECISIONS:
        raise UnknownName("decision", decision, resolving.DECISIONS, hint="accepted, failed or resend")
    if decision == "resend":
        macli.out.say(f"{len(rows)} messages that may have arrived will be sent again", shape="json" if json else None)
        macli.out.confirm("Send them again?", yes=yes)
    changed = resolving.decide(engine, rows, decision)
    if json:
        macli.out.record({"in_doubt": len(rows), "changed": changed}, shape="json")
    else:
        macli.out.say(f"{changed} messages are now {'planned again' if decision == 'resend' else decision}")
