"""The verbs of ``macli campaign`` that send, start and stop one."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from macli.commands import options
from macli.context import Macli

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The campaign.", autocompletion=options.names_of("campaigns")),
]
AllowMissing = Annotated[
    bool,
    typer.Option("--allow-missing", help="Start though values are missing; those contacts get nothing."),
]
Contact = Annotated[
    str,
    typer.Option(
        "--contact", metavar="CONTACT", help="An address, or #ID.", autocompletion=options.names_of("contacts")
    ),
]


def preview(
    ctx: typer.Context,
    name: Name,
    contact: Contact,
    html: Annotated[bool, typer.Option("--html", help="Write the HTML, not the text.")] = False,
    json: options.Json = False,
) -> None:
    """Show what one contact would get, message by message, or why it would get nothing.

    Example: macli campaign preview spring --contact ann@example.com
    """
    from macli.campaign.preview import previews
    from macli.store import contacts

    macli = Macli.of(ctx)
    _, campaign = _loaded(macli, name)
    person = contacts.find(macli.store, contact, region=macli.setting("country"))
    found = previews(macli.store, campaign, person, setting=macli.setting, now=macli.now(), zone=macli.zone)
    if json:
        macli.out.rows([one.record() for one in found], shape="json")
        return
    for one in found:
        facts = one.record()
        bodies = {part: facts.pop(part) for part in ("text", "html")}
        macli.out.record({key: value for key, value in facts.items() if value is not None})
        macli.out.text(f"\n{bodies['html' if html else 'text'] or ''}")


def try_out(
    ctx: typer.Context,
    name: Name,
    to: Annotated[str, typer.Option("--to", metavar="ADDRESS", help="Where the test goes.")],
    contact: Annotated[
        str | None,
        typer.Option(
            "--contact",
            metavar="CONTACT",
            help="Whose values fill it in.",
            autocompletion=options.names_of("contacts"),
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Send a campaign's messages to yourself, now and through its own provider.

    Example: macli campaign test spring --to me@example.com --contact ann@example.com
    """
    from macli.store import campaigns, contacts
    from macli.tick.trial import send_test

    macli = Macli.of(ctx)
    person = contacts.find(macli.store, contact, region=macli.setting("country"))["id"] if contact else None
    done = send_test(macli.engine(), campaigns.get(macli.store, name), to, contact_id=person)
    macli.out.rows(
        [
            {
                "message": one.send_id,
                "step": one.step,
                "to": one.to,
                "answer": one.outcome.verdict,
                "words": f"{one.outcome.code} {one.outcome.text}".strip(),
            }
            for one in done
        ],
        shape=options.shape(None, json),
    )
    if any(one.outcome.verdict not in ("accepted", "delivered") for one in done):
        raise typer.Exit(1)


def send(
    ctx: typer.Context,
    name: Name,
    yes: options.Yes = False,
    now: Annotated[bool, typer.Option("--now", help="Send it now though a later start is written.")] = False,
    allow_missing: AllowMissing = False,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes that send.")] = 1,
    json: options.Json = False,
) -> None:
    """Send a campaign now. Without --yes it shows what would happen and asks.

    Example: macli campaign send spring --yes
    """
    from macli.campaign import plan, starting
    from macli.store import campaigns
    from macli.tick.stop import listening
    from macli.tick.tick import run_campaign

    macli = Macli.of(ctx)
    row = campaigns.get(macli.store, name)
    shape = options.shape(None, json)
    starting.check_may_send(macli.store, row, now=macli.now(), zone=macli.zone, at_once=now)
    _, campaign = _loaded(macli, name)
    if not yes:
        _warn(macli, row, campaign, allow_missing=allow_missing)
        planned = plan.plans(macli.store, campaign, setting=macli.setting, now=macli.now(), zone=macli.zone)
        rows = [one.record() for one in planned]
        told = [key for key in plan.TOLD if any(row[key] is not None for row in rows)]
        macli.out.rows(rows, columns=None if shape else told, shape=shape, title=f"{name}: what would be sent")
        for one in planned:
            if one.left_out() and shape is None:
                macli.out.rows(one.left_out(), title="who would get nothing")
    macli.out.confirm(f"Send {name!r} now?", yes=yes)
    starting.begin_now(
        macli.store, macli.now(), row, setting=macli.setting, zone=macli.zone, allow_missing=allow_missing
    )
    # Begun by who may, it goes on as a tick would: as macli's own work.
    with macli.store.whole(), listening() as stop, macli.out.progress(f"sending {name}") as bar:
        report = run_campaign(macli.engine(), row["id"], workers_wanted=workers, stopping=stop, progress=bar.advance)
    if json:
        macli.out.record(report.as_record(), shape="json")
    else:
        macli.out.say(report.line())
    if report.unreachable:
        raise typer.Exit(4)
    if report.paused:
        raise typer.Exit(1)


