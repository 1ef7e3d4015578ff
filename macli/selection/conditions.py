"""From a rule's text, or a segment's name, to a condition on contacts, by the names the store has."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from macli import rules
from macli.errors import UnknownName, UsageError
from macli.model import Where
from macli.rules import KnownSegment, Vocabulary
from macli.selection.knowing import vocabulary
from macli.store import Store


def where_of(
    store: Store,
    text: str,
    now: datetime,
    zone: ZoneInfo,
    *,
    prefix: str = "r",
    removed: bool = False,
    narrow: bool = False,
    stored: bool = False,
    known: Vocabulary | None = None,
) -> Where:
    """A rule as a condition on contacts; removed ones are left out unless ``removed``. Raises RuleError.

    ``narrow`` where few contacts, chosen by other means, will be asked; ``stored`` for a rule that
    was accepted before (see rules.compile); ``known`` for other names than those it may use.
    """
    found = rules.compile(
        text,
        known or vocabulary(store, stored=stored),
        now=now,
        zone=zone,
        dialect=store.dialect,
        prefix=prefix,
        narrow=narrow,
        stored=stored,
    )
    return found if removed else _present(found)


def segment_where(
    store: Store,
    segment: int | str,
    now: datetime,
    zone: ZoneInfo,
    prefix: str = "r",
    *,
    narrow: bool = False,
    known: Vocabulary | None = None,
) -> Where:
    """The contacts of a segment, by its id or name, as a condition. Raises UnknownName, RuleError.

    ``known`` for other names than those its rule may use.
    """
    found = find_segment(vocabulary(store), segment)
    known = known or vocabulary(store, stored=True)
    if found.rule is None:
        text = f"in segment {rules.quote(found.name)}"
        return _present(rules.compile(text, known, now=now, zone=zone, prefix=prefix, narrow=narrow))
    return _present(
        rules.compile(
            found.rule,
            known,
            now=now,
            zone=zone,
            dialect=store.dialect,
            prefix=prefix,
            narrow=narrow,
            stored=True,
            within=found,
        )
    )


def find_segment(known: Vocabulary, segment: int | str) -> KnownSegment:
    """The segment of that id or name. Raises UnknownName."""
    if isinstance(segment, str):
        found = known.segments.get(segment.strip().casefold())
    else:
        found = next((each for each in known.segments.values() if each.id == segment), None)
    if found is None:
        names = (each.name for each in known.segments.values())
        raise UnknownName("segment", str(segment), names, hint="macli segment list")
    return found


def event_where_of(store: Store, text: str, now: datetime, zone: ZoneInfo, *, prefix: str = "e") -> Where:
    """Tests of an event's properties (``total > 100 and currency = EUR``) as a condition on events."""
    return rules.compile_conditions(text, vocabulary(store), now=now, zone=zone, dialect=store.dialect, prefix=prefix)


def entity_where(
    store: Store,
    kind: str,
    text: str,
    now: datetime,
    zone: ZoneInfo,
    *,
    prefix: str = "r",
    stored: bool = False,
) -> Where:
    """A rule over tasks, deals, calls, mails or notes as a condition on their table. Raises RuleError.

    ``kind`` is task, deal, call, mail or note. Their own fields are meant first (``due < today and
    assignee = anna``); everything else is asked of the contact a row is about (``tagged vip``), and is false
    where there is none, its negation true.
    """
    return rules.compile_entity(
        kind, text, vocabulary(store), now=now, zone=zone, dialect=store.dialect, prefix=prefix, stored=stored
    )


def check(store: Store, text: str, now: datetime, zone: ZoneInfo, *, segment: KnownSegment | None = None) -> None:
    """Raise RuleError where the rule is not one that can be stored, as that segment's own if one is named."""
    rules.compile(text, vocabulary(store), now=now, zone=zone, dialect=store.dialect, within=segment)


def _present(where: Where) -> Where:
    return replace(where, sql=f"(contacts.removed_at IS NULL AND {where.sql})")


def named_where(store: Store, name: str | None, rule: str | None, now: datetime, zone: ZoneInfo) -> Where:
    """The condition of a segment or of a rule, whichever is given. Raises UsageError for none or both."""
    if (name is None) == (rule is None):
        raise UsageError("name a segment, or give a rule", hint="macli segment preview --rule 'orders >= 3'")
    if rule is not None:
        return where_of(store, rule, now, zone)
    assert name is not None
    return segment_where(store, name, now, zone)
