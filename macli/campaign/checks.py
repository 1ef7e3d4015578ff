"""Whether what a definition speaks of is there: templates, segments, channels, attributes, rules."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from macli.actions.contact_changes import Set
from macli.actions.sending import Send
from macli.actions.standing import Funnel
from macli.campaign import score_events
from macli.campaign.definition import Campaign, Parsed
from macli.campaign.problems import BadDefinition, Problem
from macli.campaign.reader import Mention
from macli.campaign.steps import Node
from macli.errors import MacliError, NotPermitted, UnknownName
from macli.event_names import NAMES, is_misspelt
from macli.model import AttributeType
from macli.store import Store, attributes, scopes, stages, templates

_HINTS = {
    "template": "macli template list shows them; macli template create makes one",
    "segment": "macli segment list shows them; macli segment create makes one",
    "channel": "macli channel list shows them",
    "category": "macli category list shows them; macli category create makes one",
    "topic": "macli topic list shows them; macli topic create makes one",
    "attribute": "macli attribute list shows them; macli attribute create makes one",
    "event": "macli event list --name EVENT; an event of your own is called for example order.paid",
    "funnel": "macli funnel list shows them; macli funnel create makes one",
    "stage": "macli funnel show FUNNEL shows them",
    "stage of the lifecycle": "macli stage list shows them; a funnel's stage is written Sales/Won",
    "member of staff": "macli staff list shows them; macli staff add makes one",
    "attachment": "put the file beside the campaign file, or name it with --attach",
}


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the store holds, by casefolded name."""

    templates: Mapping[str, str]
    """The kinds of the templates."""
    channels: Mapping[str, str]
    """The kinds of the channels."""
    segments: Mapping[str, str]
    categories: Mapping[str, str]
    topics: Mapping[str, str]
    attributes: Mapping[str, AttributeType]
    """The types of the attributes."""
    files: frozenset[str]
    funnels: Mapping[str, tuple[str, ...]]
    """The stages of the funnels."""
    stages: tuple[str, ...]
    """The stages of the lifecycle."""
    staff: Mapping[str, str]
    zone: ZoneInfo
    check_rule: Callable[[str], object]
    check_event_rule: Callable[[str], object]
    check_scope: Callable[[str], object]
    check_names: Mapping[str, tuple[str, ...]]
    has_happened: Callable[[str], bool]
    refuse_hidden: Callable[[str, str], None]


def known(store: Store, now: datetime, zone: ZoneInfo) -> Known:
    def names(table: str, value: str) -> dict[str, str]:
        return {row["name"].casefold(): row[value] for row in store.rows(f"SELECT name, {value} FROM {table}")}

    from macli.selection import event_where_of, where_of

    sent = {row["name"]: row["kind"] for row in templates.list_all(store)}  # pages and forms are served, not sent
    tables = ("channels", "segments", "categories", "topics", "attributes", "funnels", "staff")
    written = {table: tuple(row["name"] for row in store.rows(f"SELECT name FROM {table}")) for table in tables}
    written["templates"] = tuple(sent)
    return Known(
        templates={name.casefold(): kind for name, kind in sent.items()},
        channels=names("channels", "kind"),
        segments=names("segments", "kind"),
        categories=names("categories", "name"),
        topics=names("topics", "name"),
        attributes=attributes.types(store),
        files=frozenset(row["name"] for row in store.rows("SELECT name FROM assets")),
        funnels={name.casefold(): tuple(stages) for name, stages in _stages(store).items()},
        stages=tuple(row["name"] for row in stages.all_(store)),
        staff=names("staff", "name"),
        check_rule=lambda text: where_of(store, text, now, zone),
        check_event_rule=lambda text: event_where_of(store, text, now, zone),
        check_scope=lambda text: _check_scope(store, text),
        check_names=written,
        has_happened=lambda name: (
            store.row("SELECT id FROM events WHERE name = :name LIMIT 1", {"name": name}) is not None
        ),
        zone=zone,
        refuse_hidden=store.refuse_hidden,
    )


def _stages(store: Store) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in store.rows(_FUNNELS):
        found.setdefault(row["funnel"], []).append(row["stage"])
    return found


_FUNNELS = """
SELECT funnels.name AS funnel, funnel_stages.name AS stage
FROM funnels
JOIN funnel_stages ON funnel_stages.funnel_id = funnels.id AND funnel_stages.removed_at IS NULL
ORDER BY funnels.name_key, funnel_stages.position
"""


def _check_scope(store: Store, text: str) -> None:
    scope = scopes.read(store, text)
    if scope.kind == "stage" and scopes.find(store, scope) is None:
        raise UnknownName("stage of a funnel", scope.name, hint="write stage:FUNNEL/STAGE; macli funnel list")


def check(store: Store, parsed: Parsed, *, now: datetime, zone: ZoneInfo) -> None:
    """Raises BadDefinition naming everything the definition speaks of that is not there."""
    if problems := problems_of(known(store, now, zone), parsed.mentions, parsed.campaign):
        raise BadDefinition(parsed.places, problems)


def problems_of(known: Known, mentions: Iterable[Mention], campaign: Campaign | None) -> list[Problem]:
    """What is not there; ``campaign`` is None where the definition itself could not be read."""
    found = [problem for one in mentions for problem in _LOOKUPS.get(one.kind, _nothing)(known, one)]
    if campaign is not None:
        found += score_events.problems(known.check_scope, campaign)
        for node in campaign.each_step():
            if isinstance(node.action, Send):
                found += _send(known, campaign, node, node.action)
            elif isinstance(node.action, Set):
                found += _set(known, node, node.action)
            elif isinstance(node.action, Funnel):
                found += _funnel(known, node, node.action)
    return found


