"""A contact's card: scores and why, what would move the stage, and who at the company has to do with them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from macli.model import Where
from macli.reports import reasons
from macli.scoring.bands import readiness
from macli.store import Row, Store, calls, deals, funnels, notes, owners, point_rules, predictions, stages, tasks
from macli.store.point_rules import PointRule
from macli.store.scopes import GLOBAL, Scope
from macli.texts import count_of

if TYPE_CHECKING:
    from macli.store.access import Acting

LAST = 5
"""So many of the last points, notes, calls, and of open tasks and deals."""

LISTS: Mapping[str, tuple[str, ...]] = {
    "why": ("rule", "points", "times", "last_at"),
    "last_points": ("at", "points", "scope", "rule", "event", "why"),
    "funnels": ("funnel", "stage", "entered_at", "score", "source"),
    "rfm": ("report", "recency", "frequency", "monetary", "purchases", "value", "last_at"),
    "tasks": ("id", "due_at", "title", "assignee"),
    "deals": ("id", "title", "funnel", "stage", "value", "currency", "owner"),
    "notes": ("id", "created_at", "author", "private", "text"),
    "calls": ("id", "at", "direction", "outcome", "seconds", "staff", "text"),
}
"""The lists of a card, with what people read of each."""


def card(store: Store, contact_id: int, now: datetime, who: "Acting | None") -> dict[str, Any]:
    """Everything of the card: single facts, and the lists of ``LISTS``. ``who`` reads it, and may see notes or not."""
    overall = store.value(_SCORE, {"contact": contact_id, "scope": GLOBAL})
    known = readiness(store)
    why = reasons.of(store, (contact_id,), GLOBAL).get(contact_id, [])
    history = stages.history(store, contact_id)
    mine = owners.of(store, contact_id)
    of = {table: Where(sql=f"{table}.contact_id = :card", params={"card": contact_id}) for table in _WORK}
    return {
        "score": known.shown(overall),
        "readiness": known.of(overall),
        "decayed": reasons.decayed(store, contact_id),
        "scores": reasons.scores(store, contact_id),
        "stage": next((_stay(row) for row in history if row["left_at"] is None), None),
        "next_stage": _next(store, overall or 0, history, why),
        "owner": next((row["owner"] for row in mine if row["kind"] == "main"), None),
        "co_owners": [row["owner"] for row in mine if row["kind"] != "main"],
        "predictions": predictions.of(store, contact_id, now),
        "why": why,
        "last_points": reasons.last(store, contact_id, LAST, decay=False),
        "funnels": [_told(row, "funnels") for row in funnels.history(store, contact_id) if row["left_at"] is None],
        "rfm": [_told(row, "rfm") for row in store.rows(_RFM, {"contact": contact_id})],
        "tasks": [_told(row, "tasks") for row in tasks.listed(store, tasks.OPEN, of["tasks"], limit=LAST)],
        "deals": [
            _told(row, "deals")
            for row in deals.listed(store, Where(sql="deals.state = 'open'"), of["deals"], limit=LAST)
        ],
        "notes": [
            {**_told(row, "notes"), "private": bool(row["private"])}
            for row in notes.listed(store, of["notes"], notes.readable_by(who), limit=LAST)
        ],
        "calls": [_told(row, "calls") for row in calls.listed(store, of["calls"], limit=LAST)],
    }


_WORK = ("tasks", "deals", "notes", "calls")

_SCORE = """
SELECT points
FROM scores
WHERE contact_id = :contact
  AND scope_id = :scope
"""

_RFM = """
SELECT rfm_reports.name AS report, rfm_bands.recency, rfm_bands.frequency, rfm_bands.monetary, rfm_bands.purchases,
  rfm_bands.value, rfm_bands.last_at
