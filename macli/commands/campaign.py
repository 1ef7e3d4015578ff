"""``macli campaign``: what is sent to whom and when."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from macli.campaign.brief import Brief
from macli.commands import campaign_sending, options
from macli.context import Macli
from macli.model import SendState

app = typer.Typer(no_args_is_help=True, help="What is sent to whom and when.")

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The campaign.", autocompletion=options.names_of("campaigns")),
]
Text = str | None
Channel = Annotated[
    Text,
    typer.Option(
        "--channel",
        metavar="NAME",
        help="What carries it: email, sms, …",
        autocompletion=options.names_of("channels"),
    ),
]
Segment = Annotated[
    list[str] | None,
    typer.Option(
        "--segment",
        metavar="NAME",
        help="Send to this segment; repeat it for several.",
        autocompletion=options.names_of("segments"),
    ),
]
Template = Annotated[
    Text,
    typer.Option("--template", metavar="NAME", help="What is sent.", autocompletion=options.names_of("templates")),
]
Sms = Annotated[Text, typer.Option("--sms", metavar="TEXT", help="The text message itself, instead of --template.")]
Category = Annotated[
    Text,
    typer.Option("--category", metavar="NAME", autocompletion=options.names_of("categories"), help="Its category."),
]
Description = Annotated[Text, typer.Option("--description", metavar="TEXT", help="What it is for.")]
Topic = Annotated[
    Text,
    typer.Option(
        "--topic",
        metavar="NAME",
        help="What it is about; whoever said no to that gets nothing.",
        autocompletion=options.names_of("topics"),
    ),
]
Rule = Annotated[Text, typer.Option("--rule", metavar="RULE", help="Only contacts the rule selects.")]
When = Annotated[
    Text, typer.Option("--when", metavar="RULE", help="Automatic: each contact once the rule is first true.")
]
On = Annotated[
    list[str] | None,
    typer.Option("--on", metavar="EVENT", help="By event: contact.added, order.paid, …; repeat it for several."),
]
Every = Annotated[
    Text, typer.Option("--every", metavar="TIME", help="Run again every '1 hour', '1 day', '2 weeks', '1 month'.")
]
Delay = Annotated[Text, typer.Option("--delay", metavar="TIME", help="With --when or --on: so long after it.")]
Existing = Annotated[
    bool | None,
    typer.Option(
        "--existing/--no-existing",
        help="With --when: also, or not, those for whom the rule is true already; with --on: events before now.",
    ),
]
Exit = Annotated[Text, typer.Option("--exit", metavar="RULE", help="Whom this selects leaves at any step.")]
Goal = Annotated[Text, typer.Option("--goal", metavar="RULE", help="What counts as success.")]
Conversion = Annotated[
    Text,
    typer.Option("--conversion", metavar="EVENT", help="What the report counts as brought about; or stage:NAME."),
]
ConversionValue = Annotated[
    Text, typer.Option("--conversion-value", metavar="PROPERTY", help="The event's property to sum up: total.")
]
Reentry = Annotated[Text, typer.Option("--reentry", metavar="WHEN", help="never, after_finish or always.")]
Purpose = Annotated[Text, typer.Option("--purpose", metavar="WHAT", help="campaign or transactional.")]
FromEmail = Annotated[Text, typer.Option("--from-email", metavar="ADDRESS", help="The sender's address.")]
FromName = Annotated[Text, typer.Option("--from-name", metavar="TEXT", help="The sender's name.")]
ReplyTo = Annotated[Text, typer.Option("--reply-to", metavar="ADDRESS", help="Where answers go.")]
Attach = Annotated[
    list[Path] | None,
    typer.Option("--attach", metavar="FILE", help="Attach this file; repeat it for several.", exists=True),
]
OnEdit = Annotated[
    Literal["keep", "move"] | None,
    typer.Option("--on-edit", help="What edits do to contacts inside: keep their version, or move to the new one."),
]
FromFile = Annotated[
    Path | None, typer.Option("--file", "-f", metavar="FILE", help="Read all of it from a campaign.yaml.")
]
State = Annotated[
    Literal["draft", "scheduled", "active", "paused", "finished", "cancelled"] | None,
    typer.Option("--state", help="Only those in this state."),
]


@app.command("create")
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")],
    channel: Channel = None,
    segment: Segment = None,
    template: Template = None,
    sms: Sms = None,
    category: Category = None,
    at: options.At = None,
    rule: Rule = None,
    when: When = None,
    on: On = None,
    delay: Delay = None,
    every: Every = None,
    existing: Existing = None,
    exit_rule: Exit = None,
    goal: Goal = None,
    conversion: Conversion = None,
    conversion_value: ConversionValue = None,
    reentry: Reentry = None,
    purpose: Purpose = None,
    from_email: FromEmail = None,
    from_name: FromName = None,
    reply_to: ReplyTo = None,
    attach: Attach = None,
    description: Description = None,
    topic: Topic = None,
    file: FromFile = None,
    json: options.Json = False,
) -> None:
    """Make a campaign, as a draft: nothing is sent before it is activated or sent.

    Example: macli campaign create spring --channel email --segment vip --template hello
    """
    from macli import segments
    from macli.campaign import changing

    macli = Macli.of(ctx)
    if file is not None:
        done = changing.from_file(macli.store, macli.now(), name, file, zone=macli.zone, put_segment=segments.put)
        macli.out.say(
            f"{done.change}: the campaign {done.campaign!r}, version {done.version}", shape=options.shape(None, json)
        )
    else:
        brief = Brief(
            category=category, channel=channel, purpose=purpose, segments=segment or (), rule=rule,
            whenever=when, events=on or (), delay=delay, every=every, existing=existing, at=at, exit=exit_rule,
            goal=goal, reentry=reentry, from_email=from_email, from_name=from_name, reply_to=reply_to,
            template=template, sms=sms, attach=attach or (), description=description, topic=topic,
            conversion=conversion, conversion_value=conversion_value,
        )  # fmt: skip
        changing.create(macli.store, macli.now(), name, brief, zone=macli.zone)
        macli.out.say(f"made the campaign {name!r}, a draft", shape=options.shape(None, json))
    if json:
        _show(macli, name, "json")


@app.command("edit")
@app.command("set", hidden=True)
def edit(
    ctx: typer.Context,
    name: Name,
    rename: Annotated[Text, typer.Option("--rename", metavar="NAME", help="Its new name.")] = None,
    channel: Channel = None,
    segment: Segment = None,
    template: Template = None,
    sms: Sms = None,
    category: Category = None,
    at: options.At = None,
    rule: Rule = None,
    when: When = None,
    on: On = None,
    delay: Delay = None,
    every: Every = None,
    existing: Existing = None,
    exit_rule: Exit = None,
    goal: Goal = None,
    conversion: Conversion = None,
    conversion_value: ConversionValue = None,
    reentry: Reentry = None,
    purpose: Purpose = None,
    from_email: FromEmail = None,
    from_name: FromName = None,
    reply_to: ReplyTo = None,
    attach: Attach = None,
    description: Description = None,
    topic: Topic = None,
    on_edit: OnEdit = None,
    json: options.Json = False,
) -> None:
    """Change a campaign; an empty text takes away what was said. Steps are edited in files: export, apply.

    Example: macli campaign edit spring --segment vip --segment new --from-name 'The shop'
    """
    from macli.campaign import changing
    from macli.store import campaigns

    macli = Macli.of(ctx)
    brief = Brief(
        name=rename, category=category, channel=channel, purpose=purpose, segments=segment or (), rule=rule,
        whenever=when, events=on or (), delay=delay, every=every, existing=existing, at=at, exit=exit_rule, goal=goal,
        reentry=reentry, from_email=from_email, from_name=from_name, reply_to=reply_to, template=template,
        sms=sms, attach=attach or (), description=description, topic=topic, on_edit=on_edit,
        conversion=conversion, conversion_value=conversion_value,
    )  # fmt: skip
    row = campaigns.get(macli.store, name)
    saved = changing.change(macli.store, macli.now(), row, brief, zone=macli.zone)
    macli.out.say(f"{saved.change}: {saved.in_words}", shape=options.shape(None, json))
    if json:
        _show(macli, saved.name, "json")


@app.command("list")
def list_(
    ctx: typer.Context,
    category: Category = None,
    state: State = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List the campaigns.

    Example: macli campaign list --state active
    """
    from macli.store import campaigns, categories

    macli = Macli.of(ctx)
    macli.out.rows(
        campaigns.list_all(macli.store, category_id=categories.id_of(macli.store, category), state=state),
        columns=("name", "state", "category", "version", "start_at", "contacts", "sent", "pause_reason"),
        shape=options.shape(format, json),
    )


