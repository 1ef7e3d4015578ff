"""What names stages, bands, funnels, RFM reports and staff: none is renamed or removed under what is in use."""

import json
import re
from collections.abc import Iterator
from typing import Any

from macli.errors import OperationFailed
from macli.rules import names_in
from macli.store import Row, Store
from macli.store.campaigns import living

Key = tuple[str, str]
"""A kind (``stage``, ``readiness``, ``funnel``, ``funnel stage``, ``RFM report``, ``staff``) and a casefolded name, a
funnel's stage with the funnel's; or ``stage word``, ``funnel word``, ``rfm word``, ``staff word`` with a word of a
condition on events of one of them."""

_FAMILIES = {
    "stage": ("stage word",),
    "funnel": ("funnel word",),
    "deal": ("funnel word",),
    "rfm": ("rfm word",),
    **dict.fromkeys(("owner", "note", "task", "call"), ("staff word",)),
}
_WORDS = re.compile(r"\"((?:\\.|[^\"\\])*)\"|'((?:\\.|[^'\\])*)'|([^\s()#,=<>!]+)")
_ESCAPED = re.compile(r"\\([\\\"'])")


def of_stage(stage: Row) -> set[Key]:
    """What names a stage of the lifecycle."""
    key = stage["name"].casefold()
    return {("stage", key), ("stage word", key)}


def of_funnel(funnel: Row) -> set[Key]:
    """What names a funnel."""
    key = funnel["name"].casefold()
    return {("funnel", key), ("funnel word", key)}


def of_funnel_stage(funnel: Row, stage: Row) -> set[Key]:
    """What names a stage of a funnel."""
    return {
        ("funnel stage", f"{funnel['name']}/{stage['name']}".casefold()),
        ("funnel word", stage["name"].casefold()),
    }


def of_report(report: Row) -> set[Key]:
    """What names an RFM report."""
    key = report["name"].casefold()
    return {("RFM report", key), ("rfm word", key)}


def of_staff(member: Row) -> set[Key]:
    """What names a member of staff."""
    return {("staff", member["name_key"]), ("staff word", member["name_key"])}


def of_band(name: str) -> set[Key]:
    """What names a band of readiness."""
    return {("readiness", name.casefold())}


def refuse_used(store: Store, wanted: set[Key], what: str) -> None:
    """Raises OperationFailed where something names one of them."""
    used = uses(store, wanted)
    if used:
        raise OperationFailed(f"{what} is in use by {', '.join(used)}", hint="change that first, or make another")


def uses(store: Store, wanted: set[Key]) -> list[str]:
    """What names one of them, in words: campaigns that are not over, segments, rules that give points or owners."""
    with store.whole():
        campaigns = [row["name"] for row in living(store) if _named(json.loads(row["definition"])) & wanted]
        segments = [row["name"] for row in store.rows(_SEGMENTS) if _in_rule(row["text"]) & wanted]
        rules = [row["name"] for row in store.rows(_POINT_RULES) if _in_point_rule(row) & wanted]
        owners = [row["name"] for row in store.rows(_OWNER_RULES) if _in_rule(row["text"]) & wanted]
    told = {
        "campaign": store.told("campaigns", list(dict.fromkeys(campaigns))),
        "segment": store.told("segments", segments),
        "point rule": rules,
        "owner rule": owners,
    }
    return [f"the {kind} {name!r}" for kind, names in told.items() for name in names]


_SEGMENTS = "SELECT name, rule AS text FROM segments WHERE rule IS NOT NULL ORDER BY name_key"
_POINT_RULES = "SELECT name, event, condition, who FROM point_rules ORDER BY name_key"
_OWNER_RULES = "SELECT name, rule AS text FROM owner_rules WHERE rule IS NOT NULL ORDER BY name_key"


def _in_point_rule(row: Row) -> set[Key]:
    return _in_rule(row["who"] or "") | _in_condition(row["event"], row["condition"] or "")


def _named(value: Any) -> set[Key]:
    """What a part of a definition names."""
    if isinstance(value, str):
        return _in_rule(value)
    if isinstance(value, list):
        return set().union(*(_named(member) for member in value))
    return set().union(*_in_object(value)) if isinstance(value, dict) else set()


def _in_object(value: dict[str, Any]) -> Iterator[set[Key]]:
    for key, member in value.items():
        if key == "funnel":
            funnel = member if isinstance(member, dict) else {"name": member}
            yield _stage_of(str(funnel.get("name", "")), funnel.get("stage"))
        elif key == "stage" and isinstance(member, str):
            funnel_name, slash, stage = member.partition("/")
            yield _stage_of(funnel_name, stage) if slash else {("stage", member.strip().casefold())}
        elif key == "scope" and isinstance(member, str) and member.strip().casefold().startswith("stage:"):
            funnel_name, _, stage = member.partition(":")[2].partition("/")
            yield _stage_of(funnel_name, stage)
        elif key in ("owner", "staff") and isinstance(member, str):
            yield {("staff", " ".join(member.split()).casefold())}
        elif key == "where" and isinstance(member, str):
            yield _in_condition(value.get("name") or value.get("event"), member)
        else:
            yield _named(member)


def _stage_of(funnel: str, stage: str | None) -> set[Key]:
    key = funnel.strip().casefold()
    return {("funnel", key), *([("funnel stage", f"{key}/{stage.strip().casefold()}")] if stage else [])}


def _in_rule(text: str) -> set[Key]:
    return set(names_in(text))


def _in_condition(event: Any, text: str) -> set[Key]:
    kinds = _FAMILIES.get(str(event).partition(".")[0], ())
    words = {_ESCAPED.sub(r"\1", "".join(word)).casefold() for word in _WORDS.findall(text)} if kinds else set()
    return {(kind, word) for kind in kinds for word in words}
