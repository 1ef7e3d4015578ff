"""The bands of contacts in RFM reports: found by SQL for all of them, or for those to whom something happened."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from macli.address import fold_json
from macli.clock import from_ms
from macli.effects.base import Caused
from macli.errors import OperationFailed
from macli.model import Where
from macli.rules import RuleError
from macli.scoring import rfm_sql
from macli.scoring.rfm_definition import Definition, read
from macli.store import Row, Store, rfm, settings, sweeps

SOURCE = "rfm"
STEP = 20_000
"""How many contacts are written while others wait."""


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """``contacts`` bought something, ``changed`` of them came to other bands; ``unvalued`` purchases have no value."""

    contacts: int
    changed: int
    unvalued: int


def follow(store: Store, now_ms: int, first: int, last: int, names: frozenset[str]) -> list[Caused]:
    """The contacts of new purchases and refunds come to the bands where they belong.

    A report whose condition no longer reads stays as it is, since what happened has to be recorded; the sweep
    says so.
    """
    caused = []
    for report in rfm.all_(store):
        looked_for = names.intersection(read(report["definition"]).names)
        if looked_for:
            said = {f"name_{place}": name for place, name in enumerate(sorted(looked_for))}
            among = rfm_sql.NEW.format(names=", ".join(f":{word}" for word in said))
            with suppress(RuleError):
                caused += look_again(store, now_ms, report, among, {"first": first, "last": last, **said})
    return caused


def look_again(store: Store, now_ms: int, report: Row, ids: str, params: Mapping[str, Any]) -> list[Caused]:
    """Find the bands of the contacts ``ids`` selects anew; what is to be told of those that moved. Inside a write."""
    rfm_sql.clear(store, report["id"])
    if not store.execute(rfm_sql.WHO.format(ids=ids), params):
        return []
    known = {"now": now_ms, "report": report["id"], "after": 0, "upto": rfm_sql.NO_END}
    moved = 0
    if _find(store, now_ms, report, among=rfm_sql.SOME, old=rfm_sql.OF_SOME):
        moved = _write(store, known)
    if report["settled_to"] is not None:
        if report["computed_at"] is None:
            moved -= store.execute(rfm_sql.SILENT, {**known, "settled_to": report["settled_to"]})
        store.execute(rfm_sql.LOOKED_AT, known)
    return [_told(store, now_ms, report)] if moved else []


def look_at_all(
    store: Store, now_ms: int, report: Row, advance: Callable[[int], None] = lambda contacts: None
) -> Rebuilt:
    """Find everybody's bands anew and tell nobody, in the report's round that was begun. Not inside a write.

    Others read and write meanwhile: everybody is looked at first, and what is different is written in steps.
    ``advance`` is told how many were written. Raises OperationFailed where another round begins.
    """
    rfm_sql.clear(store, report["id"])
    _find(store, now_ms, report, among=rfm_sql.EVERYBODY, old="true")
    found = store.row("SELECT count(*) AS contacts, coalesce(sum(unvalued), 0) AS unvalued FROM rfm_found")
    assert found is not None
    known = {"now": now_ms, "report": report["id"], "most": STEP, "after": 0}
    changed = 0
    while (step := store.row(rfm_sql.AHEAD, known)) is not None and step["contacts"]:
        with store.write():
            _alone(rfm.go_on(store, report, step["upto"]), report)
            store.execute(rfm_sql.LEFT_ALONE, {**known, "upto": step["upto"]})
            changed += _write(store, {**known, "upto": step["upto"]})
        known["after"] = step["upto"]
        advance(step["contacts"])
    with store.write():
        _alone(rfm.end_round(store, now_ms, report), report)
        sweeps.look_at_all(store)
    return Rebuilt(contacts=found["contacts"], changed=changed, unvalued=found["unvalued"])


def _alone(ours: bool, report: Row) -> None:
    if not ours:
        raise OperationFailed(f"the RFM report {report['name']!r} was changed, removed or computed anew meanwhile")


def condition_of(store: Store, text: str, now_ms: int) -> Where:
    """Tests of the events' properties as a condition on events. Raises RuleError."""
    from macli.selection import event_where_of

    named = settings.get(store, "timezone")
    return event_where_of(store, text, from_ms(now_ms), ZoneInfo(named or "UTC"), prefix="with")


def _find(store: Store, now_ms: int, report: Row, *, among: str, old: str) -> int:
    """Find the bands of the contacts of the events ``among``; of how many anything is to be written."""
    definition = read(report["definition"])
    where = Where(sql="true") if definition.condition is None else condition_of(store, definition.condition, now_ms)
    params = {**_numbers(definition, now_ms), **where.params, "report": report["id"]}
    words = {
        "value": f"{store.dialect.json_number('events.properties', definition.value)} * 1.0",
        "fits": where.sql,
        "among": among,
    }
    store.execute(rfm_sql.FOUND.format(lines=rfm_sql.PURCHASES.format(**words)), params)
    if _take_back(store, definition, words, params):
        store.execute(rfm_sql.UNSURE)
        store.execute(rfm_sql.FOUND.format(lines=rfm_sql.REFUNDED.format(**words)), params)
    if among == rfm_sql.EVERYBODY:
        store.execute(rfm_sql.ERASED)
    return store.execute(rfm_sql.MOVED.format(old=old), params)


def _write(store: Store, known: Mapping[str, Any]) -> int:
    """Write what was found of a range of contacts; how many came to other bands. Inside a write."""
    for statement in (rfm_sql.NUMBERS, rfm_sql.STAYED, rfm_sql.WRITE, rfm_sql.GONE):
        store.execute(statement, known)
    return store.execute(rfm_sql.TOUCH, known)


def _take_back(store: Store, definition: Definition, words: Mapping[str, str], params: Mapping[str, Any]) -> int:
    """Put what took purchases back into ``rfm_refunds``; how many there are."""
    if not definition.refunds:
        return 0
    names = {f"refund_{place}": name for place, name in enumerate(definition.refunds)}
    return store.execute(
        rfm_sql.REFUNDS.format(**words, names=", ".join(f":{name}" for name in names)), {**params, **names}
    )


def _numbers(definition: Definition, now_ms: int) -> dict[str, Any]:
    return {
        "now": now_ms,
        "purchase": definition.event,
        "window": definition.window,
        "since": rfm_sql.EVER if definition.window is None else now_ms - definition.window,
        **dict(zip(("short", "medium"), definition.recency, strict=True)),
        **dict(zip(("common", "regular"), definition.frequency, strict=True)),
        **dict(zip(("spender", "middle"), definition.monetary, strict=True)),
    }


def _told(store: Store, now_ms: int, report: Row) -> Caused:
    words = {"dimension": "moved.dimension", "from": "moved.old", "to": "moved.new"}
    return Caused(
        name="rfm.changed",
        source=SOURCE,
        select=rfm_sql.TOLD.format(properties=store.dialect.json_of(report=":report_name", **words)),
        params={"now": now_ms, "report": report["id"], "report_name": report["name"]},
        folded=fold_json({"report": report["name"]}),
    )
