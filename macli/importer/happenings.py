"""Files of events: read one by one, recorded in batches, each once however often the file is imported."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from macli import events
from macli.address import BadAddress, attribute_name, normalise_email, normalise_phone, shorten
from macli.clock import parse_when, to_ms
from macli.errors import MacliError, UsageError
from macli.importer import reading
from macli.importer.headers import simplify
from macli.importer.reading import Unreadable
from macli.importer.sniffing import sniff
from macli.importer.source import Source
from macli.model import NewEvent
from macli.store import Store
from macli.store.attributes import BadValue, infer, plain_text, read_value

BATCH = 5000
SOURCE = "import"
_REASONS = 10
_MOST_ASKED = 500

_HEADERS = {
    "contact": ("contact", "email", "e mail", "email address", "phone", "external id", "contact id"),
    "name": ("event", "name", "event name", "type"),
    "at": ("at", "time", "timestamp", "date", "occurred at", "created at", "when"),
    "id": ("id", "event id", "source id", "order id"),
}


@dataclass(frozen=True, kw_only=True)
class Told:
    """What an import of events came to: ``known`` were recorded before; ``reasons`` are (line, why)."""

    recorded: int
    known: int
    refused: int
    reasons: tuple[tuple[int, str], ...]


@dataclass(frozen=True, kw_only=True)
class _Line:
    number: int
    contact: str
    name: str
    at: int
    source_id: str | None
    properties: Mapping[str, Any]


class _Refused(Exception):
    pass


def import_events(
    store: Store,
    source: Source,
    now: datetime,
    *,
    zone: ZoneInfo,
    region: str | None,
    advance: Callable[[int], None] = lambda lines: None,
) -> Told:
    """Record the events of a CSV or JSON file. Raises UsageError where its columns say too little.

    An event without an id of its own is known again by all that it says.
    """
    recorded = known = refused = told = 0
    reasons: list[tuple[int, str]] = []
    for lines, bad in _batches(_lines(source, now, zone, region)):
        with store.write():
            ids = _contacts(store, [line.contact for line in lines])
            found = []
            for line in lines:
                if line.contact in ids:
                    found.append(_event(line, ids[line.contact]))
                else:
                    bad.append((line.number, f"no contact {shorten(line.contact)!r}"))
            new = events.record(store, now, found)
        recorded, known, refused = recorded + new, known + len(found) - new, refused + len(bad)
        reasons.extend(sorted(bad)[: max(0, _REASONS - len(reasons))])
        last = max((line.number for line in lines), default=told)
        advance(last - told)
        told = last
    return Told(recorded=recorded, known=known, refused=refused, reasons=tuple(reasons))


def _batches(
    lines: Iterable[_Line | tuple[int, str]],
) -> Iterator[tuple[list[_Line], list[tuple[int, str]]]]:
    good: list[_Line] = []
    bad: list[tuple[int, str]] = []
    for line in lines:
        if isinstance(line, _Line):
            good.append(line)
        else:
            bad.append(line)
        if len(good) + len(bad) >= BATCH:
            yield good, bad
            good, bad = [], []
    if good or bad:
        yield good, bad


def _lines(source: Source, now: datetime, zone: ZoneInfo, region: str | None) -> Iterator[_Line | tuple[int, str]]:
    shape = sniff(source)
    content = reading.look(source, shape)
    places = _places(content.header, source.name)
    kinds = {
        place: content.types.get(header) or infer(cells[place] for cells in content.sample)
        for place, header in enumerate(content.header)
        if place not in places.values()
    }
    for number, cells in reading.records(source, shape, content):
        try:
            if isinstance(cells, Unreadable):
                raise _Refused(str(cells))
            if len(cells) != len(content.header):
                raise _Refused(f"{len(cells)} cells where the header has {len(content.header)}")
            properties = {
                attribute_name(content.header[place] or f"column_{place + 1}"): read_value(kind, cells[place], zone)
                for place, kind in kinds.items()
                if cells[place].strip()
            }
            wanted = {what: cells[place].strip() for what, place in places.items()}
            yield _Line(
                number=number,
                contact=_reference(wanted["contact"], region),
                name=events.check_name(wanted["name"]),
                at=to_ms(_moment(wanted.get("at", ""), now, zone)),
                source_id=plain_text(wanted["id"]) if wanted.get("id") else None,
                properties=properties,
            )
        except (_Refused, BadValue, UsageError) as error:
            yield number, error.message if isinstance(error, MacliError) else str(error)


def _places(header: Sequence[str], name: str) -> dict[str, int]:
    simple = [simplify(column) for column in header]
    places: dict[str, int] = {}
    for what, known in _HEADERS.items():
        found = [simple.index(one) for one in known if one in simple]
        if found and found[0] not in places.values():
            places[what] = found[0]
    for what in ("contact", "name"):
        if what not in places:
            raise UsageError(
                f"no column of {name} says the {'contact' if what == 'contact' else 'event'}",
                hint="the columns are contact (or email), event, at, id; every other is a property",
            )
    return places


def _reference(text: str, region: str | None) -> str:
    """The contact as the store knows it: e-mail, phone, else an external id."""
    if "@" in text:
        return normalise_email(text)
    if not text:
        raise _Refused("it names no contact")
    if text.startswith("+"):
        try:
            return normalise_phone(text, region)
        except BadAddress:
            return text
    return text


def _moment(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    if not text:
        return now
    if text.isdecimal() and len(text) in (10, 13):
        return datetime.fromtimestamp(int(text) / (1 if len(text) == 10 else 1000), UTC)
    return parse_when(text, now=now, default=zone)


def _contacts(store: Store, references: Iterable[str]) -> dict[str, int]:
    """The ids of those contacts there are, by what the file calls them."""
    wanted = sorted(set(references))
    ids: dict[str, int] = {}
    for start in range(0, len(wanted), _MOST_ASKED):
        asked = {f"c{number}": text for number, text in enumerate(wanted[start : start + _MOST_ASKED])}
        marks = ", ".join(f":{name}" for name in asked)
        for column in ("phone", "external_id", "email"):
            for row in store.rows(f"SELECT id, {column} AS reference FROM contacts WHERE {column} IN ({marks})", asked):
                ids[row["reference"]] = row["id"]
    return ids


def _event(line: _Line, contact_id: int) -> NewEvent:
    source_id = line.source_id
    if source_id is None:
        said = json.dumps([line.contact, line.name, line.at, dict(line.properties)], ensure_ascii=False)
        source_id = hashlib.blake2b(said.encode(), digest_size=16).hexdigest()
    return NewEvent(
        contact_id=contact_id,
        name=line.name,
        at=line.at,
        source=SOURCE,
        source_id=source_id,
        properties=line.properties,
    )
