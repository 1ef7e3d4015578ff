"""Predictions of contacts: how likely each has left for good or buys again, and the models that say so."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import Any

from macli.clock import to_ms
from macli.config import likelihoods
from macli.errors import OperationFailed, UnknownName
from macli.model import Where
from macli.store import settings, sweeps
from macli.store.connection import Row, Store
from macli.store.contacts import EVERYBODY

KINDS = ("churn", "purchase")
COLUMNS = ("contact", "kind", "likelihood", "percent", "expected", "spend", "model", "predicted_at")
OF_ONE = ("kind", "likelihood", "percent", "expected", "spend", "horizon_days", "model", "fitted_at", "predicted_at")
MODELS = ("name", "source", "fitted_at", "contacts", "contacts_now", "horizon_days", "params", "tested")
_ALL = 2**62
STEP = 50_000
"""How many contacts are written while others wait."""


def check_kind(text: str) -> str:
    """The kind of that name. Raises UnknownName."""
    if text.casefold() not in KINDS:
        raise UnknownName("kind of prediction", text, KINDS, hint="churn or purchase")
    return text.casefold()


def fresh_since(store: Store, now: datetime) -> int:
    """From when on a prediction counts (UTC ms): an older one is no data, by the setting predictions.max_age."""
    return to_ms(now - settings.get(store, "predictions.max_age"))


# Writing


@dataclass(frozen=True, kw_only=True)
class Model:
    """What predictions come from: ``source`` is ``fit`` or ``import``; ``at`` is when it was made (UTC ms)."""

    name: str
    source: str
    at: int
    params: Mapping[str, Any]
    quality: Mapping[str, Any]
    horizon_days: int | None = None


@dataclass(frozen=True, kw_only=True)
class Kept:
    """How many contacts have a prediction of each kind from a model, and of how many the band changed."""

    churn: int
    purchase: int
    changed: int


def stage(store: Store) -> None:
    """Make the temp table ``predicted`` empty: what is to be kept is put there first."""
    store.execute(_STAGE)
    store.execute("DELETE FROM predicted")


_STAGE = """
CREATE TEMP TABLE IF NOT EXISTS predicted (
  contact_id INTEGER PRIMARY KEY,
  churn REAL,
  purchase REAL,
  expected REAL,
  spend REAL
)
"""


def put(store: Store, rows: Iterable[tuple[Any, ...]]) -> None:
    """Put (contact id, churn, purchase, expected, spend) into ``predicted``; None is nothing said."""
    waiting = iter(rows)
    while some := list(islice(waiting, _AT_ONCE)):
        store.execute(f"{_PUT}{', '.join(['(?, ?, ?, ?, ?)'] * len(some))}", list(chain.from_iterable(some)))


_PUT = "INSERT INTO predicted (contact_id, churn, purchase, expected, spend) VALUES "
_AT_ONCE = 5_000
"""Outside a transaction a statement for each row takes ten times as long."""


def keep(
    store: Store, now: datetime, model: Model, *, as_of: int, advance: Callable[[int], None] = lambda contacts: None
) -> Kept:
    """Keep what is in ``predicted`` as the model's predictions as of a time (UTC ms), in steps: not inside a write.

    They stand in the place of those a contact had of the same kind from earlier models. A fit also ends what
    earlier fits said of others. Contacts whose band is another one than before are touched, and no others.
    What was stopped on its way has kept some, and the next finishes it. ``advance`` is told of contacts kept.
    Raises OperationFailed where all predictions are taken away meanwhile.
    """
    known = {"now": to_ms(now), "fresh": fresh_since(store, now), "as_of": as_of}
    with store.write():
        known["model"] = _add_model(store, model)
    store.execute("CREATE TEMP TABLE IF NOT EXISTS touched (contact_id INTEGER PRIMARY KEY)")
    churn = purchase = changed = 0
    for contacts, those in _steps(store, "predicted"):
        with store.write():
            for_churn, for_purchase, touched = _keep_some(store, {**known, **those})
        churn, purchase, changed = churn + for_churn, purchase + for_purchase, changed + touched
        advance(contacts)
    if model.source == "fit":
        changed += _end_earlier(store, known)
    with store.write():
        store.execute(_COUNT, {"model": known["model"], "contacts": max(churn, purchase)})
    return Kept(churn=churn, purchase=purchase, changed=changed)


def _steps(store: Store, table: str) -> Iterator[tuple[int, dict[str, int]]]:
    """(how many, the ids they are between) of a table's contacts, some thousands at a time."""
    after = 0
    while True:
        step = store.row(_STEP.format(table=table), {"after": after, "most": STEP})
        if step is None or not step["contacts"]:
            return
        yield step["contacts"], {"after": after, "upto": step["upto"]}
        after = step["upto"]


_STEP = """
SELECT count(*) AS contacts, max(contact_id) AS upto
FROM (SELECT DISTINCT contact_id FROM {table} WHERE contact_id > :after ORDER BY contact_id LIMIT :most) AS step
"""