FROM rfm_bands
JOIN rfm_reports ON rfm_reports.id = rfm_bands.report_id
WHERE rfm_bands.contact_id = :contact
ORDER BY rfm_reports.name_key
"""


def _told(row: Row, name: str) -> dict[str, Any]:
    return {column: row[column] for column in LISTS[name]}


def _stay(row: Row) -> dict[str, Any]:
    return {
        "stage": row["stage"],
        "entered_at": row["entered_at"],
        "score": row["score"],
        "cause": row["cause"],
        "event": row["event"],
    }


# What would move the stage


def _next(store: Store, score: int, history: Sequence[Row], why: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The next stage, how many points lead to it, and rules that would give them; None above the last."""
    ladder = stages.ladder(store)
    here = next((row["stage"] for row in history if row["left_at"] is None), None)
    place = next((rung.position for rung in ladder if rung.name == here), 0)
    rung = next((rung for rung in ladder if rung.position > place and rung.bar >= score), None)
    if rung is None:
        return None
    used = {reason["rule"]: reason["times"] for reason in why}
    missing = rung.bar + 1 - score
    return {"stage": rung.name, "points": missing, "by": ways(point_rules.active(store), used, missing)}


def ways(rules: Sequence[PointRule], used: Mapping[str, int], missing: int) -> list[dict[str, Any]]:
    """Rules that together give the missing points, the weightiest first: rule, event, points, times.

    ``used`` says how often each gave points already, which counts where its cap has no end. Rules for some
    contacts only are left out.
    """
    giving = [
        rule
        for rule in rules
        if rule.points > 0 and rule.who is None and any(scope == _OVERALL for scope in rule.scopes)
    ]
    giving.sort(key=lambda rule: (-rule.points, rule.condition is not None))
    times = dict.fromkeys((rule.name for rule in giving), 0)
    for rule in (*giving, None):
        enough = [one for one in giving if one.points >= missing and _room(one, used, times) != 0]
        if enough:
            times[enough[-1].name] += 1
            return [
                {"rule": one.name, "event": one.event, "points": one.points, "times": times[one.name]}
                for one in giving
                if times[one.name]
            ]
        if rule is not None:
            # Never all of it: what is left is for the smallest rule that gives as much.
            most = (missing - 1) // rule.points
            room = _room(rule, used, times)
            times[rule.name] = most if room is None else min(most, room)
            missing -= times[rule.name] * rule.points
    return []


_OVERALL = Scope(kind="global", name="global")


def _room(rule: PointRule, used: Mapping[str, int], times: Mapping[str, int]) -> int | None:
    """How often the rule can give points beside ``times``; None without end."""
    if rule.most is None:
        return None
    before = used.get(rule.name, 0) if rule.most_span is None else 0
    return max(rule.most - before - times[rule.name], 0)


# For people


def lines(card: Mapping[str, Any], when: Callable[[int], str]) -> dict[str, str]:
    """The single facts of a card, each in a line; ``when`` writes a stored time."""
    found = {"score": f"{card['score']} ({card['readiness']})"}
    if card["decayed"]:
        found["decay"] = f"{'took' if card['decayed'] < 0 else 'gave back'} {count_of(abs(card['decayed']), 'point')}"
    if others := [f"{one['scope']} {one['score']}" for one in card["scores"] if one["scope"] != "global"]:
        found["other scores"] = ", ".join(others)
    if stay := card["stage"]:
        reason = stay["event"] or stay["cause"]
        found["stage"] = f"{stay['stage']} since {when(stay['entered_at'])} (by {reason}, with {stay['score']} points)"
    if ahead := card["next_stage"]:
        by = " and ".join(_by(one) for one in ahead["by"])
        missing = f"{count_of(ahead['points'], 'point')} more: {ahead['stage']}"
        found["next stage"] = missing + (f"; for example {by}" if by else "")
    for name in ("owner", "co_owners"):
        if card[name]:
            found[name.replace("_", "-")] = card[name] if name == "owner" else ", ".join(card[name])
    for one in card["predictions"]:
        found[one["kind"]] = one["likelihood"]
        if "percent" in one:
            found[one["kind"]] += f", {one['percent']:g} % ({one['model']}, {when(one['predicted_at'])})"
    return found


def _by(one: Mapping[str, Any]) -> str:
    times = f"{one['times']} × " if one["times"] > 1 else ""
    return f"{times}{one['rule']} ({one['points']:+d})"
