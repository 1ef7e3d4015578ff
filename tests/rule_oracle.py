"""What a rule means, one contact at a time, in plain Python: slow, obvious, and without SQL.

The compiled SQL is held against this. A contact is a dict of what the store knows of it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from rule_world import FIELDS, SCOPES

from macli import rules
from macli.address import BadAddress, normalise_email, normalise_tag
from macli.clock import from_ms, parse_when
from macli.rules import comparisons, moments, tree
from macli.rules.predicates import (
    attributes,
    consents,
    dates,
    events,
    lifecycle,
    membership,
    messages,
    owners,
    predictions,
    scores,
    tags,
    visits,
    work,
)
from macli.rules.values import Literal
from macli.rules.vocabulary import CORE, CORE_DATES

Contact = dict[str, Any]
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
DAY = re.compile(r".{4}-.{2}-.{2}", re.DOTALL)
MOMENT = re.compile(r".{4}-.{2}-.{2}T.{2}:.{2}:.{2}Z", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class World:
    """What is true besides the contact."""

    vocabulary: rules.Vocabulary
    now: datetime
    zone: ZoneInfo
    suppressed: set[tuple[str, str]] = field(default_factory=set)

    @property
    def local(self) -> datetime:
        return self.now.astimezone(self.zone).replace(tzinfo=None)


def fits(rule: tree.Rule, contact: Contact, world: World) -> bool:
    """Whether the rule selects the contact."""
    match rule:
        case tree.And(children):
            return all(fits(child, contact, world) for child in children)
        case tree.Or(children):
            return any(fits(child, contact, world) for child in children)
        case tree.Not(child):
            return not fits(child, contact, world)
        case attributes.Everyone():
            return True
        case attributes.Attribute():
            return _attribute(rule, contact, world)
        case dates.Anniversary():
            return _anniversary(rule, contact, world)
        case tags.Tagged():
            faithful = world.vocabulary.normalise_tags
            wanted = [normalise_tag(tag.text, faithful) for tag in rule.tags]
            return (all if rule.how == "all" else any)(tag in contact["tags"] for tag in wanted)
        case consents.Opted():
            return _said(rule, contact) == {"in": "granted", "out": "withdrawn"}[rule.way]
        case consents.Suppressed():
            address = {"email": contact["email"], "sms": contact["phone"]}[rule.channel.text.lower()]
            return address is not None and (rule.channel.text.lower(), address) in world.suppressed
        case consents.HasDevice():
            return bool(contact["devices"])
        case consents.Has():
            return bool(contact[rule.what.text.lower()])
        case events.Happened():
            return _enough(rule.count, [one for one in contact["events"] if _happened(rule, one, world)])
        case messages.Received():
            return _enough(rule.count, [one for one in contact["sends"] if _received(rule, one, world)])
        case membership.InSegment():
            segment = world.vocabulary.segments[rule.segment.text.strip().casefold()]
            if segment.rule is None:
                return segment.id in contact["segments"]
            return fits(rules.parse(segment.rule), contact, world)
        case membership.InCampaign():
            return any(not ended for _, ended in _rounds(rule.campaign, contact, world))
        case membership.FinishedCampaign():
            return any(ended for _, ended in _rounds(rule.campaign, contact, world))
        case scores.Score():
            return _number(rule.test, _points(rule.scope, contact, world))
        case scores.Readiness():
            bands = world.vocabulary.setting("points.bands")
            points = _points(None, contact, world)
            return next(band.name for band in bands if points in band) == rule.band.text.lower()
        case lifecycle.Stage():
            return _stands(rule, contact, world)
        case lifecycle.InFunnel():
            return any(_stays(rule, stage, entered, world) for stage, entered in contact["funnels"].items())
        case lifecycle.Rfm():
            return _banded(rule, contact, world)
        case predictions.Predicted():
            return _likely(rule, contact, world)
        case owners.Owner():
            return _owned(rule, contact, world)
        case work.HasNote():
            return any(_noted(rule, note, world) for note in contact["notes"])
        case work.HasTask():
            return any(_to_do(rule, task, world) for task in contact["tasks"])
        case work.HasDeal():
            return any(_dealt(rule, deal, world) for deal in contact["deals"])
        case work.HasCall():
            return any(_called(rule, call, world) for call in contact["calls"])
        case work.HasMail():
            return any(_wrote(rule, mail, world) for mail in contact["mails"])
    raise AssertionError(rule)


def fits_row(rule: tree.Rule, kind: str, row: dict[str, Any], contact: Contact | None, world: World) -> bool:
    """Whether the rule selects the task, deal, call, mail or note, which is about that contact or nobody."""
    match rule:
        case tree.And(children):
            return all(fits_row(child, kind, row, contact, world) for child in children)
        case tree.Or(children):
            return any(fits_row(child, kind, row, contact, world) for child in children)
        case tree.Not(child):
            return not fits_row(child, kind, row, contact, world)
        case attributes.Everyone():
            return True
        case attributes.Attribute() if rule.name in FIELDS[kind]:
            return _field(rule, kind, row, world)
        case owners.Owner() | lifecycle.Stage() if kind == "deal":
            name = "owner" if isinstance(rule, owners.Owner) else "stage"
            return _field(attributes.Attribute(name=name, test=comparisons.IsSet()), kind, row, world)
    return contact is not None and fits(rule, contact, world)


def _rounds(campaign: Literal, contact: Contact, world: World) -> list[tuple[int, bool]]:
    return [each for each in contact["enrollments"] if each[0] == _campaign(campaign, world)]


def _campaign(name: Literal, world: World) -> int:
    return world.vocabulary.campaigns[name.text.strip().casefold()].id


def _enough(count: Any, found: list[Any]) -> bool:
    return len(found) == count.times if count.sign == "exactly" else len(found) >= count.times


def _said(rule: consents.Opted, contact: Contact) -> str | None:
    """What the contact said: of the channel, or of a topic, on which a no to the channel has the last word."""
    channel = rule.channel.text.lower()
    of_all = contact["consents"].get((channel, ""))
    if rule.topic is None or of_all == "withdrawn":
        return of_all
    return contact["consents"].get((channel, rule.topic.text.strip().casefold()), of_all)


# Values


def _attribute(leaf: attributes.Attribute, contact: Contact, world: World) -> bool:
    name = leaf.name.casefold()
    if name in CORE_DATES:
        return _test(leaf.test, from_ms(contact[CORE_DATES[name]]), "date", world)
    if name in CORE:
        return _core(name, leaf.test, contact[name])
    kind = world.vocabulary.attributes[name]
    return _test(leaf.test, contact["attributes"].get(name), kind, world)


def _core(name: str, test: comparisons.Test, stored: str | None) -> bool:
    if stored is None:
        return False
    if isinstance(test, comparisons.IsSet):
        return True

    def ascii_lower(text: str) -> str:
        return text.encode().lower().decode()

    def fold(text: str) -> str:
        match name:
            case "email":
                return text.lower()
            case "phone":
                return re.sub("[ .()\u00a0-]", "", text)
            case "external_id":
                return ascii_lower(text) if isinstance(test, comparisons.Texted) else text
        return text.casefold()

    value = stored if name in ("email", "phone") else ascii_lower(stored)
    if name == "external_id" and not isinstance(test, comparisons.Texted):
        value = stored
    if name == "email" and not isinstance(test, comparisons.Texted):

        def fold(text: str) -> str:  # type: ignore[misc]
            try:
                return normalise_email(text)
            except BadAddress:
                return text.lower()

    return _text(test, value, fold)


def _text(test: comparisons.Test, value: str, fold: Callable[[str], str]) -> bool:
    """A test of a text that is folded already."""
    match test:
        case comparisons.Equals(value=literal):
            return value == fold(literal.text)
        case comparisons.Among(values=literals):
            return any(value == fold(literal.text) for literal in literals)
        case comparisons.Texted(how="contains", value=literal):
            return fold(literal.text) in value
        case comparisons.Texted(how="starts with", value=literal):
            return value.startswith(fold(literal.text))
        case comparisons.Texted(how="ends with", value=literal):
            return value.endswith(fold(literal.text))
        case comparisons.Texted(how="matches", value=literal):
            return re.fullmatch(_pattern(fold(literal.text)), value, re.DOTALL) is not None
    raise AssertionError(test)


def _pattern(wildcards: str) -> str:
    meaning, place = "", 0
    while place < len(wildcards):
        character = wildcards[place]
        if character == "\\" and wildcards[place + 1 : place + 2] in ("*", "?", "\\"):
            place += 1
            meaning += re.escape(wildcards[place])
        else:
            meaning += {"*": ".*", "?": "."}.get(character, re.escape(character))
        place += 1
    return meaning


def _test(test: comparisons.Test, value: Any, kind: str, world: World) -> bool:
    """A test of an attribute or a property."""
    if isinstance(test, comparisons.IsSet):
        return value is not None
    if kind == "text":
        return isinstance(value, str) and _text(test, value.casefold(), str.casefold)
    if kind == "number":
        return not isinstance(value, bool) and isinstance(value, int | float) and _number(test, value)
    if kind == "bool":
        literals = test.values if isinstance(test, comparisons.Among) else (test.value,)
        wanted = [literal.text.casefold() in ("true", "yes") for literal in literals]
        return isinstance(value, bool) and value in wanted
    if isinstance(value, str):
        if DAY.fullmatch(value):
            return _dated(test, date.fromisoformat(value), world)
        if MOMENT.fullmatch(value):
            return _dated(test, datetime.fromisoformat(value), world)
        return False
    return isinstance(value, datetime) and _dated(test, value, world)


def _number(test: comparisons.Test, value: float) -> bool:
    def number(literal: Literal) -> float:
        return float(literal.text) if "." in literal.text else int(literal.text)

    match test:
        case comparisons.Equals(value=literal):
            return value == number(literal)
        case comparisons.Among(values=literals):
            return any(value == number(literal) for literal in literals)
        case comparisons.Ordered(sign=sign, value=literal):
            return _compare(sign, value, number(literal))
        case comparisons.During(when=when):
            low, high = when.points
            return number(low) <= value <= number(high)
    raise AssertionError(test)


def _compare(sign: str, one: Any, two: Any) -> bool:
    return {"<": one < two, "<=": one <= two, ">": one > two, ">=": one >= two}[sign]


# Times


def _dated(test: comparisons.Test, value: date, world: World) -> bool:
    match test:
        case comparisons.Equals(value=literal):
            whens = [moments.When(word="on", points=(literal,))]
        case comparisons.Among(values=literals):
            whens = [moments.When(word="on", points=(literal,)) for literal in literals]
        case comparisons.Ordered(sign=sign, value=literal):
            whens = [moments.When(word=sign, points=(literal,))]
        case comparisons.During(when=when):
            whens = [when]
        case _:
            raise AssertionError(test)
    return any(was(when, value, world) for when in whens)


def was(when: moments.When, value: date, world: World) -> bool:
    """Whether a day, or a moment, was when the rule says."""
    if when.duration is not None:
        return _relative(when.word, when.duration.span, value, world)
    points = [_point(literal, world) for literal in when.points]
    begins, ends = zip(*(_bounds(point, value, world) for point in points), strict=True)
    match when.word:
        case "before" | "<":
            return value < begins[0]
        case "after" | ">":
            return value >= ends[0] if isinstance(value, datetime) else value > begins[0]
        case "on":
            return _up_to(begins[0], value, ends[0])
        case "between":
            return _up_to(begins[0], value, ends[1])
        case "<=":
            return value < ends[0] if isinstance(value, datetime) else value <= ends[0]
        case ">=":
            return value >= begins[0]
    raise AssertionError(when)


def _up_to(begin: Any, value: Any, end: Any) -> bool:
    return begin <= value < end if isinstance(value, datetime) else begin <= value <= end


def _point(literal: Literal, world: World) -> date:
    word = literal.text.strip().casefold()
    if word in ("yesterday", "today", "tomorrow"):
        return world.local.date() + timedelta(days=["yesterday", "today", "tomorrow"].index(word) - 1)
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", word):
        return date.fromisoformat(word)
    return parse_when(literal.text.strip(), now=world.now, default=world.zone)


def _bounds(point: date, value: date, world: World) -> tuple[Any, Any]:
    """A point as something the value can be compared with: its first and its end."""
    if isinstance(value, datetime):
        if isinstance(point, datetime):
            return point, point + timedelta(milliseconds=1)
        midnights = (datetime.combine(point + timedelta(days=ahead), time(0), world.zone) for ahead in (0, 1))
        return tuple(midnight.astimezone(UTC) for midnight in midnights)
    if isinstance(point, datetime):
        point = point.astimezone(world.zone).date()
    return point, point


def _relative(word: str, span: timedelta, value: date, world: World) -> bool:
    if isinstance(value, datetime):
        now, past, future = world.now, world.now - span, world.now + span
    else:
        now, past, future = (moment.date() for moment in (world.local, world.local - span, world.local + span))
    return {
        "within": past <= value <= now,
        "within next": now <= value <= future,
        "more ago": value < past,
        "less ago": past < value <= now,
        "in more": value > future,
        "in less": now <= value < future,
    }[word]


def _anniversary(leaf: dates.Anniversary, contact: Contact, world: World) -> bool:
    name = leaf.name.casefold()
    if name in CORE_DATES:
        offset = world.now.astimezone(world.zone).utcoffset()
        value = (from_ms(contact[CORE_DATES[name]]) + offset).date()
    else:
        stored = contact["attributes"].get(name)
        if not isinstance(stored, str) or not re.match(DAY, stored):
            return False
        value = date.fromisoformat(stored[:10])
    for ahead in range(leaf.days):
        day = world.local.date() + leaf.start + timedelta(days=ahead)
        try:
            falls = value.replace(year=day.year)
        except ValueError:
            falls = date(day.year, 2, 28)
        if falls == day and value.year < day.year:
            return True
    return False


# Events and messages


def _happened(leaf: events.Happened, event: dict[str, Any], world: World) -> bool:
    if event["name"] != leaf.event:
        return False
    if leaf.campaign is not None and event["campaign_id"] != _campaign(leaf.campaign, world):
        return False
    if leaf.when is not None and not was(leaf.when, from_ms(event["at"]), world):
        return False
    return all(_property(asked, event["properties"], world) for asked in leaf.properties)


def _property(asked: events.Property, properties: dict[str, Any], world: World) -> bool:
    if isinstance(asked, visits.Words):
        url = properties.get("url")
        tokens = re.split(r"[\W_]+", unquote(url).casefold()) if isinstance(url, str) else []
        return {"all": all, "any": any}[asked.how](word.text.casefold() in tokens for word in asked.words)
    found = _test(asked.test, properties.get(asked.name), _kind(asked.test), world)
    return not found if asked.negated else found


def _kind(test: comparisons.Test) -> str:
    match test:
        case comparisons.Texted() | comparisons.IsSet():
            return "text"
        case comparisons.During(when=when):
            literal = when.points[0]
            return "number" if not literal.quoted and NUMBER.fullmatch(literal.text) else "date"
        case comparisons.Among(values=literals):
            literal = literals[0]
        case _:
            literal = test.value
    if literal.quoted:
        return "text"
    if NUMBER.fullmatch(literal.text):
        return "number"
    if literal.text.casefold() in ("true", "false"):
        return "bool"
    return "date" if re.match(r"\d{4}-\d{2}-\d{2}", literal.text) else "text"


def _received(leaf: messages.Received, send: dict[str, Any], world: World) -> bool:
    if send["state"] not in ("sending", "accepted", "delivered", "unknown") or send["purpose"] == "test":
        return False
    if leaf.channel is not None and send["channel"] != leaf.channel:
        return False
    if leaf.campaign is not None and send["campaign_id"] != _campaign(leaf.campaign, world):
        return False
    if leaf.when is None:
        return True
    return send["left_at"] is not None and was(leaf.when, from_ms(send["left_at"]), world)


# Points, stages, funnels, RFM, predictions, owners


def _points(scope: Literal | None, contact: Contact, world: World) -> int:
    number = 1 if scope is None else SCOPES.get("tag:OLD" if scope.text == "old" else scope.text)
    points = contact["scores"].get(number, 0)
    floor = world.vocabulary.setting("points.floor")
    return points if floor is None else max(points, floor)


def _stands(leaf: lifecycle.Stage, contact: Contact, world: World) -> bool:
    if contact["stage"] is None:
        return False
    number, entered = contact["stage"]
    if leaf.stage is None:
        return True
    stage = world.vocabulary.stages[leaf.stage.text.casefold()]
    return (number >= stage.id if leaf.later else number == stage.id) and _long_enough(leaf.stay, entered, world)


def _long_enough(stay: moments.Duration | None, entered: int, world: World) -> bool:
    return stay is None or world.now - from_ms(entered) >= stay.span


def _stays(leaf: lifecycle.InFunnel, stage: int, entered: int, world: World) -> bool:
    return stage in _placed(leaf.funnel, leaf.stages, world) and _long_enough(leaf.stay, entered, world)


def _placed(funnel: Literal, stages: tuple[Literal, ...], world: World) -> list[int]:
    known = world.vocabulary.funnels[funnel.text.casefold()].stages
    return [known[stage.text.casefold()].id for stage in stages] if stages else [stage.id for stage in known.values()]


def _banded(leaf: lifecycle.Rfm, contact: Contact, world: World) -> bool:
    bands = contact["rfm"].get(world.vocabulary.reports[leaf.report.text.casefold()].id)
    if bands is None:
        return False
    found = dict(zip(("recency", "frequency", "monetary"), bands, strict=True))
    return all(found[name] in [word.text for word in words] for name, words in leaf.bands)


def _likely(leaf: predictions.Predicted, contact: Contact, world: World) -> bool:
    probability, at = contact["predictions"].get(leaf.kind, (None, 0))
    if probability is None or world.now - from_ms(at) > world.vocabulary.setting("predictions.max_age"):
        return False
    if leaf.level is not None:
        level = {"large": "high", "very large": "very high"}.get(leaf.level.text, leaf.level.text)
        levels = ["small", "medium", "high", "very high"]
        return levels[sum(probability > end for end in (0.25, 0.5, 0.75))] == level
    match leaf.test:
        case comparisons.IsSet():
            return True
        case comparisons.Ordered(sign=sign, value=literal):
            return _compare(sign, probability, float(literal.text[:-1]) / 100)
    low, high = (float(literal.text[:-1]) / 100 for literal in leaf.test.when.points)
    return low <= probability <= high


def _member(name: Literal, world: World) -> int:
    return world.vocabulary.staff[name.text.casefold()].id


def _owned(leaf: owners.Owner, contact: Contact, world: World) -> bool:
    found = [member for member, kind in contact["owners"].items() if leaf.kind in (kind, "any")]
    if leaf.group is not None:
        return leaf.group.text == "sales" and 1 in found
    return bool(found) if leaf.who is None else _member(leaf.who, world) in found


# Notes, tasks, deals, calls, mails


def _moment(when: moments.When | None, at: int | None, world: World) -> bool:
    return when is None or (at is not None and was(when, from_ms(at), world))


def _whose(name: Literal | None, member: int | None, world: World) -> bool:
    return name is None or member == _member(name, world)


def _holds(part: Literal | None, *texts: str) -> bool:
    return part is None or any(part.text.casefold() in text.casefold() for text in texts)


def _noted(leaf: work.HasNote, note: dict[str, Any], world: World) -> bool:
    whose = _whose(leaf.author, note["author_id"], world)
    asked = whose and _holds(leaf.part, note["text"]) and _moment(leaf.when, note["created_at"], world)
    return asked and not note["private"]


def _to_do(leaf: work.HasTask, task: dict[str, Any], world: World) -> bool:
    if leaf.state == "overdue":
        if task["state"] != "open" or task["due_at"] is None or from_ms(task["due_at"]) >= world.now:
            return False
    elif leaf.state is not None and task["state"] != leaf.state:
        return False
    at = task["due_at"] if leaf.due else task["created_at"]
    return _whose(leaf.assignee, task["assignee_id"], world) and _moment(leaf.when, at, world)


def _dealt(leaf: work.HasDeal, deal: dict[str, Any], world: World) -> bool:
    if leaf.state not in (None, deal["state"]) or leaf.currency not in (None, deal["currency"]):
        return False
    if leaf.worth is not None and (
        deal["value"] is None or not _compare(leaf.sign, deal["value"], float(leaf.worth.text))
    ):
        return False
    if leaf.funnel is not None and deal["stage_id"] not in _placed(leaf.funnel, leaf.stages, world):
        return False
    return _moment(leaf.when, deal["closed_at"] if leaf.state in ("won", "lost") else deal["created_at"], world)


def _called(leaf: work.HasCall, call: dict[str, Any], world: World) -> bool:
    if leaf.direction is not None and call["direction"] != {"incoming": "in", "outgoing": "out"}[leaf.direction]:
        return False
    return _whose(leaf.by, call["staff_id"], world) and _moment(leaf.when, call["at"], world)


def _wrote(leaf: work.HasMail, mail: dict[str, Any], world: World) -> bool:
    return _holds(leaf.part, mail["subject"], mail["body"]) and _moment(leaf.when, mail["at"], world)


# Fields of tasks, deals, calls, mails and notes


def _field(leaf: attributes.Attribute, kind: str, row: dict[str, Any], world: World) -> bool:
    holds, name = FIELDS[kind][leaf.name], leaf.name
    if holds == "date":
        at = row.get("at" if name == "at" else f"{name}_at")
        return at is not None and _test(leaf.test, from_ms(at), "date", world)
    if holds == "bool":
        overdue = row.get("state") == "open" and row.get("due_at") is not None and from_ms(row["due_at"]) < world.now
        flags = {"done": row.get("state") == "done", "overdue": overdue, "private": row.get("private", False)}
        return _test(leaf.test, flags[name], holds, world)
    if holds == "staff" or isinstance(holds, tuple):
        found = _names(kind, name, row, world)
        if isinstance(leaf.test, comparisons.IsSet):
            return bool(found)
        literals = leaf.test.values if isinstance(leaf.test, comparisons.Among) else (leaf.test.value,)
        return any(literal.text.casefold() in found for literal in literals)
    standing = {"source": "test", "sender": "ann@example.com", "mailbox": "office"}
    value = row.get(name, standing.get(name, "" if holds == "text" and name != "currency" else None))
    if isinstance(leaf.test, comparisons.IsSet):
        return value not in (None, "")
    return _test(leaf.test, value, holds, world)


def _names(kind: str, name: str, row: dict[str, Any], world: World) -> list[str]:
    """What the row may be asked for by, casefolded; nothing where it has none."""
    if FIELDS[kind][name] == "staff":
        member = row.get("staff_id" if name == "staff" else f"{name}_id")
        return [each.name.casefold() for each in world.vocabulary.staff.values() if each.id == member]
    if name not in ("funnel", "stage"):
        return [row[name]]
    for funnel in world.vocabulary.funnels.values():
        for stage in funnel.stages.values():
            if stage.id == row["stage_id"]:
                key = funnel.name.casefold()
                return [key] if name == "funnel" else [stage.name.casefold(), f"{key}/{stage.name.casefold()}"]
    return []