def _keep_some(store: Store, known: Mapping[str, Any]) -> tuple[int, int, int]:
    """Keep those of a step; how many of each kind, and of how many contacts the band changed."""
    if store.value("SELECT count(*) FROM prediction_models WHERE id = :model", known) == 0:
        raise OperationFailed("all predictions were taken away meanwhile", hint="the same command makes them anew")
    store.execute("DELETE FROM touched")
    for kind in KINDS:
        store.execute(_CHANGED.format(kind=kind, new=likelihoods.sql(kind), old=likelihoods.sql("probability")), known)
    churn = store.execute(_KEEP.format(kind="churn", expected="NULL", spend="NULL"), known)
    purchase = store.execute(_KEEP.format(kind="purchase", expected="expected", spend="spend"), known)
    return churn, purchase, _touch(store, _TOUCH, known)


def _end_earlier(store: Store, known: Mapping[str, Any]) -> int:
    """Take away what earlier fits said of contacts that this one says nothing of; of how many it counted."""
    store.execute("CREATE TEMP TABLE IF NOT EXISTS ended (contact_id INTEGER PRIMARY KEY)")
    store.execute("DELETE FROM ended")
    store.execute(_ENDED, known)
    changed = 0
    for _, those in _steps(store, "ended"):
        with store.write():
            store.execute("DELETE FROM touched")
            store.execute(_ENDED_TOUCHED, {**known, **those})
            store.execute(_END, {**known, **those})
            changed += _touch(store, _TOUCH, known)
    return changed


def _touch(store: Store, those: str, known: Mapping[str, Any]) -> int:
    """Have rules look again at those contacts, though ticks may have passed since ``now``; how many they are."""
    touched = store.execute(those, known)
    if touched:
        sweeps.look_at_all(store)
    return touched


def _add_model(store: Store, model: Model) -> int:
    return int(
        store.value(
            _MODEL,
            {
                "name": model.name,
                "source": model.source,
                "params": json.dumps(dict(model.params)),
                "quality": json.dumps(dict(model.quality)),
                "horizon": model.horizon_days,
                "at": model.at,
            },
        )
    )


_MODEL = """
INSERT INTO prediction_models (name, source, params, quality, horizon_days, fitted_at)
VALUES (:name, :source, :params, :quality, :horizon, :at)
RETURNING id
"""

_COUNT = """
UPDATE prediction_models
SET contacts = :contacts
WHERE id = :model
"""

_CHANGED = """
INSERT INTO touched (contact_id)
SELECT predicted.contact_id
FROM predicted
LEFT JOIN predictions
  ON predictions.contact_id = predicted.contact_id
  AND predictions.kind = '{kind}'
  AND predictions.predicted_at >= :fresh
WHERE predicted.{kind} IS NOT NULL
  AND predicted.contact_id > :after
  AND predicted.contact_id <= :upto
  AND coalesce(CASE WHEN :as_of >= :fresh THEN {new} END, -1) <> coalesce({old}, -1)
ON CONFLICT DO NOTHING
"""

_KEEP = """
INSERT INTO predictions (contact_id, kind, probability, expected, spend, model_id, predicted_at)
SELECT contact_id, '{kind}', {kind}, {expected}, {spend}, :model, :as_of
FROM predicted
WHERE {kind} IS NOT NULL
  AND contact_id > :after
  AND contact_id <= :upto
  AND contact_id IN (SELECT id FROM contacts WHERE removed_at IS NULL)
ORDER BY contact_id
ON CONFLICT (contact_id, kind) DO UPDATE
SET probability = excluded.probability, expected = excluded.expected, spend = excluded.spend,
  model_id = excluded.model_id, predicted_at = excluded.predicted_at
WHERE predictions.model_id <= excluded.model_id
"""

_EARLIER = "model_id IN (SELECT id FROM prediction_models WHERE source = 'fit' AND id < :model)"

_ENDED = f"""
INSERT INTO ended (contact_id)
SELECT DISTINCT contact_id
FROM predictions
WHERE {_EARLIER}
"""

_OF_ENDED = f"""{_EARLIER}
  AND contact_id IN (SELECT contact_id FROM ended WHERE contact_id > :after AND contact_id <= :upto)"""

_ENDED_TOUCHED = f"""
INSERT INTO touched (contact_id)
SELECT DISTINCT contact_id
FROM predictions
WHERE {_OF_ENDED}
  AND predicted_at >= :fresh
"""

_END = f"DELETE FROM predictions WHERE {_OF_ENDED}"

_TOUCH = """
UPDATE contacts
SET updated_at = :now
WHERE id IN (SELECT contact_id FROM touched)
"""


def clear(store: Store, now: datetime) -> int:
    """Take away all predictions and models, in steps; how many contacts had one."""
    cleared = 0
    for _, those in _steps(store, "predictions"):
        with store.write():
            cleared += _touch(store, _LOOK_AGAIN, {"now": to_ms(now), **those})
            store.execute("DELETE FROM predictions WHERE contact_id > :after AND contact_id <= :upto", those)
    with store.write():
        store.execute("DELETE FROM prediction_models WHERE id NOT IN (SELECT model_id FROM predictions)")
    return cleared