@app.command("show")
def show(ctx: typer.Context, name: Name, format: options.Format = None, json: options.Json = False) -> None:
    """Show a campaign: who comes in, its steps, where it stands, and what is worth a word.

    Example: macli campaign show spring
    """
    _show(Macli.of(ctx), name, options.shape(format, json))


def _show(macli: Macli, name: str, shape: str | None) -> None:
    from macli.campaign.showing import shown
    from macli.store import campaigns

    row = campaigns.get(macli.store, name)
    facts = shown(macli.store, row, setting=macli.setting, now=macli.now(), zone=macli.zone)
    lines = {"steps": facts.pop("steps", []), "notes": facts.pop("notes", [])} if shape is None else {}
    macli.out.record(facts, shape=shape)
    for title, said in lines.items():
        if said:
            macli.out.text("\n".join(["", f"{title}:", *(f"  {line}" for line in said)]))


@app.command("versions")
def versions(ctx: typer.Context, name: Name, format: options.Format = None, json: options.Json = False) -> None:
    """List a campaign's versions, and how many contacts are inside each.

    Example: macli campaign versions welcome
    """
    from macli.store import campaigns

    macli = Macli.of(ctx)
    macli.out.rows(
        campaigns.versions(macli.store, campaigns.get(macli.store, name)["id"]),
        columns=("number", "origin", "created_at", "inside"),
        shape=options.shape(format, json),
    )


@app.command("recipients")
def recipients(
    ctx: typer.Context,
    name: Name,
    skipped: Annotated[bool, typer.Option("--skipped", help="Only those who got nothing, and why.")] = False,
    state: Annotated[
        SendState | None, typer.Option("--state", metavar="STATE", help="Only messages in this state.")
    ] = None,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """List who was sent what, and what became of it.

    Example: macli campaign recipients spring --skipped --format csv
    """
    from macli.store import campaigns

    macli = Macli.of(ctx)
    row = campaigns.get(macli.store, name)
    macli.out.rows(
        campaigns.recipients(macli.store, row["id"], skipped=skipped, state=state),
        columns=campaigns.RECIPIENT_COLUMNS,
        shape=options.shape(format, json),
    )


@app.command("rm")
def rm(ctx: typer.Context, name: Name, yes: options.Yes = False) -> None:
    """Remove a draft; with --yes any campaign that has sent nothing.

    Example: macli campaign rm spring
    """
    from macli.store import campaigns

    macli = Macli.of(ctx)
    campaigns.remove(macli.store, campaigns.get(macli.store, name), sure=yes)
    macli.out.say(f"removed the campaign {name!r}")


for verb, command in campaign_sending.COMMANDS.items():
    app.command(verb)(command)