def _nothing(known: Known, mention: Mention) -> Iterable[Problem]:
    return ()


def _named(kind: str, table: str) -> Callable[[Known, Mention], Iterable[Problem]]:
    def look(known: Known, mention: Mention) -> Iterable[Problem]:
        if mention.text.casefold() not in getattr(known, table):
            if table in ("templates", "segments", "categories"):
                known.refuse_hidden(table, mention.text.strip().casefold())
            yield _unknown(kind, mention, known.check_names[table])

    return look


def _unknown(kind: str, mention: Mention, names: Iterable[str]) -> Problem:
    error = UnknownName(kind, mention.text, names, hint=_HINTS[kind])
    return Problem(path=mention.path, message=error.message, hint=error.hint)


def _attribute(known: Known, mention: Mention) -> Iterable[Problem]:
    name = mention.text.casefold()
    if name not in known.attributes:
        yield _unknown("attribute", mention, known.check_names["attributes"])
    elif mention.path[-1] == "attribute" and known.attributes[name] != "date":
        message = f"the attribute {name!r} holds a {known.attributes[name]}, and this needs a date"
        yield Problem(path=mention.path, message=message)


def _event(known: Known, mention: Mention) -> Iterable[Problem]:
    """Nothing of macli's own families comes by but what macli records, or what was brought in from elsewhere."""
    if is_misspelt(mention.text) and not known.has_happened(mention.text):
        yield _unknown("event", mention, NAMES)


def _rule(known: Known, mention: Mention) -> Iterable[Problem]:
    compile_ = known.check_event_rule if mention.kind == "EventRule" else known.check_rule
    try:
        compile_(mention.text)
    except NotPermitted:
        raise
    except MacliError as error:
        yield Problem(path=mention.path, message=error.message, hint=error.hint)


def _set(known: Known, node: Node, action: Set) -> Iterable[Problem]:
    """A value has to be one of its attribute's type."""
    for name, value in action.values.items():
        kind = known.attributes.get(name.casefold())
        if kind is not None and value is not None:
            try:
                attributes.read_value(kind, attributes.text_of(value), known.zone)
            except MacliError as error:
                path = (*node.path, "set", name)
                yield Problem(path=path, message=f"{name}: {error.message}", hint=error.hint)


def _funnel(known: Known, node: Node, action: Funnel) -> Iterable[Problem]:
    """A stage has to be one of its funnel's."""
    stages = known.funnels.get(action.name.casefold(), ())
    stage = action.stage
    if stages and stage is not None and stage.casefold() not in (name.casefold() for name in stages):
        yield _unknown("stage", Mention(kind="Stage", text=stage, path=(*node.path, "funnel")), stages)


def _stage(known: Known, mention: Mention) -> Iterable[Problem]:
    """A stage of the lifecycle, or a funnel's with the funnel's name before it."""
    funnel, slash, stage = (part.strip() for part in mention.text.partition("/"))
    if not slash:
        if funnel.casefold() not in (name.casefold() for name in known.stages):
            yield _unknown("stage of the lifecycle", mention, known.stages)
    elif funnel.casefold() not in known.funnels:
        yield _unknown("funnel", replace(mention, text=funnel), known.check_names["funnels"])
    else:
        names = known.funnels[funnel.casefold()]
        if stage.casefold() not in (name.casefold() for name in names):
            yield _unknown("stage", replace(mention, text=stage), names)


def _scope(known: Known, mention: Mention) -> Iterable[Problem]:
    try:
        known.check_scope(mention.text)
    except MacliError as error:
        yield Problem(path=mention.path, message=error.message, hint=error.hint)


def _send(known: Known, campaign: Campaign, node: Node, action: Send) -> Iterable[Problem]:
    """A template has to be of the kind its channel carries; files have to be there."""
    name = action.channel or campaign.default_channel
    kind = known.channels.get(name.casefold())
    path = (*node.path, "send")
    if kind is None and action.channel is None and campaign.channel is None:
        hint = _HINTS["channel"]
        yield Problem(path=path, message="no channel is named, and none has the name 'email'", hint=hint)
    for template in dict.fromkeys(action.templates()):
        written_for = known.templates.get(template.casefold())
        if kind is not None and written_for not in (kind, None):
            message = f"the template {template!r} is for {written_for}, and the channel {name!r} carries {kind}"
            yield Problem(path=path, message=message, hint=f"macli template create NAME {_CONTENT[kind]}")
    for file in action.attach:
        if file not in known.files:
            mention = Mention(kind="File", text=file, path=path)
            yield _unknown("attachment", mention, known.files)


_CONTENT = {
    "email": "--subject TEXT --html FILE",
    "sms": "--sms TEXT",
    "push": "--push FILE",
    "webhook": "--webhook FILE",
}

_LOOKUPS: Mapping[str, Callable[[Known, Mention], Iterable[Problem]]] = {
    "TemplateName": _named("template", "templates"),
    "SegmentName": _named("segment", "segments"),
    "ChannelName": _named("channel", "channels"),
    "CategoryName": _named("category", "categories"),
    "TopicName": _named("topic", "topics"),
    "FunnelName": _named("funnel", "funnels"),
    "StaffName": _named("member of staff", "staff"),
    "ScopeName": _scope,
    "StageName": _stage,
    "AttributeName": _attribute,
    "EventName": _event,
    "Rule": _rule,
    "EventRule": _rule,
}
