"""``macli report``: what campaigns reached."""

from typing import Annotated

import typer

from macli.commands import options
from macli.context import Macli

app = typer.Typer(no_args_is_help=True, help="What a campaign reached.")


@app.command("campaign")
def campaign(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="The campaign.", autocompletion=options.names_of("campaigns")),
    ],
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Report on one campaign: each step's messages, what recipients did with them, what it brought about,
    why some did not arrive, and where contacts stand. What people did is apart from what programs did.

    In CSV and the other row shapes: one row a step.

    Example: macli report campaign spring
    """
    from macli.reports import campaign as reporting
    from macli.reports.reactions import APART, DID
    from macli.store import campaigns

    macli = Macli.of(ctx)
    shape = options.shape(format, json)
    found = reporting.report(macli.store, campaigns.get(macli.store, name), now=macli.now(), zone=macli.zone)
    if shape == "json":
        macli.out.record(found, shape=shape)
        return
    if shape in ("csv", "ndjson"):
        macli.out.rows(found["steps"], columns=reporting.COLUMNS, shape=shape)
        return
    columns = (*reporting.STEP_COLUMNS, *(reporting.LEFT if shape else ()))
    macli.out.rows(found["steps"], columns=columns, shape=shape, title=f"{found['campaign']} ({found['state']})")
    if found["pause_reason"]:
        macli.out.say(f"paused: {found['pause_reason']}")
    left = [step for step in found["steps"] if step["of"]]
    for title, rows, names in (
        ("what recipients did", left, DID),
        ("bounces, noes and programs", left, ("step", *APART)),
        ("what it brought about", [found["conversions"]] if found["conversions"] else [], None),
        ("why not", found["not_sent"], ("step", "state", "reason", "messages")),
        ("what came back", found["came_back"], ("event", "times", "contacts")),
        ("inside now", found["inside"], ("step", "contacts", "next_due_at")),
    ):
        if rows:
            macli.out.rows(rows, columns=names, shape=shape, title=title)
    ended = ", ".join(f"{count} {how}" for how, count in found["ended"].items())
    macli.out.say(f"{found['entered']} contacts came in{'; ended: ' + ended if ended else ''}")
