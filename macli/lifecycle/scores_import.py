"""Predictions from elsewhere: a file with a contact and its probabilities in each row."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from macli.address import normalise_email, shorten
from macli.clock import to_ms
from macli.errors import UsageError
from macli.importer import reading
from macli.importer.headers import meaning, simplify
from macli.importer.reading import Record, Unreadable
from macli.importer.refusals import Refusal, Refusals, path_for, shortened
from macli.importer.sniffing import sniff
from macli.importer.source import Source
from macli.store import Store, predictions
from macli.store.predictions import KINDS, Kept, Model
from macli.texts import count_of

BATCH = 2000
_REASONS = 10
_BY = ("email", "external_id", "id")
_ALSO = {"contact": "email", "id": "id", "contact id": "id"}
_NUMBER = re.compile(r"([0-9]{1,3}(?:[.,][0-9]{1,18})?|[.,][0-9]{1,18})(?:[eE](-[0-9]{1,2}))?\s*(%?)", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What an import of predictions came to: how many rows were taken and refused, the first reasons as
    (line, why), the file with the refused rows, and what is kept now (None where nothing is)."""

    taken: int
    refused: int
    reasons: tuple[tuple[int, str], ...]
    refused_rows: Path | None
    kept: Kept | None

    def told(self) -> dict[str, Any]:
        """For programs."""
        return {
            "taken": self.taken,
            "refused": self.refused,
            "reasons": [{"line": line, "reason": reason} for line, reason in self.reasons],
            "refused_rows": None if self.refused_rows is None else str(self.refused_rows),
            "churn": self.kept and self.kept.churn,
            "purchase": self.kept and self.kept.purchase,
            "changed": self.kept and self.kept.changed,
        }

    def lines(self, *, dry_run: bool) -> list[str]:
        """For people."""
        would = "would be " if dry_run else ""
        lines = [f"{count_of(self.taken, 'row')} {would}taken, {self.refused:,} {would}refused"]
        lines += [f"  line {line}: {reason}" for line, reason in self.reasons]
        if self.refused_rows is not None:
            lines.append(f"the refused rows are in {self.refused_rows}: mend them and import that file")
        if self.kept is not None:
            lines.append(
                f"kept: churn of {count_of(self.kept.churn, 'contact')}, purchase of {self.kept.purchase:,};"
                f" the likelihood changed for {self.kept.changed:,}"
            )
        return lines


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """Whom a row is about, by which of the contacts' columns, and the place of each kind of prediction."""

    by: str
    reference: int
    kinds: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class _Line:
    number: int
    cells: Sequence[str]
    reference: str | int
    churn: float | None
    purchase: float | None


def import_scores(
    store: Store,
    source: Source,
    now: datetime,
    *,
    model: str | None = None,
    dry_run: bool = False,
    advance: Callable[[int], None] = lambda rows: None,
) -> Told:
    """Take over the probabilities of a CSV or JSON file. Raises UsageError where its columns say too little.

    Nothing is kept before every row was read. Of two rows about one contact the later counts.
    """
    shape = sniff(source)
    content = reading.look(source, shape)
    columns = _columns(content.header, source.name)
    file = path_for(source.path, source.name, spooled=source.spooled)
    refusals = None if dry_run else Refusals(file, content.header, 0)
    taken = refused = 0
    reasons: list[tuple[int, str]] = []
    predictions.stage(store)
    for good, bad in _batches(_lines(reading.records(source, shape, content), len(content.header), columns)):
        with store.write():
            unknown = _put(store, columns.by, good)
        bad = sorted((*bad, *unknown), key=lambda one: one.line)
        if refusals is not None:
            refusals.append(bad)
        taken, refused = taken + len(good) - len(unknown), refused + len(bad)
        reasons.extend((one.line, one.reason) for one in bad[: _REASONS - len(reasons)])
        advance(len(good) + len(bad) - len(unknown))
    kept = None
    if taken and not dry_run:
        said = Model(name=model or source.name, source="import", at=to_ms(now), params={}, quality={})
        kept = predictions.keep(store, now, said, as_of=to_ms(now))
    return Told(
        taken=taken,
        refused=refused,
        reasons=tuple(reasons),
        refused_rows=file if refused and not dry_run else None,
        kept=kept,
    )


