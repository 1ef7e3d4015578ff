"""The run of an import: batch after batch, each with its place in the file, in one transaction."""

import gc
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from time import monotonic

from macli.clock import Clock, to_ms
from macli.errors import OperationFailed
from macli.importer import reading
from macli.importer.conversion import (
    FIRST_OWN,
    Consent,
    Converted,
    Refused,
    consent_reader,
    converter,
    is_blank,
    own_names,
    tag_reader,
)
from macli.importer.plan import Plan
from macli.importer.reading import Record, Unreadable
from macli.importer.refusals import Refusal, Refusals, path_for, shortened
from macli.importer.staging import Staging
from macli.store import Row, Store, attributes, imports
from macli.store.imports import Progress

BATCH = 20_000
"""Rows a transaction. Addresses come in any order, so every row changes another page of their index; at
a million contacts four times the rows write half the pages (measured: 16 µs a row in the system, or 7)."""
_CACHE_MB = 16
_HEAVIEST = 16 << 20
_MOST_WAVES = 50
_REASONS = 10


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the whole import came to, over all its runs; ``reasons`` are this run's first refusals."""

    counts: Progress
    resumed_at: int
    seconds: float
    rows_per_second: float
    refusals_file: str | None
    reasons: tuple[Refusal, ...]

    @property
    def taken(self) -> int:
        """How many rows were not refused."""
        return self.counts.added + self.counts.updated + self.counts.unchanged

    def told(self) -> dict[str, object]:
        """The report as a program reads it."""
        return {
            "rows": self.taken + self.counts.refused,
            "added": self.counts.added,
            "updated": self.counts.updated,
            "unchanged": self.counts.unchanged,
            "repeated": self.counts.repeated,
            "refused": self.counts.refused,
            "refused_file": self.refusals_file,
            "reasons": [{"line": one.line, "reason": one.reason} for one in self.reasons],
            "resumed_at": self.resumed_at or None,
            "seconds": round(self.seconds, 3),
            "rows_per_second": round(self.rows_per_second),
        }

    def lines(self, name: str, *, dry_run: bool) -> Iterator[str]:
        """The report as a person reads it."""
        counts = self.counts
        if self.resumed_at:
            yield f"went on behind row {self.resumed_at:,}, where it was stopped"
        yield (
            f"{self.taken + counts.refused:,} rows of {name}: {counts.added:,} added, {counts.updated:,} updated, "
            f"{counts.unchanged:,} unchanged, {counts.refused:,} refused; "
            f"{self.seconds:.1f} s, {self.rows_per_second:,.0f} rows/s"
        )
        if counts.repeated:
            yield f"{counts.repeated:,} of them named a contact an earlier row had added; the last one counts"
        for one in self.reasons:
            yield f"  line {one.line}: {one.reason}"
        if counts.refused > len(self.reasons):
            yield f"  and {counts.refused - len(self.reasons):,} more"
        if self.refusals_file is not None:
            yield f"refused rows are in {self.refusals_file}; mended, it can be imported"
        if dry_run:
            yield "a dry run: nothing was changed"


class _Undone(Exception):
    """Ends a dry run: everything it wrote is rolled back."""


def run(
    store: Store,
    plan: Plan,
    clock: Clock,
    *,
    advance: Callable[[int], None] = lambda lines: None,
    dry_run: bool = False,
    batch_size: int = BATCH,
) -> Report:
    """Import the plan's file, or what an earlier run that was stopped has left of it.

    ``clock`` is read for each batch, inside its transaction: a tick that runs meanwhile takes a
    contact for changed by the time of its change. Raises OperationFailed on Ctrl-C, saying how to go on.
    """
    if not dry_run:
        return _Run(store, plan, clock, advance, batch_size).all()
    report: list[Report] = []
    try:
        with store.write():
            report.append(_Run(store, plan, clock, advance, batch_size, writes_refusals=False).all())
            raise _Undone
    except _Undone:
        return report[0]


