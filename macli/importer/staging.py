"""One batch of rows merged into the contacts by a few statements over a temp table.

Rows of one batch that are about the same contact are in different waves: wave after wave is
merged, so the last row wins, as if they had come one by one.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from macli.address import fold_json
from macli.clock import to_ms
from macli.contacts.consenting import keep_noes
from macli.importer.conversion import Consent, Converted, own_names
from macli.importer.plan import Plan
from macli.importer.telling import tell_added, tell_attributes, tell_consents, tell_tags
from macli.store import Store, settings, tags

_TABLES = """
DROP TABLE IF EXISTS incoming;
CREATE TEMP TABLE incoming (
  n INTEGER PRIMARY KEY,
  wave INTEGER NOT NULL,
  email TEXT,
  phone TEXT,
  external_id TEXT,
  timezone TEXT,
  locale TEXT,
  state TEXT,
  source TEXT,
  attributes TEXT NOT NULL,
  folded TEXT,
  contact_id INTEGER,
  is_new INTEGER NOT NULL DEFAULT 0,
  changed INTEGER NOT NULL DEFAULT 0,
  refused TEXT
);
DROP TABLE IF EXISTS incoming_tags;
CREATE TEMP TABLE incoming_tags (
  n INTEGER NOT NULL,
  tag_id INTEGER NOT NULL,
  PRIMARY KEY (n, tag_id)
);
DROP TABLE IF EXISTS incoming_consents;
CREATE TEMP TABLE incoming_consents (
  n INTEGER NOT NULL,
  channel TEXT NOT NULL,
  topic TEXT NOT NULL,
  status TEXT NOT NULL,
  PRIMARY KEY (n, channel, topic)
)
"""

_NAMES = {"email": "e-mail address", "phone": "phone number", "external_id": "external id"}


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What a batch came to; ``refused`` are rows by their number in it, and why."""

    added: int
    updated: int
    repeated: int
    refused: Sequence[tuple[int, str]]


