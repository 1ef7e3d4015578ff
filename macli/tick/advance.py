"""Advance: whoever is due at a step is put through it, a step's batch at a time, one transaction each.

The plan's clock is kept, not the tick's: a contact arrives at a step at the instant it left the
one before by the plan (a wait ends when its time is over, however late a tick notices; what a send
settles goes on from when it was settled). So a late tick shifts nothing, and after a pause what is
overdue is done at once, in its order.
"""

from collections.abc import Callable
from datetime import time
from functools import partial

from macli import contacts
from macli.actions.batch import FAIL, SKIP, STOP, TABLE, Batch
from macli.actions.sending import Send
from macli.campaign.definition import Campaign
from macli.campaign.program import Program, Step
from macli.clock import resolve_local, to_ms
from macli.errors import OperationFailed
from macli.lifecycle import funnels, points
from macli.people import noting, owning, tasks
from macli.store import Store, enrollments
from macli.tick.engine import Engine
from macli.tick.lookup import Lookup, Paused, guarded

CHUNK = 20_000

_REMOVED = """
UPDATE batch
SET way = 'removed'
WHERE contact_id IN (SELECT id FROM contacts WHERE removed_at IS NOT NULL)
"""


def advance(
    engine: Engine, *, campaign_id: int | None = None, over: Callable[[], bool], paused: Paused | None = None
) -> int:
    """Put everyone due through their steps, until nobody is due or it is ``over``; steps passed by contacts."""
    lookup = Lookup(engine=engine, now=engine.moment(), paused=paused)
    engine.store.execute(TABLE)
    passed = 0
    while not over():
        due = [
            (row["campaign_id"], row["step_id"], row["key"], version)
            for row in enrollments.live_steps(engine.store)
            if campaign_id in (None, row["campaign_id"])
            and (version := enrollments.due(engine.store, row["campaign_id"], row["step_id"], lookup.now_ms))
        ]
        if not due:
            break
        for campaign, step_id, key, version in due:
            passed += guarded(lookup, campaign, partial(_drain, lookup, campaign, step_id, key, version, over))
    return passed


def _drain(lookup: Lookup, campaign_id: int, step_id: int, key: str, version: int, over: Callable[[], bool]) -> int:
    """Put the enrollments of one version that are due at one step through it, chunk after chunk."""
    campaign, program = lookup.campaign(campaign_id, version), lookup.program(campaign_id, version)
    if key not in program.steps:
        raise OperationFailed(
            f"{campaign.name}: contacts of version {version} stand at the step {key!r}, which it does not have"
        )
    batch = _batch(lookup, campaign_id, version, step_id, program.steps[key], campaign)
    passed = 0
    while not over():
        with lookup.store.write():
            if not _live(lookup.store, campaign_id):
                break
            filled = enrollments.fill(
                lookup.store,
                campaign_id=campaign_id,
                version=version,
                step_id=step_id,
                now_ms=lookup.now_ms,
                limit=CHUNK,
            )
            if filled:
                passed += _pass(lookup, batch, campaign, program)
        if filled < CHUNK:
            break
    return passed


def _live(store: Store, campaign_id: int) -> bool:
    """Whether nobody paused the campaign in the meantime."""
    return bool(store.value("SELECT state FROM campaigns WHERE id = :id", {"id": campaign_id}) == "active")


def _batch(lookup: Lookup, campaign_id: int, version: int, step_id: int, step: Step, campaign: Campaign) -> Batch:
    return Batch(
        store=lookup.store,
        now=lookup.now,
        zone=lookup.engine.zone,
        campaign_id=campaign_id,
        version=version,
        step_id=step_id,
        key=step.key,
        ways=step.ways,
        channel=campaign.default_channel,
        purpose=campaign.purpose,
        max_lateness=lookup.max_lateness(campaign),
        contacts=contacts,
        points=points,
        funnels=funnels,
        owners=owning,
        notes=noting,
        tasks=tasks,
        setting=lookup.engine.setting,
        where=partial(lookup.where, few=True),
        event_where=lookup.event_where,
    )


def _pass(lookup: Lookup, batch: Batch, campaign: Campaign, program: Program) -> int:
    """Put the filled batch through its step: out, or on by the action's way, or still here; how many left it."""
    store, step = lookup.store, program.steps[batch.key]
    store.execute(_REMOVED)
    for way, rule in (("goal", campaign.goal), ("exit", campaign.exit)):
        if rule is not None:
            batch.set_where(rule, f"way = '{way}'", "way IS NULL")
    left = 0
    for way, number in _taken(lookup, batch).items():
        enrollments.end(store, lookup.now_ms, way, way)
        left += number
    if left:
        store.execute("DELETE FROM batch WHERE way IS NOT NULL")
    step.action.apply(batch)
    for way, number in _taken(lookup, batch).items():
        target, ended_as = _leads(lookup, batch, program, way)
        if target is None:
            enrollments.end(store, lookup.now_ms, way, ended_as)
        else:
            enrollments.move(store, way, lookup.step_id(batch.campaign_id, target))
        left += number
    enrollments.stay(store)
    return left


def _leads(lookup: Lookup, batch: Batch, program: Program, way: str) -> tuple[str | None, str]:
    """The step a way leads to, None out of the campaign; and as what the contact's way ends there."""
    if way in (FAIL, STOP):
        return None, way
    if way != SKIP:
        return batch.ways[way], program.steps[batch.key].ended_as(way)
    target = batch.ways["next"]
    if target is not None and isinstance(program.steps[target].action, Send):
        _log(lookup, batch, step_id=lookup.step_id(batch.campaign_id, target), way=SKIP)
        target = program.steps[target].ways["next"]
    return target, STOP


def _taken(lookup: Lookup, batch: Batch) -> dict[str, int]:
    """The ways the batch takes and how many each, which the log is told."""
    _log(lookup, batch)
    return enrollments.ways(lookup.store)


def _log(lookup: Lookup, batch: Batch, *, step_id: int | None = None, way: str | None = None) -> None:
    midnight = resolve_local(lookup.now.astimezone(lookup.engine.zone).date(), time(0), lookup.engine.zone)
    enrollments.log(
        lookup.store,
        campaign_id=batch.campaign_id,
        version=batch.version,
        step_id=step_id or batch.step_id,
        way=way,
        day_ms=to_ms(midnight),
    )
