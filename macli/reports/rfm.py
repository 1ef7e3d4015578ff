"""What an RFM report says: how many contacts are in which bands, who they are, and their quintiles."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from macli.reports.conversions import percent
from macli.scoring.rfm_definition import BANDS, Dimension, band, read
from macli.store import Row, Store, rfm

LISTED = ("name", "contacts", "event", "window", "recency", "frequency", "monetary", "computed_at")
TOTALS = ("dimension", "band", "contacts", "percent", "value", "mean_value")
MATRIX = ("recency", "frequency", "contacts", "value")
CONTACTS = ("id", "email", "phone", "last_at", "purchases", "value", "recency", "frequency", "monetary")
QUINTILES = ("id", "email", "phone", "last_at", "purchases", "value", "recency", "frequency", "monetary", "rfm")

# Who was removed is nobody's customer; the few there are come by an index.
_PRESENT = "rfm_bands.contact_id NOT IN (SELECT id FROM contacts WHERE removed_at IS NOT NULL)"


def listed(store: Store) -> list[dict[str, Any]]:
    """Every report: its name, how many contacts are in it, what it is defined by."""
    return [
        {**dict(row), **read(row["definition"]).shown(), "contacts": _contacts(store, row)} for row in rfm.all_(store)
    ]


def _contacts(store: Store, report: Row) -> int:
    sql = f"SELECT count(*) FROM rfm_bands WHERE report_id = :report AND {_PRESENT}"
    return int(store.value(sql, {"report": report["id"]}))


def summary(store: Store, name: str, now_ms: int) -> dict[str, Any]:
    """A report: its definition, ``contacts``, ``value``; ``bands`` with a total each; the ``matrix`` of recency and
    frequency; ``waiting``, who comes to other bands at the next tick; ``complete``, whether everybody was sorted since
    it was made or changed. Raises UnknownName.
    """
    report = rfm.get(store, name)
    groups = store.rows(_GROUPS, {"report": report["id"]})
    contacts, value = _sum(groups)
    return {
        "report": report["name"],
        "definition": read(report["definition"]).shown(),
        "computed_at": report["computed_at"],
        "complete": report["computed_at"] is not None,
        "contacts": contacts,
        "value": value,
        "waiting": int(store.value(_WAITING, {"report": report["id"], "now": now_ms})),
        "bands": [
            _total(dimension, name, [row for row in groups if row[dimension] == name], contacts)
            for dimension in BANDS
            for name in BANDS[dimension]
        ],
        "matrix": [
            _cell(recency, frequency, groups) for recency in BANDS["recency"] for frequency in BANDS["frequency"]
        ],
    }


_GROUPS = f"""
SELECT recency, frequency, monetary, count(*) AS contacts, sum(value) AS value
FROM rfm_bands
WHERE report_id = :report
  AND {_PRESENT}
GROUP BY recency, frequency, monetary
"""

_WAITING = """
SELECT count(*)
FROM rfm_bands
WHERE moves_at <= :now
  AND report_id = :report
"""


def _sum(groups: Sequence[Row]) -> tuple[int, float]:
    return sum(row["contacts"] for row in groups), round(sum((row["value"] for row in groups), 0.0), 2)


def _total(dimension: Dimension, name: str, groups: Sequence[Row], of: int) -> dict[str, Any]:
    contacts, value = _sum(groups)
    return {
        "dimension": dimension,
        "band": name,
        "contacts": contacts,
        "percent": percent(contacts, of),
        "value": value,
        "mean_value": round(value / contacts, 2) if contacts else None,
    }


def _cell(recency: str | int, frequency: str | int, groups: Sequence[Row]) -> dict[str, Any]:
    here = [row for row in groups if row["recency"] == recency and row["frequency"] == frequency]
    contacts, value = _sum(here)
    return {"recency": recency, "frequency": frequency, "contacts": contacts, "value": value}


def crossed(cells: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Cells of recency and frequency as people read them: a row for each recency, a column for each frequency."""
    found: dict[Any, dict[str, Any]] = {}
    for cell in cells:
        text = f"{cell['contacts']:,} ({cell['value']:,.2f})" if cell["contacts"] else "-"
        found.setdefault(cell["recency"], {"recency": cell["recency"]})[str(cell["frequency"])] = text
    return list(found.values())


def contacts(store: Store, name: str, wanted: Mapping[Dimension, Sequence[str]]) -> Iterator[Row]:
    """The contacts in given bands, in any of several of one dimension, who brought most first. Raises UnknownName."""
    params = {"report": rfm.get(store, name)["id"]}
    tests = []
    for dimension, words in wanted.items():
        names = {f"{dimension}_{place}": band(dimension, word) for place, word in enumerate(words)}
        if names:
            params |= names
            tests.append(f"AND rfm_bands.{dimension} IN ({', '.join(f':{each}' for each in names)})")
    return store.stream(_CONTACTS.format(tests="\n  ".join(tests)), params)


_CONTACTS = """
SELECT contacts.id, contacts.email, contacts.phone, rfm_bands.last_at, rfm_bands.purchases, rfm_bands.value,
  rfm_bands.recency, rfm_bands.frequency, rfm_bands.monetary
FROM rfm_bands
JOIN contacts ON contacts.id = rfm_bands.contact_id
WHERE rfm_bands.report_id = :report
  AND contacts.removed_at IS NULL
  {tests}
ORDER BY rfm_bands.value DESC, rfm_bands.contact_id
"""


def quintiles(store: Store, name: str) -> Iterator[Row]:
    """Everybody in the report with scores from 1 to 5, the best fifth being 5; the best first. Raises UnknownName."""
    return store.stream(_QUINTILES, {"report": rfm.get(store, name)["id"]})


def quintile_cells(store: Store, name: str) -> list[dict[str, Any]]:
    """How many contacts have which scores of recency and frequency, and what they brought. Raises UnknownName."""
    groups = store.rows(_QUINTILE_GROUPS, {"report": rfm.get(store, name)["id"]})
    return [_cell(recency, frequency, groups) for recency in _SCORES for frequency in _SCORES]


_SCORES = (5, 4, 3, 2, 1)


# Equals are told apart by the other two, and at last by their number: the fifths are as even as can be.
_SCORED = f"""
SELECT contact_id, last_at, purchases, value,
  ntile(5) OVER (ORDER BY last_at, purchases, value, contact_id) AS recency,
  ntile(5) OVER (ORDER BY purchases, value, last_at, contact_id) AS frequency,
  ntile(5) OVER (ORDER BY value, purchases, last_at, contact_id) AS monetary
FROM rfm_bands
WHERE report_id = :report
  AND {_PRESENT}
"""

_QUINTILES = f"""
SELECT contacts.id, contacts.email, contacts.phone, scored.last_at, scored.purchases, scored.value, scored.recency,
  scored.frequency, scored.monetary, scored.recency || '' || scored.frequency || scored.monetary AS rfm
FROM ({_SCORED}) AS scored
JOIN contacts ON contacts.id = scored.contact_id
ORDER BY rfm DESC, scored.contact_id
"""

_QUINTILE_GROUPS = f"""
SELECT recency, frequency, count(*) AS contacts, sum(value) AS value
FROM ({_SCORED}) AS scored
GROUP BY recency, frequency
"""