def fingerprint(plan: Plan) -> str:
    """The same for the same file imported in the same way."""
    told = (plan.source.digest, plan.shape, plan.key, plan.columns, replace(plan.options, map=()))
    return hashlib.blake2b(repr(told).encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


class _Run:
    def __init__(
        self,
        store: Store,
        plan: Plan,
        clock: Clock,
        advance: Callable[[int], None],
        batch_size: int,
        *,
        writes_refusals: bool = True,
    ) -> None:
        self._store = store
        self._plan = plan
        self._clock = clock
        self._advance = advance
        self._batch_size = batch_size
        self._writes = writes_refusals
        self._reasons: list[Refusal] = []
        self._place = 0

    def all(self) -> Report:
        started = monotonic()
        self._store.keep_in_memory(_CACHE_MB)
        job = self._begin()
        self._place = resumed_at = job["records"]
        refusals = Refusals(Path(job["refusals_file"]), self._plan.content.header, job["refusals_size"])
        staging = Staging(self._store, self._plan, job["newest_contact"])
        try:
            with _no_collection():
                self._batches(job["id"], refusals, staging)
        except KeyboardInterrupt:
            raise OperationFailed(
                f"stopped after {self._place:,} rows of {self._plan.source.name}",
                hint="run the same command again: it goes on there",
            ) from None
        with self._store.write():
            job = imports.finish(self._store, job["id"], to_ms(self._clock()))
        seconds = monotonic() - started
        counts = Progress(
            **{name: job[name] for name in ("records", "added", "updated", "unchanged", "repeated", "refused")}
        )
        return Report(
            counts=counts,
            resumed_at=resumed_at,
            seconds=seconds,
            rows_per_second=(counts.records - resumed_at) / seconds if seconds else 0.0,
            refusals_file=str(refusals.path) if counts.refused and self._writes else None,
            reasons=tuple(self._reasons),
        )

    def _begin(self) -> Row:
        plan, now_ms = self._plan, to_ms(self._clock())
        path = path_for(plan.source.path, plan.source.name, spooled=plan.source.spooled)
        with self._store.write():
            for column in plan.attributes:
                attributes.declare(self._store, now_ms, column.name, column.kind)
            return imports.begin(
                self._store,
                now_ms,
                source=plan.source.name,
                fingerprint=fingerprint(plan),
                refusals_file=str(path.absolute()),
            )

    def _batches(self, import_id: int, refusals: Refusals, staging: Staging) -> None:
        records = reading.records(self._plan.source, self._plan.shape, self._plan.content)
        for _ in islice(records, self._place):
            pass
        batch, told = _Batch(self._plan), 0
        for record in records:
            batch.take(record)
            if batch.records >= self._batch_size or batch.weight > _HEAVIEST or batch.waves >= _MOST_WAVES:
                self._write(import_id, refusals, staging, batch)
                self._advance(record[0] - told)
                told = record[0]
        self._write(import_id, refusals, staging, batch)

    def _write(self, import_id: int, refusals: Refusals, staging: Staging, batch: "_Batch") -> None:
        if not batch.records:
            return
        # After a power cut the cursor is as old as the contacts, and the same command goes on from there.
        with self._store.write(durable=False):
            now = self._clock()
            merged = staging.merge(now, batch.rows, batch.tags, batch.consents, batch.waves)
            refused = sorted(
                (*batch.refused, *(batch.refusal(number, reason) for number, reason in merged.refused)),
                key=lambda one: one.line,
            )
            if self._writes:
                refusals.append(refused)
            came = Progress(
                records=batch.records,
                added=merged.added,
                updated=merged.updated,
                unchanged=len(batch.rows) - merged.added - merged.updated - len(merged.refused),
                repeated=merged.repeated,
                refused=len(refused),
            )
            imports.advance(self._store, import_id, self._place, came, refusals.size)
        self._place += batch.records
        self._reasons.extend(refused[: max(0, _REASONS - len(self._reasons))])
        batch.clear()


class _Batch:
    """The converted rows of one batch, and those refused at once."""

    def __init__(self, plan: Plan) -> None:
        self._convert = converter(plan)
        self._read_tags = tag_reader(plan)
        self._read_consents = consent_reader(plan)
        names = own_names(plan)
        self._unique = tuple(
            place for place, name in enumerate(names, FIRST_OWN) if name in ("email", "external_id", plan.key)
        )
        self.clear()

    def clear(self) -> None:
        self.records = self.weight = self.waves = 0
        self.rows: list[Converted] = []
        self.tags: list[tuple[int, str]] = []
        self.consents: list[tuple[int, Consent]] = []
        self.refused: list[Refusal] = []
        self._lines: list[int] = []
        self._cells: list[list[str]] = []
        self._seen: dict[str, int] = {}

    def take(self, record: Record) -> None:
        """Convert one record into the batch."""
        line, cells = record
        self.records += 1
        if isinstance(cells, Unreadable):
            self.refused.append(Refusal(line=line, reason=str(cells), cells=()))
            return
        try:
            values = self._convert(cells)
            tags = self._read_tags(cells) if self._read_tags is not None else ()
            consents = self._read_consents(cells) if self._read_consents is not None else ()
        except Refused as reason:
            if not is_blank(cells):
                self.refused.append(Refusal(line=line, reason=str(reason), cells=shortened(cells)))
                self.weight += sum(map(len, self.refused[-1].cells))
            return
        number = len(self.rows)
        values[0], values[1] = number, self._wave(values)
        self.rows.append(values)
        self._lines.append(line)
        self._cells.append(cells)
        self.weight += len(values[-2])
        if tags:
            self.tags.extend((number, tag) for tag in tags)
        if consents:
            self.consents.extend((number, consent) for consent in consents)

    def _wave(self, values: Converted) -> int:
        """How many rows of this batch before it were about the same contact."""
        seen = self._seen
        if len(self._unique) == 1:
            key = values[FIRST_OWN]
            wave = seen.get(key, 0)
            seen[key] = wave + 1
            if wave >= self.waves:
                self.waves = wave + 1
            return wave
        wave = 0
        for place in self._unique:
            value = values[place]
            if value is not None:
                wave = max(wave, seen.get(value, 0))
        for place in self._unique:
            value = values[place]
            if value is not None:
                seen[value] = wave + 1
        if wave >= self.waves:
            self.waves = wave + 1
        return wave

    def refusal(self, number: int, reason: str) -> Refusal:
        return Refusal(line=self._lines[number], reason=reason, cells=shortened(self._cells[number]))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Rows make no cycles, so looking for them in every batch is time lost (measured: a tenth)."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
