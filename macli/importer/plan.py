"""The plan of an import: what each column becomes, shown before anything is written."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal
from zoneinfo import ZoneInfo

from macli.address import attribute_name
from macli.errors import UnknownName, UsageError
from macli.importer import headers, reading
from macli.importer.reading import Content
from macli.importer.sniffing import Shape, sniff
from macli.importer.source import Source
from macli.model import ATTRIBUTE_TYPES, AttributeType
from macli.store import Store, attributes, contacts
from macli.store.attributes import BOOLEANS, RESERVED, BadValue

OnConflict = Literal["update", "skip", "fill", "refuse"]
ON_CONFLICT: tuple[OnConflict, ...] = ("update", "skip", "fill", "refuse")
KEYS = ("email", "phone", "external_id")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was asked for. ``tags`` are normalised; ``opt_in`` channels are granted where nothing was said."""

    map: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    key: str | None = None
    on_conflict: OnConflict = "update"
    restore: bool = False
    fire_events: bool = False
    opt_in: tuple[str, ...] = ()
    consent_source: str | None = None
    encoding: str | None = None
    faithful_tags: bool = True
    region: str | None = None
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: ``target`` is a contact's own column, ``tags``, a consent, ``attribute`` or ``-``."""

    place: int
    header: str
    target: str
    name: str = ""
    kind: AttributeType = "text"
    note: str = ""

    @property
    def meaning(self) -> str:
        """What becomes of it, as a person reads it."""
        said = f"attribute {self.name} ({self.kind})" if self.target == "attribute" else self.target
        said = "dropped" if said == "-" else said
        return f"{said}; {self.note}" if self.note else said


@dataclass(frozen=True, kw_only=True)
class Plan:
    source: Source
    shape: Shape
    content: Content = field(repr=False)
    columns: tuple[Column, ...]
    key: str
    options: Options

    @property
    def own(self) -> tuple[Column, ...]:
        """The columns that are columns of the contact."""
        return tuple(column for column in self.columns if column.target in contacts.OWN)

    @property
    def attributes(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.target == "attribute")

    def examples(self, column: Column, most: int = 3) -> str:
        """The first different values of a column."""
        found: list[str] = []
        for cells in self.content.sample:
            cell = cells[column.place].strip()
            if cell and cell not in found:
                found.append(cell if len(cell) < 30 else f"{cell[:29]}…")
            if len(found) >= most:
                break
        return ", ".join(found)


def on_conflict(text: str) -> OnConflict:
    """The answer to a conflict of that name. Raises UnknownName."""
    for known in ON_CONFLICT:
        if known == text:
            return known
    raise UnknownName("answer to a conflict", text, ON_CONFLICT, hint=f"one of {', '.join(ON_CONFLICT)}")


def prepare(store: Store, source: Source, options: Options) -> Plan:
    """Look at the source and decide what each column becomes. Writes nothing. Raises UsageError."""
    if options.key is not None and options.key not in KEYS:
        raise UnknownName("key", options.key, KEYS, hint=f"one of {', '.join(KEYS)}")
    if options.opt_in and not (options.consent_source or "").strip():
        raise UsageError(
            "--opt-in needs to say how the contacts agreed",
            hint="for example --consent-source 'sign-up form, May 2026'",
        )
    shape = sniff(source, options.encoding)
    content = reading.look(source, shape)
    columns = _Columns(attributes.types(store), content, options).all()
    key = options.key or next((key for key in KEYS if any(c.target == key for c in columns)), None)
    if key is None or not any(column.target == key for column in columns):
        raise UsageError(
            f"no column of {source.name} is {'an e-mail address' if key in (None, 'email') else key}",
            hint=f"name it: --map '{content.header[0] or 'COLUMN'}={key or 'email'}'; "
            f"the columns are: {', '.join(content.header)}",
        )
    return Plan(source=source, shape=shape, content=content, columns=columns, key=key, options=options)