class Staging:
    """The temp tables of one import and the statements its options ask for."""

    def __init__(self, store: Store, plan: Plan, newest_contact: int) -> None:
        self._store = store
        self._plan = plan
        self._newest = newest_contact
        self._own = own_names(plan)
        self._tag_ids: dict[str, int] = {}
        self._evidence = json.dumps({"import": plan.source.name}, ensure_ascii=False)
        self._consent_source = plan.options.consent_source or f"import {plan.source.name}"
        places = ("n", "wave", *self._own, "attributes", "folded")
        marks = ", ".join("?" * len(places))
        self._insert = f"INSERT INTO incoming ({', '.join(places)}) VALUES ({marks})"
        for statement in _TABLES.split(";\n"):
            store.execute(statement)

    def merge(
        self,
        now: datetime,
        rows: Iterable[Converted],
        row_tags: Sequence[tuple[int, str]],
        consents: Sequence[tuple[int, Consent]],
        waves: int,
    ) -> Merged:
        """Merge converted rows. Inside a write."""
        store = self._store
        for table in ("incoming", "incoming_tags", "incoming_consents"):
            store.execute(f"DELETE FROM {table}")
        store.executemany(self._insert, rows)
        self._stage_tags(row_tags)
        store.executemany(
            "INSERT INTO incoming_consents (n, channel, topic, status) VALUES (?, ?, ?, ?)",
            ((n, *consent) for n, consent in consents),
        )
        tagged = bool(row_tags or self._plan.options.tags)
        added = updated = repeated = 0
        for wave in range(waves):
            one = self._merge_wave(now, wave, tagged=tagged, consenting=bool(consents))
            added, updated, repeated = added + one[0], updated + one[1], repeated + one[2]
        refused = store.rows("SELECT n, refused FROM incoming WHERE refused IS NOT NULL ORDER BY n")
        return Merged(
            added=added, updated=updated, repeated=repeated, refused=[(row["n"], row["refused"]) for row in refused]
        )

    def _merge_wave(self, now: datetime, wave: int, *, tagged: bool, consenting: bool) -> tuple[int, int, int]:
        store, options = self._store, self._plan.options
        known: dict[str, Any] = {"wave": wave, "now": to_ms(now)}
        met = repeated = 0
        if store.value(self._met, known):
            met = store.execute(self._resolve, known)
        for refuse in self._refusals(met):
            store.execute(refuse, known)
        if met:
            repeated = store.value(_REPEATED, {**known, "newest": self._newest})
            if options.on_conflict == "skip":
                # Whom the file only names again is left alone in everything.
                store.execute("UPDATE incoming SET changed = -1 WHERE wave = :wave AND contact_id IS NOT NULL", known)
            else:
                self._update(now, known)
        added = store.execute(self._add, known)
        if added and (tagged or consenting or options.fire_events):
            store.execute(self._resolve_new, known)
            if options.fire_events:
                tell_added(store, now, known)
        if tagged:
            tell_tags(store, now, known, fire=options.fire_events)
        if consenting:
            lasts = settings.get(store, "consent.lasts")
            said = {
                **known,
                "source": self._consent_source,
                "evidence": self._evidence,
                "expires": None if lasts is None else to_ms(now + lasts),
            }
            tell_consents(store, now, said, fire=options.fire_events)
        if tagged or consenting:
            store.execute(_TOUCH, known)
        return added, int(store.value(_UPDATED, known)) if met else 0, repeated

    def _update(self, now: datetime, known: dict[str, Any]) -> None:
        store, options = self._store, self._plan.options
        wave = {"wave": known["wave"]}
        store.execute(self._mark_changed, known)
        if options.fire_events:
            tell_attributes(store, now, known, self._plan)
        for channel, column in (("email", "email"), ("sms", "phone")):
            if column in self._others:
                keep_noes(store, now, self._moving(column), wave, channel, "import")
        store.execute(self._change, known)
        # Only what has more than ASCII in it is folded, so these are few; SQL has no words for it.
        store.executemany(
            "UPDATE contacts SET folded = ? WHERE id = ?",
            [(fold_json(json.loads(row["attributes"])), row["id"]) for row in store.rows(_TO_FOLD, wave)],
        )

    def _stage_tags(self, row_tags: Sequence[tuple[int, str]]) -> None:
        for name in {*self._plan.options.tags, *(name for _, name in row_tags)} - self._tag_ids.keys():
            self._tag_ids[name] = tags.id_of(self._store, name)
        everybody = [self._tag_ids[name] for name in self._plan.options.tags]
        for tag_id in everybody:
            self._store.execute("INSERT INTO incoming_tags (n, tag_id) SELECT n, :tag FROM incoming", {"tag": tag_id})
        self._store.executemany(
            "INSERT INTO incoming_tags (n, tag_id) VALUES (?, ?) ON CONFLICT (n, tag_id) DO NOTHING",
            ((n, self._tag_ids[name]) for n, name in row_tags),
        )

    # The statements, by the key and the options

    @property
    def _met(self) -> str:
        key = self._plan.key
        return f"""
        SELECT EXISTS (
          SELECT 1
          FROM incoming
          JOIN contacts ON contacts.{key} = incoming.{key}
          WHERE incoming.wave = :wave
        )
        """

    @property
    def _resolve(self) -> str:
        key = self._plan.key
        return f"""
        UPDATE incoming
        SET contact_id = contacts.id
        FROM contacts
        WHERE contacts.{key} = incoming.{key}
          AND incoming.wave = :wave
        """

    @property
    def _resolve_new(self) -> str:
        key = self._plan.key
        return f"""
        UPDATE incoming
        SET contact_id = contacts.id, is_new = 1
        FROM contacts
        WHERE contacts.{key} = incoming.{key}
          AND incoming.wave = :wave
          AND incoming.contact_id IS NULL
          AND incoming.refused IS NULL
        """

    def _refusals(self, met: int) -> Iterable[str]:
        """Statements that refuse rows, each with its reason."""
        options, key = self._plan.options, self._plan.key
        if met and key == "phone":
            yield """
            UPDATE incoming
            SET refused = 'the phone number ' || phone || ' is that of several contacts'
            WHERE wave = :wave
              AND contact_id IS NOT NULL
              AND (SELECT count(*) FROM contacts WHERE contacts.phone = incoming.phone) > 1
            """
        if met and not options.restore:
            yield """
            UPDATE incoming
            SET refused = 'this contact was removed; --restore brings it back'
            FROM contacts
            WHERE contacts.id = incoming.contact_id
              AND contacts.removed_at IS NOT NULL
              AND incoming.wave = :wave
              AND incoming.refused IS NULL
            """
        if met and options.on_conflict == "refuse":
            yield """
            UPDATE incoming
            SET refused = 'there is such a contact already'
            WHERE wave = :wave
              AND contact_id IS NOT NULL
              AND refused IS NULL
            """
        for column in ("email", "external_id"):
            if column != key and column in self._own:
                yield self._refuse_taken(column)

    def _refuse_taken(self, column: str) -> str:
        kept = "false"
        if self._plan.options.on_conflict == "skip":
            kept = "incoming.contact_id IS NOT NULL"
        elif self._plan.options.on_conflict == "fill":
            kept = f"""EXISTS (
              SELECT 1
              FROM contacts
              WHERE contacts.id = incoming.contact_id
                AND contacts.{column} IS NOT NULL
            )"""
        return f"""
        UPDATE incoming
        SET refused = 'the {_NAMES[column]} ' || {column} || ' belongs to another contact'
        WHERE wave = :wave
          AND refused IS NULL
          AND NOT ({kept})
          AND EXISTS (
            SELECT 1
            FROM contacts
            WHERE contacts.{column} = incoming.{column}
              AND (incoming.contact_id IS NULL OR contacts.id <> incoming.contact_id)
          )
        """

    @property
    def _others(self) -> tuple[str, ...]:
        """Own columns a row can change: all but the key; where a contact came from never changes."""
        return tuple(name for name in self._own if name not in (self._plan.key, "source"))

    def _merged(self, column: str) -> str:
        fills = self._plan.options.on_conflict == "fill"
        older, newer = f"contacts.{column}", f"incoming.{column}"
        return f"coalesce({older}, {newer})" if fills else f"coalesce({newer}, {older})"

    def _merged_json(self, column: str) -> str:
        older, newer, merge = f"contacts.{column}", f"incoming.{column}", self._store.dialect.json_merge
        if self._plan.options.on_conflict == "fill":
            # Merged twice, so that the members keep their order and the text differs only where they do.
            newer = merge(newer, older)
        return merge(older, newer)

    @property
    def _mark_changed(self) -> str:
        differs = [f"{self._merged_json('attributes')} <> contacts.attributes"]
        differs += [f"{self._merged(name)} IS DISTINCT FROM contacts.{name}" for name in self._others]
        differs.append("contacts.removed_at IS NOT NULL")
        return f"""
        UPDATE incoming
        SET changed = 1
        FROM contacts
        WHERE contacts.id = incoming.contact_id
          AND incoming.wave = :wave
          AND incoming.refused IS NULL
          AND ({" OR ".join(differs)})
        """

    def _moving(self, column: str) -> str:
        """The query of the contacts that get another address."""
        return f"""
        SELECT incoming.contact_id
        FROM incoming
        JOIN contacts ON contacts.id = incoming.contact_id
        WHERE incoming.wave = :wave
          AND incoming.changed = 1
          AND incoming.refused IS NULL
          AND contacts.{column} IS NOT NULL
          AND {self._merged(column)} <> contacts.{column}
        """

    @property
    def _change(self) -> str:
        own = "".join(f", {name} = {self._merged(name)}" for name in self._others)
        return f"""
        UPDATE contacts
        SET attributes = {self._merged_json("attributes")}, removed_at = NULL, updated_at = :now{own}
        FROM incoming
        WHERE incoming.contact_id = contacts.id
          AND incoming.wave = :wave
          AND incoming.changed = 1
          AND incoming.refused IS NULL
        """

    @property
    def _add(self) -> str:
        own = "".join(f", {name}" for name in self._own if name not in ("state", "source"))
        state = "coalesce(state, 'lead')" if "state" in self._own else "'lead'"
        source = "coalesce(source, 'import')" if "source" in self._own else "'import'"
        return f"""
        INSERT INTO contacts (state, source, attributes, folded, added_at, updated_at{own})
        SELECT {state}, {source}, attributes, folded, :now, :now{own}
        FROM incoming
        WHERE wave = :wave
          AND contact_id IS NULL
          AND refused IS NULL
        ORDER BY n
        """


_REPEATED = """
SELECT count(*)
FROM incoming
WHERE wave = :wave
  AND contact_id > :newest
  AND refused IS NULL
"""

_UPDATED = """
SELECT count(*)
FROM incoming
WHERE wave = :wave
  AND changed = 1
  AND is_new = 0
  AND refused IS NULL
"""

_TO_FOLD = """
SELECT contacts.id, contacts.attributes
FROM incoming
JOIN contacts ON contacts.id = incoming.contact_id
WHERE incoming.wave = :wave
  AND incoming.changed = 1
  AND incoming.refused IS NULL
  AND (contacts.folded IS NOT NULL OR incoming.folded IS NOT NULL)
"""

_TOUCH = """
UPDATE contacts
SET updated_at = :now
WHERE id IN (SELECT contact_id FROM incoming WHERE wave = :wave AND changed = 1 AND is_new = 0)
"""
