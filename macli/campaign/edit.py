"""A definition becomes a campaign, or the next version of one; what that means for the contacts inside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from macli.actions import Action
from macli.actions.sending import Send
from macli.actions.waiting import Wait
from macli.campaign import checks, score_events
from macli.campaign.definition import Campaign, Parsed, parse
from macli.campaign.loading import load
from macli.campaign.problems import BadDefinition, Places, Problem
from macli.campaign.starts import start_of
from macli.campaign.steps import Node, Steps
from macli.errors import UsageError
from macli.store import Store, campaign_states, campaigns, categories
from macli.store.connection import Row


@dataclass(frozen=True, kw_only=True)
class Saved:
    """What saving a definition did. ``moved`` counts the contacts inside, by what became of them."""

    name: str
    version: int
    change: str
    """``created``, ``changed`` or ``unchanged``."""
    moved: Mapping[str, int] = field(default_factory=dict)

    @property
    def in_words(self) -> str:
        """``'welcome', version 3; of those inside, 12 stay at their step, 2 go to another, 1 ends``."""
        words = f"{self.name!r}, version {self.version}"
        if any(self.moved.values()):
            words += (
                f"; of those inside, {self.moved['same']} stay at their step, {self.moved['other']} go to another, "
                f"{self.moved['ended']} end"
            )
        return words


def save(
    store: Store,
    now: datetime,
    definition: Mapping[str, Any],
    *,
    zone: ZoneInfo,
    origin: str | None = None,
    places: Places | None = None,
    campaign: Row | None = None,
) -> Saved:
    """Make the definition a campaign, or the next version of ``campaign``.

    Nothing changes where the current version says the same. Raises BadDefinition, UsageError.
    """
    parsed = parse(definition, places)
    with store.write():
        checks.check(store, parsed, now=now, zone=zone)
        if campaign is None:
            campaigns.create(store, now, _written(store, definition, parsed, origin))
            score_events.watch(store, now, parsed.campaign)
            return Saved(name=parsed.campaign.name, version=1, change="created")
        version = campaign["current_version"]
        document = campaigns.document(store, campaign)
        if document == definition:
            return Saved(name=campaign["name"], version=version, change="unchanged")
        _refuse_another_entry(store, campaign, parsed.campaign)
        _refuse_another_action(store, campaign, parsed)
        entry_changed = document["entry"] != definition["entry"]
        number = campaigns.add_version(store, now, campaign["id"], _written(store, definition, parsed, origin))
        score_events.watch(store, now, parsed.campaign)
        _follow_the_start(store, now, campaign, parsed.campaign, zone)
        if entry_changed:
            campaign_states.look_at_all_again(store, campaign["id"])
        moved = {} if parsed.campaign.on_edit == "keep" else _move_all(store, now, campaign["id"], number)
        return Saved(name=parsed.campaign.name, version=number, change="changed", moved=moved)


def _written(store: Store, definition: Mapping[str, Any], parsed: Parsed, origin: str | None) -> campaigns.Written:
    from macli.rules.mentions import events_in

    campaign = parsed.campaign
    # Whoever waits is looked at again when what lets it out happens, not only when its time has come.
    leaving = events_in(campaign.exit) if campaign.exit is not None else ()
    return campaigns.Written(
        name=" ".join(campaign.name.split()),
        definition=definition,
        category_id=categories.id_of(store, campaign.category),
        segment_ids=[
            store.value("SELECT id FROM segments WHERE name_key = :key", {"key": name.strip().casefold()})
            for name in campaign.entry.segments
        ],
        steps=[
            campaigns.StepRow(key=node.key, action=node.action.word, events=(*node.action.events(), *leaving))
            for node in campaign.each_step()
        ],
        origin=origin,
    )


def _refuse_another_entry(store: Store, campaign: Row, new: Campaign) -> None:
    if campaign["state"] == "draft":
        return
    old = load(store, campaign["id"], campaign["current_version"]).campaign
    if _sort(old) != _sort(new):
        raise UsageError(
            f"the campaign {campaign['name']!r} is {campaign['state']}: "
            f"its entry cannot become another kind ({_sort(old)} → {_sort(new)})",
            hint="give the new definition another name; macli campaign cancel ends the old one",
        )


def _sort(campaign: Campaign) -> str:
    """What sort of entry it is: taking ``every`` away would make one more run of it, adding it none at all."""
    return "recurring" if campaign.entry.every else campaign.entry.kind


def _refuse_another_action(store: Store, campaign: Row, parsed: Parsed) -> None:
    """A step's key is what contacts stand at and messages are counted by, so it keeps its action for ever."""
    actions = campaigns.actions_of(store, campaign["id"])
    problems = [
        Problem(
            path=node.path,
            message=f"the step {node.key!r} was a '{actions[node.key]}' before and cannot become a "
            f"'{node.action.word}'",
            hint="give the new step another id",
        )
        for node in parsed.campaign.each_step()
        if actions.get(node.key, node.action.word) != node.action.word
    ]
    if problems:
        raise BadDefinition(parsed.places, problems)