def _columns(header: Sequence[str], name: str) -> _Columns:
    simple = [simplify(column) for column in header]
    kinds = {kind: simple.index(kind) for kind in KINDS if kind in simple}
    twice = next((kind for kind in kinds if simple.count(kind) > 1), None)
    if twice is not None:
        raise UsageError(f"two columns of {name} are {twice}", hint="give one of them another name")
    if not kinds:
        raise UsageError(
            f"no column of {name} is a prediction",
            hint="the columns are email (or external_id, or id), churn, purchase",
        )
    meant = [_meaning(column) for column in header]
    for by in _BY:
        if by in meant:
            return _Columns(by=by, reference=meant.index(by), kinds=kinds)
    raise UsageError(f"no column of {name} says the contact", hint="name one email, external_id or id")


def _meaning(column: str) -> str | None:
    found = meaning(column)
    return _ALSO.get(simplify(column)) if found is None else found[0]


def _batches(lines: Iterable[_Line | Refusal]) -> Iterator[tuple[list[_Line], list[Refusal]]]:
    good: list[_Line] = []
    bad: list[Refusal] = []
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


def _lines(records: Iterable[Record], width: int, columns: _Columns) -> Iterator[_Line | Refusal]:
    for number, cells in records:
        if isinstance(cells, Unreadable):
            yield Refusal(line=number, reason=str(cells), cells=())
            continue
        try:
            if len(cells) != width:
                raise UsageError(f"{len(cells)} cells where the header has {width}")
            said = {kind: _probability(kind, cells[place]) for kind, place in columns.kinds.items()}
            if all(probability is None for probability in said.values()):
                raise UsageError("it says no prediction")
            yield _Line(
                number=number,
                cells=cells,
                reference=_reference(columns.by, cells[columns.reference].strip()),
                churn=said.get("churn"),
                purchase=said.get("purchase"),
            )
        except UsageError as error:
            yield Refusal(line=number, reason=error.message, cells=shortened(cells))


def _probability(kind: str, text: str) -> float | None:
    """``0.63`` or ``63 %`` as a probability; None where nothing is said. Raises UsageError."""
    text = text.strip()
    if not text:
        return None
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise UsageError(f"its {kind} {shorten(text)!r} is no probability: write 0.63 or 63 %")
    digits, exponent, percent = match.groups()
    number = float(f"{digits.replace(',', '.')}e{exponent or 0}") / (100 if percent else 1)
    if number > 1:
        raise UsageError(f"its {kind} {shorten(text)!r} is more than certain: a percentage has its sign, 63 %")
    return number


def _reference(by: str, text: str) -> str | int:
    if not text:
        raise UsageError("it names no contact")
    if by == "email":
        return normalise_email(text)
    if by == "id":
        if not re.fullmatch(r"#?[0-9]{1,18}", text, re.ASCII):
            raise UsageError(f"{shorten(text)!r} is no contact's number")
        return int(text.removeprefix("#"))
    return text


def _put(store: Store, by: str, lines: Sequence[_Line]) -> list[Refusal]:
    """Put a batch where the store keeps what it takes over; the rows about nobody there is."""
    store.execute(_INCOMING)
    store.execute("DELETE FROM incoming_scores")
    last = {line.reference: line for line in lines}
    store.executemany(
        "INSERT INTO incoming_scores (line, reference, churn, purchase) VALUES (?, ?, ?, ?)",
        ((line.number, line.reference, line.churn, line.purchase) for line in last.values()),
    )
    store.execute(_TAKE.format(by=by))
    nobody = {row["reference"] for row in store.rows(_NOBODY.format(by=by))}
    return [
        Refusal(line=line.number, reason=f"no contact {shorten(str(line.reference))!r}", cells=shortened(line.cells))
        for line in lines
        if line.reference in nobody
    ]


_INCOMING = """
CREATE TEMP TABLE IF NOT EXISTS incoming_scores (
  line INTEGER PRIMARY KEY,
  reference,
  churn REAL,
  purchase REAL
)
"""

_TAKE = """
INSERT INTO predicted (contact_id, churn, purchase)
SELECT contacts.id, incoming_scores.churn, incoming_scores.purchase
FROM incoming_scores
JOIN contacts ON contacts.{by} = incoming_scores.reference
WHERE contacts.removed_at IS NULL
ON CONFLICT (contact_id) DO UPDATE
SET churn = excluded.churn, purchase = excluded.purchase
"""

_NOBODY = """
SELECT reference
FROM incoming_scores
WHERE NOT EXISTS (
  SELECT 1
  FROM contacts
  WHERE contacts.{by} = incoming_scores.reference
    AND contacts.removed_at IS NULL
)
"""
