"""RFM reports made, changed and kept true as time passes."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

from macli import events
from macli.clock import to_ms
from macli.config import readers
from macli.errors import MacliError, OperationFailed, UsageError
from macli.event_names import OWN_DOING
from macli.lifecycle import uses
from macli.rules import RuleError
from macli.scoring import rfm as banding
from macli.scoring import rfm_definition as written
from macli.scoring.rfm import Rebuilt
from macli.scoring.rfm_definition import Definition
from macli.store import Row, Store, rfm, settings
from macli.tick.engine import Engine

Advance: TypeAlias = Callable[[int], None]
"""Told how many contacts were written."""

_CHUNK = 20_000


def create(
    store: Store,
    now: datetime,
    name: str,
    *,
    recency: str,
    frequency: str,
    monetary: str,
    window: str | None = None,
    event: str | None = None,
    value: str | None = None,
    refunds: str | None = None,
    condition: str | None = None,
    advance: Advance = lambda contacts: None,
) -> Rebuilt:
    """Make a report and find everybody's bands in it; what the settings say holds where nothing is given.

    Nobody is told of the first bands. Raises UsageError for thresholds and events that are none.
    """
    definition = Definition(
        event=settings.get(store, "purchases.event"),
        value=settings.get(store, "purchases.value"),
        refunds=settings.get(store, "purchases.refunds"),
        recency=written.recency(recency),
        frequency=written.frequency(frequency),
        monetary=written.monetary(monetary),
    )
    given = {"window": window, "event": event, "value": value, "refunds": refunds, "condition": condition}
    definition = _changed(definition, given)
    with store.write():
        _check(store, now, definition)
        rfm.create(store, to_ms(now), name, definition.text())
        rfm.begin_round(store, rfm.get(store, name)["id"])
    return _look_at_all(store, now, name, advance)


def edit(
    store: Store, now: datetime, name: str, *, advance: Advance = lambda contacts: None, **given: str | None
) -> Rebuilt:
    """Change what is given of a report, by the names that ``create`` has, and find everybody's bands anew.

    Nobody is told of the new bands, only of what time moved till now. Raises UsageError where nothing is given.
    """
    if all(text is None for text in given.values()):
        raise UsageError("nothing to change", hint="for example --recency 'short 14 days, medium 60 days'")
    _tell_due(store, now, name)
    with store.write():
        report = rfm.get(store, name)
        definition = _changed(written.read(report["definition"]), given)
        _check(store, now, definition)
        rfm.change(store, to_ms(now), report["id"], definition.text())
        rfm.begin_round(store, report["id"], afresh=True)
    return _look_at_all(store, now, name, advance)


_READ: Mapping[str, Callable[[str], Any]] = {
    "recency": written.recency,
    "frequency": written.frequency,
    "monetary": written.monetary,
    "window": written.window,
    "event": readers.event,
    "value": readers.member,
    "refunds": readers.events,
    "condition": written.condition,
}
"""How each member of a definition is read."""


def _changed(definition: Definition, given: Mapping[str, str | None]) -> Definition:
    return replace(definition, **{name: _READ[name](text) for name, text in given.items() if text is not None})


def _check(store: Store, now: datetime, definition: Definition) -> None:
    own = next((name for name in definition.names if name in OWN_DOING), None)
    if own is not None:
        raise UsageError(f"{own} is macli's own doing, and no purchase", hint="for example order.paid")
    if definition.event in definition.refunds:
        raise UsageError(f"{definition.event} cannot both be a purchase and take one back", hint="--refunds none")
    if definition.condition is not None and banding.condition_of(store, definition.condition, to_ms(now)).timely:
        raise UsageError("what a purchase has to be may not depend on the time", hint="--window '90 days'")


def recompute(store: Store, now: datetime, name: str, advance: Advance = lambda contacts: None) -> Rebuilt:
    """Find everybody's bands anew, as after events were deleted; nobody is told but of what time moved till now."""
    _tell_due(store, now, name)
    with store.write():
        rfm.begin_round(store, rfm.get(store, name)["id"])
    return _look_at_all(store, now, name, advance)


def _tell_due(store: Store, now: datetime, name: str) -> None:
    """Move those whom a tick would move now, and tell of them: a round after it finds nothing of that to keep quiet."""
    with suppress(RuleError):  # a condition that no longer reads is what a change may mend
        _sweep(store, now, rfm.get(store, name))


def _look_at_all(store: Store, now: datetime, name: str, advance: Advance) -> Rebuilt:
    report = rfm.get(store, name)
    try:
        return banding.look_at_all(store, to_ms(now), report, advance)
    except KeyboardInterrupt:
        raise OperationFailed(
            f"stopped: not everybody is sorted in the RFM report {report['name']!r}",
            hint=f"macli rfm recompute {report['name']!r} sorts them",
        ) from None


def remove(store: Store, name: str) -> None:
    """Forget a report, its bands in steps. Raises OperationFailed where something asks for it."""
    with store.write():
        report = rfm.get(store, name)
        uses.refuse_used(store, uses.of_report(report), f"the RFM report {report['name']!r}")
        rfm.begin_round(store, report["id"], afresh=True)
    forgotten = _CHUNK
    while forgotten == _CHUNK:
        with store.write():
            forgotten = rfm.forget_some(store, report["id"], _CHUNK)
    with store.write():
        rfm.remove(store, report["id"])


def look_again(store: Store, now: datetime, ids: str, params: Mapping[str, Any]) -> None:
    """Find the bands of the contacts ``ids`` selects anew: what they bought became theirs by other ways."""
    with store.write():
        for report in rfm.all_(store):
            _record(store, now, report, ids, params)


def _record(store: Store, now: datetime, report: Row, ids: str, params: Mapping[str, Any]) -> int:
    """Look at the contacts again and tell who moved; how many were looked at."""
    moved = banding.look_again(store, to_ms(now), report, ids, params)
    looked_at = int(store.value("SELECT count(*) FROM rfm_who"))
    events.record_caused(store, now, moved)
    return looked_at


def chore(engine: Engine, trouble: Callable[[str, str], None]) -> int:
    """Move the contacts whose bands or numbers change as time passes; how many were looked at.

    A report that no longer reads is told of and keeps no other waiting.
    """
    swept = 0
    for report in rfm.all_(engine.store):
        try:
            swept += _sweep(engine.store, engine.now, report)
        except MacliError as error:
            trouble(f"RFM report {report['name']}", error.message.splitlines()[0])
    return swept


def _sweep(store: Store, now: datetime, report: Row) -> int:
    params = {"now": to_ms(now), "due_in": report["id"], "most": _CHUNK}
    swept = 0
    while True:
        with store.write():
            due = _record(store, now, report, _DUE, params)
        swept += due
        if due < _CHUNK:
            return swept


_DUE = """
SELECT contact_id
FROM rfm_bands
WHERE moves_at <= :now
  AND report_id = :due_in
LIMIT :most
"""