def _follow_the_start(store: Store, now: datetime, campaign: Row, new: Campaign, zone: ZoneInfo) -> None:
    """A campaign that waits for its start waits for the new one, or is a draft again where there is none."""
    if campaign["state"] != "scheduled":
        return
    start = start_of(store, new, zone)
    if start is None:
        campaign_states.withdraw(store, now, campaign)
    elif start < now:
        raise UsageError(f"the start of {campaign['name']!r} would have passed: {new.entry.at}")
    else:
        campaign_states.start(store, now, campaign, start_at=start, from_event=campaign["event_cursor"])


def _move_all(store: Store, now: datetime, campaign_id: int, number: int) -> dict[str, int]:
    new = load(store, campaign_id, number).campaign
    total: dict[str, int] = {}
    inside = store.rows(
        """
        SELECT DISTINCT version
        FROM enrollments
        WHERE campaign_id = :campaign
          AND ended_at IS NULL
          AND version < :number
        """,
        {"campaign": campaign_id, "number": number},
    )
    for row in inside:
        old = load(store, campaign_id, row["version"]).campaign
        moved = campaign_states.move_inside(
            store,
            now,
            campaign_id,
            old=row["version"],
            new=number,
            keys=places_after(old, new),
            sooner=_sooner(old, new),
            other_message=_other_message(old, new),
        )
        total = {what: total.get(what, 0) + count for what, count in moved.items()}
    return total


def _sooner(old: Campaign, new: Campaign) -> set[str]:
    """The steps that may let contacts go sooner than they did: all that differ, but for longer waits."""
    before = {node.key: node.action for node in old.each_step()}
    found = set()
    for node in new.each_step():
        was, now = before.get(node.key, node.action), node.action
        if was != now and not _waits_longer(was, now):
            found.add(node.key)
    return found


def _other_message(old: Campaign, new: Campaign) -> set[str]:
    """The sends whose planned messages the new definition does not fit: they were chosen, or may be sent, otherwise."""

    def says(campaign: Campaign) -> dict[str, object]:
        return {
            node.key: (
                (node.action.channel or campaign.default_channel).casefold(),
                node.action.purpose or campaign.purpose,
                tuple(choice.when for choice in node.action.choose),
            )
            for node in campaign.each_step()
            if isinstance(node.action, Send)
        }

    before, after = says(old), says(new)
    return {key for key in before.keys() & after.keys() if before[key] != after[key]}


def _waits_longer(was: Action, now: Action) -> bool:
    if not (isinstance(was, Wait) and isinstance(now, Wait)) or was.duration is None or now.duration is None:
        return False
    return now.duration > was.duration


def places_after(old: Campaign, new: Campaign) -> dict[str, str | None]:
    """Where contacts at each step of ``old`` stand in ``new``.

    At the step of the same key; else, where a new step with the same action stands in its place, there:
    it is the same step, edited. Else at the step that followed it, if that is still there; None, where
    nothing that followed is: their way ends.
    """
    kept = {node.key: node for node in new.each_step()}
    before = list(old.each_step())
    known = {node.key for node in before}
    edited = {(node.path, node.action.word): node.key for node in kept.values() if node.key not in known}

    def direct(node: Node) -> str | None:
        if node.key in kept and kept[node.key].action.word == node.action.word:
            return node.key
        return edited.get((node.path, node.action.word))

    targets: dict[str, str | None] = {}

    def lay(nodes: Steps, after: str | None) -> str | None:
        for node in reversed(nodes):
            for inside in node.ways.values():
                lay(inside or (), after)
            after = targets[node.key] = direct(node) or after
        return after

    lay(old.steps, None)
    return targets