def schedule(
    ctx: typer.Context,
    name: Name,
    at: Annotated[
        str,
        typer.Option(
            "--at", metavar="TIME", help="'2026-12-01 09:00 Europe/Warsaw', '2026-12-01 09:00 local', 'in 2 hours'."
        ),
    ],
    allow_missing: AllowMissing = False,
    json: options.Json = False,
) -> None:
    """Let a campaign start at a time: in a time zone, or at each contact's own ('… local').

    Example: macli campaign schedule spring --at '2026-12-01 09:00 Europe/Warsaw'
    """
    from macli.campaign import changing
    from macli.campaign.brief import Brief
    from macli.store import campaigns

    macli = Macli.of(ctx)
    row = campaigns.get(macli.store, name)
    with macli.store.write():
        changing.change(macli.store, macli.now(), row, Brief(at=at), zone=macli.zone)
        _activate(macli, name, allow_missing=allow_missing, json=json)


def activate(
    ctx: typer.Context,
    name: Name,
    allow_missing: AllowMissing = False,
    dry_run: options.DryRun = False,
    json: options.Json = False,
) -> None:
    """Start a campaign: at its time where one is written, else with the next tick.

    Everything it needs is looked at first; nothing starts that is not in order. --dry-run says what is
    not, and how many contacts would come in at once.

    Example: macli campaign activate welcome --dry-run
    """
    _activate(Macli.of(ctx), name, allow_missing=allow_missing, json=json, dry_run=dry_run)


def pause(
    ctx: typer.Context,
    name: Name,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")] = "by hand",
) -> None:
    """Hold a campaign: nobody comes in or moves on, nothing is sent until it is resumed.

    Example: macli campaign pause spring --reason 'wrong price'
    """
    from macli.store import campaign_states, campaigns

    macli = Macli.of(ctx)
    campaign_states.pause(macli.store, macli.now(), campaigns.get(macli.store, name), reason)
    macli.out.say(f"paused {name!r}; macli campaign resume {name!r} goes on with it")


def resume(ctx: typer.Context, name: Name) -> None:
    """Go on with a paused campaign.

    Example: macli campaign resume spring
    """
    from macli.store import campaign_states, campaigns

    macli = Macli.of(ctx)
    state = campaign_states.resume(macli.store, macli.now(), campaigns.get(macli.store, name))
    macli.out.say(f"{name!r} is {state} again")


def cancel(ctx: typer.Context, name: Name, yes: options.Yes = False) -> None:
    """End a campaign for good: who is inside leaves, what was planned is not sent.

    Example: macli campaign cancel spring --yes
    """
    from macli.store import campaign_states, campaigns

    macli = Macli.of(ctx)
    row = campaigns.get(macli.store, name)
    macli.out.confirm(f"Cancel {name!r} for good?", yes=yes)
    ended = campaign_states.cancel(macli.store, macli.now(), row)
    macli.out.say(f"cancelled {name!r}: {ended['messages']} messages not sent, {ended['contacts']} contacts left")


def retry(ctx: typer.Context, name: Name, yes: options.Yes = False) -> None:
    """Plan the messages again that failed or were refused; never those that may have arrived.

    Example: macli campaign retry spring --yes
    """
    from macli.store import campaign_states, campaigns

    macli = Macli.of(ctx)
    row = campaigns.get(macli.store, name)
    count = campaigns.count_retryable(macli.store, row["id"])
    macli.out.confirm(f"Send {count} messages of {name!r} again that failed or were refused?", yes=yes)
    planned = campaign_states.plan_again(macli.store, macli.now(), row)
    macli.out.say(f"{planned} messages are planned again; the next tick sends them")


def _activate(macli: Macli, name: str, *, allow_missing: bool, json: bool, dry_run: bool = False) -> None:
    from macli.campaign import starting

    row, campaign = _loaded(macli, name)
    begun = starting.activate(
        macli.store,
        macli.now(),
        row,
        setting=macli.setting,
        zone=macli.zone,
        allow_missing=allow_missing,
        dry_run=dry_run,
    )
    at_once = starting.existing(macli.store, campaign, now=macli.now(), zone=macli.zone)
    notes = [one.text for one in begun.notes]
    if json:
        told = {"state": begun.state, "start_at": begun.start_at, "contacts_at_once": at_once, "notes": notes}
        macli.out.record({"name": row["name"], **told}, shape="json")
        return
    for note in notes:
        macli.out.warn(note)
    words = f"{name!r} {'would be' if dry_run else 'is'} {begun.state}"
    if begun.start_at:
        words += f", from {macli.out.when(begun.start_at)} on"
    if at_once is not None:
        words += f"; contacts who come in at once, for what was before: {at_once}"
    macli.out.say(words)


def _loaded(macli: Macli, name: str) -> tuple[Any, Any]:
    from macli.campaign.loading import load
    from macli.store import campaigns

    row = campaigns.get(macli.store, name)
    return row, load(macli.store, row["id"], row["current_version"]).campaign


def _warn(macli: Macli, row: Any, campaign: Any, *, allow_missing: bool) -> None:
    from macli.campaign.readiness import findings

    for one in findings(
        macli.store,
        row,
        campaign,
        setting=macli.setting,
        now=macli.now(),
        zone=macli.zone,
        allow_missing=allow_missing,
    ):
        macli.out.warn(f"{one.level}: {one.text}")


COMMANDS: dict[str, Callable[..., None]] = {
    "preview": preview,
    "test": try_out,
    "send": send,
    "schedule": schedule,
    "activate": activate,
    "pause": pause,
    "resume": resume,
    "cancel": cancel,
    "retry": retry,
}
"""The verbs, in the order in which help shows them."""