_LOOK_AGAIN = """
UPDATE contacts
SET updated_at = :now
WHERE id IN (SELECT contact_id FROM predictions WHERE contact_id > :after AND contact_id <= :upto)
"""


# Reading


def how_many(store: Store) -> int:
    """How many contacts have a prediction, of whatever age."""
    return int(store.value("SELECT count(DISTINCT contact_id) FROM predictions"))


def listed(
    store: Store,
    now: datetime,
    where: Where = EVERYBODY,
    *,
    kind: str | None = None,
    band: str | None = None,
    limit: int | None = None,
) -> Iterator[dict[str, Any]]:
    """The predictions that count now of the contacts meant, the likeliest of each kind first."""
    above, most = likelihoods.limits(band) if band is not None else (-1.0, 1.0)
    for each in KINDS if kind is None else (kind,):
        asked = {"kind": each, "above": above, "most": most, "limit": _ALL if limit is None else limit}
        asked["fresh"] = fresh_since(store, now)
        for row in store.stream(_LISTED.format(where=where.sql), {**where.params, **asked}):
            yield _told(row)


_SAID = """
SELECT predictions.contact_id, coalesce(contacts.email, contacts.external_id, contacts.phone) AS called,
  predictions.kind, predictions.probability, predictions.expected, predictions.spend,
  prediction_models.name AS model, prediction_models.fitted_at, prediction_models.horizon_days,
  predictions.predicted_at
FROM predictions
JOIN contacts ON contacts.id = predictions.contact_id
JOIN prediction_models ON prediction_models.id = predictions.model_id
"""

_LISTED = f"""
{_SAID}
WHERE predictions.kind = :kind
  AND predictions.probability > :above
  AND predictions.probability <= :most
  AND predictions.predicted_at >= :fresh
  AND {{where}}
ORDER BY predictions.probability DESC, predictions.contact_id
LIMIT :limit
"""


def _told(row: Row) -> dict[str, Any]:
    return {
        "contact": row["called"] or f"#{row['contact_id']}",
        "kind": row["kind"],
        "likelihood": likelihoods.of(row["probability"]),
        "percent": round(100 * row["probability"], 1),
        "expected": None if row["expected"] is None else round(row["expected"], 3),
        "spend": None if row["spend"] is None else round(row["spend"], 2),
        "horizon_days": row["horizon_days"],
        "model": row["model"],
        "fitted_at": row["fitted_at"],
        "predicted_at": row["predicted_at"],
    }


def of(store: Store, contact_id: int, now: datetime) -> list[dict[str, Any]]:
    """What is predicted of one contact, a record a kind; ``likelihood`` is ``no data`` where nothing counts."""
    found = {row["kind"]: _told(row) for row in store.rows(f"{_SAID} WHERE contact_id = :id", {"id": contact_id})}
    fresh = fresh_since(store, now)
    records = []
    for kind in KINDS:
        said = found.get(kind, {"kind": kind, "predicted_at": None})
        if kind not in found or said["predicted_at"] < fresh:
            said = {"kind": kind, "likelihood": "no data", "predicted_at": said["predicted_at"]}
        records.append(said)
    return records


def models(store: Store, now: datetime) -> list[dict[str, Any]]:
    """The models, the latest first; ``contacts_now`` is of how many contacts each one's word counts now."""
    return [
        {
            **{name: row[name] for name in ("name", "source", "fitted_at", "contacts", "contacts_now", "horizon_days")},
            "params": json.loads(row["params"]),
            "tested": _tested(json.loads(row["quality"])),
            "quality": json.loads(row["quality"]),
        }
        for row in store.rows(_MODELS, {"fresh": fresh_since(store, now)})
    ]


_MODELS = """
SELECT name, source, fitted_at, contacts, horizon_days, params, quality,
  coalesce(counted.contacts_now, 0) AS contacts_now
FROM prediction_models
LEFT JOIN (
  SELECT model_id, count(DISTINCT contact_id) AS contacts_now
  FROM predictions
  WHERE predicted_at >= :fresh
  GROUP BY model_id
) AS counted ON counted.model_id = prediction_models.id
ORDER BY fitted_at DESC, id DESC
"""


def _tested(quality: Mapping[str, Any]) -> str:
    held_out = quality.get("held_out")
    if not held_out:
        return ""
    return f"{held_out['purchases']:,} purchases in {held_out['days']} days, {held_out['expected']:,.0f} expected"


def last_fit(store: Store) -> Row | None:
    """The latest fit that was kept to its end: fitted_at, horizon_days, params (JSON); None where none was."""
    return store.row(_LAST_FIT)


_LAST_FIT = """
SELECT fitted_at, horizon_days, params
FROM prediction_models
WHERE source = 'fit'
  AND contacts > 0
ORDER BY id DESC
LIMIT 1
"""