class _Columns:
    """Decides for each column of one file, and lets no two be the same thing."""

    def __init__(self, declared: dict[str, AttributeType], content: Content, options: Options) -> None:
        self._declared = declared
        self._content = content
        self._options = options
        self._taken: set[str] = set()
        self._mapped = headers.read_map(options.map, content.header)

    def all(self) -> tuple[Column, ...]:
        chosen: dict[int, Column] = {}
        for place, target in self._mapped.items():
            chosen[place] = self._as_asked(place, target)
        ranked = []
        for place, header in enumerate(self._content.header):
            found = headers.meaning(header)
            if place not in chosen and found is not None:
                ranked.append((found[1], place, found[0]))
        for _, place, target in sorted(ranked):
            if target not in self._taken and self._fits(place, target):
                chosen[place] = self._claim(Column(place=place, header=self._header(place), target=target))
        if "email" not in self._taken and self._options.key in (None, "email"):
            self._find_email(chosen)
        for place in range(len(self._content.header)):
            if place not in chosen:
                chosen[place] = self._as_attribute(place)
        return tuple(chosen[place] for place in sorted(chosen))

    def _header(self, place: int) -> str:
        return self._content.header[place]

    def _claim(self, column: Column) -> Column:
        self._taken.add(column.name if column.target == "attribute" else column.target)
        return column

    def _as_asked(self, place: int, target: str) -> Column:
        header = self._header(place)
        if target == "-":
            return Column(place=place, header=header, target="-")
        if target.lower() in (*contacts.OWN, "tags", "email_opt_out", "sms_opt_out") or headers.consent_of(target):
            if target.lower() in self._taken:
                raise UsageError(f"--map gives two columns to {target}")
            return self._claim(Column(place=place, header=header, target=target.lower()))
        name, _, kind = target.partition(":")
        name = attribute_name(name)
        if kind and kind not in ATTRIBUTE_TYPES:
            raise UnknownName("type", kind, ATTRIBUTE_TYPES, hint=f"one of {', '.join(ATTRIBUTE_TYPES)}")
        if name in RESERVED:
            raise UsageError(f"--map: {name!r} is a part of every contact, not an attribute")
        if name in self._taken:
            raise UsageError(f"--map gives two columns to {name}")
        known = self._declared.get(name)
        if kind and known and kind != known:
            raise UsageError(
                f"--map: the attribute {name!r} holds {known}, not {kind}",
                hint=f"macli attribute edit {name} --type {kind} converts it",
            )
        asked: AttributeType = known or next((one for one in ATTRIBUTE_TYPES if one == kind), None) or self._kind(place)
        return self._claim(Column(place=place, header=header, target="attribute", name=name, kind=asked))

    def _as_attribute(self, place: int) -> Column:
        header = self._header(place)
        if not header and not any(cells[place].strip() for cells in self._content.sample):
            return Column(place=place, header=header, target="-", note="empty")
        try:
            name = attribute_name(header) if header else f"column_{place + 1}"
        except UsageError:
            name = f"column_{place + 1}"
        if name in headers.UNWANTED:
            return Column(place=place, header=header, target="-", note="macli's own; --map keeps it")
        wanted, number = (f"{name}_text" if name in RESERVED else name), 2
        name = wanted
        while name in self._taken:
            name, number = f"{wanted}_{number}", number + 1
        kind = self._declared.get(name) or self._kind(place)
        note = f"{header!r} is there twice" if name != wanted else ""
        return self._claim(Column(place=place, header=header, target="attribute", name=name, kind=kind, note=note))

    def _kind(self, place: int) -> AttributeType:
        stated = self._content.types.get(self._header(place))
        return stated or attributes.infer(cells[place] for cells in self._content.sample)

    def _values(self, place: int, most: int = 200) -> list[str]:
        found: list[str] = []
        for cells in self._content.sample:
            if cells[place].strip():
                found.append(cells[place])
                if len(found) >= most:
                    break
        return found

    def _fits(self, place: int, target: str) -> bool:
        """Whether the values are what the header promises: a ``state`` may be one of fifty."""
        values = self._values(place)
        if not values:
            return True
        if target == "phone":
            return sum(sum(map(str.isdigit, value)) >= 5 for value in values) >= len(values) / 2
        if target.endswith("_opt_out"):
            return all(value.strip().casefold() in BOOLEANS for value in values)
        if target in ("timezone", "locale", "state"):
            return self._share(values, target) >= 0.5
        return True

    def _share(self, values: Sequence[str], target: str) -> float:
        fitting = 0
        for value in values:
            try:
                contacts.read_own(target, value, self._options.region)
                fitting += 1
            except (BadValue, UsageError):
                continue
        return fitting / len(values)

    def _find_email(self, chosen: dict[int, Column]) -> None:
        for place in range(len(self._content.header)):
            values = self._values(place, 50)
            if place not in chosen and values and self._share(values, "email") >= 0.8:
                chosen[place] = self._claim(
                    Column(place=place, header=self._header(place), target="email", note="by its values")
                )
                return
